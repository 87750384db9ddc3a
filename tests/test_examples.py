import numpy as np
import pytest

from baselines.corpora import LabelledText, SentencePair, TaggedSentence
from baselines.predictions import RunSettings, make_predictions
from comparisons.examples import LONGEST, differing_examples, furthest


def predictions_of(kind, items, answers):
    """System -> seeds -> predictions, as prediction sets."""
    return {
        system: [make_predictions(RunSettings("t", kind, system, "en", seed=i), items, one)
                 for i, one in enumerate(seeds)]
        for system, seeds in answers.items()
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ahead", "k", "expected"),
    [
        ([0.0, 2.0, -1.0, 3.0], 5, [3, 1]),
        ([1.0, 2.0, 1.0, 3.0], 2, [3, 1]),
        ([1.0] * 10, 5, [0, 2, 4, 6, 8]),  # at even distances
        ([1.0, 1.0, 5.0, 1.0, 1.0], 3, [2, 0, 3]),  # the largest first, then two of four
        ([0.0, -1.0], 3, []),
        ([], 3, []),
        ([1 / 3, 1 - 2 / 3], 1, [0]),  # equal but for rounding
    ],
)
def test_the_furthest_ahead(ahead, k, expected):
    assert furthest(np.array(ahead), k).tolist() == expected


def test_every_two_neighbours_both_ways():
    items = [LabelledText(f"text {i}", "a") for i in range(4)]
    answers = {"x": [["a", "b", "a", "b"]], "y": [["b", "a", "a", "b"]], "z": [["a", "a", "a", "a"]]}
    predictions = predictions_of("topic", items, answers)
    errors = {system: np.array([label != "a" for label in seeds[0]], dtype=float) for system, seeds in answers.items()}
    found = differing_examples(items, predictions, errors)
    assert [(one["better"], one["worse"], [item["item"] for item in one["items"]]) for one in found] == [
        ("x", "y", [0]), ("y", "x", [1]), ("y", "z", []), ("z", "y", [0, 3])
    ]  # fmt: skip
    assert found[0]["items"] == [
        {"item": 0, "text": "text 0", "gold": "a", "answer": "a", "other": "b", "fewer_errors": 1.0}
    ]


def test_right_with_every_seed_comes_before_right_with_some():
    items = [SentencePair(f"p{i}", f"h{i}", "neutral") for i in range(3)]
    right, wrong = "neutral", "entailment"
    answers = {"x": [[right, right, wrong], [wrong, right, wrong]],
               "y": [[wrong, wrong, right], ["contradiction", wrong, right]]}  # fmt: skip
    predictions = predictions_of("nli", items, answers)
    found = differing_examples(items, predictions, {"x": np.array([0.5, 0, 1]), "y": np.array([1.0, 1, 0])})
    first, second = found[0]["items"]
    assert (first["item"], first["text"], first["answer"], first["fewer_errors"]) == (1, "p1 ⇒ h1", "neutral", 1.0)
    assert (second["item"], second["answer"], second["other"]) == (
        0, "entailment or neutral", "contradiction or entailment"
    )  # fmt: skip


def test_entities_in_dispute_are_shown():
    sentence = TaggedSentence(("Anna", "in", "New", "York", "and", "Rome"),
                              ("B-PER", "O", "B-LOC", "I-LOC", "O", "B-LOC"))  # fmt: skip
    answers = {"x": [[["B-PER", "O", "B-LOC", "I-LOC", "O", "O"]]], "y": [[["B-PER", "O", "O", "B-LOC", "O", "B-ORG"]]]}
    errors = {"x": np.array([1.0]), "y": np.array([4.0])}
    found = differing_examples([sentence], predictions_of("ner", [sentence], answers), errors)
    assert found[0]["items"] == [
        {"item": 0, "text": "Anna in New York and Rome", "gold": "New York (LOC), Rome (LOC)",
         "answer": "New York (LOC)", "other": "York (LOC), Rome (ORG)", "fewer_errors": 3.0}
    ]  # fmt: skip
    answers["y"] = [[["B-PER", "O", "B-LOC", "I-LOC", "O", "B-LOC"]]]
    found = differing_examples([sentence], predictions_of("ner", [sentence], answers), {"x": errors["x"], "y": [0.0]})
    assert found[1]["items"][0]["other"] == "none"


def test_wrong_words_are_shown():
    sentence = TaggedSentence(("the", "dog", "barks"), ("DET", "NOUN", "VERB"))
    answers = {"x": [[["DET", "NOUN", "NOUN"]]], "y": [[["DET", "VERB", "NOUN"]]]}
    errors = {"x": np.array([1.0]), "y": np.array([2.0])}
    found = differing_examples([sentence], predictions_of("pos", [sentence], answers), errors)[0]["items"][0]
    assert (found["gold"], found["answer"], found["other"]) == (
        "dog (NOUN), barks (VERB)", "dog (NOUN), barks (NOUN)", "dog (VERB), barks (NOUN)"
    )  # fmt: skip


def test_long_texts_are_cut_and_put_in_one_line():
    items = [LabelledText("line\nline | `code` **x** " * 50, "a")]
    errors = {"x": np.array([0.0]), "y": np.array([1.0])}
    found = differing_examples(items, predictions_of("topic", items, {"x": [["a"]], "y": [["b"]]}), errors)
    text = found[0]["items"][0]["text"]
    assert len(text) <= LONGEST and text.endswith("…") and text.startswith("line line | `code` **x** line")


def test_one_system_has_nothing_to_differ_from():
    items = [LabelledText("x", "a")]
    assert differing_examples(items, predictions_of("topic", items, {"x": [["a"]]}), {"x": np.array([0.0])}) == []
