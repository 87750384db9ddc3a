"""The prediction file: what every system writes and the one scorer reads.

JSON lines. The first is a header with everything that made the predictions; each further line is one item
with its gold and its prediction: a list of tags, or a label; pairs whose premise is that of others have the number of
their group too, for intervals that take whole groups. docs/adding-a-system.md tells it field by field. Files may be
written by hand or by other programs, so the reader takes nothing for granted.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from baselines.corpora import KINDS, NLI_LABELS, TAGGING, Item, SentencePair, gold_hash, need_gold
from xlembed.errors import InputError, at
from xlembed.files import numbered_lines, write_text
from xlembed.languages import is_language_code

MAX_LINE = 1_000_000  # characters; a sentence with its tags has thousands at most
_IOB2 = re.compile(r"O|[BI]-[^\s-]\S*")
_WORD = re.compile(r"\S+")
_ITEM_KEYS = ("id", "gold", "predicted", "group")


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
    gold: list[Any]
    predicted: list[Any]
    groups: list[int] | None = None  # items of a group (one premise) were not drawn independently

    def __len__(self) -> int:
        return len(self.gold)


def make_predictions(run: RunSettings, items: Sequence[Item], predicted: Sequence[Any]) -> PredictionSet:
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
    """Read a prediction file. Raises InputError with the line when anything in it is not as it should be."""
    run: RunSettings | None = None
    header: dict[str, Any] = {}
    gold: list[Any] = []
    predicted: list[Any] = []
    groups: list[int] = []
    for number, line in numbered_lines(path):
        record = read_record(path, number, line)
        if run is None:
            header, run = record, _run_of(record, path)
        else:
            _check_item(record, run.kind, len(gold), path, number)
            gold.append(record["gold"])
            predicted.append(record["predicted"])
            groups += [record["group"]] if "group" in record else []
    if run is None:
        raise at(path, None, "is empty, a prediction file begins with its header")
    if header["n"] != len(gold):
        raise at(path, None, f"holds {len(gold)} items, its header says {header['n']}: run it again")
    if groups and len(groups) != len(gold):
        raise at(path, None, f"{len(gold) - len(groups)} of {len(gold)} items have no group: give it to all or to none")
    predictions = PredictionSet(run, header["gold_sha256"], gold, predicted, groups or None)
    check_lengths(predictions, str(path))
    return predictions


def read_record(path: str | Path, number: int, line: str) -> dict[str, Any]:
    """The JSON object on a line. Raises InputError for anything else, JSON's unofficial extensions (NaN) included."""
    if len(line) > MAX_LINE:
        raise at(path, number, f"has {len(line):,} characters: one item a line is needed, {MAX_LINE:,} at most")
    try:
        record = _JSON.decode(line)
        if not isinstance(record, dict):
            raise ValueError(f"{shown(record)} is no object")
        if number == 1 or "\\" in line:  # halves of characters, and numbers beyond all bounds, pass the parser
            json.dumps(record, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except json.JSONDecodeError as err:
        reason = f"{err.msg} at column {err.colno}"
    except RecursionError:
        reason = "it is nested too deep"
    except ValueError as err:
        reason = str(err)
    else:
        return record
    raise at(path, number, f"is not a line of a prediction file, a JSON object: {reason}")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError(f"a key occurs twice among {', '.join(key for key, _ in pairs)}"[:200])
    return record


_JSON = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unique)


def _run_of(header: dict[str, Any], path: str | Path) -> RunSettings:
    """The run that a header tells of. Raises InputError for a field that is missing, unknown, or of a wrong type."""
    if header.get("xlembed") != "predictions":
        raise at(path, 1, 'is not a prediction file: its first line is the header, with "xlembed": "predictions"')
    if header.get("kind") not in KINDS:
        raise at(path, 1, f"has the unknown kind {shown(header.get('kind'))}: {', '.join(KINDS)} are known")
    own = {one.name: one.default is MISSING and one.default_factory is MISSING for one in fields(RunSettings)}
    for key in ["n", "gold_sha256", *(name for name, needed in own.items() if needed)]:
        if key not in header:
            raise at(path, 1, f"the header lacks {key!r}")
    for key, value in header.items():
        if key != "xlembed" and key not in _HEADER:
            raise at(path, 1, f"the header has the unknown field {shown(key)}; known are {', '.join(_HEADER)}")
        if key != "xlembed" and not _HEADER[key][0](value):
            raise at(path, 1, f"{key} = {shown(value)} in the header: {_HEADER[key][1]} is needed")
    return RunSettings(**{key: value for key, value in header.items() if key in own})


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and not any(end in value for end in "\n\r\t")


