"""What every part of a report is made of: sections, tables, and figures as text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ABSENT = "—"
SHORT_METRIC = {"f1": "span F1", "accuracy": "accuracy"}
LONG_REASON = 20  # characters; a shorter reason ("no vectors") stands in the table itself


@dataclass(frozen=True)
class Table:
    """Header and rows of text."""

    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, a table, a note under it, a picture."""

    heading: str
    paragraphs: list[str] = field(default_factory=list)
    table: Table | None = None
    note: str = ""
    image: str | None = None  # name of a file beside the report
    image_alt: str = ""


def score_of(summary: dict[str, Any], task: str, system: str, lang: str) -> dict[str, Any] | None:
    for score in summary["scores"]:
        if (score["task"], score["system"], score["lang"]) == (task, system, lang):
            return score
    return None


def why_missing(summary: dict[str, Any], task: str, system: str, lang: str) -> str:
    """Why there is no score: the reason where it is short, else "not run"."""
    for one in summary["missing"]:
        if (one["task"], one["system"], one["lang"]) == (task, system, lang):
            return one["why"] if len(one["why"]) < LONG_REASON else "not run"
    return ABSENT


def lang_name(summary: dict[str, Any], lang: str) -> str:
    return f"{lang} (source)" if lang == summary["experiment"]["source"] else lang


def figure_text(figure: dict[str, float]) -> str:
    return f"{figure['value']:.1f} [{figure['low']:.1f}, {figure['high']:.1f}]"


def signed_text(figure: dict[str, float]) -> str:
    return f"{figure['value']:+.1f} [{figure['low']:+.1f}, {figure['high']:+.1f}]"


def sd_text(sd: float | None) -> str:
    return "" if sd is None else f" ±{sd:.1f}"


def seconds_text(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
