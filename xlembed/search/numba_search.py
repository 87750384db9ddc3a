"""Fused search: tiles of similarities are made and scanned while they are in cache, for both directions at once.

Tiles are float32 products by numpy or torch, or bfloat16 products by torch where the processor has instructions for
those: whichever is measured to be the fastest. Either way the k best are exact: see `base.py` and the error bounds
below.
"""

from __future__ import annotations

import importlib.util
import math
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from xlembed.errors import InputError
from xlembed.search import kernels, numpy_search
from xlembed.search.base import Neighbors
from xlembed.search.numpy_search import best_ranks as best_ranks
from xlembed.tuning import in_threads, n_cores, one_blas_thread
from xlembed.types import Floats1d, Floats2d

TILE_ROWS = 1024
TILE_COLS = 1024
_TORCH_FROM = 1 << 20  # similarities, where torch is loaded already
_LOAD_TORCH_FROM = 1 << 28  # where it would have to be: that takes a second or two
_BLOCK_NUMBERS = 1 << 22  # similarities that a thread holds at once in `logsumexp`
_HALF = 2.0**-8  # unit roundoff of bfloat16


def topk(queries: Floats2d, keys: Floats2d, k: int, key_bias: Floats1d | None = None) -> Neighbors:
    """The k best keys by queries @ keys.T + key_bias; k is cut to the number of keys."""
    return _search(queries, keys, k, None, None, key_bias)[0]


def topk_both(
    src: Floats2d, trg: Floats2d, k: int, src_bias: Floats1d | None = None, trg_bias: Floats1d | None = None
) -> tuple[Neighbors, Neighbors]:
    """The k best trg of each src and the k best src of each trg, from one product."""
    forward, back = _search(src, trg, k, k, src_bias, trg_bias)
    assert back is not None  # k_trg was given
    return forward, back


