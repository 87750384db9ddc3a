"""How alike two spaces are in shape, before one aligns them: what a rotation can reach at best shows in their own
distances, graphs and spectra.

Every measure is taken on the n most frequent words of each side, normalised alike, and is blind to rotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xlembed.errors import InputError
from xlembed.lexicon import Lexicon, cover, identical_strings
from xlembed.normalize import UNIT_CENTER_UNIT, normalize, unit
from xlembed.search.base import backend
from xlembed.types import Floats1d, Floats2d, Ints1d, Ints2d
from xlembed.vectors import WordVectors

N_WORDS = 5000
ENERGY = 0.9
MAX_PAIRS = 5000
_BLOCK_NUMBERS = 1 << 24


@dataclass(frozen=True)
class Spectrum:
    """What the singular values of one space say."""

    condition_number: float  # first by last
    effective_rank: int
    effective_condition_number: float  # first by the one at the effective rank


@dataclass(frozen=True)
class IsometryScores:
    """Distances are 0 for a rotated copy and grow from there; relational similarity is 1 and falls.

    econd_hm and cond_hm are not distances but levels: how ill-conditioned the two spaces are together, lower is
    better. Figures are comparable between pairs with the same n and normalisation alone.
    """

    n_words: int
    eigenvector_similarity: float  # a distance, in spite of its name
    gromov_hausdorff: float
    singular_value_gap: float
    cond_hm: float
    econd_hm: float
    src_spectrum: Spectrum
    trg_spectrum: Spectrum
    relational_similarity: float | None = None  # None without translation pairs
    n_pairs: int = 0
    lexicon: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def isometry(
    src: WordVectors,
    trg: WordVectors,
    lexicon: Lexicon | None = None,
    n: int = N_WORDS,
    n_neighbors: int = 1,
    steps: Sequence[str] = UNIT_CENTER_UNIT,
) -> IsometryScores:
    """All measures for two spaces as read; the smaller vocabulary cuts n.

    Relational similarity takes the lexicon's pairs, or the words that both sides write alike where there is none.
    Raises InputError for fewer than 3 words, and for a lexicon with fewer than 3 covered pairs.
    """
    n = min(n, len(src), len(trg))
    if n < 3:
        raise InputError(f"{n} words a side are too few to compare two spaces: at least 3 are needed")
    src, trg = normalize(src, steps), normalize(trg, steps)
    src_matrix, trg_matrix = src.matrix[:n], trg.matrix[:n]
    src_values, trg_values = singular_values(src_matrix), singular_values(trg_matrix)
    src_spectrum, trg_spectrum = spectrum(src_values), spectrum(trg_values)
    pairs, name = _pairs(src, trg, lexicon)
    return IsometryScores(
        n_words=n,
        eigenvector_similarity=eigenvector_similarity(src_matrix, trg_matrix, n_neighbors),
        gromov_hausdorff=gromov_hausdorff(src_matrix, trg_matrix),
        singular_value_gap=singular_value_gap(src_values, trg_values),
        cond_hm=_harmonic_mean(src_spectrum.condition_number, trg_spectrum.condition_number),
        econd_hm=_harmonic_mean(src_spectrum.effective_condition_number, trg_spectrum.effective_condition_number),
        src_spectrum=src_spectrum,
        trg_spectrum=trg_spectrum,
        relational_similarity=None if pairs is None else relational_similarity(src.matrix, trg.matrix, pairs),
        n_pairs=0 if pairs is None else len(pairs),
        lexicon=name,
    )


# ---- graphs


def eigenvector_similarity(src: Floats2d, trg: Floats2d, n_neighbors: int = 1) -> float:
    """Delta = sum over i <= k of (lambda_1i - lambda_2i)^2, largest eigenvalues of the Laplacians L = D - A first.

    Søgaard et al. 2018 ("On the Limitations of Unsupervised Bilingual Dictionary Induction"): A joins words of which
    one is the other's nearest neighbour; k is the smaller of the two numbers of eigenvalues that make up 90 % of their
    sum. Rows are normalised, (n_words, dim). With one neighbour a word the graphs fall apart into small components,
    which are decomposed one by one; with more neighbours the cost grows as n_words^3.
    """
    src_values, trg_values = laplacian_eigenvalues(src, n_neighbors), laplacian_eigenvalues(trg, n_neighbors)
    k = min(_n_for_energy(src_values), _n_for_energy(trg_values))
    return float(np.square(src_values[:k] - trg_values[:k]).sum())


def laplacian_eigenvalues(matrix: Floats2d, n_neighbors: int = 1) -> Floats1d:
    """Eigenvalues of the neighbour graph's Laplacian, largest first, (n_words,)."""
    edges = neighbor_edges(matrix, n_neighbors)
    values = [_component_eigenvalues(nodes, part) for nodes, part in _components(len(matrix), edges)]
    return np.sort(np.concatenate(values))[::-1]


