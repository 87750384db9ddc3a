from __future__ import annotations

import json
import math

import numpy as np
import pytest
import reference

from xlembed.errors import InputError
from xlembed.sentences import (
    ParallelSentences,
    SentenceVectors,
    evaluate,
    idf_weights,
    read_parallel,
    read_tatoeba,
    score,
    sentence_vectors,
    sif_weights,
    without_common,
)
from xlembed.vectors import WordVectors


@pytest.fixture
def words() -> WordVectors:
    return WordVectors(["the", "cat", "sleeps", "l'"], np.array([[3, 3], [1, 0], [0, 1], [5, 5]], dtype=np.float32))


def random_sentences(pair, n: int = 80, seed: int = 0, kept: float = 0.5) -> ParallelSentences:
    """Sentences of 2 to 9 words, translated word by word where a coin says so, else by any word."""
    rng = np.random.default_rng(seed)
    src, trg = [], []
    for _ in range(n):
        rows = rng.integers(len(pair.src), size=rng.integers(2, 10))
        others = np.where(rng.random(len(rows)) < kept, rows, rng.integers(len(pair.src), size=len(rows)))
        src.append(" ".join(f"s{row}" for row in rows))
        trg.append(" ".join(f"t{row}" for row in others))
    return ParallelSentences(src, trg, "random")


def naive_p_at_1(src: np.ndarray, trg: np.ndarray, criterion: str) -> dict[str, float]:
    table = {"csls": reference.csls, "nn": reference.cosines}[criterion](src, trg)
    forward = [reference.order(row)[0] == i for i, row in enumerate(table)]
    backward = [reference.order(column)[0] == i for i, column in enumerate(table.T)]
    return {"forward": 100 * np.mean(forward), "backward": 100 * np.mean(backward)}


# ---- vectors by hand


def test_means(words):
    found = sentence_vectors(["The cat sleeps.", "cat cat sleeps", "dogs bark", "?"], words)
    assert found.matrix == pytest.approx(np.array([[4 / 3, 4 / 3], [2 / 3, 1 / 3], [0, 0], [0, 0]]))
    assert found.has_words.tolist() == [True, True, False, False]
    assert (found.n_tokens, found.n_known) == (4 + 3 + 2 + 1, 3 + 3)
    assert found.coverage == 60
    assert found.matrix.dtype == np.float32


def test_the_language_reaches_the_tokenizer(words):
    assert sentence_vectors(["L'amour"], words, lang="fr").has_words.tolist() == [True]
    assert sentence_vectors(["L'amour"], words).has_words.tolist() == [False]
    assert "l'" in idf_weights(["l'amour"], "fr").weights


def test_idf(words):
    weights = idf_weights(["the cat", "The THE dog", "the end", "cat"])
    expected = {"the": 3, "cat": 2, "dog": 1, "end": 1}
    assert weights.weights == pytest.approx({word: math.log(5 / (1 + df)) + 1 for word, df in expected.items()})
    assert weights.of("Cat") == weights.of("cat")
    assert weights.of("unseen") == weights.unknown == math.log(5) + 1
    the, cat = weights.of("the"), weights.of("cat")
    found = sentence_vectors(["The cat"], words, weights)
    assert found.matrix[0] == pytest.approx((the * words.matrix[0] + cat * words.matrix[1]) / (the + cat))


def test_idf_equals_scikit_learn():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    sentences = ["the cat sleeps", "the dog", "the the end", "cat and dog"]
    vectorizer = text.TfidfVectorizer(token_pattern=r"\S+").fit(sentences)
    expected = dict(zip(vectorizer.get_feature_names_out(), vectorizer.idf_.tolist(), strict=True))
    assert idf_weights(sentences).weights == pytest.approx(expected)


def test_sif():
    weights = sif_weights(["the cat", "The dog"], a=0.5)
    assert weights.weights == pytest.approx({"the": 0.5 / (0.5 + 0.5), "cat": 0.5 / 0.75, "dog": 0.5 / 0.75})
    assert weights.of("unseen") == 1


def test_the_common_direction_is_taken_away():
    matrix = np.random.default_rng(0).normal(size=(20, 4)) + [5, 0, 0, 0]
    found = without_common(matrix)
    values, directions = np.linalg.eigh(matrix.T @ matrix)
    assert found @ directions[:, -1] == pytest.approx(np.zeros(20), abs=1e-9)
    assert found @ directions[:, :-1] == pytest.approx(matrix @ directions[:, :-1])
    assert without_common(matrix[:1]).tolist() == matrix[:1].tolist()


# ---- retrieval against the reference


@pytest.mark.parametrize("criterion", ["csls", "nn"])
def test_scores_equal_the_reference(rotated_pair, criterion):
    src = rotated_pair.src.transformed(lambda matrix: matrix @ rotated_pair.rotation)
    sentences = random_sentences(rotated_pair)
    found = evaluate(src, rotated_pair.trg, sentences, criterion)
    sides = [
        np.array([np.mean([vectors.matrix[int(word[1:])] for word in text.split()], axis=0) for text in texts])
        for vectors, texts in ((src, sentences.src), (rotated_pair.trg, sentences.trg))
    ]
    assert found.scores == pytest.approx(naive_p_at_1(*sides, criterion))
    assert 20 < found.scores["forward"] < 95
    for direction, value in found.scores.items():
        assert found.intervals[direction].low < value < found.intervals[direction].high
    assert found.coverage == {"src": 100, "trg": 100}
    assert (found.n_sentences, found.retrieval, found.weighting) == (80, criterion, "mean")


