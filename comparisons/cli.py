"""`xlembed compare`, `report`, `score`, `encoder` and `demo`."""

from __future__ import annotations

import shlex
import shutil
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from xlembed.errors import InputError
from xlembed.languages import language_code
from xlembed.progress import say

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for predictions, scores and the report.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this package."""
    app.command("compare")(compare)
    app.command("report")(report)
    app.command("score")(score_file)
    app.command("demo")(demo)
    encoder = typer.Typer(help="Fine-tune a multilingual encoder on one's own files, and run it.", no_args_is_help=True)
    encoder.command("finetune")(encoder_finetune)
    encoder.command("predict")(encoder_predict)
    app.add_typer(encoder, name="encoder")


def compare(
    experiment: Annotated[Path, typer.Argument(help="An experiment file (.toml).")],
    out: Out,
    mirror: Annotated[
        Path | None, typer.Option(envvar="XLEMBED_MIRROR", help="Take data files from this folder.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(envvar="XLEMBED_DATA", help="Folder of fetched data (default: the user's cache).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run systems x tasks x languages x seeds and write one report. A second run goes on where the first stopped."""
    options = [f"--out {shlex.quote(out.name)}"] + (["--mirror DIR"] if mirror else [])
    _run(experiment, out, f"xlembed compare {experiment.as_posix()} {' '.join(options)}", mirror, data, as_json)


def demo(
    out: Out = Path("demo-report"),
    as_json: AsJson = False,
) -> None:
    """The whole job in English, German, French and Spanish on the data inside the package, in minutes."""
    with resources.as_file(resources.files("comparisons") / "demo.toml") as experiment:
        _run(experiment, out, "xlembed demo", None, None, as_json)


def _run(
    experiment: Path, out: Path, command: str, mirror: Path | None, data: Path | None, as_json: bool
) -> None:
    from comparisons.executor import Run
    from comparisons.experiment import read_experiment
    from comparisons.report.writing import need_report_libraries, write_reports
    from comparisons.resolving import resolver
    from comparisons.summary import summarize

    plan = read_experiment(experiment)
    need_report_libraries()  # before hours are spent, not after
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file, a folder is needed")
    run = Run(plan, out, resolver(plan, mirror, data))
    run.execute()
    shutil.copyfile(experiment, out / "experiment.toml")
    summary = summarize(run, command)
    reports = write_reports(out)
    if as_json:
        from xlembed.options import print_json

        print_json(summary)
    else:
        _print_overview(summary)
        for path in reports:
            print(path)


def _print_overview(summary: dict) -> None:
    """The main tables, on standard output."""
    from rich.console import Console
    from rich.table import Table

    from comparisons.report.sections import score_table

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 110)
    for task in summary["experiment"]["tasks"]:
        found = score_table(summary, task)
        table = Table(title=f"{task['name']}" + (" (pocket data)" if summary["experiment"]["small"] else ""))
        for name in found.header:
            table.add_column(name)
        for row in found.rows:
            table.add_row(*row)
        console.print(table)
    if summary["experiment"]["small"]:
        console.print("Pocket data: the intervals are wide, no conclusion about the systems is to be drawn.")


def report(
    folder: Annotated[Path, typer.Argument(help="The --out folder of a finished `xlembed compare`.")],
    form: Annotated[list[str] | None, typer.Option("--format", help="md, html, tex; may be repeated.")] = None,
) -> None:
    """Write the report of a finished run again, in the formats asked for."""
    from comparisons.report.writing import write_reports

    for path in write_reports(folder, tuple(form or ("md", "html"))):
        print(path)


