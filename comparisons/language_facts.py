"""Facts about the languages of a run that might say why transfer to one is harder than to another.

Some are known beforehand (typology.csv), others are measured on what a system reads: its subwords or its vectors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines.corpora import Item, read_items, texts_of
from comparisons.experiment import System, Task, read_parts
from comparisons.subwords import WordEncoder
from comparisons.systems import EncoderRunner, StaticRunner
from comparisons.typology import distance, language
from xlembed.errors import InputError
from xlembed.isometry import isometry
from xlembed.progress import say

if TYPE_CHECKING:
    from comparisons.executor import Run

MOST_ITEMS = 20_000  # of the training data, for subwords
ISOMETRY_WORDS = 2_000
OF_SPACES = ("relational_similarity", "eigenvector_similarity", "gromov_hausdorff")

Facts = dict[str, float | None]


def known_facts(source: str, lang: str) -> dict[str, Any]:
    """What the table says of a language, beside the source language; None for what it does not know."""
    src, trg = language(source), language(lang)
    apart = distance(src, trg) if src and trg else None
    return {
        "lang": lang,
        "name": trg and trg.name,
        "family": trg and trg.family,
        "branch": trg and trg.branch,
        "script": trg and trg.script,
        "word_order": trg and trg.word_order,
        "same_script": float(src.script == trg.script) if src and trg else None,
        "distance": apart and apart.value,
        "n_features": apart.n_features if apart else 0,
        "cc100_gib": trg and trg.cc100_gib,
        "wikipedia_mb": trg and trg.wikipedia_mb,
    }


@dataclass(frozen=True)
class SubwordOverlap:
    """Percent of a text's subwords that another text has too: of all, and of the different ones."""

    tokens: float
    types: float


def subword_overlap(used: Counter[int], known: Iterable[int]) -> SubwordOverlap | None:
    """The overlap of a text's subword counts with the subwords of another; None for a text without subwords."""
    if not used:
        return None
    shared = used.keys() & set(known)
    return SubwordOverlap(100 * sum(used[piece] for piece in shared) / used.total(), 100 * len(shared) / len(used))


def subwords_of(encode: WordEncoder, items: Sequence[Item]) -> Counter[int]:
    """How often each subword id occurs in the items, cut as the encoder is fed: by word, or by text."""
    texts = [text for item in items for text in texts_of(item)]
    parts = [word for words in texts for word in words] if isinstance(texts[0], list) else texts
    return Counter(piece for pieces in encode(parts) for piece in pieces)


class Measured:
    """The measured facts of a run; what several systems or languages have in common is computed once."""

    def __init__(self, run: Run, bli: Sequence[dict[str, Any]]):
        self.run, self.source = run, run.experiment.source
        systems = {one.name: one for one in run.experiment.systems}
        self._precision = {(_space(systems[one["system"]]), one["lang"]): one["scores"]["P@1"]
                           for one in bli if one["retrieval"] == "csls"}  # fmt: skip
        self._isometry: dict[tuple[Any, ...], Facts] = {}
        self._encode: dict[Path, WordEncoder] = {}
        self._subwords: dict[tuple[Path, str], set[int]] = {}  # of the training data
        self._overlap: dict[tuple[Path, str, str], Facts] = {}

    def facts(self, system: System, task: Task, lang: str) -> Facts:
        """Facts of a language for a system that is trained on the source alone; none for any other."""
        runner = self.run.runners.get(system.name)
        if isinstance(runner, StaticRunner):
            return {"bli_p1": self._precision.get((_space(system), lang)), **self._isometry_of(runner, lang)}
        return self._overlap_of(runner, task, lang) if isinstance(runner, EncoderRunner) else {}

    def _isometry_of(self, runner: StaticRunner, lang: str) -> Facts:
        key = (*_space(runner.system), lang)
        if key not in self._isometry:
            space = runner.space
            try:
                found = isometry(space.vectors(self.source), space.vectors(lang), space.seed_lexicon(lang),
                                 n=ISOMETRY_WORDS)  # fmt: skip
                told = {name: getattr(found, name) for name in OF_SPACES}
            except InputError as err:
                say(f"no isometry of {self.source} and {lang}: {err}")
                told = {}
            self._isometry[key] = told
        return self._isometry[key]

    def _overlap_of(self, runner: EncoderRunner, task: Task, lang: str) -> Facts:
        folder = runner.encoder.folder
        if (folder, task.name, lang) not in self._overlap:
            encode = self._encoder(runner)
            items = read_items(task.kind, self.run.resolve(task.test_file(lang)), lang)
            found = subword_overlap(subwords_of(encode, items), self._known(encode, folder, task))
            self._overlap[folder, task.name, lang] = {
                "subword_tokens": found.tokens if found else None,
                "subword_types": found.types if found else None,
            }
        return self._overlap[folder, task.name, lang]

    def _encoder(self, runner: EncoderRunner) -> WordEncoder:
        from comparisons.loading import load_tokenizer

        folder = runner.encoder.folder
        if folder not in self._encode:
            self._encode[folder] = WordEncoder(load_tokenizer(runner.encoder))
        return self._encode[folder]

    def _known(self, encode: WordEncoder, folder: Path, task: Task) -> set[int]:
        if (folder, task.name) not in self._subwords:
            train = read_parts(task.kind, task.train, self.source, self.run.resolve)[:MOST_ITEMS]
            self._subwords[folder, task.name] = set(subwords_of(encode, train))
        return self._subwords[folder, task.name]


def _space(system: System) -> tuple[Any, ...]:
    """What tells the mapped space of a static system from others."""
    return system.vectors, system.lexicon, system.mapping, system.n_words
