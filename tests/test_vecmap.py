from __future__ import annotations

import numpy as np
import pytest
from test_self_learning import hidden, matrices
from test_whitening import dot_products, multi_step_slowly

from xlembed import bli
from xlembed.alignment.base import load_mapping, save_mapping
from xlembed.alignment.confidence import Spaces, confidence
from xlembed.alignment.self_learning import SelfLearning
from xlembed.alignment.vecmap import VecMapSettings, fit
from xlembed.alignment.whitening import MultiStep
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon, identical_strings, read_lexicon
from xlembed.vectors import WordVectors, read_vectors

QUICK = {"interval": 4, "seed": 1}


def p_at_1(mapping, pair):
    return bli.evaluate(mapping.map_src(pair.src), mapping.map_trg(pair.trg), pair.lexicon).scores["P@1"]


def first(pair, n):
    return Lexicon(pair.lexicon.pairs[:n], "some")


def with_shared_words(pair, n):
    """The n first source words get the names of their translations."""
    words = [word.replace("s", "t") if row < n else word for row, word in enumerate(pair.src.words)]
    return WordVectors(words, pair.src.matrix)


def narrowed(vectors, dim):
    return WordVectors(vectors.words, vectors.matrix[:, :dim])


# ---- supervised


@pytest.mark.parametrize(("settings", "steps"), [
    ({}, MultiStep()),
    ({"whiten": False, "src_reweight": 0, "trg_reweight": 1}, MultiStep(False, 0, 1, None, None)),
    ({"src_dewhiten": "trg", "trg_dewhiten": "none", "dim": 5}, MultiStep(True, 0.5, 0.5, "trg", None, 5)),
    ({"src_dewhiten": "none", "trg_dewhiten": "src", "src_reweight": 1}, MultiStep(True, 1, 0.5, None, "src")),
])  # fmt: skip
def test_supervised_is_the_multi_step_mapping_of_the_pairs(settings, steps):
    pair = hidden(200, noise=0.3)
    mapping = fit(pair.src, pair.trg, first(pair, 100), VecMapSettings(**settings))
    src, trg = (side.astype(np.float64) for side in matrices(pair))
    slow = multi_step_slowly(src[:100], trg[pair.order[:100]], steps)
    fast = mapping.map_src(pair.src).matrix[:100], mapping.map_trg(pair.trg).matrix[pair.order[:100]]
    np.testing.assert_allclose(dot_products(*fast), dot_products(*slow), rtol=1e-3, atol=1e-4)


def test_supervised_finds_a_hidden_rotation():
    pair = hidden(500, noise=0.1)
    mapping = fit(pair.src, pair.trg, first(pair, 100))
    seconds = mapping.about.pop("seconds")
    assert mapping.about == {"method": "vecmap", "lexicon": "some", "pairs": 100, "covered": 100, "dim": 12,
                             "whitened": True}  # fmt: skip
    assert seconds >= 0 and p_at_1(mapping, pair) > 98


def test_word_order_and_repeated_pairs_do_not_matter():
    pair = hidden(200, noise=0.3)
    shuffled = Lexicon(first(pair, 100).pairs[::-1] * 2, "some")
    one, other = (fit(pair.src, pair.trg, lexicon) for lexicon in (first(pair, 100), shuffled))
    np.testing.assert_allclose(p_at_1(one, pair), p_at_1(other, pair))
    found, expected = (dot_products(m.map_src(pair.src).matrix, m.map_trg(pair.trg).matrix) for m in (other, one))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(("src_dim", "trg_dim"), [(12, 8), (8, 12)])
def test_supervised_with_other_dims(src_dim, trg_dim):
    """The common space has the smaller dim; the side that lost some of its dimensions still finds most words."""
    pair = hidden(500)
    src, trg = narrowed(pair.src, src_dim), pair.trg
    turned, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(12, trg_dim)))
    trg = trg.transformed(lambda matrix: (matrix @ turned).astype(np.float32))
    mapping = fit(src, trg, first(pair, 200))
    assert mapping.src_weight.shape == (src_dim, 8) and mapping.trg_weight.shape == (trg_dim, 8)
    assert mapping.about["whitened"] and mapping.about["dim"] == 8
    found = bli.evaluate(mapping.map_src(src), mapping.map_trg(trg), pair.lexicon)
    assert found.scores["P@10"] > 70


