"""Opening text whatever its compression, and writing files so that nothing half-written is left behind."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from xlembed.errors import InputError, at

BAD_STREAM = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error)


def open_binary(path: str | Path) -> IO[bytes]:
    """Open a file for reading bytes; .gz and .xz are decompressed on the way."""
    path = Path(path)
    if path.is_dir():
        raise at(path, None, "is a folder, a file is needed")
    try:
        suffix = path.suffix.lower()
        if suffix == ".gz":
            return gzip.open(path, "rb")
        if suffix == ".xz":
            return lzma.open(path, "rb")
        return open(path, "rb")
    except (FileNotFoundError, NotADirectoryError):
        raise at(path, None, "no such file") from None
    except PermissionError:
        raise at(path, None, "cannot be read: permission denied") from None


def numbered_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, line without its end) of a UTF-8 text file.

    Lines end at \\n alone (one \\r before it is dropped): words may hold other Unicode line separators.
    A byte-order mark is dropped. A truncated archive or bytes that are not UTF-8 raise InputError with
    the line.
    """
    number = 0
    with open_binary(path) as file:
        try:
            for number, raw in enumerate(file, start=1):
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                yield number, line.removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise at(path, number, "is not valid UTF-8: convert the file, for instance with iconv") from None
        except BAD_STREAM as err:
            raise at(
                path, number + 1, f"compressed data is damaged or cut short ({err}): fetch the file again"
            ) from None


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it into place when the block ends well.

    If the block fails or the process dies, `path` is as it was.
    """
    path = Path(path)
    if os.path.isdir(path):
        raise at(path, None, "is a folder, the output needs a file name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(".part" + path.suffix, f".{path.name}.", path.parent)
    except (FileExistsError, NotADirectoryError):
        raise at(path.parent, None, "is a file, a folder is needed for the output") from None
    except OSError as err:
        raise at(path, None, f"cannot be written ({err.strerror})") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes files that only the owner can read
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text with \\n line ends, all or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: Any) -> None:
    """Write indented JSON, all or nothing."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read one JSON document, or raise InputError that names the file."""
    try:
        with open_binary(path) as file:
            return json.loads(file.read().decode("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as err:
        raise at(path, None, f"is not valid JSON ({err})") from None


def sha256_of(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes as stored (no decompression)."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
