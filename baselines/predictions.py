"""The prediction file: what every system writes and the one scorer reads.

JSON lines. The first is a header with everything that made the predictions; each further line is one item
with its gold and its prediction: a list of tags, or a label; pairs whose premise is that of others have the number of
their group too, for intervals that take whole groups.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from baselines.corpora import KINDS, TAGGING, Item, SentencePair, gold_hash, need_gold
from xlembed.errors import InputError, at
from xlembed.files import numbered_lines, write_text


@dataclass(frozen=True)
class RunSettings:
    """What made a prediction file: enough to tell it from every other."""

    task: str  # name of the task in the experiment, e.g. "wikiann"
    kind: str  # one of KINDS
    system: str
    lang: str
    split: str = "test"
    seed: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)  # seconds, parameters
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PredictionSet:
    """Gold and predicted, item by item: lists of tags (ner, pos) or labels (nli, topic)."""

    run: RunSettings
    gold_sha256: str
    gold: list
    predicted: list
    groups: list[int] | None = None  # items of a group (one premise) were not drawn independently

    def __len__(self) -> int:
        return len(self.gold)


def make_predictions(run: RunSettings, items: Sequence[Item], predicted: Sequence) -> PredictionSet:
    """Join items with predictions; refuses another number of items, or of tags in a sentence."""
    need_gold(items, f"{run.task} {run.lang} {run.split}")
    predictions = PredictionSet(run, gold_hash(items), [item.gold for item in items], list(predicted),
                                groups_of(items))  # fmt: skip
    check_lengths(predictions, f"{run.system} on {run.task} {run.lang}")
    return predictions


def groups_of(items: Sequence[Item]) -> list[int] | None:
    """The number of each pair's premise, in the order of first appearance; None where no two have one in common."""
    number: dict[str, int] = {}
    groups = [number.setdefault(item.premise, len(number)) for item in items if isinstance(item, SentencePair)]
    return groups if len(number) < len(groups) else None


def check_lengths(predictions: PredictionSet, where: str) -> None:
    """Raise InputError unless gold and predictions are of one length, sentence by sentence."""
    if len(predictions.gold) != len(predictions.predicted):
        raise InputError(
            f"{where}: {len(predictions.predicted)} predictions for {len(predictions.gold)} gold items"
        )
    if predictions.run.kind in TAGGING:
        for i, (gold, predicted) in enumerate(zip(predictions.gold, predictions.predicted, strict=True)):
            if len(gold) != len(predicted):
                raise InputError(
                    f"{where}: sentence {i + 1} has {len(gold)} words and {len(predicted)} predicted tags"
                )


def write_predictions(path: str | Path, predictions: PredictionSet) -> None:
    """Write a prediction file, all or nothing."""
    header = {"xlembed": "predictions", "n": len(predictions), "gold_sha256": predictions.gold_sha256}
    lines = [header | asdict(predictions.run)]
    lines += [
        {"id": i, "gold": gold, "predicted": predicted}
        | ({} if predictions.groups is None else {"group": predictions.groups[i]})
        for i, (gold, predicted) in enumerate(zip(predictions.gold, predictions.predicted, strict=True))
    ]
    write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def read_predictions(path: str | Path) -> PredictionSet:
    """Read a prediction file. Raises InputError with the line when it is malformed or cut short."""
    header: dict[str, Any] | None = None
    gold, predicted, groups = [], [], []
    for number, line in numbered_lines(path):
        try:
            record = json.loads(line)
            if header is None:
                header = dict(record)
                if header.get("xlembed") != "predictions":
                    raise at(path, 1, "is not a prediction file: its first line is the header")
            else:
                gold.append(record["gold"])
                predicted.append(record["predicted"])
                groups += [int(record["group"])] if "group" in record else []
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as err:
            if isinstance(err, InputError):
                raise
            raise at(path, number, "is not a line of a prediction file (id, gold, predicted)") from None
    if header is None:
        raise at(path, None, "is empty, a prediction file begins with its header")
    if header.get("kind") not in KINDS:
        raise at(path, 1, f"has the unknown kind {header.get('kind')!r}: {', '.join(KINDS)} are known")
    if header.get("n") != len(gold):
        raise at(path, None, f"holds {len(gold)} items, its header says {header.get('n')}: run it again")
    if groups and len(groups) != len(gold):
        raise at(path, None, f"{len(gold) - len(groups)} of {len(gold)} items have no group: give it to all or to none")
    try:
        run = RunSettings(**{key: header[key] for key in RunSettings.__dataclass_fields__})
        predictions = PredictionSet(run, header["gold_sha256"], gold, predicted, groups or None)
    except KeyError as err:
        raise at(path, 1, f"the header lacks {err}") from None
    check_lengths(predictions, str(path))
    return predictions
