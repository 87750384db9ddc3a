"""NLI on frozen mapped vectors: averaged words of either sentence, their products, and a hidden layer.

The sentence-vector classifier of the XNLI paper (Conneau et al. 2018, "X-CBOW"): with u and v the means
of premise and hypothesis, the input is [u; v; |u - v|; u * v], as in InferSent (Conneau et al. 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from baselines.corpora import NLI_LABELS, SentencePair, need_gold
from baselines.features import WordFeatures
from baselines.settings import TrainSettings
from baselines.training import Curve, fit_network, two_layers
from xlembed.errors import InputError
from xlembed.tokenize import tokenize
from xlembed.types import Floats2d

N_OVERLAP = 4


@dataclass
class PairClassifier:
    """A trained classifier; it reads any language whose features live in the same space."""

    network: torch.nn.Sequential
    settings: TrainSettings
    n_features: int
    curve: Curve | None = None

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.network.parameters())

    def predict(self, pairs: Sequence[SentencePair], features: WordFeatures) -> list[str]:
        """A label for each pair."""
        if features.dim != self.n_features:
            raise InputError(f"features have dim {features.dim}, the classifier was trained on {self.n_features}")
        return self._predict(torch.from_numpy(pair_inputs(pairs, features)))

    def _predict(self, inputs: torch.Tensor) -> list[str]:
        self.network.eval()
        with torch.inference_mode():
            return [NLI_LABELS[i] for i in self.network(inputs).argmax(-1).tolist()]


def train_classifier(
    train: Sequence[SentencePair],
    dev: Sequence[SentencePair],
    features: WordFeatures,
    score: Callable[[Sequence, Sequence], float],
    settings: TrainSettings = TrainSettings(),
    seed: int = 1,
) -> PairClassifier:
    """Train on the source language; `score(gold, predicted)` on dev decides when to stop."""
    need_gold(train, "training data")
    need_gold(dev, "dev data")
    inputs = torch.from_numpy(pair_inputs(train, features))
    dev_inputs, dev_gold = torch.from_numpy(pair_inputs(dev, features)), [pair.label for pair in dev]
    network = two_layers(inputs.shape[1], len(NLI_LABELS), settings, seed)
    classifier = PairClassifier(network, settings, features.dim)
    classifier.curve = fit_network(
        network,
        lambda rows: inputs[torch.from_numpy(rows)],
        np.array([NLI_LABELS.index(pair.label) for pair in train]),
        lambda: score(dev_gold, classifier._predict(dev_inputs)),
        settings,
        seed,
        "classifier",
    )
    return classifier


def pair_inputs(pairs: Sequence[SentencePair], features: WordFeatures) -> Floats2d:
    """[u; v; |u - v|; u * v; alignment], (n_pairs, 4 * dim + N_OVERLAP), of mean word vectors u and v.

    The alignment figures say how well each hypothesis word is met by its nearest premise word: the mean
    and the least of the best cosines, the share of words met exactly, and the ratio of lengths.
    """
    texts = sorted({text for pair in pairs for text in (pair.premise, pair.hypothesis)})
    words_of = {text: tokenize(text, features.lang) for text in texts}
    distinct = {word: i for i, word in enumerate(sorted({w for words in words_of.values() for w in words}))}
    table = features.table(list(distinct))[:, : features.vectors.dim]
    known = np.abs(table).sum(axis=1) > 0
    rows = {text: np.array([distinct[w] for w in words if known[distinct[w]]], dtype=np.int64)
            for text, words in words_of.items()}  # fmt: skip
    inputs = np.empty((len(pairs), 4 * features.vectors.dim + N_OVERLAP), dtype=np.float32)
    for row, pair in zip(inputs, pairs, strict=True):
        premise, hypothesis = table[rows[pair.premise]], table[rows[pair.hypothesis]]
        u, v = _mean(premise), _mean(hypothesis)
        row[:-N_OVERLAP] = np.concatenate([u, v, np.abs(u - v), u * v])
        row[-N_OVERLAP:] = _overlap(premise, hypothesis)
    return inputs


def _mean(vectors: Floats2d) -> np.ndarray:
    return vectors.mean(axis=0) if len(vectors) else np.zeros(vectors.shape[1], dtype=np.float32)


def _overlap(premise: Floats2d, hypothesis: Floats2d) -> list[float]:
    if not len(premise) or not len(hypothesis):
        return [0.0] * N_OVERLAP
    best = (hypothesis @ premise.T).max(axis=1)
    return [best.mean(), best.min(), (best > 0.999).mean(), min(len(hypothesis) / len(premise), 3.0)]


def classifier_state(classifier: PairClassifier) -> tuple[dict[str, torch.Tensor], dict]:
    """Tensors and description, for saving."""
    return dict(classifier.network.state_dict()), {
        "settings": asdict(classifier.settings),
        "n_features": classifier.n_features,
        "curve": asdict(classifier.curve) if classifier.curve else None,
    }


def classifier_from_state(tensors: dict[str, torch.Tensor], about: dict) -> PairClassifier:
    """What `classifier_state` took apart."""
    settings = TrainSettings(**about["settings"])
    n_inputs = tensors["1.weight"].shape[1]  # the first linear layer
    network = two_layers(n_inputs, len(NLI_LABELS), settings, seed=0)
    network.load_state_dict(tensors)
    curve = Curve(**about["curve"]) if about["curve"] else None
    return PairClassifier(network, settings, about["n_features"], curve)
