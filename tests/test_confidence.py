import numpy as np
import pytest
import reference
from test_self_learning import hidden, matrices

from xlembed.alignment import confidence as module
from xlembed.alignment.confidence import Spaces, confidence
from xlembed.alignment.procrustes import rotation


def mapped(pair, weight):
    src, trg = matrices(pair)
    return Spaces(src, trg, src @ weight, trg)


def true_weight(pair):
    src, trg = matrices(pair)
    return rotation(src, trg[pair.order])


def random_weight(dim):
    return np.linalg.qr(np.random.default_rng(0).normal(size=(dim, dim)))[0].astype(np.float32)


def test_a_true_mapping_is_trusted_and_a_random_one_is_not():
    pair = hidden(600, 30, noise=0.35)
    words = pair.src.words, pair.trg.words
    good = confidence(mapped(pair, true_weight(pair)), *words)
    bad = confidence(mapped(pair, random_weight(30)), *words)
    assert (good["collapsed"], bad["collapsed"]) == (False, True)
    assert good["confidence"]["objective"] > good["confidence"]["chance"] + 0.05
    assert good["confidence"]["mutual"] > 0.6 and good["confidence"]["alike"] is None


@pytest.mark.parametrize(("n_found", "chance"), [(3, False), (1, True)])
def test_an_optimum_that_others_find_too_is_no_accident(monkeypatch, n_found, chance):
    pair = hidden(200, 20, noise=0.3)
    true = np.column_stack([np.arange(200), pair.order])
    drawn = [true] * n_found + [np.column_stack([np.arange(200), np.roll(pair.order, 7)])] * (3 - n_found)
    monkeypatch.setattr(module, "_random_pairs", lambda *_: drawn)
    found = confidence(mapped(pair, true_weight(pair)), pair.src.words, pair.trg.words)
    assert found["confidence"]["found_again"] == n_found and not found["collapsed"]
    assert (found["confidence"]["chance"] is not None) == chance


def test_alike_counts_mutual_neighbours_of_words_written_alike():
    pair = hidden(200, 10, noise=0.2)
    spaces = mapped(pair, true_weight(pair))
    trg_words = pair.trg.words.copy()
    shared = range(0, 60, 2)
    for row in shared:  # half of them stand beside the translation, half beside another word
        trg_words[pair.order[row] if row % 4 == 0 else pair.order[row + 1]] = pair.src.words[row]
    table = reference.csls(spaces.mapped_src, spaces.mapped_trg)
    ahead, back = table.argmax(axis=1), table.argmax(axis=0)
    expected = np.mean([trg_words[ahead[row]] == pair.src.words[row] and back[ahead[row]] == row for row in shared])
    own = confidence(spaces, pair.src.words, trg_words)["confidence"]
    assert own["n_alike"] == 30 and own["alike"] == pytest.approx(expected, abs=1e-4) and 0.3 < expected < 0.6


def test_without_a_mutual_neighbour_it_is_collapsed(monkeypatch):
    pair = hidden(100, 6)
    monkeypatch.setattr(module, "_mutual", lambda *_: np.empty((0, 2), dtype=np.int64))
    found = confidence(mapped(pair, true_weight(pair)), pair.src.words, pair.trg.words)
    assert found["collapsed"] and found["confidence"]["mutual"] == 0


def test_repeatable_and_of_one_word():
    pair = hidden(100, 6)
    spaces = mapped(pair, random_weight(6))
    assert confidence(spaces, pair.src.words, pair.trg.words) == confidence(spaces, pair.src.words, pair.trg.words)
    one = Spaces(*(np.ones((1, 6), np.float32),) * 4)
    assert not confidence(one, ["a"], ["a"])["collapsed"]
