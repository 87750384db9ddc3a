"""What a system costs and what it scores, and which systems no other beats at both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from baselines.metrics import MAIN_METRIC
from comparisons.report.base import score_of


class Point(NamedTuple):
    """A system, the seconds that it takes (lower is better), and its score in percent (higher is better)."""

    name: str
    cost: float
    score: float


def pareto(points: Sequence[tuple[str, float, float]]) -> list[str]:
    """Names on the Pareto front of (name, cost, score), from the cheapest to the best.

    On the front is a point that no other beats: none costs at most as much and scores at least as much with one of
    the two better. Points equal in both are all on it, in the order given.
    """
    front: list[tuple[str, float, float]] = []
    for point in sorted(points, key=lambda p: (p[1], -p[2])):
        if not front or point[2] > front[-1][2] or point[1:] == front[-1][1:]:
            front.append(point)
    return [name for name, _, _ in front]


def cost_points(summary: dict[str, Any], task: dict[str, Any]) -> list[Point]:
    """A point a system that ran on the source language, in the order of the experiment.

    Score: the mean of the main metric over the targets that all of these systems ran on, or the source's figure where
    they share none. Cost: seconds of one seed (mean over seeds) to train and to predict the source and those
    targets; training counts once for all languages, or once a language where each has its own model
    (translate-train). Processor seconds where all systems have them, else seconds by the clock: see `cost_unit`.
    """
    source, shared = summary["experiment"]["source"], shared_targets(summary, task)
    is_cpu = _is_cpu(summary, task)
    points = []
    for system, found in _ran(summary, task):
        cost = _seconds(system, [found[lang] for lang in (source, *shared)], is_cpu)
        points.append(Point(system["name"], cost, _mean(_main(found[lang]) for lang in shared or [source])))
    return points


def shared_targets(summary: dict[str, Any], task: dict[str, Any]) -> list[str]:
    """The target languages that every system with a figure for the source language has one for too."""
    targets = [lang for lang in task["languages"] if lang != summary["experiment"]["source"]]
    ran = _ran(summary, task)
    return [lang for lang in targets if ran and all(lang in found for _, found in ran)]


def cost_unit(summary: dict[str, Any], task: dict[str, Any]) -> str:
    """What the costs of `cost_points` are measured in."""
    return "processor seconds" if _is_cpu(summary, task) else "seconds"


def _ran(summary: dict[str, Any], task: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each system that has a figure for the source language, with its scores by language."""
    ran = []
    for system in summary["experiment"]["systems"]:
        found = {lang: one for lang in task["languages"]
                 if (one := score_of(summary, task["name"], system["name"], lang))}  # fmt: skip
        if summary["experiment"]["source"] in found:
            ran.append((system, found))
    return ran


def _is_cpu(summary: dict[str, Any], task: dict[str, Any]) -> bool:
    """Whether every system's processor time is known: the two kinds of seconds are never set side by side."""
    costs = [score["cost"] for score in summary["scores"] if score["task"] == task["name"]]
    return all("train_cpu_seconds" in cost and "predict_cpu_seconds" in cost for cost in costs)


def _seconds(system: dict[str, Any], scores: Sequence[dict[str, Any]], is_cpu: bool) -> float:
    middle = "_cpu_seconds" if is_cpu else "_seconds"
    train = [score["cost"]["train" + middle] for score in scores]
    a_model_a_language = (system.get("translate") or {}).get("direction") == "train"
    return (sum(train) if a_model_a_language else train[0]) + sum(score["cost"]["predict" + middle] for score in scores)


def _main(score: dict[str, Any]) -> float:
    return score["figures"][MAIN_METRIC[score["kind"]]]["value"]


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
