"""Ctrl-C where it must not strike at any moment: noted first, obeyed at the next good one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from xlembed.progress import say


@contextmanager
def stop_asked(news: str | None = None) -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether Ctrl-C came; the first is noted, and `news` said, the second interrupts.

    A KeyboardInterrupt may also come while Python calls a finaliser, which swallows it; what is noted is not lost.
    Outside the main thread, and where Ctrl-C is ignored (a shell's background jobs) or handled by other than Python,
    nothing changes.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before in (signal.SIG_IGN, None):
        yield lambda: False
        return
    asked: list[int] = []

    def note(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        if news is not None:
            say(news)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
