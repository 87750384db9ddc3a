from __future__ import annotations

import numpy as np
import pytest
from conftest import make_pair
from sklearn.cross_decomposition import CCA
from sklearn.linear_model import Ridge

from xlembed import bli
from xlembed.alignment.linear import CcaSettings, RidgeSettings, cca, fit_cca, fit_ridge, ridge
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon
from xlembed.normalize import normalize
from xlembed.vectors import WordVectors


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(200, 4))
    return (shared @ rng.normal(size=(4, 9)) + 0.5 * rng.normal(size=(200, 9)) + 1,
            shared @ rng.normal(size=(4, 6)) + 0.5 * rng.normal(size=(200, 6)))  # fmt: skip


def linear_pair(trg_dim: int = 15):
    """A hidden linear map that is no rotation, into another dim."""
    pair = make_pair(noise=0)
    hidden = np.random.default_rng(5).normal(size=(20, trg_dim)).astype(np.float32)
    return pair.src, WordVectors(pair.trg.words, pair.src.matrix @ hidden), hidden, pair.lexicon


@pytest.mark.parametrize("penalty", [0.5, 10.0, 1000.0])
@pytest.mark.parametrize("n_rows", [5, 200])
def test_ridge_equals_sklearn(rows, penalty, n_rows):
    x, z = rows[0][:n_rows], rows[1][:n_rows]
    expected = Ridge(penalty, fit_intercept=False).fit(x, z).coef_.T
    np.testing.assert_allclose(ridge(x, z, penalty), expected, atol=1e-5)


def test_without_penalty_equals_least_squares(rows):
    np.testing.assert_allclose(ridge(*rows, 0), np.linalg.lstsq(*rows, rcond=None)[0], atol=1e-5)


def test_ridge_recovers_a_hidden_linear_map():
    src, trg, hidden, lexicon = linear_pair()
    mapping = fit_ridge(src, trg, Lexicon(lexicon.pairs[:40]), RidgeSettings(0, steps=()))
    np.testing.assert_allclose(mapping.src_weight, hidden, atol=1e-3)
    np.testing.assert_array_equal(mapping.trg_weight, np.eye(15))
    np.testing.assert_allclose(mapping.map_src(src).matrix, trg.matrix, atol=1e-2)


def test_fit_ridge_equals_sklearn_on_normalised_covered_rows():
    pair = make_pair(noise=0.7, seed=3)
    pairs = [*pair.lexicon.pairs[50:150], ("s1", "nothing"), ("s3", "t8"), ("s3", "t8")]
    mapping = fit_ridge(pair.src, pair.trg, Lexicon(pairs, "seed.txt"), RidgeSettings(2.0))
    rows = [*range(50, 150), 3], [*range(50, 150), 8]
    x, z = normalize(pair.src).matrix[rows[0]], normalize(pair.trg).matrix[rows[1]]
    model = Ridge(2.0, fit_intercept=False).fit(x, z)
    np.testing.assert_allclose(mapping.src_weight, model.coef_.T, atol=1e-4)
    about = mapping.about
    assert (about["method"], about["lexicon"], about["pairs"], about["covered"]) == ("ridge", "seed.txt", 103, 101)
    assert about["loss"] == [pytest.approx(((model.predict(x) - z) ** 2).sum(axis=1).mean(), rel=1e-4)]


def test_ridge_with_few_pairs():
    pair = make_pair()
    for n_pairs in (1, 19):
        seed = Lexicon(pair.lexicon.pairs[:n_pairs])
        assert np.isfinite(fit_ridge(pair.src, pair.trg, seed).src_weight).all()
        with pytest.raises(InputError, match=f"{n_pairs} covered pairs determine {n_pairs} of 20 dim.*a penalty"):
            fit_ridge(pair.src, pair.trg, seed, RidgeSettings(0))


def test_ridge_of_zero_vectors():
    assert (ridge(np.zeros((30, 4)), np.ones((30, 3)), 1.0) == 0).all()
    assert (ridge(np.zeros((30, 4)), np.ones((30, 3)), 1e-12) == 0).all()
    with pytest.raises(InputError, match="determine 0 of 4"):
        ridge(np.zeros((30, 4)), np.ones((30, 3)), 0)


