"""What every aligner returns, and how it is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xlembed.errors import InputError, at, require
from xlembed.files import read_json, replacing, write_json
from xlembed.normalize import UNIT_CENTER_UNIT, normalize
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
    with replacing(folder / "weights.safetensors") as temporary:
        numpy_format.save_file(weights, temporary)
    write_json(folder / "mapping.json", {"steps": list(mapping.steps), **mapping.about})


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
        steps = tuple(about.pop("steps"))
        return LinearMapping(weights["src_weight"], weights["trg_weight"], steps, about)
    except (OSError, KeyError, TypeError, AttributeError, safetensors.SafetensorError) as err:
        raise at(folder, None, f"holds a damaged mapping ({err}): align again") from None
