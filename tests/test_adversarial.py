"""The hand-written steps beside autograd's on the plain module."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from xlembed.alignment.adversarial import Game, Rules, orthogonalise_in_place

RULES = Rules(hidden=7, batch_size=4, dis_steps=3, dis_lambda=1.5, dropout=0.2, smoothing=0.1)


def make_game(rules=RULES, n_src=30, n_trg=20, dim=5, seed=3):
    rng = np.random.default_rng(0)
    weight = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    return Game(rng.normal(size=(n_src, dim)), rng.normal(size=(n_trg, dim)), weight, rules, seed, "cpu")


def plain_module(game):
    """The discriminator as layers of torch, from the logits' input to the probability."""
    own = game.discriminator
    module = nn.Sequential(nn.Linear(own.w1.shape[0], own.w1.shape[1]), nn.LeakyReLU(0.2),
                           nn.Linear(*own.w2.shape), nn.LeakyReLU(0.2), nn.Linear(len(own.w3), 1), nn.Sigmoid(),
                           nn.Flatten(0))  # fmt: skip
    with torch.no_grad():
        for layer, weight, bias in zip((0, 2, 4), (own.w1, own.w2, own.w3[:, None]), (own.b1, own.b2, own.b3),
                                       strict=True):  # fmt: skip
            module[layer].weight.copy_(weight.T)
            module[layer].bias.copy_(bias)
    return module


def parameters(game):
    own = game.discriminator
    return [own.w1.T, own.b1, own.w2.T, own.b2, own.w3[None, :], own.b3]


def test_a_discriminator_step_is_that_of_autograd():
    game = make_game()
    module, draw = plain_module(game), game.draw(1)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.7)
    for step, own_input in enumerate(game.inputs(draw.dis_src[0], draw.dis_trg[0], draw.keep[0])):
        rows = slice(4 * step, 4 * step + 4)
        x = torch.cat([game.src[draw.dis_src[0, rows]] @ game.weight, game.trg[draw.dis_trg[0, rows]]])
        x = x * draw.keep[0, step] / (1 - 0.2)
        labels = torch.tensor([0.9] * 4 + [0.1] * 4)
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy(module(x), labels).backward()
        optimizer.step()
        game.discriminator_step(own_input, 0.7)
        for own, plain in zip(parameters(game), module.parameters(), strict=True):
            np.testing.assert_allclose(own, plain.detach(), atol=1e-6)


def test_a_mapping_step_is_that_of_autograd():
    """The plain loss has the target words in it; they change nothing, and neither does the step the discriminator."""
    game = make_game()
    module, rows, before = plain_module(game), torch.tensor([3, 3, 0, 29]), [p.clone() for p in parameters(game)]
    weight = game.weight.clone().requires_grad_()
    x = torch.cat([game.src[rows] @ weight, game.trg[torch.tensor([1, 2, 3, 19])]])
    loss = 1.5 * nn.functional.binary_cross_entropy(module(x), 1 - torch.tensor([0.9] * 4 + [0.1] * 4))
    loss.backward()
    expected = (weight - 0.7 * weight.grad).detach()
    game.mapping_step(rows, 0.7)
    np.testing.assert_allclose(game.weight, expected, atol=1e-6)
    for own, plain in zip(parameters(game), before, strict=True):
        np.testing.assert_array_equal(own, plain)


def test_a_game_is_its_steps():
    """Draws, steps and orthogonalisation in their order; draws in one go or several differ, so one go is compared."""
    game, other = make_game(), make_game()
    game.play(5, 0.3, 0.2)
    draw = other.draw(5)
    for i in range(5):
        for x in other.inputs(draw.dis_src[i], draw.dis_trg[i], draw.keep[i]):
            other.discriminator_step(x, 0.3)
        other.mapping_step(draw.map_src[i], 0.2)
        orthogonalise_in_place(other.weight, 0.001)
    np.testing.assert_array_equal(game.weight, other.weight)
    np.testing.assert_array_equal(game.discriminator.w2, other.discriminator.w2)


