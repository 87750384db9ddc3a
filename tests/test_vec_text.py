from __future__ import annotations

import gzip
import lzma
import os
import tracemalloc

import numpy as np
import pytest

from xlembed import vec_text
from xlembed.errors import InputError
from xlembed.vec_text import read_vec, write_vec
from xlembed.vectors import WordVectors, read_vectors

THREE = "3 2\nthe 0.5 -1\nof 2 0.25\nand 1e-3 4\n"
THREE_MATRIX = np.array([[0.5, -1], [2, 0.25], [1e-3, 4]], dtype=np.float32)


@pytest.fixture(autouse=True, params=["by lines", "by blocks"])
def way(request, monkeypatch):
    """Every test runs the way of small files and that of large ones, with blocks so small that lines do not fit."""
    if request.param == "by blocks":
        pytest.importorskip("numba")
        from xlembed import vec_blocks

        monkeypatch.setattr(vec_text, "_LARGE", 0)
        monkeypatch.setattr(vec_blocks, "_BLOCK_BYTES", 7)
        vec_blocks._parse(vec_blocks._Block(8, 1))  # compile here, where no test measures memory


@pytest.fixture
def vec(tmp_path):
    def write(content: str | bytes, name: str = "a.vec"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def rejected(path, n=None) -> str:
    """The message, without the folder, that a file is rejected with."""
    with pytest.raises(InputError) as caught:
        read_vectors(path, n)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message.removeprefix(f"{path.parent}/")


# ---- what is read


@pytest.mark.parametrize(
    "content",
    [
        THREE,
        THREE.removeprefix("3 2\n"),
        THREE.removesuffix("\n"),
        THREE.replace("\n", " \n"),  # as fastText writes
        THREE.replace("\n", "   \n"),
        THREE.replace("\n", "\r\n"),
        "\ufeff" + THREE,
    ],
    ids=["header", "no header", "no last line feed", "trailing space", "trailing spaces", "CRLF", "BOM"],
)
def test_the_same_vectors_however_written(vec, content):
    vectors = read_vec(vec(content))
    assert vectors.words == ["the", "of", "and"]
    assert vectors.matrix.dtype == np.float32
    np.testing.assert_array_equal(vectors.matrix, THREE_MATRIX)
    assert vectors.compose is None


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.txt", bytes), ("a.vec.gz", gzip.compress), ("A.VEC.GZ", gzip.compress), ("a.vec.xz", lzma.compress)],
)
def test_names_and_compression(vec, name, pack):
    assert read_vectors(vec(pack(THREE.encode()), name)).words == ["the", "of", "and"]


@pytest.mark.parametrize("space", ["\u00a0", "\u3000", "\u2028", "\u2009", "\u0085", "\x0b", "\x1c"])
def test_only_the_ascii_space_parts_columns(vec, space):
    words = [f"10{space}000", f"{space}a", f"b{space}", space]
    lines = "".join(f"{word} {i} 1\n" for i, word in enumerate(words))
    for content in (f"4 2\n{lines}", lines):
        vectors = read_vec(vec(content))
        assert vectors.words == words
        assert vectors.matrix.tolist() == [[0, 1], [1, 1], [2, 1], [3, 1]]


@pytest.mark.parametrize("word", ["New York", ". . .", "at name@domain.com", "1 to 2 of", "a  b"])
def test_word_with_ascii_spaces_as_in_glove(vec, word):
    vectors = read_vec(vec(f"the 1 2 3\n{word} 4 5 6\n"))
    assert vectors.words == ["the", word]
    assert vectors.matrix[1].tolist() == [4, 5, 6]


def test_words_that_look_like_numbers(vec):
    assert read_vec(vec("3 2\n1 1 2\n2.5 3 4\nnan 5 6\n")).words == ["1", "2.5", "nan"]


