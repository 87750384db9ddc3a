import json
from dataclasses import replace

import numpy as np
import pytest

from baselines import bilstm_tagger, crf_tagger
from baselines.corpora import TaggedSentence
from baselines.features import N_SHAPE, shape, word_features
from baselines.metrics import dev_scorer, score
from baselines.models import MODELS, TAGGERS, model_type, read_settings
from baselines.saving import kind_of, load_static, save_static
from baselines.sequences import corpus_of, numbers_of
from baselines.settings import TrainSettings
from baselines.training import MIN_UPDATES, schedule
from xlembed.errors import InputError
from xlembed.vectors import WordVectors

NAMES, PLACES, OTHERS = ["anna", "bob", "carla"], ["rome", "oslo", "lima"], ["sings", "in", "and", "to"]


def space(extra=()):
    """Vectors in which names, places and other words stand in three directions."""
    words = [*NAMES, *PLACES, *OTHERS, *extra]
    rng = np.random.default_rng(0)
    matrix = rng.normal(scale=0.1, size=(len(words), 8)).astype(np.float32)
    for row, word in zip(matrix, words, strict=True):
        row[0 if word in NAMES else 1 if word in PLACES else 2] += 1
    return WordVectors(words, matrix)


def sentences(n, seed):
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        words = (rng.choice(NAMES), rng.choice(OTHERS), rng.choice(PLACES), rng.choice(OTHERS))
        made.append(TaggedSentence(tuple(map(str, words)), ("B-PER", "O", "B-LOC", "O")))
    return made


SMALL = {
    "window": {"hidden": 16, "batch_size": 16, "max_epochs": 6},
    "crf": {"clusters": [2], "max_iterations": 30},
    "bilstm-crf": {"hidden": 8, "batch_size": 16, "max_epochs": 8, "char_dim": 4, "char_filters": 6, "lr": 0.02},
}
NAMED = [one.name for one in TAGGERS]


def trained(name, seed=1, **more):
    chosen = model_type("ner", name)
    settings = read_settings(chosen.settings, SMALL[name] | more, "test")
    return chosen.train(sentences(60, 1), sentences(10, 2), word_features(space()), dev_scorer("ner"), settings, seed)


@pytest.fixture(scope="module")
def taggers():
    return {name: trained(name) for name in NAMED}


def numbers(tagger):
    return np.concatenate([value.numpy().ravel() for value in tagger.state()[0].values()])


@pytest.mark.parametrize("name", NAMED)
def test_learns_what_the_vectors_hold(taggers, name):
    test = sentences(20, 3)
    predicted = taggers[name].predict(test, word_features(space()))
    assert score("ner", [s.gold for s in test], predicted)["f1"] == 100


@pytest.mark.parametrize("name", NAMED)
def test_tags_words_of_another_language_in_the_same_space(taggers, name):
    """New words, spelt with other letters, beside the vectors of known ones."""
    here = space()
    foreign = WordVectors([word[::-1].replace("a", "ø") + "x" for word in here.words], here.matrix)
    translate = dict(zip(here.words, foreign.words, strict=True))
    test = [TaggedSentence(tuple(translate[w] for w in s.words), s.tags) for s in sentences(20, 3)]
    predicted = taggers[name].predict(test, word_features(foreign))
    assert score("ner", [s.gold for s in test], predicted)["f1"] > 80


@pytest.mark.parametrize("name", NAMED)
def test_same_seed_same_model(taggers, name):
    assert np.array_equal(numbers(taggers[name]), numbers(trained(name)))


@pytest.mark.parametrize("name", ["window", "bilstm-crf"])
def test_other_seed_other_model(taggers, name):
    assert not np.array_equal(numbers(taggers[name]), numbers(trained(name, seed=2)))


