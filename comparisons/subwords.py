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
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            return full[:start], full[start + len(bare) :]
    raise ValueError(f"{type(tokenizer).__name__} changes the subwords when it adds special tokens")


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
