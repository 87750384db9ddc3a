"""Systems that meet another language in translation: translate-train, translate-train-all and translate-test.

translate-train: the English training and dev data are translated into the target language, and the system is trained
there (one model a language); -all: on English and several translations together. translate-test: the system is
trained on English, the test items are translated into English, and predictions are brought back to their own words.
Conneau et al. 2018 (EMNLP, "XNLI") name and compare them; Xie et al. 2018 translate word by word.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from baselines.corpora import TAGGING, TaggedSentence, gold_hash, in_language
from baselines.spaces import IDENTICAL, SharedSpace
from comparisons.experiment import Experiment, Resolver, System
from xlembed.alignment.methods import fit_method
from xlembed.errors import InputError
from xlembed.progress import say
from xlembed.tokenize import tokenize
from xlembed.vectors import WordVectors

if TYPE_CHECKING:
    from baselines.translation.base import Translator
    from baselines.translation.projection import WordAligner
    from baselines.translation.words import WordTranslator
    from comparisons.systems import Model, Runner

Reader = Callable[[Path, int | None], WordVectors]


class Translations:
    """The translators of one system, each made when first asked for."""

    def __init__(self, experiment: Experiment, system: System, resolve: Resolver, read: Reader):
        assert system.translate is not None
        self.source, self.plan, self.resolve, self.read = experiment.source, system.translate, resolve, read
        self.vectors = self.plan.options.get("vectors", system.vectors)
        self.lexicon = self.plan.options.get("lexicon", system.lexicon)
        self.n_words = system.n_words
        self._made: dict[tuple[str, str], Translator] = {}
        self._words: dict[tuple[str, str], WordTranslator] = {}  # for the route words, and for alignments

    @cached_property
    def space(self) -> SharedSpace:
        """Vectors and lexicons for words and alignments."""
        if self.vectors is None or self.lexicon is None:
            raise InputError("translate: words and alignments need vectors and lexicon: name them in translate")
        vectors, lexicon = self.vectors, self.lexicon
        return SharedSpace(
            self.source,
            lambda lang: self.resolve(vectors.format(lang=lang)),
            lambda lang: IDENTICAL if lexicon == IDENTICAL else self.resolve(lexicon.format(lang=lang)),
            self.n_words,
            read=self.read,
        )

    def into(self, lang: str) -> Translator:
        """From the source language into another."""
        return self._translator(self.source, lang)

    def out_of(self, lang: str) -> Translator:
        """From another language into the source language."""
        return self._translator(lang, self.source)

    def inputs(self, lang: str) -> list[Path]:
        """The files that a translation depends on."""
        found = []
        if self._needs_vectors:
            found = [self.space.vectors_of(self.source), self.space.vectors_of(lang)]
            lexicon = self.space.lexicon_of(lang)
            found += [] if lexicon == IDENTICAL else [Path(lexicon)]
        return found + [self.resolve(value.format(lang=lang)) for key, value in self.plan.options.items()
                        if key == "translations"]  # fmt: skip

    @property
    def _needs_vectors(self) -> bool:
        return self.plan.route == "words" or self.plan.options.get("project") == "align"

    def identity(self, src: str, trg: str) -> dict[str, Any]:
        """Route, options, and what the route says of itself where that is more than files."""
        told = self._translator(src, trg).identity() if self.plan.route in ("apertium", "huggingface") else None
        return {"direction": self.plan.direction, "route": self.plan.route, "options": self.plan.options, "told": told}

    def aligner(self, src: str, trg: str) -> WordAligner:
        """Aligns words of one language with those of another, by their vectors."""
        from baselines.translation.projection import WordAligner

        words = self._words_of(src, trg)
        return WordAligner(words.src_vectors, words.trg_vectors)

    def _translator(self, src: str, trg: str) -> Translator:
        from baselines.translation.base import make_translator

        if self.plan.route == "words":
            return self._words_of(src, trg)
        if (src, trg) not in self._made:
            self._made[src, trg] = make_translator(self.plan.route, src, trg, self._options(src, trg))
        return self._made[src, trg]

    def _options(self, src: str, trg: str) -> dict[str, Any]:
        """The route's own options, for a pair of languages."""
        lang = trg if src == self.source else src
        options = {key: value for key, value in self.plan.options.items()
                   if key not in ("project", "vectors", "lexicon", "mapping")}  # fmt: skip
        if "translations" in options:
            options["translations"] = self.resolve(options["translations"].format(lang=lang))
        if "model" in options:
            options["model"] = options["model"].format(lang=lang, src=src, trg=trg)
        return options

    def _words_of(self, src: str, trg: str) -> WordTranslator:
        if (src, trg) not in self._words:
            self._words[src, trg] = self._make_words(src, trg)
        return self._words[src, trg]

    def _make_words(self, src: str, trg: str) -> WordTranslator:
        """A word-by-word translator through a mapping of source and other language."""
        from baselines.translation.words import WordSettings, WordTranslator

        lang = trg if src == self.source else src
        lexicon, vectors = self.space.seed_lexicon(lang), (self.space.vectors(self.source), self.space.vectors(lang))
        mapping = fit_method(self.plan.options.get("mapping", "vecmap"), *vectors, lexicon)
        mapped = mapping.map_src(vectors[0]), mapping.map_trg(vectors[1])
        known = {field.name for field in fields(WordSettings)}
        settings = WordSettings(**{key: value for key, value in self.plan.options.items() if key in known})
        if src == self.source:
            return WordTranslator(src, trg, *mapped, lexicon, settings)
        return WordTranslator(src, trg, *mapped[::-1], lexicon.reversed(), settings)


