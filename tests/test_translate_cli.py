import os
import stat
import subprocess
import sys

import numpy as np
import pytest
import typer
from conftest import ROOT
from tiny_translators import save_tiny_translator
from typer.testing import CliRunner

from baselines.corpora import TaggedSentence, read_pairs, read_tagged, read_texts
from baselines.translate_cli import command
from xlembed.errors import InputError
from xlembed.vectors import WordVectors, write_vectors

POCKET = ROOT / "xlembed" / "pocket"
PROGRAM = """
from baselines.translate_cli import command
from xlembed import cli

cli._add_commands = lambda: (cli.register_mapping(cli.app), command(cli.app))  # these alone, whatever else is installed
cli.main()
"""
NER = "The\tO\nblack\tB-LOC\ncat\tI-LOC\nsaw\tO\nRome\tB-LOC\n\nxyzzy\tO\n7\tO\n\n"
NLI = "genre\tlabel\tpremise\thypothesis\nx\tneutral\tThe cat.\tThe black cat.\nx\tentailment\tCat, cat.\tCat!\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in a folder with vectors en.vec and es.vec, ner.tsv and nli.tsv."""
    app = typer.Typer()
    command(app)
    matrix = np.eye(5, dtype=np.float32)
    write_vectors(tmp_path / "en.vec", WordVectors(["the", "black", "cat", "saw", "rome"], matrix))
    write_vectors(tmp_path / "es.vec", WordVectors(["el", "negro", "gato", "vio", "roma"], matrix))
    (tmp_path / "ner.tsv").write_text(NER)
    (tmp_path / "nli.tsv").write_text(NLI)
    monkeypatch.chdir(tmp_path)

    def invoke(line):
        done = CliRunner().invoke(app, line.split(), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stderr

    return invoke


WORDS = "--route words --from en --to es --vectors en.vec --target-vectors es.vec"


def test_tags_word_by_word(run, tmp_path):
    told = run(f"ner.tsv --kind ner {WORDS} -o out.tsv")
    assert read_tagged(tmp_path / "out.tsv") == [
        TaggedSentence(("El", "negro", "gato", "vio", "Roma"), ("O", "B-LOC", "I-LOC", "O", "B-LOC")),
        TaggedSentence(("xyzzy", "7"), ("O", "O")),
    ]
    assert told.startswith("7 words: 71.4 % translated") and "14.3 % unknown words" in told


def test_words_without_tags_and_parts_of_speech(run, tmp_path):
    (tmp_path / "words.tsv").write_text("the\ncat\n\n")
    run(f"words.tsv --kind ner {WORDS} -o out.tsv")
    assert (tmp_path / "out.tsv").read_text() == "el\ngato\n\n"
    (tmp_path / "pos.tsv").write_text("the\tDET\ncat\tNOUN\n")
    run(f"pos.tsv --kind pos {WORDS} -o out.tsv")
    assert (tmp_path / "out.tsv").read_text() == "el\tDET\ngato\tNOUN\n\n"


def test_pairs_texts_and_lines(run, tmp_path):
    told = run(f"nli.tsv --kind nli {WORDS} -o out/nli.tsv")
    pairs = read_pairs(tmp_path / "out" / "nli.tsv")
    assert [(pair.premise, pair.hypothesis, pair.label) for pair in pairs] == [
        ("El gato.", "El negro gato.", "neutral"), ("Gato, gato.", "Gato!", "entailment")]  # fmt: skip
    assert told.startswith("2 pairs; 13 words: 61.5 % translated")
    (tmp_path / "topic.tsv").write_text("index_id\tcategory\ttext\n1\tpets\tthe cat\n")
    run(f"topic.tsv --kind topic {WORDS} -o out.tsv")
    assert read_texts(tmp_path / "out.tsv")[0].text == "el gato"
    (tmp_path / "text.txt").write_text("the cat\n\n saw\n")
    run(f"text.txt --kind text {WORDS} -o out.txt")
    assert (tmp_path / "out.txt").read_text() == "el gato\n\n vio\n"


def test_ready_translations_row_by_row(run, tmp_path):
    (tmp_path / "es.tsv").write_text("premise\thypo\tlabel\nEl gato.\tEl gato negro.\tneutral\n"
                                     "Gato, gato.\t¡Gato!\tentailment\n")  # fmt: skip
    run("nli.tsv --kind nli --route file --from en --to es --translations es.tsv -o out.tsv")
    assert (tmp_path / "out.tsv").read_text() == (
        "label\tpremise\thypothesis\nneutral\tEl gato.\tEl gato negro.\nentailment\tGato, gato.\t¡Gato!\n")  # fmt: skip


def test_a_program_with_tags_by_markers_and_by_alignment(run, tmp_path, monkeypatch):
    program = tmp_path / "apertium"
    program.write_text("#!/bin/bash\nif [ \"$1\" = -l ]; then echo eng-spa; exit; fi\n"
                       "sed -e 's/The/El/; s/black cat/gato negro/; s/saw/vio/; s/Rome/Roma/'\n")  # fmt: skip
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    wanted = TaggedSentence(("El", "gato", "negro", "vio", "Roma"), ("O", "B-LOC", "I-LOC", "O", "B-LOC"))
    for project in ("markers", "align --vectors en.vec --target-vectors es.vec"):
        told = run(f"ner.tsv --kind ner --route apertium --from en --to es --project {project} -o out.tsv")
        assert read_tagged(tmp_path / "out.tsv")[0] == wanted
        assert "2 of 2 sentences kept, 0 lost; 0 of 2 entities not found again" in told


def test_a_neural_model(run, tmp_path):
    save_tiny_translator("marian", tmp_path / "model")
    run("nli.tsv --kind nli --route huggingface --from en --to de --model model --beams 1 -o out.tsv")
    assert [pair.label for pair in read_pairs(tmp_path / "out.tsv")] == ["neutral", "entailment"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ner.tsv --kind ner --route words --from en --to es", "--route words needs --vectors"),
        ("ner.tsv --kind ner --route words --from en --to es --vectors en.vec", "needs --target-vectors"),
        ("nli.tsv --kind nli --route huggingface --from en --to es", "--route huggingface needs --model"),
        ("nli.tsv --kind nli --route file --from en --to es", "--route file needs --translations"),
        ("nli.tsv --kind nli --route deepl --from en --to es", "unknown translation route 'deepl'"),
        ("nli.tsv --kind qa --route words --from en --to es", "unknown kind 'qa': choose ner, pos, nli"),
        ("nli.tsv --kind nli --route words --from english --to es", "'english' is no language code"),
        ("ner.tsv --kind pos --route apertium --from en --to es", "kept by --route words alone"),
        (f"nowhere.tsv --kind nli {WORDS}", "nowhere.tsv: no such file"),
        (f"nli.tsv --kind nli {WORDS} --names some", "choose shared, always, never"),
        (f"empty.txt --kind text {WORDS}", "empty.txt: holds no text"),
    ],
)
def test_input_that_cannot_be_used_leaves_nothing_behind(run, tmp_path, line, message):
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(InputError, match=message):
        run(f"{line} -o out.tsv")
    assert not (tmp_path / "out.tsv").exists()


