"""report.html: one file that asks for nothing else, in which all that comes from data is escaped.

A content-security policy lets the page's own style and script run, by their hashes, and nothing besides: no network,
no script that got in through data, no inline style.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from comparisons.report.base import Section, Table
from comparisons.report.drawing import DARK, LIGHT
from comparisons.report.inline import cell_to_html
from comparisons.report.values import number_columns, sort_value
from xlembed.errors import require

_LONG = 40  # characters; a longer cell wraps, and its column keeps a width to read in


@dataclass(frozen=True)
class Part:
    """A section as the page's template needs it."""

    section: Section
    id: str  # the anchor that the contents lead to
    svg: Any  # its picture as HTML; empty where it has none, or a PNG alone
    is_number: list[bool]  # a column
    rows: list[list[Any]]  # cells, as HTML


def html_page(environment: Any, title: str, sections: Sequence[Section], svgs: Mapping[str, str]) -> str:
    """The page; `svgs` gives the picture as HTML that stands for a PNG, by its name."""
    markup = require("markupsafe", "report").Markup
    style, script = style_text(), files("comparisons.report").joinpath("report.js").read_text("utf-8")
    template = environment.get_template("report.html.j2")
    page: str = template.render(title=title, parts=_parts(sections, svgs, markup), policy=policy(style, script),
                                style=markup(style), script=markup(script))  # fmt: skip
    return page


def policy(style: str, script: str) -> str:
    """The content-security policy of a page with this style and this script."""
    return (f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
            "base-uri 'none'; form-action 'none'")  # fmt: skip


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def style_text() -> str:
    """The style sheet: both palettes, the colour of each style of a picture's shapes, and report.css."""
    light, dark = (" ".join(f"--{name}: {value};" for name, value in one.items()) for one in (LIGHT, DARK))
    shapes = "\n".join(f"svg .{name} {{ color: var(--{name}); }}" for name in LIGHT)
    return (f":root {{ {light} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n{shapes}\n"
            + files("comparisons.report").joinpath("report.css").read_text("utf-8"))  # fmt: skip


def _parts(sections: Sequence[Section], svgs: Mapping[str, str], markup: Any) -> list[Part]:
    parts: list[Part] = []
    for section, name in zip(sections, slugs([section.heading for section in sections]), strict=True):
        svg = markup(svgs.get(section.image or "", ""))
        is_number = number_columns(section.table) if section.table else []
        rows = _rows(section.table, is_number, markup) if section.table else []
        parts.append(Part(section, name, svg, is_number, rows))
    return parts


def slugs(headings: Sequence[str]) -> list[str]:
    """An anchor a heading: its ASCII letters and digits, and a number where that is nothing or taken already."""
    found: list[str] = []
    for heading in headings:
        name = base = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") or "section"
        number = 1
        while name in (*found, "report"):  # the main part's own
            number += 1
            name = f"{base}-{number}"
        found.append(name)
    return found


def _rows(table: Table, is_number: Sequence[bool], markup: Any) -> list[list[Any]]:
    """Cells as HTML: the first of a row heads it, those of number columns carry their number for sorting."""
    return [[markup(_cell(text, i, is_number[i])) for i, text in enumerate(row)] for row in table.rows]


def _cell(text: str, column: int, is_number: bool) -> str:
    value = sort_value(text) if is_number else None
    classes = ["number"] if is_number else ["long"] if len(text) > _LONG else []
    tag = "th" if column == 0 else "td"
    told = ' scope="row"' if column == 0 else ""
    told += f' class="{classes[0]}"' if classes else ""
    told += "" if value is None else f' data-value="{value!r}"'
    return f"<{tag}{told}>{cell_to_html(text)}</{tag}>"
