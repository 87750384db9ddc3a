"""numba's compiler, which keeps what it made on disk where it can and does without where it cannot.

numba refuses to compile where neither the package's folder nor the user's cache can be written (a container with a
read-only file system), and fails with the disk where that is full. Compiling anew takes seconds, and is no reason to
stop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` with options, of which `cache=True` is a wish."""

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            dispatcher = numba.njit(**options)(function)
        except RuntimeError:  # cannot cache function: no locator available
            return numba.njit(**{**options, "cache": False})(function)
        _forgive(dispatcher)
        return dispatcher

    return compiled


def _forgive(dispatcher: Any) -> None:
    """Have a function's cache pass over what the disk refuses."""
    cache = getattr(dispatcher, "_cache", None)
    for name in ("load_overload", "save_overload"):
        if hasattr(cache, name):
            setattr(cache, name, _or_nothing(getattr(cache, name)))


def _or_nothing(of_cache: Callable[..., Any]) -> Callable[..., Any]:
    def or_nothing(*args: Any) -> Any:
        try:
            return of_cache(*args)
        except OSError:
            return None

    return or_nothing
