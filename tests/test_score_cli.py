"""`xlembed score` prints what seqeval and scikit-learn compute, and refuses files that do not go together."""

import json
import random
import re

import pytest
import typer
from seqeval.metrics import f1_score, precision_score, recall_score
from sklearn.metrics import accuracy_score
from sklearn.metrics import f1_score as class_f1
from typer.testing import CliRunner

from baselines.corpora import read_items
from baselines.predictions import RunSettings, make_predictions, write_predictions
from comparisons.resolving import POCKET
from comparisons.score_cli import score
from xlembed.errors import InputError

app = typer.Typer()
app.command("score")(score)
NER_GOLD, NLI_GOLD = POCKET / "ner" / "de" / "test.tsv", POCKET / "nli" / "de" / "test.tsv"


def scored(*arguments):
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def figures(output):
    """Metric -> the figure as printed."""
    return dict(re.findall(r"^(\w+) +(\d+\.\d\d)  \[", output, flags=re.MULTILINE))


def tagged(seed, letters="BI"):
    """Gold and predicted tags of the pocket sentences, a fifth of them at random."""
    rng = random.Random(seed)
    gold = [list(s.tags) for s in read_items("ner", NER_GOLD, "de")]
    tags = ["O", *(f"{letter}-{kind}" for letter in letters for kind in ("PER", "LOC", "ORG"))]
    return gold, [[rng.choice(tags) if rng.random() < 0.2 else tag for tag in one] for one in gold]


def write_columns(path, predicted, separator="\t"):
    sentences = read_items("ner", NER_GOLD, "de")
    lines = [separator.join(row) for s, tags in zip(sentences, predicted, strict=True)
             for row in [*zip(s.words, s.tags, tags, strict=True), ()]]  # fmt: skip
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("scheme", "letters"), [("iob2", "BI"), ("iob1", "BI"), ("bioes", "BIES")])
def test_imported_tags_score_as_seqeval_scores_them(tmp_path, scheme, letters, seed):
    gold, predicted = tagged(seed, letters)
    path = write_columns(tmp_path / "t.conll", predicted)
    output = scored(path, "--kind", "ner", "--lang", "de", "--gold", NER_GOLD, "--scheme", scheme)
    expected = {"f1": f1_score(gold, predicted), "precision": precision_score(gold, predicted),
                "recall": recall_score(gold, predicted)}  # fmt: skip
    assert figures(output) == {name: f"{100 * value:.2f}" for name, value in expected.items()}
    assert "checked: words, gold" in output and "100 items" in output.splitlines()[0]
    exact = json.loads(scored(path, "--kind", "ner", "--gold", NER_GOLD, "--scheme", scheme, "--json"))["figures"]
    assert {name: one["value"] / 100 for name, one in exact.items()} == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_imported_labels_score_as_scikit_learn_scores_them(tmp_path, seed):
    rng = random.Random(seed)
    gold = [pair.label for pair in read_items("nli", NLI_GOLD, "de")]
    predicted = [rng.choice(sorted(set(gold))) if rng.random() < 0.5 else label for label in gold]
    (tmp_path / "t.txt").write_text("\n".join(predicted) + "\n", encoding="utf-8")
    output = scored(tmp_path / "t.txt", "--kind", "nli", "--lang", "de", "--gold", NLI_GOLD)
    expected = (accuracy_score(gold, predicted), class_f1(gold, predicted, average="macro"))
    assert figures(output) == {"accuracy": f"{100 * expected[0]:.2f}", "macro_f1": f"{100 * expected[1]:.2f}"}


@pytest.mark.parametrize("seed", range(3))
def test_imported_topics_and_tags_of_words(tmp_path, seed):
    rng = random.Random(seed)
    topics = ["sports", "travel", "health", "politics"]
    gold = [rng.choice(topics) for _ in range(57)]
    predicted = [rng.choice([*topics, "weather"]) if rng.random() < 0.5 else label for label in gold]
    (tmp_path / "gold.tsv").write_text("label\ttext\n" + "".join(f"{label}\tA text.\n" for label in gold))
    (tmp_path / "t.txt").write_text("\n".join(predicted))
    output = scored(tmp_path / "t.txt", "--kind", "topic", "--gold", tmp_path / "gold.tsv")
    macro = class_f1(gold, predicted, labels=sorted(set(gold)), average="macro")  # over the gold's labels
    assert figures(output) == {"accuracy": f"{100 * accuracy_score(gold, predicted):.2f}",
                               "macro_f1": f"{100 * macro:.2f}"}  # fmt: skip
    (tmp_path / "gold.tsv").write_text("".join(f"w{i}\t{tag}\n" + "\n" * (i % 7 == 6) for i, tag in enumerate(gold)))
    columns = "".join(f"w{i} {tag}\n" + "\n" * (i % 7 == 6) for i, tag in enumerate(predicted))
    (tmp_path / "t.conll").write_text(columns)
    output = scored(tmp_path / "t.conll", "--kind", "pos", "--gold", tmp_path / "gold.tsv")
    assert figures(output) == {"accuracy": f"{100 * accuracy_score(gold, predicted):.2f}"}


