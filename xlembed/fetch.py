"""Data files by name: find them, fetch them into the data folder, and check them against the manifest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from xlembed.archives import extract
from xlembed.convert import AS_IS, convert
from xlembed.download import TIMEOUT, discard, download
from xlembed.errors import InputError, require
from xlembed.files import holding, replacing, scratch_folder, settle, sha256_of
from xlembed.manifest import DataFile, Manifest, archive_of, checked_name, read_manifest, unknown_name
from xlembed.os_faults import cannot_write, escaped
from xlembed.progress import say

_E5 = "pip install 'xlembed[e5]'"
_HEAD = 1024  # bytes in which a web page shows


class _Refused(InputError):
    """A file is whole and not what it should be: having it again, or going on with it, would not help."""


@dataclass(frozen=True)
class Fetched:
    """What became of one file; `error` says why it is not there."""

    name: str
    state: Literal["present", "copied", "downloaded", "failed"]
    path: Path | None
    error: str | None = None


@dataclass(frozen=True)
class Checked:
    """One file against the manifest; `detail` says in what it is wrong."""

    name: str
    state: Literal["ok", "missing", "wrong", "unknown checksum"]
    detail: str | None = None


def data_folder(folder: Path | None = None) -> Path:
    """The folder of fetched data: `folder`, or the one in the user's cache."""
    return Path(folder) if folder is not None else Path(require("pooch", "data").os_cache("xlembed")) / "data"


def mirror_folder(mirror: Path) -> Path:
    """The mirror itself, or InputError if it is no folder."""
    if not Path(mirror).is_dir():
        raise InputError(f"--mirror {mirror}: no such folder")
    return Path(mirror)


# ---- finding


def locate(
    name: str, mirror: Path | None = None, folder: Path | None = None, files: Manifest | None = None
) -> Path:
    """Where a data file is: in the mirror, in the data folder, or in an installed package.

    The mirror may hold files that the manifest does not list, and goes first. Raises InputError for a name
    that is absolute or climbs out, and for a file that is nowhere, with what brings it.
    """
    checked_name(name)
    if mirror is not None and (mirror_folder(mirror) / name).is_file():
        return Path(mirror) / name
    folder = data_folder(folder)
    if (folder / name).is_file():
        return folder / name
    files = read_manifest() if files is None else files
    where = f"not in the {f'mirror {mirror} nor the ' if mirror is not None else ''}data folder {folder}"
    if name not in files:
        raise InputError(f"{unknown_name(name, files)} and {where}: give --mirror DIR with a folder of it")
    file = files[name]
    installed = package_file(file)
    if installed is not None:
        return installed
    raise InputError(f"{name}: {where}: {_remedy(file)}")


def package_file(file: DataFile) -> Path | None:
    """The file inside its installed package (which is not imported), or None."""
    if file.package is None:
        return None
    package, _, inside = file.package
    try:
        path = Path(str(metadata.distribution(package).locate_file(inside)))
    except metadata.PackageNotFoundError:
        return None
    return path if path.is_file() else None


def _remedy(file: DataFile) -> str:
    if file.package is not None:
        return f"it is a file of the package {file.package[0]}: {_E5}"
    if file.source is None:
        return "it has no public address: give --mirror DIR with a folder that holds it"
    return f"run `xlembed data fetch {file.name}`, or give --mirror DIR with a folder that holds it"


# ---- fetching


def fetch(
    chosen: Iterable[DataFile],
    files: Manifest,
    folder: Path,
    mirror: Path | None = None,
    timeout: float = TIMEOUT,
) -> list[Fetched]:
    """Bring files into the data folder, from the mirror if there is one, else from their public address.

    A file that is there and right is left alone. Nothing gets its name before its size and checksum are
    those of the manifest (where it knows them). A file that cannot be had does not stop the others: its
    result says why. A server may be silent for `timeout` seconds.
    """
    if mirror is not None:
        mirror_folder(mirror)
    return [_fetch_or_say_why(file, files, folder, mirror, timeout) for file in chosen]


def _fetch_or_say_why(
    file: DataFile, files: Manifest, folder: Path, mirror: Path | None, timeout: float
) -> Fetched:
    try:
        return _fetch_one(file, files, folder, mirror, timeout)
    except InputError as err:
        return Fetched(file.name, "failed", None, str(err))
    except OSError as err:
        if (told := escaped(err)) is None:
            raise
        return Fetched(file.name, "failed", None, f"{file.name}: {told}")


