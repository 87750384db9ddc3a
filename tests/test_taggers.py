from itertools import product

import numpy as np
import pytest

from baselines.corpora import TaggedSentence
from baselines.features import N_SHAPE, shape, word_features
from baselines.metrics import dev_scorer, score
from baselines.saving import load_static, save_static
from baselines.settings import TrainSettings
from baselines.taggers import iob2_transitions, train_tagger, viterbi
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


SETTINGS = TrainSettings(hidden=16, batch_size=16, max_epochs=6)


@pytest.fixture(scope="module")
def tagger():
    return train_tagger(sentences(60, 1), sentences(10, 2), word_features(space()), dev_scorer("ner"), SETTINGS, 1)


def test_learns_what_the_vectors_hold(tagger):
    test = sentences(20, 3)
    predicted = tagger.predict(test, word_features(space()))
    assert score("ner", [s.gold for s in test], predicted)["f1"] == 100


def test_same_seed_same_model_other_seed_other_model():
    def weights(seed):
        made = train_tagger(
            sentences(60, 1), sentences(10, 2), word_features(space()), dev_scorer("ner"), SETTINGS, seed
        )
        return np.concatenate([p.detach().numpy().ravel() for p in made.network.parameters()])

    assert np.array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


def test_save_and_load_is_identity(tagger, tmp_path):
    save_static(tmp_path / "model", "ner", tagger)
    loaded = load_static(tmp_path / "model", "ner")
    test = sentences(20, 3)
    assert loaded.predict(test, word_features(space())) == tagger.predict(test, word_features(space()))
    assert loaded.curve == tagger.curve
    with pytest.raises(InputError, match="holds a model for ner, one for nli is needed"):
        load_static(tmp_path / "model", "nli")


def test_damaged_or_missing_model(tagger, tmp_path):
    with pytest.raises(InputError, match="holds no model.json"):
        load_static(tmp_path)
    save_static(tmp_path, "ner", tagger)
    weights = (tmp_path / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(InputError, match="damaged model"):
        load_static(tmp_path)


def test_features_of_another_dim_are_refused(tagger):
    other = WordVectors(["a"], np.ones((1, 3), np.float32))
    with pytest.raises(InputError, match=f"features have dim {3 + N_SHAPE}"):
        tagger.predict(sentences(1, 1), word_features(other))


def test_words_without_vectors_and_one_word_sentences_get_tags(tagger):
    test = [TaggedSentence(("Zzz",)), TaggedSentence(("qqq", "\u00a0", "anna"))]
    assert [len(tags) for tags in tagger.predict(test, word_features(space()))] == [1, 3]


@pytest.mark.parametrize("seed", range(10))
def test_viterbi_equals_enumeration(seed):
    rng = np.random.default_rng(seed)
    n_words, n_labels = int(rng.integers(1, 6)), 4
    emissions = rng.normal(size=(n_words, n_labels)).astype(np.float32)
    transitions = rng.normal(size=(n_labels + 1, n_labels)).astype(np.float32)

    def total(path):
        steps = sum(transitions[a, b] for a, b in zip(path[:-1], path[1:], strict=True))
        return transitions[-1, path[0]] + steps + sum(emissions[i, tag] for i, tag in enumerate(path))

    best = max(product(range(n_labels), repeat=n_words), key=total)
    assert tuple(viterbi(emissions, transitions)) == best


def test_decoding_never_gives_invalid_iob2():
    labels = ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]
    transitions = iob2_transitions(labels, [[4, 0, 2], [1, 3, 4]])
    rng = np.random.default_rng(0)
    for _ in range(50):
        path = [labels[i] for i in viterbi(rng.normal(scale=5, size=(7, 5)).astype(np.float32), transitions)]
        for before, after in zip(["O", *path], path, strict=False):
            assert not after.startswith("I-") or before[2:] == after[2:]


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
