"""Computing a group of cells: the one function for it, in the program's own process and on a cluster's worker.

What goes wrong in a cell stops that cell alone. It comes back as a `Failure`, the others are computed.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines.corpora import without_gold
from baselines.predictions import PredictionSet, RunSettings, make_predictions
from comparisons.cost import Usage, bytes_of, measured
from comparisons.experiment import read_parts
from comparisons.systems import Model
from xlembed.errors import InputError
from xlembed.files import read_json, write_json
from xlembed.os_faults import escaped
from xlembed.progress import say
from xlembed.tuning import cores

if TYPE_CHECKING:
    from comparisons.executor import Cell, Run


@dataclass(frozen=True)
class Failure:
    """Why a cell has no predictions. `trace` is there where it is a bug and not the user's input."""

    message: str
    is_input: bool = True
    trace: str = ""

    @classmethod
    def of(cls, err: Exception) -> Failure:
        """What an exception tells of a cell."""
        if isinstance(err, InputError):
            return cls(str(err))
        if (told := escaped(err)) is not None:
            return cls(told)
        last = traceback.extract_tb(err.__traceback__)[-1:]
        where = f" ({Path(last[0].filename).name}:{last[0].lineno})" if last else ""
        message = " ".join(f"{type(err).__name__}: {err}".split())[:300]
        return cls(message + where, False, "".join(traceback.format_exception(err)))


Made = PredictionSet | Failure


def compute_group(run: Run, group: list[Cell]) -> Iterator[tuple[Cell, Made]]:
    """Train one model (or load the one that an earlier run saved) and predict its languages, one by one."""
    try:
        trained = _train(run, group[0])
    except Exception as err:
        yield from ((cell, Failure.of(err)) for cell in group)
        return
    for cell in group:
        try:
            yield cell, _predict(run, trained, cell)
        except Exception as err:
            yield cell, Failure.of(err)


@dataclass(frozen=True)
class _Trained:
    """A model, the folder it is saved in, and what its training took and saw."""

    model: Model
    folder: Path
    cost: dict[str, Any]
    n_train: int
    n_dev: int


def _train(run: Run, cell: Cell) -> _Trained:
    """The model that serves a cell (and those of its group)."""
    task, runner = cell.task, run.runners[cell.system.name]
    train = read_parts(task.kind, task.train, run.experiment.source, run.resolve)
    dev = read_parts(task.kind, task.dev, run.experiment.source, run.resolve)
    langs = runner.trained_in(cell.lang)
    folder = run.out / "models" / run.model_key(task, cell.system, cell.seed, langs)[:16]
    noted = folder / "cost.json"
    was_there = (folder / "model.json").is_file()
    with measured() as usage:
        model = runner.model(task.kind, train, dev, cell.seed, folder, langs)
    if was_there:  # what training took is told beside it
        cost = read_json(noted) if noted.is_file() else {}
    else:
        cost = {key: value for key, value in _told("train", usage).items() if key != "train_seconds"}
        if folder.is_dir():
            write_json(noted, cost)
    return _Trained(model, folder, cost, len(train), len(dev))


def _predict(run: Run, trained: _Trained, cell: Cell) -> PredictionSet:
    from comparisons.executor import versions

    task, system, runner = cell.task, cell.system, run.runners[cell.system.name]
    items = run.test_items(task, cell.lang)
    with measured() as usage:
        predicted = trained.model.predict(without_gold(items), cell.lang)
    cost = dict(trained.model.cost)
    settings = {"key": cell.key, "system_type": system.type, **trained.model.about}
    if system.type != "predictions":  # what reading a file takes is not what making it took, nor is its training known
        cost |= trained.cost | _told("predict", usage)
        cost |= {"disk_bytes": sum(bytes_of(path) for path in {trained.folder, *runner.inputs(cell.lang)})}
        settings |= {
            "train": [part.describe() for part in task.train],
            "dev": [part.describe() for part in task.dev],
            "n_train": trained.n_train,
            "n_dev": trained.n_dev,
        }
    about = RunSettings(task.name, task.kind, system.name, cell.lang, "test", cell.seed, settings, cost, versions())
    return make_predictions(about, items, predicted)


def _told(step: str, usage: Usage) -> dict[str, Any]:
    """A step's usage as a prediction file tells it."""
    found = {f"{step}_seconds": round(usage.seconds, 2), f"{step}_cpu_seconds": round(usage.cpu_seconds, 2)}
    return found | ({} if usage.peak_bytes is None else {f"{step}_peak_bytes": usage.peak_bytes})


@contextmanager
def with_threads(n: int | None) -> Iterator[None]:
    """Within it the libraries compute with n threads: floating-point sums, and so results, are those of n threads.

    None leaves them as they are.
    """
    if n is None:
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(cores(n))
        _limit_libraries(n, stack)
        yield


def _limit_libraries(n: int, stack: ExitStack) -> None:
    try:
        import threadpoolctl
        import torch
    except ModuleNotFoundError:  # the extra of static systems; what else computes has one thread
        return
    before = torch.get_num_threads()
    stack.callback(torch.set_num_threads, before)
    stack.enter_context(threadpoolctl.threadpool_limits(n))
    torch.set_num_threads(n)


def report_failure(name: str, failure: Failure, with_trace: bool = True) -> None:
    """Say at once what went wrong in a cell, the traceback of a bug included."""
    if failure.trace and with_trace:
        print(failure.trace, file=sys.stderr, end="", flush=True)
    say(f"{name} FAILED: {failure.message}")
