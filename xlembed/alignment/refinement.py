"""Procrustes that goes on: with the pairs that its own mapping brings together."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from xlembed.alignment.base import LinearMapping
from xlembed.alignment.procrustes import rotation
from xlembed.errors import InputError
from xlembed.induction import best_both, of_new_words, pairs_of
from xlembed.lexicon import Lexicon, need_covered
from xlembed.normalize import UNIT_CENTER_UNIT, normalize, unit
from xlembed.types import Floats2d, Ints2d
from xlembed.vectors import WordVectors


@dataclass(frozen=True)
class RefinementSettings:
    """Refinement on mutual neighbours (Conneau et al. 2018, sec. 2.3); the defaults are MUSE's."""

    rounds: int = 5
    words: int = 15_000  # the most frequent words of each side, among which pairs are sought
    criterion_words: int = 10_000  # those by which the best round is chosen
    steps: tuple[str, ...] = UNIT_CENTER_UNIT

    def __post_init__(self) -> None:
        if min(self.rounds, self.words, self.criterion_words) < 1:
            raise InputError("rounds, words and criterion_words must be at least 1")


@dataclass(frozen=True)
class ProcBSettings:
    """Bootstrapping of the lexicon (Glavaš et al. 2019): the seed pairs stay, mutual neighbours are added."""

    rounds: int = 1
    words: int = 20_000
    growth: float = 4.0  # at most so many times the seed's pairs, the most frequent source words first
    steps: tuple[str, ...] = UNIT_CENTER_UNIT

    def __post_init__(self) -> None:
        if min(self.rounds, self.words) < 1 or self.growth < 1:
            raise InputError("rounds, words and growth must be at least 1")


@dataclass(frozen=True)
class _Spaces:
    """Normalised matrices, and the rows of the seed's covered pairs."""

    src: Floats2d
    trg: Floats2d
    seed: Ints2d
    about: dict[str, Any]


@dataclass(frozen=True)
class Refined:
    """The best round's weight, the criterion of every round, and the pairs that each next round had."""

    weight: Floats2d
    criterion: list[float]
    pairs_by_round: list[int]

    @property
    def round(self) -> int:
        """The round that is kept."""
        return int(np.argmax(self.criterion))


def fit(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon, settings: RefinementSettings = RefinementSettings()
) -> LinearMapping:
    """Procrustes from the lexicon, then rounds of mutual CSLS neighbours and Procrustes on those alone.

    The round is kept whose mapping has the greatest mean cosine between the most frequent source words and their
    CSLS translations, which needs no test lexicon (Conneau et al. 2018, sec. 3.5). Raises InputError for other
    dims, and for a lexicon without a covered pair.
    """
    begin, spaces = time.perf_counter(), _prepare(src, trg, lexicon, settings.steps)
    weight = rotation(spaces.src[spaces.seed[:, 0]], spaces.trg[spaces.seed[:, 1]])
    refined = refine(spaces.src, spaces.trg, weight, settings.rounds, settings.words, settings.criterion_words)
    about = {
        "method": "refine",
        **spaces.about,
        "criterion": [round(value, 6) for value in refined.criterion],
        "round": refined.round,
        "pairs_by_round": refined.pairs_by_round,
        "seconds": round(time.perf_counter() - begin, 2),
    }
    return LinearMapping(refined.weight, np.eye(src.dim, dtype=np.float32), settings.steps, about)


def refine(src: Floats2d, trg: Floats2d, weight: Floats2d, rounds: int, words: int, criterion_words: int) -> Refined:
    """Rounds of mutual CSLS neighbours and Procrustes on them, from a weight (dim, dim) on; round 0 is that weight.

    src (n_src, dim) and trg (n_trg, dim) are normalised, most frequent words first. Ends early where there are fewer
    pairs than dimensions.
    """
    best, best_value, values, n_pairs = weight, -np.inf, [], []
    for round_number in range(rounds + 1):
        value, pairs = _look(src, trg, weight, words, criterion_words)
        values.append(value)
        if value > best_value:
            best, best_value = weight, value
        if round_number == rounds or len(pairs) < src.shape[1]:  # too few pairs to turn by
            break
        n_pairs.append(len(pairs))
        weight = rotation(src[pairs[:, 0]], trg[pairs[:, 1]])
    return Refined(best, values, n_pairs)


