import itertools

import numpy as np
import pytest
from scipy import stats

from comparisons.rank_correlation import rank_correlation


def test_rho_and_exact_p_are_scipys():
    rng = np.random.default_rng(0)
    for n in (4, 5, 6):
        for ties in (False, True):
            first, second = rng.normal(size=n), rng.normal(size=n)
            first = np.round(first) if ties else first
            if np.ptp(first) == 0:
                continue
            found = rank_correlation(first, second)
            wanted = stats.permutation_test(
                (first,), lambda x, y=second: stats.spearmanr(x, y).statistic, permutation_type="pairings",
                n_resamples=np.inf,
            )  # fmt: skip
            every = [stats.spearmanr(order, second).statistic for order in itertools.permutations(first)]
            assert found.rho == pytest.approx(wanted.statistic)
            assert found.p == pytest.approx(np.mean(np.abs(every) >= abs(found.rho) - 1e-9))
            if not ties:  # with ties scipy doubles the smaller tail, which is another two-sided p
                assert found.p == pytest.approx(wanted.pvalue)
            assert found.is_exact and found.n == n


def test_many_points_have_scipys_approximation():
    rng = np.random.default_rng(1)
    first = rng.normal(size=14)
    second = first + rng.normal(size=14)
    found, wanted = rank_correlation(first, second), stats.spearmanr(first, second)
    assert (found.rho, found.p) == pytest.approx((wanted.statistic, wanted.pvalue)) and not found.is_exact
    t = found.least * np.sqrt(12 / (1 - found.least**2))
    assert 2 * stats.t.sf(t, 12) == pytest.approx(0.05)


@pytest.mark.parametrize(("n", "least"), [(4, None), (5, 1.0), (6, 0.886), (7, 0.786), (8, 0.738)])
def test_critical_values_are_those_of_the_tables(n, least):
    """Zar 1972, two-sided 5 %: none for four points, 1.000, 0.886, 0.786, 0.738."""
    found = rank_correlation(range(n), np.random.default_rng(n).permutation(n))
    assert found.least == (None if least is None else pytest.approx(least, abs=5e-4))


def test_the_critical_value_is_the_first_that_is_clear():
    orders = [rank_correlation(range(6), order) for order in itertools.permutations(range(6))]
    assert all((abs(one.rho) >= one.least - 1e-9) == (one.p <= 0.05) for one in orders)


def test_a_side_that_does_not_vary_has_no_correlation():
    found = rank_correlation([1.0] * 5, [1, 2, 3, 4, 5])
    assert (found.rho, found.p, found.least, found.n) == (None, None, None, 5)


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="at least 4"):
        rank_correlation([1, 2, 3], [1, 2, 3])
    with pytest.raises(ValueError, match="at least 4"):
        rank_correlation([1, 2, 3, 4], [1, 2, 3, 4, 5])
