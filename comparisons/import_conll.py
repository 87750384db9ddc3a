"""Taggers' outputs in columns, as conlleval reads them: token ... gold predicted, or token predicted.

Whoever aligns predictions with gold by position alone scores whatever comes: so every token is held against the
gold file's, and the first line that differs is named.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from baselines.corpora import TaggedSentence
from xlembed.errors import InputError, at
from xlembed.files import numbered_lines

# The letters before a type. S and U stand for a span of one word, E and L for the last word of one.
SCHEMES = {"iob2": "BI", "iob1": "BI", "bioes": "BIES", "bilou": "BILU"}


@dataclass(frozen=True)
class Row:
    """A token line; `gold` is None where the file has no column of it."""

    line: int
    token: str
    gold: str | None
    predicted: str


@dataclass(frozen=True)
class _Layout:
    separator: str
    n: int
    token: int
    has_gold: bool


def check_scheme(scheme: str) -> None:
    """Raise InputError unless the tag scheme is known."""
    if scheme not in SCHEMES:
        raise InputError(f"unknown tag scheme {scheme!r}: choose {', '.join(SCHEMES)}")


def is_tag(tag: str, scheme: str) -> bool:
    """Whether it is O, or a letter of the scheme and a type."""
    return tag == "O" or re.fullmatch(rf"[{SCHEMES[scheme]}]-[^\s-]\S*", tag) is not None


def to_iob2(tags: Sequence[str], scheme: str) -> list[str]:
    """Tags of a scheme as IOB2 with the same spans; iob2 itself is left as it is.

    What breaks its scheme is read as seqeval's default mode and conlleval read it: a letter of the inside opens a span
    where none of its type is under way.
    """
    if scheme == "iob2":
        return list(tags)
    found, under_way = [], None
    for tag in tags:
        letter, _, kind = tag.partition("-")
        if letter == "O":
            found.append(tag)
            under_way = None
        else:
            found.append(f"{'I' if letter in 'IEL' and kind == under_way else 'B'}-{kind}")
            under_way = None if letter in "ESLU" else kind
    return found


def read_rows(path: str | Path, kind: str, lang: str, scheme: str, first_word: str | None = None) -> list[list[Row]]:
    """Token lines, sentence by sentence; a blank line ends one, -DOCSTART- lines are left out.

    Columns are parted by TAB where the first token line has one, else by spaces. Three or more are token ... gold
    predicted, two are token predicted; a number before the tokens is passed over (`first_word`, of the gold file, tells
    it from a token). A `lang:` prefix of the tokens is cut, as the reader of gold does. InputError names the line.
    """
    check_scheme(scheme)
    sentences: list[list[Row]] = [[]]
    layout: _Layout | None = None
    for number, line in numbered_lines(path):
        if not line.strip(" \t"):
            sentences += [[]] if sentences[-1] else []
        elif not line.startswith("-DOCSTART-"):
            layout = layout or _layout(line, first_word, path, number)
            sentences[-1].append(_row(line, layout, kind, lang, scheme, path, number))
    sentences = [rows for rows in sentences if rows]
    if not sentences:
        raise at(path, None, "holds no token line: columns token, gold and predicted, or token and predicted, are read")
    return sentences


def _fields(line: str, separator: str) -> list[str]:
    return line.split("\t") if separator == "\t" else [field for field in line.split(" ") if field]


def _layout(line: str, first_word: str | None, path: str | Path, number: int) -> _Layout:
    separator = "\t" if "\t" in line else " "
    fields = _fields(line, separator)
    if len(fields) < 2:
        raise at(path, number, f"has the one column {line[:40]!r}: a token and its predicted tag are needed")
    token = int(len(fields) > 2 and fields[0] in ("0", "1") and fields[0] != first_word)
    return _Layout(separator, len(fields), token, has_gold=len(fields) - token > 2)


def _row(line: str, layout: _Layout, kind: str, lang: str, scheme: str, path: str | Path, number: int) -> Row:
    fields = _fields(line, layout.separator)
    if len(fields) != layout.n:
        raise at(path, number, f"has {len(fields)} columns, the lines before it have {layout.n}")
    token = fields[layout.token]
    tags = fields[-2:] if layout.has_gold else fields[-1:]
    for tag in tags:
        if not tag or (kind == "ner" and not is_tag(tag, scheme)):
            allowed = f"O or {'-, '.join(SCHEMES[scheme])}- with a type" if kind == "ner" else "any word"
            raise at(path, number, f"{tag!r} is no tag of {scheme} ({allowed}): is it another --scheme, or column?")
    return Row(number, token if token == f"{lang}:" else token.removeprefix(f"{lang}:"),
               tags[0] if layout.has_gold else None, tags[-1])  # fmt: skip


def own_items(sentences: Sequence[Sequence[Row]], kind: str, lang: str, scheme: str,
              path: str | Path) -> list[TaggedSentence]:  # fmt: skip
    """The sentences with the gold of the file itself. Raises InputError where it has none."""
    if sentences[0][0].gold is None:
        raise at(path, None, "has no column of gold: give the test file as --gold")
    return [TaggedSentence(tuple(row.token for row in rows),
                           tuple(_gold(rows, kind, scheme)), lang)
            for rows in sentences]  # fmt: skip


def predicted_tags(sentences: Sequence[Sequence[Row]], kind: str, scheme: str) -> list[list[str]]:
    """Predicted tags of each sentence, IOB2 for ner."""
    return [_iob2([row.predicted for row in rows], kind, scheme) for rows in sentences]


def _gold(rows: Sequence[Row], kind: str, scheme: str) -> list[str]:
    """The column of gold, which all rows have or none."""
    return _iob2([row.gold for row in rows if row.gold is not None], kind, scheme)


def _iob2(tags: list[str], kind: str, scheme: str) -> list[str]:
    return to_iob2(tags, scheme) if kind == "ner" else tags


def check_rows(sentences: Sequence[Sequence[Row]], items: Sequence[TaggedSentence], kind: str, scheme: str,
               path: str | Path, gold: str | Path) -> str:  # fmt: skip
    """Hold a file against the gold's sentences; InputError names the first line that differs. Says what was checked."""
    for number, (rows, item) in enumerate(zip(sentences, items, strict=False), start=1):
        fault = _words_fault(rows, item, number, gold)
        if fault:
            line, what = fault
            raise at(path, line, what + _order_hint(sentences, items))
        if rows[0].gold is not None:
            _check_gold(rows, item, kind, scheme, path, gold)
    if len(sentences) != len(items):
        n_missing = len(items) - len(sentences)
        what = f"the last {n_missing} are missing, it was cut short" if n_missing > 0 else "it is of another split"
        n, line = len(sentences), sentences[-1][-1].line
        raise at(path, line, f"ends after {n} sentences, {gold} has {len(items)}: {what}")
    return "words" if sentences[0][0].gold is None else "words, gold"


