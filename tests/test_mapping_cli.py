"""`xlembed hub`, `lexicon induce` and the seeds of `align`, as a user runs them."""

import json

import numpy as np
import pytest
from test_commands import fails, works, xlembed
from test_hub import turned
from test_self_learning import hidden

from xlembed.lexicon import read_lexicon
from xlembed.vectors import write_vectors


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spaces")
    for lang, vectors in turned(n=200).items():
        write_vectors(folder / f"{lang}.vec", vectors)
        if lang != "en":
            pairs = "".join(f"en{k}\t{lang}{k}\n" for k in range(80))
            (folder / f"en-{lang}.txt").write_text(pairs, encoding="utf-8")
    return folder


SPACES = ("en=en.vec", "de=de.vec", "fr=fr.vec")


@pytest.fixture(scope="module")
def hub(folder):
    told = works("hub", *SPACES, "--lexicon", "en-{lang}.txt", "--out", "hub", cwd=folder)
    assert "en-de: 80 of 80 pairs covered" in told and "hub: mappings of en, de, fr written" in told
    return "hub"


def test_bli_of_two_languages_that_share_no_lexicon(folder, hub):
    (folder / "de-fr.txt").write_text("".join(f"de{k} fr{k}\n" for k in range(80, 200)), encoding="utf-8")
    told = works("bli", "de.vec", "fr.vec", "de-fr.txt", "--mapping", hub, "--pair", "de-fr", "--json", cwd=folder)
    scores = json.loads(told)
    assert scores["n_covered"] == 120 and scores["scores"]["P@1"] == 100


def test_a_dictionary_from_the_hub(folder, hub):
    spaces = ("de.vec", "fr.vec", "--mapping", hub, "--pair", "de-fr")
    told = works("lexicon", "induce", *spaces, "--out", "d.txt", cwd=folder)
    assert "d.txt: 200 pairs (mutual, csls)" in told
    assert read_lexicon(folder / "d.txt").pairs == [(f"de{k}", f"fr{k}") for k in range(200)]


def test_scores_and_a_least_score(folder, hub):
    common = ("lexicon", "induce", "de.vec", "fr.vec", "--mapping", hub, "--pair", "de-fr")
    works(*common, "--out", "s.txt", "--scores", "--retrieval", "nn", cwd=folder)
    scores = [float(line.split("\t")[2]) for line in (folder / "s.txt").read_text().splitlines()]
    assert len(scores) == 200 and np.min(scores) > 0.99
    told = works(*common, "--out", "few.txt", "--min-score", "2", cwd=folder)
    assert "few.txt: 0 pairs" in told


def test_bli_by_band_part_of_speech_direction_and_against_another(folder, hub):
    words = "".join(f"de{k} fr{k}\n" for k in range(80, 200))
    (folder / "de-fr.txt").write_text(words, encoding="utf-8")
    (folder / "parts").mkdir(exist_ok=True)
    (folder / "parts" / "test.n.txt").write_text(words[: words.index("de150")], encoding="utf-8")
    (folder / "parts" / "test.pn.txt").write_text(words[words.index("de150") :], encoding="utf-8")
    works("align", "de.vec", "fr.vec", "--lexicon", "de-fr.txt", "--out", "pair", cwd=folder)
    common = ("bli", "de.vec", "fr.vec", "de-fr.txt", "--mapping", "pair", "--both", "--bands", "--pos", "parts",
              "--against", "pair")  # fmt: skip
    found = json.loads(works(*common, "--json", cwd=folder))
    assert found["scores"]["P@1"] == found["backward"]["scores"]["P@1"] == 100
    assert found["bands"]["1-1000"]["n_covered"] == 120 and found["bands"]["20001-"] is None
    assert found["parts_of_speech"]["n"]["n_words"] == 70 and found["parts_of_speech"]["without pn"]["n_words"] == 70
    assert found["against"]["difference"] == 0 and found["against"]["p_value"] == 1
    told = works(*common, cwd=folder)
    assert "backward:" in told and "+0.00 [+0.00, +0.00], 0 words better, 0 worse" in told


def test_bli_on_several_lexicons(folder, hub):
    (folder / "one.txt").write_text("".join(f"de{k} fr{k}\n" for k in range(80, 120)), encoding="utf-8")
    (folder / "two.txt").write_text("".join(f"de{k} fr{k + 1}\n" for k in range(80, 100)), encoding="utf-8")
    common = ("bli", "de.vec", "fr.vec", "one.txt", "two.txt", "--mapping", hub, "--pair", "de-fr", "--both")
    found = json.loads(works(*common, "--json", cwd=folder))["lexicons"]
    assert [found[name]["scores"]["P@1"] for name in ("one.txt", "two.txt")] == [100, 0]
    assert [found[name]["backward"]["n_covered"] for name in ("one.txt", "two.txt")] == [40, 20]
    told = works(*common, cwd=folder)
    assert told.count("forward:") == told.count("backward:") == 2
    assert told.index("one.txt") < told.index("40 of 40") < told.index("two.txt") < told.index("20 of 20")


def test_names_that_a_terminal_would_obey(folder, tmp_path):
    words = "".join(f"en{k} en{k}\n" for k in range(20))
    names = ["one\x1b[2J.txt", "two\r.txt"]
    for name in names:
        (tmp_path / name).write_text(words, encoding="utf-8")
    vectors = (folder / "en.vec", folder / "en.vec")
    told = works("align", *vectors, "--lexicon", names[0], "--out", "m\x1b", cwd=tmp_path)
    assert told.startswith("one\\x1b[2J.txt: 20 of 20 pairs covered") and told.endswith("m\\x1b: mapping written\n")
    told = works("bli", *vectors, *names, "--against", "m\x1b", cwd=tmp_path)
    assert told.startswith("one\\x1b[2J.txt\n") and "\n\ntwo\\r.txt\n" in told and "that of m\\x1b, on" in told
    assert all(char.isprintable() or char == "\n" for char in told)


