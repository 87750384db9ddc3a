"""Cells on Dask workers: the same files as a local run, whatever workers die, and no cell lost without a word."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from small_experiment import experiment_text, run_of, write_data

from comparisons.computing import Failure, with_threads
from comparisons.executor import Run, RunFailed, is_done
from comparisons.experiment import read_experiment
from comparisons.report.tables import write_scores
from comparisons.resolving import resolver
from comparisons.summary import summarize
from xlembed.errors import InputError

pytest.importorskip("distributed")

from comparisons import cluster as cluster_module  # noqa: E402
from comparisons import cluster_data  # noqa: E402
from comparisons.cluster import Cluster, local_cluster, needs_of, workers_at  # noqa: E402
from comparisons.cluster_data import NeededFile, WorkerFiles, receive, send  # noqa: E402
from comparisons.cluster_worker import code  # noqa: E402

ROOT = Path(__file__).parent.parent
FLOORS = """
[[system]]
name = "second"
type = "majority"
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("mirror"), n=20)


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    with local_cluster(2, tmp_path_factory.mktemp("workers")) as cluster:
        yield cluster


@contextmanager
def workers_with(folder, preload, n=1):
    """Workers whose xlembed is changed by a line of Python."""
    with local_cluster(n, folder, preload=[preload]) as cluster:
        yield cluster


def on(cluster, wait=300.0):
    return Cluster(lambda: workers_at(cluster.scheduler_address), wait=wait).compute


def floors_alone(text):
    """The experiment without its static system, so that nothing trains."""
    return text[: text.index('[[system]]\nname = "static"')] + FLOORS


def finish(run):
    write_scores(run.out, summarize(run, "xlembed compare e.toml"))


def contents(out):
    """All prediction files without what they cost, in seconds and otherwise."""
    found = {}
    for path in (out / "predictions").iterdir():
        header, *items = path.read_text("utf-8").splitlines()
        about = json.loads(header)
        for epoch in about.get("settings", {}).get("curve") or []:
            epoch.pop("seconds", None)
        found[path.name] = {k: v for k, v in about.items() if k != "cost"}, items
    return found


# ---- the same as at home


def test_a_run_on_workers_writes_what_a_local_run_writes(tmp_path, data, two_workers, capsys):
    away, here = (run_of(tmp_path / name, experiment_text(), data) for name in ("away", "here"))
    away.execute(on(two_workers))
    said = capsys.readouterr().err
    here.execute()
    assert len(contents(away.out)) == 2 * 2 * 3
    assert contents(away.out) == contents(here.out)
    finish(away)
    finish(here)
    for name in ("scores.json", "scores.csv"):
        assert (away.out / name).read_bytes() == (here.out / name).read_bytes()
    assert "12 of 12 cells" in said and "dev f1" in said, "the workers' news come here"
    assert "[0] names " in said or "[1] names " in said, "under the workers' names"
    assert sorted(path.name for path in away.out.iterdir() if path.is_dir()) == ["predictions", "scores"]


def test_cells_that_are_there_need_no_cluster(tmp_path, data):
    run_of(tmp_path, floors_alone(experiment_text()), data).execute()
    again = run_of(tmp_path, floors_alone(experiment_text()), data)
    again.execute(Cluster(lambda: pytest.fail("a cluster was started for nothing")).compute)


def test_resources_are_no_part_of_a_key(tmp_path, data):
    plain = floors_alone(experiment_text())
    text = plain.replace('type = "majority"', 'type = "majority"\nresources = { GPU = 1, MEMORY = 16e9 }')
    runs = [run_of(tmp_path, one, data) for one in (plain, text)]
    assert [[cell.key for cell in run.cells] for run in runs][0] == [cell.key for cell in runs[1].cells]
    assert runs[1].experiment.systems[0].resources == {"GPU": 1, "MEMORY": 16e9}


