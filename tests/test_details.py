import json

import numpy as np
import pytest
from seqeval.metrics import f1_score as seqeval_f1
from seqeval.scheme import IOB2
from sklearn.metrics import confusion_matrix
from test_metrics import random_tags

from baselines.corpora import NLI_LABELS, LabelledText, SentencePair, TaggedSentence
from baselines.metrics import score, spans
from baselines.predictions import RunSettings, make_predictions
from comparisons.details import details_of
from xlembed.errors import InputError

N = 60


def changed(rng, values, others, share=0.3):
    return [others[rng.integers(len(others))] if rng.random() < share else value for value in values]


def details(kind, items, answers, train=None, lang="en"):
    predictions = {
        system: [make_predictions(RunSettings("t", kind, system, lang, seed=i), items, one)
                 for i, one in enumerate(seeds)]
        for system, seeds in answers.items()
    }  # fmt: skip
    return details_of("t", kind, lang, "en", items, train or items[: N // 2], predictions)


@pytest.fixture(scope="module")
def ner():
    rng = np.random.default_rng(0)
    words = ["Rome", "rome", "Anna", "in", ".", "goes", "Oslo", "Lima"]
    tags = random_tags(rng, N)
    items = [TaggedSentence(tuple(words[i] for i in rng.integers(8, size=len(one))), tuple(one)) for one in tags]
    answers = {system: [[changed(rng, one, ["O", "B-PER", "I-LOC"]) for one in tags] for _ in range(n)]
               for system, n in (("x", 2), ("y", 1))}  # fmt: skip
    return items, answers, details("ner", items, answers)


def test_entity_figures_are_means_over_seeds_of_the_one_scorer(ner):
    items, answers, found = ner
    gold = [item.gold for item in items]
    for system, seeds in answers.items():
        modes = found["modes"][system]
        expected = np.mean([score("ner", gold, one)["f1"] for one in seeds])
        assert modes["default"]["f1"][0] == pytest.approx(expected, rel=1e-12)
        strict = np.mean([100 * seqeval_f1(gold, one, mode="strict", scheme=IOB2) for one in seeds])
        assert modes["strict"]["f1"][0] == pytest.approx(strict, rel=1e-12)
        assert len(modes["default"]["f1"]) == 4 and len(modes["boundaries"]["f1"]) == 1
    assert found["types"]["labels"] == ["LOC", "ORG", "PER"] and found["units"] == "entities"
    assert sum(found["types"]["n"]) == sum(len(spans(one)) for one in gold)


def test_sentence_buckets_equal_scoring_the_sentences_of_the_bucket(ner):
    items, answers, found = ner
    part = found["buckets"]["sentence length"]
    for i, (low, high) in enumerate([(1, 5), (6, 10), (11, 20)]):
        rows = [j for j, item in enumerate(items) if low <= len(item.words) <= high]
        gold = [items[j].gold for j in rows]
        for system, seeds in answers.items():
            scores = [score("ner", gold, [one[j] for j in rows]) for one in seeds]
            for metric in ("f1", "precision", "recall"):
                expected = np.mean([one[metric] for one in scores])
                assert part["figures"][system][metric][i] == pytest.approx(expected, rel=1e-12)
        assert part["n"][i] == sum(len(spans(one)) for one in gold)
        assert part["small"][i] == (part["n"][i] < 30)
    assert part["n"][3] == 0 and part["figures"]["x"]["f1"][3] is None and part["small"][3]


def test_entity_buckets_equal_counting_span_by_span(ner):
    items, answers, found = ner
    trained = {" ".join(item.words[s.start : s.end]).casefold() for item in items[: N // 2] for s in spans(item.tags)}
    for bucket, wanted in enumerate([False, True]):
        def chosen(item, tags, wanted=wanted):
            return {s for s in spans(tags) if (" ".join(item.words[s.start : s.end]).casefold() in trained) == wanted}

        pairs = [(chosen(item, item.tags), chosen(item, tags))
                 for item, tags in zip(items, answers["y"][0], strict=True)]  # fmt: skip
        correct, n_gold = sum(len(g & p) for g, p in pairs), sum(len(g) for g, _ in pairs)
        part = found["buckets"]["entity seen"]
        assert part["n"][bucket] == n_gold
        assert part["figures"]["y"]["recall"][bucket] == pytest.approx(100 * correct / n_gold)
        n_predicted = sum(len(p) for _, p in pairs)
        assert part["figures"]["y"]["f1"][bucket] == pytest.approx(200 * correct / (n_gold + n_predicted))


def test_every_bucketing_of_entities_holds_them_all(ner):
    _, _, found = ner
    n = sum(found["types"]["n"])
    assert all(sum(part["n"]) == n for part in found["buckets"].values())
    assert np.sum(found["confusion"]["counts"]["x"], axis=1)[:3].tolist() == pytest.approx(found["types"]["n"])
    assert found["confusion"]["gold"] == ["LOC", "ORG", "PER", "spurious"]
    assert found["confusion"]["predicted"] == ["LOC", "ORG", "PER", "missed"]


def test_sentences_with_fewer_errors_are_the_examples(ner):
    items, answers, found = ner

    def n_errors(system, i):
        gold = spans(items[i].tags)
        return np.mean([len(gold ^ spans(one[i])) for one in answers[system]])

    best = max(n_errors("y", i) - n_errors("x", i) for i in range(N))
    assert [(one["better"], one["worse"]) for one in found["examples"]] == [("x", "y"), ("y", "x")]
    first = found["examples"][0]["items"][0]
    assert first["fewer_errors"] == pytest.approx(best) == n_errors("y", first["item"]) - n_errors("x", first["item"])


def test_a_type_that_gold_does_not_hold_has_no_figure():
    items = [TaggedSentence(("Rome", "is"), ("B-LOC", "O"))]
    found = details("ner", items, {"x": [[["B-LOC", "B-ORG"]]]}, train=items)
    assert found["types"] == {"labels": ["LOC", "ORG"], "n": [1, 0]}
    assert found["modes"]["x"]["default"]["recall"] == [100.0, 100.0, None]


def test_words_are_counted_for_parts_of_speech():
    rng = np.random.default_rng(1)
    tags = ["NOUN", "VERB", "DET"]
    items = [TaggedSentence(tuple("abcde"[j] for j in rng.integers(5, size=n)),
                            tuple(tags[j] for j in rng.integers(3, size=n)))
             for n in rng.integers(1, 12, size=N)]  # fmt: skip
    answers = [changed(rng, item.tags, [*tags, "X"]) for item in items]
    found = details("pos", items, {"x": [answers]})
    assert found["units"] == "words" and "modes" not in found
    for i, (low, high) in enumerate([(1, 5), (6, 10), (11, 20)]):
        rows = [j for j, item in enumerate(items) if low <= len(item.words) <= high]
        expected = score("pos", [items[j].gold for j in rows], [answers[j] for j in rows])["accuracy"]
        part = found["buckets"]["sentence length"]
        assert part["figures"]["x"]["accuracy"][i] == pytest.approx(expected)
        assert part["n"][i] == sum(len(items[j].words) for j in rows)
    assert np.sum(found["confusion"]["counts"]["x"]) == sum(len(item.words) for item in items)
    assert found["confusion"]["predicted"] == ["DET", "NOUN", "VERB", "another label"]


def test_pairs_by_bucket_and_their_confusion():
    rng = np.random.default_rng(2)
    gold = [NLI_LABELS[i] for i in rng.integers(3, size=N)]
    items = [SentencePair("a man sleeps", "he is " + "not " * (i % 2) + "there " * (i % 9), label)
             for i, label in enumerate(gold)]  # fmt: skip
    answers = {"x": [changed(rng, gold, NLI_LABELS) for _ in range(3)]}
    found = details("nli", items, answers)
    part = found["buckets"]["negation"]
    assert part["labels"] == ["none", "negation word"] and part["n"] == [30, 30] and part["small"] == [False, False]
    for i in range(2):
        right = [one[j] == gold[j] for one in answers["x"] for j in range(i, N, 2)]
        assert part["figures"]["x"]["accuracy"][i] == pytest.approx(100 * np.mean(right))
    expected = np.mean([confusion_matrix(gold, one, labels=NLI_LABELS) for one in answers["x"]], axis=0)
    counts = np.array(found["confusion"]["counts"]["x"])
    assert counts[:, :3] == pytest.approx(expected) and counts[:, 3].sum() == 0
    assert found["confusion"]["gold"] == list(NLI_LABELS)
    assert "negation" not in details("nli", items, answers, lang="qu")["buckets"]


def test_labels_that_gold_does_not_have_have_a_column():
    items = [LabelledText("a text", label) for label in ("b", "a", "a")]
    found = details("topic", items, {"x": [["b", "a", "c"]]}, train=items)
    assert found["confusion"] == {"gold": ["a", "b"], "predicted": ["a", "b", "another label"],
                                  "counts": {"x": [[1, 0, 1], [0, 1, 0]]}}  # fmt: skip
    assert found["buckets"]["text length"]["figures"]["x"]["accuracy"][0] == pytest.approx(200 / 3)


def test_details_are_json_and_the_same_every_time(ner):
    items, answers, found = ner
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert json.dumps(details("ner", items, answers)) == json.dumps(found)


def test_predictions_for_other_items_and_data_without_gold_are_refused():
    items = [LabelledText("a text", "a"), LabelledText("b text", "b")]
    predictions = {"x": [make_predictions(RunSettings("t", "topic", "x", "en"), items, ["a", "b"])]}
    with pytest.raises(InputError, match="t de: x was scored on other items than the test file holds: run it again"):
        details_of("t", "topic", "de", "en", items[::-1], items, predictions)
    with pytest.raises(InputError, match="t de: training data: no gold labels"):
        details_of("t", "topic", "de", "en", items, [LabelledText("x")], predictions)
    with pytest.raises(InputError, match="t de: no items"):
        details_of("t", "topic", "de", "en", [], items, predictions)
