"""From prediction files to score files: one scorer for all systems, intervals, gaps and differences.

All intervals are 95 % percentile bootstraps over test items; a figure over seeds is the mean of the seeds'
figures on the same resample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from baselines.metrics import MAIN_METRIC, METRIC_NAMES, item_counts, scores_of
from baselines.predictions import PredictionSet
from xlembed.bootstrap import N_RESAMPLES, interval, resampled_sums
from xlembed.errors import InputError
from xlembed.files import write_json


@dataclass(frozen=True)
class Figure:
    """A figure in percent and the ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Score:
    """One system on one task and language, over its seeds."""

    task: str
    kind: str
    system: str
    lang: str
    figures: dict[str, Figure]  # metric -> mean over seeds
    by_seed: dict[str, dict[str, float]]  # seed -> metric -> value
    seed_sd: float | None  # of the main metric, None for one seed
    n_items: int
    signature: dict[str, Any]  # data hash, metric, resamples, seeds, versions
    cost: dict[str, Any]
    flags: list[str] = field(default_factory=list)

    @property
    def main(self) -> Figure:
        return self.figures[MAIN_METRIC[self.kind]]


@dataclass(frozen=True)
class Difference:
    """Main metric of one system minus another's on the same items, and whether 0 is outside its interval."""

    task: str
    lang: str
    system: str
    other: str
    figure: Figure

    @property
    def is_clear(self) -> bool:
        return self.figure.low > 0 or self.figure.high < 0


@dataclass(frozen=True)
class Resampled:
    """A score and its resamples, (n_resamples,) of the main metric, for differences."""

    score: Score
    values: np.ndarray


def score_cells(predictions: Sequence[PredictionSet]) -> Resampled:
    """Score the seeds of one system on one task and language.

    Raises InputError when the seeds were scored against different gold.
    """
    first = predictions[0]
    if len({p.gold_sha256 for p in predictions}) > 1:
        raise InputError(f"{first.run.system} on {first.run.task} {first.run.lang}: its seeds have different gold")
    kind = first.run.kind
    counts = [item_counts(kind, p.gold, p.predicted) for p in predictions]
    by_seed = {
        str(p.run.seed if p.run.seed is not None else "-"): {
            name: float(value[0]) for name, value in scores_of(kind, c.sum(axis=0)).items()
        }
        for p, c in zip(predictions, counts, strict=True)
    }
    resampled = _mean_over_seeds(kind, counts)
    figures = {}
    for name, values in resampled.items():
        ends = interval(values)
        figures[name] = Figure(float(np.mean([one[name] for one in by_seed.values()])), ends.low, ends.high)
    main = MAIN_METRIC[kind]
    seed_values = [one[main] for one in by_seed.values()]
    score = Score(
        first.run.task, kind, first.run.system, first.run.lang, figures, by_seed,
        float(np.std(seed_values, ddof=1)) if len(seed_values) > 1 else None,
        len(first),
        {
            "split": first.run.split,
            "gold_sha256": first.gold_sha256,
            "metric": METRIC_NAMES[kind],
            "interval": f"95 % percentile bootstrap over {len(first)} items, {N_RESAMPLES} resamples, seed 0",
            "versions": first.run.versions,
            "settings": {k: v for k, v in first.run.settings.items() if k != "key"},
        },
        _mean_cost(predictions),
        _flags(predictions, by_seed),
    )  # fmt: skip
    return Resampled(score, resampled[main])


def _mean_over_seeds(kind: str, counts: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Metric -> (n_resamples,), the seeds of one resample averaged; all seeds see the same resamples."""
    n_columns = counts[0].shape[1]
    sums = resampled_sums(np.concatenate(counts, axis=1))
    per_seed = [scores_of(kind, sums[:, i * n_columns : (i + 1) * n_columns]) for i in range(len(counts))]
    return {name: np.mean([one[name] for one in per_seed], axis=0) for name in per_seed[0]}


def _mean_cost(predictions: Sequence[PredictionSet]) -> dict[str, Any]:
    costs = [p.run.cost for p in predictions]
    return {key: float(np.mean([cost[key] for cost in costs])) for key in costs[0] if all(key in c for c in costs)}


def _flags(predictions: Sequence[PredictionSet], by_seed: dict[str, dict[str, float]]) -> list[str]:
    """A seed that failed is named, never averaged in silence."""
    flags = []
    for p, seed in zip(predictions, by_seed, strict=True):
        if p.run.settings.get("system_type") == "majority":
            continue
        if p.run.kind in ("nli", "topic") and len(set(p.predicted)) == 1:
            flags.append(f"seed {seed} predicts one label only")
        if p.run.kind == "pos" and len({tag for tags in p.predicted for tag in tags}) == 1:
            flags.append(f"seed {seed} predicts one tag only")
        if p.run.kind == "ner" and by_seed[seed]["f1"] == 0:
            flags.append(f"seed {seed} finds no entity rightly")
    return flags


def difference(one: Resampled, other: Resampled) -> Difference:
    """Paired difference on one language: both were resampled with the same items."""
    a, b = one.score, other.score
    if a.signature["gold_sha256"] != b.signature["gold_sha256"]:
        raise InputError(f"{a.system} and {b.system} on {a.task} {a.lang} were scored against different gold")
    return Difference(a.task, a.lang, a.system, b.system,
                      _figure(a.main.value - b.main.value, one.values - other.values))  # fmt: skip


def transfer_gap(target: Resampled, source: Resampled) -> Figure:
    """Source minus target language. The two test sets are resampled independently."""
    shuffled = np.random.default_rng(0).permutation(source.values)
    return _figure(source.score.main.value - target.score.main.value, shuffled - target.values)


def _figure(value: float, values: np.ndarray) -> Figure:
    ends = interval(values)
    return Figure(value, ends.low, ends.high)


def write_score(folder: Path, score: Score) -> None:
    """One JSON file a score."""
    write_json(folder / f"{score.task}.{score.system}.{score.lang}.json", asdict(score))
