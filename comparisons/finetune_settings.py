"""Settings of fine-tuning, apart from it so that reading an experiment does not load torch."""

from __future__ import annotations

from dataclasses import dataclass

from xlembed.errors import InputError


@dataclass(frozen=True)
class FinetuneSettings:
    """Optimisation: AdamW, linear warm-up and decay, gradient norm clipped to 1."""

    epochs: int = 3
    batch_size: int = 32
    lr: float = 5e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    max_length: int = 128
    frozen: str = "embeddings"  # or "none"
    precision: str = "auto"  # "float32", "bfloat16"; auto: bfloat16 where the processor has it
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.frozen not in ("embeddings", "none"):
            raise InputError(f"frozen = {self.frozen!r}: choose embeddings or none")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise InputError(f"precision = {self.precision!r}: choose auto, float32 or bfloat16")
        if self.epochs < 1 or self.batch_size < 1 or self.max_length < 8:
            raise InputError("epochs and batch_size must be at least 1, max_length at least 8")