@pytest.mark.parametrize(("every", "n_played", "times"), [(1, 6, 6), (4, 6, 1), (4, 8, 2), (10, 6, 0)])
def test_orthogonalised_now_and_then(monkeypatch, every, n_played, times):
    calls = []
    monkeypatch.setattr("xlembed.alignment.adversarial.orthogonalise_in_place", lambda w, beta: calls.append(beta))
    game = make_game(Rules(hidden=7, batch_size=4, beta=0.01, orthogonalise_every=every))
    game.play(n_played, 0.1, 0.1)
    assert calls == pytest.approx([0.01 * every] * times)


@pytest.mark.parametrize("dim", [6, 300])
def test_an_orthogonalising_step_is_its_formula(dim):
    """A large dim, too: a product that is written over what it reads is right for small matrices alone."""
    weight = np.random.default_rng(0).normal(size=(dim, dim)) / np.sqrt(dim)
    expected = 1.1 * weight - 0.1 * (weight @ weight.T) @ weight
    found = torch.from_numpy(weight.astype(np.float32))
    orthogonalise_in_place(found, 0.1)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_orthogonalisation():
    weight = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32) / 3
    expected = 1.01 * weight - 0.01 * weight @ weight.T @ weight
    one = torch.from_numpy(weight.copy())
    orthogonalise_in_place(one, 0.01)
    np.testing.assert_allclose(one, expected, atol=1e-6)
    for _ in range(3000):
        orthogonalise_in_place(one, 0.01)
    np.testing.assert_allclose(one @ one.T, np.eye(6), atol=1e-4)
    u, _, vt = np.linalg.svd(weight)
    np.testing.assert_allclose(one, u @ vt, atol=1e-3)  # the nearest rotation


def test_draws():
    """All words and no others, dropout at its rate, the seed decides."""
    game = make_game(Rules(hidden=7, batch_size=8, dis_steps=2, dropout=0.25))
    draw = game.draw(100)
    assert draw.dis_src.shape == draw.dis_trg.shape == (100, 16)
    assert draw.map_src.shape == (100, 8) and draw.keep.shape == (100, 2, 16, 5)
    assert set(draw.dis_src.flatten().tolist()) == set(draw.map_src.flatten().tolist()) == set(range(30))
    assert set(draw.dis_trg.flatten().tolist()) == set(range(20))
    assert float(draw.keep.float().mean()) == pytest.approx(0.75, abs=0.02)
    same, other = make_game(game.rules).draw(100), make_game(game.rules, seed=4).draw(100)
    assert torch.equal(same.keep, draw.keep) and torch.equal(same.dis_src, draw.dis_src)
    assert not torch.equal(other.dis_src, draw.dis_src)
    assert bool(make_game(Rules(hidden=7, batch_size=8, dropout=0.0)).draw(3).keep.all())


def test_discriminator_learns_and_its_accuracy_says_so():
    rng = np.random.default_rng(0)
    src, trg = rng.normal(size=(200, 5)) + 1, rng.normal(size=(100, 5)) - 1
    game = Game(src, trg, np.eye(5), Rules(hidden=16, batch_size=16), 0, "cpu")
    for _ in range(10):
        draw = game.draw(8)
        for i in range(8):
            for x in game.inputs(draw.dis_src[i], draw.dis_trg[i], draw.keep[i]):
                game.discriminator_step(x, 0.3)
    assert game.accuracy() > 0.95
    swapped = Game(trg, src, np.eye(5), Rules(hidden=16, batch_size=16), 0, "cpu")
    swapped.discriminator = game.discriminator
    assert swapped.accuracy() < 0.05


def test_words_fewer_than_a_batch_and_progress():
    game, done = make_game(Rules(hidden=3, batch_size=50, dis_steps=2), n_src=1, n_trg=2), []
    game.play(40, 0.1, 0.1, done.append)
    assert sum(done) == 40
    assert bool(torch.isfinite(game.weight).all())
