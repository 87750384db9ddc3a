"""Settings for the libraries below numpy and torch, for programs to make before those are loaded."""

from __future__ import annotations

import os
from pathlib import Path


def tune_libraries() -> None:
    """Settings that numpy's and torch's libraries read when they are loaded, unless the user has set them.

    Threads that wait for each other give their core up soon: libgomp's long spinning made small networks 12
    times slower to train on two cores where another process kept one of them busy. OpenBLAS takes AMD's newer
    processors for old ones and leaves their wide registers alone: 77 against 210 GFLOP/s on one of them.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        about = cpuinfo.read_text(errors="replace").partition("\n\n")[0]
        if "AuthenticAMD" in about and all(f"avx512{part}" in about for part in ("f", "bw", "cd", "dq", "vl")):
            os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")
