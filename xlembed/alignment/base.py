"""What every aligner returns, and how it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xlembed.errors import InputError, at, require
from xlembed.files import read_json
from xlembed.normalize import STEPS, UNIT_CENTER_UNIT, normalize
from xlembed.os_faults import advice, cannot_read
from xlembed.saved import check_pair, save_pair
from xlembed.types import Floats2d
from xlembed.vectors import WordVectors


@dataclass(frozen=True)
class LinearMapping:
    """Two matrices into one space: src @ src_weight is comparable with trg @ trg_weight.

    Both are (dim, dim of the common space). `steps` is the normalisation that both spaces had when the
    mapping was fitted, and that they need before it is applied.
    """

    src_weight: Floats2d
    trg_weight: Floats2d
    steps: tuple[str, ...] = UNIT_CENTER_UNIT
    about: dict[str, Any] = field(default_factory=dict)

    def map_src(self, vectors: WordVectors) -> WordVectors:
        """Normalise and map source vectors (as read) into the common space."""
        return _mapped(vectors, self.src_weight, self.steps, "source")

    def map_trg(self, vectors: WordVectors) -> WordVectors:
        """Normalise and map target vectors (as read) into the common space."""
        return _mapped(vectors, self.trg_weight, self.steps, "target")


def _mapped(vectors: WordVectors, weight: Floats2d, steps: tuple[str, ...], side: str) -> WordVectors:
    if vectors.dim != len(weight):
        raise InputError(
            f"the {side} vectors have dim {vectors.dim}, the mapping was fitted for {len(weight)}"
        )
    return normalize(vectors, steps).transformed(lambda matrix: matrix @ weight)


def save_mapping(folder: str | Path, mapping: LinearMapping) -> None:
    """Write weights.safetensors and mapping.json into a folder."""
    numpy_format = require("safetensors.numpy", "static")
    folder = Path(folder)
    weights = {
        "src_weight": np.ascontiguousarray(mapping.src_weight, dtype=np.float32),
        "trg_weight": np.ascontiguousarray(mapping.trg_weight, dtype=np.float32),
    }
    facts = {"steps": list(mapping.steps), **mapping.about}
    save_pair(folder / "weights.safetensors", folder / "mapping.json",
              lambda path: numpy_format.save_file(weights, path), facts)  # fmt: skip


def check_loaded(weights: Sequence[np.ndarray], steps: Sequence[object]) -> None:
    """Raise ValueError unless saved matrices are finite, and the steps of normalisation are known."""
    if any(weight.ndim != 2 or weight.dtype != np.float32 or not np.isfinite(weight).all() for weight in weights):
        raise ValueError("matrices that are none of float32")
    if not all(weight.size for weight in weights):
        raise ValueError("matrices without numbers")
    if not set(steps) <= set(STEPS):
        raise ValueError(f"steps {steps!r}")


def load_mapping(folder: str | Path) -> LinearMapping:
    """Read what `save_mapping` wrote. Raises InputError when the folder is not a mapping's."""
    safetensors = require("safetensors", "static")
    numpy_format = require("safetensors.numpy", "static")
    folder = Path(folder)
    if not (folder / "mapping.json").is_file():
        raise at(folder, None, "holds no mapping.json: give a folder that `xlembed align --out` wrote")
    about = read_json(folder / "mapping.json")
    try:
        weights = numpy_format.load_file(folder / "weights.safetensors")
        src_weight, trg_weight = weights["src_weight"], weights["trg_weight"]
        check_pair(folder / "weights.safetensors", about)
        steps = tuple(about.pop("steps"))
        check_loaded([src_weight, trg_weight], steps)
        return LinearMapping(src_weight, trg_weight, steps, about)
    except InputError:
        raise
    except (OSError, KeyError, TypeError, AttributeError, ValueError, safetensors.SafetensorError) as err:
        if advice(err) is not None:
            raise cannot_read(folder, err) from None
        raise at(folder, None, f"holds a damaged mapping ({err}): align again") from None
