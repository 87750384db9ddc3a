"""Tagging by a linear-chain CRF on shapes, affixes, words, clusters and vectors, fitted by L-BFGS.

Lafferty, McCallum & Pereira 2001 (ICML); clusters are how Guo et al. (2014, EMNLP) make vectors useful to a linear
model. All features but pairs of shapes belong to one word, so a word's scores at a place of the window are one
product for all its occurrences:
emission(i) = sum_o [F W_o + D V_o](word at i + o) + P(i) U, with sparse features F, dense ones D and pairs of shapes P.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from baselines import crf
from baselines.corpora import TaggedSentence, check_training
from baselines.features import N_SHAPE, WordFeatures, check_dim
from baselines.models import Score
from baselines.sequences import Corpus, corpus_of, labels_of, numbers_of, tags_of
from baselines.settings import CrfSettings
from baselines.training import Curve
from xlembed.errors import require
from xlembed.progress import progress, say
from xlembed.types import Floats1d, Floats2d, Ints1d

VECTOR_SCALE = 4.0  # numbers of unit vectors are small, and the penalty asks for small weights
_AFFIX = 4  # characters at most
_OUTSIDE = "outside"  # the feature of what is no word of the sentence


@dataclass(frozen=True)
class Names:
    """Numbers of the features: those of the word itself, of the words beside it, and of pairs of shapes."""

    centre: dict[str, int]
    side: dict[str, int]
    pairs: dict[str, int]


@dataclass(frozen=True)
class Inputs:
    """A corpus as matrices; n_distinct counts the distinct words and the outside."""

    centre: Any  # sparse (n_distinct, n_centre)
    side: Any  # sparse (n_distinct, n_side)
    dense: Floats2d  # (n_distinct, dim)
    pairs: Any  # sparse (n_words, n_pairs)
    at: list[Any]  # sparse (n_words, n_distinct) a place of the window: which word stands there
    offsets: Ints1d


@dataclass(frozen=True)
class Weights:
    """What is trained, all in one vector; `sparse`, `dense`, `pairs` and `transitions` are views of it."""

    flat: Floats1d
    sparse: list[Floats2d]  # a place of the window: (n_centre or n_side, n_labels)
    dense: list[Floats2d]  # (dim, n_labels)
    pairs: Floats2d  # (n_pairs, n_labels)
    transitions: Floats2d  # (n_labels + 2, n_labels)


@dataclass
class CrfTagger:
    """A trained tagger; it tags any language whose features live in the same space."""

    labels: list[str]
    names: Names
    centroids: list[Floats2d]  # of each clustering, (k, dim of the vectors)
    flat: Floats1d
    settings: CrfSettings
    n_features: int
    curve: Curve | None = None

    @property
    def n_parameters(self) -> int:
        return len(self.flat)

    def predict(self, sentences: Sequence[TaggedSentence], features: WordFeatures) -> list[list[str]]:
        """A list of tags for each sentence."""
        check_dim(features, self.n_features, "tagger")
        corpus = corpus_of(sentences)
        return self._tags(self._inputs(corpus, features))

    def _inputs(self, corpus: Corpus, features: WordFeatures) -> Inputs:
        table = features.table(corpus.distinct)
        words = _features_of_words(corpus.distinct, table, self.centroids, self.settings)
        return _inputs(corpus, words, table, self.names, self.settings.radius)

    def _tags(self, inputs: Inputs) -> list[list[str]]:
        weights = self.weights()
        transitions = crf.constrained(weights.transitions, self.labels)
        path = crf.viterbi(_emissions(inputs, weights), inputs.offsets, transitions)
        return tags_of(path, inputs.offsets, self.labels)

    def weights(self) -> Weights:
        """The weights by what they belong to."""
        return _weights(self.flat, self.names, self.n_features, len(self.labels), self.settings.radius)

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Tensors and description, for saving."""
        tensors = {f"centroids.{i}": torch.from_numpy(part) for i, part in enumerate(self.centroids)}
        tensors["weights"] = torch.from_numpy(self.flat.astype(np.float32))
        names = {part: list(getattr(self.names, part)) for part in ("centre", "side", "pairs")}
        return tensors, {"labels": self.labels, "names": names, "settings": asdict(self.settings),
                         "n_features": self.n_features}  # fmt: skip


