"""The adversarial game of Conneau et al. 2018 ("Word Translation Without Parallel Data"), section 2.1, by hand.

A discriminator is trained to tell mapped source words from target words; the map W is trained so that it cannot. The
gradients are written out: weights change in place by one product each, W <- W - rate X^T G, so that no gradient is ever
stored; a discriminator step stops at the first layer's weights, and a mapping step leaves the discriminator's weights
alone and runs the source words only, since the loss of target words does not depend on W. Shapes in comments:
n rows of a batch, d = dim, h = hidden.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xlembed.types import Floats2d

SLOPE = 0.2  # of the leaky ReLU below 0
_ITERATIONS_DRAWN = 32  # as many outer iterations' words and dropout masks are drawn at a time


@dataclass(frozen=True)
class Rules:
    """The paper's numbers; `batch_size` words of each side make a batch.

    Orthogonalising costs two products of d x d matrices, more than a step of a small discriminator; once in
    k steps with k beta does the same to first order in beta.
    """

    hidden: int = 2048
    batch_size: int = 32
    dis_steps: int = 5
    dis_lambda: float = 1.0
    dropout: float = 0.1
    smoothing: float = 0.1
    beta: float = 0.001
    orthogonalise_every: int = 1  # steps of the map


@dataclass(frozen=True)
class Draw:
    """The words and masks of many outer iterations (n_iterations first)."""

    dis_src: Tensor  # (n_iterations, dis_steps * batch)
    dis_trg: Tensor  # (n_iterations, dis_steps * batch)
    keep: Tensor  # (n_iterations, dis_steps, 2 * batch, d) bool: inputs that dropout leaves
    map_src: Tensor  # (n_iterations, batch)


class Discriminator:
    """P(source | x) = sigmoid(leaky(leaky(x w1 + b1) w2 + b2) w3 + b3), with room for one batch."""

    def __init__(self, dim: int, hidden: int, rows: int, rng: np.random.Generator, device: torch.device) -> None:
        self.w1, self.b1 = _layer(rng, dim, hidden, device)
        self.w2, self.b2 = _layer(rng, hidden, hidden, device)
        w3, self.b3 = _layer(rng, hidden, 1, device)
        self.w3 = w3[:, 0].contiguous()
        self._h1, self._h2, self._g1, self._g2 = torch.empty(4, rows, hidden, device=device)

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        """Logits (n,) of scale * x, (n, d); the hidden layers stay in their room for `backward`."""
        h1, h2 = self._h1[: len(x)], self._h2[: len(x)]
        torch.addmm(self.b1, x, self.w1, alpha=scale, out=h1)  # (n, h)
        torch.nn.functional.leaky_relu_(h1, SLOPE)
        torch.addmm(self.b2, h1, self.w2, out=h2)  # (n, h)
        torch.nn.functional.leaky_relu_(h2, SLOPE)
        return torch.mv(h2, self.w3).add_(self.b3)

    def logits(self, x: Tensor) -> Tensor:
        """Logits (n,) of x, (n, d), for any n and without a trace for `backward`."""
        h1 = torch.nn.functional.leaky_relu_(torch.addmm(self.b1, x, self.w1), SLOPE)
        h2 = torch.nn.functional.leaky_relu_(torch.addmm(self.b2, h1, self.w2), SLOPE)
        return torch.mv(h2, self.w3) + self.b3

    def backward(self, error: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of both layers' sums, (n, h) each, from that of the logits, (n,)."""
        n = len(error)
        g1, g2 = self._g1[:n], self._g2[:n]
        torch.outer(error, self.w3, out=g2)
        _through_leaky(g2, self._h2[:n])
        torch.mm(g2, self.w2.T, out=g1)
        _through_leaky(g1, self._h1[:n])
        return g1, g2

    def descend(self, x: Tensor, error: Tensor, rate: float, scale: float = 1.0) -> None:
        """One step of gradient descent after `forward(x, scale)`, error (n,) being the gradient of the logits."""
        g1, g2 = self.backward(error)
        h1, h2 = self._h1[: len(x)], self._h2[: len(x)]
        self.w1.addmm_(x.T, g1, alpha=-rate * scale)
        self.w2.addmm_(h1.T, g2, alpha=-rate)
        self.w3.addmv_(h2.T, error, alpha=-rate)
        self.b1.sub_(g1.sum(0), alpha=rate)
        self.b2.sub_(g2.sum(0), alpha=rate)
        self.b3.sub_(error.sum(), alpha=rate)

    def input_gradient(self, error: Tensor) -> Tensor:
        """Gradient of x, (n, d), after `forward(x)`."""
        g1, _ = self.backward(error)
        return torch.mm(g1, self.w1.T)


