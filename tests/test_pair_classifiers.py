"""What every classifier of sentence pairs must do, whatever is inside."""

import numpy as np
import pytest
import torch
from toy_pairs import ENGLISH, GERMAN, ODD, english, german

from baselines.corpora import NLI_LABELS, SentencePair
from baselines.features import word_features
from baselines.metrics import dev_scorer
from baselines.models import CLASSIFIERS, model_type
from baselines.saving import load_static, save_static
from xlembed.errors import InputError
from xlembed.vectors import WordVectors

SMALL = {"hidden": 12, "batch_size": 16, "max_epochs": 2, "patience": 2, "lr": 1e-2, "dropout": 0.1}
EXTRA = {"attention": {"projection": 8}, "bilstm-max": {"projection": 8, "units": 6}}
READING = [one.name for one in CLASSIFIERS if one.name != "hypothesis-only"]


def train(name, seed=1, **given):
    kind = model_type("nli", name)
    settings = kind.settings(**SMALL | EXTRA.get(name, {}) | given)
    return kind.train(english(60), english(9), ENGLISH, dev_scorer("nli"), settings, seed)


@pytest.fixture(scope="module", params=[one.name for one in CLASSIFIERS])
def named(request):
    return request.param, train(request.param)


def test_learns_and_reads_another_language(named):
    _, classifier = named
    gold = [pair.label for pair in english(24)]
    assert classifier.predict(english(24), ENGLISH) == gold
    assert classifier.predict(german(english(24)), GERMAN) == gold
    assert classifier.curve.dev[classifier.curve.best_epoch - 1] == 100
    assert classifier.n_parameters > 0


def test_predictions_do_not_depend_on_the_batch(named):
    _, classifier = named
    pairs = [*english(9), *ODD, SentencePair("film " * 60 + "bad", "not good " * 20)]
    together = classifier.predict(pairs, ENGLISH)
    assert together == [classifier.predict([pair], ENGLISH)[0] for pair in pairs]
    assert together == classifier.predict(pairs[::-1], ENGLISH)[::-1]
    assert set(together) <= set(NLI_LABELS)


def test_nothing_to_predict(named):
    assert named[1].predict([], ENGLISH) == []


def test_saved_and_loaded_is_the_same(named, tmp_path):
    name, classifier = named
    save_static(tmp_path, "nli", name, classifier)
    loaded = load_static(tmp_path, "nli")
    assert loaded.curve == classifier.curve and loaded.settings == classifier.settings
    assert loaded.predict([*english(9), *ODD], ENGLISH) == classifier.predict([*english(9), *ODD], ENGLISH)
    before, after = classifier.state(), loaded.state()
    assert before[1] == after[1] and before[0].keys() == after[0].keys()
    assert all(torch.equal(before[0][key], after[0][key]) for key in before[0])
    assert all(value.is_contiguous() for value in before[0].values())


def test_same_seed_same_weights(named, monkeypatch):
    name, _ = named
    monkeypatch.setattr("baselines.training.MIN_UPDATES", 3)
    first, second, other = (train(name, seed, max_epochs=1).state()[0] for seed in (3, 3, 4))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_other_dims_are_refused(named):
    other = word_features(WordVectors(["film"], np.ones((1, 3), dtype=np.float32)))
    with pytest.raises(InputError, match="dim 14, the classifier was trained on 19"):
        named[1].predict(english(3), other)


def test_training_needs_gold(named):
    kind = model_type("nli", named[0])
    with pytest.raises(InputError, match="dev data: no gold labels"):
        kind.train(english(3), [SentencePair("a", "b")], ENGLISH, dev_scorer("nli"), kind.settings(), 1)
    with pytest.raises(InputError, match="training data: no gold labels"):
        kind.train([SentencePair("a", "b")], english(3), ENGLISH, dev_scorer("nli"), kind.settings(), 1)


def test_trains_on_odd_texts(named):
    name, _ = named
    kind = model_type("nli", name)
    odd = [SentencePair(pair.premise, pair.hypothesis, "neutral") for pair in ODD]
    settings = kind.settings(**SMALL | EXTRA.get(name, {}) | {"max_epochs": 1})
    classifier = kind.train(odd, odd, ENGLISH, dev_scorer("nli"), settings, 1)
    assert all(torch.isfinite(value).all() for value in classifier.state()[0].values())


def test_hypothesis_only_reads_no_premise():
    classifier = train("hypothesis-only")
    pairs = english(12)
    others = [SentencePair("not maybe xyzzy", pair.hypothesis) for pair in pairs]
    assert classifier.predict(pairs, ENGLISH) == classifier.predict(others, ENGLISH)
