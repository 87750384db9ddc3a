from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xlembed import bootstrap
from xlembed.bootstrap import bca_interval, interval, left_out_sums, resampled_sums


def test_interval_of_a_mean_is_near_the_normal_approximation():
    values = np.random.default_rng(0).exponential(size=2000)
    found = interval(resampled_sums(values[:, None])[:, 0] / len(values))
    error = values.std() / np.sqrt(len(values))
    # 1,000 resamples place a 2.5 % quantile within about 0.085 standard errors: three times that is allowed
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.25 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.25 * error)


def test_interval_of_a_share():
    hits = (np.arange(500) < 100).astype(np.float64)
    found = interval(100 * resampled_sums(hits[:, None])[:, 0] / 500)
    half = 1.96 * 100 * np.sqrt(0.2 * 0.8 / 500)  # 3.5 points
    assert (found.low, found.high) == (pytest.approx(20 - half, abs=0.5), pytest.approx(20 + half, abs=0.5))


def test_the_central_95_percent():
    found = interval(np.arange(1001))
    assert (found.low, found.high) == (25.0, 975.0)
    assert isinstance(found.low, float)


def test_sums_of_resamples():
    rows = np.array([[1, 10], [2, 20], [3, 30]])
    sums = resampled_sums(rows, n_resamples=200)
    assert (sums.shape, sums.dtype) == ((200, 2), np.float64)
    np.testing.assert_array_equal(sums[:, 1], 10 * sums[:, 0])  # columns are drawn together
    assert set(sums[:, 0]) == {3, 4, 5, 6, 7, 8, 9}


def test_items_alike_never_move():
    assert set(resampled_sums(np.full((7, 1), 2.0), 50).ravel()) == {14.0}
    assert resampled_sums(np.array([[5.0]]), 3).tolist() == [[5.0]] * 3


def test_seed():
    rows = np.random.default_rng(0).normal(size=(30, 2))
    np.testing.assert_array_equal(resampled_sums(rows, 20, seed=1), resampled_sums(rows, 20, seed=1))
    assert np.abs(resampled_sums(rows, 20, seed=1) - resampled_sums(rows, 20, seed=2)).max() > 0.1


@pytest.mark.parametrize("chunk", [1, 200, 777])
def test_chunks_change_nothing(monkeypatch, chunk):
    rows = np.arange(40).reshape(20, 2)
    whole = resampled_sums(rows, 50)
    monkeypatch.setattr(bootstrap, "_CHUNK_NUMBERS", chunk)
    np.testing.assert_array_equal(resampled_sums(rows, 50), whole)


def f1(sums):
    correct, predicted, gold = sums.T
    return 100 * 2 * correct / (predicted + gold)


def span_counts(n, seed):
    rng = np.random.default_rng(seed)
    gold = rng.integers(1, 4, n)
    correct = rng.binomial(gold, 0.9)
    return np.stack([correct, correct + rng.binomial(1, 0.1, n), gold], axis=1)


def test_resampled_sums_equal_the_slow_way():
    rows = span_counts(50, seed=0)
    picks = np.random.default_rng(3).integers(50, size=(40, 50))
    np.testing.assert_array_equal(resampled_sums(rows, 40, seed=3), [rows[one].sum(axis=0) for one in picks])


def test_the_jackknife_leaves_out_each_row():
    rows = span_counts(6, seed=0)
    np.testing.assert_array_equal(left_out_sums(rows), [np.delete(rows, i, axis=0).sum(axis=0) for i in range(6)])


@pytest.mark.parametrize("n", [30, 200])
def test_bca_equals_scipys_bootstrap(n):
    """Other draws, so the ends agree to what 20,000 resamples can tell."""
    rows = span_counts(n, seed=n)
    found = bca_interval(f1(rows.sum(axis=0)[None])[0], f1(resampled_sums(rows, 20_000)), f1(left_out_sums(rows)))

    def statistic(*columns, axis=-1):
        correct, predicted, gold = (column.sum(axis=axis) for column in columns)
        return 100 * 2 * correct / (predicted + gold)

    expected = stats.bootstrap(
        tuple(rows.T), statistic,
        paired=True, vectorized=True, n_resamples=20_000, method="BCa", rng=np.random.default_rng(5),
    ).confidence_interval  # fmt: skip
    width = expected.high - expected.low
    assert found.low == pytest.approx(float(expected.low), abs=0.03 * width)
    assert found.high == pytest.approx(float(expected.high), abs=0.03 * width)


def test_bca_where_nothing_varies():
    rows = np.tile([1, 1, 1], (20, 1))
    found = bca_interval(100.0, f1(resampled_sums(rows, 100)), f1(left_out_sums(rows)))
    assert (found.low, found.high) == (100.0, 100.0)


def test_coverage_of_a_skewed_score():
    """400 samples of 60 sentences: the true F1 lies within the BCa interval about 95 times in 100."""
    population = span_counts(20_000, seed=9)
    truth = f1(population.sum(axis=0)[None])[0]
    rng, inside = np.random.default_rng(1), {"bca": 0, "percentile": 0}
    for i in range(400):
        rows = population[rng.integers(len(population), size=60)]
        values = f1(resampled_sums(rows, 600, seed=i))
        ends = {"bca": bca_interval(f1(rows.sum(axis=0)[None])[0], values, f1(left_out_sums(rows))),
                "percentile": interval(values)}  # fmt: skip
        for name, one in ends.items():
            inside[name] += one.low <= truth <= one.high
    assert 0.91 <= inside["bca"] / 400 <= 0.98
    assert 0.90 <= inside["percentile"] / 400 <= 0.98
