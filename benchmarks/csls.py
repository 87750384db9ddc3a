"""CSLS neighbourhoods of two whole vocabularies: the k = 10 nearest of every word, both ways, exact.

python benchmarks/csls.py [n_words] [dim] [--rounds N] [--slow [--no-faiss]]

Contestants: one bare product in tiles, in bfloat16 and in float32 (the limit); xlembed's fused search; faiss's
exact index, searched in both directions; the loop of MUSE's evaluation on torch, both directions (--slow: both are
left out without it). Vectors are random with a spectrum that falls like that of word vectors; seed 0.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor

from xlembed.tuning import tune_libraries

tune_libraries()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from common import compare  # noqa: E402

from xlembed.normalize import unit  # noqa: E402
from xlembed.search import numba_search  # noqa: E402

K = 10
TILE = 1024


def space(n_words: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """Unit rows whose directions carry less and less variance."""
    mixing = rng.normal(size=(dim, dim)) * np.exp(-2 * np.arange(dim) / dim)[:, None]
    return unit((rng.normal(size=(n_words, dim)) @ mixing).astype(np.float32))


def bare_product(src: torch.Tensor, trg: torch.Tensor) -> None:
    """All tiles of src @ trg.T, each thrown away."""

    def strip(part: range) -> None:
        torch.set_num_threads(1)
        room = torch.empty(TILE * TILE, dtype=src.dtype)
        for row in range(part.start, part.stop, TILE):
            one = src[row : min(row + TILE, part.stop)]
            for column in range(0, len(trg), TILE):
                other = trg[column : column + TILE]
                torch.mm(one, other.T, out=room[: len(one) * len(other)].view(len(one), len(other)))

    n_cores = numba_search.n_cores()
    ends = np.linspace(0, len(src), n_cores + 1).astype(int)
    with ThreadPoolExecutor(n_cores) as pool:
        list(pool.map(strip, [range(*pair) for pair in zip(ends[:-1], ends[1:], strict=True)]))


def bare_product_of_numpy(src: np.ndarray, trg: np.ndarray) -> None:
    """The same by numpy, with its own threads."""
    room = np.empty((TILE, TILE), dtype=np.float32)
    for row in range(0, len(src), TILE):
        for column in range(0, len(trg), TILE):
            one, other = src[row : row + TILE], trg[column : column + TILE]
            np.matmul(one, other.T, out=room.ravel()[: len(one) * len(other)].reshape(len(one), len(other)))


def faiss_both(src: np.ndarray, trg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two passes of faiss's exact inner-product index."""
    import faiss

    faiss.omp_set_num_threads(numba_search.n_cores())
    found = []
    for queries, keys in ((src, trg), (trg, src)):
        index = faiss.IndexFlatIP(keys.shape[1])
        index.add(keys)
        found.append(index.search(queries, K)[1])
    return found[0], found[1]


def torch_both(src: torch.Tensor, trg: torch.Tensor) -> None:
    """Batches of 1,024 queries against all keys, both ways, as MUSE's get_nn_avg_dist does without faiss."""
    torch.set_num_threads(numba_search.n_cores())
    for queries, keys in ((src, trg), (trg, src)):
        for start in range(0, len(queries), 1024):
            (queries[start : start + 1024] @ keys.T).topk(K, dim=1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("n_words", type=int, nargs="?", default=20_000)
    parser.add_argument("dim", type=int, nargs="?", default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--no-faiss", action="store_true")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    src, trg = space(args.n_words, args.dim, rng), space(args.n_words, args.dim, rng)
    src_torch, trg_torch = torch.from_numpy(src), torch.from_numpy(trg)
    half = src_torch.bfloat16(), trg_torch.bfloat16()
    numba_search.topk_both(src[:5000], trg[:5000], K)  # compiles
    ours = numba_search.topk_both(src, trg, K)
    contestants = {
        "xlembed, both ways": lambda: numba_search.topk_both(src, trg, K),
        "xlembed, one way": lambda: numba_search.topk(src, trg, K),
        "bare product, bfloat16": lambda: bare_product(*half),
        "bare product, float32 (torch)": lambda: bare_product(src_torch, trg_torch),
        "bare product, float32 (numpy)": lambda: bare_product_of_numpy(src, trg),
    }
    if args.slow and not args.no_faiss:
        contestants["faiss IndexFlatIP, both ways"] = lambda: faiss_both(src, trg)
    if args.slow:
        contestants["torch product + topk, both ways (MUSE)"] = lambda: torch_both(src_torch, trg_torch)
    size = f"{args.n_words:,} x {args.n_words:,} words, dim {args.dim}, k = {K}"
    print(f"{size}; medians of {args.rounds}, ratios to the first; tiles: {numba_search.fastest_products()}")
    compare(contestants, args.rounds)
    if args.slow and not args.no_faiss:
        same = [100 * (mine.indices == theirs).mean() for mine, theirs in zip(ours, faiss_both(src, trg), strict=True)]
        print(f"same neighbours as faiss (float32, ties and rounding aside): {same[0]:.4f} %, {same[1]:.4f} %")


if __name__ == "__main__":
    main()
