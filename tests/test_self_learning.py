from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import reference
from scipy.linalg import orthogonal_procrustes, sqrtm
from scipy.stats import chi2_contingency, ortho_group

from xlembed.alignment import self_learning
from xlembed.alignment.self_learning import (
    Dictionary,
    SelfLearning,
    induce_some,
    learn,
    pairs_rotation,
    similar_distributions,
    sorted_similarities,
)
from xlembed.lexicon import Lexicon
from xlembed.normalize import UNIT_CENTER_UNIT, normalize, unit
from xlembed.vectors import WordVectors

DIRECTIONS = ("forward", "backward", "union")


@dataclass(frozen=True)
class Hidden:
    """Two spaces: words in clusters, skewed spectrum; the target turned, its words shuffled, more or less noise.

    Word s7 is t7; order[i] is the target row of source row i.
    """

    src: WordVectors
    trg: WordVectors
    order: np.ndarray
    lexicon: Lexicon

    def right(self, pairs):
        """Share of pairs of rows that are true."""
        return (self.order[pairs[:, 0]] == pairs[:, 1]).mean()


def hidden(n=600, dim=12, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    centers = 2 * rng.normal(size=(20, dim))
    matrix = (rng.gamma(1, size=(n, dim)) + centers[rng.integers(20, size=n)]) * np.linspace(2, 0.4, dim)
    turned = matrix @ ortho_group.rvs(dim, random_state=seed) + noise * rng.normal(size=(n, dim))
    order = rng.permutation(n)
    src_words, trg_words = ([f"{side}{i}" for i in range(n)] for side in "st")
    names = np.empty(n, dtype=object)
    names[order] = trg_words
    shuffled = np.empty_like(turned)
    shuffled[order] = turned
    return Hidden(WordVectors(src_words, matrix.astype(np.float32)), WordVectors(list(names), shuffled.astype("f4")),
                  order, Lexicon(list(zip(src_words, trg_words, strict=True)), "hidden"))  # fmt: skip


def matrices(pair):
    return normalize(pair.src).matrix, normalize(pair.trg).matrix


def seed_pairs(pair, n, start=0):
    rows = np.arange(start, start + n)
    return np.column_stack([rows, pair.order[rows]])


def unit_rows(n, dim, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32))


def table_of(src, trg, csls_k):
    """CSLS values, or cosines where csls_k is 0."""
    return reference.csls(src, trg, csls_k) if csls_k else reference.cosines(src, trg)


def pairs_of(table, direction="union"):
    """The best of each row and of each column."""
    ahead = [(i, reference.order(row)[0]) for i, row in enumerate(table)]
    back = [(reference.order(column)[0], j) for j, column in enumerate(table.T)]
    return np.array({"forward": ahead, "backward": back, "union": ahead + back}[direction])


# ---- induction of everything


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(("n_src", "n_trg", "csls_k"), [
    (40, 55, 10), (55, 40, 10), (40, 55, 0), (40, 55, 1), (6, 9, 10), (1, 7, 10), (1, 1, 0),
])  # fmt: skip
def test_all_kept_is_the_best_of_the_whole_table(direction, n_src, n_trg, csls_k):
    """The whole of CSLS; the ranking drops what is the same for all keys, a query's own mean."""
    src, trg = unit_rows(n_src, 8), unit_rows(n_trg, 8, 1)
    how = SelfLearning(csls_k=csls_k, direction=direction)
    found = induce_some(src, trg, 1.0, np.random.default_rng(0), how)
    np.testing.assert_array_equal(found.pairs, pairs_of(table_of(src, trg, csls_k), direction))
    cosines = reference.cosines(src, trg)
    best = {"forward": cosines.max(axis=1).mean(), "backward": cosines.max(axis=0).mean()}
    assert found.objective == pytest.approx(best.get(direction, np.mean(list(best.values()))), abs=1e-6)


# ---- induction of some


def masked_best(table, keep, rounds, rng):
    """Of each row, in each round, the best of the numbers that a mask keeps, and n_keys where it keeps none."""
    kept = rng.random((rounds, *table.shape)) < keep
    best = np.where(kept, table, -np.inf).argmax(axis=2)
    return np.where(kept.any(axis=2), best, table.shape[1])  # (rounds, n_queries)


