"""The loop of fine-tuning, with checkpoints that a training which was cut off goes on from."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from comparisons.finetune_settings import FinetuneSettings
from comparisons.inputs import bucketed
from comparisons.machine import precision_of
from comparisons.optimization import decay_groups, rate
from xlembed.errors import InputError
from xlembed.files import replacing
from xlembed.progress import progress, say

LossOf = Callable[[np.ndarray], torch.Tensor]  # rows of the data -> the sum of their labels' losses
CHECKPOINT_SECONDS = 300.0
_LAST_LOSSES = 100  # that progress shows the mean of


@dataclass
class Fitted:
    """How a training went."""

    curve: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False
    seconds_before: float = 0.0  # of the runs before a checkpoint


@dataclass
class _State:
    """Where a training stands: what a checkpoint holds beside tensors."""

    epoch: int = 1
    n_done: int = 0  # updates in this epoch
    losses: list[float] = field(default_factory=list)  # of this epoch's updates
    epoch_seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0

    def check(self, n_epochs: int, metric: str) -> None:
        """Raise ValueError (or what a wrong type leads to) unless it can be gone on from: a file may say anything."""
        places = (self.epoch, self.n_done, *(epoch["epoch"] for epoch in self.curve))
        losses = (*self.losses, *(epoch["loss"] for epoch in self.curve))  # in float16 one may be infinite
        figures = (self.epoch_seconds, self.seconds, *(epoch[metric] for epoch in self.curve),
                   *(epoch["seconds"] for epoch in self.curve))  # fmt: skip
        if not all(type(one) is int for one in places):
            raise ValueError("its numbers are none")
        if not all(type(one) in (int, float) for one in (*losses, *figures)) or not all(map(math.isfinite, figures)):
            raise ValueError("its numbers are none")
        if len(self.losses) != self.n_done:
            raise ValueError("its numbers do not agree")
        if not 1 <= self.epoch <= n_epochs + 1 or list(places[2:]) != list(range(1, self.epoch)):
            raise ValueError("its epochs are not those of this training")


class Trainer:
    """AdamW with warm-up and linear decay over `settings.epochs`; the epoch that scores best on dev is kept."""

    def __init__(self, model: nn.Module, settings: FinetuneSettings, seed: int, what: str, metric: str):
        self.model, self.settings, self.seed, self.what, self.metric = model, settings, seed, what, metric
        device = next(model.parameters()).device
        is_half = precision_of(settings.precision, device) == torch.float16
        self.scaler = torch.amp.GradScaler(device.type, enabled=is_half)  # float16 gradients would vanish
        self.state = _State()
        self.best: dict[str, torch.Tensor] = {}

    def fit(
        self,
        trained: nn.Module,
        loss_of: LossOf,
        lengths: np.ndarray,
        n_labels: np.ndarray,
        dev_score: Callable[[], float],
        folder: Path | None = None,
    ) -> Fitted:
        """Train the parameters of `trained` that require gradients, on data of these lengths and numbers of labels.

        The checkpoint in `folder` stays: whoever saves the model removes it after that.
        """
        settings, state = self.settings, self.state
        self.named = {name: p for name, p in trained.named_parameters() if p.requires_grad}
        n_updates = math.ceil(math.ceil(len(lengths) / settings.batch_size) / settings.accumulate)
        groups = decay_groups(self.named.values(), settings.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, settings.lr, fused=True)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: rate(step, settings.epochs * n_updates, settings.warmup)
        )
        if folder is not None:
            self._resume(folder / "checkpoint.safetensors")
            state = self.state
        before, begin = state.seconds, time.perf_counter()
        interrupted, self.saved_at = False, begin

        def save() -> None:
            if folder is not None and time.perf_counter() - self.saved_at > CHECKPOINT_SECONDS:
                state.seconds = before + time.perf_counter() - begin
                try:
                    self._save(folder / "checkpoint.safetensors")
                except InputError as err:  # a full disk is no reason to lose the training, too
                    say(f"{err}; the training goes on, its last checkpoint is older")
                self.saved_at = time.perf_counter()

        try:
            while state.epoch <= settings.epochs and not self._is_patience_spent():
                self._epoch(loss_of, lengths, n_labels, save)
                self._end_epoch(dev_score())
                save()
        except KeyboardInterrupt:
            if not state.curve:
                raise
            interrupted = True
            say(f"{self.what}: stopped in epoch {state.epoch}, the best epoch so far is kept")
        with torch.no_grad():
            for name, value in self.best.items():
                self.named[name].copy_(value)
        return Fitted(state.curve, interrupted, before)

    def _epoch(self, loss_of: LossOf, lengths: np.ndarray, n_labels: np.ndarray, save: Callable[[], None]) -> None:
        settings, state = self.settings, self.state
        batches = bucketed(lengths, settings.batch_size, np.random.default_rng([self.seed, state.epoch]))
        updates = [batches[i : i + settings.accumulate] for i in range(0, len(batches), settings.accumulate)]
        begin = time.perf_counter() - state.epoch_seconds
        self.model.train()
        with progress(f"{self.what} epoch {state.epoch}/{settings.epochs}", len(updates)) as advance:
            advance(state.n_done, "")
            for update in updates[state.n_done :]:
                state.losses.append(self._update(loss_of, update, sum(int(n_labels[rows].sum()) for rows in update)))
                state.n_done += 1
                state.epoch_seconds = time.perf_counter() - begin
                advance(1, f"loss {np.mean(state.losses[-_LAST_LOSSES:]):.3f}")
                save()

    def _update(self, loss_of: LossOf, batches: list[np.ndarray], n_labels: int) -> float:
        """One step of the optimizer on the mean loss over the labels of some batches; that loss."""
        total = 0.0
        for rows in batches:
            loss = loss_of(rows) / n_labels
            self.scaler.scale(loss).backward()
            total += loss.item()
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.named.values(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        return total

    def _end_epoch(self, dev_score: float) -> None:
        state, loss = self.state, float(np.mean(self.state.losses))
        seconds = round(state.epoch_seconds, 1)
        if dev_score >= max((epoch[self.metric] for epoch in state.curve), default=-1.0):
            self.best = {name: p.detach().clone() for name, p in self.named.items()}  # of equals the latest
        state.curve.append({"epoch": state.epoch, "loss": loss, self.metric: dev_score, "seconds": seconds})
        say(f"  epoch {state.epoch}: loss {loss:.3f}, {self.metric.replace('_', ' ')} {dev_score:.2f}, {seconds:.0f} s")
        state.epoch, state.n_done, state.losses, state.epoch_seconds = state.epoch + 1, 0, [], 0.0

    def _is_patience_spent(self) -> bool:
        scores = [epoch[self.metric] for epoch in self.state.curve]
        patience = self.settings.patience
        return bool(patience and scores and len(scores) - 1 - int(np.argmax(scores)) >= patience)

    # ---- checkpoints

    def _save(self, path: Path) -> None:
        """Weights, moments, the generator's state, and where the training stands, in one file or not at all."""
        tensors: dict[str, torch.Tensor] = {"rng": torch.random.get_rng_state()}
        for name, parameter in self.named.items():
            tensors[f"now.{name}"] = parameter.detach()
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"adamw.{key}.{name}"] = value
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        about = {"state": json.dumps(asdict(self.state)), "schedule": str(self.schedule.last_epoch),
                 "scale": str(self.scaler.get_scale()), "key": self._key()}  # fmt: skip
        with replacing(path) as temporary:
            save_file({name: value.cpu().contiguous() for name, value in tensors.items()}, temporary, metadata=about)

    def _resume(self, path: Path) -> None:
        """Take up a checkpoint if there is one, whole and of this training."""
        if not path.is_file():
            return
        try:
            with safe_open(path, "pt") as file:
                about = file.metadata()
                tensors = {name: file.get_tensor(name) for name in file.keys()}
            state = _State(**json.loads(about["state"]))
            if about["key"] != self._key():
                raise ValueError("it is of other settings")
            state.check(self.settings.epochs, self.metric)
            self._check(tensors, about)
            self._take_up(tensors, about)
        except Exception as err:  # a damaged file fails in many ways, and the training can begin anew
            say(f"{path} cannot be used ({' '.join(str(err).split())[:100]}): training begins anew")
            return
        self.state = state
        say(f"{self.what}: goes on from a checkpoint in epoch {state.epoch}, update {state.n_done}")

    def _check(self, tensors: dict[str, torch.Tensor], about: dict[str, str]) -> None:
        """Raise ValueError unless all tensors are there, finite and of the right sizes: half of them would be worse
        than none."""
        if int(about["schedule"]) < 0 or not 0 < float(about["scale"]) < math.inf:
            raise ValueError("its place in the schedule is none")
        wanted = {f"now.{name}": p.shape for name, p in self.named.items()}
        for name, p in self.named.items():
            moments = {f"adamw.{key}.{name}": p.shape for key in ("exp_avg", "exp_avg_sq")}
            moments[f"adamw.step.{name}"] = torch.Size(())
            wanted |= {key: shape for key, shape in moments.items() if any(one in tensors for one in moments)}
        if any(name.startswith("best.") for name in tensors):
            wanted |= {f"best.{name}": p.shape for name, p in self.named.items()}
        found = {name: tensor.shape for name, tensor in tensors.items() if name != "rng"}
        if found != wanted:
            raise ValueError("it holds other weights")
        if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
            raise ValueError("its weights are not finite")
        torch.Generator().set_state(tensors["rng"])  # raises where it is the state of none

    def _take_up(self, tensors: dict[str, torch.Tensor], about: dict[str, str]) -> None:
        with torch.no_grad():
            for name, parameter in self.named.items():
                parameter.copy_(tensors[f"now.{name}"])
        for name, parameter in self.named.items():
            found = {key: tensors[f"adamw.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")
                     if f"adamw.{key}.{name}" in tensors}  # fmt: skip
            if found:
                self.optimizer.state[parameter] = {
                    key: value if key == "step" else value.to(parameter.device) for key, value in found.items()
                }
        self.best = {name.removeprefix("best."): value for name, value in tensors.items() if name.startswith("best.")}
        n_updates = self.schedule.last_epoch = int(about["schedule"])
        for group, factor in zip(self.optimizer.param_groups, self.schedule.lr_lambdas, strict=True):
            group["lr"] = group["initial_lr"] * factor(n_updates)
        if self.scaler.is_enabled():
            self.scaler.update(float(about["scale"]))
        torch.random.set_rng_state(tensors["rng"])

    def _key(self) -> str:
        shapes: dict[str, Any] = {name: list(p.shape) for name, p in self.named.items()}
        return json.dumps([asdict(self.settings), self.seed, shapes], sort_keys=True)
