"""Is one system better than another? Paired tests, correction over a table, and what other seeds would have given."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from xlembed.types import Bools1d, Floats1d, Floats2d

N_SHUFFLES = 10_000
ALPHA = 0.05
_CHUNK_NUMBERS = 1 << 21

Statistic = Callable[[Floats2d], Floats1d]  # column sums, (n, n_columns) -> figure of each, (n,)


def approximate_randomisation(
    one: Floats2d, other: Floats2d, statistic: Statistic, n_shuffles: int = N_SHUFFLES, seed: int = 0
) -> float:
    """Two-sided p-value that two systems' figures differ (Noreen 1989; Riezler & Maxwell 2005).

    `one` and `other` are counts by item, (n_items, n_columns). If the systems are alike, each item's two rows may as
    well be exchanged: p is the share of random exchanges whose difference is at least as large as the one observed,
    with one added above and below, so that it is never 0 and the test keeps its level.
    """
    other = np.asarray(other, dtype=np.float64)
    moves = np.asarray(one, dtype=np.float64) - other  # what an exchange takes from one and gives to the other
    sums = np.stack([other.sum(axis=0) + moves.sum(axis=0), other.sum(axis=0)])
    observed = abs(np.subtract(*statistic(sums)))
    moves = moves[np.any(moves != 0, axis=1)]
    at_least = sum(
        int(np.sum(np.abs(statistic(sums[0] - moved) - statistic(sums[1] + moved)) >= observed - 1e-9))
        for moved in _exchanged(moves, n_shuffles, seed)
    )
    return (at_least + 1) / (n_shuffles + 1)


def _exchanged(moves: Floats2d, n_shuffles: int, seed: int) -> Iterator[Floats2d]:
    """Sums of the moves of randomly chosen items, (n, n_columns) a block of shuffles."""
    rng = np.random.default_rng(seed)
    n_bytes = max(1, math.ceil(len(moves) / 8))
    step = max(1, _CHUNK_NUMBERS // (8 * n_bytes))
    for start in range(0, n_shuffles, step):
        n = min(step, n_shuffles - start)
        bits = np.frombuffer(rng.bytes(n * n_bytes), dtype=np.uint8).reshape(n, n_bytes)
        yield np.unpackbits(bits, axis=1, count=len(moves)).astype(np.float64) @ moves


def mcnemar(one_right: Bools1d, other_right: Bools1d) -> float:
    """Two-sided exact p-value that two classifiers' accuracies differ (McNemar 1947, binomial form).

    Right or wrong by item, (n_items,) each. Only items that one has right and the other wrong count.
    """
    one_right, other_right = np.asarray(one_right, dtype=bool), np.asarray(other_right, dtype=bool)
    only_one, only_other = int(np.sum(one_right & ~other_right)), int(np.sum(other_right & ~one_right))
    n, fewer = only_one + only_other, min(only_one, only_other)
    if n == 0:
        return 1.0
    logs = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
            for k in range(fewer + 1)]  # fmt: skip
    return min(1.0, 2 * math.fsum(math.exp(one) for one in logs))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for being several (Holm 1979): compared with a level, they keep it over the whole table."""
    n = len(p_values)
    adjusted, largest = [0.0] * n, 0.0
    for rank, place in enumerate(sorted(range(n), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (n - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def over_seeds(by_seed: Floats2d, seed: int = 0) -> Floats1d:
    """Resamples of the mean over seeds when the seeds too are drawn anew, (n_seeds, n_resamples) -> (n_resamples,).

    `by_seed` holds each seed's figure on resamples of the items, the same items for all seeds. A bootstrap of n
    seeds spreads too little by the factor (n - 1) / n in variance, which is put right here (Davison & Hinkley 1997,
    section 2.3.1 give the factor). With one seed there is nothing to draw.
    """
    n_seeds, n_resamples = by_seed.shape
    mean: Floats1d = by_seed.mean(axis=0)
    if n_seeds == 1:
        return mean
    drawn = np.random.default_rng(seed).integers(n_seeds, size=(n_seeds, n_resamples))
    redrawn = np.take_along_axis(by_seed, drawn, axis=0).mean(axis=0)
    spread: Floats1d = mean + math.sqrt(n_seeds / (n_seeds - 1)) * (redrawn - mean)
    return spread
