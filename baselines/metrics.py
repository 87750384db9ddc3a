"""The one scorer: span F1 for NER, accuracy for POS tags, accuracy and macro-F1 for classification.

Scores are sums over items (sentences, pairs or texts), so that a resample of the items is a resample of the rows
of a small integer matrix: `item_counts` makes the matrix, `scores_of` turns its column sums into figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from baselines.corpora import NLI_LABELS
from xlembed.types import Floats2d, Ints2d

MAIN_METRIC = {"ner": "f1", "pos": "accuracy", "nli": "accuracy", "topic": "accuracy"}
METRIC_NAMES = {
    "ner": "span F1 (micro, %; IOB2, an I- that follows nothing of its type opens a span: seqeval's default mode)",
    "pos": "accuracy over words (%)",
    "nli": "accuracy (%)",
    "topic": "accuracy (%)",
}
OTHER_METRICS = {"ner": ("precision", "recall"), "pos": (), "nli": ("macro_f1",), "topic": ("macro_f1",)}


@dataclass(frozen=True)
class Span:
    """An entity: label, first word, word after the last."""

    label: str
    start: int
    end: int


def spans(tags: Sequence[str]) -> set[Span]:
    """Entities of an IOB2 sequence, read leniently: an I-X after O, or after another type, opens a span.

    This is what conlleval and seqeval's default mode do, and what published WikiAnn figures use.
    """
    found: set[Span] = set()
    label, start = None, 0
    for i, tag in enumerate([*tags, "O"]):
        prefix, _, kind = tag.partition("-")
        goes_on = prefix == "I" and kind == label
        if label is not None and not goes_on:
            found.add(Span(label, start, i))
            label = None
        if prefix in ("B", "I") and not goes_on:
            label, start = kind, i
    return found


def item_counts(kind: str, gold: Sequence[Any], predicted: Sequence[Any]) -> Ints2d:
    """One row an item. ner: correct, predicted, gold spans. pos: correct words, words.

    nli, topic: a one-hot cell of the confusion matrix, flattened; see `_confusion_counts`.
    """
    if kind == "ner":
        counts: list[tuple[int, ...]] = [_span_counts(g, p) for g, p in zip(gold, predicted, strict=True)]
    elif kind == "pos":
        counts = [_word_counts(g, p) for g, p in zip(gold, predicted, strict=True)]
    else:
        labels = NLI_LABELS if kind == "nli" else sorted(set(gold))
        return _confusion_counts(labels, gold, predicted)
    return np.array(counts, dtype=np.int64).reshape(len(counts), 3 if kind == "ner" else 2)


def _span_counts(gold: Sequence[str], predicted: Sequence[str]) -> tuple[int, int, int]:
    gold_spans, predicted_spans = spans(gold), spans(predicted)
    return len(gold_spans & predicted_spans), len(predicted_spans), len(gold_spans)


def _word_counts(gold: Sequence[str], predicted: Sequence[str]) -> tuple[int, int]:
    return sum(g == p for g, p in zip(gold, predicted, strict=True)), len(gold)


def _confusion_counts(labels: Sequence[str], gold: Sequence[str], predicted: Sequence[str]) -> Ints2d:
    """Column gold * (n_labels + 1) + predicted; the last of a row takes predictions that are no label of gold."""
    number = {label: i for i, label in enumerate(labels)}
    n = len(labels)
    rows = np.zeros((len(gold), n * (n + 1)), dtype=np.int64)
    for row, g, p in zip(rows, gold, predicted, strict=True):
        row[number[g] * (n + 1) + number.get(p, n)] = 1
    return rows


def scores_of(kind: str, sums: Ints2d | Floats2d) -> dict[str, np.ndarray]:
    """Figures in percent from column sums of `item_counts`, (n_resamples, n_columns) -> (n_resamples,) each.

    ner: precision, recall, f1 = 2 correct / (predicted + gold). pos: accuracy. nli, topic: accuracy, macro_f1 (the
    mean over labels that occur in gold or prediction, as scikit-learn has it; for topic, over the labels of gold).
    """
    sums = np.atleast_2d(sums).astype(np.float64)
    if kind == "ner":
        correct, n_predicted, n_gold = sums.T
        return {
            "f1": 100 * _ratio(2 * correct, n_predicted + n_gold),
            "precision": 100 * _ratio(correct, n_predicted),
            "recall": 100 * _ratio(correct, n_gold),
        }
    if kind == "pos":
        return {"accuracy": 100 * _ratio(sums[:, 0], sums[:, 1])}
    n = (math.isqrt(1 + 4 * sums.shape[1]) - 1) // 2  # n (n + 1) columns
    confusion = sums.reshape(len(sums), n, n + 1)
    correct = np.diagonal(confusion, axis1=1, axis2=2)  # (n_resamples, n)
    total = confusion[:, :, :n].sum(axis=1) + confusion.sum(axis=2)
    occurs = total > 0
    macro = (_ratio(2 * correct, total) * occurs).sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)
    return {
        "accuracy": 100 * _ratio(correct.sum(axis=1), confusion.sum(axis=(1, 2))),
        "macro_f1": 100 * macro,
    }


def score(kind: str, gold: Sequence[Any], predicted: Sequence[Any]) -> dict[str, float]:
    """Figures in percent for one prediction set."""
    sums = item_counts(kind, gold, predicted).sum(axis=0, keepdims=True)
    return {name: float(values[0]) for name, values in scores_of(kind, sums).items()}


def dev_scorer(kind: str) -> Callable[[Sequence[Any], Sequence[Any]], float]:
    """The main metric as a function of gold and predictions, for model selection."""
    return lambda gold, predicted: score(kind, gold, predicted)[MAIN_METRIC[kind]]


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, 0 where below is 0."""
    ratio: np.ndarray = np.divide(above, below, out=np.zeros(np.shape(above)), where=below > 0)
    return ratio
