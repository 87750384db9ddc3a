"""Exact search with numpy, in blocks of queries so that the whole similarity matrix never exists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from xlembed.errors import InputError
from xlembed.search.base import Neighbors
from xlembed.types import Floats1d, Floats2d, Ints1d

_BLOCK_NUMBERS = 1 << 24  # similarities held at once: 64 MB in single, 128 MB in double precision
_WIDE_ROWS = 1 << 14  # keys held at once in double precision
_SINGLE = 2.0**-24  # half a unit in the last place of 1, float32


def topk(queries: Floats2d, keys: Floats2d, k: int, key_bias: Floats1d | None = None) -> Neighbors:
    """The k best keys by queries @ keys.T + key_bias; k is cut to the number of keys."""
    if k < 0:
        raise InputError(f"k is {k}, it cannot be negative")
    k = min(k, len(keys))
    indices = np.empty((len(queries), k), dtype=np.int64)
    scores = np.empty((len(queries), k), dtype=np.float32)
    if not k:
        return Neighbors(indices, scores)
    margins = 2 * product_errors(queries, keys, key_bias)
    for block in _blocks(len(queries), len(keys)):
        values = queries[block] @ keys.T  # (step, n_keys)
        if key_bias is not None:
            values += key_bias
        least = np.partition(values, -k, axis=1)[:, -k] - margins[block]
        rows, columns = np.nonzero(values >= least[:, None])
        exact = _pair_scores(queries[block], keys, rows, columns, key_bias)
        best = _first_of_each(rows, columns, exact, k)
        indices[block], scores[block] = columns[best].reshape(-1, k), exact[best].reshape(-1, k)
    return Neighbors(indices, scores)


def topk_both(
    src: Floats2d, trg: Floats2d, k: int, src_bias: Floats1d | None = None, trg_bias: Floats1d | None = None
) -> tuple[Neighbors, Neighbors]:
    """Both directions; here, in the plain version, by two products."""
    return topk(src, trg, k, trg_bias), topk(trg, src, k, src_bias)


def logsumexp(queries: Floats2d, keys: Floats2d, beta: float) -> Floats1d:
    """log of the sum over keys of exp(beta * similarity) of each query, (n_queries,) float64, block by block.

    In double precision: the sums of all backends agree to about 1e-15, and are the same float32 numbers but for one
    that lies on the edge between two.
    """
    if not len(keys):
        return np.full(len(queries), -np.inf)
    sums, wide = np.empty(len(queries)), keys.astype(np.float64)
    for block in _blocks(len(queries), len(keys)):
        sums[block] = logsumexp_of(queries[block], wide, beta)
    return sums


def logsumexp_of(queries: Floats2d, wide_keys: Floats2d, beta: float) -> Floats1d:
    """The same of one block of queries; the keys are float64."""
    values = queries.astype(np.float64) @ wide_keys.T
    values *= beta
    top = values.max(axis=1, keepdims=True)
    np.exp(np.subtract(values, top, out=values), out=values)
    sums: Floats1d = np.log(values.sum(axis=1)) + top[:, 0]
    return sums


def product_errors(queries: Floats2d, keys: Floats2d, key_bias: Floats1d | None) -> Floats1d:
    """A bound on the rounding error of each query's float32 scores, (n_queries,).

    |fl(x.y) - x.y| <= gamma_n |x|.|y| <= gamma_n ||x|| ||y||, gamma_n = n u / (1 - n u), whatever the order of
    the sums (Higham 2002, ch. 3); adding a bias rounds once more.
    """
    n = queries.shape[1] + 2
    gamma = n * _SINGLE / (1 - n * _SINGLE)
    longest = np.sqrt(np.einsum("ij,ij->i", keys, keys, dtype=np.float64).max(initial=0))
    lengths = np.sqrt(np.einsum("ij,ij->i", queries, queries, dtype=np.float64))
    bias = 0.0 if key_bias is None else float(np.abs(key_bias).max(initial=0))
    errors: Floats1d = gamma * (lengths * longest + bias)
    return errors


def _pair_scores(
    queries: Floats2d, keys: Floats2d, rows: Ints1d, columns: Ints1d, key_bias: Floats1d | None
) -> Floats1d:
    """Scores of (row, column) pairs in double precision, rounded to float32: (n_pairs,)."""
    scores = np.empty(len(rows), dtype=np.float64)
    step = max(1, _BLOCK_NUMBERS // (4 * queries.shape[1] + 1))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        scores[part] = np.einsum("ij,ij->i", queries[rows[part]], keys[columns[part]], dtype=np.float64)
    if key_bias is not None:
        scores += key_bias[columns]
    return scores.astype(np.float32)


def _first_of_each(rows: Ints1d, columns: Ints1d, scores: Floats1d, k: int) -> Ints1d:
    """Positions of each row's k best pairs, best first, ties by lower column; every row has at least k."""
    order = np.lexsort((columns, -scores, rows))
    starts = np.searchsorted(rows[order], np.arange(rows[-1] + 1)) if len(rows) else np.empty(0, dtype=np.int64)
    first: Ints1d = order[(starts[:, None] + np.arange(k)).ravel()]
    return first


@dataclass(frozen=True)
class BestGold:
    """The best gold key of each query and its score, both (n_queries,)."""

    indices: Ints1d
    scores: Floats1d


def best_ranks(
    queries: Floats2d, keys: Floats2d, gold: Sequence[Sequence[int]], key_bias: Floats1d | None = None
) -> Ints1d:
    """Rank (from 1) of the best-ranked gold key of each query among all keys, ties by lower index.

    Scores are computed in double precision and rounded to float32, as in `topk`.
    """
    best = best_gold(queries, keys, gold, key_bias)
    return 1 + n_ahead(queries, keys, 0, best, key_bias)


def best_gold(
    queries: Floats2d, keys: Floats2d, gold: Sequence[Sequence[int]], key_bias: Floats1d | None = None
) -> BestGold:
    """Of each query's gold keys (one at least) the one with the greatest score, ties by lower index."""
    rows = np.repeat(np.arange(len(gold)), [len(wanted) for wanted in gold])
    columns = np.array([key for wanted in gold for key in wanted], dtype=np.int64)
    scores = _pair_scores(queries, keys, rows, columns, key_bias)
    best = _first_of_each(rows, columns, scores, 1)
    return BestGold(columns[best], scores[best])


def n_ahead(
    queries: Floats2d, keys: Floats2d, first_key: int, best: BestGold, key_bias: Floats1d | None = None
) -> Ints1d:
    """How many of some keys, the first of which is number `first_key`, rank before each query's best gold key."""
    counts = np.zeros(len(queries), dtype=np.int64)
    for start in range(0, len(keys), _WIDE_ROWS):
        part = slice(start, min(start + _WIDE_ROWS, len(keys)))
        numbers = np.arange(first_key + part.start, first_key + part.stop)
        wide = keys[part].astype(np.float64).T
        bias = 0.0 if key_bias is None else key_bias[part].astype(np.float64)
        for block in _blocks(len(queries), 4 * len(numbers)):
            values = (queries[block].astype(np.float64) @ wide + bias).astype(np.float32)
            index, score = best.indices[block, None], best.scores[block, None]
            is_ahead = (values > score) | ((values == score) & (numbers < index))
            counts[block] += (is_ahead & (numbers != index)).sum(axis=1)
    return counts


def _blocks(n_queries: int, n_keys: int) -> Iterator[slice]:
    step = max(1, _BLOCK_NUMBERS // max(1, n_keys))
    for start in range(0, n_queries, step):
        yield slice(start, min(start + step, n_queries))
