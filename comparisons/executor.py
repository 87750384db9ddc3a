"""Running an experiment: every cell (system x task x language x seed) once, and again only if it changed.

A cell's key is a hash of all that determines it: the contents of its data files, the system's settings, the
seed, xlembed's version. Its prediction file carries the key, so a run that died goes on where it stopped,
and a changed setting or file makes just its own cells run again.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import platform
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from baselines.corpora import read_items
from baselines.predictions import PredictionSet, read_predictions, write_predictions
from comparisons.computing import Failure, Made, compute_group, report_failure
from comparisons.experiment import Experiment, Resolver, System, Task, read_parts
from comparisons.run_folder import FolderLock, clear_left_behind
from comparisons.systems import Runner, runner_of
from xlembed import __version__
from xlembed.errors import InputError
from xlembed.files import sha256_of
from xlembed.progress import say
from xlembed.vectors import WordVectors, read_vectors

Reader = Callable[[Path, int | None], WordVectors]
Computing = Callable[["Run", list[list["Cell"]]], Generator[tuple["Cell", Made], None, None]]
FORMAT = 1  # raise it when the code changes what a cell's predictions are


@dataclass(frozen=True)
class Cell:
    """One prediction file: what it is and where it lies. `missing` says why there can be none."""

    task: Task
    system: System
    lang: str
    seed: int | None
    key: str
    path: Path
    missing: str | None = None

    @property
    def name(self) -> str:
        """That of its file, without the ending."""
        return self.path.name.removesuffix(".jsonl")


class RunFailed(RuntimeError):
    """Cells failed, and not by the user's input: a bug, or workers of a cluster that died."""


