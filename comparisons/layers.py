"""Where things are inside an encoder, whatever its architecture: its layers, its head, its attention's products."""

from __future__ import annotations

from typing import Any, cast

from torch import nn
from transformers import PreTrainedModel

from xlembed.errors import InputError

_QUERY_AND_VALUE = (("query", "value"), ("q_lin", "v_lin"), ("query_proj", "value_proj"), ("q_proj", "v_proj"))


def layers_of(model: PreTrainedModel) -> list[list[nn.Module]]:
    """The modules of each layer, the lowest first."""
    base = model.base_model
    if hasattr(base, "layer_norm2") and hasattr(base, "ffns"):  # XLM keeps a list for each kind of module
        parts = [cast(nn.ModuleList, kind) for kind in (base.attentions, base.layer_norm1, base.ffns, base.layer_norm2)]
        return [list(modules) for modules in zip(*parts, strict=True)]
    return [[layer] for layer in _stack(base)]


def outputs_of_layers(model: PreTrainedModel) -> list[nn.Module]:
    """For each layer the module whose output is the layer's: (batch, length, hidden), or the first of a tuple."""
    return [modules[-1] for modules in layers_of(model)]


def _stack(base: nn.Module) -> nn.ModuleList:
    for path in ("encoder.layer", "transformer.layer", "encoder.layers", "layers"):
        found: object = base
        for name in path.split("."):
            found = getattr(found, name, None)
        if isinstance(found, nn.ModuleList):
            return found
    raise InputError(f"{type(base).__name__}: its layers are not found, so none can be frozen or given an adapter")


def hidden_size(config: Any) -> int:
    """Numbers of a hidden state, by the name that its architecture has for them."""
    return int(getattr(config, "hidden_size", None) or config.emb_dim)


def head_parameters(model: PreTrainedModel) -> list[nn.Parameter]:
    """Parameters above the layers: the task's own head, and the pooler that leads to it."""
    below = {id(p) for name, p in model.base_model.named_parameters() if not name.startswith("pooler")}
    return [p for p in model.parameters() if id(p) not in below]


def attention_names(model: PreTrainedModel) -> list[str]:
    """Names of the products that make queries and values."""
    ends = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    for names in _QUERY_AND_VALUE:
        if ends.issuperset(names):
            return list(names)
    raise InputError(f"{type(model).__name__}: its queries and values are not found, so LoRA does not fit")
