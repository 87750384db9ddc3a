"""Dictionary induction with an encoder's word vectors by layer, beside static vectors on the same words.

Words alone, or averaged over occurrences (ISO and AOC in Vulić et al. 2020, "Probing pretrained language models for
lexical semantics"), each plain and with each language's mean taken away. Nothing is trained: the encoder's own space
is taken to be one for both languages, while static vectors come mapped by a lexicon or without one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from comparisons.probes.base import ABSENT, ProbeTable, centred, figure, probe_json
from comparisons.probes.contexts import Contexts
from xlembed.bli import BLIScores, evaluate
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon
from xlembed.vectors import WordVectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from comparisons.hidden_states import LayerReader

WAYS = ("alone", "in context")


@dataclass(frozen=True)
class LayerBLI:
    """BLI on the word vectors of one layer."""

    way: str  # alone, in context
    layer: int
    centred: bool
    scores: BLIScores


@dataclass(frozen=True)
class BLIProbe:
    """BLI by layer, and of static vectors with the same words as queries and candidates."""

    encoder: str
    origin: str
    n_layers: int
    lexicon: str  # name of its file
    retrieval: str
    n_words: dict[str, int]  # src, trg: words of each side, which are queries and candidates
    n_contexts: dict[str, int] | None  # most a word; occurrences read in src, trg; None without contexts
    layers: list[LayerBLI]
    static: BLIScores | None

    def as_json(self) -> dict[str, Any]:
        return probe_json("bli", asdict(self))


@dataclass(frozen=True)
class Side:
    """One language: its words, most frequent first, where they occur, and their static vectors (rows of the words)."""

    words: list[str]
    lang: str | None = None
    contexts: Contexts | None = None
    static: WordVectors | None = None

    def occurring(self) -> Side:
        """The words that were found in the corpus alone, so that every way is scored on the same ones."""
        if self.contexts is None:
            return self
        kept = np.flatnonzero(self.contexts.counts)
        if not len(kept):
            raise InputError(f"no word of {self.lang or 'a side'} was found in its corpus: check languages and casing")
        new_row = {int(row): place for place, row in enumerate(kept)}
        words = [self.words[row] for row in kept]
        spots = [[(place, new_row[row]) for place, row in one] for one in self.contexts.spots]
        contexts = replace(self.contexts, spots=spots, counts=self.contexts.counts[kept])
        static = None if self.static is None else WordVectors(words, self.static.matrix[kept])
        return Side(words, self.lang, contexts, static)


def probe_bli(
    reader: LayerReader,
    src: Side,
    trg: Side,
    lexicon: Lexicon,
    retrieval: str = "csls",
    n_contexts: int | None = None,
    seed: int = 0,
) -> BLIProbe:
    """Score words alone, in context where both sides have contexts, and static vectors where both have them.

    Words that were not found in the corpus are left out everywhere. Raises InputError where no word of the lexicon is
    covered.
    """
    if (src.contexts is None) != (trg.contexts is None) or (src.static is None) != (trg.static is None):
        raise InputError("contexts and static vectors are needed for both languages, or for neither")
    src, trg = src.occurring(), trg.occurring()
    static = None
    if src.static is not None and trg.static is not None:  # first, for it is fast and refuses a bad lexicon
        static = evaluate(src.static, trg.static, lexicon, retrieval, seed)
    spaces = {"alone": [alone(reader, side) for side in (src, trg)]}
    if src.contexts is not None:
        spaces["in context"] = [in_context(reader, side) for side in (src, trg)]
    layers = [
        one
        for way, (src_vectors, trg_vectors) in spaces.items()
        for one in by_layer(way, src, src_vectors, trg, trg_vectors, reader.layers, lexicon, retrieval, seed)
    ]
    return BLIProbe(
        encoder=reader.encoder.name,
        origin=reader.encoder.origin,
        n_layers=reader.n_layers,
        lexicon=Path(lexicon.name).name,
        retrieval=retrieval,
        n_words={"src": len(src.words), "trg": len(trg.words)},
        n_contexts=_occurrences(src, trg, n_contexts),
        layers=layers,
        static=static,
    )


def _occurrences(src: Side, trg: Side, most: int | None) -> dict[str, int] | None:
    if src.contexts is None or trg.contexts is None:
        return None
    counts = [int(contexts.counts.sum()) for contexts in (src.contexts, trg.contexts)]
    return {"most": most or 0, "src": counts[0], "trg": counts[1]}


def alone(reader: LayerReader, side: Side) -> NDArray[np.float32]:
    """Vectors of words as texts of one word, (n_layers, n_words, dim)."""
    return reader.sentences(side.words, side.lang, f"{side.lang or ''} words alone").vectors


def in_context(reader: LayerReader, side: Side) -> NDArray[np.floating]:
    """Vectors of words, each the mean over its occurrences, (n_layers, n_words, dim)."""
    contexts = side.contexts
    assert contexts is not None  # asked for where there are some
    sums: NDArray[np.float32] | None = None
    for states in reader.words(contexts.sentences, side.lang, f"{side.lang or ''} words in context"):
        wanted = dict(contexts.spots[states.sentence])
        if sums is None:
            sums = np.zeros((len(states.vectors), len(side.words), states.vectors.shape[2]), dtype=np.float32)
        for place, word in enumerate(states.words):
            if word in wanted:
                sums[:, wanted[word]] += states.vectors[:, place]
    if sums is None:
        raise InputError("the corpus holds no sentence to read words in")
    means: NDArray[np.floating] = sums / contexts.counts[:, None]
    return means


def by_layer(
    way: str,
    src: Side,
    src_layers: NDArray[np.floating],
    trg: Side,
    trg_layers: NDArray[np.floating],
    layers: Sequence[int],
    lexicon: Lexicon,
    retrieval: str = "csls",
    seed: int = 0,
) -> Iterator[LayerBLI]:
    """BLI of each layer, plain and centred; vectors are (n_layers, n_words, dim)."""
    for place, layer in enumerate(layers):
        for is_centred in (False, True):
            vectors = [
                WordVectors(side.words, centred(one[place]) if is_centred else one[place])
                for side, one in ((src, src_layers), (trg, trg_layers))
            ]
            scores = evaluate(vectors[0], vectors[1], lexicon, retrieval, seed)
            yield LayerBLI(way, layer, is_centred, scores)


# ---- what is shown


def tables(found: Mapping[str, Any]) -> list[ProbeTable]:
    """Of a probe's JSON: P@1 by layer, and the best layers beside static vectors."""
    return [_overview(found), _all_layers(found)]


