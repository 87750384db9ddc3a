"""Workers on a Dask cluster: ours on this machine, or those of a scheduler that runs already."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xlembed import __version__
from xlembed.errors import InputError, at, require
from xlembed.files import read_json

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 10.0
WORKERS_SECONDS = 60.0  # a local worker imports numpy and dask, on a busy machine in some 10 s

Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", help="Search on workers of a Dask scheduler: tcp://HOST:PORT, or its file (.json)."),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Search in so many processes of this machine, a core each."),
]


@contextmanager
def connect(scheduler: str | None = None, workers: int | None = None) -> Iterator[Client]:
    """A client of the scheduler at an address, or of `workers` processes on this machine, ended afterwards.

    A local worker computes one task at a time, in one BLAS thread, and is started again when it dies. The address may
    be a scheduler's file (.json). Raises InputError where no scheduler or no worker answers in time, and where a worker
    has another version of xlembed, or none.
    """
    distributed = require("distributed", "cluster")
    if scheduler is None and workers is None:
        raise InputError("workers are needed: give --workers N or --scheduler ADDRESS")
    if scheduler is not None and workers is not None:
        raise InputError("--workers and --scheduler exclude each other: one starts processes, one finds them")
    if workers is not None and workers < 1:
        raise InputError(f"workers is {workers}, at least 1 is needed")
    with _client(distributed, scheduler, workers) as client:
        _wait(client, scheduler, workers or 1)
        _check_versions(client)
        yield client


@contextmanager
def _client(distributed: Any, scheduler: str | None, workers: int | None) -> Iterator[Client]:
    if scheduler is None:
        # no limit of dask's own on memory: it counts mapped files, and would kill workers that only read them
        with (
            distributed.LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, memory_limit=0,
                                     dashboard_address=":0", silence_logs=logging.CRITICAL) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):  # fmt: skip
            yield client
        return
    address = _address(scheduler)
    asyncio.run(_ask_scheduler(distributed, address))
    with distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False) as client:
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


async def _ask_scheduler(distributed: Any, address: str) -> None:
    """Raise InputError unless a scheduler answers; a Client that finds none would hang on when it is thrown away."""
    try:
        with_keys = distributed.security.Security().get_connection_args("client")
        async with distributed.rpc(address, timeout=CONNECT_SECONDS, connection_args=with_keys) as server:
            about = await asyncio.wait_for(server.identity(), CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError):
        raise InputError(f"{address}: no Dask scheduler answers within {CONNECT_SECONDS:.0f} s: start one with "
                         "`dask scheduler`, or take --workers N on this machine") from None
    if about.get("type") != "Scheduler":
        raise InputError(f"{address}: is the address of a Dask {about.get('type')}, not of a scheduler")


def _wait(client: Client, scheduler: str | None, n_workers: int) -> None:
    try:
        client.wait_for_workers(n_workers, timeout=WORKERS_SECONDS)
    except TimeoutError:
        n_here = len(client.scheduler_info(n_workers=-1)["workers"])
        where = scheduler or "this machine"
        raise InputError(f"{where}: {n_here} workers after {WORKERS_SECONDS:.0f} s, {n_workers} needed: start more "
                         "with `dask worker ADDRESS`, or ask for fewer") from None


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
