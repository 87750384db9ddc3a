"""`xlembed bench`: the benchmarks of the source checkout."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from xlembed.errors import InputError
from xlembed.progress import say

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
_NOT_BENCHMARKS = ("common",)
_NEED_DATA = ("bli_table", "isometry_table", "taggers")


def bench(
    names: Annotated[list[str] | None, typer.Argument(help="As csls; without names all that need no data.")] = None,
    show: Annotated[bool, typer.Option("--list", help="Say what there is, and run nothing.")] = False,
) -> None:
    """Run the benchmarks: speed beside what a user would pick instead, in one run. They are part of the source
    checkout; `python benchmarks/NAME.py --help` has the settings of each."""
    found = benchmarks()
    for name in names or ():
        if name not in found:
            raise InputError(f"unknown benchmark {name!r}: choose {', '.join(found)}")
    if show:
        for name, about in found.items():
            print(f"{name:16} {about}")
        return
    for name in names or [name for name in found if name not in _NEED_DATA]:
        say(f"== {name}")
        done = subprocess.run([sys.executable, str(FOLDER / f"{name}.py")])
        if done.returncode:
            raise InputError(f"benchmark {name} ended with exit code {done.returncode}: see its messages above")


def benchmarks() -> dict[str, str]:
    """Names of the benchmarks and what they say first. Raises InputError where there is no checkout."""
    paths = sorted(FOLDER.glob("*.py")) if (FOLDER.parent / "pyproject.toml").is_file() else []
    if not paths:
        raise InputError("the benchmarks are not installed with the package: run them from a source checkout")
    paths = [path for path in paths if path.stem not in _NOT_BENCHMARKS]
    texts = {path.stem: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "" for path in paths}
    return {name: text.split("\n\n")[0].replace("\n", " ") for name, text in texts.items()}
