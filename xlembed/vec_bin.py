"""Binary formats, through the libraries that own them: fastText models, word2vec binary, gensim."""

from __future__ import annotations

import mmap
import os
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np

from xlembed.errors import at, require
from xlembed.files import replacing
from xlembed.kv_file import read_keyed_vectors
from xlembed.progress import say
from xlembed.vectors import WordVectors

_FASTTEXT_MAGIC = struct.pack("<i", 793712314)
_SUPERVISED = 3  # fastText's number of that model
_CENTROIDS = 256  # of each part of a quantised row
_LONGEST_GRAM = 100  # characters; n-grams of a word are counted in time that grows with it
_LONGEST_WORD = 1 << 16  # bytes
_MOST_OFTEN = 10**12  # times; fastText's Huffman tree takes 10**15 for infinity


def is_fasttext(path: Path) -> bool:
    """Whether the file begins as fastText's models do."""
    with open(path, "rb") as file:
        return file.read(4) == _FASTTEXT_MAGIC


def read_fasttext(path: Path, n: int | None = None) -> WordVectors:
    """Read a fastText .bin; words outside the vocabulary get vectors from their character n-grams."""
    fasttext = require("fasttext", "fasttext")
    _check_fasttext(path)
    try:
        model = fasttext.load_model(str(path))
    except (ValueError, RuntimeError, MemoryError, IndexError) as err:
        raise at(path, None, f"fastText cannot open it ({err})") from None
    return from_fasttext(model, n)


def from_fasttext(model: Any, n: int | None = None) -> WordVectors:
    """The first n words of a fastText model, the end-of-sentence mark left out."""
    words = [word for word in model.get_words(on_unicode_error="replace") if word != "</s>"][:n]
    matrix = np.empty((len(words), model.get_dimension()), dtype=np.float32)
    for row, word in enumerate(words):
        matrix[row] = model.get_word_vector(word)
    has_subwords = model.f.getArgs().maxn > 0
    return WordVectors(words, matrix, model.get_word_vector if has_subwords else None)


def _check_fasttext(path: Path) -> None:
    """fastText trusts every number of a file: one cut short is read as garbage, and a false size or row takes the
    process with it. So the layout is checked here, all of it that a vector is made from. Raises InputError.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        try:
            _FastTextLayout(raw).check()
        except (struct.error, ValueError, OverflowError):
            size = path.stat().st_size
            raise at(path, None, f"is cut short or damaged ({size:,} bytes): fetch or train it again") from None


class _FastTextLayout:
    """Walks through a model of fastText 0.9: magic, version, 12 int32 and a double of settings; the dictionary; a flag
    and the input matrix; a flag and the output matrix. Raises struct.error or ValueError for what is not sound.
    """

    def __init__(self, raw: mmap.mmap) -> None:
        self.raw, self.place = raw, 0

    def _take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(form, self.raw, self.place)
        self.place += struct.calcsize(form)
        return found

    def _skip(self, n_bytes: int) -> None:
        self.place += n_bytes
        _sound(n_bytes >= 0 and self.place <= len(self.raw))

    def check(self) -> None:
        """Sizes, and every row that a word or an n-gram leads to."""
        _, version, dim, *_, loss, model, bucket, minn, maxn, _, _ = self._take("<2i12id")
        _sound(version <= 12 and dim >= 1 and loss in range(1, 5) and model in range(1, 4) and bucket >= 0)
        _sound(0 <= minn and 0 <= maxn <= _LONGEST_GRAM and (bucket > 0 or maxn == 0))
        n_words, n_labels, pruned = self._dictionary()
        n_grams = 0 if maxn == 0 else bucket if pruned is None else pruned
        is_quantized = self._matrix(dim, n_words + n_grams, False)
        _sound(is_quantized or pruned is None)  # else fastText refuses it anyway
        self._matrix(dim, n_labels if model == _SUPERVISED else n_words, not is_quantized)
        _sound(self.place == len(self.raw))

    def _dictionary(self) -> tuple[int, int, int | None]:
        """n words, n labels, and how many rows the n-grams that were kept have (None: all of the buckets)."""
        n_entries, n_words, n_labels, _, n_pruned = self._take("<3i2q")
        _sound(n_words >= 1 and n_labels >= 0 and n_entries == n_words + n_labels and n_pruned >= -1)
        for number in range(n_entries):
            end = self.raw.find(b"\0", self.place, self.place + _LONGEST_WORD)
            _sound(end >= 0)
            self.place = end + 1
            count, kind = self._take("<qb")
            _sound(0 <= count < _MOST_OFTEN and kind == int(number >= n_words))
        if n_pruned < 0:
            return n_words, n_labels, None
        begin = self.place
        self._skip(8 * n_pruned)
        rows = np.frombuffer(self.raw[begin : self.place], "<i4")[1::2]
        _sound(not len(rows) or rows.min() >= 0)
        return n_words, n_labels, int(rows.max()) + 1 if len(rows) else 0

    def _matrix(self, dim: int, n_rows: int, is_plain: bool) -> bool:
        """Pass over a matrix with at least so many rows; whether it is quantised, which `is_plain` rules out."""
        (flag,) = self._take("<?")
        if not flag or is_plain:
            rows, columns = self._take("<2q")
            _sound(rows >= n_rows and columns == dim)
            self._skip(rows * columns * 4)
            return False
        has_norms, rows, columns, n_codes = self._take("<?2qi")
        _sound(rows >= n_rows and columns == dim)
        self._skip(n_codes)
        _sound(n_codes == rows * self._quantizer(dim))
        if has_norms:
            self._skip(rows)
            self._quantizer(1)
        return True

    def _quantizer(self, dim: int) -> int:
        """Pass over the centroids of a product quantiser; how many codes a row has."""
        columns, n_parts, size, last = self._take("<4i")
        _sound(columns == dim and size >= 1 and n_parts == -(-dim // size) and last == dim - (n_parts - 1) * size)
        self._skip(columns * _CENTROIDS * 4)
        return int(n_parts)


def _sound(is_sound: bool) -> None:
    if not is_sound:
        raise ValueError


def read_word2vec(path: Path, n: int | None = None) -> WordVectors:
    """Read word2vec's binary format: "n_words dim", then a word, a space and float32 numbers, again and again.

    Words repeated are dropped after the first. Raises InputError for another file, and where it is cut short.
    """
    with open(path, "rb") as file:
        header = re.fullmatch(rb"(\d{1,18}) (\d{1,18})\s*\n", file.readline(100))
        if header is None:
            raise at(path, None, "is neither a fastText model nor word2vec binary (no header: n_words dim)")
        n_words, dim = map(int, header.groups())
        most = n_words if n is None else min(n, n_words)
        if dim < 1 or most * (4 * dim + 1) > path.stat().st_size:
            raise at(path, None, f"its header says {n_words} words of dim {dim}, the file is too small for them: fetch "
                     "it again")  # fmt: skip
        matrix, words = np.empty((most, dim), dtype=np.float32), dict[str, None]()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
            place, n_read = header.end(), 0
            while n_read < n_words and len(words) < most:
                end = raw.find(b" ", place)
                place, word = end + 1 + 4 * dim, raw[place:end].lstrip(b"\n")  # some writers end rows with a line feed
                if end < 0 or place > len(raw):
                    raise at(path, None, f"ends after {n_read} words, its header says {n_words}: fetch it again")
                n_read += 1
                text = _word_of(word, path, n_read)
                if text not in words:
                    matrix[len(words)] = np.frombuffer(raw[end + 1 : place], "<f4")
                    words[text] = None
    if n_read > len(words):
        say(f"{path}: {n_read - len(words)} repeated words left out (the first of each is kept)")
    return WordVectors(list(words), matrix[: len(words)])


def _word_of(raw: bytes, path: Path, number: int) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise at(path, None, f"word {number} is not valid UTF-8: is it word2vec binary?") from None
    if not text:
        raise at(path, None, f"word {number} has no letters: is it word2vec binary?")
    return text


def read_gensim(path: Path, n: int | None = None) -> WordVectors:
    """Read gensim's own KeyedVectors, or those of a saved gensim model. A pickle: nothing in it is run (kv_file)."""
    words, matrix = read_keyed_vectors(path)
    return WordVectors(words[:n], matrix[:n])


