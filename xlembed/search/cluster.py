"""Search by blocks over the workers of a Dask cluster: a task takes a block of words of each side.

What a task finds does not depend on which block a pair is in, for candidates are scored again in double precision
(base.py), and results are merged by score, ties by lower index: the whole is what one machine finds, in whatever order
tasks end. Dask runs the tasks of a lost worker again. The rows lie in a folder that all workers see, or else travel.
"""

from __future__ import annotations

import itertools
import math
import secrets
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xlembed.cluster import WORKERS_SECONDS, connect
from xlembed.errors import InputError, require
from xlembed.files import temporary_folder
from xlembed.progress import progress
from xlembed.search import numpy_search
from xlembed.search.base import Neighbors, backend, chosen, using
from xlembed.search.packed import Packed, merge, nothing, packed, unpacked
from xlembed.tuning import cores, one_blas_thread
from xlembed.types import Floats1d, Floats2d, Ints1d

if TYPE_CHECKING:
    from distributed import Client, Future


MOST_ROWS = 1 << 16  # words a block: two blocks of dim 300 are 160 MB
FEWEST_ROWS = 1 << 10
_TASKS_A_WORKER = 8  # or more, so that workers end together
_TASKS_AHEAD = 4  # a worker: more results than these do not wait for being merged


@contextmanager
def over_workers(
    scheduler: str | None = None, workers: int | None = None, block_rows: int | None = None,
    wait: float = WORKERS_SECONDS,
) -> Iterator[None]:
    """All searches within run over workers, see `cluster.connect`; here, as ever, where neither is given."""
    if scheduler is None and workers is None:
        yield
        return
    which = chosen()
    name = which if isinstance(which, str) else "auto"  # no cluster within a cluster
    with connect(scheduler, workers, wait) as client, ClusterSearch(client, name, block_rows) as search, using(search):
        yield


