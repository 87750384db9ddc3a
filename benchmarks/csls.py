"""BLI by CSLS beside a plain loop over torch products (as MUSE's evaluation does).

python benchmarks/csls.py [n_words] [dim]
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from common import compare

from xlembed.normalize import unit
from xlembed.retrieval import key_bias
from xlembed.search.numba_search import topk


def torch_means(queries: torch.Tensor, keys: torch.Tensor, k: int = 10, step: int = 1024) -> torch.Tensor:
    """Mean similarity to the k nearest keys, batch by batch."""
    return torch.cat([(queries[i : i + step] @ keys.T).topk(k).values.mean(1) for i in range(0, len(queries), step)])


def torch_csls(src: torch.Tensor, trg: torch.Tensor, n_queries: int) -> torch.Tensor:
    scores = 2 * src[:n_queries] @ trg.T - torch_means(src[:n_queries], trg)[:, None] - torch_means(trg, src)
    return scores.topk(10).indices


def main(n_words: int = 20_000, dim: int = 300, n_queries: int = 1500) -> None:
    rng = np.random.default_rng(0)
    src, trg = (unit(rng.normal(size=(n_words, dim)).astype(np.float32)) for _ in range(2))
    src_torch, trg_torch = torch.from_numpy(src), torch.from_numpy(trg)
    ours = topk(src[:n_queries], trg, 10, key_bias("csls", src, trg)).indices
    same = (ours == torch_csls(src_torch, trg_torch, n_queries).numpy()).mean()
    print(f"{n_words:,} x {n_words:,} words, dim {dim}, {n_queries:,} queries; same neighbours: {100 * same:.3f} %")
    compare(
        {
            "the bare product, numpy": lambda: [trg[i : i + 1024] @ src.T for i in range(0, n_words, 1024)],
            "xlembed CSLS": lambda: topk(src[:n_queries], trg, 10, key_bias("csls", src, trg)),
            "torch product + topk, as MUSE": lambda: torch_csls(src_torch, trg_torch, n_queries),
        },
        rounds=3,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
