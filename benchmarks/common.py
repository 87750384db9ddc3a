"""Timing side by side: the contestants take turns in one run, so that a noisy machine is noisy for all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def compare(contestants: dict[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """Median seconds of each contestant over rounds in turn, printed with ratios to the first."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            begin = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begin)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    first = next(iter(medians.values()))
    for name, median in medians.items():
        print(f"{name:44} {median:8.3f} s   {median / first:6.2f} x")
    return medians
