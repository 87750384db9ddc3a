"""Bilingual dictionary induction: does the nearest target word translate the source word?

The rank of each word's best translation comes first (`rank_words`); scores, bands, parts of speech and the comparison
of two mappings are read off the ranks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xlembed.bootstrap import Interval, interval, resampled_sums
from xlembed.errors import InputError, at
from xlembed.lexicon import Lexicon, read_lexicon
from xlembed.normalize import unit
from xlembed.retrieval import key_bias, key_biases
from xlembed.search.base import backend
from xlembed.types import Floats1d, Floats2d
from xlembed.vectors import WordVectors

KS = (1, 5, 10)
METRICS = (*(f"P@{k}" for k in KS), "MRR")
BAND_ENDS = (1000, 5000, 20_000)
PARTS_OF_SPEECH = ("n", "v", "a", "o", "pn", "nw")
N_SIGN_FLIPS = 10_000
_MOST_ENUMERATED = 14  # words that differ: 2^14 sign patterns


@dataclass(frozen=True)
class BLIScores:
    """P@k and MRR in percent over covered source words, with 95 % bootstrap intervals over them.

    `with_oov_as_errors` has the same figures over all source words of the lexicon. MRR takes the best-ranked
    translation; it is MAP where every word has one.
    """

    retrieval: str
    n_words: int  # source words in the lexicon
    n_covered: int  # those with a vector, and with one for a translation at least
    scores: dict[str, float]
    intervals: dict[str, Interval]
    with_oov_as_errors: dict[str, float]

    @property
    def coverage(self) -> float:
        """Covered share of the lexicon's source words, in percent."""
        return 100 * self.n_covered / self.n_words

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"coverage": self.coverage}


@dataclass(frozen=True)
class WordRanks:
    """The source words of a lexicon, each with its row and the rank (from 1) of its best-ranked translation.

    A row is None where the word has no vector, a rank where it or all its translations have none.
    """

    lexicon: str
    retrieval: str
    words: list[str]
    src_rows: list[int | None]
    ranks: list[int | None]

    def only(self, indices: Iterable[int]) -> WordRanks:
        """The words at these places."""
        indices = list(indices)
        return replace(
            self,
            words=[self.words[i] for i in indices],
            src_rows=[self.src_rows[i] for i in indices],
            ranks=[self.ranks[i] for i in indices],
        )

    @property
    def n_covered(self) -> int:
        return sum(rank is not None for rank in self.ranks)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Task:
    """A lexicon's source words, their rows, and the target rows of their translations (none where not covered)."""

    lexicon: str
    words: list[str]
    src_rows: list[int | None]
    gold: list[list[int]]


@dataclass(frozen=True)
class _Retrieval:
    """One direction of search, prepared: unit rows of both sides, and the criterion's number per key."""

    criterion: str
    queries: Floats2d
    keys: Floats2d
    bias: Floats1d | None


# ---- one lexicon


def evaluate(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon, retrieval: str = "csls", seed: int = 0
) -> BLIScores:
    """Score mapped vectors (src and trg in one space) on a lexicon; several gold translations all count.

    Raises InputError when no word of the lexicon is covered.
    """
    return scores_of(rank_words(src, trg, lexicon, retrieval), seed)


def rank_words(src: WordVectors, trg: WordVectors, lexicon: Lexicon, retrieval: str = "csls") -> WordRanks:
    """The rank of each source word's best-ranked translation among all target words, both sides in one space.

    Raises InputError when no word of the lexicon is covered.
    """
    task = _task(src, trg, lexicon)
    return _ranks(task, _retrieval(src, trg, retrieval))


def scores_of(ranks: WordRanks, seed: int = 0) -> BLIScores:
    """P@1/5/10 and MRR with intervals. Raises InputError when no word is covered."""
    n_words, n_covered = len(ranks.words), ranks.n_covered
    if not n_covered:
        raise _nothing_covered(ranks.lexicon, n_words)
    hits = _hits([rank for rank in ranks.ranks if rank is not None])
    resampled = 100 * resampled_sums(hits, seed=seed) / n_covered
    means = 100 * hits.mean(axis=0)
    return BLIScores(
        retrieval=ranks.retrieval,
        n_words=n_words,
        n_covered=n_covered,
        scores=dict(zip(METRICS, means.tolist(), strict=True)),
        intervals={name: interval(resampled[:, i]) for i, name in enumerate(METRICS)},
        with_oov_as_errors=dict(zip(METRICS, (means * n_covered / n_words).tolist(), strict=True)),
    )


