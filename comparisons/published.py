"""Published results, each with its protocol, to stand beside ours."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources

from xlembed.errors import InputError


@dataclass(frozen=True)
class PublishedRow:
    """One system's published figures on a task: language -> value as printed, and how they came about."""

    system: str
    setting: str
    metric: str
    selection: str
    source: str
    reading: str
    values: dict[str, str]


def published_rows(task: str, languages: list[str], setting_prefix: str = "zero-shot") -> list[PublishedRow]:
    """Rows of published.csv for a task that have a figure for one of the languages.

    Figures are grouped by system, setting, selection and source, so that no row mixes protocols.
    """
    text = (resources.files("comparisons") / "published.csv").read_text(encoding="utf-8")
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    tasks = set()
    for record in csv.DictReader(text.splitlines()):
        tasks.add(record["task"])
        if record["task"] == task and record["setting"].startswith(setting_prefix):
            key = tuple(record[name] for name in ("system", "setting", "metric", "selection", "source", "reading"))
            groups.setdefault(key, {})[record["language"]] = record["value"]
    if task not in tasks:
        raise InputError(f"published = {task!r}: there are figures for {', '.join(sorted(tasks))}")
    return [
        PublishedRow(*key, values={lang: values[lang] for lang in languages if lang in values})
        for key, values in groups.items()
        if any(lang in values for lang in languages)
    ]


def find_reference(rows: list[PublishedRow], system: str) -> PublishedRow:
    """The first row of a system, or InputError with the systems that there are."""
    for row in rows:
        if row.system == system:
            return row
    known = ", ".join(dict.fromkeys(row.system for row in rows)) or "none in these languages"
    raise InputError(f"reference = {system!r}: published figures are of {known}")
