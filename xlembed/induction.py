"""Word pairs from two spaces in one: forward, backward or mutual nearest neighbours, with their scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xlembed.errors import InputError
from xlembed.retrieval import key_biases
from xlembed.search.base import Neighbors, backend
from xlembed.types import Floats1d, Floats2d, Ints2d

DIRECTIONS = ("forward", "backward", "mutual", "union")


@dataclass(frozen=True)
class InducedPairs:
    """Pairs of rows and the score of each: forward pairs in source order, then backward pairs in target order."""

    rows: Ints2d  # (n_pairs, 2): src row, trg row
    scores: Floats1d  # (n_pairs,): the criterion's, up to a number per query

    def __len__(self) -> int:
        return len(self.rows)


def induce(src: Floats2d, trg: Floats2d, direction: str = "mutual", criterion: str = "csls") -> InducedPairs:
    """The nearest neighbour of each word; src (n_src, dim) and trg (n_trg, dim) are unit rows in one space.

    forward: the best target of each source word; backward: the best source of each target word; mutual: the pairs
    that are both; union: forward and backward pairs, those in both twice (VecMap weighs them so).
    """
    if direction not in DIRECTIONS:
        raise InputError(f"unknown direction {direction!r}: choose {', '.join(DIRECTIONS)}")
    return pairs_of(*best_both(src, trg, criterion), direction)


def best_both(src: Floats2d, trg: Floats2d, criterion: str = "csls") -> tuple[Neighbors, Neighbors]:
    """The best target of each source word and the best source of each target word, (n, 1) each."""
    src_bias, trg_bias = key_biases(criterion, src, trg)
    return backend().topk_both(src, trg, 1, src_bias, trg_bias)


def pairs_of(forward: Neighbors, backward: Neighbors, direction: str) -> InducedPairs:
    """Pairs from the nearest neighbours of both sides."""
    best_trg, best_src = forward.indices[:, 0], backward.indices[:, 0]
    src_rows, trg_rows = np.arange(len(best_trg)), np.arange(len(best_src))
    ahead = np.column_stack([src_rows, best_trg]), forward.scores[:, 0]
    back = np.column_stack([best_src, trg_rows]), backward.scores[:, 0]
    if direction == "forward":
        return InducedPairs(*ahead)
    if direction == "backward":
        return InducedPairs(*back)
    if direction == "union":
        return InducedPairs(np.concatenate([ahead[0], back[0]]), np.concatenate([ahead[1], back[1]]))
    is_mutual = best_src[best_trg] == src_rows
    return InducedPairs(ahead[0][is_mutual], ahead[1][is_mutual])


def of_new_words(found: Ints2d, given: Ints2d) -> Ints2d:
    """The pairs of which neither word is in a given pair, in their order; both (n_pairs, 2)."""
    return found[~np.isin(found[:, 0], given[:, 0]) & ~np.isin(found[:, 1], given[:, 1])]
