from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import make_pair

from xlembed import bli
from xlembed.alignment import contrastive
from xlembed.alignment.contrastive import (
    Adam,
    ContrastiveSettings,
    Pairs,
    Problem,
    augment,
    first_maps,
    fit,
    link,
    loss_and_gradients,
    mine,
    seed_weights,
)
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon
from xlembed.normalize import normalize, unit
from xlembed.vectors import WordVectors

SMALL = ContrastiveSettings(n_negatives=7, iterations=20)
ROWS = np.array([[0, 0], [0, 5], [3, 5], [3, 9], [7, 7], [11, 190], [199, 4], [3, 3]])


def p_at_1(mapping, pair):
    return bli.evaluate(mapping.map_src(pair.src), mapping.map_trg(pair.trg), pair.lexicon).scores["P@1"]


def problem_of(pair, rows, settings, maps):
    src, trg = normalize(pair.src).matrix, normalize(pair.trg).matrix
    x, z = unit(src @ maps[0]), unit(trg @ maps[1])
    weights = seed_weights(rows)
    return Problem(src, trg, link(*rows.T, len(src), len(trg)), weights / weights.sum(), mine(x, z, rows, settings),
                   mine(z, x, rows[:, ::-1], settings), settings.temperature)  # fmt: skip


def random_maps(dim, seed=0):
    return tuple(np.random.default_rng(seed).normal(size=(2, dim, dim)).astype(np.float32))


def reference_loss(problem, maps, rows, settings):
    """Pair by pair, in torch: the n nearest words that are no known translation are the negatives."""
    x = torch.nn.functional.normalize(torch.from_numpy(problem.src).double() @ maps[0], dim=1)
    z = torch.nn.functional.normalize(torch.from_numpy(problem.trg).double() @ maps[1], dim=1)
    known = set(map(tuple, rows.tolist()))
    cosines, total = x @ z.T / settings.temperature, 0.0
    for (i, j), weight in zip(rows.tolist(), problem.weights, strict=True):
        wrong_trg = [n for n in range(len(z)) if (i, n) not in known and n < settings.max_neg]
        wrong_src = [n for n in range(len(x)) if (n, j) not in known and n < settings.max_neg]
        for scores in (cosines[i, wrong_trg], cosines[wrong_src, j]):
            hard = torch.sort(scores, descending=True).values[: settings.n_negatives]
            total += weight * (torch.logsumexp(torch.cat([cosines[i, j][None], hard]), 0) - cosines[i, j])
    return total


@pytest.mark.parametrize(("n_negatives", "max_neg", "temperature"), [
    (7, 200, 0.1), (1, 200, 1.0), (20, 30, 0.05), (500, 200, 0.1), (50, 1, 0.1),
])  # fmt: skip
def test_loss_and_gradients_equal_autograd(noisy_pair, n_negatives, max_neg, temperature):
    settings = ContrastiveSettings(temperature, n_negatives, max_neg)
    maps = random_maps(12)
    problem = problem_of(noisy_pair, ROWS, settings, maps)
    singles = [torch.from_numpy(weight).double().requires_grad_() for weight in maps]
    expected = reference_loss(problem, singles, ROWS, settings)
    expected.backward()
    loss, *gradients = loss_and_gradients(problem, maps)
    assert loss == pytest.approx(float(expected.detach()), rel=1e-5)
    for found, single in zip(gradients, singles, strict=True):
        np.testing.assert_allclose(found, single.grad.numpy(), atol=1e-5)


def test_negatives_are_never_known_translations(noisy_pair):
    maps = random_maps(12)
    x, z = (unit(normalize(v).matrix @ w) for v, w in zip((noisy_pair.src, noisy_pair.trg), maps, strict=True))
    rows = np.column_stack([np.zeros(150, dtype=int), np.arange(150)])  # word 0 has 150 translations
    negatives = mine(x, z, rows, replace(SMALL, n_negatives=50))
    assert set(negatives.links.columns) == set(range(150, 200)) and not negatives.is_known.any()
    few = mine(x, z, rows, replace(SMALL, n_negatives=60))  # only 50 are left
    assert (~few.is_known).sum() == 50


