"""What the command modules share: options that mean the same everywhere, and JSON output."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from xlembed.errors import InputError

TopN = Annotated[int | None, typer.Option("--n", "-n", help="Read the n most frequent words alone.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=1, ensure_ascii=False))


def named_values(given: list[str]) -> dict[str, str]:
    """What `--set name=value`, given any number of times, says."""
    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"--set {text!r}: name=value is needed")
        values[name] = value
    return values
