from __future__ import annotations

import numpy as np
import pytest
import reference

from xlembed import retrieval
from xlembed.errors import InputError
from xlembed.normalize import unit
from xlembed.retrieval import key_bias
from xlembed.search import numpy_search
from xlembed.search.numpy_search import topk


@pytest.fixture
def spaces():
    """Unit rows, one word of each side zero, and hubs: key 3 lies near the mean of the queries."""
    rng = np.random.default_rng(0)
    queries = rng.normal(size=(40, 6)) + 0.5
    keys = rng.normal(size=(60, 6)) + 0.3
    keys[3] = queries.mean(axis=0)
    queries[7] = keys[9] = 0
    return unit(queries.astype(np.float32)), unit(keys.astype(np.float32))


@pytest.mark.parametrize("block_numbers", [1 << 25, 100])
def test_csls_ranks_like_its_full_definition(spaces, monkeypatch, block_numbers):
    monkeypatch.setattr(numpy_search, "_BLOCK_NUMBERS", block_numbers)
    queries, keys = spaces
    table = reference.csls(queries, keys)
    found = topk(queries, keys, len(keys), key_bias("csls", queries, keys))
    rows = [row for row in range(len(queries)) if row != 7]  # the zero query ties with itself alone
    np.testing.assert_array_equal(found.indices[rows], reference.topk(table, len(keys))[rows])
    hub = (topk(queries, keys, 1).indices == 3).sum()
    assert (found.indices[:, 0] == 3).sum() < hub, "CSLS must lower the hub"


def test_csls_scores_are_the_definition_up_to_the_query(spaces):
    """2 (cos(x, y) - r_S(y) / 2) = CSLS(x, y) + r_T(x)."""
    queries, keys = spaces
    ours = 2 * (queries @ keys.T + key_bias("csls", queries, keys))
    per_query = ours - reference.csls(queries, keys)
    np.testing.assert_allclose(per_query, np.broadcast_to(per_query[:, :1], per_query.shape), atol=2e-6)
    cos = reference.cosines(queries, keys)
    r_trg = [np.mean(sorted(row, reverse=True)[: retrieval.CSLS_K]) for row in cos]
    np.testing.assert_allclose(per_query[:, 0], r_trg, atol=2e-6)


def test_fewer_queries_than_the_neighbourhood(spaces):
    queries, keys = spaces
    few = queries[:3]
    table = reference.csls(few, keys)
    found = topk(few, keys, 60, key_bias("csls", few, keys))
    np.testing.assert_array_equal(found.indices, reference.topk(table, 60))


def test_nn_adds_nothing(spaces):
    assert key_bias("nn", *spaces) is None


@pytest.mark.parametrize("criterion", ["CSLS", "cosine", ""])
def test_unknown_criterion(spaces, criterion):
    with pytest.raises(InputError, match=f"unknown retrieval '{criterion}': choose csls, nn, isf"):
        key_bias(criterion, *spaces)
