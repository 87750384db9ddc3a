"""Saving static systems as safetensors and JSON, and loading them without pickle."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from baselines.classifiers import PairClassifier, classifier_from_state, classifier_state
from baselines.taggers import WindowTagger, tagger_from_state, tagger_state
from xlembed.errors import at
from xlembed.files import read_json, replacing, write_json

_PARTS = {"ner": (tagger_state, tagger_from_state), "nli": (classifier_state, classifier_from_state)}


def save_static(folder: Path, kind: str, model: WindowTagger | PairClassifier) -> None:
    """Write weights.safetensors, then model.json: a folder with a model.json is whole."""
    tensors, about = _PARTS[kind][0](model)
    with replacing(folder / "weights.safetensors") as temporary:
        save_file({name: value.contiguous() for name, value in tensors.items()}, temporary)
    write_json(folder / "model.json", {"kind": kind, **about})


def load_static(folder: str | Path, kind: str | None = None) -> WindowTagger | PairClassifier:
    """Read what `save_static` wrote; `kind` insists on a tagger (ner) or a classifier (nli)."""
    folder = Path(folder)
    if not (folder / "model.json").is_file():
        raise at(folder, None, "holds no model.json: give a folder that `train --out` wrote")
    about = read_json(folder / "model.json")
    try:
        if kind not in (None, about["kind"]):
            raise at(folder, None, f"holds a model for {about['kind']}, one for {kind} is needed")
        return _PARTS[about["kind"]][1](load_file(folder / "weights.safetensors"), about)
    except (OSError, KeyError, TypeError, RuntimeError, SafetensorError) as err:
        raise at(folder, None, f"holds a damaged model ({' '.join(str(err).split())[:100]}): train it again") from None
