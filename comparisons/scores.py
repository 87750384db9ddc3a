"""From prediction files to score files: one scorer for all systems, intervals, gaps and differences.

Intervals are 95 % bootstraps over test items, or over groups of them that were not drawn independently (pairs with one
premise): bias-corrected and accelerated for scores and differences, percentile for gaps and means over languages. A
figure over seeds is the mean of the seeds' figures on the same resample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from baselines.metrics import MAIN_METRIC, METRIC_NAMES, item_counts, scores_of
from baselines.predictions import PredictionSet
from comparisons.label_names import remarks
from comparisons.signatures import signature_line, unlike, why_not_comparable
from comparisons.significance import ALPHA, N_SHUFFLES, approximate_randomisation, holm, mcnemar, over_seeds
from xlembed.bootstrap import bca_interval, interval, left_out_sums, resampled_sums
from xlembed.errors import InputError
from xlembed.files import write_json
from xlembed.types import Bools1d, Floats1d, Floats2d, Ints1d, Ints2d

N_RESAMPLES = 10_000
FAR_UNDER = 0.75  # of the seeds' median: a seed with less is named


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
    seed_median: float | None = None
    with_seeds: Figure | None = None  # the main metric, other items and other seeds
    signature_line: str = ""

    @property
    def main(self) -> Figure:
        return self.figures[MAIN_METRIC[self.kind]]


@dataclass(frozen=True)
class Difference:
    """Main metric of one system minus another's on the same items, and how sure it is."""

    task: str
    lang: str
    system: str
    other: str
    figure: Figure  # over items
    with_seeds: Figure | None = None  # over items and seeds, None where neither has several
    p: float = 1.0  # approximate randomisation
    p_is_bound: bool = False  # no shuffle came near: p is the least that so many shuffles can give
    p_holm: float | None = None  # corrected for all differences of the task
    mcnemar: float | None = None  # labels, one seed each
    notes: list[str] = field(default_factory=list)

    @property
    def is_clear(self) -> bool:
        """0 is outside every interval, and p, corrected where it is, at most 0.05."""
        return _apart([self.figure, self.with_seeds]) and (self.p if self.p_holm is None else self.p_holm) <= ALPHA

    def as_json(self) -> dict[str, Any]:
        """All of it, with whether it is clear."""
        return asdict(self) | {"is_clear": self.is_clear}


def _apart(intervals: Sequence[Figure | None]) -> bool:
    """Whether 0 is outside of all that there are."""
    return all(one.low > 0 or one.high < 0 for one in intervals if one is not None)


@dataclass(frozen=True)
class Resampled:
    """A score with what differences need: figures of the main metric on resamples, and counts."""

    score: Score
    values: Floats1d  # (n_resamples,) mean over seeds
    left_out: Floats1d  # (n_groups,) without each group of items
    by_seed: Floats2d  # (n_seeds, n_resamples)
    rows: Floats2d  # (n_groups, n_columns) counts, mean over seeds
    gold: list[Any]
    right: Bools1d | None  # (n_items,) labels of one seed


def score_cells(predictions: Sequence[PredictionSet]) -> Resampled:
    """Score the seeds of one system on one task and language.

    Raises InputError when the seeds were scored against different gold.
    """
    return score_systems([predictions])[0]


