"""`xlembed compare`, `report`, `score` and `demo`."""

from __future__ import annotations

import shlex
import shutil
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from comparisons import encoder_cli, pretraining_cli, probes_cli, published_cli, score_cli
from comparisons.classic import cli as classic_cli
from xlembed.errors import InputError

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for predictions, scores and the report.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this package."""
    app.command("compare")(compare)
    app.command("report")(report)
    app.command("score")(score_cli.score)
    app.command("demo")(demo)
    encoder_cli.register(app)
    pretraining_cli.register(app)
    probes_cli.register(app)
    published_cli.register(app)
    classic_cli.register(app)


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
    folders: Annotated[
        list[Path], typer.Argument(help="The --out folder of a finished `xlembed compare`; or two: before, after.")
    ],
    form: Annotated[list[str] | None, typer.Option("--format", help="md, html, tex; may be repeated.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="With two folders: where changes.* go (default: the second).")
    ] = None,
) -> None:
    """Write the report of a finished run again; or, of two runs, what changed and whether it is more than noise."""
    from comparisons.report.writing import write_changes, write_reports

    if len(folders) > 2:
        raise InputError(f"report: {len(folders)} folders are given: one run, or two to compare")
    if len(folders) == 2:
        if form:
            raise InputError("report: --format goes with one folder; changes are written as md, html and json")
        written = write_changes(*folders, out or folders[1])
    else:
        if out is not None:
            raise InputError("report: --out goes with two folders; a run's report is written into its folder")
        written = write_reports(folders[0], tuple(form or ("md", "html")))
    for path in written:
        print(path)
