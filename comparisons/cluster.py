"""An experiment's groups of cells as tasks of a Dask cluster: on local processes, or wherever workers are.

The workers hand predictions back and this program alone writes the run's folder, so that no shared disk is needed.
A group whose worker is lost goes to another; one that loses three workers is reported, as is one that fails.
"""

from __future__ import annotations

import inspect
import logging
import os
import queue
import sys
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comparisons.cluster_data import NeededFile, encoder_files, needed_files, receive, send
from comparisons.computing import Failure, Made
from comparisons.executor import Cell, Run, compute_here, name_of, versions
from comparisons.experiment import System
from xlembed.cluster import WORKERS_SECONDS, NoScheduler, client_at, client_of
from xlembed.cluster import local_cluster as start_local
from xlembed.errors import InputError
from xlembed.interrupts import stop_asked
from xlembed.progress import say

if TYPE_CHECKING:
    from distributed import Client, Future, SpecCluster

MOST_DEATHS = 3  # of workers while they compute a group, and most attempts at one
MOST_SENDINGS = 3  # of one file to one worker
POLL = 1.0  # seconds between looks at the workers
CONNECT = 30  # seconds
_STOPPING = "stopping; press again to stop at once"


@contextmanager
def workers_at(address: str) -> Iterator[Client]:
    """A client of a running scheduler, by its address or by its scheduler file (.json).

    Raises InputError where none answers.
    """
    with ExitStack() as stack:
        try:
            client = stack.enter_context(client_at(address, CONNECT))
        except NoScheduler as err:
            raise InputError(f"--scheduler {address}: no Dask scheduler answers there ({err}): "
                             "start one with `dask scheduler` and give its tcp://HOST:PORT") from None  # fmt: skip
        except InputError as err:
            raise InputError(f"--scheduler {err}") from None
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # a lost scheduler: we tell, in one line
        yield client


def local_workers(n: int, folder: Path, **options: Any) -> AbstractContextManager[Client]:
    """A client of n processes on this machine, with a thread each; their files are below `folder`."""
    return client_of(local_cluster(n, folder, **options), CONNECT)


def local_cluster(n: int, folder: Path, **options: Any) -> AbstractContextManager[SpecCluster]:
    """n worker processes and their scheduler on this machine; `options` are more of those of a `distributed.Nanny`."""
    folder.mkdir(parents=True, exist_ok=True)
    of_all = {"local_directory": str(folder), **options}
    return start_local(n, lambda i: of_all | _share(i, n), allowed_failures=MOST_DEATHS - 1)