def score_systems(systems: Sequence[Sequence[PredictionSet]]) -> list[Resampled]:
    """Score several systems, each with its seeds, on one task and language: all see the same resamples.

    Raises InputError when their gold differs.
    """
    _check_gold(systems)
    first = systems[0][0]
    named = next((p.groups for seeds in systems for p in seeds if p.groups is not None), None)
    groups = None if named is None else np.unique(named, return_inverse=True)[1]
    kind = first.run.kind
    counts = [[_by_group(item_counts(kind, p.gold, p.predicted), groups) for p in seeds] for seeds in systems]
    sums = resampled_sums(np.concatenate([c for seeds in counts for c in seeds], axis=1), N_RESAMPLES)
    blocks = iter(np.split(sums, sums.shape[1] // counts[0][0].shape[1], axis=1))
    return [
        _resampled(predictions, rows, [next(blocks) for _ in rows], len(first) if groups is None else len(rows[0]),
                   "items" if groups is None else "groups of items with one premise")
        for predictions, rows in zip(systems, counts, strict=True)
    ]  # fmt: skip


def _check_gold(systems: Sequence[Sequence[PredictionSet]]) -> None:
    first = systems[0][0]
    for seeds in systems:
        if len({p.gold_sha256 for p in seeds}) > 1:
            run = seeds[0].run
            raise InputError(f"{run.system} on {run.task} {run.lang}: its seeds have different gold")
        if seeds[0].gold_sha256 != first.gold_sha256:
            raise InputError(
                f"{first.run.system} and {seeds[0].run.system} on {first.run.task} {first.run.lang} were scored "
                f"against different gold ({len(first)} and {len(seeds[0])} items)"
            )


def _by_group(counts: Ints2d, groups: Ints1d | None) -> Ints2d:
    """Counts summed over the items of each group."""
    if groups is None:
        return counts
    summed = np.zeros((groups.max() + 1, counts.shape[1]), dtype=counts.dtype)
    np.add.at(summed, groups, counts)
    return summed


def _resampled(
    predictions: Sequence[PredictionSet], rows: list[Ints2d], sums: list[Floats2d], n_drawn: int, drawn: str
) -> Resampled:
    first = predictions[0]
    kind, main = first.run.kind, MAIN_METRIC[first.run.kind]
    whole = [scores_of(kind, one.sum(axis=0)) for one in rows]
    by_seed = {
        str(p.run.seed if p.run.seed is not None else "-"): {name: float(value[0]) for name, value in one.items()}
        for p, one in zip(predictions, whole, strict=True)
    }
    per_seed = [scores_of(kind, one) for one in sums]
    left_out = [scores_of(kind, left_out_sums(one)) for one in rows]
    figures = {}
    for name in per_seed[0]:
        value = float(np.mean([one[name] for one in whole]))
        ends = bca_interval(value, _mean(per_seed, name), _mean(left_out, name))
        figures[name] = Figure(value, ends.low, ends.high)
    seed_values = [one[main] for one in by_seed.values()]
    all_seeds = np.array([one[main] for one in per_seed])
    score = Score(
        first.run.task, kind, first.run.system, first.run.lang, figures, by_seed,
        float(np.std(seed_values, ddof=1)) if len(seed_values) > 1 else None,
        len(first),
        {
            "split": first.run.split,
            "gold_sha256": first.gold_sha256,
            "metric": METRIC_NAMES[kind],
            "interval": f"95 % BCa bootstrap over {n_drawn:,} {drawn}, {N_RESAMPLES:,} resamples, seed 0",
            "interval_kind": f"bca-{N_RESAMPLES}",
            "versions": first.run.versions,
            "settings": {k: v for k, v in first.run.settings.items() if k != "key"},
        },
        _mean_cost(predictions),
        _flags(predictions, by_seed),
        float(np.median(seed_values)) if len(seed_values) > 1 else None,
        _figure(figures[main].value, over_seeds(all_seeds)) if len(seed_values) > 1 else None,
    )  # fmt: skip
    score = replace(score, signature_line=signature_line(asdict(score)))
    right = None
    if len(predictions) == 1 and isinstance(first.gold[0], str):
        right = np.array([g == p for g, p in zip(first.gold, first.predicted, strict=True)])
    return Resampled(score, _mean(per_seed, main), _mean(left_out, main), all_seeds,
                     np.mean(rows, axis=0), first.gold, right)  # fmt: skip


def _mean(figures: list[dict[str, np.ndarray]], name: str) -> Floats1d:
    mean: Floats1d = np.mean([one[name] for one in figures], axis=0)
    return mean


def _mean_cost(predictions: Sequence[PredictionSet]) -> dict[str, Any]:
    costs = [p.run.cost for p in predictions]
    return {key: float(np.mean([cost[key] for cost in costs])) for key in costs[0] if all(key in c for c in costs)}


def _flags(predictions: Sequence[PredictionSet], by_seed: dict[str, dict[str, float]]) -> list[str]:
    """A seed that failed is named, never averaged in silence, and so is what looks like a mistake in the files."""
    if predictions[0].run.settings.get("system_type") == "majority":
        return []
    flags = remarks(predictions)
    main = MAIN_METRIC[predictions[0].run.kind]
    median = float(np.median([one[main] for one in by_seed.values()]))
    for p, seed in zip(predictions, by_seed, strict=True):
        if p.run.settings.get("collapsed"):
            flags.append(f"seed {seed} collapsed in training: on dev it is no better than the commonest label")
        if p.run.kind in ("nli", "topic") and len(set(p.predicted)) == 1:
            flags.append(f"seed {seed} predicts one label only")
        if p.run.kind == "pos" and len({tag for tags in p.predicted for tag in tags}) == 1:
            flags.append(f"seed {seed} predicts one tag only")
        if p.run.kind == "ner" and by_seed[seed]["f1"] == 0:
            flags.append(f"seed {seed} finds no entity rightly")
        elif by_seed[seed][main] < FAR_UNDER * median:
            flags.append(f"seed {seed} is far under the others ({by_seed[seed][main]:.1f}, the median is {median:.1f})")
    return flags


# ---- between systems


def difference(one: Resampled, other: Resampled, n_shuffles: int = N_SHUFFLES) -> Difference:
    """Paired difference on one language: both were resampled with the same items.

    Raises InputError, with the reason, where the two scores answer different questions.
    """
    a, b = one.score, other.score
    why = why_not_comparable(asdict(a), asdict(b))
    if why is not None:
        raise InputError(f"{a.system} and {b.system} on {a.task} {a.lang} are not compared: scored against {why}")
    value = a.main.value - b.main.value
    ends = bca_interval(value, one.values - other.values, one.left_out - other.left_out)
    several = len(a.by_seed) > 1 or len(b.by_seed) > 1
    both = over_seeds(one.by_seed, seed=1) - over_seeds(other.by_seed, seed=2)
    p = approximate_randomisation(one.rows, other.rows, _main_of(a.kind), n_shuffles)
    return Difference(
        a.task, a.lang, a.system, b.system,
        Figure(value, ends.low, ends.high),
        _figure(value, both) if several else None,
        p,
        p * (n_shuffles + 1) < 1.5,
        None,
        mcnemar(one.right, other.right) if one.right is not None and other.right is not None else None,
        unlike(asdict(a), asdict(b)),
    )  # fmt: skip


def _main_of(kind: str) -> Callable[[Floats2d], Floats1d]:
    return lambda sums: scores_of(kind, sums)[MAIN_METRIC[kind]]


def shuffles_for(n_differences: int) -> int:
    """So many that the smallest possible p, corrected for a table of differences, is at most half the level."""
    return max(N_SHUFFLES, math.ceil(2 * n_differences / ALPHA))


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """The differences of one task with p-values corrected for being so many (Holm)."""
    return [replace(one, p_holm=p) for one, p in zip(differences, holm([d.p for d in differences]), strict=True)]


# ---- between languages


def are_parallel(one: Resampled, other: Resampled) -> bool:
    """Whether two languages' test sets are translations, as far as their labels tell: a label a text, in one order."""
    return one.score.kind in ("nli", "topic") and one.gold == other.gold and len(one.rows) == len(other.rows)


def transfer_gap(target: Resampled, source: Resampled) -> Figure:
    """Source minus target language; independent test sets are resampled independently, parallel ones together."""
    of_source = source.values
    if not are_parallel(target, source):
        of_source = np.random.default_rng(0).permutation(of_source)
    return _figure(source.score.main.value - target.score.main.value, of_source - target.values)


def mean_values(languages: Sequence[Resampled], seed: int | None = None) -> Floats1d:
    """Resamples of the mean over languages, (n_resamples,); languages that are not parallel move independently.

    With `seed` the system's seeds are drawn anew too: the same ones for all languages, since one training serves them.
    """
    total = np.zeros_like(languages[0].values)
    for place, one in enumerate(languages):
        alike = next(i for i, earlier in enumerate(languages) if i == place or are_parallel(one, earlier))
        order = np.random.default_rng(alike).permutation(len(total))
        total += one.values[order] if seed is None else over_seeds(one.by_seed[:, order], seed)
    return total / len(languages)


def mean_figure(languages: Sequence[Resampled]) -> Figure:
    """The mean over languages, with a percentile interval."""
    return _figure(_mean_score(languages), mean_values(languages))


@dataclass(frozen=True)
class MeanDifference:
    """One system's mean over languages minus another's: over items, and over items and seeds where one has several."""

    figure: Figure
    with_seeds: Figure | None

    @property
    def is_clear(self) -> bool:
        """0 is outside both intervals."""
        return _apart([self.figure, self.with_seeds])


def mean_difference(one: Sequence[Resampled], other: Sequence[Resampled]) -> MeanDifference:
    """The paired difference of two systems' means over the same languages."""
    value = _mean_score(one) - _mean_score(other)
    several = any(len(score.by_seed) > 1 for score in (*one, *other))
    with_seeds = _figure(value, mean_values(one, seed=1) - mean_values(other, seed=2)) if several else None
    return MeanDifference(_figure(value, mean_values(one) - mean_values(other)), with_seeds)


def _mean_score(languages: Sequence[Resampled]) -> float:
    return float(np.mean([one.score.main.value for one in languages]))


def _figure(value: float, values: Floats1d) -> Figure:
    ends = interval(values)
    return Figure(value, ends.low, ends.high)


def write_score(folder: Path, score: Score) -> None:
    """One JSON file a score."""
    write_json(folder / f"{score.task}.{score.system}.{score.lang}.json", asdict(score))
