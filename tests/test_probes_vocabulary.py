"""Subwords by language, against counting by hand; correlations against numpy's and against ranks."""

from __future__ import annotations

import json
import lzma

import numpy as np
import pytest
from tiny_encoders import ARCHITECTURES, save_tiny
from transformers import AutoTokenizer

from comparisons.probes.base import notes_of, tables_of
from comparisons.probes.vocabulary import TransferGap, correlation, gaps_of, probe_vocabulary, read_words
from comparisons.subwords import WordEncoder
from xlembed.errors import InputError

UNKNOWN = 0


def letters(words):
    """A tokenizer that cuts words into letters; capitals are unknown."""
    return [[UNKNOWN if char.isupper() else ord(char) for char in word] for word in words]


def gaps(values, system="e5"):
    return [TransferGap("ner", system, lang, value) for lang, value in values.items()]


def test_measures_by_hand():
    found = probe_vocabulary(letters, {"en": ["ab", "a", "Cd"], "de": ["b", "bx", "xy"]}, UNKNOWN, "tiny", 30)
    en, de = found.languages
    assert (en.n_words, en.n_subwords, en.n_types) == (3, 5, 4)
    assert en.fertility == pytest.approx(5 / 3) and en.continued == pytest.approx(200 / 3)
    assert en.unknown == pytest.approx(100 / 3) and de.unknown == 0
    assert (en.jaccard, en.covered) == (100, 100)
    assert de.jaccard == pytest.approx(100 * 1 / 6), "b of a b UNKNOWN d x y"
    assert de.covered == pytest.approx(100 * 2 / 5), "b twice among b b x x y"
    (overlap,) = found.overlaps
    assert (overlap.first, overlap.second) == ("en", "de")
    assert overlap.first_covered == pytest.approx(100 * 1 / 5) and overlap.second_covered == de.covered


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_measures_are_the_tokenizers(architecture, tmp_path):
    folder = save_tiny(architecture, tmp_path / architecture)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    words = {"en": ["The", "cat", "sleeps", "ж"], "fr": ["Le", "chat", "dort", "été"]}
    found = probe_vocabulary(WordEncoder(tokenizer), words, tokenizer.unk_token_id)
    for one in found.languages:
        pieces = [tokenizer.convert_tokens_to_ids(tokenizer.tokenize(word)) for word in words[one.lang]]
        assert one.fertility == pytest.approx(np.mean([len(piece) for piece in pieces]))
        assert one.continued == 100 * np.mean([len(piece) > 1 for piece in pieces])
        assert one.unknown == 100 * np.mean([tokenizer.unk_token_id in piece for piece in pieces])
        ids = [tokenizer.convert_tokens_to_ids([p for w in texts for p in tokenizer.tokenize(w)])
               for texts in (words[one.lang], words["en"])]  # fmt: skip
        types, source = map(set, ids)
        assert one.jaccard == pytest.approx(100 * len(types & source) / len(types | source))
    assert found.languages[0].unknown == 25


def test_as_many_words_of_each_language():
    words = {"en": ["a"] * 10 + ["bcd"] * 10, "de": ["a"] * 10}
    assert [one.fertility for one in probe_vocabulary(letters, words, None).languages] == [1, 1]
    assert [one.n_words for one in probe_vocabulary(letters, words, None, n_words=4).languages] == [4, 4]
    with pytest.raises(InputError, match="de has 10 words, 11 were asked for"):
        probe_vocabulary(letters, words, None, n_words=11)
    with pytest.raises(InputError, match="de: holds no words"):
        probe_vocabulary(letters, {"en": ["a"], "de": []}, None)
    with pytest.raises(InputError, match="no texts"):
        probe_vocabulary(letters, {}, None)


def ranks(values):
    """Mean ranks by definition."""
    return [np.mean([i for i, other in enumerate(sorted(values)) if other == value]) for value in values]


def test_correlations_are_numpys():
    rng = np.random.default_rng(0)
    for n in (3, 5, 12):
        first, second = rng.integers(6, size=n).astype(float) + np.arange(n), rng.normal(size=n)
        found = correlation("ner", "e5", "fertility", first, second)
        assert found.pearson == pytest.approx(np.corrcoef(first, second)[0, 1])
        assert found.spearman == pytest.approx(np.corrcoef(ranks(first.tolist()), ranks(second.tolist()))[0, 1])
    assert correlation("ner", "e5", "unknown", [0.0, 0.0, 0.0], [1.0, 2.0, 3.0]).pearson is None


@pytest.mark.parametrize(("n", "printed"), [(3, 0.997), (4, 0.950), (5, 0.878), (10, 0.632), (32, 0.349)])
def test_least_correlation_is_that_of_printed_tables(n, printed):
    """Critical values of r, two-sided 5 %, as tables in textbooks have them (by n - 2 degrees of freedom)."""
    assert correlation("", "", "", range(n), range(n)).least == pytest.approx(printed, abs=6e-4)


