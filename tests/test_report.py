import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from small_summary import figure, small_summary

from baselines.corpora import NLI_LABELS, SentencePair
from comparisons.probes.mixed_nli import mixed_nli
from comparisons.report.base import Section, Table
from comparisons.report.latex import latex_tables
from comparisons.report.sections import sections_of
from comparisons.report.writing import _environment, write_reports
from xlembed.errors import InputError
from xlembed.files import write_json

NASTY = ["<script>alert(1)</script>", 'a "quote" and \'one\'', "a|b", "`tick`", "*star* **two**", "</style></script>",
         "two\nlines", "עברית *", "\\input{x} 50 % & #1 $x^2$ ~", "[", "* first", "a--b_c", "{{ 7 * 7 }}"]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    write_json(tmp_path / "summary.json", small_summary())
    return tmp_path


@pytest.fixture(scope="module")
def n_tables():
    return sum(section.table is not None for section in sections_of(small_summary(), {}))


class Parser(HTMLParser):
    VOID = {"meta", "img", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.n_tables, self.text = [], 0, ""

    def handle_starttag(self, tag, attrs):
        self.n_tables += tag == "table"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def markdown_of(folder):
    write_reports(folder, ("md",))
    return (folder / "report.md").read_text(encoding="utf-8")


def markdown_tables(text):
    return re.findall(r"(?:^\|.*\n?)+", text, flags=re.MULTILINE)


def test_markdown_says_what_the_summary_says(folder):
    text = markdown_of(folder)
    assert "| static | 60.0 [58.0, 62.0] ±0.7 | no vectors | 2 |" in text
    assert "| e5 | 80.0 [78.0, 82.0] | 70.0 [68.0, 72.0] | 1 |" in text
    assert "+20.0 [+18.0, +22.0]" in text
    assert "+1.0 [-1.0, +3.0]" in text and "(not clear)" in text
    assert "| e5 | 10.0 [8.0, 12.0] | 10.0 (1) |" in text
    assert "seed 1 fails" in text
    assert "| wikiann | span F1 | e5 | 80.0 | 70.0 [68.0, 72.0] |" in text
    assert "vectors \\| mapped" in text, "a bar inside a cell must not split it"
    assert "pocket" not in text


def test_every_markdown_table_has_rows_of_one_width(folder, n_tables):
    tables = markdown_tables(markdown_of(folder))
    assert len(tables) == n_tables
    for table in tables:
        widths = {len(re.split(r"(?<!\\)\|", line)) for line in table.strip().splitlines()}
        assert len(widths) == 1, table


def test_markdown_has_its_pictures_beside_it_and_says_what_they_show(folder):
    found = re.findall(r"!\[(.+)\]\((.+)\)", markdown_of(folder))
    assert [name for _, name in found] == ["wikiann.png", "wikiann.cost.png"]
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for _, name in found)


def test_published_figures_stand_beside_ours_with_their_protocol(folder):
    text = markdown_of(folder)
    line = next(line for line in text.splitlines() if line.startswith("| XLM-R Base"))
    assert "83.4" in line and "80.8" in line
    assert any(line.startswith("| e5 (ours)") and "80.0 | 70.0" in line for line in text.splitlines())
    assert "| e5 minus XLM-R Base | -3.4 | -10.8 |" in text, "80.0 - 83.4 and 70.0 - 80.8"


def test_total_computing_time_counts_every_seed(folder):
    # static (75.2 + 2.0) s on one language with two seeds, e5 75.2 + 2 x 2.0 with one
    assert "over all seeds: 3 min 53 s" in re.sub(r"\s+", " ", markdown_of(folder))


def test_html_is_well_formed_escaped_and_in_one_file(folder, n_tables):
    write_reports(folder, ("html",))
    text = (folder / "report.html").read_text(encoding="utf-8")
    parser = Parser()
    parser.feed(text)
    assert not parser.open
    assert parser.n_tables == n_tables
    assert "A <title> & more" in parser.text
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", text), "nothing is fetched"
    assert text.count("<svg") == 2 + 1 and not list(folder.glob("*.png")), "its pictures are in it"


def test_latex_has_every_table(folder, n_tables):
    write_reports(folder, ("tex",))
    text = (folder / "report.tex").read_text(encoding="utf-8")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") >= n_tables
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert r"$\pm$0.7" in body and "±" not in body


