"""Word features for static systems: mapped vectors, casing and shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xlembed.errors import InputError
from xlembed.normalize import unit
from xlembed.tokenize import tokenize
from xlembed.types import Floats2d
from xlembed.vectors import WordVectors

N_SHAPE = 11


@dataclass(frozen=True)
class WordFeatures:
    """Looks words up in mapped vectors, once each.

    A word without a vector is tried in parts (at apostrophes and hyphens), then gets zeros: the shape
    features say so.
    """

    vectors: WordVectors  # unit rows, in the common space
    lang: str | None = None

    @property
    def dim(self) -> int:
        return self.vectors.dim + N_SHAPE

    def table(self, words: Sequence[str]) -> Floats2d:
        """Features of distinct words, (n_words, dim + N_SHAPE)."""
        table = np.zeros((len(words), self.dim), dtype=np.float32)
        for row, word in zip(table, words, strict=True):
            vector = self._vector(word)
            if vector is not None:
                row[: self.vectors.dim] = vector
            row[self.vectors.dim :] = shape(word, vector is not None)
        return table

    def _vector(self, word: str) -> np.ndarray | None:
        vector = self.vectors.vector(word)
        if vector is None:
            parts = [part for part in tokenize(word, self.lang) if part != word and part.isalnum()]
            found = [v for part in parts if (v := self.vectors.vector(part)) is not None]
            vector = np.mean(found, axis=0) if found else None
        return vector


def word_features(mapped: WordVectors, lang: str | None = None) -> WordFeatures:
    """WordFeatures over mapped vectors, rows made unit length."""
    return WordFeatures(mapped.transformed(unit), lang)


def check_dim(features: WordFeatures, n_features: int, what: str) -> None:
    """Raise InputError unless the features are of the dim that a model (`what`) was trained on."""
    if features.dim != n_features:
        raise InputError(f"features have dim {features.dim}, the {what} was trained on {n_features}")


def shape(word: str, has_vector: bool) -> list[float]:
    """Casing and kind of characters: what any language with capitals shares."""
    letters = [char for char in word if char.isalpha()]
    first = word[:1]
    return [
        float(has_vector),
        float(first.isupper()),
        float(bool(letters) and all(char.isupper() for char in letters) and len(letters) > 1),
        float(any(char.isupper() for char in word[1:])),
        float(word.islower()),
        float(word.isdigit()),
        float(any(char.isdigit() for char in word) and not word.isdigit()),
        float(bool(word) and not any(char.isalnum() for char in word)),
        float("." in word and len(word) > 1),
        float("-" in word and len(word) > 1),
        float(len(word) <= 2),
    ]
