"""Contrastive maps of both sides: stage C1 of Li et al. 2022, "Improving Word Translation via Two-Stage Contrastive
Learning", in seconds.

What differs from the paper: the loss has one softmax a direction, with a temperature; a word's negatives are shared
by its translations and never one of them; pairs of words with many translations weigh less; pairs found by
self-learning stay in the lexicon while the maps are tuned, with less weight; and the step is Adam's. Gradients are
analytic and go over all pairs at once, negatives being a sparse pattern of words, so a step costs a tenth of a second.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from xlembed.alignment.base import LinearMapping
from xlembed.alignment.procrustes import rotation
from xlembed.errors import InputError, require
from xlembed.induction import induce, of_new_words
from xlembed.lexicon import CoveredPairs, Lexicon, need_covered
from xlembed.normalize import UNIT_CENTER_UNIT, normalize, unit
from xlembed.search.base import backend
from xlembed.tuning import one_blas_thread
from xlembed.types import Floats1d, Floats2d, Ints1d, Ints2d
from xlembed.vectors import WordVectors

_WHITENABLE = 2  # pairs a dimension from which their covariance is worth inverting


@dataclass(frozen=True)
class ContrastiveSettings:
    """`learning_rate` is relative to the size of the maps' numbers. A round of self-learning induces mutual nearest
    neighbours among the `max_augmented` most frequent words of both sides, beside the words of the lexicon."""

    temperature: float = 0.1
    n_negatives: int = 50
    max_neg: int = 20_000  # candidate negatives: this many most frequent words of each side
    first_iterations: int = 40  # before the first round of self-learning
    iterations: int = 90  # in each round, or in all without self-learning
    learning_rate: float = 0.0025
    mine_every: int = 10  # iterations between two searches for negatives
    rounds: int = 1  # of self-learning, after the first fit
    max_augmented: int = 20_000
    augmented_weight: float = 0.3  # of an induced pair
    reweight: float = 0.25  # power of the singular values on each side of the first maps
    steps: tuple[str, ...] = UNIT_CENTER_UNIT

    def __post_init__(self) -> None:
        for name in ("n_negatives", "max_neg", "mine_every", "max_augmented"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, at least 1 is needed")
        for name in ("first_iterations", "iterations", "rounds"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}, it cannot be negative")
        for name in ("temperature", "learning_rate"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"{name} is {getattr(self, name)}, a number above 0 is needed")
        for name in ("augmented_weight", "reweight"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise InputError(f"{name} is {getattr(self, name)}, a number from 0 up is needed")


def fit(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon, settings: ContrastiveSettings | None = None
) -> LinearMapping:
    """Map both spaces into a common one. Nothing in it is random: the same input gives the same maps.

    Raises InputError for spaces of other dims and for a lexicon without a covered pair.
    """
    settings, began = settings or ContrastiveSettings(), time.perf_counter()
    require("numba", "static")
    if src.dim != trg.dim:
        raise InputError(
            f"source vectors have dim {src.dim}, target vectors {trg.dim}: the contrastive method needs one dim"
        )
    covered = need_covered(lexicon, src, trg)
    with one_blas_thread():
        return _fitted(src, trg, lexicon.name, covered, settings, began)


def _fitted(
    src: WordVectors, trg: WordVectors, name: str, covered: CoveredPairs, settings: ContrastiveSettings, began: float
) -> LinearMapping:
    src_matrix, trg_matrix = normalize(src, settings.steps).matrix, normalize(trg, settings.steps).matrix
    pairs = Pairs(covered.rows, seed_weights(covered.rows))
    maps, augmented = first_maps(src_matrix, trg_matrix, pairs, settings), []
    n_first = settings.first_iterations if settings.rounds else settings.iterations
    maps, losses = tune(src_matrix, trg_matrix, pairs, maps, settings, n_first)
    for _ in range(settings.rounds):
        more = augment(src_matrix, trg_matrix, pairs, maps, settings)
        maps = first_maps(src_matrix, trg_matrix, more, settings)
        maps, more_losses = tune(src_matrix, trg_matrix, more, maps, settings, settings.iterations)
        losses += more_losses
        augmented.append(len(more.rows) - len(pairs.rows))
    about = {
        "method": "contrastive",
        "lexicon": name,
        "pairs": covered.n_pairs,
        "covered": len(covered.rows),
        "dim": src.dim,
        "iterations": len(losses),
        "loss": losses,
        "augmented": augmented,
        "seconds": round(time.perf_counter() - began, 3),
    }
    return LinearMapping(*maps, settings.steps, about)


# ---- pairs


@dataclass(frozen=True)
class Pairs:
    """Rows of paired words, (n_pairs, 2), and the weight of each pair."""

    rows: Ints2d
    weights: Floats1d


def seed_weights(rows: Ints2d) -> Floats1d:
    """1 / sqrt(translations of the source word in the lexicon x those of the target word)."""
    counts = [np.bincount(side)[side] for side in rows.T]
    weights: Floats1d = 1 / np.sqrt(counts[0] * counts[1])
    return weights


def augment(
    src: Floats2d, trg: Floats2d, pairs: Pairs, maps: tuple[Floats2d, Floats2d], settings: ContrastiveSettings
) -> Pairs:
    """The pairs, and mutual nearest neighbours by CSLS of which neither word is in them (Li et al. 2022, section 2)."""
    mapped = [unit(side[: settings.max_augmented] @ weight) for side, weight in zip((src, trg), maps, strict=True)]
    found = induce(mapped[0], mapped[1], "mutual", "csls").rows
    new = of_new_words(found, pairs.rows)
    weights = np.full(len(new), settings.augmented_weight)
    return Pairs(np.concatenate([pairs.rows, new]), np.concatenate([pairs.weights, weights]))


# ---- the first maps


def first_maps(
    src: Floats2d, trg: Floats2d, pairs: Pairs, settings: ContrastiveSettings
) -> tuple[Floats2d, Floats2d]:
    """Closed form: whiten, rotate, weigh by the singular values, colour again (Artetxe et al. 2018a, as in VecMap's
    supervised mode); Procrustes where the pairs are too few for it. Both maps have the size of a rotation."""
    root = np.sqrt(pairs.weights)[:, None]
    x, z = src[pairs.rows[:, 0]].astype(np.float64) * root, trg[pairs.rows[:, 1]].astype(np.float64) * root
    if len(x) < _WHITENABLE * x.shape[1]:
        return rotation(x, z), np.eye(x.shape[1], dtype=np.float32)
    (whiten_x, colour_x), (whiten_z, colour_z) = _whitening(x), _whitening(z)
    u, sizes, vt = np.linalg.svd((x @ whiten_x).T @ (z @ whiten_z))
    weights = sizes**settings.reweight
    return (_sized(whiten_x @ (u * weights) @ u.T @ colour_x @ u),
            _sized(whiten_z @ (vt.T * weights) @ vt @ colour_z @ vt.T))  # fmt: skip


def _whitening(matrix: Floats2d) -> tuple[Floats2d, Floats2d]:
    """(M^T M)^(-1/2), and its inverse; directions that M does not have stay 0."""
    squares, v = np.linalg.eigh(matrix.T @ matrix)
    sizes = np.sqrt(np.maximum(squares, 0.0))
    inverse = np.divide(1.0, sizes, out=np.zeros_like(sizes), where=sizes > 1e-6 * sizes.max())
    return v * inverse @ v.T, v * sizes @ v.T


def _sized(weight: Floats2d) -> Floats2d:
    length = np.linalg.norm(weight)
    return (weight * math.sqrt(len(weight)) / (length or 1.0)).astype(np.float32)


# ---- the loss


@dataclass(frozen=True)
class Links:
    """A sparse pattern between n_rows rows and n_columns columns: link e joins rows[e] and columns[e]."""

    rows: Ints1d
    columns: Ints1d
    by_row: tuple[Ints1d, Ints1d]  # where each row's links start in the order, (n_rows + 1,), and the order
    by_column: tuple[Ints1d, Ints1d]

    def products(self, one: Floats2d, other: Floats2d) -> Floats1d:
        """one[row] . other[column] of each link."""
        from xlembed.alignment import contrastive_kernels

        out = np.empty(len(self.rows), dtype=np.float32)
        contrastive_kernels.products(one, other, self.rows, self.columns, out)
        return out

    def add_gradients_in_place(
        self, weights: Floats1d, one: Floats2d, other: Floats2d, one_gradient: Floats2d, other_gradient: Floats2d
    ) -> None:
        """Add the gradients of sum_e weights[e] products[e]."""
        from xlembed.alignment.contrastive_kernels import add_weighted_in_place

        weights = weights.astype(np.float32)
        add_weighted_in_place(one_gradient, *self.by_row, weights, self.columns, other)
        add_weighted_in_place(other_gradient, *self.by_column, weights, self.rows, one)


def link(rows: Ints1d, columns: Ints1d, n_rows: int, n_columns: int) -> Links:
    """Links with both orders; one kind of array for the kernels, which are compiled for each kind."""
    rows, columns = (np.ascontiguousarray(side, dtype=np.int64) for side in (rows, columns))
    return Links(rows, columns, _grouped(rows, n_rows), _grouped(columns, n_columns))


def _grouped(groups: Ints1d, n: int) -> tuple[Ints1d, Ints1d]:
    starts = np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=n))])
    return starts, np.argsort(groups, kind="stable")


@dataclass(frozen=True)
class Negatives:
    """Of each word of one side that is in a pair: the n nearest words of the other side."""

    links: Links  # the n negatives of a word in a row
    inverse: Ints1d  # (n_pairs,): which word's negatives are those of a pair
    is_known: np.ndarray  # (n_words, n): a translation in the lexicon, which is no negative


def mine(queries: Floats2d, keys: Floats2d, rows: Ints2d, settings: ContrastiveSettings) -> Negatives:
    """Hard negatives of queries[rows[:, 0]] among the max_neg first keys; all rows are unit."""
    words, inverse = np.unique(rows[:, 0], return_inverse=True)
    most = int(np.bincount(inverse).max())  # translations of a word, which come beside the negatives
    near = backend().topk(queries[words], keys[: settings.max_neg], settings.n_negatives + most).indices
    is_known = np.isin(words[:, None] * len(keys) + near, rows[:, 0] * len(keys) + rows[:, 1])
    order = np.argsort(is_known, axis=1, kind="stable")[:, : settings.n_negatives]  # the known go last
    near, is_known = np.take_along_axis(near, order, axis=1), np.take_along_axis(is_known, order, axis=1)
    links = link(np.repeat(words, near.shape[1]), near.ravel(), len(queries), len(keys))
    return Negatives(links, inverse, is_known)


def direction_loss(
    negatives: Negatives, similarity: Floats1d, paired: Floats1d, weights: Floats1d, temperature: float
) -> tuple[float, Floats1d, Floats1d]:
    """InfoNCE of one direction and its derivatives by the similarity of each link and of each pair.

    sum_p w_p ( log( exp(s_p / t) + sum_n exp(s_n / t) ) - s_p / t ), over pairs p with negatives n (Li et al. 2022,
    equation 2, whose t is 1). `similarity` is that of the links, (n_links,), `paired` that of the pairs.
    """
    scaled = (similarity.reshape(negatives.is_known.shape) / temperature).astype(np.float64)
    scaled[negatives.is_known] = -np.inf
    top = np.maximum(scaled.max(axis=1, initial=-np.inf), -1 / temperature)  # finite where all are known
    exponents = np.exp(scaled - top[:, None])
    sums = exponents.sum(axis=1)
    with np.errstate(divide="ignore"):
        log_negatives = (np.log(sums) + top)[negatives.inverse]  # (n_pairs,)
    total = np.logaddexp(log_negatives, paired / temperature)
    away = weights / temperature * np.exp(log_negatives - total)  # weight x probability of the negatives
    by_word = np.bincount(negatives.inverse, away, len(sums))
    by_link = exponents * np.divide(by_word, sums, out=np.zeros_like(sums), where=sums > 0)[:, None]
    return float(weights @ (total - paired / temperature)), by_link.ravel(), -away


@dataclass(frozen=True)
class Problem:
    """Words that take part, (n, dim) each side, the pairs of them, and the negatives of both sides."""

    src: Floats2d
    trg: Floats2d
    pairs: Links
    weights: Floats1d  # add up to 1
    src_negatives: Negatives
    trg_negatives: Negatives
    temperature: float


def loss_and_gradients(problem: Problem, maps: tuple[Floats2d, Floats2d]) -> tuple[float, Floats2d, Floats2d]:
    """The loss of both directions over cosines of mapped words, and its gradients by the two maps."""
    (x, x_lengths), (z, z_lengths) = _unit_rows(problem.src @ maps[0]), _unit_rows(problem.trg @ maps[1])
    x_gradient, z_gradient = np.zeros_like(x), np.zeros_like(z)
    paired = problem.pairs.products(x, z).astype(np.float64)
    by_pair, loss = np.zeros(len(paired)), 0.0
    sides = ((problem.src_negatives, x, z, x_gradient, z_gradient),
             (problem.trg_negatives, z, x, z_gradient, x_gradient))  # fmt: skip
    for negatives, queries, keys, query_gradient, key_gradient in sides:
        similarity = negatives.links.products(queries, keys)
        part, by_link, by_this = direction_loss(negatives, similarity, paired, problem.weights, problem.temperature)
        negatives.links.add_gradients_in_place(by_link, queries, keys, query_gradient, key_gradient)
        by_pair, loss = by_pair + by_this, loss + part
    problem.pairs.add_gradients_in_place(by_pair, x, z, x_gradient, z_gradient)
    return (loss, problem.src.T @ _before_unit(x_gradient, x, x_lengths),
            problem.trg.T @ _before_unit(z_gradient, z, z_lengths))  # fmt: skip


def _unit_rows(matrix: Floats2d) -> tuple[Floats2d, Floats2d]:
    """Unit rows, and the lengths they had, (n, 1); a zero row stays zero, with length 1."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    return matrix / lengths, lengths


