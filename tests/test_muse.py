from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import make_pair
from scipy.linalg import expm

from xlembed.alignment import muse
from xlembed.alignment.base import LinearMapping
from xlembed.alignment.muse import PAPER, MuseSettings, Rates, fit, train
from xlembed.errors import InputError
from xlembed.vectors import WordVectors

SMALL = MuseSettings(hidden=32, epochs=2, epoch_size=1000, most_frequent=200, criterion_words=100,
                     refinement_rounds=1, restarts=1, device="cpu")  # fmt: skip


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def lopsided(n=2000, dim=10, seed=0):
    """Words spread along axes of falling variance, to one side more than to the other, so that only one rotation takes
    one cloud onto the other; the hidden rotation turns by up to one radian."""
    rng = np.random.default_rng(seed)
    matrix = (rng.exponential(size=(n, dim)) - 1) * np.linspace(2, 0.3, dim)
    turn = rng.normal(size=(dim, dim))
    turn = expm((turn - turn.T) / np.linalg.norm(turn - turn.T, 2))
    turned = matrix @ turn + 0.02 * rng.normal(size=(n, dim))
    return (WordVectors([f"s{i}" for i in range(n)], matrix.astype(np.float32)),
            WordVectors([f"t{i}" for i in range(n)], turned.astype(np.float32)))  # fmt: skip


def share_right(mapping, src, trg):
    one, other = mapping.map_src(src).matrix, mapping.map_trg(trg).matrix
    return ((one @ other.T).argmax(axis=1) == np.arange(len(src))).mean()


def test_hidden_rotation_is_recovered():
    src, trg = lopsided()
    settings = MuseSettings(hidden=64, epochs=5, epoch_size=40_000, criterion_words=1000, refinement_words=2000,
                            refinement_rounds=2, device="cpu")  # fmt: skip
    start = LinearMapping(np.eye(10, dtype=np.float32), np.eye(10, dtype=np.float32))
    mapping = fit(src, trg, None, settings)
    assert share_right(start, src, trg) < 0.2
    assert share_right(mapping, src, trg) > 0.99
    assert max(mapping.about["criterion_by_epoch"]) > 0.98  # before refinement
    np.testing.assert_allclose(mapping.src_weight @ mapping.src_weight.T, np.eye(10), atol=1e-4)
    np.testing.assert_array_equal(mapping.trg_weight, np.eye(10))


def test_what_is_told():
    pair = make_pair(n_words=300, dim=12, noise=0.1)
    about = fit(pair.src, pair.trg, pair.lexicon, SMALL).about
    assert about["method"] == "muse" and about["seed"] == 0 and about["runs"] == 1 and not about["diverged"]
    assert about["epochs"] == len(about["discriminator_accuracy"]) == len(about["criterion_by_epoch"]) - 1 == 2
    assert about["criterion"] == max(about["criterion_by_round"]) and about["seconds"] > 0
    assert isinstance(about["collapsed"], bool)


def test_determined_by_the_seed(one_thread):
    pair = make_pair(n_words=300, dim=12, noise=0.1)

    def weight(seed):
        return train(pair.src.matrix, pair.trg.matrix, replace(SMALL, seed=seed)).weight

    np.testing.assert_array_equal(weight(1), weight(1))
    assert np.abs(weight(1) - weight(2)).max() > 1e-3


def test_only_the_most_frequent_are_sampled():
    """Words behind them may be anything: the game is the same."""
    rng = np.random.default_rng(0)
    src, trg = rng.normal(size=(2, 300, 8)).astype(np.float32)
    spoilt = src.copy()
    spoilt[200:] = np.nan
    expected, found = train(src, trg, SMALL), train(spoilt, trg, SMALL)
    np.testing.assert_array_equal(found.weight, expected.weight)


def test_the_best_epoch_is_kept(monkeypatch):
    seen, values = [], iter([0.1, 0.3, 0.5, 0.2, 0.4])

    def criterion(src, trg, weight, settings):
        seen.append(weight)
        return next(values)

    monkeypatch.setattr(muse, "_criterion", criterion)
    src, trg = np.random.default_rng(0).normal(size=(2, 100, 8)).astype(np.float32)
    trained = train(src, trg, replace(SMALL, epochs=4))
    assert trained.criterion == [0.1, 0.3, 0.5, 0.2, 0.4]
    np.testing.assert_array_equal(trained.weight, seen[2])
    np.testing.assert_array_equal(seen[0], np.eye(8))
    assert np.abs(seen[2] - seen[4]).max() > 0


