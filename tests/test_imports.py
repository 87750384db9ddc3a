"""Imports point down: xlembed, then baselines, then comparisons; and the light parts import nothing heavy."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

FORBIDDEN = {"xlembed": {"baselines", "comparisons"}, "baselines": {"comparisons"}, "comparisons": set()}
HEAVY = {"torch", "transformers", "gensim", "fasttext", "numba", "scipy", "sklearn", "matplotlib", "jinja2", "dask",
         "distributed", "huggingface_hub", "pooch"}  # fmt: skip


def imported(source: str) -> list[tuple[int, str]]:
    """(line, top-level package) of every import in a source, those inside functions and by name too."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name.split(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append((node.lineno, node.module.split(".")[0]))
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("import_module", "__import__", "require") and isinstance(node.args[0].value, str):
                found.append((node.lineno, node.args[0].value.split(".")[0]))
    return found


def sources(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, f"{package} has no sources at {ROOT}"
    return found


def test_the_parser_sees_every_kind_of_import():
    source = (
        "import a.b, c\n"
        "from d.e import f\n"
        "from . import g\n"
        "def h():\n"
        "    import i\n"
        "    from j import k\n"
        "    require('l.m', 'extra')\n"
        "    importlib.import_module('n')\n"
    )
    assert [name for _, name in sorted(imported(source))] == ["a", "c", "d", "i", "j", "l", "n"]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_point_down(package):
    upward = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources(package)
        for line, name in imported(path.read_text(encoding="utf-8"))
        if name in FORBIDDEN[package]
    ]
    assert upward == []


def test_tests_are_imported_by_no_package():
    names = {path.stem for path in (ROOT / "tests").glob("*.py")}
    for package in FORBIDDEN:
        for path in sources(package):
            assert not names & {name for _, name in imported(path.read_text(encoding="utf-8"))}, path


@pytest.mark.parametrize(
    "modules",
    [
        "xlembed, xlembed.vectors",
        "xlembed.vec_text, xlembed.vec_bin, xlembed.store, xlembed.train",
        "xlembed.bli, xlembed.lexicon, xlembed.alignment.procrustes",
        "xlembed.cli",
    ],
)
def test_light_parts_load_nothing_heavy(modules):
    code = f"import sys, {modules}; print(*sorted(name for name in sys.modules if '.' not in name))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert {"xlembed", "sys"} <= loaded
    assert loaded & (HEAVY | {"baselines", "comparisons"}) == set()


def test_the_whole_program_starts_without_anything_heavy():
    """Commands of all packages are there for --help before an extra is installed."""
    code = (
        "import sys, xlembed.cli\n"
        "xlembed.cli._add_commands()\n"
        "print(*sorted(name for name in sys.modules if '.' not in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True,
                          text=True, check=True)  # fmt: skip
    loaded = set(done.stdout.split())
    assert {"xlembed", "baselines", "comparisons"} <= loaded
    assert loaded & HEAVY == set()


LISTED = {
    "encoders": (["encoders"], "mbert", "what is at hand is not looked for: encoders need pip install "
                                        "'xlembed[contextual]'\n"),
    "encoders in JSON": (["encoders", "--json"], '"at_hand": null', "what is at hand is not looked for"),
    "one encoder": (["encoders", "mbert"], "177,853,440", "what is at hand is not looked for"),
    "data": (["data", "list"], "xnli", "files in the user's cache are not looked for: give --data DIR, or pip install "
                                       "'xlembed[data]'\n"),
    "data in a folder": (["data", "list", "--data", "."], "xnli", ""),
    "data in JSON": (["data", "list", "--json", "--data", "."], '"here": null', ""),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTED)
def test_what_there_is_is_listed_without_any_extra(name, tmp_path):
    arguments, shown, said = LISTED[name]
    code = (
        "import sys\n"
        f"sys.modules |= dict.fromkeys({sorted(HEAVY)!r})  # None: not to be found\n"
        "from xlembed.cli import main; main()"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XLEMBED")}
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=environment | {"PYTHONPATH": str(ROOT)},
                          cwd=tmp_path, capture_output=True, encoding="utf-8")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout
    assert done.stderr.startswith(said) and (said or done.stderr == "")


def test_import_needs_numpy_alone():
    code = (
        "import sys, xlembed, xlembed.vectors, xlembed.bli\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],  # -S: no .pth file of other packages imports anything
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) - {"__main__"} == {"numpy", "xlembed"}
