from collections import Counter

import pytest
from small_experiment import experiment_text, words, write_data
from tiny_encoders import save_tiny
from transformers import AutoTokenizer

from baselines.corpora import SentencePair, TaggedSentence
from comparisons.executor import Run
from comparisons.experiment import read_experiment
from comparisons.language_facts import Measured, known_facts, subword_overlap, subwords_of
from comparisons.subwords import WordEncoder
from xlembed.errors import InputError
from xlembed.isometry import isometry
from xlembed.lexicon import read_lexicon
from xlembed.vectors import WordVectors, read_vectors, write_vectors


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return save_tiny("bert", tmp_path_factory.mktemp("bert"))


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "mirror")


def run_of(folder, text, data):
    (folder / "e.toml").write_text(text, encoding="utf-8")
    return Run(read_experiment(folder / "e.toml"), folder / "out", lambda name: data / name)


def of(run, system, task="names"):
    systems, tasks = ({x.name: x for x in some} for some in (run.experiment.systems, run.experiment.tasks))
    return systems[system], tasks[task]


def test_known_facts_are_the_tables():
    found = known_facts("en", "swa")
    assert (found["name"], found["script"], found["same_script"]) == ("Swahili", "Latn", 1.0)
    assert found["distance"] == 8 / 13 and found["n_features"] == 13 and found["cc100_gib"] == 1.6
    assert known_facts("en", "ar")["same_script"] == 0.0 and known_facts("hi", "ur")["distance"] == 0
    assert known_facts("en", "pcm")["distance"] is None and known_facts("en", "pcm")["same_script"] == 1.0


def test_a_language_that_nobody_knows_has_no_facts():
    for source, lang in (("en", "xx"), ("xx", "de")):
        found = known_facts(source, lang)
        assert found["same_script"] is found["distance"] is None and found["n_features"] == 0
    assert known_facts("en", "xx")["name"] is None


def test_overlap_counts_tokens_and_types():
    found = subword_overlap(Counter({1: 6, 2: 2, 3: 1, 4: 1}), {1, 3, 9})
    assert (found.tokens, found.types) == (70, 50)
    assert subword_overlap(Counter(), {1}) is None


def test_subwords_are_counted_as_the_encoder_is_fed(encoder):
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    encode = WordEncoder(tokenizer)
    tagged = subwords_of(encode, [TaggedSentence(("ab", "a", "ab"))])
    ids = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in ("ab", "a", "ab")]
    assert tagged == Counter(piece for one in ids for piece in one)
    pairs = subwords_of(encode, [SentencePair("ab a", "b")])
    assert pairs == Counter(tokenizer("ab a", add_special_tokens=False)["input_ids"]
                            + tokenizer("b", add_special_tokens=False)["input_ids"])  # fmt: skip


def test_encoders_have_overlap_with_the_training_data(tmp_path, data, encoder):
    run = run_of(tmp_path, experiment_text(encoder), data)
    measured = Measured(run, [])
    source, german = (measured.facts(*of(run, "tiny"), lang) for lang in ("en", "de"))
    assert source == {"subword_tokens": 100.0, "subword_types": 100.0}
    assert 50 < german["subword_tokens"] < 100, "ä and j are in no English word"
    assert measured.facts(*of(run, "tiny", "pairs"), "de") != german


def test_static_systems_have_isometry_and_the_bli_of_their_space(tmp_path, data):
    again = '[[system]]\nname = "again"\ntype = "static"\nvectors = "{lang}.vec"\nlanguages = ["en", "de"]\n' \
            'lexicon = "en-{lang}.txt"\n'  # fmt: skip
    run = run_of(tmp_path, experiment_text(more=again), data)
    bli = [{"system": "static", "lang": "de", "retrieval": kind, "scores": {"P@1": value}}
           for kind, value in (("csls", 80.0), ("nn", 60.0))]  # fmt: skip
    measured = Measured(run, bli)
    found = measured.facts(*of(run, "static"), "de")
    wanted = isometry(read_vectors(data / "en.vec"), read_vectors(data / "de.vec"), read_lexicon(data / "en-de.txt"))
    assert found == {"bli_p1": 80.0, "relational_similarity": wanted.relational_similarity,
                     "eigenvector_similarity": wanted.eigenvector_similarity,
                     "gromov_hausdorff": wanted.gromov_hausdorff}  # fmt: skip
    assert found["relational_similarity"] == pytest.approx(1, abs=1e-5), "a rotated copy"
    assert measured.facts(*of(run, "again"), "de") == found, "the same space, though it names no BLI lexicon"
    assert measured.facts(*of(run, "floor"), "de") == {}


def test_another_mapping_has_no_bli_of_this_one(tmp_path, data):
    more = '[[system]]\nname = "cca"\ntype = "static"\nmapping = "cca"\nvectors = "{lang}.vec"\n' \
           'languages = ["en", "de"]\nlexicon = "en-{lang}.txt"\n'  # fmt: skip
    run = run_of(tmp_path, experiment_text(more=more), data)
    bli = [{"system": "static", "lang": "de", "retrieval": "csls", "scores": {"P@1": 80.0}}]
    assert Measured(run, bli).facts(*of(run, "cca"), "de")["bli_p1"] is None


def test_what_cannot_be_measured_is_missing_and_said(tmp_path, data, capsys):
    write_vectors(data / "de.vec", WordVectors(words("de")[:2], read_vectors(data / "de.vec").matrix[:2]))
    run = run_of(tmp_path, experiment_text(), data)
    assert Measured(run, []).facts(*of(run, "static"), "de") == {"bli_p1": None}
    assert "no isometry of en and de" in capsys.readouterr().err


def test_an_optional_system_that_is_not_there_has_no_facts(tmp_path, data):
    text = experiment_text(tmp_path / "nowhere").replace('type = "encoder"', 'type = "encoder"\noptional = true')
    run = run_of(tmp_path, text, data)
    assert Measured(run, []).facts(*of(run, "tiny"), "de") == {}


def test_a_damaged_test_file_is_named(tmp_path, data, encoder):
    run = run_of(tmp_path, experiment_text(encoder), data)
    (data / "ner.de.test.tsv").write_text("a\tQ\n", encoding="utf-8")
    with pytest.raises(InputError, match="ner.de.test.tsv"):
        Measured(run, []).facts(*of(run, "tiny"), "de")
