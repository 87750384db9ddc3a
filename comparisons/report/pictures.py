"""The picture of a task: a bar a system and language, with its interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from baselines.metrics import MAIN_METRIC
from comparisons.report.base import why_missing
from xlembed.errors import require
from xlembed.files import replacing


def draw_task(summary: dict[str, Any], task: dict[str, Any], path: Path) -> None:
    """Write a PNG of the main metric by language and system."""
    matplotlib = require("matplotlib", "report")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    metric, languages = MAIN_METRIC[task["kind"]], task["languages"]
    systems = [s["name"] for s in summary["experiment"]["systems"]]
    width = 0.8 / len(systems)
    figure, axes = pyplot.subplots(figsize=(1.6 + 1.5 * len(languages), 3.4), layout="constrained")
    for i, system in enumerate(systems):
        for j, lang in enumerate(languages):
            one = [s["figures"][metric] for s in summary["scores"]
                   if (s["task"], s["system"], s["lang"]) == (task["name"], system, lang)]  # fmt: skip
            place = j + (i - (len(systems) - 1) / 2) * width
            label = system if j == 0 else None
            if not one:
                axes.bar(place, 0, width, color=f"C{i}", label=label)
                why = why_missing(summary, task["name"], system, lang)
                axes.text(place, 1, why, ha="center", va="bottom", fontsize=7, rotation=90)
                continue
            value, low, high = (one[0][key] for key in ("value", "low", "high"))
            errors = [[max(value - low, 0)], [max(high - value, 0)]]
            axes.bar(place, value, width * 0.95, yerr=errors, color=f"C{i}", label=label, capsize=2,
                     error_kw={"elinewidth": 0.8})  # fmt: skip
            axes.text(place, high + 1, f"{value:.0f}", ha="center", va="bottom", fontsize=8)
    axes.set_xticks(range(len(languages)), [_tick(summary, lang) for lang in languages])
    axes.set_ylim(0, 105)
    axes.set_ylabel("span F1 (%)" if metric == "f1" else "accuracy (%)")
    axes.set_title(f"{task['name']}" + (" (pocket data)" if summary["experiment"]["small"] else ""), loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=min(len(systems), 4), frameon=False, fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, metadata={"Software": None})
    pyplot.close(figure)


def _tick(summary: dict[str, Any], lang: str) -> str:
    return f"{lang}\n(source)" if lang == summary["experiment"]["source"] else lang