def same_distribution(one, other, n_values):
    """p of two samples' counts of 0 .. n_values - 1."""
    counts = np.array([np.bincount(sample.ravel(), minlength=n_values) for sample in (one, other)])
    return chi2_contingency(counts[:, counts.sum(axis=0) > 0]).pvalue


def chosen(dictionary, n_queries, n_keys, query=0):
    """The key of each query, n_keys where it has none."""
    found = np.full(n_queries, n_keys)
    found[dictionary.pairs[:, query]] = dictionary.pairs[:, 1 - query]
    return found


@pytest.mark.parametrize("csls_k", [0, 10])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_pairs_are_distributed_as_under_masks(keep, csls_k, direction):
    """4,000 copies of 5 queries are 4,000 rounds in one call, whose 10 nearest copies are the nearest query."""
    queries, keys, rounds = unit_rows(5, 3), unit_rows(6, 3, 1), 4000
    many = np.tile(queries, (rounds, 1))
    sides, query = ((many, keys), 0) if direction == "forward" else ((keys, many), 1)
    how = SelfLearning(csls_k=csls_k, direction=direction)
    dictionary = induce_some(*sides, keep, np.random.default_rng(2), how)
    found = chosen(dictionary, len(many), 6, query).reshape(rounds, 5)
    expected = masked_best(table_of(queries, keys, int(csls_k > 0)), keep, rounds, np.random.default_rng(3))
    assert min(same_distribution(found[:, i], expected[:, i], 7) for i in range(5)) > 1e-3
    assert (found == 6).mean() == pytest.approx((1 - keep) ** 6, abs=0.01)  # nothing is kept
    first_two, independent = (7 * sample[:, 0] + sample[:, 1] for sample in (found, expected))
    assert same_distribution(first_two, independent, 49) > 1e-3


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("keep", [0.03, 0.3])
def test_ranks_are_distributed_as_under_masks_in_larger_tables(keep, direction):
    """Ranks among more keys than are looked up for all queries."""
    src, trg, rng, rounds = unit_rows(50, 6), unit_rows(70, 6, 1), np.random.default_rng(4), 20
    table, query = (table_of(src, trg, 10), 0) if direction == "forward" else (table_of(src, trg, 10).T, 1)
    n_queries, n_keys = table.shape
    ranks = np.column_stack([np.argsort(-table, axis=1).argsort(axis=1), np.full(n_queries, n_keys)])
    how = SelfLearning(direction=direction)
    found = [chosen(induce_some(src, trg, keep, rng, how), n_queries, n_keys, query) for _ in range(rounds)]
    ours = ranks[np.arange(n_queries), np.array(found)]
    theirs = masked_best(-np.sort(-table, axis=1), keep, rounds, rng)
    bins = np.unique(np.quantile(theirs, np.linspace(0, 1, 9)))[1:]
    assert same_distribution(np.digitize(ours, bins), np.digitize(theirs, bins), len(bins) + 1) > 1e-3


def test_union_is_both_directions():
    src, trg = unit_rows(50, 6), unit_rows(70, 6, 1)
    ahead, back, both = (induce_some(src, trg, 0.3, np.random.default_rng(0), SelfLearning(direction=direction)).pairs
                         for direction in DIRECTIONS)  # fmt: skip
    np.testing.assert_array_equal(both, np.concatenate([ahead, back]))


def test_masks_of_both_directions_are_independent():
    """A space beside itself: the best, which is the word, is kept on both sides as often as by chance."""
    space = unit_rows(2000, 20)
    pairs = induce_some(space, space, 0.5, np.random.default_rng(0)).pairs
    _, times = np.unique(pairs[pairs[:, 0] == pairs[:, 1], 0], return_counts=True)
    assert [(times == n).sum() / 2000 for n in (1, 2)] == pytest.approx([0.5, 0.25], abs=0.04)


def test_nothing_kept_is_no_pair():
    found = induce_some(unit_rows(3, 4), unit_rows(2, 4, 1), 1e-9, np.random.default_rng(0))
    assert found.pairs.shape == (0, 2) and np.isfinite(found.objective)


def test_objective_does_not_depend_on_what_is_kept():
    src, trg = unit_rows(30, 4), unit_rows(30, 4, 1)
    objectives = {induce_some(src, trg, keep, np.random.default_rng(0)).objective for keep in (0.1, 0.5, 1.0)}
    assert len(objectives) == 1


