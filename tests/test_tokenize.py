from __future__ import annotations

import unicodedata

import pytest

from xlembed.tokenize import tokenize


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("  \t\n\u00a0 ", []),
        ("The cat, the hat.", ["The", "cat", ",", "the", "hat", "."]),
        ("don't 'quote' rock'n'roll dogs'", ["don't", "'", "quote", "'", "rock'n'roll", "dogs", "'"]),
        ("it\u2019s", ["it's"]),
        ("3.5 A4 snake_case", ["3", ".", "5", "A4", "snake", "_", "case"]),
        ("10\u00a0000\u3000日本", ["10", "000", "日本"]),
        ("wait... (no!)", ["wait", ".", ".", ".", "(", "no", "!", ")"]),
        ("Größe ÇA été", ["Größe", "ÇA", "été"]),
        ("über-gross", ["über", "-", "gross"]),
    ],
)
def test_words_and_marks(text, tokens):
    assert tokenize(text) == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("l'usine", ["l'", "usine"]),
        ("L\u2019usine qu'elle n'a pas", ["L'", "usine", "qu'", "elle", "n'", "a", "pas"]),
        ("jusqu'à aujourd'hui", ["jusqu'", "à", "aujourd'hui"]),
        ("qu'il s'agit", ["qu'", "il", "s'", "agit"]),
        ("presqu'île", ["presqu'île"]),
        ("ça, c'est", ["ça", ",", "c'", "est"]),
    ],
)
def test_french_elisions(text, tokens):
    assert tokenize(text, "fr") == tokens


def test_italian_elisions():
    assert tokenize("dell'arte, un'amica e un po' di", "it") == [
        "dell'", "arte", ",", "un'", "amica", "e", "un", "po'", "di",
    ]  # fmt: skip


@pytest.mark.parametrize("lang", [None, "en", "de"])
def test_other_languages_keep_them_together(lang):
    assert tokenize("l'usine", lang) == ["l'usine"]


@pytest.mark.parametrize("word", ["हिन्दी", "ọ̀rẹ́", "كِتَاب", "தமிழ்"])
def test_combining_marks_stay_in_the_word(word):
    assert tokenize(f"{word}, {word}") == [word, ",", word]


def test_decomposed_text_has_the_same_words():
    text = "Größe, été l'âme"
    for lang in (None, "fr"):
        decomposed = tokenize(unicodedata.normalize("NFD", text), lang)
        assert [unicodedata.normalize("NFC", token) for token in decomposed] == tokenize(text, lang)


def test_tokens_are_tokens():
    text = "L'été, qu'elle n'a: 3.5 l' x_y"
    for lang in (None, "fr"):
        tokens = tokenize(text, lang)
        assert tokenize(" ".join(tokens), lang) == tokens
        assert "".join(tokens) == text.replace(" ", "")
