"""Sections on what stands behind the scores: readings and types, buckets, confusions, examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from comparisons.details import MISSED, SPURIOUS
from comparisons.report.base import ABSENT, Section, Table
from comparisons.report.detail_views import VIEWS, View

N_ERRORS = 8  # columns of a table of confusions
N_SHOWN = 2  # examples of each direction; summary.json has more
FEW = " (few)"


@dataclass(frozen=True)
class Group:
    """Systems that ran on the same languages: figures side by side are comparable."""

    langs: tuple[str, ...]
    systems: list[str]

    @property
    def name(self) -> str:
        return ("mean of " if len(self.langs) > 1 else "") + ", ".join(self.langs)


Picked = Callable[[dict[str, Any], str | None], Sequence[float | None]]  # details, system (None: n) -> a row


def sections_for(details: dict[str, dict[str, Any]], task: dict[str, Any], source: str) -> list[Section]:
    """Sections of one task: `details` has `details_of` by language, `task` is that of summary.json.

    Figures are those of the source language, and means over the targets that a system ran on.
    """
    details = {lang: details[lang] for lang in task["languages"] if lang in details}
    if not details:
        return []
    name, kind = task["name"], task["kind"]
    found = [_modes(name, details, source)] if kind == "ner" else []
    found += [section for view in VIEWS[kind] for section in _bucket_section(name, view, details, source)]
    found[0] = replace(found[0], paragraphs=[*found[0].paragraphs, _READING])
    return [*found, *_confusions(name, details, source), *_examples(name, details, source)]


_READING = ("Here and below: figures are means over seeds in percent. Those of several languages are the mean of the "
            "languages' figures, of the languages that have such items. Systems under one row of numbers ran on the "
            "same languages.")  # fmt: skip


# ---- tables with a row a system


def _groups(details: dict[str, dict[str, Any]], source: str) -> Iterator[Group]:
    """The source language first, then one group for each set of targets, in the order of the systems."""
    if source in details:
        yield Group((source,), details[source]["systems"])
    ran: dict[tuple[str, ...], list[str]] = {}
    for system in dict.fromkeys(system for one in details.values() for system in one["systems"]):
        langs = tuple(lang for lang in details if lang != source and system in details[lang]["systems"])
        ran.setdefault(langs, []).append(system)
    for langs, systems in ran.items():
        if langs:
            yield Group(langs, systems)


def _table(
    details: dict[str, dict[str, Any]], source: str, header: list[str], pick: Picked, n_metrics: int = 1
) -> Table:
    """A row of numbers of units, then the group's systems. `pick` gives n_metrics figures for each column in turn."""
    units, rows = next(iter(details.values()))["units"], []
    for group in _groups(details, source):
        numbers = zip(*(pick(details[lang], None) for lang in group.langs), strict=True)
        rows.append([f"(number of {units})", ", ".join(group.langs), *[_number(ns, details) for ns in numbers]])
        for system in group.systems:
            columns = zip(*(pick(details[lang], system) for lang in group.langs), strict=True)
            figures = [_mean_text(values) for values in columns]
            cells = [" / ".join(figures[i : i + n_metrics]) for i in range(0, len(figures), n_metrics)]
            rows.append([system, group.name, *[ABSENT if ABSENT in cell else cell for cell in cells]])
    return Table(["system", "languages", *header], rows)


def _number(numbers: Sequence[int], details: dict[str, dict[str, Any]]) -> str:
    """Units of all languages together; marked where one language has few."""
    few = next(iter(details.values()))["few"]
    return f"{sum(numbers):,}" + (FEW if min(numbers) < few else "")


def _few_note(table: Table, details: dict[str, dict[str, Any]]) -> str:
    """What the mark means, under a table that has it."""
    if not any(cell.endswith(FEW) for row in table.rows for cell in row):
        return ""
    return f"Few: fewer than {next(iter(details.values()))['few']} in a language, too few to read much into."


def _mean_text(values: Sequence[float | None]) -> str:
    there = [value for value in values if value is not None]
    return f"{sum(there) / len(there):.1f}" if there else ABSENT


# ---- readings and buckets


def _modes(name: str, details: dict[str, dict[str, Any]], source: str) -> Section:
    types = list(dict.fromkeys(label for one in details.values() for label in one["types"]["labels"]))

    def pick(one: dict[str, Any], system: str | None) -> list[float | None]:
        n = dict(zip(one["types"]["labels"], one["types"]["n"], strict=True))
        if system is None:
            return [sum(n.values())] * 3 + [n.get(label, 0) for label in types]
        modes = one["modes"][system]
        by_type = dict(zip(one["types"]["labels"], modes["default"]["f1"][1:], strict=True))
        over_all = [modes[mode]["f1"][0] for mode in ("default", "strict", "boundaries")]
        return over_all + [by_type.get(label) for label in types]

    table = _table(details, source, ["default", "strict", "boundaries", *types], pick)
    return Section(
        f"{name}: readings of the tags, and entity types",
        ["Span F1. *Default*: an I- tag that follows nothing of its type opens an entity (the figure of the other "
         "tables). *Strict*: such a tag is no entity; where this is much lower, a system writes tags that are not "
         "valid. *Boundaries*: the type does not count; what lies between this and the default figure are entities "
         "found with the wrong type. Then the default figure of each type."],
        table,
        _few_note(table, details),
    )  # fmt: skip