class Game:
    """The map against the discriminator; src (n_src, d) and trg (n_trg, d) are the words that are sampled."""

    def __init__(
        self, src: Floats2d, trg: Floats2d, weight: Floats2d, rules: Rules, seed: int, device: str | torch.device
    ) -> None:
        self.rules, self.rng, self.device = rules, np.random.default_rng(seed), torch.device(device)
        self.src, self.trg, self.weight = (
            torch.tensor(np.ascontiguousarray(part, dtype=np.float32), device=self.device)
            for part in (src, trg, weight)
        )
        b, dim = rules.batch_size, src.shape[1]
        self.discriminator = Discriminator(dim, rules.hidden, 2 * b, self.rng, self.device)
        self._inputs = torch.empty(rules.dis_steps, 2 * b, dim, device=self.device)
        is_source = torch.arange(2 * b, device=self.device) < b
        self.steps_done = 0
        self._labels = torch.where(is_source, 1 - rules.smoothing, rules.smoothing)

    def play(
        self, n_iterations: int, dis_rate: float, map_rate: float, advance: Callable[[int], None] = lambda n: None
    ) -> None:
        """So many outer iterations: `dis_steps` steps of the discriminator and one of the map each."""
        with torch.inference_mode():
            for start in range(0, n_iterations, _ITERATIONS_DRAWN):
                draw = self.draw(min(_ITERATIONS_DRAWN, n_iterations - start))
                for i in range(len(draw.map_src)):
                    for x in self.inputs(draw.dis_src[i], draw.dis_trg[i], draw.keep[i]):
                        self.discriminator_step(x, dis_rate)
                    self.mapping_step(draw.map_src[i], map_rate)
                    self.steps_done += 1
                    if self.steps_done % self.rules.orthogonalise_every == 0:
                        orthogonalise_in_place(self.weight, self.rules.beta * self.rules.orthogonalise_every)
                advance(len(draw.map_src))

    def draw(self, n_iterations: int) -> Draw:
        """Words with equal chances, with replacement, and dropout masks."""
        rules, (n_src, dim), n_trg = self.rules, self.src.shape, len(self.trg)
        steps, b = rules.dis_steps, rules.batch_size
        words = (self.rng.integers(0, n_src, (n_iterations, steps * b)),
                 self.rng.integers(0, n_trg, (n_iterations, steps * b)))  # fmt: skip
        bits = self.rng.integers(0, 1 << 64, -(-n_iterations * steps * 2 * b * dim // 4), dtype=np.uint64)
        keep = bits.view(np.uint16)[: n_iterations * steps * 2 * b * dim] >= round(rules.dropout * (1 << 16))
        keep = keep.reshape(n_iterations, steps, 2 * b, dim)
        map_src = self.rng.integers(0, n_src, (n_iterations, b))
        return Draw(*(torch.from_numpy(part).to(self.device) for part in (*words, keep, map_src)))

    def inputs(self, src_rows: Tensor, trg_rows: Tensor, keep: Tensor) -> Tensor:
        """The batches of all steps of one outer iteration, (dis_steps, 2 * batch, d): W is the same for all.

        Mapped source words come first. Dropout's factor 1 / (1 - p) is left to the first layer.
        """
        steps, b, dim = self.rules.dis_steps, self.rules.batch_size, self.src.shape[1]
        mapped = self.src.index_select(0, src_rows) @ self.weight
        self._inputs[:, :b] = mapped.view(steps, b, dim)
        self._inputs[:, b:] = self.trg.index_select(0, trg_rows).view(steps, b, dim)
        return self._inputs.mul_(keep)

    def discriminator_step(self, x: Tensor, rate: float) -> None:
        """Descend L_D = -mean log P(label | x) by the discriminator's weights (equation 3), x (2 * batch, d)."""
        scale = 1 / (1 - self.rules.dropout)
        logits = self.discriminator.forward(x, scale)
        error = logits.sigmoid_().sub_(self._labels).div_(len(x))  # of the mean cross-entropy
        self.discriminator.descend(x, error, rate, scale)

    def mapping_step(self, src_rows: Tensor, rate: float) -> None:
        """Descend L_W, the same loss with labels exchanged, by the map (equation 4); src_rows (batch,)."""
        b = self.rules.batch_size
        words = self.src.index_select(0, src_rows)  # (batch, d)
        logits = self.discriminator.forward(words @ self.weight)
        error = logits.sigmoid_().sub_(self.rules.smoothing).mul_(self.rules.dis_lambda / (2 * b))
        gradient = self.discriminator.input_gradient(error)
        self.weight.addmm_(words.T, gradient, alpha=-rate)

    def accuracy(self, n_words: int = 1000) -> float:
        """Share of words (half of each side) that the discriminator gives to the right side; 0.5 is guessing."""
        with torch.inference_mode():
            src, trg = (side[np.linspace(0, len(side) - 1, min(n_words, len(side))).astype(np.int64)]
                        for side in (self.src, self.trg))  # fmt: skip
            is_right = self.discriminator.logits(src @ self.weight) > 0, self.discriminator.logits(trg) < 0
            return float(sum(side.float().mean() for side in is_right) / 2)


def orthogonalise_in_place(weight: Tensor, beta: float) -> None:
    """W <- (1 + beta) W - beta (W W^T) W (equation 7)."""
    product = weight @ weight.T @ weight  # apart: a product must not be written over what it reads
    weight.mul_(1 + beta).sub_(product, alpha=beta)


def _layer(rng: np.random.Generator, n_in: int, n_out: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Weights (n_in, n_out) and biases (n_out,), uniform within 1 / sqrt(n_in), where torch's layers start as well."""
    bound = 1 / math.sqrt(n_in)
    weights, biases = (torch.from_numpy(rng.uniform(-bound, bound, shape).astype(np.float32)).to(device)
                       for shape in ((n_in, n_out), n_out))  # fmt: skip
    return weights, biases


def _through_leaky(gradient: Tensor, activated: Tensor) -> None:
    """Times the leaky ReLU's slope, in place; its result has the sign of its argument."""
    torch.ops.aten.leaky_relu_backward.grad_input(gradient, activated, SLOPE, True, grad_input=gradient)
