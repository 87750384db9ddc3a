"""What the machine at hand can do for torch: its device, the precision that is faster on it."""

from __future__ import annotations

import functools
import time
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch


def device_of(name: str = "auto") -> torch.device:
    """A device by name; auto is CUDA where there is one."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def precision_of(name: str, device: torch.device) -> torch.dtype:
    """The type that matrix products run in: a name, or auto for bfloat16 where it is faster than float32 here."""
    if name == "auto":
        return torch.bfloat16 if bfloat16_is_faster(device.type) else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]


def in_precision(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """Within it matrix products run in a type; weights, sums and normalisation stay in float32."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype=dtype)


@functools.cache
def bfloat16_is_faster(device_type: str) -> bool:
    """Whether products of an encoder's size take at most two thirds of the time in bfloat16, measured once.

    Having the instructions is not enough: on some processors with avx512_bf16 products are slower than in float32.
    """
    if device_type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device_type != "cpu" or not torch.cpu._is_avx512_bf16_supported():
        return False
    rows, weights = torch.ones(512, 768), torch.ones(1024, 768)
    return _seconds(rows.bfloat16(), weights.bfloat16()) < 2 / 3 * _seconds(rows, weights)


def _seconds(rows: torch.Tensor, weights: torch.Tensor) -> float:
    """The fastest of some products: others' work on the machine only ever adds to it."""
    times = []
    for _ in range(12):
        begin = time.perf_counter()
        torch.nn.functional.linear(rows, weights)
        times.append(time.perf_counter() - begin)
    return float(np.min(times[2:]))
