"""Sections into markdown, HTML (one file, pictures inside) and LaTeX tables."""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path
from typing import Any

from comparisons.report.pictures import draw_task
from comparisons.report.probes import probe_sections
from comparisons.report.sections import sections_of
from comparisons.summary import read_summary
from xlembed.errors import InputError, require
from xlembed.files import write_text

FORMATS = ("md", "html", "tex")


def write_reports(folder: Path, formats: tuple[str, ...] = ("md", "html")) -> list[Path]:
    """Write report.md, report.html or report.tex of a finished run, and their pictures. Returns the paths."""
    for one in formats:
        if one not in FORMATS:
            raise InputError(f"unknown format {one!r}: choose {', '.join(FORMATS)}")
    summary = read_summary(folder)
    images = {}
    for task in summary["experiment"]["tasks"]:
        images[task["name"]] = f"{task['name']}.png"
        draw_task(summary, task, folder / images[task["name"]])
    sections = sections_of(summary, images, probe_sections(folder))
    environment = _environment(folder)
    written = []
    for one in formats:
        template = environment.get_template(f"report.{one}.j2")
        text = template.render(title=summary["experiment"]["title"], sections=sections)
        written.append(folder / f"report.{one}")
        write_text(written[-1], text if one == "html" else re.sub(r"\n{3,}", "\n\n", text).strip() + "\n")
    return written


def need_report_libraries() -> None:
    """Raise InputError where the libraries of the report are missing."""
    require("jinja2", "report")
    require("matplotlib", "report")


def _environment(folder: Path) -> Any:
    jinja2 = require("jinja2", "report")
    markup = require("markupsafe", "report").Markup
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("comparisons.report", package_path="."),
        autoescape=lambda name: name is not None and ".html" in name,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    environment.filters["tex"] = _tex
    environment.filters["inline"] = lambda text: markup(_inline(str(text)))
    environment.filters["data_uri"] = lambda name: _data_uri(folder / name)
    return environment


def _inline(text: str) -> str:
    """The little markdown that sections use: **strong**, *emphasis*, `code`."""
    text = html.escape(text)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"(?<!\w)\*(?=\S)([^*]+)(?<=\S)\*(?!\w)", r"<em>\1</em>", text)


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


_TEX = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
        "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "—": "--"}  # fmt: skip


def _tex(text: str) -> str:
    return "".join(_TEX.get(char, char) for char in str(text).replace("**", "").replace("`", ""))
