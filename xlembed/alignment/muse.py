"""MUSE without a lexicon: an adversarial game finds a first map, mutual neighbours refine it.

Conneau, Lample, Ranzato, Denoyer & Jégou 2018 (ICLR), "Word Translation Without Parallel Data", sections 2 and 3.5.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from xlembed.alignment.base import LinearMapping
from xlembed.alignment.confidence import Spaces, confidence
from xlembed.alignment.procrustes import rotation
from xlembed.alignment.refinement import mean_cosine, refine
from xlembed.errors import InputError, require
from xlembed.lexicon import Lexicon
from xlembed.normalize import UNIT_CENTER_UNIT, normalize
from xlembed.progress import progress
from xlembed.types import Floats2d
from xlembed.vectors import WordVectors

if TYPE_CHECKING:
    from xlembed.alignment.adversarial import Game, Rules

STARTS = ("identity", "random")
DEVICES = ("auto", "cpu", "cuda")
_SMALL = 512  # hidden units


@dataclass(frozen=True)
class MuseSettings:
    """The defaults find maps of small spaces within minutes of one core; `PAPER` is the schedule of the paper.

    The game: a discriminator of two hidden layers of `hidden` units takes `dis_steps` steps for one of the map, each
    of `batch_size` words a side, drawn with equal chances from the `most_frequent` words of each side. One step for
    one, at greater learning rates, was found to do on small spaces, where short runs of five did not. The paper's
    75,000 words of 200,000 are too many for vectors of small corpora, whose rare words are noise.

    An epoch is epoch_size / batch_size steps of the map. After each the criterion is taken, over `criterion_words`
    words, and the best map so far is kept; both learning rates are multiplied by `decay`, and from the second time
    on that the criterion is below its best, that of the map by `shrink`. The run ends after `epochs`, or when the
    map's rate is below `min_rate`. Then come `refinement_rounds` among the `refinement_words` most frequent words.

    Such games are unstable: up to `restarts` of them are played, with the seeds seed, seed + 1, ..., until one has
    not collapsed by its own confidence; where all have, the greatest criterion after refinement decides.
    """

    hidden: int = 256
    batch_size: int = 32
    dis_steps: int = 1
    dis_lambda: float = 1.0
    dropout: float = 0.1
    smoothing: float = 0.1
    dis_rate: float = 0.3
    map_rate: float = 0.5
    decay: float = 0.98
    shrink: float = 0.8
    min_rate: float = 1e-6
    beta: float = 0.001  # of the orthogonalisation, a step
    orthogonalise_every: int = 4  # steps, with so many times beta: the same to first order, and cheaper
    most_frequent: int = 10_000
    epochs: int = 10
    epoch_size: int = 200_000
    criterion_words: int = 5_000
    refinement_rounds: int = 40
    refinement_words: int = 5_000  # few: from a weak start rare words lead astray
    restarts: int = 5
    start: Literal["identity", "random"] = "identity"
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    steps: tuple[str, ...] = UNIT_CENTER_UNIT

    def __post_init__(self) -> None:
        for name, allowed in (("start", STARTS), ("device", DEVICES)):
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} is {getattr(self, name)!r}: choose {', '.join(allowed)}")
        for name in ("hidden", "batch_size", "dis_steps", "most_frequent", "epochs", "epoch_size", "criterion_words",
                     "refinement_words", "restarts", "orthogonalise_every"):  # fmt: skip
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, at least 1 is needed")
        for name in ("refinement_rounds", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}, at least 0 is needed")
        for name in ("dis_rate", "map_rate", "dis_lambda", "min_rate"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"{name} is {getattr(self, name)}, a number above 0 is needed")
        for name in ("decay", "shrink"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}, a number above 0 up to 1 is needed")
        for name, above in (("dropout", 1), ("smoothing", 0.5), ("beta", 0.5)):
            if not 0 <= getattr(self, name) < above:
                raise InputError(f"{name} is {getattr(self, name)}, a number from 0 to below {above} is needed")
        if (together := self.beta * self.orthogonalise_every) >= 0.5:  # from 1 on it no longer contracts
            raise InputError(f"beta times orthogonalise_every is {together:g}, a number below 0.5 is needed")

    def rules(self) -> Rules:
        """How the game is played."""
        from xlembed.alignment.adversarial import Rules

        return Rules(self.hidden, self.batch_size, self.dis_steps, self.dis_lambda, self.dropout, self.smoothing,
                     self.beta, self.orthogonalise_every)  # fmt: skip


PAPER = MuseSettings(hidden=2048, dis_steps=5, dis_rate=0.1, map_rate=0.1, shrink=0.5, orthogonalise_every=1,
                     most_frequent=75_000, epochs=5, epoch_size=1_000_000, criterion_words=10_000, refinement_rounds=5,
                     refinement_words=15_000)  # fmt: skip


@dataclass
class Rates:
    """Learning rates from epoch to epoch."""

    dis: float
    map: float
    best: float = -math.inf  # criterion so far
    has_fallen: bool = False

    def after_epoch(self, criterion: float, decay: float, shrink: float) -> None:
        """Decay both; a criterion below its best shrinks the map's, but for the first time (as MUSE does)."""
        self.dis, self.map = self.dis * decay, self.map * decay
        if criterion < self.best:
            self.map *= shrink if self.has_fallen else 1.0
            self.has_fallen = True
        self.best = max(self.best, criterion)