def test_several_files_are_seeds(tmp_path):
    paths = [write_columns(tmp_path / f"xlmr.{seed}.conll", tagged(seed)[1]) for seed in (1, 2, 3)]
    output = scored(*paths, "--kind", "ner", "--lang", "de", "--gold", NER_GOLD)
    each = [100 * f1_score(*tagged(seed)) for seed in (1, 2, 3)]
    assert figures(output)["f1"] == f"{sum(each) / 3:.2f}"
    assert "  ".join(f"{seed}: {value:.2f}" for seed, value in zip((1, 2, 3), each, strict=True)) in output
    assert output.startswith("xlmr on ner de test.tsv: 100 items")
    assert "|seeds:1,2,3|" in output.splitlines()[-1]


def test_the_last_line_is_the_signature_and_the_output_is_repeatable(tmp_path):
    path = write_columns(tmp_path / "t.conll", tagged(1)[1])
    arguments = (path, "--kind", "ner", "--lang", "de", "--task", "pocket", "--system", "theirs", "--gold", NER_GOLD)
    output = scored(*arguments)
    last = output.splitlines()[-1]
    assert last.startswith("signature: pocket/de|split:test.tsv|n:100|") and output == scored(*arguments)
    sentences = read_items("ner", NER_GOLD, "de")
    own = make_predictions(RunSettings("pocket", "ner", "theirs", "de"), sentences, tagged(1)[1])
    assert own.gold_sha256[:12] in last and "seqeval's default mode" in output.splitlines()[1]
    document = json.loads(scored(*arguments, "--json"))
    assert "signature: " + document["signature_line"] == last
    assert document["system"] == "theirs" and document["task"] == "pocket"


def test_mixed_up_names_are_noted(tmp_path):
    gold = [pair.label for pair in read_items("nli", NLI_GOLD, "de")]
    names = {"entailment": "contradiction", "contradiction": "entailment", "neutral": "neutral"}
    (tmp_path / "t.txt").write_text("\n".join(names[label] for label in gold))
    arguments = (tmp_path / "t.txt", "--kind", "nli", "--gold", NLI_GOLD)
    note = "label names look mixed up: contradiction mostly stands for entailment"
    assert f"note: {note}" in scored(*arguments)
    assert note in json.loads(scored(*arguments, "--json"))["flags"][0]


@pytest.fixture
def own(tmp_path):
    """Prediction files of two systems, seeds 1 and 2, and one without a seed."""
    def write(name, system, seed, items=None, task="pocket"):
        items = items or read_items("nli", NLI_GOLD, "de")
        run = RunSettings(task, "nli", system, "de", seed=seed)
        labels = [item.label if (i + (seed or 0)) % 5 else "neutral" for i, item in enumerate(items)]
        write_predictions(tmp_path / name, make_predictions(run, items, labels))
        return tmp_path / name

    return write


def test_files_that_do_not_go_together(own, tmp_path):
    first = own("a1.jsonl", "a", 1)
    few = read_items("nli", NLI_GOLD, "de")[:-1]
    for other, message in (
        (own("b1.jsonl", "b", 2), "b1.jsonl has system 'b', .*a1.jsonl has 'a'.*--system names it"),
        (own("a1b.jsonl", "a", 1), "a1b.jsonl and .*a1.jsonl are both seed 1"),
        (own("a.jsonl", "a", None), "a.jsonl: its header has no seed"),
        (own("less.jsonl", "a", 2, few), "less.jsonl and .*a1.jsonl have different gold"),
        (own("task.jsonl", "a", 2, task="other"), "task.jsonl has task 'other', .*a1.jsonl has 'pocket'"),
    ):
        with pytest.raises(InputError, match=message):
            scored(first, other)
    assert "|seeds:1,2|" in scored(first, own("a2.jsonl", "a", 2)).splitlines()[-1]
    assert "--kind" not in scored(first, "--gold", NLI_GOLD)
    assert "checked: gold and texts, by their hash" in scored(first, "--gold", NLI_GOLD)


def test_one_file_twice_is_noted(own, tmp_path):
    own("a1.jsonl", "a", 1)
    text = (tmp_path / "a1.jsonl").read_text().replace('"seed": 1', '"seed": 2')
    (tmp_path / "a2.jsonl").write_text(text)
    assert "seeds 1 and 2 predict the same throughout" in scored(tmp_path / "a1.jsonl", tmp_path / "a2.jsonl")


def test_bad_options(own):
    path = own("a.jsonl", "a", 1)
    for arguments, message in (
        (("--lang", "German"), "'German' is no language code"),
        (("--lang", "fr"), "the header says lang 'de', not 'fr'"),
        (("--scheme", "bmes"), "unknown tag scheme 'bmes'"),
        (("--gold", "nowhere.tsv"), "nowhere.tsv: no such file"),
        (("--gold", POCKET / "nli" / "fr" / "test.tsv"), "its texts are others"),
        (("--gold", POCKET / "nli" / "de" / "dev.tsv"), "90 predictions for 36 gold items"),
    ):
        with pytest.raises(InputError, match=message):
            scored(path, *arguments)
    with pytest.raises(InputError, match="none.jsonl: no such file"):
        scored("none.jsonl")


def test_a_system_whose_name_a_terminal_would_obey(tmp_path):
    items = read_items("ner", NER_GOLD, "de")
    run = RunSettings("ner", "ner", "mine\x1b[2J", "de", "test")
    write_predictions(tmp_path / "p.jsonl", make_predictions(run, items, [list(item.tags) for item in items]))
    output = scored(tmp_path / "p.jsonl")
    assert output.startswith("mine\\x1b[2J on ner de test: ")
    assert all(char.isprintable() or char == "\n" for char in output)
    assert json.loads(scored(tmp_path / "p.jsonl", "--json"))["system"] == "mine\x1b[2J"
