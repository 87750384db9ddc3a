"""The head over masked positions alone: of a quarter of a million subwords, logits are the dearest part of an update.

Of all architectures behind transformers' AutoModelForMaskedLM the encoder is run first, then the rows at masked
positions, some 15 %, go through the head.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from comparisons.inputs import IGNORED
from xlembed.errors import InputError

Head = Callable[[torch.Tensor], torch.Tensor]


def head_of(model: Any) -> Head:
    """From a model's hidden states (n, hidden) to logits (n, vocabulary). Raises InputError for an unknown
    architecture; where the head is depends on it, so `model` has no closer type."""
    if hasattr(model, "lm_predictions"):  # DeBERTa-v3 takes the word embeddings as an argument
        return lambda hidden: model.lm_predictions(hidden, model.get_input_embeddings())
    if hasattr(model, "pred_layer") and not model.pred_layer.asm:  # XLM; not with an adaptive softmax
        projection: Head = model.pred_layer.proj
        return projection
    if hasattr(model, "vocab_projector"):  # DistilBERT
        return lambda hidden: model.vocab_projector(
            model.vocab_layer_norm(model.activation(model.vocab_transform(hidden))))  # fmt: skip
    for name in ("cls", "lm_head"):  # BERT, DeBERTa-v2; RoBERTa, XLM-R, X-MOD
        if hasattr(model, name):
            head: Head = getattr(model, name)
            return head
    raise InputError(f"{type(model).__name__}: its head for masked words is not known")


def masked_loss(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Sum of -log p over the subwords to predict, a number in float32."""
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    is_predicted = batch["labels"] != IGNORED  # (batch, length)
    hidden = model.base_model(**inputs)[0][is_predicted]  # (n_predicted, hidden)
    return cross_entropy(head_of(model)(hidden).float(), batch["labels"][is_predicted], reduction="sum")
