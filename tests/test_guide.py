"""The Python in the guide: every block runs on the data inside the package, or at least compiles."""

from __future__ import annotations

import doctest
import re

import pytest
from conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Blocks that need a program or files of the reader's own, by a line of theirs; test_adding_a_system.py runs its own.
NOT_RUN = ('make_translator("apertium", "es", "en")', "import SLURMCluster", "import KubeCluster")


def blocks() -> list:
    """Python blocks without a file name of their own: (page, source)."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for source in re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
            found.append(pytest.param(source, id=f"{page.name}-{len(found)}"))
    return found


@pytest.mark.parametrize("source", blocks())
def test_a_block_of_python_runs(source, monkeypatch, tmp_path):
    code = compile(source, "the guide", "exec")
    if any(line in source for line in NOT_RUN):
        pytest.skip("needs a program that is not installed: it compiles")
    (tmp_path / "xlembed").symlink_to(ROOT / "xlembed")
    monkeypatch.chdir(tmp_path)
    exec(code, {"__name__": "guide"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_doctests_hold(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    failed, _ = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert failed == 0


def test_blocks_are_found():
    assert len(blocks()) >= 2 and not all(any(line in one.values[0] for line in NOT_RUN) for one in blocks())