@pytest.mark.parametrize("is_related", [True, False])
def test_a_mapping_without_a_lexicon_says_when_it_failed(tmp_path, is_related):
    pair = hidden(300, 15, noise=0.05)
    write_vectors(tmp_path / "a.vec", pair.src)
    write_vectors(tmp_path / "b.vec", pair.trg if is_related else hidden(300, 15, seed=3).trg)
    write_lexicon = "".join(f"{one} {other}\n" for one, other in pair.lexicon.pairs)
    (tmp_path / "a-b.txt").write_text(write_lexicon, encoding="utf-8")
    common = ("align", "a.vec", "b.vec", "--method", "vecmap-unsupervised", "--set", "interval=4", "--out", "m")
    done = xlembed(*common, cwd=tmp_path)
    assert done.returncode == 0 and ("warning: m looks collapsed" in done.stderr) != is_related
    used = xlembed("--backend", "numpy", "bli", "a.vec", "b.vec", "a-b.txt", "--mapping", "m", "--json", cwd=tmp_path)
    assert ("warning: m was flagged as collapsed" in used.stderr) != is_related
    assert (json.loads(used.stdout)["scores"]["P@1"] > 95) == is_related
    assert "uses no lexicon: leave --lexicon out" in fails(*common, "--lexicon", "a-b.txt", cwd=tmp_path)


def test_isometry_of_a_turned_copy(folder):
    found = json.loads(works("isometry", "de.vec", "fr.vec", "--lexicon", "de-fr.txt", "--json", cwd=folder))
    assert found["gromov_hausdorff"] < 1e-3 and found["relational_similarity"] > 0.999
    assert "Gromov-Hausdorff" in works("isometry", "de.vec", "fr.vec", "--lexicon", "de-fr.txt", cwd=folder)


def test_similarity(folder, hub):
    (folder / "sim.tsv").write_text("".join(f"de{k}\tfr{2 * k}\t{k}\n" for k in range(20)), encoding="utf-8")
    common = ("similarity", "de.vec", "fr.vec", "sim.tsv", "--mapping", hub, "--pair", "de-fr")
    found = json.loads(works(*common, "--json", cwd=folder))
    assert found["n_covered"] == 20 and -1 <= found["scores"]["spearman"] <= 1
    assert "coverage 100.0 % (20 of 20 pairs)" in works(*common, cwd=folder)


def test_retrieve(folder, hub):
    for lang in ("de", "fr"):
        lines = "".join(f"{lang}{k} {lang}{k + 50} {lang}{k + 100}\n" for k in range(50))
        (folder / f"sentences.{lang}").write_text(lines, encoding="utf-8")
    common = ("retrieve", "de.vec", "fr.vec", "sentences.de", "sentences.fr", "--mapping", hub, "--pair", "de-fr")
    found = json.loads(works(*common, "--json", cwd=folder))
    assert found["scores"] == {"forward": 100, "backward": 100}
    assert "50 sentences, idf of word vectors, CSLS" in works(*common, cwd=folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hub", *SPACES, "--lexicon", "en-de.txt", "--out", "o"), "must hold {lang}"),
        (("hub", "en.vec", "--lexicon", "en-{lang}.txt", "--out", "o"), "'en.vec': a language and its vectors"),
        (("hub", *SPACES, "de=x", "--lexicon", "en-{lang}.txt", "--out", "o"), "de is given twice"),
        (("hub", *SPACES, "it=en.vec", "--lexicon", "en-{lang}.txt", "--out", "o"), "en-it.txt: no such file"),
        (("hub", *SPACES, "--method", "mean", "--lexicon", "en-{lang}.txt", "--out", "o"), "unknown hub method 'mean'"),
        (("bli", "de.vec", "fr.vec", "en-de.txt", "--mapping", "hub"), "is a hub: say which languages"),
        (("bli", "de.vec", "fr.vec", "en-de.txt", "--mapping", "hub", "--pair", "de-it"), "has no language 'it'"),
        (("lexicon", "induce", "de.vec", "fr.vec", "--out", "o", "--direction", "up"), "unknown direction 'up'"),
        (("align", "de.vec", "fr.vec", "--out", "o", "--method", "magic"), "unknown method 'magic': choose procrustes"),
        (("align", "de.vec", "fr.vec", "--out", "o", "--lexicon", "none"), "method procrustes needs a lexicon"),
        (("bli", "de.vec", "fr.vec", "en-de.txt", "--pos", "."), "holds none of test."),
        (("--backend", "faiss", "bli", "de.vec", "fr.vec", "en-de.txt"), "unknown backend 'faiss': choose auto, numpy"),
        (("similarity", "de.vec", "fr.vec", "en-de.txt"), "en-de.txt:1: expected source word TAB target word TAB"),
        (("retrieve", "de.vec", "fr.vec", "en-de.txt", "none.txt"), "none.txt: no such file"),
        (("align", "de.vec", "fr.vec", "--out", "o", "--set", "steps"), "--set 'steps': name=value is needed"),
    ],
)
def test_refusals(folder, hub, arguments, message):
    assert message in fails(*arguments, cwd=folder)
    assert not (folder / "o").exists()
