"""Faults to order: the n-th call to the operating system fails or kills, in this process or in one made for it.

`python tests/faults.py` is a process that has imported everything once and forks a child a command, so that a command
can be killed at each of its calls within seconds. The children are real processes and die of a real SIGKILL.
"""

from __future__ import annotations

import builtins
import errno
import io
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DISK = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO)
# what takes a path first; unlink and rmdir are left alone, for by them a writer clears up
_BY_PATH = ((os, "mkdir"), (os, "replace"), (os, "rename"), (os, "link"), (os, "chmod"), (os, "open"),
            (builtins, "open"), (io, "open"))  # fmt: skip
_BY_HANDLE = ((os, "fsync"),)

COUNTS: dict[str, list[int]] = {}  # what was injected: name -> [injected, survived]


def count(name: str, n: int = 1) -> None:
    """Note injections that were survived (a test that fails never gets here)."""
    both = COUNTS.setdefault(name, [0, 0])
    both[0] += n
    both[1] += n


class Calls:
    """Counts the calls that touch files under a folder; `strike(n, name)` may raise or kill at each."""

    def __init__(self, folder: Path, strike: Callable[[int, str, str], None]):
        self.folder, self.strike, self.n = str(folder), strike, 0
        self._before: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> Calls:
        for module, name in (*_BY_PATH, *_BY_HANDLE):
            self._before.append((module, name, getattr(module, name)))
            setattr(module, name, self._counted(getattr(module, name), name, (module, name) in _BY_PATH))
        return self

    def __exit__(self, *of: object) -> None:
        for module, name, function in self._before:
            setattr(module, name, function)
        self._before.clear()

    def _counted(self, function: Any, name: str, by_path: bool) -> Any:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if not by_path or self._is_ours(args[0]):
                self.n += 1
                self.strike(self.n, name, str(args[0]))
            return function(*args, **kwargs)

        return counted

    def _is_ours(self, path: Any) -> bool:
        if not isinstance(path, (str, os.PathLike)) or sys._getframe(2).f_code.co_filename.endswith("shutil.py"):
            return False  # shutil clears up
        return os.path.abspath(path).startswith(self.folder)


def failing(number: int, at: int, for_ever: bool) -> Callable[[int, str, str], None]:
    """Raise the error `number` at call `at` (and, `for_ever`, at each after it).

    Renaming an old file back is spared: where even that fails a pair of files is left that its reader refuses, as
    after a kill between the two renamings, which has its own test.
    """

    def strike(n: int, name: str, path: str) -> None:
        if (n == at or for_ever and n > at) and not (name == "replace" and path.endswith(".old")):
            raise OSError(number, os.strerror(number), None if name == "fsync" else path)

    return strike


def killing(at: int) -> Callable[[int, str, str], None]:
    def strike(n: int, name: str, path: str) -> None:
        if n == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return strike


def nothing(n: int, name: str, path: str) -> None:
    """Count alone."""