def score_file(
    predictions: Annotated[Path, typer.Argument(help="A prediction file (.jsonl).")],
    gold: Annotated[
        Path | None, typer.Option(help="Score against this test file instead of the gold in the predictions.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score one prediction file: span F1 (ner), accuracy (pos), accuracy and macro-F1 (nli, topic); 95 % intervals."""
    from dataclasses import asdict

    from baselines.corpora import read_items
    from baselines.predictions import make_predictions, read_predictions
    from comparisons.scores import score_cells
    from xlembed.options import print_json

    found = read_predictions(predictions)
    if gold is not None:
        found = make_predictions(found.run, read_items(found.run.kind, gold, found.run.lang), found.predicted)
    score = score_cells([found]).score
    if as_json:
        print_json(asdict(score))
        return
    print(f"{score.system} on {score.task} {score.lang} {score.signature['split']}: {score.n_items} items")
    print(score.signature["metric"])
    for name, figure in score.figures.items():
        print(f"{name:10} {figure.value:6.2f}  [{figure.low:.2f}, {figure.high:.2f}]")


def encoder_finetune(
    kind: Annotated[str, typer.Argument(help="ner, pos (a tag a word), nli (sentence pairs) or topic (texts).")],
    data: Annotated[Path, typer.Argument(help="Training data in the source language.")],
    dev: Annotated[Path, typer.Option(help="Dev data in the source language; the best epoch on it is kept.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the fine-tuned model.")],
    encoder: Annotated[
        str, typer.Option(help="A folder, a hub name, or mbert, xlm, xlm-r-base, xlm-r-large, multilingual-e5-small.")
    ] = "multilingual-e5-small",
    lang: Annotated[str, typer.Option(help="ISO 639 code of the training language.", callback=language_code)] = "en",
    epochs: Annotated[int, typer.Option(min=1)] = 3,
    lr: Annotated[float, typer.Option()] = 5e-5,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    max_length: Annotated[int, typer.Option(min=8)] = 128,
    frozen: Annotated[str, typer.Option(help="embeddings or none.")] = "embeddings",
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    seed: Annotated[int, typer.Option()] = 1,
) -> None:
    """Fine-tune an encoder on the source language."""
    from baselines.corpora import read_items
    from comparisons.encoders import find_encoder
    from comparisons.finetune_settings import FinetuneSettings
    from xlembed.errors import require

    settings = FinetuneSettings(
        epochs=epochs, lr=lr, batch_size=batch_size, max_length=max_length, frozen=frozen, precision=precision
    )
    items, dev_items = read_items(kind, data, lang), read_items(kind, dev, lang)
    require("torch", "contextual")
    require("transformers", "contextual")
    from comparisons.finetune import finetune

    tuned = finetune(find_encoder(encoder, say=say), kind, items, dev_items, settings, seed)
    tuned.save(out)
    print(f"{out}: {tuned.seconds:.0f} s; dev by epoch: "
          + ", ".join(f"{value:.2f}" for epoch in tuned.curve for key, value in epoch.items()
                      if key.startswith("dev")))  # fmt: skip


def encoder_predict(
    model: Annotated[Path, typer.Argument(help="Folder that `encoder finetune --out` wrote.")],
    data: Annotated[Path, typer.Argument(help="Sentences or pairs, in any language; gold is not needed.")],
    out: Annotated[Path, typer.Option("--out", "-o", help=".jsonl: prediction file for `xlembed score`; else text.")],
    lang: Annotated[str, typer.Option(help="ISO 639 code of the language.", callback=language_code)] = "und",
) -> None:
    """Predict with a fine-tuned encoder, zero-shot in any language."""
    from baselines.cli import write_output
    from baselines.corpora import NOUNS, read_items
    from baselines.predictions import RunSettings
    from xlembed.errors import require

    require("torch", "contextual")
    require("transformers", "contextual")
    from comparisons.finetune import load_finetuned

    tuned = load_finetuned(model)
    items = read_items(tuned.kind, data, lang)
    run = RunSettings(tuned.kind, tuned.kind, model.name, lang, data.name, tuned.seed)
    write_output(out, tuned.kind, items, tuned.predict(items), run)
    print(f"{out}: {len(items)} {NOUNS[tuned.kind]}")
