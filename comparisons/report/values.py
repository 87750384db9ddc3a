"""The numbers in the cells of a table, for sorting it and for setting its columns right."""

from __future__ import annotations

import re
from collections.abc import Sequence

from comparisons.report.base import Table

UNITS = {
    "ms": 1e-3, "s": 1, "min": 60, "h": 3600,
    "k": 1e3, "M": 1e6, "G": 1e9,
    "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_NUMBER = re.compile(r"\s*([+\-−]?)((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?![\w.])\s*([A-Za-z]+\b)?")


def sort_value(text: str) -> float | None:
    """The number that a cell begins with, None where it begins with none.

    `82.0 [81.2, 82.7] ±0.8` is 82.0, `+5.1 (not clear)` 5.1, `10,000` 10000, `8 min 38 s` 518, `1.5 GiB` its bytes.
    """
    found = _NUMBER.match(text)
    if found is None:
        return None
    total, unit = _one(found), found[3]
    while unit in ("h", "min") and (found := _NUMBER.match(text, found.end())) and found[3] in ("min", "s"):
        total, unit = total + _one(found), found[3]
    return -total if text.lstrip()[0] in "-−" else total


def _one(found: re.Match[str]) -> float:
    return float(found[2].replace(",", "")) * UNITS.get(found[3], 1)


def number_columns(table: Table) -> list[bool]:
    """For each column, whether half of its different cells are numbers; those without a letter or digit do not count.

    A reason ("no vectors") may stand in many rows of a column of figures. The first column names the rows: it is
    never one of numbers.
    """
    return [i > 0 and _is_numbers([row[i] for row in table.rows]) for i in range(len(table.header))]


def _is_numbers(cells: Sequence[str]) -> bool:
    told = {cell for cell in cells if any(char.isalnum() for char in cell)}
    return bool(told) and 2 * sum(sort_value(cell) is not None for cell in told) >= len(told)
