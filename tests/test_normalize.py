from __future__ import annotations

import numpy as np
import pytest

from xlembed.errors import InputError
from xlembed.normalize import UNIT_CENTER_UNIT, iterative, normalize, parse_steps, unit
from xlembed.vectors import WordVectors


def test_unit():
    matrix = np.array([[3, 4], [0, 0], [-1e-15, 0], [5, 0]], dtype=np.float32)
    before = matrix.copy()
    found = unit(matrix)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0], [-1, 0], [1, 0]], rtol=1e-6)
    np.testing.assert_array_equal(matrix, before)


def test_unit_of_one_row_and_of_none():
    assert unit(np.array([[0, 2]], dtype=np.float32)).tolist() == [[0, 1]]
    assert unit(np.empty((0, 4), dtype=np.float32)).shape == (0, 4)


def test_center(small_vectors):
    centred = normalize(small_vectors, ["center"])
    np.testing.assert_allclose(centred.matrix.mean(axis=0), np.zeros(5), atol=1e-6)
    np.testing.assert_allclose(
        centred.matrix[0] - centred.matrix[1], small_vectors.matrix[0] - small_vectors.matrix[1], atol=1e-6
    )


def test_steps_go_in_order(small_vectors):
    matrix = small_vectors.matrix.astype(np.float64)
    for step in UNIT_CENTER_UNIT:
        if step == "unit":
            matrix = matrix / np.sqrt((matrix**2).sum(axis=1, keepdims=True))
        else:
            matrix = matrix - matrix.mean(axis=0)
    np.testing.assert_allclose(normalize(small_vectors).matrix, matrix, atol=1e-6)
    other = normalize(small_vectors, ["center", "unit"]).matrix
    assert np.abs(other - matrix).max() > 1e-3


def test_no_steps_change_nothing(small_vectors):
    np.testing.assert_array_equal(normalize(small_vectors, []).matrix, small_vectors.matrix)


def test_composed_words_go_the_same_way(small_vectors):
    """A word in the vocabulary, composed, must come where its row does: it is centred by the vocabulary."""
    composing = WordVectors(
        small_vectors.words, small_vectors.matrix, lambda word: small_vectors.matrix[len(word)]
    )
    found = normalize(composing)
    np.testing.assert_allclose(found.compose("abc"), found.matrix[3], atol=1e-6)
    np.testing.assert_allclose(found.vector("xyz"), found.matrix[3], atol=1e-6)


def loud_vectors(n_words=200, compose=None):
    """Far from centred: most of a row is what all rows share."""
    rng = np.random.default_rng(1)
    matrix = (rng.normal(size=(n_words, 6)) * np.linspace(2, 0.2, 6) + 3).astype(np.float32)
    return WordVectors([str(i) for i in range(n_words)], matrix, compose and compose(matrix))


def test_iterative_has_unit_rows_and_mean_zero():
    found = normalize(loud_vectors(), ["iterative"]).matrix
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.ones(200), atol=1e-6)
    assert np.linalg.norm(found.mean(axis=0, dtype=np.float64)) < 2e-6
    once = normalize(loud_vectors()).matrix
    assert np.linalg.norm(once.mean(axis=0)) > 1e-3


def test_iterative_is_unit_and_center_in_turn():
    matrix = loud_vectors().matrix.astype(np.float64)
    for _ in range(5):
        matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
        matrix = matrix - matrix.mean(axis=0)
    matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    np.testing.assert_allclose(iterative(loud_vectors(), rounds=5).matrix, matrix, atol=1e-5)
    np.testing.assert_allclose(iterative(loud_vectors(), rounds=1).matrix, normalize(loud_vectors()).matrix, atol=1e-6)


def test_iterative_stops_where_both_hold():
    ready = normalize(loud_vectors(), ["iterative"])
    np.testing.assert_allclose(iterative(ready, tolerance=1e-5).matrix, ready.matrix, atol=1e-6)


def test_iterative_takes_composed_words_along():
    vectors = loud_vectors(compose=lambda matrix: lambda word: matrix[len(word)])
    found = normalize(vectors, ["iterative"])
    for length in (1, 3, 17):
        np.testing.assert_allclose(found.compose("x" * length), found.matrix[length], atol=1e-6)


@pytest.mark.parametrize("matrix", [
    [[1, 2]], [[1, 1], [1, 1]], [[0, 0], [3, 4]], [[0, 0], [0, 0]], [[1, 0], [-1, 0]],
])  # fmt: skip
def test_iterative_where_both_cannot_hold(matrix):
    vectors = WordVectors([str(i) for i in range(len(matrix))], np.array(matrix, dtype=np.float32))
    found = iterative(vectors).matrix
    assert np.isfinite(found).all()
    assert np.isin(np.linalg.norm(found, axis=1).round(5), [0, 1]).all()


def test_parse_steps():
    assert parse_steps("unit,center,unit") == UNIT_CENTER_UNIT
    assert parse_steps("center, unit") == ("center", "unit")
    assert parse_steps("none") == ()


@pytest.mark.parametrize("text", ["unit,whiten", "", "unit,", "None", "Unit"])
def test_unknown_step(small_vectors, text):
    with pytest.raises(InputError, match="unknown normalisation step .*: choose among unit, center, iterative"):
        normalize(small_vectors, parse_steps(text))
