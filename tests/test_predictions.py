import json

import pytest

from baselines.corpora import SentencePair, TaggedSentence
from baselines.predictions import RunSettings, make_predictions, read_predictions, write_predictions
from xlembed.errors import InputError

SENTENCES = [TaggedSentence(("Anna", "sings"), ("B-PER", "O")), TaggedSentence(("Köln",), ("B-LOC",))]
RUN = RunSettings("wikiann", "ner", "static", "de", seed=3, settings={"dim": 4}, cost={"train_seconds": 1.5})


def test_write_and_read_is_identity(tmp_path):
    predictions = make_predictions(RUN, SENTENCES, [["B-PER", "O"], ["O"]])
    write_predictions(tmp_path / "p.jsonl", predictions)
    assert read_predictions(tmp_path / "p.jsonl") == predictions


def test_another_number_of_items_or_tags_is_refused():
    with pytest.raises(InputError, match="1 predictions for 2 gold items"):
        make_predictions(RUN, SENTENCES, [["O", "O"]])
    with pytest.raises(InputError, match="sentence 2 has 1 words and 2 predicted tags"):
        make_predictions(RUN, SENTENCES, [["O", "O"], ["O", "O"]])


def test_items_without_gold_are_refused():
    run = RunSettings("xnli", "nli", "static", "de")
    with pytest.raises(InputError, match="xnli de test: no gold labels"):
        make_predictions(run, [SentencePair("a", "b")], ["neutral"])


def damaged(path, change):
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(change(lines)), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "holds 1 items, its header says 2"),
        (lambda lines: [*lines[:-1], lines[-1][:9]], "p.jsonl:3: is not a line of a prediction file"),
        (lambda lines: lines[1:], "p.jsonl:1: is not a prediction file"),
        (lambda lines: [], "is empty"),
        (lambda lines: [lines[0].replace('"ner"', '"parsing"'), *lines[1:]], "unknown kind 'parsing'"),
        (lambda lines: [lines[0], *lines[1:-1], json.dumps({"id": 1, "gold": ["O"], "predicted": []}) + "\n"],
         "sentence 2 has 1 words and 0 predicted tags"),
        (lambda lines: [json.dumps({k: v for k, v in json.loads(lines[0]).items() if k != "system"}) + "\n",
                        *lines[1:]], "the header lacks 'system'"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused(tmp_path, change, message):
    path = tmp_path / "p.jsonl"
    write_predictions(path, make_predictions(RUN, SENTENCES, [["B-PER", "O"], ["O"]]))
    damaged(path, change)
    with pytest.raises(InputError, match=message):
        read_predictions(path)


def test_pairs_with_one_premise_are_a_group(tmp_path):
    pairs = [SentencePair(premise, f"h{i}", "neutral") for i, premise in enumerate(["a", "a", "b", "a"])]
    run = RunSettings("xnli", "nli", "static", "de")
    found = make_predictions(run, pairs, ["neutral"] * 4)
    assert found.groups == [0, 0, 1, 0]
    write_predictions(tmp_path / "p.jsonl", found)
    assert read_predictions(tmp_path / "p.jsonl") == found
    assert make_predictions(run, pairs[1:3], ["neutral"] * 2).groups is None


def test_a_group_for_some_items_is_refused(tmp_path):
    pairs = [SentencePair("a", f"h{i}", "neutral") for i in range(2)]
    run = RunSettings("x", "nli", "s", "de")
    write_predictions(tmp_path / "p.jsonl", make_predictions(run, pairs, ["neutral"] * 2))
    text = (tmp_path / "p.jsonl").read_text()
    (tmp_path / "p.jsonl").write_text(text.replace(', "group": 0', "", 1))
    with pytest.raises(InputError, match="1 of 2 items have no group"):
        read_predictions(tmp_path / "p.jsonl")


# ---- files that others wrote


HEADER = {"xlembed": "predictions", "n": 1, "gold_sha256": "0" * 64, "task": "t", "kind": "ner", "system": "s",
          "lang": "de"}  # fmt: skip
ITEM = {"id": 0, "gold": ["B-PER", "O"], "predicted": ["O", "O"]}


def written(path, header, *items):
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in (header, *items)), encoding="utf-8")
    return path


