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
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from xlembed.errors import InputError
from xlembed.os_faults import cannot_write
from xlembed.progress import SECONDS_BETWEEN_LINES, say

TIMEOUT = 30.0  # seconds without a byte
SIZE_LIMIT = 20 * 2**30  # bytes of a file whose size nobody tells
LONGEST_WAIT = 120.0  # seconds that a server may ask us to wait
_CHUNK = 2**18
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_WORTH_ANOTHER_TRY = {408, 416, 425, 429}
_NOBODY_THERE = (socket.gaierror, ConnectionRefusedError)
_NOT_KEPT = "refused, nothing of it is kept"


@dataclass(frozen=True)
class _Remote:
    """What the server said about the file when its first byte came."""

    url: str
    tag: str | None  # a strong ETag, or else the date of the last change
    total: int | None  # bytes


class _Broken(Exception):
    """The connection failed, in words; `is_final` where another try would not help."""

    def __init__(self, reason: str, is_final: bool = False):
        super().__init__(reason)
        self.is_final = is_final


def download(
    url: str,
    part: Path,
    what: str,
    attempts: int = 3,
    pause: float = 1.0,
    timeout: float = TIMEOUT,
    n_bytes: int | None = None,
    keep_note: bool = False,
) -> None:
    """Fill `part` with all that `url` holds, going on from what `part` holds already.

    The whole file is taken anew where the server ignores the wish for a part, or has another file by now.
    A connection that breaks, or is silent for `timeout` seconds, is tried again after `pause` seconds (or as many as
    the server asks for), up to `attempts` times without a new byte. A file of another size than `n_bytes` (None: any)
    is refused as soon as that shows. `what` names the file to the user. Raises InputError; what has come by then
    stays for the next call, and with `keep_note` a part that is whole does too, until `discard`.
    """
    failures, most = 0, _size(part)
    while True:
        wait = pause
        try:
            _continue(url, part, what, timeout, n_bytes)
            if not keep_note:
                _note(part).unlink(missing_ok=True)
            return
        except urllib.error.HTTPError as err:
            err.close()
            reason = f"the server answers {err.code} {' '.join(str(err.reason).split())}"
            if err.code == 416:  # there is no rest: `part` is of another file
                _empty(part)
            elif err.code < 500 and err.code not in _WORTH_ANOTHER_TRY:
                raise InputError(f"{what}: {url}: {reason}{_remedy(err.code)}") from None
            wait = max(pause, _asked_to_wait(err.headers))
            if wait > LONGEST_WAIT:
                raise InputError(f"{what}: {url}: {reason}: it asks to be left alone for {wait:.0f} seconds: run the "
                                 "same command after that") from None  # fmt: skip
        except _Broken as err:
            reason = str(err)
            if err.is_final:
                raise InputError(f"{what}: {url} cannot be reached ({reason}): check the address and the "
                                 "connection, or give --mirror DIR with a folder that holds it") from None  # fmt: skip
        except OSError as err:
            raise cannot_write(part, err) from None
        failures = failures + 1 if _size(part) <= most else 0
        most = max(most, _size(part))
        if failures >= attempts:
            raise InputError(f"{what}: cannot be downloaded from {url} ({reason}){_what_next(part)}")
        time.sleep(wait)


