"""The commands of xlembed as a user runs them: own process, exit code, what stands on which stream."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, make_pair

from xlembed.alignment.base import LinearMapping, load_mapping, save_mapping
from xlembed.alignment.procrustes import fit
from xlembed.bli import evaluate
from xlembed.lexicon import Lexicon, write_lexicon
from xlembed.vectors import WordVectors, read_vectors, write_vectors


def xlembed(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", "from xlembed.cli import main; main()", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
    )


def works(*arguments: str | Path, cwd: Path) -> str:
    """Standard output of a run that must succeed."""
    done = xlembed(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def written_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """en.vec and de.vec (a hidden rotation and noise), lexicons, a corpus, and files that cannot be used."""
    folder = tmp_path_factory.mktemp("cli")
    pair = make_pair(n_words=120, dim=8, noise=0.5, seed=2)
    # the last 30 words are written alike in both languages
    trg_words = [*pair.trg.words[:90], *pair.src.words[90:]]
    lexicon = list(zip(pair.src.words, trg_words, strict=True))
    write_vectors(folder / "en.vec", pair.src)
    write_vectors(folder / "de.vec", WordVectors(trg_words, pair.trg.matrix))
    write_vectors(folder / "narrow.vec", WordVectors(trg_words, pair.trg.matrix[:, :7]))
    write_lexicon(folder / "train.txt", lexicon[:60])
    write_lexicon(folder / "test.txt", [*lexicon[60:90], ("unknown", "t3"), ("s3", "unbekannt")])
    write_lexicon(folder / "itself.txt", [(word, word) for word in pair.src.words[:20]])
    save_mapping(folder / "other-dim", LinearMapping(np.eye(5), np.eye(5)))
    rng = np.random.default_rng(0)
    words = [f"{start}{end}" for start in ("Bar", "dol", "l'ur") for end in ("an", "em", "ist", "os")]
    lines = [" ".join(rng.choice(words, size=7)) for _ in range(200)]
    for name, content in {
        "corpus.txt": "\n".join(lines) + "\n",
        "ragged.vec": "2 3\na 1 2 3\nb 1 2\n",
        "words.vec": "2 3\na 1 2 3\nb 1 zwei 3\n",
        "repeated.vec": "a 1 2\nb 2 1\na 3 4\n",
        "empty.txt": "",
        "uncovered.txt": "Haus\thouse\nBaum\ttree\n",
        "three.txt": "a b\nc d e\n",
        "readme": "text",
    }.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def mapping(data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mapping") / "en-de"
    works("align", "en.vec", "de.vec", "--lexicon", "train.txt", "--out", folder, cwd=data)
    return folder


# ---- what works


def test_version_and_help(data):
    assert works("--version", cwd=data) == "xlembed 0.1.0\n"
    shown = works("--help", cwd=data)
    assert all(name in shown for name in ("data", "vectors", "align", "bli"))


def test_vectors_info(data):
    shown = works("vectors", "info", "en.vec", cwd=data)
    assert "words          120\n" in shown and "dim            8\n" in shown
    facts = json.loads(works("vectors", "info", "en.vec", "--n", "3", "--json", cwd=data))
    lengths = np.linalg.norm(read_vectors(data / "en.vec", 3).matrix, axis=1)
    assert facts == {
        "file": "en.vec",
        "words": 3,
        "dim": 8,
        "subwords": False,
        "mean_length": pytest.approx(float(lengths.mean()), abs=1e-4),
        "zero_vectors": 0,
        "first_words": ["s0", "s1", "s2"],
    }


def test_json_is_alone_on_standard_output(data):
    done = xlembed("vectors", "info", "repeated.vec", "--json", cwd=data)
    assert json.loads(done.stdout)["words"] == 2
    assert done.stderr == "repeated.vec: 1 repeated words left out (the first of each is kept)\n"


def test_vectors_convert(data, tmp_path):
    shown = works("vectors", "convert", "en.vec", tmp_path / "a.safetensors", "--dtype", "float16", cwd=data)
    assert shown == f"{tmp_path / 'a.safetensors'}: 120 words, dim 8\n"
    expected = read_vectors(data / "en.vec")
    again = read_vectors(tmp_path / "a.safetensors")
    assert again.words == expected.words
    np.testing.assert_allclose(again.matrix, expected.matrix, rtol=1e-3)
    works("vectors", "convert", tmp_path / "a.safetensors", tmp_path / "new" / "b.vec.gz",
          "-n", "5", "--normalize", "unit", cwd=data)  # fmt: skip
    first = read_vectors(tmp_path / "new" / "b.vec.gz")
    assert first.words == expected.words[:5]
    np.testing.assert_allclose(np.linalg.norm(first.matrix, axis=1), np.ones(5), atol=1e-5)
    assert written_in(tmp_path) == {"a.safetensors", "new", "new/b.vec.gz"}


def test_vectors_neighbors(data):
    vectors = read_vectors(data / "en.vec")
    unit = vectors.matrix / np.linalg.norm(vectors.matrix, axis=1, keepdims=True)
    cosines = unit @ unit[7]
    cosines[7] = -2
    expected = [vectors.words[row] for row in np.argsort(-cosines)[:4]]
    found = json.loads(works("vectors", "neighbors", "en.vec", "s7", "-k", "4", "--json", cwd=data))
    assert [entry["word"] for entry in found] == expected
    assert found[0]["cosine"] == pytest.approx(float(cosines.max()), abs=1e-5)
    shown = works("vectors", "neighbors", "en.vec", "S7", "-k", "4", cwd=data).splitlines()
    assert [line.split()[1] for line in shown] == expected
    everything = json.loads(works("vectors", "neighbors", "en.vec", "s7", "-k", "500", "--json", cwd=data))
    assert len(everything) == 119


def test_vectors_neighbors_in_the_other_language(data, mapping):
    found = json.loads(
        works("vectors", "neighbors", "en.vec", "s95", "-k", "3", "--in", "de.vec", "--mapping", mapping,
              "--json", cwd=data)  # fmt: skip
    )
    assert len(found) == 3
    assert "s95" in [entry["word"] for entry in found], "the word itself counts in another language"


def test_words_reach_a_terminal_told_and_programs_as_they_are(tmp_path):
    """Control characters of a file from anybody: shown by their codes to people, kept in JSON and in files."""
    words = ["haus", "a\x1b[2Jb", "c\rd", "e\u202ef", "می\u200cخواهم"]
    write_vectors(tmp_path / "a.vec", WordVectors(words, np.eye(5, dtype=np.float32) + 1))
    told = [r"a\x1b[2Jb", r"c\rd", r"e\u202ef", "می\u200cخواهم"]
    shown = works("vectors", "neighbors", "a.vec", "haus", cwd=tmp_path)
    assert shown == "".join(f"0.8750  {word}\n" for word in told)
    assert f"first words    haus {' '.join(told)}\n" in works("vectors", "info", "a.vec", cwd=tmp_path)
    found = json.loads(works("vectors", "neighbors", "a.vec", "haus", "--json", cwd=tmp_path))
    assert [one["word"] for one in found] == words[1:]
    shown = works("lexicon", "induce", "a.vec", "a.vec", "--out", "d\x1b[2J.txt", cwd=tmp_path)
    assert shown.startswith(r"d\x1b[2J.txt: 5 pairs")
    written = (tmp_path / "d\x1b[2J.txt").read_bytes().decode()
    assert written == "".join(f"{word}\t{word}\n" for word in words)


def test_align_with_a_lexicon(data, tmp_path):
    shown = works("align", "en.vec", "de.vec", "--lexicon", "train.txt", "--out", tmp_path / "m", cwd=data)
    assert shown.splitlines()[0].startswith("train.txt: 60 of 60 pairs covered")
    assert written_in(tmp_path / "m") == {"mapping.json", "weights.safetensors"}
    src, trg = read_vectors(data / "en.vec"), read_vectors(data / "de.vec")
    pairs = [(f"s{i}", f"t{i}") for i in range(60)]
    expected = fit(src, trg, Lexicon(pairs))
    np.testing.assert_allclose(load_mapping(tmp_path / "m").src_weight, expected.src_weight, atol=1e-6)


def test_align_on_identical_words(data, tmp_path):
    shown = works("align", "en.vec", "de.vec", "--lexicon", "identical", "--out", tmp_path / "m", "--json",
                  "--normalize", "unit", cwd=data)  # fmt: skip
    assert json.loads(shown) == {
        "out": str(tmp_path / "m"),
        "method": "procrustes",
        "lexicon": "identical strings",
        "pairs": 30,
        "covered": 30,
        "dim": 8,
    }
    assert load_mapping(tmp_path / "m").steps == ("unit",)


def test_align_says_when_pairs_are_few(data, tmp_path):
    few = tmp_path / "few.txt"
    write_lexicon(few, [("s1", "t1"), ("s2", "t2")])
    shown = works("align", "en.vec", "de.vec", "--lexicon", few, "--out", tmp_path / "m", cwd=data)
    assert "note: 2 pairs are fewer than dim 8: expect a poor mapping\n" in shown


def test_bli(data, mapping):
    shown = works("bli", "en.vec", "de.vec", "test.txt", "--mapping", mapping, cwd=data)
    lines = shown.splitlines()
    assert lines[0] == "coverage 93.8 % (30 of 32 source words)"
    assert [line.split()[0] for line in lines[1:]] == ["CSLS", "P@1", "P@5", "P@10", "MRR"]
    fitted = load_mapping(mapping)
    src = fitted.map_src(read_vectors(data / "en.vec"))
    trg = fitted.map_trg(read_vectors(data / "de.vec"))
    test = Lexicon([*((f"s{i}", f"t{i}") for i in range(60, 90)), ("unknown", "t3"), ("s3", "unbekannt")])
    for retrieval in ("csls", "nn"):
        found = json.loads(
            works("bli", "en.vec", "de.vec", "test.txt", "--mapping", mapping, "--retrieval", retrieval,
                  "--json", cwd=data)  # fmt: skip
        )
        assert found == evaluate(src, trg, test, retrieval).as_json()
        assert found["scores"]["P@1"] > 30


def test_bli_without_mapping_is_one_space(data):
    found = json.loads(works("bli", "en.vec", "en.vec", "itself.txt", "--json", cwd=data))
    assert found["scores"]["P@1"] == 100


def test_vectors_train_and_use(data, tmp_path):
    pytest.importorskip("fasttext")
    options = ("--dim", "8", "--epoch", "2", "--bucket", "500", "--min-count", "3")
    shown = works("vectors", "train", "corpus.txt", "--out", tmp_path / "a.bin", *options, cwd=data)
    assert shown == f"{tmp_path / 'a.bin'}: 12 words, dim 8, with subwords\n"
    facts = json.loads(works("vectors", "info", tmp_path / "a.bin", "--json", cwd=data))
    assert (facts["words"], facts["dim"], facts["subwords"]) == (12, 8, True)
    assert "baran" in facts["first_words"] + read_vectors(tmp_path / "a.bin").words
    found = json.loads(works("vectors", "neighbors", tmp_path / "a.bin", "barolem", "--json", cwd=data))
    assert len(found) == 10
    shown = works("vectors", "train", "corpus.txt", "corpus.txt", "--out", tmp_path / "b.vec", *options,
                  "--lang", "fr", "--keep-case", "--max-tokens", "500", "-n", "9", "--model", "cbow",
                  "--minn", "0", "--maxn", "0", cwd=data)  # fmt: skip
    assert shown == f"{tmp_path / 'b.vec'}: 9 words, dim 8\n"
    words = read_vectors(tmp_path / "b.vec").words
    assert words[0] == "l'", "the clitic, split off, is the most frequent word"
    assert any(word.startswith("Bar") for word in words)
    assert written_in(tmp_path) == {"a.bin", "b.vec"}


def test_training_again_gives_the_same_bytes(data, tmp_path):
    pytest.importorskip("fasttext")
    for name in ("a.vec", "b.vec"):
        options = ("--dim", "8", "--bucket", "500", "--out", tmp_path / name)
        works("vectors", "train", "corpus.txt", *options, cwd=data)
    assert (tmp_path / "a.vec").read_bytes() == (tmp_path / "b.vec").read_bytes()


# ---- what the user's input does not allow: exit code 2, one line, nothing left behind

ALIGN = ("align", "en.vec", "de.vec", "--out", "OUT/m", "--lexicon")
TRAIN = ("vectors", "train", "corpus.txt", "--dim", "4", "--bucket", "100", "--out")
REFUSED = {
    "info of a missing file": (("vectors", "info", "no.vec"), "no.vec: no such file"),
    "info of a folder": (("vectors", "info", "other-dim"), "other-dim: is a folder, a vector file is needed"),
    "info of another kind": (("vectors", "info", "readme"), "readme: unknown kind of vector file"),
    "info of a ragged file": (("vectors", "info", "ragged.vec"), "ragged.vec:3: has 2 numbers after"),
    "info of words for numbers": (
        ("vectors", "info", "words.vec"),
        "words.vec:3: holds something that is not a number",
    ),
    "a name of two lines": (("vectors", "info", "a\nb.vec"), r"a\nb.vec: no such file"),
    "convert ragged": (("vectors", "convert", "ragged.vec", "OUT/a.vec"), "ragged.vec:3: has 2 numbers"),
    "convert to another kind": (
        ("vectors", "convert", "en.vec", "OUT/a.csv"),
        "OUT/a.csv: unknown kind of vector file",
    ),
    "convert to int8 text": (
        ("vectors", "convert", "en.vec", "OUT/a.vec", "--dtype", "int8"),
        "OUT/a.vec: dtype int8 is for .safetensors alone",
    ),
    "convert to float64": (
        ("vectors", "convert", "en.vec", "OUT/a.safetensors", "--dtype", "float64"),
        "dtype 'float64': choose float32, float16, int8",
    ),
    "convert by an unknown step": (
        ("vectors", "convert", "en.vec", "OUT/a.vec", "--normalize", "whiten"),
        "unknown normalisation step 'whiten'",
    ),
    "convert into a file": (("vectors", "convert", "en.vec", "readme/a.vec"), "readme: is a file"),
    "neighbors of an unknown word": (
        ("vectors", "neighbors", "en.vec", "up"),
        "en.vec: has no vector for 'up'",
    ),
    "neighbors half across": (
        ("vectors", "neighbors", "en.vec", "s1", "--in", "de.vec"),
        "--in and --mapping go together",
    ),
    "neighbors without a mapping": (
        ("vectors", "neighbors", "en.vec", "s1", "--in", "de.vec", "--mapping", "nothing"),
        "nothing: holds no mapping.json",
    ),
    "train on nothing": (
        ("vectors", "train", "empty.txt", "--out", "OUT/a.vec"),
        "the corpora hold no words",
    ),
    "train on a missing file": (
        ("vectors", "train", "no.txt", "--out", "OUT/a.vec"),
        "no.txt: no such file",
    ),
    "train on rare words": ((*TRAIN, "OUT/a.vec", "--min-count", "999"), "0 of 12 words occur 999 times"),
    "train for another kind": ((*TRAIN, "OUT/a.csv"), "OUT/a.csv: unknown kind of vector file"),
    "train another model": ((*TRAIN, "OUT/a.vec", "--model", "glove"), "unknown model 'glove'"),
    "train and cut a model": ((*TRAIN, "OUT/a.bin", "-n", "3"), "--n is for .vec and .safetensors"),
    "align by an empty lexicon": ((*ALIGN, "empty.txt"), "empty.txt: holds no pairs"),
    "align by a missing lexicon": ((*ALIGN, "no.txt"), "no.txt: no such file"),
    "align by a malformed lexicon": ((*ALIGN, "three.txt"), "three.txt:2: expected source word TAB"),
    "align by a lexicon not covered": (
        (*ALIGN, "uncovered.txt"),
        "uncovered.txt: none of its 2 pairs is in both vocabularies",
    ),
    "align by an unknown method": ((*ALIGN, "train.txt", "--method", "magic"), "unknown method 'magic'"),
    "align other dims": (
        ("align", "en.vec", "narrow.vec", "--lexicon", "train.txt", "--out", "OUT/m"),
        "source vectors have dim 8, target vectors 7",
    ),
    "align into a file": (
        ("align", "en.vec", "de.vec", "--lexicon", "train.txt", "--out", "readme"),
        "readme: is a file, a folder is needed",
    ),
    "bli on an empty lexicon": (("bli", "en.vec", "de.vec", "empty.txt"), "empty.txt: holds no pairs"),
    "bli on nothing covered": (
        ("bli", "en.vec", "de.vec", "uncovered.txt", "--json"),
        "uncovered.txt: none of its 2 source words can be tested",
    ),
    "bli by an unknown retrieval": (
        ("bli", "en.vec", "de.vec", "test.txt", "--retrieval", "magic"),
        "unknown retrieval 'magic'",
    ),
    "bli of other dims": (("bli", "en.vec", "narrow.vec", "test.txt"), "the vectors have dims 8 and 7"),
    "bli through another mapping": (
        ("bli", "en.vec", "de.vec", "test.txt", "--mapping", "other-dim"),
        "the source vectors have dim 8, the mapping was fitted for 5",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(data, name):
    arguments, message = REFUSED[name]
    before = written_in(data)
    done = xlembed(*arguments, cwd=data)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    told = [line for line in done.stderr.splitlines() if not line.startswith("needs about")]  # memory, told beforehand
    assert told[0].startswith(f"xlembed: error: {message}")
    assert len(told) == 1 and done.stderr.endswith("\n")
    assert written_in(data) == before


@pytest.mark.parametrize(("arguments", "message"), [
    (("vectors", "train", "corpus.txt", "no.txt", "--out", "OUT/a.bin"), "no.txt: no such file"),
    (("vectors", "train", "corpus.txt", "--model", "glove", "--out", "OUT/a.bin"), "unknown model 'glove'"),
    (("vectors", "train", "corpus.txt", "--out", "readme/a.bin"), "readme: is a file, a folder is needed"),
    (("vectors", "neighbors", "en.vec", "s1", "--in", "de.vec", "--mapping", "no"), "no: holds no mapping.json"),
    (("align", "en.vec", "de.vec", "--lexicon", "no.txt", "--out", "OUT/m"), "no.txt: no such file"),
    (("hub", "en=en.vec", "de=de.vec", "--lexicon", "{lang}.txt", "--out", "OUT/m"), "de.txt: no such file"),
    (("bli", "en.vec", "de.vec", "no.txt"), "no.txt: no such file"),
    (("bli", "en.vec", "de.vec", "test.txt", "--mapping", "no"), "no: holds no mapping.json"),
    (("isometry", "en.vec", "de.vec", "--lexicon", "no.txt"), "no.txt: no such file"),
    (("similarity", "en.vec", "de.vec", "no.tsv"), "no.tsv: no such file"),
    (("similarity", "en.vec", "de.vec", "test.txt", "--mapping", "no"), "test.txt:1: expected source word TAB"),
    (("retrieve", "en.vec", "de.vec", "corpus.txt", "no.txt"), "no.txt: no such file"),
    (("retrieve", "en.vec", "de.vec", "corpus.txt", "corpus.txt", "--mapping", "no"), "no: holds no mapping.json"),
    (("lexicon", "induce", "en.vec", "de.vec", "--mapping", "no", "--out", "OUT/d"), "no: holds no mapping.json"),
    (("probe", "bli", "test.txt", "--vectors-src", "en.vec", "--vectors-trg", "de.vec", "--corpus-src", "no.txt",
      "--corpus-trg", "corpus.txt"), "no.txt: no such file"),
    (("probe", "retrieval", "corpus.txt", "corpus.txt", "corpus.txt", "corpus.txt", "--vectors-src", "en.vec",
      "--vectors-src", "no.vec", "--vectors-trg", "de.vec", "--vectors-trg", "de.vec"), "no.vec: no such file"),
])  # fmt: skip
def test_inputs_are_looked_at_before_a_need_is_told(data, arguments, message):
    """Whoever is told of gigabytes first would make room for them, and only then learn of a wrong name."""
    done = xlembed("--verbose", *arguments, cwd=data)
    assert done.returncode == 2 and done.stderr.startswith(f"xlembed: error: {message}"), done.stderr


STOPPED = """
import signal
from xlembed import cli, vectors
signal.signal(signal.SIGINT, signal.default_int_handler)
vectors.read_vectors = lambda *_: signal.raise_signal(signal.SIGINT)
cli.main()
"""


def test_ctrl_c_is_told(data):
    done = subprocess.run([sys.executable, "-c", STOPPED, "vectors", "info", "en.vec"], cwd=data, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True)  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "xlembed: stopped\n")


def test_refused_output_leaves_the_old_file(data, tmp_path):
    (tmp_path / "a.vec").write_text("old")
    done = xlembed("vectors", "convert", "ragged.vec", tmp_path / "a.vec", cwd=data)
    assert done.returncode == 2
    assert (tmp_path / "a.vec").read_text() == "old"
    assert written_in(tmp_path) == {"a.vec"}
