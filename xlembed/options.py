"""What the command modules share: options that mean the same everywhere, and JSON output."""

from __future__ import annotations

import json
import tomllib
from typing import Annotated, Any

import typer

from xlembed.errors import InputError

TopN = Annotated[int | None, typer.Option("--n", "-n", help="Read the n most frequent words alone.", min=1)]
_KEPT = "\n\u200c\u200d"  # line ends; zero-width joiners, which some scripts are spelled with
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]


def print_json(value: Any) -> None:
    """One JSON document on standard output; what a terminal would obey or not show is escaped, as JSON may."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    if not text.replace("\n", "").isprintable():
        text = "".join(char if char.isprintable() or char in _KEPT else json.dumps(char)[1:-1] for char in text)
    print(text)


def named_values(given: list[str]) -> dict[str, str]:
    """What `--set name=value`, given any number of times, says."""
    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"--set {text!r}: name=value is needed")
        values[name] = value
    return values


def named_settings(given: list[str]) -> dict[str, Any]:
    """The same with values as TOML has them: numbers, true, lists; what is none of these (a bare word) stays text."""
    return {name: _toml_value(text) for name, text in named_values(given).items()}


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
