"""Saving static systems as safetensors and JSON, and loading them without pickle."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from baselines.corpora import TAGGING
from baselines.models import MODELS, ModelType, Trained, model_type, read_settings
from baselines.predictions import fault_of
from xlembed.errors import InputError, at, require
from xlembed.files import read_json
from xlembed.os_faults import advice, cannot_read
from xlembed.saved import check_pair, save_pair


def save_static(folder: Path, kind: str, name: str, model: Trained) -> None:
    """Write weights.safetensors, then model.json: a folder with a model.json is whole. `name` is the model type's."""
    from safetensors.torch import save_file

    tensors, about = model.state()
    whole = {name: value.contiguous() for name, value in tensors.items()}
    curve = asdict(model.curve) if model.curve else None
    save_pair(folder / "weights.safetensors", folder / "model.json", lambda path: save_file(whole, path),
              {"kind": kind, "model": name, "curve": curve, **about})  # fmt: skip


def kind_of(folder: str | Path) -> str | None:
    """The kind of task that a saved model is for; None where its model.json does not tell."""
    path = Path(folder) / "model.json"
    about = read_json(path) if path.is_file() else {}
    return about.get("kind") if isinstance(about, dict) else None


def load_static(folder: str | Path, kind: str | None = None) -> Trained:
    """Read what `save_static` wrote; `kind` insists on a model for that kind of task.

    Everything in the folder is a claim: settings are checked, and the sizes of the network against those of the weights
    before it is allocated. Raises InputError.
    """
    torch = require("torch", "static")
    from safetensors.torch import load_file

    from baselines.training import Curve

    folder = Path(folder)
    if not (folder / "model.json").is_file():
        raise at(folder, None, "holds no model.json: give a folder that `train --out` wrote")
    about = read_json(folder / "model.json")
    try:
        check_pair(folder / "weights.safetensors", about)
        if kind not in (None, about["kind"]):
            raise at(folder, None, f"holds a model for {about['kind']}, one for {kind} is needed")
        tensors = load_file(folder / "weights.safetensors")
        chosen = _checked_type(about, tensors)
        with torch.device("meta"), warnings.catch_warnings():  # shapes alone: a false size costs nothing
            warnings.simplefilter("ignore")
            chosen.load(tensors, about)
        model = chosen.load(tensors, about)
        model.curve = Curve(**about["curve"]) if about["curve"] else None
        return model
    except InputError as err:
        raise err if str(folder) in str(err) else at(folder, None, str(err)) from None
    except (OSError, KeyError, TypeError, AttributeError, ValueError, RuntimeError, IndexError, OverflowError,
            SafetensorError) as err:  # fmt: skip
        if advice(err) is not None:
            raise cannot_read(folder, err) from None
        raise at(folder, None, f"holds a damaged model ({' '.join(str(err).split())[:100]}): train it again") from None


_BIGGEST = 1_000_000  # of a whole number among a model's settings


def _checked_type(about: dict[str, Any], tensors: Mapping[str, Any]) -> ModelType:
    """The type of a saved model. Raises InputError or ValueError where settings, labels or weights cannot be its."""
    if about["kind"] not in MODELS or not isinstance(about["model"], str):
        raise ValueError(f"of kind {about['kind']!r}")
    kind, chosen = about["kind"], model_type(about["kind"], about["model"])
    read_settings(chosen.settings, about["settings"], "its settings")
    sizes = [about["n_features"], *(one for one in about["settings"].values() if isinstance(one, int))]
    if any(not isinstance(one, int) or abs(one) > _BIGGEST for one in sizes):
        raise ValueError("settings without measure")
    labels = about.get("labels", [])
    answers = [[label] for label in labels] if kind in TAGGING else labels
    if not isinstance(labels, list) or len(set(labels)) < len(labels) or any(fault_of(kind, one) for one in answers):
        raise ValueError("labels that are none")
    if not all(tensor.is_floating_point() and bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise ValueError("weights that are not finite numbers")
    return chosen
