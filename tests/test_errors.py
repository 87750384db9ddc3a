from __future__ import annotations

import pytest

from xlembed.errors import InputError, at, require


def test_message_begins_with_file_and_line():
    assert str(at("a.vec", 3, "is ragged")) == "a.vec:3: is ragged"
    assert str(at("a.vec", None, "is empty")) == "a.vec: is empty"


def test_require_imports_a_submodule():
    assert require("json.decoder", "none").JSONDecodeError.__name__ == "JSONDecodeError"


def test_missing_module_names_the_extra():
    with pytest.raises(InputError, match=r"^this step needs no_such_module: pip install 'xlembed\[extra\]'$"):
        require("no_such_module", "extra")


def test_a_module_that_fails_inside_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_inside.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        require("broken_inside", "extra")
