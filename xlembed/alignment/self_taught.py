"""Self-learning first, contrastive maps after: for lexicons too small to learn a mapping from, and for none at all.

Self-learning (VecMap, Artetxe et al. 2018) is robust and orthogonal; contrastive maps (after Li et al. 2022) are better
where pairs are many. So the first finds pairs, which the second takes beside those of the lexicon.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from xlembed.alignment import contrastive, vecmap
from xlembed.alignment.base import LinearMapping
from xlembed.errors import InputError
from xlembed.induction import induce
from xlembed.lexicon import Lexicon, cover
from xlembed.normalize import UNIT_CENTER_UNIT, unit
from xlembed.types import Ints2d
from xlembed.vectors import WordVectors

_LEARNED = ("converged", "objective", "seed", "confidence", "collapsed")


@dataclass(frozen=True)
class SelfTaughtSettings:
    """semi: the lexicon's pairs start self-learning, and stay. unsupervised: nothing is given.

    `words` of each side, the most frequent, are those among which mutual neighbours are sought for the second step.
    The others are settings of `VecMapSettings` and `ContrastiveSettings` by the same names.
    """

    mode: Literal["semi", "unsupervised"] = "semi"
    words: int = 10_000
    cutoff: int = 10_000
    keep_prob: float = 0.1
    seed: int = 0
    temperature: float = 0.1
    n_negatives: int = 50
    steps: tuple[str, ...] = UNIT_CENTER_UNIT

    def __post_init__(self) -> None:
        if self.words < 1:
            raise InputError(f"words is {self.words}, at least 1 is needed")
        self.first(), self.second()  # their own checks

    def first(self) -> vecmap.VecMapSettings:
        """Self-learning."""
        return vecmap.VecMapSettings(
            self.mode, cutoff=self.cutoff, keep_prob=self.keep_prob, seed=self.seed, steps=self.steps
        )

    def second(self) -> contrastive.ContrastiveSettings:
        """Contrastive maps."""
        return contrastive.ContrastiveSettings(self.temperature, self.n_negatives, steps=self.steps)


def fit(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon | None, settings: SelfTaughtSettings = SelfTaughtSettings()
) -> LinearMapping:
    """Map both spaces into a common one; the lexicon may be None only in the unsupervised mode, which ignores it.

    Raises InputError for spaces of other dims, and where a lexicon is needed that is None or without a covered pair.
    """
    begin = time.perf_counter()
    if settings.mode == "unsupervised":
        lexicon = None
    first = vecmap.fit(src, trg, lexicon, settings.first())
    found = _mutual(first, src, trg, settings.words)
    given = np.empty((0, 2), dtype=np.int64) if lexicon is None else cover(lexicon, src, trg).rows
    is_new = ~np.isin(found[:, 0], given[:, 0]) & ~np.isin(found[:, 1], given[:, 1])
    rows = np.concatenate([given, found[is_new]])
    pairs = Lexicon([(src.words[one], trg.words[other]) for one, other in rows.tolist()], "self-taught")
    second = contrastive.fit(src, trg, pairs, settings.second())
    about: dict[str, Any] = {
        "method": "self-taught" if lexicon is None else "self-taught-semi",
        **{key: first.about[key] for key in ("lexicon", "pairs", "covered") if key in first.about},
        "dim": src.dim,
        "self_learning_iterations": first.about["iterations"],
        **{key: first.about[key] for key in _LEARNED if key in first.about},
        "induced": int(is_new.sum()),
        "iterations": second.about["iterations"],
        "loss": second.about["loss"],
        "seconds": round(time.perf_counter() - begin, 2),
    }
    return replace(second, about=about)


def _mutual(mapping: LinearMapping, src: WordVectors, trg: WordVectors, n: int) -> Ints2d:
    """Rows of mutual CSLS neighbours among the n most frequent words of each side."""
    one, other = mapping.map_src(src).matrix[:n], mapping.map_trg(trg).matrix[:n]
    return induce(unit(one), unit(other), "mutual", "csls").rows
