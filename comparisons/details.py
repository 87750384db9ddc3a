"""What stands behind a score: figures by bucket, by entity type and reading, confusions, differing examples.

One task in one language at a time. Figures are in percent and means over a system's seeds; None where a bucket is
empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from baselines.corpora import NLI_LABELS, Item, TaggedSentence, gold_hash, need_gold
from baselines.metrics import scores_of
from baselines.predictions import PredictionSet
from comparisons.buckets import Buckets, entity_buckets, pair_buckets, sentence_facts, text_buckets, word_buckets
from comparisons.examples import differing_examples
from comparisons.span_modes import (
    SpanArrays,
    counts_by,
    match,
    mode_figures,
    span_arrays,
    type_confusion,
    types_of,
)
from xlembed.errors import InputError
from xlembed.types import Ints1d, Ints2d

FEW = 30  # a bucket with fewer units is marked as small
UNITS = {"ner": "entities", "pos": "words", "nli": "pairs", "topic": "texts"}
OTHER, MISSED, SPURIOUS = "another label", "missed", "spurious"


def details_of(
    task_name: str, kind: str, lang: str, source: str, items: Sequence[Item], train: Sequence[Item],
    predictions: dict[str, list[PredictionSet]],
) -> dict[str, Any]:  # fmt: skip
    """All details of one task in one language, ready for JSON.

    `items` are the test items in the order of the predictions, `train` the training data of the source language, and
    `predictions` a system's seeds by its name, in the order of the systems. The parts:

    - units: what is counted, `n_items`, `few`: a bucket with fewer units is `small`; `systems`
    - buckets: name -> labels, n (units of gold), small, figures: system -> metric -> one figure a label
    - confusion: gold and predicted labels (the rows and columns), counts: system -> rows, means over seeds
    - examples: better, worse, items (`differing_examples`)
    - ner alone, types: labels and n of gold; modes: system -> default, strict, boundaries -> metric -> figures, over
      all and then by type (boundaries: over all alone)

    Raises InputError where the predictions were made for other items.
    """
    _check(f"{task_name} {lang}", items, train, predictions)
    parts: dict[str, Callable[..., tuple[dict[str, Any], dict[str, np.ndarray]]]] = {
        "ner": _entities,
        "pos": _words,
        "nli": partial(_labels, labels=NLI_LABELS, buckets=pair_buckets),
        "topic": partial(_labels, labels=sorted({str(item.gold) for item in items}), buckets=text_buckets),
    }
    found, errors = parts[kind](items, train, predictions, lang=lang)
    head = {"task": task_name, "kind": kind, "lang": lang, "source": source, "units": UNITS[kind],
            "n_items": len(items), "few": FEW, "systems": list(predictions)}  # fmt: skip
    return head | found | {"examples": differing_examples(items, predictions, errors)}


def _check(
    where: str, items: Sequence[Item], train: Sequence[Item], predictions: dict[str, list[PredictionSet]]
) -> None:
    need_gold(items, where)
    need_gold(train, f"{where}: training data")
    sha = gold_hash(items)
    for system, seeds in predictions.items():
        if any(one.gold_sha256 != sha for one in seeds):
            raise InputError(f"{where}: {system} was scored on other items than the test file holds: run it again")


# ---- ner


def _entities(
    items: Sequence[TaggedSentence], train: Sequence[TaggedSentence],
    predictions: dict[str, list[PredictionSet]], lang: str,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The parts of details for entities, and each system's errors by sentence."""
    answers = [one.predicted for seeds in predictions.values() for one in seeds]
    tags = [item.tags or () for item in items]
    types = types_of(chain(tags, *answers))
    facts = sentence_facts(items, train)
    gold = span_arrays(tags, types)
    buckets = entity_buckets(facts, gold)

    def measure(one: PredictionSet) -> dict[str, Any]:
        spans = span_arrays(one.predicted, types)
        matched = match(gold, spans)
        figures = {}
        for ours, theirs in zip(buckets, entity_buckets(facts, spans), strict=True):
            figures[ours.name] = scores_of("ner", counts_by(matched, ours.numbers, theirs.numbers, len(ours.labels)))
        counts = counts_by(matched, gold.sentence, spans.sentence, len(items))
        return {"modes": mode_figures(gold, spans, len(types)), "buckets": figures,
                "confusion": type_confusion(matched, gold, spans, len(types)),
                "errors": counts[:, 1] + counts[:, 2] - 2 * counts[:, 0]}  # fmt: skip

    measured = _over_seeds(measure, predictions)
    n_of_type = np.bincount(gold.type, minlength=len(types))
    found = {
        "types": {"labels": types, "n": n_of_type.tolist()},
        "modes": {system: _modes(one["modes"], gold, n_of_type) for system, one in measured.items()},
        "buckets": {one.name: _bucket_part(one, measured) for one in buckets},
        "confusion": _confusion_part([*types, SPURIOUS], [*types, MISSED], measured),
    }
    return found, {system: one["errors"] for system, one in measured.items()}


