"""Spans of many sentences as arrays, in each reading that a figure is asked for: default, strict, boundaries alone.

The default reading is baselines/metrics.py's. The strict one is that of seqeval's mode="strict" with scheme=IOB2: an
entity begins with B, and an I- that follows nothing of its type belongs to no entity. It is the default reading
without the spans that open with I. Boundaries alone: a span is right whatever its type.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from baselines.metrics import Span, scores_of, spans
from xlembed.types import Bools1d, Ints1d, Ints2d


@dataclass(frozen=True)
class SpanArrays:
    """Spans in the order of the text, (n_spans,) each; no two overlap."""

    sentence: Ints1d
    start: Ints1d  # first word and the word after the last, counted through all sentences
    end: Ints1d
    type: Ints1d  # number of the entity type
    opens_with_b: Bools1d

    def __len__(self) -> int:
        return len(self.start)

    def select(self, rows: Bools1d) -> SpanArrays:
        return SpanArrays(*(values[rows] for values in vars(self).values()))


@dataclass(frozen=True)
class Matched:
    """Gold and predicted spans with the same boundaries: rows of the one and of the other, (n_matched,)."""

    gold: Ints1d
    predicted: Ints1d
    same_type: Bools1d


def strict_spans(tags: Sequence[str]) -> set[Span]:
    """Entities of one sequence as seqeval's strict IOB2 reads it."""
    return {span for span in spans(tags) if tags[span.start].startswith("B")}


def types_of(sentences: Iterable[Sequence[str]]) -> list[str]:
    """The entity types in sequences of tags, sorted."""
    parts = (tag.partition("-") for tag in set(chain.from_iterable(sentences)))
    return sorted({kind for prefix, _, kind in parts if prefix in ("B", "I")})


def span_arrays(sentences: Sequence[Sequence[str]], types: Sequence[str]) -> SpanArrays:
    """All spans of sequences of tags in the default reading; `types` holds every type in them."""
    lengths = np.array([len(tags) for tags in sentences], dtype=np.int64)
    tags = list(chain.from_iterable(sentences))
    number = {tag: i for i, tag in enumerate(dict.fromkeys(tags))}
    codes = np.fromiter(map(number.__getitem__, tags), np.int64, len(tags))
    parts = [tag.partition("-") for tag in number]
    is_b = np.array([prefix == "B" for prefix, _, _ in parts], dtype=bool)[codes]
    is_i = np.array([prefix == "I" for prefix, _, _ in parts], dtype=bool)[codes]
    row = {name: i for i, name in enumerate(types)}
    kind = np.array([row[kind] if prefix in ("B", "I") else 0 for prefix, _, kind in parts], dtype=np.int64)[codes]
    goes_on = is_i & np.roll((is_b | is_i), 1) & (kind == np.roll(kind, 1)) & ~_opens_sentence(lengths)
    start = np.flatnonzero((is_b | is_i) & ~goes_on)
    breaks = np.flatnonzero(np.append(~goes_on, True))
    end = breaks[np.searchsorted(breaks, start, side="right")]
    return SpanArrays(np.repeat(np.arange(len(lengths)), lengths)[start], start, end, kind[start], is_b[start])


def _opens_sentence(lengths: Ints1d) -> Bools1d:
    """(n_words,), whether a word is the first of its sentence."""
    first = np.zeros(lengths.sum() + 1, dtype=bool)
    first[np.cumsum(lengths) - lengths] = True
    return first[:-1]


def strict(found: SpanArrays) -> SpanArrays:
    """Those of the spans that the strict reading knows."""
    return found.select(found.opens_with_b)


def untyped(found: SpanArrays) -> SpanArrays:
    """The spans as if there were one type."""
    return replace(found, type=np.zeros_like(found.type))


def match(gold: SpanArrays, predicted: SpanArrays) -> Matched:
    """Pair the spans that have the same boundaries."""
    _, rows, others = np.intersect1d(_boundaries(gold), _boundaries(predicted), True, return_indices=True)
    return Matched(rows, others, gold.type[rows] == predicted.type[others])


def _boundaries(found: SpanArrays) -> Ints1d:
    """A number for each span, equal where the boundaries are."""
    return found.start * 2**32 + found.end


def counts_by(matched: Matched, gold: Ints1d, predicted: Ints1d, n: int) -> Ints2d:
    """Correct, predicted and gold spans by group, (n, 3).

    `gold` and `predicted` give the group of each span, from 0 to n - 1.
    """
    right = gold[matched.gold[matched.same_type]]
    return np.stack([np.bincount(groups, minlength=n) for groups in (right, predicted, gold)], axis=1)


def mode_figures(gold: SpanArrays, predicted: SpanArrays, n_types: int) -> dict[str, dict[str, np.ndarray]]:
    """Mode -> metric -> figures in percent, (1 + n_types,): over all, then by type; boundaries know no types."""
    return {"default": _over_all_and_by_type(gold, predicted, n_types),
            "strict": _over_all_and_by_type(strict(gold), strict(predicted), n_types),
            "boundaries": _over_all_and_by_type(untyped(gold), untyped(predicted), 0)}  # fmt: skip


def _over_all_and_by_type(gold: SpanArrays, predicted: SpanArrays, n_types: int) -> dict[str, np.ndarray]:
    by_type = counts_by(match(gold, predicted), gold.type, predicted.type, n_types)
    return scores_of("ner", np.concatenate([by_type.sum(axis=0, keepdims=True), by_type[:n_types]]))


def type_confusion(matched: Matched, gold: SpanArrays, predicted: SpanArrays, n_types: int) -> Ints2d:
    """Gold types x predicted types where the boundaries are right, (n_types + 1, n_types + 1).

    The last column counts gold spans that are missed, the last row predicted spans that are spurious: those whose
    boundaries the other side does not have.
    """
    counts = np.zeros((n_types + 1, n_types + 1), dtype=np.int64)
    np.add.at(counts, (gold.type[matched.gold], predicted.type[matched.predicted]), 1)
    counts[:n_types, n_types] = np.bincount(np.delete(gold.type, matched.gold), minlength=n_types)
    counts[n_types, :n_types] = np.bincount(np.delete(predicted.type, matched.predicted), minlength=n_types)
    return counts
