"""Workers on a Dask cluster: ours on this machine, or those of a scheduler that runs already."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xlembed import __version__
from xlembed.errors import InputError, at, require
from xlembed.files import read_json

if TYPE_CHECKING:
    from distributed import Client, SpecCluster

CONNECT_SECONDS = 10.0
WORKERS_SECONDS = 120.0  # a local worker imports numpy and dask, on a busy machine in some 10 s
SLOW_START = "1h"  # for a process that died to come back; Dask's 15 s are over before a busy machine has started one

Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", help="Search on workers of a Dask scheduler: tcp://HOST:PORT, or its file (.json)."),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Search in so many processes of this machine, a core each."),
]
Wait = Annotated[float, typer.Option("--wait", min=0.0, help="Seconds for workers to come, as from a batch queue.")]


class NoScheduler(Exception):
    """Nobody answers at a scheduler's address; the message is the reason."""


def check_where(scheduler: str | None, workers: int | None) -> None:
    """Raise InputError where both are given."""
    if scheduler is not None and workers is not None:
        raise InputError("--workers and --scheduler exclude each other: one starts processes, one finds them")


@contextmanager
def connect(
    scheduler: str | None = None, workers: int | None = None, wait: float = WORKERS_SECONDS
) -> Iterator[Client]:
    """A client of the scheduler at an address, or of `workers` processes on this machine, ended afterwards.

    A local worker computes one task at a time, in one BLAS thread, and is started again when it dies. The address may
    be a scheduler's file (.json). `wait` is how many seconds workers may take to come. Raises InputError where no
    scheduler or no worker answers in time, and where a worker has another version of xlembed, or none.
    """
    require("distributed", "cluster")
    if scheduler is None and workers is None:
        raise InputError("workers are needed: give --workers N or --scheduler ADDRESS")
    check_where(scheduler, workers)
    if workers is not None and workers < 1:
        raise InputError(f"workers is {workers}, at least 1 is needed")
    with ExitStack() as stack:
        try:
            client = stack.enter_context(client_at(scheduler, CONNECT_SECONDS) if scheduler is not None
                                         else client_of(local_cluster(workers or 1), CONNECT_SECONDS))  # fmt: skip
        except NoScheduler:
            raise InputError(f"{scheduler}: no Dask scheduler answers within {CONNECT_SECONDS:.0f} s: start one with "
                             "`dask scheduler`, or take --workers N on this machine") from None
        _wait(client, scheduler, workers or 1, wait)
        _check_versions(client)
        yield client


@contextmanager
def local_cluster(
    n: int, of_worker: Callable[[int], dict[str, Any]] = lambda i: {}, **of_scheduler: Any
) -> Iterator[SpecCluster]:
    """n worker processes of one thread and their scheduler on this machine, reached from this machine alone.

    No limit of Dask's own on memory: it counts mapped files, and gives no more work to a process that keeps what it has
    read. `of_worker` gives more options of worker i (a `distributed.Nanny`), `of_scheduler` are more of the scheduler.
    """
    import dask
    import distributed

    both = {"host": "127.0.0.1", "protocol": "tcp://", "dashboard": False}
    common = both | {"nthreads": 1, "memory_limit": 0, "silence_logs": logging.CRITICAL, "preload": [__name__]}
    workers = {i: {"cls": distributed.Nanny, "options": {"name": i} | common | of_worker(i)} for i in range(n)}
    scheduler = {"cls": distributed.Scheduler,
                 "options": both | {"port": 0, "dashboard_address": ":0"} | of_scheduler}  # fmt: skip
    with dask.config.set({"distributed.deploy.lost-worker-timeout": SLOW_START}):
        with _ctrl_c_later():
            cluster = distributed.SpecCluster(workers, scheduler, silence_logs=logging.CRITICAL)
        with cluster:
            yield cluster


@contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Within it Ctrl-C waits, for a cluster half started cannot be ended; what is started never gets it."""
    from multiprocessing import resource_tracker

    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # it unblocks SIGINT in the thread that starts it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def dask_setup(worker: Any) -> None:
    """Called in a local worker's process (this module is its preload): Ctrl-C is for the program, which ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def client_of(starting: AbstractContextManager[SpecCluster], seconds: float) -> Iterator[Client]:
    """A client of a cluster that is started, and ended afterwards."""
    distributed = require("distributed", "cluster")
    with starting as cluster, distributed.Client(cluster, timeout=seconds, set_as_default=False) as client:
        yield client


@contextmanager
def client_at(scheduler: str, seconds: float) -> Iterator[Client]:
    """A client of a scheduler that runs, by its address or its file (.json).

    Raises NoScheduler where none answers in time, InputError for a file without an address and for the address of
    something else.
    """
    import asyncio  # slow to load, and few commands come here

    distributed = require("distributed", "cluster")
    address = _address(scheduler)
    asyncio.run(_ask_scheduler(distributed, address, seconds))
    with distributed.Client(address, timeout=seconds, set_as_default=False) as client:
        yield client


def _address(scheduler: str) -> str:
    """The address itself, or that of a scheduler's file."""
    if not scheduler.endswith(".json"):
        return scheduler
    about = read_json(scheduler)
    address = about.get("address") if isinstance(about, dict) else None
    if not isinstance(address, str):
        raise at(scheduler, None, "holds no address: give the file that `dask scheduler --scheduler-file` wrote")
    return address


async def _ask_scheduler(distributed: Any, address: str, seconds: float) -> None:
    """Raise unless a scheduler answers; a Client that finds none would hang on when it is thrown away."""
    import asyncio

    try:
        with_keys = distributed.security.Security().get_connection_args("client")
        async with distributed.rpc(address, timeout=seconds, connection_args=with_keys) as server:
            about = await asyncio.wait_for(server.identity(), seconds)
    except (OSError, ValueError, TimeoutError, ImportError, TypeError) as err:
        raise NoScheduler(" ".join(str(err).split())[:150] or type(err).__name__) from None
    if about.get("type") != "Scheduler":
        raise InputError(f"{address}: is the address of a Dask {about.get('type')}, not of a scheduler")


def _wait(client: Client, scheduler: str | None, n_workers: int, seconds: float) -> None:
    try:
        client.wait_for_workers(n_workers, timeout=max(seconds, 0.001))  # 0 is for ever there
    except TimeoutError:
        n_here = len(client.scheduler_info(n_workers=-1)["workers"])
        where = scheduler or "this machine"
        raise InputError(f"{where}: {n_here} workers after {seconds:.0f} s, {n_workers} needed: start more "
                         "with `dask worker ADDRESS`, give --wait SECONDS, or ask for fewer") from None


def _check_versions(client: Client) -> None:
    """Raise InputError unless every worker has our xlembed; other versions would give other results, silently."""
    for worker, found in client.run(_version_asker(), on_error="return").items():
        if found != __version__:
            what = f"has xlembed {found}" if isinstance(found, str) else "cannot import xlembed"
            raise InputError(f"worker {worker} {what}, {__version__} is needed: install it there")


def _version_asker() -> Callable[[], str]:
    def version() -> str:  # a nested function travels as it is: a worker without xlembed can say so
        import xlembed

        return xlembed.__version__

    return version
