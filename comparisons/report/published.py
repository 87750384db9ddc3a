"""The section that sets published figures beside ours, each with its protocol."""

from __future__ import annotations

from typing import Any

from baselines.metrics import MAIN_METRIC
from comparisons.published import PublishedRow, find_reference, published_rows
from comparisons.report.base import ABSENT, Section, Table, score_of


def published_section(summary: dict[str, Any], task: dict[str, Any]) -> Section:
    metric = MAIN_METRIC[task["kind"]]
    rows = []
    for system in summary["experiment"]["systems"]:
        scores = [score_of(summary, task["name"], system["name"], lang) for lang in task["languages"]]
        if any(scores):
            cells = [f"{s['figures'][metric]['value']:.1f}" if s else ABSENT for s in scores]
            rows.append([f"{system['name']} (ours)", *cells, _protocol(summary, task, system), "this run"])
    published = published_rows(task["published"], task["languages"])
    for row in published:
        cells = [row.values.get(lang, ABSENT) for lang in task["languages"]]
        reading = "" if row.reading == "primary" else f" ({row.reading} reading)"
        rows.append([row.system, *cells, f"{row.setting}; {row.selection}", row.source + reading])
    if task["reference"]:
        rows += _distances(summary, task, find_reference(published, task["reference"]))
    return Section(
        f"{task['name']}: beside published figures",
        ["Published figures are as printed, each with its protocol. They are *not* like for like with ours "
         "where training data, model selection or preprocessing differ; see the protocol column and the notes."],
        Table(["system", *task["languages"], "protocol", "source"], rows),
    )  # fmt: skip


def _distances(summary: dict[str, Any], task: dict[str, Any], reference: PublishedRow) -> list[list[str]]:
    """Ours minus a published system, for each of our systems and each language that both have."""
    metric, rows = MAIN_METRIC[task["kind"]], []
    for system in summary["experiment"]["systems"]:
        if system["type"] == "majority":
            continue
        cells = []
        for lang in task["languages"]:
            score, theirs = score_of(summary, task["name"], system["name"], lang), reference.values.get(lang)
            both = score is not None and theirs is not None
            cells.append(f"{score['figures'][metric]['value'] - float(theirs):+.1f}" if both else ABSENT)
        if set(cells) != {ABSENT}:
            rows.append([f"{system['name']} minus {reference.system}", *cells, "the two protocols above", "computed"])
    return rows


def _protocol(summary: dict[str, Any], task: dict[str, Any], system: dict[str, Any]) -> str:
    score = score_of(summary, task["name"], system["name"], summary["experiment"]["source"])
    settings = score["signature"]["settings"] if score else {}
    n_seeds = 1 if system["type"] == "majority" else len(system["seeds"])
    translate = system.get("translate")
    way = f"translate-{translate['direction']} ({translate['route']})" if translate else "zero-shot"
    text = f"{way}; trained on {settings.get('n_train', 0):,} items in {summary['experiment']['source']}"
    if system["type"] != "majority":
        text += f"; best epoch on {settings.get('n_dev', 0):,} dev items in {summary['experiment']['source']}"
        text += f"; mean of {n_seeds} seeds" if n_seeds > 1 else "; 1 seed"
    return text
