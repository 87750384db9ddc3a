import json

import numpy as np
import pytest
from small_experiment import NAMES, OTHERS, PLACES, experiment_text, words, write_data
from tiny_encoders import save_tiny

from baselines.corpora import TaggedSentence, read_items
from baselines.predictions import read_predictions
from baselines.spaces import onto_target, united
from comparisons.executor import Run
from comparisons.experiment import read_experiment
from comparisons.translated import TranslatedRunner
from xlembed.alignment.base import LinearMapping
from xlembed.errors import InputError
from xlembed.vectors import WordVectors

STATIC = """
[[system]]
name = "{name}"
type = "static"
seeds = [1]
vectors = "{{lang}}.vec"
languages = ["en", "de"]
lexicon = "en-{{lang}}.txt"
tagger = "window"
ner = {{ hidden = 16, max_epochs = 4, batch_size = 16 }}
nli = {{ hidden = 16, max_epochs = 4, batch_size = 16 }}
translate = {{ languages = ["de"], mapping = "procrustes", {translate} }}
"""
ENCODER = """
[[system]]
name = "tiny-words"
type = "encoder"
model = "{encoder}"
seeds = [1]
ner = {{ epochs = 1, batch_size = 8, precision = "float32" }}
nli = {{ epochs = 1, batch_size = 8, precision = "float32" }}
[system.translate]
direction = "train"
route = "words"
mapping = "procrustes"
languages = ["de"]
vectors = "{{lang}}.vec"
lexicon = "en-{{lang}}.txt"
"""
WORDS = 'route = "words"'


