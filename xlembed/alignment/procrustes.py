"""Orthogonal Procrustes: the rotation that takes source vectors nearest to their translations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xlembed.alignment.base import LinearMapping
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon, need_covered
from xlembed.normalize import UNIT_CENTER_UNIT, normalize
from xlembed.types import Floats2d
from xlembed.vectors import WordVectors


@dataclass(frozen=True)
class ProcrustesSettings:
    """The normalisation that both spaces get."""

    steps: tuple[str, ...] = UNIT_CENTER_UNIT


def rotation(src: Floats2d, trg: Floats2d) -> Floats2d:
    """The orthogonal W (dim, dim) that minimises || src W - trg ||_F for paired rows, (n_pairs, dim) each.

    Schoenemann 1966; Xing et al. 2015; Smith et al. 2017: W = U V^T where U S V^T = svd(src^T trg).
    """
    u, _, vt = np.linalg.svd(src.T.astype(np.float64) @ trg.astype(np.float64))
    weight: Floats2d = (u @ vt).astype(np.float32)
    return weight


def fit(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon, steps: tuple[str, ...] = UNIT_CENTER_UNIT
) -> LinearMapping:
    """Map the source space onto the target space (trg_weight is the identity).

    Vectors come as read; `steps` normalises them. Raises InputError for spaces of other dims and for a
    lexicon without a covered pair.
    """
    if src.dim != trg.dim:
        raise InputError(
            f"source vectors have dim {src.dim}, target vectors {trg.dim}: Procrustes needs one dim"
        )
    covered = need_covered(lexicon, src, trg)
    src_rows, trg_rows = covered.rows.T
    src_matrix, trg_matrix = normalize(src, steps).matrix, normalize(trg, steps).matrix
    weight = rotation(src_matrix[src_rows], trg_matrix[trg_rows])
    about = {
        "method": "procrustes",
        "lexicon": lexicon.name,
        "pairs": covered.n_pairs,
        "covered": len(covered.rows),
        "dim": src.dim,
    }
    return LinearMapping(weight, np.eye(src.dim, dtype=np.float32), steps, about)


def fit_with(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon, settings: ProcrustesSettings = ProcrustesSettings()
) -> LinearMapping:
    """`fit`, called like every other method."""
    return fit(src, trg, lexicon, settings.steps)
