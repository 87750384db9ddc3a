"""Reading word vectors from text and opening them again, beside what else does it.

python benchmarks/read_vec.py [n_words] [dim] [rounds]

The contestants take turns, and each ends with a list of words and a float32 matrix; what is not installed is left out.
Peak memory is that of a process of its own, less what it held before (with everything loaded), relative to the matrix.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from common import compare

from xlembed.vectors import read_vectors, write_vectors

_N_DISTINCT = 10_000  # rows; larger files repeat their numbers beside other words


def write_text(path: Path, n_words: int, dim: int) -> None:
    """A .vec file of normal numbers with six significant digits, as fastText and MUSE write them."""
    matrix = np.random.default_rng(0).normal(size=(min(n_words, _N_DISTINCT), dim))
    numbers = [" ".join([f"{x:.6g}" for x in row]) for row in matrix.tolist()]
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(f"{n_words} {dim}\n")
        file.writelines(f"word{i} {numbers[i % len(numbers)]}\n" for i in range(n_words))


# ---- readers of text: path -> (words, matrix)


def read_xlembed(path: str) -> tuple[list[str], np.ndarray]:
    vectors = read_vectors(path)
    return vectors.words, vectors.matrix


def read_polars(path: str) -> tuple[list[str], np.ndarray]:
    frame = _polars_frame(path)
    return frame["word"].to_list(), frame.drop("word").to_numpy()


def _polars_frame(path: str):
    import polars

    types = {"word": polars.String} | {str(i): polars.Float32 for i in range(_dim(path))}
    return polars.read_csv(path, separator=" ", has_header=False, skip_rows=1, quote_char=None, schema=types)


def read_pandas(path: str) -> tuple[list[str], np.ndarray]:
    import pandas

    types = {0: str} | {i: np.float32 for i in range(1, _dim(path) + 1)}
    frame = pandas.read_csv(path, sep=" ", header=None, skiprows=1, quoting=3, na_filter=False, dtype=types)
    return frame[0].tolist(), frame.iloc[:, 1:].to_numpy()


def read_numpy(path: str) -> tuple[list[str], np.ndarray]:
    options = {"delimiter": " ", "skiprows": 1, "comments": None, "encoding": "utf-8"}
    matrix = np.loadtxt(path, dtype=np.float32, usecols=range(1, _dim(path) + 1), **options)
    return np.loadtxt(path, dtype=str, usecols=0, **options).tolist(), matrix


def read_gensim(path: str) -> tuple[list[str], np.ndarray]:
    from gensim.models import KeyedVectors

    keyed = KeyedVectors.load_word2vec_format(path)
    return keyed.index_to_key, keyed.vectors


def read_by_lines(path: str) -> tuple[list[str], np.ndarray]:
    """As VecMap's embeddings.read does."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        count, dim = map(int, file.readline().split(" "))
        words, matrix = [], np.empty((count, dim), dtype=np.float32)
        for i in range(count):
            word, numbers = file.readline().split(" ", 1)
            words.append(word)
            matrix[i] = np.fromstring(numbers, sep=" ", dtype=np.float32)
    return words, matrix


def _dim(path: str) -> int:
    with open(path, encoding="utf-8") as file:
        return int(file.readline().split()[1])


READERS: dict[str, tuple[str, Callable]] = {  # name: what it needs, reader
    "xlembed": ("numba", read_xlembed),
    "polars, to columns": ("polars", _polars_frame),
    "polars, to words and matrix": ("polars", read_polars),
    "pandas": ("pandas", read_pandas),
    "line by line, as VecMap": ("numpy", read_by_lines),
    "numpy loadtxt": ("numpy", read_numpy),
    "gensim": ("gensim", read_gensim),
}


def installed_readers() -> dict[str, Callable]:
    return {name: reader for name, (needed, reader) in READERS.items() if find_spec(needed)}


# ---- peak memory


def memory(field: str) -> int:
    """Bytes of memory of this process: VmRSS, what it holds, or VmHWM, the most that it has held.

    On Linux ru_maxrss counts what the parent held when this process was started, so the system's own is asked for;
    elsewhere both are ru_maxrss.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith(f"{field}:")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def print_peak(name: str, path: str, small: str) -> None:
    """Peak of reading `path` less what is held after reading a small file, which loads what is needed; in matrices."""
    reader = READERS[name][1]
    reader(small)
    before = memory("VmRSS")
    read = reader(path)
    peak = memory("VmHWM") - before
    matrix_bytes = 4 * (read[1].size if isinstance(read, tuple) else read.height * (read.width - 1))
    print(f"{name:44} {peak / 1e6:8.0f} MB  {peak / matrix_bytes:6.2f} x")


# ---- all


def openers(folder: Path, text: Path) -> dict[str, Callable]:
    """What opens vectors that were read before: ours, numpy's and gensim's, each written by its own."""
    vectors = read_vectors(text)
    store, array, kv = (folder / f"x.{suffix}" for suffix in ("safetensors", "npy", "kv"))
    write_vectors(store, vectors)
    np.save(array, vectors.matrix)
    found = {
        "xlembed store": lambda: read_vectors(store),
        "np.load, mapped, without words": lambda: np.load(array, mmap_mode="r"),
        "xlembed store, and a sum over the matrix": lambda: read_vectors(store).matrix.sum(),
        "np.load, mapped, and a sum over the matrix": lambda: np.load(array, mmap_mode="r").sum(),
    }
    if find_spec("gensim"):
        from gensim.models import KeyedVectors

        keyed = KeyedVectors(vectors.dim)
        keyed.add_vectors(vectors.words, vectors.matrix)
        keyed.save(str(kv))
        found["gensim .kv"] = lambda: KeyedVectors.load(str(kv))
        found["gensim .kv, mapped"] = lambda: KeyedVectors.load(str(kv), mmap="r")
    return found


def main(n_words: int = 50_000, dim: int = 300, rounds: int = 3) -> None:
    readers = installed_readers()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text, small = folder / "x.vec", folder / "small.vec"
        write_text(text, n_words, dim)
        write_text(small, 2_000_000 // dim + 1, dim)  # 18 MB: the way of large files
        words, matrix = read_xlembed(str(text))
        expected_words, expected = read_by_lines(str(text))
        assert words == expected_words and np.array_equal(matrix, expected)
        del words, matrix, expected_words, expected
        size = f"{n_words:,} x {dim}, {text.stat().st_size / 1e6:.0f} MB of text"
        print(f"{size}; medians of {rounds} (opening: of at least 5), ratios to the first")
        print("\nreading .vec")
        compare({name: lambda reader=reader: reader(str(text)) for name, reader in readers.items()}, rounds)
        print("\npeak memory of reading .vec, and relative to the matrix", flush=True)
        for reader in readers:
            subprocess.run([sys.executable, __file__, "--peak", reader, str(text), str(small)], check=True)
        print("\nopening again")
        compare(openers(folder, text), max(rounds, 5))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        print_peak(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))
