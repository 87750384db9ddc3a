"""VecMap-style self-learning: seconds an iteration, xlembed's beside the plain loop.

python benchmarks/vecmap.py [--cutoff 20000] [--dim 300] [--keep 0.1] [--rounds 3]

The plain loop is what the papers describe and their program does, on numpy with all cores: whole blocks of
similarities, four products an iteration (means of both sides for CSLS, then both directions), the means by k passes
of argmax, and a random number for every similarity of both directions to decide whether it is kept. Vectors are random
with a spectrum that falls like that of word vectors; seed 0.
"""

from __future__ import annotations

import argparse

from xlembed.tuning import tune_libraries

tune_libraries()

import numpy as np  # noqa: E402
from common import compare  # noqa: E402
from csls import space  # noqa: E402

from xlembed.alignment.self_learning import SelfLearning, induce_some, pairs_rotation  # noqa: E402

BLOCK = 10_000  # rows of similarities held at once
K = 10


def plain_iteration(src: np.ndarray, trg: np.ndarray, pairs: np.ndarray, keep: float, rng: np.random.Generator):
    """Map by the pairs, take the means, and the best of what is kept; the next pairs."""
    u, _, vt = np.linalg.svd(src[pairs[:, 0]].T @ trg[pairs[:, 1]])
    mapped = src @ (u @ vt)
    means = [nearest_means(*sides) for sides in ((trg, mapped), (mapped, trg))]
    ahead = best_kept(mapped, trg, means[0], keep, rng)
    back = best_kept(trg, mapped, means[1], keep, rng)
    rows = np.arange(len(src)), np.arange(len(trg))
    return np.concatenate([np.column_stack([rows[0], ahead]), np.column_stack([back, rows[1]])])


def nearest_means(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Mean similarity of each query to its K nearest keys."""
    means = np.empty(len(queries), dtype=np.float32)
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK] @ keys.T
        rows, total = np.arange(len(block)), np.zeros(len(block), dtype=np.float32)
        for _ in range(K):
            best = block.argmax(axis=1)
            total += block[rows, best]
            block[rows, best] = -np.inf
        means[start : start + BLOCK] = total / K
    return means


def best_kept(queries: np.ndarray, keys: np.ndarray, means: np.ndarray, keep: float, rng: np.random.Generator):
    """The key of the greatest CSLS value that a random mask leaves, of each query."""
    best = np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK] @ keys.T - means / 2
        if keep < 1:
            block *= rng.random(block.shape) < keep
        best[start : start + BLOCK] = block.argmax(axis=1)
    return best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cutoff", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--keep", type=float, default=0.1)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    src, trg = space(args.cutoff, args.dim, rng), space(args.cutoff, args.dim, rng)
    pairs = np.column_stack([np.arange(args.cutoff)] * 2)

    def ours(keep: float) -> None:
        induce_some(src @ pairs_rotation(src, trg, pairs), trg, keep, rng, SelfLearning(csls_k=K))

    ours(args.keep)  # compiles
    print(f"an iteration at cut-off {args.cutoff:,}, dim {args.dim}; medians of {args.rounds}, ratios to the first")
    for keep in (args.keep, 1.0):
        print(f"keeping {keep:.0%} of the similarities")
        compare({"xlembed": lambda keep=keep: ours(keep),
                 "plain loop": lambda keep=keep: plain_iteration(src, trg, pairs, keep, rng)}, args.rounds)  # fmt: skip


if __name__ == "__main__":
    main()
