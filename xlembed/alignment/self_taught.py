"""A robust rotation first, contrastive maps on the pairs that it finds after: the best of both, above all where the
lexicon is small or absent.

Rotations are few numbers, and find most of a language's words from some hundred pairs by refinement on mutual
neighbours (Conneau et al. 2018), or from nothing by VecMap's self-learning (Artetxe et al. 2018). Contrastive maps
(after Li et al. 2022) are better where pairs are many: they get the lexicon's pairs and those that were found.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from xlembed.alignment import contrastive, refinement, vecmap
from xlembed.alignment.base import LinearMapping
from xlembed.errors import InputError
from xlembed.induction import induce, of_new_words
from xlembed.lexicon import Lexicon, cover
from xlembed.normalize import UNIT_CENTER_UNIT, unit
from xlembed.types import Ints2d
from xlembed.vectors import WordVectors

MODES = ("supervised", "unsupervised")
_TOLD = ("lexicon", "pairs", "covered", "converged", "objective", "seed", "confidence", "collapsed")


@dataclass(frozen=True)
class SelfTaughtSettings:
    """supervised: the lexicon's pairs start refinement, and stay. unsupervised: self-learning starts from nothing.

    `words` of each side, the most frequent, are those among which mutual neighbours are sought for the second step.
    refinement_rounds serves the supervised mode alone; cutoff, keep_prob and seed, those of `VecMapSettings`, the
    unsupervised one. temperature and n_negatives are those of `ContrastiveSettings`.
    """

    mode: Literal["supervised", "unsupervised"] = "supervised"
    words: int = 15_000
    refinement_rounds: int = 5
    cutoff: int = 10_000
    keep_prob: float = 0.1
    seed: int = 0
    temperature: float = 0.1
    n_negatives: int = 50
    steps: tuple[str, ...] = UNIT_CENTER_UNIT

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError(f"mode is {self.mode!r}: choose {', '.join(MODES)}")
        if self.words < 1:
            raise InputError(f"words is {self.words}, at least 1 is needed")
        self.refinement(), self.self_learning(), self.contrastive()  # their own checks

    def refinement(self) -> refinement.RefinementSettings:
        """The first step with a lexicon."""
        return refinement.RefinementSettings(self.refinement_rounds, self.words, steps=self.steps)

    def self_learning(self) -> vecmap.VecMapSettings:
        """The first step without."""
        return vecmap.VecMapSettings(
            "unsupervised", cutoff=self.cutoff, keep_prob=self.keep_prob, seed=self.seed, steps=self.steps
        )

    def contrastive(self) -> contrastive.ContrastiveSettings:
        """The second step."""
        return contrastive.ContrastiveSettings(self.temperature, self.n_negatives, steps=self.steps)


def fit(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon | None, settings: SelfTaughtSettings = SelfTaughtSettings()
) -> LinearMapping:
    """Map both spaces into a common one; the lexicon may be None only in the unsupervised mode, which ignores it.

    Raises InputError for spaces of other dims, and where a lexicon is needed that is None or without a covered pair.
    """
    begin = time.perf_counter()
    given: Ints2d
    if settings.mode == "unsupervised":
        given, first = np.empty((0, 2), dtype=np.int64), vecmap.fit(src, trg, None, settings.self_learning())
    elif lexicon is None:
        raise InputError("self-taught in mode supervised needs a lexicon")
    else:
        given, first = cover(lexicon, src, trg).rows, refinement.fit(src, trg, lexicon, settings.refinement())
    new = of_new_words(_mutual(first, src, trg, settings.words), given)
    rows = np.concatenate([given, new])
    pairs = Lexicon([(src.words[one], trg.words[other]) for one, other in rows.tolist()], "self-taught")
    second = contrastive.fit(src, trg, pairs, settings.contrastive())
    about: dict[str, Any] = {
        "method": "self-taught" if settings.mode == "supervised" else "self-taught-unsupervised",
        **{key: first.about[key] for key in _TOLD if key in first.about},
        "dim": src.dim,
        "first": first.about["method"],
        "induced": len(new),
        "iterations": second.about["iterations"],
        "loss": second.about["loss"],
        "seconds": round(time.perf_counter() - begin, 2),
    }
    return replace(second, about=about)


def _mutual(mapping: LinearMapping, src: WordVectors, trg: WordVectors, n: int) -> Ints2d:
    """Rows of mutual CSLS neighbours among the n most frequent words of each side."""
    one, other = mapping.map_src(src).matrix[:n], mapping.map_trg(trg).matrix[:n]
    return induce(unit(one), unit(other), "mutual", "csls").rows
