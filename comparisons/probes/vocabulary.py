"""An encoder's vocabulary by language: how finely it cuts words, and what languages share of it.

Fertility and the share of continued words as Ács (2019, "Exploring BERT's vocabulary") and Rust et al. (2021, "How good
is your tokenizer?") have them; overlap of used subword types as Pires et al. (2019, section 3.1). Beside them, where
there is a finished comparison, how far its encoders fall from the source language to each other one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from baselines.corpora import TAGGING, read_items, texts_of
from comparisons.probes.base import ABSENT, ProbeTable, probe_json, two_letters
from comparisons.probes.contexts import read_lines
from xlembed.errors import InputError
from xlembed.tokenize import tokenize

MOST_WORDS = 100_000
MEASURES = ("fertility", "continued", "unknown", "jaccard", "covered")
MEASURE_NAMES = {
    "fertility": "subwords a word",
    "continued": "continued words (%)",
    "unknown": "words with [unk] (%)",
    "jaccard": "types shared with the source (Jaccard, %)",
    "covered": "tokens whose type the source uses (%)",
}
OF_WORDS = ("fertility", "continued", "unknown")
UNSPACED = frozenset({"zh", "cmn", "yue", "ja", "th", "lo", "km", "my", "bo"})  # words are not told apart in writing
FEW = 10  # points below which a correlation is said to be of few

Cut = Callable[[Sequence[str]], list[list[int]]]  # subword ids of each word


@dataclass(frozen=True)
class LanguageVocabulary:
    """One language's words through the encoder's tokenizer; jaccard and covered are against the source."""

    lang: str
    n_words: int
    n_subwords: int
    n_types: int  # different subwords used
    fertility: float  # subwords a word
    continued: float  # percent of words of two subwords or more
    unknown: float  # percent of words with the unknown token
    jaccard: float  # percent: types used in both / in either
    covered: float  # percent of this language's subwords whose type the source uses as well


@dataclass(frozen=True)
class Overlap:
    """Subword types that two languages share."""

    first: str
    second: str
    jaccard: float  # percent: types used in both / in either
    first_covered: float  # percent of the first's subwords whose type the second uses
    second_covered: float


@dataclass(frozen=True)
class TransferGap:
    """A system's figure for the source minus that for a language, in points."""

    task: str
    system: str
    lang: str
    gap: float


@dataclass(frozen=True)
class Correlation:
    """Of one measure with the transfer gap of one system on one task, over languages."""

    task: str
    system: str
    measure: str
    n: int
    pearson: float | None  # None where a side does not vary
    spearman: float | None
    least: float | None  # |r| from which a Pearson correlation of n points is told apart from 0 (5 %, two-sided)


@dataclass(frozen=True)
class VocabularyProbe:
    """Measures by language, the source first; overlaps of all pairs; gaps and correlations where a run was given."""

    encoder: str
    source: str
    n_vocabulary: int
    languages: list[LanguageVocabulary]
    overlaps: list[Overlap]
    gaps: list[TransferGap]
    correlations: list[Correlation]

    def as_json(self) -> dict[str, Any]:
        return probe_json("vocabulary", asdict(self))


# ---- reading


def read_words(path: str | Path, lang: str | None, kind: str = "text") -> list[str]:
    """The first 100,000 words of a corpus (a text a line; .gz, .xz too) or a task file (kind ner, pos, nli, topic)."""
    code = two_letters(lang)
    if kind == "text":
        words = chain.from_iterable(read_lines(path, code))
    else:
        texts = (text for item in read_items(kind, path, lang) for text in texts_of(item))
        words = chain.from_iterable(texts if kind in TAGGING else (tokenize(text, code) for text in texts))
    return list(islice(words, MOST_WORDS))


def gaps_of(summary: Mapping[str, Any], systems: Sequence[str] = ()) -> list[TransferGap]:
    """The transfer gaps of a run's encoder systems (of those named, where some are). Raises InputError for none."""
    encoders = [one["name"] for one in summary["experiment"]["systems"] if one["type"] == "encoder"]
    for name in systems:
        if name not in encoders:
            raise InputError(f"the run has no encoder system {name!r}; it has: {', '.join(encoders) or 'none'}")
    wanted = list(systems) or encoders
    if not wanted:
        raise InputError("the run has no system of type encoder, so there is no transfer gap to set beside the words")
    return [
        TransferGap(one["task"], one["system"], one["lang"], one["figure"]["value"])
        for one in summary["gaps"]
        if one["system"] in wanted
    ]


