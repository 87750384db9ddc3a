"""What every part of a report is made of: sections, tables, and figures as text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

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
    scores: list[dict[str, Any]] = summary["scores"]
    for score in scores:
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


def average_of(summary: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    """Means over the targets of a task, and their differences."""
    return next(one for one in summary["averages"] if one["task"] == task["name"])


def differences_of(summary: dict[str, Any], task: str) -> list[dict[str, Any]]:
    """The paired differences of a task."""
    return [one for one in summary["differences"] if one["task"] == task]


def p_text(one: dict[str, Any]) -> str:
    """A difference's corrected p, with what is known of it: equal, under 0.001, or at most."""
    if one["p_holm"] < 0.001:
        return "< 0.001"
    return f"{'≤' if one['p_is_bound'] else '='} {one['p_holm']:.3f}"


def trains_each(system: dict[str, Any]) -> bool:
    """Whether a system trains a model for each language: translate-train, and training on the target's own data."""
    return (system.get("translate") or {}).get("direction") == "train" or system.get("own_models", False)


class TotalCost(NamedTuple):
    """Seconds to train one seed and to predict some languages."""

    seconds: float
    is_cpu: bool  # of all threads together, else by the clock


def total_cost(summary: dict[str, Any], task: str, system: str, langs: list[str]) -> TotalCost | None:
    """What a system costs on a task, None where it is unknown; one model for each language counts each time."""
    scores = [score for lang in langs if (score := score_of(summary, task, system, lang))]
    costs = [score["cost"] for score in scores]
    is_cpu = all("train_cpu_seconds" in cost and "predict_cpu_seconds" in cost for cost in costs)
    middle = "_cpu_seconds" if is_cpu else "_seconds"
    if not costs or not all(f"train{middle}" in cost and f"predict{middle}" in cost for cost in costs):
        return None
    facts = next(one for one in summary["experiment"]["systems"] if one["name"] == system)
    return TotalCost(seconds_of(facts, costs, middle), is_cpu)


def seconds_of(system: dict[str, Any], costs: list[dict[str, Any]], middle: str) -> float:
    """Seconds to train and to predict, from a cost a language; `middle` is _seconds or _cpu_seconds."""
    training: list[float] = [cost[f"train{middle}"] for cost in costs]
    predicting: list[float] = [cost[f"predict{middle}"] for cost in costs]
    return (sum(training) if trains_each(system) else training[0]) + sum(predicting)
