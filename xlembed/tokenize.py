"""Running text into words, in the one way that vectors are trained and texts are looked up."""

from __future__ import annotations

import re
import unicodedata

# French and Italian articles and clitics that are written together with the next word: l'usine, qu'elle.
_ELISION = re.compile(
    r"\b(l|d|j|m|t|s|n|c|ç|qu|jusqu|lorsqu|puisqu|quoiqu|dell|nell|all|un)'(?=\w)", re.IGNORECASE
)
# vowel signs and accents that stand alone (Hindi, Yoruba, decomposed text) go on a word: \w leaves them out
_MARKS = "".join(mark for mark in map(chr, range(0x300, 0x10000)) if unicodedata.category(mark)[0] == "M")
_WORD = rf"[^\W_]+(?:[{_MARKS}]+[^\W_]*)*"
# runs of letters and digits with apostrophes inside, or one mark of punctuation
_TOKEN = re.compile(rf"{_WORD}(?:'{_WORD})*|[^\w\s]|_")
_CLITIC_OR_TOKEN = re.compile(r"[^\W_]+'(?=\s|$)|" + _TOKEN.pattern)
_ELIDING = frozenset({"fr", "it"})


def tokenize(text: str, lang: str | None = None) -> list[str]:
    """Words and punctuation marks of a text, casing kept.

    Typographic apostrophes become straight ones. Where `lang` elides (fr, it) the clitic is a token of its
    own, apostrophe included: "l'usine" -> ["l'", "usine"].
    """
    text = text.replace("’", "'")
    if lang in _ELIDING:
        return _CLITIC_OR_TOKEN.findall(_ELISION.sub(r"\1' ", text))
    return _TOKEN.findall(text)
