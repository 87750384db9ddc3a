"""Neighbours as one whole number each, which sorts as they do: by score, greatest first, ties by lower index.

So the best of several blocks are found by sorting what was found in each, whatever the order of the blocks.
"""

from __future__ import annotations

import numpy as np

from xlembed.search.base import Neighbors

Packed = np.ndarray  # (n, k) uint64

WORST = np.uint64(2**64 - 1)
_SIGN = np.uint32(1 << 31)
_INDEX = np.uint64(2**32 - 1)


def packed(found: Neighbors, first_key: int = 0) -> Packed:
    """Inverted score, in whose bits order is that of the float32 numbers, and index among all keys (below 2^32)."""
    bits = (found.scores + np.float32(0)).view(np.uint32)  # which makes -0 the 0 that it equals
    ordered = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    return (~ordered).astype(np.uint64) << np.uint64(32) | (found.indices + first_key).astype(np.uint64)


def unpacked(found: Packed) -> Neighbors:
    """Indices and scores."""
    ordered = ~(found >> np.uint64(32)).astype(np.uint32)
    bits = np.where(ordered & _SIGN, ordered & ~_SIGN, ~ordered)
    return Neighbors((found & _INDEX).astype(np.int64), bits.view(np.float32))


def nothing(n: int, k: int) -> Packed:
    """No neighbour yet: what is worse than any."""
    return np.full((n, k), WORST)


def merge(best: Packed, found: Packed) -> None:
    """Take what was found of some rows among some keys into their best so far, in place."""
    best[:] = np.sort(np.hstack([best, found]), axis=1)[:, : best.shape[1]]
