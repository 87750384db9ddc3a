"""`xlembed published`: the table of published figures, and what is often said of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xlembed.errors import InputError
from xlembed.options import AsJson, print_json

if TYPE_CHECKING:
    from comparisons.claims import Claim
    from comparisons.published import Average, PublishedRow

HEADER = ["task", "system", "setting", "figures", "averages", "protocol", "source", "reading"]
CLAIM_HEADER = ["claim", "verdict", "what the sources say", "source", "try it"]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("published")(published)


def published(
    task: Annotated[str | None, typer.Option(help="xnli, wikiann, conll or xtreme.")] = None,
    system: Annotated[str | None, typer.Option(help='As published, for example mBERT or "XLM-R Base".')] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="Figures of this language alone; may be repeated.")
    ] = None,
    setting: Annotated[
        str | None, typer.Option(help="zero-shot, translate-test, translate-train or translate-train-all.")
    ] = None,
    claims: Annotated[bool, typer.Option("--claims", help="What is often said of them, and what holds.")] = False,
    as_json: AsJson = False,
) -> None:
    """Published figures with their protocols: a table on a terminal, tab-separated lines on a pipe."""
    if claims:
        if system or language or setting:
            raise InputError("--claims goes with --task alone: a claim is about a task, not about one row")
        _show_claims(task, as_json)
        return
    rows = chosen(task, system, language or [], setting)
    if as_json:
        print_json([row_json(row, language) for row in rows])
    elif sys.stdout.isatty():
        _print_by_task([row_text(row, language) for row in rows])
    else:
        print("\n".join("\t".join(line) for line in [HEADER, *(row_text(row, language) for row in rows)]))


def chosen(task: str | None, system: str | None, languages: Sequence[str], setting: str | None) -> list[PublishedRow]:
    """Rows that meet every condition, and have a figure in one of the languages where some are named.

    Each condition is applied to what the ones before it left. Raises InputError with the names that are known there.
    """
    from comparisons.published import read_published

    rows = read_published()
    told: list[str] = []  # the conditions so far, for an error message
    for option, wanted, name in (("--task", task, lambda row: row.task), ("--system", system, lambda row: row.system),
                                 ("--setting", setting, lambda row: row.way)):  # fmt: skip
        if wanted is not None:
            rows = _matching(rows, f"{option} {wanted!r}", wanted, name, told)
            told.append(f"{option} {wanted}")
    if not languages:
        return rows
    known = sorted({lang for row in rows for lang in row.values})
    for lang in languages:
        if lang not in known:
            known_ones = f"known are {', '.join(known)}" if known else "there are averages alone"
            raise InputError(f"--language {lang!r}: no figure{_with(told)} is in it; {known_ones}")
    return [row for row in rows if any(lang in row.values for lang in languages)]


def _matching(rows: list[PublishedRow], option: str, wanted: str, name: Callable[[PublishedRow], str],
              told: list[str]) -> list[PublishedRow]:  # fmt: skip
    """Rows of that name, whatever its case."""
    found = [row for row in rows if name(row).casefold() == wanted.casefold()]
    if not found:
        known = ", ".join(dict.fromkeys(name(row) for row in rows))
        raise InputError(f"{option}: no figure{_with(told)} is of it; known are {known}")
    return found


def _with(told: list[str]) -> str:
    return f" with {', '.join(told)}" if told else ""


# ---- a row as text and as JSON


def row_text(row: PublishedRow, languages: Sequence[str] | None = None) -> list[str]:
    """The cells under HEADER; figures of these languages alone where some are named, averages of the whole row."""
    from comparisons.published import averages_of

    figures = ", ".join(f"{lang} {value}" for lang, value in _values(row, languages).items())
    averages = [_average_text(one) for one in averages_of(row)]
    averages += [f"overall {row.averages['overall']} printed"] if "overall" in row.averages else []
    return [row.task, row.system, row.setting, figures or "-", "; ".join(averages) or "-", protocol(row), row.source,
            row.reading]  # fmt: skip


def _values(row: PublishedRow, languages: Sequence[str] | None) -> dict[str, str]:
    return {lang: value for lang, value in row.values.items() if not languages or lang in languages}


def _average_text(one: Average) -> str:
    """For example: 15 languages: 66.3 printed, 66.3 with en, 65.2 without."""
    told = [f"{one.printed} printed"] if one.printed is not None else []
    told += [f"{one.with_source:.1f} with en"] if one.with_source is not None else []
    told += [f"{one.without_source:.1f} without"] if one.without_source is not None else []
    return f"{one.n_languages} languages: {', '.join(told)}"


def protocol(row: PublishedRow) -> str:
    """Model selection as the source tells it, and what is known of training data and size."""
    from comparisons.published import TRAINING

    told = [row.selection]
    if row.task in TRAINING:
        known = TRAINING[row.task]
        told.append(f"labels of {known.name}, {known.n:,} {known.unit}")
    if row.encoder is not None:
        told.append(f"{row.encoder.n_parameters / 1e6:.0f} M parameters")
    return "; ".join(told)


def row_json(row: PublishedRow, languages: Sequence[str] | None = None) -> dict[str, Any]:
    """The same with numbers as numbers, and what is known of training data and encoder."""
    from comparisons.published import TRAINING, averages_of

    known = TRAINING.get(row.task)
    return {
        "task": row.task,
        "system": row.system,
        "setting": row.setting,
        "metric": row.metric,
        "values": {lang: float(value) for lang, value in _values(row, languages).items()},
        "printed_averages": {name: float(value) for name, value in row.averages.items()},
        "averages": [asdict(one) | {"printed": None if one.printed is None else float(one.printed)}
                     for one in averages_of(row)],
        "selection": row.selection,
        "n_seeds": row.n_seeds,
        "training": asdict(known) if known else None,
        "n_parameters": row.encoder.n_parameters if row.encoder else None,
        "source": row.source,
        "reading": row.reading,
    }  # fmt: skip


# ---- output


def _show_claims(task: str | None, as_json: bool) -> None:
    from comparisons.claims import claims_about, read_claims

    found = read_claims() if task is None else claims_about([chosen(task, None, [], None)[0].task])
    if as_json:
        print_json([asdict(claim) for claim in found])
    elif sys.stdout.isatty():
        _print_table(CLAIM_HEADER, [_claim_text(claim) for claim in found])
    else:
        print(_markdown([CLAIM_HEADER, *map(_claim_text, found)]))


def _claim_text(claim: Claim) -> list[str]:
    return [claim.text, claim.verdict, claim.says, claim.source, f"`{claim.probe}`" if claim.probe else "-"]


def _print_by_task(rows: list[list[str]]) -> None:
    """A table a task, for a terminal: narrower than one with all columns."""
    for name in dict.fromkeys(row[0] for row in rows):
        cells = [
            [f"{system}\n{setting}", figures, averages.replace("; ", "\n"), told, f"{source}\n({reading})"]
            for task, system, setting, figures, averages, told, source, reading in rows if task == name
        ]  # fmt: skip
        _print_table(["system, setting", "figures", "averages", "protocol", "source (reading)"], cells, name)


def _print_table(header: list[str], rows: list[list[str]], title: str | None = None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, show_lines=True)
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # as Text, square brackets are no markup
    Console(file=sys.stdout).print(table)


def _markdown(lines: list[list[str]]) -> str:
    header, *rows = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *rows])
