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
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from baselines.corpora import read_items, without_gold
from baselines.predictions import PredictionSet, RunSettings, make_predictions, read_predictions, write_predictions
from comparisons.cost import Usage, bytes_of, measured
from comparisons.experiment import Experiment, Resolver, System, Task, read_parts
from comparisons.systems import Model, Runner, runner_of
from xlembed import __version__
from xlembed.errors import InputError
from xlembed.files import read_json, sha256_of, write_json
from xlembed.progress import say
from xlembed.vectors import read_vectors

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


class Run:
    """An experiment on its way in an output folder."""

    def __init__(self, experiment: Experiment, out: Path, resolve: Resolver):
        self.experiment = experiment
        self.out = out
        self.resolve = resolve
        self._hashes: dict[Path, str] = {}
        self._unavailable: dict[str, str] = {}

    @cached_property
    def runners(self) -> dict[str, Runner]:
        """One runner a system. Raises InputError for a system that cannot run, unless it is optional."""
        runners, read = {}, functools.cache(read_vectors)  # systems have vectors in common
        for system in self.experiment.systems:
            try:
                runners[system.name] = runner_of(self.experiment, system, self.resolve, read)
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
                        key = "" if missing else self._key(task, system, lang, seed)
                        yield Cell(task, system, lang, seed, key, path, missing)

    def _key(self, task: Task, system: System, lang: str, seed: int | None) -> str:
        runner = self.runners[system.name]
        return _hash({"model": self.model_key(task, system, seed, runner.trained_in(lang)), "lang": lang,
                      "system": runner.identity(lang),
                      "test": self._hash_of(task.test_file(lang)),
                      "inputs": [self._hash_path(p) for p in runner.inputs(lang)]})  # fmt: skip

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
            "inputs": [self._hash_path(p) for lang in langs for p in runner.inputs(lang)],
            "seed": seed,
        })  # fmt: skip

    def _hash_of(self, name: str) -> str:
        return self._hash_path(self.resolve(name))

    def _hash_path(self, path: Path) -> str:
        if path not in self._hashes:
            self._hashes[path] = sha256_of(path)
        return self._hashes[path]

    # ---- running

    def execute(self) -> None:
        """Compute every cell that is not there yet."""
        self._check_data()
        todo = [cell for cell in self.cells if cell.missing is None and not is_done(cell)]
        for name, lang in dict.fromkeys((cell.system.name, cell.lang) for cell in todo):
            self.runners[name].check(lang)
        n_all = sum(cell.missing is None for cell in self.cells)
        say(f"{self.experiment.name}: {n_all - len(todo)} of {n_all} cells are there, {len(todo)} to compute")
        for group in self._by_model(todo):
            self._execute_group(group)
        shutil.rmtree(self.out / "models", ignore_errors=True)

    def _check_data(self) -> None:
        """Read every data file before the first hour is spent; a malformed one stops the run with its line."""
        for task in self.experiment.tasks:
            for parts in (task.train, task.dev):
                read_parts(task.kind, parts, self.experiment.source, self.resolve)
            for lang in self.experiment.languages(task):
                self._test_items(task, lang)

    def _test_items(self, task: Task, lang: str) -> list:
        return read_items(task.kind, self.resolve(task.test_file(lang)), lang)

    def _by_model(self, cells: list[Cell]) -> Iterator[list[Cell]]:
        """Neighbouring cells that one trained model serves."""

        def model_of(cell: Cell) -> tuple:
            return cell.task.name, cell.system.name, cell.seed, self.runners[cell.system.name].trained_in(cell.lang)

        for _, group in itertools.groupby(cells, key=model_of):
            yield list(group)

    def _execute_group(self, group: list[Cell]) -> None:
        """Train one model (or load the one that an earlier run saved) and predict its languages."""
        task, system, seed = group[0].task, group[0].system, group[0].seed
        runner = self.runners[system.name]
        say(f"{task.name} {system.name}" + (f" seed {seed}" if seed is not None else "")
            + f": {', '.join(cell.lang for cell in group)}")  # fmt: skip
        train = read_parts(task.kind, task.train, self.experiment.source, self.resolve)
        dev = read_parts(task.kind, task.dev, self.experiment.source, self.resolve)
        langs = runner.trained_in(group[0].lang)
        folder = self.out / "models" / self.model_key(task, system, seed, langs)[:16]
        model, train_cost = self._model(runner, task.kind, train, dev, seed, folder, langs)
        for cell in group:
            items = self._test_items(task, cell.lang)
            with measured() as usage:
                predicted = model.predict(without_gold(items), cell.lang)
            cost = dict(model.cost)
            if system.type != "predictions":  # what reading a file takes is not what making it took
                cost |= train_cost | _told("predict", usage)
                cost |= {"disk_bytes": sum(bytes_of(path) for path in {folder, *runner.inputs(cell.lang)})}
            settings = {"key": cell.key, "system_type": system.type, **model.about}
            if system.type != "predictions":  # how those were trained is not known here
                settings |= {
                    "train": [part.describe() for part in task.train],
                    "dev": [part.describe() for part in task.dev],
                    "n_train": len(train),
                    "n_dev": len(dev),
                }
            run = RunSettings(task.name, task.kind, system.name, cell.lang, "test", seed, settings, cost, versions())
            write_predictions(cell.path, make_predictions(run, items, predicted))

    def _model(self, runner: Runner, kind: str, train: list, dev: list, seed: int | None, folder: Path,
               langs: tuple[str, ...]) -> tuple[Model, dict[str, Any]]:  # fmt: skip
        """The model, and what training it took; a later run that finds the model finds that beside it."""
        noted = folder / "cost.json"
        was_there = (folder / "model.json").is_file()
        with measured() as usage:
            model = runner.model(kind, train, dev, seed, folder, langs)
        if was_there:
            return model, read_json(noted) if noted.is_file() else {}
        cost = {key: value for key, value in _told("train", usage).items() if key != "train_seconds"}
        if folder.is_dir():
            write_json(noted, cost)
        return model, cost


def _seeds(system: System) -> list[int | None]:
    """The seeds that a system's cells have; None where it has no chance, or does not tell its seed."""
    if system.type == "majority" or (system.type == "predictions" and "{seed}" not in system.files):
        return [None]
    return list(system.seeds)


def _told(step: str, usage: Usage) -> dict[str, Any]:
    """A step's usage as a prediction file tells it."""
    found = {f"{step}_seconds": round(usage.seconds, 2), f"{step}_cpu_seconds": round(usage.cpu_seconds, 2)}
    return found | ({} if usage.peak_bytes is None else {f"{step}_peak_bytes": usage.peak_bytes})


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
