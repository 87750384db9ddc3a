"""What commands say they need, against what they took; and what a machine, a control group and a limit leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from test_commands import works, xlembed

from xlembed import needs
from xlembed.alignment.base import LinearMapping, save_mapping
from xlembed.errors import InputError
from xlembed.needs import Size, free_memory, most_memory, peak, size_of, tell
from xlembed.vectors import WordVectors, write_vectors

# ---- sizes


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    vectors = WordVectors([f"w{k}" for k in range(50)], np.ones((50, 7), dtype=np.float32))
    for name in ("a.vec", "a.vec.gz", "a.bin", "a.safetensors"):
        write_vectors(folder / name, vectors)
    for dtype in ("float16", "int8"):
        write_vectors(folder / f"{dtype}.safetensors", vectors, dtype)
    (folder / "bare.vec").write_text("\n".join((folder / "a.vec").read_text().splitlines()[1:]) + "\n")
    return folder


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.vec", "text"), ("a.vec.gz", "text"), ("a.bin", "word2vec"), ("a.safetensors", "store"),
     ("float16.safetensors", "float16"), ("int8.safetensors", "int8")],
)  # fmt: skip
def test_sizes_from_headers(files, name, kind):
    assert size_of(files / name) == Size(50, 7, kind, (files / name).stat().st_size)
    assert size_of(files / name, 20) == Size(20, 7, kind, (files / name).stat().st_size)
    assert size_of(files / name, 99).n_words == 50


def test_size_without_a_header_is_a_guess(files):
    found = size_of(files / "bare.vec")
    assert found.dim == 7 and 40 <= found.n_words <= 60


def test_fasttext_model(tmp_path):
    fasttext = pytest.importorskip("fasttext")
    (tmp_path / "text.txt").write_text("the cat sat on the mat\n" * 20)
    model = fasttext.train_unsupervised(str(tmp_path / "text.txt"), dim=5, minCount=1, bucket=100, thread=1, verbose=0)
    model.save_model(str(tmp_path / "m.bin"))
    found = size_of(tmp_path / "m.bin")
    assert (found.n_words, found.dim, found.kind) == (len(model.get_words()), 5, "fasttext")
    assert found.held["the model"] == (tmp_path / "m.bin").stat().st_size


def test_pairs_of_a_lexicon(files, tmp_path):
    size = size_of(files / "a.vec")
    (tmp_path / "pairs.txt").write_text("house haus\n" * 120)
    assert needs.n_pairs_of(str(tmp_path / "pairs.txt"), size, size) == 110  # 11 bytes a line
    found = [needs.n_pairs_of(name, size, size) for name in (None, "identical", "numerals", "none", "gone.txt")]
    assert found == [25, 25, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "content"),
    [("no.vec", None), ("a.vec", b""), ("a.vec", b"word\n"), ("a.safetensors", b"no store"), ("a.bin", b"x y\n"),
     ("a.bin", b"\xba\x16O/"), ("a.png", b"1 2\n"), ("a.vec.gz", b"not packed")],
)  # fmt: skip
def test_what_has_no_size(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert size_of(tmp_path / name) is None


def test_a_false_header_of_text_is_bounded_by_the_file(tmp_path):
    (tmp_path / "a.vec").write_text("999999999999 300\na 1 2\n")
    assert size_of(tmp_path / "a.vec").n_words == (tmp_path / "a.vec").stat().st_size


# ---- telling


def told(capsys, phases, monkeypatch, free=10 * needs.GB, most=16 * needs.GB):
    monkeypatch.setattr(needs, "free_memory", lambda: free)
    monkeypatch.setattr(needs, "most_memory", lambda: most)
    tell(phases, "read less")
    return capsys.readouterr().err


def test_the_greatest_phase_is_told_part_by_part(capsys, monkeypatch):
    phases = [{"vectors": 3e9}, {"vectors": 1e9, "search": 2.2e9, "crumbs": 1e3}]
    assert told(capsys, phases, monkeypatch) == (
        "needs about 3.5 GB of memory: search 2.2 GB, vectors 1.0 GB, the program 0.3 GB\n"
    )


def test_small_needs_are_told_when_asked_for(capsys, monkeypatch):
    assert told(capsys, [{"vectors": 2e7}], monkeypatch) == ""
    token = needs.verbose.set(True)
    try:
        assert "needs about 0.3 GB of memory: vectors 20 MB" in told(capsys, [{"vectors": 2e7}], monkeypatch)
    finally:
        needs.verbose.reset(token)


def test_more_than_is_free_is_a_warning_and_more_than_there_is_an_error(capsys, monkeypatch):
    warned = told(capsys, [{"vectors": 2e7}], monkeypatch, free=10**8)
    assert warned.startswith("warning: needs about 0.3 GB") and "0.1 GB are free: read less" in warned
    with pytest.raises(InputError, match="needs about 20.3 GB .* at most 16.0 GB can be had here: read less"):
        told(capsys, [{"vectors": 2e10}], monkeypatch)
    assert told(capsys, [{"vectors": 2e7}], monkeypatch, free=None, most=None) == ""


def test_commands_say_what_they_need_on_standard_error(tmp_path):
    write_vectors(tmp_path / "a.vec", WordVectors(list("abc"), np.eye(3, dtype=np.float32)))
    assert "needs about 0.3 GB of memory" in xlembed("--verbose", "vectors", "info", "a.vec", cwd=tmp_path).stderr
    assert xlembed("vectors", "info", "a.vec", cwd=tmp_path).stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on addresses")
def test_a_command_that_cannot_have_its_memory_is_refused_before_it_reads(tmp_path):
    with open(tmp_path / "big.vec", "wb") as file:  # as many bytes as words are promised, none of them written
        file.write(b"4000000 300\n")
        file.truncate(4_000_000)
    program = f"{sys.executable} -c 'from xlembed.cli import main; main()'"
    command = f"ulimit -v 3000000 && exec {program} vectors info big.vec"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("xlembed: error: needs about 5.7 GB of memory: vectors 4.8 GB, ")
    assert "at most 3.1 GB can be had here: read fewer words with --n" in done.stderr


# ---- what commands take

MEASURE = """
import sys
import numpy as np, torch, safetensors.numpy
from xlembed import cli, mapping_cli, vectors, vec_blocks
from xlembed.search import numba_search
from xlembed.induction import induce
from xlembed.normalize import unit
from xlembed.alignment.base import load_mapping
one = np.eye(300, 50, dtype=np.float32)
numba_search.fastest_products()
induce(one, one)
def now(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name + ":")) * 1024
def run(*arguments):
    cli._add_commands()
    cli.app(arguments, standalone_mode=False)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak begins here