def mean_cosine(src: Floats2d, trg: Floats2d, weight: Floats2d, words: int, criterion_words: int) -> float:
    """The unsupervised criterion of Conneau et al. 2018, section 3.5: the mean cosine between the `criterion_words`
    most frequent source words, mapped, and their CSLS translations among the `words` most frequent target words."""
    return _look(src, trg, weight, words, criterion_words)[0]


def fit_proc_b(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon, settings: ProcBSettings = ProcBSettings()
) -> LinearMapping:
    """Procrustes with bootstrapped lexicon, PROC-B of Glavaš et al. 2019.

    Each round maps by the pairs so far, takes mutual nearest neighbours (cosine) among the most frequent words,
    adds those whose words the seed does not hold, most frequent source words first, and maps again.
    Raises InputError for other dims, and for a lexicon without a covered pair.
    """
    begin, spaces = time.perf_counter(), _prepare(src, trg, lexicon, settings.steps)
    pairs, n_pairs = spaces.seed, []
    most = int((settings.growth - 1) * len(spaces.seed))
    for _ in range(settings.rounds):
        weight = rotation(spaces.src[pairs[:, 0]], spaces.trg[pairs[:, 1]])
        top_src, top_trg = _mapped_tops(spaces.src, spaces.trg, weight, settings.words)
        found = pairs_of(*best_both(top_src, top_trg, "nn"), "mutual").rows
        pairs = np.concatenate([spaces.seed, of_new_words(found, spaces.seed)[:most]])
        n_pairs.append(len(pairs))
    weight = rotation(spaces.src[pairs[:, 0]], spaces.trg[pairs[:, 1]])
    about = {
        "method": "proc-b",
        **spaces.about,
        "pairs_by_round": n_pairs,
        "seconds": round(time.perf_counter() - begin, 2),
    }
    return LinearMapping(weight, np.eye(src.dim, dtype=np.float32), settings.steps, about)


def _prepare(src: WordVectors, trg: WordVectors, lexicon: Lexicon, steps: tuple[str, ...]) -> _Spaces:
    if src.dim != trg.dim:
        raise InputError(f"source vectors have dim {src.dim}, target vectors {trg.dim}: one dim is needed")
    covered = need_covered(lexicon, src, trg)
    about = {"lexicon": lexicon.name, "pairs": covered.n_pairs, "covered": len(covered.rows), "dim": src.dim}
    return _Spaces(normalize(src, steps).matrix, normalize(trg, steps).matrix, covered.rows, about)


def _mapped_tops(src: Floats2d, trg: Floats2d, weight: Floats2d, n_words: int) -> tuple[Floats2d, Floats2d]:
    """Unit rows of the most frequent words, both sides in the target space."""
    return unit(src[:n_words] @ weight), unit(trg[:n_words])


def _look(
    src: Floats2d, trg: Floats2d, weight: Floats2d, n_words: int, n_criterion: int
) -> tuple[float, Ints2d]:
    """The criterion of a mapping, and the pairs of mutual CSLS neighbours under it."""
    top_src, top_trg = _mapped_tops(src, trg, weight, n_words)
    forward, backward = best_both(top_src, top_trg, "csls")
    rows = np.arange(min(n_criterion, len(top_src)))
    cosines = np.einsum("ij,ij->i", top_src[rows], top_trg[forward.indices[rows, 0]])
    return float(cosines.mean()), pairs_of(forward, backward, "mutual").rows
