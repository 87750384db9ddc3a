from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import reference

from xlembed.errors import InputError
from xlembed.isometry import (
    bottleneck,
    component_deaths,
    eigenvector_similarity,
    gromov_hausdorff,
    isometry,
    laplacian_eigenvalues,
    neighbor_edges,
    relational_similarity,
    singular_value_gap,
    singular_values,
    spectrum,
)
from xlembed.lexicon import Lexicon
from xlembed.normalize import unit
from xlembed.vectors import WordVectors


def random_rows(n: int, dim: int, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, dim)) * np.linspace(2, 0.3, dim)).astype(np.float32)


# ---- slow obvious versions


def naive_laplacian(matrix: np.ndarray, n_neighbors: int) -> np.ndarray:
    cos = reference.cosines(matrix, matrix)
    n = len(matrix)
    adjacency = np.zeros((n, n))
    for i in range(n):
        others = [j for j in reference.order(cos[i].astype(np.float32)) if j != i]
        for j in others[:n_neighbors]:
            adjacency[i, j] = adjacency[j, i] = 1
    return np.diag(adjacency.sum(axis=1)) - adjacency


def naive_eigenvector_similarity(src: np.ndarray, trg: np.ndarray, n_neighbors: int) -> float:
    spectra = [sorted(np.linalg.eigvals(naive_laplacian(m, n_neighbors)).real, reverse=True) for m in (src, trg)]
    ks = []
    for values in spectra:
        k = 1
        while sum(values[:k]) < 0.9 * sum(values) - 1e-9:
            k += 1
        ks.append(k)
    return sum((a - b) ** 2 for a, b in zip(spectra[0][: min(ks)], spectra[1][: min(ks)], strict=True))


def naive_deaths(matrix: np.ndarray) -> list[float]:
    """Kruskal: edges by length, one death each time two components meet."""
    n = len(matrix)
    wide = matrix.astype(np.float64)
    edges = sorted((np.linalg.norm(wide[i] - wide[j]), i, j) for i in range(n) for j in range(i))
    component = list(range(n))
    deaths = []
    for length, i, j in edges:
        if component[i] != component[j]:
            deaths.append(length)
            component = [component[i] if c == component[j] else c for c in component]
    return deaths[::-1]


def naive_bottleneck(src: list[float], trg: list[float]) -> float:
    """All matchings: every point goes to a point of the other side or to the diagonal."""
    best = np.inf
    left = [("point", value) for value in src] + [("diagonal", 0.0)] * len(trg)
    right = [("point", value) for value in trg] + [("diagonal", 0.0)] * len(src)
    for order in itertools.permutations(right):
        cost = 0.0
        for (kind, a), (other, b) in zip(left, order, strict=True):
            if kind == other == "point":
                cost = max(cost, abs(a - b))
            else:
                cost = max(cost, max(a, b) / 2)
        best = min(best, cost)
    return best


# ---- against them, and against scipy


@pytest.mark.parametrize("n_neighbors", [1, 3])
def test_eigenvector_similarity_equals_the_reference(n_neighbors):
    src, trg = random_rows(40, 5), random_rows(40, 6, seed=1)
    found = eigenvector_similarity(src, trg, n_neighbors)
    assert found == pytest.approx(naive_eigenvector_similarity(src, trg, n_neighbors), abs=1e-8)
    assert found > 0.1


def test_laplacian_equals_scipy():
    csgraph = pytest.importorskip("scipy.sparse.csgraph")
    matrix = random_rows(60, 4)
    adjacency = np.zeros((60, 60))
    rows, columns = neighbor_edges(matrix, 2).T
    adjacency[rows, columns] = adjacency[columns, rows] = 1
    expected = np.linalg.eigvalsh(csgraph.laplacian(adjacency))[::-1]
    assert laplacian_eigenvalues(matrix, 2) == pytest.approx(expected, abs=1e-9)


def test_edges_of_a_word_and_its_copies():
    """Four copies of one vector: a word's own row need not be among its nearest."""
    matrix = np.vstack([np.ones((4, 2)), [[1, -1]]]).astype(np.float32)
    assert neighbor_edges(matrix, 1).tolist() == [[0, 1], [0, 2], [0, 3], [0, 4]]
    assert neighbor_edges(matrix, 10).tolist() == [[i, j] for i in range(5) for j in range(i + 1, 5)]


