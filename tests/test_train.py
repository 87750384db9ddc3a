from __future__ import annotations

import ctypes
import dataclasses
import gzip
import lzma
import socket
import sys
import tempfile

import numpy as np
import pytest

from xlembed.errors import InputError
from xlembed.train import TrainSettings, corpus_lines, train
from xlembed.vec_bin import from_fasttext

SMALL = TrainSettings(dim=8, epoch=2, min_count=2, bucket=300)


@pytest.fixture(scope="module")
def text() -> str:
    """300 lines; words of a topic occur together."""
    rng = np.random.default_rng(0)
    ends = ("an", "em", "ist", "ur", "os", "ika")
    topics = [[f"{topic}{end}" for end in ends] for topic in ("Bar", "dol", "kur")]
    return "".join(" ".join(rng.choice(topics[i % 3], size=7)) + ".\n" for i in range(300))


@pytest.fixture
def corpus(tmp_path, text):
    path = tmp_path / "corpus.txt"
    path.write_text(text, encoding="utf-8")
    return path


def dirty_memory() -> None:
    """Leave numbers in the memory that the next allocations get."""
    for size in (600, 2_000, 9_000, 40_000):
        np.full(size, 1e30, dtype=np.float32)


# ---- lines


def test_corpus_lines(tmp_path):
    (tmp_path / "a.txt").write_text("L'Été, déjà!\n\n  \nDer zweite Satz\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("Fin.", encoding="utf-8")
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    assert list(corpus_lines(paths)) == ["l'été , déjà !", "der zweite satz", "fin ."]
    assert list(corpus_lines(paths, lang="fr", lowercase=False)) == [
        "L' Été , déjà !",
        "Der zweite Satz",
        "Fin .",
    ]


@pytest.mark.parametrize(
    ("max_tokens", "lines"),
    [
        (1, ["a", "f"]),
        (3, ["a b c", "f"]),
        (4, ["a b c", "d", "f"]),
        (5, ["a b c", "d e", "f"]),
        (99, ["a b c", "d e", "f"]),
    ],
)
def test_at_most_so_many_tokens_of_each_file(tmp_path, max_tokens, lines):
    (tmp_path / "a.txt").write_text("a b c\nd e\n")
    (tmp_path / "b.txt").write_text("f\n")
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    assert list(corpus_lines(paths, max_tokens=max_tokens)) == lines


# ---- training


def test_what_a_killed_training_left_is_removed(corpus, tmp_path, monkeypatch):
    pytest.importorskip("fasttext")
    place = tmp_path / "tmp"
    left = place / f".xlembed.{socket.gethostname()}.dead0000.part"
    left.mkdir(parents=True)
    (left / "corpus.txt").write_text("a b")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    train([corpus], SMALL)
    assert list(place.iterdir()) == []


def test_one_thread_is_repeatable_to_the_bit(corpus):
    runs = []
    for _ in range(4):
        dirty_memory()
        runs.append(train([corpus], SMALL))
    assert np.abs(runs[0].get_input_matrix()).max() < 10
    for run in runs[1:]:
        assert run.get_words() == runs[0].get_words()
        assert run.get_input_matrix().tobytes() == runs[0].get_input_matrix().tobytes()
        assert run.get_output_matrix().tobytes() == runs[0].get_output_matrix().tobytes()


def test_words_and_settings(corpus, text):
    model = train([corpus], SMALL)
    vectors = from_fasttext(model)
    tokens = text.lower().replace(".", " .").split()
    assert set(vectors.words) == set(tokens)
    counts = [tokens.count(word) for word in vectors.words]
    assert counts == sorted(counts, reverse=True)
    assert (vectors.dim, vectors.compose is not None) == (8, True)
    args = model.f.getArgs()
    names = {"min_count": "minCount"}
    for field in dataclasses.fields(SMALL):
        if field.name not in ("model", "thread"):
            assert getattr(args, names.get(field.name, field.name)) == getattr(SMALL, field.name), field.name


def test_keep_case(corpus):
    assert "Baran" in from_fasttext(train([corpus], SMALL, lowercase=False)).index


def test_words_of_a_topic_come_together(corpus):
    settings = dataclasses.replace(SMALL, epoch=30, t=1.0, dim=16, minn=0, maxn=0)
    vectors = from_fasttext(train([corpus], settings))
    assert vectors.compose is None

    def cosine(one: str, other: str) -> float:
        x, y = vectors.vector(one), vectors.vector(other)
        return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))

    assert cosine("dolur", "dolos") > cosine("dolur", "kuros") + 0.2


