"""`xlembed classic fake-english` and `xlembed classic curse`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from xlembed.errors import at, for_people, require
from xlembed.options import AsJson, print_json

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; a second run goes on where this stopped.")]
Mirror = Annotated[Path | None, typer.Option(envvar="XLEMBED_MIRROR", help="Take data files from this folder.")]
Data = Annotated[Path | None, typer.Option(envvar="XLEMBED_DATA", help="Folder of fetched data.")]
Quick = Annotated[bool, typer.Option("--quick", help="Small enough for a quarter of an hour on two cores.")]
SettingsFile = Annotated[Path | None, typer.Option("--settings", help="A .toml with settings that are otherwise.")]

NOTE = {
    "fake-english": "Perplexity: of masked subwords of held-out text. Scores: span F1 (ner), accuracy (pos), "
    "fine-tuned on English. Retrieval: P@1 among held-out sentences, at the best layer. Pieces: P@1 of embeddings.",
    "curse": "Perplexity: of masked subwords of held-out text, one vocabulary in all cells. Scores: fine-tuned on the "
    "first language; a language that was not pre-trained on has a score and no perplexity.",
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    classic = typer.Typer(help="Classic experiments on small encoders from scratch.", no_args_is_help=True)
    classic.command("fake-english")(fake_english)
    classic.command("curse")(curse)
    app.add_typer(classic, name="classic")


def fake_english(
    out: Out,
    mirror: Mirror = None,
    data: Data = None,
    quick: Quick = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Transfer between English and fake-English: overlap, word order, depth (K et al. 2020)."""
    _need_libraries()
    from comparisons.classic import fake_english as experiment
    from comparisons.classic import tables

    _run("fake-english", experiment, quick, settings, mirror, data, out, as_json, tables.fake_english_rows,
         tables.plot_fake_english)  # fmt: skip


def curse(
    out: Out,
    mirror: Mirror = None,
    data: Data = None,
    quick: Quick = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """The curse of multilinguality: more languages at fixed capacity, then more capacity (Conneau et al. 2020)."""
    _need_libraries()
    from comparisons.classic import curse as experiment
    from comparisons.classic import tables

    _run("curse", experiment, quick, settings, mirror, data, out, as_json, tables.curse_rows, tables.plot_curse)


def _need_libraries() -> None:
    """Before hours are spent, not after."""
    for module, extra in (("torch", "contextual"), ("transformers", "contextual"), ("matplotlib", "report")):
        require(module, extra)


def _run(
    name: str, experiment: Any, quick: bool, settings: Path | None, mirror: Path | None, data: Path | None, out: Path,
    as_json: bool, rows_of: Callable[..., list[list[str]]], plot: Callable[..., None],
) -> None:  # fmt: skip
    from comparisons.classic.cells import with_file
    from comparisons.classic.tables import markdown, write_results
    from xlembed.fetch import locate

    if out.exists() and not out.is_dir():
        raise at(out, None, "is a file, a folder is needed for the run")
    chosen = with_file(experiment.QUICK if quick else experiment.FULL, settings)
    results = experiment.run(chosen, lambda file: locate(file, mirror, data), out)
    rows = rows_of(results)
    paths = write_results(out, results, rows, NOTE[name])
    plot(results, out / f"{name}.png")
    if as_json:
        print_json(results)
        return
    print(markdown(rows))
    for path in [*paths, out / f"{name}.png"]:
        print(for_people(str(path)))
