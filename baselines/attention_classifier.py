"""NLI by decomposable attention over frozen word vectors: attend, compare, aggregate.

Parikh et al. 2016 (EMNLP), "A Decomposable Attention Model for Natural Language Inference". With projected words a_i of
the premise and b_j of the hypothesis, and feed-forward networks F, G, H:

    e_ij = F(a_i) . F(b_j) + s cos(a_i, b_j),  beta_i = sum_j softmax_j(e_ij) b_j,  alpha_j = sum_i softmax_i(e_ij) a_i
    v_1 = pool_i G([a_i; beta_i]),  v_2 = pool_j G([b_j; alpha_j]),  y = H([v_1; v_2])

The paper's pool is the sum, which grows with the sentence; here it is [mean; max], as in ESIM (Chen et al. 2017, ACL).
s, learnt, is not in the paper either; nor is what `alignment` adds: for G the best cosine of each word, and whether the
word itself is on the other side; for H the figures of pair_words. Shapes in comments: b pairs, p and h words, f
projection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from baselines.corpora import SentencePair
from baselines.features import WordFeatures
from baselines.models import Score
from baselines.pair_network import (
    Batch,
    PairClassifier,
    WordInput,
    attend,
    feed_forward,
    judge,
    load_network,
    max_pool,
    mean_pool,
    train_network,
)
from baselines.pair_words import N_FIGURES, Alignment, align
from baselines.settings import AttentionSettings


class Network(nn.Module):
    """Logits of pairs."""

    def __init__(self, dim: int, settings: AttentionSettings) -> None:
        super().__init__()
        width, hidden = settings.projection, settings.hidden
        self.alignment = settings.alignment
        self.words = WordInput(dim, settings)
        self.cosine = nn.Parameter(torch.ones(()))
        self.attend = feed_forward(width, hidden, settings.dropout)
        self.compare = feed_forward(2 * width + 2 * self.alignment, hidden, settings.dropout)
        self.judge = judge(4 * hidden + N_FIGURES * self.alignment, settings)

    def forward(self, batch: Batch) -> Tensor:
        """(b, 3)."""
        left, right, cosines = align(batch.table, batch.premise, batch.hypothesis)
        a, b = (self.words(batch.table, ids) for ids in (batch.premise, batch.hypothesis))  # (b, p, f), (b, h, f)
        scores = self.attend(a) @ self.attend(b).transpose(1, 2) + self.cosine * cosines  # (b, p, h)
        beta, alpha = attend(scores, right.mask, b), attend(scores.transpose(1, 2), left.mask, a)
        parts = [self._compared(a, beta, left), self._compared(b, alpha, right)]
        logits: Tensor = self.judge(torch.cat([*parts, batch.figures] if self.alignment else parts, dim=1))
        return logits

    def _compared(self, words: Tensor, partners: Tensor, side: Alignment) -> Tensor:
        """pool_i G([a_i; beta_i]), (b, 2 hidden)."""
        parts = [words, partners]
        if self.alignment:
            parts += [side.best[..., None], side.exact[..., None].float()]
        compared = self.compare(torch.cat(parts, dim=2))  # (b, n, hidden)
        return torch.cat([mean_pool(compared, side.mask), max_pool(compared, side.mask)], dim=1)


def train(
    train: Sequence[SentencePair],
    dev: Sequence[SentencePair],
    features: WordFeatures,
    score: Score,
    settings: AttentionSettings = AttentionSettings(),
    seed: int = 1,
) -> PairClassifier:
    """Train on the source language; `score(gold, predicted)` on dev decides when to stop."""
    return train_network(Network, train, dev, features, score, settings, seed)


def load(tensors: dict[str, Tensor], about: dict[str, Any]) -> PairClassifier:
    """What `state` took apart."""
    return load_network(Network, AttentionSettings, tensors, about)
