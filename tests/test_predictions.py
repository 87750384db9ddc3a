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