def test_repeated_word_keeps_its_first_vector(vec, capsys):
    vectors = read_vec(vec("3 2\na 1 2\nb 3 4\na 5 6\n"))
    assert vectors.words == ["a", "b"]
    assert vectors.matrix.tolist() == [[1, 2], [3, 4]]
    assert "1 repeated words left out" in capsys.readouterr().err


def test_one_dimension_and_one_word(vec):
    vectors = read_vec(vec("1 1\na 7\n"))
    assert (vectors.words, vectors.matrix.tolist()) == (["a"], [[7]])


def test_more_words_than_the_first_block_of_rows(vec):
    n = 10_000
    vectors = read_vec(vec(f"{n} 2\n" + "".join(f"w{i} {i} {-i}\n" for i in range(n))))
    assert vectors.matrix.shape == (n, 2)
    np.testing.assert_array_equal(vectors.matrix[:, 0], np.arange(n))
    np.testing.assert_array_equal(vectors.matrix[:, 1], -np.arange(n))
    assert vectors.words[9_999] == "w9999"


@pytest.mark.parametrize("n", [1, 2])
def test_n_below_the_file(vec, n):
    for content in (THREE, THREE.removeprefix("3 2\n")):
        vectors = read_vectors(vec(content), n)
        assert vectors.words == ["the", "of"][:n]
        np.testing.assert_array_equal(vectors.matrix, THREE_MATRIX[:n])


@pytest.mark.parametrize("n", [3, 4, 10**12])
def test_n_of_the_file_and_above(vec, n):
    for content in (THREE, THREE.removeprefix("3 2\n")):
        assert read_vectors(vec(content), n).words == ["the", "of", "and"]


def test_n_counts_words_not_repetitions(vec):
    assert read_vectors(vec("a 1\na 2\nb 3\nc 4\n".replace(" ", " 0 ")), 2).words == ["a", "b"]


def test_n_stops_before_what_is_malformed_further_on(vec):
    assert read_vectors(vec(THREE.replace("3 2", "9 2") + "ragged 1\n" * 6), 2).words == ["the", "of"]


# ---- what is rejected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.vec: is empty: a word and its numbers a line are read"),
        ("3 2\n", "a.vec: holds no words"),
        ("word\n", "a.vec:1: is neither a header (n_words dim) nor a word and its numbers"),
        ("\nword 1 2\n", "a.vec:1: is neither a header (n_words dim) nor a word and its numbers"),
        ("word\t1\t2\n", "a.vec:1: is neither a header (n_words dim) nor a word and its numbers"),
        ("3 0\na \n", "a.vec:1: the header says dim 0, at least 1 is needed"),
        ("2 2\na 1 2\nb 1\n", "a.vec:3: has 1 numbers after the word, 2 are needed"),
        ("2 2\na 1 2\nb\n", "a.vec:3: has 0 numbers after the word, 2 are needed"),
        ("2 2\na 1 2\nb 1 2 3\n", "a.vec:3: has 3 numbers after the word, 2 are needed"),
        ("a 1 2\nb 1 2 3\n", "a.vec:2: has 3 numbers after the word, 2 are needed"),
        ("a 1 2\nb 1\n", "a.vec:2: has 1 numbers after the word, 2 are needed"),
        ("2 2\na 1 2\n 1 2\n", "a.vec:3: begins with a space: every line holds a word and its numbers"),
        ("2 2\na 1 x\nb 1 2\n", "a.vec:2: holds something that is not a number after the word 'a'"),
        ("a x 1\nb 1 2\n", "a.vec:1: holds something that is not a number after the word 'a'"),
        ("2 2\na 1 2x\nb 1 2\n", "a.vec:2: holds something that is not a number after the word 'a'"),
        ("2 2\na 1 0x10\nb 1 2\n", "a.vec:2: holds something that is not a number after the word 'a'"),
        ("2 2\na 1,5 2\nb 1 2\n", "a.vec:2: holds something that is not a number after the word 'a'"),
        ("2 2\na 1 2\u00a0\nb 1 2\n", "a.vec:2: holds something that is not a number after the word 'a'"),
        ("2 2\na 1 2 x\nb 1 2\n", "a.vec:2: holds something that is not a number after the word 'a 1'"),
        ("2 2\na 1 2\nb nan 2\n", "a.vec:3: holds a number that is not finite"),
        ("a 1 2\nb 1 -inf\nc nan 1\n", "a.vec:2: holds a number that is not finite"),
        ("a 1 2\nb 1 1e39\n", "a.vec:2: holds a number that is not finite"),
        ("2 2\na 1 2\na 1 2\nb nan 2\n", "a.vec:4: is more than the 2 words of the header"),
        ("3 2\na 1 2\na 3 4\nb nan 2\n", "a.vec:4: holds a number that is not finite"),
        ("2 2\na 1 2\n\nb 1 2\n", "a.vec:3: is blank: every line holds a word and its numbers"),
        ("2 2\na 1 2\n\r\nb 1 2\n", "a.vec:3: is blank: every line holds a word and its numbers"),
        ("3 2\na 1 2\nb 1 2\n", "a.vec: ends after 2 words, its header says 3: fetch it again"),
        ("3 2\na 1 2\na 1 2\n", "a.vec: ends after 2 words, its header says 3: fetch it again"),
        ("1 2\na 1 2\nb 1 2\n", "a.vec:3: is more than the 1 words of the header: mend header or file"),
        ("0 2\na 1 2\n", "a.vec:2: is more than the 0 words of the header: mend header or file"),
        ("2 3\na 1 2\nb 1 2\n", "a.vec:2: has 2 numbers after the word, 3 are needed"),
    ],
)
def test_malformed_file(vec, content, message):
    assert rejected(vec(content)).startswith(message)