def train(
    train: Sequence[TaggedSentence],
    dev: Sequence[TaggedSentence],
    features: WordFeatures,
    score: Score,
    settings: CrfSettings = CrfSettings(),
    seed: int = 1,
) -> CrfTagger:
    """Fit on the source language; `score(gold, predicted)` on dev decides when to stop. The seed is the clusters'."""
    require("scipy", "static")
    check_training(train, dev)
    labels, corpus, dev_corpus = labels_of(train), corpus_of(train), corpus_of(dev)
    centroids = [spherical_kmeans(features.vectors.matrix, k, seed) for k in settings.clusters]
    table = features.table(corpus.distinct)
    words = _features_of_words(corpus.distinct, table, centroids, settings)
    names = _names(corpus, words, settings.min_count)
    n_weights = _n_weights(names, features.dim, len(labels), settings.radius)
    tagger = CrfTagger(labels, names, centroids, np.zeros(n_weights), settings, features.dim)
    inputs = _inputs(corpus, words, table, names, settings.radius)
    dev_inputs, dev_gold = tagger._inputs(dev_corpus, features), [sentence.gold for sentence in dev]
    return _fit(tagger, inputs, numbers_of(train, labels), lambda one: score(dev_gold, one._tags(dev_inputs)))


# ---- fitting


@dataclass
class _Progress:
    """Dev scores and losses so far, and the best weights."""

    best: Floats1d
    scores: list[float]
    losses: list[float]
    n_iterations: int = 0
    loss: float = 0.0

    def add(self, flat: Floats1d, score: float) -> None:
        self.scores.append(score)
        self.losses.append(self.loss)
        if score >= max(self.scores):
            self.best = flat.copy()

    @property
    def n_since_best(self) -> int:
        return len(self.scores) - 1 - int(np.argmax(self.scores))


def _fit(tagger: CrfTagger, inputs: Inputs, gold: Ints1d, dev_score: Callable[[CrfTagger], float]) -> CrfTagger:
    """L-BFGS until dev has not risen for `patience` scores; Ctrl-C after the first score keeps the best so far."""
    from scipy.optimize import minimize

    settings, begin, interrupted = tagger.settings, time.perf_counter(), False
    done = _Progress(tagger.flat, [], [])
    with progress("crf", settings.max_iterations) as advance:

        def objective(flat: Floats1d) -> tuple[float, Floats1d]:
            loss, gradient = _penalised(replace(tagger, flat=flat), inputs, gold)
            done.loss = loss / len(gold)
            return loss, gradient

        def after_iteration(flat: Floats1d) -> None:
            done.n_iterations += 1
            advance(1, f"loss {done.loss:.4f}" + (f", dev {done.scores[-1]:.2f}" if done.scores else ""))
            if done.n_iterations % settings.evaluate_every == 0:
                done.add(flat, dev_score(replace(tagger, flat=flat)))
                if done.n_since_best >= settings.patience:
                    raise StopIteration

        options = {"maxiter": settings.max_iterations, "maxfun": 2 * settings.max_iterations, "maxcor": 6}
        try:
            end = minimize(objective, tagger.flat, jac=True, method="L-BFGS-B", callback=after_iteration,
                           options=options)  # fmt: skip
            if done.n_iterations % settings.evaluate_every or not done.scores:  # the last weights have no score yet
                done.add(end.x, dev_score(replace(tagger, flat=end.x)))
        except KeyboardInterrupt:
            if not done.scores:
                raise
            interrupted = True
            say(f"crf: stopped after {done.n_iterations} iterations, the best so far is kept")
    best = len(done.scores) - int(np.argmax(done.scores[::-1]))
    curve = Curve(done.scores, best, round(time.perf_counter() - begin, 2), done.losses, interrupted)
    return replace(tagger, flat=done.best, curve=curve)


def _penalised(tagger: CrfTagger, inputs: Inputs, gold: Ints1d) -> tuple[float, Floats1d]:
    """Negative log-likelihood plus penalty, and its gradient by the flat weights."""
    weights = tagger.weights()
    found = crf.negative_log_likelihood(_emissions(inputs, weights), inputs.offsets, weights.transitions, gold)
    gradient = replace(tagger, flat=np.zeros_like(tagger.flat)).weights()
    for i, place in enumerate(inputs.at):
        by_word = place.T @ found.by_emissions  # (n_distinct, n_labels)
        sparse = inputs.centre if i == tagger.settings.radius else inputs.side
        gradient.sparse[i][:] = sparse.T @ by_word
        gradient.dense[i][:] = inputs.dense.T @ by_word
    gradient.pairs[:] = inputs.pairs.T @ found.by_emissions
    gradient.transitions[:] = found.by_transitions
    penalty = tagger.settings.penalty
    return (found.loss + penalty * float(tagger.flat @ tagger.flat), gradient.flat + 2 * penalty * tagger.flat)


