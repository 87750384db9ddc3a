import numpy as np
import pytest
from seqeval.metrics import f1_score as seqeval_f1
from seqeval.metrics import precision_score as seqeval_precision
from seqeval.metrics import recall_score as seqeval_recall
from sklearn.metrics import accuracy_score, f1_score

from baselines.corpora import NLI_LABELS
from baselines.metrics import Span, item_counts, score, scores_of, spans

TAGS = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]


def random_tags(rng, n_sentences=200):
    return [[TAGS[i] for i in rng.integers(len(TAGS), size=rng.integers(1, 12))] for _ in range(n_sentences)]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["B-PER", "I-PER", "O", "B-LOC"], {Span("PER", 0, 2), Span("LOC", 3, 4)}),
        (["B-PER", "B-PER"], {Span("PER", 0, 1), Span("PER", 1, 2)}),
        (["I-PER", "I-PER"], {Span("PER", 0, 2)}),
        (["O", "I-LOC", "O"], {Span("LOC", 1, 2)}),
        (["B-PER", "I-LOC", "I-LOC"], {Span("PER", 0, 1), Span("LOC", 1, 3)}),
        (["O", "O"], set()),
        ([], set()),
    ],
)
def test_spans(tags, expected):
    assert spans(tags) == expected


@pytest.mark.parametrize("seed", range(5))
def test_span_scores_equal_seqeval_on_any_sequences(seed):
    """Uniformly random tags: most sequences are invalid IOB2, where readings differ."""
    rng = np.random.default_rng(seed)
    gold = random_tags(rng)
    predicted = [[tag if rng.random() < 0.6 else TAGS[rng.integers(len(TAGS))] for tag in tags] for tags in gold]
    ours = score("ner", gold, predicted)
    assert ours["f1"] == pytest.approx(100 * seqeval_f1(gold, predicted), abs=1e-9)
    assert ours["precision"] == pytest.approx(100 * seqeval_precision(gold, predicted), abs=1e-9)
    assert ours["recall"] == pytest.approx(100 * seqeval_recall(gold, predicted), abs=1e-9)


def test_no_spans_at_all_scores_zero_not_nan():
    assert score("ner", [["O"]], [["O"]]) == {"f1": 0.0, "precision": 0.0, "recall": 0.0}


@pytest.mark.parametrize("seed", range(5))
def test_label_scores_equal_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    gold = [NLI_LABELS[i] for i in rng.integers(3, size=100)]
    predicted = [label if rng.random() < 0.5 else NLI_LABELS[rng.integers(3)] for label in gold]
    ours = score("nli", gold, predicted)
    assert ours["accuracy"] == pytest.approx(100 * accuracy_score(gold, predicted))
    assert ours["macro_f1"] == pytest.approx(100 * f1_score(gold, predicted, average="macro"))


def test_macro_f1_counts_labels_that_occur():
    gold, predicted = ["neutral", "neutral"], ["neutral", "entailment"]
    expected = 100 * f1_score(gold, predicted, average="macro")
    assert score("nli", gold, predicted)["macro_f1"] == pytest.approx(expected)


def test_scores_of_many_resamples_are_those_of_each():
    rng = np.random.default_rng(0)
    gold, predicted = random_tags(rng, 30), None
    predicted = [tags[::-1] for tags in gold]
    counts = item_counts("ner", gold, predicted)
    halves = np.stack([counts[:15].sum(0), counts[15:].sum(0)])
    together = scores_of("ner", halves)["f1"]
    assert together[0] == pytest.approx(score("ner", gold[:15], predicted[:15])["f1"])
    assert together[1] == pytest.approx(score("ner", gold[15:], predicted[15:])["f1"])


def test_other_lengths_do_not_pass_silently():
    with pytest.raises(ValueError, match="zip"):
        item_counts("nli", ["neutral"], ["neutral", "neutral"])


def test_accuracy_of_words_equals_scikit_learn():
    rng = np.random.default_rng(0)
    gold, predicted = ([[str(tag) for tag in rng.integers(4, size=n)] for n in (3, 0, 5)] for _ in range(2))
    ours = score("pos", gold, predicted)
    assert ours["accuracy"] == pytest.approx(100 * accuracy_score(sum(gold, []), sum(predicted, [])))


def test_topics_equal_scikit_learn_over_the_labels_of_gold():
    """A label that only the system knows is wrong, and no row of the mean."""
    rng = np.random.default_rng(0)
    labels = ["a", "b", "c", "d"]
    gold = [labels[i] for i in rng.integers(3, size=60)]
    predicted = [labels[i] for i in rng.integers(4, size=60)]
    ours = score("topic", gold, predicted)
    assert ours["accuracy"] == pytest.approx(100 * accuracy_score(gold, predicted))
    assert ours["macro_f1"] == pytest.approx(100 * f1_score(gold, predicted, labels=labels[:3], average="macro"))
