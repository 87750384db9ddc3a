"""Small transformers with random weights, as folders of encoders: BERT, or X-MOD where languages have modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertForMaskedLM, PreTrainedModel, XmodConfig, XmodForMaskedLM

from comparisons.encoders import FoundEncoder
from comparisons.pretraining import save_encoder
from xlembed.errors import InputError

INITIAL = 0.55  # first weights' deviation times the root of the hidden size: BERT's 0.02 at 768, more where smaller


@dataclass(frozen=True)
class Shape:
    """Sizes of a transformer; `modules` names languages that have an adapter in each layer (Pfeiffer et al. 2022)."""

    layers: int = 2
    hidden: int = 128
    heads: int = 2
    inner: int = 512  # of the feed-forward network
    modules: tuple[str, ...] = ()

    @property
    def n_layer_parameters(self) -> int:
        """Entries of the matrices of all layers: 4 h^2 of attention and 2 h f of the feed-forward network in each."""
        return self.layers * (4 * self.hidden**2 + 2 * self.hidden * self.inner)

    def at_depth(self, layers: int) -> Shape:
        """Another number of layers with about as many parameters: the feed-forward network is wider or narrower."""
        of_inner = self.n_layer_parameters / layers - 4 * self.hidden**2
        inner = round(of_inner / (2 * self.hidden))
        if inner < self.hidden // 4:
            raise InputError(f"depth {layers} leaves a feed-forward network of {inner} at constant parameters: "
                             f"take fewer layers, or a wider one than {self.inner} at depth {self.layers}")
        return replace(self, layers=layers, inner=inner)

    def widened(self, factor: float) -> Shape:
        """Hidden size, feed-forward network and heads times a factor, heads of the same size."""
        heads = max(1, round(self.heads * factor))
        hidden = heads * (self.hidden // self.heads)
        return replace(self, hidden=hidden, heads=heads, inner=round(self.inner * hidden / self.hidden))


def make_encoder(shape: Shape, tokenizer: Any, positions: int, seed: int, folder: Path, name: str) -> FoundEncoder:
    """Write an encoder with weights drawn from a seed, under a head for masked words; one that is there is kept."""
    if not (folder / "config.json").exists():
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = _model(shape, len(tokenizer), positions)
        save_encoder(model, tokenizer, folder)
    return FoundEncoder(name, folder, "made here, random weights")


def _model(shape: Shape, n_vocabulary: int, positions: int) -> PreTrainedModel:
    sizes = dict(
        vocab_size=n_vocabulary, hidden_size=shape.hidden, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, intermediate_size=shape.inner, pad_token_id=0,
        max_position_embeddings=positions + 2, initializer_range=INITIAL * shape.hidden**-0.5,
    )  # fmt: skip
    if not shape.modules:
        return BertForMaskedLM(BertConfig(**sizes))
    config = XmodConfig(**sizes, bos_token_id=2, eos_token_id=3, type_vocab_size=1, languages=list(shape.modules),
                        adapter_reduction_factor=2)  # fmt: skip
    return XmodForMaskedLM(config)


def n_parameters(folder: Path) -> int:
    """Numbers in an encoder's weights, as stored."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", framework="np") as file:
        return sum(_product(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118


def _product(sizes: Sequence[int]) -> int:
    out = 1
    for size in sizes:
        out *= size
    return out
