"""One member of a zip or tar archive, taken out by its exact name and never by the archive's own paths."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar, cast

from xlembed.errors import InputError, at
from xlembed.manifest import checked_name
from xlembed.os_faults import advice

MEMBER_LIMIT = 2 * 2**30  # bytes; the largest member that the manifest names is below 500 MB
_TAR_LIMIT = 2 * MEMBER_LIMIT  # bytes of a whole tar, unpacked: to find a member, all before it is passed over
_N_MEMBERS = 100_000
_CHUNK = 2**20
_LONGEST_READ = 16 * _CHUNK  # bytes; a header that asks for more at once is a bomb
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,  # a method of compression that zipfile does not know
    ValueError,  # names that are not text, numbers that are none
    struct.error,
    MemoryError,  # of xz: a dictionary of gigabytes
    OverflowError,
    RuntimeError,  # of zipfile: encrypted; of deep recursion
    KeyError,
    IndexError,
)


def extract(archive: Path, member: str, target: Path, limit: int = MEMBER_LIMIT) -> None:
    """Write one regular file of an archive to `target`.

    Raises InputError for a name that is absolute or climbs, a member that is missing, not a regular file
    (a link or a device could reach outside), encrypted, or bigger than `limit` bytes, whatever size the
    archive claims for it; and for a damaged archive.
    """
    checked_name(member)
    try:
        with open(archive, "rb") as packed:  # by its path, is_zipfile takes what cannot be opened for no zip
            opened = _zip_member if zipfile.is_zipfile(packed) else _tar_member
        with opened(archive, member, limit) as source, open(target, "wb") as file:
            _copy(source, file, archive, member, limit)
    except InputError:
        raise
    except _DAMAGED as err:
        if advice(err) is not None:  # the disk, not the archive
            raise
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
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # zipfile unpacks all that it has read of the others at once, gigabytes from some kilobytes
            raise at(archive, None, f"{member} is compressed by method {info.compress_type}, deflated ones are read")
        _refuse_big(info.file_size, archive, member, limit)
        with opened.open(info) as file:
            yield file


@contextmanager
def _tar_member(archive: Path, member: str, limit: int) -> Iterator[IO[bytes]]:
    with _unpacked(archive) as stream, _opened_tar(stream, archive) as opened:
        found: list[tarfile.TarInfo] = []
        for number, info in enumerate(opened, start=1):
            if number > _N_MEMBERS:
                raise at(archive, None, f"has more than {_N_MEMBERS:,} members: refused")
            found += [info] if info.name == member else []
        info = _only(found, archive, member)
        if not info.isreg() or info.issparse():
            raise _not_regular(archive, member)
        _refuse_big(info.size, archive, member, limit)
        file = opened.extractfile(info)
        if file is None:
            raise _not_regular(archive, member)
        yield file


def _opened_tar(stream: BinaryIO, archive: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=stream, mode="r:")
    except tarfile.ReadError:
        raise at(archive, None, "is neither a zip nor a tar archive: fetch it again") from None


@contextmanager
def _unpacked(archive: Path) -> Iterator[BinaryIO]:
    """The bytes of a tar, decompressed as they are read and never more than the limits."""
    openers: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
    with open(archive, "rb") as file:
        magic = file.read(6)
    opener = next((opener for begin, opener in openers.items() if magic.startswith(begin)), open)
    with opener(archive, "rb") as file:
        yield cast(BinaryIO, _Bounded(file))


class _Bounded(io.RawIOBase):
    """A stream whose reader gets no more at a time, and no further, than the limits: sizes in headers are claims."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self.file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, n: int | None = -1) -> bytes:
        if n is None or not 0 <= n <= _LONGEST_READ:
            raise tarfile.ReadError(f"a header of {n} bytes")
        return self.file.read(n)

    def seek(self, place: int, whence: int = 0) -> int:
        if whence or not 0 <= place <= _TAR_LIMIT:
            raise tarfile.ReadError(f"goes on behind {_TAR_LIMIT:,} bytes")
        return self.file.seek(place)

    def tell(self) -> int:
        return self.file.tell()


_Info = TypeVar("_Info", zipfile.ZipInfo, tarfile.TarInfo)


def _only(infos: list[_Info], archive: Path, member: str) -> _Info:
    if len(infos) != 1:
        raise at(archive, None, f"has {'no' if not infos else 'more than one'} member {member}")
    return infos[0]


def _not_regular(archive: Path, member: str) -> InputError:
    return at(archive, None, f"{member} is not a regular file but a link, folder or device: refused")