@pytest.mark.parametrize("wrong", ["1", "{ GPU = 0 }", '{ GPU = "all" }', "{ GPU = true }"])
def test_resources_that_are_none(tmp_path, data, wrong):
    text = experiment_text().replace('type = "majority"', f'type = "majority"\nresources = {wrong}')
    with pytest.raises(InputError, match="system 'floor': resources = .*a table of amounts"):
        run_of(tmp_path, text, data)


def test_an_encoder_takes_a_gpu_where_there_is_one_and_nothing_else_does(tmp_path, data):
    floor, static = run_of(tmp_path, experiment_text(), data).experiment.systems
    encoder = replace(static, type="encoder")
    assert [needs_of(system, True) for system in (floor, static, encoder)] == [{}, {}, {"GPU": 1}]
    assert needs_of(encoder, False) == {}
    assert needs_of(replace(encoder, resources={}), True) == {}
    assert needs_of(replace(static, resources={"MEMORY": 8e9}), True) == {"MEMORY": 8e9}


# ---- workers that die, cells that fail

DIES = """
import os, signal
from comparisons.systems import MajorityRunner
whole = MajorityRunner.whole = getattr(MajorityRunner, "whole", MajorityRunner.model)  # dask runs this twice
def model(self, kind, *args):
    if kind == "ner" and {condition}:
        open({marker!r}, "a").write("died ")
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, kind, *args)
MajorityRunner.model = model
"""


def test_cells_of_a_lost_worker_are_computed_by_another(tmp_path, data, capsys):
    marker = str(tmp_path / "marker")
    dies_once = DIES.format(condition=f"not os.path.exists({marker!r})", marker=marker)
    run = run_of(tmp_path, floors_alone(experiment_text()), data)
    with workers_with(tmp_path / "workers", dies_once) as cluster:
        run.execute(on(cluster))
    assert Path(marker).read_text() == "died "
    assert all(is_done(cell) for cell in run.cells)
    assert "a worker was lost, attempt 2" in capsys.readouterr().err


def test_a_result_that_was_taken_is_not_kept(tmp_path, data, two_workers):
    """The scheduler would compute it again when its worker is lost."""
    run = run_of(tmp_path, floors_alone(experiment_text()), data)
    computing = on(two_workers)(run, [run.cells[:1]])
    next(computing)
    for _ in range(600):
        if not any(task.state == "memory" for task in list(two_workers.scheduler.tasks.values())):
            break
        time.sleep(0.1)
    else:
        pytest.fail("the result is still on its worker")
    computing.close()


def test_a_cell_that_kills_its_workers_is_reported_and_the_others_are_computed(tmp_path, data, capsys, two_workers):
    marker = str(tmp_path / "marker")
    text = floors_alone(experiment_text()).replace(FLOORS, "")
    run = run_of(tmp_path, text, data)
    with workers_with(tmp_path / "workers", DIES.format(condition=True, marker=marker)) as cluster:
        with pytest.raises(RunFailed, match="2 of 4 cells failed: names.floor.en: 3 workers died"):
            run.execute(on(cluster))
    assert Path(marker).read_text().count("died") == 3
    assert sorted(contents(run.out)) == ["pairs.floor.de.jsonl", "pairs.floor.en.jsonl"]
    assert "failed: names.floor.de: 3 workers died" in capsys.readouterr().err
    again = run_of(tmp_path, text, data)
    again.execute(on(two_workers))
    assert "2 of 4 cells are there, 2 to compute" in capsys.readouterr().err
    assert len(contents(run.out)) == 4


def test_a_group_that_its_workers_leave_again_and_again_is_reported(tmp_path, data):
    """Workers that leave in good order do not die by Dask's count, which would begin the group for ever."""
    leaves = ("from comparisons import cluster_worker\n"
              "from distributed import Reschedule\n"
              "def leave(*args): raise Reschedule\n"
              "cluster_worker._compute = leave\n")  # fmt: skip
    run = run_of(tmp_path, floors_alone(experiment_text()).replace(FLOORS, ""), data)
    with workers_with(tmp_path / "workers", leaves) as cluster:
        with pytest.raises(RunFailed, match="4 of 4 cells failed: .*: 3 workers died or left while they computed it"):
            run.execute(on(cluster))


