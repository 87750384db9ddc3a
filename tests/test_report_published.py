import pytest
from made_summary import score, summary, system, task

from comparisons.published import read_published, rows_of_task
from comparisons.report.base import ABSENT
from comparisons.report.claims import claims_section
from comparisons.report.protocol import _STARTS, Ours, differences, ours_of
from comparisons.report.published import published_section
from xlembed.errors import InputError

XNLI = task("xnli", ["en", "de", "sw"])
ALL_15 = "en fr es de el bg ru tr ar vi th zh hi sw ur".split()


def ours(way="zero-shot", route=None, n_train=392_702, n_seeds=5, n_parameters=278_100_000, is_static=False):
    return Ours(way, route, n_train, n_seeds, n_parameters, is_static)


def row(system, way="zero-shot", task="xnli", with_values=True):
    return next(one for one in read_published() if (one.system, one.way, one.task) == (system, way, task)
                and bool(one.values) == with_values)  # fmt: skip


def told(one, mine, languages=ALL_15, source="en"):
    return differences(one, mine, {"languages": languages}, source)


def rows_of(section):
    return {line[0]: dict(zip(section.table.header, line, strict=True)) for line in reversed(section.table.rows)}


# ---- what differs


def test_like_for_like_but_for_the_choice_of_the_model():
    assert told(row("XLM-R Base"), [ours()]) == ["model chosen on the dev sets of all languages together"]


@pytest.mark.parametrize(
    ("mine", "found"),
    [
        ([ours(n_train=29_081)], ["training data: MultiNLI, 392,702 pairs, ours 29,081"]),
        ([ours(n_train=29_081), ours(n_train=100)], ["training data: MultiNLI, 392,702 pairs, ours 100-29,081"]),
        ([ours(n_train=None)], []),
        ([ours(n_seeds=3)], ["seeds: 5, ours 3"]),
        ([ours(n_seeds=1), ours(n_seeds=5)], ["seeds: 5, ours 1-5"]),
        ([ours(n_parameters=1.18e8)], ["size: 278 M parameters, ours 118 M"]),
        ([ours(n_parameters=3e5, is_static=True)], ["size: 278 M parameters, ours 0.3 M beside word vectors"]),
        ([ours(n_parameters=3e5, is_static=True), ours()], []),
        ([ours(n_parameters=None)], []),
    ],
)
def test_training_data_seeds_and_size(mine, found):
    assert [one for one in told(row("XLM-R Base"), mine) if not one.startswith("model chosen")] == found


def test_chosen_on_english_dev_is_no_difference_but_from_another_source():
    assert not any("model chosen" in one for one in told(row("mBERT"), [ours()]))
    assert told(row("mBERT"), [ours()], source="de")[:2] == ["labels in en, ours in de",
                                                             "model chosen on dev in en, ours in de"]  # fmt: skip


def test_every_way_of_choosing_a_model_is_known():
    for one in read_published():
        assert sum(one.selection.startswith(start) for start in ("en dev", *_STARTS)) == 1, one.selection


def test_averages_over_other_languages():
    assert "average over 15 languages, ours over 2" in told(row("mBERT"), [ours()], ["en", "de"])
    assert not any("average" in one for one in told(row("mBERT"), [ours()], ALL_15))
    assert not any("average" in one for one in told(row("mBERT", task="conll"), [ours()], ["en", "de"]))


def test_translation_is_held_against_our_translation():
    mine = [ours(n_train=7), ours("translate-test", "words"), ours("translate-test", "apertium")]
    found = told(row("RoBERTa", "translate-test"), mine)
    assert "translated by the paper's system, ours by apertium, words" in found
    assert not any("training data" in one for one in found), "the zero-shot system is not what it is held against"
    assert "translated data (translate-test)" in told(row("RoBERTa", "translate-test"), [ours()])
    assert "not translated" in told(row("mBERT"), [ours("translate-test", "words")])
    words = next(one for one in read_published() if "word translation" in one.system)
    assert "training data translated word by word" in told(words, [ours()])


def test_nothing_of_ours_nothing_differs():
    assert told(row("mBERT"), []) == []


def test_what_our_systems_tell_of_themselves():
    systems = [system("floor", "majority"), system("s", seeds=3), system("w", translate=("train-all", "words")),
               system("few"), system("ceiling"), system("theirs", "predictions"), system("absent")]  # fmt: skip
    theirs = score(XNLI, "theirs", "de", 70.0, n_train=None)
    theirs["cost"] = {}
    scores = [score(XNLI, "floor", "en", 33.0), score(XNLI, "s", "de", 50.0), score(XNLI, "w", "de", 50.0),
              score(XNLI, "few", "en", 50.0), score(XNLI, "few", "de", 50.0, target={"k": 100}),
              score(XNLI, "ceiling", "de", 50.0, target={"k": None}), theirs]  # fmt: skip
    found = ours_of(summary([XNLI], systems, scores), XNLI)
    assert [(one.way, one.route, one.n_train, one.n_seeds) for one in found] == [
        ("zero-shot", None, 29_081, 3), ("translate-train-all", "words", 29_081, 1),
        ("few-shot, 100 items", None, 29_081, 1), ("trained on the target language", None, 29_081, 1),
        ("predictions made elsewhere", None, None, 1),
    ]  # fmt: skip
    assert found[-1].n_parameters is None


