"""Language codes."""

from __future__ import annotations

from xlembed.errors import InputError


def is_language_code(code: str) -> bool:
    """Whether it has the form of an ISO 639 code."""
    return len(code) in (2, 3) and code.isascii() and code.isalpha() and code.islower()


def language_code(code: str | None) -> str | None:
    """The code itself, or InputError where it has not the form of an ISO 639 code (de, hau); None stays None."""
    if code is not None and not is_language_code(code):
        raise InputError(f"{code!r} is no language code: an ISO 639 code such as de or hau is needed")
    return code