def latex_rows(text):
    """(number of columns by the format, number of cells) of every row."""
    for columns, body in re.findall(r"\\begin\{tabular\}\{(.*)\}\n(.*?)\\end\{tabular\}", text, flags=re.DOTALL):
        n_columns = len(re.sub(r"p\{[^}]*\}", "p", columns))
        for line in body.splitlines():
            if line.endswith(r" \\"):
                yield n_columns, len(re.findall(r"(?<!\\)&", line)) + 1


def nasty_sections():
    table = Table(["token", "<b>head</b>"], [[token, token] for token in NASTY])
    return [Section("A heading & <i>more</i>", ["A paragraph."], table, "A note: 5 % & more.")]


def test_latex_escapes_what_is_its_own_and_balances():
    text = latex_tables(nasty_sections())
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    bare = re.sub(r"\\[{}\\]", "", body)
    assert bare.count("{") == bare.count("}")
    assert len(list(latex_rows(text))) == len(NASTY) + 1
    assert all(columns == cells for columns, cells in latex_rows(text))
    assert r"\input" not in body and "<script>" not in body
    assert not re.search(r"(?<!\\)[%#$_^&](?!\\|\s|[a-z0-9])", body.replace(r"{!}{%", "").replace("#3", "")), body


def test_long_tables_go_on_in_another():
    table = Table(["word", "n"], [[f"w{i}", str(i)] for i in range(95)])
    text = latex_tables([Section("Words", [], table)])
    assert text.count(r"\begin{table}") == 3 and text.count("(continued)") == 2
    assert re.findall(r"\\label\{(.*)\}", text) == ["tab:words", "tab:words-2", "tab:words-3"]
    assert all(f"w{i} & {i} " in text for i in range(95))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
