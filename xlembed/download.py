"""A download that goes on where it stopped.

pooch keeps its downloads in a temporary file that it deletes when the connection breaks, and has no way to
ask a server for the rest, so 6 GB of vectors would start anew at every break. Hence these lines on
urllib: what has come lies in a `.part` file, beside it a note of what the file on the server was, and the
next request asks for the rest of *that* file (RFC 9110: Range and If-Range).
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from xlembed.errors import InputError
from xlembed.progress import SECONDS_BETWEEN_LINES, say

_CHUNK = 2**18
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_WORTH_ANOTHER_TRY = {408, 416, 425, 429}
_NOBODY_THERE = (socket.gaierror, ConnectionRefusedError)


@dataclass(frozen=True)
class _Remote:
    """What the server said about the file when its first byte came."""

    url: str
    tag: str | None  # a strong ETag, or else the date of the last change
    total: int | None  # bytes


def download(
    url: str, part: Path, what: str, attempts: int = 3, pause: float = 1.0, timeout: float = 30.0
) -> None:
    """Fill `part` with all that `url` holds, going on from what `part` holds already.

    The whole file is taken anew where the server ignores the wish for a part, or has another file by now.
    A broken connection is tried again after `pause` seconds, up to `attempts` times without a new byte.
    `what` names the file to the user. Raises InputError; what has come by then stays for the next call.
    """
    failures, most = 0, _size(part)
    while True:
        try:
            _continue(url, part, what, timeout)
            _note(part).unlink(missing_ok=True)
            return
        except urllib.error.HTTPError as err:
            err.close()
            reason = f"the server answers {err.code} {err.reason}"
            if err.code == 416:  # there is no rest: `part` is of another file
                part.unlink(missing_ok=True)
            elif err.code < 500 and err.code not in _WORTH_ANOTHER_TRY:
                raise InputError(f"{what}: {url}: {reason}") from None
        except (OSError, http.client.HTTPException) as err:
            cause = getattr(err, "reason", err)
            reason = " ".join(str(cause).split()) or type(cause).__name__
            if isinstance(cause, _NOBODY_THERE):
                raise InputError(f"{what}: {url} cannot be reached ({reason})") from None
        failures = failures + 1 if _size(part) <= most else 0
        most = max(most, _size(part))
        if failures >= attempts:
            kept = f"; {most} bytes have come: the same command goes on from there" if _size(part) else ""
            raise InputError(f"{what}: cannot be downloaded from {url} ({reason}){kept}")
        time.sleep(pause)


def _continue(url: str, part: Path, what: str, timeout: float) -> None:
    """One request. Raises OSError when the connection ends too early."""
    known = _read_note(part)
    resumable = known is not None and known.url == url
    offset = _size(part) if resumable else 0
    if resumable and offset == known.total:
        return
    headers = {"User-Agent": "xlembed", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if known.tag is not None:
            headers["If-Range"] = known.tag
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=timeout) as response:
        start, total = _where(response)
        if start > offset or (start > 0 and total != known.total):
            part.unlink()  # the rest of another file
            raise OSError("the file on the server has changed")
        if start == 0:
            _write_note(part, _Remote(url, _tag(response), total))
        with open(part, "r+b" if start else "wb") as file, _progress(what, url, start, total) as advance:
            file.seek(start)  # a server may send a little more than was asked for
            file.truncate()
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                advance(len(chunk))
    if total is not None and _size(part) < total:
        raise OSError(f"the connection ended at {_size(part)} of {total} bytes")


def _where(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """(first byte that the body holds, bytes of the whole file if the server says so)."""
    match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if response.status == 206 and match and match[1]:
        return int(match[1]), int(match[2]) if match[2] != "*" else None
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _tag(response: http.client.HTTPResponse) -> str | None:
    etag = response.headers.get("ETag")
    if etag and not etag.startswith("W/"):  # If-Range takes strong tags alone
        return etag
    return response.headers.get("Last-Modified")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _write_note(part: Path, remote: _Remote) -> None:
    _note(part).write_text(json.dumps(asdict(remote)), encoding="utf-8")


def _read_note(part: Path) -> _Remote | None:
    try:
        return _Remote(**json.loads(_note(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # none, or cut short: then the part is not to be trusted either
        return None


@contextmanager
def _progress(what: str, url: str, start: int, total: int | None) -> Iterator[Callable[[int], None]]:
    """Yield advance(bytes): a bar with bytes and speed on a terminal, now and then a line elsewhere."""
    shown = _bar if sys.stderr.isatty() else _lines
    with shown(what, url, start, total) as advance:
        yield advance


@contextmanager
def _bar(what: str, url: str, start: int, total: int | None) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, completed=start)
        yield lambda n: bar.update(task, advance=n)


@contextmanager
def _lines(what: str, url: str, start: int, total: int | None) -> Iterator[Callable[[int], None]]:
    size = "size not known" if total is None else f"{total} bytes"
    say(f"{what}: {f'going on at byte {start} of' if start else 'downloading'} {url} ({size})")
    done, last = start, time.monotonic()

    def advance(n: int) -> None:
        nonlocal done, last
        done += n
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            say(f"{what}: {done} bytes of {size}")

    yield advance
