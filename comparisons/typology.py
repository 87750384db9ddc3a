"""What is known of languages beforehand: kin, script, word order, size of published corpora, distance of grammars.

The table is typology.csv, frozen; docs/languages.md tells its columns, sources and licences.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

from comparisons.probes.base import two_letters

FEATURES = (
    "subject_verb", "object_verb", "adposition", "genitive", "adjective", "demonstrative", "numeral",
    "relative_clause", "degree_word", "affixing", "plural", "definite", "indefinite", "subject_pronoun", "negation",
)  # fmt: skip
LEAST_SHARED = 8  # features that both languages have, for a distance


@dataclass(frozen=True)
class Language:
    """A row of the table. None, or a feature that is not there: unknown."""

    code: str
    three: str  # ISO 639-3, of the variety that the features are of
    name: str
    family: str
    branch: str
    script: str  # ISO 15924
    word_order: str | None
    features: dict[str, str]
    cc100_gib: float | None
    wikipedia_mb: float | None
    source: str


@dataclass(frozen=True)
class Distance:
    """The share of features that differ, 0 to 1, and the number of features that both languages have."""

    value: float
    n_features: int


@cache
def languages() -> dict[str, Language]:
    """All languages of the table by code."""
    text = (resources.files("comparisons") / "typology.csv").read_text(encoding="utf-8")
    return {row["code"]: _language(row) for row in csv.DictReader(text.splitlines())}


def _language(row: dict[str, str]) -> Language:
    return Language(
        row["code"], row["three"], row["name"], row["family"], row["branch"], row["script"],
        row["word_order"] or None,
        {name: row[name] for name in FEATURES if row[name]},
        float(row["cc100_gib"]) if row["cc100_gib"] else None,
        float(row["wikipedia_mb"]) if row["wikipedia_mb"] else None,
        row["source"],
    )  # fmt: skip


def language(code: str) -> Language | None:
    """A language by a code of two or three letters (sw, swa, swh), None for one that the table lacks."""
    found = languages().get(two_letters(code) or code)
    return found or next((one for one in languages().values() if one.three == code), None)


def distance(one: Language, other: Language) -> Distance | None:
    """The Hamming distance of two grammars over the features that both have, divided by their number.

    None where they are fewer than LEAST_SHARED: a share of a handful says little.
    """
    shared = [name for name in FEATURES if name in one.features and name in other.features]
    if len(shared) < LEAST_SHARED:
        return None
    return Distance(sum(one.features[name] != other.features[name] for name in shared) / len(shared), len(shared))
