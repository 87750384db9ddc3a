"""Data files on a cluster: the program tells each by name and hash, a worker finds it or gets it sent."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comparisons.resolving import POCKET
from xlembed.errors import InputError
from xlembed.fetch import locate
from xlembed.files import sha256_of

if TYPE_CHECKING:
    from comparisons.executor import Cell, Run

CHUNK = 16 * 2**20  # bytes sent at once
MOST_SENT = 4 * 2**30  # bytes of a file; larger ones must be where the worker can find them


@dataclass(frozen=True)
class NeededFile:
    """A file that cells read: its name in the experiment, its contents, where the program has it."""

    name: str
    sha256: str
    n_bytes: int
    path: str
    place: str  # below a worker's own folder, where it gets sent


def needed_files(run: Run, group: list[Cell]) -> list[NeededFile]:
    """The data files of a group of cells."""
    return [_needed(name, path, run.sha256(path)) for name, path in run.files_of(group).items()]


def encoder_files(run: Run, group: list[Cell]) -> list[NeededFile]:
    """The files of the group's encoder where that is a folder; others are found by name on every machine."""
    model = group[0].system.model
    if model is None or not Path(model).is_dir():
        return []
    files = sorted(path for path in Path(model).iterdir() if path.is_file())
    told = json.dumps([(path.name, run.sha256(path)) for path in files])
    folder = f"encoder-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    return [_needed(path.name, path, run.sha256(path), f"{folder}/{path.name}") for path in files]


def _needed(name: str, path: Path, sha256: str, place: str | None = None) -> NeededFile:
    return NeededFile(name, sha256, path.stat().st_size, str(path.absolute()), place or f"{sha256}/{Path(name).name}")


# ---- on a worker

_known: dict[tuple[str, int, int, int, int], str] = {}  # (path, inode, bytes, times of change) -> hash


def sha256_remembered(path: Path) -> str:
    """The hash of a file, reckoned again only after it changed, also where its time was set back (not its ctime)."""
    about = path.stat()
    key = (str(path), about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
    if key not in _known:
        _known[key] = sha256_of(path)
    return _known[key]


class WorkerFiles:
    """Finds files on this machine. `own` is the folder for those that get sent."""

    def __init__(self, own: Path, mirror: Path | None, data: Path | None):
        self.own, self.mirror, self.data = own, mirror, data

    def find(self, file: NeededFile) -> Path | None:
        """A file of that hash: where the program has it (a shared disk), sent before, in the mirror or the data."""
        for path in self._candidates(file):
            with suppress(OSError, InputError):
                if path.is_file() and path.stat().st_size == file.n_bytes and sha256_remembered(path) == file.sha256:
                    return path
        return None

    def _candidates(self, file: NeededFile) -> Iterator[Path]:
        yield Path(file.path)
        yield self.own / file.place
        yield POCKET / file.name
        for mirror in dict.fromkeys((self.mirror, None)):
            with suppress(InputError):
                yield locate(file.name, mirror, self.data)

    def find_encoder(self, files: Iterable[NeededFile]) -> Path | None:
        """The folder that holds all files of an encoder."""
        files = list(files)
        for folder in (Path(files[0].path).parent, self.own / Path(files[0].place).parent):
            with suppress(OSError, InputError):
                if all(sha256_remembered(folder / file.name) == file.sha256 for file in files):
                    return folder
        return None


def receive(own: str, file: NeededFile, offset: int, chunk: bytes, sender: str) -> None:
    """Take a piece of a file; the last one gives it its name if the whole is right. Raises InputError if it is not."""
    target = Path(own) / file.place
    part = target.with_name(f".{target.name}.{sender}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(part, "r+b" if offset else "wb") as out:
        out.seek(offset)
        out.write(chunk)
    if offset + len(chunk) == file.n_bytes:
        if sha256_of(part) != file.sha256:
            part.unlink()
            raise InputError(f"{file.name}: damaged on the way to {own}, or changed since the run began")
        os.replace(part, target)


# ---- in the program


def send(file: NeededFile, deliver: Callable[[int, bytes], None]) -> None:
    """Hand a file over piece by piece. Raises InputError for one too large to be sent."""
    if file.n_bytes > MOST_SENT:
        raise InputError(f"{file.name}: has {file.n_bytes / 2**30:.1f} GiB, and no more than {MOST_SENT / 2**30:.0f} "
                         "are sent to a worker: put it on a disk that the workers share, under the same path, or run "
                         "`xlembed data fetch` there")  # fmt: skip
    with open(file.path, "rb") as source:
        for offset in range(0, max(file.n_bytes, 1), CHUNK):
            deliver(offset, source.read(CHUNK))
