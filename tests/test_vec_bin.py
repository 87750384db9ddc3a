from __future__ import annotations

import os
import pickle
import struct

import numpy as np
import pytest

from xlembed.errors import InputError
from xlembed.train import zeroed_memory
from xlembed.vec_bin import from_fasttext, from_gensim, is_fasttext, to_gensim, write_gensim, write_word2vec
from xlembed.vectors import WordVectors, read_vectors, write_vectors

SYLLABLES = ("ba", "do", "ki", "lu", "me", "sa", "to", "ße")


# ---- fastText models


@pytest.fixture(scope="module")
def fasttext_bin(tmp_path_factory):
    """A fastText model with subwords, trained on 300 lines, and the same without subwords."""
    fasttext = pytest.importorskip("fasttext")
    folder = tmp_path_factory.mktemp("fasttext")
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(SYLLABLES, size=2)) for _ in range(40)] + ["10\u00a0000"]
    lines = [" ".join(rng.choice(words, size=8)) for _ in range(300)]
    (folder / "corpus.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = {"dim": 8, "epoch": 1, "minCount": 1, "bucket": 500, "thread": 1, "verbose": 0}
    for name, maxn in (("subwords", 6), ("words", 0)):
        with zeroed_memory():
            model = fasttext.train_unsupervised(
                str(folder / "corpus.txt"), minn=min(3, maxn), maxn=maxn, **options
            )
        model.save_model(str(folder / f"{name}.bin"))
    return folder / "subwords.bin"


def test_fasttext_words_and_vectors(fasttext_bin):
    import fasttext

    model = fasttext.load_model(str(fasttext_bin))
    vectors = read_vectors(fasttext_bin)
    assert is_fasttext(fasttext_bin)
    assert vectors.words == [word for word in model.get_words() if word != "</s>"]
    assert "</s>" in model.get_words() and "10\u00a0000" in vectors.index
    assert (vectors.dim, vectors.matrix.dtype) == (8, np.float32)
    for word, vector in zip(vectors.words, vectors.matrix, strict=True):
        np.testing.assert_array_equal(vector, model.get_word_vector(word))


def test_unknown_word_from_its_subwords(fasttext_bin):
    import fasttext

    model = fasttext.load_model(str(fasttext_bin))
    vectors = read_vectors(fasttext_bin)
    assert vectors.row("bakidoße") is None
    composed = vectors.vector("bakidoße")
    _, grams = model.get_subwords("bakidoße")
    inputs = model.get_input_matrix()
    np.testing.assert_allclose(composed, inputs[grams].mean(axis=0), atol=1e-6)
    assert np.abs(composed).max() > 0
    known = vectors.words[0]
    np.testing.assert_array_equal(vectors.vector(known), vectors.matrix[0])
    np.testing.assert_allclose(vectors.compose(known), vectors.matrix[0], atol=1e-6)


def test_model_without_subwords_composes_nothing(fasttext_bin):
    vectors = read_vectors(fasttext_bin.with_name("words.bin"))
    assert len(vectors) > 30
    assert vectors.compose is None
    assert vectors.vector("bakidoße") is None


def test_first_words_of_a_model(fasttext_bin):
    everything, first = read_vectors(fasttext_bin), read_vectors(fasttext_bin, 5)
    assert first.words == everything.words[:5]
    np.testing.assert_array_equal(first.matrix, everything.matrix[:5])
    assert first.vector("bakidoße") is not None
    assert read_vectors(fasttext_bin, 10_000).words == everything.words


def test_model_with_line_ends_alone_holds_no_words(tmp_path):
    fasttext = pytest.importorskip("fasttext")
    (tmp_path / "corpus.txt").write_text("".join(f"w{i} x{i}\n" for i in range(9)))
    with zeroed_memory():
        model = fasttext.train_unsupervised(
            str(tmp_path / "corpus.txt"), minCount=5, dim=4, bucket=100, thread=1, epoch=1, verbose=0
        )
    assert model.get_words() == ["</s>"]
    assert from_fasttext(model).matrix.shape == (0, 4)
    model.save_model(str(tmp_path / "a.bin"))
    with pytest.raises(InputError, match=r"a\.bin: holds no vectors"):
        read_vectors(tmp_path / "a.bin")


@pytest.mark.parametrize("kept", [4, 30, 70, 0.02, 0.1, 0.5, 0.9, -300, -1])
def test_truncated_model(fasttext_bin, tmp_path, kept):
    content = fasttext_bin.read_bytes()
    stop = int(kept * len(content)) if isinstance(kept, float) else kept
    (tmp_path / "a.bin").write_bytes(content[:stop])
    with pytest.raises(InputError, match=r"a\.bin: is cut short or damaged \([\d,]+ bytes\)"):
        read_vectors(tmp_path / "a.bin")


def test_every_truncation_is_seen(fasttext_bin, tmp_path):
    """fastText itself opens many of these without a word."""
    from xlembed.vec_bin import _check_fasttext

    content = fasttext_bin.read_bytes()
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    _check_fasttext(path)
    n = len(content)
    for stop in [*range(4, 2000, 7), *range(2000, n, 997), *range(n - 50, n)]:
        path.write_bytes(content[:stop])
        with pytest.raises(InputError):
            _check_fasttext(path)


@pytest.mark.parametrize("seed", range(5))
def test_garbage_after_the_magic_number(tmp_path, seed):
    garbage = np.random.default_rng(seed).bytes(5000)
    (tmp_path / "a.bin").write_bytes(struct.pack("<i", 793712314) + garbage)
    with pytest.raises(InputError, match=r"a\.bin: is cut short or damaged"):
        read_vectors(tmp_path / "a.bin")


def test_zeros_after_the_magic_number(tmp_path):
    (tmp_path / "a.bin").write_bytes(struct.pack("<i", 793712314) + bytes(5000))
    with pytest.raises(InputError, match=r"a\.bin: is cut short or damaged"):
        read_vectors(tmp_path / "a.bin")


# ---- word2vec binary and KeyedVectors, against gensim


@pytest.fixture
def models():
    return pytest.importorskip("gensim.models")


def keyed_of(models, vectors):
    keyed = models.KeyedVectors(vectors.dim)
    keyed.add_vectors(vectors.words, vectors.matrix)
    return keyed


def same(found: WordVectors, expected: WordVectors) -> None:
    assert found.words == expected.words
    assert found.matrix.dtype == np.float32
    np.testing.assert_array_equal(found.matrix, expected.matrix)
    assert found.compose is None


def test_word2vec_binary_of_gensim(models, tmp_path, small_vectors):
    path = tmp_path / "a.bin"
    keyed_of(models, small_vectors).save_word2vec_format(str(path), binary=True)
    assert not is_fasttext(path)
    same(read_vectors(path), small_vectors)
    same(read_vectors(path, 2), small_vectors.top(2))
    same(read_vectors(path, 99), small_vectors)


def test_word2vec_binary_for_gensim(models, tmp_path, small_vectors):
    write_vectors(tmp_path / "a.bin", small_vectors)
    keyed = models.KeyedVectors.load_word2vec_format(str(tmp_path / "a.bin"), binary=True)
    assert keyed.index_to_key == small_vectors.words
    np.testing.assert_array_equal(keyed.vectors, small_vectors.matrix)


def test_keyed_vectors_of_gensim(models, tmp_path, small_vectors):
    keyed_of(models, small_vectors).save(str(tmp_path / "a.kv"))
    same(read_vectors(tmp_path / "a.kv"), small_vectors)
    same(read_vectors(tmp_path / "a.kv", 3), small_vectors.top(3))


def test_keyed_vectors_for_gensim(models, tmp_path, small_vectors):
    write_vectors(tmp_path / "a.kv", small_vectors)
    keyed = models.KeyedVectors.load(str(tmp_path / "a.kv"))
    assert keyed.index_to_key == small_vectors.words
    np.testing.assert_array_equal(keyed.vectors, small_vectors.matrix)
    assert os.listdir(tmp_path) == ["a.kv"]


def test_whole_model_of_gensim(models, tmp_path):
    sentences = [["a", "b", "c"], ["b", "c", "d"]] * 5
    model = models.Word2Vec(sentences, vector_size=4, min_count=1, epochs=1, workers=1)
    model.save(str(tmp_path / "a.model"))
    same(read_vectors(tmp_path / "a.model"), WordVectors(model.wv.index_to_key, model.wv.vectors))


def test_to_and_from_gensim_in_memory(models, small_vectors):
    same(from_gensim(to_gensim(small_vectors)), small_vectors)


@pytest.mark.parametrize(
    "value", [{"the": [1.0, 2.0]}, [1, 2], "text", np.eye(2)], ids=["dict", "list", "str", "array"]
)
def test_kv_that_is_another_pickle(models, tmp_path, value):
    (tmp_path / "a.kv").write_bytes(pickle.dumps(value))
    with pytest.raises(InputError, match=r"a\.kv: .*KeyedVectors"):
        read_vectors(tmp_path / "a.kv")


def test_kv_that_is_another_object_of_gensim(tmp_path):
    corpora = pytest.importorskip("gensim.corpora")
    corpora.Dictionary([["a", "b"]]).save(str(tmp_path / "a.kv"))
    with pytest.raises(InputError, match=r"a\.kv: holds a Dictionary, KeyedVectors are needed"):
        read_vectors(tmp_path / "a.kv")


@pytest.mark.parametrize("name", ["a.bin", "a.kv", "a.model", "a.safetensors"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"no numbers here\n", b"\xff\xfe" * 50, np.random.default_rng(0).bytes(3000)],
    ids=["empty", "zero", "text", "not utf-8", "random"],
)
def test_garbage(models, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name) as caught:
        read_vectors(tmp_path / name)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "content",
    [b"2 3\na " + bytes(12), b"2 3\na " + bytes(5), b"2 3\n", b"0 3\n", b"-1 3\n", b"1 0\na "],
    ids=["one word of two", "half a vector", "header alone", "no words", "minus one", "dim 0"],
)
def test_malformed_word2vec_binary(models, tmp_path, content):
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.bin: "):
        read_vectors(tmp_path / "a.bin")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_number_that_is_not_finite(models, tmp_path, small_vectors, number):
    small_vectors.matrix[4, 2] = number
    write_word2vec(tmp_path / "a.bin", small_vectors)
    message = r"a\.bin: holds a number that is not finite, at the word 'a.u2028b'"
    with pytest.raises(InputError, match=message):
        read_vectors(tmp_path / "a.bin")
    assert len(read_vectors(tmp_path / "a.bin", 4)) == 4


@pytest.mark.parametrize("word", ["", "New York", "a\tb", "a\nb"])
def test_word_that_word2vec_binary_cannot_hold(models, tmp_path, word):
    with pytest.raises(InputError, match="cannot be written as word2vec binary: use .safetensors"):
        write_word2vec(tmp_path / "a.bin", WordVectors(["the", word], np.eye(2, dtype=np.float32)))
    assert os.listdir(tmp_path) == []


def test_failure_while_writing_leaves_nothing(models, tmp_path, small_vectors, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(models.KeyedVectors, "save", fail)
    with pytest.raises(OSError, match="No space"):
        write_gensim(tmp_path / "a.kv", small_vectors)
    assert os.listdir(tmp_path) == []
