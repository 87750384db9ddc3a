"""Where pre-training stands, in one file that is replaced whole: weights and AdamW's moments as safetensors.

What is no tensor is JSON in the file's own header. No generator's state is needed: what is drawn for an update depends
on the seed and its number.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from comparisons.pretraining_settings import CHOICES
from xlembed.errors import InputError, at
from xlembed.files import replacing
from xlembed.os_faults import advice, cannot_read

_MOMENTS = ("exp_avg", "exp_avg_sq")


def save_checkpoint(
    path: Path, trained: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer, about: dict[str, Any]
) -> None:
    """Write trained weights and the optimizer's moments of them; `about` is JSON."""
    tensors = {f"weight.{name}": p.detach().contiguous().cpu() for name, p in trained.items()}
    for name, p in trained.items():
        for moment in _MOMENTS:
            tensors[f"{moment}.{name}"] = optimizer.state[p][moment].contiguous().cpu()
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"about": json.dumps(about)})


def read_about(path: Path) -> dict[str, Any]:
    """What a checkpoint says of itself. Raises InputError where the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            about: dict[str, Any] = json.loads(file.metadata()["about"])
        _check_about(about)
        return about
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as err:
        raise _damaged(path, err) from None


def _check_about(about: dict[str, Any]) -> None:
    """Raise ValueError, or what a wrong type leads to, unless a training can go on from there."""
    numbers = [about["step"], *about["drawn"]]
    if not all(type(one) is int and 0 <= one < 2**53 for one in numbers) or not isinstance(about["facts"], dict):
        raise ValueError("its numbers are none")
    figures = [about["seconds"], *about["losses"]]
    if not all(type(one) in (int, float) and math.isfinite(one) for one in figures):
        raise ValueError("its losses are no numbers")
    if not isinstance(about["losses"], list) or about["precision"] not in CHOICES["precision"]:
        raise ValueError("its losses or its precision are none")


def load_checkpoint(path: Path, trained: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer, n: int) -> None:
    """Put weights and moments after n updates back in place. Raises InputError where they are others or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as err:
        raise _damaged(path, err) from None
    expected = {f"{part}.{name}": p.shape for name, p in trained.items() for part in ("weight", *_MOMENTS)}
    if {name: tensor.shape for name, tensor in found.items()} != expected:
        raise at(path, None, "holds weights of another encoder: remove it, or take another --out")
    if not all(tensor.is_floating_point() and bool(tensor.isfinite().all()) for tensor in found.values()):
        raise _damaged(path, ValueError("weights that are not finite numbers"))
    for name, p in trained.items():
        with torch.no_grad():
            p.copy_(found[f"weight.{name}"])
        moments = {moment: found[f"{moment}.{name}"].to(p.device) for moment in _MOMENTS}
        optimizer.state[p] = {"step": torch.tensor(float(n)), **moments}


def weights_hash(model: nn.Module) -> str:
    """SHA-256 of all weights, those that will not train among them."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _damaged(path: Path, err: Exception) -> InputError:
    if advice(err) is not None:
        return cannot_read(path, err)
    return at(path, None, f"is damaged ({' '.join(str(err).split())[:80]}): remove it, and the training begins again")
