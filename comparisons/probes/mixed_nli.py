"""Premise in one language, hypothesis in another: does an NLI model reason across languages, or within each alone?

Rajaee and Monz (2024, "Analyzing the evaluation of cross-lingual knowledge transfer in multilingual language models")
find that models which transfer well with both texts in one language lose much where the two are mixed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from baselines.corpora import SentencePair, need_gold
from comparisons.probes.base import ProbeTable, figure, probe_json
from xlembed.bootstrap import Interval, interval, resampled_sums
from xlembed.errors import InputError
from xlembed.types import Floats2d

Predict = Callable[[Sequence[SentencePair]], Sequence[str]]


@dataclass(frozen=True)
class Accuracy:
    """Percent (or a difference in points), with its 95 % interval over items."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class MixedCell:
    """Accuracy with the premise in one language and the hypothesis in another (or the same)."""

    premise: str
    hypothesis: str
    accuracy: Accuracy


@dataclass(frozen=True)
class MixedNLI:
    """Accuracy for every premise and hypothesis language; difference = same language minus mixed, paired by item."""

    model: str
    languages: list[str]
    n_items: int
    cells: list[MixedCell]
    same: Accuracy  # mean of the diagonal
    mixed: Accuracy  # mean off the diagonal
    difference: Accuracy

    def as_json(self) -> dict[str, Any]:
        return probe_json("mixed-nli", asdict(self))


def mixed_nli(
    items: Mapping[str, Sequence[SentencePair]], predict: Predict, model: str = "model", seed: int = 0
) -> MixedNLI:
    """Predict every item in every combination of premise and hypothesis language.

    items: the same pairs, row by row, in two languages or more. predict: labels of pairs, which say the language of
    both texts (`lang`, `hypothesis_lang`) and do not hold gold. Intervals resample items, all combinations of one
    together. Raises InputError for other lengths, and where the gold of a row differs.
    """
    check_aligned(items)
    languages = list(items)
    gold = np.array([pair.label for pair in items[languages[0]]])
    right = np.column_stack(
        [
            np.array(predict(mix(items[premise], items[hypothesis], premise, hypothesis))) == gold
            for premise in languages
            for hypothesis in languages
        ]
    ).astype(np.float64)  # (n_items, n_languages * n_languages), premise-major
    return _scored(right, languages, model, seed)


def check_aligned(items: Mapping[str, Sequence[SentencePair]]) -> None:
    """Raise InputError unless there are two languages at least, as many rows in each, and the same gold in each row."""
    if len(items) < 2:
        raise InputError(f"test files of two languages at least are needed, {len(items)} given")
    (first, reference), *others = items.items()
    need_gold(reference, first)
    for lang, pairs in others:
        need_gold(pairs, lang)
        if len(pairs) != len(reference):
            raise InputError(f"{first} has {len(reference)} pairs, {lang} has {len(pairs)}: "
                             "the same pairs, row by row, are needed")
        for row, (one, other) in enumerate(zip(reference, pairs, strict=True), start=1):
            if one.label != other.label:
                raise InputError(f"pair {row} is {one.label} in {first} and {other.label} in {lang}: "
                                 "the same pairs, row by row, are needed")


def mix(
    premises: Sequence[SentencePair], hypotheses: Sequence[SentencePair], lang: str, hypothesis_lang: str
) -> list[SentencePair]:
    """Premises of one file with the hypotheses of another, without gold."""
    return [
        replace(one, hypothesis=other.hypothesis, label=None, lang=lang, hypothesis_lang=hypothesis_lang)
        for one, other in zip(premises, hypotheses, strict=True)
    ]


def _scored(right: Floats2d, languages: list[str], model: str, seed: int) -> MixedNLI:
    n_items, n = len(right), len(languages)
    is_same = np.eye(n, dtype=bool).ravel()
    resampled = resampled_sums(right, seed=seed) / n_items  # (n_resamples, n * n)
    means = right.mean(axis=0)

    def accuracy(function: Callable[[Floats2d], Any]) -> Accuracy:
        return Accuracy(100 * float(function(means[None])[0]), interval(100 * function(resampled)))

    return MixedNLI(
        model=model,
        languages=languages,
        n_items=n_items,
        cells=[
            MixedCell(languages[i // n], languages[i % n], accuracy(operator.itemgetter((slice(None), i))))
            for i in range(n * n)
        ],
        same=accuracy(lambda rows: rows[:, is_same].mean(axis=1)),
        mixed=accuracy(lambda rows: rows[:, ~is_same].mean(axis=1)),
        difference=accuracy(lambda rows: rows[:, is_same].mean(axis=1) - rows[:, ~is_same].mean(axis=1)),
    )


# ---- what is shown


def tables(found: Mapping[str, Any]) -> list[ProbeTable]:
    """Of a probe's JSON: accuracy by premise and hypothesis language, then the means."""
    cells = {(one["premise"], one["hypothesis"]): _figure(one["accuracy"]) for one in found["cells"]}
    languages = found["languages"]
    means = [("same language", found["same"]), ("mixed", found["mixed"]), ("same minus mixed", found["difference"])]
    return [
        ProbeTable(
            f"{found['model']}: accuracy by language of premise (rows) and hypothesis (columns)",
            ["premise", *languages],
            [[premise, *(cells[premise, hypothesis] for hypothesis in languages)] for premise in languages],
        ),
        ProbeTable(f"{found['model']}: means", ["pairs", "accuracy"], [[name, _figure(one)] for name, one in means]),
    ]


def notes(found: Mapping[str, Any]) -> list[str]:
    """What to know when one reads the tables."""
    return [
        f"Accuracy in percent on {found['n_items']:,} pairs, the same in every cell, with 95 % intervals over pairs. "
        "On the diagonal both texts are in one language. The difference is paired by item: what mixing two languages "
        "in one pair costs, beyond what each costs alone."
    ]


def _figure(accuracy: Mapping[str, Any]) -> str:
    return figure(accuracy["value"], accuracy["interval"])
