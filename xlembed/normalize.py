"""Normalising a space before mapping: unit length, centring, and their sequences (Artetxe et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xlembed.errors import InputError
from xlembed.types import Floats1d, Floats2d
from xlembed.vectors import WordVectors

UNIT_CENTER_UNIT = ("unit", "center", "unit")
STEPS = ("unit", "center", "iterative")
ITERATIVE_ROUNDS = 100
ITERATIVE_TOLERANCE = 1e-6
_ROWS_AT_ONCE = 4096


def unit(matrix: Floats2d) -> Floats2d:
    """Rows of length 1; a zero row stays zero."""
    lengths = row_lengths(matrix)[:, None]
    rows: Floats2d = np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)
    return rows


def row_lengths(matrix: Floats2d) -> Floats1d:
    """Euclidean length of each row, (n,); by blocks of rows, for numpy squares all that it is given at once."""
    starts = range(0, len(matrix), _ROWS_AT_ONCE)
    return np.concatenate([matrix[:0, 0], *(np.linalg.norm(matrix[i : i + _ROWS_AT_ONCE], axis=1) for i in starts)])


def center(vectors: WordVectors) -> WordVectors:
    """Subtract the vocabulary's mean, from composed words as well."""
    mean = vectors.matrix.mean(axis=0)
    return vectors.transformed(lambda matrix: matrix - mean)


def iterative(
    vectors: WordVectors, rounds: int = ITERATIVE_ROUNDS, tolerance: float = ITERATIVE_TOLERANCE
) -> WordVectors:
    """Both at once: rows of length 1 whose mean is 0 (iterative normalisation, Zhang et al. 2019, "Are Girls Neko
    or Shojo?"), by unit and center in turn until the mean of the unit rows is shorter than `tolerance`.

    The last of the steps is unit. Composed words take the steps' means, round by round. Rows that cannot have both
    (one word, all words alike) end as unit rows after `rounds`.
    """
    means: list[np.ndarray] = []

    def apply(matrix: Floats2d) -> Floats2d:
        matrix = unit(matrix)
        for mean in means:
            matrix = unit(matrix - mean)
        return matrix

    matrix = unit(vectors.matrix)
    for _ in range(rounds):
        mean = matrix.mean(axis=0, dtype=np.float64)
        if np.linalg.norm(mean) < tolerance:
            break
        means.append(mean.astype(np.float32))
        matrix = unit(matrix - means[-1])
    compose = vectors.compose
    return WordVectors(vectors.words, matrix, compose and (lambda word: apply(compose(word)[None, :])[0]))


def normalize(vectors: WordVectors, steps: Sequence[str] = UNIT_CENTER_UNIT) -> WordVectors:
    """Apply "unit", "center" (subtract the vocabulary's mean) and "iterative" (both until they hold together) in
    order; composed words go the same way."""
    for step in steps:
        if step == "unit":
            vectors = vectors.transformed(unit)
        elif step == "center":
            vectors = center(vectors)
        elif step == "iterative":
            vectors = iterative(vectors)
        else:
            raise InputError(f"unknown normalisation step {step!r}: choose among {', '.join(STEPS)}")
    return vectors


def parse_steps(text: str) -> tuple[str, ...]:
    """ "unit,center,unit" -> its steps; "none" -> no steps."""
    return () if text == "none" else tuple(step.strip() for step in text.split(","))
