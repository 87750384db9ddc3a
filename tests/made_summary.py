"""Parts of which a test puts together a finished run's summary: tasks, systems, scores of several seeds."""

from __future__ import annotations

from typing import Any

STATIC = {"model": "attention", "words": 40000, "dim": 150}


def figure(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 1, "high": value + 1}


def system(name: str, type: str = "static", translate: tuple[str, str] | None = None, seeds: int = 1) -> dict[str, Any]:
    told = translate and {"direction": translate[0], "route": translate[1]}
    return {"name": name, "type": type, "note": "", "seeds": list(range(1, seeds + 1)), "translate": told}


def task(name: str, languages: list[str], kind: str = "nli", reference: str | None = None) -> dict[str, Any]:
    return {"name": name, "kind": kind, "languages": languages, "published": name, "reference": reference,
            "note": "", "train": ["train.tsv"], "dev": ["dev.tsv"]}  # fmt: skip


def score(of: dict[str, Any], system: str, lang: str, *by_seed: float, n_parameters: float = 4e5,
          n_train: int | None = 29_081, **settings: Any) -> dict[str, Any]:  # fmt: skip
    """A score on a task; the figure is the mean of the seeds' figures."""
    metric = "f1" if of["kind"] == "ner" else "accuracy"
    told = {**STATIC, "n_dev": 990, **settings} | ({} if n_train is None else {"n_train": n_train})
    return {
        "task": of["name"], "kind": of["kind"], "system": system, "lang": lang, "flags": [], "seed_sd": None,
        "figures": {metric: figure(sum(by_seed) / len(by_seed))}, "n_items": 100,
        "by_seed": {str(seed): {metric: value} for seed, value in enumerate(by_seed, start=1)},
        "signature": {"settings": told}, "cost": {"n_parameters": n_parameters},
    }  # fmt: skip


def summary(tasks: list[dict], systems: list[dict], scores: list[dict], source: str = "en") -> dict[str, Any]:
    """A summary, its gaps and its differences computed from the scores."""
    by_key = {(one["task"], one["system"], one["lang"]): next(iter(one["figures"].values()))["value"] for one in scores}
    return {
        "experiment": {"source": source, "tasks": tasks, "systems": systems},
        "scores": scores,
        "gaps": [{"task": task, "system": name, "lang": lang, "figure": figure(by_key[task, name, source] - value)}
                 for (task, name, lang), value in by_key.items()
                 if lang != source and (task, name, source) in by_key],
        "differences": [{"task": task, "lang": lang, "system": name, "other": other,
                         "figure": figure(value - by_key[task, other, lang])}
                        for (task, name, lang), value in by_key.items()
                        for other in [one["name"] for one in systems[: [s["name"] for s in systems].index(name)]]
                        if (task, other, lang) in by_key],
    }  # fmt: skip
