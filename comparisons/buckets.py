"""Buckets of test items: what a figure is broken down by.

The units of a bucketing are what a figure counts: entities for ner, words for pos, pairs for nli, texts for topic.
Words and entities are compared with the training data case-folded. For topic and nli a word is a token with a letter
or a digit; in languages without spaces between words it is one character.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from baselines.corpora import LabelledText, SentencePair, TaggedSentence
from comparisons.negation import NEGATION_WORDS, UNSPACED, has_negation
from comparisons.span_modes import SpanArrays, span_arrays, types_of
from xlembed.tokenize import tokenize
from xlembed.types import Ints1d


@dataclass(frozen=True)
class Buckets:
    """The bucket of every unit: (n_units,) numbers of labels."""

    name: str
    labels: tuple[str, ...]
    numbers: Ints1d


@dataclass(frozen=True)
class Bands:
    """Buckets by a number; the upper end of a band belongs to it, the last band has none."""

    name: str
    uppers: tuple[float, ...]
    labels: tuple[str, ...]

    def of(self, values: Sequence[float] | np.ndarray) -> Buckets:
        return Buckets(self.name, self.labels, np.searchsorted(self.uppers, values, side="left"))


_SHARES = (0.25, 0.5, 0.75), ("0–25 %", "25–50 %", "50–75 %", "75–100 %")
ENTITY_LENGTH = Bands("entity length", (1, 2, 3), ("1 word", "2 words", "3 words", "4 or more"))
ENTITY_FREQUENCY = Bands("entity frequency", (0, 1, 9), ("0", "1", "2–9", "10 or more"))
ENTITY_SEEN = Bands("entity seen", (0,), ("unseen", "seen"))
WORD_FREQUENCY = Bands("word frequency", (0, 1, 9), ("0", "1", "2–9", "10 or more"))
SENTENCE_LENGTH = Bands("sentence length", (5, 10, 20), ("up to 5 words", "6–10", "11–20", "21 or more"))
OOV_RATE = Bands("OOV rate", *_SHARES)
HYPOTHESIS_LENGTH = Bands("hypothesis length", (5, 10, 15), ("up to 5 words", "6–10", "11–15", "16 or more"))
OVERLAP = Bands("lexical overlap", *_SHARES)
TEXT_LENGTH = Bands("text length", (10, 20, 30), ("up to 10 words", "11–20", "21–30", "31 or more"))


# ---- tagged sentences


@dataclass(frozen=True)
class SentenceFacts:
    """What buckets of tagged sentences are made from."""

    words: list[str]  # of all sentences, case-folded
    lengths: Ints1d  # (n_sentences,) in words
    oov_rates: np.ndarray  # (n_sentences,), 0 to 1
    word_counts: Counter[str]  # of the training data
    entity_counts: Counter[str]


def sentence_facts(items: Sequence[TaggedSentence], train: Sequence[TaggedSentence]) -> SentenceFacts:
    """Lengths and rates of test sentences, and the counts of the training data's words and entities."""
    trained = _folded(train)
    counts = Counter(trained)
    lengths = [len(item.words) for item in items]
    return SentenceFacts(_folded(items), np.array(lengths), np.array([_oov_rate(item.words, counts) for item in items]),
                         counts, _entity_counts(train, trained))  # fmt: skip


def _folded(sentences: Iterable[TaggedSentence]) -> list[str]:
    return [word.casefold() for sentence in sentences for word in sentence.words]


def _oov_rate(words: Sequence[str], known: Counter[str]) -> float:
    """Share of the words that are not known, marks of punctuation aside; 0 where there are no others."""
    words = [word for word in words if _is_word(word)]
    return sum(word.casefold() not in known for word in words) / max(len(words), 1)


def _entity_counts(train: Sequence[TaggedSentence], words: list[str]) -> Counter[str]:
    """How often each surface form is an entity of the training data; none where tags are no entities (pos)."""
    tags = [item.tags or () for item in train]
    found = span_arrays(tags, types_of(tags))
    return Counter(_surface_forms(found, words))


def _surface_forms(found: SpanArrays, words: list[str]) -> list[str]:
    return [" ".join(words[start:end]) for start, end in zip(found.start.tolist(), found.end.tolist(), strict=True)]


def entity_buckets(facts: SentenceFacts, found: SpanArrays) -> list[Buckets]:
    """Buckets of entities, gold or predicted: each side has them all, for they need no gold."""
    counts = np.array([facts.entity_counts[form] for form in _surface_forms(found, facts.words)], dtype=np.int64)
    return [
        ENTITY_LENGTH.of(found.end - found.start),
        ENTITY_SEEN.of(counts),
        ENTITY_FREQUENCY.of(counts),
        SENTENCE_LENGTH.of(facts.lengths[found.sentence]),
        OOV_RATE.of(facts.oov_rates[found.sentence]),
    ]


def word_buckets(facts: SentenceFacts) -> list[Buckets]:
    """Buckets of words, for pos: of the word itself and of its sentence."""
    return [
        WORD_FREQUENCY.of([facts.word_counts[word] for word in facts.words]),
        SENTENCE_LENGTH.of(np.repeat(facts.lengths, facts.lengths)),
        OOV_RATE.of(np.repeat(facts.oov_rates, facts.lengths)),
    ]


# ---- pairs and texts


def words_of(text: str, lang: str) -> list[str]:
    """Words of running text, case-folded and without marks of punctuation; characters where words are not spaced."""
    found = [word.casefold() for word in tokenize(text, lang) if _is_word(word)]
    return list(chain.from_iterable(found)) if lang in UNSPACED else found


def _is_word(token: str) -> bool:
    return any(map(str.isalnum, token))


def pair_buckets(items: Sequence[SentencePair], lang: str) -> list[Buckets]:
    """Buckets of pairs; negation where the language has a list of words, genre where the pairs have one."""
    hypotheses = [words_of(item.hypothesis, lang) for item in items]
    premises = [words_of(item.premise, lang) for item in items]
    found = [
        HYPOTHESIS_LENGTH.of([len(words) for words in hypotheses]),
        OVERLAP.of([overlap(premise, words) for premise, words in zip(premises, hypotheses, strict=True)]),
    ]
    if lang in NEGATION_WORDS:
        negated = [has_negation(item.hypothesis, words, lang) for item, words in zip(items, hypotheses, strict=True)]
        found.append(Buckets("negation", ("none", "negation word"), np.array(negated, dtype=np.int64)))
    genres = [item.genre for item in items if item.genre is not None]
    return [*found, _named("genre", genres)] if len(genres) == len(items) else found


def overlap(premise: Sequence[str], hypothesis: Sequence[str]) -> float:
    """Share of the hypothesis's words that are in the premise, 0 to 1; 0 for no words."""
    there = set(premise)
    return sum(word in there for word in hypothesis) / max(len(hypothesis), 1)


def _named(name: str, values: Sequence[str]) -> Buckets:
    labels = sorted(set(values))
    number = {label: i for i, label in enumerate(labels)}
    return Buckets(name, tuple(labels), np.array([number[value] for value in values]))


def text_buckets(items: Sequence[LabelledText], lang: str) -> list[Buckets]:
    """Buckets of single texts."""
    return [TEXT_LENGTH.of([len(words_of(item.text, lang)) for item in items])]