def block_rows_for(n_rows: int, n_slots: int) -> int:
    """Words a block, so that each of the tasks that run at a time is followed by several more."""
    blocks_a_side = math.ceil(math.sqrt(_TASKS_A_WORKER * n_slots))
    return min(MOST_ROWS, max(FEWEST_ROWS, -(-n_rows // blocks_a_side)))


@dataclass(frozen=True)
class _Block:
    """Rows start .. stop of a matrix: in a file that workers see, or where `rows` holds them (a future does)."""

    start: int
    stop: int
    path: Path | None = None
    rows: Future[Any] | None = None

    @property
    def source(self) -> Any:
        """What a task is given; a future becomes its rows on the way."""
        return self.rows if self.path is None else self


class ClusterSearch:
    """A backend whose work is done by the workers of a client, each with the backend `name`."""

    def __init__(self, client: Client, name: str = "auto", block_rows: int | None = None) -> None:
        """`block_rows` words a block; None for some that give each worker several tasks."""
        if block_rows is not None and block_rows < 1:
            raise InputError(f"blocks of {block_rows} words: at least 1 is needed")
        self.client, self.name, self.block_rows = client, name, block_rows
        self.n_slots = sum(client.nthreads().values())
        self._placed: list[tuple[weakref.ref[Any], list[_Block]]] = []

    def __enter__(self) -> ClusterSearch:
        with ExitStack() as stack:  # asking the workers can fail
            self._folder = stack.enter_context(temporary_folder())
            self._is_shared = self._workers_see_folder()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._placed.clear()
        self._stack.close()

    # ---- what a backend offers

    def topk(self, queries: Floats2d, keys: Floats2d, k: int, key_bias: Floats1d | None = None) -> Neighbors:
        """The k best keys by queries @ keys.T + key_bias; k is cut to the number of keys."""
        return self._search(queries, keys, k, None, key_bias, both=False)[0]

    def topk_both(
        self, src: Floats2d, trg: Floats2d, k: int, src_bias: Floats1d | None = None, trg_bias: Floats1d | None = None
    ) -> tuple[Neighbors, Neighbors]:
        """The k best trg of each src and the k best src of each trg, from one product."""
        return self._search(src, trg, k, src_bias, trg_bias, both=True)

    def logsumexp(self, queries: Floats2d, keys: Floats2d, beta: float) -> Floats1d:
        """log of the sum over keys of exp(beta * similarity) of each query, (n_queries,) float64."""
        ours, theirs = self._blocks(queries), self._blocks(keys)
        parts = np.full((len(theirs), len(queries)), -np.inf)
        tasks = (((j, one), (_logsumexp, self.name, one.source, other.source, beta))
                 for one in ours for j, other in enumerate(theirs))  # fmt: skip
        for (j, one), sums in self._done(tasks, len(ours) * len(theirs)):
            parts[j, one.start : one.stop] = sums
        whole: Floats1d = np.logaddexp.reduce(parts, axis=0, initial=-np.inf)
        return whole

    def best_ranks(
        self, queries: Floats2d, keys: Floats2d, gold: Sequence[Sequence[int]], key_bias: Floats1d | None = None
    ) -> Ints1d:
        """Rank (from 1) of the best-ranked gold key of each query among all keys, ties by lower index."""
        best = numpy_search.best_gold(queries, keys, gold, key_bias)
        blocks, ranks = self._blocks(keys), np.ones(len(queries), dtype=np.int64)
        tasks = ((one, (_n_ahead, queries, one.source, one.start, best, _part(key_bias, one))) for one in blocks)
        for _, n_ahead in self._done(tasks, len(blocks)):
            ranks += n_ahead
        return ranks

    # ---- blocks and tasks

    def _search(
        self, src: Floats2d, trg: Floats2d, k: int, src_bias: Floats1d | None, trg_bias: Floats1d | None, both: bool
    ) -> tuple[Neighbors, Neighbors]:
        if k < 0:
            raise InputError(f"k is {k}, it cannot be negative")
        forward, backward = nothing(len(src), min(k, len(trg))), nothing(len(trg), min(k, len(src)))
        rows, columns = self._blocks(src), self._blocks(trg)
        tasks = (
            ((one, other), (_topk, self.name, one.source, other.source, (one.start, other.start), k,
                            _part(src_bias, one), _part(trg_bias, other), both))
            for one in rows for other in columns
        )  # fmt: skip
        for (one, other), (ahead, back) in self._done(tasks, len(rows) * len(columns)):
            merge(forward[one.start : one.stop], ahead)
            if both:
                merge(backward[other.start : other.stop], back)
        return unpacked(forward), unpacked(backward)

    def _blocks(self, matrix: Floats2d) -> list[_Block]:
        """The blocks of a matrix, where workers find them; a matrix given again is placed once."""
        for known, blocks in self._placed:
            if known() is matrix:
                return blocks
        step = self.block_rows or block_rows_for(len(matrix), self.n_slots)
        bounds = [(start, min(start + step, len(matrix))) for start in range(0, len(matrix), step)]
        if self._is_shared:
            path = self._folder / f"{len(self._placed)}.npy"
            np.save(path, np.asarray(matrix, dtype=np.float32))
            blocks = [_Block(*pair, path=path) for pair in bounds]
        else:  # a task that holds its result: when its worker is lost, the scheduler has it again, unlike `scatter`
            blocks = [_Block(*pair, rows=self._submit(_as_it_is, np.ascontiguousarray(matrix[slice(*pair)])))
                      for pair in bounds]  # fmt: skip
        self._placed.append((weakref.ref(matrix), blocks))
        return blocks

    def _workers_see_folder(self) -> bool:
        token = self._folder / secrets.token_hex(8)  # no other machine's folder has this
        token.touch()
        return all(self.client.run(_is_file, str(token)).values())

    def _submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        return self.client.submit(function, *args, pure=False)

    def _done(self, tasks: Iterator[tuple[Any, tuple[Any, ...]]], n_tasks: int) -> Iterator[tuple[Any, Any]]:
        """(name, result) of each (name, (function, *arguments)), as they end; some are under way at a time."""
        distributed = require("distributed", "cluster")
        running = distributed.as_completed(with_results=True, loop=self.client.loop)
        names: dict[Any, Any] = {}  # by the future's key

        def start(n: int) -> None:
            for name, task in itertools.islice(tasks, n):
                future = self._submit(*task)
                names[future.key] = name
                running.add(future)

        start(_TASKS_AHEAD * self.n_slots)
        with progress("blocks of the search", n_tasks) as advance:
            try:
                for future, result in running if n_tasks else ():
                    start(1)
                    future.release()  # here: Ctrl-C within a finaliser would be swallowed
                    yield names.pop(future.key), result
                    advance()
            except distributed.KilledWorker as err:
                raise InputError(f"a block of the search was lost with every worker that took it ({err}): workers may "
                                 "lack memory; docs/scale.md says what a block needs") from None


# ---- on the client


def _part(bias: Floats1d | None, block: _Block) -> Floats1d | None:
    return None if bias is None else np.asarray(bias[block.start : block.stop], dtype=np.float32)


# ---- on a worker, where a task has one core


def _is_file(path: str) -> bool:
    return Path(path).is_file()


def _as_it_is(rows: Floats2d) -> Floats2d:
    return rows


def _rows(source: _Block | Floats2d) -> Floats2d:
    if not isinstance(source, _Block):
        return source
    try:
        rows: Floats2d = np.load(str(source.path), mmap_mode="r")[source.start : source.stop]
        return rows
    except FileNotFoundError:
        raise InputError(f"{source.path}: a worker that came later does not see this file: start workers on machines "
                         "that share the folder (TMPDIR) before the search, or none that do") from None


def _topk(
    name: str, src: Any, trg: Any, starts: tuple[int, int], k: int, src_bias: Floats1d | None,
    trg_bias: Floats1d | None, both: bool,
) -> tuple[Packed, Packed | None]:  # fmt: skip
    """The best of a block's rows among another's, and the other way; `starts` are the blocks' first rows."""
    with cores(1), one_blas_thread():
        if not both:
            return packed(backend(name).topk(_rows(src), _rows(trg), k, trg_bias), starts[1]), None
        ahead, back = backend(name).topk_both(_rows(src), _rows(trg), k, src_bias, trg_bias)
        return packed(ahead, starts[1]), packed(back, starts[0])


def _logsumexp(name: str, queries: Any, keys: Any, beta: float) -> Floats1d:
    with cores(1), one_blas_thread():
        return backend(name).logsumexp(_rows(queries), _rows(keys), beta)


def _n_ahead(
    queries: Floats2d, keys: Any, first_key: int, best: numpy_search.BestGold, key_bias: Floats1d | None
) -> Ints1d:
    with cores(1), one_blas_thread():
        return numpy_search.n_ahead(queries, _rows(keys), first_key, best, key_bias)
