"""Word vectors of one language, and reading and writing them whatever the format."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from xlembed.errors import InputError, at
from xlembed.types import Bools1d, Floats1d, Floats2d, Ints1d


@dataclass(frozen=True)
class WordVectors:
    """Words, most frequent first, and their vectors: matrix is (n_words, dim) float32.

    `compose` gives a vector to any string, from subwords, where the source (a fastText .bin) can.
    """

    words: list[str]
    matrix: Floats2d
    compose: Callable[[str], Floats1d] | None = None

    def __post_init__(self) -> None:
        if len(self.words) != len(self.matrix):
            raise InputError(f"{len(self.words)} words and {len(self.matrix)} vectors")

    def __len__(self) -> int:
        return len(self.words)

    @property
    def dim(self) -> int:
        dim: int = self.matrix.shape[1]
        return dim

    @cached_property
    def index(self) -> dict[str, int]:
        """Row of each word."""
        return {word: row for row, word in enumerate(self.words)}

    def row(self, word: str) -> int | None:
        """Row of a word as written, else in NFC, else in lower case; None where it has none."""
        for form in (word, nfc := unicodedata.normalize("NFC", word), nfc.lower()):
            if form in self.index:
                return self.index[form]
        return None

    def rows(self, words: Iterable[str]) -> tuple[Ints1d, Bools1d]:
        """Rows of words, (n,), and which have one; the row of a word without is 0 and means nothing."""
        rows = [self.row(word) for word in words]
        found = np.array([row is not None for row in rows], dtype=bool)
        return np.array([row or 0 for row in rows], dtype=np.int64), found

    def vector(self, word: str) -> Floats1d | None:
        """Vector of a word, composed from subwords where the format allows; None where there is none."""
        row = self.row(word)
        if row is not None:
            vector: Floats1d = self.matrix[row]
            return vector
        return self.compose(word) if self.compose else None

    def top(self, n: int | None) -> WordVectors:
        """The first n words (all for None)."""
        if n is None or n >= len(self):
            return self
        if n < 1:
            raise InputError(f"n is {n}, at least 1 word must be kept")
        return replace(self, words=self.words[:n], matrix=self.matrix[:n])

    def transformed(self, function: Callable[[Floats2d], Floats2d]) -> WordVectors:
        """The same words after a function of matrices, (n, dim) -> (n, new dim), composed words included."""
        compose = self.compose
        return WordVectors(
            self.words,
            function(self.matrix).astype(np.float32, copy=False),
            None if compose is None else lambda word: function(compose(word)[None, :])[0],
        )


_WRITTEN_TEXT_SUFFIXES = (".vec", ".txt", ".vec.gz", ".txt.gz")
_TEXT_SUFFIXES = (*_WRITTEN_TEXT_SUFFIXES, ".vec.xz", ".txt.xz")


def read_vectors(path: str | Path, n: int | None = None, scratch: Path | None = None) -> WordVectors:
    """Read the first `n` words (all for None) of a vector file; the format follows from name and content.

    .vec, .txt (.gz, .xz): word2vec/fastText text, header optional. .bin: fastText's model or word2vec's
    binary format, told apart by their first bytes. .safetensors: our store. .kv, .model: gensim
    KeyedVectors (a pickle, of which nothing is run). Raises InputError with file and line.

    `scratch`, a file to make, keeps the matrix of a text file out of memory: see `vec_text.read_vec`.
    """
    path = Path(path)
    if not path.is_file():
        raise at(path, None, "no such file" if not path.exists() else "is a folder, a vector file is needed")
    if n is not None and n < 1:
        raise InputError(f"n is {n}, at least 1 word must be read")
    vectors = _read(path, n, scratch)
    if not vectors.matrix.size:
        raise at(path, None, "holds no vectors")
    return vectors


def check_finite(path: Path, vectors: WordVectors) -> WordVectors:
    """The same vectors, or InputError with the first word that has a number that is not finite."""
    if not np.isfinite(vectors.matrix.sum(dtype=np.float64)):
        bad = vectors.words[int(np.argmin(np.isfinite(vectors.matrix).all(axis=1)))]
        raise at(path, None, f"holds a number that is not finite, at the word {bad!r}")
    return vectors


def _read(path: Path, n: int | None, scratch: Path | None) -> WordVectors:
    """The vectors of a file, all numbers finite: text and store see to it on their own."""
    name = path.name.lower()
    if name.endswith(_TEXT_SUFFIXES):
        from xlembed.vec_text import read_vec

        return read_vec(path, n, scratch)
    if name.endswith(".safetensors"):
        from xlembed.store import open_store

        return open_store(path, n)
    from xlembed import vec_bin

    if name.endswith(".bin"):
        read = vec_bin.read_fasttext if vec_bin.is_fasttext(path) else vec_bin.read_word2vec
        return check_finite(path, read(path, n))
    if name.endswith((".kv", ".model")):
        return check_finite(path, vec_bin.read_gensim(path, n))
    raise at(path, None, "unknown kind of vector file: .vec, .vec.gz, .bin, .safetensors or .kv is read")


def write_vectors(path: str | Path, vectors: WordVectors, dtype: str = "float32") -> None:
    """Write vectors, all or nothing, in the format of the name.

    .vec, .txt (.gz): text. .bin: word2vec binary. .safetensors: our store. .kv: gensim KeyedVectors.
    `dtype` (float32, float16, int8) is for the store alone.
    """
    check_writable(path, dtype)
    name = Path(path).name.lower()
    if name.endswith(_WRITTEN_TEXT_SUFFIXES):
        from xlembed.vec_text import write_vec

        write_vec(Path(path), vectors)
    elif name.endswith(".safetensors"):
        from xlembed.store import write_store

        write_store(Path(path), vectors, dtype)
    elif name.endswith(".bin"):
        from xlembed.vec_bin import write_word2vec

        write_word2vec(Path(path), vectors)
    else:
        from xlembed.vec_bin import write_gensim

        write_gensim(Path(path), vectors)


def check_writable(path: str | Path, dtype: str = "float32") -> None:
    """Raise InputError where `write_vectors` has no format for the name, before the work is done."""
    name = Path(path).name.lower()
    if not name.endswith((*_WRITTEN_TEXT_SUFFIXES, ".safetensors", ".bin", ".kv")):
        raise at(path, None, "unknown kind of vector file: choose .vec, .vec.gz, .bin, .safetensors or .kv")
    if dtype != "float32" and not name.endswith(".safetensors"):
        raise at(path, None, f"dtype {dtype} is for .safetensors alone")
