"""Few-shot and supervised systems: what they train on, and that other languages' cells do not change with it."""

import json

import pytest
from small_experiment import experiment_text, write_data
from tiny_encoders import save_tiny

from baselines.corpora import LabelledText
from comparisons.executor import Run
from comparisons.experiment import read_experiment
from comparisons.resolving import resolver
from comparisons.target_data import mix, some_of
from xlembed.errors import InputError

ITEMS = [LabelledText(str(i), "x") for i in range(30)]


def test_some_are_different_for_every_seed_and_the_same_for_one():
    assert some_of(ITEMS, None, 1) == ITEMS
    assert some_of(ITEMS, 5, 1) == some_of(ITEMS, 5, 1) != some_of(ITEMS, 5, 2)
    assert len({item.text for item in some_of(ITEMS, 30, 3)}) == 30
    with pytest.raises(InputError, match="k = 31, the data has 30 items"):
        some_of(ITEMS, 31, 1)


@pytest.mark.parametrize(("n", "share"), [(1, 0.1), (3, 0.1), (30, 0.1), (7, 0.5)])
def test_the_targets_items_are_repeated_up_to_their_share(n, share):
    source = [LabelledText("s", "x")] * 90
    mixed = mix(source, ITEMS[:n], share)
    n_target = sum(item.text != "s" for item in mixed)
    assert n_target >= share * len(mixed)
    assert n_target == n or n_target - n < share * (len(mixed) - n)  # no more often than it takes


def systems(more: str) -> str:
    base = experiment_text()
    text = base[: base.index('[[system]]')]
    return text + more


STATIC = """
[[system]]
name = "{name}"
type = "static"
vectors = "{{lang}}.vec"
languages = ["en", "de"]
lexicon = "en-{{lang}}.txt"
tagger = "crf"
nli = {{ max_epochs = 2 }}
{target}
"""


def run_of(tmp_path, text, data):
    (tmp_path / "e.toml").write_text(text, encoding="utf-8")
    experiment = read_experiment(tmp_path / "e.toml")
    return Run(experiment, tmp_path / "out", resolver(experiment, data))


def settings_of(run, name):
    line = (run.out / "predictions" / f"{name}.jsonl").read_text("utf-8").splitlines()[0]
    return json.loads(line)["run"]["settings"] if "run" in json.loads(line) else json.loads(line)["settings"]


def only_ner(text: str) -> str:
    a, b = text.index('[[task]]\nname = "pairs"'), text.index("[[system]]")
    return text[:a] + text[b:]


def test_few_shot_and_supervised_static_systems(tmp_path):
    data = write_data(tmp_path / "mirror")
    few = STATIC.format(name="few", target='target = { train = "ner.{lang}.train.tsv", k = 4 }')
    whole = STATIC.format(
        name="whole",
        target='target = { train = "ner.{lang}.train.tsv", dev = "ner.{lang}.dev.tsv", source = false }',
    )
    run = run_of(tmp_path, only_ner(systems(few + whole)), data)
    run.execute()
    told = settings_of(run, "names.few.de.seed1")["target"]
    assert (told["n"], told["k"], told["n_train"]) == (4, 4, 48)  # 40, and 4 twice: at least a tenth
    told = settings_of(run, "names.whole.de.seed1")["target"]
    assert (told["n"], told["n_train"], told["source"]) == (40, 40, False)
    assert "target" not in settings_of(run, "names.whole.en.seed1")


def test_a_language_without_training_data_is_left_out(tmp_path):
    data = write_data(tmp_path / "mirror")
    target = 'target = { train = "labelled.{lang}.tsv", source = false }'
    run = run_of(tmp_path, only_ner(systems(STATIC.format(name="whole", target=target))), data)
    assert {cell.lang: cell.missing for cell in run.cells} == {"en": None, "de": "no training data"}


def test_an_encoder_with_a_few_target_sentences_that_has_to_be_told_languages(tmp_path):
    data = write_data(tmp_path / "mirror")
    folder = save_tiny("xlm-15", tmp_path / "tiny")
    more = f"""
[[system]]
name = "few"
type = "encoder"
model = "{folder}"
seeds = [1]
ner = {{ epochs = 1, frozen = "none" }}
target = {{ train = "ner.{{lang}}.train.tsv", k = 4 }}
"""
    run = run_of(tmp_path, only_ner(systems(more)), data)
    run.execute()
    assert settings_of(run, "names.few.de.seed1")["target"]["n"] == 4


def test_languages_that_an_encoder_lacks_are_left_out(tmp_path):
    data = write_data(tmp_path / "mirror")
    (data / "ner.fr.test.tsv").write_bytes((data / "ner.de.test.tsv").read_bytes())
    folder = save_tiny("xlm-15", tmp_path / "tiny")
    text = only_ner(systems(f'\n[[system]]\nname = "xlm"\ntype = "encoder"\nmodel = "{folder}"\nseeds = [1]\n'))
    run = run_of(tmp_path, text.replace('targets = ["de"]', 'targets = ["de", "fr"]'), data)
    assert {cell.lang: cell.missing for cell in run.cells} == {"en": None, "de": None, "fr": "no language embedding"}


def test_an_encoder_whose_config_is_damaged(tmp_path):
    folder = save_tiny("bert", tmp_path / "tiny")
    (folder / "config.json").write_text("{")
    text = only_ner(systems(f'\n[[system]]\nname = "x"\ntype = "encoder"\nmodel = "{folder}"\nseeds = [1]\n'))
    with pytest.raises(InputError, match=r"config\.json: is not valid JSON"):
        _ = run_of(tmp_path, text, write_data(tmp_path / "mirror")).cells


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ('target = "x"', "a table for a static system or an encoder is needed"),
        ("target = { k = 3 }", "lacks 'train'"),
        ('target = { train = "x.tsv" }', r"must hold \{lang\}"),
        ('target = { train = "{lang}.tsv", k = 0 }', "k = 0, a whole number above 0 is needed"),
        ('target = { train = "{lang}.tsv", share = 1.0 }', "share between 0 and 1"),
        ('target = { train = "{lang}.tsv", rows = 3 }', "unknown key 'rows'"),
        ('target = { train = "{lang}.tsv" }\ntranslate = { direction = "train", route = "words", languages = ["de"] }',
         "exclude each other"),
        ('language_adapters = "{lang}.safetensors"', "an encoder and a name with {lang} are needed"),
    ],
)  # fmt: skip
def test_refusals(tmp_path, target, message):
    with pytest.raises(InputError, match=message):
        run_of(tmp_path, systems(STATIC.format(name="x", target=target)), tmp_path)
