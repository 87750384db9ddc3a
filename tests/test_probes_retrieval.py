"""Sentence retrieval by layer, against the whole table of cosines."""

from __future__ import annotations

import json

import numpy as np
import pytest
import reference
from conftest import make_pair
from sklearn.metrics.pairwise import cosine_similarity
from tiny_encoders import save_tiny

from comparisons.encoders import FoundEncoder
from comparisons.hidden_states import LayerReader, SentenceStates
from comparisons.probes.base import centred, markdown, tables_of, two_letters
from comparisons.probes.retrieval import StaticSide, by_layer, notes, pair_names, probe_retrieval
from xlembed.errors import InputError
from xlembed.sentences import ParallelSentences, evaluate


def states(seed, shift=0.0, n=40, n_layers=3):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(n, 8))
    noise = np.random.default_rng(seed).normal(size=(n_layers, n, 8))
    vectors = (base + noise * np.array([1.5, 0.6, 0.3])[:n_layers, None, None] + shift).astype(np.float32)
    return SentenceStates(vectors, n_subwords=200, n_unknown=10, n_cut=1)


def naive(src, trg, criterion):
    table = {"csls": reference.csls, "nn": reference.cosines}[criterion](src, trg)
    return (100 * np.mean([reference.order(row)[0] == i for i, row in enumerate(table)]),
            100 * np.mean([reference.order(column)[0] == i for i, column in enumerate(table.T)]))  # fmt: skip


def test_each_layer_is_scored_as_its_table_of_cosines():
    src, trg = states(1), states(2, shift=np.linspace(-2, 2, 8))
    found = list(by_layer(src, trg, [0, 6, 12], ["nn", "csls"]))
    assert [(one.layer, one.centred, one.scores.retrieval) for one in found] == [
        (layer, is_centred, criterion) for layer in (0, 6, 12) for is_centred in (False, True)
        for criterion in ("nn", "csls")
    ]  # fmt: skip
    for one in found:
        place = [0, 6, 12].index(one.layer)
        sides = [side.vectors[place].astype(float) for side in (src, trg)]
        if one.centred:
            sides = [side - np.array([sum(column) / len(column) for column in side.T]) for side in sides]
        expected = naive(*sides, one.scores.retrieval)
        assert (one.scores.scores["forward"], one.scores.scores["backward"]) == pytest.approx(expected)
        assert one.scores.intervals["forward"].low <= expected[0] <= one.scores.intervals["forward"].high
        assert one.scores.coverage["src"] == 95 and one.scores.without_words == {"src": 0, "trg": 0}


def test_centring_undoes_a_shift_of_one_language():
    src, trg = states(1), states(2)
    shifted = SentenceStates(trg.vectors + np.float32(7), 1, 0, 0)
    rows = {(one.layer, one.centred): one.scores.scores for one in by_layer(src, trg, [0, 1, 2])}
    moved = {(one.layer, one.centred): one.scores.scores for one in by_layer(src, shifted, [0, 1, 2])}
    assert all(moved[layer, True] == rows[layer, True] for layer in range(3))
    assert any(moved[layer, False] != rows[layer, False] for layer in range(3))


def test_centring_is_the_mean_difference_of_translations():
    """Pires et al. 2019 move the source by the mean of trg - src and take the nearest by distance."""
    src, trg = states(1).vectors[1], states(2, shift=3.0).vectors[1]
    moved = src + np.mean([b - a for a, b in zip(src, trg, strict=True)], axis=0)
    theirs = [np.linalg.norm(trg - row, axis=1).argmin() for row in moved]
    ours = [np.linalg.norm(centred(trg) - row, axis=1).argmin() for row in centred(src)]
    assert ours == theirs


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = save_tiny("xlm-roberta", tmp_path_factory.mktemp("tiny") / "encoder")
    return LayerReader(FoundEncoder("tiny", folder, "local folder"))


def sentences(n=12):
    rng = np.random.default_rng(3)
    texts = [" ".join(f"s{i}" for i in rng.integers(300, size=5)) for _ in range(n)]
    return ParallelSentences(texts, [text.replace("s", "t") for text in texts], "small")


def test_a_probe_of_two_sets(reader):
    sets = {"de-en": sentences(), "2": sentences(9)}
    found = probe_retrieval(reader, sets, prefix="q: ")
    assert [(pair.pair, pair.n_sentences, len(pair.layers)) for pair in found.pairs] == [("de-en", 12, 6), ("2", 9, 6)]
    vectors = [reader.sentences(["q: " + text for text in side]).vectors[2]
               for side in (sets["de-en"].src, sets["de-en"].trg)]  # fmt: skip
    expected = 100 * np.mean(cosine_similarity(*vectors).argmax(axis=1) == np.arange(12))
    (last,) = [one for one in found.pairs[0].layers if (one.layer, one.centred) == (2, False)]
    assert last.scores.scores["forward"] == pytest.approx(expected)


def test_tables_of_several_pairs(reader):
    found = probe_retrieval(reader, {"de-en": sentences(), "2": sentences(9)}, ["nn", "csls"])
    _, layers = tables_of(json.loads(json.dumps(found.as_json())))
    assert layers.header == ["vectors", "retrieval", "de-en", "2"]
    assert [row[:2] for row in layers.rows] == [[f"layer {layer}", criterion] for criterion in ("NN", "CSLS")
                                                for layer in range(3)]  # fmt: skip
    means = [np.mean(list(one.scores.scores.values())) for one in found.pairs[1].layers
             if (one.layer, one.scores.retrieval) == (2, "csls")]  # fmt: skip
    assert layers.rows[5][3] == " / ".join(f"{mean:.1f}" for mean in means)


def test_static_vectors_beside_are_scored_as_without_an_encoder(reader):
    pair, both = make_pair(), sentences()
    mapped = pair.src.transformed(lambda matrix: matrix @ pair.rotation)
    side = StaticSide(mapped, pair.trg, "mean")
    found = probe_retrieval(reader, {"de-en": both}, ["nn", "csls"], static={"de-en": side})
    assert found.pairs[0].static == [evaluate(mapped, pair.trg, both, one, "mean") for one in ("nn", "csls")]
    saved = json.loads(json.dumps(found.as_json()))
    shown = tables_of(saved)
    assert shown[0].rows[0][-1] == "100.0", "noiseless translations are found"
    assert len(shown) == 2 and [row[0] for row in shown[1].rows][-1] == "static (mean)"
    assert all(len(row) == len(table.header) for table in shown for row in table.rows)
    assert "| layer 2 | CSLS |" in markdown(shown)
    assert not any("window" in note for note in notes(saved))


def test_sentences_longer_than_the_window_are_told(reader):
    long = ParallelSentences(["a " * 100, "b"], ["c", "d"])
    saved = probe_retrieval(reader, {"x": long}).as_json()
    assert any("x 1 / 0" in note for note in notes(json.loads(json.dumps(saved))))


def test_names_of_pairs():
    assert pair_names([], 2) == ["1", "2"]
    assert pair_names(["de-en", "fr-en"], 2) == ["de-en", "fr-en"]
    with pytest.raises(InputError, match="1 --pair for 2 pairs of files"):
        pair_names(["de-en"], 2)
    with pytest.raises(InputError, match="twice"):
        pair_names(["de-en", "de-en"], 2)


def test_unknown_criterion(reader):
    with pytest.raises(InputError, match="unknown retrieval 'cosine'"):
        probe_retrieval(reader, {"x": sentences()}, ["cosine"])


def test_codes_for_the_tokeniser():
    assert [two_letters(code) for code in ("fra", "fr", "xyz", None)] == ["fr", "fr", "xyz", None]
