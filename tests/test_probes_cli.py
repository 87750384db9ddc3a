"""`xlembed probe` as a user runs it: own process, exit code, one line of error, files that a report then shows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_experiment import write_data
from test_commands import fails, works
from tiny_encoders import save_tiny

from comparisons.probes.base import read_probe
from xlembed.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_data(tmp_path_factory.mktemp("data"))
    save_tiny("xlm-roberta", folder / "tiny")
    (folder / "en.txt").write_text("anna sings\nbob sleeps in rome\ndan goes to oslo and lima\ncarla sings and goes\n")
    (folder / "de.txt").write_text("anja singt\nbernd schläft in rom\ndirk geht nach oslo und lima\nkarla singt\n")
    return folder


def test_retrieval(folder):
    args = ("probe", "retrieval", "en.txt", "de.txt", "--pair", "en-de", "--encoder", "tiny")
    shown = works(*args, "--layers", "0,2", "--out", "out/r.json", cwd=folder)
    assert "| layer 2 | NN |" in shown and "layer 1" not in shown
    saved = read_probe(folder / "out" / "r.json")
    assert saved["pairs"][0]["pair"] == "en-de" and len(saved["pairs"][0]["layers"]) == 4
    assert json.loads(works(*args, "--layers", "0,2", "--json", cwd=folder)) == saved


def test_retrieval_beside_static_vectors(folder):
    found = json.loads(
        works("probe", "retrieval", "en.txt", "de.txt", "de.txt", "en.txt", "--encoder", "tiny", "--vectors-src",
              "en.vec", "--vectors-trg", "de.vec", "--vectors-src", "none", "--vectors-trg", "none", "--json",
              cwd=folder)
    )  # fmt: skip
    assert [len(pair["static"]) for pair in found["pairs"]] == [1, 0]
    assert found["pairs"][0]["static"][0]["weighting"] == "idf"


def test_bli(folder):
    shown = works("probe", "bli", "en-de.txt", "--encoder", "tiny", "--src-lang", "en", "--trg-lang", "de",
                  "--vectors-src", "en.vec", "--vectors-trg", "de.vec", "--corpus-src", "en.txt", "--corpus-trg",
                  "de.txt", "--contexts", 2, "--out", "b.json", cwd=folder)  # fmt: skip
    assert "in context, centred, best layer" in shown and "| static vectors |" in shown
    saved = read_probe(folder / "b.json")
    assert saved["n_words"] == {"src": 13, "trg": 13} and saved["static"]["n_covered"] == 13  # all but Bonn occur


def test_bli_with_the_words_of_a_corpus(folder):
    found = json.loads(works("probe", "bli", "en-de.txt", "--encoder", "tiny", "--corpus-src", "en.txt",
                             "--corpus-trg", "de.txt", "--contexts", 0, "-n", 5, "--json", cwd=folder))  # fmt: skip
    assert found["n_words"] == {"src": 5, "trg": 5} and found["n_contexts"] is None and found["static"] is None


def test_vocabulary(folder):
    shown = works("probe", "vocabulary", "en=en.txt", "de=de.txt", "--encoder", "tiny", cwd=folder)
    assert "| en (source) |" in shown and "| de |" in shown
    found = json.loads(works("probe", "vocabulary", "en=ner.en.test.tsv", "de=ner.de.test.tsv", "--kind", "ner",
                             "--encoder", "tiny", "--json", cwd=folder))  # fmt: skip
    assert [one["n_words"] for one in found["languages"]] == [160, 160]


def test_mixed_nli(folder):
    works("encoder", "finetune", "nli", "nli.en.train.tsv", "--dev", "nli.en.dev.tsv", "--encoder", "tiny", "--epochs",
          1, "--out", "model", cwd=folder)  # fmt: skip
    args = ("probe", "mixed-nli", "model", "en=nli.en.test.tsv", "de=nli.de.test.tsv")
    found = json.loads(works(*args, "-n", 30, "--json", cwd=folder))
    assert found["n_items"] == 30 and len(found["cells"]) == 4
    values = np.array([one["accuracy"]["value"] for one in found["cells"]])
    assert found["same"]["value"] == pytest.approx(values[[0, 3]].mean())
    assert "| same minus mixed |" in works(*args, cwd=folder)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("retrieval en.txt", "1 files: a source and a target file a pair are needed"),
        ("retrieval en.txt short.txt", "has 1 sentences, en.txt has 4"),
        ("retrieval en.txt nowhere.txt", "nowhere.txt: no such file"),
        ("retrieval en.txt de.txt --layers 0,3", "layer 3: the encoder has layers 0 (embeddings) to 2"),
        ("retrieval en.txt de.txt --layers all", "--layers 'all': whole numbers are needed"),
        ("retrieval en.txt de.txt --retrieval cosine", "unknown retrieval 'cosine'"),
        ("retrieval en.txt de.txt --pair en-de --pair de-en", "2 --pair for 1 pairs of files"),
        ("retrieval en.txt de.txt --vectors-src en.vec", "--vectors-src and --vectors-trg are needed both"),
        ("retrieval en.txt de.txt --mapping .", "--mapping is for static vectors"),
        ("retrieval en.txt de.txt --out r.md", "a name that ends in .json is needed"),
        ("retrieval en.txt de.txt --precision half", "choose auto, float32 or bfloat16"),
        ("bli en-de.txt", "which words?"),
        ("bli en-de.txt --corpus-src en.txt", "--corpus-src and --corpus-trg are needed both"),
        ("bli other.txt --vectors-src en.vec --vectors-trg de.vec", "none of its 1 source words can be tested"),
        ("bli en-de.txt --corpus-src en.txt --corpus-trg de.txt --src-lang English", "is no language code"),
        ("vocabulary en.txt", "'en.txt': a language and its file are needed, as de=de.txt"),
        ("vocabulary en=en.txt en=de.txt", "en is given twice"),
        ("vocabulary en=en.txt de=de.txt --words 999", "words, 999 were asked for"),
        ("vocabulary en=en.txt de=de.txt --kind speech", "unknown kind 'speech'"),
        ("vocabulary en=en.txt --run .", "holds no summary.json"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(folder, arguments, says):
    (folder / "short.txt").write_text("one\n")
    (folder / "other.txt").write_text("xyz abc\n")
    assert says in fails("probe", *arguments.split(), "--encoder", "tiny", cwd=folder)


def test_misaligned_gold_is_refused_before_the_model_is_looked_for(folder):
    lines = (folder / "nli.de.test.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "moved.tsv").write_text("".join([lines[0], *lines[2:], lines[1]]), encoding="utf-8")
    args = "probe", "mixed-nli", "nowhere", "en=nli.en.test.tsv"
    assert "pair 1 is entailment in en and neutral in de" in fails(*args, "de=moved.tsv", cwd=folder)
    assert "two languages at least" in fails(*args, cwd=folder)


def test_a_file_that_is_no_probe(tmp_path):
    bad = {'{"a": 1}': "is not what", '{"probe": "bli", "format": 0}': "has another format", "[": "not valid JSON"}
    for text, says in bad.items():
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(InputError, match=says):
            read_probe(tmp_path / "x.json")


def test_an_encoder_whose_name_a_terminal_would_obey(folder):
    (folder / "tiny\x1b[2J").symlink_to("tiny")
    shown = works("probe", "vocabulary", "en=en.txt", "de=de.txt", "--encoder", "tiny\x1b[2J", cwd=folder)
    assert r"tiny\x1b[2J" in shown and all(char.isprintable() or char == "\n" for char in shown)