def test_deaths_equal_the_reference_and_scipy():
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy")
    matrix = random_rows(50, 4)
    found = component_deaths(matrix)
    assert found == pytest.approx(naive_deaths(matrix), abs=1e-7)
    linkage = hierarchy.linkage(matrix.astype(np.float64), method="single")
    assert found == pytest.approx(linkage[::-1, 2], abs=1e-7)


def test_deaths_of_a_zero_vector_and_of_copies():
    matrix = np.array([[1, 0], [1, 0], [0, 0], [0, 1]], dtype=np.float32)
    assert component_deaths(matrix) == pytest.approx([1, 1, 0])
    assert len(component_deaths(matrix[:1])) == 0


@pytest.mark.parametrize("seed", range(40))
def test_bottleneck_equals_all_matchings(seed):
    rng = np.random.default_rng(seed)
    src, trg = ((10 * rng.random(rng.integers(0, 5)) ** 3).tolist() for _ in range(2))
    assert bottleneck(src, trg) == pytest.approx(naive_bottleneck(src, trg), abs=1e-12)


def test_bottleneck_by_hand():
    assert bottleneck([3, 1], [3, 1]) == 0
    assert bottleneck([10, 1], [4, 1]) == 5  # 10 goes to the diagonal, and so does 4
    assert bottleneck([10], [9, 1]) == 1  # 10 to 9, 1 to the diagonal


def test_relational_similarity_equals_scipy(monkeypatch):
    stats = pytest.importorskip("scipy.stats")
    src, trg = random_rows(30, 5), random_rows(40, 7, seed=1)
    pairs = np.random.default_rng(0).integers(30, size=(25, 2))
    cosines = [reference.cosines(m[rows], m[rows]) for m, rows in zip((src, trg), pairs.T, strict=True)]
    above = np.triu_indices(len(pairs), k=1)
    expected = stats.pearsonr(cosines[0][above], cosines[1][above]).statistic
    assert relational_similarity(src, trg, pairs) == pytest.approx(expected, abs=1e-9)
    monkeypatch.setattr("xlembed.isometry._BLOCK_NUMBERS", 60)
    assert relational_similarity(src, trg, pairs) == pytest.approx(expected, abs=1e-9)


def test_spectra_by_the_formulas():
    src, trg = random_rows(60, 6), random_rows(60, 5, seed=1)
    values = [np.sqrt(np.sort(np.linalg.eigvals(m.T.astype(float) @ m).real)[::-1]) for m in (src, trg)]
    expected = sum((np.log(a) - np.log(b)) ** 2 for a, b in zip(values[0], values[1], strict=False))
    found = [singular_values(m) for m in (src, trg)]
    assert singular_value_gap(*found) == pytest.approx(expected, rel=1e-5)
    entropy = -sum(v / sum(values[0]) * np.log(v / sum(values[0])) for v in values[0])
    one = spectrum(found[0])
    assert one.effective_rank == int(np.floor(np.exp(entropy))) < 6
    assert one.effective_condition_number == pytest.approx(values[0][0] / values[0][one.effective_rank - 1])
    assert one.condition_number == pytest.approx(np.linalg.cond(src), rel=1e-4)


def test_spectrum_of_a_flat_space():
    """Equal singular values: full effective rank in spite of rounding, condition number 1."""
    found = spectrum(singular_values(np.eye(7, dtype=np.float32)))
    assert (found.effective_rank, found.condition_number, found.effective_condition_number) == (7, 1, 1)


# ---- properties


def test_a_rotated_copy_is_isometric(rotated_pair):
    rotated = rotated_pair.src.transformed(lambda matrix: matrix.astype(np.float64) @ rotated_pair.rotation)
    trg = WordVectors(rotated_pair.trg.words, rotated.matrix)
    found = isometry(rotated_pair.src, trg, rotated_pair.lexicon)
    assert found.eigenvector_similarity == pytest.approx(0, abs=1e-9)
    assert found.gromov_hausdorff == pytest.approx(0, abs=1e-6)
    assert found.singular_value_gap == pytest.approx(0, abs=1e-6)
    assert found.relational_similarity == pytest.approx(1, abs=1e-6)
    assert found.cond_hm == pytest.approx(found.src_spectrum.condition_number, rel=1e-4)
    assert found.econd_hm == pytest.approx(found.trg_spectrum.effective_condition_number, rel=1e-4)
    assert (found.n_words, found.n_pairs, found.lexicon) == (300, 300, "hidden")


