"""Opening text whatever its compression, and writing files so that nothing half-written is left behind."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import os
import shutil
import socket
import stat
import tempfile
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from xlembed.errors import InputError, at
from xlembed.os_faults import advice, cannot_read, cannot_write, named_in

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_SCRATCH = ".part"
_TEMPORARY = "xlembed"  # how folders for temporary files are named, between dots
BAD_STREAM = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, MemoryError)  # of xz: a dictionary of gigabytes
LINE_LIMIT = 1 << 24  # bytes; a compressed file of kilobytes can hold one line of gigabytes
JSON_LIMIT = 1 << 28  # bytes
_CHUNK = 1 << 16


def open_binary(path: str | Path) -> BufferedIOBase:
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
    except OSError as err:
        raise cannot_read(path, err) from None
    except ValueError as err:  # a zero byte in the name
        raise at(path, None, f"cannot be read ({err})") from None


def numbered_lines(path: str | Path, limit: int = LINE_LIMIT) -> Generator[tuple[int, str], None, None]:
    """(line number from 1, line without its end) of a UTF-8 text file.

    Lines end at \\n alone (one \\r before it is dropped): words may hold other Unicode line separators.
    A byte-order mark is dropped. A truncated archive, bytes that are not UTF-8, or a line of more than `limit` bytes
    raise InputError with the line.
    """
    number = 0
    with open_binary(path) as file:
        try:
            for number, raw in enumerate(iter(lambda: file.readline(limit + 1), b""), start=1):
                if len(raw) > limit:
                    raise at(path, number, long_line(limit))
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                yield number, line.removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise at(path, number, "is not valid UTF-8: convert the file, for instance with iconv") from None
        except BAD_STREAM as err:
            raise at(
                path, number + 1, f"compressed data is damaged or cut short ({err}): fetch the file again"
            ) from None
        except OSError as err:
            raise cannot_read(path, err) from None


def long_line(limit: int) -> str:
    """What there is to say against a line that goes on and on."""
    return f"has more than {limit:,} bytes before its line ends: is it a text file, with a line feed behind each line?"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a path to write to; what is there when the block ends well is renamed into place.

    If the block fails or the process dies, `path` is as it was. A disk that is full or refuses raises InputError.
    """
    with replacing_together(path) as (temporary,):
        yield temporary


@contextmanager
def replacing_together(*paths: str | Path) -> Iterator[list[Path]]:
    """`replacing` for files of one folder that belong together: all are whole before the first gets its name.

    Where a renaming fails, those before it are undone. A process that is killed between two of them leaves the new
    file beside the old: a reader that must know compares checksums (xlembed.saved).
    """
    wanted = [Path(path) for path in paths]
    for path in wanted:
        if os.path.isdir(path):
            raise at(path, None, "is a folder, the output needs a file name")
    with scratch_folder(wanted[0]) as folder:
        temporaries = [folder / path.name for path in wanted]
        try:
            for temporary in temporaries:
                temporary.touch()
            yield temporaries
            for temporary in temporaries:
                settle(temporary)
            rename_all(temporaries, wanted)
        except Exception as err:
            if isinstance(err, InputError) or advice(err) is None or not _concerns(err, folder):
                raise
            raise cannot_write(wanted[0], err) from None


def check_readable(*paths: str | Path) -> None:
    """Raise InputError where a file is missing, a folder or closed to this user: before anything else is said."""
    for path in paths:
        if not Path(path).is_fifo():  # whoever writes into a pipe would take closing for the end
            open_binary(path).close()


