"""The data inside the package: sizes, parallel languages, splits that do not overlap, and the demo on it."""

from pathlib import Path

import pytest

import comparisons.systems
from baselines.corpora import NLI_LABELS, read_pairs, read_tagged
from baselines.metrics import spans
from comparisons.executor import Run
from comparisons.experiment import read_experiment
from comparisons.report.writing import write_reports
from comparisons.resolving import POCKET, resolver
from comparisons.summary import summarize
from xlembed.alignment.procrustes import fit
from xlembed.bli import evaluate
from xlembed.errors import InputError
from xlembed.lexicon import read_lexicon
from xlembed.vectors import read_vectors

LANGUAGES = ("en", "de", "fr", "es")
SPLITS = ("train", "dev", "test")
DEMO = Path(comparisons.systems.__file__).parent / "demo.toml"


def ner(lang, split):
    return read_tagged(POCKET / "ner" / lang / f"{split}.tsv", lang)


def nli(lang, split):
    return read_pairs(POCKET / "nli" / lang / f"{split}.tsv")


def test_vectors_are_small_and_many():
    files = sorted((POCKET / "vectors").iterdir())
    assert [f.stem for f in files] == sorted(LANGUAGES)
    assert sum(f.stat().st_size for f in files) <= 16_000_000
    for file in files:
        vectors = read_vectors(file)
        assert len(vectors) >= 15_000 and vectors.dim == 150
        assert len(set(vectors.words)) == len(vectors)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_ner_is_large_enough_and_valid(lang):
    sentences = [s for split in SPLITS for s in ner(lang, split)]
    assert len(sentences) >= 200
    assert {tag for s in sentences for tag in s.tags} == {
        "O", *(f"{p}-{label}" for p in "BI" for label in ("PER", "ORG", "LOC"))
    }  # fmt: skip
    for s in sentences:
        for before, after in zip(("O", *s.tags), s.tags, strict=False):
            assert not after.startswith("I-") or before[2:] == after[2:], s


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("lang", LANGUAGES[1:])
def test_ner_is_parallel(lang, split):
    english, other = ner("en", split), ner(lang, split)
    assert len(english) == len(other)
    for en, xx in zip(english, other, strict=True):
        types = [sorted(span.label for span in spans(s.tags)) for s in (en, xx)]
        assert types[0] == types[1], (en, xx)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_nli_is_large_enough_balanced_and_parallel(lang):
    pairs = [p for split in SPLITS for p in nli(lang, split)]
    assert len(pairs) >= 200
    assert len({(p.premise, p.hypothesis) for p in pairs}) == len(pairs)
    counts = [sum(p.label == label for p in pairs) for label in NLI_LABELS]
    assert counts[0] == counts[1] == counts[2]
    for split in SPLITS:
        assert [p.label for p in nli(lang, split)] == [p.label for p in nli("en", split)]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_text_is_in_two_splits(lang):
    texts = [{s.words for s in ner(lang, split)} for split in SPLITS]
    assert sum(map(len, texts)) == len(set.union(*texts)) == sum(len(ner(lang, split)) for split in SPLITS)
    premises = [{p.premise for p in nli(lang, split)} for split in SPLITS]
    assert sum(map(len, premises)) == len(set.union(*premises)), "a premise in two splits would leak"


@pytest.mark.parametrize("lang", LANGUAGES[1:])
def test_lexicons_are_large_enough_and_their_splits_share_no_source_word(lang):
    train, test = (read_lexicon(POCKET / "lexicon" / f"en-{lang}.{split}.txt") for split in ("train", "test"))
    assert len(train.translations()) + len(test.translations()) >= 1000
    assert not set(train.translations()) & set(test.translations())
    english, other = read_vectors(POCKET / "vectors" / "en.safetensors"), read_vectors(
        POCKET / "vectors" / f"{lang}.safetensors"
    )
    scores = evaluate(
        (mapping := fit(english, other, train)).map_src(english), mapping.map_trg(other), test, "csls"
    )
    assert scores.coverage > 95
    assert scores.scores["P@1"] > 40  # chance is 0.005


@pytest.fixture(scope="module")
def small_demo(tmp_path_factory):
    """The demo with its encoder out of reach and one seed: what a machine without the extra sees."""
    folder = tmp_path_factory.mktemp("demo")
    text = DEMO.read_text(encoding="utf-8").replace('model = "multilingual-e5-small"', 'model = "./nowhere"')
    text = text.replace("seeds = [1, 2, 3]", "seeds = [1]")
    (folder / "demo.toml").write_text(text, encoding="utf-8")
    experiment = read_experiment(folder / "demo.toml")
    run = Run(experiment, folder / "out", resolver(experiment))
    run.execute()
    summarize(run, "xlembed demo")
    write_reports(folder / "out")
    return folder / "out"


def test_without_an_encoder_the_demo_runs_its_static_side_and_says_so(small_demo):
    text = (small_demo / "report.md").read_text(encoding="utf-8")
    assert "**e5-small was not run**" in text and "no such folder" in text
    assert "| static |" in text


def test_the_demo_report_calls_its_data_what_it_is(small_demo):
    for name in ("report.md", "report.html"):
        text = (small_demo / name).read_text(encoding="utf-8")
        assert "pocket data" in text and "No conclusion about the systems is to be drawn" in text
        assert "Bilingual dictionary induction" in text


def test_pocket_names_stay_inside_the_package():
    experiment = read_experiment(DEMO)
    with pytest.raises(InputError, match="not among the data inside the package"):
        resolver(experiment)("ner/xx/test.tsv")
