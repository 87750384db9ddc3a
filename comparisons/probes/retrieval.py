"""Sentence retrieval by layer: is a sentence's nearest sentence its translation, before any fine-tuning?

A sentence is the mean of its subwords' hidden states (Pires et al. 2019, "How multilingual is multilingual BERT?",
section 5, there with nearest neighbours as well), plain and with each language's mean taken away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from comparisons.probes.base import ABSENT, ProbeTable, centred, checked_criteria, figure, probe_json
from xlembed.errors import InputError
from xlembed.sentences import ParallelSentences, RetrievalScores, SentenceVectors, evaluate, score
from xlembed.vectors import WordVectors

if TYPE_CHECKING:
    from comparisons.hidden_states import LayerReader, SentenceStates

DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True)
class LayerRetrieval:
    """P@1 on the vectors of one layer."""

    layer: int
    centred: bool
    scores: RetrievalScores


@dataclass(frozen=True)
class PairRetrieval:
    """One set of parallel sentences: all layers, and static vectors beside them where they were given."""

    pair: str
    n_sentences: int
    n_cut: dict[str, int]  # src, trg: sentences longer than the encoder's window
    layers: list[LayerRetrieval]
    static: list[RetrievalScores]  # a criterion each; empty without vectors


@dataclass(frozen=True)
class RetrievalProbe:
    """Sentence retrieval by layer, for one encoder and one or more pairs of languages."""

    encoder: str
    origin: str
    n_layers: int
    prefix: str  # put before each text
    pairs: list[PairRetrieval]

    def as_json(self) -> dict[str, Any]:
        return probe_json("retrieval", asdict(self))


@dataclass(frozen=True)
class StaticSide:
    """Word vectors of both languages in one space, and how they are averaged."""

    src: WordVectors
    trg: WordVectors
    weighting: str = "idf"
    langs: tuple[str | None, str | None] = (None, None)  # for the tokeniser of words


def probe_retrieval(
    reader: LayerReader,
    sets: Mapping[str, ParallelSentences],
    retrieval: Sequence[str] = ("nn",),
    prefix: str = "",
    static: Mapping[str, StaticSide] | None = None,
    seed: int = 0,
) -> RetrievalProbe:
    """Retrieval for each set, named by its languages ("deu-eng"; a name without "-" says no language).

    static: word vectors beside the encoder, for as many sets as there are.
    """
    criteria = checked_criteria(retrieval)
    pairs = []
    for name, sentences in sets.items():
        src_lang, dash, trg_lang = name.partition("-")
        langs = (src_lang, trg_lang) if dash else (None, None)
        states = [
            reader.sentences([prefix + text for text in texts], lang, f"{name} {side}")
            for side, texts, lang in zip(("source", "target"), (sentences.src, sentences.trg), langs, strict=True)
        ]
        side = (static or {}).get(name)
        pairs.append(
            PairRetrieval(
                pair=name,
                n_sentences=len(sentences),
                n_cut={"src": states[0].n_cut, "trg": states[1].n_cut},
                layers=list(by_layer(states[0], states[1], reader.layers, criteria, name, seed)),
                static=[] if side is None else [static_scores(side, sentences, one, seed) for one in criteria],
            )
        )
    return RetrievalProbe(reader.encoder.name, reader.encoder.origin, reader.n_layers, prefix, pairs)


def by_layer(
    src: SentenceStates,
    trg: SentenceStates,
    layers: Sequence[int],
    criteria: Sequence[str] = ("nn",),
    name: str = "sentences",
    seed: int = 0,
) -> Iterator[LayerRetrieval]:
    """P@1 of each layer, plain and centred, for each criterion; row i of one side translates row i of the other."""
    for place, layer in enumerate(layers):
        for is_centred in (False, True):
            one, other = (_as_sentence_vectors(states, place, is_centred) for states in (src, trg))
            for criterion in criteria:
                scores = score(one, other, criterion, name, "mean of subwords", seed)
                yield LayerRetrieval(layer, is_centred, scores)


def _as_sentence_vectors(states: SentenceStates, place: int, is_centred: bool) -> SentenceVectors:
    """One layer's vectors; every sentence has one, and coverage counts the subwords that are not [unk]."""
    matrix = states.vectors[place]
    return SentenceVectors(
        centred(matrix) if is_centred else matrix,
        np.ones(len(matrix), dtype=bool),
        n_tokens=states.n_subwords,
        n_known=states.n_subwords - states.n_unknown,
    )


def static_scores(side: StaticSide, sentences: ParallelSentences, criterion: str, seed: int = 0) -> RetrievalScores:
    """The same sentences with averaged word vectors; a sentence without a known word is an error."""
    return evaluate(side.src, side.trg, sentences, criterion, side.weighting, langs=side.langs, seed=seed)


def pair_names(names: Sequence[str], n: int) -> list[str]:
    """A name for each of n sets: those given, or "1", "2", ... Raises InputError where they are too few or alike."""
    if not names:
        return [str(i + 1) for i in range(n)]
    if len(names) != n:
        raise InputError(f"{len(names)} --pair for {n} pairs of files: give one a pair, in their order")
    if len(set(names)) != n:
        raise InputError(f"--pair {' '.join(names)}: a name is there twice")
    return list(names)


