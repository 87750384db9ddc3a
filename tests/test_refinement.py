import numpy as np
import pytest
from scipy.stats import ortho_group

from xlembed.alignment import refinement
from xlembed.alignment.procrustes import fit as procrustes
from xlembed.alignment.refinement import ProcBSettings, RefinementSettings, fit, fit_proc_b
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon
from xlembed.vectors import WordVectors


def spaces(n=1500, dim=20, noise=0.25, seed=0):
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, dim)) * np.linspace(2, 0.4, dim)
    turned = hidden @ ortho_group.rvs(dim, random_state=1) + noise * rng.normal(size=(n, dim))
    return (WordVectors([f"s{i}" for i in range(n)], hidden.astype(np.float32)),
            WordVectors([f"t{i}" for i in range(n)], turned.astype(np.float32)))  # fmt: skip


def lexicon(n):
    return Lexicon([(f"s{i}", f"t{i}") for i in range(n)])


def right(mapping, src, trg):
    one, other = mapping.map_src(src).matrix, mapping.map_trg(trg).matrix
    return ((one @ other.T).argmax(axis=1) == np.arange(len(src))).mean()


@pytest.mark.parametrize("method", [fit, fit_proc_b])
def test_a_small_lexicon_is_helped(method):
    src, trg = spaces(noise=0.5)
    start = right(procrustes(src, trg, lexicon(25)), src, trg)
    mapping = method(src, trg, lexicon(25))
    assert start < 0.9 and right(mapping, src, trg) > start + 0.05
    np.testing.assert_allclose(mapping.src_weight @ mapping.src_weight.T, np.eye(20), atol=1e-5)
    assert mapping.about["covered"] == 25


def test_refinement_is_its_plain_loop(monkeypatch):
    """Two rounds, with neighbours from the whole table of CSLS."""
    import reference

    from xlembed.alignment.procrustes import rotation
    from xlembed.normalize import UNIT_CENTER_UNIT, normalize, unit

    src, trg = spaces(n=120, dim=8)
    one, other = normalize(src, UNIT_CENTER_UNIT).matrix, normalize(trg, UNIT_CENTER_UNIT).matrix
    weights, values = [rotation(one[:12], other[:12])], []
    for _ in range(3):
        top_src, top_trg = unit(one[:100] @ weights[-1]), unit(other[:100])
        table = reference.csls(top_src, top_trg)
        ahead, back = table.argmax(axis=1), table.argmax(axis=0)
        values.append(np.mean([top_src[i] @ top_trg[ahead[i]] for i in range(80)]))
        pairs = [(i, ahead[i]) for i in range(100) if back[ahead[i]] == i]
        weights.append(rotation(one[[i for i, _ in pairs]], other[[j for _, j in pairs]]))
    mapping = fit(src, trg, lexicon(12), RefinementSettings(rounds=2, words=100, criterion_words=80))
    np.testing.assert_allclose(mapping.about["criterion"], values, atol=1e-5)
    np.testing.assert_allclose(mapping.src_weight, weights[int(np.argmax(values))], atol=1e-4)


def test_the_best_round_is_kept_when_refinement_leads_astray(monkeypatch):
    src, trg = spaces(n=200, dim=6)
    looks = iter([(0.5, np.array([[i, (i * 7) % 200] for i in range(200)])), (0.1, np.empty((0, 2), dtype=int))])
    monkeypatch.setattr(refinement, "_look", lambda *_: next(looks))
    mapping = fit(src, trg, lexicon(50))
    assert mapping.about["round"] == 0 and mapping.about["criterion"] == [0.5, 0.1]
    np.testing.assert_allclose(mapping.src_weight, procrustes(src, trg, lexicon(50)).src_weight, atol=1e-5)


def test_proc_b_keeps_the_seed_and_grows_no_more_than_asked():
    src, trg = spaces()
    wrong = Lexicon([*lexicon(40).pairs, ("s50", "t51")])
    mapping = fit_proc_b(src, trg, wrong, ProcBSettings(rounds=2, growth=3))
    assert mapping.about["pairs_by_round"] == [123, 123]
    unchanged = fit_proc_b(src, trg, wrong, ProcBSettings(growth=1))
    np.testing.assert_allclose(unchanged.src_weight, procrustes(src, trg, wrong).src_weight, atol=1e-6)


@pytest.mark.parametrize("method", [fit, fit_proc_b])
def test_refusals(method):
    src, trg = spaces(n=50, dim=5)
    with pytest.raises(InputError, match="none of its 1 pairs"):
        method(src, trg, Lexicon([("x", "y")]))
    with pytest.raises(InputError, match="one dim is needed"):
        method(src, WordVectors(["t0"], np.ones((1, 3), np.float32)), lexicon(5))
    with pytest.raises(InputError, match="must be at least 1"):
        RefinementSettings(rounds=0)
    with pytest.raises(InputError, match="must be at least 1"):
        ProcBSettings(growth=0.5)
