"""The adversarial game of MUSE: outer iterations (steps of the discriminator, then one of the map) a second.

python benchmarks/muse.py [--dim 300] [--rounds 5] [--threads N]

Contestants: the plain loop that the paper describes and its authors' program runs (a module, binary cross-entropy,
autograd and torch.optim.SGD, target words in the map's step as well, orthogonalised at every step), and xlembed's
(orthogonalised as its settings say: at every step in the paper's schedule, at every fourth by default). Two sizes:
the paper's, where time goes into products of matrices and the limit is their speed, and xlembed's defaults, where it
goes into calls.
Printed beside the times: how near the hand-written steps come to the products that the game cannot do without,
alone and at the same shapes, and to the speed of one large product. Vectors are random; seed 0.
"""

from __future__ import annotations

import argparse
import os

from xlembed.tuning import tune_libraries

tune_libraries()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from common import compare  # noqa: E402
from torch import nn  # noqa: E402

from xlembed.alignment.adversarial import Game, Rules  # noqa: E402
from xlembed.alignment.muse import PAPER, MuseSettings  # noqa: E402
from xlembed.normalize import unit  # noqa: E402

N_WORDS = 75_000
RATE = 0.1


class PlainGame:
    """The same game in the usual way."""

    def __init__(self, src: np.ndarray, trg: np.ndarray, rules: Rules) -> None:
        dim, hidden = src.shape[1], rules.hidden
        self.rules = rules
        self.src, self.trg = (nn.Embedding.from_pretrained(torch.from_numpy(side)) for side in (src, trg))
        self.map = nn.Linear(dim, dim, bias=False)
        nn.init.eye_(self.map.weight)
        self.discriminator = nn.Sequential(nn.Dropout(rules.dropout), nn.Linear(dim, hidden), nn.LeakyReLU(0.2),
                                           nn.Linear(hidden, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1),
                                           nn.Sigmoid())  # fmt: skip
        self.dis_optimizer = torch.optim.SGD(self.discriminator.parameters(), lr=RATE)
        self.map_optimizer = torch.optim.SGD(self.map.parameters(), lr=RATE)

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        b, smoothing = self.rules.batch_size, self.rules.smoothing
        src, trg = self.src(torch.randint(N_WORDS, (b,))), self.trg(torch.randint(N_WORDS, (b,)))
        labels = torch.cat([torch.full((b,), 1 - smoothing), torch.full((b,), smoothing)])
        return torch.cat([self.map(src), trg]), labels

    def play(self, n_iterations: int) -> None:
        loss_of = nn.functional.binary_cross_entropy
        for _ in range(n_iterations):
            self.discriminator.train()
            for _ in range(self.rules.dis_steps):
                with torch.no_grad():
                    x, labels = self.batch()
                loss = loss_of(self.discriminator(x).flatten(), labels)
                self.dis_optimizer.zero_grad()
                loss.backward()
                self.dis_optimizer.step()
            self.discriminator.eval()
            x, labels = self.batch()
            loss = self.rules.dis_lambda * loss_of(self.discriminator(x).flatten(), 1 - labels)
            self.map_optimizer.zero_grad()
            loss.backward()
            self.map_optimizer.step()
            with torch.no_grad():
                weight, beta = self.map.weight, self.rules.beta
                weight.copy_((1 + beta) * weight - beta * weight @ weight.T @ weight)


def n_operations(dim: int, rules: Rules) -> float:
    """Floating-point operations of the products in one outer iteration that no exact way can leave out.

    A step of the discriminator on n = 2 b rows: both layers forward and their weights' gradients, and the gradient of
    the first layer, 2 n (2 (d h + h h) + h h). A step of the map, on the b source rows: both layers forward and back.
    The map itself: b rows a step, its own gradient, and W W^T W.
    """
    b, hidden = rules.batch_size, rules.hidden
    layers = dim * hidden + hidden * hidden
    discriminator = rules.dis_steps * 2 * 2 * b * (2 * layers + hidden * hidden)
    mapping = 2 * b * 2 * layers
    own = 2 * b * dim * dim * (rules.dis_steps + 2) + 4 * dim**3 / rules.orthogonalise_every
    return float(discriminator + mapping + own)


