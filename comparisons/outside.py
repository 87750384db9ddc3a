"""A system of an experiment whose predictions somebody else made: type "predictions", files = "{task}.{lang}.jsonl".

Nothing is trained. The files are read and held against the test data before the first cell runs; what they cost
stands in the report only where their own headers say it.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines.corpora import Item, read_items, texts_of
from baselines.predictions import PredictionSet
from comparisons.importing import Said, read_theirs
from comparisons.label_names import label_remarks
from xlembed.errors import InputError
from xlembed.files import sha256_of
from xlembed.progress import say

if TYPE_CHECKING:
    from comparisons.experiment import Experiment, Resolver, System, Task
    from comparisons.systems import Model

FIELDS = ("task", "lang", "seed")  # what a template may hold


def fault_of_template(text: str, known: Sequence[str]) -> str | None:
    """Why a template cannot be filled in, None if it can: it may hold {name} for each name known, and no other braces.

    Python's own format language would let a file ask for widths that fill the memory, and for attributes.
    """
    told = ", ".join(f"{{{name}}}" for name in known)
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        return f"may hold {told} and no other braces"
    plain = all(name is None or (name in known and not spec and not conversion) for _, name, spec, conversion in parts)
    return None if plain else f"may hold {told} and no other braces"


def check_template(files: str, tasks: Sequence[str], n_seeds: int, where: str) -> None:
    """Raise InputError unless a template of file names tells tasks, languages and seeds apart."""
    needed = {"lang": True, "task": len(tasks) > 1, "seed": n_seeds > 1}
    for name in FIELDS:
        if needed[name] and f"{{{name}}}" not in files:
            several = {"lang": "", "task": f", it runs on {len(tasks)} tasks", "seed": f", it has {n_seeds} seeds"}
            raise InputError(f"{where}: files = {files!r} must hold {{{name}}}{several[name]}")
    fault = fault_of_template(files, FIELDS)
    if fault:
        raise InputError(f"{where}: files = {files!r} {fault}")


class OutsideRunner:
    """Reads predictions instead of making them.

    `system` has `files`, a template, and `scheme`, the tags of files without a header. The files are paths, or names in
    the mirror or the data folder.
    """

    def __init__(self, experiment: Experiment, system: System, resolve: Resolver):
        assert system.files is not None  # of a system of type predictions
        self.experiment, self.system, self.resolve, self.files = experiment, system, resolve, system.files
        self.tasks = [task for task in experiment.tasks if system.takes(task)]
        names = [task.name for task in self.tasks]
        check_template(self.files, names, len(system.seeds), f"system {system.name!r}")

    def _seeds(self) -> list[int | None]:
        return list(self.system.seeds) if "{seed}" in self.files else [None]

    def _tasks_in(self, lang: str) -> list[Task]:
        return [task for task in self.tasks if lang in self.experiment.languages(task)]

    def _file(self, task: Task, lang: str, seed: int | None) -> Path:
        """Where a file is. Raises InputError if it is nowhere."""
        name = self.files.format(task=task.name, lang=lang, seed=seed)
        try:
            return Path(name) if Path(name).is_file() else self.resolve(name)
        except InputError:
            raise InputError(f"system {self.system.name!r}: {name} is neither a file here nor in the data; if it ran "
                             "on some of the tasks alone, say which with tasks = [...]") from None  # fmt: skip

    def _has(self, task: Task, lang: str, seed: int | None) -> bool:
        try:
            return self._file(task, lang, seed).is_file()
        except InputError:
            return False

    def why_not(self, lang: str) -> str | None:
        files = [(task, lang, seed) for task in self._tasks_in(lang) for seed in self._seeds()]
        return None if any(self._has(*one) for one in files) else "no predictions"

    def check(self, lang: str) -> None:
        """Read every file of a language and hold it against the test data; what looks like a mistake is said."""
        for task in self._tasks_in(lang):
            self._task_of(task.kind, self._test_items(task, lang), lang)
            for seed in self._seeds():
                found = self.predictions(task, lang, seed)
                for remark in label_remarks(found):
                    say(f"{self._file(task, lang, seed)}: {remark}")

    def trained_in(self, lang: str) -> tuple[str, ...]:
        return (lang,)  # a model a language, for the cost is told by each file

    def inputs(self, lang: str) -> list[Path]:
        if self.why_not(lang):
            return []
        return [self._file(task, lang, seed) for task in self._tasks_in(lang) for seed in self._seeds()]

    def identity(self, lang: str) -> Any:
        return {"files": self.system.files, "scheme": self.system.scheme}

    def predictions(self, task: Task, lang: str, seed: int | None) -> PredictionSet:
        """A file's predictions, held against the test file. Raises InputError with what differs."""
        said = Said(task.kind, lang=lang, seed=seed if "{seed}" in self.files else None)
        return read_theirs(self._file(task, lang, seed), said, self.resolve(task.test_file(lang)), self.system.scheme)

    def model(
        self, kind: str, train: Sequence[Any], dev: Sequence[Any],
        seed: int | None, folder: Path, langs: tuple[str, ...]
    ) -> Model:  # fmt: skip
        """Cost and facts are those of the file, so they are there once `predict` has read it."""
        from comparisons.systems import Model

        cost: dict[str, Any] = {}
        about: dict[str, Any] = {}

        def predict(items: Sequence[Item], lang: str) -> list[Any]:
            task = self._task_of(kind, items, lang)
            found = self.predictions(task, lang, seed)
            cost.update(found.run.cost)
            about.update(self._about(found, self._file(task, lang, seed)))
            return found.predicted

        return Model(predict, cost, about)

    def _test_items(self, task: Task, lang: str) -> list[Item]:
        return read_items(task.kind, self.resolve(task.test_file(lang)), lang)

    def _task_of(self, kind: str, items: Sequence[Item], lang: str) -> Task:
        """The one task whose test items these are. Raises InputError where two have them in common."""
        texts = [texts_of(item) for item in items]
        found = [task for task in self._tasks_in(lang) if task.kind == kind
                 and [texts_of(item) for item in self._test_items(task, lang)] == texts]  # fmt: skip
        if len(found) != 1:
            names = ", ".join(task.name for task in found) or "none"
            raise InputError(f"system {self.system.name!r}: one of its tasks must have these test items in {lang}, "
                             f"here it is {names}: make two systems, with tasks = [...] each")  # fmt: skip
        return found[0]

    def _about(self, found: PredictionSet, path: Path) -> dict[str, Any]:
        """What a file says of itself, and its own hash."""
        run = found.run
        settings = {name: value for name, value in run.settings.items() if name != "key"}
        theirs = {"system": run.system, "split": run.split, "settings": settings, "versions": run.versions}
        return {"predictions": path.name, "sha256": sha256_of(path), "theirs": theirs}
