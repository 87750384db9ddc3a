"""Tags carried over a translation: by markers around entities, or by aligning words; and back again.

Markers: EasyProject (Chen, Jiang, Ritter, Xu 2023, "Frustratingly Easy Label Projection for Cross-lingual Transfer").
Alignment: mutual argmax over similarities (SimAlign, Jalili Sabet et al. 2020), with the words' mapped vectors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from baselines.corpora import TaggedSentence, need_gold
from baselines.metrics import Span, spans
from baselines.translation.base import Translator, translate_distinct
from baselines.translation.words import WordTranslator
from xlembed.errors import InputError
from xlembed.normalize import unit
from xlembed.tokenize import tokenize
from xlembed.types import Floats2d, Ints2d
from xlembed.vectors import WordVectors

Method = Literal["markers", "align"]
POSITION_PENALTY = 0.5  # kappa of Jalili Sabet et al. 2020, eq. 2
LEAST_SIMILARITY = 0.2
IDENTICAL = 1.0
_MARK = re.compile(r"\[\s*(/?)\s*(\d+)\s*\]")
_NO_SPACE_BEFORE = frozenset(".,;:!?)]}%…»”")
_NO_SPACE_AFTER = frozenset("([{«“")


@dataclass(frozen=True)
class Projection:
    """Translated sentences with their tags, and what was lost on the way.

    `rows` says which source sentence each is of. A sentence is lost when one of its entities is, for the entity's
    words would be tagged O.
    """

    sentences: list[TaggedSentence]
    rows: list[int]
    n_sentences: int
    n_entities: int
    n_entities_lost: int  # not found again in the translation, lost sentences alone

    @property
    def n_lost(self) -> int:
        return self.n_sentences - len(self.sentences)

    def describe(self) -> str:
        """One line."""
        return (f"{len(self.sentences):,} of {self.n_sentences:,} sentences kept, {self.n_lost:,} lost; "
                f"{self.n_entities_lost:,} of {self.n_entities:,} entities not found again")  # fmt: skip


def translate_tagged(
    sentences: Sequence[TaggedSentence],
    translator: Translator,
    method: Method = "markers",
    aligner: WordAligner | None = None,
) -> Projection:
    """Sentences translated with their NER tags. Word by word (WordTranslator) keeps every tag and needs no method.

    `align` needs an aligner. Raises InputError for sentences without gold, or an unknown method.
    """
    if sentences:
        need_gold(sentences, "sentences to translate")
    if isinstance(translator, WordTranslator):
        translated = translator.translate_tagged(sentences)
        return _projection(sentences, [(sentence, 0) for sentence in translated])
    if method not in get_args(Method):
        raise InputError(f"unknown projection {method!r}: choose {', '.join(get_args(Method))}")
    if method == "markers":
        return project_by_markers(sentences, translator)
    if aligner is None:
        raise InputError("projection by alignment needs vectors of both languages in one space")
    return project_by_alignment(sentences, translator, aligner)


def _projection(
    sentences: Sequence[TaggedSentence], projected: Sequence[tuple[TaggedSentence | None, int]]
) -> Projection:
    """From each sentence's translation (None: lost) and its number of lost entities."""
    kept = [(row, sentence) for row, (sentence, _) in enumerate(projected) if sentence is not None]
    n_entities = sum(len(_spans_of(sentence)) for sentence in sentences)
    return Projection([sentence for _, sentence in kept], [row for row, _ in kept], len(sentences), n_entities,
                      sum(lost for _, lost in projected))  # fmt: skip


def _spans_of(sentence: TaggedSentence) -> list[Span]:
    """A sentence's entities from left to right; none where it has no tags."""
    return ordered_spans(sentence.tags or ())


def ordered_spans(tags: Sequence[str]) -> list[Span]:
    """Entities from left to right."""
    return sorted(spans(tags), key=lambda span: span.start)


def tags_of_spans(found: Sequence[Span], n_words: int) -> tuple[str, ...]:
    """IOB2 tags of entities that do not overlap."""
    tags = ["O"] * n_words
    for span in found:
        tags[span.start : span.end] = [f"B-{span.label}"] + [f"I-{span.label}"] * (span.end - span.start - 1)
    return tuple(tags)


def join_words(words: Sequence[str]) -> str:
    """Running text of words: no space before closing marks and after opening ones."""
    text = ""
    for word in words:
        is_close = not text or word[:1] in _NO_SPACE_BEFORE or text[-1] in _NO_SPACE_AFTER or word.startswith("'")
        text += word if is_close else f" {word}"
    return text


# ---- markers


def project_by_markers(sentences: Sequence[TaggedSentence], translator: Translator) -> Projection:
    """Entities stand between [1] and [/1] while the sentence is translated.

    A sentence is lost where its markers do not come back, each once, in pairs that neither cross nor are empty.
    """
    texts = translate_distinct([mark(sentence) for sentence in sentences], translator)
    projected = []
    for sentence, text in zip(sentences, texts, strict=True):
        entities = _spans_of(sentence)
        found = unmark(text, [span.label for span in entities], translator.trg)
        projected.append((found, 0 if found is not None else len(entities) - len(_whole_marks(text, len(entities)))))
    return _projection(sentences, projected)


def mark(sentence: TaggedSentence) -> str:
    """The sentence as text, its i-th entity between [i] and [/i]; brackets of its own become round."""
    words = [word.replace("[", "(").replace("]", ")") for word in sentence.words]
    parts, end = [], 0
    for number, span in enumerate(_spans_of(sentence), start=1):
        parts += [join_words(words[end : span.start]), f"[{number}]", join_words(words[span.start : span.end]),
                  f"[/{number}]"]  # fmt: skip
        end = span.end
    return " ".join(part for part in [*parts, join_words(words[end:])] if part)


