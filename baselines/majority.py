"""The floor of each task: what one scores without reading the text.

NLI: the most frequent training label. NER: the most frequent tag is O, whose F1 is 0; a floor that finds
something is asked for, so every maximal run of capitalised words becomes the training data's most frequent
entity type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from baselines.corpora import SentencePair, TaggedSentence, need_gold


def majority_label(train: Sequence[SentencePair], n: int) -> list[str]:
    """The most frequent training label, n times; of equals the alphabetically first."""
    need_gold(train, "training data")
    counts = Counter(pair.label for pair in train)
    return [min(counts, key=lambda label: (-counts[label], label))] * n


def majority_type(train: Sequence[TaggedSentence]) -> str:
    """The most frequent entity type of the training data."""
    need_gold(train, "training data")
    counts = Counter(tag[2:] for sentence in train for tag in sentence.tags if tag.startswith("B-"))
    return min(counts, key=lambda label: (-counts[label], label), default="PER")


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
