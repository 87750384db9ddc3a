"""Sentence retrieval with averaged word vectors: is a sentence's nearest sentence its translation?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xlembed.bootstrap import Interval, interval, resampled_sums
from xlembed.errors import InputError, at
from xlembed.files import numbered_lines
from xlembed.induction import best_both
from xlembed.normalize import unit
from xlembed.tokenize import tokenize
from xlembed.types import Bools1d, Floats2d
from xlembed.vectors import WordVectors

WEIGHTINGS = ("mean", "idf", "sif")
SIF_A = 1e-3


@dataclass(frozen=True)
class ParallelSentences:
    """Sentences and their translations, one to one."""

    src: list[str]
    trg: list[str]
    name: str = "sentences"

    def __post_init__(self) -> None:
        if len(self.src) != len(self.trg):
            raise InputError(f"{self.name}: {len(self.src)} source and {len(self.trg)} target sentences")

    def __len__(self) -> int:
        return len(self.src)


@dataclass(frozen=True)
class SentenceVectors:
    """One row a sentence, (n_sentences, dim); zero where no word of it has a vector."""

    matrix: Floats2d
    has_words: Bools1d
    n_tokens: int
    n_known: int

    @property
    def coverage(self) -> float:
        """Share of the tokens that have a vector, in percent."""
        return 100 * self.n_known / self.n_tokens if self.n_tokens else 0.0


@dataclass(frozen=True)
class RetrievalScores:
    """P@1 in percent over all sentences in both directions, with 95 % bootstrap intervals over them.

    A sentence without a known word is an error, and so is the later of two sentences that read alike.
    """

    name: str
    weighting: str
    retrieval: str
    n_sentences: int
    scores: dict[str, float]  # forward: source sentences as queries; backward
    intervals: dict[str, Interval]
    coverage: dict[str, float]  # share of known tokens, in percent: src, trg
    without_words: dict[str, int]  # sentences

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


# ---- reading


def read_parallel(src_path: str | Path, trg_path: str | Path) -> ParallelSentences:
    """Read two files with a sentence a line, line i the translation of line i (as LASER's Tatoeba sets are).

    Raises InputError for an empty line, with its number, and for files of other lengths or without sentences.
    """
    src, trg = _sentences(src_path), _sentences(trg_path)
    if len(src) != len(trg):
        raise at(trg_path, None, f"has {len(trg)} sentences, {src_path} has {len(src)}: give parallel files")
    return ParallelSentences(src, trg, f"{src_path} {trg_path}")


def read_tatoeba(folder: str | Path, lang: str) -> ParallelSentences:
    """The set tatoeba.{lang}-eng of a folder, source first (Artetxe and Schwenk 2019), lang an ISO 639-3 code."""
    stem = Path(folder) / f"tatoeba.{lang}-eng"
    return read_parallel(f"{stem}.{lang}", f"{stem}.eng")


def _sentences(path: str | Path) -> list[str]:
    found = []
    for number, line in numbered_lines(path):
        if not line.strip():
            raise at(path, number, "is empty: a sentence a line is needed")
        found.append(line)
    if not found:
        raise at(path, None, "holds no sentences")
    return found


# ---- weights and vectors


@dataclass(frozen=True)
class TokenWeights:
    """A weight for each token of the texts that were counted, and one for all others."""

    weights: dict[str, float]
    unknown: float
    name: str

    def of(self, token: str) -> float:
        return self.weights.get(token.lower(), self.unknown)


def idf_weights(sentences: Iterable[str], lang: str | None = None) -> TokenWeights:
    """idf(w) = log((1 + N) / (1 + df(w))) + 1, df(w) of N sentences hold w (Spärck Jones 1972, smoothed): never 0."""
    counts: Counter[str] = Counter()
    n = 0
    for sentence in sentences:
        counts.update(set(_tokens(sentence, lang)))
        n += 1
    if not n:
        raise InputError("no texts are given to take document frequencies from")
    weights = {token: math.log((1 + n) / (1 + count)) + 1 for token, count in counts.items()}
    return TokenWeights(weights, math.log(1 + n) + 1, "idf")


def sif_weights(sentences: Iterable[str], lang: str | None = None, a: float = SIF_A) -> TokenWeights:
    """a / (a + p(w)), p(w) the share of w among all tokens, a = 0.001 (Arora et al. 2017, equation 3)."""
    counts: Counter[str] = Counter()
    for sentence in sentences:
        counts.update(_tokens(sentence, lang))
    total = counts.total()
    if not total:
        raise InputError("no texts are given to take token frequencies from")
    return TokenWeights({token: a / (a + count / total) for token, count in counts.items()}, 1.0, "sif")


def _tokens(sentence: str, lang: str | None) -> list[str]:
    return [token.lower() for token in tokenize(sentence, lang)]


def sentence_vectors(
    sentences: Sequence[str],
    vectors: WordVectors,
    weights: TokenWeights | None = None,
    lang: str | None = None,
) -> SentenceVectors:
    """Weighted mean of the vectors of each sentence's tokens, every occurrence counted; all weights 1 for None.

    Tokens are looked up as written, then in lower case, and those without a row are left out. For SIF's weights the
    sentences' first principal direction is taken away as well (`without_common`).
    """
    if not sentences:
        raise InputError("no sentences are given")
    sums = np.zeros((len(sentences), vectors.dim))
    totals = np.zeros(len(sentences))
    n_tokens = n_known = 0
    for place, sentence in enumerate(sentences):
        tokens = tokenize(sentence, lang)
        rows, found = vectors.rows(tokens)
        factors = np.array([1.0 if weights is None else weights.of(token) for token in tokens])[found]
        sums[place] = factors @ vectors.matrix[rows[found]]
        totals[place] = factors.sum()
        n_tokens, n_known = n_tokens + len(tokens), n_known + int(found.sum())
    has_words = totals > 0
    matrix = np.divide(sums, totals[:, None], out=np.zeros_like(sums), where=has_words[:, None])
    if weights is not None and weights.name == "sif":
        matrix = without_common(matrix)
    return SentenceVectors(matrix.astype(np.float32), has_words, n_tokens, n_known)


def without_common(matrix: Floats2d) -> Floats2d:
    """v - u u^T v for every row, u the first right singular vector of the rows (Arora et al. 2017, algorithm 1).

    Two rows at least are needed: a single one is its own common direction and stays as it is.
    """
    if len(matrix) < 2:
        return matrix
    u = np.linalg.svd(matrix, full_matrices=False)[2][0]
    return matrix - np.outer(matrix @ u, u)


# ---- retrieval


def evaluate(
    src: WordVectors,
    trg: WordVectors,
    sentences: ParallelSentences,
    retrieval: str = "csls",
    weighting: str = "mean",
    src_texts: Iterable[str] | None = None,
    trg_texts: Iterable[str] | None = None,
    langs: tuple[str | None, str | None] = (None, None),
    seed: int = 0,
) -> RetrievalScores:
    """P@1 of sentence retrieval with mapped vectors (src and trg in one space), in both directions.

    weighting: mean, idf or sif; the texts that frequencies are taken from are the sentences themselves unless others
    are given. langs: language codes for the tokenizer. Raises InputError where no sentence of a side has a known word.
    """
    if weighting not in WEIGHTINGS:
        raise InputError(f"unknown weighting {weighting!r}: choose {', '.join(WEIGHTINGS)}")
    if src.dim != trg.dim:
        raise InputError(f"the vectors have dims {src.dim} and {trg.dim}: map them into one space first")
    sides = [
        sentence_vectors(texts, vectors, _weights(weighting, texts if others is None else others, lang), lang)
        for texts, others, vectors, lang in zip(
            (sentences.src, sentences.trg), (src_texts, trg_texts), (src, trg), langs, strict=True
        )
    ]
    for side, what in zip(sides, ("source", "target"), strict=True):
        if not side.has_words.any():
            raise InputError(f"{sentences.name}: no {what} sentence has a word with a vector: check languages")
    return score(sides[0], sides[1], retrieval, sentences.name, weighting, seed)


def _weights(weighting: str, texts: Iterable[str], lang: str | None) -> TokenWeights | None:
    if weighting == "mean":
        return None
    return idf_weights(texts, lang) if weighting == "idf" else sif_weights(texts, lang)


def score(
    src: SentenceVectors,
    trg: SentenceVectors,
    retrieval: str = "csls",
    name: str = "sentences",
    weighting: str = "mean",
    seed: int = 0,
) -> RetrievalScores:
    """P@1 of any sentence vectors, row i of one side the translation of row i of the other."""
    if len(src.matrix) != len(trg.matrix):
        raise InputError(f"{name}: {len(src.matrix)} source and {len(trg.matrix)} target sentences")
    n = len(src.matrix)
    neighbors = best_both(unit(src.matrix), unit(trg.matrix), retrieval)
    has_words = src.has_words & trg.has_words
    hits = np.column_stack([(side.indices[:, 0] == np.arange(n)) & has_words for side in neighbors])
    resampled = 100 * resampled_sums(hits.astype(np.float64), seed=seed) / n
    directions = ("forward", "backward")
    return RetrievalScores(
        name=name,
        weighting=weighting,
        retrieval=retrieval,
        n_sentences=n,
        scores=dict(zip(directions, (100 * hits.mean(axis=0)).tolist(), strict=True)),
        intervals={direction: interval(resampled[:, i]) for i, direction in enumerate(directions)},
        coverage={"src": src.coverage, "trg": trg.coverage},
        without_words={"src": int((~src.has_words).sum()), "trg": int((~trg.has_words).sum())},
    )
