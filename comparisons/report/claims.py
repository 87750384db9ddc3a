"""The section on what is often said of the run's tasks: the verdict, and what this run measured."""

from __future__ import annotations

from typing import Any

from comparisons.claims import Claim, claims_about, measured
from comparisons.report.base import ABSENT, Section, Table


def claims_section(summary: dict[str, Any]) -> Section | None:
    """Claims about the run's tasks and about encoders in general; None where no task has published figures."""
    tasks = [task["published"] for task in summary["experiment"]["tasks"] if task["published"]]
    if not tasks:
        return None
    rows = [[claim.text, claim.verdict, f"{claim.says} ({claim.source})", _this_run(claim, summary)]
            for claim in claims_about(tasks)]  # fmt: skip
    return Section(
        "Claims",
        ["What is often said of these tasks and of encoders, whether it holds, and what *this run* measured where it "
         "has what that takes. A run with other training data or other languages neither proves nor refutes a "
         "published figure; it says what to expect here."],
        Table(["claim", "verdict", "what the sources say", "this run"], rows),
    )  # fmt: skip


def _this_run(claim: Claim, summary: dict[str, Any]) -> str:
    sentence = measured(claim, summary)
    if sentence is not None:
        return sentence
    return f"not measured; try {claim.probe}" if claim.probe else ABSENT
