"""The one exception that means: the user's input cannot be used.

The command line turns it into one line on standard error and exit code 2. Anything else that escapes is a
bug and exits with 1.
"""

from __future__ import annotations

import importlib
from os import PathLike
from types import ModuleType


class InputError(ValueError):
    """The input cannot be used. The message says what, where and what to do."""


def at(path: str | PathLike, line: int | None, message: str) -> InputError:
    """An InputError that begins with the file and, where there is one, the line."""
    where = f"{path}:{line}" if line is not None else f"{path}"
    return InputError(f"{where}: {message}")


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module, or say which extra brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as err:
        if err.name is not None and err.name.split(".")[0] != module.split(".")[0]:
            raise
        raise InputError(f"this step needs {module}: pip install 'xlembed[{extra}]'") from None
