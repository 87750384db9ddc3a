"""What the command modules share: options that mean the same everywhere, and JSON output."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

TopN = Annotated[int | None, typer.Option("--n", "-n", help="Read the n most frequent words alone.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=1, ensure_ascii=False))
