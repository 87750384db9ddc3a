"""What changed between two runs, and whether it is more than noise: the same systems on the same test items, paired."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from baselines.predictions import PredictionSet, read_predictions
from comparisons.scores import Difference, corrected, difference, score_systems
from comparisons.signatures import why_not_comparable
from comparisons.summary import read_summary
from xlembed.errors import InputError

Key = tuple[str, str, str]  # task, system, language


def changes(before: Path, after: Path) -> dict[str, Any]:
    """Every score that both runs have, the later minus the earlier.

    - rows: task, system, lang, `before` and `after` (figures), `change` (a Difference), `made` (what was made
      differently)
    - refused: scores that answer different questions, with `why`
    - only_before, only_after: task, system, lang of scores that one run alone has

    Raises InputError where a folder holds no finished run, or a prediction file is gone.
    """
    old, new = _scores(before), _scores(after)
    pairs, refused = [], []
    for key in (key for key in new if key in old):
        why = why_not_comparable(old[key], new[key])
        predictions = [_predictions(before, old[key]), _predictions(after, new[key])]
        try:
            if why is not None:
                raise InputError(f"scored against {why}")
            one, other = score_systems(predictions)  # together, on the same resamples
        except InputError as err:
            refused.append(_named(key) | {"why": str(err)})
        else:
            pairs.append((key, one, other, difference(other, one)))
    by_task: dict[str, list[Difference]] = {}
    for key, _, _, change in pairs:
        by_task.setdefault(key[0], []).append(change)
    adjusted = {task: iter(corrected(found)) for task, found in by_task.items()}
    rows = [
        _named(key)
        | {"before": asdict(one.score.main), "after": asdict(other.score.main)}
        | {"change": (change := next(adjusted[key[0]])), "is_clear": change.is_clear}
        | {"made": list(_made_differently(one.score.signature, other.score.signature))}
        for key, one, other, _ in pairs
    ]
    return {
        "before": _facts(before),
        "after": _facts(after),
        "rows": [row | {"change": asdict(cast(Difference, row["change"]))} for row in rows],
        "refused": refused,
        "only_before": [_named(key) for key in old if key not in new],
        "only_after": [_named(key) for key in new if key not in old],
    }


def _scores(folder: Path) -> dict[Key, dict[str, Any]]:
    return {(s["task"], s["system"], s["lang"]): s for s in read_summary(folder)["scores"]}


def _facts(folder: Path) -> dict[str, Any]:
    summary = read_summary(folder)
    return {"folder": folder.name, "title": summary["experiment"]["title"], "machine": summary["machine"]}


def _predictions(folder: Path, score: dict[str, Any]) -> list[PredictionSet]:
    """The prediction files that a score was made from, in the order of its seeds."""
    stem = f"{score['task']}.{score['system']}.{score['lang']}"
    names = [stem if seed == "-" else f"{stem}.seed{seed}" for seed in score["by_seed"]]
    return [read_predictions(folder / "predictions" / f"{name}.jsonl") for name in names]


def _named(key: Key) -> dict[str, str]:
    return dict(zip(("task", "system", "lang"), key, strict=True))


def _made_differently(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Settings and versions of the two that are not the same, "what: old -> new"."""
    for part in ("settings", "versions"):
        old, new = before[part], after[part]
        old, new = old | old.get("settings", {}), new | new.get("settings", {})
        for name in sorted({*old, *new} - {"settings", "curve", "dev", "best_epoch", "collapsed"}):
            if old.get(name) != new.get(name):
                yield f"{name}: {_told(old.get(name))} -> {_told(new.get(name))}"


def _told(value: Any) -> str:
    text = "nothing" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
