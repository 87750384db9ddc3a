"""The first paragraph of a report: what the run says, in a few sentences."""

from __future__ import annotations

from typing import Any

from baselines.metrics import MAIN_METRIC
from comparisons.report.base import SHORT_METRIC, average_of, differences_of, seconds_text, signed_text, total_cost


def answer(summary: dict[str, Any], task: dict[str, Any]) -> str | None:
    """The best static system against the best encoder by the mean of the targets; None where a family is absent.

    Systems that saw labels of the target are left out: they are what transfer is held against.
    """
    means = average_of(summary, task)
    families = {family: [s["name"] for s in summary["experiment"]["systems"]
                         if s["type"] == family and not s.get("own_models") and s["name"] in means["systems"]]
                for family in ("static", "encoder")}  # fmt: skip
    if not all(families.values()):
        return None
    static, encoder = (max(names, key=lambda name: means["systems"][name]["value"]) for names in families.values())
    one, other = (means["systems"][name]["value"] for name in (static, encoder))
    metric = SHORT_METRIC[MAIN_METRIC[task["kind"]]]
    text = (f"**{task['name']}** ({metric}, mean of {', '.join(means['targets'])}): the best static system, {static}, "
            f"reaches {one:.1f}, {100 * one / max(other, 1e-9):.0f} % of the best encoder's {other:.1f} "
            f"({encoder})")  # fmt: skip
    cost, encoders = (total_cost(summary, task["name"], name, [summary["experiment"]["source"], *means["targets"]])
                      for name in (static, encoder))  # fmt: skip
    if cost and encoders and cost.is_cpu == encoders.is_cpu:
        what = "processor time" if cost.is_cpu else "time"
        share = 100 * cost.seconds / max(encoders.seconds, 1e-9)
        text += (f", at {share:.0f} % of its {what} ({seconds_text(cost.seconds)} against "
                 f"{seconds_text(encoders.seconds)}, training and prediction)")  # fmt: skip
    return f"{text}. {_difference(summary, task, means, static, encoder)}"


def _difference(summary: dict[str, Any], task: dict[str, Any], means: dict[str, Any], static: str, encoder: str) -> str:
    """By how much the encoder is ahead, and where that is told apart from chance."""
    mean = next(one for one in means["differences"] if {one["system"], one["other"]} == {static, encoder})
    over = "over items and seeds" if mean["with_seeds"] else "over items"
    figure = sign_of(mean | {"figure": mean["with_seeds"] or mean["figure"]}, encoder, static)
    pairs = [one for one in differences_of(summary, task["name"]) if {one["system"], one["other"]} == {static, encoder}]
    clear = [one["lang"] for one in pairs if one["is_clear"]]
    unclear = [one["lang"] for one in pairs if not one["is_clear"]]
    told = f"{encoder} minus {static}: {signed_text(figure)} points on the mean ({over}); "
    if not unclear:
        return told + f"the difference is significant in every language that both ran on ({', '.join(clear)})."
    if not clear:
        return told + f"the difference is not significant in any language that both ran on ({', '.join(unclear)})."
    return told + f"the difference is significant in {', '.join(clear)}, not in {', '.join(unclear)}."


def sign_of(one: dict[str, Any], system: str, other: str) -> dict[str, float]:
    """A difference's figure as system minus other, whichever way round it stands."""
    figure: dict[str, float] = one["figure"]
    if (one["system"], one["other"]) == (system, other):
        return figure
    return {"value": -figure["value"], "low": -figure["high"], "high": -figure["low"]}