@pytest.mark.parametrize("weighting", ["mean", "idf", "sif"])
def test_perfect_translations_are_found(rotated_pair, weighting):
    src = rotated_pair.src.transformed(lambda matrix: matrix @ rotated_pair.rotation)
    found = evaluate(src, rotated_pair.trg, random_sentences(rotated_pair, kept=1), weighting=weighting)
    assert found.scores == {"forward": 100, "backward": 100}


def test_weights_come_from_the_texts_that_are_given(noisy_pair):
    sentences = random_sentences(noisy_pair)
    own = evaluate(noisy_pair.src, noisy_pair.trg, sentences, weighting="idf")
    same = evaluate(
        noisy_pair.src, noisy_pair.trg, sentences, weighting="idf", src_texts=sentences.src, trg_texts=sentences.trg
    )
    assert own == same
    with pytest.raises(InputError, match="no texts are given"):
        evaluate(noisy_pair.src, noisy_pair.trg, sentences, weighting="idf", src_texts=[])


def test_direction_is_irrelevant(noisy_pair):
    sentences = random_sentences(noisy_pair)
    found = evaluate(noisy_pair.src, noisy_pair.trg, sentences)
    back = evaluate(noisy_pair.trg, noisy_pair.src, ParallelSentences(sentences.trg, sentences.src))
    assert back.scores == {"forward": found.scores["backward"], "backward": found.scores["forward"]}


# ---- edges


def test_sentences_without_known_words_are_errors(words):
    """The first sentence would win a tie between zero vectors."""
    sentences = ParallelSentences(["dogs", "cat", "sleeps"], ["dogs", "cat", "sleeps"])
    for criterion in ("nn", "csls"):
        found = evaluate(words, words, sentences, criterion)
        assert found.scores == {"forward": pytest.approx(200 / 3), "backward": pytest.approx(200 / 3)}
        assert found.without_words == {"src": 1, "trg": 1}
    assert json.loads(json.dumps(found.as_json()))["n_sentences"] == 3


def test_the_later_of_two_alike_is_an_error(words):
    found = evaluate(words, words, ParallelSentences(["cat", "cat"], ["cat", "cat"]), "nn")
    assert found.scores == {"forward": 50, "backward": 50}


def test_one_sentence(words):
    assert evaluate(words, words, ParallelSentences(["cat"], ["cat"])).scores == {"forward": 100, "backward": 100}


def test_refusals(words, noisy_pair):
    one = ParallelSentences(["cat"], ["cat"], "a")
    with pytest.raises(InputError, match="^a: no target sentence has a word with a vector"):
        evaluate(words, words, ParallelSentences(["cat"], ["dogs"], "a"))
    with pytest.raises(InputError, match="unknown weighting 'tf': choose mean, idf, sif"):
        evaluate(words, words, one, weighting="tf")
    with pytest.raises(InputError, match="unknown retrieval 'cosine'"):
        evaluate(words, words, one, "cosine")
    with pytest.raises(InputError, match="dims 2 and 12"):
        evaluate(words, noisy_pair.trg, one)
    with pytest.raises(InputError, match="^a: 1 source and 2 target sentences"):
        ParallelSentences(["cat"], ["cat", "dog"], "a")
    with pytest.raises(InputError, match="no sentences are given"):
        sentence_vectors([], words)
    with pytest.raises(InputError, match="no texts are given to take token"):
        sif_weights([" "])
    two = SentenceVectors(np.zeros((2, 2), np.float32), np.ones(2, bool), 2, 2)
    with pytest.raises(InputError, match="1 source and 2 target sentences"):
        score(sentence_vectors(["cat"], words), two)


# ---- reading


def test_reading(tmp_path):
    (tmp_path / "tatoeba.deu-eng.deu").write_text("Die Katze.\r\nEr a\u2028schläft.\n", encoding="utf-8", newline="")
    (tmp_path / "tatoeba.deu-eng.eng").write_text("The cat.\nHe sleeps.", encoding="utf-8")
    found = read_tatoeba(tmp_path, "deu")
    assert found.src == ["Die Katze.", "Er a\u2028schläft."]
    assert found.trg == ["The cat.", "He sleeps."]
    assert len(found) == 2
    with pytest.raises(InputError, match=r"tatoeba\.fra-eng\.fra: no such file"):
        read_tatoeba(tmp_path, "fra")


def test_unusable_files(tmp_path):
    paths = [tmp_path / name for name in ("a", "b", "empty", "gap", "bytes")]
    contents = [b"one\ntwo\n", b"eins\n", b"", b"one\n \n", b"one\n\xff\n"]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"b: has 1 sentences, .*a has 2: give parallel files"):
        read_parallel(paths[0], paths[1])
    with pytest.raises(InputError, match="empty: holds no sentences"):
        read_parallel(paths[2], paths[0])
    with pytest.raises(InputError, match="gap:2: is empty: a sentence a line is needed"):
        read_parallel(paths[0], paths[3])
    with pytest.raises(InputError, match="bytes:2: is not valid UTF-8"):
        read_parallel(paths[0], paths[4])
