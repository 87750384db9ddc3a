from itertools import product

import numpy as np
import pytest
from seqeval.metrics import classification_report
from seqeval.metrics import f1_score as seqeval_f1
from seqeval.scheme import IOB2, Entities
from test_metrics import random_tags

from baselines.metrics import scores_of, spans
from comparisons.span_modes import (
    counts_by,
    match,
    mode_figures,
    span_arrays,
    strict,
    strict_spans,
    type_confusion,
    types_of,
    untyped,
)

TYPES = ["LOC", "ORG", "PER"]


def random_pair(seed, n_sentences=200):
    """Uniformly random gold, most of it invalid IOB2, and predictions that agree on six tags in ten."""
    rng = np.random.default_rng(seed)
    gold, other = random_tags(rng, n_sentences), random_tags(rng, n_sentences)
    predicted = [[tag if rng.random() < 0.6 else other[i][j % len(other[i])] for j, tag in enumerate(tags)]
                 for i, tags in enumerate(gold)]  # fmt: skip
    return gold, predicted


def as_sets(found, sentences, types):
    offsets = np.cumsum([0, *map(len, sentences)])
    sets = [set() for _ in sentences]
    for sentence, start, end, kind in zip(found.sentence, found.start, found.end, found.type, strict=True):
        sets[sentence].add((types[kind], start - offsets[sentence], end - offsets[sentence]))
    return sets


def test_strict_spans_equal_seqeval_on_every_short_sequence():
    for length in range(1, 6):
        for tags in product(["O", "B-A", "I-A", "B-B", "I-B"], repeat=length):
            theirs = Entities([list(tags)], IOB2).entities[0]
            ours = {(span.label, span.start, span.end) for span in strict_spans(tags)}
            assert ours == {(one.tag, one.start, one.end) for one in theirs}, tags


@pytest.mark.parametrize("seed", range(3))
def test_arrays_hold_the_spans_of_each_sentence_and_none_crosses_into_the_next(seed):
    sentences, _ = random_pair(seed)
    sentences = [[], *sentences[:50], [], *sentences[50:], []]
    found = span_arrays(sentences, TYPES)
    assert as_sets(found, sentences, TYPES) == [{(s.label, s.start, s.end) for s in spans(t)} for t in sentences]
    assert as_sets(strict(found), sentences, TYPES) == [
        {(s.label, s.start, s.end) for s in strict_spans(tags)} for tags in sentences
    ]
    assert (np.diff(found.start) > 0).all() and (found.start[1:] >= found.end[:-1]).all()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mode", ["default", "strict"])
def test_figures_equal_seqeval_over_all_and_by_type(seed, mode):
    gold, predicted = random_pair(seed)
    figures = mode_figures(span_arrays(gold, TYPES), span_arrays(predicted, TYPES), len(TYPES))[mode]
    keywords = {"mode": "strict", "scheme": IOB2} if mode == "strict" else {}
    theirs = classification_report(gold, predicted, output_dict=True, zero_division=0, **keywords)
    for row, name in enumerate(["micro avg", *TYPES]):
        for metric, their_name in (("f1", "f1-score"), ("precision", "precision"), ("recall", "recall")):
            assert figures[metric][row] == pytest.approx(100 * theirs[name][their_name], rel=1e-14), (name, metric)
    assert figures["f1"][0] == pytest.approx(100 * seqeval_f1(gold, predicted, zero_division=0, **keywords), rel=1e-14)


def valid(sentences):
    """The sequences as valid IOB2: an I- that follows nothing of its type becomes B-."""
    return [["B" + tag[1:] if tag[0] == "I" and (i == 0 or tags[i - 1][1:] != tag[1:]) else tag
             for i, tag in enumerate(tags)] for tags in sentences]  # fmt: skip


def test_boundaries_alone_equal_seqeval_on_tags_of_one_type():
    gold, predicted = map(valid, random_pair(1))
    figures = mode_figures(span_arrays(gold, TYPES), span_arrays(predicted, TYPES), len(TYPES))
    assert figures["default"]["f1"] == pytest.approx(figures["strict"]["f1"])
    gold, predicted = ([[tag[0] + "-X" * (tag != "O") for tag in tags] for tags in one] for one in (gold, predicted))
    assert figures["boundaries"]["f1"].tolist() == [pytest.approx(100 * seqeval_f1(gold, predicted), rel=1e-14)]


@pytest.mark.parametrize("seed", range(3))
def test_confusion_equals_counting_span_by_span(seed):
    gold, predicted = random_pair(seed)
    expected = np.zeros((4, 4), dtype=int)
    for ours, theirs in zip(map(spans, gold), map(spans, predicted), strict=True):
        by_place = {(span.start, span.end): TYPES.index(span.label) for span in theirs}
        for span in ours:
            expected[TYPES.index(span.label), by_place.pop((span.start, span.end), 3)] += 1
        for kind in by_place.values():
            expected[3, kind] += 1
    a, b = span_arrays(gold, TYPES), span_arrays(predicted, TYPES)
    counts = type_confusion(match(a, b), a, b, 3)
    assert np.array_equal(counts, expected)
    assert counts.sum() == len(a) + len(b) - len(match(a, b).gold)


def test_counts_by_group_sum_to_the_counts_of_all():
    gold, predicted = random_pair(2)
    a, b = span_arrays(gold, TYPES), span_arrays(predicted, TYPES)
    by_length = counts_by(match(a, b), np.minimum(a.end - a.start, 3), np.minimum(b.end - b.start, 3), 4)
    assert by_length[0].tolist() == [0, 0, 0]
    f1 = scores_of("ner", by_length.sum(axis=0))["f1"][0]
    assert f1 == pytest.approx(100 * seqeval_f1(gold, predicted), rel=1e-14)


def test_types_are_sorted_and_come_from_entities_alone():
    assert types_of([["O", "I-PER"], ["B-LOC", "O"], []]) == ["LOC", "PER"]


def test_no_spans_and_no_words():
    for sentences in ([["O", "O"], ["O"]], [[]], []):
        found = span_arrays(sentences, TYPES)
        assert len(found) == 0 and len(untyped(strict(found))) == 0
        assert mode_figures(found, found, 3)["default"]["f1"].tolist() == [0, 0, 0, 0]
    assert strict_spans([]) == set()
