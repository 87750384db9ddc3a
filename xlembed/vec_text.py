"""The text format of word2vec and fastText: a word and its numbers a line, split on the ASCII space alone.

Small files are read line by line with numpy alone, large ones by blocks where numba is installed (vec_blocks).
"""

from __future__ import annotations

import gzip
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from xlembed.errors import InputError, at
from xlembed.files import numbered_lines, replacing
from xlembed.progress import say
from xlembed.types import Floats1d, Floats2d
from xlembed.vectors import WordVectors

if TYPE_CHECKING:
    from xlembed.vec_blocks import Table

_FIRST_ROWS = 4096
_FIRST_BYTES = 1 << 26  # of the rows that are allocated before they come
_LARGE = 1 << 24  # bytes; below it, lines are read sooner than numba is loaded


def read_vec(path: Path, n: int | None = None, scratch: Path | None = None) -> WordVectors:
    """Read the first n words (all for None) of a .vec file; its header "n_words dim" is optional.

    Words repeated are dropped after the first. Each number is np.float32(float(text)). Raises InputError with the
    line for ragged or non-numeric lines, and where the file ends before the number of words in its header.

    With `scratch`, a file to make, the matrix is written there as it comes and mapped, read-only: what is held in
    memory is the words alone.
    """
    with nullcontext() if scratch is None else open(scratch, "wb") as file:
        return _read(path, n, file)


def _read(path: Path, n: int | None, scratch: IO[bytes] | None) -> WordVectors:
    lines = numbered_lines(path)
    _, first = next(lines, (1, None))
    if first is None:
        raise at(path, None, "is empty: a word and its numbers a line are read")
    promised, dim = _header(first)
    if dim is None:
        dim = _dim_of(first, path)
    if dim < 1:
        raise at(path, 1, f"the header says dim {dim}, at least 1 is needed")
    table = _Table(path, dim, promised, n, scratch)
    if promised is None:
        table.add_line(first)
    add_blocks = _add_blocks() if _n_bytes(path, dim, n) >= _LARGE else None
    if add_blocks:
        lines.close()
        add_blocks(table)
    while not add_blocks and not table.is_full and (line := next(lines, None)):
        table.add_line(line[1])
    return table.finished()


def _n_bytes(path: Path, dim: int, n: int | None) -> int:
    """About how many bytes are to be read for n words."""
    size = path.stat().st_size
    return size if n is None else min(size, n * dim * 8)


def _add_blocks() -> Callable[[Table], None] | None:
    """The fast way to add a file's lines; None where it cannot be had."""
    if sys.byteorder != "little":
        return None
    try:
        from xlembed.vec_blocks import add_blocks
    except (ImportError, RuntimeError):  # no numba, none for this numpy, or no folder for what it compiles
        return None
    return add_blocks


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


