from __future__ import annotations

import numpy as np
import pytest

from xlembed import bootstrap
from xlembed.bootstrap import interval, resampled_sums


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
    assert (sums.shape, sums.dtype) == ((200, 2), rows.dtype)
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