def test_cca_equals_sklearn(rows):
    a, b, correlations = cca(*rows)
    model = CCA(n_components=6, scale=False, tol=1e-12, max_iter=5000).fit(*rows)
    theirs = model.transform(*rows)
    expected = [abs(np.corrcoef(theirs[0][:, i], theirs[1][:, i])[0, 1]) for i in range(6)]
    np.testing.assert_allclose(correlations, expected, atol=1e-5)
    ours = (rows[0] - rows[0].mean(axis=0)) @ a, (rows[1] - rows[1].mean(axis=0)) @ b
    for mine, other in zip(ours, theirs, strict=True):
        agree = [abs(np.corrcoef(mine[:, i], other[:, i])[0, 1]) for i in range(6)]
        np.testing.assert_allclose(agree, np.ones(6), atol=1e-4)


def test_cca_by_its_definition(rows):
    """Columns have variance 1, no correlation with others of their side, and the correlations told across."""
    a, b, correlations = cca(*rows)
    x, z = (rows[0] - rows[0].mean(axis=0)) @ a, (rows[1] - rows[1].mean(axis=0)) @ b
    np.testing.assert_allclose(x.T @ x / 200, np.eye(6), atol=1e-9)
    np.testing.assert_allclose(z.T @ z / 200, np.eye(6), atol=1e-9)
    np.testing.assert_allclose(x.T @ z / 200, np.diag(correlations), atol=1e-9)
    assert (np.diff(correlations) <= 0).all()


@pytest.mark.parametrize("settings", [CcaSettings(), CcaSettings(0.5, 0.0), CcaSettings(1.0, 0.0)])
def test_cca_recovers_a_hidden_linear_map(settings):
    src, trg, _, lexicon = linear_pair(20)
    mapping = fit_cca(src, trg, Lexicon(lexicon.pairs[:60]), CcaSettings(settings.share, settings.power, ("center",)))
    found = bli.evaluate(mapping.map_src(src), mapping.map_trg(trg), lexicon)
    assert found.scores["P@1"] == 100
    np.testing.assert_allclose(mapping.about["correlations"], np.ones(mapping.about["kept"]), atol=1e-4)


@pytest.mark.parametrize(("share", "kept"), [(0.5, 8), (0.01, 1), (1.0, 15)])
def test_share_of_dimensions(share, kept):
    src, trg, _, lexicon = linear_pair(15)
    mapping = fit_cca(src, trg, lexicon, CcaSettings(share))
    assert mapping.src_weight.shape == (20, kept) and mapping.trg_weight.shape == (15, kept)
    assert mapping.about["kept"] == len(mapping.about["correlations"]) == kept


def test_power_weighs_by_the_correlations():
    pair = make_pair(noise=0.8)
    plain = fit_cca(pair.src, pair.trg, pair.lexicon, CcaSettings(power=0))
    squared = fit_cca(pair.src, pair.trg, pair.lexicon, CcaSettings(power=2))
    weights = np.array(plain.about["correlations"]) ** 2
    np.testing.assert_allclose(squared.src_weight, plain.src_weight * weights, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(squared.trg_weight, plain.trg_weight * weights, rtol=1e-4, atol=1e-6)


def test_a_constant_dimension_is_no_dimension(rows):
    x = np.column_stack([rows[0], np.ones(200)])
    a, _, correlations = cca(x, rows[1])
    assert (a[-1] == 0).all() or np.abs(a[-1]).max() < 1e-6
    np.testing.assert_allclose(correlations, cca(*rows)[2], atol=1e-9)


def test_cca_refuses_few_pairs():
    src, trg, _, lexicon = linear_pair(15)
    with pytest.raises(InputError, match="hidden: covers 20 pairs, CCA of dim 20 needs more pairs than dimensions"):
        fit_cca(src, trg, Lexicon(lexicon.pairs[:20], "hidden"))
    same = WordVectors(trg.words, np.ones_like(trg.matrix))
    with pytest.raises(InputError, match="do not vary"):
        fit_cca(src, same, lexicon, CcaSettings(steps=()))


@pytest.mark.parametrize("fit", [fit_ridge, fit_cca])
def test_nothing_covered(rotated_pair, fit):
    with pytest.raises(InputError, match="none of its 1 pairs"):
        fit(rotated_pair.src, rotated_pair.trg, Lexicon([("t0", "s0")]))


@pytest.mark.parametrize(("kind", "wrong"), [
    (RidgeSettings, {"penalty": -1.0}), (RidgeSettings, {"penalty": float("nan")}), (CcaSettings, {"share": 0.0}),
    (CcaSettings, {"share": 1.1}), (CcaSettings, {"power": -1.0}),
])  # fmt: skip
def test_wrong_settings(kind, wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        kind(**wrong)