def test_learning_rates():
    rates, seen = Rates(0.1, 0.2, best=0.5), []
    for criterion in (0.6, 0.5, 0.7, 0.6, 0.6):
        rates.after_epoch(criterion, decay=0.9, shrink=0.5)
        seen.append((rates.dis, rates.map))
    np.testing.assert_allclose([one for one, _ in seen], 0.1 * 0.9 ** np.arange(1, 6))
    np.testing.assert_allclose([one for _, one in seen], 0.2 * 0.9 ** np.arange(1, 6) * [1, 1, 1, 0.5, 0.25])


def test_ends_when_the_rate_is_used_up():
    src, trg = np.random.default_rng(0).normal(size=(2, 100, 8)).astype(np.float32)
    trained = train(src, trg, replace(SMALL, epochs=9, decay=0.1, min_rate=0.04, map_rate=5.0))
    assert len(trained.accuracy) == 3  # 5, 0.5, 0.05


def test_a_game_that_diverges_ends_with_its_best():
    src, trg = np.random.default_rng(0).normal(size=(2, 100, 8)).astype(np.float32)
    trained = train(1e3 * src, 1e3 * trg, replace(SMALL, map_rate=1e6, dis_rate=1e6))
    assert trained.diverged and trained.accuracy == []
    np.testing.assert_array_equal(trained.weight, np.eye(8))


def test_random_start_is_orthogonal():
    start = muse._start(9, replace(SMALL, start="random", seed=5))
    np.testing.assert_allclose(start @ start.T, np.eye(9), atol=1e-5)
    assert np.abs(start - np.eye(9)).max() > 0.5


@pytest.mark.parametrize(("runs", "seed", "n_runs"), [
    ([(0.5, True), (0.4, False), (0.9, False)], 1, 2),  # the first that has not collapsed ends it
    ([(0.3, True), (0.5, True), (0.4, True)], 1, 3),
    ([(0.3, False)], 0, 1),
])  # fmt: skip
def test_restarts(monkeypatch, runs, seed, n_runs):
    """The first that has not collapsed, or the greatest criterion where all have."""

    def once(src, trg, settings, device):
        value, collapsed = runs[settings.seed - 7]
        return LinearMapping(np.eye(3), np.eye(3), (),
                             {"criterion": value, "collapsed": collapsed, "seed": settings.seed})  # fmt: skip

    monkeypatch.setattr(muse, "_fit_once", once)
    pair = make_pair(n_words=20, dim=3)
    about = fit(pair.src, pair.trg, None, replace(SMALL, restarts=3, seed=7)).about
    assert about["runs"] == n_runs
    assert about["seed"] == seed + 7


@pytest.mark.parametrize("n_words", [1, 2, 7, 20])
def test_tiny_vocabularies(n_words):
    pair = make_pair(n_words=n_words, dim=6)
    mapping = fit(pair.src, pair.trg, None, replace(SMALL, epoch_size=100))
    assert np.isfinite(mapping.src_weight).all()


def test_refusals(rotated_pair, monkeypatch):
    narrow = WordVectors(rotated_pair.trg.words, rotated_pair.trg.matrix[:, :19])
    with pytest.raises(InputError, match="dim 20, target vectors 19: MUSE needs one dim"):
        fit(rotated_pair.src, narrow, None, SMALL)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="torch finds no GPU here: set it to auto or cpu"):
        fit(rotated_pair.src, rotated_pair.trg, None, replace(SMALL, device="cuda"))
    assert muse.device_of("auto") == muse.device_of("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert muse.device_of("auto") == muse.device_of("cuda") == "cuda" and muse.device_of("cpu") == "cpu"


@pytest.mark.parametrize("wrong", [
    {"hidden": 0}, {"batch_size": 0}, {"dis_steps": 0}, {"most_frequent": 0}, {"epochs": 0}, {"epoch_size": 0},
    {"criterion_words": 0}, {"refinement_rounds": -1}, {"refinement_words": 0}, {"restarts": 0}, {"seed": -1},
    {"dis_rate": 0.0}, {"map_rate": float("nan")}, {"dis_lambda": -1.0}, {"decay": 0.0}, {"shrink": 1.5},
    {"dropout": 1.0}, {"smoothing": 0.5}, {"beta": -0.1}, {"orthogonalise_every": 0}, {"start": "procrustes"},
    {"device": "gpu"}, {"min_rate": 0.0},
])  # fmt: skip
def test_wrong_settings(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        MuseSettings(**wrong)


def test_too_much_orthogonalisation_at_once():
    with pytest.raises(InputError, match="beta times orthogonalise_every is 1, a number below 0.5"):
        MuseSettings(beta=0.01, orthogonalise_every=100)


def test_the_schedule_of_the_paper():
    rules = PAPER.rules()
    assert (rules.hidden, rules.batch_size, rules.dis_steps, rules.orthogonalise_every) == (2048, 32, 5, 1)
    assert PAPER.epochs * PAPER.epoch_size == 5_000_000