def _task(src: WordVectors, trg: WordVectors, lexicon: Lexicon) -> _Task:
    """Rows of a lexicon's words and translations, or InputError when nothing is covered."""
    translations = lexicon.translations()
    src_rows = [src.row(word) for word in translations]
    gold = [
        sorted({row for word in trg_words if (row := trg.row(word)) is not None} if src_row is not None else ())
        for src_row, trg_words in zip(src_rows, translations.values(), strict=True)
    ]
    if not any(gold):
        raise _nothing_covered(lexicon.name, len(translations))
    return _Task(lexicon.name, list(translations), src_rows, gold)


def _nothing_covered(lexicon: str, n_words: int) -> InputError:
    return InputError(f"{lexicon}: none of its {n_words} source words can be tested: "
                      "check languages, direction and casing")


def _retrieval(src: WordVectors, trg: WordVectors, criterion: str) -> _Retrieval:
    queries, keys = unit(src.matrix), unit(trg.matrix)
    return _Retrieval(criterion, queries, keys, key_bias(criterion, queries, keys))


def _ranks(task: _Task, retrieval: _Retrieval) -> WordRanks:
    places = [place for place, gold in enumerate(task.gold) if gold]  # only words with a row have gold
    queries = retrieval.queries[[row for place in places if (row := task.src_rows[place]) is not None]]
    gold = [task.gold[place] for place in places]
    found = backend().best_ranks(queries, retrieval.keys, gold, retrieval.bias)
    ranks: list[int | None] = [None] * len(task.words)
    for place, rank in zip(places, found.tolist(), strict=True):
        ranks[place] = rank
    return WordRanks(task.lexicon, retrieval.criterion, task.words, task.src_rows, ranks)


def _hits(ranks: Sequence[int]) -> Floats2d:
    """The contribution of each word to each of METRICS, (n_words, 4)."""
    column = np.array(ranks)
    return np.column_stack([column <= k for k in KS] + [1 / column]).astype(np.float64)


# ---- parts of a lexicon


def by_band(ranks: WordRanks, ends: Sequence[int] = BAND_ENDS, seed: int = 0) -> dict[str, BLIScores | None]:
    """Scores by the source word's rank in its vocabulary, which is sorted by frequency: "1-1000", ..., "20001-".

    Source words without a vector are in no band. None for a band in which no word is covered.
    """
    ends = list(ends)
    if not ends or ends != sorted(set(ends)) or ends[0] < 1:
        raise InputError(f"bands {ends}: give growing ranks, as 1000 5000 20000")
    bands: dict[str, BLIScores | None] = {}
    for first, last in zip([0, *ends], [*ends, None], strict=True):
        rows = range(first, last if last is not None else max(first, _last_row(ranks) + 1))
        part = ranks.only(i for i, row in enumerate(ranks.src_rows) if row is not None and row in rows)
        bands[f"{first + 1}-{last or ''}"] = scores_of(part, seed) if part.n_covered else None
    return bands


def _last_row(ranks: WordRanks) -> int:
    return max((row for row in ranks.src_rows if row is not None), default=0)


def read_parts_of_speech(folder: str | Path) -> dict[str, Lexicon]:
    """The test lexicons of Kementchedjhieva et al. 2019 ("Lost in Evaluation"): test.{n,v,a,o,pn,nw}.txt of a folder.

    n noun, v verb, a adjective or adverb, o other, pn proper noun, nw not a valid pair. Raises InputError where the
    folder has none of them.
    """
    paths = {part: Path(folder) / f"test.{part}.txt" for part in PARTS_OF_SPEECH}
    found = {part: read_lexicon(path) for part, path in paths.items() if path.is_file()}
    if not found:
        raise at(folder, None, f"holds none of test.{{{','.join(PARTS_OF_SPEECH)}}}.txt")
    return found