def _fetch_one(file: DataFile, files: Manifest, folder: Path, mirror: Path | None, timeout: float) -> Fetched:
    target = folder / file.name
    if target.is_file() and problem(file, target) is None:
        return Fetched(file.name, "present", target)
    if mirror is not None and (mirror / file.name).is_file():
        _copy(file, mirror / file.name, target)
        return Fetched(file.name, "copied", target)
    if file.package is not None:
        return _from_package(file)
    if file.source is None:
        raise InputError(f"{file.name}: {_remedy(file)}")
    archive = archive_of(file, files) if file.member is not None else None
    if mirror is not None and (archive is None or not (mirror / archive.name).is_file()):
        raise InputError(f"{file.name}: not in the mirror {mirror}: leave --mirror out to download it")
    if archive is not None:
        archive_path = _fetch_one(archive, files, folder, mirror, timeout).path
        assert archive_path is not None  # only what failed has none
        _from_archive(file, archive_path, target)
    else:
        _from_address(file, target, timeout)
    return Fetched(file.name, "downloaded" if mirror is None else "copied", target)


def _copy(file: DataFile, source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
        _accept(file, temporary, source)


def _from_package(file: DataFile) -> Fetched:
    path = package_file(file)
    if path is None:
        raise InputError(f"{file.name}: {_remedy(file)}")
    wrong = problem(file, path)
    if wrong is not None:
        raise InputError(f"{file.name}: {path} {wrong}: pip install --force-reinstall 'xlembed[e5]'")
    return Fetched(file.name, "present", path)


def _from_archive(file: DataFile, archive: Path, target: Path) -> None:
    assert file.member is not None and file.source is not None
    with replacing(target) as temporary, scratch_folder(target) as folder:
        member = folder / Path(file.member).name
        extract(archive, file.member, member)
        _convert(file, member, temporary)
        _accept(file, temporary, file.source)


def _from_address(file: DataFile, target: Path, timeout: float) -> None:
    """Download a file, unless another process that was at it has brought it meanwhile."""
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with holding(part, lambda: say(f"{file.name}: another process is downloading it: waiting")):
            try:
                if not target.is_file() or problem(file, target) is not None:
                    _download(file, part, target, timeout)
                discard(part)
            except _Refused:
                discard(part)
                raise
            finally:
                if part.is_file() and part.stat().st_size == 0:
                    discard(part)
    except OSError as err:
        raise cannot_write(part, err) from None


def _download(file: DataFile, part: Path, target: Path, timeout: float) -> None:
    assert file.address is not None
    n_bytes = file.n_bytes if file.form == AS_IS else None
    download(file.address, part, file.name, timeout=timeout, n_bytes=n_bytes, keep_note=True)
    if file.form == AS_IS:
        _accept(file, part, file.address)
        settle(part)
        os.replace(part, target)
    else:
        with replacing(target) as temporary:
            _convert(file, part, temporary)
            _accept(file, temporary, file.address)


def _convert(file: DataFile, source: Path, target: Path) -> None:
    if file.form == AS_IS:
        os.replace(source, target)
        return
    try:
        convert(file.form, source, target)
    except InputError as err:
        raise _Refused(f"{file.name}: {file.source} is not what {file.form} expects ({err}): the source has changed, "
                       "take the file by other means and give --mirror DIR with its folder") from None  # fmt: skip


def _accept(file: DataFile, path: Path, source: Path | str) -> None:
    wrong = problem(file, path)
    if wrong is None and file.sha256 is None and _is_web_page(path):
        wrong = "is a web page, perhaps of a login, and not the file"
    if wrong is not None:
        raise _Refused(f"{file.name}: {source} {wrong}: refused, nothing of it is kept")


def _is_web_page(path: Path) -> bool:
    """Whether a file that nothing is known of begins as HTML: no file of the manifest does."""
    with open(path, "rb") as file:
        return file.read(_HEAD).lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html"))


# ---- checking


def problem(file: DataFile, path: Path) -> str | None:
    """In what a file differs from the manifest, as the end of a sentence; None if in nothing."""
    n_bytes = path.stat().st_size
    if file.n_bytes is not None and n_bytes != file.n_bytes:
        return f"has {n_bytes} bytes, not the manifest's {file.n_bytes}"
    if file.sha256 is not None and (sha256 := sha256_of(path)) != file.sha256:
        return f"has sha256 {sha256[:12]}..., not the manifest's {file.sha256[:12]}..."
    return None


def verify(chosen: Iterable[DataFile], folder: Path) -> list[Checked]:
    """Size and checksum of the files in a data folder or mirror (or of installed packages)."""
    return [_verify_one(file, folder) for file in chosen]


def _verify_one(file: DataFile, folder: Path) -> Checked:
    path: Path | None = folder / file.name
    if path and not path.is_file():
        path = package_file(file)
    if path is None:
        return Checked(file.name, "missing")
    wrong = problem(file, path)
    if wrong is not None:
        return Checked(file.name, "wrong", wrong)
    return Checked(file.name, "ok" if file.sha256 is not None else "unknown checksum")
