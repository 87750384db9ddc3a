import numpy as np
import pytest
import torch
from toy_pairs import ENGLISH, ODD, english

from baselines.corpora import SentencePair
from baselines.features import word_features
from baselines.mean_classifier import pair_inputs, train
from baselines.metrics import dev_scorer
from baselines.pair_words import N_FIGURES, batches_by_size, numbered_texts, pairs_of, word_table, zipf
from baselines.sentence_vectors import common_component, weighted_means, without, word_weights
from baselines.settings import MeanSettings
from xlembed.errors import InputError
from xlembed.vectors import WordVectors

FEATURES = word_features(WordVectors(["good", "bad", "maybe", "film"], np.eye(4, dtype=np.float32)))
NOTHING = torch.zeros(4)


def test_inputs_by_hand():
    pairs = pairs_of([SentencePair("Good film !", "film bad unknownword", None)], FEATURES)
    row = pair_inputs(pairs, "mean", NOTHING)[0].numpy()
    u, v = np.array([0.5, 0, 0, 0.5]), np.array([0, 0.5, 0, 0.5])
    good, bad = np.eye(4)[:2]  # what the other sentence does not have
    assert np.allclose(row[:-N_FIGURES], np.concatenate([u, v, abs(u - v), u * v, good, good, bad, bad]))


def test_figures_by_hand():
    pairs = pairs_of([SentencePair("Good film !", "good FILM bad unknownword", None)], FEATURES)
    figures = pairs.figures[0].numpy()
    p = [zipf(np.array([rank]), 4)[0] for rank in (0, 3, 1, 3)]  # unknown words: as the rarest
    weight = -np.log(p)
    left, right = figures[:7], figures[7:14]
    assert np.allclose(left, [1, 1, 1, 1, 1, 1, 0])  # all met, in one run of neighbours
    met = weight[:2].sum() / weight.sum()
    assert np.allclose(right, [0.5, 0, met, 0.5, met, 1 / 3, np.log(3)])
    assert np.allclose(figures[14:16], [np.log(2), 0.5])  # 4 words beside 2
    assert np.isclose(figures[16], 2 / np.sqrt(2 * 3))


def test_one_unknown_word_meets_itself_whatever_its_case():
    pairs = pairs_of([SentencePair("Xyzzy", "xyzzy"), SentencePair("xyzzy", "plugh")], FEATURES)
    assert pairs.figures[:, :5].tolist() == [[1] * 5, [0] * 5]


def test_odd_texts_give_finite_inputs():
    for weighting in ("mean", "sif", "idf"):
        assert torch.isfinite(pair_inputs(pairs_of(ODD, ENGLISH), weighting, torch.zeros(8))).all()


def test_sif_by_hand():
    table = word_table(["film", "good", "xyzzy"], FEATURES)
    harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4
    p_film, p_good = 1 / (4 * harmonic), 1 / harmonic
    weights = word_weights(table, "sif")
    assert np.allclose(weights, [0, 1e-3 / (1e-3 + p_film), 1e-3 / (1e-3 + p_good), 0])
    assert np.allclose(word_weights(table, "idf"), [0, -np.log(p_film), -np.log(p_good), 0])
    mean = weighted_means(table, weights, torch.tensor([[1, 2, 3, 0]]))[0]
    assert np.allclose(mean, [weights[2] / 2, 0, 0, weights[1] / 2])


def test_common_component_is_the_first_singular_vector():
    rng = np.random.default_rng(0)
    means = (rng.normal(size=(50, 6)) + 2).astype(np.float32)
    component = common_component(torch.from_numpy(means)).numpy()
    expected = np.linalg.svd(means, full_matrices=False)[2][0]
    assert np.isclose(abs(component @ expected), 1, atol=1e-5)
    left = without(torch.from_numpy(component), torch.from_numpy(means)).numpy()
    assert np.allclose(left @ expected, 0, atol=1e-4)


def test_sif_keeps_the_component_of_training():
    settings = MeanSettings(hidden=8, max_epochs=1, weighting="sif")
    classifier = train(english(30), english(6), ENGLISH, dev_scorer("nli"), settings)
    assert np.isclose(classifier.state()[0]["component"].norm(), 1, atol=1e-5)


def test_batches_hold_each_row_once_and_stay_small():
    sizes = np.random.default_rng(0).integers(0, 30, size=(500, 2))
    batches = batches_by_size(sizes, cells=2000)
    assert sorted(np.concatenate(batches)) == list(range(500))
    assert max(len(rows) * np.maximum(sizes[rows].max(axis=0), 1).prod() for rows in batches) <= 2000
    assert [list(rows) for rows in batches_by_size(np.array([[90, 90]]), cells=10)] == [[0]]  # one too great is alone
    assert batches_by_size(np.zeros((0, 2), dtype=np.int64)) == []


def test_texts_are_numbered_once():
    texts, numbers = numbered_texts(["a film", "film !", "a film"], FEATURES)
    assert numbers.tolist() == [0, 1, 0]
    assert texts.padded(np.array([1, 0])).tolist() == [[2, 0], [1, 2]]


@pytest.mark.parametrize("bad", [{"hidden": 0}, {"dropout": 1.0}, {"max_epochs": 0}, {"weighting": "tf"}])
def test_settings_are_checked(bad):
    with pytest.raises(InputError, match="must be|choose"):
        MeanSettings(**bad)
