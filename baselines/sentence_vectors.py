"""Sentences as weighted means of frozen word vectors, and the hidden layer that reads them.

Shapes in comments: b sentences, n words, d the dim of the vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from baselines.pair_words import WordTable
from baselines.settings import TrainSettings
from baselines.training import two_layers

SMOOTHING = 1e-3  # a of SIF
_LEAST_DEVIATION = 1e-3  # an input that never changes in training stays about 0


def word_weights(table: WordTable, weighting: str) -> Tensor:
    """Weights of words in a mean, (n_words + 1,), 0 for those without a vector.

    mean: 1. sif: a / (a + p(w)) (Arora et al. 2017, ICLR, equation 3). idf: -log p(w).
    """
    known = table.known.float()
    if weighting == "sif":
        return known * SMOOTHING / (SMOOTHING + table.probability)
    return known * -table.probability.log() if weighting == "idf" else known


def weighted_means(table: WordTable, weights: Tensor, ids: Tensor) -> Tensor:
    """sum_i weight_i x_i / n over the words with a vector, (b, n) -> (b, d); zeros where there are none."""
    n_known = table.known[ids].sum(dim=1, keepdim=True).clamp(min=1)
    return weighted_sums(table, weights[ids], ids) / n_known


def weighted_sums(table: WordTable, weights: Tensor, ids: Tensor) -> Tensor:
    """sum_i weight_i x_i, weights and numbers of words (b, n) -> (b, d)."""
    return (weights[:, None, :] @ table.vectors[ids])[:, 0]


def common_component(means: Tensor) -> Tensor:
    """First right singular vector of sentence vectors, (n_sentences, d) -> (d,): the c that SIF takes out of them."""
    means = means.double()
    first: Tensor = torch.linalg.eigh(means.T @ means)[1][:, -1].float()
    return first


def without(component: Tensor, means: Tensor) -> Tensor:
    """u - c c' u for each row u."""
    return means - (means @ component)[:, None] * component


class StandardizedLayers(nn.Module):
    """A hidden layer over inputs that are made to have mean 0 and deviation 1 on the training data.

    `component` is kept with it, since it belongs to the inputs: zeros where the weighting takes nothing out.
    """

    component: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, n_inputs: int, n_classes: int, dim: int, settings: TrainSettings, seed: int = 0) -> None:
        super().__init__()
        self.register_buffer("component", torch.zeros(dim))
        self.register_buffer("mean", torch.zeros(n_inputs))
        self.register_buffer("deviation", torch.ones(n_inputs))
        self.layers = two_layers(n_inputs, n_classes, settings, seed)

    def measure(self, inputs: Tensor) -> None:
        """Take mean and deviation from the training data, in place."""
        self.mean.copy_(inputs.mean(dim=0))
        self.deviation.copy_(inputs.std(dim=0, correction=0).clamp(min=_LEAST_DEVIATION))

    def forward(self, inputs: Tensor) -> Tensor:
        """(b, n_inputs) -> (b, n_classes)."""
        logits: Tensor = self.layers((inputs - self.mean) / self.deviation)
        return logits
