"""Retrieval criteria, each a number per key that is added to the similarity."""

from __future__ import annotations

import numpy as np

from xlembed.errors import InputError
from xlembed.search.base import backend
from xlembed.types import Floats1d, Floats2d

CRITERIA = ("csls", "nn")
CSLS_K = 10


def key_bias(criterion: str, queries: Floats2d, keys: Floats2d) -> Floats1d | None:
    """What to add to each key's similarity; `queries` is the whole source space, unit rows.

    nn: nothing. csls (Conneau et al. 2018): CSLS(x, y) = 2 cos(x, y) - r_T(x) - r_S(y), where r_S(y) is
    the mean cosine of y to its 10 nearest source words; r_T(x) is the same for every key of a query, so the
    ranking is that of cos(x, y) - r_S(y) / 2.
    """
    if criterion == "nn":
        return None
    if criterion == "csls":
        return (-0.5 * mean_similarity(keys, queries)).astype(np.float32)
    raise InputError(f"unknown retrieval {criterion!r}: choose {' or '.join(CRITERIA)}")


def mean_similarity(queries: Floats2d, keys: Floats2d, k: int = CSLS_K) -> Floats1d:
    """Mean similarity of each query to its k nearest keys, (n_queries,) float32."""
    return backend().topk(queries, keys, k).scores.mean(axis=1, dtype=np.float64).astype(np.float32)
