"""Percentile bootstrap over items (Efron 1979): how far a score would move on another sample of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xlembed.types import Floats1d, Floats2d

N_RESAMPLES = 1000
_CHUNK_NUMBERS = 1 << 22


@dataclass(frozen=True)
class Interval:
    """Ends of a 95 % interval."""

    low: float
    high: float


def resampled_sums(rows: Floats2d, n_resamples: int = N_RESAMPLES, seed: int = 0) -> Floats2d:
    """Column sums of resamples of the rows, with replacement.

    (n_items, n_columns) -> (n_resamples, n_columns), in the rows' dtype.
    """
    rows = np.asarray(rows)
    n_items, n_columns = rows.shape
    rng = np.random.default_rng(seed)
    sums = np.empty((n_resamples, n_columns), dtype=rows.dtype)
    step = max(1, _CHUNK_NUMBERS // max(1, n_items * n_columns))
    for start in range(0, n_resamples, step):
        stop = min(start + step, n_resamples)
        picks = rng.integers(n_items, size=(stop - start, n_items))
        sums[start:stop] = rows[picks].sum(axis=1)
    return sums


def interval(values: Floats1d) -> Interval:
    """The central 95 % of resampled values."""
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(float(low), float(high))
