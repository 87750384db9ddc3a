"""Bilingual lexicons: word pairs, one or several translations a word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xlembed.errors import InputError, at
from xlembed.files import numbered_lines
from xlembed.types import Ints2d
from xlembed.vectors import WordVectors


@dataclass(frozen=True)
class Lexicon:
    """(src word, trg word) pairs, without repetition, in file order."""

    pairs: list[tuple[str, str]]
    name: str = "lexicon"

    def __len__(self) -> int:
        return len(self.pairs)

    def reversed(self) -> Lexicon:
        """The same pairs, target first."""
        return Lexicon([(trg, src) for src, trg in self.pairs], f"{self.name} (reversed)")

    def translations(self) -> dict[str, list[str]]:
        """All translations of each source word."""
        found: dict[str, list[str]] = {}
        for src, trg in self.pairs:
            found.setdefault(src, []).append(trg)
        return found


@dataclass(frozen=True)
class CoveredPairs:
    """Rows of the pairs that both vocabularies hold, and what was lost."""

    rows: Ints2d  # (n_covered, 2): src row, trg row
    n_pairs: int
    n_missing_src: int
    n_missing_trg: int
    n_other_case: int  # covered only after lower-casing or NFC

    def describe(self) -> str:
        """One line that says what is covered and what is lost, and why."""
        return (
            f"{len(self.rows)} of {self.n_pairs} pairs covered (not in the source vocabulary: "
            f"{self.n_missing_src}, not in the target's: {self.n_missing_trg}; "
            f"{self.n_other_case} found only in lower case)"
        )


def read_lexicon(path: str | Path) -> Lexicon:
    """Read a two-column lexicon, columns parted by TAB or by one or more ASCII spaces.

    A source word may stand on several lines with other translations (MUSE) or on one (xling-eval); a
    repeated pair counts once. Raises InputError with the line where there are not two words, and for a
    file without pairs.
    """
    pairs: dict[tuple[str, str], None] = {}
    for number, line in numbered_lines(path):
        if not line.strip(" \t"):
            continue
        fields = line.split("\t") if "\t" in line else line.split(" ")
        fields = [word for field in fields if (word := field.strip(" \r"))]
        if len(fields) != 2:
            raise at(path, number, f"expected source word TAB (or space) target word, found {line[:60]!r}")
        pairs[fields[0], fields[1]] = None
    if not pairs:
        raise at(path, None, "holds no pairs: a source word and a target word a line are read")
    return Lexicon(list(pairs), str(path))


def identical_strings(src: WordVectors, trg: WordVectors, n: int | None = 20_000) -> Lexicon:
    """Words that both languages write alike, among the n most frequent of each (Artetxe et al. 2017)."""
    shared = set(trg.words[:n])
    pairs = [(word, word) for word in src.words[:n] if word in shared]
    if not pairs:
        raise InputError("the two vocabularies share no word: give a lexicon")
    return Lexicon(pairs, "identical strings")


def cover(lexicon: Lexicon, src: WordVectors, trg: WordVectors) -> CoveredPairs:
    """Rows of the pairs whose words both have vectors; casing is tried as written, then lower."""
    rows: dict[tuple[int, int], None] = {}
    n_missing_src = n_missing_trg = n_other_case = 0
    for src_word, trg_word in lexicon.pairs:
        src_row, trg_row = src.row(src_word), trg.row(trg_word)
        n_missing_src += src_row is None
        n_missing_trg += src_row is not None and trg_row is None
        if src_row is not None and trg_row is not None:
            n_other_case += src_word not in src.index or trg_word not in trg.index
            rows[src_row, trg_row] = None
    pairs = np.array(list(rows), dtype=np.int64).reshape(-1, 2)
    return CoveredPairs(pairs, len(lexicon), n_missing_src, n_missing_trg, n_other_case)


def need_covered(lexicon: Lexicon, src: WordVectors, trg: WordVectors) -> CoveredPairs:
    """`cover`, or InputError when no pair is covered."""
    covered = cover(lexicon, src, trg)
    if not len(covered.rows):
        raise InputError(
            f"{lexicon.name}: none of its {len(lexicon)} pairs is in both vocabularies "
            f"({covered.n_missing_src} source words missing): check languages, direction and casing"
        )
    return covered


def write_lexicon(path: str | Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Write a two-column lexicon, TAB between, all or nothing. InputError for a word that would be read wrongly."""
    from xlembed.files import write_text

    pairs = list(pairs)
    for word in (word for pair in pairs for word in pair):
        if not word or "\t" in word or "\n" in word or word != word.strip(" \r"):
            raise at(path, None, f"the word {word[:60]!r} cannot stand in a lexicon: TAB and line end part words there")
    write_text(path, "".join(f"{src}\t{trg}\n" for src, trg in pairs))