def test_all_candidates_known(noisy_pair):
    """No negative at all: no loss and no gradient, and nothing is not finite."""
    rows = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    problem = problem_of(noisy_pair, rows, replace(SMALL, max_neg=2), random_maps(12))
    loss, *gradients = loss_and_gradients(problem, random_maps(12))
    assert loss == 0 and not np.any(gradients)


def test_hidden_rotation_is_recovered(rotated_pair):
    seed = Lexicon(rotated_pair.lexicon.pairs[:60])
    mapping = fit(rotated_pair.src, rotated_pair.trg, seed)
    assert p_at_1(mapping, rotated_pair) == 100
    assert mapping.about["augmented"] == [240]


def test_finds_more_than_the_first_maps():
    """The two sides share 8 of 24 dimensions, among 8 of the loudest and 8 of the rest that only confuse."""
    rng = np.random.default_rng(0)
    scales = np.repeat([1.0, 2.0, 0.5], 8)
    src, trg = rng.normal(size=(2, 800, 24)) * scales
    trg[:, :8] = src[:, :8] + 0.4 * rng.normal(size=(800, 8))
    words = [[f"{side}{i}" for i in range(800)] for side in "st"]
    spaces = [WordVectors(names, side.astype(np.float32)) for names, side in zip(words, (src, trg), strict=True)]
    pair = replace(make_pair(), src=spaces[0], trg=spaces[1], lexicon=Lexicon(list(zip(*words, strict=True))))
    seed = Lexicon(pair.lexicon.pairs[:400])
    before = p_at_1(fit(pair.src, pair.trg, seed, ContrastiveSettings(iterations=0, rounds=0)), pair)
    after = p_at_1(fit(pair.src, pair.trg, seed, ContrastiveSettings(rounds=0)), pair)
    assert after > before + 3


def test_loss_falls(noisy_pair):
    settings = ContrastiveSettings(iterations=30, rounds=0, mine_every=30, n_negatives=20)
    mapping = fit(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon, settings)
    losses = mapping.about["loss"]
    assert len(losses) == 30 == mapping.about["iterations"]
    assert all(after < before for before, after in zip(losses, losses[1:], strict=False))


def test_no_iterations_leave_the_first_maps(noisy_pair):
    settings = ContrastiveSettings(iterations=0, rounds=0)
    mapping = fit(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon, settings)
    rows = np.column_stack([np.arange(200)] * 2)
    src, trg = normalize(noisy_pair.src).matrix, normalize(noisy_pair.trg).matrix
    for found, expected in zip((mapping.src_weight, mapping.trg_weight),
                               first_maps(src, trg, Pairs(rows, np.ones(200)), settings), strict=True):  # fmt: skip
        np.testing.assert_array_equal(found, expected)


def test_first_maps_without_weighing_are_a_rotation_between_the_sides(rotated_pair):
    """No noise: whitening and colouring give the hidden rotation, whatever the power, up to a common map."""
    src, trg = normalize(rotated_pair.src).matrix, normalize(rotated_pair.trg).matrix
    rows = np.column_stack([np.arange(100)] * 2)
    one, other = first_maps(src, trg, Pairs(rows, np.ones(100)), ContrastiveSettings(reweight=0))
    np.testing.assert_allclose(one @ other.T, rotated_pair.rotation, atol=1e-3)
    np.testing.assert_allclose(other @ other.T, np.eye(20), atol=1e-4)


def test_seed_weights():
    found = seed_weights(np.array([[0, 0], [0, 1], [2, 1], [3, 3]]))
    np.testing.assert_allclose(found, [1 / np.sqrt(2), 1 / 2, 1 / np.sqrt(2), 1])


def test_augment_adds_mutual_neighbours_beside_the_lexicon(rotated_pair):
    src, trg = normalize(rotated_pair.src).matrix, normalize(rotated_pair.trg).matrix
    pairs = Pairs(np.array([[0, 0], [1, 2]]), np.ones(2))
    maps = rotated_pair.rotation.astype(np.float32), np.eye(20, dtype=np.float32)
    more = augment(src, trg, pairs, maps, ContrastiveSettings(max_augmented=50, augmented_weight=0.25))
    assert more.rows.tolist() == [[0, 0], [1, 2], *([i, i] for i in range(3, 50))]
    assert more.weights.tolist() == [1, 1, *[0.25] * 47]


