"""`xlembed compare`, `report`, `score` and `demo`."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from comparisons import encoder_cli, pretraining_cli, probes_cli, published_cli, score_cli
from comparisons.classic import cli as classic_cli
from xlembed.cluster import WORKERS_SECONDS, check_where
from xlembed.errors import InputError, for_people, require
from xlembed.files import replacing
from xlembed.progress import say

if TYPE_CHECKING:
    from distributed import Client

    from comparisons.executor import Computing

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Compute in so many processes (extra: cluster).")]
Scheduler = Annotated[
    str | None, typer.Option(help="Compute on the workers of a Dask scheduler: tcp://HOST:PORT, or its file (.json).")
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads of the libraries (default: their own; 1 in each worker).")
]
Wait = Annotated[float, typer.Option(min=0, help="Seconds for a worker that can take what is left.")]
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
    workers: Workers = None,
    scheduler: Scheduler = None,
    threads: Threads = None,
    wait: Wait = WORKERS_SECONDS,
    as_json: AsJson = False,
) -> None:
    """Run systems x tasks x languages x seeds and write one report. A second run goes on where the first stopped."""
    options = [f"--out {shlex.quote(out.name)}"] + (["--mirror DIR"] if mirror else [])
    command = f"xlembed compare {experiment.as_posix()} {' '.join(options)}"
    _run(experiment, out, command, mirror, data, as_json, Where(workers, scheduler, threads, wait))


def demo(
    out: Out = Path("demo-report"),
    workers: Workers = None,
    scheduler: Scheduler = None,
    threads: Threads = None,
    wait: Wait = WORKERS_SECONDS,
    as_json: AsJson = False,
) -> None:
    """The whole job in English, German, French and Spanish on the data inside the package, in minutes."""
    with resources.as_file(resources.files("comparisons") / "demo.toml") as experiment:
        _run(experiment, out, "xlembed demo", None, None, as_json, Where(workers, scheduler, threads, wait))


@dataclass(frozen=True)
class Where:
    """Where cells are computed: in this process, in processes of this machine, or on a cluster."""

    workers: int | None = None
    scheduler: str | None = None
    threads: int | None = None
    wait: float = WORKERS_SECONDS

    def __post_init__(self) -> None:
        check_where(self.scheduler, self.workers)

    @contextmanager
    def computing(self, out: Path) -> Iterator[Computing | None]:
        """What `Run.execute` takes; processes of this machine have their files below `out` until they end."""
        if self.workers is None and self.scheduler is None:
            from comparisons.computing import with_threads

            with with_threads(self.threads):
                yield None
            return
        require("distributed", "cluster")  # before data is read, not after
        from comparisons.cluster import Cluster, local_workers, workers_at

        def connect() -> AbstractContextManager[Client]:
            if self.scheduler:
                return workers_at(self.scheduler)
            assert self.workers is not None
            return local_workers(self.workers, out / "models")

        yield Cluster(connect, self.threads or 1, self.wait).compute


def _run(
    experiment: Path, out: Path, command: str, mirror: Path | None, data: Path | None, as_json: bool, where: Where
) -> None:
    from comparisons.executor import Run, RunFailed
    from comparisons.experiment import read_experiment
    from comparisons.report.writing import need_report_libraries, write_reports
    from comparisons.resolving import resolver
    from comparisons.summary import summarize

    plan = read_experiment(experiment)
    need_report_libraries()  # before hours are spent, not after
    run = Run(plan, out, resolver(plan, mirror, data))
    with _telling_what_is_kept(out), run.lock:
        try:
            with where.computing(out) as compute:
                run.execute(compute)
        except RunFailed as err:
            say(f"xlembed: error: {err}")
            raise typer.Exit(1) from None
        with replacing(out / "experiment.toml") as temporary:
            shutil.copyfile(experiment, temporary)
        summary = summarize(run, command)
        reports = write_reports(out)
    if as_json:
        from xlembed.options import print_json

        print_json(summary)
    else:
        _print_overview(summary)
        for path in reports:
            print(for_people(str(path)))


@contextmanager
def _telling_what_is_kept(out: Path) -> Iterator[None]:
    """Within it, Ctrl-C says how to go on; a folder in which nothing came to be is gone by then."""
    try:
        yield
    except KeyboardInterrupt:
        if out.is_dir():
            say(f"{out}: what is computed so far is kept; the same command goes on from there")
        raise


def _print_overview(summary: dict[str, Any]) -> None:
    """The main tables, on standard output."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from comparisons.report.sections import score_table

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 110)
    for task in summary["experiment"]["tasks"]:
        found = score_table(summary, task)
        table = Table(title=f"{task['name']}" + (" (pocket data)" if summary["experiment"]["small"] else ""))
        for name in found.header:
            table.add_column(Text(for_people(name)))
        for row in found.rows:
            table.add_row(*(Text(for_people(cell)) for cell in row))  # as Text, square brackets are no markup
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
        written = write_changes(folders[0], folders[1], out or folders[1])
    else:
        if out is not None:
            raise InputError("report: --out goes with two folders; a run's report is written into its folder")
        written = write_reports(folders[0], tuple(form or ("md", "html")))
    for path in written:
        print(for_people(str(path)))
