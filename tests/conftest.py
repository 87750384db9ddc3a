"""Fixtures that several test files share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from xlembed.lexicon import Lexicon
from xlembed.vectors import WordVectors

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Pair:
    """Two spaces: target = source @ rotation + noise, word s7 beside t7."""

    src: WordVectors
    trg: WordVectors
    rotation: np.ndarray
    lexicon: Lexicon


def make_pair(n_words: int = 300, dim: int = 20, noise: float = 1e-4, seed: int = 0) -> Pair:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n_words, dim)) + rng.normal(size=dim)
    rotation, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    moved = matrix @ rotation + noise * rng.normal(size=(n_words, dim))
    src_words, trg_words = ([f"{side}{i}" for i in range(n_words)] for side in "st")
    return Pair(
        WordVectors(src_words, matrix.astype(np.float32)),
        WordVectors(trg_words, moved.astype(np.float32)),
        rotation,
        Lexicon(list(zip(src_words, trg_words, strict=True)), "hidden"),
    )


@pytest.fixture
def rotated_pair() -> Pair:
    """A hidden rotation and hardly any noise: what an aligner must find."""
    return make_pair()


@pytest.fixture
def noisy_pair() -> Pair:
    """So much noise that some translations are found and others are not."""
    return make_pair(n_words=200, dim=12, noise=0.8, seed=1)


@pytest.fixture
def small_vectors() -> WordVectors:
    """Seven words, dim 5: words with NO-BREAK SPACE, ideographic space, LINE SEPARATOR and other scripts."""
    words = ["the", "of", "10\u00a0000", "日\u3000本", "a\u2028b", "naïve", "हिन्दी"]
    matrix = np.random.default_rng(0).normal(size=(len(words), 5)).astype(np.float32)
    return WordVectors(words, matrix)


@pytest.fixture
def shared_data() -> Path:
    """The real slices of ../shared/data."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real slices are not at {folder}")
    return folder


@pytest.fixture
def press() -> Iterator[Callable[[], None]]:
    """Ctrl-C, as it reaches a program of its own, also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, before)
