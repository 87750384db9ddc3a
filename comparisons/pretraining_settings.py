"""Settings of pre-training, apart from it so that the command line does not load torch."""

from __future__ import annotations

from dataclasses import dataclass

from xlembed.errors import InputError

CHOICES = {
    "layout": ("packed", "sentences"),
    "positions": ("auto", "restart", "continue"),
    "frozen": ("embeddings", "none"),
    "precision": ("auto", "float32", "bfloat16"),
}


@dataclass(frozen=True)
class PretrainSettings:
    """Optimisation: AdamW, linear warm-up and decay, gradient norm clipped to 1. Data: how texts become inputs."""

    steps: int = 1000  # updates
    batch_size: int = 16  # inputs that go through the encoder at once
    accumulate: int = 1  # such batches an update
    lr: float = 5e-5
    warmup: float = 0.1  # share of the updates
    weight_decay: float = 0.01
    block: int = 128  # subwords of an input, special tokens among them
    layout: str = "packed"  # texts one after the other, cut into blocks; or each text alone
    share: float = 0.15  # of the subwords is predicted
    alpha: float = 0.7  # languages are drawn with p ~ n ** alpha
    positions: str = "auto"  # of the second text of a pair: restart from the first, or continue
    frozen: str = "embeddings"  # word embeddings, or "none"
    precision: str = "auto"  # bfloat16 where it is faster on this machine
    device: str = "auto"
    every: int = 500  # updates between two checkpoints
    seed: int = 1

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise InputError(f"{name} = {getattr(self, name)!r}: choose {', '.join(choices)}")
        for name in ("steps", "batch_size", "accumulate", "every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)}: must be at least 1")
        if self.block < 8:
            raise InputError(f"block = {self.block}: must be at least 8")
        if self.seed < 0:
            raise InputError(f"seed = {self.seed}: must not be negative")
        if not self.lr > 0 or not 0 <= self.warmup < 1:
            raise InputError("lr must be above 0, and warmup a share of the updates, from 0 to below 1")
        if not 0 < self.share < 1 or not 0 <= self.alpha <= 1:
            raise InputError("share must be between 0 and 1, and alpha from 0 (all languages alike) to 1 (by size)")
