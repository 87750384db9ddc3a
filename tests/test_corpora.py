import lzma

import pytest

from baselines.corpora import (
    LabelledText,
    SentencePair,
    TaggedSentence,
    gold_hash,
    need_gold,
    read_items,
    read_pairs,
    read_tagged,
    without_gold,
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
    with pytest.raises(InputError, match="unknown kind of task 'parsing'"):
        read_items("parsing", tmp_path / "a.tsv")


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


def test_parts_of_speech(tmp_path):
    path = tmp_path / "pos.tsv"
    path.write_text("The\tDET\ncat\tNOUN\n\nSleeps\tVERB\n", encoding="utf-8")
    assert read_items("pos", path)[0] == TaggedSentence(("The", "cat"), ("DET", "NOUN"))
    with pytest.raises(InputError, match=r"pos\.tsv:1: expected token TAB tag \(O, B-X or I-X\)"):
        read_items("ner", path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("text\tlabel\nA dog .\tanimals\n", [LabelledText("A dog .", "animals")]),
        ("index_id\tcategory\ttext\n7\ttravel\t A trip \n", [LabelledText("A trip", "travel")]),
        ("text\nNo gold\n", [LabelledText("No gold", None)]),
    ],
)
def test_labelled_texts(tmp_path, text, expected):
    path = tmp_path / "topics.tsv"
    path.write_text(text, encoding="utf-8")
    assert read_items("topic", path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: a header with text and label is read"),
        ("text\tlabel\n", "holds a header and no texts"),
        ("words\tlabel\na\tb\n", "1: the header has no column text or sentence; it has: words, label"),
        ("text\tlabel\na\tb\nc\n", "3: has 1 columns, the header has 2"),
        ("text\tlabel\n \tb\n", "2: has an empty text or label"),
        ("text\tlabel\na\t\n", "2: has an empty text or label"),
    ],
)
def test_malformed_texts(tmp_path, text, message):
    path = tmp_path / "topics.tsv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_items("topic", path)


def test_gold_hash_of_texts_sees_text_and_label():
    one = LabelledText("a", "x")
    assert len({gold_hash([item]) for item in (one, LabelledText("b", "x"), LabelledText("a", "y"))}) == 3
    assert without_gold([one]) == [LabelledText("a", None)]


def test_the_genre_of_pairs_where_the_file_has_it(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("genre\tpremise\thypothesis\tlabel\ntravel\ta\tb\tneutral\n", encoding="utf-8")
    assert [pair.genre for pair in read_pairs(path)] == ["travel"]
    path.write_text("premise\thypothesis\tlabel\na\tb\tneutral\n", encoding="utf-8")
    [pair] = read_pairs(path)
    assert pair.genre is None and pair == SentencePair("a", "b", "neutral", genre="travel")
