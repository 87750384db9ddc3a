"""Fake-English: a language that is English in all but its characters (K et al. 2020).

"Cross-lingual ability of multilingual BERT: an empirical study", section 4: the code point of every character is moved
by a constant, so that not one subword is shared, while all structure is. Here some words may stay as they are (an
overlap), and words may be put in another order.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from baselines.corpora import TaggedSentence
from xlembed.errors import InputError

OFFSET = 0x100000  # into a private plane of Unicode, where no tokenizer splits or normalises
_LAST = 0xFFFD  # what lies beyond the basic plane is one unknown character
ORDERS = ("kept", "permuted", "frequency")


def shifted(text: str) -> str:
    """Every character moved; spaces stay."""
    return "".join(c if c == " " else chr(min(ord(c), _LAST) + OFFSET) for c in text)


def is_shared(word: str, overlap: float) -> bool:
    """Whether a word stays as it is: so of a share `overlap` of all word types, whatever their casing."""
    return zlib.crc32(word.lower().encode()) < overlap * 2**32


def fake_words(words: Sequence[str], overlap: float = 0.0) -> list[str]:
    """Words of fake-English."""
    return [word if is_shared(word, overlap) else shifted(word) for word in words]


def fake_items(items: Sequence[TaggedSentence], overlap: float = 0.0) -> list[TaggedSentence]:
    """Tagged sentences in fake-English; tags and order stay."""
    return [replace(item, words=tuple(fake_words(item.words, overlap))) for item in items]


def reordered(sentences: Sequence[Sequence[str]], order: str, seed: int) -> list[list[str]]:
    """Sentences whose words are kept in order, permuted within each, or drawn from all (frequency alone is left).

    The second and third take away what K et al. 2020 call word-ordering similarity, and all structure but frequency.
    """
    if order not in ORDERS:
        raise InputError(f"order = {order!r}: choose {', '.join(ORDERS)}")
    rng = np.random.default_rng([seed, 11])
    if order == "kept":
        return [list(sentence) for sentence in sentences]
    if order == "permuted":
        return [[sentence[i] for i in rng.permutation(len(sentence))] for sentence in sentences]
    words = [word for sentence in sentences for word in sentence]
    bag = [words[i] for i in rng.permutation(len(words))]
    ends = np.cumsum([len(sentence) for sentence in sentences]).tolist()
    return [bag[end - len(sentence) : end] for end, sentence in zip(ends, sentences, strict=True)]
