"""One member of a zip or tar archive, taken out by its exact name and never by the archive's own paths."""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from xlembed.errors import InputError, at
from xlembed.manifest import checked_name

MEMBER_LIMIT = 2 * 2**30  # bytes; the largest member that the manifest names is below 500 MB
_CHUNK = 2**20
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,  # a method of compression that zipfile does not know
)


def extract(archive: Path, member: str, target: Path, limit: int = MEMBER_LIMIT) -> None:
    """Write one regular file of an archive to `target`.

    Raises InputError for a name that is absolute or climbs, a member that is missing, not a regular file
    (a link or a device could reach outside), encrypted, or bigger than `limit` bytes, whatever size the
    archive claims for it; and for a damaged archive.
    """
    checked_name(member)
    opened = _zip_member if zipfile.is_zipfile(archive) else _tar_member
    try:
        with opened(archive, member, limit) as source, open(target, "wb") as file:
            _copy(source, file, archive, member, limit)
    except _DAMAGED as err:
        raise at(archive, None, f"{member} cannot be taken out ({err}): fetch the archive again") from None


def _copy(source: IO[bytes], file: IO[bytes], archive: Path, member: str, limit: int) -> None:
    n_bytes = 0
    while chunk := source.read(_CHUNK):
        n_bytes += len(chunk)
        _refuse_big(n_bytes, archive, member, limit)
        file.write(chunk)


def _refuse_big(n_bytes: int, archive: Path, member: str, limit: int) -> None:
    if n_bytes > limit:
        raise at(archive, None, f"{member} unpacks to more than {limit} bytes: refused")


@contextmanager
def _zip_member(archive: Path, member: str, limit: int) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(archive) as opened:
        infos = [info for info in opened.infolist() if info.filename == member]
        info = _only(infos, archive, member)
        mode = info.external_attr >> 16  # Unix type and permissions; 0 where a zip comes from elsewhere
        if info.is_dir() or stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise _not_regular(archive, member)
        if info.flag_bits & 1:
            raise at(archive, None, f"{member} is encrypted")
        _refuse_big(info.file_size, archive, member, limit)
        with opened.open(info) as file:
            yield file


@contextmanager
def _tar_member(archive: Path, member: str, limit: int) -> Iterator[IO[bytes]]:
    try:
        opened = tarfile.open(archive, "r:*")
    except tarfile.ReadError:
        raise at(archive, None, "is neither a zip nor a tar archive: fetch it again") from None
    with opened:
        info = _only([info for info in opened if info.name == member], archive, member)
        if not info.isreg() or info.issparse():
            raise _not_regular(archive, member)
        _refuse_big(info.size, archive, member, limit)
        yield opened.extractfile(info)


def _only(infos: list, archive: Path, member: str):
    if len(infos) != 1:
        raise at(archive, None, f"has {'no' if not infos else 'more than one'} member {member}")
    return infos[0]


def _not_regular(archive: Path, member: str) -> InputError:
    return at(archive, None, f"{member} is not a regular file but a link, folder or device: refused")
