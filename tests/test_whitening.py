from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes, svdvals

from xlembed.alignment import whitening as module
from xlembed.alignment.whitening import (
    MultiStep,
    PairProducts,
    dewhitening,
    multi_step,
    orthogonal,
    pair_products,
    rank,
    whitening,
)

REWEIGHTS = [(0, 0), (1, 0), (0, 1), (0.5, 0.5)]  # none, source, target, both
SIDES = ["src", "trg", None]


def paired_rows(n=50, src_dim=7, trg_dim=7, seed=0):
    """Correlated rows, float32, with variances of 1 to 16."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, max(src_dim, trg_dim))) * np.linspace(4, 1, max(src_dim, trg_dim))
    x, z = (hidden @ rng.normal(size=(hidden.shape[1], dim)) + 0.5 * rng.normal(size=(n, dim))
            for dim in (src_dim, trg_dim))  # fmt: skip
    return x.astype(np.float32), z.astype(np.float32)


def products_of(x, z):
    return pair_products(x, z, np.column_stack([np.arange(len(x))] * 2))


def svd_whitener(rows):
    """(X^T X)^(-1/2) from the SVD of X itself."""
    _, sizes, vt = np.linalg.svd(rows, full_matrices=False)
    return vt.T @ np.diag(1 / sizes) @ vt


def multi_step_slowly(x, z, steps):
    """Steps 1 to 5 of section 3 on the paired rows themselves: the mapped rows of both sides."""
    x, z = x.astype(np.float64), z.astype(np.float64)
    src_white, trg_white = (svd_whitener(rows) if steps.whiten else np.eye(rows.shape[1]) for rows in (x, z))
    x, z = x @ src_white, z @ trg_white  # 1
    u, sizes, vt = np.linalg.svd(x.T @ z, full_matrices=False)
    x, z = x @ u, z @ vt.T  # 2
    x, z = x @ np.diag(sizes**steps.src_reweight), z @ np.diag(sizes**steps.trg_reweight)  # 3
    back = {"src": u.T @ np.linalg.inv(src_white) @ u, "trg": vt @ np.linalg.inv(trg_white) @ vt.T,
            None: np.eye(len(sizes))}  # fmt: skip
    if steps.whiten:
        x, z = x @ back[steps.src_dewhiten], z @ back[steps.trg_dewhiten]  # 4
    return x[:, : steps.dim], z[:, : steps.dim]  # 5


def dot_products(*sides):
    """Of all rows of both sides with one another: what a turn of the common space leaves as it is."""
    rows = np.vstack([side.astype(np.float64) for side in sides])
    return rows @ rows.T


# ---- products


def test_pair_products_are_sums_over_pairs(monkeypatch):
    """Also from several blocks, and a pair that is there twice counts twice."""
    x, z = paired_rows(20, 4, 3)
    pairs = np.array([[0, 1], [5, 2], [0, 1], [19, 0], [3, 3]])
    monkeypatch.setattr(module, "_BLOCK_ROWS", 2)
    found = pair_products(x, z, pairs)
    expected = [sum(np.outer(left[i], right[j]) for i, j in rows.tolist()) for left, right, rows in
                ((x, x, pairs[:, [0, 0]]), (z, z, pairs[:, [1, 1]]), (x, z, pairs))]  # fmt: skip
    for one, other in zip((found.src, found.trg, found.cross), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
        assert one.dtype == np.float64


def test_products_of_no_pair_are_zero():
    found = pair_products(*paired_rows(5, 4, 3), np.empty((0, 2), dtype=np.int64))
    assert (found.src.shape, found.trg.shape, found.cross.shape) == ((4, 4), (3, 3), (4, 3))
    assert not found.cross.any()


# ---- whitening


def test_white_rows_have_identity_covariance():
    x, _ = paired_rows()
    white, unwhite = whitening(x.T.astype(np.float64) @ x)
    np.testing.assert_allclose((x @ white).T @ (x @ white), np.eye(7), atol=1e-5)
    np.testing.assert_allclose(white, svd_whitener(x), atol=1e-5)
    np.testing.assert_allclose(white, white.T, atol=1e-12)
    np.testing.assert_allclose(x @ white @ unwhite, x, atol=1e-4)
    np.testing.assert_allclose(unwhite @ unwhite, x.T @ x, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize(("n", "inner"), [(50, 4), (3, 7), (1, 7)])
def test_rank_deficient_rows_are_white_where_they_vary(n, inner):
    """Rows that span fewer dimensions: white within those, nothing (no huge number) outside."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(n, inner)) @ rng.normal(size=(inner, 7))).astype(np.float32)
    gram = x.T.astype(np.float64) @ x
    white, unwhite = whitening(gram)
    n_kept = min(n, inner)
    assert rank(gram) == n_kept == np.linalg.matrix_rank(x)
    _, _, vt = np.linalg.svd(x.astype(np.float64))
    projector = vt[:n_kept].T @ vt[:n_kept]
    np.testing.assert_allclose(white @ gram @ white, projector, atol=1e-5)
    np.testing.assert_allclose(white @ unwhite, projector, atol=1e-5)
    np.testing.assert_allclose(x @ white @ unwhite, x, atol=1e-4)


