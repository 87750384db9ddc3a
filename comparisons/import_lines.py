"""Other programs' predictions, an item a line: labels alone, a table with a column of them, or bare JSON lines.

What such a line repeats of the data (texts, words, gold) is held against the gold file's item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from baselines.corpora import HYPOTHESIS, LABEL, LABEL_SPELLINGS, PREMISE, Item, TaggedSentence
from baselines.predictions import fault_of, read_record, shown
from comparisons.import_conll import check_scheme, is_tag, to_iob2
from xlembed.errors import at
from xlembed.files import numbered_lines

PREDICTED = ("predicted", "prediction", "pred", "predicted_label")
GOLD = ("gold", "gold_label", *LABEL, "category", "topic", "class")
TEXT = ("text", "sentence")
ID = ("id", "pair_id", "index_id")

Told = tuple[int, dict[str, Any]]  # a line's number, and what it says: predicted, and some of gold, words, texts


def read_label_lines(path: str | Path, kind: str, items: Sequence[Item], gold: str | Path) -> tuple[list[str], str]:
    """Labels (nli, topic) of a file with one a line, or of a TSV with a header; and what was checked.

    A table's column is named predicted, prediction, pred or predicted_label; or label, where every other column is the
    data's own text or number. Raises InputError with the line.
    """
    lines = [(number, line.split("\t")) for number, line in numbered_lines(path)]
    while lines and not any(field.strip() for field in lines[-1][1]):
        lines.pop()
    if not lines:
        raise at(path, None, "is empty: a label a line, or a table with a header, is needed")
    header = [name.strip().lower() for name in lines[0][1]]
    if len(header) == 1 and header[0] not in (*PREDICTED, *LABEL):
        told = [(number, {"predicted": "\t".join(fields)}) for number, fields in lines]
    else:
        columns = _columns(header, kind, path)
        told = [_cells(fields, columns, len(header), path, number) for number, fields in lines[1:]]
    told = [(number, {key: _label(kind, value) if key in ("predicted", "gold") else value
                      for key, value in one.items()}) for number, one in told]  # fmt: skip
    for number, one in told:
        _check_label(kind, one["predicted"], path, number)
    return [one["predicted"] for _, one in told], _check(told, items, path, gold)


def _columns(header: list[str], kind: str, path: str | Path) -> dict[str, int]:
    """What a table's columns are: predicted, and gold and texts where it has them."""
    texts: dict[str, Sequence[str]] = {"text": TEXT}
    if kind == "nli":
        texts = {"premise": PREMISE, "hypothesis": HYPOTHESIS}
    found = _find(header, {"predicted": PREDICTED, "gold": GOLD} | texts)
    if "predicted" in found:
        return found
    found = _find(header, {"predicted": LABEL} | texts)
    if "predicted" not in found:
        raise at(path, 1, f"no column is named predicted; there are {', '.join(header)[:100]}")
    others = [name for i, name in enumerate(header) if i not in found.values() and name not in ID]
    if others:
        raise at(path, 1, f"is {header[found['predicted']]!r} gold or predicted, and what is {others[0]!r}? "
                 "Name the column of predictions 'predicted'")  # fmt: skip
    return found


def _find(header: list[str], names: dict[str, Sequence[str]]) -> dict[str, int]:
    places = {what: [header.index(name) for name in spellings if name in header] for what, spellings in names.items()}
    return {what: found[0] for what, found in places.items() if found}


def _cells(fields: list[str], columns: dict[str, int], n: int, path: str | Path, number: int) -> Told:
    if len(fields) != n:
        raise at(path, number, f"has {len(fields)} columns, the header has {n}")
    return number, {what: fields[i].strip() for what, i in columns.items()}


def _label(kind: str, text: str) -> str:
    """A label as the readers of gold spell it."""
    label = text.strip()
    return LABEL_SPELLINGS.get(label.lower(), label.lower()) if kind == "nli" else label


def _check_label(kind: str, label: str, path: str | Path, number: int) -> None:
    fault = fault_of(kind, label)
    if fault:
        hint = ": write the name; a model's config gives the name of each number as id2label" if label.isdigit() else ""
        raise at(path, number, fault + hint)