@pytest.mark.parametrize("packages", [["booktabs"], ["booktabs", "graphicx", "rotating"]])
def test_latex_compiles(folder, packages):
    if packages[1:] and subprocess.run(["kpsewhich", "rotating.sty"], capture_output=True).returncode:
        pytest.skip("the package rotating is not installed")
    write_reports(folder, ("tex",))
    sections = nasty_sections()
    rows = [row for row in sections[0].table.rows if row[0].isascii()]
    (folder / "nasty.tex").write_text(latex_tables([Section("Nasty", [], Table(["a", "b"], rows))]), encoding="utf-8")
    used = "".join(rf"\usepackage{{{name}}}" for name in packages)
    whole = rf"\documentclass{{article}}{used}\begin{{document}}\input{{report}}\input{{nasty}}\end{{document}}"
    (folder / "whole.tex").write_text(whole, encoding="utf-8")
    made = subprocess.run(["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "whole.tex"], cwd=folder,
                          capture_output=True, text=True, errors="replace")  # fmt: skip
    assert made.returncode == 0, made.stdout[-2000:]


def test_markdown_keeps_data_in_its_cells():
    environment = _environment(None)
    text = environment.get_template("report.md.j2").render(title="*T* <b>", sections=nasty_sections())
    assert "<script" not in text.replace("\\<script", "") and "# \\*T\\* \\<b>" in text
    rows = markdown_tables(text)[0].strip().splitlines()
    assert len(rows) == len(NASTY) + 2
    assert all(len(re.split(r"(?<!\\)\|", row)) == 4 for row in rows)


def test_markdown_shows_data_letter_for_letter():
    """Rendered by a CommonMark parser, the cells hold the tokens again."""
    markdown_it = pytest.importorskip("markdown_it")
    text = _environment(None).get_template("report.md.j2").render(title="T", sections=nasty_sections())
    html = markdown_it.MarkdownIt("commonmark").enable("table").render(text)
    parser = Parser()
    parser.feed(html)
    for token in NASTY:
        shown = " ".join(token.split()) if token != "`tick`" else "tick"  # wholly in ticks: code
        assert shown in parser.text, token


def test_unknown_format_missing_and_damaged_runs(folder, tmp_path_factory):
    with pytest.raises(InputError, match="unknown format 'pdf'"):
        write_reports(folder, ("pdf",))
    with pytest.raises(InputError, match="holds no summary.json"):
        write_reports(tmp_path_factory.mktemp("empty"))
    (folder / "summary.json").write_text('{"format": 1', encoding="utf-8")
    with pytest.raises(InputError, match="not valid JSON"):
        write_reports(folder)


def test_template_refuses_what_is_missing(tmp_path):
    template = _environment(tmp_path).get_template("report.md.j2")
    text = template.render(title="T", sections=[Section("H", ["p"], Table(["a"], [["1"]]))])
    assert "## H" in text and "| 1 |" in text
    with pytest.raises(Exception, match="undefined"):
        template.render(title="T")


def test_translated_systems_are_not_called_zero_shot(folder):
    summary = small_summary()
    summary["experiment"]["systems"][-1]["translate"] = {"direction": "test", "route": "apertium"}
    write_json(folder / "summary.json", summary)
    text = markdown_of(folder)
    assert "but for: e5 as it is, on test items translated into en (route apertium)." in text
    rows = [row for row in text.splitlines() if row.startswith("| e5 (ours)")]
    assert rows and all("translate-test (apertium); trained on" in row for row in rows)


def test_parts_of_speech_have_no_second_metric(folder):
    summary = small_summary()
    summary["experiment"]["tasks"][0] |= {"kind": "pos", "published": None, "reference": None}
    for one in summary["scores"]:
        one["kind"], one["figures"] = "pos", {"accuracy": figure(90)}
        one["by_seed"] = {seed: {"accuracy": 90.0} for seed in one["by_seed"]}
    write_json(folder / "summary.json", summary)
    assert "accuracy over words" in markdown_of(folder)


def test_probes_beside_a_run_are_shown_and_left_out_where_there_are_none(folder, n_tables):
    assert "## Probe" not in markdown_of(folder)
    items = {lang: [SentencePair(f"p{i}", f"h|{i}", NLI_LABELS[i % 3]) for i in range(6)] for lang in ("en", "de")}
    found = mixed_nli(items, lambda pairs: ["neutral"] * len(pairs), "e5 & co")
    write_json(folder / "probes" / "mixed.json", found.as_json())
    write_reports(folder, ("md", "html", "tex"))
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "## Probe mixed-nli: e5 & co: accuracy by language of premise (rows) and hypothesis (columns)" in text
    assert "| same minus mixed | 0.0 [0.0, 0.0] |" in text
    assert text.index("## wikiann: results") < text.index("## Probe") < text.index("## Cost")
    parser = Parser()
    parser.feed((folder / "report.html").read_text(encoding="utf-8"))
    assert not parser.open and parser.n_tables == n_tables + 2
    assert "Probe mixed-nli: e5 & co: means" in parser.text


def test_a_damaged_probe_is_named(folder):
    write_json(folder / "probes" / "bli.json", {"probe": "bli", "format": 1, "encoder": "e5"})
    with pytest.raises(InputError, match="bli.json: is damaged"):
        write_reports(folder, ("md",))


def test_an_older_run_without_processor_time_or_cost_still_has_a_report(folder):
    summary = small_summary()
    summary["scores"][0]["cost"] = {}
    write_json(folder / "summary.json", summary)
    assert "wikiann.png" in markdown_of(folder)


def test_the_same_summary_gives_the_same_bytes_in_another_process(folder):
    """Under another hash seed and another locale."""
    files = [folder / f"report.{form}" for form in ("md", "html", "tex")]
    files += [folder / name for name in ("scores.json", "scores.csv", "wikiann.png", "wikiann.cost.png")]
    told = "import sys; from pathlib import Path; from comparisons.report.writing import write_reports; " \
           "write_reports(Path(sys.argv[1]), ('md', 'html', 'tex'))"  # fmt: skip
    write_reports(folder, ("md", "html", "tex"))
    before = [path.read_bytes() for path in files]
    for seed, locale in (("1", "C"), ("2", "de_DE.UTF-8")):
        environment = os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": locale, "LANG": locale, "TZ": "Asia/Tokyo"}
        subprocess.run([sys.executable, "-c", told, str(folder)], env=environment, check=True)
        assert [path.read_bytes() for path in files] == before


def test_keys_that_are_not_known_are_no_trouble(folder):
    summary = small_summary()
    before = markdown_of(folder)
    for one in summary["scores"]:
        one["of_a_later_version"] = {"x": 1}
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    assert markdown_of(folder) == before
