from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import make_pair

from xlembed import bli
from xlembed.alignment import rcsls
from xlembed.alignment.rcsls import Problem, RcslsSettings, fit, into_spectral_ball, loss_and_gradient
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon
from xlembed.normalize import normalize
from xlembed.vectors import WordVectors


def problem_of(pair, n_pairs=60, n_neighbors=10, max_neg=None):
    rows = np.random.default_rng(0).integers(0, len(pair.src), (n_pairs, 2))
    rows[:, 1] = np.where(rows[:, 1] < 150, rows[:, 0], rows[:, 1])  # some true, some not, some twice
    return Problem(normalize(pair.src).matrix, normalize(pair.trg).matrix, rows, n_neighbors, max_neg)


def reference_loss(problem, weight):
    """Equation 5 of the paper, word by word, in torch: the neighbours are those at `weight`."""
    src, trg = torch.from_numpy(problem.src).double(), torch.from_numpy(problem.trg).double()
    keys_src, keys_trg = src[: problem.max_neg], trg[: problem.max_neg]
    total = 0.0
    for i, j in problem.rows:
        x, z = src[i] @ weight, trg[j]
        near_x = torch.sort(keys_trg @ x, descending=True).values[: problem.n_neighbors]
        near_z = torch.sort(keys_src @ weight @ z, descending=True).values[: problem.n_neighbors]
        total = total - 2 * x @ z + near_x.mean() + near_z.mean()
    return total / len(problem.rows)


@pytest.mark.parametrize(("n_neighbors", "max_neg"), [(10, None), (3, 120), (1, None), (500, None)])
def test_loss_and_gradient_equal_autograd(noisy_pair, n_neighbors, max_neg):
    problem = problem_of(noisy_pair, n_neighbors=n_neighbors, max_neg=max_neg)
    weight = np.random.default_rng(1).normal(size=(12, 12)).astype(np.float32) / 3
    single = torch.from_numpy(weight).double().requires_grad_()
    expected = reference_loss(problem, single)
    expected.backward()
    found = loss_and_gradient(problem, weight)
    assert found.loss == pytest.approx(float(expected.detach()), abs=1e-5)
    np.testing.assert_allclose(found.gradient, single.grad.numpy(), atol=1e-5)


def test_neighbours_are_gathered_in_chunks(noisy_pair, monkeypatch):
    problem, weight = problem_of(noisy_pair), np.eye(12, dtype=np.float32)
    expected = loss_and_gradient(problem, weight).gradient
    monkeypatch.setattr(rcsls, "_GATHERED_ROWS", 7)
    np.testing.assert_array_equal(loss_and_gradient(problem, weight).gradient, expected)


@pytest.mark.parametrize("constraint", ["spectral", "none"])
def test_hidden_rotation_is_recovered(rotated_pair, constraint):
    seed = Lexicon(rotated_pair.lexicon.pairs[:60])
    mapping = fit(rotated_pair.src, rotated_pair.trg, seed, RcslsSettings(constraint))
    found = bli.evaluate(
        mapping.map_src(rotated_pair.src), mapping.map_trg(rotated_pair.trg), rotated_pair.lexicon
    )
    assert found.scores["P@1"] == 100


@pytest.mark.parametrize("constraint", ["spectral", "none"])
@pytest.mark.parametrize("learning_rate", [0.1, 1.0, 50.0])
def test_loss_never_rises(noisy_pair, constraint, learning_rate):
    settings = RcslsSettings(constraint, iterations=15, learning_rate=learning_rate)
    mapping = fit(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon, settings)
    losses = mapping.about["loss"]
    assert len(losses) == mapping.about["iterations"] + 1 == 16
    assert all(after <= before for before, after in zip(losses, losses[1:], strict=False))
    assert losses[-1] < losses[0]


def test_backtracking_restores_the_map(noisy_pair):
    """A step far too long is taken back: the map that is returned has the loss that is told, that of the start."""
    settings = RcslsSettings("spectral", iterations=3, learning_rate=1e6)
    mapping = fit(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon, settings)
    rows = np.column_stack([np.arange(200)] * 2)
    problem = Problem(normalize(noisy_pair.src).matrix, normalize(noisy_pair.trg).matrix, rows)
    assert mapping.about["loss"] == [mapping.about["loss"][0]] * 4
    assert loss_and_gradient(problem, mapping.src_weight).loss == mapping.about["loss"][0]
    np.testing.assert_allclose(mapping.src_weight @ mapping.src_weight.T, np.eye(12), atol=1e-5)  # Procrustes'