@contextmanager
def scratch_folder(path: str | Path) -> Iterator[Path]:
    """Yield a new hidden folder beside `path`, in which it is made; it vanishes with all that is in it.

    What killed processes left of their folders for the same `path` is removed first: a folder is held by a lock as
    long as its process lives.
    """
    path = Path(path)
    with _parents(path):
        try:
            folder, handle = _held_folder(path)
        except (FileExistsError, NotADirectoryError):
            raise at(path.parent, None, "is a file, a folder is needed for the output") from None
        except OSError as err:
            raise cannot_write(path, err) from None
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if handle is not None:
                os.close(handle)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a new folder where the system has its temporary files (TMPDIR); it vanishes with all that is in it.

    As beside an output, what killed processes of this user left there is removed first.
    """
    name = f"{_TEMPORARY}.{socket.gethostname()}"  # of a disk that hosts share, not all can tell which is held
    with scratch_folder(Path(tempfile.gettempdir()) / name) as folder:
        yield folder


@contextmanager
def _parents(path: Path) -> Iterator[None]:
    """Within it the folders above `path` may be made; of those that were not there the empty ones go at the end."""
    new = [folder for folder in path.parents if not os.path.exists(folder)]
    try:
        yield
    finally:
        for folder in new:  # the innermost first
            with suppress(OSError):
                folder.rmdir()


def check_place(path: str | Path) -> None:
    """Raise InputError where `path` could not be written: before hours of work, and not after."""
    with scratch_folder(path):
        pass


def _sweep(path: Path) -> None:
    """Remove scratch folders for `path`, of this user, that nobody holds. Without locks all are left."""
    prefix = f".{path.name}."
    for name in os.listdir(path.parent):
        if name.startswith(prefix) and name.endswith(_SCRATCH):
            with suppress(OSError):
                if not _is_own_folder(path.parent / name):
                    continue
                handle, is_held = hold(path.parent / name)
                if is_held:
                    shutil.rmtree(path.parent / name, ignore_errors=True)
                os.close(handle)


def _is_own_folder(path: Path) -> bool:
    """Whether it is a folder of this user, and no link to one: root could take those of others as well."""
    found = os.lstat(path)
    return stat.S_ISDIR(found.st_mode) and (fcntl is None or found.st_uid == os.geteuid())


def _held_folder(path: Path) -> tuple[Path, int | None]:
    """A new scratch folder, and the handle that holds it (None where there are no locks)."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        try:
            folder = Path(tempfile.mkdtemp(_SCRATCH, f".{path.name}.", path.parent))
        except FileNotFoundError:
            continue  # another process took the new folder above for one that nobody needs
        if fcntl is None:
            return folder, None
        try:
            return folder, hold(folder)[0]
        except (FileNotFoundError, BlockingIOError):
            continue  # another process swept it before it was held
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def hold(path: Path) -> tuple[int, bool]:
    """(handle, whether it locks the file or folder: some network disks have no locks).

    Raises BlockingIOError where another process holds it, FileNotFoundError where it is gone.
    """
    if fcntl is None:
        raise BlockingIOError
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.stat(path)
        return handle, True
    except (FileNotFoundError, BlockingIOError):
        os.close(handle)
        raise
    except OSError:
        return handle, False


@contextmanager
def holding(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a file, made if it is not there, against other processes that do the same: they call `waiting` and wait.

    The lock ends with the process, however it ends. A disk without locks holds nobody off.
    """
    handle = None
    try:
        while handle is None and fcntl is not None:
            handle = _locked_file(path, waiting)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _locked_file(path: Path, waiting: Callable[[], None]) -> int | None:
    """A handle that locks the file, or None where the process that had it has renamed or removed the file since."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        waiting()
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        return handle
    if os.path.exists(path) and os.path.samestat(os.fstat(handle), os.stat(path)):
        return handle
    os.close(handle)
    return None


def settle(temporary: Path) -> None:
    """Bring a file onto the disk, with the permissions of any new file."""
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(temporary, 0o666 & ~umask)  # safetensors makes files that only the owner can read


def rename_all(temporaries: Sequence[Path], paths: Sequence[Path]) -> None:
    """Rename one file after the other; if one cannot be, those before it get back what they held."""
    done: list[tuple[Path, Path | None]] = []  # (path, its old content)
    try:
        for temporary, path in zip(temporaries, paths, strict=True):
            is_last = path == paths[-1]
            old = temporary.with_name(f"{path.name}.old") if not is_last and path.exists() else None
            if old is not None:
                _keep(path, old)
            os.replace(temporary, path)
            done.append((path, old))
    except OSError:
        for path, old in done:
            os.replace(old, path) if old is not None else path.unlink()
        raise


def _keep(path: Path, old: Path) -> None:
    """A second name for a file, or a copy where the disk has no such links."""
    try:
        os.link(path, old)
    except OSError:
        shutil.copy2(path, old)


def _concerns(err: BaseException, folder: Path) -> bool:
    """Whether an error is about a file of the folder, as far as it tells."""
    named = named_in(err)
    return named is None or Path(named).is_relative_to(folder)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text with \\n line ends, all or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: Any) -> None:
    """Write indented JSON, all or nothing."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read one JSON document, or raise InputError that names the file.

    Halves of characters ("\\ud800"), which no file can hold, are refused as bytes that are not UTF-8 are.
    """
    try:
        raw = bytearray()
        with open_binary(path) as file:
            while chunk := file.read(_CHUNK):
                raw += chunk
                if len(raw) > JSON_LIMIT:
                    raise at(path, None, f"has more than {JSON_LIMIT:,} bytes: such JSON documents are not read")
        found = json.loads(raw.decode("utf-8"))
        if b"\\ud" in raw.lower():
            json.dumps(found, ensure_ascii=False).encode("utf-8")
        return found
    except InputError:
        raise
    except RecursionError:
        raise at(path, None, "is not valid JSON (it is nested too deep)") from None
    except (ValueError, *BAD_STREAM) as err:  # JSON, UTF-8, whole numbers of thousands of digits
        raise at(path, None, f"is not valid JSON ({err})") from None
    except OSError as err:
        raise cannot_read(path, err) from None


def sha256_of(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes as stored (no decompression)."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as err:
        raise cannot_read(path, err) from None
