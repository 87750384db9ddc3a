import numpy as np
import pytest
import torch

from baselines.corpora import LabelledText
from baselines.features import word_features
from baselines.metrics import dev_scorer
from baselines.models import model_type
from baselines.pair_words import numbered_texts
from baselines.saving import load_static, save_static
from baselines.settings import TextSettings
from baselines.text_classifier import text_inputs, train
from xlembed.errors import InputError
from xlembed.vectors import WordVectors

MATRIX = np.eye(5, dtype=np.float32)
ENGLISH = word_features(WordVectors(["the", "river", "goal", "bank", "match"], MATRIX))
GERMAN = word_features(WordVectors(["der", "fluss", "tor", "bank", "spiel"], MATRIX))
SETTINGS = TextSettings(hidden=8, batch_size=16, max_epochs=10, lr=1e-2, dropout=0.1)
TRAIN = [LabelledText("the river " * n + "the bank", "z nature") for n in range(1, 9)] + [
    LabelledText("The match , the goal " * n, "a sport") for n in range(1, 9)
]
GERMAN_TEXTS = [LabelledText("Der Fluss"), LabelledText("Das Spiel !"), LabelledText("Tor")]


def trained(seed=1, **given):
    settings = TextSettings(**{**vars(SETTINGS), **given})
    return train(TRAIN, TRAIN[::2], ENGLISH, dev_scorer("topic"), settings, seed)


@pytest.mark.parametrize("weighting", ["mean", "sif", "idf"])
def test_learns_and_reads_another_language(weighting):
    classifier = trained(weighting=weighting)
    assert classifier.labels == ["a sport", "z nature"]
    assert classifier.predict(TRAIN, ENGLISH) == [text.label for text in TRAIN]
    assert classifier.predict(GERMAN_TEXTS, GERMAN) == ["z nature", "a sport", "a sport"]


def test_predictions_do_not_depend_on_the_batch():
    classifier = trained()
    texts = [*TRAIN, LabelledText("?"), LabelledText("xyzzy"), LabelledText("river " * 500)]
    assert classifier.predict(texts, ENGLISH) == [classifier.predict([text], ENGLISH)[0] for text in texts]
    assert classifier.predict([], ENGLISH) == []


def test_saved_and_loaded_is_the_same(tmp_path):
    classifier = trained(weighting="sif")
    save_static(tmp_path, "topic", "mean-text", classifier)
    loaded = load_static(tmp_path, "topic")
    before, after = classifier.state(), loaded.state()
    assert before[1] == after[1] and all(torch.equal(before[0][key], after[0][key]) for key in before[0])
    assert loaded.predict(TRAIN, ENGLISH) == classifier.predict(TRAIN, ENGLISH)


def test_same_seed_same_weights():
    first, second, other = (trained(seed, max_epochs=1).state()[0] for seed in (3, 3, 4))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_inputs_by_hand():
    numbered = numbered_texts(["river xyzzy River goal", "?"], ENGLISH)
    inputs = text_inputs(*numbered, "mean", torch.zeros(5))
    assert np.allclose(inputs, [[0, 2 / 3, 1 / 3, 0, 0], [0] * 5])


def test_other_dims_are_refused_and_gold_is_needed():
    other = word_features(WordVectors(["river"], np.ones((1, 3), dtype=np.float32)))
    with pytest.raises(InputError, match="the classifier was trained on 16"):
        trained(max_epochs=1).predict(TRAIN, other)
    with pytest.raises(InputError, match="dev data: no gold labels"):
        train(TRAIN, GERMAN_TEXTS, ENGLISH, dev_scorer("topic"), SETTINGS)


def test_it_is_the_default_for_topics():
    assert model_type("topic").name == "mean-text"
