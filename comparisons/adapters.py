"""Small trained parts in a frozen encoder: bottleneck adapters, stacked by name, and LoRA.

An adapter after a layer is h + U relu(D h), D (bottleneck, hidden) and U (hidden, bottleneck), U zero at first so that
training begins at the encoder itself (Houlsby et al. 2019, figure 2; one a layer is enough, Pfeiffer et al. 2021).
MAD-X (Pfeiffer et al. 2020, section 3) stacks a language's adapter, trained by masked words of that language, below a
task's, and changes the language's for zero-shot transfer; its invertible adapters at the embeddings are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel

from comparisons.layers import attention_names, head_parameters, hidden_size, layers_of, outputs_of_layers
from xlembed.errors import InputError, require
from xlembed.files import replacing


class Bottleneck(nn.Module):
    """h + U relu(D h), for h (..., hidden)."""

    def __init__(self, hidden: int, size: int):
        super().__init__()
        self.down = nn.Linear(hidden, size)
        self.up = nn.Linear(size, hidden)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        after: torch.Tensor = hidden + self.up(torch.relu(self.down(hidden)))
        return after


class Adapters(nn.Module):
    """Stacks of adapters by name, those in `active` applied after every layer in that order."""

    def __init__(self, n_layers: int, hidden: int):
        super().__init__()
        self.n_layers, self.hidden = n_layers, hidden
        self.stacks = nn.ModuleDict()
        self.active: list[str] = []

    def add(self, name: str, size: int) -> nn.ModuleList:
        """A new stack, one adapter a layer."""
        stack = nn.ModuleList(Bottleneck(self.hidden, size) for _ in range(self.n_layers))
        self.stacks[name] = stack
        return stack

    def shapes(self, size: int) -> dict[str, tuple[int, ...]]:
        """Of all tensors of a stack, by their names in its file."""
        one = {"down.weight": (size, self.hidden), "down.bias": (size,), "up.weight": (self.hidden, size),
               "up.bias": (self.hidden,)}  # fmt: skip
        return {f"{layer}.{key}": shape for layer in range(self.n_layers) for key, shape in one.items()}

    def after(self, layer: int, hidden: torch.Tensor) -> torch.Tensor:
        for name in self.active:
            hidden = cast(nn.ModuleList, self.stacks[name])[layer](hidden)
        return hidden


def with_adapters(model: PreTrainedModel) -> Adapters:
    """The adapters of a model, put into it at the first call; none are there or active yet."""
    if not hasattr(model, "adapters_of_layers"):
        places = outputs_of_layers(model)
        model.adapters_of_layers = Adapters(len(places), hidden_size(model.config))
        for layer, module in enumerate(places):
            module.register_forward_hook(_hook(model.adapters_of_layers, layer))
    return cast(Adapters, model.adapters_of_layers)


def _hook(adapters: Adapters, layer: int) -> Callable[..., Any]:
    def after(module: nn.Module, args: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (adapters.after(layer, output[0]), *output[1:])
        return adapters.after(layer, output)

    return after


# ---- what trains


def choose_trained(model: PreTrainedModel, method: str, frozen: str, n_frozen: int, rank: int, reduction: int) -> None:
    """Set which parameters train: `requires_grad` of all of them, and the parts that a method adds."""
    if method in ("lora", "adapter"):
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        if method == "lora":
            add_lora(model, rank)
        elif method == "adapter":
            adapters = with_adapters(model)
            adapters.add("task", max(1, adapters.hidden // reduction))
            adapters.active.append("task")
        for parameter in head_parameters(model):
            parameter.requires_grad_(True)
        return
    if frozen == "embeddings":
        model.get_input_embeddings().weight.requires_grad_(False)
        if model.config.model_type == "xmod":  # as Pfeiffer et al. 2022 fine-tune it
            cast(Any, model).freeze_embeddings_and_language_adapters()
    if n_frozen:
        _freeze_lower(model, n_frozen)


def _freeze_lower(model: PreTrainedModel, n: int) -> None:
    """Everything below layer n stays as it is."""
    layers = layers_of(model)
    if n > len(layers):
        raise InputError(f"frozen_layers = {n}: this encoder has {len(layers)} layers")
    above = {id(p) for modules in layers[n:] for module in modules for p in module.parameters()}
    above |= {id(p) for p in head_parameters(model)}
    for parameter in model.parameters():
        if id(parameter) not in above:
            parameter.requires_grad_(False)


def add_lora(model: PreTrainedModel, rank: int) -> None:
    """Low-rank updates W + 2 B A of queries and values, by peft (Hu et al. 2022, equation 3)."""
    peft = require("peft", "contextual")
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=attention_names(model), lora_dropout=0.0)
    peft.inject_adapter_in_model(config, model)


# ---- language adapters on disk


def save_stack(model: PreTrainedModel, name: str, path: Path, about: dict[str, str]) -> None:
    """Write one stack of adapters; `about` is told in the file (strings)."""
    tensors = {key: value.detach().contiguous().cpu() for key, value in
               with_adapters(model).stacks[name].state_dict().items()}  # fmt: skip
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata=about)


def load_stack(model: PreTrainedModel, name: str, path: Path) -> None:
    """Read a stack that `save_stack` wrote, under a name; it stays frozen. Raises InputError where it does not fit:
    then the model is as it was.
    """
    adapters = with_adapters(model)
    try:
        tensors = load_file(path)
        size = tensors["0.down.weight"].shape[0]
        if {key: tuple(tensor.shape) for key, tensor in tensors.items()} != adapters.shapes(size):
            raise ValueError(f"it has not {adapters.n_layers} layers of {adapters.hidden} numbers")
        if not all(tensor.is_floating_point() and bool(tensor.isfinite().all()) for tensor in tensors.values()):
            raise ValueError("its weights are not finite numbers")
    except Exception as err:  # safetensors raises its own family
        raise InputError(f"{path}: no adapter for this encoder ({' '.join(str(err).split())[:120]})") from None
    stack = adapters.add(name, size)
    stack.load_state_dict(tensors)
    stack.to(model.device)
    for parameter in stack.parameters():
        parameter.requires_grad_(False)
