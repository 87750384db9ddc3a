"""What every translation route offers, and the routes by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, cast, runtime_checkable

from baselines.corpora import Item, LabelledText, SentencePair
from xlembed.errors import InputError
from xlembed.progress import say


@runtime_checkable
class Translator(Protocol):
    """Translates texts of language `src` into language `trg` (ISO 639 codes)."""

    src: str
    trg: str

    def identity(self) -> dict[str, Any]:
        """Everything that determines the output, as JSON: files' hashes, settings, versions."""

    def translate(self, texts: Sequence[str]) -> list[str]:
        """One translation a text, in order. Raises InputError where one cannot be had: nothing is left out."""


@dataclass(frozen=True)
class Route:
    """Where a route is: a function (src, trg, settings) -> Translator and its settings' class."""

    module: str
    function: str
    settings: str
    about: str

    def load(self) -> tuple[Any, type]:
        """The function and the settings' class."""
        module = importlib.import_module(f"baselines.translation.{self.module}")
        return getattr(module, self.function), getattr(module, self.settings)


ROUTES = {
    "words": Route("words", "from_files", "WordFiles", "word by word, through mapped vectors and a lexicon"),
    "apertium": Route("apertium", "make", "ApertiumSettings", "Apertium, rule-based, a program on this machine"),
    "huggingface": Route("huggingface", "make", "HuggingFaceSettings", "Marian, NLLB-200 or M2M100 by name or folder"),
    "file": Route("ready", "make", "ReadySettings", "ready translations from a file"),
}


def route_of(name: str) -> Route:
    """The route of that name, or InputError."""
    if name not in ROUTES:
        raise InputError(f"unknown translation route {name!r}: choose {', '.join(ROUTES)}")
    return ROUTES[name]


def make_translator(name: str, src: str, trg: str, options: Mapping[str, Any] | None = None) -> Translator:
    """A translator by route; options are fields of the route's settings.

    Raises InputError for an unknown route or option, for one that is missing, and for files or programs that are.
    """
    function, settings = route_of(name).load()
    options = options or {}
    known = [field.name for field in fields(settings)]
    for key in options:
        if key not in known:
            raise InputError(f"route {name} has no option {key!r}: it has {', '.join(known)}")
    try:
        given = settings(**options)
    except TypeError as err:  # a field without a default is missing
        raise InputError(f"route {name}: {str(err).partition(') ')[2] or err}") from None
    translator: Translator = function(src, trg, given)
    return translator


def translate_distinct(texts: Sequence[str], translator: Translator) -> list[str]:
    """Translations in order, each distinct text translated once.

    A text of white space alone is kept. One whose translation comes out empty is kept in its own language, and how
    many these are is said.
    """
    distinct = [text for text in dict.fromkeys(texts) if text.strip()]
    translated = translator.translate(distinct)
    found = dict(zip(distinct, translated, strict=True))
    empty = [text for text, translation in found.items() if not translation.strip()]
    if empty:
        say(f"{len(empty)} of {len(distinct)} texts were translated into nothing and are kept as they are, "
            f"such as {empty[0][:60]!r}")
    return [found[text] if found.get(text, "").strip() else text for text in texts]


def translate_pairs(pairs: Sequence[SentencePair], translator: Translator) -> list[SentencePair]:
    """Premises and hypotheses translated, labels kept."""
    texts = [text for pair in pairs for text in (pair.premise, pair.hypothesis)]
    translated = translate_distinct(texts, translator)
    return [
        replace(pair, premise=premise, hypothesis=hypothesis)
        for pair, premise, hypothesis in zip(pairs, translated[::2], translated[1::2], strict=True)
    ]


def translate_texts(texts: Sequence[LabelledText], translator: Translator) -> list[LabelledText]:
    """Texts translated, labels kept."""
    translated = translate_distinct([item.text for item in texts], translator)
    return [replace(item, text=text) for item, text in zip(texts, translated, strict=True)]


def translate_items(items: Sequence[Item], translator: Translator) -> list[Item]:
    """Pairs or texts translated, labels kept; tagged sentences are for `projection.translate_tagged`."""
    if items and isinstance(items[0], SentencePair):
        return list(translate_pairs(cast(Sequence[SentencePair], items), translator))
    if items and isinstance(items[0], LabelledText):
        return list(translate_texts(cast(Sequence[LabelledText], items), translator))
    if items:
        raise InputError("tagged sentences need their tags carried over: projection.translate_tagged does that")
    return []