def test_line_of_spaces_where_dim_is_one(vec):
    assert rejected(vec("2 1\na 1\nb  \n")) == "a.vec:3: has 0 numbers after the word, 1 are needed"


def test_n_does_not_excuse_a_file_that_ends_early(vec):
    assert rejected(vec("9 2\na 1 2\nb 1 2\n"), n=3).startswith("a.vec: ends after 2 words")
    assert rejected(vec("9 2\na 1 2\na 1 2\nb 1 2\n"), n=3).startswith("a.vec: ends after 3 words")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("999999999999 2", "a.vec: ends after 1 words, its header says 999999999999"),
        ("1 999999999999", "a.vec:2: has 2 numbers after the word, 999999999999 are needed"),
        ("9" * 18 + " " + "9" * 18, "a.vec:2: has 2 numbers after the word"),
        ("9" * 5000 + " 2", "a.vec:2: has 2 numbers after the word"),  # too long for a header: read as a row
    ],
)
def test_false_header_does_not_allocate(vec, header, message):
    path = vec(f"{header}\na 1 2\n")
    tracemalloc.start()
    try:
        assert rejected(path).startswith(message)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_not_utf8(vec):
    content = "2 2\na 1 2\nschön 1 2\n".encode("latin-1")
    assert rejected(vec(content)).startswith("a.vec:3: is not valid UTF-8")