def test_all_rows_zero():
    assert rank(np.zeros((3, 3))) == 0
    for found in whitening(np.zeros((3, 3))):
        np.testing.assert_array_equal(found, np.zeros((3, 3)))
    zeros = PairProducts(np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3)))
    assert all(np.isfinite(weight).all() for weight in multi_step(zeros, MultiStep()))


def test_dewhitening_gives_the_variance_back():
    """Turned white rows get the turned rows' covariance: W^T X^T X W."""
    x, z = paired_rows()
    white, unwhite = whitening(x.T.astype(np.float64) @ x)
    turned, _, _ = orthogonal((x @ white).T @ z)
    back = x @ white @ turned @ dewhitening(unwhite, turned)
    np.testing.assert_allclose(back, x @ turned, atol=1e-4)


# ---- the orthogonal step


@pytest.mark.parametrize(("src_dim", "trg_dim"), [(7, 7), (7, 5), (4, 6)])
def test_orthogonal_step_has_the_greatest_sum(src_dim, trg_dim):
    x, z = paired_rows(50, src_dim, trg_dim)
    src_turned, sizes, trg_turned = orthogonal(x.T.astype(np.float64) @ z)
    for turned in (src_turned, trg_turned):
        np.testing.assert_allclose(turned.T @ turned, np.eye(min(src_dim, trg_dim)), atol=1e-10)
    best = np.sum((x @ src_turned) * (z @ trg_turned))
    assert best == pytest.approx(sizes.sum(), rel=1e-5)
    np.testing.assert_allclose(sizes, svdvals(x.T.astype(np.float64) @ z), rtol=1e-6)
    rng = np.random.default_rng(1)
    for _ in range(50):
        one, other = (np.linalg.qr(rng.normal(size=turned.shape))[0] for turned in (src_turned, trg_turned))
        assert np.sum((x @ one) * (z @ other)) < best


def test_without_whitening_and_reweighting_it_is_procrustes():
    x, z = paired_rows()
    src_weight, trg_weight = multi_step(products_of(x, z), MultiStep(False, 0, 0))
    expected, _ = orthogonal_procrustes(x.astype(np.float64), z.astype(np.float64))
    np.testing.assert_allclose(src_weight @ trg_weight.T, expected, atol=1e-5)
    np.testing.assert_allclose(dot_products(x @ src_weight, z @ trg_weight), dot_products(x @ expected, z), atol=2e-3)


# ---- all steps


@pytest.mark.parametrize("dim", [None, 1, 3])
@pytest.mark.parametrize(("src_dim", "trg_dim"), [(7, 7), (7, 5), (4, 6)])
@pytest.mark.parametrize("whiten", [True, False])
def test_multi_step_equals_the_slow_one(src_dim, trg_dim, dim, whiten):
    x, z = paired_rows(50, src_dim, trg_dim)
    for (src_power, trg_power), src_back, trg_back in product(REWEIGHTS, SIDES, SIDES):
        steps = MultiStep(whiten, src_power, trg_power, src_back, trg_back, dim)
        src_weight, trg_weight = multi_step(products_of(x, z), steps)
        n_kept = dim or min(src_dim, trg_dim)
        assert (src_weight.shape, trg_weight.shape) == ((src_dim, n_kept), (trg_dim, n_kept))
        assert src_weight.dtype == trg_weight.dtype == np.float32
        found, expected = dot_products(x @ src_weight, z @ trg_weight), dot_products(*multi_step_slowly(x, z, steps))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max(), err_msg=str(steps))


@pytest.mark.parametrize(("src_power", "trg_power"), REWEIGHTS)
def test_white_sides_are_canonical_variates(src_power, trg_power):
    """Left white, the columns correlate pair by pair and with no other, the best correlated first."""
    x, z = paired_rows()
    steps = MultiStep(True, src_power, trg_power, None, None)
    src_weight, trg_weight = multi_step(products_of(x, z), steps)
    src_white, trg_white = multi_step_slowly(x, z, MultiStep(True, 0, 0, None, None))
    correlations = np.diag(src_white.T @ trg_white)
    assert np.all(np.diff(correlations) < 0) and correlations[0] < 1
    expected = np.diag(correlations ** (1 + src_power + trg_power))
    np.testing.assert_allclose((x @ src_weight).T @ (z @ trg_weight), expected, atol=1e-5)


def test_own_dewhitening_without_reweighting_is_a_turn():
    """What whitening took comes back: both maps are orthogonal again (section 3.5)."""
    for weight in multi_step(products_of(*paired_rows()), MultiStep(True, 0, 0, "src", "trg")):
        np.testing.assert_allclose(weight.T @ weight, np.eye(7), atol=1e-5)


def test_dimension_reduction_keeps_the_first():
    products = products_of(*paired_rows())
    for some, whole in zip(multi_step(products, MultiStep(dim=3)), multi_step(products, MultiStep()), strict=True):
        np.testing.assert_array_equal(some, whole[:, :3])