def test_no_sentence_comes_through(run, tmp_path):
    (tmp_path / "one.tsv").write_text("Rome\tB-LOC\n")
    (tmp_path / "t.tsv").write_text("[1] Rome [/1]\tRoma\n")
    with pytest.raises(InputError, match="no sentence came through .* 1 of 1 entities not found again"):
        run("one.tsv --kind ner --route file --from en --to es --translations t.tsv -o out.tsv")


def test_exit_code_and_one_line(run, tmp_path):
    line = f"translate nli.tsv --kind nli {WORDS} --mapping nowhere -o out.tsv"
    done = subprocess.run([sys.executable, "-c", PROGRAM, *line.split()], cwd=tmp_path, text=True, capture_output=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("xlembed: error: nowhere: holds no mapping.json") and done.stderr.count("\n") == 1


def test_the_example_of_the_guide(tmp_path):
    """docs/translation.md shows this command's line of news."""
    vectors = [f"{POCKET}/vectors/{lang}.safetensors" for lang in ("en", "de")]
    lexicon = f"{POCKET}/lexicon/en-de.train.txt"
    words = "--kind ner --route words --from en --to de --mapping en-de --out train.de.tsv".split()
    lines = [["align", *vectors, "--lexicon", lexicon, "--out", "en-de"],
             ["translate", f"{POCKET}/ner/en/train.tsv", *words, "--lexicon", lexicon, "--vectors", vectors[0],
              "--target-vectors", vectors[1]]]  # fmt: skip
    for line in lines:
        done = subprocess.run([sys.executable, "-c", PROGRAM, *line], cwd=tmp_path, text=True, capture_output=True,
                              env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
        assert done.returncode == 0, done.stderr
    source, translated = read_tagged(POCKET / "ner" / "en" / "train.tsv"), read_tagged(tmp_path / "train.de.tsv")
    assert [one.tags for one in source] == [one.tags for one in translated]
    page = (ROOT / "docs" / "translation.md").read_text(encoding="utf-8")
    assert done.stderr.strip() in " ".join(page.split())