def by_part_of_speech(
    src: WordVectors,
    trg: WordVectors,
    parts: Mapping[str, Lexicon],
    retrieval: str = "csls",
    seed: int = 0,
) -> dict[str, BLIScores | None]:
    """Scores of each part of a lexicon, then of "all" of it, and "without pn" and "without pn, nw" where it has them.

    A source word belongs to each part that has a translation of it; the joint lexicons take its translations of all
    their parts. None for a lexicon in which no word is covered; raises InputError when nothing at all is.
    """
    joint = _joined(parts)
    _task(src, trg, joint["all"])
    prepared = _retrieval(src, trg, retrieval)
    found: dict[str, BLIScores | None] = {}
    for name, lexicon in {**parts, **joint}.items():
        try:
            task = _task(src, trg, lexicon)
        except InputError:  # nothing covered
            found[name] = None
        else:
            found[name] = scores_of(_ranks(task, prepared), seed)
    return found


def _joined(parts: Mapping[str, Lexicon]) -> dict[str, Lexicon]:
    """All parts in one lexicon, and all but proper nouns and invalid pairs."""
    if not parts:
        raise InputError("no parts of a lexicon are given")
    left_out = {"all": (), "without pn": ("pn",), "without pn, nw": ("pn", "nw")}
    joint = {}
    for name, dropped in left_out.items():
        kept = [part for part in parts if part not in dropped]
        if kept and all(part in parts for part in dropped):
            pairs = dict.fromkeys(pair for part in kept for pair in parts[part].pairs)
            joint[name] = Lexicon(list(pairs), name)
    return joint


# ---- several lexicons, both directions


@dataclass(frozen=True)
class DirectedScores:
    """One lexicon in one direction: "forward" (source words translated) or "backward"."""

    lexicon: str
    direction: str
    ranks: WordRanks
    scores: BLIScores

    def as_json(self) -> dict[str, Any]:
        return {"lexicon": self.lexicon, "direction": self.direction, **self.scores.as_json()}


def evaluate_many(
    src: WordVectors,
    trg: WordVectors,
    lexicons: Sequence[Lexicon],
    retrieval: str = "csls",
    both_directions: bool = True,
    backward: Sequence[Lexicon] | None = None,
    seed: int = 0,
) -> list[DirectedScores]:
    """Scores of several lexicons in one space, forward ones first; the spaces are prepared once.

    Backward lexicons (target word first) are the same read from right to left, unless `backward` gives others.
    Raises InputError when a lexicon has no covered word.
    """
    if not lexicons:
        raise InputError("no lexicon is given")
    tasks = [("forward", _task(src, trg, lexicon)) for lexicon in lexicons]
    if not both_directions and backward is None:
        prepared = {"forward": _retrieval(src, trg, retrieval)}
    else:
        others = backward if backward is not None else [lexicon.reversed() for lexicon in lexicons]
        tasks += [("backward", _task(trg, src, lexicon)) for lexicon in others]
        prepared = _both_retrievals(src, trg, retrieval)
    found = []
    for direction, task in tasks:
        ranks = _ranks(task, prepared[direction])
        found.append(DirectedScores(task.lexicon, direction, ranks, scores_of(ranks, seed)))
    return found


def _both_retrievals(src: WordVectors, trg: WordVectors, criterion: str) -> dict[str, _Retrieval]:
    queries, keys = unit(src.matrix), unit(trg.matrix)
    src_bias, trg_bias = key_biases(criterion, queries, keys)
    return {
        "forward": _Retrieval(criterion, queries, keys, trg_bias),
        "backward": _Retrieval(criterion, keys, queries, src_bias),
    }


# ---- two mappings


