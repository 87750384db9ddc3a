import html
import re

import numpy as np
import pytest
from test_details import changed
from test_metrics import random_tags

from baselines.corpora import NLI_LABELS, LabelledText, SentencePair, TaggedSentence
from baselines.predictions import RunSettings, make_predictions
from comparisons.details import details_of
from comparisons.report.detail_views import VIEWS
from comparisons.report.details import sections_for
from comparisons.report.inline import cell_to_html, cell_to_markdown

LANGS = ("en", "de", "sw")


def details(kind, items, answers, lang):
    predictions = {system: [make_predictions(RunSettings("t", kind, system, lang), items, one)]
                   for system, one in answers.items()}  # fmt: skip
    return details_of("t", kind, lang, "en", items, items, predictions)


def task(kind, langs=LANGS):
    return {"name": "t", "kind": kind, "languages": list(langs)}


def by_heading(sections):
    return {section.heading.removeprefix("t: "): section for section in sections}


@pytest.fixture(scope="module")
def ner():
    """x ran on all three languages, y not on Swahili."""
    found = {}
    for seed, lang in enumerate(LANGS):
        rng = np.random.default_rng(seed)
        tags = random_tags(rng, 40)
        items = [TaggedSentence(tuple("abcdefg"[i] for i in rng.integers(7, size=len(one))), tuple(one))
                 for one in tags]  # fmt: skip
        systems = ("x", "y") if lang != "sw" else ("x",)
        found[lang] = details(
            "ner", items, {system: [changed(rng, one, ["O", "B-PER"]) for one in tags] for system in systems}, lang
        )
    return found


@pytest.fixture(scope="module")
def nli():
    found = {}
    for seed, lang in enumerate(("en", "de")):
        rng = np.random.default_rng(seed)
        gold = [NLI_LABELS[i] for i in rng.integers(3, size=90)]
        items = [SentencePair("a | b", f"a *b* {'not ' * (i % 2)}`c` <script>", label) for i, label in enumerate(gold)]
        answers = {"x": changed(rng, gold, NLI_LABELS), "y": changed(rng, gold, NLI_LABELS)}
        answers["floor"] = ["neutral"] * 90
        found[lang] = details("nli", items, answers, lang)
    return found


def test_systems_stand_together_where_they_ran_on_the_same_languages(ner):
    table = by_heading(sections_for(ner, task("ner"), "en"))["readings of the tags, and entity types"].table
    assert table.header == ["system", "languages", "default", "strict", "boundaries", "LOC", "ORG", "PER"]
    assert [row[:2] for row in table.rows] == [
        ["(number of entities)", "en"], ["x", "en"], ["y", "en"],
        ["(number of entities)", "de, sw"], ["x", "mean of de, sw"],
        ["(number of entities)", "de"], ["y", "de"],
    ]  # fmt: skip


def test_cells_are_the_means_of_what_details_say(ner):
    sections = by_heading(sections_for(ner, task("ner"), "en"))
    modes = [ner[lang]["modes"]["x"] for lang in ("de", "sw")]
    row = sections["readings of the tags, and entity types"].table.rows[4]
    for column, mode in enumerate(("default", "strict", "boundaries"), start=2):
        assert row[column] == f"{np.mean([one[mode]['f1'][0] for one in modes]):.1f}"
    assert row[5] == f"{np.mean([one['default']['f1'][1] for one in modes]):.1f}", "LOC is the first type"
    parts = [ner[lang]["buckets"]["entity length"] for lang in ("de", "sw")]
    table = sections["by entity length"].table
    f1, recall = (np.mean([part["figures"]["x"][metric][0] for part in parts]) for metric in ("f1", "recall"))
    assert table.rows[4][2] == f"{f1:.1f} / {recall:.1f}"
    assert table.rows[3][2].split()[0] == str(sum(part["n"][0] for part in parts))


def test_empty_and_small_buckets_are_marked(ner):
    section = by_heading(sections_for(ner, task("ner"), "en"))["by sentence length"]
    rows = section.table.rows
    assert rows[0][-1] == "0 (few)" and rows[1][-1] == "—"
    assert not rows[0][2].endswith("(few)") and "fewer than 30" in section.note
    n = [ner[lang]["buckets"]["sentence length"]["n"][1] for lang in ("de", "sw")]
    assert min(n) > 30 and rows[3][3] == f"{sum(n)}"
    enough = by_heading(sections_for(ner, task("ner"), "en"))["readings of the tags, and entity types"]
    assert all("few" not in cell for row in enough.table.rows for cell in row) and enough.note == ""


