"""The section on cost."""

from __future__ import annotations

from typing import Any

from comparisons.report.base import ABSENT, Section, Table, seconds_text


def cost_section(summary: dict[str, Any]) -> Section:
    rows, total = [], 0.0
    for task in summary["experiment"]["tasks"]:
        for system in summary["experiment"]["systems"]:
            scores = [s for s in summary["scores"] if s["task"] == task["name"] and s["system"] == system["name"]]
            if not scores:
                continue
            cost = scores[0]["cost"]
            predict = sum(s["cost"]["predict_seconds"] for s in scores)
            items = sum(s["n_items"] for s in scores)
            total += (cost["train_seconds"] + predict) * len(scores[0]["by_seed"])
            rows.append([task["name"], system["name"], f"{cost['n_parameters'] / 1e6:.2f} M",
                         f"{cost['n_trained'] / 1e6:.2f} M", seconds_text(cost["train_seconds"]), seconds_text(predict),
                         f"{items / max(predict, 1e-9):,.0f}" if predict >= 0.05 else ABSENT])  # fmt: skip
    return Section(
        "Cost",
        [f"Seconds of one seed (mean over seeds), all languages of the task together for prediction. Parameters of "
         f"a static system do not count its word vectors. All training and prediction of this run, over all seeds: "
         f"{seconds_text(total)}. Machine: {summary['machine']}."],
        Table(["task", "system", "parameters", "trained", "training", "prediction", "items a second"], rows),
    )  # fmt: skip
