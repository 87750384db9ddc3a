"""All taggers and classifiers by name, with their settings.

A module of a model has `train(train, dev, features, score, settings, seed)` and `load(tensors, about)`, which both
give a `Trained`; `score(gold, predicted)` on dev decides when training stops.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol

from baselines import settings as _settings
from baselines.corpora import TAGGING
from xlembed.errors import InputError

if TYPE_CHECKING:
    import torch

    from baselines.features import WordFeatures
    from baselines.training import Curve


Score = Callable[[Sequence[Any], Sequence[Any]], float]


class Trained(Protocol):
    """A trained model; it reads any language whose features live in the same space."""

    curve: Curve | None

    @property
    def n_parameters(self) -> int:
        """Numbers that were trained."""

    def predict(self, items: Sequence[Any], features: WordFeatures) -> list[Any]:
        """A list of tags, or a label, for each item."""

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Tensors and description (JSON), for saving; `load` of the module puts them together again."""


@dataclass(frozen=True)
class ModelType:
    """Where a model is, and what it is."""

    name: str
    module: str
    settings: type
    about: str

    def train(self, *args: Any) -> Trained:
        """`train` of its module."""
        trained: Trained = importlib.import_module(f"baselines.{self.module}").train(*args)
        return trained

    def load(self, tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> Trained:
        """`load` of its module."""
        loaded: Trained = importlib.import_module(f"baselines.{self.module}").load(tensors, about)
        return loaded


TAGGERS = (
    ModelType("bilstm-crf", "bilstm_tagger", _settings.BilstmSettings, "BiLSTM over words and characters, CRF"),
    ModelType("crf", "crf_tagger", _settings.CrfSettings, "linear-chain CRF on shapes, affixes, clusters and vectors"),
    ModelType("window", "window_tagger", _settings.WindowSettings, "a hidden layer over a window of words"),
)
CLASSIFIERS = (
    ModelType("mean", "mean_classifier", _settings.MeanSettings, "averaged vectors, words without a partner"),
    ModelType("attention", "attention_classifier", _settings.AttentionSettings, "decomposable attention between words"),
    ModelType("bilstm-max", "bilstm_classifier", _settings.BilstmPairSettings, "BiLSTM with max pooling"),
    ModelType("hypothesis-only", "hypothesis_only", _settings.MeanSettings, "mean, every premise blank: a floor"),
)
TEXT_CLASSIFIERS = (
    ModelType("mean-text", "text_classifier", _settings.TextSettings, "averaged vectors, a hidden layer"),
)
MODELS = {"ner": TAGGERS, "pos": TAGGERS, "nli": CLASSIFIERS, "topic": TEXT_CLASSIFIERS}
HYPOTHESIS_ONLY = "hypothesis-only"  # the classifier that stands beside every other
OPTION = {"ner": "tagger", "pos": "tagger", "nli": "classifier", "topic": "text_classifier"}


def model_type(kind: str, name: str | None = None) -> ModelType:
    """The model of that name for a kind of task, by default the first. Raises InputError."""
    types = MODELS[kind]
    if name is None:
        return types[0]
    for one in types:
        if one.name == name:
            return one
    what = "tagger" if kind in TAGGING else "classifier"
    raise InputError(f"unknown {what} {name!r} for {kind}: choose {', '.join(one.name for one in types)}")


def read_settings(settings: type, given: Mapping[str, Any], where: str) -> Any:
    """Settings of a model from keys and values; InputError names an unknown key or a value of the wrong type."""
    known = {field.name: field for field in fields(settings)}
    for key, value in given.items():
        if key not in known:
            raise InputError(f"{where}: unknown key {key!r}; known are {', '.join(sorted(known))}")
        if not _is_like(value, known[key].default):
            raise InputError(f"{where}: {key} = {value!r}, a value like {known[key].default!r} is needed")
    return settings(**given)


def _is_like(value: Any, default: Any) -> bool:
    """Whether a value has the type of a setting's default: a whole number is a float, too, and a list a tuple."""
    if default is None:
        return True
    if isinstance(value, bool) or isinstance(default, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    kinds = {float: (float, int), tuple: (list, tuple)}
    return isinstance(value, kinds.get(type(default), type(default)))