def _before_unit(gradient: Floats2d, rows: Floats2d, lengths: Floats2d) -> Floats2d:
    """Gradient by rows, given that by the unit rows: what lies along the row does not count."""
    before: Floats2d = (gradient - rows * (gradient * rows).sum(axis=1, keepdims=True)) / lengths
    return before


# ---- tuning


@dataclass
class Adam:
    """Kingma & Ba 2015, with b1 = 0.9 and b2 = 0.99 (runs are short)."""

    learning_rate: float
    first: list[np.ndarray | float] = field(default_factory=lambda: [0.0, 0.0])
    second: list[np.ndarray | float] = field(default_factory=lambda: [0.0, 0.0])
    n_steps: int = 0

    def step(self, weights: Sequence[Floats2d], gradients: Sequence[Floats2d]) -> list[Floats2d]:
        """New weights."""
        self.n_steps += 1
        new = []
        for i, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
            self.first[i] = 0.9 * self.first[i] + 0.1 * gradient
            self.second[i] = 0.99 * self.second[i] + 0.01 * gradient**2
            mean, square = self.first[i] / (1 - 0.9**self.n_steps), self.second[i] / (1 - 0.99**self.n_steps)
            new.append((weight - self.learning_rate * mean / (np.sqrt(square) + 1e-8)).astype(np.float32))
        return new


