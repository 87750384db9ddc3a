"""Least squares with a ridge, and canonical correlation analysis: linear maps in closed form."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from xlembed.alignment.base import LinearMapping
from xlembed.errors import InputError
from xlembed.lexicon import CoveredPairs, Lexicon, need_covered
from xlembed.normalize import UNIT_CENTER_UNIT, normalize
from xlembed.types import Floats1d, Floats2d
from xlembed.vectors import WordVectors

_RANK_TOLERANCE = 1e-7  # singular values below this share of the greatest are rounding


@dataclass(frozen=True)
class RidgeSettings:
    """`penalty` is lambda; 0 is plain least squares, which needs as many independent pairs as dimensions."""

    penalty: float = 1.0
    steps: tuple[str, ...] = UNIT_CENTER_UNIT

    def __post_init__(self) -> None:
        if not (math.isfinite(self.penalty) and self.penalty >= 0):
            raise InputError(f"penalty is {self.penalty}, a number from 0 up is needed")


@dataclass(frozen=True)
class CcaSettings:
    """`share` of the canonical dimensions is kept, best correlated first; each is weighed by its correlation to
    `power`. Faruqui & Dyer 2014 have share 0.5 and power 0, Ammar et al. 2016 share 1 and power 0; the correlations
    tell what the two sides share from noise, so weighing finds more translations.
    """

    share: float = 1.0
    power: float = 1.0
    steps: tuple[str, ...] = UNIT_CENTER_UNIT

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InputError(f"share is {self.share}, more than 0 and at most 1 is needed")
        if not (math.isfinite(self.power) and self.power >= 0):
            raise InputError(f"power is {self.power}, a number from 0 up is needed")


def ridge(src: Floats2d, trg: Floats2d, penalty: float) -> Floats2d:
    """The W (src dim, trg dim) that minimises || src W - trg ||_F^2 + penalty || W ||_F^2 for paired rows.

    Mikolov et al. 2013, equation 3 (penalty 0); Dinu et al. 2015 with the ridge: W = (X^T X + penalty I)^-1 X^T Z.
    Raises InputError where the rows do not determine W.
    """
    x, z = src.astype(np.float64), trg.astype(np.float64)
    u, sizes, vt = np.linalg.svd(x, full_matrices=False)
    rank = _rank(sizes)
    if penalty == 0 and rank < x.shape[1]:
        raise InputError(
            f"least squares: {len(x)} covered pairs determine {rank} of {x.shape[1]} dimensions: "
            "add pairs, or set a penalty above 0"
        )
    shrunk = sizes / (sizes**2 + penalty) if rank else np.zeros_like(sizes)
    weight: Floats2d = (vt.T * shrunk @ (u.T @ z)).astype(np.float32)
    return weight


def _rank(sizes: Floats1d) -> int:
    return int((sizes > _RANK_TOLERANCE * sizes.max(initial=0.0)).sum())


def cca(src: Floats2d, trg: Floats2d) -> tuple[Floats2d, Floats2d, Floats1d]:
    """Canonical directions of paired rows, (src dim, k) and (trg dim, k), and their correlations, falling.

    Hotelling 1936; Faruqui & Dyer 2014, section 2. With thin SVDs of the centred rows X = U1 S1 V1^T and
    Z = U2 S2 V2^T, and U1^T U2 = P C Q^T: A = V1 S1^-1 P sqrt(n), B = V2 S2^-1 Q sqrt(n), so that columns of X A and
    Z B have variance 1 and correlations C. k is the smaller rank of the two sides.
    """
    left, src_basis = _whitening(src)
    right, trg_basis = _whitening(trg)
    p, correlations, qt = np.linalg.svd(left.T @ right, full_matrices=False)
    root = math.sqrt(len(src))
    return root * src_basis @ p, root * trg_basis @ qt.T, np.minimum(correlations, 1.0)


def _whitening(matrix: Floats2d) -> tuple[Floats2d, Floats2d]:
    """Orthonormal columns that span the centred columns, (n, rank), and the matrix that makes them, (dim, rank)."""
    centred = matrix.astype(np.float64)
    centred = centred - centred.mean(axis=0)
    u, sizes, vt = np.linalg.svd(centred, full_matrices=False)
    rank = _rank(sizes)
    return u[:, :rank], vt[:rank].T / sizes[:rank]


def fit_ridge(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon, settings: RidgeSettings | None = None
) -> LinearMapping:
    """Map the source space onto the target space by least squares (trg_weight is the identity).

    The two dims may differ. Raises InputError where no pair is covered, or too few without a penalty.
    """
    settings, began = settings or RidgeSettings(), time.perf_counter()
    covered, x, z = covered_rows(src, trg, lexicon, settings.steps)
    weight = ridge(x, z, settings.penalty)
    loss = float(((x @ weight - z) ** 2).sum(axis=1, dtype=np.float64).mean())
    about = facts("ridge", lexicon, covered, began) | {
        "penalty": settings.penalty, "loss": [loss], "src_dim": src.dim, "trg_dim": trg.dim,
    }  # fmt: skip
    return LinearMapping(weight, np.eye(trg.dim, dtype=np.float32), settings.steps, about)


def fit_cca(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon, settings: CcaSettings | None = None
) -> LinearMapping:
    """Map both spaces into the canonical one (Faruqui & Dyer 2014; Ammar et al. 2016).

    The two dims may differ. Raises InputError where the covered pairs are not more than the dimensions: all
    correlations would then be 1.
    """
    settings, began = settings or CcaSettings(), time.perf_counter()
    covered, x, z = covered_rows(src, trg, lexicon, settings.steps)
    if len(x) <= max(src.dim, trg.dim):
        raise InputError(
            f"{lexicon.name}: covers {len(x)} pairs, CCA of dim {max(src.dim, trg.dim)} needs more pairs than "
            "dimensions: add pairs or choose another method"
        )
    a, b, correlations = cca(x, z)
    if not len(correlations):
        raise InputError(f"{lexicon.name}: the covered vectors do not vary: CCA needs pairs of unlike words")
    kept = max(1, math.ceil(settings.share * len(correlations)))
    about = facts("cca", lexicon, covered, began) | {
        "share": settings.share, "power": settings.power, "kept": kept,
        "correlations": correlations[:kept].round(6).tolist(),
        "src_dim": src.dim, "trg_dim": trg.dim,
    }  # fmt: skip
    src_weight, trg_weight = ((side[:, :kept] * correlations[:kept] ** settings.power).astype(np.float32)
                              for side in (a, b))  # fmt: skip
    return LinearMapping(src_weight, trg_weight, settings.steps, about)


def covered_rows(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon, steps: tuple[str, ...]
) -> tuple[CoveredPairs, Floats2d, Floats2d]:
    """What the lexicon covers and the normalised rows of its pairs, (n_pairs, dim) each; InputError for none."""
    covered = need_covered(lexicon, src, trg)
    src_rows, trg_rows = covered.rows.T
    return covered, normalize(src, steps).matrix[src_rows], normalize(trg, steps).matrix[trg_rows]


def facts(method: str, lexicon: Lexicon, covered: CoveredPairs, began: float) -> dict[str, Any]:
    """What every `about` says: method, lexicon, its coverage, and seconds since `began`."""
    return {
        "method": method,
        "lexicon": lexicon.name,
        "pairs": covered.n_pairs,
        "covered": len(covered.rows),
        "iterations": 1,
        "seconds": round(time.perf_counter() - began, 3),
    }
