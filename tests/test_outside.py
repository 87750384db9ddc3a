"""A system of an experiment that brings its predictions along: read, checked, joined with the test data, scored."""

import json
from dataclasses import dataclass, replace

import pytest
from small_experiment import experiment_text, write_data

from baselines.corpora import file_text, read_items, with_labels, without_gold
from baselines.predictions import RunSettings, make_predictions, read_predictions, write_predictions
from comparisons.executor import Run
from comparisons.experiment import System, read_experiment
from comparisons.outside import OutsideRunner, check_template
from xlembed.errors import InputError


@dataclass(frozen=True)
class FilesSystem(System):
    """A system as the experiment file tells it."""

    files: str = "theirs/{task}.{lang}.seed{seed}.jsonl"
    scheme: str = "iob2"


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Data and predictions in a mirror; nothing is found from where the test runs."""
    monkeypatch.chdir(tmp_path)
    folder = write_data(tmp_path / "mirror", n=15)
    for task, kind in (("names", "ner"), ("pairs", "nli")):
        for lang in ("en", "de"):
            for seed in (1, 2):
                items = read_items(kind, folder / f"{kind}.{lang}.test.tsv", lang)
                run = RunSettings(task, kind, "xlm-r", lang, "test", seed, {"lr": 1e-5},
                                  {"train_seconds": 100.0 * seed})  # fmt: skip
                (folder / "theirs").mkdir(exist_ok=True)
                write_predictions(folder / "theirs" / f"{task}.{lang}.seed{seed}.jsonl",
                                  make_predictions(run, items, answers(items, seed)))  # fmt: skip
    return folder


def answers(items, seed):
    """The gold, but for one item."""
    gold = [item.gold for item in items]
    gold[seed] = ["O"] * len(gold[seed]) if isinstance(gold[seed], list) else "neutral"
    return gold


def resolver(folder):
    def resolve(name):
        if not (folder / name).is_file():
            raise InputError(f"{name}: nowhere")
        return folder / name

    return resolve


def runner(data, system=None, text=None, **changes):
    path = data.parent / "e.toml"
    path.write_text(text or experiment_text(), encoding="utf-8")
    experiment = read_experiment(path)
    system = system or FilesSystem("theirs", "predictions", [1, 2])
    return OutsideRunner(experiment, replace(system, **changes), resolver(data))


def items_of(data, kind="ner", lang="de"):
    return without_gold(read_items(kind, data / f"{kind}.{lang}.test.tsv", lang))


def predict(one, data, kind="ner", lang="de", seed=1):
    model = one.model(kind, [], [], seed, data / "models", one.trained_in(lang))
    return model.predict(items_of(data, kind, lang), lang), model


def test_predictions_are_the_files(data):
    one = runner(data)
    for kind in ("ner", "nli"):
        for lang in ("en", "de"):
            for seed in (1, 2):
                found, model = predict(one, data, kind, lang, seed)
                assert found == answers(read_items(kind, data / f"{kind}.{lang}.test.tsv", lang), seed)
                assert model.cost == {"train_seconds": 100.0 * seed}, "the cost that the file tells, and no other"
                assert model.about["theirs"]["settings"] == {"lr": 1e-5} and len(model.about["sha256"]) == 64
    one.check("de")
    assert one.why_not("de") is None and one.why_not("en") is None
    assert [p.name for p in one.inputs("de")] == [f"{task}.de.seed{i}.jsonl" for task in ("names", "pairs")
                                                  for i in (1, 2)]  # fmt: skip


def test_paths_from_where_the_command_runs_go_first(data):
    (data.parent / "here").mkdir()
    for path in (data / "theirs").iterdir():
        path.rename(data.parent / "here" / path.name)
    one = runner(data, files="here/{task}.{lang}.seed{seed}.jsonl")
    assert predict(one, data)[0][1] == ["O"] * 4


def test_a_language_without_files_has_no_predictions(data):
    for path in (data / "theirs").glob("*.en.*"):
        path.unlink()
    one = runner(data)
    assert one.why_not("en") == "no predictions" and one.inputs("en") == []
    assert one.why_not("de") is None


def test_files_for_some_tasks_or_seeds_alone_are_refused_with_a_remedy(data):
    (data / "theirs" / "pairs.de.seed2.jsonl").unlink()
    one = runner(data)
    with pytest.raises(InputError, match=r"'theirs': theirs/pairs.de.seed2.jsonl is neither .* tasks = \[...\]"):
        one.inputs("de")
    with pytest.raises(InputError, match="pairs.de.seed2.jsonl"):
        one.check("de")
    runner(data, tasks=["names"]).check("de")


def test_columns_without_a_header_cost_nothing_that_is_known(data):
    items = read_items("ner", data / "ner.de.test.tsv", "de")
    (data / "x.names.de.conll").write_text(file_text(with_labels(items, answers(items, 3))), encoding="utf-8")
    one = runner(data, tasks=["names"], files="x.names.{lang}.conll", seeds=[1])
    found, model = predict(one, data)
    assert found == answers(items, 3) and model.cost == {}
    assert model.about["theirs"]["settings"]["checked"] == "words"
    text = (data / "x.names.de.conll").read_text(encoding="utf-8").replace("B-", "S-")
    (data / "x.names.de.conll").write_text(text, encoding="utf-8")
    assert predict(runner(data, tasks=["names"], files="x.names.{lang}.conll", seeds=[1], scheme="bioes"), data)[
        0
    ] == answers(items, 3)


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("ner.de.test.tsv", "B-PER", "B-ORG", "names.de.seed1.jsonl:2: the gold of item 0 is B-PER"),
        ("ner.de.test.tsv", "singt", "sang", "gold_sha256 is not that of .*its texts are others"),
        ("ner.de.test.tsv", "B-PER\n", "B-PER\nund\tO\n", "sentence 1 has 5 words and 4 predicted tags"),
        ("theirs/names.de.seed1.jsonl", '"lang": "de"', '"lang": "fr"', "the header says lang 'fr', not 'de'"),
        ("theirs/names.de.seed1.jsonl", '"seed": 1', '"seed": 2', "the header says seed 2, not 1"),
        ("theirs/pairs.de.seed2.jsonl", '"neutral"', '"maybe"', "pairs.de.seed2.jsonl:.* 'maybe' is not one of"),
        ("theirs/pairs.de.seed2.jsonl", '"id": 5', '"id": 4', "id 4, here 5 is due"),
    ],
)
def test_files_of_other_data_stop_the_run_before_it_begins(data, name, old, new, message):
    edit(data / name, old, new)
    with pytest.raises(InputError, match=message):
        runner(data).check("de")


def test_mixed_up_labels_are_said(data, capsys):
    path = data / "theirs" / "pairs.de.seed1.jsonl"
    found = read_predictions(path)
    swap = {"entailment": "contradiction", "contradiction": "entailment", "neutral": "neutral"}
    write_predictions(path, replace(found, predicted=[swap[label] for label in found.predicted]))
    runner(data).check("de")
    assert "pairs.de.seed1.jsonl: label names look mixed up" in capsys.readouterr().err


def test_two_tasks_with_one_test_file_cannot_be_told_apart(data):
    text = experiment_text().replace('name = "pairs"', 'name = "more"').replace('kind = "nli"', 'kind = "ner"')
    text = text.replace("nli.{lang}", "ner.{lang}").replace("nli.en", "ner.en")
    for path in list((data / "theirs").glob("names.*")):
        path.with_name(path.name.replace("names", "more")).write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="here it is names, more: make two systems"):
        runner(data, text=text).check("de")
    runner(data, text=text, tasks=["more"]).check("de")


def test_templates():
    check_template("a/{task}.{lang}.{seed}.jsonl", ["a", "b"], 3, "x")
    check_template("a/{lang}.conll", ["a"], 1, "x")
    for files, tasks, n_seeds, message in (
        ("a/{task}.jsonl", ["a"], 1, r"must hold {lang}"),
        ("a/{lang}.jsonl", ["a", "b"], 1, r"must hold {task}, it runs on 2 tasks"),
        ("a/{lang}.jsonl", ["a"], 3, r"must hold {seed}, it has 3 seeds"),
        ("a/{lang}.{split}.jsonl", ["a"], 1, r"may hold {task}, {lang}, {seed} and no other braces"),
        ("a/{lang}.{}.jsonl", ["a"], 1, "no other braces"),
        ("a/{lang}.{.jsonl", ["a"], 1, "no other braces"),
        ("a/{lang.x}{lang}.jsonl", ["a"], 1, "no other braces"),
    ):
        with pytest.raises(InputError, match=message):
            check_template(files, tasks, n_seeds, "system 'x'")


def test_in_a_run_its_cells_are_beside_the_others_and_follow_their_files(data):
    one = runner(data)
    floor = next(s for s in one.experiment.systems if s.type == "majority")
    experiment = replace(one.experiment, systems=[floor, one.system])

    def run():
        made = Run(experiment, data.parent / "out", resolver(data))
        floors = Run(replace(experiment, systems=[floor]), data.parent / "out", resolver(data)).runners
        made.__dict__["runners"] = floors | {"theirs": OutsideRunner(experiment, one.system, resolver(data))}
        made.execute()
        return {p.name: p.stat().st_mtime_ns for p in (data.parent / "out" / "predictions").iterdir()}

    before = run()
    assert len(before) == 2 * 2 * (1 + 2)
    found = read_predictions(data.parent / "out" / "predictions" / "pairs.theirs.de.seed2.jsonl")
    assert found.predicted == answers(read_items("nli", data / "nli.de.test.tsv", "de"), 2)
    assert found.run.system == "theirs" and found.run.settings["theirs"]["system"] == "xlm-r"
    assert run() == before
    path = data / "theirs" / "names.de.seed1.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    last = json.loads(lines[-1])
    lines[-1] = json.dumps(last | {"predicted": ["O"] * len(last["gold"])})
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    changed = {name for name, when in run().items() if when != before[name]}
    assert changed and all(".theirs.de." in name for name in changed)
    again = read_predictions(data.parent / "out" / "predictions" / "names.theirs.de.seed1.jsonl")
    assert again.predicted[-1] == ["O"] * len(last["gold"])