def test_gaps_stand_beside_the_measures():
    words = {"en": ["ab"] * 4, "de": ["abc", "a", "b", "c"], "es": ["abx"] * 4, "fr": ["abcdxy"] * 4, "it": ["a"] * 4}
    given = gaps({"de": 3.0, "es": 5.0, "fr": 12.0, "xx": 1.0}) + gaps({"de": 1.0, "es": 2.0}, "two-only")
    found = probe_vocabulary(letters, words, None, "tiny", 30, given)
    assert {gap.lang for gap in found.gaps} == {"de", "es", "fr"}, "xx was not measured"
    assert {one.system for one in found.correlations} == {"e5"}, "two points always lie on a line"
    (fertility,) = [one for one in found.correlations if one.measure == "fertility"]
    assert fertility.n == 3 and fertility.spearman == pytest.approx(1)
    assert fertility.pearson == pytest.approx(np.corrcoef([1.5, 3, 6], [3, 5, 12])[0, 1])
    saved = json.loads(json.dumps(found.as_json()))
    measures, types, tokens, correlated = tables_of(saved)
    assert measures.header[-2:] == ["gap, ner, e5", "gap, ner, two-only"]
    assert measures.rows[1][-2:] == ["3.0", "1.0"] and measures.rows[3][-2:] == ["12.0", "—"]
    assert types.rows[0] == ["en", "—", "66.7", "66.7", "33.3", "50.0"], "of a b: c, x, and c d x y more, b less"
    assert tokens.rows[0][4:] == ["100.0", "50.0"] and tokens.rows[3][1] == "33.3"
    assert all(len(row) == len(table.header) for table in (measures, types, tokens, correlated) for row in table.rows)
    assert any("Few points" in note for note in notes_of(saved))


def test_languages_without_spaces_have_no_words_to_correlate():
    words = {"en": ["ab"] * 2, "de": ["abc", "a"], "es": ["abx"] * 2, "fr": ["abcdxy"] * 2, "cmn": ["abcdefgh"] * 2}
    given = gaps({"de": 3.0, "es": 5.0, "fr": 12.0, "cmn": 4.0})
    found = probe_vocabulary(letters, words, None, gaps=given)
    assert {one.measure: one.n for one in found.correlations} == {
        "fertility": 3, "continued": 3, "unknown": 3, "jaccard": 4, "covered": 4}  # fmt: skip
    assert any(note.startswith("cmn: written without spaces") for note in notes_of(found.as_json()))


def test_no_caveat_without_correlations():
    saved = probe_vocabulary(letters, {"en": ["ab"], "de": ["b"]}, None).as_json()
    assert len(tables_of(saved)) == 1 and not any("Few points" in note for note in notes_of(saved))


def summary():
    return {"experiment": {"systems": [{"name": "static", "type": "static"}, {"name": "e5", "type": "encoder"},
                                       {"name": "xlm", "type": "encoder"}]},
            "gaps": [{"task": "ner", "system": system, "lang": "de", "figure": {"value": value}}
                     for system, value in (("static", 30.0), ("e5", 8.0), ("xlm", 9.0))]}  # fmt: skip


def test_gaps_are_those_of_encoders():
    assert [gap.gap for gap in gaps_of(summary())] == [8.0, 9.0]
    assert gaps_of(summary(), ["xlm"]) == [TransferGap("ner", "xlm", "de", 9.0)]
    with pytest.raises(InputError, match="no encoder system 'static'; it has: e5, xlm"):
        gaps_of(summary(), ["static"])
    with pytest.raises(InputError, match="no system of type encoder"):
        gaps_of({"experiment": {"systems": []}, "gaps": []})


def test_words_of_corpora_and_task_files(tmp_path):
    (tmp_path / "de.txt.xz").write_bytes(lzma.compress(b"Ein Hund.\n\nJa\n"))
    assert read_words(tmp_path / "de.txt.xz", "de") == ["Ein", "Hund", ".", "Ja"]
    (tmp_path / "fr.txt").write_text("l'usine\n")
    assert read_words(tmp_path / "fr.txt", "fra") == ["l'", "usine"]
    (tmp_path / "ner.tsv").write_text("de:Anna\tB-PER\nsingt.\tO\n\nBob\tB-PER\n")
    assert read_words(tmp_path / "ner.tsv", "de", "ner") == ["Anna", "singt.", "Bob"], "tokens as they are"
    (tmp_path / "nli.tsv").write_text("label\tpremise\thypothesis\nneutral\tA b.\tC\n")
    assert read_words(tmp_path / "nli.tsv", "en", "nli") == ["A", "b", ".", "C"]