# ---- measuring


def probe_vocabulary(
    cut: Cut,
    words: Mapping[str, Sequence[str]],
    unknown: int | None,
    encoder: str = "encoder",
    n_vocabulary: int = 0,
    gaps: Iterable[TransferGap] = (),
    n_words: int | None = None,
) -> VocabularyProbe:
    """Measure the first language's words, the source, and the others', as many words of each.

    cut: subword ids of words. unknown: id of the unknown token. n_words: words of each language (as many as the
    smallest has for None), since longer texts use more types. Raises InputError for languages with fewer or no words.
    """
    n_words = _equal(words, n_words)
    pieces = {lang: cut(list(one[:n_words])) for lang, one in words.items()}
    counts = {lang: Counter(piece for one in found for piece in one) for lang, found in pieces.items()}
    source = next(iter(words))
    languages = [_language(lang, found, counts[lang], counts[source], unknown) for lang, found in pieces.items()]
    known = {one.lang for one in languages}
    gaps = [gap for gap in gaps if gap.lang in known]
    return VocabularyProbe(
        encoder, source, n_vocabulary, languages, _overlaps(counts), gaps, list(_correlations(languages, gaps))
    )


def _equal(words: Mapping[str, Sequence[str]], n_words: int | None) -> int:
    if not words:
        raise InputError("no texts are given")
    smallest, least = min(((lang, len(one)) for lang, one in words.items()), key=lambda pair: pair[1])
    if not least:
        raise InputError(f"{smallest}: holds no words")
    if n_words is not None and n_words > least:
        raise InputError(f"{smallest} has {least:,} words, {n_words:,} were asked for: give more text or fewer --words")
    return n_words or least


def _language(
    lang: str, pieces: list[list[int]], counts: Counter[int], source: Counter[int], unknown: int | None
) -> LanguageVocabulary:
    n_words = len(pieces)
    return LanguageVocabulary(
        lang=lang,
        n_words=n_words,
        n_subwords=counts.total(),
        n_types=len(counts),
        fertility=counts.total() / n_words,
        continued=100 * sum(len(one) > 1 for one in pieces) / n_words,
        unknown=100 * sum(unknown in one for one in pieces) / n_words,
        jaccard=_jaccard(counts, source),
        covered=_covered(counts, source),
    )


def _jaccard(first: Counter[int], second: Counter[int]) -> float:
    return 100 * len(first.keys() & second.keys()) / len(first.keys() | second.keys())


def _covered(counts: Counter[int], others: Counter[int]) -> float:
    return 100 * sum(n for piece, n in counts.items() if piece in others) / counts.total()


def _overlaps(counts: Mapping[str, Counter[int]]) -> list[Overlap]:
    languages = list(counts)
    return [
        Overlap(
            first, second, _jaccard(counts[first], counts[second]),
            _covered(counts[first], counts[second]), _covered(counts[second], counts[first]),
        )
        for i, first in enumerate(languages)
        for second in languages[i + 1 :]
    ]  # fmt: skip


def _correlations(languages: Sequence[LanguageVocabulary], gaps: Sequence[TransferGap]) -> Iterable[Correlation]:
    """For each task, system and measure, over the languages that have a gap; three points at least.

    Measures of words leave out languages that write no spaces: there a "word" is a run of letters.
    """
    by_lang = {one.lang: one for one in languages}
    groups: dict[tuple[str, str], list[TransferGap]] = {}
    for gap in gaps:
        groups.setdefault((gap.task, gap.system), []).append(gap)
    for (task, system), group in groups.items():
        for measure in MEASURES:
            points = [(getattr(by_lang[gap.lang], measure), gap.gap) for gap in group
                      if measure not in OF_WORDS or two_letters(gap.lang) not in UNSPACED]  # fmt: skip
            if len(points) >= 3:
                yield correlation(task, system, measure, *zip(*points, strict=True))


def correlation(task: str, system: str, measure: str, first: Sequence[float], second: Sequence[float]) -> Correlation:
    """Pearson's r and Spearman's rho of two rows of n >= 3 numbers."""
    from scipy.stats import pearsonr, spearmanr, t

    n = len(first)
    varies = np.ptp(first) > 0 and np.ptp(second) > 0
    quantile = t.ppf(0.975, n - 2)
    return Correlation(
        task, system, measure, n,
        pearson=float(pearsonr(first, second).statistic) if varies else None,
        spearman=float(spearmanr(first, second).statistic) if varies else None,
        least=float(quantile / np.sqrt(n - 2 + quantile**2)),
    )  # fmt: skip