def neighbor_edges(matrix: Floats2d, n_neighbors: int) -> Ints2d:
    """Pairs (lower row, higher row) of which one is among the other's nearest by cosine, each once, (n_edges, 2)."""
    rows = np.ascontiguousarray(unit(matrix), dtype=np.float32)
    found = backend().topk(rows, rows, n_neighbors + 1).indices  # a word may be its own nearest, or a copy of it
    own = np.arange(len(rows))[:, None]
    is_other = found != own
    is_other[is_other.all(axis=1), -1] = False  # the word itself was not found: one neighbour too many
    ends = np.column_stack([np.broadcast_to(own, found.shape)[is_other], found[is_other]])
    return np.unique(np.sort(ends, axis=1), axis=0)


def _components(n_nodes: int, edges: Ints2d) -> list[tuple[Ints1d, Ints2d]]:
    """Nodes and edges of each connected component; a union-find with the lower root kept."""
    parent = list(range(n_nodes))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in edges.tolist():
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    roots = np.array([root(node) for node in range(n_nodes)])
    nodes, edges = np.argsort(roots, kind="stable"), edges[np.argsort(roots[edges[:, 0]], kind="stable")]
    _, n_in = np.unique(roots, return_counts=True)
    cuts = np.cumsum(n_in)[:-1]
    edge_cuts = np.searchsorted(roots[edges[:, 0]], np.unique(roots)[1:])
    return list(zip(np.split(nodes, cuts), np.split(edges, edge_cuts), strict=True))


def _component_eigenvalues(nodes: Ints1d, edges: Ints2d) -> Floats1d:
    ends = np.searchsorted(nodes, edges)  # nodes are ascending
    laplacian = np.zeros((len(nodes), len(nodes)))
    laplacian[ends[:, 0], ends[:, 1]] = laplacian[ends[:, 1], ends[:, 0]] = -1
    np.fill_diagonal(laplacian, -laplacian.sum(axis=1))
    return np.linalg.eigvalsh(laplacian)


def _n_for_energy(values: Floats1d, energy: float = ENERGY) -> int:
    """The least number of the largest values that make up `energy` of the sum."""
    return int(np.searchsorted(np.cumsum(values), energy * values.sum() * (1 - 1e-12))) + 1


# ---- distances


def gromov_hausdorff(src: Floats2d, trg: Floats2d) -> float:
    """Bottleneck distance of the persistence diagrams of both spaces' first-order Vietoris-Rips complexes.

    Patra et al. 2019 ("Bilingual Lexicon Induction with Semi-supervision in Non-Isometric Embedding Spaces"): at scale
    t the complex joins rows at Euclidean distance <= t. The diagrams of its connected components bound the
    Gromov-Hausdorff distance from below, d_B <= 2 d_GH (Chazal et al. 2009). All components are born at 0 and die
    where the minimum spanning tree joins them.
    """
    return bottleneck(component_deaths(src), component_deaths(trg))


def component_deaths(matrix: Floats2d) -> Floats1d:
    """Scales at which single linkage joins two components, descending, (n_words - 1,).

    The edges of the minimum spanning tree (Prim 1957), a row of distances at a time.
    """
    rows = matrix.astype(np.float64)
    squares = np.einsum("ij,ij->i", rows, rows)
    nearest = np.full(len(rows), np.inf)  # squared distance to the tree
    deaths = np.empty(max(len(rows) - 1, 0))
    newest = 0
    for step in range(len(deaths)):
        nearest[newest] = np.nan  # in the tree
        nearest = np.minimum(nearest, squares + squares[newest] - 2 * (rows @ rows[newest]))
        newest = int(np.nanargmin(nearest))
        deaths[step] = nearest[newest]
    return np.sqrt(np.maximum(np.sort(deaths)[::-1], 0))


