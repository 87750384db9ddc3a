"""The one training loop of the static systems: mini-batch AdamW, early stopping on the source's dev set."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch

from baselines.settings import TrainSettings
from xlembed.progress import progress, say
from xlembed.types import Ints1d

_Network = TypeVar("_Network", bound=torch.nn.Module)

MIN_UPDATES = 100  # an epoch
MIN_BATCH = 16
MAX_NORM = 5.0  # of the gradient


@dataclass(frozen=True)
class Curve:
    """Dev score and mean training loss of each epoch, and the epoch that was kept (from 1)."""

    dev: list[float]
    best_epoch: int
    seconds: float
    loss: list[float] = field(default_factory=list)
    interrupted: bool = False  # by Ctrl-C, after the epochs that are here


class OfNetwork:
    """A model that is a network and what belongs to it."""

    network: torch.nn.Module

    @property
    def n_parameters(self) -> int:
        """Numbers that were trained."""
        return sum(p.numel() for p in self.network.parameters())


def fit_network(
    network: torch.nn.Module,
    loss_of: Callable[[np.ndarray], torch.Tensor],
    n_rows: int,
    dev_score: Callable[[], float],
    settings: TrainSettings,
    seed: int,
    what: str,
    lengths: Ints1d | None = None,
) -> Curve:
    """Train in place until the dev score has not risen for `patience` epochs; the best weights are kept.

    `loss_of` gives the mean loss of some rows, (n,) of row numbers. Few rows make smaller batches, and an epoch of
    several passes, so that small data gets as many updates as it needs. With `lengths`, (n_rows,), a batch has rows of
    one length alone. Ctrl-C after the first epoch ends the training with the best weights so far.
    """
    begin, rng = time.perf_counter(), np.random.default_rng(seed)
    batch_size, n_passes = schedule(n_rows, settings)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    scores: list[float] = []
    losses: list[float] = []
    best_weights: dict[str, torch.Tensor] = {}
    interrupted = False
    with torch.random.fork_rng(), progress(what, settings.max_epochs) as advance:
        torch.manual_seed(seed)
        try:
            for _ in range(settings.max_epochs):
                network.train()
                batches = [rows for _ in range(n_passes) for rows in batches_of(n_rows, batch_size, rng, lengths)]
                losses.append(float(np.mean([_update(network, optimizer, loss_of(rows)) for rows in batches])))
                network.eval()
                scores.append(dev_score())
                if scores[-1] >= max(scores):
                    best_weights = {name: value.clone() for name, value in network.state_dict().items()}
                advance(1, f"loss {losses[-1]:.4f}, dev {scores[-1]:.2f}")
                if len(scores) - 1 - int(np.argmax(scores)) >= settings.patience:
                    break
        except KeyboardInterrupt:
            if not scores:
                raise
            interrupted = True
            say(f"{what}: stopped after epoch {len(scores)}, the best so far is kept")
    network.load_state_dict(best_weights)
    network.eval()
    best = len(scores) - int(np.argmax(scores[::-1]))  # the last of equals, as kept above
    return Curve(scores, best, round(time.perf_counter() - begin, 2), losses[: len(scores)], interrupted)


def _update(network: torch.nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> float:
    """One step of the optimizer; the loss before it."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), MAX_NORM)
    optimizer.step()
    return loss.item()


def batches_of(
    n_rows: int, batch_size: int, rng: np.random.Generator, lengths: Ints1d | None = None
) -> list[np.ndarray]:
    """All rows once, in batches of random order; with lengths, of rows of one length each."""
    order = rng.permutation(n_rows)
    if lengths is None:
        return [order[i : i + batch_size] for i in range(0, n_rows, batch_size)]
    order = order[np.argsort(np.asarray(lengths)[order], kind="stable")]
    changes = np.flatnonzero(np.diff(np.asarray(lengths)[order])) + 1
    batches = [group[i : i + batch_size] for group in np.split(order, changes)
               for i in range(0, len(group), batch_size)]  # fmt: skip
    return [batches[i] for i in rng.permutation(len(batches))]


def schedule(n_rows: int, settings: TrainSettings) -> tuple[int, int]:
    """Batch size, and passes over the data that make an epoch: of at least MIN_UPDATES updates."""
    batch_size = min(settings.batch_size, max(MIN_BATCH, n_rows // MIN_UPDATES))
    updates = -(-n_rows // batch_size)
    return batch_size, max(1, MIN_UPDATES // updates)


def seeded(seed: int, make: Callable[[], _Network]) -> _Network:
    """A network whose weights are drawn from `seed`, torch's own generator left as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def two_layers(n_inputs: int, n_classes: int, settings: TrainSettings, seed: int) -> torch.nn.Sequential:
    """Input -> hidden -> classes with ReLU and dropout, its weights drawn from `seed`."""
    return seeded(
        seed,
        lambda: torch.nn.Sequential(
            torch.nn.Dropout(settings.dropout / 2),
            torch.nn.Linear(n_inputs, settings.hidden),
            torch.nn.ReLU(),
            torch.nn.Dropout(settings.dropout),
            torch.nn.Linear(settings.hidden, n_classes),
        ),
    )
