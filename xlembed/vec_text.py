"""The text format of word2vec and fastText: a word and its numbers a line, split on the ASCII space alone."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain
from pathlib import Path

import numpy as np

from xlembed.errors import InputError, at
from xlembed.files import numbered_lines, replacing
from xlembed.progress import say
from xlembed.types import Floats1d
from xlembed.vectors import WordVectors

_FIRST_ROWS = 4096


def read_vec(path: Path, n: int | None = None) -> WordVectors:
    """Read a .vec file, its header "n_words dim" optional, repeated words dropped after the first.

    Raises InputError with the line for ragged or non-numeric lines, and where the file ends before the
    number of words in its header.
    """
    lines = numbered_lines(path)
    first = next(lines, None)
    if first is None:
        raise at(path, None, "is empty: a word and its numbers a line are read")
    promised, dim = _header(first[1])
    if dim is None:
        dim = _dim_of(first[1], path)
        lines = chain([first], lines)
    if dim < 1:
        raise at(path, 1, f"the header says dim {dim}, at least 1 is needed")
    words, matrix = _read_rows(lines, dim, promised, n, path)
    n_read = _n_lines_read(words)
    if promised is not None and n_read < promised and (n is None or len(words) < n):
        raise at(path, None, f"ends after {n_read} words, its header says {promised}: fetch it again")
    return WordVectors(list(words), matrix)


def _header(line: str) -> tuple[int | None, int | None]:
    """(n_words, dim) when the line is a header: two whole numbers."""
    fields = line.rstrip(" ").split(" ")
    if len(fields) == 2 and all(field.isascii() and field.isdigit() and len(field) < 19 for field in fields):
        return int(fields[0]), int(fields[1])
    return None, None


def _dim_of(line: str, path: Path) -> int:
    dim = len(line.rstrip(" ").split(" ")) - 1
    if dim < 1:
        raise at(path, 1, "is neither a header (n_words dim) nor a word and its numbers")
    return dim


class _Words(dict):
    """Words in order, and how many lines repeated one."""

    n_repeated = 0


def _n_lines_read(words: _Words) -> int:
    return len(words) + words.n_repeated


def _read_rows(
    lines: Iterator[tuple[int, str]], dim: int, promised: int | None, n: int | None, path: Path
) -> tuple[_Words, np.ndarray]:
    words = _Words()
    limit = n if n is not None else float("inf")
    # a header is a claim: rows are allocated as they come, so that a false one cannot exhaust memory
    matrix = np.empty((0, dim), dtype=np.float32)
    for number, line in lines:
        if len(words) >= limit:
            break
        if not line:
            raise at(path, number, "is blank: every line holds a word and its numbers")
        if promised is not None and _n_lines_read(words) >= promised:
            raise at(path, number, f"is more than the {promised} words of the header: mend header or file")
        word, numbers = _split(line, dim, path, number)
        if word in words:
            words.n_repeated += 1
            continue
        if len(words) == len(matrix):
            n_more = max(_FIRST_ROWS, len(matrix))
            matrix = np.concatenate([matrix, np.empty((n_more, dim), dtype=np.float32)])
        matrix[len(words)] = numbers
        words[word] = number
    if not words:
        raise at(path, None, "holds no words")
    matrix = matrix[: len(words)].copy() if len(words) < len(matrix) else matrix
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        bad = list(words.values())[int(np.argmin(finite))]
        raise at(path, bad, "holds a number that is not finite")
    if words.n_repeated:
        say(f"{path}: {words.n_repeated} repeated words left out (the first of each is kept)")
    return words, matrix


def _split(line: str, dim: int, path: Path, number: int) -> tuple[str, Floats1d]:
    """Word and numbers of a line. A word may hold spaces, as in some GloVe files, but not end in a number."""
    word, _, rest = line.partition(" ")
    numbers = _numbers(rest)
    if len(numbers) == dim and word:
        return word, numbers
    fields = line.rstrip(" ").split(" ")
    if len(fields) <= dim:
        raise at(path, number, f"has {len(fields) - 1} numbers after the word, {dim} are needed")
    word = " ".join(fields[:-dim])
    if not word:
        raise at(path, number, "begins with a space: every line holds a word and its numbers")
    numbers = _numbers(" ".join(fields[-dim:]))
    if len(numbers) != dim:
        raise at(path, number, f"holds something that is not a number after the word {word[:40]!r}")
    if len(fields) > dim + 1 and _is_number(fields[-dim - 1]):
        raise at(path, number, f"has {len(fields) - 1} numbers after the word, {dim} are needed")
    return word, numbers


def _numbers(text: str) -> Floats1d:
    """The numbers of a text; none where any of it is not a number."""
    if not text.strip(" "):  # numpy makes one number of white space alone
        return np.empty(0, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # what numpy 1 says where numpy 2 raises
        try:
            return np.fromstring(text, dtype=np.float32, sep=" ")
        except (ValueError, DeprecationWarning):
            return np.empty(0, dtype=np.float32)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def write_vec(path: Path, vectors: WordVectors, decimals: int = 6) -> None:
    """Write a .vec or .vec.gz with a header, `decimals` significant digits a number, all or nothing."""
    for word in vectors.words:
        if not _is_writable(word):
            raise InputError(f"the word {word!r} cannot be written as .vec: use .safetensors")
    with replacing(path) as temporary:
        # mtime 0: the same vectors give the same bytes
        with open(temporary, "wb") as raw:
            is_packed = path.suffix.lower() == ".gz"
            packed = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") if is_packed else None
            with packed or nullcontext(raw) as out:
                out.write(f"{len(vectors)} {vectors.dim}\n".encode())
                for word, row in zip(vectors.words, vectors.matrix, strict=True):
                    numbers = " ".join([f"{x:.{decimals}g}" for x in row.tolist()])
                    out.write(f"{word} {numbers}\n".encode())


def _is_writable(word: str) -> bool:
    """Whether a reader finds the same word: its spaces must not run into the numbers."""
    if not word or "\n" in word or word[0] == " " or word[-1] == " ":
        return False
    return " " not in word or not _is_number(word.rpartition(" ")[2])
