"""Retrieval criteria, each a number per key that is added to the similarity."""

from __future__ import annotations

import numpy as np

from xlembed.errors import InputError
from xlembed.search.base import Neighbors, backend
from xlembed.types import Floats1d, Floats2d

CRITERIA = ("csls", "nn", "isf")
CSLS_K = 10
ISF_BETA = 30.0


def key_bias(criterion: str, queries: Floats2d, keys: Floats2d) -> Floats1d | None:
    """What to add to each key's similarity; `queries` is the whole source space, unit rows.

    nn: nothing. csls (Conneau et al. 2018): CSLS(x, y) = 2 cos(x, y) - r_T(x) - r_S(y), where r_S(y) is
    the mean cosine of y to its 10 nearest source words; r_T(x) is the same for every key of a query, so the
    ranking is that of cos(x, y) - r_S(y) / 2. isf (inverted softmax, Smith et al. 2017): exp(b cos(x, y)) /
    sum over source words x' of exp(b cos(x', y)), b = 30, ranks like cos(x, y) - log(that sum) / b.
    """
    if criterion == "nn":
        return None
    if criterion == "csls":
        return (-0.5 * mean_similarity(keys, queries)).astype(np.float32)
    if criterion == "isf":
        return (-backend().logsumexp(keys, queries, ISF_BETA) / ISF_BETA).astype(np.float32)
    raise InputError(f"unknown retrieval {criterion!r}: choose {', '.join(CRITERIA)}")


def key_biases(criterion: str, src: Floats2d, trg: Floats2d) -> tuple[Floats1d | None, Floats1d | None]:
    """`key_bias` for both directions: of the source words, when they are the keys, and of the target words."""
    if criterion != "csls":
        return key_bias(criterion, trg, src), key_bias(criterion, src, trg)
    forward, backward = backend().topk_both(src, trg, CSLS_K)  # one product for both
    return -0.5 * _means(forward), -0.5 * _means(backward)


def mean_similarity(queries: Floats2d, keys: Floats2d, k: int = CSLS_K) -> Floats1d:
    """Mean similarity of each query to its k nearest keys, (n_queries,) float32."""
    return _means(backend().topk(queries, keys, k))


def _means(neighbors: Neighbors) -> Floats1d:
    means: Floats1d = neighbors.scores.mean(axis=1, dtype=np.float64).astype(np.float32)
    return means