def _words_fault(rows: Sequence[Row], item: TaggedSentence, number: int, gold: str | Path) -> tuple[int, str] | None:
    """Line and description of the first word that is not the gold's."""
    for i, (row, word) in enumerate(zip(rows, item.words, strict=False), start=1):
        if row.token != word:
            form = unicodedata.normalize("NFC", row.token) == unicodedata.normalize("NFC", word)
            return row.line, (f"token {row.token!r}, {gold} has {word!r} (sentence {number}, word {i})"
                              + (": the same letters in another Unicode form" if form else ""))  # fmt: skip
    n_words = len(item.words)
    if len(rows) < n_words:
        return rows[-1].line, (f"sentence {number} ends after {len(rows)} words, in {gold} it has {n_words}: "
                               "was it cut at a model's greatest length?")  # fmt: skip
    if len(rows) > n_words:
        return rows[n_words].line, f"sentence {number} goes on, in {gold} it ends after {n_words} words"
    return None


def _order_hint(sentences: Sequence[Sequence[Row]], items: Sequence[TaggedSentence]) -> str:
    same = Counter(tuple(row.token for row in rows) for rows in sentences) == Counter(item.words for item in items)
    return "; the sentences are the gold's in another order" if same else ""


def _check_gold(rows: Sequence[Row], item: TaggedSentence, kind: str, scheme: str, path: str | Path,
                gold: str | Path) -> None:  # fmt: skip
    """Raise InputError unless the gold column says what the gold file says (for ner: the same spans)."""
    theirs, ours = _gold(rows, kind, scheme), list(item.tags or ())
    if kind == "ner":
        theirs, ours = to_iob2(theirs, "iob1"), to_iob2(ours, "iob1")
    for row, one, other in zip(rows, theirs, ours, strict=True):
        if one != other:
            raise at(path, row.line, f"the gold column says {row.gold} of {row.token!r}, {gold} says {other}: it is "
                     "other gold, or not the last column but one")  # fmt: skip
