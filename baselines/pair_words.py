"""Sentence pairs as numbers of words: texts tokenised once, every distinct word looked up once, batches padded.

Also the alignment of two sentences through the shared space, which is the same in every language that lives there.
Shapes in comments: b pairs, p words of the premise, h of the hypothesis, d the dim of the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from baselines.corpora import NLI_LABELS, SentencePair
from baselines.features import WordFeatures
from xlembed.tokenize import tokenize
from xlembed.types import Floats1d, Ints1d, Ints2d

PADDING = 0  # the number of no word
N_FIGURES = 18
UNMET = 0.6  # a word whose best cosine is below this has no partner
_CELLS_A_BATCH = 200_000  # of the matrices of cosines


@dataclass(frozen=True)
class WordTable:
    """Distinct words from 1 on; row 0 is padding and all zeros."""

    vectors: Tensor  # (n_words + 1, d), zeros where a word has none
    known: Tensor  # (n_words + 1,), whether a word has a vector
    keys: Tensor  # (n_words + 1,), equal where words are equal but for their case
    probability: Tensor  # (n_words + 1,), p(w) by Zipf's law


@dataclass(frozen=True)
class Texts:
    """Distinct texts as numbers of distinct words."""

    table: WordTable
    words: list[Ints1d]

    @property
    def lengths(self) -> Ints1d:
        return np.array([len(words) for words in self.words], dtype=np.int64)

    def padded(self, texts: Ints1d) -> Tensor:
        """Numbers of the words of some texts, (n, longest, at least 1), PADDING behind them."""
        rows = [self.words[text] for text in texts]
        ids = np.full((len(rows), max(1, max(map(len, rows), default=1))), PADDING, dtype=np.int64)
        for row, words in zip(ids, rows, strict=True):
            row[: len(words)] = words
        return torch.from_numpy(ids)


@dataclass(frozen=True)
class Pairs:
    """Pairs as numbers of texts, and what their alignment says."""

    texts: Texts
    premise: Ints1d  # (n_pairs,)
    hypothesis: Ints1d
    figures: Tensor  # (n_pairs, N_FIGURES)

    @property
    def sizes(self) -> Ints2d:
        """(n_pairs, 2) words of premise and hypothesis."""
        return np.stack([self.texts.lengths[self.premise], self.texts.lengths[self.hypothesis]], axis=1)


def numbered_texts(texts: Sequence[str], features: WordFeatures) -> tuple[Texts, Ints1d]:
    """Distinct texts, and the number of each of `texts` among them. Punctuation is left out."""
    distinct = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    words_of = [[w for w in tokenize(text, features.lang) if any(map(str.isalnum, w))] for text in distinct]
    words = sorted({word for text in words_of for word in text})
    number = {word: i for i, word in enumerate(words, start=1)}
    rows: list[Ints1d] = [np.array([number[word] for word in text], dtype=np.int64) for text in words_of]
    return Texts(word_table(words, features), rows), np.array([distinct[text] for text in texts], dtype=np.int64)


def word_table(words: Sequence[str], features: WordFeatures) -> WordTable:
    """Vectors, keys and probabilities of distinct words."""
    vectors = np.zeros((len(words) + 1, features.vectors.dim), dtype=np.float32)
    vectors[1:] = features.table(words)[:, : features.vectors.dim]
    lower = {word: i for i, word in enumerate(dict.fromkeys(word.lower() for word in words), start=1)}
    ranks = np.array([features.vectors.row(word) for word in words], dtype=object)
    ranks = np.array([len(features.vectors) - 1 if rank is None else rank for rank in ranks], dtype=np.int64)
    return WordTable(
        torch.from_numpy(vectors),
        torch.from_numpy(np.abs(vectors).sum(axis=1) > 0),
        torch.tensor([0, *(lower[word.lower()] for word in words)]),
        torch.from_numpy(np.concatenate([[1.0], zipf(ranks, len(features.vectors))]).astype(np.float32)),
    )


def zipf(ranks: Ints1d, n_words: int) -> Floats1d:
    """p(w) = 1 / (r H_n) for the word of rank r (from 1; here from 0) of n, H_n the harmonic number."""
    probabilities: Floats1d = 1 / ((ranks + 1) * (1 / np.arange(1, n_words + 1)).sum())
    return probabilities


def pairs_of(pairs: Sequence[SentencePair], features: WordFeatures) -> Pairs:
    """Pairs as numbers, their alignment computed."""
    texts, numbers = numbered_texts([text for pair in pairs for text in (pair.premise, pair.hypothesis)], features)
    found = Pairs(texts, numbers[::2], numbers[1::2], torch.zeros(len(pairs), N_FIGURES))
    for rows in batches_by_size(found.sizes):
        found.figures[torch.from_numpy(rows)] = figures(
            texts.table, texts.padded(found.premise[rows]), texts.padded(found.hypothesis[rows])
        )
    return found


def batches_by_size(sizes: Ints2d, cells: int = _CELLS_A_BATCH) -> list[Ints1d]:
    """All rows in batches of pairs of like length, whose matrices of p x h hold about `cells` numbers."""
    order = np.lexsort((sizes[:, 1], sizes[:, 0]))
    batches, first, widest = [], 0, np.ones(2, dtype=np.int64)
    for i, row in enumerate(order):
        widest = np.maximum(widest, sizes[row])
        if i > first and (i + 1 - first) * widest.prod() > cells:
            batches.append(order[first:i])
            first, widest = i, np.maximum(sizes[row], 1)
    return [*batches, order[first:]] if len(order) else []


@dataclass(frozen=True)
class Alignment:
    """Of words of one sentence: the best cosine in the other, and whether the word itself is there."""

    best: Tensor  # (b, n)
    exact: Tensor  # (b, n), bool
    mask: Tensor  # (b, n), where there is a word


def same_words(table: WordTable, premise: Tensor, hypothesis: Tensor) -> Tensor:
    """Which words are equal but for case, (b, p, h)."""
    return (table.keys[premise][:, :, None] == table.keys[hypothesis][:, None, :]) & (premise != PADDING)[:, :, None]


def align(table: WordTable, premise: Tensor, hypothesis: Tensor) -> tuple[Alignment, Alignment, Tensor]:
    """Alignments of the words of either side, and the cosines, (b, p, h): at least 0, those of equal words 1, and 0 of
    words without a vector."""
    same = same_words(table, premise, hypothesis)
    cosines = (table.vectors[premise] @ table.vectors[hypothesis].transpose(1, 2)).masked_fill(same, 1.0).clamp(0, 1)
    return (
        Alignment(cosines.amax(dim=2), same.any(dim=2), premise != PADDING),
        Alignment(cosines.amax(dim=1), same.any(dim=1), hypothesis != PADDING),
        cosines,
    )


def figures(table: WordTable, premise: Tensor, hypothesis: Tensor) -> Tensor:
    """What alignment and lengths say of pairs, (b, N_FIGURES), from numbers of words (b, p) and (b, h).

    Either side: the mean, the least, and the mean weighted by -log p(w) of the best cosines; the shares of words, of
    weights and of neighbouring words met exactly; the logarithm of the number of words without a partner. Both: the
    ratio and the difference of lengths, and the cosines of the sums of vectors, plain and weighted.
    """
    left, right, _ = align(table, premise, hypothesis)
    same = same_words(table, premise, hypothesis)
    bigrams = same[:, 1:, 1:] & same[:, :-1, :-1]
    sides = [
        _side(side, -table.probability[ids].log(), bigrams.any(dim=other))
        for side, ids, other in ((left, premise, 2), (right, hypothesis, 1))
    ]
    n, m = left.mask.sum(dim=1).clamp(min=1).float(), right.mask.sum(dim=1).clamp(min=1).float()
    both = [(m / n).log().clamp(-2, 2), torch.minimum(m, n) / torch.maximum(m, n)]
    for weight in (table.known.float(), -table.probability.log()):
        sums = [(weight[ids][..., None] * table.vectors[ids]).sum(dim=1) for ids in (premise, hypothesis)]
        both.append(torch.cosine_similarity(sums[0], sums[1]))
    return torch.cat([*sides, torch.stack(both, dim=1)], dim=1)


def _side(side: Alignment, weight: Tensor, bigrams: Tensor) -> Tensor:
    """(b, 7) figures of one side."""
    mask = side.mask.float()
    n, total = mask.sum(dim=1).clamp(min=1), (mask * weight).sum(dim=1).clamp(min=1e-6)
    return torch.stack(
        [
            (side.best * mask).sum(dim=1) / n,
            side.best.masked_fill(~side.mask, 1.0).amin(dim=1),
            (side.best * mask * weight).sum(dim=1) / total,
            side.exact.sum(dim=1) / n,
            (side.exact * weight).sum(dim=1) / total,
            bigrams.sum(dim=1) / (n - 1).clamp(min=1),
            ((side.best < UNMET) & side.mask).sum(dim=1).float().log1p(),
        ],
        dim=1,
    )


def label_numbers(pairs: Sequence[SentencePair]) -> Tensor:
    """Numbers of the gold labels, (n_pairs,)."""
    return torch.tensor([NLI_LABELS.index(pair.label) for pair in pairs])
