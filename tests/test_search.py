from __future__ import annotations

import numpy as np
import pytest
import reference

from xlembed.errors import InputError
from xlembed.retrieval import CRITERIA, key_biases
from xlembed.search import numba_search, numpy_search
from xlembed.search.base import BACKENDS, backend, choose, using
from xlembed.search.numpy_search import best_ranks


def integers(n_rows: int, dim: int, seed: int) -> np.ndarray:
    """Small whole numbers: products are exact, and ties are many."""
    return np.random.default_rng(seed).integers(-2, 3, size=(n_rows, dim)).astype(np.float32)


WAYS = ["numpy", "numpy row by row", "numpy blocks of three", "numba", "numba small tiles", "numba bfloat16",
        "numba torch", "torch"]  # fmt: skip
PRODUCTS = {"bfloat16": "half", "torch": "torch"}  # kinds of tiles that the size alone would not bring


@pytest.fixture(params=WAYS)
def topk(request, monkeypatch):
    """Every way to search; 23 keys below."""
    name, _, how = request.param.partition(" ")
    if how in ("row by row", "blocks of three"):
        monkeypatch.setattr(numpy_search, "_BLOCK_NUMBERS", {"row by row": 1, "blocks of three": 3 * 23 + 5}[how])
    if how in ("small tiles", *PRODUCTS):
        monkeypatch.setattr(numba_search, "TILE_ROWS", 3)
        monkeypatch.setattr(numba_search, "TILE_COLS", 70)
    if how in PRODUCTS:
        monkeypatch.setattr(numba_search, "_kind_of_products", lambda n: PRODUCTS[how])
    return backend(name).topk


@pytest.mark.parametrize("k", [1, 2, 5, 22, 23, 24, 1000])
@pytest.mark.parametrize("biased", [False, True])
def test_topk_with_ties(topk, k, biased):
    queries, keys = integers(10, 3, 0), integers(23, 3, 1)
    bias = integers(1, 23, 2)[0] / 2 if biased else None
    table = queries @ keys.T + (bias if biased else 0)
    expected = reference.topk(table, k)
    found = topk(queries, keys, k, bias)
    assert found.indices.shape == found.scores.shape == (10, min(k, 23))
    np.testing.assert_array_equal(found.indices, expected)
    np.testing.assert_array_equal(found.scores, np.take_along_axis(table, expected, axis=1))
    assert (np.sort(table, axis=1)[:, -2] == table.max(axis=1)).any(), "no tie was tested"


def test_topk_of_real_numbers(topk):
    rng = np.random.default_rng(0)
    queries, keys = (rng.normal(size=(n, 8)).astype(np.float32) for n in (17, 200))
    bias = rng.normal(size=200).astype(np.float32)
    table = queries.astype(np.float64) @ keys.T.astype(np.float64) + bias
    found = topk(queries, keys, 10, bias)
    expected = reference.topk(table, 10)
    np.testing.assert_array_equal(found.indices, expected)
    np.testing.assert_allclose(found.scores, np.take_along_axis(table, expected, axis=1), atol=1e-5)
    assert found.scores.dtype == np.float32


def test_all_keys_alike_come_by_index(topk):
    found = topk(np.ones((4, 2), np.float32), np.ones((23, 2), np.float32), 6)
    assert found.indices.tolist() == [[0, 1, 2, 3, 4, 5]] * 4
    assert found.scores.tolist() == [[2.0] * 6] * 4


def test_ties_at_the_last_place_go_to_the_lower_index(topk):
    keys = np.array([[1], [3], [2], [2], [3], [2]], dtype=np.float32)
    found = topk(np.ones((1, 1), np.float32), keys, 3)
    assert found.indices.tolist() == [[1, 4, 2]]
    assert topk(np.ones((1, 1), np.float32), keys, 1).indices.tolist() == [[1]]


def test_zero_vectors(topk):
    keys = np.array([[0, 0], [1, 0], [-1, 0], [0, 0]], dtype=np.float32)
    queries = np.array([[0, 0], [1, 0]], dtype=np.float32)
    found = topk(queries, keys, 4)
    assert found.indices.tolist() == [[0, 1, 2, 3], [1, 0, 3, 2]]
    assert found.scores.tolist() == [[0, 0, 0, 0], [1, 0, 0, -1]]


def test_one_row_and_no_row(topk):
    one = np.array([[2.0, 1.0]], dtype=np.float32)
    found = topk(one, one, 10)
    assert (found.indices.tolist(), found.scores.tolist()) == ([[0]], [[5.0]])
    none = topk(one[:0], one, 10)
    assert none.indices.shape == none.scores.shape == (0, 1)


