"""`xlembed score`: anybody's predictions against the gold, with intervals and a signature of what was scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xlembed.errors import InputError, for_people
from xlembed.languages import language_code
from xlembed.options import AsJson, print_json

if TYPE_CHECKING:
    from baselines.predictions import PredictionSet
    from comparisons.importing import Said
    from comparisons.scores import Score


def score(
    predictions: Annotated[
        list[Path],
        typer.Argument(help="Prediction files (.jsonl), columns or labels; several of one system are its seeds."),
    ],
    gold: Annotated[Path | None, typer.Option(help="The test file that the predictions are for.")] = None,
    lang: Annotated[str | None, typer.Option(help="ISO 639 code of the language.", callback=language_code)] = None,
    kind: Annotated[str | None, typer.Option(help="ner, pos, nli or topic, for files without a header.")] = None,
    task: Annotated[str | None, typer.Option(help="Name of the task.")] = None,
    system: Annotated[str | None, typer.Option(help="Name of the system.")] = None,
    scheme: Annotated[
        str, typer.Option(help="Tags of files without a header: iob2, iob1, bioes or bilou.")
    ] = "iob2",
    as_json: AsJson = False,
) -> None:
    """Score predictions: span F1 (ner), accuracy (pos), accuracy and macro-F1 (nli, topic); 95 % intervals."""
    from comparisons.importing import Said
    from comparisons.scores import score_cells

    found = read_seeds(predictions, Said(kind, task, system, lang), gold, scheme)
    scored = score_cells(found).score
    if as_json:
        print_json(asdict(scored))
    else:
        checked = "gold and texts, by their hash" if gold else None
        print("\n".join(map(for_people, lines_of(scored, found[0].run.settings.get("checked", checked)))))


def read_seeds(paths: Sequence[Path], said: Said, gold: Path | None, scheme: str = "iob2") -> list[PredictionSet]:
    """One system's predictions for its seeds. Files without a header are seeds 1, 2, ... where there are several.

    Raises InputError where they are not of one system, task and test set, or a seed occurs twice.
    """
    from comparisons.importing import read_theirs

    several = len(paths) > 1
    found = []
    for i, path in enumerate(paths, start=1):
        one = read_theirs(path, said, gold, scheme)
        if several and one.run.seed is None and "imported" in one.run.settings:
            one = replace(one, run=replace(one.run, seed=i))
        found.append(one)
    for path, one in zip(paths, found, strict=True):
        _check_like(found[0], one, paths[0], path)
    if several:
        _check_seeds(paths, [one.run.seed for one in found])
    return found


def _check_like(first: PredictionSet, one: PredictionSet, first_path: Path, path: Path) -> None:
    for what in ("kind", "task", "lang", "system"):
        own, other = getattr(one.run, what), getattr(first.run, what)
        if own != other:
            hint = "; --system names it" if what == "system" else ""
            raise InputError(f"{path} has {what} {own!r}, {first_path} has {other!r}: the seeds of one system on one "
                             f"test set are scored together{hint}")  # fmt: skip
    if one.gold_sha256 != first.gold_sha256:
        raise InputError(f"{path} and {first_path} have different gold (gold_sha256): they were made for other data")


def _check_seeds(paths: Sequence[Path], seeds: Sequence[int | None]) -> None:
    at_seed: dict[int, Path] = {}
    for path, seed in zip(paths, seeds, strict=True):
        if seed is None:
            raise InputError(f"{path}: its header has no seed; several files of a system are told apart by it")
        if seed in at_seed:
            raise InputError(f"{path} and {at_seed[seed]} are both seed {seed}: each needs its own")
        at_seed[seed] = path


def lines_of(scored: Score, checked: str | None = None) -> list[str]:
    """A score in lines, the signature last; `checked` says what was held against the gold file."""
    from baselines.metrics import MAIN_METRIC

    lines = [f"{scored.system} on {scored.task} {scored.lang} {scored.signature['split']}: {scored.n_items} items"]
    lines.append(scored.signature["metric"])
    lines += [f"{name:10} {figure.value:6.2f}  [{figure.low:.2f}, {figure.high:.2f}]"
              for name, figure in scored.figures.items()]  # fmt: skip
    if len(scored.by_seed) > 1:
        main = MAIN_METRIC[scored.kind]
        each = "  ".join(f"{seed}: {figures[main]:.2f}" for seed, figures in scored.by_seed.items())
        lines.append(f"{main} by seed  {each}  (standard deviation {scored.seed_sd:.2f})")
    lines += [f"checked: {checked}"] if checked else []
    lines += [f"note: {flag}" for flag in scored.flags]
    return [*lines, f"signature: {scored.signature_line}"]
