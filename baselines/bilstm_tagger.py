"""Tagging by a BiLSTM-CRF over frozen word vectors, casing, and characters read by a CNN.

Lample et al. 2016 (NAACL), "Neural Architectures for Named Entity Recognition", with Ma & Hovy's character CNN (2016,
ACL). Words without a vector share a learnt one. Batches hold sentences of one length, so that nothing is padded.
Shapes in comments: b sentences, t words, f features, c character filters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from baselines import crf
from baselines.corpora import TaggedSentence, check_training
from baselines.features import N_SHAPE, WordFeatures, check_dim
from baselines.models import Score
from baselines.sequences import Corpus, corpus_of, labels_of, numbers_of, tags_of
from baselines.settings import BilstmSettings
from baselines.training import Curve, OfNetwork, fit_network, seeded
from xlembed.types import Floats2d, Ints1d, Ints2d

MAX_CHARS = 24  # of a word that are read: the first and the last half of them
_PAD, _UNKNOWN = 0, 1  # numbers of what is no character, and of one that training has not seen
_WORDS_A_BATCH = 8192  # in prediction


class Network(nn.Module):
    """Emissions of tags for sentences of one length."""

    def __init__(self, n_features: int, n_chars: int, n_labels: int, settings: BilstmSettings) -> None:
        super().__init__()
        self.dim, filters = n_features - N_SHAPE, settings.char_filters
        self.unknown = nn.Parameter(torch.zeros(self.dim))
        self.word_dropout = settings.word_dropout
        self.chars = nn.Embedding(n_chars + 2, settings.char_dim, padding_idx=_PAD) if filters else None
        self.filters = nn.Conv1d(settings.char_dim, filters, settings.char_width, padding=settings.char_width // 2) \
            if filters else None  # fmt: skip
        self.dropout = nn.Dropout(settings.dropout)
        self.lstm = nn.LSTM(n_features + filters, settings.hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * settings.hidden, n_labels)
        self.transitions = nn.Parameter(torch.zeros(n_labels + 2, n_labels))

    def read_chars(self, chars: Tensor) -> Tensor:
        """The greatest answer of each filter: (n, MAX_CHARS) numbers of characters -> (n, c)."""
        assert self.filters is not None and self.chars is not None
        seen: Tensor = self.filters(self.dropout(self.chars(chars)).transpose(1, 2))  # (n, c, width)
        return seen[:, :, : chars.shape[1]].amax(dim=2).relu()

    def forward(self, words: Tensor, spelling: Tensor | None) -> Tensor:
        """Features of words (b, t, f) and of their characters (b, t, c) -> emissions (b, t, n_labels)."""
        vectors, shape = words[..., : self.dim], words[..., self.dim :]
        is_unknown = shape[..., :1] == 0  # the first number of a shape says whether there is a vector
        if self.training and self.word_dropout:
            is_unknown = is_unknown | (torch.rand(is_unknown.shape) < self.word_dropout)
        vectors = torch.where(is_unknown, self.unknown, vectors)
        parts = [vectors, shape] if spelling is None else [vectors, shape, spelling]
        states, _ = self.lstm(self.dropout(torch.cat(parts, dim=-1)))
        emissions: Tensor = self.out(self.dropout(states))
        return emissions


@dataclass
class BilstmTagger(OfNetwork):
    """A trained tagger; it tags any language whose features live in the same space."""

    labels: list[str]
    chars: dict[str, int]
    network: Network
    settings: BilstmSettings
    n_features: int
    curve: Curve | None = None

    def predict(self, sentences: Sequence[TaggedSentence], features: WordFeatures) -> list[list[str]]:
        """A list of tags for each sentence."""
        check_dim(features, self.n_features, "tagger")
        corpus = corpus_of(sentences)
        return self._tags(corpus, _table(corpus, features), spellings(corpus.distinct, self.chars))

    def _tags(self, corpus: Corpus, table: Tensor, letters: Ints2d) -> list[list[str]]:
        transitions = self.network.transitions.detach().numpy()
        path = crf.viterbi(self._emissions(corpus, table, letters), corpus.offsets,
                           crf.constrained(transitions, self.labels))  # fmt: skip
        return tags_of(path, corpus.offsets, self.labels)

    def _emissions(self, corpus: Corpus, table: Tensor, letters: Ints2d) -> Floats2d:
        """(n_words, n_labels), sentences of one length together; each distinct word's characters are read once."""
        emissions = np.empty((len(corpus.rows), len(self.labels)), dtype=np.float32)
        self.network.eval()
        with torch.inference_mode():
            read = self._read_all(letters)
            for sentences in _by_length(corpus.lengths):
                at = corpus.offsets[sentences][:, None] + np.arange(corpus.lengths[sentences[0]])  # (b, t)
                rows = torch.from_numpy(corpus.rows[at])
                emissions[at] = self.network(table[rows], None if read is None else read[rows]).numpy()
        return emissions

    def _read_all(self, letters: Ints2d) -> Tensor | None:
        if self.network.filters is None:
            return None
        parts = [self.network.read_chars(torch.from_numpy(letters[i : i + _WORDS_A_BATCH]))
                 for i in range(0, len(letters), _WORDS_A_BATCH)]  # fmt: skip
        return torch.cat(parts) if parts else torch.zeros(0, self.settings.char_filters)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and description, for saving."""
        return dict(self.network.state_dict()), {"labels": self.labels, "chars": "".join(self.chars),
                                                 "settings": asdict(self.settings),
                                                 "n_features": self.n_features}  # fmt: skip


def train(
    train: Sequence[TaggedSentence],
    dev: Sequence[TaggedSentence],
    features: WordFeatures,
    score: Score,
    settings: BilstmSettings = BilstmSettings(),
    seed: int = 1,
) -> BilstmTagger:
    """Train on the source language; `score(gold, predicted)` on dev decides when to stop."""
    check_training(train, dev)
    labels, corpus, dev_corpus = labels_of(train), corpus_of(train), corpus_of(dev)
    chars = {char: i for i, char in enumerate(sorted({c for word in corpus.distinct for c in word}), start=2)}
    network = seeded(seed, lambda: Network(features.dim, len(chars), len(labels), settings))
    tagger = BilstmTagger(labels, chars, network, settings, features.dim)
    table, letters, gold = _table(corpus, features), spellings(corpus.distinct, chars), numbers_of(train, labels)
    dev_table, dev_letters = _table(dev_corpus, features), spellings(dev_corpus.distinct, chars)
    dev_gold = [sentence.gold for sentence in dev]
    tagger.curve = fit_network(
        network,
        lambda sentences: _loss(network, corpus, table, letters, gold, sentences),
        len(corpus.lengths),
        lambda: score(dev_gold, tagger._tags(dev_corpus, dev_table, dev_letters)),
        settings,
        seed,
        "tagger",
        corpus.lengths,
    )
    return tagger


def _loss(network: Network, corpus: Corpus, table: Tensor, letters: Ints2d, gold: Ints1d, sentences: Ints1d) -> Tensor:
    """Mean negative log-likelihood of sentences of one length."""
    length = corpus.lengths[sentences[0]]
    at = corpus.offsets[sentences][:, None] + np.arange(length)  # (b, t)
    rows, spelling = corpus.rows[at], None
    if network.filters is not None:
        distinct, where = np.unique(rows, return_inverse=True)
        read = network.read_chars(torch.from_numpy(letters[distinct]))
        spelling = read[torch.from_numpy(where.reshape(rows.shape))]
    emissions = network(table[torch.from_numpy(rows)], spelling)
    offsets = np.arange(len(sentences) + 1) * length
    apply: Callable[..., Tensor] = crf.NegativeLogLikelihood.apply
    loss = apply(emissions.flatten(0, 1), network.transitions, offsets, gold[at.ravel()])
    return loss


def _by_length(lengths: Ints1d) -> list[Ints1d]:
    """Numbers of sentences in groups of one length, of about _WORDS_A_BATCH words; sentences without words are left."""
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    groups = np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1) if len(order) else []
    return [group[i : i + size] for group in groups
            for size in [max(1, _WORDS_A_BATCH // int(lengths[group[0]]))]
            for i in range(0, len(group), size)]  # fmt: skip


def spellings(words: Sequence[str], chars: dict[str, int]) -> Ints2d:
    """Numbers of the characters of each word, (n_words, the longest, at most MAX_CHARS), _PAD behind them.

    Of a longer word the first and the last MAX_CHARS / 2 characters are kept.
    """
    half = MAX_CHARS // 2
    cut = [word if len(word) <= MAX_CHARS else word[:half] + word[-half:] for word in words]
    table = np.full((len(words), max(map(len, cut), default=1)), _PAD, dtype=np.int64)
    for row, word in zip(table, cut, strict=True):
        row[: len(word)] = [chars.get(char, _UNKNOWN) for char in word]
    return table


def load(tensors: dict[str, Tensor], about: dict[str, Any]) -> BilstmTagger:
    """What `state` took apart."""
    settings, chars = BilstmSettings(**about["settings"]), {char: i for i, char in enumerate(about["chars"], start=2)}
    network = Network(about["n_features"], len(chars), len(about["labels"]), settings)
    network.load_state_dict(tensors)
    return BilstmTagger(about["labels"], chars, network, settings, about["n_features"])


def _table(corpus: Corpus, features: WordFeatures) -> Tensor:
    return torch.from_numpy(features.table(corpus.distinct))
