"""What computing costs: seconds, processor time, the peak of memory, disk, and an estimate of energy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Lannelongue, Grealey & Inouye 2021 ("Green Algorithms"): a processor core whose kind is unknown, memory.
WATTS_PER_CORE = 12.0
WATTS_PER_GIB = 0.3725


@dataclass
class Usage:
    """What a stretch of work took of this process; filled in when it ends."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0  # of all threads
    peak_bytes: int | None = None  # resident memory at its highest, None where the system does not tell


@contextmanager
def measured() -> Iterator[Usage]:
    """Measure what happens within it."""
    usage = Usage()
    told = _reset_peak()
    begin, cpu = time.perf_counter(), time.process_time()
    yield usage
    usage.seconds, usage.cpu_seconds = time.perf_counter() - begin, time.process_time() - cpu
    usage.peak_bytes = _peak() if told else None


def energy_wh(cpu_seconds: float, seconds: float, peak_bytes: float) -> float:
    """Watt-hours: busy cores, and memory held, by Green Algorithms' figures. A GPU, and cooling, are not counted."""
    return (WATTS_PER_CORE * cpu_seconds + WATTS_PER_GIB * seconds * peak_bytes / 2**30) / 3600


def bytes_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 where there is nothing."""
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size if path.is_file() else 0


def _reset_peak() -> bool:
    """Let the kernel count the peak of resident memory anew (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak() -> int | None:
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
