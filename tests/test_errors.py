from __future__ import annotations

import pytest

from xlembed.errors import InputError, at, for_people, printable, require


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


HOSTILE = {
    "a\x1b[2Jb": r"a\x1b[2Jb",  # clears a terminal
    "a\rb": r"a\rb",  # writes over what was there
    "a\nb": r"a\nb",
    "a\x9bb": r"a\x9bb",  # what begins an escape in eight bits
    "a\x7fb": r"a\x7fb",
    "a\u202eb": r"a\u202eb",  # turns the direction
    "a\u2066b": r"a\u2066b",
    "a\udcffb": r"a\udcffb",  # half of a character: printing it would fail
}


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_terminal_obeys_reaches_it(text):
    assert for_people(text) == printable(text) == HOSTILE[text]


def test_results_are_whole_and_spelled_as_they_are():
    words = ["haus", "Straße", "e\u0301te\u0301", "می\u200cخواهم", "क्\u200dष", "👩\u200d🚀", "שלום", "x" * 5000]
    assert [for_people(word) for word in words] == words
    assert printable("می\u200cخواهم") == "می\\u200cخواهم" and len(printable("x" * 5000)) < 2000
