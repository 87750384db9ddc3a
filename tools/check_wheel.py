"""The wheel as a user gets it: built twice alike, installed into an empty environment without extras, and run there.

Fails where the two builds differ, where the dependencies take 100 MB or more, or where `xlembed align`, `xlembed bli`
or a command that needs an extra does not end as it should. Needs a package index for the few dependencies.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "xlembed", "baselines", "comparisons")
MOST_BYTES = 100_000_000  # of dependencies, with the bytecode that pip makes
EPOCH = "1700000000"  # the time that both builds give to all files
NOT_OURS = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence")  # venv's own
OWN = ("xlembed", "baselines", "comparisons")
P1 = "44.48       [38.46, 50.17]"  # of `bli`, as the README has it
# Extras missing, a command says which; never a traceback (exit code 1).
REFUSED = (
    (["demo", "--out", "demo"], "xlembed["),
    (["report", "nowhere"], "summary.json"),
    (["bench"], "source checkout"),
)


def copied(folder: Path) -> Path:
    """What a wheel is built of, copied into a folder."""
    folder.mkdir(parents=True)
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy2(source, folder / name)
    return folder


def build(folder: Path) -> Path:
    """A wheel of the checkout, built in a folder of its own from a copy of the sources."""
    copy = copied(folder / "sources")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(copy)],
        env=os.environ | {"SOURCE_DATE_EPOCH": EPOCH}, stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sizes(packages: Path) -> dict[str, int]:
    """Bytes of files by top-level name in a site-packages folder, what venv puts there left out."""
    found: dict[str, int] = {}
    for path in packages.rglob("*"):
        top = path.relative_to(packages).parts[0]
        name = top.removesuffix(".pth").partition("-")[0]
        if path.is_file() and name not in NOT_OURS:
            found[top] = found.get(top, 0) + path.stat().st_size
    return found


def run(program: Path, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "XLEMBED", "COVERAGE"))}
    return subprocess.run([str(program), *args], cwd=cwd, env=plain, capture_output=True, text=True)


def need(holds: bool, message: str) -> None:
    if not holds:
        sys.exit(f"wheel: {message}")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="xlembed-wheel-") as temporary:
        folder = Path(temporary)
        wheel, again = build(folder / "one"), build(folder / "two")
        need(sha256(wheel) == sha256(again), "two builds of the same sources differ")
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, sha256 {sha256(wheel)}")
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        program = folder / "venv" / "bin"
        pip = [str(program / "python"), "-m", "pip", "install", "-q", "--only-binary", ":all:"]
        subprocess.run([*pip, str(wheel)], check=True)
        (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
        check_size(packages)
        work = folder / "work"
        work.mkdir()
        check_commands(program / "xlembed", packages / "xlembed" / "pocket", work)


def check_size(packages: Path) -> None:
    found = {name: size for name, size in sizes(packages).items() if not name.startswith(OWN)}
    total = sum(found.values())
    largest = sorted(found, key=lambda name: -found[name])[:4]
    print(f"dependencies: {total / 1e6:.1f} MB, most of it {', '.join(f'{n} {found[n] / 1e6:.1f}' for n in largest)}")
    need(total < MOST_BYTES, f"dependencies take {total / 1e6:.1f} MB, {MOST_BYTES / 1e6:.0f} are allowed")


def check_commands(program: Path, pocket: Path, work: Path) -> None:
    """align and bli on the data in the wheel, as the README shows them, and what is said where an extra is missing."""
    en, de = (str(pocket / "vectors" / f"{lang}.safetensors") for lang in ("en", "de"))
    train, test = (str(pocket / "lexicon" / f"en-de.{part}.txt") for part in ("train", "test"))
    aligned = run(program, "align", en, de, "--lexicon", train, "--out", "en-de", cwd=work)
    need(aligned.returncode == 0, f"align: {aligned.stderr}")
    scored = run(program, "bli", en, de, test, "--mapping", "en-de", cwd=work)
    need(scored.returncode == 0 and P1 in scored.stdout, f"bli: {scored.stdout}{scored.stderr}")
    print(scored.stdout, end="")
    for listing in (["encoders"], ["data", "list"]):
        listed = run(program, *listing, cwd=work)
        need(listed.returncode == 0, f"{' '.join(listing)}: {listed.stderr}")
    for command, told in REFUSED:
        done = run(program, *command, cwd=work)
        is_told = done.returncode == 2 and told in done.stderr
        need(is_told, f"{' '.join(command)}: exit code {done.returncode}: {done.stderr}")
        print(f"xlembed {command[0]}: {done.stderr.strip()}")


if __name__ == "__main__":
    main()