@pytest.mark.parametrize("name", NAMED)
def test_save_and_load_is_identity(taggers, name, tmp_path):
    save_static(tmp_path / "model", "ner", name, taggers[name])
    loaded = load_static(tmp_path / "model", "ner")
    test = sentences(20, 3)
    assert loaded.predict(test, word_features(space())) == taggers[name].predict(test, word_features(space()))
    assert loaded.curve == taggers[name].curve and loaded.settings == taggers[name].settings
    assert kind_of(tmp_path / "model") == "ner"
    with pytest.raises(InputError, match="holds a model for ner, one for nli is needed"):
        load_static(tmp_path / "model", "nli")


@pytest.mark.parametrize("name", NAMED)
def test_damaged_or_missing_model(taggers, name, tmp_path):
    with pytest.raises(InputError, match="holds no model.json"):
        load_static(tmp_path)
    save_static(tmp_path, "ner", name, taggers[name])
    weights = (tmp_path / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(InputError, match="damaged model"):
        load_static(tmp_path)


def test_weights_and_features_that_do_not_fit_are_a_damaged_model(taggers, tmp_path):
    save_static(tmp_path, "ner", "crf", taggers["crf"])
    about = json.loads((tmp_path / "model.json").read_text())
    about["names"]["pairs"] = about["names"]["pairs"][:1]
    (tmp_path / "model.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="do not fit together"):
        load_static(tmp_path)


@pytest.mark.parametrize("name", NAMED)
def test_features_of_another_dim_are_refused(taggers, name):
    other = WordVectors(["a"], np.ones((1, 3), np.float32))
    with pytest.raises(InputError, match=f"features have dim {3 + N_SHAPE}"):
        taggers[name].predict(sentences(1, 1), word_features(other))


@pytest.mark.parametrize("name", NAMED)
def test_any_sentence_gets_as_many_tags_as_words(taggers, name):
    test = [TaggedSentence(("Zzz",)), TaggedSentence(("qqq", "\u00a0", "anna")), TaggedSentence(()),
            TaggedSentence(("x" * 500, "anna") * 40)]  # fmt: skip
    predicted = taggers[name].predict(test, word_features(space()))
    assert [len(tags) for tags in predicted] == [len(one.words) for one in test]
    assert taggers[name].predict([], word_features(space())) == []


@pytest.mark.parametrize("name", NAMED)
def test_a_sentence_is_tagged_alike_alone_and_among_others(taggers, name):
    test = sentences(5, 3) + [TaggedSentence(("anna", "sings")), TaggedSentence(("in", "rome", "and", "to", "lima"))]
    features = word_features(space())
    together = taggers[name].predict(test, features)
    assert together == [taggers[name].predict([one], features)[0] for one in test]


@pytest.mark.parametrize("name", NAMED)
def test_tags_are_valid_iob2_and_never_of_another_kind(taggers, name):
    rng = np.random.default_rng(0)
    words = [*NAMES, *PLACES, *OTHERS, "Zzz"]
    test = [TaggedSentence(tuple(rng.choice(words, 6).tolist())) for _ in range(50)]
    for tags in taggers[name].predict(test, word_features(space())):
        for before, after in zip(["O", *tags], tags, strict=False):
            assert not after.startswith("I-") or before[2:] == after[2:]


@pytest.mark.parametrize("name", NAMED)
def test_gold_that_breaks_iob2_can_be_trained_on(name):
    chosen = model_type("ner", name)
    broken = [TaggedSentence(s.words, ("I-PER", "O", "I-LOC", "O")) for s in sentences(30, 1)]
    settings = read_settings(chosen.settings, SMALL[name], "test")
    made = chosen.train(broken, sentences(5, 2), word_features(space()), dev_scorer("ner"), settings, 1)
    assert np.isfinite(made.curve.loss).all() and np.isfinite(numbers(made)).all()


@pytest.mark.parametrize("name", NAMED)
def test_parts_of_speech_are_tags_as_well(name):
    tags = {**dict.fromkeys(NAMES + PLACES, "PROPN"), **dict.fromkeys(OTHERS, "VERB")}
    data = [TaggedSentence(s.words, tuple(tags[w] for w in s.words)) for s in sentences(40, 1)]
    chosen = model_type("pos", name)
    settings = read_settings(chosen.settings, SMALL[name], "test")
    made = chosen.train(data, data[:5], word_features(space()), dev_scorer("pos"), settings, 1)
    assert score("pos", [s.gold for s in data], made.predict(data, word_features(space())))["accuracy"] == 100


@pytest.mark.parametrize("name", NAMED)
def test_training_needs_gold(name):
    chosen = model_type("ner", name)
    with pytest.raises(InputError, match="dev data: no gold labels"):
        chosen.train(sentences(3, 1), [TaggedSentence(("a",))], word_features(space()), dev_scorer("ner"),
                     chosen.settings())  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_ctrl_c_keeps_what_there_is(name, monkeypatch):
    """The second score of dev is interrupted: the model of the first one is what remains."""
    chosen, calls = model_type("ner", name), []

    def score_once(gold, predicted):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return 50.0

    settings = read_settings(chosen.settings, SMALL[name] | ({"evaluate_every": 1} if name == "crf" else {}), "test")
    made = chosen.train(sentences(60, 1), sentences(10, 2), word_features(space()), score_once, settings, 1)
    assert made.curve.interrupted and made.curve.dev == [50.0] and made.curve.best_epoch == 1
    assert len(made.predict(sentences(3, 3), word_features(space()))) == 3


def test_ctrl_c_before_the_first_score_is_ctrl_c():
    def interrupted(gold, predicted):
        raise KeyboardInterrupt

    for name in NAMED:
        chosen = model_type("ner", name)
        settings = read_settings(chosen.settings, SMALL[name], "test")
        with pytest.raises(KeyboardInterrupt):
            chosen.train(sentences(20, 1), sentences(5, 2), word_features(space()), interrupted, settings, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hiden": 3}, "unknown key 'hiden'; known are batch_size"),
        ({"hidden": "many"}, "hidden = 'many', a value like 128 is needed"),
        ({"hidden": True}, "hidden = True"),
        ({"dropout": 1.0}, "dropout = 1.0, it must be"),
        ({"char_filters": -1}, "char_filters at least 0"),
        ({"lr": 0}, "lr = 0"),
    ],
)
def test_settings_are_checked(given, message):
    with pytest.raises(InputError, match=message):
        read_settings(model_type("ner", "bilstm-crf").settings, given, "test")


@pytest.mark.parametrize("given", [{"clusters": [1]}, {"penalty": -1.0}, {"radius": -1}, {"max_iterations": 0}])
def test_settings_of_the_crf_are_checked(given):
    with pytest.raises(InputError, match=next(iter(given))):
        read_settings(model_type("ner", "crf").settings, given, "test")


def test_unknown_models_are_named():
    with pytest.raises(InputError, match="unknown tagger 'hmm' for ner: choose bilstm-crf, crf, window"):
        model_type("ner", "hmm")


def test_every_kind_has_models_with_settings_of_their_own():
    for kind, types in MODELS.items():
        for one in types:
            assert model_type(kind, one.name) is one and one.settings()


def test_penalised_gradient_of_the_crf_equals_differences():
    tagger = trained("crf", max_iterations=3)
    corpus = corpus_of(sentences(8, 5))
    inputs, gold = tagger._inputs(corpus, word_features(space())), numbers_of(sentences(8, 5), tagger.labels)
    rng = np.random.default_rng(0)
    flat = rng.normal(scale=0.1, size=len(tagger.flat))
    _, gradient = crf_tagger._penalised(replace(tagger, flat=flat), inputs, gold)
    for i in rng.choice(len(flat), 40, replace=False):
        step = np.zeros_like(flat)
        step[i] = 1e-5
        ends = [crf_tagger._penalised(replace(tagger, flat=flat + sign * step), inputs, gold)[0] for sign in (1, -1)]
        assert gradient[i] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-4)


