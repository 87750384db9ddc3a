"""What an unsupervised mapping can say about itself, without any test lexicon: is it better than chance on its own
ground?

Mean similarity alone does not tell: self-learning lifts it from any start, the meaningless ones too. So the same
spaces are learned from dictionaries drawn at random, which ends in optima that mean nothing, and the mapping's own
optimum is held against those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xlembed.alignment.self_learning import Dictionary, SelfLearning, learn
from xlembed.induction import induce
from xlembed.normalize import unit
from xlembed.types import Floats2d, Ints2d

N_WORDS = 3000  # the most frequent of each side, for self-learning
N_RANDOM = 3
N_ALIKE = 10_000  # the most frequent, among which words written alike are looked for
LEAST_GAIN = 0.02  # of the objective over chance; meaningless optima of real spaces lay within 0.005 of each other
_ROUGH = SelfLearning(keep_prob=0.3, interval=5, threshold=1e-4, max_iterations=150)


@dataclass(frozen=True)
class Spaces:
    """Two normalised spaces, (n_words, dim), and the same two mapped into one, (n_words, dim of the common space)."""

    src: Floats2d
    trg: Floats2d
    mapped_src: Floats2d
    mapped_trg: Floats2d


def confidence(
    spaces: Spaces, src_words: Sequence[str], trg_words: Sequence[str], seed: int = 0
) -> dict[str, Any]:
    """What goes into a mapping's `about`.

    objective: mean cosine of the nearest words, both ways, after orthogonal self-learning from the mapping's
    mutual CSLS neighbours among the `N_WORDS` most frequent words. chance: the median of the same from `N_RANDOM`
    random dictionaries, without those that end in the mapping's own optimum, found_again of them: that is evidence for
    it. collapsed: objective less than `LEAST_GAIN` above chance. mutual: share of source words that have a mutual
    neighbour. alike: share of the words written alike that are each other's nearest, None where there are none; the
    mapping has seen no strings, so this is evidence from outside, where the languages share a script.
    """
    mutual = _mutual(spaces.mapped_src[:N_WORDS], spaces.mapped_trg[:N_WORDS])
    reached = _learn(spaces, mutual, replace(_ROUGH, keep_prob=1.0), seed)
    others = [_learn(spaces, pairs, _ROUGH, seed) for pairs in _random_pairs(spaces, seed)]
    strangers = [other.objective for other in others if _overlap(reached, other) < 0.5]
    chance = float(np.median(strangers)) if strangers else None
    alike, n_alike = _alike(spaces, src_words, trg_words)
    return {
        "confidence": {
            "objective": round(reached.objective, 4),
            "chance": None if chance is None else round(chance, 4),
            "found_again": len(others) - len(strangers),
            "mutual": round(len(mutual) / min(N_WORDS, len(spaces.src)), 4),
            "alike": None if alike is None else round(alike, 4),
            "n_alike": n_alike,
        },
        "collapsed": chance is not None and reached.objective < chance + LEAST_GAIN,
    }


def _mutual(src: Floats2d, trg: Floats2d) -> Ints2d:
    return induce(unit(src), unit(trg), "mutual", "csls").rows


def _learn(spaces: Spaces, pairs: Ints2d, how: SelfLearning, seed: int) -> Dictionary:
    """The dictionary that self-learning reaches from these pairs; an empty one without any."""
    if not len(pairs):
        return Dictionary(pairs, -1.0)
    return learn(spaces.src[:N_WORDS], spaces.trg[:N_WORDS], pairs, N_WORDS, how, seed).dictionary


def _overlap(one: Dictionary, other: Dictionary) -> float:
    """Share of the first one's pairs that the other has."""
    pairs = [set(map(tuple, dictionary.pairs.tolist())) for dictionary in (one, other)]
    return len(pairs[0] & pairs[1]) / max(1, len(pairs[0]))


def _random_pairs(spaces: Spaces, seed: int) -> list[Ints2d]:
    rng = np.random.default_rng(seed)
    sizes = [min(N_WORDS, len(side)) for side in (spaces.src, spaces.trg)]
    return [np.column_stack([rng.permutation(size)[: min(sizes)] for size in sizes]) for _ in range(N_RANDOM)]


def _alike(spaces: Spaces, src_words: Sequence[str], trg_words: Sequence[str]) -> tuple[float | None, int]:
    """Share of words written alike that are mutual neighbours, and how many words are."""
    known = {word: row for row, word in enumerate(trg_words[:N_ALIKE])}
    alike = {(row, known[word]) for row, word in enumerate(src_words[:N_ALIKE]) if word in known}
    if not alike:
        return None, 0
    mutual = _mutual(spaces.mapped_src[:N_ALIKE], spaces.mapped_trg[:N_ALIKE])
    return len(alike & set(map(tuple, mutual.tolist()))) / len(alike), len(alike)