def test_loss_that_is_told_is_that_of_the_map(noisy_pair):
    mapping = fit(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon, RcslsSettings(learning_rate=5.0))
    rows = np.column_stack([np.arange(200)] * 2)
    problem = Problem(normalize(noisy_pair.src).matrix, normalize(noisy_pair.trg).matrix, rows)
    assert loss_and_gradient(problem, mapping.src_weight).loss == mapping.about["loss"][-1]


def test_stops_when_the_learning_rate_is_used_up(noisy_pair):
    settings = RcslsSettings(iterations=100, learning_rate=1e6, min_learning_rate=1e5)
    mapping = fit(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon, settings)
    assert mapping.about["iterations"] == 4  # 1e6, 5e5, 2.5e5, 1.25e5


def test_spectral_ball():
    weight = np.random.default_rng(0).normal(size=(9, 9)).astype(np.float32)
    projected = into_spectral_ball(weight)
    u, sizes, vt = np.linalg.svd(weight)
    assert np.linalg.svd(projected)[1].max() <= 1 + 1e-6
    np.testing.assert_allclose(projected, u @ np.diag(np.clip(sizes, 0, 1)) @ vt, atol=1e-5)
    np.testing.assert_allclose(into_spectral_ball(projected), projected, atol=1e-6)
    np.testing.assert_allclose(into_spectral_ball(0.1 * projected), 0.1 * projected, atol=1e-6)


def test_constraint_holds_and_none_does_not(noisy_pair):
    def norm(constraint):
        settings = RcslsSettings(constraint, learning_rate=5.0)
        return np.linalg.norm(fit(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon, settings).src_weight, 2)

    assert norm("spectral") <= 1 + 1e-5
    assert norm("none") > 1.01


def test_starts_at_the_identity(noisy_pair):
    settings = RcslsSettings(iterations=1, learning_rate=1e-3, start="identity")
    mapping = fit(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon, settings)
    np.testing.assert_allclose(mapping.src_weight, np.eye(12), atol=0.01)


def test_batches_are_determined_by_the_seed(noisy_pair):
    def weight(seed):
        settings = RcslsSettings(batch_size=50, seed=seed)
        return fit(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon, settings).src_weight

    np.testing.assert_array_equal(weight(1), weight(1))
    assert np.abs(weight(1) - weight(2)).max() > 1e-4


def test_one_batch_of_all_is_a_plain_step(noisy_pair):
    """A batch larger than the lexicon is the lexicon."""
    one = fit(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon, RcslsSettings(iterations=1, batch_size=10_000))
    other = fit(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon, RcslsSettings(iterations=1))
    np.testing.assert_allclose(one.src_weight, other.src_weight, atol=1e-5)
    np.testing.assert_allclose(one.about["loss"], other.about["loss"], atol=1e-6)


def test_edges():
    """One covered pair, zero vectors, and fewer words than neighbours."""
    pair = make_pair(n_words=6, dim=4, noise=0.5)
    zeros = WordVectors(pair.src.words, np.where(np.arange(6)[:, None] == 2, 0, pair.src.matrix))
    mapping = fit(zeros, pair.trg, Lexicon([("s2", "t2"), ("x", "y")]), RcslsSettings(steps=("unit",)))
    assert np.isfinite(mapping.src_weight).all()
    assert (mapping.about["covered"], mapping.about["pairs"]) == (1, 2)


def test_refusals(rotated_pair):
    narrow = WordVectors(rotated_pair.trg.words, rotated_pair.trg.matrix[:, :19])
    with pytest.raises(InputError, match="dim 20, target vectors 19: RCSLS needs one dim"):
        fit(rotated_pair.src, narrow, rotated_pair.lexicon)
    with pytest.raises(InputError, match="none of its 1 pairs"):
        fit(rotated_pair.src, rotated_pair.trg, Lexicon([("t0", "s0")]))


@pytest.mark.parametrize("wrong", [
    {"constraint": "orthogonal"}, {"start": "random"}, {"iterations": 0}, {"n_neighbors": 0}, {"max_neg": 0},
    {"batch_size": 0}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"min_learning_rate": -1.0},
])  # fmt: skip
def test_wrong_settings(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        RcslsSettings(**wrong)
