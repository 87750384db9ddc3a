"""The one retrieval primitive, whatever computes it: the k best keys by similarity plus a number per key.

All backends find the same neighbours. A fast product in single (or half) precision chooses candidates, with a
margin that its rounding errors cannot cross; the candidates are scored again in double precision, rounded to
float32, and ties go to the lower index.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from xlembed.errors import InputError, require
from xlembed.types import Floats1d, Floats2d, Ints1d, Ints2d

BACKENDS = ("numpy", "numba", "torch")


@dataclass(frozen=True)
class Neighbors:
    """The k best keys of each query, best first, ties by lower index: both (n_queries, k)."""

    indices: Ints2d
    scores: Floats2d


class Backend(Protocol):
    """What a module of this package offers; k is cut to the number of keys."""

    def topk(self, queries: Floats2d, keys: Floats2d, k: int, key_bias: Floats1d | None = None) -> Neighbors:
        """The k best keys by queries @ keys.T + key_bias."""

    def topk_both(
        self,
        src: Floats2d,
        trg: Floats2d,
        k: int,
        src_bias: Floats1d | None = None,
        trg_bias: Floats1d | None = None,
    ) -> tuple[Neighbors, Neighbors]:
        """The k best trg of each src by src @ trg.T + trg_bias, and the k best src of each trg by the
        transpose + src_bias, from one product."""

    def logsumexp(self, queries: Floats2d, keys: Floats2d, beta: float) -> Floats1d:
        """log of the sum over keys of exp(beta * similarity) of each query, (n_queries,) float64."""

    def best_ranks(
        self, queries: Floats2d, keys: Floats2d, gold: Sequence[Sequence[int]], key_bias: Floats1d | None = None
    ) -> Ints1d:
        """Rank (from 1) of the best-ranked gold key of each query among all keys, ties by lower index."""


_chosen: ContextVar[str | Backend] = ContextVar("backend", default="auto")


def backend(name: str | None = None) -> Backend:
    """A backend by name, else the chosen one (`choose`, `using`); auto: numba where it is installed, else numpy."""
    wanted = _chosen.get() if name is None else name
    if not isinstance(wanted, str):
        return wanted
    name = _known(wanted)
    if name == "auto":
        name = "numba" if importlib.util.find_spec("numba") else "numpy"
    return importlib.import_module(f"xlembed.search.{name}_search")


def choose(name: str) -> None:
    """The backend of all searches from now on, in this context; torch is the one that uses a GPU."""
    _chosen.set(_known(name))


def chosen() -> str | Backend:
    """What was chosen, by name or as it is."""
    return _chosen.get()


@contextmanager
def using(which: str | Backend) -> Iterator[None]:
    """The backend of the searches within, by name or as it is."""
    token = _chosen.set(_known(which) if isinstance(which, str) else which)
    try:
        yield
    finally:
        _chosen.reset(token)


def _known(name: str) -> str:
    if name != "auto" and name not in BACKENDS:
        raise InputError(f"unknown backend {name!r}: choose auto, {', '.join(BACKENDS)}")
    if name in ("numba", "torch"):
        require(name, "static")
    return name
