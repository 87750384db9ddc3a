"""The summary of a finished run, made by hand: one task, two systems, one of them without Dutch."""

from __future__ import annotations

from typing import Any


def figure(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 2, "high": value + 2}


def score(system: str, lang: str, value: float, flags: tuple[str, ...] = ()) -> dict[str, Any]:
    names, seeds = ("f1", "precision", "recall"), {"static": ("1", "2")}.get(system, ("1",))
    by_seed = {seed: dict.fromkeys(names, value + i) for i, seed in enumerate(seeds)}
    return {
        "task": "wikiann", "kind": "ner", "system": system, "lang": lang,
        "figures": {name: figure(value) for name in names}, "by_seed": by_seed,
        "seed_sd": 0.5**0.5 if len(seeds) > 1 else None, "seed_median": value,
        "with_seeds": figure(value), "n_items": 1234, "flags": list(flags), "signature_line": "metric:f1|n:1234",
        "signature": {"gold_sha256": "ab" * 32, "versions": {"python": "3.11"}, "interval": "95 % x over n items",
                      "split": "test", "settings": {"n_train": 20000, "n_dev": 10000}},
        "cost": {"train_seconds": 75.2, "predict_seconds": 2.0, "n_parameters": 2e6, "n_trained": 1e6},
    }  # fmt: skip


def difference(lang: str, value: float, p: float = 0.001) -> dict[str, Any]:
    return {"task": "wikiann", "lang": lang, "system": "e5", "other": "static", "figure": figure(value),
            "with_seeds": None, "p": p, "p_is_bound": False, "p_holm": p,
            "is_clear": value > 2 and p <= 0.05, "mcnemar": None, "notes": []}  # fmt: skip


def small_summary() -> dict[str, Any]:
    """A new one each time, for a test to change."""
    return {
        "format": 4,
        "experiment": {"name": "x", "title": "A <title> & more", "note": "A note with `code`.", "small": False,
                       "source": "en",
                       "tasks": [{"name": "wikiann", "kind": "ner", "languages": ["en", "nl"], "note": "",
                                  "published": "wikiann", "reference": "XLM-R Base", "train": ["a.tsv"],
                                  "dev": ["b.tsv"]}],
                       "systems": [{"name": "static", "type": "static", "note": "vectors | mapped", "seeds": [1, 2],
                                    "own_models": False, "translate": None},
                                   {"name": "e5", "type": "encoder", "note": "", "seeds": [1], "own_models": False,
                                    "translate": None}]},
        "command": "xlembed compare x.toml --out RUN",
        "machine": "a machine, 2 cores, Linux",
        "scores": [score("static", "en", 60.0), score("e5", "en", 80.0), score("e5", "nl", 70.0, ("seed 1 fails",))],
        "missing": [{"task": "wikiann", "system": "static", "lang": "nl", "why": "no vectors"}],
        "differences": [difference("en", 20.0), difference("nl", 1.0)],
        "averages": [{"task": "wikiann", "targets": ["nl"], "systems": {"e5": figure(70.0)}, "differences": []}],
        "gaps": [{"task": "wikiann", "system": "e5", "lang": "nl", "figure": figure(10.0)}],
        "bli": [],
        "details": {},
    }  # fmt: skip
