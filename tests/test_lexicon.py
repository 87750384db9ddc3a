from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from xlembed.errors import InputError
from xlembed.lexicon import Lexicon, cover, identical_strings, need_covered, read_lexicon, write_lexicon
from xlembed.vectors import WordVectors


def vectors_of(*words: str) -> WordVectors:
    return WordVectors(list(words), np.eye(len(words), dtype=np.float32))


@pytest.fixture
def lexicon_file(tmp_path):
    def write(content: str):
        path = tmp_path / "en-de.txt"
        path.write_bytes(content.encode())
        return path

    return write


# ---- reading


@pytest.mark.parametrize(
    "content",
    [
        "the die\ncat Katze\n",
        "the\tdie\ncat\tKatze\n",
        "the  die\ncat    Katze \n",
        "the\t die \n cat \tKatze\t\n",
        "the die\r\ncat\tKatze",
        "\ufeffthe die\n\n  \ncat Katze\n\n",
    ],
    ids=["space", "tab", "spaces", "tab and spaces", "CRLF, mixed", "BOM and blank lines"],
)
def test_both_forms(lexicon_file, content):
    path = lexicon_file(content)
    lexicon = read_lexicon(path)
    assert lexicon.pairs == [("the", "die"), ("cat", "Katze")]
    assert lexicon.name == str(path)
    assert len(lexicon) == 2


def test_several_translations_and_a_repeated_pair(lexicon_file):
    lexicon = read_lexicon(lexicon_file("the die\ncat Katze\nthe der\nthe die\nfeline Katze\n"))
    assert lexicon.pairs == [("the", "die"), ("cat", "Katze"), ("the", "der"), ("feline", "Katze")]
    assert lexicon.translations() == {"the": ["die", "der"], "cat": ["Katze"], "feline": ["Katze"]}
    assert lexicon.reversed().translations()["Katze"] == ["cat", "feline"]
    assert lexicon.reversed().reversed().pairs == lexicon.pairs


def test_only_tab_and_ascii_space_part_the_words(lexicon_file):
    pairs = [("10\u00a0000", "zehn\u3000tausend"), ("a\u2028b", "\u00a0c"), ("d\u2009", "e")]
    for separator in ("\t", " ", "  "):
        content = "".join(f"{src}{separator}{trg}\n" for src, trg in pairs)
        assert read_lexicon(lexicon_file(content)).pairs == pairs


def test_phrases_where_a_tab_parts_the_columns(lexicon_file):
    assert read_lexicon(lexicon_file("New York\tNeu York\n")).pairs == [("New York", "Neu York")]


@pytest.mark.parametrize("line", ["cat", "cat\t", "\tKatze", "the cat Katze", "cat\tKatze\tKater"])
def test_malformed_line(lexicon_file, line):
    with pytest.raises(InputError, match=r"en-de\.txt:2: expected source word TAB \(or space\) target word"):
        read_lexicon(lexicon_file(f"the die\n{line}\n"))


@pytest.mark.parametrize("content", ["", "\n\n", " \t \n"])
def test_empty(lexicon_file, content):
    with pytest.raises(InputError, match=r"en-de\.txt: holds no pairs"):
        read_lexicon(lexicon_file(content))


def test_missing(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_lexicon(tmp_path / "en-de.txt")


def test_write_and_read_is_identity(tmp_path):
    pairs = [("the", "die"), ("10\u00a0000", "zehn\u3000tausend"), ("New York", "Neu York")]
    write_lexicon(tmp_path / "a.txt", pairs)
    assert (tmp_path / "a.txt").read_bytes().startswith(b"the\tdie\n10")
    assert read_lexicon(tmp_path / "a.txt").pairs == pairs


# ---- coverage


def test_cover():
    src, trg = vectors_of("the", "cat", "dog"), vectors_of("Katze", "die", "der")
    pairs = [("the", "die"), ("the", "der"), ("dog", "Hund"), ("cow", "die"), ("cow", "Kuh")]
    pairs.append(("cat", "Katze"))
    covered = cover(Lexicon(pairs), src, trg)
    assert covered.rows.tolist() == [[0, 1], [0, 2], [1, 0]]
    assert covered.rows.dtype == np.int64
    assert (covered.n_pairs, covered.n_missing_src, covered.n_missing_trg) == (6, 2, 1)
    assert covered.n_other_case == 0
    assert covered.describe().startswith("3 of 6 pairs covered (not in the source vocabulary: 2, not in")


def test_casing_and_composition():
    src, trg = vectors_of("the", "Paris", "café"), vectors_of("die", "paris")
    pairs = [
        ("The", "die"),  # lower-cased
        ("the", "DIE"),  # the same rows again: one pair, found in another case
        ("Paris", "Paris"),  # as written on one side, lower-cased on the other
        ("paris", "paris"),  # the source has Paris alone: missing
        (unicodedata.normalize("NFD", "café"), "die"),
        ("café", "die"),  # as written
    ]
    covered = cover(Lexicon(pairs), src, trg)
    assert covered.rows.tolist() == [[0, 0], [1, 1], [2, 0]]
    assert (covered.n_missing_src, covered.n_missing_trg, covered.n_other_case) == (1, 0, 4)


def test_nothing_covered():
    src, trg = vectors_of("the"), vectors_of("die")
    lexicon = Lexicon([("cat", "Katze"), ("the", "das")], "en-de.txt")
    assert cover(lexicon, src, trg).rows.shape == (0, 2)
    with pytest.raises(InputError, match=r"^en-de\.txt: none of its 2 pairs .*\(1 source words missing\)"):
        need_covered(lexicon, src, trg)


def test_identical_strings():
    src, trg = vectors_of("the", "taxi", "2000", "Bank"), vectors_of("2000", "die", "taxi", "bank")
    assert identical_strings(src, trg).pairs == [("taxi", "taxi"), ("2000", "2000")]
    assert identical_strings(src, trg, n=3).pairs == [("taxi", "taxi"), ("2000", "2000")]
    with pytest.raises(InputError, match="share no word"):
        identical_strings(src, trg, n=2)
