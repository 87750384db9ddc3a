"""A shared space of many languages for static systems: every language mapped onto the source's vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from baselines.features import WordFeatures, word_features
from xlembed.alignment.base import LinearMapping
from xlembed.alignment.methods import fit_method
from xlembed.lexicon import Lexicon, identical_strings, read_lexicon
from xlembed.normalize import UNIT_CENTER_UNIT, normalize, unit
from xlembed.vectors import WordVectors, read_vectors

IDENTICAL = "identical"


@dataclass
class SharedSpace:
    """Vectors and lexicons by language; each language is read and mapped once, when first asked for.

    `vectors_of(lang)` and `lexicon_of(lang)` give the files; the lexicon's first column is the source
    language. `lexicon_of` may say "identical" instead of a file. `method` is a mapping method by name; `read` reads
    vectors, of which spaces that share files may share one that remembers.
    """

    source: str
    vectors_of: Callable[[str], Path]
    lexicon_of: Callable[[str], Path | str]
    n_words: int | None = None
    steps: tuple[str, ...] = UNIT_CENTER_UNIT
    method: str = "procrustes"
    read: Callable[[Path, int | None], WordVectors] = read_vectors
    _read: dict[str, WordVectors] = field(default_factory=dict)
    _mapped: dict[str, WordVectors] = field(default_factory=dict)

    def vectors(self, lang: str) -> WordVectors:
        """Vectors as read."""
        if lang not in self._read:
            self._read[lang] = self.read(self.vectors_of(lang), self.n_words)
        return self._read[lang]

    def seed_lexicon(self, lang: str) -> Lexicon:
        """Pairs (source word, word of lang)."""
        chosen = self.lexicon_of(lang)
        if chosen == IDENTICAL:
            return identical_strings(self.vectors(self.source), self.vectors(lang))
        return read_lexicon(chosen)

    def mapping(self, lang: str) -> LinearMapping:
        """From `lang` onto the source language, whose vectors stay where they are."""
        lexicon = self.seed_lexicon(lang).reversed()
        options = {"steps": ",".join(self.steps)}
        return onto_target(fit_method(self.method, self.vectors(lang), self.vectors(self.source), lexicon, options))

    def mapped(self, lang: str) -> WordVectors:
        """Vectors of a language in the common space."""
        if lang not in self._mapped:
            if lang == self.source:
                self._mapped[lang] = normalize(self.vectors(lang), self.steps)
            else:
                self._mapped[lang] = self.mapping(lang).map_src(self.vectors(lang))
        return self._mapped[lang]

    def features(self, lang: str) -> WordFeatures:
        """Word features of a language for taggers and classifiers."""
        return word_features(self.mapped(lang), lang)

    def features_of_all(self, langs: Sequence[str]) -> WordFeatures:
        """Features for data of several languages at once: a word that several have gets the mean of its vectors."""
        if len(langs) == 1:
            return self.features(langs[0])
        return word_features(united([self.mapped(lang).transformed(unit) for lang in langs]))


def united(spaces: Sequence[WordVectors]) -> WordVectors:
    """One vocabulary of several languages in one space, in the order of the spaces; vectors of one word averaged."""
    words = list(dict.fromkeys(word for space in spaces for word in space.words))
    row = {word: i for i, word in enumerate(words)}
    sums, counts = np.zeros((len(words), spaces[0].dim), np.float32), np.zeros((len(words), 1), np.float32)
    for space in spaces:
        rows = [row[word] for word in space.words]
        sums[rows] += space.matrix
        counts[rows] += 1
    return WordVectors(words, sums / counts)


def onto_target(mapping: LinearMapping) -> LinearMapping:
    """The same mapping with the target's vectors left alone: what moves both spaces is brought back by the (pseudo-)
    inverse of the target's weight, so that many languages can share the target's own space."""
    dim = len(mapping.trg_weight)
    if np.array_equal(mapping.trg_weight, np.eye(dim)):
        return mapping
    weight = mapping.src_weight.astype(np.float64) @ np.linalg.pinv(mapping.trg_weight.astype(np.float64))
    return LinearMapping(weight.astype(np.float32), np.eye(dim, dtype=np.float32), mapping.steps, mapping.about)
