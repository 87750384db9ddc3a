"""Dictionary induction with an encoder's word vectors, against one word and one occurrence at a time."""

from __future__ import annotations

import json
import lzma

import numpy as np
import pytest
import reference
from conftest import make_pair
from tiny_encoders import save_tiny

from comparisons.encoders import FoundEncoder
from comparisons.hidden_states import LayerReader
from comparisons.probes.base import tables_of
from comparisons.probes.bli import Side, by_layer, in_context, probe_bli
from comparisons.probes.contexts import collect, frequent_words, read_lines
from xlembed.bli import evaluate
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon
from xlembed.vectors import WordVectors

EN = [["The", "cat", "sees", "the", "dog"], ["a", "dog", "and", "a", "cat"], ["cat", "cat", "cat"], ["birds", "see"]]
DE = [["die", "Katze", "und", "der", "Hund"], ["ein", "Hund"], ["die", "Katze", "und", "die", "Katze"]]
LEXICON = Lexicon([("cat", "katze"), ("dog", "hund"), ("and", "und"), ("moon", "mond")], "hand.txt")


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = save_tiny("bert", tmp_path_factory.mktemp("tiny") / "encoder")
    return LayerReader(FoundEncoder("tiny", folder, "local folder"))


def rows_of(words):
    return {word: row for row, word in enumerate(words)}


def side(words, lines, lang, n_contexts=2, static=None):
    return Side(words, lang, collect(lines, rows_of(words), n_contexts), static)


# ---- contexts


def naive_collect(lines, words, n_contexts):
    """(line, token, word) of the first occurrences of each word, by looking for one word after the other."""
    return {
        word: [
            (i, j)
            for i, tokens in enumerate(lines)
            for j, token in enumerate(tokens)
            if token == word or token not in words and token.lower() == word
        ][:n_contexts]
        for word in words
    }


@pytest.mark.parametrize("n_contexts", [1, 2, 3, 100])
def test_the_first_occurrences_are_found(n_contexts):
    rng = np.random.default_rng(n_contexts)
    forms = ["the", "The", "cat", "Dog", "dog", "DOG", "bird", "Ab"]
    lines = [[forms[i] for i in rng.integers(len(forms), size=rng.integers(1, 7))] for _ in range(30)]
    words = ["the", "dog", "Dog", "bird", "absent"]
    found = collect(lines, rows_of(words), n_contexts)
    expected = naive_collect(lines, words, n_contexts)
    seen = {word: [] for word in words}
    for tokens, spots in zip(found.sentences, found.spots, strict=True):
        assert spots
        for place, row in spots:
            seen[words[row]].append((tokens, place))
    assert seen == {word: [(lines[i], j) for i, j in where] for word, where in expected.items()}
    assert found.counts.tolist() == [len(where) for where in expected.values()]


def test_reading_ends_when_every_word_is_full_and_long_lines_are_passed_over():
    def lines():
        yield ["x"] * 10 + ["cat"]
        yield ["a", "cat"]
        raise AssertionError("no more is needed")

    found = collect(lines(), {"cat": 0}, 1, longest=8)
    assert found.sentences == [["a", "cat"]] and found.counts.tolist() == [1]


def test_frequent_words_have_a_letter_and_are_in_lower_case():
    assert frequent_words([["The", "the", ",", ",", ",", "1", "x2"], ["cat", "the"]], 2) == ["the", "x2"]
    with pytest.raises(InputError, match="holds no words"):
        frequent_words([["1", "."]], 5)


def test_lines_of_a_compressed_corpus(tmp_path):
    path = tmp_path / "de.txt.xz"
    path.write_bytes(lzma.compress("Die Katze, die schläft.\n\nEin Hund\n".encode()))
    assert list(read_lines(path)) == [["Die", "Katze", ",", "die", "schläft", "."], ["Ein", "Hund"]]
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(InputError, match="holds no text"):
        list(read_lines(tmp_path / "empty.txt"))


# ---- vectors


def test_vectors_in_context_are_means_over_occurrences(reader):
    words = ["cat", "dog", "a", "see"]
    given = side(words, EN, "en", n_contexts=3)
    found = in_context(reader, given)
    assert found.shape == (3, 4, 32)
    for row, word in enumerate(words):
        vectors = []
        for i, j in naive_collect(EN, words, 3)[word]:
            (states,) = reader.words([EN[i]])
            vectors.append(states.vectors[:, states.words.index(j)])
        assert found[:, row] == pytest.approx(np.mean(vectors, axis=0), abs=1e-5), word


