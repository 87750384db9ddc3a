"""NLI by sentence vectors of a BiLSTM with max pooling over frozen word vectors.

InferSent of Conneau et al. 2017 (EMNLP), "Supervised Learning of Universal Sentence Representations", the baseline of
the XNLI paper (Conneau et al. 2018):

    u = max_t BiLSTM(a)_t,  v = max_t BiLSTM(b)_t,  y = MLP([u; v; |u - v|; u * v])

`alignment` adds the figures of pair_words to the MLP. Shapes in comments: b pairs, n words, h hidden units a direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from baselines.corpora import SentencePair
from baselines.features import WordFeatures
from baselines.models import Score
from baselines.pair_network import Batch, PairClassifier, WordInput, judge, load_network, max_pool, train_network
from baselines.pair_words import N_FIGURES, PADDING, WordTable
from baselines.settings import BilstmPairSettings


class Network(nn.Module):
    """Logits of pairs."""

    def __init__(self, dim: int, settings: BilstmPairSettings) -> None:
        super().__init__()
        self.alignment = settings.alignment
        self.words = WordInput(dim, settings)
        self.lstm = nn.LSTM(settings.projection, settings.units, batch_first=True, bidirectional=True)
        self.judge = judge(4 * 2 * settings.units + N_FIGURES * self.alignment, settings)

    def forward(self, batch: Batch) -> Tensor:
        """(b, 3)."""
        u, v = self.encode(batch.table, batch.premise), self.encode(batch.table, batch.hypothesis)
        parts = [u, v, (u - v).abs(), u * v]
        logits: Tensor = self.judge(torch.cat([*parts, batch.figures] if self.alignment else parts, dim=1))
        return logits

    def encode(self, table: WordTable, ids: Tensor) -> Tensor:
        """Sentence vectors, numbers of words (b, n) -> (b, 2 h)."""
        mask = ids != PADDING
        packed = pack_padded_sequence(
            self.words(table, ids), mask.sum(dim=1).clamp(min=1), batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=ids.shape[1])
        return max_pool(states, mask)


def train(
    train: Sequence[SentencePair],
    dev: Sequence[SentencePair],
    features: WordFeatures,
    score: Score,
    settings: BilstmPairSettings = BilstmPairSettings(),
    seed: int = 1,
) -> PairClassifier:
    """Train on the source language; `score(gold, predicted)` on dev decides when to stop."""
    return train_network(Network, train, dev, features, score, settings, seed)


def load(tensors: dict[str, Tensor], about: dict[str, Any]) -> PairClassifier:
    """What `state` took apart."""
    return load_network(Network, BilstmPairSettings, tensors, about)
