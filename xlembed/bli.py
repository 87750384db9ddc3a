"""Bilingual dictionary induction: does the nearest target word translate the source word?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xlembed.bootstrap import Interval, interval, resampled_sums
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon
from xlembed.normalize import unit
from xlembed.retrieval import key_bias
from xlembed.search.base import backend
from xlembed.search.numpy_search import best_ranks
from xlembed.vectors import WordVectors

KS = (1, 5, 10)


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


def evaluate(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon, retrieval: str = "csls", seed: int = 0
) -> BLIScores:
    """Score mapped vectors (src and trg in one space) on a lexicon; several gold translations all count.

    Raises InputError when no word of the lexicon is covered.
    """
    rows: list[int] = []  # of the covered source words, and of their translations
    gold: list[list[int]] = []
    translations = lexicon.translations()
    for src_word, trg_words in translations.items():
        src_row = src.row(src_word)
        trg_rows = {row for word in trg_words if (row := trg.row(word)) is not None}
        if src_row is not None and trg_rows:
            rows.append(src_row)
            gold.append(sorted(trg_rows))
    if not gold:
        raise InputError(f"{lexicon.name}: none of its {len(translations)} source words can be tested: "
                         "check languages, direction and casing")
    queries, keys = unit(src.matrix), unit(trg.matrix)
    bias = key_bias(retrieval, queries, keys)
    ranks = best_ranks(queries[rows], keys, gold, bias)
    hits = np.column_stack([ranks <= k for k in KS] + [1 / ranks]).astype(np.float64)  # (n_covered, 4)
    names = [f"P@{k}" for k in KS] + ["MRR"]
    n_words = len(translations)
    resampled = 100 * resampled_sums(hits, seed=seed) / len(hits)
    means = 100 * hits.mean(axis=0)
    return BLIScores(
        retrieval=retrieval,
        n_words=n_words,
        n_covered=len(hits),
        scores=dict(zip(names, means.tolist(), strict=True)),
        intervals={name: interval(resampled[:, i]) for i, name in enumerate(names)},
        with_oov_as_errors=dict(zip(names, (means * len(hits) / n_words).tolist(), strict=True)),
    )


def translate(src: WordVectors, trg: WordVectors, words: Sequence[str], retrieval: str = "csls") -> list[str]:
    """The nearest target word of each source word, both in one space.

    Raises InputError for an unknown word.
    """
    for word in words:
        if src.row(word) is None:
            raise InputError(f"{word!r} is not in the source vocabulary")
    queries, keys = unit(src.matrix), unit(trg.matrix)
    rows = [src.row(word) for word in words]
    best = backend().topk(queries[rows], keys, 1, key_bias(retrieval, queries, keys)).indices[:, 0]
    return [trg.words[row] for row in best]
