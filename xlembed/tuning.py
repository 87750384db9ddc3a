"""Settings for the libraries below numpy and torch: some for programs to make before those are loaded."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any


def tune_libraries() -> None:
    """Settings that numpy's and torch's libraries read when they are loaded, unless the user has set them.

    Threads that wait for each other give their core up soon: libgomp's long spinning made small networks 12
    times slower to train on two cores where another process kept one of them busy. OpenBLAS takes AMD's newer
    processors for old ones and leaves their wide registers alone: 77 against 210 GFLOP/s on one of them.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        about = cpuinfo.read_text(errors="replace").partition("\n\n")[0]
        if "AuthenticAMD" in about and all(f"avx512{part}" in about for part in ("f", "bw", "cd", "dq", "vl")):
            os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")


def one_blas_thread() -> AbstractContextManager[object]:
    """Within it each product runs in one thread: for small ones, of which more threads cost more than they bring (much
    more on busy cores), and for those of threads of our own. Nothing where threadpoolctl is not installed."""
    if importlib.util.find_spec("threadpoolctl"):
        import threadpoolctl

        limits: AbstractContextManager[object] = threadpoolctl.threadpool_limits(1, "blas")
        return limits
    return nullcontext()


_most_cores: ContextVar[int | None] = ContextVar("most_cores", default=None)


def n_cores() -> int:
    """Cores that this process may use, or fewer (`cores`)."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(there, _most_cores.get() or there)


@contextmanager
def cores(n: int) -> Iterator[None]:
    """Within it our own threads are at most n: one task of several that share a machine takes its share."""
    token = _most_cores.set(n)
    try:
        yield
    finally:
        _most_cores.reset(token)


def in_threads(function: Callable[[Any], None], parts: Sequence[Any], n_threads: int | None = None) -> None:
    """A call a part, by so many threads (one a part for None); one part alone needs none."""
    if len(parts) < 2:
        for part in parts:
            function(part)
        return
    with ThreadPoolExecutor(n_threads or len(parts)) as pool:
        list(pool.map(function, parts))
