"""What a run says across languages: who is ahead, how much is lost on the way, and what the loss goes along with.

Everything is reckoned from the scores and gaps of the summary, over a handful of languages: see docs/languages.md for
what such correlations can say and what they cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from baselines.metrics import MAIN_METRIC
from comparisons.language_facts import ISOMETRY_WORDS, MOST_ITEMS, Facts, Measured, known_facts
from comparisons.rank_correlation import FEWEST, rank_correlation
from comparisons.significance import holm

if TYPE_CHECKING:
    from comparisons.executor import Run
    from comparisons.experiment import System

OF_ALL = ("same_script", "distance")  # known facts that are held against every system
OF_ENCODERS = ("cc100_gib", "wikipedia_mb")  # ... and against encoders, which were trained on such text

FactsOf = Mapping[tuple[str, str], Facts]  # (system, language) -> what may go along with its gap


def across_languages(summary: dict[str, Any], run: Run) -> dict[str, Any]:
    """Ranking, gaps, facts and correlations of every task, as JSON has it.

    `summary` holds experiment, scores, averages, gaps and bli, as comparisons.summary makes them; `run` gives the data,
    vectors and tokenizers on which facts are measured.
    """
    experiment = run.experiment
    measured = Measured(run, summary["bli"])
    targets = dict.fromkeys(lang for task in summary["experiment"]["tasks"] for lang in task["languages"][1:])
    known = {lang: known_facts(experiment.source, lang) for lang in targets}
    tasks = []
    for task, told in zip(experiment.tasks, summary["experiment"]["tasks"], strict=True):
        facts = {}
        for system in experiment.systems:
            for lang in _scores(summary, told, system.name):
                if lang != experiment.source and _is_transfer(summary, system.name):
                    facts[system.name, lang] = _known_of(system, known[lang]) | measured.facts(system, task, lang)
        tasks.append(across_task(summary, told, facts))
    return {
        "source": experiment.source,
        "languages": list(known.values()),
        "tasks": tasks,
        "isometry_words": ISOMETRY_WORDS,
        "training_items": MOST_ITEMS,
    }


def across_task(summary: dict[str, Any], task: dict[str, Any], facts: FactsOf) -> dict[str, Any]:
    """One task's part: `facts` by system and target language."""
    names = [one["name"] for one in summary["experiment"]["systems"]]
    outcomes = {name: found for name in names if _is_transfer(summary, name)
                and (found := _outcome(summary, task, name))["values"]}  # fmt: skip
    return {
        "task": task["name"],
        "targets": _average(summary, task)["targets"],
        "ranking": _ranking(summary, task),
        "outcomes": outcomes,
        "facts": {name: {lang: facts.get((name, lang), {}) for lang in found["values"]}
                  for name, found in outcomes.items()},
        **_correlations(outcomes, facts),
    }  # fmt: skip


def _is_transfer(summary: dict[str, Any], system: str) -> bool:
    """Whether a system is trained on the source and used on others: no floor, no ceiling."""
    facts = next(one for one in summary["experiment"]["systems"] if one["name"] == system)
    return facts["type"] != "majority" and not facts.get("own_models", False)


def _known_of(system: System, known: dict[str, Any]) -> Facts:
    names = OF_ALL + (OF_ENCODERS if system.type == "encoder" and system.translate is None else ())
    return {name: known[name] for name in names}


def _scores(summary: dict[str, Any], task: dict[str, Any], system: str) -> dict[str, float]:
    """The main metric by language, in the order of the task."""
    metric = MAIN_METRIC[task["kind"]]
    found = {one["lang"]: one["figures"][metric]["value"] for one in summary["scores"]
             if (one["task"], one["system"]) == (task["name"], system)}  # fmt: skip
    return {lang: found[lang] for lang in task["languages"] if lang in found}


def _outcome(summary: dict[str, Any], task: dict[str, Any], system: str) -> dict[str, Any]:
    """The gap by target language, or the score itself where there is none for the source."""
    source = summary["experiment"]["source"]
    scores = _scores(summary, task, system)
    targets = {lang: value for lang, value in scores.items() if lang != source}
    if source not in scores:
        return {"what": "score", "values": targets}
    return {"what": "gap", "values": {lang: scores[source] - value for lang, value in targets.items()}}


# ---- ranking


def _average(summary: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in summary["averages"] if one["task"] == task["name"])


def _ranking(summary: dict[str, Any], task: dict[str, Any]) -> list[dict[str, Any]]:
    """Systems by their mean over the shared targets, the best first; equal means keep the order of the experiment."""
    average = _average(summary, task)
    order = sorted(average["systems"], key=lambda name: -average["systems"][name]["value"])
    return [
        {"place": place, "system": name, "mean": average["systems"][name],
         "apart_from_next": _is_apart(average, name, after) if after else None,
         **_spread(summary, task, name, average["targets"])}
        for place, (name, after) in enumerate(zip_longest(order, order[1:]), start=1)
    ]  # fmt: skip


def _is_apart(average: dict[str, Any], one: str, other: str) -> bool:
    """Whether 0 is outside the intervals of the difference of two means."""
    return bool(next(d["is_clear"] for d in average["differences"] if {d["system"], d["other"]} == {one, other}))


def _spread(summary: dict[str, Any], task: dict[str, Any], system: str, targets: list[str]) -> dict[str, Any]:
    """The mean with the source language among the targets, the gap of the mean, the best and the worst target."""
    scores, source = _scores(summary, task, system), summary["experiment"]["source"]
    values = [scores[lang] for lang in targets]
    mean = sum(values) / len(values)
    own = scores.get(source)
    return {
        "with_source": None if own is None else (own + sum(values)) / (1 + len(values)),
        "gap": None if own is None else own - mean,
        "best": max(targets, key=scores.__getitem__),
        "worst": min(targets, key=scores.__getitem__),
    }


# ---- correlations


def _correlations(outcomes: dict[str, dict[str, Any]], facts: FactsOf) -> dict[str, Any]:
    """Of every system's outcome with every fact, over the languages that have both; p corrected for all of them."""
    found, too_few = [], []
    for system, outcome in outcomes.items():
        values = outcome["values"]
        names = dict.fromkeys(name for lang in values for name in facts.get((system, lang), {}))
        for name in names:
            pairs = [(fact, value) for lang, value in values.items()
                     if (fact := facts.get((system, lang), {}).get(name)) is not None]  # fmt: skip
            if len(pairs) >= FEWEST:
                one = rank_correlation(*zip(*pairs, strict=True))
                found.append({"system": system, "what": outcome["what"], "fact": name, **asdict(one)})
            elif pairs:
                too_few.append({"system": system, "fact": name, "n": len(pairs)})
    tested = [one for one in found if one["p"] is not None]
    for row, p in zip(tested, holm([row["p"] for row in tested]), strict=True):
        row["p_holm"] = p
    return {"correlations": found, "too_few": too_few}