def tune(
    src: Floats2d, trg: Floats2d, pairs: Pairs, maps: tuple[Floats2d, Floats2d], settings: ContrastiveSettings,
    n_iterations: int,
) -> tuple[tuple[Floats2d, Floats2d], list[float]]:  # fmt: skip
    """The maps after some steps, negatives mined anew every `mine_every`; and the loss before each step."""
    src, src_rows = _taking_part(src, pairs.rows[:, 0], settings.max_neg)
    trg, trg_rows = _taking_part(trg, pairs.rows[:, 1], settings.max_neg)
    rows = np.column_stack([src_rows, trg_rows])
    links, weights = link(src_rows, trg_rows, len(src), len(trg)), pairs.weights / pairs.weights.sum()
    optimizer, losses = Adam(settings.learning_rate / math.sqrt(src.shape[1])), []
    for iteration in range(n_iterations):
        if iteration % settings.mine_every == 0:
            x, z = unit(src @ maps[0]), unit(trg @ maps[1])
            problem = Problem(src, trg, links, weights, mine(x, z, rows, settings),
                              mine(z, x, rows[:, ::-1], settings), settings.temperature)  # fmt: skip
        loss, *gradients = loss_and_gradients(problem, maps)
        src_map, trg_map = optimizer.step(maps, gradients)
        maps = src_map, trg_map
        losses.append(loss)
    return maps, losses


def _taking_part(matrix: Floats2d, rows: Ints1d, max_neg: int) -> tuple[Floats2d, Ints1d]:
    """Rows of candidate negatives, then of other paired words; and where `rows` are among them."""
    n_first = min(max_neg, len(matrix))
    kept = np.concatenate([np.arange(n_first), np.unique(rows[rows >= n_first])])
    return np.ascontiguousarray(matrix[kept]), np.searchsorted(kept, rows)
