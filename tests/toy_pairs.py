"""A toy NLI task in two languages of one space, for the tests of the classifiers."""

import numpy as np

from baselines.corpora import SentencePair
from baselines.features import word_features
from xlembed.vectors import WordVectors

_WORDS = {"film": "Kino", "good": "gut", "bad": "schlecht", "maybe": "vielleicht", "very": "sehr", "not": "nicht"}
_MATRIX = np.eye(6, 8, dtype=np.float32)
ENGLISH = word_features(WordVectors(list(_WORDS), _MATRIX))
GERMAN = word_features(WordVectors([word.lower() for word in _WORDS.values()], _MATRIX))
_HYPOTHESES = {"entailment": "good", "contradiction": "bad", "neutral": "maybe"}


def english(n: int) -> list[SentencePair]:
    """Pairs of several lengths, labels in turn."""
    return [SentencePair("Film " + "very " * (i % 4) + "good", "film " * (1 + i % 3) + word, label)
            for i, (label, word) in zip(range(n), list(_HYPOTHESES.items()) * n, strict=False)]  # fmt: skip


def german(pairs: list[SentencePair]) -> list[SentencePair]:
    """The same pairs, word by word."""

    def translated(text: str) -> str:
        return " ".join(_WORDS[word.lower()] for word in text.split())

    return [SentencePair(translated(pair.premise), translated(pair.hypothesis), pair.label) for pair in pairs]


ODD = [
    SentencePair("xyzzy", "film"),  # no known word
    SentencePair("?", "film"),  # no word at all
    SentencePair("film", "?"),
    SentencePair("!", "?"),
    SentencePair("xyzzy plugh", "Xyzzy"),
]