# ---- rotation


def test_pairs_rotation_is_procrustes():
    src, trg = unit_rows(60, 8), unit_rows(50, 8, 1)
    pairs = np.random.default_rng(0).integers(0, 50, (200, 2))  # many of them twice
    expected, _ = orthogonal_procrustes(src[pairs[:, 0]].astype(np.float64), trg[pairs[:, 1]].astype(np.float64))
    found = pairs_rotation(src, trg, pairs)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("n_pairs", [0, 1, 3])
def test_few_pairs_still_rotate(n_pairs):
    found = pairs_rotation(unit_rows(5, 8), unit_rows(5, 8, 1), np.column_stack([np.arange(n_pairs)] * 2))
    np.testing.assert_allclose(found @ found.T, np.eye(8), atol=1e-5)


# ---- the first dictionary


@pytest.mark.parametrize(("n", "dim"), [(40, 8), (8, 12)])
def test_sorted_similarities_are_rows_of_the_square_root(n, dim):
    matrix = unit_rows(n, dim)
    expected = np.sort(sqrtm(matrix.astype(np.float64) @ matrix.T).real, axis=1)
    found = sorted_similarities(matrix)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_sorted_similarities_of_fewer_dimensions_than_columns():
    """A column that repeats another, and words that are zero."""
    rows = np.column_stack([unit_rows(30, 4), unit_rows(30, 4)[:, :1]])
    rows[3] = 0
    found = sorted_similarities(rows)
    u, sizes, _ = np.linalg.svd(rows.astype(np.float64), full_matrices=False)
    np.testing.assert_allclose(found, np.sort(u * sizes @ u.T, axis=1), atol=1e-5)
    assert not found[3].any()


def test_sorted_similarities_of_zeros():
    np.testing.assert_array_equal(sorted_similarities(np.zeros((4, 3), np.float32)), np.zeros((4, 4)))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_similar_distributions_find_most_of_a_turned_space(direction):
    pair = hidden(400)
    src, trg = normalize(pair.src), normalize(pair.trg)
    pairs = similar_distributions(src, trg, 400, UNIT_CENTER_UNIT, SelfLearning(direction=direction))
    assert len(pairs) == 400 * (1 + (direction == "union"))
    assert pair.right(pairs) > 0.95


def test_similar_distributions_look_at_the_first_words():
    """The first n, or as many as the smaller side has."""
    src, trg = normalize(hidden(300).src), normalize(hidden(200).trg)
    assert similar_distributions(src, trg, 50, UNIT_CENTER_UNIT).max(axis=0).tolist() == [49, 49]
    assert similar_distributions(src, trg, 1000, UNIT_CENTER_UNIT).max(axis=0).tolist() == [199, 199]


# ---- self-learning


def learn_slowly(src, trg, pairs, how):
    """The loop with everything kept: map, induce from the whole table, until the objective rises no more."""
    best, last_gain, objectives = -np.inf, 0, []
    while len(objectives) + 1 - last_gain <= how.interval:
        turn, _ = orthogonal_procrustes(src[pairs[:, 0]].astype(np.float64), trg[pairs[:, 1]].astype(np.float64))
        table = table_of(src @ turn, trg, how.csls_k)
        pairs, cosines = pairs_of(table, how.direction), reference.cosines(src @ turn, trg)
        best_both = {"forward": cosines.max(axis=1).mean(), "backward": cosines.max(axis=0).mean()}
        objectives.append(best_both.get(how.direction, np.mean(list(best_both.values()))))
        if objectives[-1] - best >= how.threshold:
            best, last_gain = objectives[-1], len(objectives)
    return pairs, objectives


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("csls_k", [0, 5])
def test_learning_is_its_plain_loop(direction, csls_k):
    pair = hidden(40, dim=6, noise=0.3)
    src, trg = matrices(pair)
    how = SelfLearning(csls_k, direction, keep_prob=1.0, interval=2, threshold=1e-4)
    pairs, objectives = learn_slowly(src, trg, seed_pairs(pair, 8), how)
    found = learn(src, trg, seed_pairs(pair, 8), 40, how, 0)
    np.testing.assert_array_equal(found.dictionary.pairs, pairs)
    np.testing.assert_allclose(found.objectives, objectives, atol=1e-5)
    assert (found.iterations, found.converged) == (len(objectives), True) and len(objectives) > 3
    assert found.dictionary.objective == found.objectives[-1]