def test_inputs_are_left_alone(topk):
    queries, keys, bias = integers(4, 3, 0), integers(23, 3, 1), integers(1, 23, 2)[0]
    copies = [array.copy() for array in (queries, keys, bias)]
    topk(queries, keys, 3, bias)
    best_ranks(queries, keys, [[1]] * 4, bias)
    for array, copy in zip((queries, keys, bias), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("biased", [False, True])
def test_best_ranks_with_ties(biased):
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


# ---- all backends, both directions


@pytest.fixture(params=["numpy", "numba", "numba bfloat16", "numba torch", "torch"])
def search(request, monkeypatch):
    name, _, half = request.param.partition(" ")
    if half:
        monkeypatch.setattr(numba_search, "_kind_of_products", lambda n: PRODUCTS[half])
    monkeypatch.setattr(numba_search, "TILE_ROWS", 100)
    monkeypatch.setattr(numba_search, "TILE_COLS", 192)
    return backend(name)


def spaces(n_src=301, n_trg=517, dim=20, seed=0, positive=0.3):
    """Unit rows with near-duplicates, exact duplicates and zero vectors among them."""
    rng = np.random.default_rng(seed)
    src, trg = (rng.normal(size=(n, dim)) + positive for n in (n_src, n_trg))
    trg[50:150] = trg[7] + rng.normal(scale=1e-4, size=(100, dim))  # closer than half precision can tell
    trg[150:280] = trg[8]  # more ties than any buffer of candidates holds
    src[11] = trg[20] = trg[21] = 0
    unit_rows = [m / np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-12) for m in (src, trg)]
    return [m.astype(np.float32) for m in unit_rows]


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("k", [1, 10])
def test_both_directions_are_those_of_the_whole_table(search, k, biased):
    src, trg = spaces()
    rng = np.random.default_rng(1)
    src_bias, trg_bias = (rng.normal(scale=0.2, size=len(m)).astype(np.float32) - 0.3 if biased else None
                          for m in (src, trg))  # fmt: skip
    table = src.astype(np.float64) @ trg.T.astype(np.float64)
    forward, backward = search.topk_both(src, trg, k, src_bias, trg_bias)
    for found, scores in (
        (forward, table + (trg_bias if biased else 0)),
        (backward, table.T + (src_bias if biased else 0)),
    ):
        scores = scores.astype(np.float32)
        expected = reference.topk(scores, k)
        np.testing.assert_array_equal(found.indices, expected)
        np.testing.assert_array_equal(found.scores, np.take_along_axis(scores, expected, axis=1))


@pytest.mark.parametrize("scale", [1e-4, 1e3])
def test_vectors_of_any_length_and_all_similarities_below_zero(search, scale):
    rng = np.random.default_rng(2)
    src, trg = (np.abs(rng.normal(size=(n, 12))).astype(np.float32) * scale for n in (130, 200))
    found, _ = search.topk_both(-src, trg, 5)
    expected = (-src.astype(np.float64) @ trg.T.astype(np.float64)).astype(np.float32)
    assert expected.max() < 0
    np.testing.assert_array_equal(found.indices, reference.topk(expected, 5))


def test_one_word_on_a_side(search):
    src, trg = spaces()
    forward, backward = search.topk_both(src[:1], trg, 3)
    assert forward.indices.shape == (1, 3) and backward.indices.tolist() == [[0]] * len(trg)
    forward, backward = search.topk_both(src[:0], trg, 3)
    assert forward.indices.shape == (0, 3) and backward.indices.shape == (len(trg), 0)


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch):
    src, trg = spaces(n_src=1000)
    monkeypatch.setattr(numba_search, "TILE_ROWS", 64)
    found = []
    for n in (1, 2, 7):
        monkeypatch.setattr(numba_search, "n_cores", lambda n=n: n)
        found.append(numba_search.topk_both(src, trg, 10))
    for forward, backward in found[1:]:
        for one, other in ((forward, found[0][0]), (backward, found[0][1])):
            np.testing.assert_array_equal(one.indices, other.indices)
            np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.compiled
