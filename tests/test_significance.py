from itertools import product

import numpy as np
import pytest
from scipy import stats

from comparisons import significance
from comparisons.significance import approximate_randomisation, holm, mcnemar, over_seeds


def accuracy(sums):
    return 100 * sums[:, 0] / sums[:, 1]


def f1(sums):
    correct, predicted, gold = sums.T
    return 100 * 2 * correct / np.maximum(predicted + gold, 1)


def counts(n, seed, p=0.7):
    rng = np.random.default_rng(seed)
    gold = np.random.default_rng(99).integers(0, 4, n)  # the same for both systems
    correct = rng.binomial(gold, p)
    return np.stack([correct, correct + rng.binomial(2, 0.3, n), gold], axis=1)


def exact(one, other, statistic):
    """The share of all 2^n exchanges that differ at least as much."""
    observed = abs(statistic(one.sum(axis=0)[None]) - statistic(other.sum(axis=0)[None]))[0]
    at_least = 0
    for swap in product([False, True], repeat=len(one)):
        swap = np.array(swap)[:, None]
        a, b = np.where(swap, other, one).sum(axis=0), np.where(swap, one, other).sum(axis=0)
        at_least += abs(statistic(a[None]) - statistic(b[None]))[0] >= observed - 1e-9
    return at_least / 2 ** len(one)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_randomisation_equals_enumeration(seed):
    one, other = counts(10, seed, 0.8), counts(10, seed + 10, 0.5)
    found = approximate_randomisation(one, other, f1, n_shuffles=40_000)
    assert found == pytest.approx(exact(one, other, f1), abs=0.01)


def test_randomisation_equals_scipys_permutation_test():
    rng = np.random.default_rng(0)
    right = rng.random((2, 60)) < np.array([[0.75], [0.55]])
    expected = stats.permutation_test(
        tuple(right.astype(float)), lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        permutation_type="samples", vectorized=True, n_resamples=20_000, rng=np.random.default_rng(1),
    ).pvalue  # fmt: skip
    one, other = (np.stack([r, np.ones(60)], axis=1) for r in right)
    assert approximate_randomisation(one, other, accuracy, 20_000) == pytest.approx(expected, abs=0.01)


def test_systems_alike_and_systems_far_apart():
    one = counts(200, 1)
    assert approximate_randomisation(one, one, f1, 99) == 1.0  # ties count as at least as large
    other = one.copy()
    other[:, 0] = 0
    assert approximate_randomisation(one, other, f1, 999) == 1 / 1000  # never 0


def test_the_test_keeps_its_level():
    """Two systems of one quality: p under 0.05 about 5 times in 100."""
    low = [approximate_randomisation(counts(80, 2 * i, 0.7), counts(80, 2 * i + 1, 0.7), f1, 300, seed=i) <= 0.05
           for i in range(400)]  # fmt: skip
    assert 0.02 <= np.mean(low) <= 0.085


@pytest.mark.parametrize("chunk", [64, 1000])
def test_blocks_do_not_change_what_is_enumerated(monkeypatch, chunk):
    monkeypatch.setattr(significance, "_CHUNK_NUMBERS", chunk)
    one, other = counts(10, 1, 0.8), counts(10, 11, 0.5)
    assert approximate_randomisation(one, other, f1, 20_000) == pytest.approx(exact(one, other, f1), abs=0.015)


@pytest.mark.parametrize(("only_one", "only_other"), [(0, 0), (3, 0), (8, 2), (40, 61), (700, 500), (5, 5)])
def test_mcnemar_is_a_binomial_test(only_one, only_other):
    one = np.array([True] * only_one + [False] * only_other + [True, False, True])
    other = np.array([False] * only_one + [True] * only_other + [True, False, True])
    n = only_one + only_other
    expected = stats.binomtest(only_one, n).pvalue if n else 1.0
    assert mcnemar(one, other) == pytest.approx(expected)
    assert mcnemar(other, one) == mcnemar(one, other)


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_keeps_the_level_over_the_table():
    rng = np.random.default_rng(0)
    wrong = [min(holm(list(rng.random(10)))) <= 0.05 for _ in range(2000)]
    assert np.mean(wrong) == pytest.approx(0.05, abs=0.015)


def test_seeds_widen_the_interval_as_theory_says():
    """Items and seeds vary: the variance is that of the mean over seeds plus that of the items."""
    rng = np.random.default_rng(0)
    seeds, items = np.array([70.0, 74.0, 78.0]), rng.normal(0, 1.5, 20_000)
    found = over_seeds(seeds[:, None] + items)
    assert found.mean() == pytest.approx(74, abs=0.1)
    assert found.var() == pytest.approx(seeds.var(ddof=1) / 3 + 1.5**2, rel=0.05)
    assert found.std() > over_seeds(np.full((3, 1), 74.0) + items).std()


def test_one_seed_adds_nothing():
    values = np.arange(5.0)[None]
    np.testing.assert_array_equal(over_seeds(values), values[0])
