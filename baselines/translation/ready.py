"""Ready translations from a file: XNLI's translate-train, a translate-test table, or two columns.

| file | its first line | how a text finds its translation |
|---|---|---|
| two columns | source TAB translation, no header | by the source text |
| table of both languages | header with columns such as sentence1_en and sentence1_sw | by the source text, or by rows |
| pairs in the target language | header premise, hypo or hypothesis, label (multinli.train.de.tsv) | by rows |

By rows means: row 7 of the file translates row 7 of the source file, and both have the same label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from baselines.corpora import HYPOTHESIS, LABEL, LABEL_SPELLINGS, PREMISE, SentencePair
from xlembed.errors import InputError, at
from xlembed.files import numbered_lines, sha256_of
from xlembed.progress import say

Match = Literal["auto", "text", "rows"]
_HYPOTHESIS = ("hypothesis", "hypo", *HYPOTHESIS[1:])  # hypo: XNLI's translated training sets


@dataclass(frozen=True)
class ReadySettings:
    """`translations` is the file. `source` holds the pairs that it translates row by row; needed for that alone.
    `match`: by text, by rows, or (auto) by text where the file has the source texts."""

    translations: str | Path
    source: str | Path | None = None
    match: Match = "auto"

    def __post_init__(self) -> None:
        if self.match not in get_args(Match):
            raise InputError(f"match = {self.match!r}: choose {', '.join(get_args(Match))}")


@dataclass(frozen=True)
class ReadyTranslator:
    """A table of texts and their translations."""

    src: str
    trg: str
    settings: ReadySettings
    table: dict[str, str]

    def __len__(self) -> int:
        return len(self.table)

    def identity(self) -> dict[str, Any]:
        """Hashes of the files."""
        source = self.settings.source
        return {"route": "file", "src": self.src, "trg": self.trg, "match": self.settings.match,
                "translations": sha256_of(self.settings.translations),
                "source": None if source is None else sha256_of(source)}  # fmt: skip

    def translate(self, texts: Sequence[str]) -> list[str]:
        """The translations of texts; raises InputError where the table lacks one. White space alone stays ""."""
        keys = [_key(text) for text in texts]
        missing = list(dict.fromkeys(key for key in keys if key and key not in self.table))
        if missing:
            raise at(self.settings.translations, None, f"holds no translation of {len(missing)} of "
                     f"{len(set(keys))} texts, such as {missing[0][:60]!r}: are the languages and the data its own?")
        return [self.table[key] if key else "" for key in keys]


def make(src: str, trg: str, settings: ReadySettings) -> ReadyTranslator:
    """Read a file of translations; its format follows from its first line. Raises InputError with the line."""
    pairs = list(_translations(src, trg, settings))
    table: dict[str, str] = {}
    for text, translation in pairs:
        if text:
            table.setdefault(text, translation)
    n_others = sum(table[text] != translation for text, translation in pairs if text)
    if n_others:
        say(f"note: {settings.translations}: {n_others} texts come again with another translation; the first counts")
    if not table:
        raise at(settings.translations, None, "holds no translations")
    return ReadyTranslator(src, trg, settings, table)


def read_translated_pairs(path: str | Path) -> list[SentencePair]:
    """Pairs of a translated set in the target language, such as multinli.train.de.tsv, in order.

    Rows with an empty side are left out, and how many is said. Raises InputError with the line.
    """
    rows = [row.pair for row in _pair_rows(_Table.read(path))]
    whole = [pair for pair in rows if pair.premise and pair.hypothesis]
    if len(whole) < len(rows):
        say(f"note: {path}: {len(rows) - len(whole)} of {len(rows)} rows have an empty side and are left out")
    if not whole:
        raise at(path, None, "holds no pairs")
    return whole


def translate_by_rows(
    pairs: Sequence[SentencePair], translated: Sequence[SentencePair], where: str
) -> list[SentencePair]:
    """Pairs with the texts of their translations, row by row; raises InputError with the row that does not fit."""
    _check_number(len(pairs), len(translated), where, "the data")
    for number, (pair, translation) in enumerate(zip(pairs, translated, strict=True), start=1):
        if None not in (pair.label, translation.label) and pair.label != translation.label:
            raise InputError(f"{where}: row {number} has the label {translation.label}, the data's has {pair.label}")
    return [replace(pair, premise=translation.premise, hypothesis=translation.hypothesis)
            for pair, translation in zip(pairs, translated, strict=True)]  # fmt: skip


# ---- the three formats


def _translations(src: str, trg: str, settings: ReadySettings) -> Iterator[tuple[str, str]]:
    """(text, translation) of every row, white space made plain."""
    table = _Table.read(settings.translations)
    stems = table.stems(src, trg)
    is_pairs = table.column(PREMISE) is not None and table.column(_HYPOTHESIS) is not None
    if stems and settings.match != "rows":
        return _of_both(table, stems, src, trg)
    if stems or is_pairs:
        return _of_rows(table, trg if stems else None, settings)
    if len(table.header) == 2 and settings.match != "rows":
        return _of_two_columns(table)
    raise at(table.path, 1, f"neither columns such as sentence1_{src} and sentence1_{trg}, nor premise and hypothesis, "
             f"nor two columns alone: {', '.join(table.header)[:80]}")  # fmt: skip


def _of_both(table: _Table, stems: list[str], src: str, trg: str) -> Iterator[tuple[str, str]]:
    columns = [(table.header.index(f"{stem}_{src}"), table.header.index(f"{stem}_{trg}")) for stem in stems]
    for _, fields in table.rows:
        for text, translation in columns:
            yield _key(fields[text]), _key(fields[translation])


def _of_two_columns(table: _Table) -> Iterator[tuple[str, str]]:
    yield _key(table.first[0]), _key(table.first[1])
    for _, fields in table.rows:
        yield _key(fields[0]), _key(fields[1])


def _of_rows(table: _Table, trg: str | None, settings: ReadySettings) -> Iterator[tuple[str, str]]:
    """Of the source's rows and those of the translations, which must agree in number and labels."""
    if settings.source is None:
        raise at(table.path, None, "holds translations alone, row by row: say which file they translate (source)")
    source, translated = _pair_rows(_Table.read(settings.source)), _pair_rows(table, trg)
    _check_number(len(source), len(translated), str(table.path), str(settings.source))
    for one, other in zip(source, translated, strict=True):
        if None not in (one.pair.label, other.pair.label) and one.pair.label != other.pair.label:
            raise at(table.path, other.line, f"the label is {other.pair.label}, that of {settings.source}:{one.line} "
                     f"is {one.pair.label}: do the rows stand in the same order?")
        yield one.pair.premise, other.pair.premise
        yield one.pair.hypothesis, other.pair.hypothesis