class BareProducts:
    """The products of one outer iteration's hidden layers alone, at their shapes and on weights as large."""

    def __init__(self, dim: int, rules: Rules) -> None:
        n, hidden = 2 * rules.batch_size, rules.hidden
        self.rules = rules
        self.w1, self.w2 = torch.zeros(dim, hidden), torch.zeros(hidden, hidden)
        self.x, self.h, self.g, self.out = torch.ones(n, dim), *torch.ones(3, n, hidden)

    def run(self, n_iterations: int) -> None:
        b = self.rules.batch_size
        with torch.inference_mode():
            for _ in range(n_iterations):
                for _ in range(self.rules.dis_steps):
                    torch.mm(self.x, self.w1, out=self.out)
                    torch.mm(self.h, self.w2, out=self.out)
                    torch.mm(self.g, self.w2.T, out=self.out)
                    self.w1.addmm_(self.x.T, self.g, alpha=1e-9)
                    self.w2.addmm_(self.h.T, self.g, alpha=1e-9)
                torch.mm(self.x[:b], self.w1, out=self.out[:b])
                torch.mm(self.h[:b], self.w2, out=self.out[:b])
                torch.mm(self.g[:b], self.w2.T, out=self.out[:b])
                torch.mm(self.g[:b], self.w1.T, out=self.x[:b])


def large_product(dtype: torch.dtype) -> tuple[float, object]:
    """Operations of one product of 2048 x 2048 matrices, and the product."""
    one = torch.ones(2048, 2048, dtype=dtype)
    out = torch.empty_like(one)
    return 2.0 * 2048**3, lambda: torch.mm(one, one, out=out)


def side_by_side(title: str, src: np.ndarray, trg: np.ndarray, rules: Rules, n: int, rounds: int) -> None:
    """n outer iterations of each, in turn."""
    dim = src.shape[1]
    plain, bare = PlainGame(src, trg, rules), BareProducts(dim, rules)
    ours = Game(src, trg, np.eye(dim), rules, 0, "cpu")
    float32, bfloat16 = large_product(torch.float32), large_product(torch.bfloat16)
    contestants = {
        "plain loop": lambda: plain.play(n),
        "xlembed": lambda: ours.play(n, RATE, RATE),
        "its large products alone": lambda: bare.run(n),
        "one 2048^3 product, float32": float32[1],
        "one 2048^3 product, bfloat16": bfloat16[1],
    }
    for run in (lambda: plain.play(2), lambda: ours.play(2, RATE, RATE), lambda: bare.run(2)):
        run()
    operations = n_operations(dim, rules)
    print(f"\n{title}: dim {dim}, hidden {rules.hidden}, {rules.dis_steps} + 1 steps of {rules.batch_size} a side")
    print(f"{operations / 1e9:.2f} GFLOP an outer iteration; medians of {rounds} times {n}")
    seconds = compare(contestants, rounds)
    plain_rate, our_rate, bare_rate = (n / seconds[name] for name in list(contestants)[:3])
    peak, half_peak = (float32[0] / seconds[name] for name in list(contestants)[3:])
    limit = peak / operations
    print(f"outer iterations a second: plain {plain_rate:.1f}, xlembed {our_rate:.1f}, {our_rate / plain_rate:.2f} x")
    print(f"its large products alone: {bare_rate:.1f}, of which xlembed reaches {100 * our_rate / bare_rate:.0f} %")
    print(f"large square products: {peak / 1e9:.0f} GFLOP/s float32, {half_peak / 1e9:.0f} bfloat16; at the former "
          f"{limit:.1f} outer iterations a second, {limit / plain_rate:.2f} times the plain loop, of which xlembed "
          f"reaches {100 * our_rate / limit:.0f} %")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(0)
    src, trg = (unit(rng.normal(size=(N_WORDS, args.dim)).astype(np.float32)) for _ in range(2))
    print(f"{args.threads} threads")
    side_by_side("the paper's sizes", src, trg, PAPER.rules(), 10, args.rounds)
    side_by_side("xlembed's defaults", src, trg, MuseSettings().rules(), 300, args.rounds)


if __name__ == "__main__":
    main()
