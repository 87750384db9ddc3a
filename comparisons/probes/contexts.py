"""Running text: which words it uses how often, and some occurrences of chosen words to be read in their sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xlembed.errors import InputError, at
from xlembed.files import numbered_lines
from xlembed.tokenize import tokenize
from xlembed.types import Ints1d

LONGEST = 64  # tokens; longer lines (paragraphs of novels) cost most and are passed over


@dataclass(frozen=True)
class Contexts:
    """Sentences as tokens, and in each the places of the words to be read: token, row of the word."""

    sentences: list[list[str]]
    spots: list[list[tuple[int, int]]]
    counts: Ints1d  # (n_words,): occurrences found, at most as many as were asked for

    def __len__(self) -> int:
        return len(self.sentences)


def read_lines(path: str | Path, lang: str | None = None) -> Iterator[list[str]]:
    """Tokens of each line of a text file (.gz, .xz too); lines without any are left out."""
    n = 0
    for _, line in numbered_lines(path):
        if tokens := tokenize(line, lang):
            n += 1
            yield tokens
    if not n:
        raise at(path, None, "holds no text: a sentence a line is read")


def frequent_words(lines: Iterable[Sequence[str]], n: int) -> list[str]:
    """The n most frequent tokens with a letter, in lower case; of equals the earlier."""
    counts = Counter(token.lower() for tokens in lines for token in tokens if any(map(str.isalpha, token)))
    if not counts:
        raise InputError("the corpus holds no words")
    return [word for word, _ in counts.most_common(n)]


def collect(
    lines: Iterable[Sequence[str]], rows: Mapping[str, int], n_contexts: int, longest: int = LONGEST
) -> Contexts:
    """The first `n_contexts` occurrences of each word, from the start of a text.

    rows: row of each word, 0 ... n_words - 1. A token stands for the word that it is as written, else in lower case.
    Lines of more than `longest` tokens are passed over, and reading ends when every word has its occurrences.
    """
    counts = np.zeros(len(rows), dtype=np.int64)
    n_open = len(rows)
    sentences, spots = [], []
    for tokens in lines:
        if len(tokens) > longest:
            continue
        found = []
        for place, token in enumerate(tokens):
            row = rows.get(token, rows.get(token.lower()))
            if row is not None and counts[row] < n_contexts:
                counts[row] += 1
                n_open -= counts[row] == n_contexts
                found.append((place, row))
        if found:
            sentences.append(list(tokens))
            spots.append(found)
        if not n_open:
            break
    return Contexts(sentences, spots, counts)
