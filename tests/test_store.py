from __future__ import annotations

import mmap
import os
import pickle
import random

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from xlembed.errors import InputError
from xlembed.normalize import normalize, parse_steps
from xlembed.store import open_store, quantize_rows, write_store
from xlembed.vectors import WordVectors, read_vectors

OURS = {"format": "xlembed-vectors 1"}


@pytest.fixture
def vectors() -> WordVectors:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(50, 16)) * 10.0 ** rng.integers(-3, 3, size=(50, 1))
    matrix[7] = 0
    return WordVectors([f"wörd\u00a0{i}" for i in range(50)], matrix.astype(np.float32))


def test_float32_is_identity(tmp_path, vectors):
    write_store(tmp_path / "a.safetensors", vectors)
    again = open_store(tmp_path / "a.safetensors")
    assert again.words == vectors.words
    assert again.matrix.dtype == np.float32
    np.testing.assert_array_equal(again.matrix, vectors.matrix)


def test_same_vectors_make_the_same_bytes(tmp_path, vectors):
    files = [tmp_path / f"{i}.safetensors" for i in range(8)]
    for file in files:
        write_store(file, vectors, "int8")
    assert len({file.read_bytes() for file in files}) == 1


def test_float16_within_half_a_unit_of_its_last_place(tmp_path, vectors):
    write_store(tmp_path / "a.safetensors", vectors, "float16")
    again = open_store(tmp_path / "a.safetensors")
    assert again.matrix.dtype == np.float32
    error = np.abs(again.matrix - vectors.matrix)
    # 11 significant bits; below 2^-14 the numbers are spaced 2^-24 apart
    assert (error <= np.maximum(np.abs(vectors.matrix) * 2.0**-11, 2.0**-25)).all()
    assert error.max() > 0


def test_int8_within_half_a_step_of_the_row(tmp_path, vectors):
    write_store(tmp_path / "a.safetensors", vectors, "int8")
    again = open_store(tmp_path / "a.safetensors")
    assert again.matrix.dtype == np.float32
    greatest = np.abs(vectors.matrix).max(axis=1, keepdims=True)
    error = np.abs(again.matrix - vectors.matrix)
    assert (error <= greatest / 254 * (1 + 1e-4)).all()
    assert error.max() > 0
    np.testing.assert_array_equal(again.matrix[7], np.zeros(16))
    np.testing.assert_allclose(np.abs(again.matrix).max(axis=1), greatest[:, 0], rtol=1e-6)


def test_sizes(tmp_path, vectors):
    sizes = {}
    for dtype in ("float32", "float16", "int8"):
        write_store(tmp_path / "a.safetensors", vectors, dtype)
        tensors = load_file(tmp_path / "a.safetensors")
        sizes[dtype] = tensors["matrix"].nbytes
    assert sizes == {"float32": 3200, "float16": 1600, "int8": 800}


def test_quantized_rows():
    codes, scale = quantize_rows(np.array([[1.27, -0.02, 0.006], [0, 0, 0]], dtype=np.float32))
    assert codes.tolist() == [[127, -2, 1], [0, 0, 0]]
    np.testing.assert_allclose(scale, [0.01, 0], rtol=1e-6)


def test_first_words(tmp_path, vectors):
    write_store(tmp_path / "a.safetensors", vectors)
    first = read_vectors(tmp_path / "a.safetensors", 3)
    assert first.words == vectors.words[:3]
    np.testing.assert_array_equal(first.matrix, vectors.matrix[:3])


@pytest.mark.parametrize("word", ["", " ", "New York", "a\rb", "a\u2028b", "route 66"])
def test_words_that_text_cannot_hold(tmp_path, word):
    write_store(tmp_path / "a.safetensors", WordVectors(["the", word], np.eye(2, dtype=np.float32)))
    assert open_store(tmp_path / "a.safetensors").words == ["the", word]


def test_what_cannot_be_written(tmp_path, vectors):
    with pytest.raises(InputError, match="dtype 'float64': choose float32, float16, int8"):
        write_store(tmp_path / "a.safetensors", vectors, "float64")
    with pytest.raises(InputError, match="holds a line feed"):
        write_store(tmp_path / "a.safetensors", WordVectors(["a\nb"], np.eye(1, dtype=np.float32)))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("kept", [0, 5, 60, 0.5, -1])