def discard(part: Path) -> None:
    """Remove a part and its note."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _what_next(part: Path) -> str:
    if _size(part):
        return f"; {_size(part)} bytes have come: the same command goes on from there"
    return ": try again later, or give --mirror DIR with a folder that holds it"


def _remedy(code: int) -> str:
    if code in (401, 403, 407):
        return ": it lets nobody in without an account or from here: take the file by other means and give --mirror DIR"
    return ": if the file has moved, take it by other means and give --mirror DIR with its folder"


def _asked_to_wait(headers: Message) -> float:
    """Seconds that Retry-After asks for, 0 where it does not. A date is taken against the server's own clock."""
    text = (headers.get("Retry-After") or "").strip()
    if text.isdecimal():
        return float(text)
    try:
        later, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("Date") or "")
        return max(0.0, (later - now).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def _continue(url: str, part: Path, what: str, timeout: float, n_bytes: int | None) -> None:
    """One request. Raises _Broken when the connection ends too early, OSError when the disk refuses."""
    known = _read_note(part)
    if known is not None and known.url != url:
        known = None
    offset = _size(part) if known else 0
    if known and offset == known.total:
        return
    headers = {"User-Agent": "xlembed", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if known and known.tag is not None:
            headers["If-Range"] = known.tag
    with _network():
        response = _OPENER.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    with response:
        start, total = _where(response)
        if start > offset or (start > 0 and known and total != known.total):
            _empty(part)  # the rest of another file
            raise _Broken("the file on the server has changed")
        _refuse_size(total, n_bytes, part, f"{what}: {url}", response.headers)
        if start == 0:
            _write_note(part, _Remote(url, _tag(response), total))
        with open(part, "r+b" if start else "wb") as file, _progress(what, url, start, total) as advance:
            file.seek(start)  # a server may send a little more than was asked for
            file.truncate()
            while chunk := _read(response):
                file.write(chunk)
                advance(len(chunk))
                if total is None:
                    _refuse_more(file.tell(), n_bytes, part, f"{what}: {url}")
    if total is not None and _size(part) < total:
        raise _Broken(f"the connection ended at {_size(part)} of {total} bytes")
    if n_bytes is not None and _size(part) < n_bytes:
        raise _Broken(f"the connection ended at {_size(part)} of {n_bytes} bytes")


def _refuse_size(total: int | None, n_bytes: int | None, part: Path, where: str, headers: Message) -> None:
    """Raise InputError for an announced size that cannot be right."""
    if total is None or n_bytes is None or total == n_bytes:
        return
    discard(part)
    page = " and is a web page, perhaps of a login" if headers.get_content_type() == "text/html" else ""
    raise InputError(f"{where} has {total} bytes, not the manifest's {n_bytes}{page}: {_NOT_KEPT}")


def _refuse_more(n_come: int, n_bytes: int | None, part: Path, where: str) -> None:
    """Raise InputError once more has come than there should be."""
    if n_come > (SIZE_LIMIT if n_bytes is None else n_bytes):
        discard(part)
        whose = f"{SIZE_LIMIT} without saying how many" if n_bytes is None else f"the manifest's {n_bytes}"
        raise InputError(f"{where} sends more bytes than {whose}: {_NOT_KEPT}")


def _read(response: http.client.HTTPResponse) -> bytes:
    """What has come, as soon as anything has: of a slow connection nothing is lost when it breaks."""
    with _network():
        return response.read1(_CHUNK)


@contextmanager
def _network() -> Iterator[None]:
    """Raise _Broken for all that a connection can do wrong, so that it is told from what the disk does."""
    try:
        yield
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as err:  # ValueError: a host name that cannot be one
        cause = getattr(err, "reason", err)
        reason = " ".join(str(cause).split()) or type(cause).__name__
        raise _Broken(reason, isinstance(cause, _NOBODY_THERE)) from None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """To the web alone, and never from an encrypted connection to an open one."""

    def redirect_request(self, req: urllib.request.Request, fp: Any, code: int, msg: str,
                         headers: http.client.HTTPMessage, newurl: str) -> urllib.request.Request | None:  # fmt: skip
        allowed = ("https",) if req.type == "https" else ("https", "http")
        if urlsplit(newurl).scheme not in allowed:
            raise urllib.error.HTTPError(newurl, code, f"and leads to {newurl}, which is not followed", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_Redirects)


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


def _empty(part: Path) -> None:
    """Cut a part to nothing. It is not removed: whoever waits for it holds on to the file."""
    if part.is_file():
        with open(part, "r+b") as file:
            file.truncate()


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