def read_json_lines(path: str | Path, kind: str, scheme: str, items: Sequence[Item],
                    gold: str | Path) -> tuple[list[Any], str]:  # fmt: skip
    """Predictions of JSON lines {"predicted": ...} without a header; and what was checked.

    id, gold, words, premise, hypothesis and text may stand beside it and are checked. Raises InputError with the line.
    """
    check_scheme(scheme)
    known = ("id", "predicted", "gold", "words", "premise", "hypothesis", "text")
    told: list[Told] = []
    for number, line in numbered_lines(path):
        record = read_record(path, number, line)
        unknown = [key for key in record if key not in known]
        if "predicted" not in record or unknown:
            what = f"has the unknown field {shown(unknown[0])}" if unknown else "lacks 'predicted'"
            raise at(path, number, f"{what}; known are {', '.join(known)}")
        if "id" in record and (record["id"] != len(told) or isinstance(record["id"], bool)):
            raise at(path, number, f"id {shown(record['id'])}, here {len(told)} is due: ids count from 0 in order")
        for key in {"predicted", "gold"} & set(record):
            record[key] = _in_iob2(record[key], kind, scheme, path, number)
        told.append((number, record))
    checked = _check(told, items, path, gold)
    return [record["predicted"] for _, record in told], checked


def _in_iob2(value: Any, kind: str, scheme: str, path: str | Path, number: int) -> Any:
    if kind == "ner" and isinstance(value, list) and all(isinstance(tag, str) and is_tag(tag, scheme) for tag in value):
        value = to_iob2(value, scheme)
    fault = fault_of(kind, value)
    if fault:
        raise at(path, number, fault + ("; --scheme says which other tags are to be read" if kind == "ner" else ""))
    return value


# what a line may repeat of its item
_OF_ITEM: dict[str, Callable[[Any], Any]] = {
    "words": lambda item: list(item.words),
    "premise": lambda item: item.premise,
    "hypothesis": lambda item: item.hypothesis,
    "text": lambda item: item.text,
    "gold": lambda item: item.gold,
}


def _check(told: Sequence[Told], items: Sequence[Item], path: str | Path, gold: str | Path) -> str:
    """Hold lines against the gold's items; InputError names the first that differs. Says what was checked."""
    kept = None
    for i, ((number, one), item) in enumerate(zip(told, items, strict=False)):
        has = [key for key in _OF_ITEM if key in one]
        for key in has:
            _same(key, one[key], item, i, path, number, gold)
        tags = one["predicted"]
        if isinstance(item, TaggedSentence) and isinstance(tags, list) and len(tags) != len(item.words):
            raise at(path, number, f"{len(one['predicted'])} tags, sentence {i + 1} of {gold} has "
                     f"{len(item.words)} words")  # fmt: skip
        kept = set(has) if kept is None else kept & set(has)
    if len(told) != len(items):
        raise at(path, None, f"holds {len(told)} predictions for {len(items)} gold items in {gold}: it was cut short, "
                 "or is of another split")  # fmt: skip
    return ", ".join(["number of items", *(key for key in _OF_ITEM if key in (kept or ()))])


def _same(key: str, value: Any, item: Item, i: int, path: str | Path, number: int, gold: str | Path) -> None:
    try:
        own = _OF_ITEM[key](item)
    except AttributeError:
        raise at(path, number, f"has {key!r}, an item of {gold} has none") from None
    if value != own:
        first = _first_difference(value, own)
        raise at(path, number, f"{key} {shown(first[0])}, {gold} has {shown(first[1])} (item {i}): it is of another "
                 "split or version, or in another order")  # fmt: skip


def _first_difference(one: Any, other: Any) -> tuple[Any, Any]:
    """The first pair of unlike words or tags of two lists, or the two themselves."""
    if isinstance(one, list) and isinstance(other, list):
        return next(((a, b) for a, b in zip(one, other, strict=False) if a != b), (len(one), len(other)))
    return one, other