def test_truncated(tmp_path, vectors, dtype, kept):
    path = tmp_path / "a.safetensors"
    write_store(path, vectors, dtype)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match=r"a\.safetensors: is not a whole store of word vectors"):
        open_store(path)


def test_other_safetensors(tmp_path):
    save_file({"layer.weight": np.eye(3)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"a\.safetensors: is a safetensors file, but not of word vectors"):
        open_store(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "tensors",
    [
        {"words": np.frombuffer(b"a\nb", np.uint8)},
        {"matrix": np.eye(2, dtype=np.float32)},
        {"words": np.frombuffer(b"a\nb\nc", np.uint8), "matrix": np.eye(2, dtype=np.float32)},
        {"words": np.frombuffer(b"a\n\xff", np.uint8), "matrix": np.eye(2, dtype=np.float32)},
        {"words": np.frombuffer(b"a\nb", np.uint8), "matrix": np.eye(2, dtype=np.int8)},
    ],
    ids=["no matrix", "no words", "3 words for 2 rows", "not utf-8", "no scale"],
)
def test_incomplete_store(tmp_path, tensors):
    save_file(tensors, tmp_path / "a.safetensors", metadata=OURS)
    with pytest.raises(InputError, match=r"a\.safetensors: is not a whole store of word vectors"):
        open_store(tmp_path / "a.safetensors")


# ---- opening through a memory map


def raw_store(header: str, data: bytes) -> bytes:
    """A safetensors file with this header, whatever it says."""
    packed = header.encode()
    packed += b" " * (-len(packed) % 8)
    return len(packed).to_bytes(8, "little") + packed + data


def header_of(matrix: str, words: str) -> str:
    metadata = '"__metadata__":{"format":"xlembed-vectors 1"}'
    return f'{{{metadata},"matrix":{{{matrix}}},"words":{{"dtype":"U8",{words}}}}}'


def is_mapped(matrix: np.ndarray) -> bool:
    while isinstance(matrix, np.ndarray):
        matrix = matrix.base
    return isinstance(matrix, mmap.mmap)


def test_float32_is_mapped_and_the_others_are_not(tmp_path, vectors):
    for dtype in ("float32", "float16", "int8"):
        write_store(tmp_path / "a.safetensors", vectors, dtype)
        assert is_mapped(open_store(tmp_path / "a.safetensors").matrix) == (dtype == "float32")


def test_what_is_written_to_the_matrix_stays_here(tmp_path, vectors):
    path = tmp_path / "a.safetensors"
    write_store(path, vectors)
    content = path.read_bytes()
    first = open_store(path)
    assert type(first.matrix) is np.ndarray and first.matrix.flags.aligned
    first.matrix[0] = 7
    assert path.read_bytes() == content
    np.testing.assert_array_equal(open_store(path).matrix, vectors.matrix)


def test_a_store_that_is_open_can_be_written_again(tmp_path, vectors):
    path = tmp_path / "a.safetensors"
    write_store(path, vectors)
    before = open_store(path)
    write_store(path, WordVectors(before.words, 2 * before.matrix))
    np.testing.assert_array_equal(before.matrix, vectors.matrix)
    np.testing.assert_array_equal(open_store(path).matrix, 2 * vectors.matrix)


def test_mapped_vectors_do_all_that_others_do(tmp_path, vectors):
    path = tmp_path / "a.safetensors"
    write_store(path, vectors)
    mapped = open_store(path)
    for steps in ("unit", "center", "unit,center,unit"):
        np.testing.assert_array_equal(
            normalize(mapped, parse_steps(steps)).matrix, normalize(vectors, parse_steps(steps)).matrix
        )
    np.testing.assert_array_equal(mapped.top(3).matrix, vectors.matrix[:3])
    np.testing.assert_array_equal(mapped.vector("wörd\u00a02"), vectors.matrix[2])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(mapped)).matrix, vectors.matrix)
    write_store(tmp_path / "b.safetensors", mapped)
    assert (tmp_path / "b.safetensors").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