def _modes(figures: dict[str, dict[str, np.ndarray]], gold: SpanArrays, n_of_type: Ints1d) -> dict[str, Any]:
    """Figures by mode as lists, None for what gold does not hold."""
    n = np.array([len(gold), *n_of_type])
    return {mode: {metric: _or_none(values, n[: len(values)]) for metric, values in by_metric.items()}
            for mode, by_metric in figures.items()}  # fmt: skip


# ---- pos, nli, topic


def _words(
    items: Sequence[TaggedSentence], train: Sequence[TaggedSentence],
    predictions: dict[str, list[PredictionSet]], lang: str,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The parts of details for tagged words, and each system's wrong words by sentence."""
    facts = sentence_facts(items, train)
    gold = list(chain.from_iterable(item.tags or () for item in items))
    sentence = np.repeat(np.arange(len(items)), facts.lengths)
    labels = sorted(set(gold))
    answers = {system: [list(chain.from_iterable(one.predicted)) for one in seeds]
               for system, seeds in predictions.items()}  # fmt: skip
    found, wrong = _accuracies(gold, answers, labels, word_buckets(facts))
    return found, {system: np.bincount(sentence, one, minlength=len(items)) for system, one in wrong.items()}


def _labels(
    items: Sequence[Item], train: Sequence[Item], predictions: dict[str, list[PredictionSet]], lang: str,
    labels: Sequence[str], buckets: Callable[[Sequence[Any], str], list[Buckets]],
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:  # fmt: skip
    """The parts of details for items with a label, and each system's share of seeds that are wrong by item."""
    answers = {system: [one.predicted for one in seeds] for system, seeds in predictions.items()}
    return _accuracies([str(item.gold) for item in items], answers, labels, buckets(items, lang))


def _accuracies(
    gold: list[str], answers: dict[str, list[list[str]]], labels: Sequence[str], buckets: list[Buckets]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Accuracy by bucket and the confusion of labels; wrong units by system, the mean over its seeds."""
    number = {label: i for i, label in enumerate(labels)}
    rows = np.array([number[label] for label in gold])

    def measure(predicted: list[str]) -> dict[str, Any]:
        columns = np.array([number.get(label, len(labels)) for label in predicted])
        return {"buckets": {one.name: {"accuracy": _accuracy(one, rows == columns)} for one in buckets},
                "confusion": _counts(rows, columns, len(labels)), "errors": rows != columns}  # fmt: skip

    measured = _over_seeds(measure, answers)
    found = {
        "buckets": {one.name: _bucket_part(one, measured) for one in buckets},
        "confusion": _confusion_part(list(labels), [*labels, OTHER], measured),
    }
    return found, {system: one["errors"] for system, one in measured.items()}


def _accuracy(buckets: Buckets, right: np.ndarray) -> np.ndarray:
    """Accuracy by bucket in percent, (n_labels,)."""
    n = len(buckets.labels)
    counts = [np.bincount(buckets.numbers, right, minlength=n), np.bincount(buckets.numbers, minlength=n)]
    return scores_of("pos", np.stack(counts, axis=1))["accuracy"]


def _counts(rows: Ints1d, columns: Ints1d, n: int) -> Ints2d:
    """Gold x predicted, (n, n + 1); the last column is for what is no label of gold."""
    return np.bincount(rows * (n + 1) + columns, minlength=n * (n + 1)).reshape(n, n + 1)


# ---- for all kinds


def _over_seeds(measure: Callable[[Any], dict[str, Any]], by_seed: dict[str, list[Any]]) -> dict[str, dict[str, Any]]:
    """System -> what is measured, the mean over its seeds."""
    return {system: _mean([measure(one) for one in seeds]) for system, seeds in by_seed.items()}


def _mean(found: list[Any]) -> Any:
    """The mean of arrays, or of dicts of arrays."""
    if isinstance(found[0], dict):
        return {key: _mean([one[key] for one in found]) for key in found[0]}
    return np.mean(found, axis=0)


def _bucket_part(buckets: Buckets, measured: dict[str, dict[str, Any]]) -> dict[str, Any]:
    n = np.bincount(buckets.numbers, minlength=len(buckets.labels))
    figures = {system: {metric: _or_none(values, n) for metric, values in one["buckets"][buckets.name].items()}
               for system, one in measured.items()}  # fmt: skip
    return {"labels": list(buckets.labels), "n": n.tolist(), "small": (n < FEW).tolist(), "figures": figures}


def _confusion_part(gold: list[str], predicted: list[str], measured: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"gold": gold, "predicted": predicted,
            "counts": {system: one["confusion"].tolist() for system, one in measured.items()}}  # fmt: skip


def _or_none(values: np.ndarray, n: Ints1d) -> list[float | None]:
    return [float(value) if count else None for value, count in zip(values, n, strict=True)]
