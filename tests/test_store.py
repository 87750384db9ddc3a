from __future__ import annotations

import os

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from xlembed.errors import InputError
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