def test_windows_by_hand():
    corpus = corpus_of([TaggedSentence(("b", "a")), TaggedSentence(("c",))])
    assert corpus.windows(1).tolist() == [[3, 1, 0], [1, 0, 3], [3, 2, 3]]


@pytest.mark.parametrize(
    ("word", "expected"),
    [("Rome", "Xx"), ("NATO", "X"), ("iPhone5", "xXxd"), ("1998", "d"), ("3-2", "d-d"), ("...", "."), ("", "")],
)
def test_patterns(word, expected):
    assert crf_tagger.pattern(word) == expected


def test_clusters_are_directions():
    rng = np.random.default_rng(0)
    rows = np.repeat(np.eye(3, 5), 20, axis=0) + rng.normal(scale=0.05, size=(60, 5))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    centroids = crf_tagger.spherical_kmeans(rows, 3, seed=2)
    assert np.allclose(np.linalg.norm(centroids, axis=1), 1, atol=1e-5)
    nearest = (rows @ centroids.T).argmax(axis=1)
    assert all(len(set(nearest[i : i + 20])) == 1 for i in (0, 20, 40))
    assert len(crf_tagger.spherical_kmeans(rows[:2], 5, seed=0)) == 2


def test_spellings():
    chars = {"a": 2, "b": 3}
    table = bilstm_tagger.spellings(["ab", "a?" + "b" * 40 + "a"], chars)
    assert table.shape == (2, bilstm_tagger.MAX_CHARS)
    assert table[0, :3].tolist() == [2, 3, 0] and table[1, :3].tolist() == [2, 1, 3] and table[1, -1] == 2
    assert bilstm_tagger.spellings([], chars).shape == (0, 1)


