import csv
import io
import json
import re

import pytest
import typer
from conftest import ROOT
from typer.testing import CliRunner

from comparisons import published_cli
from comparisons.published import read_published
from xlembed.errors import InputError


def app():
    made = typer.Typer()
    published_cli.register(made)
    made.callback()(lambda: None)  # a lone command would swallow its own name
    return made


def run(*arguments):
    """What is printed; InputError goes on to the caller, as `xlembed` has it."""
    done = CliRunner().invoke(app(), ["published", *arguments], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    assert done.exit_code == 0
    return done.stdout


def table(*arguments):
    return list(csv.DictReader(io.StringIO(run(*arguments)), delimiter="\t", quoting=csv.QUOTE_NONE))


def test_a_row_with_its_protocol_on_a_pipe():
    (zero_shot,) = table("--task", "xnli", "--system", "mBERT", "--setting", "zero-shot", "--language", "de")
    assert zero_shot == {
        "task": "xnli", "system": "mBERT", "setting": "zero-shot", "figures": "de 71.1",
        "averages": "15 languages: 66.3 printed, 66.3 with en, 65.2 without",
        "protocol": "en dev; labels of MultiNLI, 392,702 pairs; 178 M parameters",
        "source": "Wu & Dredze 2019", "reading": "primary",
    }  # fmt: skip


def test_everything_without_conditions():
    rows = table()
    assert len(rows) == len(read_published())
    assert {row["reading"] for row in rows} == {"primary", "secondary"} and all(row["protocol"] for row in rows)


def test_conditions_meet_and_case_does_not_matter():
    assert {row["system"] for row in table("--system", "xlm-r base")} == {"XLM-R Base"}
    rows = table("--language", "nl", "--language", "sw", "--setting", "zero-shot")
    assert {row["task"] for row in rows} == {"xnli", "conll", "wikiann"}
    assert {row["figures"] for row in rows if row["task"] == "wikiann"} == {"sw 67, nl 80.8"}
    assert all(row["averages"] for row in rows), "averages are of the whole row, whatever languages are shown"


def test_averages_alone_and_averages_with_english_missing():
    xtreme = table("--task", "xtreme")[0]
    assert (xtreme["figures"], xtreme["averages"]) == ("-", "overall 68.1 printed")
    assert xtreme["protocol"] == "en dev; 560 M parameters", "its tasks have different training data"
    words = table("--task", "conll")[-1]
    assert words["averages"] == "4 languages: 67.1 without"
    assert table("--task", "wikiann", "--system", "mBERT")[0]["averages"] == "40 languages: 62.2 printed"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "xnil"], "--task 'xnil': no figure is of it; known are xnli, conll, wikiann, xtreme"),
        (["--task", "xtreme", "--system", "mBERT"],
         "--system 'mBERT': no figure with --task xtreme is of it; known are XLM-R Large"),
        (["--task", "wikiann", "--setting", "translate-test"],
         "--setting 'translate-test': no figure with --task wikiann is of it; known are zero-shot"),
        (["--task", "conll", "--language", "fr"],
         "--language 'fr': no figure with --task conll is in it; known are de, en, es, nl"),
        (["--task", "xtreme", "--language", "de"],
         "--language 'de': no figure with --task xtreme is in it; there are averages alone"),
        (["--claims", "--system", "mBERT"], "--claims goes with --task alone"),
        (["--claims", "--task", "squad"], "--task 'squad': no figure is of it; known are xnli, conll, wikiann, xtreme"),
    ],
)  # fmt: skip
def test_unknown_names_are_answered_with_the_known_ones_in_one_line(arguments, message):
    with pytest.raises(InputError) as error:
        run(*arguments)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_json_has_numbers_as_numbers():
    (row,) = json.loads(run("--system", "XLM-R Large", "--setting", "zero-shot", "--task", "conll", "--json"))
    assert row["values"] == {"en": 92.92, "nl": 80.80, "es": 78.64, "de": 71.40}
    assert row["averages"][0]["without_source"] == pytest.approx((80.80 + 78.64 + 71.40) / 3)
    assert row["training"] == {"name": "CoNLL-2003 English", "n": 14_041, "unit": "sentences"}
    assert row["n_parameters"] == 559_890_432 and row["n_seeds"] is None
    (overall,) = json.loads(run("--task", "xtreme", "--json"))
    assert overall["printed_averages"] == {"overall": 68.1} and overall["training"] is None


def test_a_terminal_gets_a_table_of_each_task_with_every_word_whole(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "110")
    published_cli.published(system="mBERT", language=["de"])
    shown = capsys.readouterr().out
    assert "conll" in shown and "xnli" in shown and "wikiann" not in shown and "\t" not in shown and "…" not in shown
    assert "de 71.1" in shown and "(secondary)" in shown
    published_cli.published(task="wikiann", claims=True)
    assert "misleading" in capsys.readouterr().out


def test_claims_as_markdown_and_as_json():
    lines = run("--claims", "--task", "wikiann").splitlines()
    assert len({len(re.split(r"(?<!\\)\|", line)) for line in lines}) == 1 and lines[1].startswith("| --- |")
    assert "mBERT has 62.2" in lines[2] and not any("XLM-R Base reaches 76.2" in line for line in lines)
    assert json.loads(run("--claims", "--task", "WikiAnn", "--json"))[0]["name"] == "wikiann-40"
    assert len(json.loads(run("--claims", "--json"))) == 17


def test_the_guide_shows_what_the_commands_print():
    guide = (ROOT / "docs" / "published.md").read_text(encoding="utf-8")
    assert run("--claims").strip() in guide, "docs/published.md: paste the output of xlembed published --claims again"
    shown = re.findall(r"^    xlembed published ([^\n]*) \| cut -f (\S+)\n\n```\n(.*?)\n```", guide, flags=re.M | re.S)
    assert len(shown) == 2
    for arguments, fields, printed in shown:
        lines = run(*arguments.split()).splitlines()
        chosen = [i - 1 for part in fields.split(",") for first, _, last in [part.partition("-")]
                  for i in range(int(first), int(last or first) + 1)]  # fmt: skip
        assert "\n".join("\t".join(line.split("\t")[i] for i in chosen) for line in lines) == printed