def _is_cost(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(one, (int, float)) and not isinstance(one, bool) and 0 <= one <= sys.float_info.max
        for one in value.values()
    )


_LINE = (_is_line, "text of one line")
_HEADER: dict[str, tuple[Callable[[Any], bool], str]] = {  # field -> what it must be, in code and in words
    "n": (lambda value: _is_whole(value) and value > 0, "the number of items"),
    "gold_sha256": (lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None,
                    "a SHA-256 of 64 hexadecimal digits in lower case"),
    "task": _LINE,
    "kind": (lambda value: value in KINDS, f"one of {', '.join(KINDS)}"),
    "system": _LINE,
    "lang": (lambda value: isinstance(value, str) and is_language_code(value), "an ISO 639 code such as de or hau"),
    "split": _LINE,
    "seed": (lambda value: value is None or _is_whole(value), "a whole number or null"),
    "settings": (lambda value: isinstance(value, dict), "an object"),
    "cost": (_is_cost, "an object of numbers that are not negative"),
    "versions": (lambda value: isinstance(value, dict) and all(map(_is_line, value.values())), "an object of texts"),
}  # fmt: skip


def _check_item(record: dict[str, Any], kind: str, expected: int, path: str | Path, number: int) -> None:
    """Raise InputError unless it is item number `expected` of a file."""
    for key in _ITEM_KEYS[:3]:
        if key not in record:
            raise at(path, number, f"is not a line of a prediction file (id, gold, predicted): {key!r} is missing")
    unknown = [key for key in record if key not in _ITEM_KEYS]
    if unknown:
        raise at(path, number, f"has the unknown field {shown(unknown[0])}; known are {', '.join(_ITEM_KEYS)}")
    if not _is_whole(record["id"]) or record["id"] != expected:
        raise at(path, number, f"id {shown(record['id'])}, here {expected} is due: ids count from 0 in order")
    for key in ("gold", "predicted"):
        fault = fault_of(kind, record[key])
        if fault:
            raise at(path, number, f"{key}: {fault}")
    if record["gold"] == []:
        raise at(path, number, "gold: a sentence without words")
    if "group" in record and not (_is_whole(record["group"]) and record["group"] >= 0):
        raise at(path, number, f"group {shown(record['group'])}: a whole number from 0 is needed")


def fault_of(kind: str, value: Any) -> str | None:
    """Why something cannot be the gold or the prediction of an item of a kind; None if it can."""
    if kind not in TAGGING:
        return _fault_of_label(kind, value)
    if not isinstance(value, list):
        return f"{shown(value)}: a list of tags is needed, one a word"
    for i, tag in enumerate(value):
        if not isinstance(tag, str) or not _is_tag(kind, tag):
            allowed = "O, B-X or I-X (IOB2)" if kind == "ner" else "a text without spaces"
            return f"{shown(tag)}, word {i + 1}: a tag is {allowed}"
    return None


@functools.lru_cache(maxsize=4096)
def _is_tag(kind: str, tag: str) -> bool:
    return (_IOB2 if kind == "ner" else _WORD).fullmatch(tag) is not None


def _fault_of_label(kind: str, value: Any) -> str | None:
    if kind == "nli":
        return None if value in NLI_LABELS else f"the label {shown(value)} is not one of {', '.join(NLI_LABELS)}"
    is_label = _is_line(value) and value.strip()
    return None if is_label else f"{shown(value)}: a label, text of one line, is needed"


def shown(value: Any) -> str:
    """A value of JSON as messages show it: short, on one line."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
