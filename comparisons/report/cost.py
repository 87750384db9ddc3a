"""The section on cost: what each system takes, and which no other beats at both score and cost."""

from __future__ import annotations

from typing import Any

from comparisons.cost import WATTS_PER_CORE, WATTS_PER_GIB, energy_wh
from comparisons.report.base import ABSENT, Section, Table, seconds_text, trains_each
from comparisons.report.pareto import cost_points, cost_unit, pareto, shared_targets, without_cost

HEADER = ["task", "system", "parameters", "trained", "files", "training", "prediction", "peak memory", "items a second",
          "energy"]  # fmt: skip


def cost_section(summary: dict[str, Any]) -> Section:
    """A row a task and system."""
    rows, total = [], 0.0
    for task in summary["experiment"]["tasks"]:
        for system in summary["experiment"]["systems"]:
            scores = [s for s in summary["scores"] if s["task"] == task["name"] and s["system"] == system["name"]]
            if scores:
                each = trains_each(system)
                rows.append([task["name"], system["name"], *_cells(scores, each)])
                total += _all_seeds(scores, each)
    return Section(
        "Cost",
        ["Seconds of one seed (mean over seeds), all languages of the task together; processor time, "
         "all threads together, in brackets. Parameters of a static system do not count its word vectors, files do: "
         "what has to be on the disk to predict one language. Peak memory is of the whole process, libraries and "
         "other systems' vectors included, the higher of training and prediction. Energy of training one model and "
         f"predicting all languages is an estimate: {WATTS_PER_CORE:.0f} W a busy core and {WATTS_PER_GIB} W a GiB "
         "held (Lannelongue et al. 2021, a core whose kind is unknown), no GPU and no cooling counted. All training "
         f"and prediction of this run, over all seeds: {seconds_text(total)}. Machine: {summary['machine']}."],
        Table(HEADER, rows),
    )  # fmt: skip


def _cells(scores: list[dict[str, Any]], each: bool) -> list[str]:
    costs = [score["cost"] for score in scores]
    first = costs[0]
    predict = _sum(costs, "predict_seconds")
    trained = costs if each else costs[:1]
    items = sum(score["n_items"] for score in scores)
    return [
        _millions(first, "n_parameters"),
        _millions(first, "n_trained"),
        _bytes(max((cost.get("disk_bytes", 0) for cost in costs), default=0)),
        _time(_sum(trained, "train_seconds"), _sum(trained, "train_cpu_seconds")),
        _time(predict, _sum(costs, "predict_cpu_seconds")),
        _bytes(max(max(cost.get("train_peak_bytes", 0), cost.get("predict_peak_bytes", 0)) for cost in costs)),
        f"{items / predict:,.0f}" if predict is not None and predict >= 0.05 else ABSENT,
        _energy(costs, trained, predict),
    ]


def _all_seeds(scores: list[dict[str, Any]], each: bool) -> float:
    trained = sum(score["cost"].get("train_seconds", 0.0) for score in (scores if each else scores[:1]))
    predict = sum(score["cost"].get("predict_seconds", 0.0) for score in scores)
    return float((trained + predict) * len(scores[0]["by_seed"]))


def _millions(cost: dict[str, Any], key: str) -> str:
    return f"{cost[key] / 1e6:.2f} M" if key in cost else ABSENT


def _time(seconds: float | None, cpu_seconds: float | None) -> str:
    if seconds is None:
        return ABSENT
    return seconds_text(seconds) + (f" ({seconds_text(cpu_seconds)})" if cpu_seconds is not None else "")


def _sum(costs: list[dict[str, Any]], key: str) -> float | None:
    return sum(cost[key] for cost in costs) if all(key in cost for cost in costs) else None


def _bytes(n: float) -> str:
    return f"{n / 1e6:,.0f} MB" if n >= 1e6 else ABSENT


def _energy(costs: list[dict[str, Any]], trained: list[dict[str, Any]], predict: float | None) -> str:
    needed = ("train_seconds", "train_cpu_seconds", "train_peak_bytes", "predict_peak_bytes")
    if predict is None or not all(key in cost for cost in costs for key in needed):
        return ABSENT
    cpu = (_sum(trained, "train_cpu_seconds") or 0.0) + (_sum(costs, "predict_cpu_seconds") or 0.0)
    peak = max(costs[0]["train_peak_bytes"], costs[0]["predict_peak_bytes"])
    hours = energy_wh(cpu, (_sum(trained, "train_seconds") or 0.0) + predict, peak)
    return f"{hours:.1f} Wh" if hours >= 0.05 else ABSENT


def front_sections(summary: dict[str, Any], images: dict[str, str]) -> list[Section]:
    """Score against cost, a picture a task, and when the cheaper system is the right choice."""
    return [_front(summary, task, images.get(task["name"])) for task in summary["experiment"]["tasks"]
            if cost_points(summary, task)]  # fmt: skip


def _front(summary: dict[str, Any], task: dict[str, Any], image: str | None) -> Section:
    points, unit = cost_points(summary, task), cost_unit(summary, task)
    front = pareto(points)
    shared = shared_targets(summary, task)
    what = f"the mean of {', '.join(shared)}" if shared else "the source language"
    told = "; then ".join(f"{p.name} ({p.score:.1f} at {seconds_text(p.cost)})"
                          for name in front for p in points if p.name == name)  # fmt: skip
    beaten = [p.name for p in points if p.name not in front]
    unknown = without_cost(summary, task)
    return Section(
        f"{task['name']}: score against cost",
        [f"Score: {what}. Cost: {unit} to train one seed and to predict. On the Pareto front, from the cheapest to the "
         f"best, stand the systems that no other beats at both: {told}. The right one is the last that the time at "
         "hand pays for." + (f" Dearer than another that scores as high: {', '.join(beaten)}." if beaten else "")
         + (f" Not placed, since what it costs is not known: {', '.join(unknown)}." if unknown else "")],
        Table(["system", "score", unit, "on the front"],
              [[p.name, f"{p.score:.1f}", f"{p.cost:,.1f}", "yes" if p.name in front else "no"] for p in points]),
        "",
        image,
        f"Score against {unit} by system for {task['name']}, with the Pareto front",
    )  # fmt: skip
