"""A linear layer on the last hidden states of an encoder that stays as it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from comparisons.layers import hidden_size


class ProbedEncoder(nn.Module):
    """The encoder and a linear head, on each subword's hidden state or on their mean over the text."""

    def __init__(self, base: PreTrainedModel, n_labels: int, is_tagging: bool):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.is_tagging = is_tagging
        self.head = nn.Linear(hidden_size(base.config), n_labels)

    @property
    def config(self) -> Any:
        return self.base.config

    @property
    def device(self) -> torch.device:
        return self.head.weight.device

    def train(self, mode: bool = True) -> ProbedEncoder:
        super().train(mode)
        self.base.eval()  # no dropout in what does not train
        return self

    def features(self, **batch: torch.Tensor) -> torch.Tensor:
        """(batch, length, hidden) for tagging, else (batch, hidden)."""
        hidden: torch.Tensor = self.base(**batch).last_hidden_state
        if self.is_tagging:
            return hidden
        mask = batch["attention_mask"][..., None].to(hidden.dtype)
        mean: torch.Tensor = (hidden * mask).sum(1) / mask.sum(1)
        return mean

    def forward(self, **batch: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.head(self.features(**batch)))