def test_a_layer_is_scored_as_word_vectors_are():
    pair = make_pair(n_words=60, dim=6, noise=0.9)
    src, trg = Side(pair.src.words), Side(pair.trg.words)
    layers = np.stack([pair.src.matrix @ pair.rotation.astype(np.float32), pair.src.matrix])
    others = np.stack([pair.trg.matrix, pair.trg.matrix + 3])
    found = list(by_layer("alone", src, layers, trg, others, [0, 4], pair.lexicon, "nn"))
    assert [(one.layer, one.centred) for one in found] == [(0, False), (0, True), (4, False), (4, True)]
    for one in found:
        left, right = (side[[0, 4].index(one.layer)] for side in (layers, others))
        if one.centred:
            left, right = left - left.mean(axis=0), right - right.mean(axis=0)
        ranks = [reference.best_rank(row, [i]) for i, row in enumerate(reference.cosines(left, right))]
        assert one.scores.scores["P@1"] == pytest.approx(100 * np.mean([rank == 1 for rank in ranks]))
        assert one.scores.scores["MRR"] == pytest.approx(100 * np.mean([1 / rank for rank in ranks]))


# ---- the probe


def test_all_ways_have_the_same_words(reader):
    rng = np.random.default_rng(0)
    en, de = ["cat", "dog", "and", "moon", "birds"], ["katze", "hund", "und", "mond", "die"]
    static = [WordVectors(words, rng.normal(size=(5, 4)).astype(np.float32)) for words in (en, de)]
    found = probe_bli(reader, side(en, EN, "en", static=static[0]), side(de, DE, "de", static=static[1]), LEXICON,
                      n_contexts=2)  # fmt: skip
    assert found.n_words == {"src": 4, "trg": 4}, "moon and mond do not occur"
    assert found.n_contexts == {"most": 2, "src": 2 + 2 + 1 + 1, "trg": 2 + 2 + 2 + 2}
    kept = [WordVectors(one.words[:3] + one.words[4:], one.matrix[[0, 1, 2, 4]]) for one in static]
    assert found.static == evaluate(*kept, LEXICON)
    assert len(found.layers) == 2 * 3 * 2
    assert {(one.scores.n_covered, one.scores.n_words) for one in found.layers} == {(3, 4)}
    for one in found.layers:
        if one.way == "alone" and not one.centred:
            vectors = [WordVectors(words, np.stack([reader.sentences([word]).vectors[one.layer, 0] for word in words]))
                       for words in (kept[0].words, kept[1].words)]  # fmt: skip
            assert one.scores.scores == pytest.approx(evaluate(*vectors, LEXICON).scores)
    overview, layers = tables_of(json.loads(json.dumps(found.as_json())))
    assert [row[0].split(",")[0] for row in overview.rows] == ["alone", "alone", "in context", "in context",
                                                               "static vectors"]  # fmt: skip
    assert layers.header[1:] == ["alone, plain", "alone, centred", "in context, plain", "in context, centred"]
    assert len(layers.rows) == 3


def test_words_alone_without_static_vectors(reader):
    found = probe_bli(reader, Side(["cat", "dog"]), Side(["hund", "katze"]), LEXICON, "nn")
    assert found.static is None and found.n_contexts is None and {one.way for one in found.layers} == {"alone"}
    overview, _ = tables_of(json.loads(json.dumps(found.as_json())))
    assert len(overview.rows) == 2


def test_no_known_word_is_refused(reader):
    with pytest.raises(InputError, match="hand.txt: none of its 4 source words can be tested"):
        probe_bli(reader, Side(["tree"]), Side(["baum"]), LEXICON)
    with pytest.raises(InputError, match="no word of de was found in its corpus"):
        probe_bli(reader, side(["cat"], EN, "en"), side(["baum"], DE, "de"), LEXICON)
    with pytest.raises(InputError, match="for both languages, or for neither"):
        probe_bli(reader, side(["cat"], EN, "en"), Side(["katze"]), LEXICON)
