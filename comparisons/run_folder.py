"""The folder that a run writes into: locked while it runs, and cleared of what killed runs left half-written."""

from __future__ import annotations

import os
import re
import shutil
import socket
from contextlib import suppress
from pathlib import Path
from typing import IO

from xlembed.errors import InputError, at
from xlembed.files import hold
from xlembed.progress import say

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".run.lock"
LEFT_BEHIND = re.compile(r"\..+\.\w{8}\.part(\.\w+)?")  # where xlembed.files.replacing writes before it renames


class FolderLock:
    """One run at a time in a folder. `with lock:` may be nested.

    The kernel holds the lock (flock) and gives it up when the process ends, however it ends; on NFS it holds between
    hosts where the server locks. Where there are no such locks (Windows, some network file systems) a line says so
    and the run goes on without.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._depth = 0
        self._file: IO[str] | None = None
        self._made_folder = False

    def __enter__(self) -> FolderLock:
        if self._depth == 0:
            self._acquire()
        self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._release()

    def _acquire(self) -> None:
        """Raises InputError where another run has the folder, with the process that has it."""
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"--out {self.folder}: is a file, a folder is needed")
        self._made_folder = not self.folder.exists()
        path = self.folder / LOCK
        while self._file is None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                file = open(path, "a+", encoding="utf-8")
            except OSError as err:
                raise at(path, None, f"cannot be written ({err.strerror})") from None
            if not _locked(file, self.folder):
                file.seek(0)
                holder = file.read().strip() or "process unknown"
                file.close()
                raise InputError(f"{self.folder}: another run, {holder}, is writing here: "
                                 "wait for its end, or give another --out")  # fmt: skip
            if _is_still(file, path):
                self._file = file
            else:
                file.close()  # its holder ended and removed it between our opening and locking
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} on host {socket.gethostname()}\n")
        self._file.flush()

    def _release(self) -> None:
        with suppress(OSError):  # a folder that is gone by now
            (self.folder / LOCK).unlink(missing_ok=True)
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._made_folder:
            with suppress(OSError):  # stays where something was written
                self.folder.rmdir()


def _locked(file: IO[str], folder: Path) -> bool:
    """Whether the lock is ours now; also where locks cannot be had, which is said."""
    if fcntl is None:
        say(f"{folder}: no locks on this system: let no second run write here")
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as err:
        say(f"{folder}: its file system has no locks ({err.strerror}): let no second run write here")
    return True


def _is_still(file: IO[str], path: Path) -> bool:
    """Whether the path still is the file that we have open."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(file.fileno())
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def clear_left_behind(folder: Path) -> int:
    """Remove what killed runs left half-written; the lock must be held. Returns how much was found.

    `xlembed.files.replacing` writes into hidden folders that its process holds by a lock of their own, so what
    another program (`xlembed report`) is writing just now stays.
    """
    found = [path for part in ("", "predictions", "scores") for path in (folder / part).glob(".*")
             if LEFT_BEHIND.fullmatch(path.name) and not _is_held(path)]  # fmt: skip
    for path in found:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(found)


def _is_held(path: Path) -> bool:
    """Whether a process has locked a file or folder; on a file system without locks the lock of the run must do."""
    try:
        handle, _ = hold(path)
    except BlockingIOError:
        return True
    except OSError:  # gone by now
        return False
    os.close(handle)
    return False