def test_a_short_header_is_enough(tmp_path):
    found = read_predictions(written(tmp_path / "p.jsonl", HEADER, ITEM))
    assert found.run == RunSettings("t", "ner", "s", "de") and found.gold == [["B-PER", "O"]]
    assert found.run.split == "test" and found.run.seed is None and found.run.cost == {}


@pytest.mark.parametrize("key", [key for key in HEADER if key != "xlembed"])
def test_each_field_of_the_short_header_is_needed(tmp_path, key):
    short = {name: value for name, value in HEADER.items() if name != key}
    with pytest.raises(InputError, match=f"p.jsonl:1: .*{key}"):
        read_predictions(written(tmp_path / "p.jsonl", short, ITEM))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n": True}, "n = True in the header: the number of items is needed"),
        ({"n": "1"}, "n = '1' in the header"),
        ({"n": 0}, "n = 0 in the header"),
        ({"gold_sha256": "ABC"}, "gold_sha256 = 'ABC' in the header: a SHA-256"),
        ({"task": None}, "task = None in the header: text of one line"),
        ({"system": "a\nb"}, "system = .* text of one line"),
        ({"lang": "German"}, "lang = 'German' in the header: an ISO 639 code"),
        ({"lang": None}, "lang = None"),
        ({"seed": True}, "seed = True in the header: a whole number or null"),
        ({"seed": 1.0}, "seed = 1.0"),
        ({"seed": "1"}, "seed = '1'"),
        ({"sed": 1}, "the unknown field 'sed'; known are n, gold_sha256, task"),
        ({"settings": ["lr"]}, "settings = a list in the header: an object"),
        ({"cost": {"train_seconds": "1 h"}}, "cost = an object in the header: an object of numbers"),
        ({"cost": {"train_seconds": -1}}, "of numbers that are not negative"),
        ({"cost": {"train_seconds": None}}, "of numbers"),
        ({"versions": {"torch": 2}}, "versions = an object in the header: an object of texts"),
        ({"kind": ["ner"]}, "unknown kind a list"),
        ({"xlembed": 1}, "its first line is the header"),
    ],
)
def test_header_fields_of_wrong_types(tmp_path, changed, message):
    with pytest.raises(InputError, match=f"p.jsonl:1: .*{message}"):
        read_predictions(written(tmp_path / "p.jsonl", HEADER | changed, ITEM))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": 1}, "id 1, here 0 is due: ids count from 0 in order"),
        ({"id": False}, "id False, here 0 is due"),
        ({"id": "0"}, "id '0', here 0 is due"),
        ({"predicted": ["O", "S-PER"]}, "predicted: 'S-PER', word 2: a tag is O, B-X or I-X"),
        ({"predicted": ["O", "PER"]}, "'PER', word 2"),
        ({"predicted": ["O", "B-"]}, "'B-', word 2"),
        ({"predicted": ["O", None]}, "None, word 2"),
        ({"predicted": ["O", 1]}, "1, word 2"),
        ({"predicted": ["O", ["O"]]}, "a list, word 2"),
        ({"predicted": "O O"}, "predicted: 'O O': a list of tags is needed, one a word"),
        ({"predicted": None}, "predicted: None: a list"),
        ({"predicted": {"0": "O"}}, "an object: a list of tags"),
        ({"gold": ["X", "O"]}, "gold: 'X', word 1"),
        ({"gold": [], "predicted": []}, "gold: a sentence without words"),
        ({"group": True}, "group True: a whole number"),
        ({"group": -1}, "group -1"),
        ({"words": ["a", "b"]}, "the unknown field 'words'; known are id, gold, predicted, group"),
    ],
)
def test_items_that_are_not_as_they_should_be(tmp_path, changed, message):
    with pytest.raises(InputError, match=f"p.jsonl:2: .*{message}"):
        read_predictions(written(tmp_path / "p.jsonl", HEADER, ITEM | changed))


