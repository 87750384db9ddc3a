"""What the networks over the words of two sentences share: batches, their input layer, training, prediction, saving.

A network is made as `Network(dim, settings)` and maps a `Batch` to logits, (b, 3). Shapes in comments: b pairs, p words
of the premise, h of the hypothesis, n of either, d the dim of the vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from baselines.corpora import NLI_LABELS, SentencePair, check_training
from baselines.features import N_SHAPE, WordFeatures, check_dim
from baselines.models import Score
from baselines.pair_words import (
    PADDING,
    Pairs,
    WordTable,
    batches_by_size,
    label_numbers,
    pairs_of,
)
from baselines.settings import PairSettings
from baselines.training import Curve, OfNetwork, fit_network, seeded
from xlembed.types import Ints1d, Ints2d

_BATCHES_A_BUCKET = 8  # rows of like length that are shuffled among each other


@dataclass(frozen=True)
class Batch:
    """Pairs as padded numbers of words of a table."""

    table: WordTable
    premise: Tensor  # (b, p)
    hypothesis: Tensor  # (b, h)
    figures: Tensor  # (b, N_FIGURES)


def batch_of(pairs: Pairs, rows: Ints1d) -> Batch:
    """Some pairs."""
    return Batch(
        pairs.texts.table,
        pairs.texts.padded(pairs.premise[rows]),
        pairs.texts.padded(pairs.hypothesis[rows]),
        pairs.figures[torch.from_numpy(rows)],
    )


class SharedDropout(nn.Module):
    """Dropout whose mask is one for all words of a sentence (Gal & Ghahramani 2016, NeurIPS): n times fewer numbers are
    drawn, which on a CPU are a third of the time of training."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, values: Tensor) -> Tensor:
        """(b, n, f) -> (b, n, f)."""
        if not self.training or not self.share:
            return values
        kept = torch.rand(len(values), 1, values.shape[2]) >= self.share
        return values * (kept / (1 - self.share))


class WordInput(nn.Module):
    """Frozen vectors, scaled to entries of about 1, through a trained linear projection.

    Words without a vector share a learnt one; so that it is learnt, it also replaces a share `word_dropout` of words in
    training.
    """

    def __init__(self, dim: int, settings: PairSettings) -> None:
        super().__init__()
        self.unknown = nn.Parameter(torch.zeros(dim))
        self.scale, self.word_dropout = dim**0.5, settings.word_dropout
        self.dropout = SharedDropout(settings.dropout / 2)
        self.project = nn.Linear(dim, settings.projection, bias=False)

    def forward(self, table: WordTable, ids: Tensor) -> Tensor:
        """Numbers of words (b, n) -> (b, n, projection), zeros for padding."""
        known = table.known[ids]
        if self.training and self.word_dropout:
            known = known & (torch.rand(ids.shape) >= self.word_dropout)
        vectors = torch.where(known[..., None], table.vectors[ids] * self.scale, self.unknown)
        inputs: Tensor = self.project(self.dropout(vectors)) * (ids != PADDING)[..., None]
        return inputs


def feed_forward(n_inputs: int, hidden: int, dropout: float) -> nn.Sequential:
    """Two layers with ReLU over each word, dropout before either."""
    return nn.Sequential(
        SharedDropout(dropout),
        nn.Linear(n_inputs, hidden),
        nn.ReLU(),
        SharedDropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
    )


def judge(n_inputs: int, settings: PairSettings) -> nn.Sequential:
    """The last layers: pair -> hidden -> logits."""
    return nn.Sequential(
        nn.Dropout(settings.dropout),
        nn.Linear(n_inputs, settings.hidden),
        nn.ReLU(),
        nn.Dropout(settings.dropout),
        nn.Linear(settings.hidden, len(NLI_LABELS)),
    )


def attend(scores: Tensor, mask: Tensor, values: Tensor) -> Tensor:
    """Means of values (b, m, f) by the softmax of scores (b, n, m) over the words that `mask` (b, m) leaves; zeros
    where it leaves none."""
    weights = scores.masked_fill(~mask[:, None, :], -1e9).softmax(dim=2) * mask[:, None, :]
    return weights @ values


def mean_pool(values: Tensor, mask: Tensor) -> Tensor:
    """The mean over the words, (b, n, f) -> (b, f); zeros where there are none."""
    return (values * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)


def max_pool(values: Tensor, mask: Tensor) -> Tensor:
    """The greatest of each column over the words, (b, n, f) -> (b, f); zeros where there are none."""
    greatest = values.masked_fill(~mask[..., None], -torch.inf).amax(dim=1)
    return torch.where(mask.any(dim=1, keepdim=True), greatest, 0.0)


@dataclass
class PairClassifier(OfNetwork):
    """A trained network; it reads any language whose features live in the same space."""

    network: nn.Module
    settings: PairSettings
    n_features: int
    curve: Curve | None = None

    def predict(self, pairs: Sequence[SentencePair], features: WordFeatures) -> list[str]:
        """A label for each pair."""
        check_dim(features, self.n_features, "classifier")
        return self.predict_pairs(pairs_of(pairs, features))

    def predict_pairs(self, pairs: Pairs) -> list[str]:
        """A label for each pair, in batches of like length."""
        return [NLI_LABELS[i] for i in self.logits(pairs).argmax(dim=1).tolist()]

    def logits(self, pairs: Pairs) -> Tensor:
        """(n_pairs, 3)."""
        logits = torch.empty(len(pairs.premise), len(NLI_LABELS))
        self.network.eval()
        with torch.inference_mode():
            for rows in batches_by_size(pairs.sizes):
                logits[torch.from_numpy(rows)] = self.network(batch_of(pairs, rows))
        return logits

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and description, for saving."""
        return dict(self.network.state_dict()), {"settings": asdict(self.settings), "n_features": self.n_features}


def train_network(
    make: Callable[[int, Any], nn.Module],
    train: Sequence[SentencePair],
    dev: Sequence[SentencePair],
    features: WordFeatures,
    score: Score,
    settings: PairSettings,
    seed: int,
) -> PairClassifier:
    """Train `make(dim, settings)` by cross-entropy; `score(gold, predicted)` on dev decides when to stop."""
    check_training(train, dev)
    pairs, labels = pairs_of(train, features), label_numbers(train)
    dev_pairs, dev_gold = pairs_of(dev, features), [pair.label for pair in dev]
    network = seeded(seed, lambda: make(features.vectors.dim, settings))
    classifier = PairClassifier(network, settings, features.dim)
    classifier.curve = fit_network(
        network,
        lambda rows: nn.functional.cross_entropy(network(batch_of(pairs, rows)), labels[torch.from_numpy(rows)]),
        len(train),
        lambda: score(dev_gold, classifier.predict_pairs(dev_pairs)),
        settings,
        seed,
        "classifier",
        buckets(pairs.sizes, settings.batch_size * _BATCHES_A_BUCKET),
    )
    return classifier


def buckets(sizes: Ints2d, size: int) -> Ints1d:
    """Numbers of groups of `size` pairs of like length, (n_pairs,)."""
    group = np.empty(len(sizes), dtype=np.int64)
    group[np.lexsort((sizes[:, 1], sizes.sum(axis=1)))] = np.arange(len(sizes)) // size
    return group


def load_network(
    make: Callable[[int, Any], nn.Module], settings: type, tensors: dict[str, Tensor], about: dict[str, Any]
) -> PairClassifier:
    """What `PairClassifier.state` took apart."""
    read = settings(**about["settings"])
    network = make(about["n_features"] - N_SHAPE, read)
    network.load_state_dict(tensors)
    return PairClassifier(network, read, about["n_features"])
