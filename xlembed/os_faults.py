"""What the operating system refuses, in words: a full disk, a read-only one, no permission.

Such errors are nobody's bug: they become an InputError that says what to do. Everything else that an OSError can be
(a file that is not there, say) is for the caller to judge, and escapes.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xlembed.errors import InputError, at

_ADVICE = {
    errno.ENOSPC: "no space left on the disk: free some, or choose another place",
    errno.EDQUOT: "the quota of the disk is used up: free some space, or choose another place",
    errno.EFBIG: "the file grows larger than the disk or `ulimit -f` allows: choose another place or raise the limit",
    errno.EROFS: "the disk is read-only: choose another place",
    errno.EACCES: "permission denied: change the permissions, or choose another place",
    errno.EPERM: "permission denied: change the permissions, or choose another place",
    errno.EIO: "the disk reports an error (input/output error): check it, then run the command again",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    errno.EMFILE: "too many files are open: raise the limit (`ulimit -n`)",
    errno.ENFILE: "too many files are open on this machine: close some programs",
    errno.ENOTDIR: "a folder is needed, and a file is there: choose another place",
    errno.ELOOP: "its links go round in a circle: choose another place",
}
_OF_RUST = re.compile(r"\(os error (\d+)\)")  # safetensors and tokenizers tell the number in words
_OF_TEMPFILE = "No usable temporary directory"  # a FileNotFoundError, whatever the reason was
_OF_NUMPY = re.compile(r"\d+ requested and \d+ written")  # ndarray.tofile tells none


def advice(err: BaseException) -> str | None:
    """What happened and what to do, for an error that the operating system caused; None for any other."""
    if isinstance(err, FileNotFoundError) and _OF_TEMPFILE in str(err):
        return "no folder for temporary files can be written to: free some space there, or set TMPDIR to another"
    if isinstance(err, OSError) and err.errno is not None:
        return _ADVICE.get(err.errno)
    if isinstance(err, OSError) and _OF_NUMPY.search(str(err)):
        return _ADVICE[errno.ENOSPC]
    found = _OF_RUST.search(str(err)) if isinstance(err, Exception) else None
    return _ADVICE.get(int(found[1])) if found else None


def cannot_write(path: str | Path, err: BaseException) -> InputError:
    """The InputError for a file or folder that cannot be written."""
    return at(path, None, f"cannot be written: {advice(err) or getattr(err, 'strerror', None) or err}")


def cannot_read(path: str | Path, err: BaseException) -> InputError:
    """The InputError for a file that is there and cannot be read."""
    return at(path, None, f"cannot be read: {advice(err) or getattr(err, 'strerror', None) or err}")


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Within it an error that the operating system caused becomes the InputError that says so of `path`."""
    try:
        yield
    except Exception as err:
        if isinstance(err, InputError) or advice(err) is None:
            raise
        raise cannot_write(path, err) from None


def escaped(err: BaseException) -> str | None:
    """One line for an error of the operating system that nobody caught; None where it is another kind of error."""
    told, named = advice(err), named_in(err)
    return told and (f"{named}: {told}" if named is not None else told)


def named_in(err: BaseException) -> str | None:
    """The file that an error names; of two, as copying and renaming name them, the one that was to be written."""
    for named in (getattr(err, "filename2", None), getattr(err, "filename", None)):
        if isinstance(named, (str, Path)):
            return str(named)
    return None
