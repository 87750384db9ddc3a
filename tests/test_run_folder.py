"""One run at a time in a folder, whatever becomes of its process; nothing half-written stays."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from comparisons import run_folder
from comparisons.run_folder import LOCK, FolderLock, clear_left_behind
from xlembed.errors import InputError
from xlembed.files import replacing

ROOT = Path(__file__).parent.parent
HOLD = """
import sys
from pathlib import Path
from comparisons.run_folder import FolderLock
with FolderLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder):
    """A process that holds the lock until its input ends."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_refused_with_the_first_ones_process(tmp_path):
    first = holder(tmp_path)
    try:
        told = f"another run, process {first.pid} on host {socket.gethostname()}, is writing here"
        with pytest.raises(InputError, match=told), FolderLock(tmp_path):
            pytest.fail("both have it")
        assert (tmp_path / LOCK).exists(), "the refused one leaves the lock alone"
    finally:
        first.communicate("")
    assert first.returncode == 0
    with FolderLock(tmp_path):
        assert (tmp_path / LOCK).read_text("utf-8").startswith(f"process {os.getpid()} on host ")


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    first = holder(tmp_path)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert (tmp_path / LOCK).exists()
    with FolderLock(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_removed_while_we_waited_for_it_counts_for_nothing(tmp_path, monkeypatch):
    """The holder ends between our opening its file and our locking it: a third process may have a new one."""
    real, removed = run_folder._locked, []

    def locked(file, folder):
        if not removed:
            removed.append(True)
            (tmp_path / LOCK).unlink()
        return real(file, folder)

    monkeypatch.setattr(run_folder, "_locked", locked)
    with FolderLock(tmp_path):
        assert (tmp_path / LOCK).read_text("utf-8").startswith("process ")
        with pytest.raises(InputError, match="another run"), FolderLock(tmp_path):
            pytest.fail("both have it")


def test_locks_nest_and_an_empty_folder_goes_with_them(tmp_path):
    lock = FolderLock(tmp_path / "a" / "out")
    with lock:
        with lock:
            pass
        with pytest.raises(InputError, match="another run"), FolderLock(lock.folder):
            pytest.fail("the inner end has given it up")
    assert not lock.folder.exists()
    with lock:
        (lock.folder / "kept").touch()
    assert [path.name for path in lock.folder.iterdir()] == ["kept"]


def test_a_folder_without_locks_is_told_and_used(tmp_path, monkeypatch, capsys):
    def refuse(file, how):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(run_folder.fcntl, "flock", refuse)
    with FolderLock(tmp_path):
        pass
    assert "its file system has no locks (No locks available)" in capsys.readouterr().err


def test_a_file_in_its_place(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(InputError, match="is a file, a folder is needed"), FolderLock(tmp_path / "out"):
        pytest.fail("a file was locked")


KILLED = """
import os, signal, sys
from xlembed.files import replacing
with replacing(sys.argv[1]) as path:
    path.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    (tmp_path / "predictions").mkdir()
    for name in ("predictions/a.jsonl", "report.md"):
        done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / name)], env=environment)
        assert done.returncode == -signal.SIGKILL
    for name in (".hidden", "predictions/b.jsonl", "predictions/.note.part"):
        (tmp_path / name).write_text("kept", encoding="utf-8")
    with replacing(tmp_path / "predictions" / "c.jsonl") as alive:
        alive.write_text("whole", encoding="utf-8")
        assert clear_left_behind(tmp_path) == 2
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == [".hidden", "predictions/.note.part", "predictions/b.jsonl", "predictions/c.jsonl"]
    assert clear_left_behind(tmp_path) == 0