def from_gensim(keyed: Any, n: int | None = None) -> WordVectors:
    """WordVectors of gensim KeyedVectors."""
    words = list(keyed.index_to_key)[:n]
    return WordVectors(words, np.asarray(keyed.vectors[: len(words)], dtype=np.float32))


def to_gensim(vectors: WordVectors) -> Any:
    """gensim KeyedVectors of WordVectors."""
    keyed = require("gensim.models", "gensim").KeyedVectors(vectors.dim)
    keyed.add_vectors(vectors.words, vectors.matrix)
    return keyed


def write_word2vec(path: Path, vectors: WordVectors) -> None:
    """Write word2vec's binary format, all or nothing."""
    for word in vectors.words:
        if not word or any(char in word for char in " \n\t"):
            raise at(path, None, f"the word {word!r} cannot be written as word2vec binary: use .safetensors")
    keyed = to_gensim(vectors)
    with replacing(path) as temporary:
        keyed.save_word2vec_format(str(temporary), binary=True, sort_attr="")  # keeps our order


def write_fasttext(path: Path, model: Any) -> None:
    """Write a fastText model, all or nothing.

    fastText does not look whether its writing worked. What fails once fails to the end, so that a file that ends in
    the model's last matrix, after its shape, is whole.
    """
    with replacing(path) as temporary:
        model.save_model(str(temporary))
        output = np.asarray(model.get_output_matrix(), dtype="<f4")
        end = struct.pack("<qq", *output.shape) + output.tobytes()
        with open(temporary, "rb") as file:
            n_bytes = file.seek(0, os.SEEK_END)
            file.seek(max(0, n_bytes - len(end)))
            if file.read() != end:
                raise at(path, None, "cannot be written in full: look whether the disk is full, or choose another "
                                     "place")  # fmt: skip


def write_gensim(path: Path, vectors: WordVectors) -> None:
    """Write gensim's own format as one file (big arrays inside it), all or nothing."""
    keyed = to_gensim(vectors)
    keyed.lifecycle_events = None  # they tell time and place of the saving: the same vectors give the same bytes
    with replacing(path) as temporary:
        keyed.save(str(temporary), sep_limit=1 << 62)
