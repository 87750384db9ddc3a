"""VecMap: the multi-step mapping, from a lexicon, from a lexicon that self-learning extends, or from nothing.

Artetxe, Labaka & Agirre 2018 (AAAI), "Generalizing and improving bilingual word embedding mappings with a multi-step
framework of linear transformations", and 2018 (ACL), "A robust self-learning method for fully unsupervised
cross-lingual mappings of word embeddings". The defaults are those of the authors' program, but for a schedule that
reaches the same figures in a fraction of the time: few words first, and shorter patience. Theirs is
first_cutoff=none, interval=50, threshold=1e-6.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, Literal, cast

from xlembed.alignment.base import LinearMapping
from xlembed.alignment.confidence import Spaces, confidence
from xlembed.alignment.self_learning import Direction, SelfLearning, learn, similar_distributions
from xlembed.alignment.whitening import MultiStep, Side, multi_step, pair_products, rank
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon, need_covered
from xlembed.normalize import UNIT_CENTER_UNIT, normalize
from xlembed.types import Floats2d, Ints2d
from xlembed.vectors import WordVectors

Mode = Literal["supervised", "semi", "unsupervised"]
MODES = ("supervised", "semi", "unsupervised")
DIRECTIONS = ("forward", "backward", "union")
SIDES = ("src", "trg", "none")


@dataclass(frozen=True)
class VecMapSettings:
    """supervised: the lexicon's pairs. semi: they start self-learning. unsupervised: nothing is given.

    whiten, src_reweight, trg_reweight, src_dewhiten, trg_dewhiten (src, trg or none) and dim are the steps of the
    multi-step mapping; dim None keeps all. The rest is self-learning: dictionaries over the `cutoff` most frequent
    words of each side by CSLS of `csls_k` neighbours (0: cosine), similarities kept with `keep_prob`, which grows by
    `keep_growth` whenever the mean similarity has not risen by `threshold` for `interval` iterations. Until all
    are kept the cut-off is `first_cutoff`; with None it is `cutoff` throughout.
    """

    mode: Mode = "supervised"
    whiten: bool = True
    src_reweight: float = 0.5
    trg_reweight: float = 0.5
    src_dewhiten: str = "src"
    trg_dewhiten: str = "trg"
    dim: int | None = None
    cutoff: int = 20_000
    first_cutoff: int | None = 4_000
    csls_k: int = 10
    direction: str = "union"
    init_words: int = 4_000
    keep_prob: float = 0.1
    keep_growth: float = 2.0
    interval: int = 10
    threshold: float = 1e-4
    max_iterations: int = 5_000
    seed: int = 0
    steps: tuple[str, ...] = UNIT_CENTER_UNIT

    def __post_init__(self) -> None:
        for name, allowed in (("mode", MODES), ("direction", DIRECTIONS), ("src_dewhiten", SIDES),
                              ("trg_dewhiten", SIDES)):  # fmt: skip
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} is {getattr(self, name)!r}: choose {', '.join(allowed)}")
        for name in ("cutoff", "first_cutoff", "init_words", "interval", "max_iterations", "dim"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}, at least 1 is needed")
        for name in ("src_reweight", "trg_reweight", "threshold", "csls_k", "seed"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise InputError(f"{name} is {getattr(self, name)}, a number from 0 up is needed")
        if not 0 < self.keep_prob <= 1:
            raise InputError(f"keep_prob is {self.keep_prob}, a number above 0 up to 1 is needed")
        if not (math.isfinite(self.keep_growth) and self.keep_growth > 1):
            raise InputError(f"keep_growth is {self.keep_growth}, a number above 1 is needed")

    def multi_step(self) -> MultiStep:
        """The steps of the mapping."""
        back: dict[str, Side | None] = {"src": "src", "trg": "trg", "none": None}
        return MultiStep(self.whiten, self.src_reweight, self.trg_reweight, back[self.src_dewhiten],
                         back[self.trg_dewhiten], self.dim)  # fmt: skip

    def self_learning(self) -> SelfLearning:
        """How dictionaries are induced."""
        direction = cast(Direction, self.direction)  # one of DIRECTIONS, or __post_init__ had refused it
        return SelfLearning(self.csls_k, direction, self.keep_prob, self.keep_growth, self.interval,
                            self.threshold, self.max_iterations, self.first_cutoff)  # fmt: skip


def fit(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon | None, settings: VecMapSettings = VecMapSettings()
) -> LinearMapping:
    """Map both spaces into a common one; the lexicon may be None only in the unsupervised mode, which ignores it.

    Whitening needs more pairs than dimensions (section 4 of the AAAI paper): where the pairs do not span the space,
    both sides are turned and re-weighted without it, and mapping.json says so. Raises InputError for spaces of other
    dims, and where a lexicon is needed that is None or without a covered pair.
    """
    begin = time.perf_counter()
    if settings.dim is not None and settings.dim > min(src.dim, trg.dim):
        raise InputError(f"dim {settings.dim} is more than the vectors have: {src.dim} and {trg.dim}")
    if settings.mode != "supervised" and src.dim != trg.dim:
        raise InputError(f"source vectors have dim {src.dim}, target vectors {trg.dim}: self-learning needs one dim")
    about: dict[str, Any] = {"method": _name(settings.mode)}
    seed: Ints2d | None = None
    learned: dict[str, Any] = {}
    if settings.mode != "unsupervised":
        if lexicon is None:
            raise InputError(f"VecMap in mode {settings.mode} needs a lexicon")
        covered = need_covered(lexicon, src, trg)
        about |= {"lexicon": lexicon.name, "pairs": covered.n_pairs, "covered": len(covered.rows)}
        seed = covered.rows
    src, trg = normalize(src, settings.steps), normalize(trg, settings.steps)
    if settings.mode == "supervised" and seed is not None:
        pairs = seed
    else:
        pairs, learned = _learn(src, trg, seed, settings)
    weights, is_white = _weights(src.matrix, trg.matrix, pairs, settings)
    about |= {"dim": weights[0].shape[1], "whitened": is_white, **learned}
    if settings.mode == "unsupervised":
        spaces = Spaces(src.matrix, trg.matrix, src.matrix @ weights[0], trg.matrix @ weights[1])
        about |= confidence(spaces, src.words, trg.words, settings.seed)
    about["seconds"] = round(time.perf_counter() - begin, 2)
    return LinearMapping(weights[0], weights[1], settings.steps, about)


def _name(mode: Mode) -> str:
    return "vecmap" if mode == "supervised" else f"vecmap-{mode}"


def _learn(
    src: WordVectors, trg: WordVectors, seed: Ints2d | None, settings: VecMapSettings
) -> tuple[Ints2d, dict[str, Any]]:
    """The pairs that self-learning ends with, and how it went."""
    how = settings.self_learning()
    if seed is None:
        seed = similar_distributions(src, trg, settings.init_words, settings.steps, how)
    learned = learn(src.matrix, trg.matrix, seed, settings.cutoff, how, settings.seed)
    return learned.dictionary.pairs, {
        "iterations": learned.iterations,
        "converged": learned.converged,
        "objective": round(learned.dictionary.objective, 6),
        "seed": settings.seed,
    }


def _weights(
    src: Floats2d, trg: Floats2d, pairs: Ints2d, settings: VecMapSettings
) -> tuple[tuple[Floats2d, Floats2d], bool]:
    """Both weights, and whether there were pairs enough to whiten by."""
    products, steps = pair_products(src, trg, pairs), settings.multi_step()
    spans = rank(products.src) == src.shape[1] and rank(products.trg) == trg.shape[1]
    if steps.whiten and not spans:
        steps = MultiStep(False, steps.src_reweight, steps.trg_reweight, None, None, steps.dim)
    return multi_step(products, steps), steps.whiten
