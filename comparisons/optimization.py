"""What all training of encoders has in common: which parameters decay, and how the rate rises and falls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn


def decay_groups(parameters: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Decay matrices, not biases and LayerNorm weights."""
    parameters = list(parameters)
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def rate(step: int, n_steps: int, warmup: float) -> float:
    """Share of the learning rate at an update: linear from 0 up over the share `warmup`, then linear down to 0."""
    n_warm = max(1, int(n_steps * warmup))
    return min((step + 1) / n_warm, max(0.0, (n_steps - step) / max(1, n_steps - n_warm)))
