"""Readers of labelled task data: tagged sentences (NER) and sentence pairs (NLI)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xlembed.errors import InputError, at
from xlembed.files import numbered_lines

NLI_LABELS = ("entailment", "neutral", "contradiction")
_LABEL_SPELLINGS = {"contradictory": "contradiction", "entails": "entailment"}
_TAG = re.compile(r"O|[BI]-[^\s-]\S*")
_PREMISE = ("premise", "sentence1", "sentence_a")
_HYPOTHESIS = ("hypothesis", "sentence2", "sentence_b")
_LABEL = ("label", "gold_label", "entailment_judgment")
_ID = ("id", "pair_id")


@dataclass(frozen=True)
class TaggedSentence:
    """Words of one sentence and their IOB2 tags; `tags` is None where the file has no gold."""

    words: tuple[str, ...]
    tags: tuple[str, ...] | None = None

    @property
    def gold(self) -> list[str] | None:
        return None if self.tags is None else list(self.tags)


@dataclass(frozen=True)
class SentencePair:
    """Premise and hypothesis; `label` is None where the file has no gold."""

    premise: str
    hypothesis: str
    label: str | None = None

    @property
    def gold(self) -> str | None:
        return self.label


def read_tagged(path: str | Path, lang: str | None = None) -> list[TaggedSentence]:
    """Sentences of a CoNLL-style file: token, separator, IOB2 tag a line; a blank line ends a sentence.

    The separator is the file's own: TAB if its first token line has one, else one space. Tokens may hold
    other white space (U+00A0, U+3000). All lines have as many columns as the first: one (tokens alone, no
    gold), or the tag last and the token first, or second where a number counts the tokens (WikiNEuRal). A
    `lang:` prefix of the tokens (PAN-X) is cut. Tags are O, B-X, I-X; an I-X that follows nothing of its
    type is kept as it is (metrics.py says how it is read). Raises InputError with the line.
    """
    sentences: list[TaggedSentence] = []
    rows: list[tuple[str, str | None]] = []
    columns: _Columns | None = None
    for number, line in numbered_lines(path):
        if not line.strip(" \t"):
            _close(rows, sentences)
        elif not line.startswith("-DOCSTART-"):
            columns = columns or _columns(line)
            token, tag = _split_token(line, columns, path, number)
            rows.append((token.removeprefix(f"{lang}:") if lang and token != f"{lang}:" else token, tag))
    _close(rows, sentences)
    if not sentences:
        raise at(path, None, "holds no sentence: a token TAB tag a line, a blank line between sentences is read")
    return sentences


@dataclass(frozen=True)
class _Columns:
    separator: str
    n: int
    token: int


def _columns(line: str) -> _Columns:
    """The layout of a file, from its first token line."""
    separator = "\t" if "\t" in line else " "
    fields = line.split(separator)
    return _Columns(separator, len(fields), token=int(len(fields) > 2 and fields[0] in ("0", "1")))


def _split_token(line: str, columns: _Columns, path: str | Path, number: int) -> tuple[str, str | None]:
    fields = line.split(columns.separator)
    if columns.n == 1:
        if len(fields) > 1 or "\t" in line:
            raise at(path, number, "has a tag, the lines before it have none: give every token a tag or none")
        return line, None
    if len(fields) != columns.n or not fields[columns.token] or not _TAG.fullmatch(fields[-1]):
        name = "TAB" if columns.separator == "\t" else "space"
        layout = f"token {name} tag" if columns.n == 2 else f"{columns.n} columns with the tag last"
        raise at(path, number, f"expected {layout} (O, B-X or I-X), found {line[:60]!r}")
    return fields[columns.token], fields[-1]


def _close(rows: list[tuple[str, str | None]], sentences: list[TaggedSentence]) -> None:
    """Turn the collected rows into a sentence, and empty them."""
    if rows:
        tags = None if rows[0][1] is None else tuple(tag for _, tag in rows)
        sentences.append(TaggedSentence(tuple(token for token, _ in rows), tags))
        rows.clear()


def read_pairs(path: str | Path) -> list[SentencePair]:
    """Sentence pairs of a TSV file with a header that names premise, hypothesis and (for gold) label.

    The spellings of SNLI, SICK, XNLI and AmericasNLI are known. Labels travel as names, in lower case; rows
    without an agreed label ("-", SNLI) are left out. Raises InputError with the line.
    """
    lines = numbered_lines(path)
    first = next(lines, None)
    if first is None:
        raise at(path, None, "is empty: a header with premise, hypothesis and label is read")
    header = [name.strip().lower() for name in first[1].split("\t")]
    premise = _column(header, _PREMISE, path)
    hypothesis = _column(header, _HYPOTHESIS, path)
    label = _column(header, _LABEL, path, required=False)
    pairs = []
    for number, line in lines:
        if not line:
            continue
        fields = line.split("\t")
        if len(fields) != len(header):
            raise at(path, number, f"has {len(fields)} columns, the header has {len(header)}")
        gold = None if label is None else _nli_label(fields[label], path, number)
        if gold == "-":
            continue
        if not fields[premise].strip() or not fields[hypothesis].strip():
            raise at(path, number, "has an empty premise or hypothesis")
        pairs.append(SentencePair(fields[premise].strip(), fields[hypothesis].strip(), gold))
    if not pairs:
        raise at(path, None, "holds a header and no pairs")
    return pairs


def _column(header: list[str], names: Sequence[str], path: str | Path, required: bool = True) -> int | None:
    for name in names:
        if name in header:
            return header.index(name)
    if required:
        raise at(path, 1, f"the header has no column {' or '.join(names)}; it has: {', '.join(header)[:100]}")
    return None


def _nli_label(text: str, path: str | Path, number: int) -> str:
    label = text.strip().lower()
    label = _LABEL_SPELLINGS.get(label, label)
    if label not in NLI_LABELS and label != "-":
        raise at(path, number, f"label {text[:40]!r} is not one of {', '.join(NLI_LABELS)}")
    return label


def read_items(kind: str, path: str | Path, lang: str | None = None) -> list[TaggedSentence] | list[SentencePair]:
    """Items of one file by kind of task, ner or nli."""
    if kind not in ("ner", "nli"):
        raise InputError(f"unknown kind of task {kind!r}: choose ner or nli")
    return read_tagged(path, lang) if kind == "ner" else read_pairs(path)


def gold_hash(items: Iterable[TaggedSentence | SentencePair]) -> str:
    """SHA-256 over texts and gold, in order: two prediction files with one hash answer the same questions."""
    digest = hashlib.sha256()
    for item in items:
        if isinstance(item, TaggedSentence):
            record = [list(item.words), item.gold]
        else:
            record = [item.premise, item.hypothesis, item.gold]
        digest.update(json.dumps(record, ensure_ascii=False).encode("utf-8") + b"\n")
    return digest.hexdigest()


def without_gold(items: Sequence[TaggedSentence | SentencePair]) -> list:
    """The items as a system may see them at test time."""
    return [replace(item, **{"tags" if isinstance(item, TaggedSentence) else "label": None}) for item in items]


def need_gold(items: Sequence[TaggedSentence | SentencePair], what: str) -> None:
    """Raise InputError unless every item has gold."""
    if not items:
        raise InputError(f"{what}: no items")
    if any(item.gold is None for item in items):
        raise InputError(f"{what}: no gold labels in this file, so it cannot be trained on or scored")