# ---- what is shown


def tables(found: Mapping[str, Any]) -> list[ProbeTable]:
    """Of a probe's JSON: measures by language with gaps, overlaps of pairs, and correlations."""
    shown = [_measures(found)]
    if len(found["overlaps"]) > 1:
        shown += [_matrix(found, "types in both / in either (%)", "jaccard", "jaccard"),
                  _matrix(found, "tokens of the row's language whose type the column's uses (%)",
                          "first_covered", "second_covered")]  # fmt: skip
    if found["correlations"]:
        shown.append(_correlated(found))
    return shown


def notes(found: Mapping[str, Any]) -> list[str]:
    """What to know when one reads the tables."""
    told = [
        f"The first {found['languages'][0]['n_words']:,} words of each language. *Continued*: of two subwords or more. "
        f"Overlap counts the subword types that were used, of {found['n_vocabulary']:,} in the vocabulary."
    ]
    unspaced = [one["lang"] for one in found["languages"] if two_letters(one["lang"]) in UNSPACED]
    if unspaced:
        told.append(f"{', '.join(unspaced)}: written without spaces, so that a \"word\" here is a run of letters and "
                    "the columns on words do not compare with other languages'; correlations leave them out there.")
    if found["gaps"]:
        told.append(f"Transfer gap: the system's figure for {found['source']} minus that for the language, in points.")
    if found["correlations"]:
        n = [one["n"] for one in found["correlations"]]
        few = f"**Few points** ({min(n)} to {max(n)} languages): " if min(n) < FEW else ""
        told.append(f"{few}the last column is the size of r from which a correlation of so few languages is told apart "
                    "from 0 (5 %, two-sided), one measure looked at; five were. Languages also differ in script, "
                    "kinship and training data, so a correlation names no cause.")  # fmt: skip
    return told


def _measures(found: Mapping[str, Any]) -> ProbeTable:
    systems = list(dict.fromkeys((gap["task"], gap["system"]) for gap in found["gaps"]))
    gaps = {(gap["task"], gap["system"], gap["lang"]): gap["gap"] for gap in found["gaps"]}
    rows = []
    for one in found["languages"]:
        is_source = one["lang"] == found["source"]
        rows.append([
            f"{one['lang']} (source)" if is_source else one["lang"],
            f"{one['fertility']:.2f}", f"{one['continued']:.1f}", f"{one['unknown']:.2f}", f"{one['n_types']:,}",
            *(ABSENT if is_source else f"{one[name]:.1f}" for name in ("jaccard", "covered")),
            *(f"{gaps[*system, one['lang']]:.1f}" if (*system, one["lang"]) in gaps else ABSENT for system in systems),
        ])  # fmt: skip
    names = [MEASURE_NAMES[name] for name in MEASURES]
    return ProbeTable(
        f"{found['encoder']}: vocabulary by language",
        ["language", *names[:3], "types used", *names[3:], *(f"gap, {task}, {system}" for task, system in systems)],
        rows,
    )


def _matrix(found: Mapping[str, Any], what: str, of_first: str, of_second: str) -> ProbeTable:
    """A measure of pairs of languages, that of the first by row and that of the second by column."""
    cells = {(one["first"], one["second"]): one[of_first] for one in found["overlaps"]}
    cells |= {(one["second"], one["first"]): one[of_second] for one in found["overlaps"]}
    languages = [one["lang"] for one in found["languages"]]
    rows = [[lang, *(f"{cells[lang, other]:.1f}" if lang != other else ABSENT for other in languages)]
            for lang in languages]  # fmt: skip
    return ProbeTable(f"{found['encoder']}: subwords shared, {what}", ["", *languages], rows)


def _correlated(found: Mapping[str, Any]) -> ProbeTable:
    def shown(value: float | None) -> str:
        return ABSENT if value is None else f"{value:+.2f}"

    rows = [
        [one["task"], one["system"], MEASURE_NAMES[one["measure"]], str(one["n"]), shown(one["pearson"]),
         shown(one["spearman"]), f"{one['least']:.2f}"]
        for one in found["correlations"]
    ]  # fmt: skip
    return ProbeTable(
        f"{found['encoder']}: correlation with the transfer gap",
        ["task", "system", "measure", "languages", "Pearson r", "Spearman ρ", "|r| told apart from 0"],
        rows,
    )
