"""Texts into inputs whose subwords are masked: blocks of running text, single texts, pairs of translations.

Masked language modelling (MLM): Devlin et al. 2019, "BERT", section 3.1; of pairs (TLM) and the sampling of languages:
Conneau and Lample 2019, "Cross-lingual language model pretraining", sections 3.1 and 3.3. Whatever is drawn for an
update depends on the seed and the number of the update alone, so a run that goes on draws what it would have drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from baselines.corpora import read_pairs
from comparisons.inputs import IGNORED, Example, Inputs
from comparisons.subwords import cut_longest
from xlembed.errors import InputError, at
from xlembed.files import numbered_lines
from xlembed.types import Floats1d, Ints1d

AT_ONCE = 1000  # texts that go to the tokenizer together
_POSITIONS_AFTER_PADDING = ("roberta", "xlm-roberta", "xlm-roberta-xl", "xmod", "camembert")
_DEV_SEED = 20_190_122  # held-out masks are the same whatever the seed of a run


# ---- files


def read_lines(path: str | Path, n: int | None = None) -> list[str]:
    """The first n texts of a file, one a line; blank lines are left out. Raises InputError where there is none."""
    texts = []
    for _, line in numbered_lines(path):
        if line.strip():
            texts.append(line)
        if n is not None and len(texts) == n:
            break
    if not texts:
        raise at(path, None, "holds no text: one sentence or paragraph a line is read")
    return texts


def read_parallel(src: str | Path, trg: str | Path, n: int | None = None) -> list[tuple[str, str]]:
    """The first n translations: two files line by line, or two XNLI files (.tsv) row by row, each pair once.

    Of XNLI rows premises and hypotheses are pairs. A line that is blank on either side is left out. Raises InputError
    where the files are not parallel: not of one length, or rows with different labels.
    """
    is_table = [".tsv" in Path(path).suffixes for path in (src, trg)]
    if is_table[0] != is_table[1]:
        raise InputError(f"{src} and {trg}: one is a .tsv of premises and hypotheses, the other is not")
    sides = _xnli_texts(src, trg) if is_table[0] else _all_lines(src, trg)
    pairs = {(one, other): None for one, other in zip(*sides, strict=True) if one.strip() and other.strip()}
    if not pairs:
        raise InputError(f"{src} and {trg}: hold no pair of texts")
    return list(pairs)[:n]


def _all_lines(src: str | Path, trg: str | Path) -> list[list[str]]:
    sides = [[line for _, line in numbered_lines(path)] for path in (src, trg)]
    _same_length(src, trg, len(sides[0]), len(sides[1]), "lines")
    return sides


def _xnli_texts(src: str | Path, trg: str | Path) -> list[list[str]]:
    rows = [read_pairs(path) for path in (src, trg)]
    _same_length(src, trg, len(rows[0]), len(rows[1]), "rows")
    for number, (one, other) in enumerate(zip(*rows, strict=True), start=1):
        if one.label != other.label:
            raise InputError(f"{src} and {trg}: row {number} is {one.label} here and {other.label} there, "
                             "so the files are not parallel: take the same part of both")
    return [[pair.premise for pair in side] + [pair.hypothesis for pair in side] for side in rows]


def _same_length(src: str | Path, trg: str | Path, n_src: int, n_trg: int, noun: str) -> None:
    if n_src != n_trg:
        raise InputError(f"{src} has {n_src} {noun}, {trg} has {n_trg}: parallel files need a translation on each line")


# ---- inputs


@dataclass(frozen=True)
class Corpus:
    """Inputs of one language, or of one pair of languages, one after the other. Special tokens are among the ids."""

    langs: tuple[str, ...]  # one, or two of pairs
    ids: Ints1d  # (n_subwords,)
    starts: Ints1d  # (n_inputs + 1,)
    seconds: Ints1d | None = None  # of pairs, where the second text begins in its input, (n_inputs,)

    @property
    def name(self) -> str:
        return "-".join(self.langs)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def fingerprint(self) -> str:
        """Hash of everything that is in it."""
        digest = hashlib.sha256(self.name.encode())
        for array in (self.ids, self.starts, self.seconds):
            digest.update(b"" if array is None else np.ascontiguousarray(array, dtype=np.int64).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class MaskedExample(Example):
    """What the encoder reads; labels are the ids to predict, IGNORED elsewhere. `second`: where a pair's second is."""

    second: int | None = None


