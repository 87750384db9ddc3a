"""What fine-tuning needs of the machine's memory, told before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from comparisons.layers import hidden_size
from comparisons.probe_head import ProbedEncoder
from xlembed.needs import free_memory
from xlembed.progress import say

if TYPE_CHECKING:
    from comparisons.finetune import FinetunedEncoder


def needed_memory(tuned: FinetunedEncoder) -> int:
    """Bytes of fine-tuning beside the weights, about: gradients, AdamW's moments, best weights, and activations.

    A layer keeps some 34 numbers a hidden unit and token for the way back, and 5 a head and pair of tokens (Korthikanti
    et al. 2023, section 4, there in bytes of 16-bit numbers); a longest batch is reckoned with.
    """
    if isinstance(tuned.model, ProbedEncoder):
        return 16 * tuned.n_trained
    config, settings = tuned.model.config, tuned.settings
    hidden = hidden_size(config)
    layers = int(getattr(config, "num_hidden_layers", None) or config.n_layers)
    heads = int(getattr(config, "num_attention_heads", None) or config.n_heads)
    length = tuned.inputs.max_length
    activations = layers * settings.batch_size * length * (34 * hidden + 5 * heads * length) * 2
    return 16 * tuned.n_trained + activations


def warn_of_memory(tuned: FinetunedEncoder) -> None:
    """Say so before training starts where memory may not be enough."""
    free, needed = free_memory(), needed_memory(tuned)
    if tuned.device.type == "cuda":
        free = torch.cuda.mem_get_info(tuned.device)[0]
    if free is not None and needed > free:
        say(f"fine-tuning {tuned.encoder.name} may need {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free: "
            "lower batch_size (and raise accumulate) or max_length, or take method = lora")