@pytest.mark.parametrize(("n_pairs", "whitened"), [(1, False), (11, False), (40, True)])
def test_too_few_pairs_are_not_whitened_by(n_pairs, whitened):
    pair = hidden(200)
    mapping = fit(pair.src, pair.trg, first(pair, n_pairs))
    assert mapping.about["whitened"] is whitened
    assert np.isfinite(mapping.src_weight).all() and np.isfinite(mapping.trg_weight).all()
    assert fit(pair.src, pair.trg, first(pair, n_pairs), VecMapSettings(whiten=False)).about["whitened"] is False


def test_without_whitening_as_if_it_were_not_asked_for():
    pair = hidden(200)
    asked, not_asked = (fit(pair.src, pair.trg, first(pair, 5), VecMapSettings(whiten=w)) for w in (True, False))
    np.testing.assert_array_equal(asked.src_weight, not_asked.src_weight)
    np.testing.assert_array_equal(asked.trg_weight, not_asked.trg_weight)


# ---- self-learning


def test_semi_learns_from_a_few_pairs():
    pair = hidden(500, noise=0.3, seed=2)
    mapping = fit(pair.src, pair.trg, first(pair, 8), VecMapSettings("semi", **QUICK))
    assert p_at_1(fit(pair.src, pair.trg, first(pair, 8)), pair) < 90 < 98 < p_at_1(mapping, pair)
    about = mapping.about
    assert (about["method"], about["lexicon"], about["covered"]) == ("vecmap-semi", "some", 8)
    assert about["converged"] and about["whitened"] and about["iterations"] > 25 and about["objective"] > 0.98


@pytest.mark.parametrize("whiten", [True, False])
def test_semi_from_words_that_both_sides_have(whiten):
    pair = hidden(500, noise=0.3)
    src = with_shared_words(pair, 10)
    seed = identical_strings(src, pair.trg)
    assert len(seed) == 10
    mapping = fit(src, pair.trg, seed, VecMapSettings("semi", whiten, **QUICK))
    renamed = Lexicon(list(zip(src.words, [trg for _, trg in pair.lexicon.pairs], strict=True)))
    assert bli.evaluate(mapping.map_src(src), mapping.map_trg(pair.trg), renamed).scores["P@1"] > 95
    assert mapping.about["lexicon"] == "identical strings" and mapping.about["whitened"] is whiten


@pytest.mark.parametrize(("n_words", "dim", "settings"), [
    (500, 12, {}), (1000, 20, {"init_words": 400}), (500, 12, {"csls_k": 0, "direction": "forward"}),
])  # fmt: skip
def test_unsupervised_needs_no_pair(n_words, dim, settings):
    pair = hidden(n_words, dim, noise=0.02)
    mapping = fit(pair.src, pair.trg, None, VecMapSettings("unsupervised", **QUICK, **settings))
    assert p_at_1(mapping, pair) > 98
    about = mapping.about
    assert about["method"] == "vecmap-unsupervised" and about["converged"] and "lexicon" not in about
    spaces = Spaces(*matrices(pair), mapping.map_src(pair.src).matrix, mapping.map_trg(pair.trg).matrix)
    own = confidence(spaces, pair.src.words, pair.trg.words, QUICK["seed"])
    assert own.items() <= about.items() and not own["collapsed"]


def test_unsupervised_ignores_the_lexicon():
    pair = hidden(200, noise=0.02)
    settings = VecMapSettings("unsupervised", max_iterations=5)
    one = fit(pair.src, pair.trg, None, settings)
    other = fit(pair.src, pair.trg, Lexicon([("s0", "t1"), ("no", "word")]), settings)
    np.testing.assert_array_equal(one.src_weight, other.src_weight)
    assert not one.about["converged"] and one.about["iterations"] == 5 and one.about["seed"] == 0


def test_learning_is_of_the_words_before_the_cutoff():
    """The others, here without any translation, do not count; the seed's own words may be among them."""
    pair = hidden(500, noise=0.02)
    trg = pair.trg.matrix[pair.order]  # s7 beside t7
    trg[300:480] = np.random.default_rng(0).normal(size=(180, 12))
    in_order = WordVectors([f"t{i}" for i in range(500)], trg)
    settings = VecMapSettings("semi", cutoff=300, **QUICK)
    mapping = fit(pair.src, in_order, Lexicon(pair.lexicon.pairs[480:]), settings)
    found = bli.evaluate(mapping.map_src(pair.src), mapping.map_trg(in_order), first(pair, 300))
    assert found.scores["P@1"] > 95 and mapping.about["objective"] > 0.98


def test_settings_reach_self_learning():
    settings = VecMapSettings(csls_k=5, direction="forward", keep_prob=0.2, keep_growth=3, interval=7, threshold=0.01,
                              max_iterations=9, first_cutoff=None)  # fmt: skip
    assert settings.self_learning() == SelfLearning(5, "forward", 0.2, 3, 7, 0.01, 9, None)
    assert VecMapSettings(interval=50, first_cutoff=None, threshold=1e-6).self_learning() == SelfLearning()


