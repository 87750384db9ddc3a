from __future__ import annotations

import os
import unicodedata

import numpy as np
import pytest

from xlembed.errors import InputError
from xlembed.vectors import WordVectors, check_writable, read_vectors, write_vectors


@pytest.fixture
def cased() -> WordVectors:
    words = ["the", "The", "größe", "café", "Paris", "10\u00a0000"]
    return WordVectors(words, np.arange(12, dtype=np.float32).reshape(6, 2))


def test_size(cased):
    assert (len(cased), cased.dim) == (6, 2)
    with pytest.raises(InputError, match="2 words and 1 vectors"):
        WordVectors(["a", "b"], np.zeros((1, 3), dtype=np.float32))


@pytest.mark.parametrize(
    ("word", "row"),
    [
        ("the", 0),
        ("The", 1),  # as written comes first
        ("THE", 0),  # then lower case
        ("Größe", 2),
        (unicodedata.normalize("NFD", "größe"), 2),
        (unicodedata.normalize("NFD", "CAFÉ"), 3),
        ("paris", None),  # never another casing than lower
        ("10\u00a0000", 5),
        ("10 000", None),
        ("", None),
    ],
)
def test_row(cased, word, row):
    assert cased.row(word) == row


def test_decomposed_vocabulary_is_found_as_written():
    word = unicodedata.normalize("NFD", "é")
    assert WordVectors([word], np.zeros((1, 1), dtype=np.float32)).row(word) == 0


def test_rows(cased):
    rows, found = cased.rows(["The", "nothing", "the"])
    assert rows.tolist() == [1, 0, 0]
    assert found.tolist() == [True, False, True]
    rows, found = cased.rows([])
    assert rows.shape == found.shape == (0,)


def test_vector(cased):
    assert cased.vector("Café").tolist() == [6, 7]
    assert cased.vector("nothing") is None
    composing = WordVectors(cased.words, cased.matrix, lambda word: np.full(2, len(word)))
    assert composing.vector("nothing").tolist() == [7, 7]
    assert composing.vector("Café").tolist() == [6, 7]


def test_top(cased):
    first = cased.top(2)
    assert first.words == ["the", "The"]
    assert first.matrix.tolist() == [[0, 1], [2, 3]]
    assert first.row("café") is None
    assert cased.top(None) is cased and cased.top(6) is cased and cased.top(99) is cased
    with pytest.raises(InputError, match="n is 0"):
        cased.top(0)


def test_transformed_takes_composed_words_along(cased):
    composing = WordVectors(cased.words, cased.matrix, lambda word: np.full(2, len(word), np.float32))
    weight = np.array([[2, 0, 1], [0, 3, 1]], dtype=np.float64)
    mapped = composing.transformed(lambda matrix: matrix @ weight)
    assert (mapped.dim, mapped.matrix.dtype) == (3, np.float32)
    assert mapped.matrix[1].tolist() == [4, 9, 5]
    assert mapped.vector("abcd").tolist() == [8, 12, 8]
    assert cased.matrix[1].tolist() == [2, 3]
    assert cased.transformed(lambda matrix: matrix @ weight).compose is None


# ---- files


@pytest.mark.parametrize("name", ["a.vec", "a.txt", "a.vec.gz", "a.txt.gz", "a.bin", "a.kv", "a.safetensors"])
def test_there_and_back_in_every_format(tmp_path, small_vectors, name):
    if name.endswith((".bin", ".kv")):
        pytest.importorskip("gensim")
    write_vectors(tmp_path / name, small_vectors)
    assert os.listdir(tmp_path) == [name]
    again = read_vectors(tmp_path / name)
    assert again.words == small_vectors.words
    np.testing.assert_allclose(again.matrix, small_vectors.matrix, rtol=1e-5)
    first = read_vectors(str(tmp_path / name), 2)
    assert first.words == small_vectors.words[:2]
    np.testing.assert_array_equal(first.matrix, again.matrix[:2])


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_dtypes_are_for_the_store(tmp_path, small_vectors, dtype):
    write_vectors(tmp_path / "a.safetensors", small_vectors, dtype)
    np.testing.assert_allclose(
        read_vectors(tmp_path / "a.safetensors").matrix, small_vectors.matrix, atol=0.02
    )
    with pytest.raises(InputError, match=f"dtype {dtype} is for .safetensors alone"):
        write_vectors(tmp_path / "a.vec", small_vectors, dtype)
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_names_that_mean_no_format(tmp_path, small_vectors):
    (tmp_path / "a.csv").write_text("a,1\n")
    with pytest.raises(InputError, match=r"a\.csv: unknown kind of vector file"):
        read_vectors(tmp_path / "a.csv")
    for name in ("b.csv", "b", "b.vec.xz", "b.model"):
        with pytest.raises(InputError, match=f"{name}: unknown kind of vector file"):
            write_vectors(tmp_path / name, small_vectors)
        with pytest.raises(InputError, match=f"{name}: unknown kind of vector file"):
            check_writable(tmp_path / name)
    check_writable("a.vec.gz")
    check_writable("a.safetensors", "int8")
    assert os.listdir(tmp_path) == ["a.csv"]


def test_n_below_one(tmp_path, small_vectors):
    write_vectors(tmp_path / "a.vec", small_vectors)
    with pytest.raises(InputError, match="n is 0, at least 1 word must be read"):
        read_vectors(tmp_path / "a.vec", 0)


def test_missing_file_and_folder(tmp_path):
    for name in ("a.vec", "a.bin", "a.kv", "a.safetensors", "a"):
        with pytest.raises(InputError, match=f"{name}: no such file"):
            read_vectors(tmp_path / name)
    with pytest.raises(InputError, match="is a folder, a vector file is needed"):
        read_vectors(tmp_path)


def test_store_of_numbers_that_are_not_finite(tmp_path, small_vectors):
    small_vectors.matrix[1, 0] = np.nan
    small_vectors.matrix[2] = np.inf
    write_vectors(tmp_path / "a.safetensors", small_vectors)
    with pytest.raises(InputError, match="holds a number that is not finite, at the word 'of'"):
        read_vectors(tmp_path / "a.safetensors")
