"""The commands of baselines and comparisons, as a user runs them: own process, exit code, one line of error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_experiment import experiment_text, write_data
from tiny_encoders import save_tiny

from baselines.corpora import read_pairs, read_tagged

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


def xlembed(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-c", "from xlembed.cli import main; main()", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def works(*arguments, cwd):
    done = xlembed(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fails(*arguments, cwd):
    """The one line of a refusal."""
    done = xlembed(*arguments, cwd=cwd)
    assert done.returncode == 2, (done.returncode, done.stderr)
    errors = [line for line in done.stderr.splitlines() if line.startswith("xlembed: error: ")]
    assert len(errors) == 1 and "Traceback" not in done.stderr
    return errors[0]


@pytest.mark.parametrize(("command", "kind"), [("tag", "ner"), ("nli", "nli")])
def test_static_from_own_files_to_a_score(folder, tmp_path, command, kind):
    works("align", folder / "de.vec", folder / "en.vec", "--out", "de-en", cwd=tmp_path)
    works(command, "train", folder / f"{kind}.en.train.tsv", "--dev", folder / f"{kind}.en.dev.tsv",
          "--vectors", folder / "en.vec", "--out", "model", "--epochs", 4, cwd=tmp_path)  # fmt: skip
    predict = (command, "predict", "model", folder / f"{kind}.de.test.tsv", "--vectors", folder / "de.vec",
               "--mapping", "de-en", "--lang", "de")  # fmt: skip
    works(*predict, "--out", "p.jsonl", cwd=tmp_path)
    shown = works("score", "p.jsonl", cwd=tmp_path)
    assert "40 items" in shown
    scored = json.loads(works("score", "p.jsonl", "--json", cwd=tmp_path))
    assert scored["n_items"] == 40 and scored["lang"] == "de"
    works(*predict, "--out", "p.tsv", cwd=tmp_path)
    read = read_tagged if kind == "ner" else read_pairs
    again, gold = read(tmp_path / "p.tsv"), read(folder / f"{kind}.de.test.tsv")
    assert len(again) == len(gold) == 40
    if kind == "ner":
        assert [s.words for s in again] == [s.words for s in gold]


@pytest.mark.parametrize("model", ["crf", "window", "bilstm-crf"])
def test_taggers_by_name_with_their_settings(folder, tmp_path, model):
    setting = {"crf": "clusters=[2]", "window": "radius=1", "bilstm-crf": "hidden=8"}[model]
    limit = {"crf": "max_iterations=5"}.get(model, "max_epochs=2")
    shown = works("tag", "train", folder / "ner.en.train.tsv", "--dev", folder / "ner.en.dev.tsv",
                  "--vectors", folder / "en.vec", "--out", "m", "--model", model, "--set", setting, "--set", limit,
                  cwd=tmp_path)  # fmt: skip
    assert f"m: {model}, dev f1 " in shown and "beside it on dev: majority" in shown
    about = json.loads((tmp_path / "m" / "model.json").read_text("utf-8"))
    name, value = setting.split("=")
    assert about["model"] == model and about["settings"][name] == json.loads(value)
    works("tag", "predict", "m", folder / "ner.en.test.tsv", "--vectors", folder / "en.vec", "--out", "p.jsonl",
          cwd=tmp_path)  # fmt: skip


def test_parts_of_speech_and_topics_from_own_files_to_a_score(folder, tmp_path):
    tagged = (folder / "ner.en.train.tsv").read_text("utf-8")
    for name, part in (("B-PER", "PROPN"), ("B-LOC", "NOUN"), ("\tO", "\tVERB")):
        tagged = tagged.replace(name, part)
    (tmp_path / "pos.tsv").write_text(tagged, encoding="utf-8")
    rows = [f"{label}\t{name} sings in {name}" for label, name in (("a", "anna"), ("b", "rome")) * 10]
    (tmp_path / "topic.tsv").write_text("label\ttext\n" + "\n".join(rows) + "\n", encoding="utf-8")
    for command, file, more in (("tag", "pos.tsv", ("--kind", "pos")), ("topic", "topic.tsv", ())):
        works(command, "train", file, "--dev", file, "--vectors", folder / "en.vec", "--out", command, *more,
              "--epochs", 4, cwd=tmp_path)  # fmt: skip
        works(command, "predict", command, file, "--vectors", folder / "en.vec", "--out", "p.jsonl", cwd=tmp_path)
        assert json.loads(works("score", "p.jsonl", "--json", cwd=tmp_path))["figures"]["accuracy"]["value"] > 60
        works(command, "predict", command, file, "--vectors", folder / "en.vec", "--out", f"{command}.out.tsv",
              cwd=tmp_path)  # fmt: skip
    assert (tmp_path / "topic.out.tsv").read_text("utf-8").startswith("label\ttext\n")


def test_hypothesis_only_stands_beside_every_classifier_of_pairs(folder, tmp_path):
    shown = works("nli", "train", folder / "nli.en.train.tsv", "--dev", folder / "nli.en.dev.tsv",
                  "--vectors", folder / "en.vec", "--out", "m", "--epochs", 1, cwd=tmp_path)  # fmt: skip
    assert "majority 35.00" in shown and "hypothesis-only" in shown


def test_a_tagger_on_training_data_translated_word_by_word(folder, tmp_path):
    """Everything from files, no label of the target language, and no gold of it anywhere."""
    works("align", folder / "en.vec", folder / "de.vec", "--out", "en-de", cwd=tmp_path)
    for part in ("train", "dev"):
        works("translate", folder / f"ner.en.{part}.tsv", "--kind", "ner", "--route", "words", "--from", "en",
              "--to", "de", "--vectors", folder / "en.vec", "--target-vectors", folder / "de.vec", "--mapping", "en-de",
              "--out", f"{part}.de.tsv", cwd=tmp_path)  # fmt: skip
    words = [" ".join(s.words) for s in read_tagged(folder / "ner.de.test.tsv")]
    (tmp_path / "bare.tsv").write_text("\n\n".join(s.replace(" ", "\n") for s in words) + "\n", encoding="utf-8")
    works("tag", "train", "train.de.tsv", "--dev", "dev.de.tsv", "--vectors", folder / "de.vec", "--lang", "de",
          "--out", "m", "--model", "window", "--epochs", 4, cwd=tmp_path)  # fmt: skip
    works("tag", "predict", "m", "bare.tsv", "--vectors", folder / "de.vec", "--out", "p.tsv", cwd=tmp_path)
    gold, found = read_tagged(folder / "ner.de.test.tsv"), read_tagged(tmp_path / "p.tsv")
    assert [s.words for s in gold] == [s.words for s in found]
    assert sum(a.tags == b.tags for a, b in zip(gold, found, strict=True)) > 30


def test_encoder_from_own_files_to_a_score(folder, tmp_path):
    save_tiny("xlm-roberta", tmp_path / "tiny")
    works("encoder", "finetune", "ner", folder / "ner.en.train.tsv", "--dev", folder / "ner.en.dev.tsv",
          "--encoder", "tiny", "--epochs", 1, "--out", "model", cwd=tmp_path)  # fmt: skip
    works("encoder", "predict", "model", folder / "ner.de.test.tsv", "--lang", "de", "--out", "p.jsonl", cwd=tmp_path)
    assert "seqeval's default mode" in works("score", "p.jsonl", cwd=tmp_path)


def test_language_adapters_below_a_task_adapter(folder, tmp_path):
    save_tiny("bert", tmp_path / "tiny")
    for lang in ("en", "de"):
        (tmp_path / f"{lang}.txt").write_text("\n".join(f"anna sings in oslo {i} times" for i in range(40)))
        works("encoder", "adapt", f"{lang}.txt", "--lang", lang, "--encoder", "tiny", "--steps", 2, "--block", 16,
              "--dev", f"{lang}.txt", "--out", f"{lang}.safetensors", cwd=tmp_path)  # fmt: skip
    works("encoder", "finetune", "ner", folder / "ner.en.train.tsv", "--dev", folder / "ner.en.dev.tsv", "--encoder",
          "tiny", "--epochs", 1, "--method", "adapter", "--set", "reduction=4", "--language-adapter",
          "en=en.safetensors", "--out", "model", cwd=tmp_path)  # fmt: skip
    german = ("encoder", "predict", "model", folder / "ner.de.test.tsv", "--lang", "de", "--out", "p.jsonl")
    assert "language adapters are for items of one language of en, here are de" in fails(*german, cwd=tmp_path)
    works(*german, "--language-adapter", "de=de.safetensors", cwd=tmp_path)
    assert "seqeval's default mode" in works("score", "p.jsonl", cwd=tmp_path)


def test_a_test_file_of_another_length_than_its_predictions(folder, tmp_path):
    works("tag", "train", folder / "ner.en.train.tsv", "--dev", folder / "ner.en.dev.tsv",
          "--vectors", folder / "en.vec", "--out", "model", "--epochs", 1, cwd=tmp_path)  # fmt: skip
    works("tag", "predict", "model", folder / "ner.en.test.tsv", "--vectors", folder / "en.vec", "--out", "p.jsonl",
          cwd=tmp_path)  # fmt: skip
    works("score", "p.jsonl", "--gold", folder / "ner.en.test.tsv", cwd=tmp_path)
    (tmp_path / "short.tsv").write_text("Anna\tB-PER\n", encoding="utf-8")
    assert "40 predictions for 1 gold items" in fails("score", "p.jsonl", "--gold", "short.tsv", cwd=tmp_path)
    longer = (folder / "ner.en.test.tsv").read_text("utf-8").replace("\n\n", "\nmore\tO\n\n", 1)
    (tmp_path / "longer.tsv").write_text(longer, encoding="utf-8")
    message = fails("score", "p.jsonl", "--gold", "longer.tsv", cwd=tmp_path)
    assert "sentence 1 has 5 words and 4 predicted tags" in message


def test_gold_is_not_needed_to_predict_text_but_to_score(folder, tmp_path):
    works("nli", "train", folder / "nli.en.train.tsv", "--dev", folder / "nli.en.dev.tsv",
          "--vectors", folder / "en.vec", "--out", "model", "--epochs", 1, cwd=tmp_path)  # fmt: skip
    (tmp_path / "x.tsv").write_text("premise\thypothesis\nanna sings\tbob goes\n", encoding="utf-8")
    arguments = ("nli", "predict", "model", "x.tsv", "--vectors", folder / "en.vec", "--out")
    works(*arguments, "y.tsv", cwd=tmp_path)
    assert (tmp_path / "y.tsv").read_text("utf-8").count("\n") == 2
    assert "the input has none: write a .tsv" in fails(*arguments, "y.jsonl", cwd=tmp_path)
    assert not (tmp_path / "y.jsonl").exists()


def test_compare_json_is_one_document(folder, tmp_path):
    (tmp_path / "e.toml").write_text(experiment_text(), encoding="utf-8")
    out = works("compare", "e.toml", "--out", "run", "--mirror", folder, "--json", cwd=tmp_path)
    assert json.loads(out)["experiment"]["name"] == "small"
    assert "report.tex" in works("report", "run", "--format", "tex", cwd=tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("", "", "experiment.toml: no such file"),
        ('targets = ["de"]', 'targets = ["xx"]', "ner.xx.test.tsv"),
        ('kind = "nli"', 'kind = "parsing"', "unknown kind 'parsing'"),
        ('lexicon = "en-{lang}.txt"', 'lexicon = "empty.txt"', "empty.txt: holds no pairs"),
        ('lexicon = "en-{lang}.txt"', 'lexicon = "uncovered.txt"', "none of its 1 pairs is in both vocabularies"),
    ],
)
def test_compare_refuses_in_one_line(folder, tmp_path, old, new, message):
    (folder / "empty.txt").write_text("\n")
    (folder / "uncovered.txt").write_text("zzz yyy\n")
    name = "experiment.toml"
    if old:
        (tmp_path / name).write_text(experiment_text().replace(old, new), encoding="utf-8")
    assert message in fails("compare", name, "--out", "run", "--mirror", folder, cwd=tmp_path)
    assert not (tmp_path / "run" / "report.md").exists()


DATA = ("train", "a", "--dev", "b", "--vectors", "c", "--out", "m")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("report", "."), "holds no summary.json"),
        (("score", "none.jsonl"), "none.jsonl: no such file"),
        (("tag", "predict", ".", "x.tsv", "--vectors", "x.vec", "--out", "o.tsv"), "holds no model.json"),
        (("tag", "predict", ".", "x", "--vectors", "x", "--out", "o", "--lang", "German"), "'German' is no language"),
        (("tag", *DATA, "--model", "hmm"), "unknown tagger 'hmm'"),
        (("tag", *DATA, "--kind", "nli"), "choose ner or pos"),
        (("tag", *DATA, "--set", "hiden=3"), "unknown key 'hiden'"),
        (("nli", *DATA, "--set", "hidden"), "name=value is needed"),
        (("translate", "a", "--kind", "ner", "--route", "x", "--from", "en", "--to", "de", "--out", "o"), "'x'"),
        (("encoder", "predict", ".", "x.tsv", "--out", "o.tsv", "--lang", "d"), "'d' is no language code"),
        (("vectors", "train", "x.txt", "--out", "o.bin", "--lang", "EN"), "'EN' is no language code"),
        (("compare", "e.toml", "--out", "r", "--mirror", "nowhere"), "--mirror nowhere: no such folder"),
        (("encoder", "finetune", "parsing", "a", "--dev", "b", "--out", "m"), "unknown kind of task 'parsing'"),
        (("encoder", "finetune", "ner", "a", "--dev", "b", "--out", "m", "--method", "x"), "choose full, lora"),
        (("encoder", "finetune", "ner", "a", "--dev", "b", "--out", "m", "--set", "rang=3"), "unknown key 'rang'"),
        (("encoder", "adapt", "a.txt", "--lang", "de", "--out", "m"), "ends in .safetensors"),
        (("encoders", "bert-large"), "no encoder 'bert-large' is known"),
    ],
)
def test_refusals(tmp_path, arguments, message):
    (tmp_path / "e.toml").write_text(experiment_text(), encoding="utf-8")
    assert message in fails(*arguments, cwd=tmp_path)


def test_help_names_every_command():
    shown = works("--help", cwd=ROOT)
    commands = ("vectors", "align", "bli", "data", "tag", "nli", "topic", "translate", "encoder", "encoders",
                "pretrain", "probe", "classic", "compare", "report", "score", "demo")  # fmt: skip
    for command in commands:
        assert command in shown


STOPPED = """
import signal
from comparisons import executor
from xlembed import cli
signal.signal(signal.SIGINT, signal.default_int_handler)
executor.compute_here = lambda run, groups: signal.raise_signal(signal.SIGINT)
cli.main()
"""


@pytest.mark.parametrize("is_begun", [False, True])
@pytest.mark.parametrize("command", ["compare", "demo"])
def test_ctrl_c_says_how_to_go_on_where_something_is_kept(folder, tmp_path, command, is_begun):
    out, kept = tmp_path / "out", tmp_path / "out" / "predictions" / "kept.jsonl"
    if is_begun:
        kept.parent.mkdir(parents=True)
        kept.write_text("kept")
    (tmp_path / "e.toml").write_text(experiment_text(), encoding="utf-8")
    given = ["e.toml", "--mirror", str(folder)] if command == "compare" else []
    done = subprocess.run([sys.executable, "-c", STOPPED, command, *given, "--out", "out"], cwd=tmp_path, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True)  # fmt: skip
    assert (done.returncode, done.stdout) == (130, "")
    told = done.stderr.partition("to compute\n")[2].splitlines()
    how = ["out: what is computed so far is kept; the same command goes on from there"]
    assert told == [*(how if is_begun else []), "xlembed: stopped"]
    assert kept.exists() == out.exists() == is_begun
