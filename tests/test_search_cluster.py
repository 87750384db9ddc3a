"""Search over workers finds what one machine finds, to the bit, whatever the blocks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from xlembed.bli import evaluate_many
from xlembed.cluster import connect
from xlembed.errors import InputError
from xlembed.induction import induce
from xlembed.lexicon import Lexicon
from xlembed.retrieval import CRITERIA
from xlembed.search import cluster
from xlembed.search.base import BACKENDS, backend, chosen, using
from xlembed.search.cluster import ClusterSearch
from xlembed.vectors import WordVectors, write_vectors

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def client():
    with connect(workers=2) as client:
        yield client


def spaces(n_src=301, n_trg=417, dim=20):
    """Unit rows with ties on both sides, near-duplicates and zero vectors among them."""
    rng = np.random.default_rng(0)
    src, trg = (rng.normal(size=(n, dim)) + 0.3 for n in (n_src, n_trg))
    trg[50:90] = trg[7] + rng.normal(scale=1e-4, size=(40, dim))
    trg[150:280:3] = trg[8]  # ties in several blocks
    src[100:130:2] = src[3]
    src[11] = trg[20] = trg[21] = 0
    unit_rows = [m / np.maximum(np.linalg.norm(m, axis=1, keepdims=True), 1e-12) for m in (src, trg)]
    return [m.astype(np.float32) for m in unit_rows]


def assert_same(found, expected):
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.scores, expected.scores)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("block_rows", [1000, 417, 100, 37])
def test_neighbours_of_both_sides(client, name, block_rows):
    src, trg = spaces()
    rng = np.random.default_rng(1)
    biases = [rng.normal(scale=0.2, size=len(m)).astype(np.float32).round(1) for m in (src, trg)]
    with ClusterSearch(client, name, block_rows) as search:
        for k, bias in ((1, biases), (10, (None, None)), (1000, biases)):
            expected = backend(name).topk_both(src, trg, k, *bias)
            for found, wanted in zip(search.topk_both(src, trg, k, *bias), expected, strict=True):
                assert_same(found, wanted)
            assert_same(search.topk(src, trg, k, bias[1]), expected[0])


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("block_rows", [100, None])
def test_induced_pairs_under_every_criterion(client, criterion, block_rows):
    expected = induce(*spaces(), "union", criterion)
    with ClusterSearch(client, block_rows=block_rows) as search, using(search):
        found = induce(*spaces(), "union", criterion)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.scores, expected.scores)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_bli(client, criterion):
    src, trg = (WordVectors([f"{side}{row}" for row in range(len(m))], m)
                for side, m in zip("st", spaces(), strict=True))  # fmt: skip
    pairs = [(f"s{row}", f"t{place}") for row in range(0, 301, 7) for place in (row, 8, 150 + row % 90)]
    lexicon = Lexicon(pairs, "test")
    expected = evaluate_many(src, trg, [lexicon], criterion)
    with ClusterSearch(client, block_rows=64) as search, using(search):
        found = evaluate_many(src, trg, [lexicon], criterion)
    assert [one.ranks for one in found] == [one.ranks for one in expected]
    assert len(set(expected[0].ranks.ranks)) > 5


def test_rows_travel_where_workers_do_not_see_the_folder(client, monkeypatch):
    monkeypatch.setattr(cluster, "_is_file", _never)
    src, trg = spaces()
    with ClusterSearch(client, block_rows=100) as search:
        assert not search._is_shared
        found = search.topk_both(src, trg, 5)
        assert not list(os.scandir(search._folder))[1:]  # the token alone
    for one, expected in zip(found, backend().topk_both(src, trg, 5), strict=True):
        assert_same(one, expected)


def _never(path):
    return False


def test_a_matrix_is_placed_once_and_the_folder_removed(client):
    src, trg = spaces()
    with ClusterSearch(client, block_rows=100) as search:
        search.topk_both(src, trg, 5)
        search.topk_both(src, trg, 1)
        search.logsumexp(trg, src, 30.0)
        folder = search._folder
        assert sorted(name for name in os.listdir(folder) if name.endswith(".npy")) == ["0.npy", "1.npy"]
    assert not os.path.exists(folder)


PROGRAM = """
import sys
from xlembed import cli
from xlembed.search import cluster
place = cluster.ClusterSearch._blocks
def and_wait(search, matrix):
    place(search, matrix)
    print(search._folder, flush=True)
    sys.stdin.read()
