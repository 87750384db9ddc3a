import csv
from collections import Counter
from importlib import resources

import pytest

from comparisons.published import (
    LANGUAGE_SETS,
    TRAINING,
    averages_of,
    find_reference,
    published_rows,
    read_published,
    rows_of_task,
)
from xlembed.errors import InputError


def records():
    text = (resources.files("comparisons") / "published.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def row(task, system, way="zero-shot", **known):
    found = [one for one in read_published() if (one.task, one.system, one.way) == (task, system, way)
             and all(getattr(one, key) == value for key, value in known.items())]  # fmt: skip
    assert len(found) == 1
    return found[0]


def test_the_file_is_whole():
    found = records()
    assert len(found) == 364
    keys = Counter(tuple(one[name] for name in one if name != "value") for one in found)
    assert max(keys.values()) == 1, "a figure stands twice"
    for one in found:
        assert all(one.values()) and None not in one and 0 < float(one["value"]) < 100
        assert one["reading"] in ("primary", "secondary")
        assert one["task"] in ("xnli", "wikiann", "conll", "xtreme")


def test_rows_hold_every_figure_of_the_file_once():
    rows = read_published()
    assert sum(len(one.values) + len(one.averages) for one in rows) == len(records())
    assert {one.way for one in rows} == {"zero-shot", "translate-test", "translate-train", "translate-train-all"}


def test_printed_averages_are_the_means_of_the_printed_cells():
    n_held = 0
    for one in read_published():
        for average in averages_of(one):
            if average.printed is not None and average.with_source is not None:
                assert abs(average.with_source - float(average.printed)) < 0.051, (one.system, average)
                n_held += 1
    assert n_held == 19


def test_two_tables_of_one_repository_agree_on_the_forty_languages():
    """The average that is printed alone, and the mean over those 40 of the 48 languages that stand elsewhere."""
    table = row("wikiann", "XLM-R Base", selection="fixed recipe: 10 epochs, lr 2e-5, batch 32; mean of 5 seeds")
    forty = next(one for one in averages_of(table) if one.name == "avg40")
    alone = row("wikiann", "XLM-R Base", selection="en dev; 5 seeds; sd 0.47")
    assert round(forty.with_source, 1) == float(alone.averages["avg40"]) == 61.6
    assert forty.without_source < forty.with_source


def test_averages_are_of_whole_sets_alone_with_english_and_without():
    for (_, name), languages in LANGUAGE_SETS.items():
        assert len(languages) == len(set(languages)) == int(name.removeprefix("avg")) and "en" in languages
    mbert = row("conll", "mBERT", source="Wu & Dredze 2019")
    (average,) = averages_of(mbert)
    assert average.with_source == pytest.approx((91.97 + 77.57 + 74.96 + 69.56) / 4)
    assert average.without_source == pytest.approx((77.57 + 74.96 + 69.56) / 3)
    without_english = next(one for one in read_published() if "word translation" in one.system)
    (average,) = averages_of(without_english)
    assert average.with_source is None and average.without_source == pytest.approx((72.37 + 71.25 + 57.76) / 3)
    some = next(one for one in rows_of_task("conll", ["en", "de"]) if one.system == "mBERT")
    assert some.values.keys() == {"en", "de"} and averages_of(some) == []


def test_rows_of_a_task_and_languages():
    rows = published_rows("xnli", ["en", "sw"])
    mbert = [one for one in rows if one.system == "mBERT"]
    assert [one.values for one in mbert] == [{"en": "82.1", "sw": "50.4"}]
    assert all(one.way == "zero-shot" and one.values for one in rows)
    assert [one.system for one in published_rows("xnli", ["sw"], "translate-test")] == [
        "BERT-en", "RoBERTa", "XLM-15 (MLM+TLM)"]  # fmt: skip
    assert published_rows("xnli", ["hau"]) == []
    averages_alone = [one for one in rows_of_task("xnli", ["sw"]) if not one.values]
    assert {one.setting for one in averages_alone} == {"zero-shot (XTREME protocol)"}
    assert {one.way for one in averages_alone} == {"zero-shot"}


def test_unknown_task_and_reference_are_answered_with_the_known_ones():
    with pytest.raises(InputError, match="published = 'xnl': there are figures for conll, wikiann, xnli, xtreme"):
        published_rows("xnl", ["en"])
    rows = published_rows("conll", ["de"])
    assert find_reference(rows, "mBERT").values == {"de": "69.56"}
    with pytest.raises(InputError, match="reference = 'e5': published figures are of mBERT, XLM-R Base, XLM-R L"):
        find_reference(rows, "e5")
    with pytest.raises(InputError, match="none in these languages"):
        find_reference([], "mBERT")


def test_seeds_and_encoders_are_told_where_they_are_known():
    assert row("xnli", "XLM-R Base").n_seeds == 5
    assert row("wikiann", "mBERT").n_seeds is None
    assert row("xnli", "XLM-R Large", setting="zero-shot").encoder.name == "xlm-r-large"
    assert row("xnli", "XLM-15 (MLM+TLM)", "translate-train").encoder.n_parameters == 248_976_384
    assert row("xnli", "BERT-en", "translate-test").encoder is None, "which English BERT the source does not tell"
    assert all(one.encoder for one in read_published() if one.system.startswith(("mBERT", "XLM")))
    assert {task: known.n for task, known in TRAINING.items()} == {"xnli": 392_702, "wikiann": 20_000, "conll": 14_041}
