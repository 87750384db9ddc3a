"""The fast way of reading .vec: numbers against Python's float, whole files against the way line by line."""

from __future__ import annotations

import gzip
import lzma
import random
import struct
import subprocess
import sys
import tracemalloc
from concurrent.futures import Future

import numpy as np
import pytest

from xlembed import vec_text
from xlembed.errors import InputError
from xlembed.vec_text import read_vec

pytest.importorskip("numba")
from xlembed import vec_blocks  # noqa: E402


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(vec_text, "_LARGE", 0)
    monkeypatch.setattr(vec_blocks, "_BLOCK_BYTES", 1 << 12)


@pytest.fixture
def plain(monkeypatch):
    """Call it, and files are read line by line from then on."""
    return lambda: monkeypatch.setattr(vec_text, "_add_blocks", lambda: None)


def kernel_numbers(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(numbers as float32, which the kernel read) of texts, each on a line of its own."""
    numbers, was_read = np.zeros(len(texts), dtype=np.float32), np.zeros(len(texts), dtype=bool)
    raw = "".join(f"w {text}\n" for text in texts).encode()
    block = vec_blocks._Block(len(raw), 1)
    block.bytes[: len(raw)] = raw
    block.end = len(raw)
    begin = i = 0
    while begin < block.end:
        n_rows, _, stop = vec_blocks._parse(block, begin)
        numbers[i : i + n_rows] = block.rows[:n_rows, 0]
        was_read[i : i + n_rows] = True
        i += n_rows + 1
        begin = raw.find(b"\n", stop) + 1 if stop < block.end else stop
    return numbers, was_read


def assert_as_python(texts: list[str]) -> np.ndarray:
    """Numbers that the kernel reads have the bits of np.float32(float(text)). Returns which it reads."""
    numbers, was_read = kernel_numbers(texts)
    with np.errstate(over="ignore"):
        expected = np.array([np.float32(float(text)) for text in texts])
    differ = was_read & (numbers.view(np.int32) != expected.view(np.int32))
    assert not differ.any(), [(texts[i], numbers[i], expected[i]) for i in np.flatnonzero(differ)[:5]]
    return was_read


def random_number(rng: random.Random) -> str:
    """A decimal number in some form: any count of digits, any exponent, bits of float32 and float64, halfway cases."""
    sign = rng.choice(["", "", "-", "-", "+"])
    kind = rng.randrange(8)
    if kind == 0:
        return sign + f"{abs(rng.gauss(0, 10 ** rng.randint(-4, 3))):.{rng.randint(0, 12)}f}"
    if kind == 1:
        return sign + f"{abs(rng.gauss(0, 1)):.{rng.randint(1, 18)}g}"
    if kind == 2:
        return sign + repr(abs(rng.gauss(0, 1)))
    if kind == 3:
        return repr(struct.unpack("<f", rng.randbytes(4))[0]).replace("inf", "1").replace("nan", "0")
    if kind == 4:
        return repr(struct.unpack("<d", rng.randbytes(8))[0]).replace("inf", "1").replace("nan", "0")
    if kind == 5:  # halfway between two float32 numbers, or beside it by a digit far behind
        bits = rng.randrange(1 << 30)
        low, high = np.array([bits, bits + 1], dtype=np.int32).view(np.float32).astype(np.float64)
        middle = (low + high) / 2  # exact
        text = f"{middle:.{rng.choice([17, 25, 60])}e}".partition("e")
        return sign + text[0] + rng.choice(["", "0", "1", "0" * 30 + "1"]) + "e" + text[2]
    whole = "".join(rng.choices("0123456789", k=rng.choice([0, 1, 1, 2, 7, 8, 9, 15, 16, 17, 19, 20, 21, 40])))
    part = "".join(rng.choices("0000123456789", k=rng.choice([0, 1, 2, 7, 8, 9, 15, 16, 17, 20, 40])))
    dot = "." if part or rng.random() < 0.5 else ""
    exponent = rng.choice(["", f"e{rng.randint(-60, 40)}", f"E+{rng.randint(0, 30)}", f"e-0{rng.randint(0, 400)}"])
    return sign + (whole or ("" if part else "0")) + dot + part + exponent


@pytest.mark.parametrize("seed", range(4))
def test_random_numbers_are_those_of_python(seed):
    rng = random.Random(seed)
    was_read = assert_as_python([random_number(rng) for _ in range(20_000)])
    assert was_read.mean() > 0.75  # a fifth is halfway between float32 numbers, or too large for them


USUAL = ["0.5", "-0.123456", "1", "-7", "12.5", ".5", "5.", "-.5", "+.25", "0", "-0", "0.0", "-0.0", "1e-05", "-1.5E+3"]
UNUSUAL = [
    "00000000000000000000000000.1",
    "0.00000000000000000000000000000000000000001",
    "0.000000000000000000000000000000000000000000000000000012345e50",
    "123456789012345678901234567890e-29",
    "1e-45",
    "7e-46",
    "8e-46",
    "1.17549435e-38",
    "3.4028234663852886e38",
    "1e-400",
    f"0.{'0' * 5_000}1e5001",
    f"1{'0' * 5_000}e-5000",
    "0.1234567890123456789012345678901234567890",
    "9007199254740993",
    "9007199254740993e-16",
    "9.99999999999999999",
    "0.99999997",
    "16777217",
]


@pytest.mark.parametrize("text", USUAL + UNUSUAL)
def test_number_that_the_kernel_reads(text):
    assert assert_as_python([text]).all()


@pytest.mark.parametrize("digits", range(1, 26))
def test_every_count_of_digits(digits):
    texts = [f"{sign}{whole}.{'1234567890' * 3:.{digits}}" for sign in ("", "-") for whole in ("", "0", "7", "123")]
    assert assert_as_python(texts).all()


@pytest.mark.parametrize(
    "text",
    ["", "-", "+", ".", "-.", "e5", ".e5", "1e", "1e+", "--1", "+-1", "1-2", "1.2.3", "0x10", "1_0", "1,5", "1a", "٣"]
    + ["nan", "inf", "-Infinity", "1e39", "1e999", "3.5e38", "1\t", "\t1", "1\x0b", "1\0", "1\u00a0", "0.1234567x"]
    + ["0.12345678x", "1\r\r", "0e99999999999999999999", f"0.{'0' * 15_000}1e15001"]
    # halfway between two float32 numbers, and beside it
    + ["1.00000017881393432617187500", "1.00000017881393432617187500000000000001"],
)
def test_what_the_kernel_leaves(text):
    assert not kernel_numbers([text])[1].any()


def test_rest_of_a_block_behind_the_last_line_is_not_read():
    block = vec_blocks._Block(64, 2)
    block.bytes[:16] = b"a 1 2\nb 3 4\nc 5 "
    block.end = 12
    assert vec_blocks._parse(block) == (2, 4, 12)
    assert block.rows[:2].tolist() == [[1, 2], [3, 4]]
    assert block.words[:4].tobytes() == b"a\nb\n"


# ---- whole files


def outcome(path, n) -> tuple:
    try:
        vectors = read_vec(path, n)
    except InputError as err:
        return (str(err),)
    return vectors.words, vectors.matrix.dtype, vectors.matrix.shape, vectors.matrix.tobytes()


def random_file(rng: random.Random) -> bytes:
    """Lines of words and numbers, some of them odd in one way or another."""
    dim, n_lines = rng.choice([1, 2, 3, 20]), rng.choice([1, 5, 40, 300])
    odd = rng.choice([0, 0, 0.002, 0.02, 0.2])
    end = rng.choice(["\n", "\n", " \n", "\r\n"])
    lines = []
    for i in range(n_lines):
        word, numbers = f"wörd{i}", [f"{rng.gauss(0, 1):.{rng.randint(1, 9)}g}" for _ in range(dim)]
        line = f"{word} {' '.join(numbers)}"
        if rng.random() < odd:
            line = rng.choice(
                [
                    line.replace(" ", "  "),
                    line.replace(" ", "\t"),
                    line.replace(" ", " \t"),
                    f"New York{i} {' '.join(numbers)}",
                    f"wörd{rng.randrange(n_lines)} {' '.join(numbers)}",
                    f"wörd0 {' '.join(numbers)}",
                    "\u00a0" + line,
                    line + " ",
                    line + "\r",
                    line + "\t",
                    line.replace("0", "nan", 1),
                    line.replace("0", "1e39", 1),
                    line + " 1",
                    line + "x",
                    line[: rng.randrange(len(line))],
                    "x" * rng.choice([100, 10_000]) + line,
                    "",
                    " " + line,
                    line.replace("ö", "\udcf6"),
                ]
            )
        lines.append(line + end)
    header = rng.choice(["", "", f"{n_lines} {dim}\n", f"{n_lines} {dim}{end}", f"{rng.randrange(400)} {dim}\n"])
    text = rng.choice(["", "", "", "\ufeff"]) + header + "".join(lines)
    if rng.random() < 0.3:
        text = text[: rng.randrange(len(text) + 1)]
    return text.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("seed", range(8))
def test_random_files_read_alike_both_ways(tmp_path, plain, seed, capsys):
    rng = random.Random(seed)
    cases = [(random_file(rng), rng.choice([None, None, 1, 7, 200])) for _ in range(60)]
    paths = [tmp_path / f"{i}.vec" for i in range(len(cases))]
    for path, (content, _) in zip(paths, cases, strict=True):
        path.write_bytes(content)
    by_blocks = [outcome(path, n) for path, (_, n) in zip(paths, cases, strict=True)]
    said = capsys.readouterr().err
    plain()
    assert by_blocks == [outcome(path, n) for path, (_, n) in zip(paths, cases, strict=True)]
    assert said == capsys.readouterr().err


def lines_of(n: int, dim: int, seed: int = 0) -> str:
    matrix = np.random.default_rng(seed).normal(size=(n, dim))
    return "".join(f"w{i} {' '.join(f'{x:.6g}' for x in row)}\n" for i, row in enumerate(matrix.tolist()))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress], ids=["plain", "gz", "xz"])
@pytest.mark.parametrize("header", ["5000 20\n", ""], ids=["header", "no header"])
def test_compression_and_growth(tmp_path, plain, pack, header):
    suffix = {bytes: "", gzip.compress: ".gz", lzma.compress: ".xz"}[pack]
    path = tmp_path / f"a.vec{suffix}"
    path.write_bytes(pack((header + lines_of(5000, 20)).encode()))
    by_blocks = read_vec(path)
    assert by_blocks.matrix.flags.owndata and by_blocks.matrix.flags.c_contiguous
    plain()
    again = read_vec(path)
    assert by_blocks.words == again.words
    np.testing.assert_array_equal(by_blocks.matrix, again.matrix)


@pytest.mark.parametrize("name", ["a.vec.gz", "a.vec.xz"])
def test_what_comes_before_damage_is_read(tmp_path, name):
    pack = gzip.compress if name.endswith("gz") else lzma.compress
    packed = pack(("5000 20\n" + lines_of(5000, 20)).encode())
    path = tmp_path / name
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=r"a\.vec\.[gx]z:\d+: compressed data is damaged or cut short") as caught:
        read_vec(path)
    line = int(str(caught.value).split(":")[1])
    assert line > 1000
    assert len(read_vec(path, line - 10)) == line - 10


def test_few_words_of_a_large_file_read_little_of_it(tmp_path, monkeypatch):
    path = tmp_path / "a.vec"
    path.write_text(lines_of(5000, 20))
    n_read = []
    read = vec_blocks._Blocks._read
    monkeypatch.setattr(vec_blocks._Blocks, "_read", lambda *args: n_read.append(read(*args)) or n_read[-1])
    assert read_vec(path, 30).words[-1] == "w29"
    n_blocks = vec_blocks._MAX_THREADS + 2
    assert 0 < sum(n_read) <= n_blocks * vec_blocks._BLOCK_BYTES < path.stat().st_size
    n_read.clear()
    monkeypatch.setattr(vec_text, "_LARGE", 1 << 20)
    assert read_vec(path, 30).words[-1] == "w29"
    assert n_read == []


def test_blocks_are_read_in_order_whichever_is_done_first(tmp_path, monkeypatch):
    """Each block is parsed only when its rows are wanted: the latest possible order."""

    class Lazy:
        def __init__(self, n_threads): ...

        def __enter__(self):
            return self

        def __exit__(self, *error): ...

        def submit(self, function, block):
            future = Future()
            future.result = lambda: function(block)
            return future

    path = tmp_path / "a.vec"
    path.write_text(lines_of(2000, 20))
    expected = read_vec(path)
    monkeypatch.setattr(vec_blocks, "ThreadPoolExecutor", Lazy)
    again = read_vec(path)
    assert again.words == expected.words
    np.testing.assert_array_equal(again.matrix, expected.matrix)


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["header.vec", "none.vec", "header.vec.gz", "none.vec.gz"])
def test_memory_is_that_of_the_matrix(tmp_path, name):
    n, dim = 20_000, 50
    text = (f"{n} {dim}\n" if name.startswith("header") else "") + lines_of(n, dim)
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode(), 1) if name.endswith("gz") else text.encode())
    vec_blocks._parse(vec_blocks._Block(8, 1))  # compile before
    tracemalloc.start()
    try:
        vectors = read_vec(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    words = sum(sys.getsizeof(word) + 100 for word in vectors.words)  # a list and a dict hold them
    assert peak < 1.15 * vectors.matrix.nbytes + words + (1 << 20)


# ---- without numba


def test_without_numba_lines_are_read_one_by_one(tmp_path, monkeypatch):
    path = tmp_path / "a.vec"
    path.write_text(lines_of(300, 5))
    expected = read_vec(path)
    for name in ("xlembed.vec_blocks", "xlembed.vec_kernels", "xlembed.jit"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)
    assert vec_text._add_blocks() is None
    again = read_vec(path)
    assert again.words == expected.words
    np.testing.assert_array_equal(again.matrix, expected.matrix)


def test_small_files_do_not_load_numba(tmp_path):
    (tmp_path / "a.vec").write_text(lines_of(300, 5))
    code = f"import sys; from xlembed.vectors import read_vectors; read_vectors({str(tmp_path / 'a.vec')!r})"
    code += "; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
