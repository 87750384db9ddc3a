"""Readers of labelled task data: tagged sentences (NER, POS), sentence pairs (NLI) and single texts (topics)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from xlembed.errors import InputError, at
from xlembed.files import numbered_lines

KINDS = ("ner", "pos", "nli", "topic")
TAGGING = ("ner", "pos")  # a tag a word; the others give a label a text
NOUNS = {"ner": "sentences", "pos": "sentences", "nli": "pairs", "topic": "texts"}
NLI_LABELS = ("entailment", "neutral", "contradiction")
LABEL_SPELLINGS = {"contradictory": "contradiction", "entails": "entailment"}
_TAGS = {"ner": (re.compile(r"O|[BI]-[^\s-]\S*"), "O, B-X or I-X"), "pos": (re.compile(r"\S+"), "any word")}
_TEXT = ("text", "sentence")
PREMISE = ("premise", "sentence1", "sentence_a")
HYPOTHESIS = ("hypothesis", "sentence2", "sentence_b")
LABEL = ("label", "gold_label", "entailment_judgment")
_TOPIC = ("label", "category", "topic", "class")
_ID = ("id", "pair_id")


@dataclass(frozen=True)
class TaggedSentence:
    """Words of one sentence and their tags, IOB2 for NER; `tags` is None where the file has no gold."""

    words: tuple[str, ...]
    tags: tuple[str, ...] | None = None
    lang: str | None = field(default=None, compare=False)  # of the words, where an encoder has to be told

    @property
    def gold(self) -> list[str] | None:
        return None if self.tags is None else list(self.tags)


@dataclass(frozen=True)
class SentencePair:
    """Premise and hypothesis; `label` is None where the file has no gold."""

    premise: str
    hypothesis: str
    label: str | None = None
    lang: str | None = field(default=None, compare=False)  # of the premise, and of the hypothesis if it has none
    hypothesis_lang: str | None = field(default=None, compare=False)
    genre: str | None = field(default=None, compare=False)

    @property
    def gold(self) -> str | None:
        return self.label


@dataclass(frozen=True)
class LabelledText:
    """A text and its class; `label` is None where the file has no gold."""

    text: str
    label: str | None = None
    lang: str | None = field(default=None, compare=False)

    @property
    def gold(self) -> str | None:
        return self.label


Item = TaggedSentence | SentencePair | LabelledText


def read_tagged(path: str | Path, lang: str | None = None, kind: str = "ner") -> list[TaggedSentence]:
    """Sentences of a CoNLL-style file: token, separator, tag a line; a blank line ends a sentence.

    The separator is the file's own: TAB if its first token line has one, else one space. Tokens may hold
    other white space (U+00A0, U+3000). All lines have as many columns as the first: one (tokens alone, no
    gold), or the tag last and the token first, or second where a number counts the tokens (WikiNEuRal). A
    `lang:` prefix of the tokens (PAN-X) is cut. Tags of kind ner are O, B-X, I-X, those of kind pos any; an I-X that
    follows nothing of its type is kept as it is (metrics.py says how it is read). Raises InputError with the line.
    """
    sentences: list[TaggedSentence] = []
    rows: list[tuple[str, str | None]] = []
    columns: _Columns | None = None
    for number, line in numbered_lines(path):
        if not line.strip(" \t"):
            _close(rows, sentences)
        elif not line.startswith("-DOCSTART-"):
            columns = columns or _columns(line)
            token, tag = _split_token(line, columns, kind, path, number)
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


def _split_token(line: str, columns: _Columns, kind: str, path: str | Path, number: int) -> tuple[str, str | None]:
    pattern, allowed = _TAGS[kind]
    fields = line.split(columns.separator)
    if columns.n == 1:
        if len(fields) > 1 or "\t" in line:
            raise at(path, number, "has a tag, the lines before it have none: give every token a tag or none")
        return line, None
    if len(fields) != columns.n or not fields[columns.token] or not pattern.fullmatch(fields[-1]):
        name = "TAB" if columns.separator == "\t" else "space"
        layout = f"token {name} tag" if columns.n == 2 else f"{columns.n} columns with the tag last"
        raise at(path, number, f"expected {layout} ({allowed}), found {line[:60]!r}")
    return fields[columns.token], fields[-1]


def _close(rows: list[tuple[str, str | None]], sentences: list[TaggedSentence]) -> None:
    """Turn the collected rows into a sentence, and empty them."""
    if rows:
        tags = None if rows[0][1] is None else tuple(tag for _, tag in rows if tag is not None)  # all have one, or none
        sentences.append(TaggedSentence(tuple(token for token, _ in rows), tags))
        rows.clear()


def read_pairs(path: str | Path) -> list[SentencePair]:
    """Sentence pairs of a TSV file with a header that names premise, hypothesis and (for gold) label.

    The spellings of SNLI, SICK, XNLI and AmericasNLI are known. Labels travel as names, in lower case; rows
    without an agreed label ("-", SNLI) are left out. Raises InputError with the line.
    """
    rows = _rows(path, "premise, hypothesis and label")
    header = next(rows)[1]
    premise = _needed_column(header, PREMISE, path)
    hypothesis = _needed_column(header, HYPOTHESIS, path)
    label = _column(header, LABEL)
    genre = _column(header, ("genre",))
    pairs = []
    for number, fields in rows:
        gold = None if label is None else _nli_label(fields[label], path, number)
        if gold == "-":
            continue
        if not fields[premise].strip() or not fields[hypothesis].strip():
            raise at(path, number, "has an empty premise or hypothesis")
        pairs.append(SentencePair(fields[premise].strip(), fields[hypothesis].strip(), gold,
                                  genre=None if genre is None else fields[genre].strip()))  # fmt: skip
    if not pairs:
        raise at(path, None, "holds a header and no pairs")
    return pairs


def read_texts(path: str | Path) -> list[LabelledText]:
    """Texts of a TSV file with a header that names text and (for gold) label: SIB-200's spelling is known as well.

    Raises InputError with the line.
    """
    rows = _rows(path, "text and label")
    header = next(rows)[1]
    text, label = _needed_column(header, _TEXT, path), _column(header, _TOPIC)
    texts = []
    for number, fields in rows:
        gold = None if label is None else fields[label].strip()
        if not fields[text].strip() or gold == "":
            raise at(path, number, "has an empty text or label")
        texts.append(LabelledText(fields[text].strip(), gold))
    if not texts:
        raise at(path, None, "holds a header and no texts")
    return texts


def _rows(path: str | Path, columns: str) -> Iterator[tuple[int, list[str]]]:
    """Numbered rows of a TSV file, the header (in lower case) first; all have as many fields as it."""
    header: list[str] | None = None
    for number, line in numbered_lines(path):
        fields = line.split("\t")
        if header is None:
            header = [name.strip().lower() for name in fields]
            yield number, header
        elif line:
            if len(fields) != len(header):
                raise at(path, number, f"has {len(fields)} columns, the header has {len(header)}")
            yield number, fields
    if header is None:
        raise at(path, None, f"is empty: a header with {columns} is read")


def _needed_column(header: list[str], names: Sequence[str], path: str | Path) -> int:
    column = _column(header, names)
    if column is None:
        raise at(path, 1, f"the header has no column {' or '.join(names)}; it has: {', '.join(header)[:100]}")
    return column


def _column(header: list[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _nli_label(text: str, path: str | Path, number: int) -> str:
    label = text.strip().lower()
    label = LABEL_SPELLINGS.get(label, label)
    if label not in NLI_LABELS and label != "-":
        raise at(path, number, f"label {text[:40]!r} is not one of {', '.join(NLI_LABELS)}")
    return label


def read_items(kind: str, path: str | Path, lang: str | None = None) -> list[Item]:
    """Items of one file by kind of task: ner, pos, nli or topic."""
    if kind not in KINDS:
        raise InputError(f"unknown kind of task {kind!r}: choose {', '.join(KINDS)}")
    if kind in TAGGING:
        return in_language(read_tagged(path, lang, kind), lang)
    return in_language(read_pairs(path) if kind == "nli" else read_texts(path), lang)


def in_language(items: Iterable[Item], lang: str | None) -> list[Item]:
    """The items, said to be in a language."""
    return [replace(item, lang=lang) for item in items]


def gold_hash(items: Iterable[Item]) -> str:
    """SHA-256 over texts and gold, in order: two prediction files with one hash answer the same questions."""
    digest = hashlib.sha256()
    for item in items:
        record = [*texts_of(item), item.gold]
        digest.update(json.dumps(record, ensure_ascii=False).encode("utf-8") + b"\n")
    return digest.hexdigest()


def texts_of(item: Item) -> list[Any]:
    """What a system may read of an item: a list of words, two texts, or one."""
    if isinstance(item, TaggedSentence):
        return [list(item.words)]
    return [item.premise, item.hypothesis] if isinstance(item, SentencePair) else [item.text]


def file_text(items: Sequence[Item]) -> str:
    """Items as the text of a file that `read_items` reads; labels and tags where all, or a sentence's, are there."""
    if isinstance(items[0], TaggedSentence):
        return "".join(_lines_of(sentence) + "\n" for sentence in cast(Sequence[TaggedSentence], items))
    has_label = all(item.gold is not None for item in items)
    columns = ["premise", "hypothesis"] if isinstance(items[0], SentencePair) else ["text"]
    rows = [["label"] * has_label + columns]
    rows += [[str(item.gold)] * has_label + [one_line(text) for text in texts_of(item)] for item in items]
    return "".join("\t".join(row) + "\n" for row in rows)