def test_a_cell_that_cannot_be_computed_fails_alone_and_alike_on_both_paths(tmp_path, data, two_workers):
    """A few-shot system that asks for more sentences than there are: this shows in training alone."""
    text = experiment_text() + """
[[system]]
name = "greedy"
type = "static"
vectors = "{lang}.vec"
languages = ["en", "de"]
lexicon = "en-{lang}.txt"
tasks = ["names"]
seeds = [1]
target = { train = "ner.{lang}.train.tsv", k = 500 }
"""
    text = text.replace('name = "static"', 'name = "static"\ntasks = ["names"]\nseeds = [1]')
    messages = []
    for name, compute in (("away", on(two_workers)), ("here", None)):
        run = run_of(tmp_path / name, text, data)
        with pytest.raises(InputError) as failed:
            run.execute(compute)
        messages.append(str(failed.value))
        assert [cell.name for cell in run.cells if not is_done(cell)] == ["names.greedy.de.seed1"]
    assert messages[0] == messages[1]
    assert "1 of 8 cells failed: names.greedy.de.seed1: target: k = 500, the data has 20 items" in messages[0]


def test_a_bug_in_a_cell_is_no_input_error(tmp_path, data, capsys):
    breaks = ("from comparisons.systems import MajorityRunner\n"
              "MajorityRunner.model = lambda self, kind, *rest: 1 // (kind != 'ner') or 1 / 0\n")  # fmt: skip
    run = run_of(tmp_path, floors_alone(experiment_text()).replace(FLOORS, ""), data)
    with workers_with(tmp_path / "workers", breaks) as cluster, pytest.raises(RunFailed, match="ZeroDivisionError"):
        run.execute(on(cluster))
    assert "Traceback" in capsys.readouterr().err
    assert not (run.out / "summary.json").exists()


def test_a_resource_that_no_worker_has_is_said_and_not_waited_for(tmp_path, data, two_workers, capsys):
    text = floors_alone(experiment_text())
    text = text.replace('name = "second"', 'name = "second"\nresources = { QUANTUM = 2 }')
    run = run_of(tmp_path, text, data)
    with pytest.raises(InputError, match='4 of 8 cells failed: .*no worker with QUANTUM=2.*--resources "QUANTUM=2"'):
        run.execute(on(two_workers, wait=0.5))
    assert {cell.system.name for cell in run.cells if is_done(cell)} == {"floor"}
    said = capsys.readouterr().err
    assert said.count("waiting") == 1 and "for a worker with QUANTUM=2: names second: en, de and 1 more" in said


def test_no_worker_at_all(tmp_path, data):
    run = run_of(tmp_path, floors_alone(experiment_text()), data)
    with local_cluster(0, tmp_path / "workers") as cluster, pytest.raises(InputError, match="no worker came to tcp:"):
        run.execute(on(cluster, wait=0.3))


def test_a_worker_with_another_xlembed_is_refused(tmp_path, data):
    run = run_of(tmp_path, floors_alone(experiment_text()), data)
    other = "import xlembed; xlembed.__version__ = '0.0.9'"
    with workers_with(tmp_path / "workers", other) as cluster:
        with pytest.raises(InputError, match=r"has xlembed 0\.0\.9 \(code .* this program is 0\.1\.0.*: install"):
            run.execute(on(cluster))
    assert not run.out.exists()


def test_the_code_is_told_by_its_sources():
    assert code().startswith("0.1.0 (code ") and len(code()) == len("0.1.0 (code )") + 12


# ---- data


