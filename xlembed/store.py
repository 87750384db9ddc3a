"""Our own store of word vectors: one safetensors file, opened through a memory map.

Tensors: `matrix` (n_words, dim) as float32, float16 or int8; for int8 `scale` (n_words,), so that
vector = matrix * scale; `words`, the UTF-8 bytes of the words with a line feed between them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xlembed.errors import InputError, at, require
from xlembed.files import replacing
from xlembed.types import Floats1d, Floats2d
from xlembed.vectors import WordVectors

_FORMAT = {"format": "xlembed-vectors 1"}  # one key: safetensors writes several in no fixed order
DTYPES = ("float32", "float16", "int8")


def write_store(path: Path, vectors: WordVectors, dtype: str = "float32") -> None:
    """Write a store, all or nothing. float16 halves the size, int8 quarters it (1/254 of a row's range)."""
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r}: choose {', '.join(DTYPES)}")
    if any("\n" in word for word in vectors.words):
        raise InputError("a word holds a line feed, which the store uses between words")
    numpy_format = require("safetensors.numpy", "static")
    tensors = {"words": np.frombuffer("\n".join(vectors.words).encode("utf-8"), dtype=np.uint8)}
    if dtype == "int8":
        tensors["matrix"], tensors["scale"] = quantize_rows(vectors.matrix)
    else:
        tensors["matrix"] = np.ascontiguousarray(vectors.matrix, dtype=dtype)
    with replacing(path) as temporary:
        numpy_format.save_file(tensors, temporary, metadata=_FORMAT)


def open_store(path: Path) -> WordVectors:
    """Open a store. Raises InputError when it is another file, or damaged."""
    safetensors = require("safetensors", "static")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("format") != _FORMAT["format"]:
                raise at(path, None, "is a safetensors file, but not of word vectors")
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            words = tensors["words"].tobytes().decode("utf-8").split("\n")
            matrix = tensors["matrix"]
            if matrix.dtype == np.int8:
                matrix = matrix.astype(np.float32) * tensors["scale"][:, None]
            if len(words) != len(matrix):
                raise ValueError(f"{len(words)} words, {len(matrix)} vectors")
            return WordVectors(words, matrix.astype(np.float32, copy=False))
    except InputError:
        raise
    except (safetensors.SafetensorError, KeyError, UnicodeDecodeError, OSError, ValueError) as err:
        raise at(path, None, f"is not a whole store of word vectors ({err}): make it again") from None


def quantize_rows(matrix: Floats2d) -> tuple[np.ndarray, Floats1d]:
    """int8 rows (n, dim) and float32 scales (n,): each row's greatest magnitude becomes 127."""
    scale = np.abs(matrix).max(axis=1, initial=0) / 127
    safe = np.where(scale > 0, scale, 1)
    return np.rint(matrix / safe[:, None]).astype(np.int8), scale.astype(np.float32)
