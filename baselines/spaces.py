"""A shared space of many languages for static systems: every language mapped onto the source's vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from baselines.features import WordFeatures, word_features
from xlembed.alignment.base import LinearMapping
from xlembed.alignment.procrustes import fit
from xlembed.lexicon import Lexicon, identical_strings, read_lexicon
from xlembed.normalize import UNIT_CENTER_UNIT, normalize
from xlembed.vectors import WordVectors, read_vectors

IDENTICAL = "identical"


@dataclass
class SharedSpace:
    """Vectors and lexicons by language; each language is read and mapped once, when first asked for.

    `vectors_of(lang)` and `lexicon_of(lang)` give the files; the lexicon's first column is the source
    language. `lexicon_of` may say "identical" instead of a file.
    """

    source: str
    vectors_of: Callable[[str], Path]
    lexicon_of: Callable[[str], Path | str]
    n_words: int | None = None
    steps: tuple[str, ...] = UNIT_CENTER_UNIT
    _read: dict[str, WordVectors] = field(default_factory=dict)
    _mapped: dict[str, WordVectors] = field(default_factory=dict)

    def vectors(self, lang: str) -> WordVectors:
        """Vectors as read."""
        if lang not in self._read:
            self._read[lang] = read_vectors(self.vectors_of(lang), self.n_words)
        return self._read[lang]

    def seed_lexicon(self, lang: str) -> Lexicon:
        """Pairs (source word, word of lang)."""
        chosen = self.lexicon_of(lang)
        if chosen == IDENTICAL:
            return identical_strings(self.vectors(self.source), self.vectors(lang))
        return read_lexicon(chosen)

    def mapping(self, lang: str) -> LinearMapping:
        """Procrustes from `lang` onto the source language."""
        lexicon = self.seed_lexicon(lang).reversed()
        return fit(self.vectors(lang), self.vectors(self.source), lexicon, self.steps)

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
