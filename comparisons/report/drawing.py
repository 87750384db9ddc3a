"""A picture as a list of shapes, and its two renderings: SVG for report.html, PNG for report.md.

Coordinates are CSS pixels from the upper left corner. A shape's style is a name in the palettes: SVG carries it as a
class, so that a page colours the picture for light and dark; PNG is drawn in the light colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from comparisons.report.inline import one_line
from xlembed.errors import require
from xlembed.files import replacing

LIGHT = {
    "ink": "#1b1f24", "muted": "#57606a", "grid": "#d8dde3", "page": "#ffffff",
    "c0": "#0b6bb3", "c1": "#b8500f", "c2": "#0a7a5c", "c3": "#9a3f86",
    "c4": "#806300", "c5": "#4a6a94", "c6": "#b22f45", "c7": "#5f5f5f",
}  # fmt: skip
DARK = {
    "ink": "#e6e9ed", "muted": "#a3adb8", "grid": "#3a414a", "page": "#14171b",
    "c0": "#62b1f0", "c1": "#ff9d5c", "c2": "#45c9a0", "c3": "#e58fcd",
    "c4": "#d9bd45", "c5": "#a3b9d6", "c6": "#ff8795", "c7": "#b5b5b5",
}  # fmt: skip
N_COLOURS = 8
CHAR_WIDTH = 0.6  # of the font size, a little more than a sans-serif's mean
_SCALE = 1.5  # pixels of a PNG for one of a picture
_FONT_SCALE = 0.92  # matplotlib's own font is wider than those of browsers
_BETWEEN = 24  # pixels between the pictures of one PNG
_ALIGN = {"start": "left", "middle": "center", "end": "right"}


@dataclass(frozen=True)
class Text:
    """Text on a base line at y; `anchor` says which end of it x is: start, middle or end."""

    x: float
    y: float
    text: str
    style: str = "ink"
    anchor: str = "start"
    size: float = 12
    bold: bool = False

    @property
    def width(self) -> float:
        return len(self.text) * CHAR_WIDTH * self.size


@dataclass(frozen=True)
class Rect:
    x: float
    y: float
    width: float
    height: float
    style: str


@dataclass(frozen=True)
class Line:
    """Straight from point to point."""

    points: tuple[tuple[float, float], ...]
    style: str = "ink"
    width: float = 1


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    radius: float
    style: str


@dataclass(frozen=True)
class Drawing:
    """Shapes in the order of drawing, and the text that stands for them where they cannot be seen."""

    width: float
    height: float
    label: str
    shapes: tuple[Text | Rect | Line | Dot, ...]


def colour(i: int) -> str:
    return f"c{i % N_COLOURS}"


def as_svg(drawing: Drawing) -> str:
    """An <svg> element for an HTML page. It holds no id, so that any number of them live in one page."""
    box = f"0 0 {_number(drawing.width)} {_number(drawing.height)}"
    root = ElementTree.Element("svg", {"viewBox": box, "role": "img", "aria-label": one_line(drawing.label)})
    for shape in drawing.shapes:
        _add_svg(root, shape)
    return ElementTree.tostring(root, encoding="unicode")


def _add_svg(root: ElementTree.Element, shape: Text | Rect | Line | Dot) -> None:
    if isinstance(shape, Text):
        weight = {"font-weight": "bold"} if shape.bold else {}
        _element(root, "text", shape.style, x=shape.x, y=shape.y, anchor=shape.anchor, size=shape.size,
                 **weight).text = one_line(shape.text)  # fmt: skip
    elif isinstance(shape, Rect):
        _element(root, "rect", shape.style, x=shape.x, y=shape.y, width=shape.width, height=shape.height)
    elif isinstance(shape, Line):
        points = " ".join(f"{_number(x)},{_number(y)}" for x, y in shape.points)
        _element(root, "polyline", shape.style, points=points, stroke=shape.width)
    else:
        _element(root, "circle", shape.style, cx=shape.x, cy=shape.y, r=shape.radius)


def _element(root: ElementTree.Element, tag: str, style: str, **attributes: Any) -> ElementTree.Element:
    names = {"anchor": "text-anchor", "size": "font-size", "stroke": "stroke-width"}
    told = {names.get(k, k): v if isinstance(v, str) else _number(v) for k, v in attributes.items()}
    return ElementTree.SubElement(root, tag, {"class": style} | told)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def write_png(drawings: Sequence[Drawing], path: Path, n_columns: int = 3) -> None:
    """Pictures in a grid, row by row, as one PNG on white. The same pictures give the same bytes."""
    matplotlib = require("matplotlib", "report")
    from matplotlib.figure import Figure

    columns = min(n_columns, len(drawings))
    cell_width = max(one.width for one in drawings) + _BETWEEN
    cell_height = max(one.height for one in drawings) + _BETWEEN
    width, height = cell_width * columns, cell_height * -(-len(drawings) // columns)
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, "backend": "agg", "text.parse_math": False}):
        figure = Figure(figsize=(width / 72, height / 72), facecolor=LIGHT["page"])  # a point is a pixel
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        for i, drawing in enumerate(drawings):
            left, top = i % columns * cell_width + _BETWEEN / 2, i // columns * cell_height + _BETWEEN / 2
            for order, shape in enumerate(drawing.shapes):
                _add_png(axes, shape, left, top).set_zorder(order)
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=72 * _SCALE, metadata={"Software": None})


def _add_png(axes: Any, shape: Text | Rect | Line | Dot, left: float, top: float) -> Any:
    """Draw a shape; what was added is returned."""
    from matplotlib import patches

    colour = LIGHT[shape.style]
    if isinstance(shape, Text):
        return axes.text(left + shape.x, top + shape.y, shape.text, color=colour, ha=_ALIGN[shape.anchor],
                         va="baseline", fontsize=shape.size * _FONT_SCALE,
                         fontweight="bold" if shape.bold else "normal")  # fmt: skip
    if isinstance(shape, Line):
        xs, ys = zip(*shape.points, strict=True)
        return axes.plot([left + x for x in xs], [top + y for y in ys], color=colour, linewidth=shape.width,
                         solid_capstyle="butt")[0]  # fmt: skip
    patch: patches.Patch
    if isinstance(shape, Rect):
        patch = patches.Rectangle((left + shape.x, top + shape.y), shape.width, shape.height)
    else:
        patch = patches.Circle((left + shape.x, top + shape.y), shape.radius)
    patch.set(facecolor=colour, linewidth=0)
    return axes.add_patch(patch)
