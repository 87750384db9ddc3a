"""The README's commands, its Python and its links do what they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NEED_MORE = ("corpus.txt", "encoder", "mine.toml", "experiments/", "data fetch")  # other data, or the encoder's files


def commands():
    """The commands of "On your own files" that the data in the package is enough for."""
    part = README.split("## On your own files")[1].split("## As a library")[0]
    found = re.findall(r"^    (xlembed (?:.*\\\n)*.*)$", part, flags=re.MULTILINE)
    return [command for command in found if not any(word in command for word in NEED_MORE)]


def test_the_commands_print_what_the_readme_shows(tmp_path):
    (tmp_path / "xlembed").symlink_to(ROOT / "xlembed")
    program = f'{sys.executable} -c "from xlembed.cli import main; main()"'
    assert len(commands()) == 7
    printed = ""
    for command in commands():
        line = command.replace("xlembed ", program + " ", 1).replace("$P", "xlembed/pocket")
        done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True,
                              env={"PYTHONPATH": str(ROOT), "PATH": ""}, executable="/bin/sh")  # fmt: skip
        assert done.returncode == 0, (command, done.stderr)
        printed += done.stdout
    shown = README.split("## On your own files")[1]
    for line in ("identical strings: 1584 of 1584 pairs covered", "P@1       44.48       [38.46, 50.17]      44.33",
                 "0.4601  house", "de.jsonl: 100 sentences"):  # fmt: skip
        assert line in printed and line in shown


def test_the_python_example_runs(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    exec(re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1), {})
    assert capsys.readouterr().out.startswith("44.48")


PAGES = sorted(str(path.relative_to(ROOT)) for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target
