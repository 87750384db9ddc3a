"""NLI on averaged frozen word vectors, what remains of either sentence beside the other, and a hidden layer.

The sentence-vector classifier of the XNLI paper (Conneau et al. 2018, "X-CBOW"): with u and v the means of premise and
hypothesis, [u; v; |u - v|; u * v] as in InferSent (Conneau et al. 2017). The words of a mean may be weighted by SIF
(Arora et al. 2017, ICLR, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings"):

    u = sum_i a / (a + p(w_i)) x_i / n,  then u - c c' u,  c the first right singular vector of the training sentences

or by -log p(w_i), with p by Zipf's law, since vector files hold no counts. What a mean hides, one word that only one
sentence has ("no", "sleeping"), is kept apart, in the shared space:

    r = sum_i (1 - max_j cos(x_i, y_j)) x_i,  s = sum_i [w_i is not a word of the other sentence] x_i

of both sentences, with the figures of pair_words. Shapes in comments: b pairs, n words, d the dim of the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from baselines.corpora import NLI_LABELS, SentencePair, check_training
from baselines.features import N_SHAPE, WordFeatures, check_dim
from baselines.models import Score
from baselines.pair_words import (
    N_FIGURES,
    Pairs,
    align,
    batches_by_size,
    label_numbers,
    pairs_of,
)
from baselines.sentence_vectors import (
    StandardizedLayers,
    common_component,
    weighted_means,
    weighted_sums,
    without,
    word_weights,
)
from baselines.settings import MeanSettings
from baselines.training import Curve, OfNetwork, fit_network
from xlembed.types import Ints1d

_PARTS = 8  # u, v, |u - v|, u * v, and r and s of both sentences


@dataclass
class MeanClassifier(OfNetwork):
    """A trained classifier; it reads any language whose features live in the same space."""

    network: StandardizedLayers
    settings: MeanSettings
    n_features: int
    curve: Curve | None = None

    def predict(self, pairs: Sequence[SentencePair], features: WordFeatures) -> list[str]:
        """A label for each pair."""
        check_dim(features, self.n_features, "classifier")
        read = pairs_of(pairs, features)
        return self.predict_inputs(pair_inputs(read, self.settings.weighting, self.network.component))

    def predict_inputs(self, inputs: Tensor) -> list[str]:
        """A label for each row of inputs."""
        self.network.eval()
        with torch.inference_mode():
            return [NLI_LABELS[i] for i in self.network(inputs).argmax(dim=1).tolist()]

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and description, for saving."""
        return dict(self.network.state_dict()), {"settings": asdict(self.settings), "n_features": self.n_features}


def train(
    train: Sequence[SentencePair],
    dev: Sequence[SentencePair],
    features: WordFeatures,
    score: Score,
    settings: MeanSettings = MeanSettings(),
    seed: int = 1,
) -> MeanClassifier:
    """Train on the source language; `score(gold, predicted)` on dev decides when to stop."""
    check_training(train, dev)
    pairs, labels, dev_gold = pairs_of(train, features), label_numbers(train), [pair.label for pair in dev]
    network = _network(features.vectors.dim, settings, seed)
    if settings.weighting == "sif":
        network.component.copy_(common_component(sentence_means(pairs, settings.weighting)))
    inputs = pair_inputs(pairs, settings.weighting, network.component)
    dev_inputs = pair_inputs(pairs_of(dev, features), settings.weighting, network.component)
    network.measure(inputs)
    classifier = MeanClassifier(network, settings, features.dim)
    classifier.curve = fit_network(
        network,
        lambda rows: nn.functional.cross_entropy(network(inputs[rows]), labels[rows]),
        len(train),
        lambda: score(dev_gold, classifier.predict_inputs(dev_inputs)),
        settings,
        seed,
        "classifier",
    )
    return classifier


def load(tensors: dict[str, Tensor], about: dict[str, Any]) -> MeanClassifier:
    """What `state` took apart."""
    settings = MeanSettings(**about["settings"])
    network = _network(about["n_features"] - N_SHAPE, settings)
    network.load_state_dict(tensors)
    return MeanClassifier(network, settings, about["n_features"])


def _network(dim: int, settings: MeanSettings, seed: int = 0) -> StandardizedLayers:
    return StandardizedLayers(_PARTS * dim + N_FIGURES, len(NLI_LABELS), dim, settings, seed)


def sentence_means(pairs: Pairs, weighting: str) -> Tensor:
    """Weighted means of all premises and hypotheses, (2 n_pairs, d), in no order that means anything."""
    table, weights = pairs.texts.table, word_weights(pairs.texts.table, weighting)
    means = [weighted_means(table, weights, pairs.texts.padded(numbers[rows]))
             for rows in batches_by_size(pairs.sizes) for numbers in (pairs.premise, pairs.hypothesis)]  # fmt: skip
    return torch.cat(means)


def pair_inputs(pairs: Pairs, weighting: str, component: Tensor) -> Tensor:
    """[u; v; |u - v|; u * v; r, s of the premise; r, s of the hypothesis; figures], (n_pairs, 8 d + N_FIGURES)."""
    inputs = torch.empty(len(pairs.premise), _PARTS * len(component) + N_FIGURES)
    weights = word_weights(pairs.texts.table, weighting)
    for rows in batches_by_size(pairs.sizes):
        inputs[rows] = _batch_inputs(pairs, rows, weights, component)
    return inputs


def _batch_inputs(pairs: Pairs, rows: Ints1d, weights: Tensor, component: Tensor) -> Tensor:
    table = pairs.texts.table
    premise, hypothesis = pairs.texts.padded(pairs.premise[rows]), pairs.texts.padded(pairs.hypothesis[rows])
    u, v = (without(component, weighted_means(table, weights, ids)) for ids in (premise, hypothesis))
    parts = [u, v, (u - v).abs(), u * v]
    left, right, _ = align(table, premise, hypothesis)
    for side, ids in ((left, premise), (right, hypothesis)):
        parts += [weighted_sums(table, 1 - side.best, ids), weighted_sums(table, (~side.exact).float(), ids)]
    return torch.cat([*parts, pairs.figures[rows]], dim=1)