def logsumexp(queries: Floats2d, keys: Floats2d, beta: float) -> Floats1d:
    """log of the sum over keys of exp(beta * similarity) of each query, (n_queries,) float64: numpy's, by threads."""
    if not len(keys):
        return np.full(len(queries), -np.inf)
    wide = keys.astype(np.float64)
    step = max(1, _BLOCK_NUMBERS // max(1, len(keys)))
    blocks = [queries[start : start + step] for start in range(0, len(queries), step)]
    with ThreadPoolExecutor(n_cores()) as pool, _one_thread_each():
        sums = list(pool.map(lambda block: numpy_search.logsumexp_of(block, wide, beta), blocks))
    return np.concatenate([np.empty(0), *sums])


@dataclass(frozen=True)
class _Side:
    """Candidates of one side's rows, and what bounds their errors."""

    state: tuple[np.ndarray, ...]  # values and indices (n, room), best values (n, k), fills and thresholds (n,)
    error: Floats1d  # (n,) float32: of a similarity, before the product is rounded to the tile's type


@dataclass(frozen=True)
class _Products:
    """How tiles are made: `tile(rows, columns)` gives values; `relative` is the rounding of the tile itself."""

    tile: Callable[[slice, slice], np.ndarray]
    src_error: Floats1d
    trg_error: Floats1d
    relative: float
    is_half: bool


def _search(
    src: Floats2d, trg: Floats2d, k_src: int, k_trg: int | None, src_bias: Floats1d | None,
    trg_bias: Floats1d | None, kind: str | None = None,
) -> tuple[Neighbors, Neighbors | None]:  # fmt: skip
    """Rows' k_src best and, unless k_trg is None, columns' k_trg best."""
    if k_src < 0:
        raise InputError(f"k is {k_src}, it cannot be negative")
    src, trg = (np.ascontiguousarray(matrix, dtype=np.float32) for matrix in (src, trg))
    both, k_src, k_trg = k_trg is not None, min(k_src, len(trg)), min(k_trg or 0, len(src))
    if not len(src) or not len(trg) or not k_src or (both and not k_trg):
        return _nothing(src, k_src), _nothing(trg, k_trg) if both else None
    src_bias, trg_bias = (np.zeros(len(matrix), np.float32) if bias is None else bias.astype(np.float32)
                          for matrix, bias in ((src, src_bias), (trg, trg_bias)))  # fmt: skip
    products = _products(kind or _kind_of_products(len(src) * len(trg)), src, trg, src_bias, trg_bias)
    n_threads = min(n_cores(), -(-len(src) // TILE_ROWS))
    rows = _side(len(src), k_src, products, products.src_error)
    columns = [_side(len(trg), k_trg, products, products.trg_error) for _ in range(n_threads if both else 0)]
    parts = _parts(len(src), n_threads)
    with _one_thread_each():
        in_threads(lambda at: _scan(products, parts[at], len(trg), both, rows, columns[at] if both else rows),
                    range(n_threads))  # fmt: skip
    forward = _best(src, trg, trg_bias, rows, k_src, products)
    if not both:
        return forward, None
    return forward, _best(trg, src, src_bias, _merged(columns, products), k_trg, products)


def _nothing(matrix: Floats2d, k: int) -> Neighbors:
    return Neighbors(np.empty((len(matrix), k), dtype=np.int64), np.empty((len(matrix), k), dtype=np.float32))


def _parts(n: int, n_parts: int) -> list[range]:
    ends = np.linspace(0, n, n_parts + 1).astype(int)
    return [range(first, stop) for first, stop in zip(ends[:-1], ends[1:], strict=True)]


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Each of our threads makes its own products, alone; afterwards BLAS and torch have the threads that they had."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    with one_blas_thread():
        try:
            yield
        finally:  # a thread that sets torch's number sets that of MKL for all
            if torch and before is not None:
                torch.set_num_threads(before)


# ---- products


@cache
def has_bfloat16() -> bool:
    """Whether torch is here and the processor has instructions for products of bfloat16 numbers."""
    if not importlib.util.find_spec("torch"):
        return False
    import torch

    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported and supported())


@cache
def fastest_products() -> str:
    """half, torch or numpy: what makes a tile of products in the least time here. Measured once, in some 50 ms.

    bfloat16 is up to three times faster than float32 on some processors that have instructions for it, and half as
    fast on others; numpy's BLAS does not know every processor, nor does torch's.
    """
    one = np.random.default_rng(0).normal(size=(TILE_ROWS, 256)).astype(np.float32)
    zeros, part = np.zeros(len(one), np.float32), slice(0, TILE_ROWS)

    def seconds(kind: str) -> float:
        products, best = _products(kind, one, one, zeros, zeros), math.inf
        for _ in range(5):  # the first prepares
            begin = time.perf_counter()
            products.tile(part, part)
            best = min(best, time.perf_counter() - begin)
        return best

    importlib.import_module("torch")
    kinds: tuple[str, ...] = ("numpy", "torch", *(("half",) if has_bfloat16() else ()))
    with _one_thread_each(), ThreadPoolExecutor(1) as pool:
        fastest = dict(zip(kinds, pool.map(seconds, kinds), strict=True))
    return min(fastest, key=lambda kind: (fastest[kind], kind))


def _kind_of_products(n_similarities: int) -> str:
    """numpy where torch is not here, or not loaded and not worth its loading."""
    is_loaded = "torch" in sys.modules and n_similarities >= _TORCH_FROM
    if not is_loaded and (n_similarities < _LOAD_TORCH_FROM or not importlib.util.find_spec("torch")):
        return "numpy"
    return fastest_products()


def _products(
    kind: str, src: Floats2d, trg: Floats2d, src_bias: Floats1d, trg_bias: Floats1d
) -> _Products:
    if kind == "half":
        return _half_products(src, trg, src_bias, trg_bias)
    return _single_products(src, trg, src_bias, trg_bias, with_torch=kind == "torch")


def _single_products(
    src: Floats2d, trg: Floats2d, src_bias: Floats1d, trg_bias: Floats1d, with_torch: bool
) -> _Products:
    """Tiles of float32 products. Biases go through the product, as a column beside one of ones: a number that all
    columns of a row share does not change the row's order, and the other way."""
    if src_bias.any() or trg_bias.any():
        ones = [np.ones((len(side), 1), np.float32) for side in (src, trg)]
        src = np.hstack([src, src_bias[:, None], ones[0]])
        trg = np.hstack([trg, ones[1], trg_bias[:, None]])
    room = threading.local()  # a tile of each thread's own: making one anew costs page faults

    tensors = [_as_torch(side) for side in (src, trg)] if with_torch else []

    def empty_tile(n_rows: int, n_columns: int) -> np.ndarray:
        if not hasattr(room, "tile"):
            room.tile = np.empty(TILE_ROWS * TILE_COLS, dtype=np.float32)
        part: np.ndarray = room.tile[: n_rows * n_columns].reshape(n_rows, n_columns)
        return part

    def tile(rows: slice, columns: slice) -> np.ndarray:
        one, other = src[rows], trg[columns]
        return np.matmul(one, other.T, out=empty_tile(len(one), len(other)))

    def torch_tile(rows: slice, columns: slice) -> np.ndarray:
        import torch

        if not hasattr(room, "tile"):
            torch.set_num_threads(1)
        one, other = tensors[0][rows], tensors[1][columns]
        out = empty_tile(len(one), len(other))
        torch.mm(one, other.T, out=torch.from_numpy(out))
        return out

    return _Products(torch_tile if with_torch else tile, _rounded_up(numpy_search.product_errors(src, trg, None)),
                     _rounded_up(numpy_search.product_errors(trg, src, None)), 0.0, False)  # fmt: skip


def _half_products(src: Floats2d, trg: Floats2d, src_bias: Floats1d, trg_bias: Floats1d) -> _Products:
    """Tiles of bfloat16 products. Biases go through the product: as three bfloat16 numbers that add up to them.

    With x' the rounded x: |x'.y' - x.y| <= ||x' - x|| ||y'|| + ||x|| ||y' - y||, the norms being known.
    """
    import torch

    has_bias = bool(src_bias.any() or trg_bias.any())
    # only differences count; from 0 up, sums near the threshold are positive, which are compared fastest
    offset = float(abs(src_bias.min()) + abs(trg_bias.min()))  # which the scores' own rounding to float32 still sees
    src_bias, trg_bias = src_bias - src_bias.min(), trg_bias - trg_bias.min()
    wide_src, src_rounding = _half(torch, src, src_bias if has_bias else None, first=True)
    wide_trg, trg_rounding = _half(torch, trg, trg_bias if has_bias else None, first=False)

    room = threading.local()  # a tile of each thread's own: making one anew costs page faults

    def tile(rows: slice, columns: slice) -> np.ndarray:
        if not hasattr(room, "tile"):
            torch.set_num_threads(1)
            room.tile = torch.empty(TILE_ROWS * TILE_COLS, dtype=torch.bfloat16)
        one, other = wide_src[rows], wide_trg[columns]
        out = room.tile[: len(one) * len(other)].view(len(one), len(other))
        return torch.mm(one, other.T, out=out).view(torch.int16).numpy()

    def errors(one: Floats2d, other: Floats2d, rounding: Floats1d, other_rounding: Floats1d) -> Floats1d:
        lengths, others = np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1)
        greatest = src_bias.max() + trg_bias.max()
        summing = (1 + 8 / one.shape[1]) * numpy_search.product_errors(one, other, np.array([4 * greatest]))
        rounded = rounding * (others + other_rounding).max() + lengths * other_rounding.max()
        return _rounded_up(rounded + summing + 2.0**-22 * (greatest + offset))

    return _Products(tile, errors(src, trg, src_rounding, trg_rounding), errors(trg, src, trg_rounding, src_rounding),
                     _HALF * 1.01, True)  # fmt: skip


def _half(torch: Any, matrix: Floats2d, bias: Floats1d | None, first: bool) -> tuple[Any, Floats1d]:
    """bfloat16 rows, with the bias and ones beside them, and the length of what rounding took from each row."""
    single = _as_torch(matrix)
    half = single.bfloat16()
    pairs = zip(half.split(TILE_ROWS), single.split(TILE_ROWS), strict=True)  # whose differences are held at once
    rounding = np.concatenate([(rounded.float() - exact).norm(dim=1).numpy() * 1.001 for rounded, exact in pairs])
    if bias is not None:
        rest, parts = torch.from_numpy(bias), []
        for _ in range(3):
            parts.append(rest.bfloat16())
            rest = rest - parts[-1].float()
        parts, ones = torch.stack(parts, dim=1), torch.ones(len(matrix), 3, dtype=torch.bfloat16)
        half = torch.cat([half, *((parts, ones) if first else (ones, parts))], dim=1)
    return half.contiguous(), rounding


def _as_torch(matrix: Floats2d) -> Any:
    """A tensor on the same memory; nothing writes to it, and torch's warning that it could is kept silent."""
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(matrix)


def _rounded_up(errors: Floats1d) -> Floats1d:
    return np.nextafter(errors.astype(np.float32), np.float32(np.inf))


# ---- scanning and scoring


def _side(n: int, k: int, products: _Products, error: Floats1d) -> _Side:
    room = max(64, 4 * k)
    kind = np.int16 if products.is_half else np.float32
    lowest = np.iinfo(np.int16).min if products.is_half else -np.inf
    state = (np.empty((n, room), dtype=kind), np.empty((n, room), dtype=np.int32), np.full((n, k), lowest, dtype=kind),
             np.zeros(n, dtype=np.int32), np.full(n, lowest, dtype=kind))  # fmt: skip
    return _Side(state, error)


def _scan(
    products: _Products, part: range, n_columns: int, with_columns: bool, rows: _Side, columns: _Side
) -> None:
    for row in range(part.start, part.stop, TILE_ROWS):
        row_stop = min(row + TILE_ROWS, part.stop)
        for column in range(0, n_columns, TILE_COLS):
            tile = products.tile(slice(row, row_stop), slice(column, min(column + TILE_COLS, n_columns)))
            if products.is_half:
                kernels.scan16(tile, row, column, with_columns, np.float32(products.relative), rows.state,
                               columns.state, rows.error, columns.error)  # fmt: skip
            else:
                kernels.scan32(tile, row, column, with_columns, rows.state, columns.state, rows.error, columns.error)


def _merged(sides: list[_Side], products: _Products) -> _Side:
    first, *others = sides
    for other in others:
        if products.is_half:
            kernels.merge16(first.state, other.state, first.error, np.float32(products.relative))
        else:
            kernels.merge32(first.state, other.state, first.error)
    return first


def _best(queries: Floats2d, keys: Floats2d, bias: Floats1d, side: _Side, k: int, products: _Products) -> Neighbors:
    """Candidates scored again, the k best of each row; rows with too many candidates another way."""
    indices = np.empty((len(queries), k), dtype=np.int64)
    scores = np.empty((len(queries), k), dtype=np.float32)
    fills = side.state[3]

    def score(part: range) -> None:
        kernels.best_of(queries, keys, bias, side.state, part.start, part.stop, indices, scores)

    in_threads(score, _parts(len(queries), min(n_cores(), -(-len(queries) // TILE_ROWS))))
    crowded = np.flatnonzero(fills < 0)
    if len(crowded):
        if products.is_half:
            again = _search(queries[crowded], keys, k, None, None, bias, kind="numpy")[0]
        else:
            again = numpy_search.topk(queries[crowded], keys, k, bias)
        indices[crowded], scores[crowded] = again.indices, again.scores
    return Neighbors(indices, scores)
