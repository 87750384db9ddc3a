"""What a Dask worker does for an experiment: find the data, compute a group of cells, hand the predictions back.

The worker writes nothing but its own folder. A worker computes one group at a time whatever its number of threads:
the libraries' random numbers and their memory are those of the process.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distributed import Worker, get_worker

import baselines
import comparisons
import xlembed
from comparisons.cluster_data import NeededFile, WorkerFiles, sha256_remembered
from comparisons.computing import Failure, Made, compute_group, with_threads
from comparisons.executor import Cell, Reader, Run, versions
from comparisons.experiment import Experiment
from xlembed.errors import InputError
from xlembed.progress import heard_by
from xlembed.vectors import read_vectors

FLUSH = 0.05  # seconds in which "begun" leaves the worker, before a cell may end its process


@dataclass(frozen=True)
class Job:
    """A group of cells on its way to a worker."""

    topic: str  # under which the worker's news reach the program
    number: int
    experiment: Experiment  # of the one system
    cells: list[Cell]
    files: list[NeededFile]
    encoder: list[NeededFile]  # of a local folder
    threads: int | None
    code: str


@dataclass(frozen=True)
class Lacking:
    """A worker has no such files: they are to be sent to its folder."""

    address: str
    own: str
    files: list[NeededFile]


@dataclass(frozen=True)
class OtherCode:
    """A worker has another xlembed."""

    address: str
    what: str


class Stopped(BaseException):
    """The program waits no longer for this group."""


def compute(job: Job) -> list[Made] | Lacking | OtherCode:
    """The predictions of a group's cells, in their order, or what keeps this worker from making them."""
    worker = get_worker()
    with _one_at_a_time:
        if code() != job.code:
            return OtherCode(worker.address, code())
        own = own_folder(worker)
        lacking = _lacking(job, _files(own))
        if lacking:
            return Lacking(worker.address, str(own), lacking)
        worker.log_event(job.topic, {"begun": job.number, "name": str(worker.name)})
        time.sleep(FLUSH)
        with heard_by(_teller(worker, job)), with_threads(job.threads):
            return _compute(job, worker, own)


def _compute(job: Job, worker: Worker, own: Path) -> list[Made]:
    scratch = Path(worker.local_directory) / "cells"
    try:
        run = _run(job, scratch, _files(own))
        for cell in job.cells:
            _check_key(run, cell, worker)
        return [made for _, made in compute_group(run, job.cells)]
    except Exception as err:
        return [Failure.of(err)] * len(job.cells)
    finally:
        shutil.rmtree(scratch / "models", ignore_errors=True)


def _check_key(run: Run, cell: Cell, worker: Worker) -> None:
    """Raise InputError where what determines a cell is not the same here as where the program runs."""
    if run.key(cell.task, cell.system, cell.lang, cell.seed) != cell.key:
        raise InputError(f"worker {worker.address} would compute something else: its encoder or translator of "
                         f"{cell.system.name} is another version than the program's: install that there")  # fmt: skip


_one_at_a_time = threading.Lock()


# ---- the experiment, as this process knows it

_runs: dict[str, Run] = {}  # by system, of one experiment
_topic = ""
_read: Reader = functools.cache(read_vectors)


def _run(job: Job, out: Path, files: WorkerFiles) -> Run:
    """The run of a job's system; vectors that are read, and mappings, stay until another experiment comes."""
    global _topic, _read
    if job.topic != _topic:
        _runs.clear()
        _topic, _read = job.topic, functools.cache(read_vectors)
    system = job.experiment.systems[0]
    known = {file.name: file for file in job.files}

    def resolve(name: str) -> Path:
        path = files.find(known[name]) if name in known else None
        if path is None:
            raise InputError(f"{name}: not among the files of this cell")
        return path

    if system.name not in _runs:
        if job.encoder:
            system = replace(system, model=str(files.find_encoder(job.encoder)))
        experiment = replace(job.experiment, systems=[replace(system, optional=False)])
        _runs[system.name] = Run(experiment, out, resolve, _read, sha256_remembered)
    run = _runs[system.name]
    run._resolve = resolve
    return run


def _lacking(job: Job, files: WorkerFiles) -> list[NeededFile]:
    lacking = [file for file in job.files if files.find(file) is None]
    if job.encoder and files.find_encoder(job.encoder) is None:
        lacking += job.encoder
    return lacking


def _files(own: Path) -> WorkerFiles:
    """The program on this machine is Dask's, so our options are read from the environment here."""
    mirror, data = (os.environ.get(name) for name in ("XLEMBED_MIRROR", "XLEMBED_DATA"))
    return WorkerFiles(own, Path(mirror) if mirror and Path(mirror).is_dir() else None, Path(data) if data else None)


def own_folder(worker: Worker) -> Path:
    """Where files go that are sent: workers of a machine with one --local-directory share it, and it outlives them."""
    return Path(worker.local_directory).parent / "xlembed-files"


# ---- news


def _teller(worker: Worker, job: Job) -> Callable[[str], None]:
    """Sends news to the program, and stops the work when nobody waits for it any more."""
    key = worker.get_current_task()

    def tell(text: str) -> None:
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            raise Stopped
        worker.log_event(job.topic, {"say": text, "name": str(worker.name)})

    return tell


# ---- versions


@functools.cache
def code() -> str:
    """xlembed's version and a hash of its sources: an installation from a checkout has one version for many."""
    digest = hashlib.sha256()
    for package in (xlembed, baselines, comparisons):
        folder = Path(package.__path__[0])
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{package.__name__}/{path.relative_to(folder).as_posix()}\n".encode())
            digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return f"{xlembed.__version__} (code {digest.hexdigest()[:12]})"


def facts() -> dict[str, Any]:
    """What a worker is: its code, and the versions of Python and the libraries."""
    return {"code": code(), "versions": versions()}