def static(direction, more=WORDS):
    return STATIC.format(name=f"{direction}-words", translate=f'direction = "{direction}", {more}')


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = write_data(tmp_path_factory.mktemp("mirror"))
    english, german = (dict(zip(words(a), words(b), strict=True)) for a, b in (("en", "de"), ("de", "en")))
    rows = ["premise_de\tpremise_en"]
    for pair in read_items("nli", folder / "nli.de.test.tsv"):
        rows += [f"{text}\t{' '.join(german[w] for w in text.split())}" for text in (pair.premise, pair.hypothesis)]
    (folder / "ready.de.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert len(english) == len(german)
    return folder


def run_of(folder, more, data, base=None):
    folder.mkdir(exist_ok=True)
    text = experiment_text() if base is None else base
    (folder / "e.toml").write_text(text + more, encoding="utf-8")

    def resolve(name):
        if not (data / name).is_file():
            raise InputError(f"{name}: nowhere")
        return data / name

    return Run(read_experiment(folder / "e.toml"), folder / "out", resolve)


def f1(run, name):
    from baselines.metrics import score

    found = read_predictions(run.out / "predictions" / f"{name}.jsonl")
    return score(found.run.kind, found.gold, found.predicted)


@pytest.mark.parametrize("direction", ["train", "train-all", "test"])
def test_words_in_every_direction_find_the_hidden_rotation(tmp_path, data, direction):
    run = run_of(tmp_path, static(direction), data)
    run.execute()
    for lang in ("en", "de"):
        assert f1(run, f"names.{direction}-words.{lang}.seed1")["f1"] > 90
        assert (run.out / "predictions" / f"pairs.{direction}-words.{lang}.seed1.jsonl").is_file()
    about = read_predictions(run.out / "predictions" / f"names.{direction}-words.de.seed1.jsonl").run.settings
    assert about["translate"]["direction"] == direction
    if direction != "test":
        assert about["translate"]["de"]["translated"] > 0
    again = run_of(tmp_path, static(direction), data)
    before = {p.name: p.stat().st_mtime_ns for p in (run.out / "predictions").iterdir()}
    again.execute()
    assert before == {p.name: p.stat().st_mtime_ns for p in (run.out / "predictions").iterdir()}


def test_translate_train_trains_a_model_a_language_and_zero_shot_one_for_all(tmp_path, data):
    run = run_of(tmp_path, static("train"), data)
    langs = {(cell.system.name, cell.lang): run.runners[cell.system.name].trained_in(cell.lang) for cell in run.cells}
    assert langs["static", "de"] == ("en",) and langs["floor", "de"] == ("en",)
    assert langs["train-words", "de"] == ("de",) and langs["train-words", "en"] == ("en",)
    groups = [{cell.lang for cell in group} for group in run._by_model(run.cells) if group[0].system.name != "floor"]
    assert groups.count({"en", "de"}) == 4 and groups.count({"de"}) == 2  # static: 2 tasks, 2 seeds; words: 2 tasks


def test_an_encoder_on_translated_training_data(tmp_path, data):
    encoder = save_tiny("bert", tmp_path / "bert")
    run = run_of(tmp_path, ENCODER.format(encoder=encoder), data)
    seen = []
    runner = run.runners["tiny-words"]
    inner = runner.inner.model
    runner.inner.model = lambda kind, train, *rest: seen.append((kind, train[0])) or inner(kind, train, *rest)
    run.execute()
    german = {word.title() for word in NAMES["de"]}
    tagged = [item for kind, item in seen if kind == "ner"]
    assert len(tagged) == 2  # English as it is, and German
    assert tagged[1].words[0] in german and tagged[1].words[1] in OTHERS["de"]


def test_ready_translations_for_translate_test(tmp_path, data):
    """Pairs come with their English; NER has none, and the experiment has no such task."""
    ready = static("test", 'route = "file", translations = "ready.{lang}.tsv"')
    text = experiment_text()
    base = text[: text.index("[[task]]")] + text[text.index('[[task]]\nname = "pairs"') :]
    run = run_of(tmp_path, ready, data, base)
    run.execute()
    zero_shot, ready = (read_predictions(run.out / "predictions" / f"pairs.{name}.de.seed1.jsonl")
                        for name in ("static", "test-words"))  # fmt: skip
    assert len(ready) == len(zero_shot) and ready.gold_sha256 == zero_shot.gold_sha256  # scored on the same items


class Reverser:
    """Translates by turning the order of words round, and says every word in German."""

    src, trg = "de", "en"
    table = dict(zip(words("de"), words("en"), strict=True))

    def translate(self, texts):
        return [" ".join(self.table[word.lower()] for word in reversed(text.split())) for text in texts]


def test_tags_of_a_translation_come_back_to_the_words_that_they_translate(tmp_path, data):
    runner = run_of(tmp_path, static("test"), data).runners["test-words"]
    assert isinstance(runner, TranslatedRunner)
    items = [TaggedSentence(("Anja", "singt", "in", "Rom")), TaggedSentence(("Bonn",))]
    tags = {**dict.fromkeys(NAMES["en"], "B-PER"), **dict.fromkeys(PLACES["en"], "B-LOC")}
    predict = lambda english, lang: [[tags.get(word, "O") for word in one.words] for one in english]  # noqa: E731
    assert runner._predict_tags(items, "de", Reverser(), predict) == [["B-PER", "O", "O", "B-LOC"], ["B-LOC"]]


@pytest.mark.parametrize("system", [static("train"), static("test"), ""])
def test_target_gold_cannot_leak(tmp_path, data, system):
    """Another gold of the target's test files changes no prediction: training and dev never see it."""

    def predictions(folder, mirror):
        run = run_of(folder, system, mirror)
        run.execute()
        return {p.name: read_predictions(p).predicted for p in (run.out / "predictions").glob("*.de.*.jsonl")}

    other = write_data(tmp_path / "other")
    for task in ("ner", "nli"):
        path = other / f"{task}.de.test.tsv"
        text = path.read_text(encoding="utf-8").replace("B-PER", "B-LOC").replace("neutral", "entailment")
        path.write_text(text, encoding="utf-8")
    told = predictions(tmp_path / "a", data)
    assert len(told) >= 4 and told == predictions(tmp_path / "b", other)


@pytest.mark.parametrize(
    ("translate", "message"),
    [
        ('direction = "sideways", route = "words"', "direction = 'sideways': choose train, train-all, test"),
        ('direction = "train", route = "telepathy"', "unknown translation route 'telepathy': choose words, apertium"),
        ('direction = "train", route = "words", nmaes = "never"', "unknown key 'nmaes'"),
        ('direction = "train", route = "words", mapping = "magic"', "unknown method 'magic'"),
        ('route = "words"', "lacks 'direction'"),
    ],
)
def test_wrong_translations_are_refused_by_key(tmp_path, data, translate, message):
    text = STATIC.format(name="x", translate=translate).replace('mapping = "procrustes", ', "")
    with pytest.raises(InputError, match=message):
        run_of(tmp_path, text, data)


def test_the_floor_is_not_translated(tmp_path, data):
    with pytest.raises(InputError, match="a table for a static system or an encoder is needed"):
        run_of(tmp_path, '[[system]]\nname = "x"\ntype = "majority"\ntranslate = { direction = "train" }\n', data)


def test_a_program_that_is_not_there_stops_the_run_unless_it_is_optional(tmp_path, data, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="apertium"):
        run_of(tmp_path, static("train", 'route = "apertium"'), data).runners  # noqa: B018
    optional = static("train", 'route = "apertium"').replace("[[system]]", "[[system]]\noptional = true")
    run = run_of(tmp_path, optional, data)
    assert "apertium" in next(cell.missing for cell in run.cells if cell.system.name == "train-words")


def test_a_language_without_translation_is_shown_as_such(tmp_path, data):
    text = static("train").replace('languages = ["de"]', 'languages = ["fr"]')
    cells = {cell.lang: cell.missing for cell in run_of(tmp_path, text, data).cells
             if cell.system.name == "train-words"}  # fmt: skip
    assert cells == {"en": None, "de": "no translation"}


def test_other_options_are_other_cells(tmp_path, data):
    keys = [{cell.lang: cell.key for cell in run_of(tmp_path, static("train", more), data).cells
             if cell.system.name == "train-words" and cell.task.kind == "ner"}
            for more in (WORDS, f'{WORDS}, names = "always"')]  # fmt: skip
    assert keys[0]["en"] == keys[1]["en"] and keys[0]["de"] != keys[1]["de"]


def test_a_mapping_of_both_sides_is_brought_back_to_the_target():
    rng = np.random.default_rng(0)
    src, trg = (rng.normal(size=(4, 4)).astype(np.float32) for _ in range(2))
    moved = onto_target(LinearMapping(src, trg))
    assert np.allclose(moved.src_weight @ trg, src, atol=1e-4) and np.array_equal(moved.trg_weight, np.eye(4))
    alone = LinearMapping(src, np.eye(4, dtype=np.float32))
    assert onto_target(alone) is alone


def test_one_vocabulary_of_two_languages():
    both = united([WordVectors(["a", "b"], np.eye(2, dtype=np.float32)),
                   WordVectors(["b", "c"], np.array([[1, 0], [0, -1]], np.float32))])  # fmt: skip
    assert both.words == ["a", "b", "c"]
    assert both.matrix.tolist() == [[1, 0], [0.5, 0.5], [0, -1]]


def test_summary_of_a_translated_run_is_json(tmp_path, data):
    from comparisons.summary import summarize

    run = run_of(tmp_path, static("test"), data)
    run.execute()
    assert json.dumps(summarize(run, "xlembed compare e.toml"))
