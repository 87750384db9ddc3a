"""Progress on standard error: a bar on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from xlembed.errors import printable

SECONDS_BETWEEN_LINES = 30.0
_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


def say(text: str) -> None:
    """One line of news, on standard error or to who listens."""
    hear = _listener.get()
    if hear is None:
        print(printable(text), file=sys.stderr, flush=True)
    else:
        hear(text)


@contextmanager
def heard_by(hear: Callable[[str], None]) -> Iterator[None]:
    """Within it, in this thread, all news go to `hear` as plain lines: how a worker of a cluster speaks."""
    before = _listener.set(hear)
    try:
        yield
    finally:
        _listener.reset(before)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[..., None]]:
    """Yield advance(n=1, note=""); `what` names the work and `total` its number of steps."""
    if sys.stderr.isatty() and _listener.get() is None:
        yield from _bar(what, total)
    else:
        yield from _lines(what, total)


def _bar(what: str, total: int) -> Iterator[Callable[..., None]]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(escape(printable(what)), total=total)
        yield lambda n=1, note="": bar.update(task, advance=n, description=escape(printable(f"{what} {note}".rstrip())))


def _lines(what: str, total: int) -> Iterator[Callable[..., None]]:
    done, last = 0, time.monotonic()

    def advance(n: int = 1, note: str = "") -> None:
        nonlocal done, last
        done += n
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            say(f"{what}: {done} of {total} {note}".rstrip())

    yield advance
