"""Tagged sentences as arrays: every distinct word once, sentences one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from baselines.corpora import TaggedSentence
from baselines.crf import offsets_of
from xlembed.types import Ints1d, Ints2d


@dataclass(frozen=True)
class Corpus:
    """Sentences over `distinct` words: words offsets[s] .. offsets[s + 1] of `rows` are sentence s."""

    distinct: list[str]
    rows: Ints1d  # (n_words,) numbers of distinct words
    offsets: Ints1d  # (n_sentences + 1,)

    @property
    def lengths(self) -> Ints1d:
        return np.diff(self.offsets)

    def windows(self, radius: int) -> Ints2d:
        """(n_words, 2 * radius + 1) numbers of distinct words; len(distinct) stands for what is outside a sentence."""
        at = np.arange(len(self.rows))[:, None] + np.arange(-radius, radius + 1)
        sentence = np.repeat(np.arange(len(self.lengths)), self.lengths)
        inside = (at >= self.offsets[sentence][:, None]) & (at < self.offsets[sentence + 1][:, None])
        return np.where(inside, self.rows[np.where(inside, at, 0)], len(self.distinct))


def corpus_of(sentences: Sequence[TaggedSentence]) -> Corpus:
    """Sentences as arrays, distinct words in alphabetical order."""
    distinct = sorted({word for sentence in sentences for word in sentence.words})
    number = {word: i for i, word in enumerate(distinct)}
    rows = np.array([number[word] for sentence in sentences for word in sentence.words], dtype=np.int64)
    return Corpus(distinct, rows, offsets_of([len(sentence.words) for sentence in sentences]))


def labels_of(sentences: Sequence[TaggedSentence]) -> list[str]:
    """The tags of the training data, sorted."""
    return sorted({tag for sentence in sentences for tag in sentence.tags or ()})


def numbers_of(sentences: Sequence[TaggedSentence], labels: Sequence[str]) -> Ints1d:
    """The tags of all words as numbers of labels, (n_words,)."""
    number = {label: i for i, label in enumerate(labels)}
    return np.array([number[tag] for sentence in sentences for tag in sentence.tags or ()], dtype=np.int64)


def tags_of(path: Ints1d, offsets: Ints1d, labels: Sequence[str]) -> list[list[str]]:
    """Numbers of labels, (n_words,), as a list of tags a sentence."""
    named = [labels[tag] for tag in path]
    return [named[first:last] for first, last in zip(offsets[:-1], offsets[1:], strict=True)]
