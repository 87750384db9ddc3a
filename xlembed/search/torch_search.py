"""Search with torch alone, on a GPU where there is one: tiles of float32 products, their best kept on the device."""

from __future__ import annotations

from typing import Any

import numpy as np

from xlembed.errors import InputError, require
from xlembed.search import numpy_search
from xlembed.search.base import Neighbors
from xlembed.search.numpy_search import best_ranks as best_ranks
from xlembed.types import Floats1d, Floats2d

_TILE_NUMBERS = 1 << 26  # similarities held at once: 256 MB
_SPARE = 22  # candidates beyond k that are scored again


def topk(
    queries: Floats2d, keys: Floats2d, k: int, key_bias: Floats1d | None = None, device: str | None = None
) -> Neighbors:
    """The k best keys by queries @ keys.T + key_bias; k is cut to the number of keys."""
    torch = require("torch", "static")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if k < 0:
        raise InputError(f"k is {k}, it cannot be negative")
    k = min(k, len(keys))
    indices = np.empty((len(queries), k), dtype=np.int64)
    scores = np.empty((len(queries), k), dtype=np.float32)
    if not len(queries) or not k:
        return Neighbors(indices, scores)
    margins = torch.from_numpy(2 * numpy_search.product_errors(queries, keys, key_bias)).to(device)
    on_device = torch.from_numpy(np.ascontiguousarray(keys, dtype=np.float32)).to(device)
    bias = None if key_bias is None else torch.from_numpy(key_bias.astype(np.float32)).to(device)
    crowded = []
    step = max(1, _TILE_NUMBERS // len(keys))
    with _full_float32(torch):
        for start in range(0, len(queries), step):
            rows = slice(start, min(start + step, len(queries)))
            block = torch.from_numpy(np.ascontiguousarray(queries[rows], dtype=np.float32)).to(device)
            values = block @ on_device.T if bias is None else torch.addmm(bias, block, on_device.T)
            best = values.topk(min(k + _SPARE, len(keys)))
            exact = _exact(torch, block, on_device, bias, best.indices)
            order = _by_score_then_index(torch, exact, best.indices)[:, :k]
            indices[rows] = best.indices.gather(1, order).cpu().numpy()
            scores[rows] = exact.gather(1, order).cpu().numpy()
            if k + _SPARE < len(keys):  # one that was left out may be as good as the k-th: too many near it
                near = best.values[:, -1] >= best.values[:, k - 1] - margins[rows]
                crowded.append(start + near.nonzero()[:, 0].cpu().numpy())
    again = np.concatenate(crowded) if crowded else np.empty(0, dtype=np.int64)
    if len(again):
        found = numpy_search.topk(queries[again], keys, k, key_bias)
        indices[again], scores[again] = found.indices, found.scores
    return Neighbors(indices, scores)


def topk_both(
    src: Floats2d, trg: Floats2d, k: int, src_bias: Floats1d | None = None, trg_bias: Floats1d | None = None
) -> tuple[Neighbors, Neighbors]:
    """Both directions, by two products: on a GPU the selection, not the product, is what takes time."""
    return topk(src, trg, k, trg_bias), topk(trg, src, k, src_bias)


def logsumexp(queries: Floats2d, keys: Floats2d, beta: float, device: str | None = None) -> Floats1d:
    """log of the sum over keys of exp(beta * similarity) of each query, (n_queries,) float64."""
    torch = require("torch", "static")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    wide = torch.from_numpy(np.asarray(keys, dtype=np.float64)).to(device)
    sums, step = np.empty(len(queries)), max(1, _TILE_NUMBERS // (4 * max(1, len(keys))))
    for start in range(0, len(queries), step):
        block = torch.from_numpy(np.asarray(queries[start : start + step], dtype=np.float64)).to(device)
        sums[start : start + step] = (beta * (block @ wide.T)).logsumexp(dim=1).cpu().numpy()
    return sums


class _full_float32:
    """No TF32: the bound on errors is that of float32."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch

    def __enter__(self) -> None:
        self.before = self.torch.get_float32_matmul_precision()
        self.torch.set_float32_matmul_precision("highest")

    def __exit__(self, *_: object) -> None:
        self.torch.set_float32_matmul_precision(self.before)


def _exact(torch: Any, block: Any, keys: Any, bias: Any, indices: Any) -> Any:
    """Scores of the candidates in double precision, rounded to float32: (n_rows, n_candidates)."""
    exact = torch.empty(indices.shape, dtype=torch.float32, device=indices.device)
    step = max(1, _TILE_NUMBERS // (8 * indices.shape[1] * block.shape[1]))
    for start in range(0, len(block), step):
        part = slice(start, start + step)
        scores = torch.einsum("rd,rcd->rc", block[part].double(), keys[indices[part]].double())
        exact[part] = (scores if bias is None else scores + bias[indices[part]].double()).float()
    return exact


def _by_score_then_index(torch: Any, scores: Any, indices: Any) -> Any:
    """Order of each row: greatest score first, ties by lower index."""
    by_index = indices.argsort(dim=1)
    by_score = scores.gather(1, by_index).argsort(dim=1, descending=True, stable=True)
    return by_index.gather(1, by_score)
