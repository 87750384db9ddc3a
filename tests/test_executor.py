import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_experiment import experiment_text, run_of, write_data
from tiny_encoders import save_tiny

from comparisons.executor import RunFailed, is_done
from comparisons.report.writing import write_reports
from comparisons.run_folder import FolderLock
from comparisons.summary import summarize
from comparisons.systems import MajorityRunner
from xlembed.errors import InputError


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("mirror"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return save_tiny("bert", tmp_path_factory.mktemp("bert"))


def modified(out):
    return {p.name: p.stat().st_mtime_ns for p in (out / "predictions").iterdir()}


def test_a_run_writes_predictions_scores_summary_and_reports(tmp_path, data, encoder):
    run = run_of(tmp_path, experiment_text(encoder), data)
    run.execute()
    names = {p.name for p in (run.out / "predictions").iterdir()}
    assert names == {f"{task}.{rest}.jsonl" for task in ("names", "pairs")
                     for lang in ("en", "de")
                     for rest in (f"floor.{lang}", f"static.{lang}.seed1", f"static.{lang}.seed2",
                                  f"tiny.{lang}.seed1")}  # fmt: skip
    assert not (run.out / "models").exists(), "models are kept only while their cells are under way"
    cost = json.loads((run.out / "predictions" / "names.static.de.seed1.jsonl").read_text().splitlines()[0])["cost"]
    assert cost["train_cpu_seconds"] > 0 and "predict_cpu_seconds" in cost
    vectors = (data / "en.vec").stat().st_size + (data / "de.vec").stat().st_size
    assert cost["disk_bytes"] > vectors
    summary = summarize(run, "xlembed compare e.toml")
    scores = {(s["task"], s["system"], s["lang"]): s for s in summary["scores"]}
    assert len(scores) == 2 * 3 * 2
    assert scores["names", "static", "de"]["figures"]["f1"]["value"] > 90  # the hidden rotation is found
    assert set(scores["names", "static", "de"]["by_seed"]) == {"1", "2"}
    assert summary["bli"][0]["scores"]["P@1"] == 100
    assert [p.name for p in write_reports(run.out)] == ["report.md", "report.html"]
    text = (run.out / "report.md").read_text(encoding="utf-8")
    assert "pocket data" in text and "No conclusion" in text
    assert "XLM-R Base" in text and "mean of 5 seeds" in text


def test_a_second_run_computes_nothing(tmp_path, data):
    run_of(tmp_path, experiment_text(), data).execute()
    before = modified(tmp_path / "out")
    run_of(tmp_path, experiment_text(), data).execute()
    assert modified(tmp_path / "out") == before


def test_a_changed_setting_runs_its_own_cells_again_and_no_others(tmp_path, data):
    run_of(tmp_path, experiment_text(), data).execute()
    before = modified(tmp_path / "out")
    changed = experiment_text().replace("ner = { hidden = 16", "ner = { hidden = 17")
    run_of(tmp_path, changed, data).execute()
    after = modified(tmp_path / "out")
    assert {name for name in after if after[name] != before[name]} == {
        f"names.static.{lang}.seed{seed}.jsonl" for lang in ("en", "de") for seed in (1, 2)
    }


def test_changed_test_data_runs_its_language_again(tmp_path):
    data = write_data(tmp_path / "mirror")
    run_of(tmp_path, experiment_text(), data).execute()
    before = modified(tmp_path / "out")
    with open(data / "ner.de.test.tsv", "a", encoding="utf-8") as file:
        file.write("Rom\tB-LOC\n\n")
    run_of(tmp_path, experiment_text(), data).execute()
    after = modified(tmp_path / "out")
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {f"names.{s}.jsonl" for s in ("floor.de", "static.de.seed1", "static.de.seed2")}


def test_a_damaged_prediction_file_is_computed_again(tmp_path, data, capsys):
    run = run_of(tmp_path, experiment_text(), data)
    run.execute()
    path = run.out / "predictions" / "pairs.static.de.seed2.jsonl"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole[: len(whole) // 2], encoding="utf-8")
    assert not is_done(next(cell for cell in run.cells if cell.path == path))
    run_of(tmp_path, experiment_text(), data).execute()
    again = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
    assert again == json.loads(whole.splitlines()[-1])


def test_a_language_without_vectors_is_shown_as_such(tmp_path, data):
    for kind in ("ner", "nli"):
        (tmp_path / f"{kind}.nl.test.tsv").write_bytes((data / f"{kind}.de.test.tsv").read_bytes())
    mirror = write_data(tmp_path / "mirror")
    for kind in ("ner", "nli"):
        (mirror / f"{kind}.nl.test.tsv").write_bytes((data / f"{kind}.de.test.tsv").read_bytes())
    run = run_of(tmp_path, experiment_text(targets='["de", "nl"]'), mirror)
    run.execute()
    summary = summarize(run, "")
    assert {(m["system"], m["lang"], m["why"]) for m in summary["missing"]} == {("static", "nl", "no vectors")}
    write_reports(run.out, ("md",))
    row = next(line for line in (run.out / "report.md").read_text("utf-8").splitlines() if line.startswith("| static"))
    table = (run.out / "report.md").read_text("utf-8")
    assert "no vectors" in table and row


@pytest.mark.parametrize("optional", [True, False])
def test_an_encoder_that_cannot_be_had(tmp_path, data, optional):
    text = experiment_text(tmp_path / "nowhere")
    if optional:
        text = text.replace('type = "encoder"', 'type = "encoder"\noptional = true')
        run = run_of(tmp_path, text, data)
        run.execute()
        summary = summarize(run, "")
        assert {m["system"] for m in summary["missing"]} == {"tiny"}
        write_reports(run.out, ("md",))
        report = (run.out / "report.md").read_text(encoding="utf-8")
        assert "**tiny was not run**" in report and "no such folder" in report
    else:
        with pytest.raises(InputError, match="no such folder"):
            run_of(tmp_path, text, data).execute()
        assert not (tmp_path / "out").exists()


def test_a_malformed_file_stops_the_run_before_anything_is_computed(tmp_path):
    data = write_data(tmp_path / "mirror")
    with open(data / "nli.de.test.tsv", "a", encoding="utf-8") as file:
        file.write("neutral\tonly two columns\n")
    with pytest.raises(InputError, match="nli.de.test.tsv:42: has 2 columns, the header has 3"):
        run_of(tmp_path, experiment_text(), data).execute()
    assert not (tmp_path / "out").exists()


def test_a_missing_file_stops_the_run(tmp_path, data):
    text = experiment_text().replace("ner.en.dev.tsv", "ner.en.none.tsv")
    with pytest.raises(InputError, match="ner.en.none.tsv: nowhere"):
        run_of(tmp_path, text, data).execute()


def test_seeds_differ_and_are_repeatable(tmp_path, data):
    texts = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run = run_of(tmp_path / name, experiment_text(), data)
        run.execute()
        texts.append({p.name: p.read_text("utf-8").splitlines()[1:] for p in (run.out / "predictions").iterdir()})
    assert texts[0] == texts[1]


def without_times(text: str) -> str:
    """A report without its costs: seconds differ between any two runs."""
    text = re.sub(r", at \d+ % of its .*?training and prediction\)", "", text)
    return re.sub(r"## (?:Cost|[^\n]*: score against cost)\n.*?(?=\n## |\Z)", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("kill_after", ["names.static.de.seed1", "names.tiny.en.seed1"])
def test_kill_9_and_the_same_command_end_in_the_same_report(tmp_path, data, encoder, kill_after):
    """The program is killed as soon as a prediction file appears, that is with a model half used."""
    (tmp_path / "e.toml").write_text(experiment_text(encoder), encoding="utf-8")
    root = Path(__file__).parent.parent

    def command(out):
        code = "from xlembed.cli import main; main()"
        return [sys.executable, "-c", code, "compare", "e.toml", "--out", out, "--mirror", str(data)]

    environment = os.environ | {"PYTHONPATH": str(root)}
    killed = subprocess.Popen(command("killed"), cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL)  # fmt: skip
    awaited = tmp_path / "killed" / "predictions" / f"{kill_after}.jsonl"
    while not awaited.exists() and killed.poll() is None:
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert not (tmp_path / "killed" / "report.md").exists()
    for out in ("killed", "undisturbed"):
        subprocess.run(command(out), cwd=tmp_path, env=environment, check=True, capture_output=True)
    reports = [(tmp_path / out / "report.md").read_text("utf-8") for out in ("killed", "undisturbed")]
    reports[0] = reports[0].replace("--out killed", "--out undisturbed")
    assert without_times(reports[0]) == without_times(reports[1])
    assert len(without_times(reports[0])) > 1000


def test_a_second_run_on_one_folder_is_refused_and_touches_nothing(tmp_path, data):
    run = run_of(tmp_path, experiment_text(), data)
    with FolderLock(run.out), pytest.raises(InputError, match="another run, process [0-9]+ on host .* is writing here"):
        run.execute()
    assert not run.out.exists()


def test_a_cell_that_fails_stops_no_other_and_no_report_hides_it(tmp_path, data, monkeypatch, capsys):
    """The first run meets a bug in one task; the second computes what is missing and nothing else."""
    text = experiment_text()
    text = text[: text.index('[[system]]\nname = "static"')]
    whole = MajorityRunner.model
    monkeypatch.setattr(MajorityRunner, "model", lambda self, kind, *rest: {"nli": whole}[kind](self, kind, *rest))
    with pytest.raises(RunFailed, match="2 of 4 cells failed: names.floor.en: KeyError: 'ner' .*no report is written"):
        run_of(tmp_path, text, data).execute()
    assert capsys.readouterr().err.count("Traceback") == 1, "one bug in two cells is shown once"
    before = modified(tmp_path / "out")
    assert set(before) == {"pairs.floor.en.jsonl", "pairs.floor.de.jsonl"}
    monkeypatch.undo()
    run_of(tmp_path, text, data).execute()
    after = modified(tmp_path / "out")
    assert len(after) == 4 and before.items() <= after.items()