class MaskedInputs:
    """Makes corpora, masked examples and batches for one encoder."""

    def __init__(self, inputs: Inputs, config: Any, share: float = 0.15, positions: str = "auto"):
        self.inputs = inputs
        self.tokenizer = inputs.tokenizer
        n_vocabulary = min(len(self.tokenizer), config.vocab_size)
        self.masker = Masker(self.tokenizer, n_vocabulary, share)
        self.first_position = config.pad_token_id + 1 if config.model_type in _POSITIONS_AFTER_PADDING else 0
        self.restarts = restarts(positions, config)

    # ---- corpora

    def corpus(self, texts: Sequence[str], lang: str, block: int, layout: str = "packed") -> Corpus:
        """Texts of one language as blocks of running text, or each alone (one that is too long becomes several)."""
        self._check(lang)
        words = self.inputs.words
        room = min(block, self.inputs.max_length) - len(words.prefix) - len(words.suffix)
        pieces = (np.array(ids, dtype=np.int64) for ids in self._subwords(texts))
        parts = _packed(pieces, words.suffix, room) if layout == "packed" else _apart(pieces, room)
        return self._corpus((lang,), [np.concatenate([words.prefix, part, words.suffix]) for part in parts])

    def pairs(self, pairs: Sequence[tuple[str, str]], langs: tuple[str, str], block: int) -> Corpus:
        """Translations, both sides in one input; the longer side is cut where they do not fit."""
        self._check(*langs)
        template = self.inputs.template
        room = min(block, self.inputs.max_length) - template.n_special
        sides = [self._subwords([pair[side] for pair in pairs]) for side in (0, 1)]
        joined, seconds = [], []
        for one, other in zip(*sides, strict=True):
            ids, _, is_second = template.join(*cut_longest(one, other, room))
            joined.append(np.array(ids))
            seconds.append(is_second.index(True))
        return self._corpus(langs, joined, seconds)

    def _check(self, *langs: str) -> None:
        """Raise InputError for a language that the encoder has to be told and does not know."""
        if self.inputs.languages.key:
            for lang in langs:
                self.inputs.languages.id_of(lang)

    def _subwords(self, texts: Sequence[str]) -> Iterator[list[int]]:
        for start in range(0, len(texts), AT_ONCE):
            yield from self.tokenizer(list(texts[start : start + AT_ONCE]), add_special_tokens=False,
                                      verbose=False)["input_ids"]  # fmt: skip

    def _corpus(self, langs: tuple[str, ...], parts: list[np.ndarray], seconds: list[int] | None = None) -> Corpus:
        """Without the inputs in which nothing can be masked."""
        kept = [i for i, part in enumerate(parts) if self.masker.is_ordinary[part].any()]
        if not kept:
            raise InputError(f"{'-'.join(langs)}: the texts hold no subword that this tokenizer knows")
        parts = [parts[i] for i in kept]
        starts = np.cumsum([0, *map(len, parts)])
        places = None if seconds is None else np.array([seconds[i] for i in kept])
        return Corpus(langs, np.concatenate(parts).astype(np.int32), starts, places)

    # ---- examples and batches

    def example(self, corpus: Corpus, row: int, rng: np.random.Generator) -> MaskedExample:
        """One input of a corpus, masked by a generator."""
        ids = corpus.ids[corpus.starts[row] : corpus.starts[row + 1]].astype(np.int64)
        masked, labels = self.masker(ids, rng)
        second = None if corpus.seconds is None else int(corpus.seconds[row])
        return MaskedExample(masked, self._types(len(ids), second), self._langs(corpus, len(ids), second),
                             labels, second)  # fmt: skip

    def _types(self, n: int, second: int | None) -> Ints1d | None:
        """Token types as the tokenizer gives them: those of the first text, then those of the second."""
        types = self.inputs.template.types
        if types is None:
            return None
        return np.where(np.arange(n) < (n if second is None else second), types[1], types[3])

    def _langs(self, corpus: Corpus, n: int, second: int | None) -> Ints1d | None:
        languages = self.inputs.languages
        if not languages.key:
            return None
        is_first = np.arange(n) < (n if second is None else second)
        return np.where(is_first, languages.id_of(corpus.langs[0]), languages.id_of(corpus.langs[-1]))

    def held_out(self, corpora: Iterable[Corpus]) -> list[MaskedExample]:
        """Every input once, with masks that depend on its number alone."""
        return [self.example(corpus, row, np.random.default_rng([_DEV_SEED, row]))
                for corpus in corpora for row in range(len(corpus))]  # fmt: skip

    def batch(self, examples: Sequence[MaskedExample], device: torch.device | str = "cpu") -> dict[str, torch.Tensor]:
        """Padded: what Inputs.batch gives, labels (batch, length), and position_ids where those of seconds restart."""
        batch = self.inputs.batch(examples, device)
        if self.restarts and any(example.second is not None for example in examples):
            positions = np.tile(np.arange(batch["input_ids"].shape[1]), (len(examples), 1))
            for row, example in zip(positions, examples, strict=True):
                if example.second is not None:
                    row[example.second :] -= example.second
            batch["position_ids"] = torch.from_numpy(positions + self.first_position).to(device)
        return batch


