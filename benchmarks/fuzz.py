"""Fuzz one reader for as long as you like: python benchmarks/fuzz.py TARGET --seconds 600 [--out DIR]

Needs atheris. The readers, their oracle and their seeds are tests/fuzz/targets.py. libFuzzer's coverage guides half of
the changes, tests/fuzz/mutate.py makes the other half. A finding does not end the run: the smallest input of each kind
(error and place) is kept in DIR/TARGET, with its traceback, and belongs into tests/fuzz/found/TARGET once the reader is
mended. `--list` shows the targets, `--replay` runs the files of a folder once.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
ADDRESS_SPACE = 12 << 30  # bytes; libraries and their threads reserve much that they never touch
RESIDENT_MB = 2048
OURS = ("xlembed", "baselines", "comparisons")
JITTED = ("xlembed.vec_kernels", "baselines.crf_kernels", "xlembed.search.kernels")  # numba compiles no watched code


def main() -> None:
    args = _arguments()
    if args.list:
        from fuzz.targets import TARGETS

        print("\n".join(TARGETS))
    elif args.replay:
        _replay(args.target, args.replay)
    elif args.child:
        _fuzz(args.target, args.seconds, args.out / args.target, args.seed)
    else:
        _watch(args)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("target", nargs="?", default="vec")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "xlembed-fuzz")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


# ---- the process that watches: a reader may take the one that fuzzes down with it


def _watch(args: argparse.Namespace) -> None:
    folder = args.out / args.target
    folder.mkdir(parents=True, exist_ok=True)
    begin, executions, deaths, seed = time.monotonic(), 0, 0, args.seed
    while (left := args.seconds - int(time.monotonic() - begin)) > 3 and deaths < 20:
        command = [sys.executable, __file__, args.target, "--child", "--out", str(args.out), "--seconds", str(left),
                   "--seed", str(seed)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd=folder)
        (folder / f"log.{seed}.txt").write_text(done.stdout[-20_000:] + done.stderr[-20_000:])
        counts = re.findall(r"number_of_executed_units: (\d+)|^#(\d+)", done.stderr, flags=re.MULTILINE)
        executions += max((int(a or b) for a, b in counts), default=0)
        if done.returncode == 0:
            break
        deaths, seed = deaths + 1, seed + 1
    found = sorted(one.stem for one in folder.glob("*.json"))
    crashes = sorted(one.name for one in folder.iterdir() if one.name.startswith(("crash-", "oom-", "timeout-")))
    print(json.dumps({"target": args.target, "seconds": round(time.monotonic() - begin), "executions": executions,
                      "findings": found, "crashes": crashes}))  # fmt: skip


# ---- the process that fuzzes


def _fuzz(name: str, seconds: int, folder: Path, seed: int) -> None:
    import atheris

    also = _others_of(name)
    for module in also:
        sys.modules.pop(module, None)  # loaded already, and not watched
    with atheris.instrument_imports(include=[*OURS, *also], exclude=list(JITTED), enable_loader_override=False):
        for module in also:
            importlib.import_module(module)
        from fuzz import targets

        _run_seeds(name, targets)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for i, one in enumerate(_seeds(name, targets)):
        (corpus / f"seed-{i}").write_bytes(one)
    finder = Finder(name, folder, targets)
    options = [sys.argv[0], str(corpus), f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=8192", "-timeout=30",
               f"-rss_limit_mb={RESIDENT_MB}", "-print_final_stats=1", f"-artifact_prefix={folder}/"]  # fmt: skip
    atheris.Setup(options, finder.try_one, custom_mutator=_mutator(atheris, random.Random(seed)))
    atheris.Fuzz()


def _seeds(name: str, targets) -> list[bytes]:
    kept = sorted((ROOT / "tests" / "fuzz" / "found" / name).glob("*"))
    return targets.TARGETS[name].seeds() + [path.read_bytes() for path in kept]


def _others_of(name: str) -> tuple[str, ...]:
    """What to watch besides our own, asked in a process of its own: here nothing of ours may be loaded before it."""
    code = f"import sys; sys.path[:0] = {sys.path[:2]!r}; from fuzz.targets import TARGETS; " \
           f"print(*TARGETS[{name!r}].also)"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return tuple(done.stdout.split())


def _run_seeds(name: str, targets) -> None:
    """So that libraries and caches are loaded before memory is bounded."""
    with tempfile.TemporaryDirectory() as root:
        for one in targets.TARGETS[name].seeds():
            try:
                targets.check(name, one, Path(root))
            except Exception:
                traceback.print_exc()


def _mutator(atheris, rng: random.Random):
    from fuzz.mutate import mutated

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        if rng.random() < 0.5:
            return atheris.Mutate(data, max_size)
        steps = [(rng.randrange(1 << 16), rng.randrange(1 << 30), rng.randrange(1 << 16))
                 for _ in range(rng.choice((1, 1, 2, 4)))]  # fmt: skip
        return mutated(data, steps, max_size)

    return mutate


class Finder:
    """Tries inputs, and keeps the smallest of each kind of finding."""

    def __init__(self, name: str, folder: Path, targets):
        self.name, self.folder, self.targets = name, folder, targets
        self.root = Path(tempfile.mkdtemp(prefix="fuzz-", dir=_memory_folder()))
        self.sizes: dict[str, int] = {}

    def try_one(self, data: bytes) -> None:
        try:
            self.targets.check(self.name, data, self.root)
        except KeyboardInterrupt:
            raise
        except BaseException as err:
            self._keep(err, data)

    def _keep(self, err: BaseException, data: bytes) -> None:
        kind = f"{type(err).__name__}-{hashlib.sha256(_place(err).encode()).hexdigest()[:8]}"
        if len(data) >= self.sizes.get(kind, 1 << 60):
            return
        self.sizes[kind] = len(data)
        (self.folder / f"{kind}.bin").write_bytes(data)
        told = {"place": _place(err), "error": repr(err)[:500], "size": len(data),
                "traceback": traceback.format_exception(err)[-8:]}  # fmt: skip
        (self.folder / f"{kind}.json").write_text(json.dumps(told, indent=1))


def _place(err: BaseException) -> str:
    """The last place of ours, and the last of all, that an error went through."""
    frames = traceback.extract_tb(err.__traceback__)
    own = [one for one in frames if str(ROOT) in one.filename and ".venv" not in one.filename]
    places = [f"{Path(one.filename).name}:{one.lineno}:{one.name}" for one in (own[-1:] + frames[-1:])]
    return " ".join(places)


def _memory_folder() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _replay(name: str, folder: Path) -> None:
    from fuzz.targets import check

    for path in sorted(folder.iterdir()) if folder.is_dir() else [folder]:
        with tempfile.TemporaryDirectory() as root:
            try:
                print(path.name, "taken" if check(name, path.read_bytes(), Path(root)) else "refused")
            except Exception as err:
                print(path.name, f"FINDING {type(err).__name__}: {str(err)[:300]}")


if __name__ == "__main__":
    main()