def test_bfloat16_of_real_size_is_exact():
    """A fifth of a million similarities a row in the margin's reach: the buffers are compacted many times."""
    if not numba_search.has_bfloat16():
        pytest.skip("the processor has no products of bfloat16 numbers")
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(40, 64))
    src, trg = (centres[rng.integers(40, size=n)] + 0.7 * rng.normal(size=(n, 64)) for n in (900, 20_000))
    src, trg = ((m / np.linalg.norm(m, axis=1, keepdims=True)).astype(np.float32) for m in (src, trg))
    half = numba_search._search(src, trg, 10, 10, None, None, kind="half")
    plain = numpy_search.topk_both(src, trg, 10)
    for one, other in zip(half, plain, strict=True):
        np.testing.assert_array_equal(one.indices, other.indices)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_backends_by_name():
    assert {backend(name).__name__.rpartition(".")[2] for name in BACKENDS} == {f"{n}_search" for n in BACKENDS}
    with pytest.raises(InputError, match="unknown backend 'faiss': choose auto, numpy, numba, torch"):
        backend("faiss")


@pytest.mark.parametrize("kind", ["torch", "half"])
def test_torch_keeps_its_threads(kind):
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        src, trg = spaces()
        numba_search._search(src, trg, 3, 3, None, None, kind)
        numba_search.fastest_products.__wrapped__()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_the_kind_of_products_is_measured_where_it_matters(monkeypatch):
    fastest = numba_search.fastest_products()
    assert fastest in ("numpy", "torch", "half")
    monkeypatch.setattr(numba_search, "fastest_products", lambda: "measured")
    assert numba_search._kind_of_products(1 << 19) == "numpy"
    assert numba_search._kind_of_products(1 << 20) == "measured"  # torch is loaded here
    monkeypatch.delitem(numba_search.sys.modules, "torch")
    assert numba_search._kind_of_products(1 << 27) == "numpy"
    assert numba_search._kind_of_products(1 << 28) == "measured"


# ---- criteria on backends


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_is_the_same_on_every_backend(search, criterion, monkeypatch):
    """The same neighbours, and scores equal to the last bit."""
    src, trg = spaces()
    expected_biases = key_biases(criterion, src, trg)
    expected = numpy_search.topk_both(src, trg, 5, *expected_biases)
    with using(search.__name__.rpartition(".")[2].removesuffix("_search")):
        biases = key_biases(criterion, src, trg)
        found = backend().topk_both(src, trg, 5, *biases)
    for one, other in zip(biases, expected_biases, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.indices, other.indices)
        np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.parametrize("beta", [1.0, 30.0, 5000.0])
def test_logsumexp_against_scipy(search, beta, monkeypatch):
    from scipy.special import logsumexp

    for module in (numpy_search, numba_search):
        monkeypatch.setattr(module, "_BLOCK_NUMBERS", 10_000)  # blocks of 19 queries
    src, trg = spaces()
    table = beta * (src.astype(np.float64) @ trg.T.astype(np.float64))
    np.testing.assert_allclose(search.logsumexp(src, trg, beta), logsumexp(table, axis=1), rtol=1e-12)
    assert search.logsumexp(src[:0], trg, beta).shape == (0,)


def test_the_chosen_backend_is_what_searches():
    with using("torch"):
        assert backend().__name__.endswith("torch_search")
        with using("numpy"):
            assert backend().__name__.endswith("numpy_search")
        assert backend("numba").__name__.endswith("numba_search")
        assert backend().__name__.endswith("torch_search")
    with using("auto"):
        choose("numpy")
        assert backend().__name__.endswith("numpy_search")
    assert backend().__name__.endswith("numba_search")
    with pytest.raises(InputError, match="unknown backend 'faiss'"):
        choose("faiss")


def test_no_key_and_no_place(search):
    src, trg = spaces()
    for forward, backward in (search.topk_both(src, trg, 0), search.topk_both(src[:3], trg, 0)):
        assert forward.indices.shape[1] == backward.scores.shape[1] == 0
    assert search.topk(src, trg, 0).indices.shape == (len(src), 0)
    assert (search.logsumexp(src, trg[:0], 1.0) == -np.inf).all()
    with pytest.raises(InputError, match="k is -1, it cannot be negative"):
        search.topk(src, trg, -1)


def test_numbers_that_the_search_must_not_write_to(search, recwarn):
    src, trg = spaces()
    src.flags.writeable = trg.flags.writeable = False
    search.topk_both(src, trg, 3)
    assert [str(warning.message) for warning in recwarn if "writable" in str(warning.message)] == []


def test_great_numbers_per_key_that_leave_few_digits_for_similarities(search):
    """Most scores tie after rounding, and ties go to the lower index everywhere."""
    src, trg = spaces()
    bias = np.full(len(trg), -1e6, dtype=np.float32)
    found, expected = search.topk(src, trg, 10, bias), numpy_search.topk(src, trg, 10, bias)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.scores, expected.scores)