def restarts(positions: str, config: Any) -> bool:
    """Whether positions of a pair's second text start again, which only an encoder with absolute positions sees."""
    is_relative = not getattr(config, "position_biased_input", True)  # DeBERTa
    if positions == "restart" and is_relative:
        raise InputError(f"positions = 'restart': {config.model_type} has relative positions alone: take 'continue'")
    return positions != "continue" and not is_relative


def _packed(pieces: Iterable[Ints1d], between: Sequence[int], room: int) -> Iterator[Ints1d]:
    """Texts one after the other with `between` after each, cut into parts of `room`; the last may be shorter."""
    stream = np.concatenate(list(chain.from_iterable((piece, np.array(between, dtype=np.int64)) for piece in pieces)))
    stream = stream[: len(stream) - len(between)]
    for start in range(0, len(stream), room):
        yield stream[start : start + room]


def _apart(pieces: Iterable[Ints1d], room: int) -> Iterator[Ints1d]:
    """Each text alone, one that is longer than `room` in several parts."""
    for piece in pieces:
        for start in range(0, len(piece), room):
            yield piece[start : start + room]


# ---- masks


class Masker:
    """Chooses the subwords to predict: a share of them, of those 80 % masked, 10 % random, 10 % as they are."""

    def __init__(self, tokenizer: Any, n_vocabulary: int, share: float = 0.15):
        if tokenizer.mask_token_id is None:
            raise InputError("this encoder's tokenizer has no mask token, so masked words cannot be learnt")
        self.mask, self.share = tokenizer.mask_token_id, share
        self.is_ordinary = np.ones(max(len(tokenizer), n_vocabulary), dtype=bool)
        self.is_ordinary[tokenizer.all_special_ids] = False
        self.ordinary = np.flatnonzero(self.is_ordinary[:n_vocabulary])

    def __call__(self, ids: Ints1d, rng: np.random.Generator) -> tuple[Ints1d, Ints1d]:
        """Masked ids and labels, both (n,). Special tokens are never chosen; at least one subword is."""
        places = np.flatnonzero(self.is_ordinary[ids])
        n = min(len(places), max(1, round(self.share * len(places))))
        chosen = rng.choice(places, n, replace=False)
        labels = np.full(len(ids), IGNORED)
        labels[chosen] = ids[chosen]
        fate = rng.random(n)
        masked = ids.copy()
        masked[chosen[fate < 0.8]] = self.mask
        is_random = fate >= 0.9
        masked[chosen[is_random]] = rng.choice(self.ordinary, int(is_random.sum()))
        return masked, labels


# ---- which inputs an update sees


def language_shares(sizes: Sequence[int], alpha: float) -> Floats1d:
    """Probability of each language, q_i = p_i^alpha / sum_j p_j^alpha with p_i = n_i / sum_k n_k.

    Conneau and Lample 2019, section 3.1. alpha below 1 takes small languages more often than their size.
    """
    p = np.array(sizes) / np.sum(sizes)
    shares: Floats1d = p**alpha / np.sum(p**alpha)
    return shares


class Draws:
    """Inputs for each update: languages drawn by their shares, inputs of each in a new random order every pass."""

    def __init__(self, sizes: Sequence[int], alpha: float, seed: int, drawn: Sequence[int] | None = None):
        self.sizes, self.seed = list(sizes), seed
        self.shares = language_shares(sizes, alpha)
        self.drawn = list(drawn or [0] * len(sizes))  # of each language, so far
        self._orders: dict[tuple[int, int], Ints1d] = {}

    def take(self, step: int, n: int) -> list[tuple[int, int]]:
        """(corpus, row) of n inputs for update `step`."""
        corpora = np.random.default_rng([self.seed, 0, step]).choice(len(self.sizes), n, p=self.shares)
        return [(int(corpus), self._next(int(corpus))) for corpus in corpora]

    def _next(self, corpus: int) -> int:
        n_passes, place = divmod(self.drawn[corpus], self.sizes[corpus])
        self.drawn[corpus] += 1
        if (corpus, n_passes) not in self._orders:
            self._orders.pop((corpus, n_passes - 1), None)
            rng = np.random.default_rng([self.seed, 1, corpus, n_passes])
            self._orders[corpus, n_passes] = rng.permutation(self.sizes[corpus])
        return int(self._orders[corpus, n_passes][place])


