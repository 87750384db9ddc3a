"""Many languages in one space, with mappings between any two of them: all to a pivot, or generalised Procrustes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xlembed.alignment.base import LinearMapping, check_loaded
from xlembed.alignment.procrustes import rotation
from xlembed.errors import InputError, at, require
from xlembed.files import read_json
from xlembed.lexicon import Lexicon, need_covered
from xlembed.normalize import UNIT_CENTER_UNIT, normalize
from xlembed.os_faults import advice, cannot_read
from xlembed.saved import check_pair, save_pair
from xlembed.types import Floats2d, Ints1d
from xlembed.vectors import WordVectors

METHODS = ("pivot", "gpa")


@dataclass(frozen=True)
class HubSettings:
    """pivot: each language onto the pivot. gpa: all onto their mean, in turn, until it rests."""

    method: str = "gpa"
    steps: tuple[str, ...] = UNIT_CENTER_UNIT
    max_rounds: int = 100
    tolerance: float = 1e-6  # relative fall of the loss that is still worth a round

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"unknown hub method {self.method!r}: choose {' or '.join(METHODS)}")
        if self.max_rounds < 1 or self.tolerance < 0:
            raise InputError("max_rounds must be at least 1, tolerance at least 0")


@dataclass(frozen=True)
class HubSpace:
    """One orthogonal matrix (dim, dim) a language: matrix @ weights[lang] lies in the common space."""

    weights: dict[str, Floats2d]
    steps: tuple[str, ...] = UNIT_CENTER_UNIT
    about: dict[str, Any] = field(default_factory=dict)

    def between(self, src: str, trg: str) -> LinearMapping:
        """The mapping of two of the languages into the common space."""
        for lang in (src, trg):
            if lang not in self.weights:
                raise InputError(f"the hub has no language {lang!r}: it has {', '.join(self.weights)}")
        return LinearMapping(self.weights[src], self.weights[trg], self.steps, {**self.about, "src": src, "trg": trg})


def fit(
    spaces: Mapping[str, WordVectors],
    lexicons: Mapping[str, Lexicon],
    pivot: str,
    settings: HubSettings = HubSettings(),
) -> HubSpace:
    """Map all spaces into one, each tied to the pivot by a lexicon pivot -> language.

    gpa (Gower 1975; Kementchedjhieva et al. 2018): with X_l the vectors of the concepts (pivot words) that
    language l translates, minimise sum_l || X_l W_l - G_l ||^2 over orthogonal W_l and the consensus G, whose row
    of a concept is the mean of X_l W_l over the languages that have it. A concept with several translations in a
    language counts with their mean. The common space is turned so that the pivot stays as it is.
    """
    _check(spaces, lexicons, pivot)
    normalized = {lang: normalize(vectors, settings.steps).matrix for lang, vectors in spaces.items()}
    covered = {lang: need_covered(lexicon, spaces[pivot], spaces[lang]) for lang, lexicon in lexicons.items()}
    concepts, rows = np.unique(np.concatenate([c.rows[:, 0] for c in covered.values()])), {}
    for lang, one in covered.items():
        rows[lang] = np.searchsorted(concepts, one.rows[:, 0])
    vectors, has = _concept_vectors(normalized, covered, rows, concepts, pivot)
    weights = {lang: np.eye(spaces[pivot].dim, dtype=np.float32) for lang in spaces}
    for lang in lexicons:
        both = has[lang]
        weights[lang] = rotation(vectors[lang][both], vectors[pivot][both])
    losses = [_loss(vectors, has, weights)]
    if settings.method == "gpa":
        losses += _turn_until_rest(vectors, has, weights, settings)
        back = weights[pivot].T.copy()
        weights = {lang: (weight @ back).astype(np.float32) for lang, weight in weights.items()}
    about = {
        "method": settings.method,
        "pivot": pivot,
        "languages": list(spaces),
        "concepts": len(concepts),
        "covered": {lang: len(one.rows) for lang, one in covered.items()},
        "rounds": len(losses) - 1,
        "loss": [round(loss, 6) for loss in (losses[0], losses[-1])],
    }
    return HubSpace(weights, settings.steps, about)


def _check(spaces: Mapping[str, WordVectors], lexicons: Mapping[str, Lexicon], pivot: str) -> None:
    if pivot not in spaces:
        raise InputError(f"the pivot {pivot!r} is none of the languages {', '.join(spaces)}")
    others = [lang for lang in spaces if lang != pivot]
    if not others or set(others) != set(lexicons):
        raise InputError(f"one lexicon for each language but the pivot is needed: {', '.join(others) or 'none'}")
    for lang in others:
        if spaces[lang].dim != spaces[pivot].dim:
            raise InputError(f"{pivot} has dim {spaces[pivot].dim}, {lang} {spaces[lang].dim}: one dim is needed")


def _concept_vectors(
    normalized: Mapping[str, Floats2d], covered: Mapping[str, Any], rows: Mapping[str, Ints1d], concepts: Ints1d,
    pivot: str,
) -> tuple[dict[str, Floats2d], dict[str, np.ndarray]]:  # fmt: skip
    """Of each language (n_concepts, dim) vectors and (n_concepts,) whether it has the concept."""
    vectors: dict[str, Floats2d] = {pivot: normalized[pivot][concepts].astype(np.float64)}
    has: dict[str, np.ndarray] = {pivot: np.ones(len(concepts), dtype=bool)}
    for lang, at_rows in rows.items():
        sums = np.zeros((len(concepts), normalized[lang].shape[1]))
        np.add.at(sums, at_rows, normalized[lang][covered[lang].rows[:, 1]])
        counts = np.bincount(at_rows, minlength=len(concepts))
        vectors[lang] = sums / np.maximum(counts, 1)[:, None]
        has[lang] = counts > 0
    return vectors, has


def _consensus(
    vectors: Mapping[str, Floats2d], has: Mapping[str, np.ndarray], weights: Mapping[str, Floats2d]
) -> Floats2d:
    """Mean of the mapped vectors of each concept over the languages that have it."""
    total = sum((vectors[lang] * has[lang][:, None]) @ weights[lang] for lang in vectors)
    counts = np.stack([has[lang] for lang in vectors]).sum(axis=0, dtype=np.float64)
    mean: Floats2d = total / counts[:, None]
    return mean


def _loss(vectors: Mapping[str, Floats2d], has: Mapping[str, np.ndarray], weights: Mapping[str, Floats2d]) -> float:
    """Mean squared distance of a mapped vector to its concept's consensus."""
    consensus = _consensus(vectors, has, weights)
    squares = sum(((vectors[lang] @ weights[lang] - consensus)[has[lang]] ** 2).sum() for lang in vectors)
    return float(squares / sum(has[lang].sum() for lang in vectors))


