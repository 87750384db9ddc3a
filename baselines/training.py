"""The one training loop of the static systems: mini-batch AdamW, early stopping on the source's dev set."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from baselines.settings import TrainSettings
from xlembed.progress import progress

MIN_UPDATES = 100  # an epoch
MIN_BATCH = 16


@dataclass(frozen=True)
class Curve:
    """Dev score of each epoch, and the epoch that was kept (from 1)."""

    dev: list[float]
    best_epoch: int
    seconds: float


def fit_network(
    network: torch.nn.Module,
    batch_of: Callable[[np.ndarray], torch.Tensor],
    labels: np.ndarray,
    dev_score: Callable[[], float],
    settings: TrainSettings,
    seed: int,
    what: str,
) -> Curve:
    """Train in place until the dev score has not risen for `patience` epochs; the best weights are kept.

    `batch_of` turns row numbers (n,) into inputs; `labels` is (n_rows,) of class numbers. Few rows make
    smaller batches, and an epoch of several passes, so that small data gets as many updates as it needs.
    """
    begin, rng = time.perf_counter(), np.random.default_rng(seed)
    batch_size, n_passes = schedule(len(labels), settings)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    targets = torch.from_numpy(labels)
    scores: list[float] = []
    best_weights: dict[str, torch.Tensor] = {}
    with torch.random.fork_rng(), progress(what, settings.max_epochs) as advance:
        torch.manual_seed(seed)
        for _ in range(settings.max_epochs):
            network.train()
            order = np.concatenate([rng.permutation(len(labels)) for _ in range(n_passes)])
            for start in range(0, len(order), batch_size):
                rows = order[start : start + batch_size]
                loss = cross_entropy(network(batch_of(rows)), targets[rows])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            network.eval()
            scores.append(dev_score())
            advance(1, f"dev {scores[-1]:.2f}")
            if scores[-1] >= max(scores):
                best_weights = {name: value.clone() for name, value in network.state_dict().items()}
            if len(scores) - 1 - int(np.argmax(scores)) >= settings.patience:
                break
    network.load_state_dict(best_weights)
    best = len(scores) - int(np.argmax(scores[::-1]))  # the last of equals, as kept above
    return Curve(scores, best, round(time.perf_counter() - begin, 2))


def schedule(n_rows: int, settings: TrainSettings) -> tuple[int, int]:
    """Batch size, and passes over the data that make an epoch: of at least MIN_UPDATES updates."""
    batch_size = min(settings.batch_size, max(MIN_BATCH, n_rows // MIN_UPDATES))
    updates = -(-n_rows // batch_size)
    return batch_size, max(1, MIN_UPDATES // updates)


def two_layers(n_inputs: int, n_classes: int, settings: TrainSettings, seed: int) -> torch.nn.Sequential:
    """Input -> hidden -> classes with ReLU and dropout, its weights drawn from `seed`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Dropout(settings.dropout / 2),
            torch.nn.Linear(n_inputs, settings.hidden),
            torch.nn.ReLU(),
            torch.nn.Dropout(settings.dropout),
            torch.nn.Linear(settings.hidden, n_classes),
        )
