"""Whether a system means by its labels what the gold means: a mix-up of names scores low, and nothing else shows it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baselines.corpora import TAGGING
from baselines.metrics import spans
from baselines.predictions import PredictionSet
from xlembed.errors import at

CLEAR_GAIN = 0.1  # share of items that renaming would turn right; less is what weak systems reach by chance


def need_known_labels(predictions: PredictionSet, path: str | Path) -> None:
    """Raise InputError when no predicted label (for ner, entity type) occurs in the gold: the names are others."""
    predicted, foreign = _foreign(predictions)
    if foreign and len(foreign) == len(predicted):
        gold = _labels(predictions.run.kind, predictions.gold)
        raise at(path, None, f"no predicted label ({_list(foreign)}) occurs in the gold ({_list(gold)}): rename them")


def remarks(found: Sequence[PredictionSet]) -> list[str]:
    """What looks like a mistake in the predictions of a system's seeds; two that predict the same throughout, too."""
    told = [remark if one.run.seed is None else f"seed {one.run.seed}: {remark}"
            for one in found for remark in label_remarks(one)]  # fmt: skip
    for i, one in enumerate(found):
        told += [f"seeds {other.run.seed} and {one.run.seed} predict the same throughout: is it one file twice?"
                 for other in found[:i] if other.predicted == one.predicted]  # fmt: skip
    return told


def label_remarks(predictions: PredictionSet) -> list[str]:
    """Remarks on labels (for ner, entity types) that the gold has not, and on names that look mixed up."""
    _, foreign = _foreign(predictions)
    remarks = [f"predicts labels that the gold has not: {_list(foreign)}"] if foreign else []
    return remarks + _renaming(_pairs(predictions))


def _foreign(predictions: PredictionSet) -> tuple[Counter[str], Counter[str]]:
    """How often each label is predicted, and those of them that the gold has not."""
    gold, predicted = (_labels(predictions.run.kind, side) for side in (predictions.gold, predictions.predicted))
    if predictions.run.kind == "nli":  # its labels are known, and checked by the reader
        return predicted, Counter()
    return predicted, Counter({label: n for label, n in predicted.items() if label not in gold})


def _labels(kind: str, answers: Sequence[Any]) -> Counter[str]:
    """How often each label, tag or entity type occurs."""
    if kind == "ner":
        return Counter(span.label for tags in answers for span in spans(tags))
    return Counter(answers) if kind not in TAGGING else Counter(tag for tags in answers for tag in tags)


def _pairs(predictions: PredictionSet) -> list[tuple[str, str]]:
    """(gold, predicted) labels of all items; of words for pos; of spans with the same ends for ner."""
    pairs = list(zip(predictions.gold, predictions.predicted, strict=True))
    if predictions.run.kind == "pos":
        return [pair for gold, predicted in pairs for pair in zip(gold, predicted, strict=True)]
    if predictions.run.kind != "ner":
        return pairs
    found = []
    for gold, predicted in pairs:
        by_place = {(span.start, span.end): span.label for span in spans(gold)}
        found += [(by_place[span.start, span.end], span.label) for span in sorted(spans(predicted), key=str)
                  if (span.start, span.end) in by_place]  # fmt: skip
    return found


def _renaming(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The remark that calling each predicted label what it mostly stands for would be much better, if so."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for gold, predicted in pairs:
        table[predicted][gold] += 1
    meant = {predicted: min(of, key=lambda label: (-of[label], label)) for predicted, of in sorted(table.items())}
    swapped = {label: other for label, other in meant.items() if label != other}
    if not swapped or len(set(meant.values())) < len(meant):
        return []
    gain = sum(table[label][other] - table[label][label] for label, other in swapped.items()) / len(pairs)
    if gain < CLEAR_GAIN:
        return []
    told = ", ".join(f"{label} mostly stands for {other}" for label, other in swapped.items())
    return [f"label names look mixed up: {told}; renamed, {100 * gain:.1f} % more would be right"]


def _list(labels: Counter[str]) -> str:
    names = sorted(labels, key=lambda label: (-labels[label], label))
    return ", ".join(f"{name} ({labels[name]})" for name in names[:5]) + (", ..." if len(names) > 5 else "")
