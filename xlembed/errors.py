"""The one exception that means: the user's input cannot be used.

The command line turns it into one line on standard error and exit code 2. Anything else that escapes is a
bug and exits with 1.
"""

from __future__ import annotations

import importlib
from os import PathLike
from types import ModuleType

_LONGEST = 2000  # characters of a message
_JOINERS = "\u200c\u200d"  # zero-width non-joiner and joiner


class InputError(ValueError):
    """The input cannot be used. The message, one line, says what, where and what to do.

    Characters that a terminal would obey or not show (escapes, line ends, direction marks) are told by their codes.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(str(message)))


def printable(text: str) -> str:
    """A message on one line, every character of it to be seen; the middle of a very long one is left out."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST * 3 // 4]} ... {text[-_LONGEST // 5 :]}"
    return _told(text)


def for_people(text: str) -> str:
    """A line of results as people are to read it: whole, and what a terminal would obey or not show told by its code.

    Zero-width joiners stay as they are: Persian, Indic scripts and emoji are spelled with them. What programs read
    (files, JSON, tab-separated lines) is not to go through here.
    """
    return _told(text, _JOINERS)


def _told(text: str, kept: str = "") -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in kept else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def at(path: str | PathLike[str], line: int | None, message: str) -> InputError:
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
