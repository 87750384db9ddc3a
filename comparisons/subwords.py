"""Words into subword windows, for any Hugging Face tokenizer, so that no word is ever dropped.

Each word is cut into subwords on its own; a sentence longer than the encoder's window becomes several
overlapping windows, and each word is read off the window in which it stands farthest from the edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Window:
    """Input ids with special tokens, and where the first subword of each word that is read off here stands."""

    sentence: int
    input_ids: list[int]
    words: list[int]  # index of the word in its sentence
    positions: list[int]  # index of its first subword in input_ids


class WordEncoder:
    """Cuts words into subword ids, remembering them: text repeats its words."""

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer
        self.prefix, self.suffix = special_tokens(tokenizer)
        self._known: dict[str, list[int]] = {}

    def __call__(self, words: Iterable[str]) -> list[list[int]]:
        """Subword ids of each word; a word of which nothing is left (a control character) is [unk]."""
        words = list(words)
        new = sorted(set(words) - self._known.keys())
        if new:
            encoded = self.tokenizer(new, add_special_tokens=False)["input_ids"]
            for word, ids in zip(new, encoded, strict=True):
                self._known[word] = ids or [self.tokenizer.unk_token_id]
        return [self._known[word] for word in words]


def special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The ids that a tokenizer puts before and after one sentence, found by asking it."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    full = tokenizer("a")["input_ids"]
    start = _place(bare, full, 0)
    return full[:start], full[start + len(bare) :]


@dataclass(frozen=True)
class PairTemplate:
    """Special tokens around and between two texts, and the token types of all parts, found by asking the tokenizer."""

    before: list[int]
    between: list[int]
    after: list[int]
    types: tuple[list[int], int, list[int], int, list[int]] | None  # of before, first, between, second, after

    @classmethod
    def of(cls, tokenizer: Any) -> PairTemplate:
        """The template of a tokenizer."""
        bare = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("a", "b")]
        full = tokenizer("a", "b")
        ids = full["input_ids"]
        first = _place(bare[0], ids, 0)
        second = _place(bare[1], ids, first + len(bare[0]))
        ends = first, first + len(bare[0]), second, second + len(bare[1])
        types = full.get("token_type_ids")
        if types is not None:
            types = types[: ends[0]], types[first], types[ends[1] : ends[2]], types[second], types[ends[3] :]
        return cls(ids[: ends[0]], ids[ends[1] : ends[2]], ids[ends[3] :], types)

    @property
    def n_special(self) -> int:
        return len(self.before) + len(self.between) + len(self.after)

    def join(self, first: list[int], second: list[int]) -> tuple[list[int], list[int] | None, list[bool]]:
        """Ids of the two texts together, their types, and which of them are of the second text and what follows it."""
        ids = self.before + first + self.between + second + self.after
        n_first = len(self.before) + len(first) + len(self.between)
        is_second = [i >= n_first for i in range(len(ids))]
        if self.types is None:
            return ids, None, is_second
        before, of_first, between, of_second, after = self.types
        return ids, before + [of_first] * len(first) + between + [of_second] * len(second) + after, is_second


def cut_longest(first: list[int], second: list[int], room: int) -> tuple[list[int], list[int]]:
    """Both cut to `room` together, from the end: the longer down to the shorter, then both to half, the longer (of
    equals the second) to one more where the room is odd. So do fast tokenizers under "longest_first"."""
    shorter, longer = sorted((len(first), len(second)))
    if shorter + longer > room:
        shorter = min(shorter, room // 2)
        longer = room - shorter
    n_first, n_second = (longer, shorter) if len(first) > len(second) else (shorter, longer)
    return first[:n_first], second[:n_second]


def _place(part: list[int], whole: list[int], start: int) -> int:
    for place in range(start, len(whole) - len(part) + 1):
        if whole[place : place + len(part)] == part:
            return place
    raise ValueError("the tokenizer changes the subwords when it adds special tokens")


def cut_into_windows(pieces: Sequence[list[int]], room: int, overlap: int) -> list[tuple[int, int]]:
    """Word ranges [start, end) whose subwords fit into `room`, overlapping by up to `overlap` subwords.

    A word of more subwords than `room` is alone in its window (and is cut there, not dropped).
    """
    lengths = [min(len(piece), room) for piece in pieces]
    ranges, start = [], 0
    while True:
        end, used = start, 0
        while end < len(lengths) and used + lengths[end] <= room:
            used += lengths[end]
            end += 1
        ranges.append((start, end))
        if end >= len(lengths):
            return ranges
        shared, back = 0, end
        while back - 1 > start and shared + lengths[back - 1] <= overlap:
            back -= 1
            shared += lengths[back]
        start = back


def windows_of(
    sentence: int, pieces: Sequence[list[int]], prefix: list[int], suffix: list[int], max_length: int
) -> list[Window]:
    """The windows of one sentence, each word read off exactly one of them."""
    room = max_length - len(prefix) - len(suffix)
    ranges = cut_into_windows(pieces, room, overlap=room // 4)
    owner = _owners(ranges, len(pieces))
    windows = []
    for index, (start, end) in enumerate(ranges):
        ids, words, positions = list(prefix), [], []
        for word in range(start, end):
            if owner[word] == index:
                words.append(word)
                positions.append(len(ids))
            ids += pieces[word][:room]
        windows.append(Window(sentence, ids + suffix, words, positions))
    return windows


def _owners(ranges: list[tuple[int, int]], n_words: int) -> np.ndarray:
    """For each word the window where its distance to the nearer edge is greatest (the earlier wins a tie)."""
    owner = np.zeros(n_words, dtype=np.int64)
    best = np.full(n_words, -1)
    for index, (start, end) in enumerate(ranges):
        words = np.arange(start, end)
        distance = np.minimum(words - start, end - 1 - words)
        better = distance > best[start:end]
        owner[words[better]] = index
        best[start:end] = np.maximum(best[start:end], distance)
    return owner
