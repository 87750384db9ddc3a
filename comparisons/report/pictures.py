"""The pictures of a task: its figures as bars, its scores against cost; PNG for report.md, SVG for report.html."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from comparisons.report.bars import panels
from comparisons.report.drawing import as_svg, write_png
from comparisons.report.scatter import scatter


def draw_task(summary: dict[str, Any], task: dict[str, Any], path: Path) -> None:
    """Write a PNG of the main metric, a panel a language, a bar a system."""
    write_png(panels(summary, task), path)


def svg_task(summary: dict[str, Any], task: dict[str, Any]) -> list[str]:
    """The same as <svg> elements, one a language."""
    return [as_svg(one) for one in panels(summary, task)]


def draw_cost(summary: dict[str, Any], task: dict[str, Any], path: Path) -> bool:
    """Write a PNG of the main metric against cost; False, and no file, for a task where no system ran."""
    drawing = scatter(summary, task)
    if drawing is None:
        return False
    write_png([drawing], path)
    return True


def svg_cost(summary: dict[str, Any], task: dict[str, Any]) -> str:
    """The same as an <svg> element; empty for a task where no system ran."""
    drawing = scatter(summary, task)
    return "" if drawing is None else as_svg(drawing)