def test_data_is_sent_to_a_worker_that_has_other_folders(tmp_path, data, monkeypatch, capsys):
    """The worker does not see the program's folder; it has one of the files in a mirror of its own."""
    monkeypatch.setattr(cluster_data, "CHUNK", 100)
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "ner.en.train.tsv").write_bytes((data / "ner.en.train.tsv").read_bytes())
    (mirror / "ner.en.dev.tsv").write_text("another file of that name", encoding="utf-8")
    blind = (f"import os; os.environ['XLEMBED_MIRROR'] = {str(mirror)!r}\n"
             "from comparisons.cluster_data import WorkerFiles\n"
             "whole = WorkerFiles.whole = getattr(WorkerFiles, 'whole', WorkerFiles._candidates)\n"
             "WorkerFiles._candidates = lambda self, file: (path for path in whole(self, file)"
             f" if not str(path).startswith({str(data)!r}))\n")  # fmt: skip
    run = run_of(tmp_path, floors_alone(experiment_text()), data)
    with workers_with(tmp_path / "workers", blind) as cluster:
        run.execute(on(cluster))
    assert all(is_done(cell) for cell in run.cells)
    said = capsys.readouterr().err
    assert "sending ner.en.dev.tsv" in said and "sending nli.de.test.tsv" in said
    assert "sending ner.en.train.tsv" not in said
    assert said.count("sending ner.en.dev.tsv") == 1, "the worker keeps what it was sent"


def test_an_encoder_is_sent_to_a_worker_that_has_no_such_folder_and_computes_the_same(tmp_path, data, capsys):
    from tiny_encoders import save_tiny

    blind = ("from dataclasses import replace\n"
             "from comparisons.cluster_data import WorkerFiles\n"
             "whole = WorkerFiles.whole = getattr(WorkerFiles, 'whole', WorkerFiles.find_encoder)\n"
             "WorkerFiles.find_encoder = lambda self, files: whole("
             "self, [replace(file, path='/nowhere/' + file.name) for file in files])\n")  # fmt: skip
    text = experiment_text(save_tiny("bert", tmp_path / "tiny"))
    text = text[: text.index('[[system]]\nname = "floor"')] + text[text.index('[[system]]\nname = "tiny"') :]
    away, here = (run_of(tmp_path / name, text, data) for name in ("away", "here"))
    with workers_with(tmp_path / "workers", blind) as cluster:
        away.execute(on(cluster))
    said = capsys.readouterr().err
    assert said.count("sending model.safetensors") == 1 and "sending tokenizer.json" in said
    with with_threads(1):
        here.execute()
    assert len(contents(away.out)) == 2 * 2
    assert contents(away.out) == contents(here.out)


def needed(path, **changes):
    sha256 = cluster_data.sha256_of(path)
    return replace(NeededFile(path.name, sha256, path.stat().st_size, str(path), f"{sha256}/{path.name}"), **changes)


@pytest.mark.parametrize("n_bytes", [0, 1, 99, 100, 101, 1000])
def test_a_file_arrives_whole_in_pieces(tmp_path, monkeypatch, n_bytes):
    monkeypatch.setattr(cluster_data, "CHUNK", 100)
    source = tmp_path / "source.bin"
    source.write_bytes(os.urandom(n_bytes))
    file, own = needed(source), tmp_path / "own"
    send(file, lambda offset, chunk: receive(str(own), file, offset, chunk, "me"))
    found = WorkerFiles(own, None, tmp_path / "none").find(replace(file, path="/nowhere"))
    assert found == own / file.place and found.read_bytes() == source.read_bytes()
    assert len(list(found.parent.iterdir())) == 1


def test_a_file_that_is_damaged_on_the_way_gets_no_name(tmp_path):
    source = tmp_path / "source.bin"
    source.write_bytes(b"right")
    file = needed(source)
    with pytest.raises(InputError, match="source.bin: damaged on the way"):
        receive(str(tmp_path / "own"), file, 0, b"wrong", "me")
    assert WorkerFiles(tmp_path / "own", None, tmp_path / "none").find(replace(file, path="/nowhere")) is None
    assert not any(path.is_file() for path in (tmp_path / "own").rglob("*"))


