"""Linear-chain conditional random fields: exact likelihood, gradient, and decoding under IOB2.

Lafferty, McCallum & Pereira 2001 (ICML); Lample et al. 2016 (NAACL) for the neural one. With emissions e and
transitions A, score(y) = A[start, y_1] + sum_i e[i, y_i] + sum_i A[y_i-1, y_i] + A[end, y_n], and
log p(y) = score(y) - log sum_y' exp score(y'). The gradient of log p by e is [y_i = t] - p(y_i = t), by A the same for
pairs of neighbouring tags; both come from one pass of forward-backward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from baselines.crf_kernels import best_paths, forward_backward
from xlembed.tuning import in_threads, n_cores
from xlembed.types import Floats2d, Ints1d

IMPOSSIBLE = -1e4
_BLOCK = 512  # sentences of one thread; sums go over blocks in their order, whatever the number of threads


@dataclass(frozen=True)
class Likelihood:
    """Negative log-likelihood of all sentences together, and its gradients."""

    loss: float
    by_emissions: Floats2d  # (n_words, n_labels)
    by_transitions: Floats2d  # (n_labels + 2, n_labels)


def offsets_of(lengths: Sequence[int]) -> Ints1d:
    """Where each sentence begins, and the end of the last: (n_sentences + 1,)."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def negative_log_likelihood(emissions: Floats2d, offsets: Ints1d, transitions: Floats2d, tags: Ints1d) -> Likelihood:
    """-sum log p(tags): emissions (n_words, n_labels), tags (n_words,), transitions (n_labels + 2, n_labels)."""
    emissions = np.ascontiguousarray(emissions, dtype=np.float64)
    transitions = np.ascontiguousarray(transitions, dtype=np.float64)
    n_labels = emissions.shape[1]
    log_z, marginals = np.empty(len(offsets) - 1), np.empty_like(emissions)
    blocks = _blocks(len(log_z))
    pair_sums = np.zeros((len(blocks), n_labels + 2, n_labels))

    def fill(block: int) -> None:
        sentences = blocks[block]
        forward_backward(emissions, offsets[sentences.start : sentences.stop + 1], transitions,
                         log_z[sentences.start : sentences.stop], marginals, pair_sums[block])  # fmt: skip

    in_threads(fill, range(len(blocks)), n_cores())
    gold = gold_counts(offsets, tags, n_labels)
    rows = np.arange(len(tags))
    score = emissions[rows, tags].sum() + (gold * transitions).sum()
    marginals[rows, tags] -= 1
    return Likelihood(float(log_z.sum() - score), marginals, pair_sums.sum(axis=0) - gold)


def _blocks(n_sentences: int) -> list[range]:
    return [range(i, min(i + _BLOCK, n_sentences)) for i in range(0, n_sentences, _BLOCK)]


def gold_counts(offsets: Ints1d, tags: Ints1d, n_labels: int) -> Floats2d:
    """How often each transition, start and end occurs in the tags: (n_labels + 2, n_labels)."""
    counts = np.zeros((n_labels + 2, n_labels))
    starts, ends = offsets[:-1], offsets[1:]
    filled = ends > starts
    inside = np.ones(len(tags), dtype=bool)
    inside[starts[filled]] = False
    np.add.at(counts, (tags[:-1][inside[1:]], tags[1:][inside[1:]]), 1)
    np.add.at(counts[n_labels], tags[starts[filled]], 1)
    np.add.at(counts[n_labels + 1], tags[ends[filled] - 1], 1)
    return counts


def viterbi(emissions: Floats2d, offsets: Ints1d, transitions: Floats2d) -> Ints1d:
    """The best path of each sentence, (n_words,); of equal paths that with lower tags, from the end."""
    tags = np.zeros(len(emissions), dtype=np.int64)
    emissions = np.ascontiguousarray(emissions, dtype=np.float64)
    transitions = np.ascontiguousarray(transitions, dtype=np.float64)
    blocks = _blocks(len(offsets) - 1)

    def fill(block: int) -> None:
        sentences = blocks[block]
        best_paths(emissions, offsets[sentences.start : sentences.stop + 1], transitions, tags)

    in_threads(fill, range(len(blocks)), n_cores())
    return tags


def constrained(transitions: Floats2d, labels: Sequence[str]) -> Floats2d:
    """The same transitions, with those that IOB2 forbids made impossible: I-X follows B-X or I-X alone.

    Labels of another scheme (parts of speech) forbid nothing.
    """
    allowed = np.array(transitions, dtype=np.float64)
    for i, before in enumerate([*labels, "O"]):  # the start's row is the last
        for j, after in enumerate(labels):
            if after.startswith("I-") and before[2:] != after[2:]:
                allowed[i, j] = IMPOSSIBLE
    return allowed


class NegativeLogLikelihood(torch.autograd.Function):
    """`negative_log_likelihood` for torch, divided by the number of sentences."""

    @staticmethod
    def forward(
        ctx: Any, emissions: torch.Tensor, transitions: torch.Tensor, offsets: Ints1d, tags: Ints1d
    ) -> torch.Tensor:
        found = negative_log_likelihood(emissions.detach().numpy(), offsets, transitions.detach().numpy(), tags)
        n = max(len(offsets) - 1, 1)
        ctx.save_for_backward(*(torch.from_numpy(gradient / n).to(emissions.dtype)
                                for gradient in (found.by_emissions, found.by_transitions)))  # fmt: skip
        return emissions.new_tensor(found.loss / n)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None]:
        by_emissions, by_transitions = ctx.saved_tensors
        return grad * by_emissions, grad * by_transitions, None, None
