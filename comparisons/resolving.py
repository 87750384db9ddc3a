"""Where an experiment's files are: in the package, in a mirror, or in the folder of fetched data."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from comparisons.experiment import Experiment, Resolver
from xlembed.errors import InputError

POCKET = Path(str(resources.files("xlembed"))) / "pocket"


def resolver(experiment: Experiment, mirror: Path | None = None, data: Path | None = None) -> Resolver:
    """A function from an experiment's file names to paths.

    Raises InputError, when called, for a file that is nowhere, with the command that fetches it.
    """
    if mirror is not None and not mirror.is_dir():
        raise InputError(f"--mirror {mirror}: no such folder")
    if experiment.data == "package:pocket":
        return _pocket
    from xlembed.fetch import locate

    return lambda name: locate(name, mirror, data)


def _pocket(name: str) -> Path:
    path = POCKET / name
    if not path.is_file():
        raise InputError(f"{name}: not among the data inside the package")
    return path
