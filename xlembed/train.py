"""Monolingual word vectors from running text, through fastText (Bojanowski et al. 2017)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xlembed.errors import InputError, require
from xlembed.files import numbered_lines
from xlembed.tokenize import tokenize


@dataclass(frozen=True)
class TrainSettings:
    """fastText's settings under its own names.

    With one thread a run is repeatable to the bit (the Python package fixes the seed); more threads race.
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


def corpus_lines(
    paths: Iterable[str | Path], lang: str | None = None, lowercase: bool = True, max_tokens: int | None = None
) -> Iterator[str]:
    """Tokenised lines of the corpora, one space between tokens; at most `max_tokens` tokens a file."""
    for path in paths:
        n_tokens = 0
        for _, line in numbered_lines(path):
            tokens = tokenize(line.lower() if lowercase else line, lang)
            n_tokens += len(tokens)
            if tokens:
                yield " ".join(tokens)
            if max_tokens is not None and n_tokens >= max_tokens:
                break


def train(
    paths: Iterable[str | Path],
    settings: TrainSettings = TrainSettings(),
    lang: str | None = None,
    lowercase: bool = True,
    max_tokens: int | None = None,
) -> Any:
    """Train on text files (.txt, .gz, .xz; a sentence or paragraph a line) and return the fastText model.

    Raises InputError for missing or empty corpora, and for corpora in which no word is frequent enough.
    """
    fasttext = require("fasttext", "fasttext")
    _check(settings)
    with tempfile.TemporaryDirectory(prefix="xlembed-") as folder:
        corpus = Path(folder) / "corpus.txt"
        n_lines = 0
        with open(corpus, "w", encoding="utf-8", newline="\n") as out:
            for line in corpus_lines(paths, lang, lowercase, max_tokens):
                out.write(line + "\n")
                n_lines += 1
        if not n_lines:
            raise InputError("the corpora hold no words: give text files with a sentence a line")
        options = {_FASTTEXT_NAMES.get(name, name): value for name, value in asdict(settings).items()}
        try:
            return fasttext.train_unsupervised(str(corpus), verbose=0, **options)
        except ValueError as err:  # fastText's "Empty vocabulary" comes without the counts that explain it
            raise InputError(
                f"fastText cannot train on these {n_lines} lines ({err}): "
                f"add text or lower min-count ({settings.min_count})"
            ) from None


_FASTTEXT_NAMES = {"min_count": "minCount"}


def _check(settings: TrainSettings) -> None:
    if settings.model not in ("skipgram", "cbow"):
        raise InputError(f"unknown model {settings.model!r}: choose skipgram or cbow")
    for name in ("dim", "epoch", "min_count", "neg", "ws", "thread"):
        if getattr(settings, name) < 1:
            raise InputError(f"{name} is {getattr(settings, name)}, it must be at least 1")
    if settings.minn > settings.maxn:
        raise InputError(f"minn {settings.minn} is above maxn {settings.maxn}")