@pytest.mark.parametrize("interval", [1, 3])
@pytest.mark.parametrize(("keep_prob", "keep_growth", "stages"), [
    (1.0, 2.0, 1), (0.3, 2.0, 3), (0.1, 10.0, 2), (0.9, 1.05, 4),
])  # fmt: skip
def test_an_easy_space_takes_one_interval_a_stage(interval, keep_prob, keep_growth, stages):
    """The true seed reaches the best objective at once: each share that is kept lasts until its interval is over."""
    pair = hidden(80, dim=6)
    how = SelfLearning(0, "union", keep_prob, keep_growth, interval, threshold=1e-4)
    found = learn(*matrices(pair), seed_pairs(pair, 40), 80, how, 0)
    assert (found.iterations, found.converged) == (stages * (interval + 1), True)
    assert found.objectives[0] == pytest.approx(1, abs=1e-5)
    assert pair.right(found.dictionary.pairs) == 1


def test_gains_put_off_growth(monkeypatch):
    """Objectives by script: a rise by `threshold` over the best so far counts, a smaller one or a way back does not."""
    script = [0.5, 0.6, 0.55, 0.5999, 0.605, 0.7, 0.7, 0.3, 0.72, 0.72, 0.72, 0.72, 0.72, 0.9, 0.9, 0.3, 0.9]
    keeps = []

    def scripted(src, trg, keep, rng, how):
        keeps.append(keep)
        return Dictionary(np.zeros((1, 2), dtype=np.int64), script[len(keeps) - 1])

    monkeypatch.setattr(self_learning, "induce_some", scripted)
    how = SelfLearning(keep_prob=0.25, interval=3, threshold=0.01)
    found = learn(unit_rows(5, 3), unit_rows(5, 3), np.zeros((1, 2), dtype=np.int64), 5, how, 0)
    assert keeps == [0.25] * 5 + [0.5] * 7 + [1.0] * 5  # three more after the gains of 2, 9 and 14
    assert (found.objectives, found.iterations, found.converged) == (script, 17, True)


@pytest.mark.parametrize(("keep_prob", "max_iterations"), [(0.5, 1), (0.5, 6), (1.0, 6)])
def test_the_last_iteration_ends_learning_with_everything_kept(keep_prob, max_iterations):
    pair = hidden(80, dim=6)
    how = SelfLearning(0, keep_prob=keep_prob, max_iterations=max_iterations)
    found = learn(*matrices(pair), seed_pairs(pair, 40), 80, how, 0)
    assert (found.iterations, len(found.objectives), found.converged) == (max_iterations,) * 2 + (False,)
    assert len(found.dictionary.pairs) == 160 and pair.right(found.dictionary.pairs) > 0.95  # by 0.5, half of them


def test_learning_is_determined_by_the_seed():
    pair = hidden(100, dim=6, noise=0.3)
    how = SelfLearning(keep_prob=0.3, max_iterations=8)
    one, again, other = (learn(*matrices(pair), seed_pairs(pair, 10), 100, how, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.dictionary.pairs, again.dictionary.pairs)
    assert one.objectives == again.objectives
    assert one.objectives[0] == other.objectives[0] and one.objectives[1:] != other.objectives[1:]


def test_only_words_before_the_cutoff_are_induced():
    """The seed's words may be anywhere."""
    pair = hidden(300, dim=6)
    found = learn(*matrices(pair), seed_pairs(pair, 20, start=200), 100, SelfLearning(max_iterations=2), 0)
    assert found.dictionary.pairs.shape == (200, 2) and found.dictionary.pairs.max() == 99


def test_learning_extends_a_few_pairs():
    """Eight pairs turn the space roughly; learning finds the turn."""
    pair = hidden(500, noise=0.3)
    src, trg = matrices(pair)
    first = unit(src @ pairs_rotation(src, trg, seed_pairs(pair, 8)))
    start = pair.right(induce_some(first, trg, 1.0, np.random.default_rng(0)).pairs)
    found = learn(src, trg, seed_pairs(pair, 8), 500, SelfLearning(interval=4), 0)
    assert start < 0.7 and pair.right(found.dictionary.pairs) > 0.97
    assert found.converged and found.objectives[-1] > 0.98 > 0.9 > found.objectives[0]
