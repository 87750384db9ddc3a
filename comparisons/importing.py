"""Anybody's predictions as a PredictionSet: prediction files, and what other programs write, held against the gold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from baselines.corpora import KINDS, TAGGING, TaggedSentence, gold_hash, need_gold, read_items
from baselines.predictions import (
    PredictionSet,
    RunSettings,
    check_lengths,
    make_predictions,
    read_predictions,
    read_record,
    shown,
)
from comparisons.import_conll import check_rows, check_scheme, own_items, predicted_tags, read_rows
from comparisons.import_lines import read_json_lines, read_label_lines
from comparisons.label_names import need_known_labels
from xlembed.errors import InputError, at
from xlembed.files import numbered_lines


@dataclass(frozen=True)
class Said:
    """What is said of a file besides the file itself, None where nothing is."""

    kind: str | None = None
    task: str | None = None
    system: str | None = None
    lang: str | None = None
    split: str | None = None
    seed: int | None = None


def read_theirs(path: Path, said: Said, gold: Path | None = None, scheme: str = "iob2") -> PredictionSet:
    """Read predictions of any of the formats of docs/adding-a-system.md and check them against a gold file.

    JSON lines (.jsonl, or a first line that begins with {") are a prediction file or, without its header, lines of
    {"predicted": ...}; all else is columns (ner, pos) or labels (nli, topic). A prediction file, and columns with gold
    among them, can do without a gold file. Raises InputError with the file and line of the first thing that differs.
    """
    check_scheme(scheme)
    if said.kind is not None and said.kind not in KINDS:
        raise InputError(f"unknown kind of task {said.kind!r}: choose {', '.join(KINDS)}")
    first = next(numbered_lines(path), (1, ""))[1]
    is_json = ".jsonl" in path.suffixes[-2:] or first.startswith('{"')
    if is_json and (not first or "predicted" not in read_record(path, 1, first)):
        if scheme != "iob2":
            raise at(path, None, f"is a prediction file, its tags are IOB2: leave out the scheme {scheme}")
        found = read_predictions(path)
        _check_said(found.run, said, path)
        return found if gold is None else with_gold(found, gold, path)
    if said.kind is None:
        raise at(path, None, f"has no header that says what it is: give its kind ({', '.join(KINDS)})")
    found = _without_header(path, said, said.kind, gold, scheme, is_json)
    need_known_labels(found, path)
    return found


def _without_header(path: Path, said: Said, kind: str, gold: Path | None, scheme: str, is_json: bool) -> PredictionSet:
    lang = said.lang or "und"
    if not is_json and kind in TAGGING:
        return _from_columns(path, said, kind, lang, gold, scheme)
    if gold is None:
        raise at(path, None, "holds predictions without gold: give the test file as --gold")
    items = read_items(kind, gold, lang)
    need_gold(items, str(gold))
    if is_json:
        predicted, checked = read_json_lines(path, kind, scheme, items, gold)
    else:
        predicted, checked = read_label_lines(path, kind, items, gold)
    return make_predictions(_run(path, said, kind, lang, gold, checked), items, predicted)


def _from_columns(path: Path, said: Said, kind: str, lang: str, gold: Path | None, scheme: str) -> PredictionSet:
    if gold is None:
        sentences = read_rows(path, kind, lang, scheme, None)
        items, checked = own_items(sentences, kind, lang, scheme, path), "nothing, the gold is the file's own"
    else:
        items = cast("list[TaggedSentence]", read_items(kind, gold, lang))  # the kind is one of tagging
        need_gold(items, str(gold))
        sentences = read_rows(path, kind, lang, scheme, items[0].words[0])
        checked = check_rows(sentences, items, kind, scheme, path, gold)
    run = _run(path, said, kind, lang, gold, checked)
    return make_predictions(run, items, predicted_tags(sentences, kind, scheme))


def _run(path: Path, said: Said, kind: str, lang: str, gold: Path | None, checked: str) -> RunSettings:
    """Settings of a file without a header: what was said, or the file's name as the system's."""
    return RunSettings(said.task or kind, kind, said.system or path.name.partition(".")[0], lang,
                       said.split or (gold or path).name, said.seed,
                       {"imported": path.name, "checked": checked})  # fmt: skip


def _check_said(run: RunSettings, said: Said, path: Path) -> None:
    """Raise InputError where a header says something else."""
    for name, value in vars(said).items():
        own = getattr(run, name)
        if value is not None and own != value:
            raise at(path, 1, f"the header says {name} {shown(own)}, not {shown(value)}")


def with_gold(found: PredictionSet, gold: Path, path: Path) -> PredictionSet:
    """Predictions joined with a gold file, which must be the one that they were made for: gold and texts alike."""
    items = read_items(found.run.kind, gold, found.run.lang)
    need_gold(items, str(gold))
    ours: list[Any] = [item.gold for item in items]
    check_lengths(PredictionSet(found.run, "", ours, found.predicted), f"{path} against {gold}")
    for i, (theirs, own) in enumerate(zip(found.gold, ours, strict=True)):
        if theirs != own:
            raise at(path, i + 2, f"the gold of item {i} is {_told(theirs)}, {gold} has {_told(own)}: the predictions "
                     "were made for another split or version of the data")  # fmt: skip
    if found.gold_sha256 != gold_hash(items):
        raise at(path, 1, f"gold_sha256 is not that of {gold}, though the gold is: its texts are others")
    return make_predictions(found.run, items, found.predicted)


def _told(answer: str | list[str]) -> str:
    return answer if isinstance(answer, str) else " ".join(answer)[:60]
