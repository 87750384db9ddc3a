"""The main metric of a task as pictures: a panel a language, in it a bar a system with its interval."""

from __future__ import annotations

from typing import Any

from baselines.metrics import MAIN_METRIC
from comparisons.report.base import SHORT_METRIC, figure_text, lang_name, score_of, why_missing
from comparisons.report.drawing import Dot, Drawing, Line, Rect, Text, colour

WIDTH = 320
_TOP, _ROW, _BOTTOM = 30, 34, 18  # heights: the title, a system, the scale
_BAR, _BAR_TOP = 9, 17  # of a row
_LONGEST = 30  # characters of a name beside its figure


def panels(summary: dict[str, Any], task: dict[str, Any]) -> list[Drawing]:
    """One picture a language, all on one scale of 0 to 100 %."""
    return [_panel(summary, task, lang) for lang in task["languages"]]


def _panel(summary: dict[str, Any], task: dict[str, Any], lang: str) -> Drawing:
    metric = MAIN_METRIC[task["kind"]]
    systems = [system["name"] for system in summary["experiment"]["systems"]]
    bottom = _TOP + _ROW * len(systems)
    unit = f"{'pocket data, ' if summary['experiment']['small'] else ''}{SHORT_METRIC[metric]} (%)"
    shapes: list[Line | Text | Rect | Dot] = [
        *_scale(bottom), Text(0, 16, lang_name(summary, lang), size=14, bold=True),
        Text(WIDTH, 16, unit, "muted", "end", 11),
    ]  # fmt: skip
    told = []
    for i, system in enumerate(systems):
        score = score_of(summary, task["name"], system, lang)
        figure = score["figures"][metric] if score else None
        value = figure_text(figure) if figure else why_missing(summary, task["name"], system, lang)
        told.append(f"{system} {value}")
        shapes += _row(_TOP + i * _ROW, system, value, figure, colour(i))
    label = f"{task['name']}, {lang_name(summary, lang)}, {unit}: {'; '.join(told)}"
    return Drawing(WIDTH, bottom + _BOTTOM, label, tuple(shapes))


def _scale(bottom: int) -> list[Line | Text]:
    shapes: list[Line | Text] = []
    for percent, anchor in ((0, "start"), (25, "middle"), (50, "middle"), (75, "middle"), (100, "end")):
        for top in range(_TOP, bottom, _ROW):  # not behind the text
            shapes.append(Line(((_x(percent), top + _BAR_TOP - 1), (_x(percent), top + _BAR_TOP + _BAR + 1)), "grid"))
        shapes.append(Text(_x(percent), bottom + 13, str(percent), "muted", anchor, 10))
    return shapes


def _row(top: float, name: str, value: str, figure: dict[str, float] | None, style: str) -> list[Text | Rect | Line]:
    """Name and figure over the bar, the interval a line with ends on it."""
    shapes: list[Text | Rect | Line] = [
        Text(2, top + 12, shortened(name, _LONGEST)),
        Text(WIDTH - 2, top + 12, value, "ink" if figure else "muted", "end"),
    ]
    if figure:
        bar, middle = top + _BAR_TOP, top + _BAR_TOP + _BAR / 2
        low, high = _x(max(figure["low"], 0)), _x(min(figure["high"], 100))
        shapes.append(Rect(0, bar, _x(figure["value"]), _BAR, style))
        shapes.append(Line(((low, middle), (high, middle)), "ink", 1.5))
        shapes += [Line(((x, bar + 1), (x, bar + _BAR - 1)), "ink", 1.5) for x in (low, high)]
    return shapes


def shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _x(percent: float) -> float:
    return 1 + (WIDTH - 2) * percent / 100
