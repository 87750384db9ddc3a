"""The section that sets published figures beside ours, each with its protocol and with what differs from ours."""

from __future__ import annotations

from typing import Any

from baselines.metrics import MAIN_METRIC
from comparisons.published import LANGUAGE_SETS, PublishedRow, find_reference, rows_of_task
from comparisons.report.base import ABSENT, Section, Table, score_of
from comparisons.report.protocol import TARGET_LABELS, Ours, differences, ours_of, scores_of, way_of


def published_section(summary: dict[str, Any], task: dict[str, Any]) -> Section:
    """Our systems on a task, then published ones: zero-shot, and in the ways of translation that ours use.

    Rows with figures in the task's languages come first, those with nothing but an average after them; where the task
    names a reference, its distance to each of our systems comes last.
    """
    source, ours = summary["experiment"]["source"], ours_of(summary, task)
    published = _shown(task, ours)
    rows = _our_rows(summary, task)
    for row in published:
        cells = [row.values.get(lang, ABSENT) for lang in task["languages"]]
        reading = "" if row.reading == "primary" else f" ({row.reading} reading)"
        found = differences(row, ours, task, source)
        rows.append([row.system, *cells, _printed_average(row), f"{row.setting}; {row.selection}",
                     "; ".join(found) or ABSENT, row.source + reading])  # fmt: skip
    if task["reference"]:
        zero_shot = [row for row in published if row.way == "zero-shot" and row.values]
        rows += _distances(summary, task, find_reference(zero_shot, task["reference"]))
    return Section(
        f"{task['name']}: beside published figures",
        ["Published figures are as printed, each with its protocol. They are *not* like for like with ours in what the "
         "last but one column names; it knows what the sources tell, and takes an equal number of training items for "
         "equal data. An average stands with its number of languages, the source language among them."],
        Table(["system", *task["languages"], "average", "protocol", "differs from ours in", "source"], rows),
    )  # fmt: skip


def _shown(task: dict[str, Any], ours: list[Ours]) -> list[PublishedRow]:
    """The rows of the ways that we use; those with figures in our languages first, in the order of the file."""
    ways = {"zero-shot"} | {one.way for one in ours}
    rows = [row for row in rows_of_task(task["published"], task["languages"]) if row.way in ways]
    return [row for row in rows if row.values] + [row for row in rows if not row.values]


def _our_rows(summary: dict[str, Any], task: dict[str, Any]) -> list[list[str]]:
    metric, rows = MAIN_METRIC[task["kind"]], []
    for system in summary["experiment"]["systems"]:
        scores = [score_of(summary, task["name"], system["name"], lang) for lang in task["languages"]]
        if any(scores):
            values = [score["figures"][metric]["value"] if score else None for score in scores]
            cells = [ABSENT if value is None else f"{value:.1f}" for value in values]
            known = [value for value in values if value is not None]
            average = ABSENT if len(known) < len(values) else f"{sum(known) / len(known):.1f} ({len(known)})"
            rows.append([f"{system['name']} (ours)", *cells, average, _protocol(summary, task, system), ABSENT,
                         "this run"])  # fmt: skip
    return rows


def _printed_average(row: PublishedRow) -> str:
    """The first average that the source prints, with its number of languages."""
    for name, value in row.averages.items():
        languages = LANGUAGE_SETS.get((row.task, name))
        return f"{value} ({len(languages)})" if languages else f"{value} ({name})"
    return ABSENT


def _distances(summary: dict[str, Any], task: dict[str, Any], reference: PublishedRow) -> list[list[str]]:
    """Ours minus a published system, for each of our systems and each language that both have."""
    metric, rows = MAIN_METRIC[task["kind"]], []
    for system in summary["experiment"]["systems"]:
        if system["type"] == "majority":
            continue
        cells = []
        for lang in task["languages"]:
            score, theirs = score_of(summary, task["name"], system["name"], lang), reference.values.get(lang)
            if score is None or theirs is None:
                cells.append(ABSENT)
            else:
                cells.append(f"{score['figures'][metric]['value'] - float(theirs):+.1f}")
        if set(cells) != {ABSENT}:
            rows.append([f"{system['name']} minus {reference.system}", *cells, ABSENT, "the two protocols above",
                         ABSENT, "computed"])  # fmt: skip
    return rows


def _protocol(summary: dict[str, Any], task: dict[str, Any], system: dict[str, Any]) -> str:
    scores, source = scores_of(summary, task, system), summary["experiment"]["source"]
    settings = scores[0]["signature"]["settings"]
    way = way_of(system, scores) + (f" ({system['translate']['route']})" if system.get("translate") else "")
    if system["type"] == "predictions" or "n_train" not in settings:  # how those were trained is not known here
        return way
    if way == TARGET_LABELS[1]:  # settings tell the source's data
        return way
    text = f"{way}; trained on {settings['n_train']:,} items in {source}"
    if system["type"] != "majority":
        n_seeds = len(system["seeds"])
        text += f"; best epoch on {settings.get('n_dev', 0):,} dev items in {source}"
        text += f"; mean of {n_seeds} seeds" if n_seeds > 1 else "; 1 seed"
    return text