def test_cbow(corpus):
    cbow = train([corpus], dataclasses.replace(SMALL, model="cbow"))
    assert cbow.get_input_matrix().tobytes() != train([corpus], SMALL).get_input_matrix().tobytes()


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_compressed_corpus(tmp_path, corpus, text, suffix, pack):
    packed = tmp_path / f"corpus.txt{suffix}"
    packed.write_bytes(pack(text.encode()))
    expected = train([corpus], SMALL)
    assert train([packed], SMALL).get_input_matrix().tobytes() == expected.get_input_matrix().tobytes()


def test_several_corpora_are_one_text(tmp_path, corpus, text):
    lines = text.splitlines(keepends=True)
    parts = []
    for name, part in (("a.txt", lines[:100]), ("b.txt", lines[100:])):
        parts.append(tmp_path / name)
        parts[-1].write_text("".join(part), encoding="utf-8")
    expected = train([corpus], SMALL)
    assert train(parts, SMALL).get_input_matrix().tobytes() == expected.get_input_matrix().tobytes()


# ---- what cannot be trained on


@pytest.mark.parametrize("content", ["", "\n \n\t\n", "\u00a0\u3000\n"])
def test_empty_corpus(tmp_path, content):
    (tmp_path / "a.txt").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="the corpora hold no words"):
        train([tmp_path / "a.txt"], SMALL)


def test_missing_corpus(tmp_path, corpus):
    with pytest.raises(InputError, match=r"nothing\.txt: no such file"):
        train([corpus, tmp_path / "nothing.txt"], SMALL)


def test_min_count_too_high(corpus):
    message = "0 of 19 words occur 400 times or more, 2 are needed: add text or lower"
    with pytest.raises(InputError, match=message):
        train([corpus], dataclasses.replace(SMALL, min_count=400))


def test_rare_words_and_frequent_line_ends(tmp_path):
    """fastText would train on the line ends alone, and be content."""
    (tmp_path / "a.txt").write_text("".join(f"w{i}\n" for i in range(20)))
    with pytest.raises(InputError, match="0 of 20 words occur 5 times or more"):
        train([tmp_path / "a.txt"], dataclasses.replace(SMALL, min_count=5))


def test_one_frequent_word(tmp_path):
    """fastText would look for a negative sample for ever."""
    (tmp_path / "a.txt").write_text("ah ah ah ah\n" * 3)
    with pytest.raises(InputError, match="1 of 1 words occur 5 times or more"):
        train([tmp_path / "a.txt"], dataclasses.replace(SMALL, min_count=5))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("model", "glove", "unknown model 'glove': choose skipgram or cbow"),
        ("dim", 0, "dim is 0, it must be at least 1"),
        ("epoch", 0, "epoch is 0, it must be at least 1"),
        ("min_count", 0, "min_count is 0, it must be at least 1"),
        ("bucket", 0, "bucket is 0, it must be at least 1"),  # fastText divides by it
        ("thread", 0, "thread is 0, it must be at least 1"),
        ("minn", 7, "minn 7 is above maxn 6"),
    ],
)
def test_settings_that_cannot_be(corpus, name, value, message):
    with pytest.raises(InputError, match=message):
        train([corpus], dataclasses.replace(SMALL, **{name: value}))


def test_learning_rate_that_diverges(corpus):
    with pytest.raises(InputError, match=r"fastText cannot train so \(Encountered NaN\.\): lower lr"):
        train([corpus], dataclasses.replace(SMALL, lr=1e6, epoch=20, t=1.0))


def test_model_too_large_for_memory(corpus):
    with pytest.raises(InputError, match="fastText cannot train so .*: lower lr, dim or bucket"):
        train([corpus], dataclasses.replace(SMALL, dim=2_000_000_000, bucket=2_000_000_000))


@pytest.mark.skipif(sys.platform != "linux", reason="the switch is glibc's")
def test_other_c_libraries_train_too(corpus, monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert len(from_fasttext(train([corpus], dataclasses.replace(SMALL, bucket=4_000_000, epoch=1)))) == 19
