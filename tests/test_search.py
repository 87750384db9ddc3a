from __future__ import annotations

import numpy as np
import pytest
import reference

from xlembed.search import numpy_search
from xlembed.search.numpy_search import best_ranks, mean_topk, topk


def integers(n_rows: int, dim: int, seed: int) -> np.ndarray:
    """Small whole numbers: products are exact, and ties are many."""
    return np.random.default_rng(seed).integers(-2, 3, size=(n_rows, dim)).astype(np.float32)


@pytest.fixture(params=["one block", "row by row", "blocks of three"])
def blocks(request, monkeypatch):
    """The same answers are needed however the queries are cut (23 keys below)."""
    if request.param != "one block":
        size = {"row by row": 1, "blocks of three": 3 * 23 + 5}[request.param]
        monkeypatch.setattr(numpy_search, "_BLOCK_NUMBERS", size)


@pytest.mark.parametrize("k", [1, 2, 5, 22, 23, 24, 1000])
@pytest.mark.parametrize("biased", [False, True])
def test_topk_with_ties(blocks, k, biased):
    queries, keys = integers(10, 3, 0), integers(23, 3, 1)
    bias = integers(1, 23, 2)[0] / 2 if biased else None
    table = queries @ keys.T + (bias if biased else 0)
    expected = reference.topk(table, k)
    found = topk(queries, keys, k, bias)
    assert found.indices.shape == found.scores.shape == (10, min(k, 23))
    np.testing.assert_array_equal(found.indices, expected)
    np.testing.assert_array_equal(found.scores, np.take_along_axis(table, expected, axis=1))
    assert (np.sort(table, axis=1)[:, -2] == table.max(axis=1)).any(), "no tie was tested"


def test_topk_of_real_numbers(blocks):
    rng = np.random.default_rng(0)
    queries, keys = (rng.normal(size=(n, 8)).astype(np.float32) for n in (17, 200))
    bias = rng.normal(size=200).astype(np.float32)
    table = queries.astype(np.float64) @ keys.T.astype(np.float64) + bias
    found = topk(queries, keys, 10, bias)
    expected = reference.topk(table, 10)
    np.testing.assert_array_equal(found.indices, expected)
    np.testing.assert_allclose(found.scores, np.take_along_axis(table, expected, axis=1), atol=1e-5)
    assert found.scores.dtype == np.float32


def test_all_keys_alike_come_by_index(blocks):
    found = topk(np.ones((4, 2), np.float32), np.ones((23, 2), np.float32), 6)
    assert found.indices.tolist() == [[0, 1, 2, 3, 4, 5]] * 4
    assert found.scores.tolist() == [[2.0] * 6] * 4


def test_ties_at_the_last_place_go_to_the_lower_index():
    keys = np.array([[1], [3], [2], [2], [3], [2]], dtype=np.float32)
    found = topk(np.ones((1, 1), np.float32), keys, 3)
    assert found.indices.tolist() == [[1, 4, 2]]
    assert topk(np.ones((1, 1), np.float32), keys, 1).indices.tolist() == [[1]]


def test_zero_vectors():
    keys = np.array([[0, 0], [1, 0], [-1, 0], [0, 0]], dtype=np.float32)
    queries = np.array([[0, 0], [1, 0]], dtype=np.float32)
    found = topk(queries, keys, 4)
    assert found.indices.tolist() == [[0, 1, 2, 3], [1, 0, 3, 2]]
    assert found.scores.tolist() == [[0, 0, 0, 0], [1, 0, 0, -1]]


def test_one_row_and_no_row():
    one = np.array([[2.0, 1.0]], dtype=np.float32)
    found = topk(one, one, 10)
    assert (found.indices.tolist(), found.scores.tolist()) == ([[0]], [[5.0]])
    none = topk(one[:0], one, 10)
    assert none.indices.shape == none.scores.shape == (0, 1)


def test_inputs_are_left_alone():
    queries, keys, bias = integers(4, 3, 0), integers(23, 3, 1), integers(1, 23, 2)[0]
    copies = [array.copy() for array in (queries, keys, bias)]
    topk(queries, keys, 3, bias)
    mean_topk(queries, keys, 3)
    best_ranks(queries, keys, [[1]] * 4, bias)
    for array, copy in zip((queries, keys, bias), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("k", [1, 4, 23, 99])
def test_mean_topk(blocks, k):
    queries, keys = integers(10, 3, 3), integers(23, 3, 4)
    expected = [np.mean(sorted(row, reverse=True)[:k]) for row in queries @ keys.T]
    np.testing.assert_allclose(mean_topk(queries, keys, k), expected, rtol=1e-6)


@pytest.mark.parametrize("biased", [False, True])
def test_best_ranks_with_ties(blocks, biased):
    queries, keys = integers(10, 3, 5), integers(23, 3, 6)
    bias = integers(1, 23, 7)[0] / 2 if biased else None
    rng = np.random.default_rng(8)
    gold = [rng.choice(23, size=size, replace=False).tolist() for size in (1, 1, 1, 2, 2, 3, 5, 10, 22, 23)]
    table = queries @ keys.T + (bias if biased else 0)
    expected = [reference.best_rank(row, wanted) for row, wanted in zip(table, gold, strict=True)]
    assert best_ranks(queries, keys, gold, bias).tolist() == expected
    assert expected[-1] == 1 and max(expected) > 5


def test_best_rank_of_ties_alone():
    queries, keys = np.zeros((3, 2), np.float32), np.ones((5, 2), np.float32)
    assert best_ranks(queries, keys, [[0], [4], [3, 2]]).tolist() == [1, 5, 3]
