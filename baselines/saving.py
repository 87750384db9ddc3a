"""Saving static systems as safetensors and JSON, and loading them without pickle."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from baselines.models import Trained, model_type
from baselines.training import Curve
from xlembed.errors import InputError, at
from xlembed.files import read_json, replacing, write_json


def save_static(folder: Path, kind: str, name: str, model: Trained) -> None:
    """Write weights.safetensors, then model.json: a folder with a model.json is whole. `name` is the model type's."""
    tensors, about = model.state()
    with replacing(folder / "weights.safetensors") as temporary:
        save_file({name: value.contiguous() for name, value in tensors.items()}, temporary)
    curve = asdict(model.curve) if model.curve else None
    write_json(folder / "model.json", {"kind": kind, "model": name, "curve": curve, **about})


def kind_of(folder: str | Path) -> str | None:
    """The kind of task that a saved model is for; None where its model.json does not tell."""
    path = Path(folder) / "model.json"
    about = read_json(path) if path.is_file() else {}
    return about.get("kind") if isinstance(about, dict) else None


def load_static(folder: str | Path, kind: str | None = None) -> Trained:
    """Read what `save_static` wrote; `kind` insists on a model for that kind of task."""
    folder = Path(folder)
    if not (folder / "model.json").is_file():
        raise at(folder, None, "holds no model.json: give a folder that `train --out` wrote")
    about = read_json(folder / "model.json")
    try:
        if kind not in (None, about["kind"]):
            raise at(folder, None, f"holds a model for {about['kind']}, one for {kind} is needed")
        model = model_type(about["kind"], about["model"]).load(load_file(folder / "weights.safetensors"), about)
        model.curve = Curve(**about["curve"]) if about["curve"] else None
        return model
    except InputError:
        raise
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as err:
        raise at(folder, None, f"holds a damaged model ({' '.join(str(err).split())[:100]}): train it again") from None