def _share(i: int, n: int) -> dict[str, Any]:
    """What local worker i of n has of the machine: its part of the memory, and a GPU as long as there are some."""
    from distributed.system import MEMORY_LIMIT

    resources: dict[str, float] = {"MEMORY": MEMORY_LIMIT // n}
    gpus = _gpus()
    if i >= len(gpus):
        return {"resources": resources}
    return {"resources": resources | {"GPU": 1}, "env": {"CUDA_VISIBLE_DEVICES": gpus[i]}}


def _gpus() -> list[str]:
    """The machine's GPUs, as CUDA_VISIBLE_DEVICES names them."""
    torch = sys.modules.get("torch")  # what could use one has loaded it
    if torch is None:
        return []
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = chosen.split(",") if chosen else [str(i) for i in range(torch.cuda.device_count())]
    return names[: torch.cuda.device_count()]


@dataclass
class _Task:
    """A group of cells and what became of its attempts."""

    number: int
    cells: list[Cell]
    needs: dict[str, float]
    begun: int = 0
    given_up_by_dask: int = 0
    unserved_since: float | None = None
    sent: dict[tuple[str, str], int] = field(default_factory=dict)  # (worker, hash) -> times

    @property
    def name(self) -> str:
        return name_of(self.cells)


class Cluster:
    """Computes groups of cells on a cluster's workers; `Run.execute` takes its `compute`.

    connect: `workers_at` or `local_workers`, called when there is something to compute. threads: of each worker's
    libraries. wait: seconds for a worker that can take what is left.
    """

    client: Client

    def __init__(self, connect: Callable[[], AbstractContextManager[Client]], threads: int = 1,
                 wait: float = WORKERS_SECONDS):  # fmt: skip
        self.connect, self.threads, self.wait = connect, threads, wait
        self.topic = f"xlembed-{uuid.uuid4().hex[:12]}"
        self._tasks: dict[int, _Task] = {}
        self._futures: dict[str, tuple[Future[Any], _Task]] = {}  # by key
        self._done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()

    def compute(self, run: Run, groups: list[list[Cell]]) -> Generator[tuple[Cell, Made], None, None]:
        """Cells as their groups are done, in any order. Raises InputError for workers with another xlembed."""
        here = [group for group in groups if group[0].system.type == "predictions"]  # files that are read, no more
        yield from compute_here(run, here)
        away = [group for group in groups if group[0].system.type != "predictions"]
        if not away:
            return
        with self.connect() as self.client:
            self._check_workers()
            self.client.subscribe_topic(self.topic, self._hear)
            try:
                yield from self._compute_away(run, away)
            finally:
                self._stop()

    def _compute_away(self, run: Run, groups: list[list[Cell]]) -> Iterator[tuple[Cell, Made]]:
        has_gpu = any("GPU" in resources for resources in self._resources().values())
        for number, group in enumerate(groups):
            self._tasks[number] = _Task(number, group, needs_of(group[0].system, has_gpu))
            self._submit(run, self._tasks[number])
        with stop_asked(_STOPPING) as is_to_stop:  # it may strike within a finaliser of Dask's, which swallows it
            while self._futures and not is_to_stop():
                yield from self._next(run)
        if is_to_stop():
            raise KeyboardInterrupt

    def _next(self, run: Run) -> Iterator[tuple[Cell, Made]]:
        """The cells of a group that is done, or whose waiting is over; none if that takes longer than a moment."""
        try:
            future = self._done.get(timeout=POLL)
        except queue.Empty:
            yield from self._often_begun()
            yield from self._unserved()
            return
        if future.key in self._futures:
            task = self._futures.pop(future.key)[1]
            found = self._found(run, task, future)
            future.release()  # a result that the scheduler keeps is computed again when its worker is lost
            if found is not None:
                yield from zip(task.cells, found, strict=True)

    def _submit(self, run: Run, task: _Task, worker: str | None = None) -> None:
        """Give a group to the scheduler; `worker` is one that is ready for it."""
        from comparisons.cluster_worker import Job, code, compute

        group, system = task.cells, task.cells[0].system
        experiment = replace(run.experiment, systems=[system])
        threads = None if system.type == "majority" else self.threads  # it counts, and needs no library
        job = Job(self.topic, task.number, experiment, group, needed_files(run, group), encoder_files(run, group),
                  threads, code())  # fmt: skip
        future = self.client.submit(compute, job, key=f"{self.topic}-{task.number}-{uuid.uuid4().hex[:8]}", pure=False,
                                    resources=task.needs or None, workers=[worker] if worker else None,
                                    allow_other_workers=worker is not None)  # fmt: skip
        self._futures[str(future.key)] = future, task
        future.add_done_callback(self._done.put)

    # ---- what comes back

    def _found(self, run: Run, task: _Task, future: Future[Any]) -> list[Made] | None:
        """The cells of a group, or None where it is on its way again."""
        from distributed import KilledWorker

        from comparisons.cluster_worker import Lacking, OtherCode, code

        if future.status in ("cancelled", "lost"):
            raise InputError("the cluster's scheduler is gone: what is done is kept, run the same command again")
        try:
            found = future.result(timeout=CONNECT)
        except KilledWorker:
            return self._lost(run, task)
        except Exception as err:
            return [Failure.of(err)] * len(task.cells)
        if isinstance(found, OtherCode):
            raise InputError(_other(found.address, found.what, code()))
        if isinstance(found, Lacking):
            return self._send(run, task, found)
        made: list[Made] = found
        return made

    def _lost(self, run: Run, task: _Task) -> list[Made] | None:
        """Dask gave a group up after deaths of workers, with which it counts those that had it waiting in their queue:
        it is a failure once so many had begun it."""
        task.given_up_by_dask += 1
        if task.begun < MOST_DEATHS and task.given_up_by_dask < MOST_DEATHS:
            self._submit(run, task)
            return None
        return [_lost_too_often(task.begun)] * len(task.cells)

    def _often_begun(self) -> Iterator[tuple[Cell, Made]]:
        """Groups that are begun once more after all their attempts: Dask counts workers that die, and none that leave
        in good order before they are done, as at the end of a --lifetime."""
        for key, (future, task) in list(self._futures.items()):
            if task.begun > MOST_DEATHS:
                del self._futures[key]
                future.cancel()
                yield from ((cell, _lost_too_often(MOST_DEATHS)) for cell in task.cells)

    def _send(self, run: Run, task: _Task, lacking: Any) -> list[Made] | None:
        """Send a worker the files that it lacks, and the group again."""
        try:
            for file in lacking.files:
                self._send_file(file, task, lacking.address, lacking.own)
        except InputError as err:
            return [Failure.of(err)] * len(task.cells)
        except Exception as err:  # the worker died, or its disk is full: another may do better
            say(f"worker {lacking.address}: {file.name} could not be sent ({' '.join(str(err).split())[:150]})")
        self._submit(run, task, lacking.address)
        return None

    def _send_file(self, file: NeededFile, task: _Task, address: str, own: str) -> None:
        times = task.sent.get((address, file.sha256), 0)
        if times >= MOST_SENDINGS:
            raise InputError(f"{file.name}: was sent to worker {address} {times} times and is not there: "
                             "has its disk space?")  # fmt: skip
        task.sent[address, file.sha256] = times + 1
        if times == 0 and any((address, file.sha256) in other.sent for other in self._tasks.values() if other != task):
            return  # another group's request brought it
        say(f"sending {file.name} ({max(file.n_bytes / 1e6, 0.1):.1f} MB) to worker {address}")

        def deliver(offset: int, chunk: bytes) -> None:
            self.client.run(receive, own, file, offset, chunk, self.topic, workers=[address])

        send(file, deliver)

    # ---- the workers

    def _check_workers(self) -> None:
        """Wait for workers and hold their versions against the program's. Raises InputError where xlembed differs."""
        from comparisons.cluster_worker import code, facts

        began = time.monotonic()
        while not self._resources():
            if time.monotonic() - began > self.wait:
                raise InputError(f"no worker came to {self._address()} in {self.wait:.0f} s: start some "
                                 "with `dask worker ADDRESS --nthreads 1`, or give --wait SECONDS")  # fmt: skip
            time.sleep(POLL / 5)
        told: set[str] = set()
        for address, found in self.client.run(facts, on_error="return").items():
            if isinstance(found, Exception):
                reason = " ".join(f"{type(found).__name__}: {found}".split())[:150]
                raise InputError(f"worker {address} cannot use xlembed ({reason}): install xlembed {code()} there")
            if found["code"] != code():
                raise InputError(_other(address, found["code"], code()))
            differing = [f"{name} {found['versions'].get(name, 'missing')}, here {version}"
                         for name, version in versions().items() if found["versions"].get(name) != version]  # fmt: skip
            if differing and "; ".join(differing) not in told:
                told.add("; ".join(differing))
                say(f"worker {address} has {'; '.join(differing)}: results may differ in their last digits")
        say(f"{len(self._resources())} workers at {self._address()}")

    def _address(self) -> str:
        return str(getattr(self.client.scheduler, "address", "the scheduler"))

    def _resources(self) -> dict[str, dict[str, float]]:
        """What each worker has, by address."""
        workers = self.client.scheduler_info(**_all_workers(self.client))["workers"]
        return {address: worker["resources"] for address, worker in workers.items()}

    def _unserved(self) -> Iterator[tuple[Cell, Made]]:
        """Groups that no worker can take: said at once, and given up after a while."""
        try:
            supplies = list(self._resources().values())
        except OSError:
            return
        waiting: dict[str, list[str]] = {}  # what is wanted -> groups
        for key, (future, task) in list(self._futures.items()):
            if any(all(has.get(name, 0) >= n for name, n in task.needs.items()) for has in supplies):
                task.unserved_since = None
                continue
            if task.unserved_since is None:
                task.unserved_since = time.monotonic()
                waiting.setdefault(_wanted(task.needs), []).append(task.name)
            elif time.monotonic() - task.unserved_since > self.wait:
                del self._futures[key]
                future.cancel()
                text = (f"in {self.wait:.0f} s there was no {_wanted(task.needs)}: "
                        f"start one with `dask worker ADDRESS{_option(task.needs)}`")  # fmt: skip
                yield from ((cell, Failure(text)) for cell in task.cells)
        for wanted, names in waiting.items():
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            say(f"waiting {self.wait:.0f} s for a {wanted}: {names[0]}{more}")

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """A worker's news (in the client's own thread)."""
        news = event[1]
        if "say" in news:
            say(f"[{news['name']}] {news['say']}")
        elif news.get("begun") in self._tasks:
            task = self._tasks[news["begun"]]
            task.begun += 1
            again = f" again: a worker was lost, attempt {task.begun}" if task.begun > 1 else ""
            say(f"[{news['name']}] {task.name}{again}")

    def _stop(self) -> None:
        """Take back what is not done; what runs stops at its next word of news."""
        futures = [future for future, _ in self._futures.values()]
        self._futures.clear()
        with suppress(Exception):  # the scheduler may be gone
            self.client.unsubscribe_topic(self.topic)
            self.client.cancel(futures, force=True)


def _lost_too_often(n: int) -> Failure:
    text = (f"{n} workers died or left while they computed it: their memory may be too small for it, their time too "
            "short, or it crashes; see the logs of the workers")  # fmt: skip
    return Failure(text, is_input=False)


def needs_of(system: System, has_gpu: bool) -> dict[str, float]:
    """The resources of a system's cells: those of its experiment file, or a GPU for an encoder where there is one."""
    if system.resources is not None:
        return dict(system.resources)
    return {"GPU": 1} if system.type == "encoder" and has_gpu else {}


def _all_workers(client: Client) -> dict[str, int]:
    """The option that lists all workers and not the first few, where distributed has it."""
    return {"n_workers": -1} if "n_workers" in inspect.signature(client.scheduler_info).parameters else {}


def _wanted(needs: dict[str, float]) -> str:
    return "worker with " + " and ".join(f"{name}={n:g}" for name, n in needs.items()) if needs else "worker"


def _option(needs: dict[str, float]) -> str:
    told = " ".join(f"{name}={n:g}" for name, n in needs.items())
    return f' --resources "{told}"' if needs else ""


def _other(address: str, theirs: str, ours: str) -> str:
    return f"worker {address} has xlembed {theirs}, this program is {ours}: install the same on all machines"
