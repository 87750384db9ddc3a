"""data_manifest.txt: which public files there are, where they come from, and how they are recognised."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path, PureWindowsPath

from xlembed.convert import AS_IS, is_known
from xlembed.errors import InputError, at
from xlembed.files import numbered_lines

COLUMNS = ("name", "source", "bytes", "sha256", "licence", "used_by", "form")
_UNKNOWN = "-"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WEB = re.compile(r"https?://[^\s#/]+/[^\s#]+(#\S+)?")
_PACKAGE = re.compile(r"pypi:(?P<package>[A-Za-z0-9._-]+)==(?P<version>[^\s#=]+)#(?P<path>\S+)")


@dataclass(frozen=True)
class DataFile:
    """One line of the manifest. None stands for what is not known.

    `name` is a relative path that is the same in a mirror and in the data folder. `n_bytes` and `sha256`
    are those of the file as xlembed uses it, after `form` (convert.py) has been applied to the source.
    """

    name: str
    source: str | None
    n_bytes: int | None
    sha256: str | None
    licence: str | None
    used_by: tuple[str, ...]
    form: str = AS_IS

    @property
    def package(self) -> tuple[str, str, str] | None:
        """(package, version, path inside it) where the source is a package of the Python package index."""
        match = _PACKAGE.fullmatch(self.source or "")
        return match and (match["package"], match["version"], match["path"])

    @property
    def address(self) -> str | None:
        """What is downloaded: the public address without the member."""
        return None if self.source is None or self.package else self.source.partition("#")[0]

    @property
    def member(self) -> str | None:
        """The path inside the archive at `address`, or None where the address is the file itself."""
        return None if self.source is None or self.package else self.source.partition("#")[2] or None


Manifest = Mapping[str, DataFile]


def checked_name(name: str) -> str:
    """The name itself, or InputError if it is absolute or climbs out of its folder."""
    drive = PureWindowsPath(name).drive
    if drive or "\\" in name or "\0" in name or not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise InputError(f"{name!r} is no plain relative path: write folder/file, no leading / and no ..")
    return name


def read_manifest(path: str | Path | None = None) -> Manifest:
    """Names and their files, in file order; without a path, the manifest inside the package.

    Raises InputError with the line for a line that cannot be read, a name that is absolute or climbs, a
    duplicate name, and a member of an archive that no line lists (so every archive is checked too).
    """
    path = Path(str(resources.files("xlembed") / "data_manifest.txt")) if path is None else Path(path)
    files: dict[str, DataFile] = {}
    lines: dict[str, int] = {}
    for number, line in numbered_lines(path):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            file = _parse(line)
        except InputError as err:
            raise at(path, number, str(err)) from None
        if file.name in files:
            raise at(path, number, f"{file.name} is on line {lines[file.name]} already: remove one")
        files[file.name], lines[file.name] = file, number
    sources = {file.source for file in files.values()}
    for file in files.values():
        if file.member is not None and file.address not in sources:
            raise at(path, lines[file.name], f"no line lists the archive {file.address}: add one")
    return files


def archive_of(file: DataFile, files: Manifest) -> DataFile | None:
    """The line of the archive that a file is a member of."""
    return next((other for other in files.values() if other.source == file.address), None)


def _parse(line: str) -> DataFile:
    fields = line.split("\t")
    if len(fields) != len(COLUMNS) or not all(field.strip() == field != "" for field in fields):
        raise InputError(
            f"expected {len(COLUMNS)} columns separated by one TAB each ({', '.join(COLUMNS)}; "
            f"{_UNKNOWN} for what is not known), found {len(fields)}"
        )
    known = (None if field == _UNKNOWN else field for field in fields)
    values = dict(zip(COLUMNS, known, strict=True))
    source, sha256, form = values["source"], values["sha256"], values["form"] or AS_IS
    if source is not None and not (_WEB.fullmatch(source) or _PACKAGE.fullmatch(source)):
        raise InputError(f"source {source!r} is none of http(s)://..., pypi:NAME==VERSION#PATH, {_UNKNOWN}")
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise InputError(f"sha256 {sha256!r} is not 64 hexadecimal digits in lower case")
    if not is_known(form):
        raise InputError(f"unknown form {form!r}: see xlembed/convert.py")
    used_by = tuple((values["used_by"] or "").split(",")) if values["used_by"] else ()
    file = DataFile(
        checked_name(fields[0]), source, _n_bytes(values["bytes"]), sha256, values["licence"], used_by, form
    )
    if file.member is not None:
        checked_name(file.member)
    return file


def _n_bytes(field: str | None) -> int | None:
    if field is None:
        return None
    if not (field.isascii() and field.isdigit() and len(field) < 19):
        raise InputError(f"bytes {field[:40]!r} is not a number of bytes")
    return int(field)


def select(files: Manifest, patterns: Iterable[str] = (), used_by: str | None = None) -> list[DataFile]:
    """The files that any of the patterns names (all, where there is no pattern), in the manifest's order.

    A pattern is a name or holds *, ? or []; * stands for slashes too. `used_by` keeps the files that name
    it in that column. Raises InputError for what matches nothing.
    """
    patterns = list(patterns)
    for pattern in patterns:
        if not any(_matches(name, pattern) for name in files):
            raise unknown_name(pattern, files)
    chosen = [f for f in files.values() if not patterns or any(_matches(f.name, p) for p in patterns)]
    if used_by is None:
        return chosen
    users = sorted({user for file in files.values() for user in file.used_by})
    if used_by not in users:
        raise InputError(f"--used-by {used_by}: unknown to the data manifest, which has: {', '.join(users)}")
    kept = [file for file in chosen if used_by in file.used_by]
    if not kept:
        raise InputError(f"--used-by {used_by}: none of the {len(chosen)} files named is used by it")
    return kept


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)


def unknown_name(name: str, files: Manifest) -> InputError:
    """The error for a name that the manifest does not list, with the nearest names."""
    nearest = difflib.get_close_matches(name, files, n=3, cutoff=0.5)
    hint = f"nearest: {', '.join(nearest)}" if nearest else "`xlembed data list` shows all"
    return InputError(f"{name}: not in the data manifest ({hint})")
