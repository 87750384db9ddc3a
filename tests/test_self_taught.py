import numpy as np
import pytest
from test_self_learning import hidden

from xlembed import bli
from xlembed.alignment import self_taught
from xlembed.alignment.contrastive import ContrastiveSettings
from xlembed.alignment.refinement import RefinementSettings
from xlembed.alignment.self_taught import SelfTaughtSettings, fit
from xlembed.alignment.vecmap import VecMapSettings
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon


def p_at_1(mapping, pair):
    return bli.evaluate(mapping.map_src(pair.src), mapping.map_trg(pair.trg), pair.lexicon).scores["P@1"]


def test_a_few_pairs_are_enough():
    pair = hidden(500, noise=0.1)
    mapping = fit(pair.src, pair.trg, Lexicon(pair.lexicon.pairs[:12], "few"))
    about = mapping.about
    assert p_at_1(mapping, pair) > 95
    assert (about["method"], about["first"]) == ("self-taught", "refine")
    assert (about["lexicon"], about["covered"]) == ("few", 12)
    assert 12 + about["induced"] <= 500 and about["induced"] > 400
    assert "collapsed" not in about  # a lexicon was given


def test_nothing_is_enough_and_a_lexicon_is_not_looked_at():
    pair = hidden(400, 15, noise=0.05)
    settings = SelfTaughtSettings("unsupervised")
    mapping = fit(pair.src, pair.trg, None, settings)
    misled = fit(pair.src, pair.trg, Lexicon([("s0", "t1")]), settings)
    assert p_at_1(mapping, pair) > 95 and mapping.about["collapsed"] is False
    assert mapping.about["method"] == "self-taught-unsupervised" and "lexicon" not in mapping.about
    np.testing.assert_array_equal(mapping.src_weight, misled.src_weight)


def test_pairs_of_the_lexicon_stay_and_induced_ones_avoid_their_words(monkeypatch):
    """The second step gets every pair of the lexicon, wrong ones too, and no other pair of their words."""
    pair = hidden(200, noise=0.05)
    given = Lexicon([*pair.lexicon.pairs[:30], ("s100", "t101")])
    seen = []
    second = self_taught.contrastive.fit
    monkeypatch.setattr(self_taught.contrastive, "fit", lambda *args: seen.append(args[2]) or second(*args))
    fit(pair.src, pair.trg, given)
    pairs = seen[0].pairs
    assert pairs[:31] == given.pairs
    assert not {"s100", *(src for src, _ in given.pairs)} & {src for src, _ in pairs[31:]}
    assert not {trg for _, trg in given.pairs} & {trg for _, trg in pairs[31:]}


def test_settings_reach_all_steps():
    settings = SelfTaughtSettings(words=90, refinement_rounds=2, cutoff=77, keep_prob=0.5, seed=3, temperature=0.2,
                                  n_negatives=9, steps=("unit",))  # fmt: skip
    assert settings.refinement() == RefinementSettings(2, 90, steps=("unit",))
    assert settings.self_learning() == VecMapSettings("unsupervised", cutoff=77, keep_prob=0.5, seed=3, steps=("unit",))
    assert settings.contrastive() == ContrastiveSettings(0.2, 9, steps=("unit",))


def test_refusals():
    pair = hidden(50)
    with pytest.raises(InputError, match="mode supervised needs a lexicon"):
        fit(pair.src, pair.trg, None)
    with pytest.raises(InputError, match="none of its 1 pairs"):
        fit(pair.src, pair.trg, Lexicon([("x", "y")]))
    for name, value in {"words": 0, "keep_prob": 2.0, "temperature": 0.0, "mode": "all", "cutoff": 0}.items():
        with pytest.raises(InputError, match=f"{name} is {value!r}"):
            SelfTaughtSettings(**{name: value})
