import json

import pytest

from baselines.corpora import SentencePair, read_pairs
from baselines.translation.base import Translator, make_translator, translate_pairs
from baselines.translation.ready import read_translated_pairs, translate_by_rows
from xlembed.errors import InputError

PAIRS = [SentencePair("A cat.", "An animal.", "entailment"), SentencePair("A cat.", "A dog.", "contradiction")]
ENGLISH = "label\tpremise\thypothesis\nentailment\tA cat.\tAn animal.\ncontradiction\tA cat.\tA dog.\n"
GERMAN = "premise\thypo\tlabel\nEine Katze.\tEin Tier.\tentailment\nEine Katze.\tEin Hund.\tcontradictory\n"
BOTH = ("label\tsentence1_en\tsentence2_en\tsentence1_de\tsentence2_de\n"
        "entailment\tA cat.\tAn animal.\tEine Katze.\tEin Tier.\n"
        "contradiction\t A  cat. \tA dog.\tEine Katze.\tEin Hund.\n")  # fmt: skip
COLUMNS = "A cat.\tEine Katze.\nAn animal.\tEin Tier.\nA dog.\tEin Hund.\n"
IN_GERMAN = [("Eine Katze.", "Ein Tier."), ("Eine Katze.", "Ein Hund.")]


@pytest.fixture
def write(tmp_path):
    def written(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return written


def texts(pairs):
    return [(pair.premise, pair.hypothesis) for pair in pairs]


@pytest.mark.parametrize("text", [BOTH, COLUMNS, GERMAN])
def test_the_three_formats_say_the_same(text, write):
    files = {"translations": write("t.tsv", text), "source": write("s.tsv", ENGLISH)}
    made = make_translator("file", "en", "de", files)
    assert isinstance(made, Translator) and len(made) == 3
    translated = translate_pairs(PAIRS, made)
    assert texts(translated) == IN_GERMAN and [one.label for one in translated] == [one.label for one in PAIRS]
    assert made.translate(["  A\tcat. ", "", "A dog."]) == ["Eine Katze.", "", "Ein Hund."]
    assert made.translate([]) == []


def test_a_table_of_both_languages_serves_both_directions_and_rows(write):
    path = write("t.tsv", BOTH)
    back = make_translator("file", "de", "en", {"translations": path})
    assert back.translate(["Ein Tier."]) == ["An animal."]
    source = write("s.tsv", ENGLISH.replace("A cat.", "A  cat, otherwise written."))
    by_rows = make_translator("file", "en", "de", {"translations": path, "source": source, "match": "rows"})
    assert by_rows.translate(["A cat, otherwise written."]) == ["Eine Katze."]


def test_texts_without_a_translation(write):
    made = make_translator("file", "en", "de", {"translations": write("t.tsv", COLUMNS)})
    with pytest.raises(InputError, match="t.tsv: holds no translation of 2 of 3 texts, such as 'A bird.'"):
        made.translate(["A bird.", "A cat.", "A fish.", "A bird."])


def test_rows_that_do_not_fit(write):
    source = write("s.tsv", ENGLISH)
    other_label = write("l.tsv", GERMAN.replace("contradictory", "neutral"))
    with pytest.raises(InputError, match=r"l.tsv:3: the label is neutral, that of .*s.tsv:3 is contradiction"):
        make_translator("file", "en", "de", {"translations": other_label, "source": source})
    longer = write("n.tsv", GERMAN + "a\tb\tneutral\n")
    with pytest.raises(InputError, match="n.tsv: 3 rows, .*s.tsv has 2"):
        make_translator("file", "en", "de", {"translations": longer, "source": source})
    with pytest.raises(InputError, match="row by row: say which file they translate"):
        make_translator("file", "en", "de", {"translations": write("g.tsv", GERMAN)})


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "is empty"), ("a\tb\tc\n", "neither columns such as sentence1_en"), ("a\tb\nc\n", ":2: has 1 columns"),
     ("\t\n", "is empty"), ("label\tsentence1_en\tsentence1_de\n", "holds no translations")],
)  # fmt: skip
def test_files_that_cannot_be_read(text, message, write):
    with pytest.raises(InputError, match=message):
        make_translator("file", "en", "de", {"translations": write("t.tsv", text)})


def test_another_translation_of_the_same_text_is_told(write, capsys):
    made = make_translator("file", "en", "de", {"translations": write("t.tsv", COLUMNS + "A dog.\tHund\n")})
    assert made.translate(["A dog."]) == ["Ein Hund."]
    assert "1 texts come again with another translation; the first counts" in capsys.readouterr().err


def test_reading_a_translated_training_set(write, capsys):
    read = read_translated_pairs(write("t.tsv", GERMAN))
    assert texts(read) == IN_GERMAN and [pair.label for pair in read] == ["entailment", "contradiction"]
    assert len(read_translated_pairs(write("e.tsv", GERMAN + "\tn/a\tneutral\n"))) == 2
    assert "1 of 3 rows have an empty side and are left out" in capsys.readouterr().err
    with pytest.raises(InputError, match="has no premise and hypothesis"):
        read_translated_pairs(write("c.tsv", COLUMNS))
    with pytest.raises(InputError, match="holds no pairs"):
        read_translated_pairs(write("h.tsv", "premise\thypo\tlabel\n"))


def test_row_by_row_with_pairs_in_memory(write):
    german = read_translated_pairs(write("t.tsv", GERMAN))
    assert translate_by_rows(PAIRS, german, "t.tsv") == german
    with pytest.raises(InputError, match="t.tsv: 1 rows, the data has 2"):
        translate_by_rows(PAIRS, german[:1], "t.tsv")
    with pytest.raises(InputError, match="row 1 has the label contradiction, the data's has entailment"):
        translate_by_rows(PAIRS, german[::-1], "t.tsv")


def test_identity_follows_the_file(write):
    about = [make_translator("file", "en", "de", {"translations": write("t.tsv", text)}).identity()
             for text in (COLUMNS, COLUMNS, COLUMNS + "x\ty\n")]  # fmt: skip
    assert about[0] == about[1] != about[2] and json.loads(json.dumps(about[0])) == about[0]


def test_unknown_match(write):
    with pytest.raises(InputError, match="match = 'words': choose auto, text, rows"):
        make_translator("file", "en", "de", {"translations": write("t.tsv", COLUMNS), "match": "words"})


def test_real_translate_test_of_swahili(shared_data):
    folder = shared_data / "nli"
    pairs = read_pairs(folder / "xnli" / "sw.test.tsv")
    table = folder / "xnli-translate-test" / "sw.test.tsv"
    by_text = translate_pairs(pairs, make_translator("file", "sw", "en", {"translations": table}))
    rows = {"translations": table, "source": folder / "xnli" / "sw.test.tsv", "match": "rows"}
    assert by_text == translate_pairs(pairs, make_translator("file", "sw", "en", rows))
    assert len(by_text) == 5010 and by_text[2].hypothesis == "We had a good discussion."
