"""What encoders need installed, asked for before files are read and hours spent."""

from __future__ import annotations

from xlembed.errors import require


def need_libraries() -> None:
    """Raise InputError that names the extra where torch or transformers is missing."""
    require("torch", "contextual")
    require("transformers", "contextual")
