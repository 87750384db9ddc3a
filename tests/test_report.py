import json
import re
from html.parser import HTMLParser

import pytest

from baselines.corpora import NLI_LABELS, SentencePair
from comparisons.probes.mixed_nli import mixed_nli
from comparisons.published import published_rows
from comparisons.report.base import Section, Table
from comparisons.report.writing import _environment, _inline, write_reports
from xlembed.errors import InputError
from xlembed.files import write_json


def figure(value):
    return {"value": value, "low": value - 2, "high": value + 2}


@pytest.fixture
def folder(tmp_path):
    """A finished run's summary, made by hand: one task, two systems, one of them without Dutch."""
    def score(system, lang, value, flags=()):
        return {"task": "wikiann", "kind": "ner", "system": system, "lang": lang, "flags": list(flags),
                "figures": {"f1": figure(value), "precision": figure(value), "recall": figure(value)},
                "by_seed": {"1": {"f1": value}}, "seed_sd": 0.5 if system == "static" else None, "n_items": 1234,
                "signature": {"gold_sha256": "ab" * 32, "versions": {"python": "3.11"}, "interval": "95 % x over n",
                              "settings": {"n_train": 20000, "n_dev": 10000}},
                "cost": {"train_seconds": 75.2, "predict_seconds": 2.0, "n_parameters": 2e6,
                         "n_trained": 1e6}}  # fmt: skip

    summary = {
        "format": 2,
        "experiment": {"name": "x", "title": "A <title> & more", "note": "A note with `code`.", "small": False,
                       "source": "en",
                       "tasks": [{"name": "wikiann", "kind": "ner", "languages": ["en", "nl"], "note": "",
                                  "published": "wikiann", "reference": "XLM-R Base", "train": ["a.tsv"],
                                  "dev": ["b.tsv"]}],
                       "systems": [{"name": "static", "type": "static", "note": "vectors | mapped", "seeds": [1, 2]},
                                   {"name": "e5", "type": "encoder", "note": "", "seeds": [1]}]},
        "command": "xlembed compare x.toml --out RUN",
        "machine": "a machine, 2 cores, Linux",
        "scores": [score("static", "en", 60.0), score("e5", "en", 80.0), score("e5", "nl", 70.0, ["seed 1 fails"])],
        "missing": [{"task": "wikiann", "system": "static", "lang": "nl", "why": "no vectors"}],
        "differences": [{"task": "wikiann", "lang": "en", "system": "e5", "other": "static", "figure": figure(20.0)},
                        {"task": "wikiann", "lang": "nl", "system": "e5", "other": "static", "figure": figure(1.0)}],
        "gaps": [{"task": "wikiann", "system": "e5", "lang": "nl", "figure": figure(10.0)}],
        "bli": [],
    }  # fmt: skip
    (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return tmp_path


class Parser(HTMLParser):
    VOID = {"meta", "img", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.n_tables, self.text = [], 0, ""

    def handle_starttag(self, tag, attrs):
        self.n_tables += tag == "table"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_markdown_says_what_the_summary_says(folder):
    write_reports(folder, ("md",))
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "| static | 60.0 [58.0, 62.0] ±0.5 | no vectors | 2 |" in text
    assert "| e5 | 80.0 [78.0, 82.0] | 70.0 [68.0, 72.0] | 1 |" in text
    assert "+20.0 [+18.0, +22.0] |" in text
    assert "+1.0 [-1.0, +3.0] (not clear)" in text
    assert "| e5 | 10.0 [8.0, 12.0] | 10.0 (1) |" in text
    assert "**Failed seed**: e5, nl: seed 1 fails." in text
    assert "1 min 15 s" in text
    assert "vectors \\| mapped" in text, "a bar inside a cell must not split it"
    assert "pocket" not in text


def test_every_markdown_table_has_rows_of_one_width(folder):
    write_reports(folder, ("md",))
    tables = re.findall(r"(?:^\|.*\n)+", (folder / "report.md").read_text("utf-8"), flags=re.MULTILINE)
    assert len(tables) == 8
    for table in tables:
        widths = {len(re.split(r"(?<!\\)\|", line)) for line in table.strip().splitlines()}
        assert len(widths) == 1, table


def test_published_figures_stand_beside_ours_with_their_protocol(folder):
    write_reports(folder, ("md",))
    text = (folder / "report.md").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("| XLM-R Base"))
    assert "83.4" in line and "80.8" in line and "mean of 5 seeds" in line
    assert "trained on 20,000 items in en; best epoch on 10,000 dev items in en; mean of 2 seeds" in text
    assert "| e5 minus XLM-R Base | -3.4 | -10.8 |" in text, "80.0 - 83.4 and 70.0 - 80.8"
    assert "| static minus XLM-R Base | -23.4 | — |" in text


def test_short_table_averages_over_languages_that_all_ran_on(folder):
    write_reports(folder, ("md",))
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "(wikiann: none)" in text, "static has no Dutch, so no target is shared"
    assert "| wikiann | span F1 | e5 | 80.0 | — |" in text
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    summary["scores"].append({**summary["scores"][0], "lang": "nl"})
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    write_reports(folder, ("md",))
    assert "| wikiann | span F1 | e5 | 80.0 | 70.0 |" in (folder / "report.md").read_text(encoding="utf-8")


def test_total_computing_time_counts_every_seed(folder):
    write_reports(folder, ("md",))
    # each with one seed in by_seed: static 75.2 + 2.0 on one language, e5 75.2 + 2 x 2.0
    assert "over all seeds: 2 min 36 s" in (folder / "report.md").read_text(encoding="utf-8")


def test_html_is_well_formed_escaped_and_in_one_file(folder):
    write_reports(folder, ("html",))
    text = (folder / "report.html").read_text(encoding="utf-8")
    parser = Parser()
    parser.feed(text)
    assert not parser.open
    assert parser.n_tables == 8
    assert "A <title> & more" in parser.text
    assert 'src="data:image/png;base64,' in text and "src=\"wikiann.png" not in text


def test_latex_escapes_what_it_must(folder):
    write_reports(folder, ("tex",))
    text = (folder / "report.tex").read_text(encoding="utf-8")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 8
    assert r"$\pm$0.5" in text and "±" not in text


def test_unknown_format_missing_and_damaged_runs(folder, tmp_path_factory):
    with pytest.raises(InputError, match="unknown format 'pdf'"):
        write_reports(folder, ("pdf",))
    with pytest.raises(InputError, match="holds no summary.json"):
        write_reports(tmp_path_factory.mktemp("empty"))
    (folder / "summary.json").write_text('{"format": 1', encoding="utf-8")
    with pytest.raises(InputError, match="not valid JSON"):
        write_reports(folder)


def test_inline_markdown_is_escaped_first():
    assert _inline("**a** *b* `c<d` & <script>") == (
        "<strong>a</strong> <em>b</em> <code>c&lt;d</code> &amp; &lt;script&gt;"
    )
    assert _inline("3 * 4 * 5") == "3 * 4 * 5"


def test_template_refuses_what_is_missing(tmp_path):
    template = _environment(tmp_path).get_template("report.md.j2")
    text = template.render(title="T", sections=[Section("H", ["p"], Table(["a"], [["1"]]))])
    assert "## H" in text and "| 1 |" in text
    with pytest.raises(Exception, match="undefined"):
        template.render(title="T")


def test_published_rows_do_not_mix_protocols():
    rows = published_rows("xnli", ["en", "sw"])
    mbert = [row for row in rows if row.system == "mBERT"]
    assert {row.selection for row in mbert} == {"en dev"} and mbert[0].values == {"en": "82.1", "sw": "50.4"}
    assert all(row.setting.startswith("zero-shot") for row in rows)
    assert not [row for row in rows if not row.values]
    with pytest.raises(InputError, match="published = 'xnl'"):
        published_rows("xnl", ["en"])


def test_translated_systems_are_not_called_zero_shot(folder):
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    summary["experiment"]["systems"][-1]["translate"] = {"direction": "test", "route": "apertium"}
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    write_reports(folder, ("md",))
    name = summary["experiment"]["systems"][-1]["name"]
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert f"but for: {name} as it is, on test items translated into en (route apertium)." in text
    rows = [row for row in text.splitlines() if row.startswith(f"| {name} (ours)")]
    assert rows and all("translate-test (apertium); trained on" in row for row in rows)


def test_parts_of_speech_have_no_second_metric(folder):
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    summary["experiment"]["tasks"][0]["kind"] = "pos"
    for one in summary["scores"]:
        one["kind"], one["figures"] = "pos", {"accuracy": figure(90)}
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    write_reports(folder, ("md",))
    assert "accuracy over words" in (folder / "report.md").read_text(encoding="utf-8")


def test_probes_beside_a_run_are_shown_and_left_out_where_there_are_none(folder):
    write_reports(folder, ("md", "html"))
    assert "Probe" not in (folder / "report.md").read_text(encoding="utf-8")
    items = {lang: [SentencePair(f"p{i}", f"h|{i}", NLI_LABELS[i % 3]) for i in range(6)] for lang in ("en", "de")}
    found = mixed_nli(items, lambda pairs: ["neutral"] * len(pairs), "e5 & co")
    write_json(folder / "probes" / "mixed.json", found.as_json())
    write_reports(folder, ("md", "html", "tex"))
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "## Probe mixed-nli: e5 & co: accuracy by language of premise (rows) and hypothesis (columns)" in text
    assert "| same minus mixed | 0.0 [0.0, 0.0] |" in text
    assert text.index("## wikiann: results") < text.index("## Probe") < text.index("## Cost")
    assert text.count("paired by item") == 1
    parser = Parser()
    parser.feed((folder / "report.html").read_text(encoding="utf-8"))
    assert not parser.open and parser.n_tables == 8 + 2
    assert "Probe mixed-nli: e5 & co: means" in parser.text


def test_a_damaged_probe_is_named(folder):
    write_json(folder / "probes" / "bli.json", {"probe": "bli", "format": 1, "encoder": "e5"})
    with pytest.raises(InputError, match="bli.json: is damaged"):
        write_reports(folder, ("md",))