def test_learning_is_determined_by_the_seed():
    pair = hidden(200, noise=0.5)

    def weight(seed):
        settings = VecMapSettings("semi", max_iterations=6, seed=seed)
        return fit(pair.src, pair.trg, first(pair, 5), settings).src_weight

    np.testing.assert_array_equal(weight(1), weight(1))
    assert np.abs(weight(1) - weight(2)).max() > 1e-4


# ---- files and failures


@pytest.mark.parametrize("mode", ["supervised", "unsupervised"])
def test_saved_and_loaded_it_maps_alike(tmp_path, mode):
    pair = hidden(100, noise=0.1)
    mapping = fit(pair.src, pair.trg, pair.lexicon, VecMapSettings(mode, dim=9, max_iterations=3))
    save_mapping(tmp_path, mapping)
    loaded = load_mapping(tmp_path)
    assert (loaded.about, loaded.steps) == (mapping.about, mapping.steps)
    np.testing.assert_array_equal(loaded.map_src(pair.src).matrix, mapping.map_src(pair.src).matrix)
    np.testing.assert_array_equal(loaded.map_trg(pair.trg).matrix, mapping.map_trg(pair.trg).matrix)
    assert loaded.map_trg(pair.trg).dim == 9


@pytest.mark.parametrize("mode", ["semi", "unsupervised"])
def test_self_learning_needs_one_dim(mode):
    pair = hidden(50)
    with pytest.raises(InputError, match="dim 12, target vectors 11: self-learning needs one dim"):
        fit(pair.src, narrowed(pair.trg, 11), pair.lexicon, VecMapSettings(mode))


@pytest.mark.parametrize("mode", ["supervised", "semi"])
def test_lexicon_is_needed(mode):
    pair = hidden(50)
    with pytest.raises(InputError, match=f"mode {mode} needs a lexicon"):
        fit(pair.src, pair.trg, None, VecMapSettings(mode))
    with pytest.raises(InputError, match="none of its 1 pairs"):
        fit(pair.src, pair.trg, Lexicon([("t0", "s0")]), VecMapSettings(mode))


def test_dim_is_more_than_the_vectors_have():
    pair = hidden(50)
    with pytest.raises(InputError, match="dim 12 is more than the vectors have: 12 and 11"):
        fit(pair.src, narrowed(pair.trg, 11), pair.lexicon, VecMapSettings(dim=12))


@pytest.mark.parametrize("wrong", [
    {"mode": "identical"}, {"direction": "mutual"}, {"src_dewhiten": "both"}, {"trg_dewhiten": None},
    {"seed": -1}, {"cutoff": 0}, {"init_words": 0}, {"interval": 0}, {"max_iterations": 0}, {"dim": 0}, {"csls_k": -1},
    {"src_reweight": -0.5}, {"trg_reweight": float("nan")}, {"threshold": float("inf")}, {"keep_prob": 0.0},
    {"keep_prob": 1.1}, {"keep_prob": float("nan")}, {"keep_growth": 1.0}, {"keep_growth": float("inf")},
])  # fmt: skip
def test_wrong_settings(wrong):
    with pytest.raises(InputError, match=f"^{next(iter(wrong))} is "):
        VecMapSettings(**wrong)


def test_unknown_step():
    pair = hidden(50)
    with pytest.raises(InputError, match="unknown normalisation step 'whiten'"):
        fit(pair.src, pair.trg, pair.lexicon, VecMapSettings(steps=("unit", "whiten")))


# ---- real data


@pytest.mark.slow
@pytest.mark.parametrize(("trg_language", "expected"), [("de", 18.78), ("fr", 29.18)])
def test_muse_as_the_peer_has_it(shared_data, trg_language, expected):
    """P@1 by CSLS of the authors' program on these vectors, with the same 5,000 words."""
    src, trg = (read_vectors(shared_data / "vectors" / f"mix.{lang}.vec.gz") for lang in ("en", trg_language))
    pair = f"en-{trg_language}"
    train, test = (read_lexicon(shared_data / "bli" / "muse" / pair / f"{pair}.{part}.txt")
                   for part in ("0-5000", "5000-6500"))  # fmt: skip
    mapping = fit(src, trg, train)
    found = bli.evaluate(mapping.map_src(src), mapping.map_trg(trg), test)
    assert found.scores["P@1"] == pytest.approx(expected, abs=0.3)
