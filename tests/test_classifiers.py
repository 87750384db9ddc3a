import numpy as np
import pytest

from baselines.classifiers import N_OVERLAP, pair_inputs, train_classifier
from baselines.corpora import SentencePair, TaggedSentence
from baselines.features import word_features
from baselines.majority import majority_label, majority_tags, majority_type
from baselines.metrics import dev_scorer
from baselines.saving import load_static, save_static
from baselines.settings import TrainSettings
from xlembed.errors import InputError
from xlembed.vectors import WordVectors

VECTORS = WordVectors(["good", "bad", "maybe", "film"], np.eye(4, dtype=np.float32))
SETTINGS = TrainSettings(hidden=16, batch_size=8, max_epochs=30, dropout=0.0, lr=1e-2)


def pairs(n):
    words = {"entailment": "good", "contradiction": "bad", "neutral": "maybe"}
    return [SentencePair("film good", f"film {words[label]}", label)
            for label in list(words) * (n // 3)]  # fmt: skip


def test_inputs_by_hand():
    features = word_features(VECTORS)
    row = pair_inputs([SentencePair("Good film !", "bad unknownword", None)], features)[0]
    u, v = np.array([0.5, 0, 0, 0.5]), np.array([0, 1.0, 0, 0])
    assert np.allclose(row[:-N_OVERLAP], np.concatenate([u, v, abs(u - v), u * v]))
    assert np.allclose(row[-N_OVERLAP:], [0, 0, 0, 0.5])  # best cosine of "bad" 0; lengths 1 and 2


def test_sentences_without_a_known_word_give_finite_inputs():
    row = pair_inputs([SentencePair("xyzzy", "film", None), SentencePair("film", "?", None)], word_features(VECTORS))
    assert np.isfinite(row).all()


def test_learns_and_saves(tmp_path):
    classifier = train_classifier(pairs(60), pairs(9), word_features(VECTORS), dev_scorer("nli"), SETTINGS, 1)
    assert classifier.predict(pairs(3), word_features(VECTORS)) == [p.label for p in pairs(3)]
    save_static(tmp_path, "nli", classifier)
    assert load_static(tmp_path, "nli").predict(pairs(9), word_features(VECTORS)) == [p.label for p in pairs(9)]


def test_training_needs_gold():
    with pytest.raises(InputError, match="dev data: no gold labels"):
        train_classifier(pairs(3), [SentencePair("a", "b")], word_features(VECTORS), dev_scorer("nli"), SETTINGS)


@pytest.mark.parametrize("bad", [{"hidden": 0}, {"dropout": 1.0}, {"max_epochs": 0}])
def test_settings_are_checked(bad):
    with pytest.raises(InputError, match="must be"):
        TrainSettings(**bad)


def test_majority_floors():
    train = [TaggedSentence(("Rome", "x"), ("B-LOC", "O")), TaggedSentence(("Oslo", "Anna"), ("B-LOC", "B-PER"))]
    assert majority_type(train) == "LOC"
    test = [TaggedSentence(("Anna", "Maria", "sings", "In"))]
    assert majority_tags(train, test) == [["B-LOC", "I-LOC", "O", "B-LOC"]]
    assert majority_label(pairs(3) + pairs(3)[:1], 2) == ["entailment", "entailment"]
    assert majority_label(pairs(3), 1) == ["contradiction"]  # a tie goes to the first by alphabet
