"""Settings of the static systems, apart from them so that reading an experiment does not load torch."""

from __future__ import annotations

from dataclasses import dataclass

from xlembed.errors import InputError


@dataclass(frozen=True)
class TrainSettings:
    """Settings that every static system shares."""

    hidden: int = 256
    dropout: float = 0.3
    lr: float = 1e-3
    weight_decay: float = 1e-4
    batch_size: int = 256
    max_epochs: int = 20
    patience: int = 3

    def __post_init__(self) -> None:
        if min(self.hidden, self.batch_size, self.max_epochs, self.patience) < 1:
            raise InputError("hidden, batch_size, max_epochs and patience must be at least 1")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout = {self.dropout}, it must be at least 0 and below 1")
