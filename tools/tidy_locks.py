"""Bring what pip-compile wrote into the form the locks have: a line that says what each is for, and no advice.

bench.txt is installed on top of test.txt, so that what stands there already is left out.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "requirements"
HEADS = {
    "build.txt": "What builds the sources among the packages, and xlembed itself.",
    "test.txt": "`make demo` and `make test`: everything but torch (torch.txt) and what builds (build.txt).",
    "dev.txt": "The quality gates: all of test.txt, and their tools.",
    "bench.txt": "What the benchmarks compare with, beside test.txt.",
}


def packages(name: str) -> dict[str, str]:
    """The entries of a lock: name -> its lines, with the hashes."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    entries = list(re.finditer(r"^([A-Za-z0-9._-]+)==.*\n(?: +--hash.*\n)+", text, re.MULTILINE))
    n_lines = sum(not line.startswith(("#", " ")) for line in text.splitlines() if line)
    if n_lines != len(entries):
        sys.exit(f"{FOLDER / name}: {n_lines - len(entries)} lines are no package with hashes: look at what was made")
    return {entry[1]: entry[0] for entry in entries}


def main() -> None:
    found = {name: packages(name) for name in HEADS}
    there = found["test.txt"] | found["build.txt"]
    for name, head in HEADS.items():
        kept = [lines for package, lines in found[name].items() if name != "bench.txt" or package not in there]
        (FOLDER / name).write_text(f"# {head} Renewed by `make lock`.\n" + "".join(kept), encoding="utf-8")


if __name__ == "__main__":
    main()
