"""Sections on differences between systems, and between the seeds of one."""

from __future__ import annotations

from typing import Any

from baselines.metrics import MAIN_METRIC
from comparisons.report.base import ABSENT, Section, Table, differences_of, figure_text, lang_name, p_text, signed_text

MANY_PAIRS = 15


def difference_section(summary: dict[str, Any], task: dict[str, Any]) -> Section:
    found = differences_of(summary, task["name"])
    names = [s["name"] for s in summary["experiment"]["systems"]]
    pairs = list(dict.fromkeys((one["system"], one["other"]) for one in found))
    left_out = ""
    if len(pairs) > MANY_PAIRS:
        shown = [(a, b) for a, b in pairs if names.index(a) - names.index(b) == 1 or _is_floor(summary, b)]
        left_out = (f" The table has each system beside its neighbour and the floor; all {len(pairs)} pairs are in "
                    "summary.json, and the correction counts them all.")  # fmt: skip
        pairs = shown
    rows = []
    for system, other in pairs:
        cells = {one["lang"]: one for one in found if (one["system"], one["other"]) == (system, other)}
        notes = list(dict.fromkeys(note for one in cells.values() for note in one["notes"]))
        rows.append([f"{system} minus {other}", *[_difference_text(cells.get(lang)) for lang in task["languages"]],
                     "; ".join(notes) or ABSENT])  # fmt: skip
    return Section(
        f"{task['name']}: differences between systems",
        ["Paired on the same test items, in points, with the 95 % interval over items. p: approximate randomisation, "
         f"corrected for the {len(found)} differences of this task (Holm). *Not clear*: p over 0.05, or 0 within an "
         "interval, be it over the items alone or over items and seeds where a system has several." + left_out],
        Table(["difference", *[lang_name(summary, lang) for lang in task["languages"]], "not made alike"], rows),
    )  # fmt: skip


def _is_floor(summary: dict[str, Any], name: str) -> bool:
    return any(s["name"] == name and s["type"] == "majority" for s in summary["experiment"]["systems"])


def _difference_text(one: dict[str, Any] | None) -> str:
    if one is None:
        return ABSENT
    return f"{signed_text(one['figure'])} p {p_text(one)}" + ("" if one["is_clear"] else " (not clear)")


def seed_section(summary: dict[str, Any], task: dict[str, Any]) -> Section | None:
    """Spread over seeds, where a system has several."""
    metric, rows = MAIN_METRIC[task["kind"]], []
    for score in summary["scores"]:
        if score["task"] == task["name"] and len(score["by_seed"]) > 1:
            values = [one[metric] for one in score["by_seed"].values()]
            mean = score["figures"][metric]["value"]
            rows.append([score["system"], score["lang"], ", ".join(f"{one:.1f}" for one in values),
                         f"{score['seed_median']:.1f}", f"{mean:.1f}", f"{score['seed_sd']:.1f}",
                         figure_text(score["with_seeds"]), "; ".join(score["flags"]) or ABSENT])  # fmt: skip
    if not rows:
        return None
    return Section(
        f"{task['name']}: seeds",
        ["What another seed would have given. The last interval draws seeds and test items anew (hierarchical "
         "bootstrap); with three seeds it is a rough one."],
        Table(["system", "language", "seeds", "median", "mean", "sd", "items and seeds, 95 %", "failed seeds"], rows),
    )  # fmt: skip