def test_rotating_one_side_changes_nothing(noisy_pair):
    plain = isometry(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon)
    turned = noisy_pair.src.transformed(lambda matrix: matrix.astype(np.float64) @ noisy_pair.rotation)
    found = isometry(turned, noisy_pair.trg, noisy_pair.lexicon)
    for name, value in plain.as_json().items():
        if isinstance(value, float):
            assert getattr(found, name) == pytest.approx(value, rel=1e-4, abs=1e-6)
    assert 0.2 < plain.relational_similarity < 0.99
    assert plain.gromov_hausdorff > 0.001


def test_direction_is_irrelevant(noisy_pair):
    one = isometry(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon).as_json()
    other = isometry(noisy_pair.trg, noisy_pair.src, noisy_pair.lexicon.reversed()).as_json()
    for name, value in one.items():
        if isinstance(value, float):
            assert other[name] == pytest.approx(value, rel=1e-9)


def test_more_noise_is_less_alike(noisy_pair):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=noisy_pair.src.matrix.shape)
    relations = []
    for amount in (0.1, 0.5, 2):
        trg = noisy_pair.trg.transformed(lambda _, amount=amount: noisy_pair.src.matrix + amount * noise)
        relations.append(isometry(noisy_pair.src, trg, noisy_pair.lexicon).relational_similarity)
    assert relations == sorted(relations, reverse=True)


# ---- edges


def test_without_a_lexicon_identical_strings_serve(noisy_pair):
    assert isometry(noisy_pair.src, noisy_pair.trg).relational_similarity is None
    alike = WordVectors(noisy_pair.src.words, noisy_pair.trg.matrix)
    found = isometry(noisy_pair.src, alike)
    assert found == isometry(noisy_pair.src, alike, Lexicon([(w, w) for w in alike.words], "identical strings"))
    assert found.n_pairs == 200
    two_alike = WordVectors(noisy_pair.src.words[:2] + noisy_pair.trg.words[2:], noisy_pair.trg.matrix)
    assert isometry(noisy_pair.src, two_alike).relational_similarity is None


def test_pairs_are_made_one_to_one(noisy_pair):
    pairs = noisy_pair.lexicon.pairs
    more = Lexicon([*pairs, ("s0", "t7"), ("s9", "t0"), ("s1", "nothing")], "more")
    found = isometry(noisy_pair.src, noisy_pair.trg, more)
    assert found.n_pairs == 200
    plain = isometry(noisy_pair.src, noisy_pair.trg, noisy_pair.lexicon)
    assert found.relational_similarity == plain.relational_similarity


def test_other_dims_and_sizes(noisy_pair):
    trg = WordVectors(noisy_pair.trg.words[:90], noisy_pair.trg.matrix[:90, :7])
    found = isometry(noisy_pair.src, trg, n=1000)
    assert found.n_words == 90
    assert isometry(noisy_pair.src, trg, n=50).n_words == 50
    json.dumps(found.as_json())


def test_too_few(noisy_pair):
    with pytest.raises(InputError, match="2 words a side are too few"):
        isometry(noisy_pair.src, noisy_pair.trg.top(2))
    with pytest.raises(InputError, match=r"^hidden: 2 pairs with vectors .* at least 3 are needed"):
        isometry(noisy_pair.src, noisy_pair.trg, Lexicon(noisy_pair.lexicon.pairs[:2], "hidden"))


def test_no_space_at_all():
    flat = WordVectors(list("abcd"), np.ones((4, 3), dtype=np.float32))
    with pytest.raises(InputError, match="all vectors are zero"):
        isometry(flat, flat)


def test_all_cosines_alike():
    """An orthogonal frame has no relations to compare: 0, not NaN."""
    eye = np.eye(4, dtype=np.float32)
    pairs = np.column_stack([np.arange(4), np.arange(4)])
    assert relational_similarity(eye, random_rows(4, 4), pairs) == 0
    assert gromov_hausdorff(eye, eye) == 0
