from __future__ import annotations

import json

import pytest

from xlembed.errors import InputError
from xlembed.options import named_settings, print_json


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "\x7f\x9b", "\u202eabc", "\u2028", "\U000e0041", "\ud800"])
def test_json_holds_nothing_that_a_terminal_would_obey_and_reads_back_the_same(text, capsys):
    print_json({text: [text, 1.5, None]})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {text: [text, 1.5, None]}
    assert printed.replace("\n", "").isprintable()


def test_json_keeps_letters_and_joiners(capsys):
    text = "schön 日本 \u06cc\u200c\u0647 \U0001f469\u200d\U0001f52c"
    print_json([text])
    assert text in capsys.readouterr().out


def test_settings_are_toml_or_text():
    assert named_settings(["a=1", "b=1.5", "c=true", "d=[1, 2]", "e=word", "f="]) == {
        "a": 1, "b": 1.5, "c": True, "d": [1, 2], "e": "word", "f": ""}  # fmt: skip
    with pytest.raises(InputError, match="--set 'a': name=value is needed"):
        named_settings(["a"])