@pytest.mark.parametrize("filters", [0, 5])
def test_characters_can_be_left_out(filters):
    made = trained("bilstm-crf", char_filters=filters, max_epochs=2)
    assert (made.network.chars is None) == (filters == 0)
    assert len(made.predict(sentences(3, 3), word_features(space()))) == 3


def test_words_are_looked_up_in_parts_and_lower_case():
    features = word_features(WordVectors(["well", "known", "l'", "eau"], np.eye(4, dtype=np.float32)), "fr")
    table = features.table(["Well-known", "l'eau", "WELL", "nothing"])
    assert np.allclose(table[0, :4], [0.5, 0.5, 0, 0])
    assert table[1, 3] == 1  # clitics stand apart in French, and l' is no word by itself
    assert np.allclose(table[2, :4], [1, 0, 0, 0])
    assert not table[3, :4].any() and table[3, 4] == 0


@pytest.mark.parametrize(
    ("word", "on"),
    [("Rome", {1}), ("NATO", {1, 2, 3}), ("iPhone", {3}), ("1998", {5}), ("3rd", {6, 4}), (",", {7, 10}),
     ("U.S.", {1, 2, 3, 8}), ("x-ray", {4, 9}), ("to", {4, 10})],
)  # fmt: skip
def test_shape(word, on):
    assert {i for i, value in enumerate(shape(word, False)) if value} == on


@pytest.mark.parametrize(
    ("n_rows", "expected"),
    [
        (1, (16, MIN_UPDATES)),  # one update a pass
        (81, (16, 16)),  # 6 updates a pass, 16 passes
        (2_407, (24, 1)),  # 101 updates of 24
        (160_394, (256, 1)),  # large data: the settings as they are
    ],
)
def test_small_data_gets_small_batches_and_enough_updates_an_epoch(n_rows, expected):
    assert schedule(n_rows, TrainSettings(batch_size=256)) == expected


def test_a_batch_is_never_larger_than_asked_for():
    assert schedule(10_000, TrainSettings(batch_size=8)) == (8, 1)
