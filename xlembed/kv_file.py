"""gensim's own format (KeyedVectors, and whole models that hold some), a pickle, read without running any of it.

A pickle may name any function and have it called. Here every name stands for a class that does nothing but keep what
it is given; numpy's arrays and dtypes are put together by hand, and nothing is imported. pickle's pure Python reader is
used, for the one in C allocates what a file claims to need before it looks whether the file has it.
"""

from __future__ import annotations

import io
import pickle
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np

from xlembed.errors import at
from xlembed.types import Floats2d

_DTYPE = re.compile(r"[fiub][1248]")
_WORDS = ("index_to_key", "index2word", "index2entity")  # as gensim 4 and its forerunners name them
_VECTORS = ("vectors", "syn0")


class _Inert:
    """An object of a pickle, whatever its class: its name, its arguments and its state, and nothing that acts."""

    name = "object"
    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: Any, **kwargs: Any) -> _Inert:
        made = super().__new__(cls)
        made.args, made.state = args, None
        return made

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass

    def get(self, name: str) -> Any:
        """A part of its state, None where it has none of that name."""
        return self.state.get(name) if isinstance(self.state, dict) else None

    def dtype(self) -> np.dtype[Any]:
        """The plain number that a numpy dtype stands for, in its byte order. Raises ValueError for any other."""
        code, state = self.args[0] if self.args else None, self.state
        if self.name != "dtype" or not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise ValueError("an array that does not hold plain numbers")
        order: Literal["<", ">", "="] = "="
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            order = state[1]
        return np.dtype(code).newbyteorder(order)

    def array(self) -> np.ndarray[Any, Any]:
        """The array that it stands for. Raises ValueError where it is none."""
        if self.name == "_frombuffer" and len(self.args) == 4:  # protocol 5: bytes, dtype, shape, order
            raw, dtype, shape, order = self.args
        elif self.name == "_reconstruct" and isinstance(self.state, tuple) and len(self.state) == 5:
            _, shape, dtype, is_fortran, raw = self.state
            order = "F" if is_fortran else "C"
        else:
            raise ValueError(f"a {self.name} in place of an array")
        if not isinstance(dtype, _Inert) or not isinstance(raw, (bytes, bytearray)) or order not in ("C", "F"):
            raise ValueError("an array that does not hold plain numbers")
        return np.frombuffer(raw, dtype.dtype()).reshape(shape, order=order)


class _Reader(pickle._Unpickler):
    """Finds a class without behaviour for every name."""

    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> type[_Inert]:
        return type("Inert", (_Inert,), {"name": str(name)})

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("names an object outside the file")

    def get_extension(self, code: int) -> Any:
        raise pickle.UnpicklingError("names an object by a number")


def _with_plain_keys(code: bytes, keys: slice) -> None:
    """Let an operation hash texts and numbers alone: tuples of tuples of the same tuples would take for ever."""
    load = _Reader.dispatch[code[0]]

    def checked(reader: Any) -> None:
        if not all(isinstance(key, (str, int, float)) for key in reader.stack[keys]):
            raise pickle.UnpicklingError("a key that is neither text nor a number")
        load(reader)

    _Reader.dispatch[code[0]] = checked


for _code, _keys in ((pickle.SETITEM, slice(-2, -1)), (pickle.SETITEMS, slice(0, None, 2)),
                     (pickle.ADDITEMS, slice(None)), (pickle.FROZENSET, slice(None))):  # fmt: skip
    _with_plain_keys(_code, _keys)


def read_keyed_vectors(path: Path) -> tuple[list[str], Floats2d]:
    """Words and matrix, (n_words, dim) float32. Raises InputError where the file holds no KeyedVectors."""
    try:
        loaded = _Reader(io.BytesIO(path.read_bytes())).load()
    except OSError:
        raise
    except Exception as err:  # what is no pickle fails in any way it likes
        raise at(path, None, f"cannot be opened as gensim's KeyedVectors ({type(err).__name__})") from None
    if not isinstance(loaded, _Inert):
        raise at(path, None, f"holds a {type(loaded).__name__}, KeyedVectors are needed")
    inside = loaded.get("wv")
    keyed, prefix = (inside, ".wv") if isinstance(inside, _Inert) else (loaded, "")
    words = next((keyed.get(name) for name in _WORDS if keyed.get(name) is not None), None)
    if not isinstance(words, list):
        raise at(path, None, f"holds a {loaded.name}, KeyedVectors are needed")
    if not all(isinstance(word, str) for word in words) or len(set(words)) < len(words):
        raise at(path, None, "holds keys that are not words, or one twice: KeyedVectors of words are needed")
    return words, _matrix(path, keyed, prefix, len(words))


def _matrix(path: Path, keyed: _Inert, prefix: str, n_words: int) -> Floats2d:
    """The matrix of KeyedVectors: in the file, or where it is big, beside it as path.vectors.npy."""
    try:
        name = next((one for one in _VECTORS if keyed.get(one) is not None), None)
        if name is not None:
            matrix = keyed.get(name).array()
        else:
            beside = next((one for one in _VECTORS if Path(f"{path}{prefix}.{one}.npy").is_file()), _VECTORS[0])
            matrix = np.load(f"{path}{prefix}.{beside}.npy", allow_pickle=False, mmap_mode="r")
        if matrix.ndim != 2 or len(matrix) < n_words or matrix.dtype.kind != "f":
            raise ValueError(f"{n_words} words and an array of shape {matrix.shape}")
        return np.asarray(matrix[:n_words], dtype=np.float32)
    except FileNotFoundError:
        raise at(path, None, f"its matrix is not in it and not beside it: {path.name}{prefix}.vectors.npy is "
                 "needed") from None  # fmt: skip
    except (ValueError, TypeError, AttributeError, OverflowError, MemoryError, EOFError) as err:
        raise at(path, None, f"holds damaged KeyedVectors ({err}): save them again") from None
