"""How our systems came by their figures, and in what a published row is known to differ from that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from comparisons.published import LANGUAGE_SETS, SOURCE, TRAINING, WORD_BY_WORD, PublishedRow
from comparisons.report.base import score_of

SAME_SIZE = 0.02  # heads and counting apart: numbers of parameters that differ by less are one size
TARGET_LABELS = ("few-shot", "trained on the target language")  # ways of ours that published rows do not have
_STARTS = {  # how a published `selection` begins, and what that says; "en dev" is ours
    "target dev": "model chosen on the target's dev set",
    "per-language dev": "model chosen on each language's dev set",
    "per-language or joint dev": "model chosen on dev sets of the target languages",
    "joint dev of all languages": "model chosen on the dev sets of all languages together",
    "best variant per language": "best variant of each language, chosen on its figure",
    "fixed recipe": "trained by a fixed recipe",
}


@dataclass(frozen=True)
class Ours:
    """What one of our systems tells of itself on a task; None where it does not."""

    way: str  # zero-shot, translate-test, ..., few-shot, ...
    route: str | None
    n_train: int | None
    n_seeds: int
    n_parameters: float | None
    is_static: bool


def ours_of(summary: dict[str, Any], task: dict[str, Any]) -> list[Ours]:
    """Our trained systems on a task, those that ran."""
    found = []
    for system in summary["experiment"]["systems"]:
        scores = scores_of(summary, task, system)
        if system["type"] != "majority" and scores:
            first, translate = scores[0], system.get("translate") or {}
            found.append(Ours(
                way_of(system, scores), translate.get("route"), first["signature"]["settings"].get("n_train"),
                len(system["seeds"]),
                first["cost"].get("n_parameters"), system["type"] == "static",
            ))  # fmt: skip
    return found


def scores_of(summary: dict[str, Any], task: dict[str, Any], system: dict[str, Any]) -> list[dict[str, Any]]:
    """A system's scores on a task, in the languages that it ran on."""
    found = (score_of(summary, task["name"], system["name"], lang) for lang in task["languages"])
    return [score for score in found if score is not None]


def way_of(system: dict[str, Any], scores: Sequence[dict[str, Any]]) -> str:
    """How a system meets other languages, in the words of published.csv where it has them."""
    if system.get("translate"):
        return f"translate-{system['translate']['direction']}"
    for score in scores:
        target = score["signature"]["settings"].get("target")
        if target is not None:
            return f"{TARGET_LABELS[0]}, {target['k']} items" if target["k"] else TARGET_LABELS[1]
    return "zero-shot" if system["type"] != "predictions" else "predictions made elsewhere"


def differences(row: PublishedRow, ours: Sequence[Ours], task: dict[str, Any], source: str) -> list[str]:
    """In what a published row differs from ours, as far as both tell; held against our systems of its way if any."""
    if not ours:
        return []
    alike = [one for one in ours if one.way == row.way] or list(ours)
    return [*_training(row, alike, source), *_target_labels(alike), *_translation(row, alike), *_selection(row, source),
            *_seeds(row, alike), *_size(row, alike), *_average(row, task)]  # fmt: skip


def _training(row: PublishedRow, ours: Sequence[Ours], source: str) -> list[str]:
    found = [f"labels in {SOURCE}, ours in {source}"] if source != SOURCE else []
    known, numbers = TRAINING.get(row.task), {one.n_train for one in ours if one.n_train is not None}
    if known is not None and numbers - {known.n}:
        found.append(f"training data: {known.name}, {known.n:,} {known.unit}, ours {_range(numbers, '{:,.0f}')}")
    return found


def _target_labels(ours: Sequence[Ours]) -> list[str]:
    """No published row has any."""
    return ["no labels of the target language"] if any(one.way.startswith(TARGET_LABELS) for one in ours) else []


def _translation(row: PublishedRow, ours: Sequence[Ours]) -> list[str]:
    if row.system == WORD_BY_WORD:
        return ["training data translated word by word"]
    if row.way == "zero-shot":
        return ["not translated"] if any(one.way.startswith("translate-") for one in ours) else []
    routes = sorted({one.route for one in ours if one.way == row.way and one.route})
    if not routes:
        return [f"translated data ({row.way})"]
    return [f"translated by the paper's system, ours by {', '.join(routes)}"]


def _selection(row: PublishedRow, source: str) -> list[str]:
    if row.selection.startswith("en dev"):
        return [] if source == SOURCE else [f"model chosen on dev in {SOURCE}, ours in {source}"]
    return [told for start, told in _STARTS.items() if row.selection.startswith(start)]


def _seeds(row: PublishedRow, ours: Sequence[Ours]) -> list[str]:
    numbers = {one.n_seeds for one in ours}
    if row.n_seeds is not None and numbers == {row.n_seeds}:
        return []
    told = "not told" if row.n_seeds is None else str(row.n_seeds)
    return [f"seeds: {told}, ours {_range(numbers, '{}')}"]


def _size(row: PublishedRow, ours: Sequence[Ours]) -> list[str]:
    numbers = {one.n_parameters for one in ours if one.n_parameters is not None}
    if row.encoder is None or not numbers:
        return []
    theirs = row.encoder.n_parameters
    if any(abs(one - theirs) <= SAME_SIZE * theirs for one in numbers):
        return []
    beside = " beside word vectors" if all(one.is_static for one in ours) else ""
    return [f"size: {theirs / 1e6:.0f} M parameters, ours {_range({one / 1e6 for one in numbers}, '{:.3g}')} M{beside}"]


def _average(row: PublishedRow, task: dict[str, Any]) -> list[str]:
    """Of a printed average whose languages are not the task's."""
    for name in row.averages:
        languages = LANGUAGE_SETS.get((row.task, name))
        if languages is not None and set(languages) != set(task["languages"]):
            return [f"average over {len(languages)} languages, ours over {len(task['languages'])}"]
    return []


def _range(numbers: set[Any], form: str) -> str:
    """The number, or the smallest and the largest."""
    ends = dict.fromkeys((form.format(min(numbers)), form.format(max(numbers))))
    return "-".join(ends)
