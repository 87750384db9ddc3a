"""Whitening, orthogonal mapping, re-weighting, de-whitening and dimension reduction: the multi-step framework.

Artetxe, Labaka & Agirre 2018 (AAAI), "Generalizing and improving bilingual word embedding mappings with a multi-step
framework of linear transformations", section 3. Everything is (dim, dim) in double precision; the paired rows are
read once, for three products. Where the two dims differ, the common space has the smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from xlembed.types import Floats1d, Floats2d, Ints2d

Side = Literal["src", "trg"]
SMALLEST = 1e-6  # singular values below this share of the greatest are 0 up to rounding
_BLOCK_ROWS = 1 << 14


@dataclass(frozen=True)
class MultiStep:
    """What the steps do. Re-weighting takes the singular values to these powers; a dewhiten of None leaves the side
    white. Without `whiten` there is nothing to take back, and the dewhitens say nothing."""

    whiten: bool = True
    src_reweight: float = 0.5
    trg_reweight: float = 0.5
    src_dewhiten: Side | None = "src"
    trg_dewhiten: Side | None = "trg"
    dim: int | None = None


@dataclass(frozen=True)
class PairProducts:
    """X^T X, Z^T Z and X^T Z of paired rows X and Z, float64."""

    src: Floats2d
    trg: Floats2d
    cross: Floats2d


def pair_products(src: Floats2d, trg: Floats2d, pairs: Ints2d) -> PairProducts:
    """Products of the rows src[pairs[:, 0]] and trg[pairs[:, 1]], block by block; a repeated pair counts again."""
    products = np.zeros((src.shape[1],) * 2), np.zeros((trg.shape[1],) * 2), np.zeros((src.shape[1], trg.shape[1]))
    for start in range(0, len(pairs), _BLOCK_ROWS):
        src_rows, trg_rows = pairs[start : start + _BLOCK_ROWS].T
        x, z = src[src_rows].astype(np.float64), trg[trg_rows].astype(np.float64)
        for total, (left, right) in zip(products, ((x, x), (z, z), (x, z)), strict=True):
            total += left.T @ right
    return PairProducts(*products)


def rank(gram: Floats2d) -> int:
    """Number of independent dimensions of the rows whose X^T X is given."""
    sizes = np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0.0))
    return int((sizes > SMALLEST * sizes.max(initial=0.0)).sum())


def whitening(gram: Floats2d) -> tuple[Floats2d, Floats2d]:
    """(X^T X)^(-1/2), which makes columns of X uncorrelated and of length 1, and its inverse (X^T X)^(1/2).

    Step 1 (section 3.2) and what step 4 takes back. With X = U S V^T these are V S^-1 V^T and V S V^T. Dimensions
    without any variance stay 0 in both.
    """
    squares, v = np.linalg.eigh(gram)
    sizes = np.sqrt(np.maximum(squares, 0.0))
    kept = sizes > SMALLEST * sizes.max(initial=0.0)
    inverses = np.divide(1.0, sizes, out=np.zeros_like(sizes), where=kept)
    return v * inverses @ v.T, v * np.where(kept, sizes, 0.0) @ v.T


def orthogonal(cross: Floats2d) -> tuple[Floats2d, Floats1d, Floats2d]:
    """W_x = U, the singular values S and W_z = V of X^T Z = U S V^T.

    Step 2 (section 3.3): X W_x and Z W_z have the greatest sum of dot products of pairs, that is the trace of S.
    """
    u, sizes, vt = np.linalg.svd(cross, full_matrices=False)
    return u, sizes, vt.T


def dewhitening(unwhiten: Floats2d, turned: Floats2d) -> Floats2d:
    """Step 4 (section 3.5): W^T (X^T X)^(1/2) W, the variance given back in the space that W turned to."""
    return turned.T @ unwhiten @ turned


def multi_step(products: PairProducts, steps: MultiStep) -> tuple[Floats2d, Floats2d]:
    """Both weights, (dim, dim of the common space) float32, from the products of the normalised pairs.

    Steps 1 to 5 of section 3: whiten, map, re-weight by the cross-correlations (S to a power on either side: 0 and 1
    in the AAAI paper, one half each, "symmetric re-weighting", in section 3.4 of the ACL 2018 paper), de-whiten by
    the own or the other side, and keep the first dimensions, which are the best correlated.
    """
    (src_white, src_unwhiten), (trg_white, trg_unwhiten) = (
        whitening(gram) if steps.whiten else (np.eye(len(gram)),) * 2 for gram in (products.src, products.trg)
    )
    src_turned, sizes, trg_turned = orthogonal(src_white.T @ products.cross @ trg_white)
    src_weight = src_white @ src_turned * sizes**steps.src_reweight
    trg_weight = trg_white @ trg_turned * sizes**steps.trg_reweight
    if steps.whiten:
        back = {"src": (src_unwhiten, src_turned), "trg": (trg_unwhiten, trg_turned)}
        if steps.src_dewhiten:
            src_weight = src_weight @ dewhitening(*back[steps.src_dewhiten])
        if steps.trg_dewhiten:
            trg_weight = trg_weight @ dewhitening(*back[steps.trg_dewhiten])
    kept = steps.dim or len(sizes)
    return src_weight[:, :kept].astype(np.float32), trg_weight[:, :kept].astype(np.float32)
