"""Spearman's rank correlation of a handful of points, with a p-value that holds for so few."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from comparisons.significance import ALPHA
from xlembed.types import Floats1d, Ints2d

FEWEST = 4  # points: with three, one order in three is a perfect one, up or down
MOST_EXACT = 8  # 8! = 40,320 orders
_CLOSE = 1e-9


@dataclass(frozen=True)
class RankCorrelation:
    """rho and p are None where a side does not vary; `least` is None where no rho of these ranks would be clear."""

    n: int
    rho: float | None
    p: float | None  # two-sided
    least: float | None  # |rho| from which p is at most 0.05, for these ranks
    is_exact: bool  # p counts all orders, else from Student's t


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> RankCorrelation:
    """Spearman's rho of n >= 4 pairs of numbers, equal numbers sharing the mean of their ranks.

    p is the share of all n! ways to pair the two rows whose |rho| is at least as large (Kendall & Gibbons 1990,
    chapter 4), for more than 8 points that of t = rho sqrt((n - 2) / (1 - rho^2)) with n - 2 degrees of freedom.
    Raises ValueError for fewer than 4 pairs.
    """
    from scipy.stats import rankdata, spearmanr, t

    n = len(first)
    if n < FEWEST or n != len(second):
        raise ValueError(f"{n} and {len(second)} numbers: at least {FEWEST} pairs are needed")
    is_exact = n <= MOST_EXACT
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return RankCorrelation(n, None, None, None, is_exact)
    if is_exact:
        return _exact(rankdata(first), rankdata(second))
    found = spearmanr(first, second)
    quantile = t.ppf(1 - ALPHA / 2, n - 2)
    return RankCorrelation(
        n, float(found.statistic), float(found.pvalue), float(quantile / np.sqrt(n - 2 + quantile**2)), False
    )


def _exact(first: Floats1d, second: Floats1d) -> RankCorrelation:
    """rho and p of two rows of ranks, over all orders of the second."""
    first, second = first - first.mean(), second - second.mean()
    scale = np.sqrt((first @ first) * (second @ second))
    rho = float(first @ second / scale)
    sizes = np.abs(second[_orders(len(first))] @ first) / scale  # (n!,)
    values, counts = np.unique(np.round(sizes, 9), return_counts=True)
    shares = counts[::-1].cumsum()[::-1] / len(sizes)  # of orders with at least this |rho|
    clear = values[shares <= ALPHA]
    p = float(np.mean(sizes >= abs(rho) - _CLOSE))
    return RankCorrelation(len(first), rho, p, float(clear[0]) if len(clear) else None, True)


@cache
def _orders(n: int) -> Ints2d:
    """All orders of n things, (n!, n)."""
    return np.array(list(itertools.permutations(range(n))))
