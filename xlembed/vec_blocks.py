"""Reading .vec files by blocks of bytes: a jitted kernel reads several blocks at a time, lines are added in order.

A line that the kernel leaves (a word with spaces, a number in an unusual form, an error) is read as any line of a
small file is, so that both ways take and reject the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import BufferedIOBase
from itertools import cycle
from pathlib import Path
from typing import Protocol

import numpy as np

from xlembed.errors import InputError, at
from xlembed.files import BAD_STREAM, LINE_LIMIT, long_line, open_binary
from xlembed.tuning import n_cores
from xlembed.types import Floats2d
from xlembed.vec_kernels import PADDING, read_rows

_BLOCK_BYTES = 1 << 21
_MAX_THREADS = 8  # one thread reads the file and fills the matrix; more than this wait for it


class Table(Protocol):
    """What lines are added to, in the order of the file."""

    path: Path
    dim: int

    @property
    def next_line(self) -> int: ...

    @property
    def is_full(self) -> bool: ...

    def add_line(self, line: str) -> None: ...

    def add_rows(self, words: list[str], rows: Floats2d) -> None: ...


def add_blocks(table: Table) -> None:
    """Add the lines of the table's file behind the first, until it is full. Raises InputError with the line."""
    n_threads = min(n_cores(), _MAX_THREADS)
    with open_binary(table.path) as file, ThreadPoolExecutor(n_threads) as pool:
        file.readline()
        blocks = _Blocks(file, table.dim, n_threads + 1)
        running: deque[tuple[_Block, Future[_Parsed]]] = deque()
        for block in blocks:
            running.append((block, pool.submit(_parse, block)))
            if len(running) > n_threads:
                _add_block(table, *running.popleft())
            if table.is_full:
                return
        while running:
            _add_block(table, *running.popleft())
        if blocks.is_endless and not table.is_full:
            raise at(table.path, table.next_line, long_line(LINE_LIMIT))
        if blocks.failure and not table.is_full:
            reason = f"compressed data is damaged or cut short ({blocks.failure}): fetch the file again"
            raise at(table.path, table.next_line, reason)


class _Block:
    """Bytes of whole lines, up to `end`, and room for the words and rows that are read from them."""

    def __init__(self, n_bytes: int, dim: int) -> None:
        self.dim = dim
        self.end = 0
        self.allocate(n_bytes)

    def allocate(self, n_bytes: int) -> None:
        self.n_bytes = n_bytes
        self.bytes = bytearray(n_bytes + PADDING)
        self.chars = np.frombuffer(self.bytes, dtype=np.uint8)
        self.eights = np.ndarray(len(self.bytes) - 7, dtype=np.uint64, buffer=self.bytes, strides=(1,))
        self.words = np.empty(len(self.bytes), dtype=np.uint8)
        # a word, a space and a digit for each number, a line feed
        self.rows = np.empty(((n_bytes + 1) // (2 * self.dim + 2), self.dim), dtype=np.float32)

    def grow(self) -> None:
        """Make room for twice the bytes; those that it holds stay."""
        held = self.bytes[: self.n_bytes]
        self.allocate(2 * self.n_bytes)
        self.bytes[: len(held)] = held


class _Blocks:
    """A file as blocks of whole lines, each filled again when `n_blocks` more were asked for.

    `failure` is what ended a compressed file before its end, if anything did; `is_endless` says that reading stopped
    at a line that is too long for any.
    """

    failure: Exception | None = None
    is_endless = False

    def __init__(self, file: BufferedIOBase, dim: int, n_blocks: int) -> None:
        self.file = file
        self.ring = [_Block(_BLOCK_BYTES, dim) for _ in range(n_blocks)]

    def __iter__(self) -> Iterator[_Block]:
        rest: bytes | None = b""
        for block in cycle(self.ring):
            rest = self._fill(block, rest or b"")
            if block.end:
                yield block
            if rest is None:
                return

    def _fill(self, block: _Block, rest: bytes) -> bytes | None:
        """Fill a block with what is left of the last and the lines that follow.

        Returns what is left of this, the begin of a line; None at the end of the file.
        """
        while block.n_bytes <= len(rest):
            block.grow()
        n = len(rest)
        block.bytes[:n] = rest
        while n_read := self._read(block, n):
            n += n_read
            if n == block.n_bytes:
                block.end = block.bytes.rfind(b"\n", 0, n) + 1
                if block.end:
                    return bytes(block.bytes[block.end : n])
                if n >= LINE_LIMIT:
                    self.is_endless = True
                    return None
                block.grow()
        if n and not self.failure:
            block.bytes[n] = ord("\n")  # where the last line has one, this lies behind the end
            n += block.bytes[n - 1] != ord("\n")
        block.end = block.bytes.rfind(b"\n", 0, n) + 1
        return None

    def _read(self, block: _Block, begin: int) -> int:
        """Read more bytes into a block: how many, 0 at the end. What comes before damage is still read."""
        try:
            return self.file.readinto1(memoryview(block.bytes)[begin : block.n_bytes])
        except BAD_STREAM as err:
            self.failure = err
            return 0


_Parsed = tuple[int, int, int]  # n rows, n bytes of words, index of the line at which the kernel stopped


def _parse(block: _Block, begin: int = 0) -> _Parsed:
    parsed: _Parsed = read_rows(block.chars, block.eights, begin, block.end, block.rows, block.words)
    return parsed


def _add_block(table: Table, block: _Block, running: Future[_Parsed]) -> None:
    """Add the lines of a block; `running` is the future of its first _parse."""
    n_rows, n_bytes, stop = running.result()
    _add_rows(table, block.words[:n_bytes].tobytes(), block.rows[:n_rows])
    while stop < block.end and not table.is_full:
        begin, stop = stop, block.bytes.index(b"\n", stop)
        table.add_line(_decoded(table, bytes(block.bytes[begin:stop])))
        n_rows, n_bytes, stop = _parse(block, stop + 1)
        _add_rows(table, block.words[:n_bytes].tobytes(), block.rows[:n_rows])


def _add_rows(table: Table, raw: bytes, rows: Floats2d) -> None:
    """Add rows and their words, each with a line feed after it, up to the first word that is not UTF-8."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as err:
        text = raw[: raw.rfind(b"\n", 0, err.start) + 1].decode("utf-8")
    words = text.split("\n")[:-1]
    table.add_rows(words, rows[: len(words)])
    if len(words) < len(rows) and not table.is_full:
        raise _not_utf8(table)


def _decoded(table: Table, line: bytes) -> str:
    try:
        return line.decode("utf-8").removesuffix("\r")
    except UnicodeDecodeError:
        raise _not_utf8(table) from None


def _not_utf8(table: Table) -> InputError:
    return at(table.path, table.next_line, "is not valid UTF-8: convert the file, for instance with iconv")