def test_a_file_too_large_to_send_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_data, "MOST_SENT", 3)
    source = tmp_path / "source.bin"
    source.write_bytes(b"four")
    with pytest.raises(InputError, match="no more than .* are sent to a worker: put it on a disk that the workers sha"):
        send(needed(source), lambda offset, chunk: pytest.fail("sent"))


def test_a_file_of_the_right_name_and_other_contents_is_not_taken(tmp_path):
    (tmp_path / "data").mkdir()
    source, other = tmp_path / "a.tsv", tmp_path / "data" / "a.tsv"
    source.write_bytes(b"right")
    other.write_bytes(b"wrong")
    file = replace(needed(source), path="/nowhere")
    assert WorkerFiles(tmp_path / "own", None, tmp_path / "data").find(file) is None
    other.write_bytes(b"right")
    assert WorkerFiles(tmp_path / "own", None, tmp_path / "data").find(file) == other


def test_a_file_that_changed_is_hashed_again_whatever_its_time_says(tmp_path):
    path, other = tmp_path / "a.tsv", tmp_path / "b.tsv"
    path.write_bytes(b"one")
    found = [cluster_data.sha256_remembered(path)]
    about = path.stat()
    later = tmp_path / "later"
    later.touch()
    while later.stat().st_ctime_ns <= about.st_ctime_ns:  # the clock of files may be slow
        later.touch()
    path.write_bytes(b"two")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    found.append(cluster_data.sha256_remembered(path))
    other.write_bytes(b"six")
    os.utime(other, ns=(about.st_atime_ns, about.st_mtime_ns))
    os.replace(other, path)
    found.append(cluster_data.sha256_remembered(path))
    assert found == [hashlib.sha256(text).hexdigest() for text in (b"one", b"two", b"six")]


# ---- the program


def start(folder, *options):
    """The program; Ctrl-C reaches it also where the tests run in the background, whose processes ignore it."""
    code = ("import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from xlembed.cli import main; main()")  # fmt: skip
    command = [sys.executable, "-c", code, "compare", "e.toml", *map(str, options)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, start_new_session=True)  # fmt: skip


@pytest.mark.parametrize("killed_by", [signal.SIGKILL, signal.SIGINT])
def test_the_program_is_stopped_on_the_way_and_goes_on_from_there(tmp_path, data, killed_by):
    run = run_of(tmp_path, experiment_text(), data)
    stopped = start(tmp_path, "--out", "out", "--mirror", data, "--workers", 2)
    while not list(tmp_path.glob("out/predictions/*.jsonl")) and stopped.poll() is None:
        time.sleep(0.005)
    if killed_by == signal.SIGINT:
        os.killpg(stopped.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    else:
        stopped.send_signal(killed_by)
    _, said = stopped.communicate()
    assert stopped.returncode == (-signal.SIGKILL if killed_by == signal.SIGKILL else 130), said
    if killed_by == signal.SIGINT:
        assert "Traceback" not in said and "FAILED" not in said
        assert said.endswith("out: what is computed so far is kept; the same command goes on from there\n"
                             "xlembed: stopped\n")  # fmt: skip
    kept = {cell.path.name: cell.path.stat().st_mtime_ns for cell in run.cells if is_done(cell)}
    assert 0 < len(kept) < 12 and not (tmp_path / "out" / "report.md").exists()
    again = run_of(tmp_path, experiment_text(), data)
    again.execute()
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "predictions").iterdir()}
    assert len(after) == 12 and kept.items() <= after.items()
    assert not (tmp_path / "out" / "models").exists()