before = now("VmRSS")
{code}
print(now("VmHWM") - before)
"""
WORDS, DIM = 12_000, 500
SLACK = 25e6  # what allocators keep, and code that is loaded late


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Two spaces of 24 MB each in every kind of file, and a mapping."""
    folder = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(0)
    for side in "ab":
        matrix = rng.normal(size=(WORDS, DIM)).astype(np.float32)
        vectors = WordVectors([f"word{k}" for k in range(WORDS)], matrix)
        write_vectors(folder / f"{side}.safetensors", vectors, "float16")
        write_vectors(folder / f"{side}-single.safetensors", vectors)
    line = " ".join(["0.1234"] * DIM)
    (folder / "a.vec").write_text(f"{WORDS} {DIM}\n" + "".join(f"word{k} {line}\n" for k in range(WORDS)))
    (folder / "pairs.txt").write_text("".join(f"word{k} word{k}\n" for k in range(6000)))
    save_mapping(folder / "map", LinearMapping(*(np.eye(DIM, dtype=np.float32) for _ in range(2))))
    return folder


def taken(code: str, folder: Path) -> float:
    """Bytes that the code makes a process of its own grow by, at the peak."""
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("the system does not tell peaks of memory")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", MEASURE.replace("{code}", code)], cwd=folder, env=environment,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return float(done.stdout.splitlines()[-1])


