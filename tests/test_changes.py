import json
import shutil

import pytest
import typer
from small_experiment import experiment_text, write_data
from typer.testing import CliRunner

from comparisons import cli
from comparisons.changes import changes
from comparisons.executor import Run
from comparisons.experiment import read_experiment
from comparisons.report.changes import change_sections
from comparisons.summary import summarize
from xlembed.errors import InputError


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("mirror"))


def finished(folder, data, text):
    folder.mkdir()
    (folder / "e.toml").write_text(text, encoding="utf-8")
    run = Run(read_experiment(folder / "e.toml"), folder / "run", lambda name: data / name)
    run.execute()
    summarize(run, "")
    return run.out


@pytest.fixture(scope="module")
def before(tmp_path_factory, data):
    return finished(tmp_path_factory.mktemp("runs") / "before", data, experiment_text())


@pytest.fixture(scope="module")
def after(tmp_path_factory, data):
    """Fewer training pairs: trained anew."""
    text = experiment_text().replace('rows = "0:12"', 'rows = "0:10"')
    assert text != experiment_text()
    return finished(tmp_path_factory.mktemp("runs") / "after", data, text)


def test_a_run_against_itself(before):
    found = changes(before, before)
    assert len(found["rows"]) == 8 and not found["refused"] + found["only_before"] + found["only_after"]
    for row in found["rows"]:
        assert row["change"]["figure"] == {"value": 0, "low": 0, "high": 0}
        assert row["change"]["p"] == 1 and not row["is_clear"] and not row["made"]
    assert "0 became better and 0 worse by more than noise; 8 did not" in change_sections(found)[0].paragraphs[0]


def test_what_was_made_differently_is_told(before, after):
    rows = {(row["task"], row["system"], row["lang"]): row for row in changes(before, after)["rows"]}
    assert any(told.startswith("n_train: ") for told in rows["pairs", "static", "de"]["made"])
    assert any("rows 0-12" in told and "rows 0-10" in told for told in rows["pairs", "static", "de"]["made"])
    assert rows["names", "static", "de"]["made"] == rows["names", "floor", "de"]["made"] == []
    assert rows["names", "static", "de"]["change"]["p_holm"] >= rows["names", "static", "de"]["change"]["p"]


def worse(before, folder):
    """A copy of a run with one system's predictions spoilt."""
    shutil.copytree(before, folder)
    for seed in (1, 2):
        path = folder / "predictions" / f"names.static.de.seed{seed}.jsonl"
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        spoilt = [line | {"predicted": ["O"] * len(line["predicted"])} for line in lines[1:]]
        path.write_text("".join(json.dumps(line) + "\n" for line in [lines[0], *spoilt]), encoding="utf-8")
    return folder


def test_a_real_loss_is_clear_and_the_rest_is_not(before, tmp_path):
    found = changes(before, worse(before, tmp_path / "worse"))
    assert [(r["task"], r["system"], r["lang"]) for r in found["rows"] if r["is_clear"]] == [("names", "static", "de")]
    assert "0 became better and 1 worse" in change_sections(found)[0].paragraphs[0]


def test_other_gold_is_not_compared(before, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(before, other)
    path = other / "predictions" / "names.floor.de.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    header = json.loads(lines[0]) | {"gold_sha256": "0" * 64}
    path.write_text("\n".join([json.dumps(header), *lines[1:]]) + "\n", encoding="utf-8")
    found = changes(before, other)
    [refused] = found["refused"]
    assert (refused["system"], refused["lang"]) == ("floor", "de") and "different gold" in refused["why"]
    assert "Not compared" in [section.heading for section in change_sections(found)]


def test_groups_that_one_run_alone_tells_hold_for_both(before, tmp_path):
    """Pairs with one premise: a run whose files do not tell them is still compared, and on the same resamples."""
    other = tmp_path / "other"
    shutil.copytree(before, other)
    path = other / "predictions" / "pairs.static.de.seed1.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    bare = [{key: value for key, value in line.items() if key != "group"} for line in lines]
    assert bare != lines
    path.write_text("".join(json.dumps(line) + "\n" for line in bare), encoding="utf-8")
    found = changes(before, other)
    assert not found["refused"]
    row = next(r for r in found["rows"] if (r["task"], r["system"], r["lang"]) == ("pairs", "static", "de"))
    assert row["change"]["figure"] == {"value": 0, "low": 0, "high": 0} and not row["is_clear"]


def test_a_score_that_one_run_alone_has(before, tmp_path):
    fewer = tmp_path / "fewer"
    shutil.copytree(before, fewer)
    summary = json.loads((fewer / "summary.json").read_text())
    summary["scores"] = [s for s in summary["scores"] if s["system"] != "floor"]
    (fewer / "summary.json").write_text(json.dumps(summary))
    found = changes(before, fewer)
    assert {one["system"] for one in found["only_before"]} == {"floor"} and not found["only_after"]
    assert change_sections(found)[-1].table.rows[0][-1] == "before"


def test_a_prediction_file_that_is_gone(before, tmp_path):
    shutil.copytree(before, tmp_path / "gone")
    (tmp_path / "gone" / "predictions" / "names.floor.de.jsonl").unlink()
    with pytest.raises(InputError, match="names.floor.de.jsonl"):
        changes(before, tmp_path / "gone")


def test_the_command(before, after, tmp_path):
    app = typer.Typer()
    cli.register(app)
    done = CliRunner().invoke(app, ["report", str(before), str(after), "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert {path.name for path in tmp_path.iterdir()} == {"changes.md", "changes.html", "changes.json"}
    text = (tmp_path / "changes.md").read_text(encoding="utf-8")
    assert "8 scores are in both" in text and "floor" in text
    again = CliRunner().invoke(app, ["report", str(before), str(after), str(after)])
    assert again.exit_code != 0
