"""xlembed.cluster: workers of this machine, and those of a scheduler that runs already."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time

import pytest
from test_commands import fails, works

import xlembed
from xlembed import cluster
from xlembed.cluster import connect
from xlembed.errors import InputError

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def scheduler():
    """A scheduler with one worker, in this process."""
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0",
                                  protocol="tcp", host="127.0.0.1") as running:  # fmt: skip
        yield running


def test_local_workers_are_processes_of_one_thread():
    with connect(workers=2) as client:
        assert sorted(client.nthreads().values()) == [1, 1]
        assert len(set(client.run(_process).values())) == 2
        address = client.scheduler.address
    with pytest.raises(OSError), socket.create_connection(_host_and_port(address), timeout=1):
        pass


def _process():
    import os

    return os.getpid()


def _host_and_port(address):
    host, _, port = address.removeprefix("tcp://").partition(":")
    return host, int(port)


def test_a_scheduler_that_runs_already_goes_on_running(scheduler, tmp_path):
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": scheduler.scheduler_address}))
    for address in (scheduler.scheduler_address, str(file)):
        with connect(address) as client:
            assert client.submit(sum, [1, 2]).result() == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((), "workers are needed: give --workers N or --scheduler ADDRESS"),
     ((None, 0), "workers is 0, at least 1 is needed"),
     (("tcp://127.0.0.1:1", 2), "--workers and --scheduler exclude each other"),
     (("nonsense",), "nonsense: no Dask scheduler answers within"),
     (("foo://x:1",), "foo://x:1: no Dask scheduler answers within"),
     (("no.json",), "no.json: no such file")],
)  # fmt: skip
def test_what_cannot_be_connected(arguments, message):
    with pytest.raises(InputError, match=message), connect(*arguments):
        pass


def test_a_file_without_an_address(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(InputError, match=r"a.json: holds no address: give the file that `dask scheduler"):
        with connect(str(tmp_path / "a.json")):
            pass


def test_nothing_listens_and_nothing_answers(monkeypatch, capfd):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        for _ in range(2):  # first refused, then accepted and not answered
            with pytest.raises(InputError, match=f"tcp://127.0.0.1:{port}: no Dask scheduler answers"):
                with connect(f"tcp://127.0.0.1:{port}"):
                    pass
            silent.listen()
    assert "Traceback" not in capfd.readouterr().err


def test_a_worker_is_no_scheduler(scheduler):
    (worker,) = scheduler.workers.values()
    with pytest.raises(InputError, match="is the address of a Dask Worker, not of a scheduler"):
        with connect(worker.address):
            pass


def test_a_scheduler_without_workers():
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0", protocol="tcp",
                                  host="127.0.0.1") as empty:  # fmt: skip
        for wait in (0.4, 0.0):
            with pytest.raises(InputError, match="0 workers after 0 s, 1 needed: .*`dask worker .*--wait"):
                with connect(empty.scheduler_address, wait=wait):
                    pass


def test_workers_of_another_version(scheduler, monkeypatch):
    monkeypatch.setattr(cluster, "__version__", "99.0")
    with pytest.raises(InputError, match=f"has xlembed {xlembed.__version__}, 99.0 is needed: install it there"):
        with connect(scheduler.scheduler_address):
            pass


def test_a_worker_without_xlembed(scheduler, monkeypatch):
    def asker():
        def version():
            raise ModuleNotFoundError("No module named 'xlembed'")

        return version

    monkeypatch.setattr(cluster, "_version_asker", asker)
    with pytest.raises(InputError, match="cannot import xlembed, .* is needed: install it there"):
        with connect(scheduler.scheduler_address):
            pass


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"needs distributed: pip install 'xlembed\[cluster\]'"), connect(workers=1):
        pass


# ---- as a user runs it


@pytest.fixture(scope="module")
def pocket(tmp_path_factory):
    from conftest import ROOT

    folder = tmp_path_factory.mktemp("pocket")
    files = [str(ROOT / "xlembed" / "pocket" / "vectors" / f"{lang}.safetensors") for lang in ("en", "de")]
    works("align", *files, "--out", "map", "-n", "3000", cwd=folder)
    return folder, [*files, "--mapping", "map", "-n", "3000"], ROOT / "xlembed" / "pocket" / "lexicon"


def test_commands_give_the_same_with_workers(pocket):
    folder, files, lexicons = pocket
    plain, spread = (
        [works("lexicon", "induce", *files, "--scores", "--out", name, *more, cwd=folder).replace(name, ""),
         (folder / name).read_text(),
         works("bli", *files[:2], lexicons / "en-de.test.txt", *files[2:], "--both", "--json", *more, cwd=folder)]
        for name, more in (("plain.txt", []), ("spread.txt", ["--workers", "2"]))
    )  # fmt: skip
    assert plain == spread and len(plain[1].splitlines()) > 500


def test_commands_refuse_a_scheduler_that_is_not_there(pocket):
    folder, files, lexicons = pocket
    told = fails("bli", *files[:2], lexicons / "en-de.test.txt", "--scheduler", "nonsense", cwd=folder)
    assert "nonsense: no Dask scheduler answers within 10 s: start one with `dask scheduler`" in told
    told = fails("lexicon", "induce", *files, "--out", "x.txt", "--workers", "0", cwd=folder)
    assert "--workers" in told and not (folder / "x.txt").exists()


def test_workers_of_a_scheduler_in_processes_of_their_own(pocket, tmp_path):
    """`dask scheduler` and `dask worker`, started as on other machines."""
    folder, files, _ = pocket
    file = tmp_path / "scheduler.json"
    dask = [[sys.executable, "-m", f"distributed.cli.dask_{part}"] for part in ("scheduler", "worker")]
    common = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen([*dask[0], "--scheduler-file", file, "--port", "0", "--dashboard-address", ":0",
                                 "--host", "127.0.0.1"], **common)]  # fmt: skip
    try:
        while not (file.is_file() and file.read_text().strip().endswith("}")):
            assert started[0].poll() is None
            time.sleep(0.1)
        started.append(subprocess.Popen([*dask[1], "--scheduler-file", file, "--nthreads", "2"], **common))
        with distributed.Client(scheduler_file=str(file), set_as_default=False) as client:
            client.wait_for_workers(1, timeout=600)  # a busy machine starts one slowly
        works("lexicon", "induce", *files, "--out", "plain.txt", cwd=folder)
        works("lexicon", "induce", *files, "--out", "remote.txt", "--scheduler", file, cwd=folder)
    finally:
        for process in started:
            process.terminate()
            process.wait(60)
    assert (folder / "remote.txt").read_text() == (folder / "plain.txt").read_text()
