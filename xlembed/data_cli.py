"""`xlembed data list|fetch|verify`: the files of the manifest, in the data folder or in a mirror."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from xlembed.download import TIMEOUT
from xlembed.errors import InputError, for_people
from xlembed.fetch import data_folder, fetch, mirror_folder, package_file, verify
from xlembed.manifest import DataFile, read_manifest, select
from xlembed.options import AsJson, print_json
from xlembed.progress import say

app = typer.Typer(help="Public data files: what there is, fetch it, check it.", no_args_is_help=True)

Names = Annotated[list[str] | None, typer.Argument(help="Names or quoted patterns such as 'nli/xnli/*'.")]
UsedBy = Annotated[str | None, typer.Option(help="Only what this experiment or command uses.")]
Mirror = Annotated[
    Path | None, typer.Option(envvar="XLEMBED_MIRROR", help="Take the files from this folder instead.")
]
Data = Annotated[
    Path | None, typer.Option(envvar="XLEMBED_DATA", help="The data folder (default: in the user's cache).")
]


@app.command("list")
def list_files(
    names: Names = None,
    used_by: UsedBy = None,
    mirror: Mirror = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """The files of the manifest: size, licence, source, and where each is already."""
    places = [] if mirror is None else [mirror_folder(mirror)]
    if data is not None or find_spec("pooch") is not None:
        places.append(data_folder(data))
    else:
        say("files in the user's cache are not looked for: give --data DIR, or pip install 'xlembed[data]'")
    chosen = select(read_manifest(), names or (), used_by)
    found = [(file, _where(file, places)) for file in chosen]
    if as_json:
        print_json([asdict(file) | {"here": str(path) if path else None} for file, path in found])
        return
    width = max(len(file.name) for file in chosen)
    for file, path in found:
        here, licence, source = "here" if path else "-", file.licence or "-", file.source or "-"
        print(for_people(f"{file.name:{width}}  {_size(file.n_bytes):>8}  {here:4}  {licence:22}  {source}"))


@app.command("fetch")
def fetch_files(
    names: Names = None,
    used_by: UsedBy = None,
    mirror: Mirror = None,
    data: Data = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds without a byte after which a server is given up.")
    ] = TIMEOUT,
    as_json: AsJson = False,
) -> None:
    """Bring files into the data folder. What is there and right is left alone; a broken download goes on."""
    files = read_manifest()
    if not names and used_by is None:
        raise InputError(
            f"name the files to fetch, or give --used-by: all {len(files)} are many gigabytes "
            "(`xlembed data list` shows them)"
        )
    results = fetch(select(files, names or (), used_by), files, data_folder(data), mirror, timeout)
    if as_json:
        paths = [str(result.path) if result.path else None for result in results]
        print_json([asdict(result) | {"path": path} for result, path in zip(results, paths, strict=True)])
    else:
        for result in results:
            if result.state != "failed":
                print(for_people(f"{result.state:10}  {result.path}"))
    _raise_failures([result.error for result in results if result.error is not None], len(results))


@app.command("verify")
def verify_files(
    names: Names = None,
    used_by: UsedBy = None,
    mirror: Mirror = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Check size and SHA-256 of the files in the data folder, or in the mirror if one is given."""
    folder = mirror_folder(mirror) if mirror is not None else data_folder(data)
    results = verify(select(read_manifest(), names or (), used_by), folder)
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        for result in results:
            print(for_people(f"{result.state:16}  {result.name}{f': {result.detail}' if result.detail else ''}"))
        counts = Counter(result.state for result in results)
        print(for_people(f"{folder}: " + ", ".join(f"{n} {state}" for state, n in counts.items())))
    wrong = [f"{result.name} {result.detail}" for result in results if result.state == "wrong"]
    if wrong:
        raise InputError(
            f"{folder}: {len(wrong)} of {len(results)} files are not the manifest's: {'; '.join(wrong)}: "
            "delete and fetch them again"
        )


def _raise_failures(errors: list[str], n_files: int) -> None:
    if len(errors) == 1:
        raise InputError(errors[0])
    if errors:
        reasons = "; ".join(dict.fromkeys(errors))  # members of one archive fail alike
        raise InputError(f"{len(errors)} of {n_files} files could not be fetched: {reasons}")


def _where(file: DataFile, places: list[Path]) -> Path | None:
    """Where a file is already, unchecked."""
    found = next((place / file.name for place in places if (place / file.name).is_file()), None)
    return found or package_file(file)


def _size(n_bytes: int | None) -> str:
    if n_bytes is None:
        return "-"
    size = float(n_bytes)
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
