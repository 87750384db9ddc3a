"""scores.json and scores.csv: every figure of a run in one table, for other programs."""

from __future__ import annotations

import csv
import io
import statistics
from importlib.resources import files
from pathlib import Path
from typing import Any

from baselines.metrics import MAIN_METRIC
from xlembed.files import write_json, write_text

SCHEMA = "scores.schema.json"
FORMAT = 1
COLUMNS = ("task", "kind", "system", "lang", "metric", "is_main", "value", "low", "high", "sd", "seeds", "n_items",
           "split", "gold_sha256", "signature", "flags")  # fmt: skip


def write_scores(folder: Path, summary: dict[str, Any]) -> list[Path]:
    """Write scores.json, the schema that it keeps to, and scores.csv. Returns their paths."""
    rows = score_rows(summary)
    paths = [folder / "scores.json", folder / SCHEMA, folder / "scores.csv"]
    experiment = summary["experiment"]
    missing = [{name: one[name] for name in ("task", "system", "lang", "why")} for one in summary["missing"]]
    write_json(paths[0], {"$schema": SCHEMA, "format": FORMAT, "experiment": experiment["name"],
                          "title": experiment["title"], "source": experiment["source"], "scores": rows,
                          "missing": missing})  # fmt: skip
    write_text(paths[1], files("comparisons.report").joinpath(SCHEMA).read_text("utf-8"))
    write_text(paths[2], _csv(rows))
    return paths


def score_rows(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a figure, in the order of the summary; figures, ends of intervals and deviations in percent."""
    return [
        {
            "task": score["task"],
            "kind": score["kind"],
            "system": score["system"],
            "lang": score["lang"],
            "metric": metric,
            "is_main": metric == MAIN_METRIC[score["kind"]],
            **{end: figure[end] for end in ("value", "low", "high")},
            "sd": _sd(score, metric),
            "seeds": [int(seed) for seed in score["by_seed"] if seed != "-"],
            "n_items": score["n_items"],
            "split": score["signature"].get("split"),
            "gold_sha256": score["signature"]["gold_sha256"],
            "signature": score.get("signature_line") or None,
            "flags": list(score["flags"]),
        }
        for score in summary["scores"]
        for metric, figure in score["figures"].items()
    ]


def _sd(score: dict[str, Any], metric: str) -> float | None:
    """Of the seeds' figures, None where there is one alone."""
    values = [one[metric] for one in score["by_seed"].values() if metric in one]
    return statistics.stdev(values) if len(values) > 1 else None


def _csv(rows: list[dict[str, Any]]) -> str:
    """Comma-separated, a header first; lists joined, what is not known left empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_csv_cell(name, row[name]) for name in COLUMNS])
    return text.getvalue()


def _csv_cell(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return (" " if name == "seeds" else "; ").join(map(str, value))
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value
