"""Exact search with numpy, in blocks of queries so that the whole similarity matrix never exists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from xlembed.types import Floats1d, Floats2d, Ints1d, Ints2d

_BLOCK_NUMBERS = 1 << 25  # similarities held at once: 128 MB


@dataclass(frozen=True)
class Neighbors:
    """The k best keys of each query, best first, ties by lower index: both (n_queries, k)."""

    indices: Ints2d
    scores: Floats2d


def _blocks(queries: Floats2d, keys: Floats2d, key_bias: Floats1d | None) -> Iterator[tuple[slice, Floats2d]]:
    step = max(1, _BLOCK_NUMBERS // max(1, len(keys)))
    for start in range(0, len(queries), step):
        block = slice(start, min(start + step, len(queries)))
        scores = queries[block] @ keys.T  # (step, n_keys)
        if key_bias is not None:
            scores += key_bias
        yield block, scores


def topk(queries: Floats2d, keys: Floats2d, k: int, key_bias: Floats1d | None = None) -> Neighbors:
    """The k best keys by queries @ keys.T + key_bias; k is cut to the number of keys."""
    k = min(k, len(keys))
    indices = np.empty((len(queries), k), dtype=np.int64)
    scores = np.empty((len(queries), k), dtype=np.float32)
    for block, values in _blocks(queries, keys, key_bias):
        indices[block] = best = _topk_rows(values, k)
        scores[block] = np.take_along_axis(values, best, axis=1)
    return Neighbors(indices, scores)


def _topk_rows(values: Floats2d, k: int) -> Ints2d:
    """Columns of the k greatest values of each row, greatest first, ties by lower column."""
    if k == values.shape[1]:
        return np.argsort(-values, axis=1, kind="stable")
    chosen = np.argpartition(values, -k, axis=1)[:, -k:]
    chosen.sort(axis=1)
    chosen_values = np.take_along_axis(values, chosen, axis=1)
    order = np.argsort(-chosen_values, axis=1, kind="stable")
    best = np.take_along_axis(chosen, order, axis=1)
    # argpartition picks any among equals at the boundary: do those rows again by a stable sort
    kth = chosen_values.min(axis=1, keepdims=True)
    for row in np.flatnonzero((values >= kth).sum(axis=1) > k):
        best[row] = np.argsort(-values[row], kind="stable")[:k]
    return best


def mean_topk(queries: Floats2d, keys: Floats2d, k: int) -> Floats1d:
    """Mean similarity of each query to its k nearest keys, (n_queries,)."""
    k = min(k, len(keys))
    means = np.empty(len(queries), dtype=np.float32)
    for block, values in _blocks(queries, keys, None):
        means[block] = np.partition(values, -k, axis=1)[:, -k:].mean(axis=1)
    return means


def best_ranks(
    queries: Floats2d, keys: Floats2d, gold: Sequence[Sequence[int]], key_bias: Floats1d | None = None
) -> Ints1d:
    """Rank (from 1) of the best-ranked gold key of each query among all keys, ties by lower index."""
    ranks = np.empty(len(queries), dtype=np.int64)
    for block, values in _blocks(queries, keys, key_bias):
        for row, query in zip(values, range(block.start, block.stop), strict=True):
            candidates = np.asarray(gold[query])
            best = candidates[row[candidates] == row[candidates].max()].min()
            ranks[query] = 1 + (row > row[best]).sum() + (row[:best] == row[best]).sum()
    return ranks