def test_adam_equals_torch():
    rng = np.random.default_rng(0)
    weights = tuple(rng.normal(size=(2, 3, 3)).astype(np.float32))
    theirs = [torch.from_numpy(weight.copy()).requires_grad_() for weight in weights]
    optimizer, ours = torch.optim.Adam(theirs, lr=0.01, betas=(0.9, 0.99)), Adam(0.01)
    for _ in range(5):
        gradients = tuple(rng.normal(size=(2, 3, 3)).astype(np.float32))
        weights = ours.step(weights, gradients)
        for single, gradient in zip(theirs, gradients, strict=True):
            single.grad = torch.from_numpy(gradient)
        optimizer.step()
    for found, single in zip(weights, theirs, strict=True):
        np.testing.assert_allclose(found, single.detach().numpy(), atol=1e-5)


def test_two_runs_agree_bit_for_bit(noisy_pair):
    one, other = (fit(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon, SMALL) for _ in range(2))
    np.testing.assert_array_equal(one.src_weight, other.src_weight)
    np.testing.assert_array_equal(one.trg_weight, other.trg_weight)
    assert one.about["loss"] == other.about["loss"]


def test_pairs_beyond_the_candidates_take_part(noisy_pair):
    """Rare words that are no candidates for negatives are tuned for all the same."""
    rows = np.array([[150, 160], [170, 199], [3, 3]])
    matrix, found = contrastive._taking_part(np.arange(200.0)[:, None], rows[:, 1], 10)
    assert matrix[:, 0].tolist() == [*range(10), 160, 199]
    assert matrix[found, 0].tolist() == [160, 199, 3]
    mapping = fit(noisy_pair.src, noisy_pair.trg, Lexicon(noisy_pair.lexicon.pairs[150:]), replace(SMALL, max_neg=10))
    assert np.isfinite(mapping.about["loss"]).all()


@pytest.mark.parametrize("n_pairs", [1, 11, 23, 25])
def test_few_pairs(noisy_pair, n_pairs):
    mapping = fit(noisy_pair.src, noisy_pair.trg, Lexicon(noisy_pair.lexicon.pairs[:n_pairs]), SMALL)
    assert np.isfinite(mapping.src_weight).all() and np.isfinite(mapping.trg_weight).all()
    assert mapping.about["covered"] == n_pairs


def test_zero_vectors_and_fewer_words_than_negatives():
    pair = make_pair(n_words=9, dim=4, noise=0.5)
    zeros = WordVectors(pair.src.words, np.where(np.arange(9)[:, None] == 2, 0, pair.src.matrix))
    for n_pairs in (3, 9):
        mapping = fit(zeros, pair.trg, Lexicon(pair.lexicon.pairs[:n_pairs]), ContrastiveSettings(steps=("unit",)))
        assert np.isfinite(mapping.src_weight).all() and np.isfinite(mapping.about["loss"]).all()


def test_refusals(rotated_pair):
    narrow = WordVectors(rotated_pair.trg.words, rotated_pair.trg.matrix[:, :19])
    with pytest.raises(InputError, match="dim 20, target vectors 19: the contrastive method needs one dim"):
        fit(rotated_pair.src, narrow, rotated_pair.lexicon)
    with pytest.raises(InputError, match="none of its 1 pairs"):
        fit(rotated_pair.src, rotated_pair.trg, Lexicon([("t0", "s0")]))


@pytest.mark.parametrize("wrong", [
    {"temperature": 0.0}, {"n_negatives": 0}, {"max_neg": 0}, {"iterations": -1},
    {"first_iterations": -1}, {"learning_rate": float("inf")},
    {"mine_every": 0}, {"rounds": -1}, {"max_augmented": 0}, {"augmented_weight": -0.1}, {"reweight": float("nan")},
])  # fmt: skip
def test_wrong_settings(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        ContrastiveSettings(**wrong)
