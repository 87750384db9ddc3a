"""Every format of a report from the summary of a finished run.

The same summary gives the same bytes, whatever the machine's language, time and hash seed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from comparisons.changes import changes
from comparisons.experiment import NAME_RULE, is_name
from comparisons.report.base import Section
from comparisons.report.changes import change_sections
from comparisons.report.inline import (
    cell_to_html,
    cell_to_markdown,
    heading_to_markdown,
    one_line,
    paragraph_to_html,
    paragraph_to_markdown,
)
from comparisons.report.latex import latex_tables
from comparisons.report.page import html_page
from comparisons.report.pictures import draw_cost, draw_task, svg_cost, svg_task
from comparisons.report.probes import probe_sections
from comparisons.report.sections import sections_of
from comparisons.report.tables import write_scores
from comparisons.report.values import number_columns
from comparisons.summary import SUMMARY, read_summary
from xlembed.errors import InputError, at, require
from xlembed.files import write_json, write_text

FORMATS = ("md", "html", "tex")


def write_reports(folder: Path, formats: tuple[str, ...] = ("md", "html")) -> list[Path]:
    """Write report.md (with its PNG pictures), report.html or report.tex of a finished run. Returns their paths.

    scores.json, its schema, and scores.csv are written with any of them. Raises InputError for an unknown format and
    for a folder without a summary.
    """
    for one in formats:
        if one not in FORMATS:
            raise InputError(f"unknown format {one!r}: choose {', '.join(FORMATS)}")
    summary, probes = read_summary(folder), probe_sections(folder)
    with _sound(folder / SUMMARY):
        _check_names(summary)
        images, cost_images, svgs = _pictures(summary)
        sections = sections_of(summary, images, probes, cost_images)
        environment, title = _environment(folder), str(summary["experiment"]["title"])
        makers = {
            "md": lambda: _markdown(environment, title, sections),
            "html": lambda: html_page(environment, title, sections, svgs),
            "tex": lambda: latex_tables(sections),
        }
        texts = {folder / f"report.{one}": makers[one]() for one in formats}
        write_scores(folder, summary)
        if "md" in formats:
            _draw(summary, folder)
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


@contextmanager
def _sound(*paths: Path) -> Iterator[None]:
    """What a summary of another shape makes fail, in whatever part of the report, as an InputError that names it."""
    named = " or ".join(map(str, paths))
    try:
        yield
    except InputError as err:
        if any(str(path) in str(err) for path in paths):
            raise
        raise at(named, None, str(err)) from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration, ArithmeticError,
            RecursionError, RuntimeError) as err:  # fmt: skip
        reason = f"{type(err).__name__} {' '.join(str(err).split())[:100]}"
        raise at(named, None, f"is damaged ({reason}): run `xlembed compare` again") from err


def _check_names(summary: dict[str, Any]) -> None:
    """Raise InputError for a name that pictures cannot be named after: it could lead out of the folder."""
    for task in summary["experiment"]["tasks"]:
        if not is_name(task["name"]):
            raise InputError(f"has a task {task['name']!r}: {NAME_RULE}")


def write_changes(before: Path, after: Path, out: Path) -> list[Path]:
    """Write changes.md, changes.html and changes.json on what changed between two runs. Returns their paths."""
    need_report_libraries()
    with _sound(before, after):
        found = changes(before, after)
        title = f"{found['after']['folder']} against {found['before']['folder']}"
        environment, sections = _environment(out), change_sections(found)
        texts = {out / "changes.md": _markdown(environment, title, sections),
                 out / "changes.html": html_page(environment, title, sections, {})}  # fmt: skip
    for path, text in texts.items():
        write_text(path, text)
    write_json(out / "changes.json", found)
    return [*texts, out / "changes.json"]


def need_report_libraries() -> None:
    """Raise InputError where the libraries of the report are missing."""
    require("jinja2", "report")
    require("matplotlib", "report")


def _pictures(summary: dict[str, Any]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """The names of the pictures of each task, of its figures and of its costs, and the SVG that stands
    for each."""
    images, cost_images, svgs = {}, {}, {}
    for task in summary["experiment"]["tasks"]:
        images[task["name"]] = f"{task['name']}.png"
        svgs[images[task["name"]]] = svg_task(summary, task)
        if cost := svg_cost(summary, task):
            cost_images[task["name"]] = f"{task['name']}.cost.png"
            svgs[cost_images[task["name"]]] = cost
    return images, cost_images, svgs


def _draw(summary: dict[str, Any], folder: Path) -> None:
    for task in summary["experiment"]["tasks"]:
        draw_task(summary, task, folder / f"{task['name']}.png")
        draw_cost(summary, task, folder / f"{task['name']}.cost.png")


def _markdown(environment: Any, title: str, sections: list[Section]) -> str:
    text = environment.get_template("report.md.j2").render(title=title, sections=sections)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _environment(folder: Path) -> Any:
    """The templates and what they call; HTML is escaped unless it is marked as made here."""
    jinja2 = require("jinja2", "report")
    markup = require("markupsafe", "report").Markup
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("comparisons.report", package_path="."),
        autoescape=lambda name: name is not None and ".html" in name,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "line": one_line,
        "number_columns": number_columns,
        "heading_md": heading_to_markdown,
        "paragraph_md": paragraph_to_markdown,
        "cell_md": cell_to_markdown,
        "alt_md": lambda text: heading_to_markdown(text).replace("]", "\\]"),
        "paragraph_html": lambda text: markup(paragraph_to_html(text)),
        "cell_html": lambda text: markup(cell_to_html(text)),
        "data_uri": lambda name: _data_uri(folder / name),
    }
    return environment


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