@contextmanager
def file_limit(n_bytes: int | None) -> Iterator[None]:
    """Within it no file grows beyond so many bytes, whoever writes it: a disk that is full to C and Rust, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if n_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones and folders' names too."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"<folder>"
            for path in sorted(folder.rglob("*"))}  # fmt: skip


def hidden(folder: Path) -> list[str]:
    """What is left of work that was cut off."""
    return [name for name in tree(folder) if Path(name).name.startswith(".")]


# ---- processes


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int  # exit code, or minus the signal
    out: str
    err: str
    n_calls: int

    @property
    def refusal(self) -> str:
        """The one line of a refusal."""
        lines = [line for line in self.err.splitlines() if line.startswith("xlembed: error: ")]
        assert self.status == 2 and len(lines) == 1 and "Traceback" not in self.err, (self.status, self.err)
        return lines[0]


class Commands:
    """Runs `xlembed` commands in forked processes, on a folder, with faults."""

    def __init__(self, *modules: str):
        self._server = subprocess.Popen(
            [sys.executable, __file__, *modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
        self._scratch = tempfile.TemporaryDirectory()
        self._numbers = itertools.count()

    def close(self) -> None:
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait()
        self._scratch.cleanup()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def start(self, *argv: object, cwd: Path, **fault: Any) -> tuple[int, Path]:
        """Start a command; its process id, and where its output goes. Faults: see `_prepare`."""
        base = Path(self._scratch.name) / str(next(self._numbers))
        request = {"argv": [str(one) for one in argv], "cwd": str(cwd), "base": str(base), "fault": fault}
        return self._ask(request)["pid"], base

    def wait(self, started: tuple[int, Path]) -> Done:
        pid, base = started
        status = self._ask({"wait": pid})["status"]
        texts = [Path(f"{base}.{end}").read_text(encoding="utf-8") for end in ("out", "err")]
        calls = Path(f"{base}.calls")
        return Done(status, *texts, int(calls.read_text()) if calls.exists() else 0)

    def run(self, *argv: object, cwd: Path, **fault: Any) -> Done:
        return self.wait(self.start(*argv, cwd=cwd, **fault))

    def killed_after(self, seconds: float, *argv: object, cwd: Path, **fault: Any) -> Done:
        """Run a command and kill it from outside after so many seconds, if it lives so long."""
        started = self.start(*argv, cwd=cwd, **fault)
        time.sleep(seconds)
        os.kill(started[0], signal.SIGKILL)  # our child's child, not yet waited for: the id is still its own
        return self.wait(started)


def _serve(modules: list[str]) -> None:
    """Answer requests on standard input until it ends."""
    import importlib

    for name in modules:
        importlib.import_module(name)
    cli = importlib.import_module("xlembed.cli")
    cli._add_commands()
    cli._add_commands = lambda: None  # they are there, in every child
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        if "wait" in request:
            answer = {"status": os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])}
        else:
            pid = os.fork()
            if pid == 0:
                _child(request)
            answer = {"pid": pid}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _child(request: dict[str, Any]) -> None:
    for number, end in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{request['base']}.{end}", os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.chdir(request["cwd"])
    status = 70
    try:
        calls = _prepare(request["fault"], Path(request["cwd"]))
        status = _main(request["argv"], calls, request["fault"].get("limit"))
        Path(f"{request['base']}.calls").write_text(str(calls.n))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _prepare(fault: dict[str, Any], cwd: Path) -> Calls:
    """kill_at / fail_at: n-th call; errno, for_ever; set: module -> names to values; manifest; clock."""
    import importlib

    for name, value in fault.get("set", {}).items():
        module, _, attribute = name.rpartition(".")
        setattr(importlib.import_module(module), attribute, value)
    if "manifest" in fault:
        from xlembed import data_cli, manifest

        read = manifest.read_manifest
        data_cli.read_manifest = lambda: read(Path(fault["manifest"]))
    if fault.get("clock"):
        jumping_clock()
    if "kill_at" in fault:
        return Calls(cwd, killing(fault["kill_at"]))
    if "fail_at" in fault:
        return Calls(cwd, failing(fault["errno"], fault["fail_at"], fault.get("for_ever", False)))
    return Calls(cwd, nothing)


def _main(argv: list[str], calls: Calls, limit: int | None) -> int:
    import traceback

    from xlembed.cli import main

    sys.argv = ["xlembed", *argv]
    held = io.StringIO()  # under a limit: standard error would fail as any other file does
    try:
        with redirect_stderr(sys.stderr if limit is None else held), calls, file_limit(limit):
            main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stderr.write(held.getvalue())
    return 0


def jumping_clock() -> None:
    """From here on the time of day leaps: a day back, a year on, at every look."""
    true, leaps = time.time, itertools.cycle((-86_400.0, 31_536_000.0, 0.0))
    time.time = lambda: true() + next(leaps)
    time.time_ns = lambda: int(time.time() * 1e9)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))
    _serve(sys.argv[1:])
