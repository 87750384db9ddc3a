"""Sections of the report from the probes that lie in RUN/probes/*.json."""

from __future__ import annotations

from pathlib import Path

from comparisons.probes.base import notes_of, read_probe, tables_of
from comparisons.report.base import Section, Table
from xlembed.errors import at

FOLDER = "probes"


def probe_sections(run_folder: Path) -> list[Section]:
    """A section a table, files in the order of their names; none where there are no probes."""
    return [section for path in sorted((run_folder / FOLDER).glob("*.json")) for section in _sections(path)]


def _sections(path: Path) -> list[Section]:
    """The tables of one probe; what to know of them stands over the first."""
    found = read_probe(path)
    try:
        tables, notes = tables_of(found), notes_of(found)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as err:
        raise at(path, None, f"is damaged ({type(err).__name__} {str(err)[:150]}): run `xlembed probe` again") from None
    return [
        Section(f"Probe {found['probe']}: {title}", notes if place == 0 else [], Table(header, rows))
        for place, (title, header, rows) in enumerate(tables)
    ]