def _emissions(inputs: Inputs, weights: Weights) -> Floats2d:
    """(n_words, n_labels): the scores of the words in the window, each looked up in its product."""
    radius = len(inputs.at) // 2
    emissions = np.asarray(inputs.pairs @ weights.pairs)
    for i, place in enumerate(inputs.at):
        sparse = inputs.centre if i == radius else inputs.side
        emissions += place @ (sparse @ weights.sparse[i] + inputs.dense @ weights.dense[i])
    return emissions


def _shapes(names: Names, dim: int, n_labels: int, radius: int) -> list[tuple[int, int]]:
    """Of the parts of the weights, in their order: sparse and dense of each place, pairs, transitions."""
    sparse = [(len(names.centre if i == radius else names.side), n_labels) for i in range(2 * radius + 1)]
    return [*sparse, *[(dim, n_labels)] * len(sparse), (len(names.pairs), n_labels), (n_labels + 2, n_labels)]


def _n_weights(names: Names, dim: int, n_labels: int, radius: int) -> int:
    return sum(rows * columns for rows, columns in _shapes(names, dim, n_labels, radius))


def _weights(flat: Floats1d, names: Names, dim: int, n_labels: int, radius: int) -> Weights:
    """Views of the flat weights by what they belong to."""
    shapes = _shapes(names, dim, n_labels, radius)
    ends = np.cumsum([rows * columns for rows, columns in shapes])
    parts = [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]
    n = 2 * radius + 1
    return Weights(flat, parts[:n], parts[n : 2 * n], parts[-2], parts[-1])


# ---- features


def spherical_kmeans(matrix: Floats2d, k: int, seed: int, n_iterations: int = 15) -> Floats2d:
    """Unit centroids, (min(k, n_words), dim), of unit rows (Dhillon & Modha 2001): each is the mean direction of the
    rows that are nearest to it by cosine. One that loses all its rows stays where it was."""
    rng = np.random.default_rng(seed)
    centroids = matrix[np.sort(rng.choice(len(matrix), min(k, len(matrix)), replace=False))].copy()
    for _ in range(n_iterations):
        nearest = nearest_centroid(matrix, centroids)
        sums = np.zeros(centroids.shape)
        np.add.at(sums, nearest, matrix)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centroids = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centroids).astype(np.float32)
    return centroids


def nearest_centroid(matrix: Floats2d, centroids: Floats2d, step: int = 8192) -> Ints1d:
    """The centroid of the greatest cosine to each row, (n,); of equals the first."""
    parts = [(matrix[i : i + step] @ centroids.T).argmax(axis=1) for i in range(0, len(matrix), step)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def pattern(word: str) -> str:
    """Capitals as X, other letters as x, digits as d, the rest as it is; repeated marks count once: "Xx", "d-d"."""
    marks = ["X" if c.isupper() else "x" if c.isalpha() else "d" if c.isdigit() else c for c in word[:40]]
    return "".join(mark for mark, before in zip(marks, ["", *marks], strict=False) if mark != before)


def _features_of_words(
    words: Sequence[str], table: Floats2d, centroids: Sequence[Floats2d], settings: CrfSettings
) -> list[tuple[list[str], list[str]]]:
    """Of each word: what it and its neighbours see of it, and what it alone sees."""
    dim = table.shape[1] - N_SHAPE
    nearest = [nearest_centroid(table[:, :dim], part) for part in centroids]
    has_vector = table[:, dim] > 0
    features = []
    for i, word in enumerate(words):
        lower = word.lower()
        both = [f"shape={pattern(word)}"]
        if has_vector[i]:
            both += [f"cluster{len(part)}={best[i]}" for part, best in zip(centroids, nearest, strict=True)]
        both += [f"word={lower}"] if settings.words else []
        alone = []
        if settings.affixes:
            lengths = range(1, min(_AFFIX, len(lower)) + 1)
            alone = [f"prefix={lower[:n]}" for n in lengths] + [f"suffix={lower[-n:]}" for n in lengths]
        features.append((both, alone))
    return features


def _names(corpus: Corpus, words: list[tuple[list[str], list[str]]], min_count: int) -> Names:
    """The features that the running words of the corpus have `min_count` times or more."""
    counts = np.bincount(corpus.rows, minlength=len(words))
    both: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for (of_both, of_alone), count in zip(words, counts, strict=True):
        for counter, features in ((both, of_both), (alone, of_alone)):
            counter.update({feature: int(count) for feature in features})
    frequent = [sorted(name for name, n in counter.items() if n >= min_count) for counter in (both, alone)]
    pairs, which = _shape_pairs(corpus)
    counts_of_pairs = np.bincount(which, minlength=len(pairs))
    return Names(_numbered([_OUTSIDE, *frequent[0], *frequent[1]]), _numbered([_OUTSIDE, *frequent[0]]),
                 _numbered(pair for pair, n in zip(pairs, counts_of_pairs, strict=True) if n >= min_count))  # fmt: skip


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}


