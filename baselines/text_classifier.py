"""Topics of texts on averaged frozen word vectors and a hidden layer.

The mean of the word vectors, weighted as in sentence_vectors: SWEM-aver of Shen et al. 2018 (ACL), "Baseline Needs More
Love". (The greatest of each dimension beside it, their SWEM-concat, did not help on SIB-200's dev set.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from baselines.corpora import LabelledText, check_training
from baselines.features import N_SHAPE, WordFeatures, check_dim
from baselines.models import Score
from baselines.pair_words import Texts, batches_by_size, numbered_texts
from baselines.sentence_vectors import (
    StandardizedLayers,
    common_component,
    weighted_means,
    without,
    word_weights,
)
from baselines.settings import TextSettings
from baselines.training import Curve, OfNetwork, fit_network
from xlembed.types import Ints1d


@dataclass
class TextClassifier(OfNetwork):
    """A trained classifier; it reads any language whose features live in the same space."""

    labels: list[str]
    network: StandardizedLayers
    settings: TextSettings
    n_features: int
    curve: Curve | None = None

    def predict(self, texts: Sequence[LabelledText], features: WordFeatures) -> list[str]:
        """A label for each text."""
        check_dim(features, self.n_features, "classifier")
        inputs = text_inputs(*_numbered(texts, features), self.settings.weighting, self.network.component)
        return self.predict_inputs(inputs)

    def predict_inputs(self, inputs: Tensor) -> list[str]:
        """A label for each row of inputs."""
        self.network.eval()
        with torch.inference_mode():
            return [self.labels[i] for i in self.network(inputs).argmax(dim=1).tolist()]

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and description, for saving."""
        about = {"labels": self.labels, "settings": asdict(self.settings), "n_features": self.n_features}
        return dict(self.network.state_dict()), about


def train(
    train: Sequence[LabelledText],
    dev: Sequence[LabelledText],
    features: WordFeatures,
    score: Score,
    settings: TextSettings = TextSettings(),
    seed: int = 1,
) -> TextClassifier:
    """Train on the source language; `score(gold, predicted)` on dev decides when to stop."""
    check_training(train, dev)
    labels = sorted({text.label for text in train if text.label is not None})
    gold, dev_gold = torch.tensor([labels.index(text.label or "") for text in train]), [text.label for text in dev]
    network = _network(features.vectors.dim, len(labels), settings, seed)
    numbered = _numbered(train, features)
    if settings.weighting == "sif":
        network.component.copy_(common_component(text_inputs(*numbered, settings.weighting, network.component)))
    inputs = text_inputs(*numbered, settings.weighting, network.component)
    dev_inputs = text_inputs(*_numbered(dev, features), settings.weighting, network.component)
    network.measure(inputs)
    classifier = TextClassifier(labels, network, settings, features.dim)
    classifier.curve = fit_network(
        network,
        lambda rows: nn.functional.cross_entropy(network(inputs[rows]), gold[rows]),
        len(train),
        lambda: score(dev_gold, classifier.predict_inputs(dev_inputs)),
        settings,
        seed,
        "text classifier",
    )
    return classifier


def load(tensors: dict[str, Tensor], about: dict[str, Any]) -> TextClassifier:
    """What `state` took apart."""
    settings = TextSettings(**about["settings"])
    network = _network(about["n_features"] - N_SHAPE, len(about["labels"]), settings)
    network.load_state_dict(tensors)
    return TextClassifier(about["labels"], network, settings, about["n_features"])


def _network(dim: int, n_classes: int, settings: TextSettings, seed: int = 0) -> StandardizedLayers:
    return StandardizedLayers(dim, n_classes, dim, settings, seed)


def _numbered(texts: Sequence[LabelledText], features: WordFeatures) -> tuple[Texts, Ints1d]:
    return numbered_texts([text.text for text in texts], features)


def text_inputs(texts: Texts, numbers: Ints1d, weighting: str, component: Tensor) -> Tensor:
    """Weighted means of the words of some texts, (n_texts, dim)."""
    weights = word_weights(texts.table, weighting)
    means = torch.zeros(len(numbers), len(component))
    lengths = texts.lengths[numbers]
    for rows in batches_by_size(np.stack([lengths, np.ones_like(lengths)], axis=1)):
        means[rows] = weighted_means(texts.table, weights, texts.padded(numbers[rows]))
    return without(component, means)
