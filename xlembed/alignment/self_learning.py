"""Self-learning: map with the dictionary, induce the dictionary from the mapped spaces, until it no longer improves.

Artetxe, Labaka & Agirre 2017 (ACL), "Learning bilingual word embeddings with (almost) no bilingual data", and 2018
(ACL), "A robust self-learning method for fully unsupervised cross-lingual mappings of word embeddings", sections 3.2
and 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from xlembed.alignment.whitening import SMALLEST
from xlembed.normalize import normalize
from xlembed.progress import progress
from xlembed.search.base import Neighbors, backend
from xlembed.tuning import one_blas_thread
from xlembed.types import Floats1d, Floats2d, Ints1d, Ints2d
from xlembed.vectors import WordVectors

Direction = Literal["forward", "backward", "union"]
_SHALLOW_SHARE = 0.95  # of the words are served by the search for all; the others, which look deeper, by another


@dataclass(frozen=True)
class SelfLearning:
    """How dictionaries are induced, and when learning ends."""

    csls_k: int = 10
    direction: Direction = "union"
    keep_prob: float = 0.1
    keep_growth: float = 2.0
    interval: int = 50
    threshold: float = 1e-6
    max_iterations: int = 5000
    first_cutoff: int | None = None  # words a side until all similarities are kept; None: the cut-off

    def cutoff(self, cutoff: int, keep: float) -> int:
        """Words a side while this share is kept."""
        return cutoff if self.first_cutoff is None or keep >= 1 else min(cutoff, self.first_cutoff)


@dataclass(frozen=True)
class Dictionary:
    """Induced pairs of rows, (n_pairs, 2), and the mean cosine of words to their nearest in the other language."""

    pairs: Ints2d
    objective: float


@dataclass(frozen=True)
class Learned:
    """The last dictionary, and how learning went."""

    dictionary: Dictionary
    iterations: int
    converged: bool
    objectives: list[float] = field(default_factory=list)


def learn(src: Floats2d, trg: Floats2d, pairs: Ints2d, cutoff: int, how: SelfLearning, seed: int) -> Learned:
    """The dictionary of the `cutoff` first words of both sides that self-learning ends with.

    src (n_src, dim), trg (n_trg, dim) are normalised, `pairs` is the seed. Section 3.3 of the ACL 2018 paper: every
    iteration maps orthogonally and induces; where the objective has not risen by `threshold` over its best for
    `interval` iterations, the share of kept similarities grows, and when all are kept already, learning ends.

    Not in the paper: a `first_cutoff` holds until all are kept. While most similarities are dropped, what is learned is
    rough, and 4,000 words teach it as well as 20,000, at a twenty-fifth of the cost.
    """
    rng = np.random.default_rng(seed)
    keep, best, last_gain, objectives = how.keep_prob, -np.inf, 0, []
    top = how.cutoff(cutoff, keep)
    dictionary, converged = Dictionary(pairs, float("nan")), False
    with progress("self-learning", how.max_iterations) as advance:
        for iteration in range(1, how.max_iterations + 1):
            if iteration - last_gain > how.interval:
                if keep >= 1:
                    converged = True
                    break
                keep, last_gain = min(1.0, how.keep_growth * keep), iteration
                if how.cutoff(cutoff, keep) > top:  # objectives over other words do not compare
                    top, best = how.cutoff(cutoff, keep), -np.inf
            mapped = src[:top] @ pairs_rotation(src, trg, dictionary.pairs)
            dictionary = induce_some(mapped, trg[:top], keep, rng, how)
            objectives.append(dictionary.objective)
            if dictionary.objective - best >= how.threshold:
                best, last_gain = dictionary.objective, iteration
            advance(1, f"(keeping {keep:.0%}, objective {dictionary.objective:.4f})")
    if not converged and keep < 1:
        mapped = src[:cutoff] @ pairs_rotation(src, trg, dictionary.pairs)
        dictionary = induce_some(mapped, trg[:cutoff], 1.0, rng, how)
    return Learned(dictionary, len(objectives), converged, objectives)


def pairs_rotation(src: Floats2d, trg: Floats2d, pairs: Ints2d) -> Floats2d:
    """The orthogonal W (dim, dim) float32 with the greatest sum of dot products of src W and trg over pairs.

    W = U V^T with X^T Z = U S V^T (Schoenemann 1966; Artetxe et al. 2016); single precision up to the product.
    """
    src_rows, trg_rows = pairs.T
    with one_blas_thread():
        u, _, vt = np.linalg.svd((src[src_rows].T @ trg[trg_rows]).astype(np.float64))
        weight: Floats2d = (u @ vt).astype(np.float32)
        return weight


# ---- dictionary induction


def induce_some(
    src: Floats2d, trg: Floats2d, keep: float, rng: np.random.Generator, how: SelfLearning = SelfLearning()
) -> Dictionary:
    """Stochastic dictionary induction (ACL 2018, section 3.3) from rows in one space.

    The original keeps each number of the matrix of CSLS values with probability `keep` and takes the best of each
    row, and of each column under another mask. No mask is drawn here. In a row sorted from the best down, each entry
    is kept independently of the others, so the place of the first that is kept is the number of trials to the first
    success: it has the geometric distribution, P(place = r) = (1 - keep)^(r - 1) keep. One place a word is drawn
    from it, and the neighbour of that rank is looked up: the pairs have exactly the distribution that masks give.
    A place behind the last neighbour means that nothing was kept (probability (1 - keep)^n of n neighbours), and the
    word has no pair this time; the original, whose dropped numbers are 0, would pair it with an arbitrary word.
    """
    nearest = backend().topk_both(src, trg, max(1, how.csls_k))
    src_bias, trg_bias = (_bias(side, how.csls_k) for side in nearest)
    src_places, trg_places = rng.geometric(keep, len(src)), rng.geometric(keep, len(trg))
    depth = int(np.quantile(np.concatenate([src_places, trg_places]), _SHALLOW_SHARE, method="higher"))
    forward, backward = backend().topk_both(src, trg, depth, src_bias, trg_bias)
    ahead = _at_places(forward, src_places, src, trg, trg_bias)
    back = _at_places(backward, trg_places, trg, src, src_bias)[:, ::-1]
    best = [float(side.scores[:, 0].mean(dtype=np.float64)) for side in nearest]
    if how.direction == "forward":
        return Dictionary(ahead, best[0])
    if how.direction == "backward":
        return Dictionary(back, best[1])
    return Dictionary(np.concatenate([ahead, back]), (best[0] + best[1]) / 2)


def _bias(nearest: Neighbors, csls_k: int) -> Floats1d | None:
    """Minus half of each word's mean similarity to its nearest, as a key of CSLS."""
    return (-0.5 * nearest.scores.mean(axis=1, dtype=np.float64)).astype(np.float32) if csls_k else None