def _turn_until_rest(
    vectors: Mapping[str, Floats2d], has: Mapping[str, np.ndarray], weights: dict[str, Floats2d], settings: HubSettings
) -> list[float]:
    """Turn every language onto the consensus, in place, round by round; returns the loss after each round."""
    losses = [_loss(vectors, has, weights)]
    for _ in range(settings.max_rounds):
        consensus = _consensus(vectors, has, weights)
        for lang in vectors:
            weights[lang] = rotation(vectors[lang][has[lang]], consensus[has[lang]])
        losses.append(_loss(vectors, has, weights))
        if losses[-2] - losses[-1] <= settings.tolerance * losses[-2]:
            break
    return losses[1:]


def save_hub(folder: str | Path, hub: HubSpace) -> None:
    """Write weights.safetensors, a tensor a language, and hub.json into a folder."""
    numpy_format = require("safetensors.numpy", "static")
    folder = Path(folder)
    weights = {lang: np.ascontiguousarray(weight) for lang, weight in hub.weights.items()}
    save_pair(folder / "weights.safetensors", folder / "hub.json",
              lambda path: numpy_format.save_file(weights, path), {"steps": list(hub.steps), **hub.about})  # fmt: skip


def load_hub(folder: str | Path) -> HubSpace:
    """Read what `save_hub` wrote. Raises InputError when the folder is not a hub's."""
    safetensors = require("safetensors", "static")
    numpy_format = require("safetensors.numpy", "static")
    folder = Path(folder)
    if not (folder / "hub.json").is_file():
        raise at(folder, None, "holds no hub.json: give a folder that `xlembed hub --out` wrote")
    about = read_json(folder / "hub.json")
    try:
        check_pair(folder / "weights.safetensors", about)
        weights = numpy_format.load_file(folder / "weights.safetensors")
        steps = tuple(about.pop("steps"))
        check_loaded(list(weights.values()), steps)
        return HubSpace({lang: weights[lang] for lang in about["languages"]}, steps, about)
    except InputError:
        raise
    except (OSError, KeyError, TypeError, AttributeError, ValueError, safetensors.SafetensorError) as err:
        if advice(err) is not None:
            raise cannot_read(folder, err) from None
        raise at(folder, None, f"holds a damaged hub ({err}): map again") from None