def unmark(text: str, labels: Sequence[str], lang: str | None = None) -> TaggedSentence | None:
    """The words of a marked translation, entities tagged; None where the markers are not whole, or no word is left."""
    pieces = _MARK.split(text)  # text, slash, number, text, slash, number, ... text
    words, found, start = tokenize(pieces[0], lang), [], None
    for slash, number, piece in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        if not slash and start is None:
            start = (int(number), len(words))
        elif slash and start is not None and start[0] == int(number) and start[1] < len(words):
            found.append((start[0], start[1], len(words)))
            start = None
        else:
            return None
        words += tokenize(piece, lang)
    if start is not None or sorted(number for number, _, _ in found) != list(range(1, len(labels) + 1)) or not words:
        return None
    entities = [Span(labels[number - 1], first, end) for number, first, end in found]
    return TaggedSentence(tuple(words), tags_of_spans(entities, len(words)))


def _whole_marks(text: str, n: int) -> set[int]:
    """Entities of which both markers came back, once each: the others are what was lost."""
    marks = [(slash, int(number)) for slash, number in _MARK.findall(text)]
    return {i for i in range(1, n + 1) if marks.count(("", i)) == marks.count(("/", i)) == 1}


# ---- alignment


@dataclass(frozen=True)
class WordAligner:
    """Aligns a sentence with its translation by vectors in one space, identical strings and positions."""

    src_vectors: WordVectors
    trg_vectors: WordVectors
    least: float = LEAST_SIMILARITY
    penalty: float = POSITION_PENALTY

    def __post_init__(self) -> None:
        if self.src_vectors.dim != self.trg_vectors.dim:
            raise InputError(f"the vectors have dims {self.src_vectors.dim} and {self.trg_vectors.dim}: map them into "
                             "one space")

    def align(self, src: Sequence[str], trg: Sequence[str]) -> Ints2d:
        """Pairs (src word, trg word), (n_pairs, 2), src ascending: each the other's best, at least `least` alike."""
        if not src or not trg:
            return np.empty((0, 2), dtype=np.int64)
        similarity = self.similarity(src, trg)
        best_trg, best_src = similarity.argmax(axis=1), similarity.argmax(axis=0)
        rows = np.arange(len(src))
        is_kept = (best_src[best_trg] == rows) & (similarity[rows, best_trg] >= self.least)
        return np.column_stack([rows[is_kept], best_trg[is_kept]])

    def similarity(self, src: Sequence[str], trg: Sequence[str]) -> Floats2d:
        """(n_src, n_trg): the cosine, 1 for words written alike, less for words far apart in their sentences.

        Cosines are multiplied by 1 - kappa (i / n_src - j / n_trg)^2, Jalili Sabet et al. 2020, eq. 2.
        """
        cosines = _unit_rows(src, self.src_vectors) @ _unit_rows(trg, self.trg_vectors).T
        folded = np.array([word.casefold() for word in src])[:, None] == np.array([word.casefold() for word in trg])
        places = np.arange(len(src))[:, None] / len(src) - np.arange(len(trg)) / len(trg)
        return np.where(folded, IDENTICAL, cosines) * (1 - self.penalty * places**2)


def _unit_rows(words: Sequence[str], vectors: WordVectors) -> Floats2d:
    """(n_words, dim), zeros for words without a vector."""
    found = (vectors.vector(word) for word in words)
    rows = [np.zeros(vectors.dim, dtype=np.float32) if vector is None else vector for vector in found]
    return unit(np.array(rows, dtype=np.float32))


def project_by_alignment(
    sentences: Sequence[TaggedSentence], translator: Translator, aligner: WordAligner
) -> Projection:
    """Sentences translated as text, tokenised, and each entity found at the words aligned with it."""
    texts = translate_distinct([join_words(sentence.words) for sentence in sentences], translator)
    projected = []
    for sentence, text in zip(sentences, texts, strict=True):
        words = tokenize(text, translator.trg)
        entities = _spans_of(sentence)
        found = project_spans(entities, aligner.align(sentence.words, words))
        is_whole = len(found) == len(entities) and words
        tagged = TaggedSentence(tuple(words), tags_of_spans(found, len(words))) if is_whole else None
        projected.append((tagged, len(entities) - len(found)))
    return _projection(sentences, projected)


def project_spans(found: Sequence[Span], alignment: Ints2d) -> list[Span]:
    """From the first to the last word aligned with each span; alignment is (n_pairs, 2) of (from, to).

    A span is lost without an aligned word, where it would be more than twice as long plus two words (a stray
    alignment), and where it would overlap one that came before it.
    """
    kept: list[Span] = []
    for span in found:
        to = alignment[(alignment[:, 0] >= span.start) & (alignment[:, 0] < span.end), 1]
        if len(to):
            new = Span(span.label, int(to.min()), int(to.max()) + 1)
            is_stray = new.end - new.start > 2 * (span.end - span.start) + 2
            if not is_stray and all(new.end <= other.start or other.end <= new.start for other in kept):
                kept.append(new)
    return kept


def bring_back(tags: Sequence[str], alignment: Ints2d, n_words: int) -> list[str]:
    """Tags of a translation brought back to the n_words words of the original, for translate-test.

    alignment holds (original word, word of the translation); the result is valid IOB2. An entity that cannot be
    found again is left out.
    """
    return list(tags_of_spans(project_spans(ordered_spans(tags), alignment[:, ::-1]), n_words))
