"""What all probes share: their JSON, the tables that are made from it, and centring."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from baselines.translation.codes import CODES
from xlembed.errors import InputError, at
from xlembed.files import read_json
from xlembed.types import Floats2d

FORMAT = 1
MODULES = {"retrieval": "retrieval", "bli": "bli", "vocabulary": "vocabulary", "mixed-nli": "mixed_nli"}
ABSENT = "—"
_TWO_LETTERS = {codes.three: two for two, codes in CODES.items()}


class ProbeTable(NamedTuple):
    """A title, a header, and rows of text."""

    title: str
    header: list[str]
    rows: list[list[str]]


def probe_json(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """What a probe saves: its name and format, then its fields."""
    return {"probe": name, "format": FORMAT, **found}


def read_probe(path: str | Path) -> dict[str, Any]:
    """What a probe saved. Raises InputError for a file that is none, or has another format."""
    found = read_json(path)
    if not isinstance(found, dict) or str(found.get("probe")) not in MODULES:
        raise at(path, None, "is not what `xlembed probe ... --out` writes")
    if found.get("format") != FORMAT:
        raise at(path, None, "has another format: run `xlembed probe` again")
    return found


def tables_of(found: Mapping[str, Any]) -> list[ProbeTable]:
    """The tables of any probe's JSON."""
    tables: list[ProbeTable] = _module(found).tables(found)
    return tables


def notes_of(found: Mapping[str, Any]) -> list[str]:
    """What has to be said beside those tables: settings and caveats, a paragraph each."""
    notes: list[str] = _module(found).notes(found)
    return notes


def _module(found: Mapping[str, Any]) -> Any:
    return importlib.import_module(f"comparisons.probes.{MODULES[found['probe']]}")


def markdown(tables: Sequence[ProbeTable]) -> str:
    """Tables under their titles."""
    parts = []
    for table in tables:
        lines = [table.header, ["---"] * len(table.header), *table.rows]
        parts.append(f"**{table.title}**\n\n" + "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines))
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def figure(value: float, ends: Mapping[str, float]) -> str:
    """A figure with its interval."""
    return f"{value:.1f} [{ends['low']:.1f}, {ends['high']:.1f}]"


def centred(matrix: Floats2d) -> Floats2d:
    """Rows less their mean: what all vectors of a language share is gone (Libovický et al. 2020, "On the language
    neutrality of pre-trained multilingual representations").

    Done to both languages it is, up to one shift of everything, the step of Pires et al. (2019, section 5), who move
    the source by the mean difference of translations: that is the difference of means, so no pairs are needed.
    """
    rows: Floats2d = matrix - matrix.mean(axis=0)
    return rows


def two_letters(lang: str | None) -> str | None:
    """The ISO 639-1 code where there is one, as the tokeniser of words knows languages by."""
    return None if lang is None else _TWO_LETTERS.get(lang, lang)


def checked_criteria(retrieval: Sequence[str]) -> list[str]:
    """Criteria of retrieval, each once. Raises InputError for an unknown one."""
    for name in retrieval:
        if name not in ("nn", "csls", "isf"):
            raise InputError(f"unknown retrieval {name!r}: choose nn, csls, isf")
    return list(dict.fromkeys(retrieval))
