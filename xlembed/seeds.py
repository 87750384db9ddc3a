"""Seed lexicons that need no file: what both languages write alike, or nearly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from xlembed.errors import InputError
from xlembed.lexicon import Lexicon, identical_strings
from xlembed.types import Floats1d, Floats2d, Ints1d, Ints2d
from xlembed.vectors import WordVectors

SEEDS = ("identical", "numerals", "cognates")
N_COGNATES = 20_000  # words a side
LEAST_LENGTH = 4
MOST_LENGTH = 63  # bits of a signed number, for `edit_distances`
MOST_DISTANCE = 0.25
_BLOCK_NUMBERS = 1 << 24


def seed(name: str, src: WordVectors, trg: WordVectors) -> Lexicon:
    """A seed lexicon by name: identical, numerals or cognates. Raises InputError where it would be empty."""
    if name not in SEEDS:
        raise InputError(f"unknown seed {name!r}: choose {', '.join(SEEDS)}")
    return {"identical": identical_strings, "numerals": numerals, "cognates": cognates}[name](src, trg)


def numerals(src: WordVectors, trg: WordVectors, n: int | None = None) -> Lexicon:
    """Strings of ASCII digits that both vocabularies hold (Artetxe et al. 2017, "Learning bilingual word embeddings
    with (almost) no bilingual data"), among the n most frequent words of each."""
    known = set(trg.words[:n])
    pairs = [(word, word) for word in src.words[:n] if word.isascii() and word.isdigit() and word in known]
    if not pairs:
        raise InputError("the two vocabularies share no numeral: take the seed identical, or give a lexicon")
    return Lexicon(pairs, "numerals")


def cognates(
    src: WordVectors,
    trg: WordVectors,
    n: int | None = N_COGNATES,
    most: float = MOST_DISTANCE,
    least_length: int = LEAST_LENGTH,
) -> Lexicon:
    """Words of letters that are each other's nearest by normalised edit distance, at most `most`.

    Levenshtein distance / length of the longer word, in lower case, among the n most frequent words of each with
    `least_length` to 63 letters; ties go to the more frequent word. Words written alike are cognates too. Raises
    InputError where there is none.
    """
    if not 0 <= most < 1:
        raise InputError(f"the greatest normalised edit distance is {most}: it must be at least 0 and below 1")
    src_words, trg_words = (_candidates(side.words[:n], least_length) for side in (src, trg))
    rows, distances = near_words(list(src_words), list(trg_words), most)
    rows = rows[_mutual_best(rows, distances)]
    if not len(rows):
        raise InputError("the two vocabularies hold no cognates: take another seed, or give a lexicon")
    src_forms, trg_forms = list(src_words.values()), list(trg_words.values())
    return Lexicon([(src_forms[one], trg_forms[other]) for one, other in rows.tolist()], "cognates")


def _candidates(words: list[str], least_length: int) -> dict[str, str]:
    """Lower case -> the most frequent form as written, of the words of letters that are neither short nor endless."""
    found: dict[str, str] = {}
    for word in words:
        if word.isalpha() and least_length <= len(word.lower()) <= MOST_LENGTH:
            found.setdefault(word.lower(), word)
    return found


def near_words(src: list[str], trg: list[str], most: float) -> tuple[Ints2d, Floats1d]:
    """All pairs of rows at normalised edit distance <= most, (n_pairs, 2), src rows ascending, and the distances.

    Words of at most 63 characters. A pair whose words are too unlike in length, or share too few letters, is never
    compared: distance >= longer length - letters in common (counted with repetition), a product of two 0/1 matrices.
    """
    letters = _shared_letters(src, trg)
    src_bags, trg_bags = _bags(src, letters), _bags(trg, letters)
    src_lengths, trg_lengths = (np.array([len(word) for word in words], dtype=np.float32) for words in (src, trg))
    slots = {letter: slot for slot, letter in enumerate(letters)}
    trg_codes = _codes(trg, slots)
    pairs, distances = [np.empty((0, 2), dtype=np.int64)], [np.empty(0)]
    for block in _blocks(len(src), len(trg)):
        longer = np.maximum(src_lengths[block, None], trg_lengths)  # (n_block, n_trg)
        rows, columns = np.nonzero(longer - src_bags[block] @ trg_bags.T <= most * longer + 1e-3)
        masks = _position_masks(src[block], slots)
        edits = edit_distances(masks, src_lengths[block], rows, trg_codes[columns], trg_lengths[columns])
        normalised = edits / longer[rows, columns].astype(np.float64)
        is_near = normalised <= most
        pairs.append(np.column_stack([rows[is_near] + block.start, columns[is_near]]))
        distances.append(normalised[is_near])
    return np.concatenate(pairs), np.concatenate(distances)


def edit_distances(
    masks: Ints2d, src_lengths: Ints1d | Floats1d, src_rows: Ints1d, trg_codes: Ints2d, trg_lengths: Ints1d | Floats1d
) -> Ints1d:
    """Levenshtein distance of each pair (src_rows[i], i), (n_pairs,): a column of the table is a few 64-bit words.

    Myers 1999 ("A fast bit-vector algorithm for approximate string matching"), in the form of Hyyrö 2003 for whole
    strings, all pairs at once. masks[row, letter] has a bit for each position of the letter in a source word.
    """
    one = np.uint64(1)
    lengths = src_lengths[src_rows]
    last = one << (lengths - 1).astype(np.uint64)
    up: Ints1d = np.full(len(src_rows), ~np.uint64(0))  # positions where the table rises by 1 downwards
    down: Ints1d = np.zeros(len(src_rows), dtype=np.uint64)
    distances = lengths.astype(np.int64)
    for position in range(int(trg_lengths.max(initial=0))):
        matches = masks[src_rows, trg_codes[:, position]]
        diagonal = (((matches & up) + up) ^ up) | matches | down
        right = down | ~(diagonal | up)  # positions where the table rises by 1 from column to column
        left = up & diagonal
        is_inside = position < trg_lengths
        distances += is_inside & ((right & last) != 0)
        distances -= is_inside & ((left & last) != 0)
        right = (right << one) | one
        up = (left << one) | ~(diagonal | right)
        down = right & diagonal
    return distances


def _mutual_best(rows: Ints2d, distances: Floats1d) -> Ints1d:
    """Positions of the pairs that are the best of both their words, ties by the lower row of the other side."""
    best = []
    for side in (0, 1):
        order = np.lexsort((rows[:, 1 - side], distances, rows[:, side]))
        best.append(order[np.unique(rows[order, side], return_index=True)[1]])
    both: Ints1d = np.intersect1d(best[0], best[1])
    return both


def _shared_letters(src: list[str], trg: list[str]) -> dict[str, int]:
    """Letters of both sides, and how often a word of either side holds each at most, the lower of the two."""
    most: list[Counter[str]] = [Counter(), Counter()]
    for words, count in zip((src, trg), most, strict=True):
        for word in words:
            count |= Counter(word)
    return dict(sorted((most[0] & most[1]).items()))


def _bags(words: list[str], letters: dict[str, int]) -> Floats2d:
    """0/1: does a word hold a letter once, twice, ...: (n_words, sum of the letters' counts).

    The product of two rows is the number of letters that two words have in common.
    """
    starts = dict(zip(letters, np.cumsum([0, *letters.values()])[:-1].tolist(), strict=True))
    bags = np.zeros((len(words), sum(letters.values())), dtype=np.float32)
    for row, word in enumerate(words):
        for letter, count in Counter(word).items():
            if letter in letters:
                bags[row, starts[letter] : starts[letter] + min(count, letters[letter])] = 1
    return bags


def _codes(words: list[str], slots: dict[str, int]) -> Ints2d:
    """Slots of each word's letters, padded with the slot of letters that one side lacks, (n_words, longest)."""
    codes = np.full((len(words), max(map(len, words), default=0)), len(slots))
    for row, word in enumerate(words):
        codes[row, : len(word)] = [slots.get(letter, len(slots)) for letter in word]
    return codes


def _position_masks(words: list[str], slots: dict[str, int]) -> Ints2d:
    """A bit for each position of each letter, (n_words, n_letters + 1); nothing for letters that one side lacks."""
    masks = np.zeros((len(words), len(slots) + 1), dtype=np.uint64)
    for row, word in enumerate(words):
        for position, letter in enumerate(word):
            if letter in slots:
                masks[row, slots[letter]] |= np.uint64(1 << position)
    return masks


def _blocks(n_src: int, n_trg: int) -> Iterator[slice]:
    step = max(1, _BLOCK_NUMBERS // max(1, n_trg))
    for start in range(0, n_src, step):
        yield slice(start, min(start + step, n_src))
