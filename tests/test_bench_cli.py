import ast

import pytest

from xlembed import bench_cli
from xlembed.bench_cli import bench, benchmarks
from xlembed.errors import InputError


def test_every_benchmark_says_what_it_is_and_has_a_main():
    found = benchmarks()
    assert {"csls", "muse", "rcsls", "read_vec", "vecmap", "bli_table", "isometry_table"} <= set(found)
    assert "common" not in found
    for name, about in found.items():
        assert len(about) > 20, name
        source = (bench_cli.FOLDER / f"{name}.py").read_text(encoding="utf-8")
        assert "main" in {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    tmp_path = tmp_path / "benchmarks"
    tmp_path.mkdir()
    (tmp_path.parent / "pyproject.toml").touch()
    (tmp_path / "good.py").write_text('"""Does\nits work.\n\nMore."""\nopen(__file__ + ".ran", "w")\n')
    (tmp_path / "bad.py").write_text('"""Fails."""\nraise SystemExit(3)\n')
    (tmp_path / "bli_table.py").write_text('"""Needs data."""\nraise SystemExit(4)\n')
    monkeypatch.setattr(bench_cli, "FOLDER", tmp_path)
    return tmp_path


def test_named_benchmarks_run(folder, capfd):
    bench(["good"])
    assert (folder / "good.py.ran").exists() and "== good" in capfd.readouterr().err
    with pytest.raises(InputError, match="benchmark bad ended with exit code 3"):
        bench(["bad"])


def test_without_names_those_that_need_no_data_run(folder):
    (folder / "bad.py").unlink()
    bench()
    assert (folder / "good.py.ran").exists()


def test_listing_runs_nothing(folder, capsys):
    bench(show=True)
    assert "good             Does its work.\n" in capsys.readouterr().out and not (folder / "good.py.ran").exists()


def test_refusals(folder):
    with pytest.raises(InputError, match="unknown benchmark 'fast': choose bad, bli_table, good"):
        bench(["fast"])
    for path in folder.glob("*.py"):
        path.unlink()
    with pytest.raises(InputError, match="run them from a source checkout"):
        bench()