def test_truncated_gzip(vec):
    rng = np.random.default_rng(0)
    lines = "".join(f"w{i} {x:.6f} {y:.6f}\n" for i, (x, y) in enumerate(rng.normal(size=(5_000, 2))))
    packed = gzip.compress(f"5000 2\n{lines}".encode())
    path = vec(packed[: len(packed) // 2], "a.vec.gz")
    assert "compressed data is damaged or cut short" in rejected(path)
    assert read_vectors(path, 100).words[-1] == "w99"


def test_missing_and_folder(tmp_path):
    assert rejected(tmp_path / "a.vec") == "a.vec: no such file"
    (tmp_path / "b.vec").mkdir()
    assert rejected(tmp_path / "b.vec") == "b.vec: is a folder, a vector file is needed"


# ---- writing


@pytest.mark.parametrize("name", ["a.vec", "a.vec.gz", "A.VEC.GZ"])
def test_written_vectors_are_read_again(tmp_path, small_vectors, name):
    write_vec(tmp_path / name, small_vectors)
    again = read_vec(tmp_path / name)
    assert again.words == small_vectors.words
    np.testing.assert_allclose(again.matrix, small_vectors.matrix, rtol=1e-5)


def test_nine_digits_are_identity(tmp_path, small_vectors):
    write_vec(tmp_path / "a.vec", small_vectors, decimals=9)
    np.testing.assert_array_equal(read_vec(tmp_path / "a.vec").matrix, small_vectors.matrix)


def test_the_bytes_written(tmp_path):
    vectors = WordVectors(["the", "x\u00a0y"], np.array([[0.5, -1], [1 / 3, 1e-7]], dtype=np.float32))
    write_vec(tmp_path / "a.vec", vectors)
    expected = "2 2\nthe 0.5 -1\nx\u00a0y 0.333333 1e-07\n".encode()
    assert (tmp_path / "a.vec").read_bytes() == expected
    write_vec(tmp_path / "a.vec.gz", vectors)
    assert gzip.decompress((tmp_path / "a.vec.gz").read_bytes()) == expected


def test_the_same_vectors_give_the_same_bytes(tmp_path, small_vectors):
    write_vec(tmp_path / "a.vec.gz", small_vectors)
    write_vec(tmp_path / "b.vec.gz", small_vectors)
    assert (tmp_path / "a.vec.gz").read_bytes() == (tmp_path / "b.vec.gz").read_bytes()


def test_words_with_spaces_inside(tmp_path):
    vectors = WordVectors(["the", "New York", "1 a"], np.eye(3, dtype=np.float32))
    write_vec(tmp_path / "a.vec", vectors)
    assert read_vec(tmp_path / "a.vec").words == vectors.words


@pytest.mark.parametrize("word", ["", " a", "a ", "a\nb", "route 66", "1 000"])
def test_word_that_would_not_be_read_again(tmp_path, word):
    with pytest.raises(InputError, match="cannot be written as .vec: use .safetensors"):
        write_vec(tmp_path / "a.vec", WordVectors(["the", word], np.eye(2, dtype=np.float32)))
    assert os.listdir(tmp_path) == []


def test_outsider_reads_and_is_read(tmp_path, small_vectors):
    models = pytest.importorskip("gensim.models")
    keyed = models.KeyedVectors(small_vectors.dim)
    keyed.add_vectors(small_vectors.words[:2], small_vectors.matrix[:2])
    keyed.save_word2vec_format(str(tmp_path / "theirs.vec"), binary=False)
    np.testing.assert_array_equal(read_vec(tmp_path / "theirs.vec").matrix, small_vectors.matrix[:2])
    write_vec(tmp_path / "ours.vec", small_vectors, decimals=9)
    again = models.KeyedVectors.load_word2vec_format(str(tmp_path / "ours.vec"), binary=False)
    np.testing.assert_array_equal(again["naïve"], small_vectors.vector("naïve"))


def test_a_matrix_may_lie_in_a_file(vec, tmp_path):
    n = 5000
    path = vec(f"{n + 1} 2\n" + "".join(f"w{i} {i} {-i}\n" for i in range(n)) + "w7 0 0\n")
    for wanted in (None, 1, 4321):
        expected, found = read_vec(path, wanted), read_vec(path, wanted, tmp_path / "matrix")
        assert found.words == expected.words
        np.testing.assert_array_equal(found.matrix, expected.matrix)
        assert (tmp_path / "matrix").stat().st_size == expected.matrix.nbytes
        assert not found.matrix.flags.writeable


def test_a_matrix_in_a_file_of_bad_text(vec, tmp_path):
    with pytest.raises(InputError, match=r"a.vec:3: has 1 numbers after the word, 2 are needed"):
        read_vec(vec("2 2\na 1 2\nb 3\n"), None, tmp_path / "matrix")