def _bucket_section(name: str, view: View, details: dict[str, dict[str, Any]], source: str) -> Iterator[Section]:
    """The section of a view over the languages that have its buckets; none where no language has."""
    first = next(iter(view.headers))
    details = {lang: one for lang, one in details.items() if first in one["buckets"]}
    if not details:
        return
    columns = {(bucketing, label): text.format(label) for bucketing, text in view.headers.items()
               for one in details.values() for label in one["buckets"][bucketing]["labels"]
               if (bucketing, label) != ("entity frequency", "0")}  # that is: unseen  # fmt: skip

    def pick(one: dict[str, Any], system: str | None) -> list[float | None]:
        values: list[float | None] = []
        for bucketing, label in columns:
            part = one["buckets"][bucketing]
            rows = [part["n"]] if system is None else [part["figures"][system][metric] for metric in view.metrics]
            there = label in part["labels"]
            absent = 0 if system is None else None
            values += [row[part["labels"].index(label)] if there else absent for row in rows]
        return values

    table = _table(details, source, list(columns.values()), pick, len(view.metrics))
    yield Section(f"{name}: {view.heading}", [view.text], table, _few_note(table, details))


# ---- confusions


def _confusions(name: str, details: dict[str, dict[str, Any]], source: str) -> Iterator[Section]:
    """The most frequent errors, as shares of the gold label; spurious entities as shares of the gold of their type."""
    totals: dict[tuple[str, str], float] = {}
    for one in details.values():
        for system in _deciding(one) or one["systems"]:
            for error, count in _errors(one, system).items():
                totals[error] = totals.get(error, 0) + count
    frequent = sorted(totals, key=lambda error: -totals[error])[:N_ERRORS]
    columns = [error for error in totals if error in frequent and totals[error] > 0]
    if not columns:
        return

    def pick(one: dict[str, Any], system: str | None) -> list[float | None]:
        n = _gold_numbers(one)
        labels = [_judged(error) for error in columns]
        if system is None:
            return [round(n.get(label, 0)) for label in labels]
        counts = _errors(one, system)
        return [100 * counts.get(error, 0) / n[label] if n.get(label) else None
                for error, label in zip(columns, labels, strict=True)]  # fmt: skip

    units = next(iter(details.values()))["units"]
    text = (f"The most frequent errors: of 100 {units} that are, by gold, what stands before the arrow, how many got "
            "what stands after it. All counts are in summary.json.")  # fmt: skip
    if units == "entities":
        text += (" Types are compared where the boundaries are right. *Missed*: no predicted entity has these "
                 "boundaries; *spurious*: a predicted entity whose boundaries no gold entity has, for 100 gold "
                 "entities of its type. An entity found with wrong boundaries is both.")  # fmt: skip
    table = _table(details, source, [" → ".join(error) for error in columns], pick)
    yield Section(f"{name}: confusions", [text], table, _few_note(table, details))


def _deciding(one: dict[str, Any]) -> list[str]:
    """The systems that give more than one label: a floor's errors would come first, and say nothing."""
    confusion = one["confusion"]
    found = []
    for system in one["systems"]:
        columns = zip(*confusion["counts"][system], strict=True)
        given = {label for label, column in zip(confusion["predicted"], columns, strict=True) if any(column)}
        if len(given - {MISSED}) > 1:
            found.append(system)
    return found


def _errors(one: dict[str, Any], system: str) -> dict[tuple[str, str], float]:
    """(gold, predicted) -> mean count over seeds, the wrong ones alone."""
    confusion = one["confusion"]
    rows = zip(confusion["gold"], confusion["counts"][system], strict=True)
    return {(gold, predicted): count for gold, row in rows
            for predicted, count in zip(confusion["predicted"], row, strict=True) if gold != predicted}  # fmt: skip


def _gold_numbers(one: dict[str, Any]) -> dict[str, float]:
    """Units of each gold label; they are the same with every system."""
    confusion = one["confusion"]
    return dict(zip(confusion["gold"], map(sum, confusion["counts"][one["systems"][0]]), strict=True))


def _judged(error: tuple[str, str]) -> str:
    """The label whose number an error is a share of."""
    return error[1] if error[0] == SPURIOUS else error[0]


# ---- examples


def _examples(name: str, details: dict[str, dict[str, Any]], source: str) -> Iterator[Section]:
    """Examples of one language: the first target that has some, else the source."""
    order = [lang for lang in details if lang != source] + [source]
    lang = next((lang for lang in order if lang in details and _example_rows(details[lang])), None)
    if lang is None:
        return
    shown = {"entities": "those entities that are not alike in all three, with the first two seeds that differ",
             "words": "the words that one of the two has wrong, with the first two seeds that differ"}
    yield Section(
        f"{name}: where two systems differ most ({lang})",
        [f"For every two systems that follow one another, up to {N_SHOWN} test items in which the one is furthest "
         "ahead of the other by its errors, and the other way round; of items alike in this, some at even distances. "
         "Systems that give one label only are left out. "
         f"Shown: the text, the gold, and both answers: {shown.get(details[lang]['units'], 'labels, of all seeds')}. "
         "More of them, in every language, are in summary.json. They show the kind of difference, not how frequent "
         "it is."],
        Table(["better / worse", "text", "gold", "better", "worse"], _example_rows(details[lang])),
    )  # fmt: skip


def _example_rows(one: dict[str, Any]) -> list[list[str]]:
    deciding = _deciding(one)
    return [[f"{pair['better']} / {pair['worse']}", *[item[key] for key in ("text", "gold", "answer", "other")]]
            for pair in one["examples"] if pair["better"] in deciding and pair["worse"] in deciding
            for item in pair["items"][:N_SHOWN]]  # fmt: skip