def _lines_of(sentence: TaggedSentence) -> str:
    if sentence.tags is None:
        return "".join(f"{word}\n" for word in sentence.words)
    return "".join(f"{word}\t{tag}\n" for word, tag in zip(sentence.words, sentence.tags, strict=True))


def one_line(text: str) -> str:
    """A field of a table: no TAB, no line end."""
    return " ".join(text.split()) if any(char in text for char in "\t\n\r") else text


def with_labels(items: Sequence[Item], predicted: Sequence[Any]) -> list[Item]:
    """The items with these tags or labels for theirs."""
    return [replace(item, tags=tuple(new)) if isinstance(item, TaggedSentence) else replace(item, label=new)
            for item, new in zip(items, predicted, strict=True)]  # fmt: skip


def without_gold(items: Sequence[Item]) -> list[Any]:
    """The items as a system may see them at test time."""
    return [replace(item, tags=None) if isinstance(item, TaggedSentence) else replace(item, label=None)
            for item in items]  # fmt: skip


def check_training(train: Sequence[Item], dev: Sequence[Item]) -> None:
    """Raise InputError unless both have gold."""
    need_gold(train, "training data")
    need_gold(dev, "dev data")


def need_gold(items: Sequence[Item], what: str) -> None:
    """Raise InputError unless every item has gold."""
    if not items:
        raise InputError(f"{what}: no items")
    if any(item.gold is None for item in items):
        raise InputError(f"{what}: no gold labels in this file, so it cannot be trained on or scored")
