"""The pictures of a task: its figures as bars, its scores against cost; PNG for report.md, SVG for report.html."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from comparisons.report.bars import panels
from comparisons.report.drawing import as_svg, write_png
from comparisons.report.scatter import scatter


def draw_task(summary: dict[str, Any], task: dict[str, Any], path: Path) -> None:
    """Write a PNG of the main metric, a panel a language, a bar a system."""
    write_png(panels(summary, task), path)


def svg_task(summary: dict[str, Any], task: dict[str, Any]) -> str:
    """The same for an HTML page: an <svg> a language, side by side where there is room."""
    return '<div class="panels">\n' + "\n".join(as_svg(one) for one in panels(summary, task)) + "\n</div>"


def draw_cost(summary: dict[str, Any], task: dict[str, Any], path: Path) -> bool:
    """Write a PNG of the main metric against cost; False, and no file, for a task where no system ran."""
    drawing = scatter(summary, task)
    if drawing is None:
        return False
    write_png([drawing], path)
    return True


def svg_cost(summary: dict[str, Any], task: dict[str, Any]) -> str:
    """The same for an HTML page, in a box that scrolls; empty for a task where no system ran."""
    drawing = scatter(summary, task)
    if drawing is None:
        return ""
    label = html.escape(f"Picture: {task['name']}, score against cost")
    return f'<div class="scroll" role="group" tabindex="0" aria-label="{label}">\n{as_svg(drawing)}\n</div>'
