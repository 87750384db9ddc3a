"""Binary formats, through the libraries that own them: fastText models, word2vec binary, gensim."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from xlembed.errors import at, require
from xlembed.files import replacing
from xlembed.vectors import WordVectors

_FASTTEXT_MAGIC = struct.pack("<i", 793712314)


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
    except (ValueError, RuntimeError, MemoryError) as err:
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
    """fastText reads a truncated file without a word and then holds garbage, so the size is checked here.

    Layout (fastText 0.9): magic, version, 12 int32 and a double of settings; the dictionary; a flag and
    the input matrix (two int64 sizes, float32 numbers); a flag and the output matrix.
    """
    size = path.stat().st_size
    damaged = at(path, None, f"is cut short or damaged ({size:,} bytes): fetch or train it again")
    with open(path, "rb") as file:

        def take(form: str) -> tuple:
            raw = file.read(struct.calcsize(form))
            if len(raw) != struct.calcsize(form):
                raise damaged
            return struct.unpack(form, raw)

        _, version, dim, *_ = take("<2i12id")
        n_entries, n_words, n_labels, _, n_pruned = take("<3i2q")
        if version > 12 or dim < 1 or n_words < 0 or n_labels < 0 or n_entries != n_words + n_labels:
            raise damaged
        for _ in range(n_entries):
            while (char := file.read(1)) != b"\0":
                if not char:
                    raise damaged
            take("<qb")
        for _ in range(max(n_pruned, 0)):
            take("<2i")
        for _ in range(2):
            (quantized,) = take("<?")
            if quantized:
                return  # a quantised model's matrices have another layout; fastText itself opens it
            rows, dim = take("<2q")
            if rows < 0 or dim < 1 or file.tell() + rows * dim * 4 > size:
                raise damaged
            file.seek(rows * dim * 4, 1)


def read_word2vec(path: Path, n: int | None = None) -> WordVectors:
    """Read word2vec's binary format through gensim."""
    models = require("gensim.models", "gensim")
    try:
        keyed = models.KeyedVectors.load_word2vec_format(str(path), binary=True, limit=n)
    except (ValueError, EOFError, UnicodeDecodeError, MemoryError, IndexError, OverflowError) as err:
        raise at(path, None, f"is neither a fastText model nor word2vec binary ({err})") from None
    return from_gensim(keyed, n)


def read_gensim(path: Path, n: int | None = None) -> WordVectors:
    """Read gensim's own KeyedVectors, or those of a saved gensim model.

    A pickle: only files that you trust.
    """
    models = require("gensim.models", "gensim")
    try:
        loaded = models.KeyedVectors.load(str(path))
    except Exception as err:  # unpickling anything else fails in any way it likes
        raise at(path, None, f"gensim cannot open it as KeyedVectors ({type(err).__name__})") from None
    keyed = getattr(loaded, "wv", loaded)
    if not hasattr(keyed, "index_to_key"):
        raise at(path, None, f"holds a {type(loaded).__name__}, KeyedVectors are needed")
    return from_gensim(keyed, n)


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


def write_gensim(path: Path, vectors: WordVectors) -> None:
    """Write gensim's own format as one file (big arrays inside it), all or nothing."""
    keyed = to_gensim(vectors)
    with replacing(path) as temporary:
        keyed.save(str(temporary), sep_limit=1 << 62)
