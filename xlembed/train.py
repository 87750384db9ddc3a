"""Monolingual word vectors from running text, through fastText (Bojanowski et al. 2017)."""

from __future__ import annotations

import ctypes
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xlembed.errors import InputError, require
from xlembed.files import numbered_lines, temporary_folder
from xlembed.os_faults import writing
from xlembed.tokenize import tokenize


@dataclass(frozen=True)
class TrainSettings:
    """fastText's settings under its own names.

    With one thread a run is repeatable to the bit (the Python package fixes the seed, `zeroed_memory` the
    rest); more threads race.
    """

    model: str = "skipgram"
    dim: int = 100
    epoch: int = 5
    min_count: int = 5
    minn: int = 3
    maxn: int = 6
    neg: int = 5
    t: float = 1e-4
    lr: float = 0.05
    ws: int = 5
    bucket: int = 2_000_000
    thread: int = 1


_LINE_LIMIT = 1 << 28  # bytes; some corpora are one line (text8)


def corpus_lines(
    paths: Iterable[str | Path],
    lang: str | None = None,
    lowercase: bool = True,
    max_tokens: int | None = None,
) -> Iterator[str]:
    """Tokenised lines of the corpora, one space between tokens; at most `max_tokens` tokens a file."""
    for path in paths:
        n_tokens = 0
        for _, line in numbered_lines(path, _LINE_LIMIT):
            tokens = tokenize(line.lower() if lowercase else line, lang)
            if max_tokens is not None:
                tokens = tokens[: max_tokens - n_tokens]
            n_tokens += len(tokens)
            if tokens:
                yield " ".join(tokens)
            if n_tokens == max_tokens:
                break


def train(
    paths: Iterable[str | Path],
    settings: TrainSettings = TrainSettings(),
    lang: str | None = None,
    lowercase: bool = True,
    max_tokens: int | None = None,
) -> Any:
    """Train on text files (.txt, .gz, .xz; a sentence or paragraph a line) and return the fastText model.

    Raises InputError for missing or empty corpora, and for corpora in which fewer than two words are
    frequent enough.
    """
    fasttext = require("fasttext", "fasttext")
    check_settings(settings)
    with temporary_folder() as folder:
        corpus = folder / "corpus.txt"
        counts: Counter[str] = Counter()
        with writing(corpus), open(corpus, "w", encoding="utf-8", newline="\n") as out:
            for line in corpus_lines(paths, lang, lowercase, max_tokens):
                out.write(line + "\n")
                counts.update(line.split(" "))
        _check_counts(counts, settings.min_count)
        options = {_FASTTEXT_NAMES.get(name, name): value for name, value in asdict(settings).items()}
        try:
            with zeroed_memory():
                return fasttext.train_unsupervised(str(corpus), verbose=0, **options)
        except (ValueError, RuntimeError, MemoryError) as err:
            raise InputError(f"fastText cannot train so ({err}): lower lr, dim or bucket") from None


def _check_counts(counts: Counter[str], min_count: int) -> None:
    """With no frequent word fastText trains on line ends; with one it seeks a negative sample for ever."""
    if not counts:
        raise InputError("the corpora hold no words: give text files with a sentence a line")
    n_frequent = sum(count >= min_count for count in counts.values())
    if n_frequent < 2:
        raise InputError(
            f"{n_frequent} of {len(counts)} words occur {min_count} times or more, 2 are needed: "
            "add text or lower min-count"
        )


_GLIBC_M_PERTURB = -6


@contextmanager
def zeroed_memory() -> Iterator[None]:
    """Have glibc hand out zeros, for fastText 0.9.3 leaves much of its start matrix as it finds the memory.

    It draws the first tenth with one thread, a tenth more with each further one (DenseMatrix::uniform).
    What earlier work left in the rest made every small run another one, now and then with NaN. Other C
    libraries know no such switch; there only matrices large enough for pages of their own start from zeros.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        yield
        return
    mallopt(_GLIBC_M_PERTURB, 255)  # glibc fills with the complement of the byte
    try:
        yield
    finally:
        mallopt(_GLIBC_M_PERTURB, 0)


_FASTTEXT_NAMES = {"min_count": "minCount"}


def check_settings(settings: TrainSettings) -> None:
    """Raise InputError for settings that fastText cannot train with."""
    if settings.model not in ("skipgram", "cbow"):
        raise InputError(f"unknown model {settings.model!r}: choose skipgram or cbow")
    for name in ("dim", "epoch", "min_count", "neg", "ws", "bucket", "thread"):
        if getattr(settings, name) < 1:
            raise InputError(f"{name} is {getattr(settings, name)}, it must be at least 1")
    if settings.minn > settings.maxn:
        raise InputError(f"minn {settings.minn} is above maxn {settings.maxn}")
