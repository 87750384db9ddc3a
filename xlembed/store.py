"""Our own store of word vectors: one safetensors file, its float32 matrix used where it lies, through a memory map.

Tensors: `matrix` (n_words, dim) as float32, float16 or int8; for int8 `scale` (n_words,), so that
vector = matrix * scale; `words`, the UTF-8 bytes of the words with a line feed between them. The format's name in
the metadata says whether the writer found all numbers finite; where it does not say so, they are looked at on opening.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from xlembed.errors import InputError, at, require
from xlembed.files import replacing
from xlembed.os_faults import advice, cannot_read
from xlembed.types import Floats1d, Floats2d
from xlembed.vectors import WordVectors, check_finite

# one key of metadata: safetensors writes several in no fixed order
_FORMAT = "xlembed-vectors 1"
_FINITE_FORMAT = "xlembed-vectors 1 finite"
_MATRIX_DTYPES = ("F32", "F16", "I8", "F64")  # as safetensors calls them
DTYPES = ("float32", "float16", "int8")
_ROWS_AT_ONCE = 4096


def write_store(path: Path, vectors: WordVectors, dtype: str = "float32") -> None:
    """Write a store, all or nothing. float16 halves the size, int8 quarters it (1/254 of a row's range)."""
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r}: choose {', '.join(DTYPES)}")
    if any("\n" in word for word in vectors.words):
        raise InputError("a word holds a line feed, which the store uses between words")
    numpy_format = require("safetensors.numpy", "static")
    tensors: dict[str, np.ndarray] = {"words": np.frombuffer("\n".join(vectors.words).encode("utf-8"), dtype=np.uint8)}
    if dtype == "int8":
        tensors["matrix"], tensors["scale"] = quantize_rows(vectors.matrix)
    else:
        tensors["matrix"] = np.ascontiguousarray(vectors.matrix, dtype=dtype)
    is_finite = _is_finite(tensors["matrix"]) and _is_finite(tensors.get("scale", np.empty(0)))
    metadata = {"format": _FINITE_FORMAT if is_finite else _FORMAT}
    with replacing(path) as temporary:
        numpy_format.save_file(tensors, temporary, metadata=metadata)


def _is_finite(array: np.ndarray) -> bool:
    parts = (array[i : i + _ROWS_AT_ONCE] for i in range(0, len(array), _ROWS_AT_ONCE))
    return all(np.isfinite(part).all() for part in parts)


def open_store(path: Path, n: int | None = None) -> WordVectors:
    """Open the first n words (all for None) of a store. Raises InputError when it is another file, or damaged.

    A float32 matrix is mapped copy-on-write: pages are read when they are used, and what is written to the array
    stays in this process. float16 and int8 are converted to float32.
    """
    safetensors = require("safetensors", "static")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            name = (file.metadata() or {}).get("format")
            if name not in (_FORMAT, _FINITE_FORMAT):
                raise at(path, None, "is a safetensors file, but not of word vectors")
            words = file.get_tensor("words").tobytes().decode("utf-8").split("\n")
            vectors = WordVectors(words[:n], _matrix(path, file, len(words), n))
    except InputError:
        raise
    except (safetensors.SafetensorError, KeyError, UnicodeDecodeError, OSError, TypeError, ValueError) as err:
        if advice(err) is not None:
            raise cannot_read(path, err) from None
        raise at(path, None, f"is not a whole store of word vectors ({err}): make it again") from None
    return vectors if name == _FINITE_FORMAT else check_finite(path, vectors)


def _matrix(path: Path, file: Any, n_words: int, n: int | None) -> Floats2d:
    """The first n vectors of an open safetensors file, (n, dim) float32."""
    tensor = file.get_slice("matrix")
    shape, dtype = tensor.get_shape(), tensor.get_dtype()
    if len(shape) != 2 or dtype not in _MATRIX_DTYPES:
        raise ValueError(f"a matrix of {len(shape)} dimensions and dtype {dtype}")
    if n_words != shape[0]:
        raise ValueError(f"{n_words} words, {shape[0]} vectors")
    if dtype == "F32":
        return _mapped(path, shape)[:n]
    matrix = tensor[: shape[0] if n is None else min(n, shape[0])]
    if dtype != "I8":
        wide: Floats2d = matrix.astype(np.float32)
        return wide
    scale = file.get_tensor("scale")
    if scale.shape != (n_words,):
        raise ValueError(f"scale of shape {scale.shape} for {n_words} words")
    scaled: Floats2d = np.multiply(matrix, scale[:n, None], dtype=np.float32)
    return scaled


def _mapped(path: Path, shape: list[int]) -> Floats2d:
    """The float32 matrix of a safetensors file, copy-on-write. safetensors has checked the file's header."""
    with open(path, "rb") as file:
        n_header = int.from_bytes(file.read(8), "little")
        begin, end = json.loads(file.read(n_header))["matrix"]["data_offsets"]
    if end - begin != 4 * shape[0] * shape[1]:  # of two entries of the name, another may be meant
        raise ValueError("the header holds the matrix twice")
    if begin == end:
        return np.empty(shape, dtype=np.float32)
    mapped = np.asarray(np.memmap(path, np.dtype("<f4"), "c", 8 + n_header + begin, tuple(shape)))
    return np.require(mapped, np.float32, "A")  # other writers may leave it unaligned, which costs a copy


def quantize_rows(matrix: Floats2d) -> tuple[np.ndarray, Floats1d]:
    """int8 rows (n, dim) and float32 scales (n,): each row's greatest magnitude becomes 127."""
    codes, scale = np.empty(matrix.shape, dtype=np.int8), np.empty(len(matrix), dtype=np.float32)
    for start in range(0, len(matrix), _ROWS_AT_ONCE):  # whose quotients are held at once
        part = slice(start, start + _ROWS_AT_ONCE)
        rows = np.abs(matrix[part]).max(axis=1, initial=0) / 127
        codes[part] = np.rint(matrix[part] / np.where(rows > 0, rows, 1)[:, None])
        scale[part] = rows
    return codes, scale
