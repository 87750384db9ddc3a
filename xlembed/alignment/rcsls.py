"""RCSLS: the map that maximises CSLS itself over the seed lexicon (Joulin et al. 2018, "Loss in Translation")."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from xlembed.alignment.base import LinearMapping
from xlembed.alignment.procrustes import rotation
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon, need_covered
from xlembed.normalize import UNIT_CENTER_UNIT, normalize
from xlembed.search.base import backend
from xlembed.types import Floats2d, Ints1d, Ints2d
from xlembed.vectors import WordVectors

CONSTRAINTS = ("spectral", "none")
STARTS = ("procrustes", "identity")
_GATHERED_ROWS = 4096  # words whose neighbours' vectors are in memory at a time


@dataclass(frozen=True)
class RcslsSettings:
    """`spectral` keeps W in the unit ball of the spectral norm, where the problem is convex; with `none` the loss has
    no bound (it falls by scaling W alone), and the number of iterations is what limits it.

    With all pairs at a time, a step that raises the loss is taken back and the learning rate halved; the run ends
    at `iterations` steps or below `min_learning_rate`. With `batch_size` pairs a step nothing is taken back, and the
    rate falls as 1 / sqrt(step).
    """

    constraint: str = "spectral"
    iterations: int = 10
    learning_rate: float = 1.0
    min_learning_rate: float = 1e-4
    n_neighbors: int = 10
    max_neg: int | None = 200_000  # candidate neighbours: this many most frequent words of each side
    batch_size: int | None = None
    start: str = "procrustes"
    seed: int = 0  # of the batches
    steps: tuple[str, ...] = UNIT_CENTER_UNIT

    def __post_init__(self) -> None:
        if self.constraint not in CONSTRAINTS:
            raise InputError(f"unknown constraint {self.constraint!r}: choose {', '.join(CONSTRAINTS)}")
        if self.start not in STARTS:
            raise InputError(f"unknown start {self.start!r}: choose {', '.join(STARTS)}")
        for name in ("iterations", "n_neighbors", "max_neg", "batch_size"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, at least 1 is needed")
        for name in ("learning_rate", "min_learning_rate"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"{name} is {getattr(self, name)}, a number above 0 is needed")


@dataclass(frozen=True)
class Problem:
    """Normalised spaces, (n_words, dim) each, the rows of the pairs, and where neighbours are looked for."""

    src: Floats2d
    trg: Floats2d
    rows: Ints2d  # (n_pairs, 2)
    n_neighbors: int = 10
    max_neg: int | None = None


@dataclass(frozen=True)
class Point:
    """A map, the loss there, and its gradient with neighbours fixed."""

    weight: Floats2d
    loss: float
    gradient: Floats2d


def loss_and_gradient(problem: Problem, weight: Floats2d) -> Point:
    """Equation 5 of Joulin et al. 2018 over n pairs, and its (sub)gradient, the neighbours being those at `weight`.

    f(W) = 1/n sum_i ( -2 x_i W z_i^T + 1/k sum_{z in N_T(x_i W)} x_i W z^T + 1/k sum_{x in N_S(z_i)} x W z_i^T ).
    """
    x, z = problem.src[problem.rows[:, 0]], problem.trg[problem.rows[:, 1]]
    near_x, similarity_x = _neighbor_means(problem.src @ weight, problem.trg, problem.rows[:, 0], problem)
    near_z, similarity_z = _neighbor_means(
        problem.trg, problem.src[: problem.max_neg] @ weight, problem.rows[:, 1], problem, problem.src
    )
    paired = ((x @ weight) * z).sum(axis=1, dtype=np.float64)
    loss = float((similarity_x + similarity_z - 2 * paired).mean())
    gradient = (x.T @ (near_x - 2 * z) + near_z.T @ z) / len(x)
    return Point(weight, loss, gradient)


def _neighbor_means(
    queries: Floats2d, keys: Floats2d, rows: Ints1d, problem: Problem, values: Floats2d | None = None
) -> tuple[Floats2d, Floats2d]:
    """For each of `rows`: the mean vector (from `values`, the keys unless given) of the k keys with the greatest
    product, (n_pairs, dim), and the mean product, (n_pairs,). A word in several pairs is looked up once."""
    words, inverse = np.unique(rows, return_inverse=True)
    found = backend().topk(queries[words], keys[: problem.max_neg], problem.n_neighbors)
    values = keys if values is None else values
    means = np.empty((len(words), values.shape[1]), dtype=np.float32)
    for start in range(0, len(words), _GATHERED_ROWS):
        part = slice(start, start + _GATHERED_ROWS)
        means[part] = values[found.indices[part]].mean(axis=1)  # (part, k, dim) -> (part, dim)
    return means[inverse], found.scores.mean(axis=1, dtype=np.float64)[inverse]


def into_spectral_ball(weight: Floats2d) -> Floats2d:
    """The nearest matrix whose singular values are at most 1 (Joulin et al. 2018, section 2.3)."""
    u, sizes, vt = np.linalg.svd(weight.astype(np.float64))
    inside: Floats2d = (u * np.minimum(sizes, 1.0) @ vt).astype(np.float32)
    return inside


def fit(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon, settings: RcslsSettings | None = None
) -> LinearMapping:
    """Map the source space onto the target space (trg_weight is the identity).

    Raises InputError for spaces of other dims and for a lexicon without a covered pair.
    """
    settings, began = settings or RcslsSettings(), time.perf_counter()
    if src.dim != trg.dim:
        raise InputError(f"source vectors have dim {src.dim}, target vectors {trg.dim}: RCSLS needs one dim")
    covered = need_covered(lexicon, src, trg)
    problem = Problem(normalize(src, settings.steps).matrix, normalize(trg, settings.steps).matrix,
                      covered.rows, settings.n_neighbors, settings.max_neg)  # fmt: skip
    descend = _descend if settings.batch_size is None else _descend_in_batches
    weight, losses = descend(problem, _start(problem, settings), settings)
    about = {
        "method": "rcsls",
        "lexicon": lexicon.name,
        "pairs": covered.n_pairs,
        "covered": len(covered.rows),
        "dim": src.dim,
        "constraint": settings.constraint,
        "iterations": len(losses) - 1,
        "loss": losses,
        "seconds": round(time.perf_counter() - began, 3),
    }
    return LinearMapping(weight, np.eye(src.dim, dtype=np.float32), settings.steps, about)


def _start(problem: Problem, settings: RcslsSettings) -> Floats2d:
    if settings.start == "identity":
        return np.eye(problem.src.shape[1], dtype=np.float32)
    return rotation(problem.src[problem.rows[:, 0]], problem.trg[problem.rows[:, 1]])


def _step(point: Point, learning_rate: float, settings: RcslsSettings) -> Floats2d:
    weight = (point.weight - learning_rate * point.gradient).astype(np.float32)
    return into_spectral_ball(weight) if settings.constraint == "spectral" else weight


def _descend(problem: Problem, weight: Floats2d, settings: RcslsSettings) -> tuple[Floats2d, list[float]]:
    """All pairs at a time: the last map that lowered the loss, and the loss at the start and after each step."""
    point, learning_rate = loss_and_gradient(problem, weight), settings.learning_rate
    losses = [point.loss]
    for _ in range(settings.iterations):
        if learning_rate < settings.min_learning_rate:
            break
        tried = loss_and_gradient(problem, _step(point, learning_rate, settings))
        if tried.loss < point.loss:
            point = tried
        else:  # `point` is still the map before the step
            learning_rate /= 2
        losses.append(point.loss)
    return point.weight, losses


def _descend_in_batches(
    problem: Problem, weight: Floats2d, settings: RcslsSettings
) -> tuple[Floats2d, list[float]]:
    """`batch_size` pairs at a time: the last map, and the loss of each step's batch before it, then of all pairs."""
    generator = np.random.default_rng(settings.seed)
    n_pairs, losses = len(problem.rows), []
    size = min(settings.batch_size or n_pairs, n_pairs)
    for step in range(settings.iterations):
        learning_rate = settings.learning_rate / math.sqrt(step + 1)
        if learning_rate < settings.min_learning_rate:
            break
        batch = generator.choice(len(problem.rows), size, replace=False)
        point = loss_and_gradient(replace(problem, rows=problem.rows[batch]), weight)
        weight = _step(point, learning_rate, settings)
        losses.append(point.loss)
    return weight, [*losses, loss_and_gradient(problem, weight).loss]
