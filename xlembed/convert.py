"""Public files in another form than the one that xlembed reads: small converters, named in the manifest.

Each turns one text file into another, line by line, and always into the same bytes, so that the manifest's
checksum holds for the result:

- `wikiann-columns`: index TAB token TAB tag (Babelscape/wikineural) loses its index.
- `nli-columns`: SNLI's and MultiNLI's tables, by the names in their header, become genre, label, premise,
  hypothesis; rows without an agreed label ("-") are left out.
- `xnli-language:de`: the same for the rows of one language of XNLI-1.0, which holds all of them.
- `word-pairs`: a lexicon with spaces or TABs between its two columns (MUSE) gets one space.
- `labelled-pairs`: premise, hypothesis, label without a header gets one; rows labelled "-" are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from xlembed.errors import InputError, at
from xlembed.files import numbered_lines

AS_IS = "as-is"
_XNLI = re.compile(r"xnli-language:([a-z]{2,3})")
_SPACES = re.compile(r"[ \t]+")  # and no other white space: words may hold U+00A0
_NO_LABEL = "-"
# what the table's header calls the columns that are kept, in the order in which they are written
_NLI_COLUMNS = {"genre": "genre", "label": "gold_label", "premise": "sentence1", "hypothesis": "sentence2"}


def is_known(form: str) -> bool:
    """Whether `convert` can make this form (or nothing needs to be done)."""
    return form == AS_IS or _converter(form) is not None


def convert(form: str, source: Path, target: Path) -> None:
    """Write `source` to `target` in another form.

    Raises InputError with the line for a source that is not what the form expects.
    """
    converter = _converter(form)
    if converter is None:
        raise InputError(f"no converter {form!r}")
    with open(target, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in converter(source))


def _converter(form: str) -> Callable[[Path], Iterator[str]] | None:
    if match := _XNLI.fullmatch(form):
        return lambda source: _nli_columns(source, match[1])
    return {
        "wikiann-columns": _wikiann_columns,
        "nli-columns": _nli_columns,
        "word-pairs": _word_pairs,
        "labelled-pairs": _labelled_pairs,
    }.get(form)


def _wikiann_columns(source: Path) -> Iterator[str]:
    for number, line in numbered_lines(source):
        fields = line.split("\t")
        if line and len(fields) != 3:
            raise at(source, number, f"expected index, token and tag, found {len(fields)} columns")
        yield "\t".join(fields[1:])


def _nli_columns(source: Path, language: str | None = None) -> Iterator[str]:
    lines = numbered_lines(source)
    header = next(lines, (1, ""))[1].split("\t")
    wanted = [*_NLI_COLUMNS.values(), *(["language"] if language else [])]
    missing = [name for name in wanted if name not in header]
    if missing:
        raise at(source, 1, f"the header has no column {', '.join(missing)}")
    at_column = {name: header.index(name) for name in wanted}
    yield "\t".join(_NLI_COLUMNS)
    found = False
    for number, line in lines:
        fields = line.split("\t")
        if len(fields) <= max(at_column.values()):
            raise at(source, number, f"has {len(fields)} columns, the header has {len(header)}")
        if language is not None and fields[at_column["language"]] != language:
            continue
        found = True
        if fields[at_column["gold_label"]] != _NO_LABEL:
            yield "\t".join(fields[at_column[name]] for name in _NLI_COLUMNS.values())
    if not found:
        raise at(source, None, f"holds no row of the language {language}" if language else "holds no row")


def _word_pairs(source: Path) -> Iterator[str]:
    for number, line in numbered_lines(source):
        words = _SPACES.split(line.strip(" \t"))
        if len(words) != 2:
            raise at(source, number, f"expected two words, found {len(words)}")
        yield " ".join(words)


def _labelled_pairs(source: Path) -> Iterator[str]:
    yield "premise\thypothesis\tlabel"
    for number, line in numbered_lines(source):
        fields = line.split("\t")
        if len(fields) != 3:
            raise at(source, number, f"expected premise, hypothesis and label, found {len(fields)} columns")
        if fields[2] != _NO_LABEL:
            yield line