def bottleneck(src_deaths: Floats1d, trg_deaths: Floats1d) -> float:
    """Bottleneck distance of two diagrams whose points (0, death) are given by their deaths.

    The least c such that the points can be matched within c, or with the diagonal, which lies death / 2 away
    (Edelsbrunner and Harer 2010). On a line some best matching pairs the m largest of both sides in
    order and leaves the rest to the diagonal: c = min over m of max(|a_1 - b_1|, ..., |a_m - b_m|, a_{m+1} / 2,
    b_{m+1} / 2).
    """
    size = max(len(src_deaths), len(trg_deaths)) + 1
    src, trg = np.zeros(size), np.zeros(size)
    src[: len(src_deaths)] = np.sort(src_deaths)[::-1]
    trg[: len(trg_deaths)] = np.sort(trg_deaths)[::-1]
    matched = np.maximum.accumulate(np.concatenate([[0.0], np.abs(src - trg)[:-1]]))  # of the m largest, m = 0 ...
    return float(np.maximum(matched, np.maximum(src, trg) / 2).min())


def relational_similarity(src: Floats2d, trg: Floats2d, pairs: Ints2d) -> float:
    """Pearson's correlation of cos(x_i, x_j) and cos(y_i, y_j) over all i < j of the pairs (x_i, y_i).

    Vulić et al. 2020 ("Are All Good Word Vector Spaces Isomorphic?", RSIM). 0 where all cosines of one
    side are alike. Pairs are rows of both sides, (n_pairs, 2).
    """
    left = unit(src[pairs[:, 0]].astype(np.float64))
    right = unit(trg[pairs[:, 1]].astype(np.float64))
    n_cosines = len(pairs) * (len(pairs) - 1) / 2
    means = [(np.square(rows.sum(axis=0)).sum() - np.square(rows).sum()) / 2 / n_cosines for rows in (left, right)]
    products = np.zeros(3)  # xx, yy, xy of the centred cosines
    step = max(1, _BLOCK_NUMBERS // len(pairs))
    for start in range(0, len(pairs), step):
        is_later = np.arange(len(pairs)) > np.arange(start, min(start + step, len(pairs)))[:, None]
        x = (left[start : start + step] @ left.T - means[0])[is_later]
        y = (right[start : start + step] @ right.T - means[1])[is_later]
        products += x @ x, y @ y, x @ y
    scale = np.sqrt(products[0] * products[1])
    return float(products[2] / scale) if scale > 1e-12 * n_cosines else 0.0


def _pairs(src: WordVectors, trg: WordVectors, lexicon: Lexicon | None) -> tuple[Ints2d | None, str | None]:
    """Rows of translation pairs, one a word on both sides, the first of the lexicon; and the lexicon's name."""
    given = lexicon
    if lexicon is None:
        try:
            lexicon = identical_strings(src, trg)
        except InputError:  # no word in common
            return None, None
    rows = cover(lexicon, src, trg).rows
    for side in (0, 1):
        rows = rows[np.sort(np.unique(rows[:, side], return_index=True)[1])]
    if len(rows) >= 3:
        return rows[:MAX_PAIRS], lexicon.name
    if given is None:
        return None, None
    raise InputError(f"{lexicon.name}: {len(rows)} pairs with vectors and words of their own are too few to compare "
                     "relations: at least 3 are needed")


# ---- spectra


def singular_values(matrix: Floats2d) -> Floats1d:
    """Singular values above rounding, largest first; raises InputError where there is none."""
    values: Floats1d = np.linalg.svd(matrix.astype(np.float64), compute_uv=False)
    values = values[values > values[0] * max(matrix.shape) * np.finfo(np.float32).eps]
    if not len(values):
        raise InputError("all vectors are zero after normalisation: no space to compare")
    return values


def spectrum(values: Floats1d) -> Spectrum:
    """kappa = s_1 / s_d; r* = floor(exp(H)), H the entropy of s_i / sum s; kappa_eff = s_1 / s_{r*}.

    Dubossarsky et al. 2020 ("The Secret is in the Spectra"); effective rank: Roy and Vetterli 2007.
    """
    shares = values / values.sum()
    rank = int(np.exp(-(shares * np.log(shares)).sum()) * (1 + 1e-12))
    return Spectrum(float(values[0] / values[-1]), rank, float(values[0] / values[rank - 1]))


def singular_value_gap(src_values: Floats1d, trg_values: Floats1d) -> float:
    """SVG = sum over i of (log s_1i - log s_2i)^2 (Dubossarsky et al. 2020), over the values that both sides have."""
    d = min(len(src_values), len(trg_values))
    return float(np.square(np.log(src_values[:d]) - np.log(trg_values[:d])).sum())


def _harmonic_mean(one: float, other: float) -> float:
    """COND-HM and ECOND-HM: 2 kappa_1 kappa_2 / (kappa_1 + kappa_2) (Dubossarsky et al. 2020)."""
    return 2 * one * other / (one + other)
