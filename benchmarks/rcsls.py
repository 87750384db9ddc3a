"""RCSLS at 200,000 words a side: seconds and peak memory of a fit, beside the plain way at a size that it can hold.

python benchmarks/rcsls.py [--words 200000] [--dim 300] [--pairs 5000] [--iterations 10] [--plain-words 20000]

The plain way is that of the authors' script: all similarities of the pairs' words to the whole vocabulary in one
matrix, an argpartition, and the neighbours' vectors gathered into an array (n_pairs, k, dim), both ways.
Vectors are random with a spectrum that falls like that of word vectors; the target is the source turned, plus noise.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from xlembed.tuning import tune_libraries

tune_libraries()

import numpy as np  # noqa: E402
from common import compare  # noqa: E402
from csls import space  # noqa: E402
from read_vec import memory  # noqa: E402

from xlembed.alignment.rcsls import Problem, RcslsSettings, fit, loss_and_gradient  # noqa: E402
from xlembed.lexicon import Lexicon  # noqa: E402
from xlembed.vectors import WordVectors  # noqa: E402

K = 10


def pair_of_spaces(n_words: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    src = space(n_words, dim, rng)
    turn, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    return src, src @ turn.astype(np.float32) + 0.03 * rng.normal(size=src.shape).astype(np.float32)


def plain_loss_and_gradient(src: np.ndarray, trg: np.ndarray, n_pairs: int, weight: np.ndarray) -> np.ndarray:
    """The gradient, as written down: pairs are the first words."""
    x, z = src[:n_pairs], trg[:n_pairs]
    mapped = src @ weight
    near = trg[np.argpartition(-(mapped[:n_pairs] @ trg.T), K, axis=1)[:, :K]]  # (n_pairs, k, dim)
    near_back = src[np.argpartition(-(z @ mapped.T), K, axis=1)[:, :K]]
    return (x.T @ (near.mean(axis=1) - 2 * z) + near_back.mean(axis=1).T @ z) / n_pairs


def print_fit(n_words: int, dim: int, n_pairs: int, iterations: int) -> None:
    """Seconds and peak memory of one fit, in a process of its own."""
    vectors = [WordVectors([f"{i}" for i in range(n_words)], matrix) for matrix in pair_of_spaces(n_words, dim)]
    lexicon = Lexicon([(f"{i}", f"{i}") for i in range(n_pairs)])
    before, begin = memory("VmRSS"), time.perf_counter()
    mapping = fit(*vectors, lexicon, RcslsSettings(iterations=iterations))
    seconds = time.perf_counter() - begin
    print(f"fit: {n_words:,} x {dim}, {n_pairs:,} pairs, {mapping.about['iterations']} iterations: {seconds:.0f} s; "
          f"peak memory {memory('VmHWM') / 1e9:.2f} GB, of which {before / 1e9:.2f} GB were held before "
          f"(the vectors as read, libraries)")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--words", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--pairs", type=int, default=5_000)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--plain-words", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fit", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fit:
        print_fit(args.words, args.dim, args.pairs, args.iterations)
        return
    subprocess.run([sys.executable, __file__, "--fit", *(f"--{name}={getattr(args, name)}" for name in
                    ("words", "dim", "pairs", "iterations"))], check=True)  # fmt: skip
    src, trg = pair_of_spaces(args.plain_words, args.dim)
    rows = np.column_stack([np.arange(args.pairs)] * 2)
    weight = np.eye(args.dim, dtype=np.float32)
    problem = Problem(src, trg, rows, K)
    ours, plain = loss_and_gradient(problem, weight).gradient, plain_loss_and_gradient(src, trg, args.pairs, weight)
    print(f"\none gradient at {args.plain_words:,} words; greatest difference {np.abs(ours - plain).max():.1e}; "
          f"medians of {args.rounds}, ratios to the first")  # fmt: skip
    compare({"xlembed": lambda: loss_and_gradient(problem, weight),
             "plain, as the authors' script": lambda: plain_loss_and_gradient(src, trg, args.pairs, weight)},
            args.rounds)  # fmt: skip


if __name__ == "__main__":
    main()
