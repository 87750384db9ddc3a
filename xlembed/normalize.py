"""Normalising a space before mapping: unit length, centring, and their sequences (Artetxe et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xlembed.errors import InputError
from xlembed.types import Floats2d
from xlembed.vectors import WordVectors

UNIT_CENTER_UNIT = ("unit", "center", "unit")


def unit(matrix: Floats2d) -> Floats2d:
    """Rows of length 1; a zero row stays zero."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)


def normalize(vectors: WordVectors, steps: Sequence[str] = UNIT_CENTER_UNIT) -> WordVectors:
    """Apply "unit" and "center" (subtract the vocabulary's mean) in order; composed words go the same way."""
    for step in steps:
        if step == "unit":
            vectors = vectors.transformed(unit)
        elif step == "center":
            mean = vectors.matrix.mean(axis=0)
            vectors = vectors.transformed(lambda matrix, mean=mean: matrix - mean)
        else:
            raise InputError(f"unknown normalisation step {step!r}: choose among unit, center")
    return vectors


def parse_steps(text: str) -> tuple[str, ...]:
    """ "unit,center,unit" -> its steps; "none" -> no steps."""
    return () if text == "none" else tuple(step.strip() for step in text.split(","))
