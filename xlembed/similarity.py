"""Cross-lingual word similarity: do cosines in the common space go with how alike people find two words?"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xlembed.bootstrap import N_RESAMPLES, Interval, interval
from xlembed.errors import InputError, at
from xlembed.files import numbered_lines
from xlembed.normalize import unit
from xlembed.types import Floats1d
from xlembed.vectors import WordVectors

METRICS = ("spearman", "pearson", "harmonic")


@dataclass(frozen=True)
class SimilarityPairs:
    """Source word and target word of each pair, and people's judgement, higher is more alike."""

    pairs: list[tuple[str, str]]
    gold: list[float]
    name: str = "similarity"

    def __post_init__(self) -> None:
        if len(self.pairs) != len(self.gold):
            raise InputError(f"{self.name}: {len(self.pairs)} pairs and {len(self.gold)} judgements")

    def __len__(self) -> int:
        return len(self.pairs)

    def reversed(self) -> SimilarityPairs:
        """The same pairs, target first."""
        return SimilarityPairs([(trg, src) for src, trg in self.pairs], self.gold, f"{self.name} (reversed)")


@dataclass(frozen=True)
class SimilarityScores:
    """Correlations over covered pairs, with 95 % bootstrap intervals over them; `harmonic` is the official score of
    SemEval-2017 task 2, the harmonic mean of both (0 where one is not above 0).

    `with_oov_at_mean` has the same over all pairs, where one without vectors gets the covered pairs' mean cosine.
    """

    name: str
    n_pairs: int
    n_covered: int
    scores: dict[str, float]
    intervals: dict[str, Interval]
    with_oov_at_mean: dict[str, float]

    @property
    def coverage(self) -> float:
        """Covered share of the pairs, in percent."""
        return 100 * self.n_covered / self.n_pairs

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"coverage": self.coverage}


def read_similarity(path: str | Path, gold: str | Path | None = None) -> SimilarityPairs:
    """Read pairs with judgements: source word TAB target word TAB number, a line each.

    With `gold`, as SemEval-2017 task 2 is published: two columns, and a file with one number a line for each. A first
    line whose third column is no number is taken for a header. Phrases may hold spaces. Raises InputError with the
    line where one cannot be read, and where the two files differ in length.
    """
    numbers = None if gold is None else [_number(gold, line, text) for line, text in _filled_lines(gold)]
    pairs, judgements = [], []
    lines = _filled_lines(path)
    if numbers is None and lines and _is_header(lines[0][1]):
        lines = lines[1:]
    for line, text in lines:
        fields = [field.strip(" ") for field in text.split("\t")]
        if len(fields) != (3 if gold is None else 2) or not all(fields):
            expected = "source word TAB target word" + (" TAB number" if gold is None else "")
            raise at(path, line, f"expected {expected}, found {text[:60]!r}")
        pairs.append((fields[0], fields[1]))
        if numbers is None:
            judgements.append(_number(path, line, fields[2]))
    if not pairs:
        raise at(path, None, "holds no pairs")
    if gold is not None and numbers is not None and len(numbers) != len(pairs):
        raise at(gold, None, f"holds {len(numbers)} judgements, {path} {len(pairs)} pairs")
    return SimilarityPairs(pairs, judgements if numbers is None else numbers, str(path))


def _filled_lines(path: str | Path) -> list[tuple[int, str]]:
    return [(number, line) for number, line in numbered_lines(path) if line.strip()]


def _is_header(line: str) -> bool:
    fields = line.split("\t")
    return len(fields) == 3 and _as_number(fields[2]) is None


def _number(path: str | Path, line: int, text: str) -> float:
    value = _as_number(text)
    if value is None:
        raise at(path, line, f"expected a number, found {text[:60]!r}")
    return value


def _as_number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def evaluate(src: WordVectors, trg: WordVectors, data: SimilarityPairs, seed: int = 0) -> SimilarityScores:
    """Correlate cosines of mapped vectors (src and trg in one space) with people's judgements.

    A word without a row takes its vector from subwords where the vectors can compose one. Raises InputError for
    fewer than 3 covered pairs, and where cosines or judgements are all alike.
    """
    if src.dim != trg.dim:
        raise InputError(f"the vectors have dims {src.dim} and {trg.dim}: map them into one space first")
    cosines = _cosines(src, trg, data.pairs)
    covered = ~np.isnan(cosines)
    if covered.sum() < 3:
        raise InputError(f"{data.name}: {covered.sum()} of {len(data)} pairs have vectors, at least 3 are needed: "
                         "check languages, direction and casing")
    gold = np.array(data.gold)
    found, judged = cosines[covered], gold[covered]
    for values, what in ((found, "cosines"), (judged, "judgements")):
        if (values == values[0]).all():
            raise InputError(f"{data.name}: the {what} of all covered pairs are alike: there is nothing to correlate")
    filled = np.where(covered, cosines, found.mean())
    resampled = _resampled(found, judged, seed)
    return SimilarityScores(
        name=data.name,
        n_pairs=len(data),
        n_covered=len(found),
        scores=correlations(found, judged),
        intervals={name: interval(resampled[name]) for name in METRICS},
        with_oov_at_mean=correlations(filled, gold),
    )


def _cosines(src: WordVectors, trg: WordVectors, pairs: list[tuple[str, str]]) -> Floats1d:
    """Cosine of each pair, NaN where a word has no vector; 0 for a zero vector."""
    values = np.full(len(pairs), np.nan)
    for place, (src_word, trg_word) in enumerate(pairs):
        one, other = src.vector(src_word), trg.vector(trg_word)
        if one is not None and other is not None:
            rows = unit(np.stack([one, other]).astype(np.float64))
            values[place] = rows[0] @ rows[1]
    return values


def correlations(one: Floats1d, other: Floats1d) -> dict[str, float]:
    """Spearman's and Pearson's correlation and their harmonic mean."""
    values = {"spearman": pearson(mean_ranks(one), mean_ranks(other)), "pearson": pearson(one, other)}
    low, high = sorted(values.values())
    return values | {"harmonic": 2 * low * high / (low + high) if low > 0 else 0.0}


def pearson(one: Floats1d, other: Floats1d) -> float:
    """r = sum (x - mean x)(y - mean y) / sqrt(sum (x - mean x)^2 sum (y - mean y)^2) (Pearson 1895)."""
    x, y = one - one.mean(), other - other.mean()
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def mean_ranks(values: Floats1d) -> Floats1d:
    """Rank from 1 of each value, equal ones at the mean of their ranks, as Spearman's rho (1904) wants them."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def _resampled(one: Floats1d, other: Floats1d, seed: int) -> dict[str, Floats1d]:
    """Correlations of bootstrap samples of the pairs; samples that have no correlation are drawn again."""
    rng = np.random.default_rng(seed)
    found: list[dict[str, float]] = []
    while len(found) < N_RESAMPLES:
        picks = rng.integers(len(one), size=len(one))
        x, y = one[picks], other[picks]
        if (x != x[0]).any() and (y != y[0]).any():
            found.append(correlations(x, y))
    return {name: np.array([values[name] for values in found]) for name in METRICS}
