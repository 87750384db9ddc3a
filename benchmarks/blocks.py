"""Lexicon induction by blocks over workers: time by words, dimension and workers, and a cost model fitted to it.

python benchmarks/blocks.py [WORDSxDIMxWORKERS ...] [--scheduler ADDRESS] [--out FILE.json]

Each point is `induce` under CSLS (two passes over all similarities) of two random spaces, over local workers of one
core each, or those of a scheduler. The first is checked: the same pairs and scores as without workers. Others' work on
the machine lengthens the time by the clock. So the processor time of all workers together and of the program's main
thread is taken as well, and the model is fitted to these two, by non-negative least squares on relative errors:

    workers = a + b V^2 d + c V^2       (V words a side, d dimensions: products, choosing among similarities)
    own     = e + f V d + g V n         (n blocks a side: writing rows down, merging what n^2 tasks found)

On W cores of their own, workers / W + own is what it takes, less where the two overlap.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from xlembed.tuning import tune_libraries

tune_libraries()

import numpy as np  # noqa: E402
from csls import space  # noqa: E402
from distributed import Client  # noqa: E402
from scipy.optimize import nnls  # noqa: E402

from xlembed.cluster import connect  # noqa: E402
from xlembed.induction import induce  # noqa: E402
from xlembed.search.base import using  # noqa: E402
from xlembed.search.cluster import ClusterSearch, block_rows_for  # noqa: E402

POINTS = ["20000x300x1", "40000x300x1", "80000x300x1", "40000x100x1", "80000x100x1",
          "20000x300x2", "40000x300x2", "80000x300x2", "160000x300x2", "40000x100x2", "80000x100x2"]  # fmt: skip
FORETOLD = [(200_000, 300, 2), (200_000, 300, 16), (1_000_000, 300, 16), (2_000_000, 300, 16), (2_000_000, 300, 128)]


@dataclass(frozen=True)
class Point:
    words: int
    dim: int
    workers: int
    seconds: float  # by the clock
    workers_seconds: float  # of processors, all workers together
    own_seconds: float  # of a processor, the program's main thread
    load: float  # processes that wanted a core, before it began


@dataclass(frozen=True)
class Model:
    workers: np.ndarray  # a, b, c
    own: np.ndarray  # e, f, g

    def seconds(self, words: int, dim: int, workers: int) -> float:
        own = _own_terms(words, dim, workers) @ self.own
        return float(_workers_terms(words, dim) @ self.workers / workers + own)


def _workers_terms(words: int, dim: int) -> np.ndarray:
    return np.array([1.0, words**2 * dim, words**2])


def _own_terms(words: int, dim: int, workers: int) -> np.ndarray:
    return np.array([1.0, words * dim, words * math.ceil(words / block_rows_for(words, workers))])


def fitted(points: list[Point]) -> Model:
    workers = [_workers_terms(p.words, p.dim) for p in points], [p.workers_seconds for p in points]
    own = [_own_terms(p.words, p.dim, p.workers) for p in points], [p.own_seconds for p in points]
    return Model(_least_squares(*workers), _least_squares(*own))


def _least_squares(terms: list[np.ndarray], seconds: list[float]) -> np.ndarray:
    rows, values = np.array(terms, dtype=float), np.array(seconds)
    scale = rows.max(axis=0)
    return nnls(rows / scale / values[:, None], np.ones(len(values)))[0] / scale


def measured(client: Client, words: int, dim: int, workers: int, check: bool) -> Point:
    rng = np.random.default_rng(0)
    src, trg = space(words, dim, rng), space(words, dim, rng)
    load = os.getloadavg()[0]
    with ClusterSearch(client) as search, using(search):
        begin = time.perf_counter(), _workers_time(client), time.thread_time()
        found = induce(src, trg)
        end = time.perf_counter(), _workers_time(client), time.thread_time()
    if check:
        expected = induce(src, trg)
        assert np.array_equal(found.rows, expected.rows) and np.array_equal(found.scores, expected.scores)
        print(f"{words:,} x {words:,}: the same {len(found):,} pairs and scores as without workers", file=sys.stderr)
    return Point(words, dim, workers, *(round(b - a, 2) for a, b in zip(begin, end, strict=True)), round(load, 1))


def _workers_time(client: Client) -> float:
    return sum(client.run(time.process_time).values())


def warm_up(client: Client) -> None:
    """Kernels are compiled, and the fastest products found."""
    small = space(5000, 50, np.random.default_rng(0))
    with ClusterSearch(client) as search, using(search):
        induce(small, small)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("points", nargs="*", default=POINTS)
    parser.add_argument("--scheduler")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    wanted = [tuple(map(int, point.split("x"))) for point in args.points]
    points: list[Point] = []
    print("    words  dim  workers  clock s  workers s    own s   load")
    for workers, group in groupby(wanted, key=lambda point: point[2]):
        with connect(args.scheduler, None if args.scheduler else workers) as client:
            warm_up(client)
            for words, dim, _ in group:
                one = measured(client, words, dim, workers, check=not points)
                points.append(one)
                print(f"{words:9,} {dim:4} {workers:8} {one.seconds:8.1f} {one.workers_seconds:10.1f} "
                      f"{one.own_seconds:8.1f} {one.load:6.1f}", flush=True)  # fmt: skip
                if args.out:
                    args.out.write_text(json.dumps([asdict(point) for point in points], indent=1) + "\n")
    tell(points, fitted(points))


def tell(points: list[Point], model: Model) -> None:
    print("\na = {:.2g}, b = {:.3g}, c = {:.3g} s;  e = {:.2g}, f = {:.3g}, g = {:.3g} s"
          .format(*model.workers, *model.own))  # fmt: skip
    if model.workers[1]:
        print(f"products: {4 / model.workers[1] / 1e9:.0f} GFLOP a second of processor time (two passes)")
    for point in points:
        wanted = point.workers_seconds / point.workers + point.own_seconds
        foretold = model.seconds(point.words, point.dim, point.workers)
        print(f"{point.words:9,} {point.dim:4} {point.workers:4}  processors {wanted:8.1f} s  model {foretold:8.1f} s "
              f"{100 * (foretold / wanted - 1):+5.0f} %   clock / model {point.seconds / foretold:5.2f}")  # fmt: skip
    print("\nforetold, beyond what was measured:")
    for words, dim, workers in FORETOLD:
        print(f"{words:9,} {dim:4} {workers:4} {model.seconds(words, dim, workers) / 60:10.1f} minutes")


if __name__ == "__main__":
    main()