@dataclass(frozen=True)
class Comparison:
    """Two mappings on the words that both cover: their figures in percent, second minus first, 95 % interval."""

    metric: str
    n_words: int
    first: float
    second: float
    difference: float
    interval: Interval
    n_better: int  # words on which the second has more
    n_worse: int
    p_value: float
    test: str  # "exact" or "sampled": the sign patterns of the permutation test

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(first: WordRanks, second: WordRanks, metric: str = "P@1", seed: int = 0) -> Comparison:
    """Is the second mapping better than the first on the same lexicon? A paired bootstrap and a permutation test.

    Interval: percentile bootstrap of the mean difference over words (Efron 1979; paired: Koehn 2004). p-value: two
    mappings of equal worth could swap their results on any word, so the sign of each difference is as good as any
    (Fisher 1935); the share of sign patterns whose sum is as far from 0 as the observed one, two-sided. For P@k all
    patterns are counted, which is McNemar's exact test: 2 P(X >= max(better, worse)), X ~ Bin(better + worse, 1/2).
    For MRR all patterns up to 14 words that differ, else 10,000 drawn, observed one included (Phipson and Smyth 2010).
    Raises InputError for ranks of other words and when there is no word that both cover.
    """
    if metric not in METRICS:
        raise InputError(f"unknown metric {metric!r}: choose {', '.join(METRICS)}")
    if first.words != second.words:
        raise InputError(f"{first.lexicon} and {second.lexicon} have other source words: compare on one lexicon")
    pairs = [(a, b) for a, b in zip(first.ranks, second.ranks, strict=True) if a is not None and b is not None]
    if not pairs:
        raise InputError(f"{first.lexicon}: no source word is covered by both sides")
    column = METRICS.index(metric)
    values = [_hits(ranks)[:, column] for ranks in zip(*pairs, strict=True)]
    differences = values[1] - values[0]
    means = [100 * float(value.mean()) for value in values]
    p_value, test = _sign_test(differences, seed)
    resampled = 100 * resampled_sums(differences[:, None], seed=seed)[:, 0] / len(pairs)
    return Comparison(
        metric=metric,
        n_words=len(pairs),
        first=means[0],
        second=means[1],
        difference=100 * float(differences.mean()),
        interval=interval(resampled),
        n_better=int((differences > 0).sum()),
        n_worse=int((differences < 0).sum()),
        p_value=p_value,
        test=test,
    )


def _sign_test(differences: Floats1d, seed: int) -> tuple[float, str]:
    sizes = np.abs(differences[differences != 0])
    if not len(sizes):
        return 1.0, "exact"
    if (sizes == 1).all():
        return _mcnemar(int((differences > 0).sum()), int((differences < 0).sum())), "exact"
    least = abs(differences.sum()) - 1e-9 * sizes.sum()
    if len(sizes) <= _MOST_ENUMERATED:
        bits = np.arange(1 << len(sizes))[:, None] >> np.arange(len(sizes)) & 1
        return float((np.abs((2 * bits - 1) @ sizes) >= least).mean()), "exact"
    rng = np.random.default_rng(seed)
    step = max(1, (1 << 22) // len(sizes))
    n_far = 0
    for start in range(0, N_SIGN_FLIPS, step):
        signs = rng.integers(2, size=(min(step, N_SIGN_FLIPS - start), len(sizes)), dtype=np.int8) * 2 - 1
        n_far += int((np.abs(signs @ sizes) >= least).sum())
    return (n_far + 1) / (N_SIGN_FLIPS + 1), "sampled"


def _mcnemar(n_better: int, n_worse: int) -> float:
    """Two-sided exact binomial p-value in whole numbers, for any number of words."""
    n = n_better + n_worse
    tail = sum(math.comb(n, k) for k in range(max(n_better, n_worse), n + 1))
    return float(min(1.0, 2 * tail / 2**n))


# ---- single words


def translate(src: WordVectors, trg: WordVectors, words: Sequence[str], retrieval: str = "csls") -> list[str]:
    """The nearest target word of each source word, both in one space.

    Raises InputError for an unknown word.
    """
    rows, found = src.rows(words)
    for word, is_known in zip(words, found, strict=True):
        if not is_known:
            raise InputError(f"{word!r} is not in the source vocabulary")
    queries, keys = unit(src.matrix), unit(trg.matrix)
    best = backend().topk(queries[rows], keys, 1, key_bias(retrieval, queries, keys)).indices[:, 0]
    return [trg.words[row] for row in best]
