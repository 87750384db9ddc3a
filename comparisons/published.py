"""Published results, each with its protocol, to stand beside ours; the figures are those of published.csv.

A row of the file is one figure: task, system, setting, language, value, metric, selection, source, reading. `reading`
is primary (read in the paper's or repository's own table) or secondary (a transcription). What a row does not say of
itself, but is known of its data set and its encoder, stands here once: training data, size, sets of languages.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field, replace
from importlib import resources

from comparisons.registry import EncoderFacts, facts_of
from xlembed.errors import InputError

SOURCE = "en"  # the language with labels in every published row


@dataclass(frozen=True)
class Training:
    """Labelled English data that published systems of a task are trained on."""

    name: str
    n: int
    unit: str


TRAINING = {
    "xnli": Training("MultiNLI", 392_702, "pairs"),
    "wikiann": Training("WikiAnn English", 20_000, "sentences"),
    "conll": Training("CoNLL-2003 English", 14_041, "sentences"),
}
LANGUAGE_SETS = {
    ("xnli", "avg15"): "ar bg de el en es fr hi ru sw th tr ur vi zh".split(),
    ("conll", "avg4"): "de en es nl".split(),
    ("wikiann", "avg40"): (
        "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw ta te th tl tr "
        "ur vi yo zh".split()
    ),
    ("wikiann", "avg48"): (
        "af ar az bg bn de el en es et eu fa fi fr gu he hi hu id it ja jv ka kk ko lt ml mr ms my nl pa pl pt qu ro "
        "ru sw ta te th tl tr uk ur vi yo zh".split()
    ),
}
WORD_BY_WORD = "static aligned embeddings + word translation + BiLSTM-CRF"  # its training data is translated
_ENCODERS = {
    "mBERT": "mbert", "XLM-15 (MLM)": "xlm-15-mlm", "XLM-15 (MLM+TLM)": "xlm-15", "XLM-100": "xlm-100",
    "XLM-100 (row A)": "xlm-100", "XLM-R Base": "xlm-r-base", "XLM-R Large": "xlm-r-large",
}  # fmt: skip
_KEY = ("task", "system", "setting", "metric", "selection", "source", "reading")


@dataclass(frozen=True)
class PublishedRow:
    """One system's published figures on a task, language -> value as printed, and how they came about."""

    task: str
    system: str
    setting: str
    metric: str
    selection: str
    source: str
    reading: str
    values: dict[str, str]
    averages: dict[str, str] = field(default_factory=dict)  # as printed: avg15, avg40, avg48, overall

    @property
    def way(self) -> str:
        """zero-shot, translate-test, translate-train or translate-train-all."""
        return self.setting.partition(" ")[0]

    @property
    def n_seeds(self) -> int | None:
        """Over how many seeds the figures are means, None where the source does not tell."""
        found = re.search(r"(\d+) seeds", self.selection)
        return int(found[1]) if found else None

    @property
    def encoder(self) -> EncoderFacts | None:
        """The encoder that was fine-tuned, None where there is none or its checkpoint is not told."""
        return facts_of(_ENCODERS[self.system]) if self.system in _ENCODERS else None


@dataclass(frozen=True)
class Average:
    """The mean over a named set of languages, of the row's own figures and as printed."""

    name: str
    n_languages: int
    with_source: float | None  # None where not every language of the set is there
    without_source: float | None
    printed: str | None


def read_published() -> list[PublishedRow]:
    """Every row, figures grouped by system, setting, selection and source, so that no row mixes protocols."""
    text = (resources.files("comparisons") / "published.csv").read_text(encoding="utf-8")
    groups: dict[tuple[str, ...], tuple[dict[str, str], dict[str, str]]] = {}
    for record in csv.DictReader(text.splitlines()):
        values, averages = groups.setdefault(tuple(record[name] for name in _KEY), ({}, {}))
        is_average = record["language"].startswith("avg") or record["language"] == "overall"
        (averages if is_average else values)[record["language"]] = record["value"]
    return [PublishedRow(**dict(zip(_KEY, key, strict=True)), values=values, averages=averages)
            for key, (values, averages) in groups.items()]  # fmt: skip


def published_rows(task: str, languages: list[str], setting_prefix: str = "zero-shot") -> list[PublishedRow]:
    """Rows of a task that have a figure for one of the languages; `values` holds these languages alone.

    Raises InputError for a task that published.csv does not have.
    """
    return [row for row in rows_of_task(task, languages) if row.values and row.setting.startswith(setting_prefix)]


def rows_of_task(task: str, languages: list[str]) -> list[PublishedRow]:
    """All rows of a task, those with nothing but averages too; `values` holds these languages alone."""
    rows = read_published()
    tasks = sorted({row.task for row in rows})
    if task not in tasks:
        raise InputError(f"published = {task!r}: there are figures for {', '.join(tasks)}")
    return [replace(row, values={lang: row.values[lang] for lang in languages if lang in row.values})
            for row in rows if row.task == task]  # fmt: skip


def find_reference(rows: list[PublishedRow], system: str) -> PublishedRow:
    """The first row of a system, or InputError with the systems that there are."""
    for row in rows:
        if row.system == system:
            return row
    known = ", ".join(dict.fromkeys(row.system for row in rows)) or "none in these languages"
    raise InputError(f"reference = {system!r}: published figures are of {known}")


def averages_of(row: PublishedRow) -> list[Average]:
    """Means over the task's sets of languages, of sets that are all there (English aside for the second mean)."""
    found = [_average(row, name, languages) for (task, name), languages in LANGUAGE_SETS.items() if task == row.task]
    return [one for one in found if one.without_source is not None or one.printed is not None]


def _average(row: PublishedRow, name: str, languages: list[str]) -> Average:
    targets = [lang for lang in languages if lang != SOURCE]
    return Average(name, len(languages), _mean(row, languages), _mean(row, targets), row.averages.get(name))


def _mean(row: PublishedRow, languages: list[str]) -> float | None:
    """None where a language is missing: a mean over what happens to be there compares with nothing."""
    if not all(lang in row.values for lang in languages):
        return None
    return sum(float(row.values[lang]) for lang in languages) / len(languages)