def _shape_pairs(corpus: Corpus) -> tuple[list[str], Ints1d]:
    """The distinct pairs of the shapes of two words that follow each other, and the pair of each word, (n_words,)."""
    patterns = [pattern(word) for word in corpus.distinct]
    shapes = sorted({"", *patterns})
    number = _numbered(shapes)
    here = np.array([number[one] for one in patterns], dtype=np.int64)[corpus.rows]
    before = np.concatenate([[0], here[:-1]])[: len(here)]
    before[corpus.offsets[:-1][corpus.lengths > 0]] = number[""]
    codes, which = np.unique(before * len(shapes) + here, return_inverse=True)
    return [f"{shapes[code // len(shapes)]} {shapes[code % len(shapes)]}" for code in codes], which


def _inputs(
    corpus: Corpus, words: list[tuple[list[str], list[str]]], table: Floats2d, names: Names, radius: int
) -> Inputs:
    """A corpus as matrices; the last of the distinct words is what stands outside a sentence."""
    rows = [*words, ([_OUTSIDE], [])]
    dense = np.concatenate([table, np.zeros((1, table.shape[1]))]).astype(np.float64)
    dense[:, : table.shape[1] - N_SHAPE] *= VECTOR_SCALE
    windows = corpus.windows(radius)
    return Inputs(
        _matrix([both + alone for both, alone in rows], names.centre),
        _matrix([both for both, _ in rows], names.side),
        dense,
        _pair_matrix(corpus, names.pairs),
        [_choice(column, len(rows)) for column in windows.T],
        corpus.offsets,
    )


def _matrix(features: Sequence[Sequence[str]], numbers: dict[str, int]) -> Any:
    """A sparse matrix of zeros and ones, a row an entry of `features`; features without a number are left out."""
    from scipy.sparse import csr_matrix

    known = [[numbers[name] for name in row if name in numbers] for row in features]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in known])])
    columns = np.array([column for row in known for column in row], dtype=np.int64)
    return csr_matrix((np.ones(len(columns)), columns, starts), shape=(len(features), len(numbers)))


def _pair_matrix(corpus: Corpus, numbers: dict[str, int]) -> Any:
    """Which pair of shapes each word makes with the one before it, (n_words, n_pairs)."""
    pairs, which = _shape_pairs(corpus)
    return _matrix([[pair] for pair in pairs], numbers)[which]


def _choice(rows: Ints1d, n: int) -> Any:
    """A sparse matrix (n_words, n) that picks rows of another by a product."""
    from scipy.sparse import csr_matrix

    return csr_matrix((np.ones(len(rows)), rows, np.arange(len(rows) + 1)), shape=(len(rows), n))


def load(tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> CrfTagger:
    """What `state` took apart."""
    names = Names(*(_numbered(about["names"][part]) for part in ("centre", "side", "pairs")))
    settings = CrfSettings(**about["settings"])
    centroids = [tensors[f"centroids.{i}"].numpy() for i in range(len(settings.clusters))]
    flat = tensors["weights"].numpy().astype(np.float64)
    if flat.ndim != 1 or any(one.shape[1:] != (about["n_features"] - N_SHAPE,) or not len(one) for one in centroids):
        raise ValueError("centroids and features do not fit together")
    if len(flat) != _n_weights(names, about["n_features"], len(about["labels"]), settings.radius):
        raise ValueError("weights and features do not fit together")
    return CrfTagger(about["labels"], names, centroids, flat, settings, about["n_features"])
