"""The floor of each task: what one scores without reading the text.

NLI and topics: the most frequent training label. POS: the most frequent tag. NER: the most frequent tag is O, whose
F1 is 0; a floor that finds something is asked for, so every maximal run of capitalised words becomes the training
data's most frequent entity type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from baselines.corpora import LabelledText, SentencePair, TaggedSentence, need_gold


def majority(kind: str, train: Sequence[Any], items: Sequence[Any]) -> list[Any]:
    """Predictions of the floor for a kind of task."""
    if kind == "ner":
        return majority_tags(train, items)
    if kind == "pos":
        return [[majority_tag(train)] * len(sentence.words) for sentence in items]
    return majority_label(train, len(items))


def majority_tag(train: Sequence[TaggedSentence]) -> str:
    """The most frequent tag of the training data; of equals the alphabetically first."""
    need_gold(train, "training data")
    return _most_frequent(tag for sentence in train for tag in sentence.tags or ())


def majority_label(train: Sequence[SentencePair | LabelledText], n: int) -> list[str]:
    """The most frequent training label, n times; of equals the alphabetically first."""
    need_gold(train, "training data")
    return [_most_frequent(item.label for item in train if item.label is not None)] * n


def majority_type(train: Sequence[TaggedSentence]) -> str:
    """The most frequent entity type of the training data."""
    need_gold(train, "training data")
    types = [tag[2:] for sentence in train for tag in sentence.tags or () if tag.startswith("B-")]
    return _most_frequent(types or ["PER"])


def _most_frequent(labels: Iterable[str]) -> str:
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def majority_tags(train: Sequence[TaggedSentence], sentences: Sequence[TaggedSentence]) -> list[list[str]]:
    """Every maximal run of capitalised words is an entity of the most frequent type."""
    label = majority_type(train)
    return [_capitalised_runs(sentence.words, label) for sentence in sentences]


def _capitalised_runs(words: Sequence[str], label: str) -> list[str]:
    tags, inside = [], False
    for word in words:
        if word[:1].isupper():
            tags.append(f"{'I' if inside else 'B'}-{label}")
            inside = True
        else:
            tags.append("O")
            inside = False
    return tags