@pytest.mark.parametrize("moment", [0.0, 0.5, 2.0])
def test_ctrl_c_while_workers_start(tmp_path, data, moment):
    run_of(tmp_path, experiment_text(), data)
    stopped = start(tmp_path, "--out", "out", "--mirror", data, "--workers", 2)
    while "12 to compute" not in (line := stopped.stderr.readline()):
        assert line, "it ended before"
    time.sleep(moment)
    os.killpg(stopped.pid, signal.SIGINT)
    _, said = stopped.communicate()
    assert stopped.returncode == 130, said
    assert "Traceback" not in said and said.endswith("xlembed: stopped\n")


@pytest.mark.parametrize("options, message", [
    (["--workers", "2", "--scheduler", "tcp://x:1"], "--workers and --scheduler exclude each other"),
    (["--scheduler", "nonsense"], "--scheduler nonsense: no Dask scheduler answers there"),
    (["--scheduler", "gone.json"], "--scheduler gone.json: no such file"),
    (["--workers", "0"], "Invalid value for '--workers'"),
])  # fmt: skip
def test_options_that_cannot_be_used(tmp_path, data, options, message, monkeypatch, capsys):
    from xlembed import cli

    run_of(tmp_path, floors_alone(experiment_text()), data)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster_module, "CONNECT", 1)
    monkeypatch.setattr(sys, "argv", ["xlembed", "compare", "e.toml", "--out", "out", "--mirror", str(data), *options])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "out" / "predictions").exists()


def test_a_failure_tells_where_a_bug_is():
    try:
        raise KeyError("lost")
    except KeyError as err:
        failure = Failure.of(err)
    assert "KeyError: 'lost' (test_cluster.py:" in failure.message and not failure.is_input and failure.trace
    assert Failure.of(InputError("a.tsv:3: wrong")) == Failure("a.tsv:3: wrong")
    assert Failure.of(OSError(28, "No space left on device")).is_input


# ---- the whole


def pocket_text(n_seeds):
    """Majority on two tasks in four languages, and a small static system on one: 8 cells, and 4 a seed in one group."""
    text = (ROOT / "comparisons" / "demo.toml").read_text("utf-8")
    text = text[: text.index('[[system]]\nname = "e5-small"')].replace("seeds = [1, 2, 3]", f"seeds = {n_seeds}")
    return text.replace('tagger = "crf"', 'tasks = ["pocket-nli"]\nnli = { max_epochs = 3, hidden = 16 }')


def killing(compute, cluster, after):
    """`compute`, with a busy worker killed after so many cells: the first for good, the next is started anew."""

    def disturbed(run, groups):
        for n, made in enumerate(compute(run, groups), start=1):
            yield made
            if n in after:
                busy = {address for address, worker in cluster.scheduler.workers.items() if worker.processing}
                nanny = next(nanny for nanny in cluster.workers.values() if nanny.worker_address in busy)
                nanny.auto_restart = n != after[0]
                os.kill(nanny.pid, signal.SIGKILL)

    return disturbed


@pytest.mark.slow
def test_two_of_four_workers_killed_among_forty_cells_change_no_score(tmp_path, capsys):
    (tmp_path / "e.toml").write_text(pocket_text(list(range(1, 9))), encoding="utf-8")
    plan = read_experiment(tmp_path / "e.toml")
    quiet, disturbed = (Run(plan, tmp_path / name, resolver(plan)) for name in ("quiet", "disturbed"))
    assert len(disturbed.cells) == 40
    with local_cluster(4, tmp_path / "workers") as cluster:
        disturbed.execute(killing(on(cluster, wait=300), cluster, after=(9, 20)))
    assert "a worker was lost" in capsys.readouterr().err
    with with_threads(1):
        quiet.execute()
    for run in (quiet, disturbed):
        finish(run)
    assert contents(quiet.out) == contents(disturbed.out)
    assert (quiet.out / "scores.json").read_bytes() == (disturbed.out / "scores.json").read_bytes()
