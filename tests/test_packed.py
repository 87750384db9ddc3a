import numpy as np
import pytest

from xlembed.normalize import unit
from xlembed.search import by_cosine
from xlembed.search.base import BACKENDS, Neighbors, backend, using
from xlembed.search.packed import WORST, merge, nothing, packed, unpacked


def test_packed_neighbours_sort_by_score_then_index():
    scores = np.array([[0.5, 0.5, -0.0, 0.0, -1e-30, -3.0, np.inf, -np.inf, 2.0**-149]], dtype=np.float32)
    indices = np.array([[7, 6, 2**32 - 2, 5, 0, 1, 2, 3, 4]])
    found = packed(Neighbors(indices, scores), 1)
    again = unpacked(found)
    np.testing.assert_array_equal(again.scores, scores)
    np.testing.assert_array_equal(again.indices, indices + 1)
    assert np.argsort(found[0]).tolist() == np.lexsort((indices[0], -scores[0])).tolist()
    assert found.max() < WORST


def test_merging_keeps_the_best_of_all_in_any_order():
    rng = np.random.default_rng(0)
    parts = [packed(Neighbors(np.arange(6)[None, :], rng.integers(3, size=(1, 6)).astype(np.float32)), 6 * part)
             for part in range(4)]  # fmt: skip
    expected = np.sort(np.hstack(parts), axis=1)[:, :5]
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        best = nothing(1, 5)
        for part in order:
            merge(best, parts[part])
        np.testing.assert_array_equal(best, expected)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("rows_at_once", [1, 7, 1000])
def test_keys_made_unit_by_blocks(name, rows_at_once, monkeypatch):
    monkeypatch.setattr(by_cosine, "ROWS_AT_ONCE", rows_at_once)
    rng = np.random.default_rng(0)
    queries, keys = (rng.normal(size=(n, 6)).astype(np.float32) for n in (3, 40))
    keys[20:30] = 2 * keys[5]  # ties
    keys[33] = 0
    expected = backend(name).topk(unit(queries), unit(keys), 8)
    with using(name):
        found = by_cosine.topk_by_cosine(queries, keys, 8)
        assert by_cosine.topk_by_cosine(queries, keys, 50).indices.shape == (3, 40)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.scores, expected.scores)
