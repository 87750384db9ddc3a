import pytest
from small_experiment import experiment_text, write_data

from comparisons.experiment import DataPart, read_experiment, read_parts
from xlembed.errors import InputError


def read(tmp_path, text):
    path = tmp_path / "e.toml"
    path.write_text(text, encoding="utf-8")
    return read_experiment(path)


def test_a_whole_file(tmp_path):
    experiment = read(tmp_path, experiment_text(encoder="mbert"))
    assert [t.name for t in experiment.tasks] == ["names", "pairs"]
    assert [(s.name, s.seeds) for s in experiment.systems] == [("floor", [1, 2]), ("static", [1, 2]), ("tiny", [1])]
    assert experiment.tasks[1].train == [DataPart("nli.en.train.tsv"), DataPart("nli.en.dev.tsv", 0, 12)]
    assert experiment.languages(experiment.tasks[0]) == ["en", "de"]
    assert experiment.systems[1].settings["ner"].hidden == 16
    assert experiment.systems[2].settings["nli"].epochs == 2


@pytest.mark.parametrize("name", ["wikiann-xnli.toml"])
def test_the_ready_files_are_well_formed(name):
    from pathlib import Path

    assert read_experiment(Path(__file__).parent.parent / "experiments" / name).systems


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "ner"', 'kind = "parsing"', "task 'names': unknown kind 'parsing'"),
        ('targets = ["de"]', 'targets = ["German"]', "targets holds 'German', an ISO 639 code"),
        ('name = "small"', 'name = "small"\nsource = "English"', "source = 'English': an ISO 639 code"),
        ('train = ["ner.en.train.tsv"]', "train = []", "task 'names': train = .*, a non-empty list"),
        ('test = "ner.{lang}.test.tsv"', 'test = "ner.test.tsv"', "must hold {lang}"),
        ('rows = "0:12"', 'rows = "a:b"', "rows = 'a:b', expected start:end"),
        ('type = "majority"', 'type = "oracle"', "unknown type 'oracle': choose majority, static, encoder"),
        ("seeds = [1, 2]", "seeds = [1, 1]", "seeds = .1, 1., different whole numbers"),
        ("hidden = 16", "hiden = 16", "unknown key 'hiden'; known are"),
        ("hidden = 16", "hidden = 0", "must be at least 1"),
        ('lexicon = "en-{lang}.txt"', "", "system 'static' lacks 'lexicon'"),
        ('name = "pairs"', 'name = "names"', "two tasks are named 'names'"),
        ('name = "floor"', 'name = "../floor"', "letters, digits, - _ . are allowed"),
        ('name = "small"', 'name = "small', "is not valid TOML"),
        ("small = true", 'data = "web"', "choose files or package:pocket"),
        ('type = "majority"', 'type = "majority"\ntasks = ["nams"]', "tasks holds 'nams', no task of that name"),
        ('type = "majority"', 'type = "majority"\ntasks = "names"', "a list of names of tasks is needed"),
        ("small = true", "smal = true", "unknown key 'smal'"),
        ('published = "wikiann"', 'published = "wikian"', "published = 'wikian': there are figures for"),
        ('published = "wikiann"', 'reference = "mBERT"', "reference = 'mBERT' needs published"),
        ('published = "wikiann"', 'published = "wikiann"\nreference = "BERT"', "reference = 'BERT': published .* of"),
    ],
)  # fmt: skip
def test_wrong_files_are_refused_by_file_and_key(tmp_path, old, new, message):
    text = experiment_text()
    assert old in text
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, text.replace(old, new, 1))
    assert str(caught.value).startswith(str(tmp_path / "e.toml"))


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_experiment(tmp_path / "none.toml")


def test_rows_of_files_are_joined_in_order(tmp_path):
    folder = write_data(tmp_path / "data", n=6)
    parts = [DataPart("nli.en.test.tsv", 2, 4), DataPart("nli.en.dev.tsv", 5)]
    items = read_parts("nli", parts, "en", lambda name: folder / name)
    whole = {n: read_parts("nli", [DataPart(f"nli.en.{n}.tsv")], "en", lambda x: folder / x) for n in ("test", "dev")}
    assert items == whole["test"][2:4] + whole["dev"][5:]
    with pytest.raises(InputError, match="has 6 items, none in these rows"):
        read_parts("nli", [DataPart("nli.en.dev.tsv", 7)], "en", lambda name: folder / name)


def test_a_test_file_for_each_language_and_no_target_at_all(tmp_path):
    text = experiment_text(targets="[]").replace('"ner.{lang}.test.tsv"', '{ en = "a.tsv", de = "b.tsv" }')
    (tmp_path / "e.toml").write_text(text, encoding="utf-8")
    experiment = read_experiment(tmp_path / "e.toml")
    names, pairs = experiment.tasks
    assert experiment.languages(names) == ["en"]
    assert (names.test_file("en"), names.test_file("de"), pairs.test_file("en")) == (
        "a.tsv", "b.tsv", "nli.en.test.tsv")  # fmt: skip


def test_a_language_without_a_test_file_is_refused(tmp_path):
    text = experiment_text().replace('"ner.{lang}.test.tsv"', '{ en = "a.tsv" }')
    (tmp_path / "e.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="task 'names': test names no file for de"):
        read_experiment(tmp_path / "e.toml")


def test_a_system_may_run_on_some_tasks_only(tmp_path):
    text = experiment_text().replace('type = "majority"', 'type = "majority"\ntasks = ["names"]')
    experiment = read(tmp_path, text)
    assert [experiment.systems[0].takes(task) for task in experiment.tasks] == [True, False]
    assert all(experiment.systems[1].takes(task) for task in experiment.tasks)