def notes(found: Mapping[str, Any]) -> list[str]:
    """What to know when one reads the tables."""
    some = found["layers"][0]["scores"]
    told = [
        f"P@1 in percent with 95 % intervals over words, {found['retrieval'].upper()}. Every row has the same words: "
        f"{found['n_words']['src']:,} of the source, {found['n_words']['trg']:,} of the target, which are the "
        f"candidates; of the lexicon's {some['n_words']:,} source words {some['n_covered']:,} are covered. "
        "*Centred*: each language's mean is taken away.",
        "Nothing is fitted for the encoder, while static vectors come mapped. The best layer is the best on this "
        "very lexicon, so its figure is a little high.",
    ]
    if found["n_contexts"]:
        counts = found["n_contexts"]
        means = [counts[side] / found["n_words"][side] for side in ("src", "trg")]
        told.append(f"In context: the mean over the first {counts['most']} occurrences of each word in the corpus at "
                    f"most (on average {means[0]:.1f} in the source, {means[1]:.1f} in the target). Where the two "
                    "corpora hold translations of each other, a word and its translation are met in like sentences, "
                    "which flatters these columns.")  # fmt: skip
    return told


def _ways(found: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(one["way"] for one in found["layers"]))


def _overview(found: Mapping[str, Any]) -> ProbeTable:
    rows = []
    for way in _ways(found):
        for is_centred in (False, True):
            scored = [one for one in found["layers"] if (one["way"], one["centred"]) == (way, is_centred)]
            best = max(scored, key=lambda one: one["scores"]["scores"]["P@1"])
            name = f"{way}, {'centred' if is_centred else 'plain'}, best layer ({best['layer']})"
            rows.append([name, *_all_metrics(best["scores"])])
    if found["static"]:
        rows.append(["static vectors", *_all_metrics(found["static"])])
    return ProbeTable(
        f"{found['encoder']}: dictionary induction, {found['lexicon']}", ["vectors", "P@1", "P@5", "P@10", "MRR"], rows
    )


def _all_metrics(scores: Mapping[str, Any]) -> list[str]:
    return [figure(scores["scores"][name], scores["intervals"][name]) for name in ("P@1", "P@5", "P@10", "MRR")]


def _all_layers(found: Mapping[str, Any]) -> ProbeTable:
    columns = [(way, is_centred) for way in _ways(found) for is_centred in (False, True)]
    cells = {
        (one["layer"], one["way"], one["centred"]): figure(
            one["scores"]["scores"]["P@1"], one["scores"]["intervals"]["P@1"]
        )
        for one in found["layers"]
    }
    layers = dict.fromkeys(one["layer"] for one in found["layers"])
    rows = [[f"layer {layer}", *(cells.get((layer, *column), ABSENT) for column in columns)] for layer in layers]
    header = [f"{way}, {'centred' if is_centred else 'plain'}" for way, is_centred in columns]
    return ProbeTable(f"{found['encoder']}: P@1 by layer", ["vectors", *header], rows)