# ---- the section


def run(reference=None, translate=None, **more):
    one = task("xnli", ["en", "de", "sw"], reference=reference)
    systems = [system("floor", "majority"), system("s", seeds=3, translate=translate)]
    scores = [score(one, "floor", lang, 33.3) for lang in one["languages"]]
    scores += [score(one, "s", "en", 60.0, **more), score(one, "s", "de", 50.0, **more)]
    return summary([one], systems, scores), one


def test_ours_come_first_with_their_protocol_and_their_average_where_they_ran_everywhere():
    section = published_section(*run())
    assert section.heading == "xnli: beside published figures"
    assert section.table.header == ["system", "en", "de", "sw", "average", "protocol", "differs from ours in", "source"]
    assert section.table.rows[0] == ["floor (ours)", "33.3", "33.3", "33.3", "33.3 (3)",
                                     "zero-shot; trained on 29,081 items in en", ABSENT, "this run"]  # fmt: skip
    assert section.table.rows[1] == [
        "s (ours)", "60.0", "50.0", ABSENT, ABSENT,
        "zero-shot; trained on 29,081 items in en; best epoch on 990 dev items in en; mean of 3 seeds", ABSENT,
        "this run",
    ]  # fmt: skip


def test_published_rows_say_what_differs():
    mbert = rows_of(published_section(*run()))["mBERT"]
    assert (mbert["en"], mbert["de"], mbert["sw"], mbert["average"]) == ("82.1", "71.1", "50.4", "66.3 (15)")
    assert mbert["protocol"] == "zero-shot; en dev" and mbert["source"] == "Wu & Dredze 2019"
    assert mbert["differs from ours in"] == (
        "training data: MultiNLI, 392,702 pairs, ours 29,081; seeds: not told, ours 3; size: 178 M parameters, "
        "ours 0.4 M beside word vectors; average over 15 languages, ours over 3"
    )
    assert rows_of(published_section(*run()))["X-BiLSTM"]["source"].endswith("(secondary reading)")


def test_rows_with_nothing_but_an_average_come_after_those_with_figures():
    rows = published_section(*run()).table.rows[2:]
    has_figures = [any(cell != ABSENT for cell in line[1:4]) for line in rows]
    assert has_figures == sorted(has_figures, reverse=True) and not has_figures[-1]
    assert rows[-1][4] == "79.2 (15)" and "XTREME protocol" in rows[-1][5]


@pytest.mark.parametrize("direction", ["test", "train", "train-all"])
def test_ways_of_translation_are_shown_where_one_of_ours_uses_them(direction):
    found = published_section(*run(translate=(direction, "words"))).table.rows[2:]
    ways = {line[5].split(";")[0].split(" ")[0] for line in found}
    assert ways == {"zero-shot", f"translate-{direction}"}
    expected = [one for one in rows_of_task("xnli", ["en", "de", "sw"]) if one.way in ways]
    assert len(found) == len(expected)
    assert {line[5].split(";")[0].split(" ")[0] for line in published_section(*run()).table.rows[2:]} == {"zero-shot"}


def test_distances_to_the_reference():
    rows = rows_of(published_section(*run(reference="XLM-R Base", translate=("train-all", "words"))))
    assert [rows["s minus XLM-R Base"][lang] for lang in ("en", "de", "sw")] == ["-25.8", "-28.7", ABSENT], "zero-shot"
    assert "floor minus XLM-R Base" not in rows
    with pytest.raises(InputError, match="reference = 'nobody'"):
        published_section(*run(reference="nobody"))


def test_predictions_made_elsewhere_need_not_tell_how():
    one = task("conll", ["en", "de"], "ner")
    theirs = score(one, "t", "de", 70.0, n_train=None)
    theirs["cost"] = {}
    section = published_section(summary([one], [system("t", "predictions")], [theirs]), one)
    assert section.table.rows[0][4] == "predictions made elsewhere"
    assert rows_of(section)["XLM-R Base"]["differs from ours in"] == "seeds: not told, ours 1"


def test_few_shot_is_called_few_shot():
    rows = published_section(*run(target={"k": 10})).table.rows
    assert rows[1][5].startswith("few-shot, 10 items; trained on")
    assert all("no labels of the target language" in line[6] for line in rows[2:])
    assert published_section(*run(target={"k": None})).table.rows[1][5] == "trained on the target language"


# ---- claims


def test_claims_of_the_runs_tasks_with_what_it_measured():
    section = claims_section(run()[0])
    rows = {line[0]: line[1:] for line in section.table.rows}
    assert section.table.header == ["claim", "verdict", "what the sources say", "this run"]
    lost = rows["From English to German about 5 points are lost, to Japanese about 20."]
    assert lost[2] == "xnli: 10.0 [9.0, 11.0] (s) points lost from en to de."
    assert rows["Languages are aligned because they share subwords."][2].endswith("try xlembed probe vocabulary")
    assert rows["mBERT reaches 65.4 on XNLI, zero-shot."][2] == ABSENT
    assert not any("WikiAnn, over 40" in text for text in rows)


def test_no_claims_where_no_task_has_published_figures():
    one = task("sick", ["en"]) | {"published": None}
    assert claims_section(summary([one], [system("s")], [score(one, "s", "en", 60.0)])) is None
