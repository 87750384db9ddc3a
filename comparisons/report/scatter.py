"""Score against cost as a picture: a dot a system, and the Pareto front as steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from baselines.metrics import MAIN_METRIC
from comparisons.report.bars import shortened
from comparisons.report.base import SHORT_METRIC, seconds_text
from comparisons.report.drawing import Dot, Drawing, Line, Rect, Text, colour
from comparisons.report.pareto import Point, cost_points, cost_unit, pareto, shared_targets

WIDTH, HEIGHT = 600, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 588, 34, 350  # the box that the dots lie in
_TICKS = {0.01: "10 ms", 0.1: "0.1 s", 1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 36000: "10 h",
          360000: "100 h", 3600000: "1000 h"}  # fmt: skip
_TICKS_BETWEEN = {0.03: "30 ms", 0.3: "0.3 s", 3: "3 s", 30: "30 s", 180: "3 min", 1800: "30 min", 10800: "3 h",
                  108000: "30 h", 1080000: "300 h"}  # fmt: skip
_WIDE = 2  # powers of ten from the cheapest to the dearest, beyond which the ticks between are too many
_LEAST = min(_TICKS)  # a cost of 0 has no place on a logarithmic scale
_RADIUS = 5
_LONGEST = 40  # characters of a label


def scatter(summary: dict[str, Any], task: dict[str, Any]) -> Drawing | None:
    """Cost to the right on a logarithmic scale, the score upwards; None for a task where no system ran."""
    points = cost_points(summary, task)
    if not points:
        return None
    metric, shared = SHORT_METRIC[MAIN_METRIC[task["kind"]]], shared_targets(summary, task)
    what = f"{metric} (%), " + (f"mean of {', '.join(shared)}" if shared else summary["experiment"]["source"])
    unit, front = cost_unit(summary, task), pareto(points)
    axes = _Axes(points)
    steps = axes.steps(front)
    places = {system["name"]: i for i, system in enumerate(summary["experiment"]["systems"])}
    shapes: list[Line | Text | Rect | Dot] = [*axes.grid(), Text(0, 14, shortened(what, 60), "muted"),
              Text(_RIGHT, HEIGHT - 12, f"{unit} to train and predict", "muted", "end"),
              Line(steps, "muted", 1.5)]  # fmt: skip
    shapes += [Dot(*axes.place(point), _RADIUS, colour(places[point.name])) for point in points]
    shapes += _labels([(*axes.place(point), shortened(point.name, _LONGEST)) for point in points], steps)
    pocket = " (pocket data)" if summary["experiment"]["small"] else ""
    told = "; ".join(f"{name} {score:.1f} at {seconds_text(cost)}" for name, cost, score in points)
    label = f"{task['name']}{pocket}, {what} against {unit}: {told}. On the Pareto front: {', '.join(front)}"
    return Drawing(WIDTH, HEIGHT, label, tuple(shapes))


class _Axes:
    """From cost and score to pixels."""

    def __init__(self, points: Sequence[Point]) -> None:
        self.points = {point.name: point for point in points}
        costs = [max(point.cost, _LEAST) for point in points]
        scores = [point.score for point in points]
        self.left, self.right = math.log10(min(costs) / 1.6), math.log10(max(costs) * 1.6)
        self.step = 5 if max(scores) - min(scores) < 25 else 10
        self.low = max(math.floor((min(scores) - 1) / self.step) * self.step, 0)
        self.high = min(math.ceil((max(scores) + 1) / self.step) * self.step, 100)

    def x(self, cost: float) -> float:
        part = (math.log10(max(cost, _LEAST)) - self.left) / (self.right - self.left)
        return _LEFT + (_RIGHT - _LEFT) * part

    def y(self, score: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (score - self.low) / (self.high - self.low)

    def place(self, point: Point) -> tuple[float, float]:
        return self.x(point.cost), self.y(point.score)

    def grid(self) -> list[Line | Text]:
        shapes: list[Line | Text] = []
        for score in range(self.low, self.high + 1, self.step):
            shapes.append(Line(((_LEFT, self.y(score)), (_RIGHT, self.y(score))), "grid"))
            shapes.append(Text(_LEFT - 6, self.y(score) + 4, str(score), "muted", "end", 11))
        for seconds, name in (_TICKS | (_TICKS_BETWEEN if self.right - self.left < _WIDE else {})).items():
            if self.left <= math.log10(seconds) <= self.right:
                shapes.append(Line(((self.x(seconds), _TOP), (self.x(seconds), _BOTTOM)), "grid"))
                shapes.append(Text(self.x(seconds), _BOTTOM + 16, name, "muted", "middle", 11))
        return shapes

    def steps(self, front: Sequence[str]) -> tuple[tuple[float, float], ...]:
        """For each cost the best score that it buys: level to the next point of the front, then up."""
        corners = [self.place(self.points[name]) for name in front]
        path = [corners[0]]
        for x, y in corners[1:]:
            path += [(x, path[-1][1]), (x, y)]
        return (*path, (_RIGHT, path[-1][1]))


def _labels(dots: Sequence[tuple[float, float, str]], steps: Sequence[tuple[float, float]]) -> list[Text | Line]:
    """A label beside each dot, clear of all else where there is room; one that is far off has a line to its dot."""
    taken = [(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y, _ in dots]
    taken += [(min(a, c) - 1, min(b, d) - 1, max(a, c) + 1, max(b, d) + 1) for (a, b), (c, d) in pairwise(steps)]
    shapes: list[Text | Line] = []
    for x, y, name in dots:
        tries = [Text(x + dx, y + dy, name, "ink", anchor) for dx, dy, anchor in _OFFSETS]
        inside = [one for one in tries if _is_inside(_box(one))] or tries
        best = min(inside, key=lambda one: sum(_overlap(_box(one), other) for other in taken))  # the first of equals
        taken.append(_box(best))
        if abs(best.y - y) > 18:
            shapes.append(Line(((x, y), (best.x, best.y - (0 if best.y < y else 9))), "muted", 0.75))
        shapes.append(best)
    return shapes


_OFFSETS = [(8, 4, "start"), (-8, 4, "end"), (0, -9, "middle"), (0, 18, "middle")] + [
    (dx, sign * dy, anchor)
    for dy in range(20, 200, 15)
    for sign in (1, -1)
    for dx, anchor in ((8, "start"), (-8, "end"), (0, "middle"))
]


def _box(text: Text) -> tuple[float, float, float, float]:
    left = text.x - {"start": 0, "middle": 0.5, "end": 1}[text.anchor] * text.width
    return left, text.y - 0.85 * text.size, left + text.width, text.y + 0.25 * text.size


def _is_inside(box: tuple[float, float, float, float]) -> bool:
    return box[0] >= _LEFT and box[1] >= _TOP - 8 and box[2] <= WIDTH and box[3] <= _BOTTOM


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """The area that two boxes have in common."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0)