def test_ids_that_come_twice_or_are_left_out(tmp_path):
    for second in (0, 2):
        with pytest.raises(InputError, match=f"p.jsonl:3: id {second}, here 1 is due"):
            read_predictions(written(tmp_path / "p.jsonl", HEADER | {"n": 2}, ITEM, ITEM | {"id": second}))


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("nli", "maybe", "the label 'maybe' is not one of entailment, neutral, contradiction"),
        ("nli", "Entailment", "the label 'Entailment'"),
        ("nli", 0, "the label 0"),
        ("nli", None, "the label None"),
        ("nli", ["neutral"], "the label a list"),
        ("topic", 3, "3: a label, text of one line"),
        ("topic", " ", "a label, text of one line"),
        ("topic", "a\tb", "a label, text of one line"),
        ("topic", True, "True: a label"),
    ],
)
def test_labels_that_are_none_of_their_kind(tmp_path, kind, value, message):
    item = {"id": 0, "gold": "neutral", "predicted": value}
    with pytest.raises(InputError, match=f"p.jsonl:2: predicted: .*{message}"):
        read_predictions(written(tmp_path / "p.jsonl", HEADER | {"kind": kind}, item))


def test_tags_and_topics_that_the_gold_has_not_are_read(tmp_path):
    item = {"id": 0, "gold": ["NOUN"], "predicted": ["X-1"]}
    assert read_predictions(written(tmp_path / "p.jsonl", HEADER | {"kind": "pos"}, item)).predicted == [["X-1"]]
    item = {"id": 0, "gold": "sports", "predicted": "weather"}
    assert read_predictions(written(tmp_path / "p.jsonl", HEADER | {"kind": "topic"}, item)).predicted == ["weather"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "Expecting value at column 1"),
        ("[]", "a list is no object"),
        ('{"id": 0, "gold": ["O"], "predicted": NaN}', "NaN is no value of JSON"),
        ('{"id": 0, "gold": ["O"], "predicted": -Infinity}', "-Infinity is no value of JSON"),
        ('{"id": 0, "gold": ["O"], "gold": ["O"], "predicted": ["O"]}', "a key occurs twice among id, gold, gold"),
        ('{"id": 0, "gold": ["O"], "predicted": ["B-\\ud800"]}', "surrogates not allowed"),
        ('{"id": 0, "gold": ["O"], "predicted": ' + "[" * 100_000, "nested too deep"),
        ('{"id": ' + "9" * 5000 + "}", "Exceeds the limit"),
        ('{"id": 0, "gold": ["O"], "predicted": ["' + "O" * 1_000_000 + '"]}', "has 1,000,043 characters"),
        ('{"id": 0, "gold": ["O"]}', "'predicted' is missing"),
    ],
)
def test_lines_that_are_no_item(tmp_path, line, message):
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(HEADER) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"p.jsonl:2: .*{message}"):
        read_predictions(path)


def test_a_number_beyond_all_bounds_in_the_header(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(HEADER)[:-1] + ', "settings": {"lr": 1e999}}\n' + json.dumps(ITEM) + "\n")
    with pytest.raises(InputError, match="p.jsonl:1: .*Out of range"):
        read_predictions(path)


def test_encodings_and_line_ends(tmp_path):
    path = written(tmp_path / "p.jsonl", HEADER | {"system": "Büro"}, ITEM)
    plain, text = read_predictions(path), path.read_text(encoding="utf-8")
    for form in (text.replace("\n", "\r\n").encode(), text.encode("utf-8-sig"), text.rstrip("\n").encode()):
        path.write_bytes(form)
        assert read_predictions(path) == plain
    for encoding, message in (("latin-1", "p.jsonl:1: is not valid UTF-8"), ("utf-16", "p.jsonl:1: is not valid")):
        path.write_bytes(text.encode(encoding))
        with pytest.raises(InputError, match=message):
            read_predictions(path)