def test_seen_and_how_often_stand_side_by_side(ner):
    header = by_heading(sections_for(ner, task("ner"), "en"))["by what was seen in training"].table.header
    assert header[2:] == ["unseen", "seen", "times seen: 1", "times seen: 2–9", "times seen: 10 or more"]


def test_confusions_are_shares_of_the_gold_label(ner, nli):
    table = by_heading(sections_for(nli, task("nli"), "en"))["confusions"].table
    counts = np.array(nli["en"]["confusion"]["counts"]["x"])
    column = table.header.index("entailment → neutral")
    assert table.rows[1][column] == f"{100 * counts[0, 1] / counts[0].sum():.1f}"
    assert table.rows[0][column].split()[0] == str(counts[0].sum().astype(int))
    assert len(table.header) == 2 + 6 and table.header[2:4] == ["entailment → neutral", "entailment → contradiction"]
    table = by_heading(sections_for(ner, task("ner"), "en"))["confusions"].table
    assert len(table.header) == 2 + 8
    spurious = next(name for name in table.header if name.startswith("spurious → "))
    kind = ner["en"]["types"]["labels"].index(spurious.removeprefix("spurious → "))
    share = 100 * ner["en"]["confusion"]["counts"]["x"][3][kind] / ner["en"]["types"]["n"][kind]
    assert table.rows[1][table.header.index(spurious)] == f"{share:.1f}"


def test_a_bucketing_that_a_language_lacks_is_shown_for_the_others(nli):
    without = {name: part for name, part in nli["de"]["buckets"].items() if name != "negation"}
    sections = by_heading(sections_for({**nli, "de": nli["de"] | {"buckets": without}}, task("nli"), "en"))
    assert {row[1] for row in sections["by negation"].table.rows} == {"en"}
    assert {row[1] for row in sections["by lexical overlap"].table.rows} == {"en", "de"}
    assert "by genre" not in sections, "these pairs have none"


def test_examples_are_of_the_first_target(nli):
    sections = by_heading(sections_for(nli, task("nli"), "en"))
    rows = sections["where two systems differ most (de)"].table.rows
    assert [row[0] for row in rows] == ["x / y", "x / y", "y / x", "y / x"], "the floor is left out"
    assert rows[0][1].startswith("a | b ⇒ a *b* ") and rows[0][1].endswith("`c` <script>"), "as in the data"
    assert rows[0][2] == rows[0][3] != rows[0][4]
    only_source = by_heading(sections_for({"en": nli["en"]}, task("nli", ["en"]), "en"))
    assert "where two systems differ most (en)" in only_source


def test_tables_are_whole_and_show_their_cells_letter_for_letter(ner, nli):
    for kind, found in (("ner", ner), ("nli", nli)):
        sections = sections_for(found, task(kind), "en")
        assert sum("Here and below" in text for section in sections for text in section.paragraphs) == 1
        for section in sections:
            assert all(len(row) == len(section.table.header) for row in section.table.rows)
            for cell in (cell for row in section.table.rows for cell in row):
                assert html.unescape(cell_to_html(cell)) == cell and "<" not in cell_to_html(cell)
                assert not re.search(r"(?<!\\)[|`<]", cell_to_markdown(cell))


def test_a_floor_does_not_choose_the_confusions_that_are_shown():
    labels = ["a", "b", "c", "d", "e"]
    gold = labels * 4
    items = [LabelledText("text", label) for label in gold]
    answers = {"floor": ["a"] * 20, "x": ["b", "c", "d", "e", "a"] * 2 + gold[10:]}
    found = {"en": details("topic", items, answers, "en")}
    table = by_heading(sections_for(found, task("topic"), "en"))["confusions"].table
    assert table.header[2:7] == ["a → b", "b → c", "c → d", "d → e", "e → a"]
    assert table.rows[2][2:7] == ["50.0"] * 5 and table.rows[1][2:7] == ["0.0"] * 4 + ["100.0"]


@pytest.mark.parametrize("kind", ["pos", "topic"])
def test_words_and_texts(kind):
    if kind == "pos":
        items = [TaggedSentence(("a", "b"), ("X", "Y"))] * 3
        answers = {"x": [["X", "X"]] * 3}
    else:
        items, answers = [LabelledText("a text", "a"), LabelledText("b", "b")], {"x": ["a", "a"]}
    found = {"en": details(kind, items, answers, "en")}
    sections = by_heading(sections_for(found, task(kind), "en"))
    assert list(sections) == [*(view.heading for view in VIEWS[kind]), "confusions"], "one system: no examples"
    assert sections["confusions"].table.rows[1][2] == "100.0"


def test_no_details_no_sections():
    assert sections_for({}, task("ner"), "en") == []