class Run:
    """An experiment on its way in an output folder. `read` and `sha256` may be ones that remember."""

    def __init__(self, experiment: Experiment, out: Path, resolve: Resolver,
                 read: Reader | None = None, sha256: Callable[[Path], str] = sha256_of):  # fmt: skip
        self.experiment = experiment
        self.out = out
        self.lock = FolderLock(out)
        self._resolve = resolve
        self._found: dict[str, Path] = {}  # name -> path of what was looked up
        self._read = read or functools.cache(read_vectors)  # systems have vectors in common
        self._sha256 = sha256
        self._hashes: dict[Path, str] = {}
        self._unavailable: dict[str, str] = {}

    def resolve(self, name: str) -> Path:
        """Where a data file is. Raises InputError for one that is nowhere."""
        self._found[name] = self._resolve(name)
        return self._found[name]

    @cached_property
    def runners(self) -> dict[str, Runner]:
        """One runner a system. Raises InputError for a system that cannot run, unless it is optional."""
        runners: dict[str, Runner] = {}
        for system in self.experiment.systems:
            try:
                runners[system.name] = runner_of(self.experiment, system, self.resolve, self._read)
            except InputError as err:
                if not system.optional:
                    raise
                self._unavailable[system.name] = str(err)
                say(f"{system.name} is left out: {err}")
        return runners

    @cached_property
    def cells(self) -> list[Cell]:
        """All cells in the order of running; reads every input file once, so that a bad one stops the run here."""
        return list(self._cells())

    def _cells(self) -> Iterator[Cell]:
        runners = self.runners
        for system in self.experiment.systems:
            for task in self.experiment.tasks:
                if not system.takes(task):
                    continue
                for seed in _seeds(system):
                    for lang in self.experiment.languages(task):
                        name = f"{task.name}.{system.name}.{lang}" + (f".seed{seed}" if seed is not None else "")
                        path = self.out / "predictions" / f"{name}.jsonl"
                        missing = self._unavailable.get(system.name)
                        if missing is None:
                            missing = runners[system.name].why_not(lang)
                        key = "" if missing else self.key(task, system, lang, seed)
                        yield Cell(task, system, lang, seed, key, path, missing)

    def key(self, task: Task, system: System, lang: str, seed: int | None) -> str:
        """Hash of all that determines a cell."""
        runner = self.runners[system.name]
        return _hash({"model": self.model_key(task, system, seed, runner.trained_in(lang)), "lang": lang,
                      "system": runner.identity(lang),
                      "test": self._hash_of(task.test_file(lang)),
                      "inputs": [self.sha256(p) for p in runner.inputs(lang)]})  # fmt: skip

    def model_key(self, task: Task, system: System, seed: int | None, langs: tuple[str, ...]) -> str:
        """Hash of all that determines a trained model."""
        runner = self.runners[system.name]
        settings = system.settings.get(task.kind)
        return _hash({
            "format": FORMAT,
            "version": __version__,
            "kind": task.kind,
            "train": [asdict(part) | {"sha256": self._hash_of(part.file)} for part in task.train],
            "dev": [asdict(part) | {"sha256": self._hash_of(part.file)} for part in task.dev],
            "type": system.type,
            "system": [runner.identity(lang) for lang in langs],
            "model": system.models[task.kind].name if task.kind in system.models else None,
            "settings": asdict(settings) if settings else None,
            "langs": list(langs),
            "inputs": [self.sha256(p) for lang in langs for p in runner.inputs(lang)],
            "seed": seed,
        })  # fmt: skip

    def _hash_of(self, name: str) -> str:
        return self.sha256(self.resolve(name))

    def sha256(self, path: Path) -> str:
        """The hash of a file, reckoned once."""
        if path not in self._hashes:
            self._hashes[path] = self._sha256(path)
        return self._hashes[path]

    def files_of(self, group: list[Cell]) -> dict[str, Path]:
        """The data files that computing a group reads, by the names that they were looked up under."""
        task, runner = group[0].task, self.runners[group[0].system.name]
        names = {part.file for part in (*task.train, *task.dev)} | {task.test_file(cell.lang) for cell in group}
        langs = {*runner.trained_in(group[0].lang), *(cell.lang for cell in group)}
        paths = {path for lang in langs for path in runner.inputs(lang)}
        return {name: path for name, path in self._found.items() if name in names or path in paths}

    # ---- running

    def execute(self, compute: Computing | None = None) -> None:
        """Compute every cell that is not there yet: in this process, or as `compute` does it.

        A cell that cannot be computed stops no other. When all have been tried, raises InputError that names those
        that failed, or RunFailed where a failure is not one of the user's input. Raises InputError at once where
        another run is writing into the folder.
        """
        with self.lock:
            self._check_data()
            clear_left_behind(self.out)
            todo = [cell for cell in self.cells if cell.missing is None and not is_done(cell)]
            for name, lang in dict.fromkeys((cell.system.name, cell.lang) for cell in todo):
                self.runners[name].check(lang)
            n_all = sum(cell.missing is None for cell in self.cells)
            say(f"{self.experiment.name}: {n_all - len(todo)} of {n_all} cells are there, {len(todo)} to compute")
            failed = self._compute(list(self._by_model(todo)), compute or compute_here, n_all)
            if failed:  # models are kept for the next try
                self._report(failed, n_all)
            shutil.rmtree(self.out / "models", ignore_errors=True)

    def _compute(self, groups: list[list[Cell]], compute: Computing, n_all: int) -> dict[str, Failure]:
        """Compute groups and write each cell as it comes. Returns the failures, by the cells' names."""
        failed: dict[str, Failure] = {}
        n_done, last_ones = n_all - sum(map(len, groups)), {group[-1].name for group in groups}
        with closing(compute(self, groups)) as cells:  # Ctrl-C ends what it has started
            for cell, made in cells:
                if isinstance(made, Failure):
                    report_failure(cell.name, made, with_trace=made not in failed.values())
                    failed[cell.name] = made
                else:
                    write_predictions(cell.path, made)
                    n_done += 1
                if cell.name in last_ones:
                    say(f"{n_done} of {n_all} cells" + (f", {len(failed)} failed" if failed else ""))
        return failed

    def _report(self, failed: dict[str, Failure], n_all: int) -> None:
        """Raise what tells of cells that failed."""
        for name, failure in failed.items():
            say(f"failed: {name}: {failure.message}")
        name, first = next(iter(failed.items()))
        more = f" (and {len(failed) - 1} more, listed above)" if len(failed) > 1 else ""
        stale = "; the report that is there is of an earlier run" if (self.out / "summary.json").is_file() else ""
        text = (f"{len(failed)} of {n_all} cells failed: {name}: {first.message}{more}: the others are kept, "
                f"no report is written{stale}; the same command tries the failed ones again")  # fmt: skip
        raise InputError(text) if all(one.is_input for one in failed.values()) else RunFailed(text)

    def _check_data(self) -> None:
        """Read every data file before the first hour is spent; a malformed one stops the run with its line."""
        for task in self.experiment.tasks:
            for parts in (task.train, task.dev):
                read_parts(task.kind, parts, self.experiment.source, self.resolve)
            for lang in self.experiment.languages(task):
                self.test_items(task, lang)

    def test_items(self, task: Task, lang: str) -> list[Any]:
        """The test items of a language, gold included."""
        return read_items(task.kind, self.resolve(task.test_file(lang)), lang)

    def _by_model(self, cells: list[Cell]) -> Iterator[list[Cell]]:
        """Neighbouring cells that one trained model serves."""

        def model_of(cell: Cell) -> tuple[Any, ...]:
            return cell.task.name, cell.system.name, cell.seed, self.runners[cell.system.name].trained_in(cell.lang)

        for _, group in itertools.groupby(cells, key=model_of):
            yield list(group)


def compute_here(run: Run, groups: list[list[Cell]]) -> Generator[tuple[Cell, Made], None, None]:
    """Groups one after the other in this process, cells as they are done."""
    for group in groups:
        say(name_of(group))
        yield from compute_group(run, group)


def name_of(group: list[Cell]) -> str:
    """A group as messages name it."""
    first = group[0]
    seed = f" seed {first.seed}" if first.seed is not None else ""
    return f"{first.task.name} {first.system.name}{seed}: {', '.join(cell.lang for cell in group)}"


def _seeds(system: System) -> list[int | None]:
    """The seeds that a system's cells have; None where it has no chance, or does not tell its seed."""
    if system.type == "majority" or (system.type == "predictions" and "{seed}" not in (system.files or "")):
        return [None]
    return list(system.seeds)


def read_cell(cell: Cell) -> PredictionSet | None:
    """The predictions of a cell if they are there, whole and made from the same inputs."""
    if not cell.path.is_file():
        return None
    try:
        predictions = read_predictions(cell.path)
    except InputError as err:
        say(f"{err}; it is computed again")
        return None
    return predictions if predictions.run.settings.get("key") == cell.key else None


def is_done(cell: Cell) -> bool:
    return read_cell(cell) is not None


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of what computes: Python, xlembed and the libraries that are installed."""
    found = {"python": platform.python_version(), "xlembed": __version__}
    for name in ("numpy", "torch", "transformers", "fasttext"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
