"""Sections on what changed between two runs."""

from __future__ import annotations

from typing import Any

from comparisons.report.base import ABSENT, Section, Table, figure_text, p_text, signed_text


def change_sections(found: dict[str, Any]) -> list[Section]:
    """From what `comparisons.changes.changes` found."""
    rows = found["rows"]
    clear = [row for row in rows if row["is_clear"]]
    better = sum(row["change"]["figure"]["value"] > 0 for row in clear)
    sections = [
        Section(
            "In short",
            [f"{found['after']['folder']} against {found['before']['folder']}: {len(rows)} scores are in both. "
             f"{better} became better and {len(clear) - better} worse by more than noise; {len(rows) - len(clear)} did "
             "not change clearly.",
             "A change is the later figure minus the earlier, paired on the same test items, with its 95 % interval. "
             "It is called clear where p (approximate randomisation, Holm's correction over the task) is at most 0.05 "
             "and 0 is outside the interval, over items alone and over items and seeds."],
        ),
        Section(
            "Changes",
            [],
            Table(["task", "system", "language", "before", "after", "change", "p", "clear", "made differently"],
                  [_row(row) for row in rows]),
        ),
    ]  # fmt: skip
    if found["refused"]:
        sections.append(
            Section(
                "Not compared",
                ["The same names, but other questions."],
                Table(["task", "system", "language", "why"],
                      [[one["task"], one["system"], one["lang"], one["why"]] for one in found["refused"]]),
            )
        )  # fmt: skip
    alone = [[*_names(one), which] for which in ("before", "after") for one in found[f"only_{which}"]]
    if alone:
        sections.append(Section("In one run alone", [], Table(["task", "system", "language", "run"], alone)))
    return sections


def _names(one: dict[str, Any]) -> list[str]:
    return [one["task"], one["system"], one["lang"]]


def _row(row: dict[str, Any]) -> list[str]:
    change = row["change"]
    return [
        *_names(row), figure_text(row["before"]), figure_text(row["after"]), signed_text(change["figure"]),
        p_text(change).removeprefix("= "), "yes" if row["is_clear"] else "no",
        "; ".join([*row["made"], *change["notes"]]) or ABSENT,
    ]  # fmt: skip