def _check_number(n_source: int, n_translated: int, where: str, source: str) -> None:
    if n_source != n_translated:
        raise InputError(f"{where}: {n_translated} rows, {source} has {n_source}: row by row needs as many")


# ---- reading


@dataclass(frozen=True)
class _Table:
    """A TSV file: its first line as names in lower case and as written, and the numbered rows after it."""

    path: Path
    header: list[str]
    first: list[str]
    rows: list[tuple[int, list[str]]]

    @classmethod
    def read(cls, path: str | Path) -> _Table:
        lines = [(number, line.split("\t")) for number, line in numbered_lines(path) if line.strip()]
        if not lines:
            raise at(path, None, "is empty")
        first = lines[0][1]
        for number, fields in lines:
            if len(fields) != len(first):
                raise at(path, number, f"has {len(fields)} columns, the first line has {len(first)}")
        return cls(Path(path), [name.strip().lower() for name in first], first, lines[1:])

    def column(self, names: Iterable[str]) -> int | None:
        """The place of the first of the names that the header has."""
        return next((self.header.index(name) for name in names if name in self.header), None)

    def stems(self, src: str, trg: str) -> list[str]:
        """sentence1 where the header has sentence1_en and sentence1_sw."""
        ends = f"_{src}", f"_{trg}"
        found = [name.removesuffix(ends[0]) for name in self.header if name.endswith(ends[0])]
        return [stem for stem in found if stem + ends[1] in self.header]


@dataclass(frozen=True)
class _PairRow:
    """A pair and its line; sides may be empty, the label None."""

    line: int
    pair: SentencePair


def _pair_rows(table: _Table, lang: str | None = None) -> list[_PairRow]:
    """The rows of a file of pairs; `lang` chooses among columns such as sentence1_en and sentence1_sw."""
    end = "" if lang is None else f"_{lang}"
    premise, hypothesis = (table.column(name + end for name in names) for names in (PREMISE, _HYPOTHESIS))
    if premise is None or hypothesis is None:
        raise at(table.path, 1, f"the header has no premise{end} and hypothesis{end} (or hypo, sentence1, sentence2): "
                 f"{', '.join(table.header)[:80]}")  # fmt: skip
    label = table.column(LABEL)
    return [_PairRow(line, SentencePair(_key(fields[premise]), _key(fields[hypothesis]),
                                        None if label is None else _label(fields[label])))
            for line, fields in table.rows]  # fmt: skip


def _label(text: str) -> str | None:
    label = text.strip().lower()
    return LABEL_SPELLINGS.get(label, label) or None


def _key(text: str) -> str:
    return " ".join(text.split())
