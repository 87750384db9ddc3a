"""Settings of fine-tuning, apart from it so that reading an experiment does not load torch."""

from __future__ import annotations

from dataclasses import dataclass

from xlembed.errors import InputError

CHOICES = {
    "method": ("full", "lora", "adapter", "probe"),
    "frozen": ("embeddings", "none"),
    "precision": ("auto", "float32", "bfloat16", "float16"),
}


@dataclass(frozen=True)
class FinetuneSettings:
    """Optimisation: AdamW, linear warm-up and decay, gradient norm clipped to 1.

    method: full trains the encoder itself, lora low-rank updates of its attention (Hu et al. 2022), adapter bottlenecks
    after its layers (Houlsby et al. 2019, Pfeiffer et al. 2021), probe a linear layer on its last hidden states.
    """

    epochs: int = 3
    batch_size: int = 32  # examples that go through the encoder at once
    accumulate: int = 1  # such batches an update
    lr: float = 5e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    max_length: int = 128
    patience: int = 0  # stop after so many epochs without a better dev score; 0: never
    method: str = "full"
    frozen: str = "embeddings"  # word embeddings, or "none"
    frozen_layers: int = 0  # the lower so many layers, and all embeddings, stay as they are
    rank: int = 8  # of LoRA
    reduction: int = 16  # hidden size over the size of an adapter
    precision: str = "auto"  # bfloat16 where it is faster on this machine
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise InputError(f"{name} = {getattr(self, name)!r}: choose {', '.join(choices)}")
        for name in ("epochs", "batch_size", "accumulate", "rank", "reduction"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)}: must be at least 1")
        for name in ("patience", "frozen_layers"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} = {getattr(self, name)}: must not be negative")
        if self.max_length < 8:
            raise InputError(f"max_length = {self.max_length}: must be at least 8")
        if not self.lr > 0 or not 0 <= self.warmup < 1:
            raise InputError("lr must be above 0, and warmup a share of the updates, from 0 to below 1")
