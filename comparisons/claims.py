"""What is often said of cross-lingual transfer: each claim, what its sources say, and what a run measured of it.

Claims are records of claims.toml; `measure` names a function of claim_measures.py.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from importlib import resources
from typing import Any, NamedTuple

from comparisons.claim_measures import MEASURES, Summary


class Quote(NamedTuple):
    """A figure of published.csv that a claim quotes, its value as printed."""

    task: str
    system: str
    setting: str
    language: str
    value: str


@dataclass(frozen=True)
class Claim:
    """A claim, the verdict on it, and how to measure it."""

    name: str
    text: str
    verdict: str
    says: str
    source: str
    tasks: tuple[str, ...] = ()  # names in published.csv; none: about encoders in general
    quotes: tuple[Quote, ...] = ()
    measure: str | None = None
    probe: str | None = None  # a command that measures it


def read_claims() -> list[Claim]:
    """All claims, in the order of claims.toml."""
    text = (resources.files("comparisons") / "claims.toml").read_text(encoding="utf-8")
    return [_claim(record) for record in tomllib.loads(text)["claim"]]


def claims_about(tasks: Collection[str]) -> list[Claim]:
    """Claims about one of the tasks (names in published.csv), and those that are about none in particular."""
    return [claim for claim in read_claims() if not claim.tasks or set(claim.tasks) & set(tasks)]


def measured(claim: Claim, summary: Summary) -> str | None:
    """What a run measured of a claim, in one sentence; None where it lacks what that takes."""
    return MEASURES[claim.measure](summary) if claim.measure else None


def _claim(record: dict[str, Any]) -> Claim:
    quotes = tuple(Quote(*quote) for quote in record.get("quotes", ()))
    return Claim(**record | {"tasks": tuple(record.get("tasks", ())), "quotes": quotes})
