"""What a system costs and what it scores, and which systems no other beats at both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from baselines.metrics import MAIN_METRIC
from comparisons.report.base import average_of, score_of, seconds_of


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
    """A point a system whose cost is known, in the order of the experiment.

    Score: the mean of the main metric over the task's shared targets (see `shared_targets`), or the source's figure
    where there are none. Cost: seconds of one seed (mean over seeds) to train and to predict the source and those
    targets; training counts once for all languages, or once a language where each has its own model. Processor
    seconds where all of these systems have them, else seconds by the clock: see `cost_unit`.
    """
    middle = _middle(summary, task)
    points = []
    for system, scores in _ran(summary, task):
        if all(_has(score["cost"], middle) for score in scores):
            name = system["name"]
            cost = seconds_of(system, [score["cost"] for score in scores], middle)
            points.append(Point(name, cost, _score(summary, task, name)))
    return points


def without_cost(summary: dict[str, Any], task: dict[str, Any]) -> list[str]:
    """Systems that have a score to plot, but no known cost."""
    placed = {point.name for point in cost_points(summary, task)}
    return [system["name"] for system, _ in _ran(summary, task) if system["name"] not in placed]


def shared_targets(summary: dict[str, Any], task: dict[str, Any]) -> list[str]:
    """The target languages that the task's means are over."""
    targets: list[str] = average_of(summary, task)["targets"]
    return targets


def cost_unit(summary: dict[str, Any], task: dict[str, Any]) -> str:
    """What the costs of `cost_points` are measured in."""
    return "processor seconds" if _middle(summary, task) == "_cpu_seconds" else "seconds"


def _ran(summary: dict[str, Any], task: dict[str, Any]) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each system that has a score to plot, with its scores on the source and the shared targets."""
    source, targets = summary["experiment"]["source"], shared_targets(summary, task)
    ran = []
    for system in summary["experiment"]["systems"]:
        found = {lang: one for lang in (source, *targets)
                 if (one := score_of(summary, task["name"], system["name"], lang))}  # fmt: skip
        if found and all(lang in found for lang in targets or [source]):
            ran.append((system, list(found.values())))
    return ran


def _score(summary: dict[str, Any], task: dict[str, Any], system: str) -> float:
    source, targets = summary["experiment"]["source"], shared_targets(summary, task)
    if targets:
        return float(average_of(summary, task)["systems"][system]["value"])
    score = score_of(summary, task["name"], system, source)
    assert score is not None  # only systems that ran are asked for
    return float(score["figures"][MAIN_METRIC[task["kind"]]]["value"])


def _middle(summary: dict[str, Any], task: dict[str, Any]) -> str:
    """Which seconds all systems have: the two kinds are never set side by side."""
    costs = [score["cost"] for _, scores in _ran(summary, task) for score in scores]
    known = [cost for cost in costs if _has(cost, "_seconds")]
    return "_cpu_seconds" if known and all(_has(cost, "_cpu_seconds") for cost in known) else "_seconds"


def _has(cost: dict[str, Any], middle: str) -> bool:
    return f"train{middle}" in cost and f"predict{middle}" in cost
