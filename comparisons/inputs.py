"""Items of a task into an encoder's inputs: subwords, special tokens, types, languages, windows, padded batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from baselines.corpora import Item, TaggedSentence, texts_of
from comparisons.encoder_languages import EncoderLanguages
from comparisons.subwords import PairTemplate, Window, WordEncoder, cut_longest, windows_of
from xlembed.types import Ints1d

IGNORED = -100  # cross_entropy's ignore_index: subwords on which no label is read


@dataclass(frozen=True)
class Example:
    """What the encoder reads at once: arrays over its subwords, and a label or labels where there are any."""

    ids: Ints1d
    types: Ints1d | None = None  # token types, where the tokenizer gives them
    langs: Ints1d | None = None  # the encoder's numbers of languages, where it has to be told
    labels: Ints1d | int | None = None

    def __len__(self) -> int:
        return len(self.ids)


class Inputs:
    """Makes examples and batches for one encoder."""

    def __init__(self, tokenizer: Any, config: Any, max_length: int):
        self.tokenizer = tokenizer
        self.languages = EncoderLanguages(config)
        self.words = WordEncoder(tokenizer)
        self.template = PairTemplate.of(tokenizer)
        positions = getattr(config, "max_position_embeddings", None) or max_length
        self.max_length = min(max_length, positions - 2)  # XLM-R reserves two
        self.pad = tokenizer.pad_token_id or 0

    # ---- examples

    def windows(self, sentences: Sequence[TaggedSentence]) -> tuple[list[Window], list[Example]]:
        """Sentences of words as windows, long ones as several, and what the encoder reads of each."""
        words = self.words
        words({word for item in sentences for word in item.words})  # all new words in one call of the tokenizer
        windows = [
            window
            for i, item in enumerate(sentences)
            for window in windows_of(i, words(item.words), words.prefix, words.suffix, self.max_length)
        ]
        return windows, [self._example(window.input_ids, lang=sentences[window.sentence].lang) for window in windows]

    def texts(self, items: Sequence[Item]) -> list[Example]:
        """Single texts or pairs with their special tokens, cut to the window, the longer text first."""
        texts = [texts_of(item) for item in items]
        pieces = self.words([text for one in texts for text in one])
        examples, place = [], 0
        for item, one in zip(items, texts, strict=True):
            parts = pieces[place : place + len(one)]
            place += len(one)
            examples.append(self._text(parts, item.lang, getattr(item, "hypothesis_lang", None) or item.lang))
        return examples

    def _text(self, parts: Sequence[list[int]], lang: str | None, second_lang: str | None) -> Example:
        template = self.template
        if len(parts) == 1:
            words = self.words
            room = self.max_length - len(words.prefix) - len(words.suffix)
            return self._example(words.prefix + parts[0][:room] + words.suffix, lang=lang)
        room = self.max_length - template.n_special
        first, second = cut_longest(parts[0], parts[1], room)
        ids, types, is_second = template.join(first, second)
        example = self._example(ids, types, lang)
        if example.langs is not None and second_lang != lang:
            example.langs[np.array(is_second)] = self.languages.id_of(second_lang)
        return example

    def _example(self, ids: list[int], types: list[int] | None = None, lang: str | None = None) -> Example:
        langs = np.full(len(ids), self.languages.id_of(lang)) if self.languages.key else None
        return Example(np.array(ids), None if types is None else np.array(types), langs)

    # ---- batches

    def batch(self, examples: Sequence[Example], device: torch.device | str = "cpu") -> dict[str, torch.Tensor]:
        """Padded to the longest: input_ids and attention_mask, (batch, length), and whatever else there is."""
        shape = len(examples), max(len(example) for example in examples)
        found = {"input_ids": _padded([x.ids for x in examples], shape, self.pad),
                 "attention_mask": _padded([np.ones(len(x), dtype=np.int64) for x in examples], shape, 0)}  # fmt: skip
        if examples[0].types is not None:
            found["token_type_ids"] = _padded([x.types for x in examples if x.types is not None], shape, 0)
        if self.languages.key:
            langs = [x.langs for x in examples if x.langs is not None]
            found[self.languages.key] = _padded(langs, shape, int(langs[0][0]))
        if examples[0].labels is not None:
            rows = [x.labels for x in examples if isinstance(x.labels, np.ndarray)]
            found["labels"] = _padded(rows, shape, IGNORED) if rows else torch.tensor([x.labels for x in examples])
        return {name: tensor.to(device, non_blocking=True) for name, tensor in found.items()}


def _padded(rows: Sequence[Ints1d], shape: tuple[int, int], fill: int) -> torch.Tensor:
    out = np.full(shape, fill, dtype=np.int64)
    for place, row in enumerate(rows):
        out[place, : len(row)] = row
    return torch.from_numpy(out)


# ---- which examples go together


def bucketed(lengths: Ints1d, batch_size: int, rng: np.random.Generator, pool: int = 50) -> list[Ints1d]:
    """Batches in random order whose members are of like length: sorted within random pools of batches."""
    order = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), batch_size * pool):
        members = order[start : start + batch_size * pool]
        members = members[np.argsort(lengths[members], kind="stable")]
        batches += [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def by_length(examples: Sequence[Example], n_tokens: int) -> Iterator[list[int]]:
    """All examples from the shortest to the longest, in batches of about so many subwords, padding counted."""
    order = sorted(range(len(examples)), key=lambda i: len(examples[i]))
    batch: list[int] = []
    for i in order:
        if batch and (len(batch) + 1) * len(examples[i]) > n_tokens:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
