"""Bootstrap over items (Efron 1979): how far a score would move on another sample of them."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from xlembed.types import Floats1d, Floats2d, Ints2d

N_RESAMPLES = 1000
_CHUNK_NUMBERS = 1 << 21
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Interval:
    """Ends of a 95 % interval."""

    low: float
    high: float


def resampled_sums(rows: Floats2d, n_resamples: int = N_RESAMPLES, seed: int = 0) -> Floats2d:
    """Column sums of resamples of the rows, with replacement.

    (n_items, n_columns) -> (n_resamples, n_columns) float64. How often each row was drawn is counted first, so that
    all columns of a block of resamples are one matrix product.
    """
    rows = np.asarray(rows, dtype=np.float64)
    n_items, n_columns = rows.shape
    rng = np.random.default_rng(seed)
    sums = np.empty((n_resamples, n_columns))
    step = max(1, _CHUNK_NUMBERS // max(1, n_items))
    for start in range(0, n_resamples, step):
        n = min(step, n_resamples - start)
        picks = rng.integers(n_items, size=(n, n_items))
        picks += np.arange(n)[:, None] * n_items
        times = np.bincount(picks.ravel(), minlength=n * n_items).reshape(n, n_items)
        sums[start : start + n] = times.astype(np.float64) @ rows
    return sums


def left_out_sums(rows: Floats2d | Ints2d) -> Floats2d:
    """Column sums without each row in turn (the jackknife), (n_items, n_columns)."""
    rows = np.asarray(rows, dtype=np.float64)
    left_out: Floats2d = rows.sum(axis=0) - rows
    return left_out


def interval(values: Floats1d) -> Interval:
    """The central 95 % of resampled values (percentile interval)."""
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(float(low), float(high))


def bca_interval(value: float, values: Floats1d, left_out: Floats1d) -> Interval:
    """The bias-corrected and accelerated 95 % interval (Efron 1987; Efron & Tibshirani 1993, equations 14.9-14.15).

    `value` is the statistic of the sample, `values` (n_resamples,) of its resamples, `left_out` (n_items,) of the
    sample without each item in turn. The percentiles that are read off move with the share of resamples under the
    value, ties by half, and with the skewness of what single items do. Where nothing varies it is the percentile
    interval.
    """
    close = 1e-9 * max(1.0, abs(value))  # sums in another order are no other value
    under = np.mean(values < value - close) + np.mean(np.abs(values - value) <= close) / 2
    deviations = np.mean(left_out) - left_out
    spread = np.sum(deviations**2)
    if not 0 < under < 1 or spread <= close**2:
        return interval(values)
    bias = _NORMAL.inv_cdf(float(under))
    acceleration = float(np.sum(deviations**3) / (6 * spread**1.5))
    places = []
    for tail in (0.025, 0.975):
        z = bias + _NORMAL.inv_cdf(tail)
        places.append(100 * _NORMAL.cdf(bias + z / (1 - acceleration * z)))
    low, high = np.percentile(values, places)
    return Interval(float(low), float(high))
