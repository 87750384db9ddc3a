"""Intervals and tests of ten systems on ten thousand sentences, beside what one would write without them.

python benchmarks/significance.py [--sentences 10000] [--systems 10] [--resamples 10000] [--rounds 3]

Span counts are made up: correct, predicted and gold spans of each sentence, three columns a system. Beside ours: the
gather that a first attempt writes (numpy, counts[picks].sum) and scipy.stats.bootstrap (a system at a time), both with
fewer resamples, their times multiplied up to the whole; and approximate randomisation as a loop over shuffles.
Contestants take turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy import stats

from comparisons.significance import approximate_randomisation
from xlembed.bootstrap import resampled_sums


def f1(sums: np.ndarray) -> np.ndarray:
    correct, predicted, gold = sums.T
    return 2 * correct / (predicted + gold)


def made_up(n_sentences: int, n_systems: int) -> np.ndarray:
    """(n_sentences, 3 n_systems)."""
    rng = np.random.default_rng(0)
    gold = rng.integers(1, 4, n_sentences)
    columns = []
    for _ in range(n_systems):
        correct = rng.binomial(gold, 0.7)
        columns += [correct, correct + rng.binomial(1, 0.4, n_sentences), gold]
    return np.stack(columns, axis=1)


def gathered(rows: np.ndarray, n_resamples: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(n_resamples):
        rows[rng.integers(len(rows), size=len(rows))].sum(axis=0)


def scipys(rows: np.ndarray, n_resamples: int) -> None:
    def statistic(correct: np.ndarray, predicted: np.ndarray, gold: np.ndarray, axis: int = -1) -> np.ndarray:
        return 2 * correct.sum(axis=axis) / (predicted.sum(axis=axis) + gold.sum(axis=axis))

    stats.bootstrap(tuple(rows.T), statistic, paired=True, vectorized=True, n_resamples=n_resamples, batch=50,
                    method="percentile", rng=np.random.default_rng(0))  # fmt: skip


def randomised_in_a_loop(one: np.ndarray, other: np.ndarray, n_shuffles: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(n_shuffles):
        swap = rng.random(len(one)) < 0.5
        a, b = np.where(swap[:, None], other, one).sum(axis=0), np.where(swap[:, None], one, other).sum(axis=0)
        f1(np.stack([a, b]))


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentences", type=int, default=10_000)
    parser.add_argument("--systems", type=int, default=10)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rows = made_up(args.sentences, args.systems)
    one, other = rows[:, :3], rows[:, 3:6]
    few = max(1, args.resamples // 50)
    share = args.resamples / few
    contestants: dict[str, tuple[Callable[[], object], float]] = {
        "bootstrap, xlembed": (lambda: resampled_sums(rows, args.resamples), 1),
        "bootstrap, gather": (lambda: gathered(rows, few), share),
        "bootstrap, scipy (a system at a time)": (lambda: scipys(one, few), share * args.systems),
        "randomisation, xlembed": (lambda: approximate_randomisation(one, other, f1, args.resamples), 1),
        "randomisation, loop": (lambda: randomised_in_a_loop(one, other, few), share),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(args.rounds):
        for name, (work, factor) in contestants.items():
            times[name].append(factor * seconds(work))
    print(f"{args.sentences:,} sentences, {args.systems} systems, {args.resamples:,} resamples, {args.rounds} rounds")
    ours = ""
    for name, found in times.items():
        middle = statistics.median(found)
        ours = name if "xlembed" in name else ours
        print(f"{name:40} {middle:8.2f} s  {middle / statistics.median(times[ours]):6.1f} x")


if __name__ == "__main__":
    main()
