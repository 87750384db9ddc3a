"""Premise and hypothesis in different languages, with models whose answers are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from baselines.corpora import NLI_LABELS, SentencePair
from comparisons.probes.base import tables_of
from comparisons.probes.mixed_nli import mix, mixed_nli
from xlembed.errors import InputError

LANGUAGES = ("en", "de", "sw")


def files(n=60):
    """The same pairs in three languages; each text ends in its language."""
    labels = [NLI_LABELS[i % 3] for i in range(n)]
    return {lang: [SentencePair(f"p{i} {lang}", f"h{i} {lang}", label, lang) for i, label in enumerate(labels)]
            for lang in LANGUAGES}  # fmt: skip


def chance(premise, hypothesis):
    """How often the model below is right."""
    return {("en", "en"): 0.9, ("de", "de"): 0.8}.get((premise, hypothesis), 0.5)


def half_right(items):
    """Right on a fixed share of the pairs of each combination, and never told the gold."""
    answers = []
    for i, item in enumerate(items):
        assert item.label is None
        assert item.premise == f"p{i} {item.lang}" and item.hypothesis == f"h{i} {item.hypothesis_lang}"
        right = np.random.default_rng([i, *map(ord, item.lang + item.hypothesis_lang)]).random()
        gold = NLI_LABELS[i % 3]
        answers.append(gold if right < chance(item.lang, item.hypothesis_lang) else NLI_LABELS[(i + 1) % 3])
    return answers


def slow(items):
    """Accuracy of each cell, and their means, by counting."""
    cells = {}
    for premise in LANGUAGES:
        for hypothesis in LANGUAGES:
            given = mix(items[premise], items[hypothesis], premise, hypothesis)
            pairs = zip(half_right(given), items["en"], strict=True)
            cells[premise, hypothesis] = [answer == pair.label for answer, pair in pairs]
    return cells


def test_cells_and_means_are_what_counting_gives():
    items = files()
    found = mixed_nli(items, half_right, "m")
    cells = slow(items)
    assert [(one.premise, one.hypothesis) for one in found.cells] == list(cells)
    for one in found.cells:
        assert one.accuracy.value == pytest.approx(100 * np.mean(cells[one.premise, one.hypothesis]))
    same = np.mean([100 * np.mean(hits) for (p, h), hits in cells.items() if p == h])
    mixed = np.mean([100 * np.mean(hits) for (p, h), hits in cells.items() if p != h])
    assert (found.same.value, found.mixed.value) == pytest.approx((same, mixed))
    assert found.difference.value == pytest.approx(same - mixed)


def test_the_interval_of_the_difference_is_paired():
    """Against a bootstrap that draws whole items, one at a time."""
    items = files()
    cells = slow(items)
    rng = np.random.default_rng(5)
    differences = []
    for _ in range(2000):
        picks = rng.integers(60, size=60)
        means = {key: np.mean([hits[i] for i in picks]) for key, hits in cells.items()}
        same, mixed = ([mean for (p, h), mean in means.items() if (p == h) is wanted] for wanted in (True, False))
        differences.append(100 * (np.mean(same) - np.mean(mixed)))
    found = mixed_nli(items, half_right).difference.interval
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(differences, [2.5, 97.5])), abs=1.5)


def test_one_that_is_always_right_loses_nothing():
    items = files(9)
    found = mixed_nli(items, lambda pairs: [NLI_LABELS[i % 3] for i in range(len(pairs))])
    assert found.same.value == found.mixed.value == 100
    assert (found.difference.value, found.difference.interval.low, found.difference.interval.high) == (0, 0, 0)


def test_one_that_fails_off_the_diagonal_alone():
    def predict(pairs):
        right = pairs[0].lang == pairs[0].hypothesis_lang
        return [NLI_LABELS[(i + (not right)) % 3] for i in range(len(pairs))]

    found = mixed_nli(files(9), predict)
    assert (found.same.value, found.mixed.value, found.difference.value) == (100, 0, 100)


def test_misaligned_gold_is_refused():
    items = files(9)
    items["sw"][4] = SentencePair("p4 sw", "h4 sw", "entailment")
    with pytest.raises(InputError, match="pair 5 is neutral in en and entailment in sw"):
        mixed_nli(items, half_right)


def test_files_of_other_lengths_one_language_and_no_gold():
    items = files(9)
    with pytest.raises(InputError, match="en has 9 pairs, de has 8"):
        mixed_nli(items | {"de": items["de"][:8]}, half_right)
    with pytest.raises(InputError, match="two languages at least"):
        mixed_nli({"en": items["en"]}, half_right)
    with pytest.raises(InputError, match="no gold labels"):
        mixed_nli(items | {"de": [SentencePair("a", "b")] * 9}, half_right)
    with pytest.raises(InputError, match="en: no items"):
        mixed_nli({"en": [], "de": []}, half_right)


def test_tables():
    found = json.loads(json.dumps(mixed_nli(files(), half_right, "m").as_json()))
    grid, means = tables_of(found)
    assert grid.header == ["premise", *LANGUAGES] and [row[0] for row in grid.rows] == list(LANGUAGES)
    en_de = next(one for one in found["cells"] if (one["premise"], one["hypothesis"]) == ("en", "de"))
    assert grid.rows[0][2].startswith(f"{en_de['accuracy']['value']:.1f} [")
    assert [row[0] for row in means.rows] == ["same language", "mixed", "same minus mixed"]