def _at_places(
    found: Neighbors, places: Ints1d, queries: Floats2d, keys: Floats2d, key_bias: Floats1d | None
) -> Ints2d:
    """(query row, key row) of the key at each query's place from 1, for places that there are."""
    chosen = np.empty(len(queries), dtype=np.int64)
    depth = found.indices.shape[1]
    shallow, deep = np.flatnonzero(places <= depth), np.flatnonzero((places > depth) & (places <= len(keys)))
    chosen[shallow] = found.indices[shallow, places[shallow] - 1]
    if len(deep):
        again = backend().topk(queries[deep], keys, int(places[deep].max()), key_bias)
        chosen[deep] = again.indices[np.arange(len(deep)), places[deep] - 1]
    rows = np.flatnonzero(places <= len(keys))
    return np.column_stack([rows, chosen[rows]])


# ---- the first dictionary


def similar_distributions(
    src: WordVectors, trg: WordVectors, n: int, steps: tuple[str, ...], how: SelfLearning = SelfLearning()
) -> Ints2d:
    """The first dictionary without any seed (ACL 2018, section 3.2), from the n first words of normalised spaces.

    Words that mean the same have alike distributions of similarities to the words of their language. Rows of
    sqrt(X X^T), each sorted, are normalised as the vectors were, and matched with CSLS.
    """
    n = min(n, len(src), len(trg))
    src_sorted, trg_sorted = (
        normalize(WordVectors(side.words[:n], sorted_similarities(side.matrix[:n])), steps).matrix
        for side in (src, trg)
    )
    return induce_some(src_sorted, trg_sorted, 1.0, np.random.default_rng(0), how).pairs


def sorted_similarities(matrix: Floats2d) -> Floats2d:
    """Rows of (X X^T)^(1/2), (n, n) float32, each sorted.

    With X = U S V^T it is U S U^T = (X V) S^-1 (X V)^T, V and S^2 being of the small X^T X.
    """
    x = matrix.astype(np.float64)
    squares, v = np.linalg.eigh(x.T @ x)
    sizes = np.sqrt(np.maximum(squares, 0.0))
    kept = sizes > SMALLEST * sizes.max(initial=0.0)
    turned = x @ v[:, kept] / np.sqrt(sizes[kept])
    return np.sort((turned @ turned.T).astype(np.float32), axis=1)