class _Table:
    """Words and their rows as the lines of a file are added, with what there is to say against them.

    Rows are allocated as they come, for a header is a claim: a false one cannot exhaust memory.
    """

    def __init__(
        self, path: Path, dim: int, promised: int | None, n: int | None, scratch: IO[bytes] | None = None
    ) -> None:
        self.path, self.dim = path, dim
        self._promised = promised
        self._n = sys.maxsize if n is None else n
        self._words: dict[str, None] = {}
        self._n_repeated = 0
        self._not_finite: int | None = None  # first line whose numbers are not
        self._rows = _RowsInFile(scratch, dim) if scratch else _RowsInMemory(self._n_first_rows(), dim)

    def _n_first_rows(self) -> int:
        if self._promised is None or self.path.suffix.lower() in (".gz", ".xz"):
            return min(_n_at_once(self.dim), self._n)
        n_fitting = self.path.stat().st_size // (2 * self.dim + 1)
        return min(self._promised, n_fitting, self._n)

    @property
    def _n_lines(self) -> int:
        return len(self._words) + self._n_repeated

    @property
    def next_line(self) -> int:
        """Number of the line to be added next, the file's first being 1."""
        return self._n_lines + (1 if self._promised is None else 2)

    @property
    def is_full(self) -> bool:
        """Whether the n words are there."""
        return len(self._words) >= self._n

    def add_line(self, line: str) -> None:
        """Add a line, or raise InputError."""
        if not line:
            raise at(self.path, self.next_line, "is blank: every line holds a word and its numbers")
        self._check_promise()
        word, numbers = _split(line, self.dim, self.path, self.next_line)
        if self._not_finite is None and word not in self._words and not np.isfinite(numbers).all():
            self._not_finite = self.next_line
        self._add(word, numbers)

    def add_rows(self, words: list[str], rows: Floats2d) -> None:
        """Add lines of finite numbers, (len(words), dim), until the table is full, or raise InputError."""
        new = dict.fromkeys(words)
        n_after = len(self._words) + len(words)
        fits = n_after <= self._n and (self._promised is None or self._n_lines + len(words) <= self._promised)
        if fits and len(new) == len(words) and self._words.keys().isdisjoint(new):
            self._rows.append(rows)
            self._words.update(new)
            return
        for word, numbers in zip(words, rows, strict=True):
            if not self.is_full:
                self._check_promise()
                self._add(word, numbers)

    def _check_promise(self) -> None:
        if self._promised is not None and self._n_lines >= self._promised:
            raise at(
                self.path, self.next_line, f"is more than the {self._promised} words of the header: mend header or file"
            )

    def _add(self, word: str, numbers: Floats1d) -> None:
        if word in self._words:
            self._n_repeated += 1
            return
        self._rows.append(numbers[None, :])
        self._words[word] = None

    def finished(self) -> WordVectors:
        """The words and vectors, or InputError where the file as a whole cannot be used."""
        if not self._words:
            raise at(self.path, None, "holds no words")
        if self._not_finite is not None:
            raise at(self.path, self._not_finite, "holds a number that is not finite")
        if self._n_repeated:
            say(f"{self.path}: {self._n_repeated} repeated words left out (the first of each is kept)")
        if self._promised is not None and self._n_lines < self._promised and not self.is_full:
            reason = f"ends after {self._n_lines} words, its header says {self._promised}: fetch it again"
            raise at(self.path, None, reason)
        matrix = self._rows.finished()
        return WordVectors(list(self._words), matrix)


class _RowsInMemory:
    """Rows that grow in place, so that no second copy is held."""

    def __init__(self, n_first: int, dim: int) -> None:
        self._n = 0
        self._matrix = np.empty((n_first, dim), dtype=np.float32)

    def append(self, rows: Floats2d) -> None:
        n_after = self._n + len(rows)
        if n_after > len(self._matrix):
            self._resize(max(n_after, _n_at_once(rows.shape[1]), len(self._matrix) * 9 // 8))
        self._matrix[self._n : n_after] = rows
        self._n = n_after

    def _resize(self, n_rows: int) -> None:
        # in place: the system moves pages, not bytes
        self._matrix.resize((n_rows, self._matrix.shape[1]), refcheck=False)

    def finished(self) -> Floats2d:
        self._resize(self._n)
        return self._matrix


class _RowsInFile:
    """Rows that are written to a file as they come."""

    def __init__(self, file: IO[bytes], dim: int) -> None:
        self._file, self._n, self._dim = file, 0, dim

    def append(self, rows: Floats2d) -> None:
        self._file.write(np.ascontiguousarray(rows, dtype=np.float32).data)
        self._n += len(rows)

    def finished(self) -> Floats2d:
        self._file.flush()
        return np.asarray(np.memmap(self._file.name, np.float32, "r", shape=(self._n, self._dim)))


def _n_at_once(dim: int) -> int:
    """Rows to allocate where their number is not known: few of very long ones."""
    return min(_FIRST_ROWS, _FIRST_BYTES // (4 * dim))


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
    if not text.strip():  # numpy makes one number of white space alone
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
