"""A few queries among many keys of any length: keys are made unit a block at a time, as a mapped file is read."""

from __future__ import annotations

from xlembed.normalize import unit
from xlembed.search.base import Neighbors, backend
from xlembed.search.packed import merge, nothing, packed, unpacked
from xlembed.types import Floats2d

ROWS_AT_ONCE = 1 << 15


def topk_by_cosine(queries: Floats2d, keys: Floats2d, k: int) -> Neighbors:
    """The k keys of greatest cosine to each query, what `backend().topk(unit(queries), unit(keys), k)` finds."""
    queries, best = unit(queries), nothing(len(queries), min(k, len(keys)))
    for start in range(0, len(keys), ROWS_AT_ONCE):
        merge(best, packed(backend().topk(queries, unit(keys[start : start + ROWS_AT_ONCE]), k), start))
    return unpacked(best)
