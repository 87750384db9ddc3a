"""A run of cells, each computed once: a folder that says of which settings it is, and a JSON file a cell."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from xlembed.errors import InputError, at
from xlembed.files import read_json, write_json
from xlembed.progress import say

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

S = TypeVar("S", bound="DataclassInstance")


@dataclass(frozen=True)
class Cell:
    """One combination: a name that is a file's, and what it is."""

    name: str
    what: dict[str, Any]


def run_cells(
    out: Path, settings: Any, cells: Sequence[Cell], compute: Callable[[Cell], dict[str, Any]]
) -> list[dict[str, Any]]:
    """The results of all cells, {"cell", "what", ...}; those that are there are kept.

    Raises InputError where the folder holds a run of other settings.
    """
    about = _as_json(asdict(settings))
    record = out / "settings.json"
    if record.exists() and read_json(record) != about:
        raise at(record, None, "is of a run with other settings: take another --out")
    write_json(record, about)
    results = []
    for number, cell in enumerate(cells, start=1):
        path = out / "cells" / f"{cell.name}.json"
        if not path.exists():
            say(f"cell {number} of {len(cells)}: {cell.name}")
            write_json(path, {"cell": cell.name, "what": _as_json(cell.what), **compute(cell)})
        results.append(_read_cell(path, cell))
    return results


def _read_cell(path: Path, cell: Cell) -> dict[str, Any]:
    found = read_json(path)
    if not isinstance(found, dict) or found.get("what") != _as_json(cell.what):
        raise at(path, None, "is not the result of this cell: remove it, and it is computed again")
    return found


def _as_json(value: Any) -> Any:
    """Tuples as lists, as they come back from a file."""
    if isinstance(value, dict):
        return {name: _as_json(part) for name, part in value.items()}
    return [_as_json(part) for part in value] if isinstance(value, (list, tuple)) else value


def with_file(preset: S, path: Path | None) -> S:
    """A preset with what a TOML file says otherwise. Raises InputError for a name that it has not."""
    if path is None:
        return preset
    try:
        given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise at(path, None, "no such file") from None
    except (ValueError, RecursionError) as err:  # no TOML, no UTF-8, numbers of thousands of digits, deep nesting
        raise at(path, None, f"is no TOML ({' '.join(str(err).split())[:150]})") from None
    known = {field.name: getattr(preset, field.name) for field in fields(preset)}
    for name, value in given.items():
        if name not in known:
            raise at(path, None, f"{name} is no setting: {', '.join(known)} are")
        if not _fits(value, known[name]):
            raise at(path, None, f"{name} = {str(value)[:80]!r}: a value such as {known[name]!r} is needed")
    try:
        return replace(preset, **{name: _tuples(value) for name, value in given.items()})
    except InputError as err:  # values that are no settings together
        raise at(path, None, str(err)) from None


def _fits(value: Any, like: Any) -> bool:
    if isinstance(like, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(like, tuple):
        return isinstance(value, list) and all(_fits(one, like[0]) for one in value if like)
    return type(value) is type(like)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def positive(settings: Any, *names: str) -> None:
    """Raise InputError for a setting that is not above 0."""
    for name in names:
        if not getattr(settings, name) > 0:
            raise InputError(f"{name} = {getattr(settings, name)}: must be above 0")