class TranslatedRunner:
    """Another runner, with translations before or behind it."""

    def __init__(self, inner: Runner, experiment: Experiment, system: System, resolve: Resolver, read: Reader):
        assert system.translate is not None
        self.inner, self.plan, self.source = inner, system.translate, experiment.source
        self.translations = Translations(experiment, system, resolve, read)
        self._translated: dict[tuple[Any, ...], tuple[list[Any], dict[str, Any]]] = {}
        if self.plan.route in ("apertium", "huggingface"):  # programs and models that may not be there
            for lang in self.plan.languages:
                self._towards(lang)

    @property
    def _is_test(self) -> bool:
        return self.plan.direction == "test"

    def _towards(self, lang: str) -> Translator:
        return self.translations.out_of(lang) if self._is_test else self.translations.into(lang)

    def why_not(self, lang: str) -> str | None:
        if lang != self.source and lang not in self.plan.languages:
            return "no translation"
        return self.inner.why_not(self.source if self._is_test else lang)

    def check(self, lang: str) -> None:
        self.inner.check(self.source if self._is_test else lang)
        if lang != self.source:
            self._towards(lang)

    def trained_in(self, lang: str) -> tuple[str, ...]:
        if self._is_test or lang == self.source and self.plan.direction == "train":
            return (self.source,)
        return (lang,) if self.plan.direction == "train" else (self.source, *self.plan.languages)

    def inputs(self, lang: str) -> list[Path]:
        own = self.inner.inputs(self.source if self._is_test else lang)
        return own if lang == self.source else own + self.translations.inputs(lang)

    def identity(self, lang: str) -> Any:
        inner = self.inner.identity(lang)
        if lang == self.source:
            return inner
        pair = (lang, self.source) if self._is_test else (self.source, lang)
        return {"inner": inner, "translation": self.translations.identity(*pair)}

    def model(
        self, kind: str, train: Sequence[Any], dev: Sequence[Any],
        seed: int | None, folder: Path, langs: tuple[str, ...]
    ) -> Model:  # fmt: skip
        from comparisons.systems import Model

        about: dict[str, Any] = {}
        if langs != (self.source,) and not (folder / "model.json").is_file():
            train, about = self._data(kind, train, langs)
            dev, _ = self._data(kind, dev, langs)
        inner = self.inner.model(kind, train, dev, seed, folder, langs)
        about = {"translate": {"direction": self.plan.direction, "route": self.plan.route, **about}, **inner.about}
        if not self._is_test:
            return Model(inner.predict, inner.cost, about)
        return Model(lambda items, lang: self._predict(kind, items, lang, inner.predict), inner.cost, about)

    # ---- translate-train

    def _data(self, kind: str, items: Sequence[Any], langs: tuple[str, ...]) -> tuple[list[Any], dict[str, Any]]:
        """The items in each of the languages, one after the other, and how many were lost on the way."""
        found: list[Any] = []
        lost: dict[str, Any] = {}
        for lang in langs:
            translated, told = (list(items), {}) if lang == self.source else self._in_language(kind, items, lang)
            found += translated
            lost |= {lang: told} if told else {}
        return found, lost

    def _in_language(self, kind: str, items: Sequence[Any], lang: str) -> tuple[list[Any], dict[str, Any]]:
        """Translated items with their labels; several seeds ask for the same."""
        key = (kind, lang, gold_hash(items))
        if key not in self._translated:
            begin = time.perf_counter()
            translated, told = self._translate(kind, items, lang)
            if not translated:
                raise InputError(f"translate: no item came through into {lang}")
            told["seconds"] = round(time.perf_counter() - begin, 2)
            say(f"  {len(translated)} of {len(items)} items translated into {lang}, {told['seconds']:.0f} s")
            self._translated[key] = in_language(translated, lang), told
        return self._translated[key]

    def _translate(self, kind: str, items: Sequence[Any], lang: str) -> tuple[list[Any], dict[str, Any]]:
        from baselines.translation.base import translate_items
        from baselines.translation.projection import translate_tagged

        translator = self.translations.into(lang)
        if kind not in TAGGING:
            return translate_items(items, translator), {}
        if self.plan.route == "words":
            words = cast("WordTranslator", translator)
            translated, coverage = words.translate_tagged(items), words.coverage(items)
            return translated, {"translated": round(coverage.share("lexicon", "nearest", "parts"), 1)}
        if kind != "ner":
            raise InputError("translate: tags of every word are kept by the route words alone")
        project = self.plan.options.get("project", "markers")
        aligner = self.translations.aligner(self.source, lang) if project == "align" else None
        found = translate_tagged(items, translator, project, aligner)
        return found.sentences, {"lost_sentences": found.n_lost, "lost_entities": found.n_entities_lost}

    # ---- translate-test

    def _predict(
        self, kind: str, items: Sequence[Any], lang: str, predict: Callable[[Sequence[Any], str], list[Any]]
    ) -> list[Any]:
        """Predictions for items in a language, made on their translations."""
        from baselines.translation.base import translate_items

        if lang == self.source:
            return predict(items, lang)
        translator = self.translations.out_of(lang)
        if kind not in TAGGING:
            return predict(in_language(translate_items(items, translator), self.source), self.source)
        if self.plan.route == "words":
            words = cast("WordTranslator", translator)
            return predict(in_language(words.translate_tagged(items), self.source), self.source)
        return self._predict_tags(items, lang, translator, predict)

    def _predict_tags(
        self, items: Sequence[TaggedSentence], lang: str, translator: Translator, predict: Callable[..., Any]
    ) -> list[list[str]]:
        """Tags of the English words, brought back to the words that they translate."""
        from baselines.translation.base import translate_distinct
        from baselines.translation.projection import bring_back, join_words

        texts = translate_distinct([join_words(item.words) for item in items], translator)
        english = [TaggedSentence(tuple(tokenize(text, self.source)), lang=self.source) for text in texts]
        aligner = self.translations.aligner(lang, self.source)
        predicted = predict(english, self.source)
        return [bring_back(tags, aligner.align(item.words, translated.words), len(item.words))
                for item, translated, tags in zip(items, english, predicted, strict=True)]