@dataclass(frozen=True)
class Trained:
    """The best map of a game, and how it went: the criterion before it and after each epoch, and the discriminator's
    accuracy after each epoch."""

    weight: Floats2d
    criterion: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    diverged: bool = False


def fit(
    src: WordVectors, trg: WordVectors, lexicon: Lexicon | None = None, settings: MuseSettings = MuseSettings()
) -> LinearMapping:
    """Map the source space onto the target space (trg_weight is the identity); a lexicon is not looked at.

    Raises InputError for spaces of other dims, and for a device that is not there.
    """
    begin, device = time.perf_counter(), device_of(settings.device)
    if src.dim != trg.dim:
        raise InputError(f"source vectors have dim {src.dim}, target vectors {trg.dim}: MUSE needs one dim")
    src, trg = normalize(src, settings.steps), normalize(trg, settings.steps)
    seed = settings.seed
    best = _fit_once(src, trg, settings, device)
    while best.about["collapsed"] and seed + 1 < settings.seed + settings.restarts:
        seed += 1
        mapping = _fit_once(src, trg, replace(settings, seed=seed), device)
        if not mapping.about["collapsed"] or mapping.about["criterion"] > best.about["criterion"]:
            best = mapping
    best.about["runs"] = seed - settings.seed + 1
    best.about["seconds"] = round(time.perf_counter() - begin, 2)
    return best


def device_of(name: str) -> str:
    """The torch device of a setting: auto is the GPU where torch finds one."""
    torch = require("torch", "static")
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise InputError("device is 'cuda', but torch finds no GPU here: set it to auto or cpu")
    return ("cuda" if has_gpu else "cpu") if name == "auto" else name


def _fit_once(src: WordVectors, trg: WordVectors, settings: MuseSettings, device: str) -> LinearMapping:
    """One game from one seed, refined; the spaces are normalised."""
    trained = train(src.matrix, trg.matrix, settings, device)
    refined = refine(src.matrix, trg.matrix, trained.weight, settings.refinement_rounds, settings.refinement_words,
                     settings.criterion_words)  # fmt: skip
    spaces = Spaces(src.matrix, trg.matrix, src.matrix @ refined.weight, trg.matrix)
    about: dict[str, Any] = {
        "method": "muse",
        "dim": src.dim,
        "criterion": round(max(refined.criterion), 6),
        "seed": settings.seed,
        "epochs": len(trained.accuracy),
        "criterion_by_epoch": trained.criterion,
        "discriminator_accuracy": trained.accuracy,
        "diverged": trained.diverged,
        "criterion_by_round": [round(value, 6) for value in refined.criterion],
        "round": refined.round,
        "pairs_by_round": refined.pairs_by_round,
        **confidence(spaces, src.words, trg.words, settings.seed),
    }
    return LinearMapping(refined.weight, np.eye(src.dim, dtype=np.float32), settings.steps, about)


def train(src: Floats2d, trg: Floats2d, settings: MuseSettings, device: str = "cpu") -> Trained:
    """Play the game on normalised spaces, (n_src, dim) and (n_trg, dim), most frequent words first."""
    from xlembed.alignment.adversarial import Game

    n = settings.most_frequent
    game = Game(src[:n], trg[:n], _start(src.shape[1], settings), settings.rules(), settings.seed, device)
    with _threads_for(settings.hidden):
        return _play_epochs(game, src, trg, settings)


@contextmanager
def _threads_for(hidden: int) -> Iterator[None]:
    """One thread for small networks, whose products are over before a second one has begun, above all where other
    programs run; it also makes the result independent of the number of threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1 if hidden <= _SMALL else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _play_epochs(game: Game, src: Floats2d, trg: Floats2d, settings: MuseSettings) -> Trained:
    n_iterations = max(1, settings.epoch_size // settings.batch_size)
    rates = Rates(settings.dis_rate, settings.map_rate)
    best, values, accuracies, diverged = game.weight.cpu().numpy().copy(), [], [], False
    rates.best = _criterion(src, trg, best, settings)
    values.append(rates.best)
    with progress("adversarial training", settings.epochs * n_iterations) as advance:
        for epoch in range(1, settings.epochs + 1):
            if rates.map < settings.min_rate:
                break
            note = f"(epoch {epoch}, criterion {values[-1]:.4f})"
            game.play(n_iterations, rates.dis, rates.map, partial(advance, note=note))
            weight = game.weight.cpu().numpy().copy()
            if not np.isfinite(weight).all():  # learning rates too great for these vectors
                diverged = True
                break
            values.append(_criterion(src, trg, weight, settings))
            accuracies.append(round(game.accuracy(), 4))
            if values[-1] > rates.best:
                best = weight
            rates.after_epoch(values[-1], settings.decay, settings.shrink)
    return Trained(best, values, accuracies, diverged)


def _criterion(src: Floats2d, trg: Floats2d, weight: Floats2d, settings: MuseSettings) -> float:
    return round(mean_cosine(src, trg, weight, settings.criterion_words, settings.criterion_words), 6)


def _start(dim: int, settings: MuseSettings) -> Floats2d:
    """An orthogonal map: the identity, or a random rotation by the seed."""
    if settings.start == "identity":
        return np.eye(dim, dtype=np.float32)
    return rotation(np.random.default_rng(settings.seed).normal(size=(dim, dim)), np.eye(dim))
