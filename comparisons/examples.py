"""The test items on which two systems differ most, as short texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np

from baselines.corpora import Item, TaggedSentence, texts_of
from baselines.metrics import spans
from baselines.predictions import PredictionSet
from xlembed.types import Floats1d, Ints1d

N_EXAMPLES = 5
LONGEST = 200  # characters of one text


def differing_examples(
    items: Sequence[Item], predictions: dict[str, list[PredictionSet]], errors: dict[str, Floats1d], k: int = N_EXAMPLES
) -> list[dict[str, Any]]:
    """For every two systems that follow one another, the k items in which each is most ahead of the other.

    `errors` gives a system's errors on each item, (n_items,), the mean over its seeds: for ner spans that are missed or
    wrongly found, for pos wrong words, for nli and topic 1 for a wrong label. So a label right with all seeds of
    one system and wrong with all of the other is as far ahead as it gets.
    """
    return [
        {"better": better, "worse": worse, "items": [
            _example(items[i], predictions[better], predictions[worse], i) | {
                "fewer_errors": float(errors[worse][i] - errors[better][i])}
            for i in furthest(errors[worse] - errors[better], k).tolist()]}
        for one, other in pairwise(predictions)
        for better, worse in ((one, other), (other, one))
    ]  # fmt: skip


def furthest(ahead: Floats1d, k: int) -> Ints1d:
    """Rows of the k largest positive values, largest first and equal ones in order.

    Of those equal to the k-th, the ones at even distances are taken: the first would be neighbours in the file.
    """
    ahead = ahead.round(6)
    rows = np.flatnonzero(ahead > 0)
    rows = rows[np.argsort(-ahead[rows], kind="stable")]
    if len(rows) <= k:
        return rows
    last = ahead[rows[k - 1]]
    above, tied = rows[ahead[rows] > last], rows[ahead[rows] == last]
    n = k - len(above)
    return np.concatenate([above, tied[np.arange(n) * len(tied) // n]])


def _example(item: Item, better: list[PredictionSet], worse: list[PredictionSet], i: int) -> dict[str, Any]:
    """Text, gold and both answers; of tagged sentences what is disputed, with the first two seeds that differ."""
    if not isinstance(item, TaggedSentence):
        text = " ⇒ ".join(map(_short, texts_of(item)))  # premise ⇒ hypothesis
        return {"item": i, "text": text, "gold": item.gold, "answer": _labels(better, i), "other": _labels(worse, i)}
    pairs = ((one.predicted[i], other.predicted[i]) for one, other in product(better, worse))
    tags = [list(item.tags or ()), *next((one, other) for one, other in pairs if one != other)]
    is_ner = better[0].run.kind == "ner"
    answers = _entities(item.words, tags) if is_ner else _wrong_words(item.words, tags)
    told = dict(zip(("gold", "answer", "other"), map(_short, answers), strict=True))
    return {"item": i, "text": _short(" ".join(item.words)), **told}


def _labels(seeds: list[PredictionSet], i: int) -> str:
    """The label that a system gives an item; those of its seeds, sorted, where they differ."""
    return " or ".join(sorted({str(one.predicted[i]) for one in seeds}))


def _entities(words: Sequence[str], tags: Sequence[Sequence[str]]) -> list[str]:
    """For gold and two answers, the entities that are not in all three, each with its type in brackets."""
    found = [spans(one) for one in tags]
    shared = set.intersection(*found)
    disputed = [sorted(one - shared, key=lambda span: span.start) for one in found]
    return [", ".join(f"{' '.join(words[span.start : span.end])} ({span.label})" for span in one) or "none"
            for one in disputed]  # fmt: skip


def _wrong_words(words: Sequence[str], tags: Sequence[Sequence[str]]) -> list[str]:
    """For gold and two answers, the words that an answer has wrong, each with the tag in brackets."""
    places = [j for j, found in enumerate(zip(*tags, strict=True)) if len(set(found)) > 1]
    return [", ".join(f"{words[j]} ({one[j]})" for j in places) or "none" for one in tags]


def _short(text: str) -> str:
    """A text in one line, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