CASES = {
    "reading text": ('v = vectors.read_vectors("a.vec")', lambda a, b, text: needs.of_reading(text)),
    "reading float16": ('v = vectors.read_vectors("a.safetensors")',
                        lambda a, b, text: needs.of_reading(a)),
    "mapping": ('v = mapping_cli.mapped("a.safetensors", "b.safetensors", "map", None, None)',
                lambda a, b, text: needs.of_one_space(a, b, True)),
    "csls": ('run("lexicon", "induce", "a.safetensors", "b.safetensors", "--out", "induced.txt")',
             lambda a, b, text: needs.of_search(a, b, False, "csls", False, False)),
    "csls after mapping": (
        'run("lexicon", "induce", "a.safetensors", "b.safetensors", "--mapping", "map", "--out", "induced.txt")',
        lambda a, b, text: needs.of_search(a, b, True, "csls", False, False)),
    "aligning": ('run("align", "a.safetensors", "b.safetensors", "--lexicon", "pairs.txt", "--out", "made")',
                 lambda a, b, text: needs.of_aligning(a, b, 6000)),
    "converting to int8": ('run("vectors", "convert", "a.safetensors", "made.safetensors", "--dtype", "int8")',
                           lambda a, b, text: needs.of_converting(a, "made.safetensors", "int8", 0)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_foretold_is_what_is_taken(large, case):
    code, phases = CASES[case]
    a, b, text = (size_of(large / name) for name in ("a.safetensors", "b.safetensors", "a.vec"))
    foretold, found = sum(peak(phases(a, b, text)).values()), taken(code, large)
    assert foretold > a.matrix  # of 24 MB, so that the slack does not decide
    assert found < 1.2 * foretold + SLACK, f"{found / 1e6:.0f} MB taken, {foretold / 1e6:.0f} MB foretold"
    assert found > 0.6 * foretold - SLACK, f"{found / 1e6:.0f} MB taken, {foretold / 1e6:.0f} MB foretold"


def test_text_is_converted_without_its_matrix_in_memory(large):
    """The store's pages are the file's: what is taken of its own stays below the matrix."""
    code = 'run("vectors", "convert", "a.vec", "out.safetensors")\nbefore += now("RssFile") + now("RssShmem")'
    text = size_of(large / "a.vec")
    assert sum(peak(needs.of_converting(text, "out.safetensors", "float32", 0)).values()) < text.matrix / 4
    assert taken(code, large) < text.matrix + SLACK
    read = works("vectors", "info", "out.safetensors", cwd=large)
    assert f"words          {WORDS}" in read


# ---- what there is


def test_memory_here():
    assert 0 < free_memory() < 2**50
    assert free_memory() <= most_memory()


def test_free_is_the_least_of_all_limits(monkeypatch):
    monkeypatch.setattr(needs, "_meminfo", lambda name: {"MemAvailable": 100, "MemTotal": 300}.get(name))
    monkeypatch.setattr(needs, "_limit", lambda: None)
    for free, most in ((50, 250), (200, 400), (None, None)):
        monkeypatch.setattr(needs, "_groups_free", lambda free=free: [] if free is None else [free, 1000])
        monkeypatch.setattr(needs, "_groups_most", lambda most=most: [] if most is None else [most])
        assert free_memory() == min(100, free or 100)
        assert most_memory() == min(300, most or 300)
    monkeypatch.setattr(needs, "_meminfo", lambda name: None)
    assert free_memory() is None and most_memory() is None


@pytest.mark.parametrize(
    ("names", "unlimited"),
    [(("memory.max", "memory.current", "inactive_file"), "max"),
     (("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"), str(2**63 - 4096))],
)  # fmt: skip
def test_control_groups_of_both_versions(tmp_path, monkeypatch, names, unlimited):
    limit, used, inactive = names
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    for folder, most in ((inner, unlimited), (outer, "1000")):
        folder.mkdir()
        (folder / limit).write_text(f"{most}\n")
        (folder / used).write_text("700\n")
        (folder / "memory.stat").write_text(f"anon 5\n{inactive} 150\n")
    monkeypatch.setattr(needs, "_group_folders", lambda: [inner, outer, tmp_path / "none"])
    assert needs._groups_most() == [1000]
    assert needs._groups_free() == [450]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on addresses")
def test_a_limit_on_addresses_counts():
    code = ("import resource; from xlembed import needs; "
            "resource.setrlimit(resource.RLIMIT_AS, (3 * 10**9, 3 * 10**9)); "
            "print(needs.most_memory() <= 3 * 10**9, needs.free_memory() < 3 * 10**9)")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout == "True True\n"
