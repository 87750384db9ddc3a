"""Peak memory of commands as a multiple of the matrix, beside what is foretold; and 2,000,000 words in 4 GB.

python benchmarks/memory.py [--words N] [--dim N] [--folder DIR]
python benchmarks/memory.py --big [--words 2000000] [--dim 300] [--limit 4.0 | --group 4.0]

Each command runs in a process of its own, which reports the peak of its resident pages less what it held with all
libraries loaded, before the command began: its own pages (sampled), and all with those of mapped files, which the
system can take back. --big writes a .vec file as a stream, converts it to the store, and asks the store for
neighbours. With --limit each process runs under that limit on its addresses (RLIMIT_AS, in GB) and fails above it;
with --group (as root, on Linux) in a control group of that many GB, without swap: its own pages, mapped files and what
the system keeps of files it read and wrote all count, and it is killed where that cannot be made to fit.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext, suppress
from pathlib import Path

CHILD = """
import json, sys, threading, time
sys.argv[0] = "xlembed"
from xlembed.tuning import tune_libraries
tune_libraries()
import numpy as np, safetensors.numpy, torch
from xlembed.cli import _add_commands, app
from xlembed.search import numba_search
from xlembed.vec_blocks import read_rows
_add_commands()
numba_search.fastest_products()
one = np.eye(300, 50, dtype=np.float32)
numba_search.topk_both(one, one, 10)
def now(name):
    for line in open("/proc/self/status"):
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
open("/proc/self/clear_refs", "w").write("5")  # the peak begins here; ru_maxrss would begin with the parent's
before, most, done = now("VmRSS"), [now("RssAnon")], threading.Event()
anonymous = most[0]
def watch():
    while not done.wait(0.005):
        most[0] = max(most[0], now("RssAnon"))
watcher = threading.Thread(target=watch)
watcher.start()
begin = time.perf_counter()
try:
    app(sys.argv[1:], prog_name="xlembed", standalone_mode=False)
finally:
    done.set()
    watcher.join()
print(json.dumps({"before": before, "peak": now("VmHWM"), "anonymous": most[0] - anonymous,
                  "seconds": time.perf_counter() - begin}))
"""


class ControlGroup:
    """A control group with a limit of memory, version 2 or 1 of the kernel's interface, for the time being."""

    def __init__(self, limit: float):
        root = Path("/sys/fs/cgroup")
        self._v2 = (root / "cgroup.controllers").exists()
        self.folder = (root if self._v2 else root / "memory") / f"xlembed-{os.getpid()}"
        n_bytes = int(limit * 1e9)
        self._limits = ({"memory.swap.max": 0, "memory.max": n_bytes} if self._v2 else
                        {"memory.swappiness": 0, "memory.limit_in_bytes": n_bytes})  # fmt: skip

    def __enter__(self) -> ControlGroup:
        try:
            self.folder.mkdir()
            for name, value in self._limits.items():
                self._write(name, value)
        except OSError as err:
            with suppress(OSError):
                self.folder.rmdir()
            sys.exit(f"{self.folder}: no limit of memory can be set ({err}): --group needs root, and the kernel's "
                     "control of memory")  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self.folder.rmdir()

    def join(self) -> None:
        """Put this process, and all that it starts, into the group."""
        self._write("cgroup.procs", os.getpid())

    def peak(self) -> int | None:
        """Bytes, of all that counts; None where the kernel does not tell (version 2 before Linux 5.19)."""
        path = self.folder / ("memory.peak" if self._v2 else "memory.max_usage_in_bytes")
        return int(path.read_text()) if path.exists() else None

    def _write(self, name: str, value: int) -> None:
        (self.folder / name).write_text(str(value))


def measured(
    arguments: list[str], limit: float | None = None, group: ControlGroup | None = None
) -> dict[str, float]:
    """Bytes before the command and at its peak, the growth of anonymous pages, and seconds, of a process of its own."""

    def bound() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_AS, (int(limit * 1e9), int(limit * 1e9)))
        if group is not None:
            group.join()

    done = subprocess.run([sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True, preexec_fn=bound)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}: exit status {done.returncode}: {done.stderr}")
    if told := [line for line in done.stderr.splitlines() if "needs about" in line]:
        print(f"  {told[0]}")
    return json.loads(done.stdout.splitlines()[-1])


def write_vec(path: Path, n_words: int, dim: int) -> None:
    """A .vec file of random numbers, as a stream: 5,000 rows in turn, each word its own."""
    import numpy as np

    rows = np.random.default_rng(0).normal(size=(min(n_words, 5000), dim)) / dim**0.5
    texts = [" ".join(f"{x:.4f}" for x in row) + "\n" for row in rows]
    with open(path, "w", encoding="utf-8", newline="\n", buffering=1 << 22) as file:
        file.write(f"{n_words} {dim}\n")
        for word in range(n_words):
            file.write(f"word{word} {texts[word % len(texts)]}")