# ---- what is shown


def tables(found: Mapping[str, Any]) -> list[ProbeTable]:
    """Of a probe's JSON: the best and the last layer of each pair; then all layers, of a single pair with intervals."""
    pairs = found["pairs"]
    return [_overview(found), _one_pair(found, pairs[0]) if len(pairs) == 1 else _all_pairs(found)]


def notes(found: Mapping[str, Any]) -> list[str]:
    """What to know when one reads the tables."""
    told = [
        "P@1 in percent: the share of sentences whose nearest sentence is the translation. Layer 0 is the embeddings. "
        "*Centred*: each language's mean over these sentences is taken away.",
        "→ from the source, ← from the target; in brackets the 95 % interval over sentences."
        if len(found["pairs"]) == 1
        else "Each direction with its 95 % interval over sentences is in the JSON, and shown for one pair at a time.",
        "The best layer is the best on these very sentences (mean of both directions), so its figure is a little "
        "high: a layer should be chosen on other sentences.",
    ]
    if found["prefix"]:
        told.append(f"Each text was read after {found['prefix']!r}.")
    cut = [f"{pair['pair']} {pair['n_cut']['src']} / {pair['n_cut']['trg']}" for pair in found["pairs"]
           if sum(pair["n_cut"].values())]  # fmt: skip
    if cut:
        told.append(f"Sentences longer than the encoder's window, read from their beginning: {', '.join(cut)}.")
    return told


def _overview(found: Mapping[str, Any]) -> ProbeTable:
    rows = []
    for pair in found["pairs"]:
        for criterion in _criteria(pair):
            scored = [one for one in pair["layers"] if one["scores"]["retrieval"] == criterion]
            last = [one for one in scored if one["layer"] == max(x["layer"] for x in scored)]
            static = [one for one in pair["static"] if one["retrieval"] == criterion]
            rows.append([
                pair["pair"], f"{pair['n_sentences']:,}", criterion.upper(),
                *(_best([one for one in scored if one["centred"] == is_centred]) for is_centred in (False, True)),
                *(f"{_mean(one['scores']):.1f}" for one in last),
                f"{_mean(static[0]):.1f}" if static else ABSENT,
            ])  # fmt: skip
    return ProbeTable(
        f"{found['encoder']}: sentence retrieval, mean of both directions",
        ["pair", "sentences", "retrieval", "best layer, plain", "best layer, centred",
         "last layer read, plain", "last layer read, centred", "static vectors"],
        rows,
    )  # fmt: skip


def _best(scored: Sequence[Mapping[str, Any]]) -> str:
    best = max(scored, key=lambda one: _mean(one["scores"]))
    return f"{_mean(best['scores']):.1f} (layer {best['layer']})"


def _one_pair(found: Mapping[str, Any], pair: Mapping[str, Any]) -> ProbeTable:
    rows = []
    for criterion in _criteria(pair):
        by_place = {(one["layer"], one["centred"]): one["scores"] for one in pair["layers"]
                    if one["scores"]["retrieval"] == criterion}  # fmt: skip
        for layer in dict.fromkeys(layer for layer, _ in by_place):
            both = (by_place[layer, False], by_place[layer, True])
            rows.append([f"layer {layer}", criterion.upper(), *(cell for one in both for cell in _directions(one))])
        for one in pair["static"]:
            if one["retrieval"] == criterion:
                rows.append([f"static ({one['weighting']})", criterion.upper(), *_directions(one), ABSENT, ABSENT])
    return ProbeTable(
        f"{found['encoder']}: {pair['pair']} by layer",
        ["vectors", "retrieval", "plain →", "plain ←", "centred →", "centred ←"],
        rows,
    )


def _all_pairs(found: Mapping[str, Any]) -> ProbeTable:
    """Rows of layers, columns of pairs: the means of both directions, plain / centred."""
    pairs = found["pairs"]
    cells: dict[tuple[str, int], dict[str, list[str]]] = {}  # criterion and layer: pair: plain, centred
    for pair in pairs:
        for one in pair["layers"]:
            row = cells.setdefault((one["scores"]["retrieval"], one["layer"]), {})
            row.setdefault(pair["pair"], []).append(f"{_mean(one['scores']):.1f}")
    by_criterion = sorted(cells.items(), key=lambda item: _criteria(pairs[0]).index(item[0][0]))
    rows = [[f"layer {layer}", criterion.upper(), *(" / ".join(row[pair["pair"]]) for pair in pairs)]
            for (criterion, layer), row in by_criterion]  # fmt: skip
    return ProbeTable(
        f"{found['encoder']}: by layer, mean of both directions, plain / centred",
        ["vectors", "retrieval", *(pair["pair"] for pair in pairs)],
        rows,
    )


def _criteria(pair: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(one["scores"]["retrieval"] for one in pair["layers"]))


def _directions(scores: Mapping[str, Any]) -> list[str]:
    return [figure(scores["scores"][way], scores["intervals"][way]) for way in DIRECTIONS]


def _mean(scores: Mapping[str, Any]) -> float:
    return float(sum(scores["scores"][way] for way in DIRECTIONS) / len(DIRECTIONS))
