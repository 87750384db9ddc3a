"""What a score was made from, on one line, and why two scores cannot be compared."""

from __future__ import annotations

import hashlib
import json
from typing import Any

SHORT_METRIC = {"ner": "span-f1/default", "pos": "accuracy/words", "nli": "accuracy", "topic": "accuracy"}


def signature_line(score: dict[str, Any]) -> str:
    """A score's signature for a paper or a log: equal lines were made alike, on the same items.

    `score` has task, kind, system, lang, by_seed, n_items and signature, as a score file has.
    """
    signature = score["signature"]
    settings = json.dumps(_without_times(signature["settings"]), sort_keys=True, ensure_ascii=False).encode()
    parts = [
        f"{score['task']}/{score['lang']}",
        f"split:{signature['split']}",
        f"n:{score['n_items']}",
        f"gold:{signature['gold_sha256'][:12]}",
        f"metric:{SHORT_METRIC[score['kind']]}",
        f"system:{score['system']}",
        f"settings:{hashlib.sha256(settings).hexdigest()[:12]}",
        f"seeds:{','.join(score['by_seed'])}",
        f"interval:{signature['interval_kind']}",
        *(f"{name}:{version}" for name, version in sorted(signature["versions"].items())),
    ]
    return "|".join(parts)


def _without_times(value: Any) -> Any:
    """Settings as JSON has them, but for what a clock said: the same training takes another time each time."""
    if isinstance(value, dict):
        return {key: _without_times(one) for key, one in value.items() if key != "seconds"}
    return [_without_times(one) for one in value] if isinstance(value, list) else value


def why_not_comparable(one: dict[str, Any], other: dict[str, Any]) -> str | None:
    """What makes two scores answers to different questions, None where nothing does."""
    for key, what in (("task", "tasks"), ("kind", "kinds of task"), ("lang", "languages")):
        if one[key] != other[key]:
            return f"different {what} ({one[key]}, {other[key]})"
    a, b = one["signature"], other["signature"]
    if a["split"] != b["split"]:
        return f"different splits ({a['split']}, {b['split']})"
    if one["n_items"] != other["n_items"]:
        return f"different gold: {one['n_items']} and {other['n_items']} items, so one test set is cut or another one"
    if a["gold_sha256"] != b["gold_sha256"]:
        return (f"different gold: as many items, but sha256 {a['gold_sha256'][:12]} and {b['gold_sha256'][:12]}: "
                "texts, labels or their order differ")  # fmt: skip
    return None


def unlike(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What a reader of a difference should know: it may be compared, but the two were not made alike."""
    notes = []
    a, b = one["signature"], other["signature"]
    n_one, n_other = len(one["by_seed"]), len(other["by_seed"])
    if n_one != n_other and not any(s["settings"].get("system_type") == "majority" for s in (a, b)):
        notes.append(f"{n_one} {_seeds(n_one)} against {n_other}")
    for key, what in (("n_train", "training items"), ("n_dev", "dev items")):
        counts = [s["settings"].get(key) for s in (a, b)]
        if None not in counts and counts[0] != counts[1]:
            notes.append(f"{counts[0]:,} against {counts[1]:,} {what}")
    if a["versions"].get("xlembed") != b["versions"].get("xlembed"):
        notes.append("made by different versions of xlembed")
    return notes


def _seeds(n: int) -> str:
    return "seed" if n == 1 else "seeds"