cluster.ClusterSearch._blocks = and_wait
cli.main()
"""


def test_what_a_killed_program_left_is_removed_by_the_next(client, tmp_path, monkeypatch):
    """The folder of one that lives stays."""
    write_vectors(tmp_path / "a.vec", WordVectors(list("abc"), np.eye(3, dtype=np.float32)))
    place = tmp_path / "tmp"
    place.mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(place)}
    command = [sys.executable, "-c", PROGRAM, "lexicon", "induce", "a.vec", "a.vec", "--out", "d.txt", "--workers", "1"]
    started = [subprocess.Popen(command, cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True) for _ in range(2)]  # fmt: skip
    killed, living = (Path(one.stdout.readline().strip()) for one in started)
    try:
        started[0].kill()
        started[0].communicate()
        assert (killed / "0.npy").is_file() and (living / "0.npy").is_file()
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        with ClusterSearch(client) as search:
            assert search._folder.parent == place and search._is_shared
            assert not killed.exists() and (living / "0.npy").is_file()
    finally:
        started[1].kill()
        started[1].communicate()


def test_nothing_to_search(client):
    src, trg = spaces()
    with ClusterSearch(client, block_rows=100) as search:
        forward, backward = search.topk_both(src[:0], trg, 3)
        assert forward.indices.shape == (0, 3) and backward.indices.shape == (len(trg), 0)
        assert search.topk(src, trg, 0).indices.shape == (len(src), 0)
        assert (search.logsumexp(src, trg[:0], 1.0) == -np.inf).all()
        with pytest.raises(InputError, match="k is -1, it cannot be negative"):
            search.topk(src, trg, -1)


def test_blocks_of_no_word(client):
    with pytest.raises(InputError, match="blocks of 0 words: at least 1 is needed"):
        ClusterSearch(client, block_rows=0)


def test_block_size_gives_every_worker_several_tasks(client):
    assert ClusterSearch(client).n_slots == 2
    sizes = [cluster.block_rows_for(n, 2) for n in (10, 40_000, 10**8)]
    assert sizes == [cluster.FEWEST_ROWS, 10_000, cluster.MOST_ROWS]


def test_an_error_on_a_worker_is_told_here(client, tmp_path):
    src, trg = spaces()
    with ClusterSearch(client, block_rows=100) as search:
        blocks = search._blocks(src)
        blocks[0].path.unlink()
        with pytest.raises(InputError, match="a worker that came later does not see this file"):
            search.topk(src, trg, 3)


def test_without_workers_the_chosen_backend_searches():
    with using("numpy"), cluster.over_workers():
        assert chosen() == "numpy"


def test_a_killed_workers_blocks_are_searched_again(monkeypatch):
    """A worker is killed in the middle of its tasks; the other, and the one started in its place, do them."""
    src, trg = spaces(900, 1000)
    expected = backend("numpy").topk_both(src, trg, 3)
    with connect(workers=2) as client, ClusterSearch(client, "numpy", 100) as search:
        processes = client.run(os.getpid)
        monkeypatch.setattr(cluster, "_topk", _slow_topk)
        killer = threading.Timer(0.5, os.kill, (processes[min(processes)], signal.SIGKILL))
        killer.start()
        found = search.topk_both(src, trg, 3)
        killer.join()
        deadline = time.monotonic() + 60
        while set(processes) <= set(client.scheduler_info(n_workers=-1)["workers"]) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not set(processes) <= set(client.scheduler_info(n_workers=-1)["workers"]), "no worker was lost"
    for one, wanted in zip(found, expected, strict=True):
        assert_same(one, wanted)


_topk = cluster._topk


def _slow_topk(*args):
    time.sleep(0.05)  # 90 tasks, two at a time: the search outlasts the kill
    return _topk(*args)
