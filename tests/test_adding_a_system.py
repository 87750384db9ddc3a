"""The guide to adding a system: its files are read, its programs and commands run, its figures are those shown."""

import hashlib
import json
import re
import shlex
import subprocess
import sys

import pytest
import typer
from conftest import ROOT
from typer.testing import CliRunner

from baselines.predictions import RunSettings, read_predictions
from comparisons.cli import compare
from comparisons.resolving import POCKET
from comparisons.score_cli import score
from xlembed.errors import InputError

TEXT = (ROOT / "docs" / "adding-a-system.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
app = typer.Typer()
app.command("score")(score)
app.command("compare")(compare)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that the guide shows."""
    for _, name, text in BLOCKS:
        if name:
            (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command):
    """Output of a command of the guide."""
    words = shlex.split(command.replace("$P", str(POCKET)))
    words, out = (words[:-2], words[-1]) if ">" in words else (words, None)
    if words[0] == "python":
        done = subprocess.run([sys.executable, *words[1:]], capture_output=True, check=True)
        if out:
            with open(out, "wb") as file:
                file.write(done.stdout)
        return ""
    done = CliRunner().invoke(app, words[1:])
    assert done.exception is None, done.exception
    return done.output


def commands():
    return [line for form, _, text in BLOCKS if form == "console" for line in text.splitlines()]


def test_commands_run_in_order_and_print_what_is_shown(folder):
    printed = "".join(run(command) for command in commands())
    shown = [line for form, name, text in BLOCKS if form == "text" and not name for line in text.splitlines()]
    assert len(commands()) == 7 and len(shown) == 9
    for line in shown:
        assert line in printed.splitlines(), printed
    assert "after-in on pocket-ner de test: 100 items" in printed
    assert "checked: number of items, premise, hypothesis" in printed


def test_the_example_is_a_whole_prediction_file(folder):
    found = read_predictions(folder / "two.jsonl")
    assert found.run.seed == 1 and found.run.cost["train_seconds"] == 512
    lines = [[["Anna", "Maria", "wohnt", "in", "Köln"], found.gold[0]], [["Es", "regnet"], found.gold[1]]]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    assert found.gold_sha256 == hashlib.sha256(text.encode("utf-8")).hexdigest()


def test_every_field_is_in_the_tables():
    fields = set(re.findall(r"^\| `(\w+)` \|", TEXT, flags=re.MULTILINE))
    header = {"xlembed", "n", "gold_sha256", *RunSettings.__dataclass_fields__}
    assert fields == header | {"id", "gold", "predicted", "group"}


def test_fields_that_are_called_needed_are_and_the_others_have_the_values_shown(folder):
    rows = re.findall(r"^\| `(\w+)` \| (needed|`.*?`) \|", TEXT, flags=re.MULTILINE)
    assert len(rows) == 12
    header, *items = (folder / "two.jsonl").read_text(encoding="utf-8").splitlines()
    for name, default in rows:
        short = {key: value for key, value in json.loads(header).items() if key != name}
        (folder / "p.jsonl").write_text("\n".join([json.dumps(short), *items]), encoding="utf-8")
        if default == "needed":
            with pytest.raises(InputError, match="p.jsonl:1: "):
                read_predictions(folder / "p.jsonl")
        else:
            assert getattr(read_predictions(folder / "p.jsonl").run, name) == json.loads(default.strip("`"))


def test_the_programs_are_short():
    for form, name, text in BLOCKS:
        if form == "python":
            assert len([line for line in text.splitlines() if line.strip()]) <= 20, name


def test_the_experiment_has_their_system_in_its_report(folder):
    for command in commands():
        run(command)
    run("xlembed compare mine.toml --out RUN")
    report = (folder / "RUN" / "report.md").read_text(encoding="utf-8")
    assert "after-in" in report
    scores = json.loads((folder / "RUN" / "summary.json").read_text(encoding="utf-8"))["scores"]
    german = next(one for one in scores if (one["system"], one["lang"]) == ("after-in", "de"))
    assert german["cost"] == {}, "a file that tells no cost has none"
    assert f"{german['figures']['f1']['value']:6.2f}" in run(commands()[3])