@pytest.mark.parametrize("n", [1, 3, 50, 10**9])
def test_first_words_of_every_dtype(tmp_path, vectors, dtype, n):
    write_store(tmp_path / "a.safetensors", vectors, dtype)
    whole, first = open_store(tmp_path / "a.safetensors"), open_store(tmp_path / "a.safetensors", n)
    assert first.words == whole.words[:n]
    np.testing.assert_array_equal(first.matrix, whole.matrix[:n])


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_numbers_that_are_not_finite_are_found(tmp_path, vectors, dtype):
    """The writer leaves out that they are finite, so that the reader looks; so it does in the files of others."""
    path = tmp_path / "a.safetensors"
    write_store(path, vectors, dtype)
    assert b'"xlembed-vectors 1 finite"' in path.read_bytes()
    vectors.matrix[40, 3] = {"float32": np.inf, "float16": 1e5, "int8": np.nan}[dtype]
    with np.errstate(all="ignore"):
        write_store(path, vectors, dtype)
    assert b'"xlembed-vectors 1"' in path.read_bytes()
    with pytest.raises(InputError, match=r"holds a number that is not finite, at the word 'wörd\\xa040'"):
        open_store(path)
    assert len(open_store(path, 40)) == 40


def test_stores_of_before_are_read(tmp_path, vectors):
    words = np.frombuffer("\n".join(vectors.words).encode(), np.uint8)
    save_file({"words": words, "matrix": vectors.matrix}, tmp_path / "a.safetensors", metadata=OURS)
    np.testing.assert_array_equal(open_store(tmp_path / "a.safetensors").matrix, vectors.matrix)


def test_matrix_that_is_not_aligned(tmp_path):
    header = header_of('"dtype":"F32","shape":[2,1],"data_offsets":[3,11]', '"shape":[3],"data_offsets":[0,3]')
    (tmp_path / "a.safetensors").write_bytes(raw_store(header, b"a\nb" + np.float32([1, 2]).tobytes()))
    matrix = open_store(tmp_path / "a.safetensors").matrix
    assert matrix.flags.aligned and matrix.tolist() == [[1], [2]]


WORDS = '"shape":[3],"data_offsets":[16,19]'
DATA = bytes(16) + b"a\nb"


@pytest.mark.parametrize(
    "content",
    [
        (2**62).to_bytes(8, "little") + b"{}",
        (2**64 - 1).to_bytes(8, "little") + b"{}",
        (10**8).to_bytes(8, "little") + b" " * 1000,
        raw_store("[1, 2]", b""),
        raw_store("{\xff}", b""),
        raw_store(header_of('"dtype":"F32","shape":[2,2],"data_offsets":[1000,1016]', WORDS), DATA),
        raw_store(header_of('"dtype":"F32","shape":[2,2],"data_offsets":[-16,0]', WORDS), DATA),
        raw_store(header_of('"dtype":"F32","shape":[2,3],"data_offsets":[0,16]', WORDS), DATA),
        raw_store(header_of('"dtype":"F32","shape":[2,4611686018427387906],"data_offsets":[0,16]', WORDS), DATA),
        raw_store(header_of('"dtype":"I32","shape":[2,2],"data_offsets":[0,16]', WORDS), DATA),
        raw_store(header_of('"dtype":"F32","shape":[4],"data_offsets":[0,16]', WORDS), DATA),
        raw_store(header_of('"dtype":"F32","shape":[2,1,2],"data_offsets":[0,16]', WORDS), DATA),
    ],
    ids=["2**62", "2**64 - 1", "10**8", "list", "not JSON", "behind the end", "before the begin", "other size"]
    + ["overflow", "whole numbers", "one dimension", "three dimensions"],
)
@pytest.mark.parametrize("finite", [False, True])
def test_hostile_header(tmp_path, content, finite):
    if finite:
        content = content.replace(b'"xlembed-vectors 1"},', b'"xlembed-vectors 1 finite"},')
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.safetensors: is not a whole store of word vectors") as caught:
        read_vectors(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_random_damage_is_an_input_error_or_harmless(tmp_path, vectors, dtype):
    path = tmp_path / "a.safetensors"
    write_store(path, vectors, dtype)
    content, rng = path.read_bytes(), random.Random(0)
    for _ in range(500):
        damaged = bytearray(content)
        damaged[rng.randrange(300)] = rng.choice(b'0123456789,:[]{}"\xff\0 FIU')
        path.write_bytes(damaged)
        try:
            assert len(read_vectors(path)) == 50
        except InputError as err:
            assert "\n" not in str(err)
