import lzma

import pytest

from baselines.corpora import (
    SentencePair,
    TaggedSentence,
    gold_hash,
    need_gold,
    read_items,
    read_pairs,
    read_tagged,
)
from xlembed.errors import InputError


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_tab_and_space_separated_files_give_the_same_sentences(tmp_path):
    tab = write(tmp_path / "a.tsv", "Anna\tB-PER\nsings\tO\n\nRome\tB-LOC\n")
    space = write(tmp_path / "b.txt", "Anna B-PER\nsings O\n\n\nRome B-LOC\n\n")
    expected = [TaggedSentence(("Anna", "sings"), ("B-PER", "O")), TaggedSentence(("Rome",), ("B-LOC",))]
    assert read_tagged(tab) == expected
    assert read_tagged(space) == expected


@pytest.mark.parametrize("space", ["\u00a0", "\u3000", "\u2009", "\u2028", "\x85"])
def test_tokens_keep_unicode_white_space(tmp_path, space):
    path = write(tmp_path / "a.tsv", f"New{space}York\tB-LOC\n{space}\tO\n")
    assert read_tagged(path) == [TaggedSentence((f"New{space}York", space), ("B-LOC", "O"))]


def test_language_prefix_is_cut_only_for_its_language(tmp_path):
    path = write(tmp_path / "a.tsv", "en:Rome\tB-LOC\nde:x\tO\nen:\tO\n")
    assert read_tagged(path, "en")[0].words == ("Rome", "de:x", "en:")
    assert read_tagged(path)[0].words == ("en:Rome", "de:x", "en:")


def test_xz_crlf_and_docstart(tmp_path):
    path = tmp_path / "a.tsv.xz"
    path.write_bytes(lzma.compress(b"-DOCSTART- O\r\n\r\nRome\tB-LOC\r\n"))
    assert read_tagged(path) == [TaggedSentence(("Rome",), ("B-LOC",))]


def test_more_columns_have_the_token_first_or_after_a_count(tmp_path):
    conll = write(tmp_path / "a.txt", "Rome NNP B-NP B-LOC\nsleeps VBZ B-VP O\n")
    counted = write(tmp_path / "b.conllu", "0\tRome\tB-LOC\n1\tsleeps\tO\n")
    assert read_tagged(conll) == read_tagged(counted) == [TaggedSentence(("Rome", "sleeps"), ("B-LOC", "O"))]


def test_tokens_alone_have_no_gold(tmp_path):
    sentences = read_tagged(write(tmp_path / "a.txt", "Anna\nsings\n\nhere\n"))
    assert [s.tags for s in sentences] == [None, None]
    with pytest.raises(InputError, match="no gold labels"):
        need_gold(sentences, "test file")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("Anna\tB-PER\nsings\n", 2, "expected token TAB tag"),
        ("Anna\tB-PER\nsings\tNOUN\n", 2, "expected token TAB tag"),
        ("Anna\tB-PER\n\tO\n", 2, "expected token TAB tag"),
        ("Anna B-PER\nsings\n", 2, "expected token space tag"),
        ("Rome NNP B-LOC\nsleeps O\n", 2, "expected 3 columns with the tag last"),
        ("Anna\nsings\tO\n", 2, "has a tag, the lines before it have none"),
    ],
)
def test_malformed_tagged_lines_are_named(tmp_path, text, line, message):
    path = write(tmp_path / "a.tsv", text)
    with pytest.raises(InputError, match=f"a.tsv:{line}: .*{message}"):
        read_tagged(path)


@pytest.mark.parametrize("text", ["", "\n\n\n"])
def test_empty_tagged_file(tmp_path, text):
    with pytest.raises(InputError, match="holds no sentence"):
        read_tagged(write(tmp_path / "a.tsv", text))


def test_wrong_encoding_names_the_line(tmp_path):
    path = write(tmp_path / "a.tsv", "Rome\tB-LOC\nMünchen\tB-LOC\n", "latin-1")
    with pytest.raises(InputError, match="a.tsv:2: is not valid UTF-8"):
        read_tagged(path)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("genre\tlabel\tpremise\thypothesis", "news\tneutral\tp\th"),
        ("sentence1\tsentence2\tgold_label", "p\th\tneutral"),
        ("pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment", "3\tp\th\t3.1\tNEUTRAL"),
        ("id\tlanguage\tpremise\thypothesis\tlabel", "1\taym\tp\th\tneutral"),
    ],
)
def test_pairs_of_every_known_header(tmp_path, header, row):
    assert read_pairs(write(tmp_path / "a.tsv", f"{header}\n{row}\n")) == [SentencePair("p", "h", "neutral")]


def test_label_spellings_and_rows_without_agreement(tmp_path):
    path = write(tmp_path / "a.tsv", "premise\thypothesis\tlabel\na\tb\tcontradictory\nc\td\t-\n")
    assert read_pairs(path) == [SentencePair("a", "b", "contradiction")]


def test_pairs_without_a_label_column_have_no_gold(tmp_path):
    assert read_pairs(write(tmp_path / "a.tsv", "premise\thypothesis\na\tb\n")) == [SentencePair("a", "b")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("premise\thypothesis\tlabel\n", "a header and no pairs"),
        ("premise\tlabel\na\tneutral\n", "a.tsv:1: the header has no column hypothesis"),
        ("premise\thypothesis\tlabel\na\tb\n", "a.tsv:2: has 2 columns, the header has 3"),
        ("premise\thypothesis\tlabel\na\tb\t1\n", "a.tsv:2: label '1' is not one of"),
        ("premise\thypothesis\tlabel\na\t \tneutral\n", "a.tsv:2: has an empty premise or hypothesis"),
    ],
)
def test_malformed_pairs_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_pairs(write(tmp_path / "a.tsv", text))


def test_unknown_kind_of_task(tmp_path):
    with pytest.raises(InputError, match="unknown kind of task 'pos'"):
        read_items("pos", tmp_path / "a.tsv")


def test_gold_hash_sees_words_tags_and_order():
    one, two = TaggedSentence(("a",), ("O",)), TaggedSentence(("b",), ("O",))
    hashes = {
        gold_hash([one, two]),
        gold_hash([two, one]),
        gold_hash([one]),
        gold_hash([TaggedSentence(("a",), ("B-PER",)), two]),
    }
    assert len(hashes) == 4
    assert gold_hash([one, two]) == gold_hash([TaggedSentence(("a",), ("O",)), two])