def table(folder: Path, n_words: int, dim: int) -> None:
    """Multiples of the matrix, command by command."""
    matrix = 4 * n_words * dim
    vec, other = folder / "a.vec", folder / "b.vec"
    for path in (vec, other):
        write_vec(path, n_words, dim)
    run(["vectors", "convert", str(vec), str(folder / "a.safetensors")], matrix)
    run(["vectors", "convert", str(vec), str(folder / "half.safetensors"), "--dtype", "float16"], matrix)
    run(["vectors", "convert", str(vec), str(folder / "byte.safetensors"), "--dtype", "int8"], matrix)
    run(["vectors", "convert", str(vec), str(folder / "u.safetensors"), "--normalize", "unit,center"], matrix)
    run(["vectors", "convert", str(vec), str(folder / "a.vec.gz"), "-n", str(n_words // 10)], matrix // 10)
    run(["vectors", "convert", str(other), str(folder / "b.safetensors")], matrix)
    for name in ("a.vec", "a.safetensors", "half.safetensors", "byte.safetensors"):
        run(["vectors", "info", str(folder / name)], matrix)
        run(["vectors", "neighbors", str(folder / name), "word7"], matrix)
    lexicon = folder / "lexicon.txt"
    lexicon.write_text("".join(f"word{k} word{k}\n" for k in range(min(n_words, 2000))))
    for kind in ("vec", "safetensors"):
        pair = [str(folder / f"{side}.{kind}") for side in "ab"]
        mapping = ["--mapping", str(folder / "map")]
        run(["align", *pair, "--lexicon", str(lexicon), "--out", str(folder / "map")], matrix)
        run(["isometry", *pair, "--lexicon", str(lexicon)], matrix)
        for retrieval in ("nn", "csls", "isf"):
            out = ["--retrieval", retrieval, "--out", str(folder / "induced.txt")]
            run(["lexicon", "induce", *pair, *out], matrix)
        run(["lexicon", "induce", *pair, *mapping, "--out", str(folder / "induced.txt")], matrix)
        run(["lexicon", "induce", *pair, *mapping, "--out", str(folder / "w.txt"), "--workers", "1"], matrix)
        run(["bli", *pair, str(lexicon), *mapping], matrix)


def run(arguments: list[str], matrix: int) -> None:
    """One line of the table: anonymous and all pages as multiples of one matrix."""
    found = measured(["--verbose", *arguments])
    short = " ".join(Path(text).name if "/" in text else text for text in arguments)
    print(f"{found['anonymous'] / matrix:6.2f} {(found['peak'] - found['before']) / matrix:6.2f} "
          f"{found['seconds']:8.1f} s  {short}", flush=True)  # fmt: skip


def big(folder: Path, n_words: int, dim: int, limit: float | None, group: ControlGroup | None) -> None:
    """A file larger than the limit: converted, then searched."""
    vec, store = folder / "big.vec", folder / "big.safetensors"
    begin = time.perf_counter()
    write_vec(vec, n_words, dim)
    print(f"{vec}: {vec.stat().st_size / 1e9:.2f} GB in {time.perf_counter() - begin:.0f} s; the matrix is "
          f"{4 * n_words * dim / 1e9:.2f} GB", flush=True)  # fmt: skip
    steps = (["vectors", "convert", str(vec), str(store)], ["vectors", "info", str(store)],
             ["vectors", "neighbors", str(store), "word7"])  # fmt: skip
    for arguments in steps:
        drop_from_cache(folder)
        found = measured(["--verbose", *arguments], limit, group)
        print(f"{' '.join(arguments[:2])}: peak {found['peak'] / 1e9:.2f} GB (mapped pages among them), "
              f"{found['anonymous'] / 1e9:.2f} GB of its own, {found['seconds']:.0f} s", flush=True)  # fmt: skip
        if group is not None and (peak := group.peak()) is not None:
            print(f"  the control group's peak so far: {peak / 1e9:.2f} GB")
        if arguments[1] == "convert":
            vec.unlink()


def drop_from_cache(folder: Path) -> None:
    """Let the system forget files: what it keeps of them counts to whoever read them first."""
    for path in folder.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--words", type=int)
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="where the files go, a new folder in it (TMPDIR)")
    parser.add_argument("--big", action="store_true")
    parser.add_argument("--limit", type=float, help="GB of addresses")
    parser.add_argument("--group", type=float, help="GB of a control group")
    args = parser.parse_args()
    if (args.limit or args.group) and not args.big:
        parser.error("--limit and --group go with --big")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        if args.big:
            with ControlGroup(args.group) if args.group else nullcontext() as group:
                print(f"limit on addresses {args.limit} GB, control group {args.group} GB")
                big(Path(folder), args.words or 2_000_000, args.dim, args.limit, group)
        else:
            print("multiples of one matrix: own pages, all pages; seconds; command")
            table(Path(folder), args.words or 100_000, args.dim)


if __name__ == "__main__":
    main()
