"""A web server on 127.0.0.1 that does wrong what it is told to."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Act = Callable[["Handler"], None]


class Site:
    """What each coming request is answered with: `acts` in turn, then `then` for ever."""

    def __init__(self) -> None:
        self.url = ""
        self.acts: list[Act] = []
        self.then: Act = error(404)
        self.requests: list[tuple[str, str | None]] = []  # (path, Range)
        self.is_over = threading.Event()  # ends what stalls
        self.lock = threading.Lock()

    def next_act(self) -> Act:
        with self.lock:
            return self.acts.pop(0) if self.acts else self.then


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def site(self) -> Site:
        return self.server.site

    def do_GET(self) -> None:
        self.close_connection = True
        self.site.requests.append((self.path, self.headers.get("Range")))
        try:
            self.site.next_act()(self)
            self.wfile.flush()
        except OSError:  # the client has had enough
            pass

    def head(self, code: int, n_bytes: int | None, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if n_bytes is not None:
            self.send_header("Content-Length", str(n_bytes))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()

    def log_message(self, *arguments: object) -> None:
        pass


# ---- right


def whole(body: bytes, ranges: bool = True, etag: str = '"1"', pause: float = 0.0) -> Act:
    """All of it, or the range that was asked for; `pause` seconds between its eight pieces."""

    def act(handler: Handler) -> None:
        start = _start(handler, ranges, etag)
        if start and start >= len(body):
            return handler.head(416, 0)
        _begin(handler, body, start, etag)
        step = max(1, len(body) // 8)
        for at in range(start, len(body), step):
            handler.wfile.write(body[at : at + step])
            handler.wfile.flush()
            handler.site.is_over.wait(pause)

    return act


def _start(handler: Handler, ranges: bool, etag: str) -> int:
    wanted = handler.headers.get("Range")
    if not wanted or not ranges or handler.headers.get("If-Range", etag) != etag:
        return 0
    return int(wanted.removeprefix("bytes=").removesuffix("-"))


def _begin(handler: Handler, body: bytes, start: int, etag: str = '"1"') -> None:
    if start:
        handler.head(206, len(body) - start, ETag=etag, Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")
    else:
        handler.head(200, len(body), ETag=etag)


# ---- wrong


def cut(body: bytes, after: int, ranges: bool = True, length: bool = True) -> Act:
    """The connection ends after so many bytes of the answer; without a length nothing says that it should not."""

    def act(handler: Handler) -> None:
        start = _start(handler, ranges, '"1"')
        if length:
            _begin(handler, body, start)
        else:
            handler.head(200, None)
        handler.wfile.write(body[start : start + after])

    return act


def stall(body: bytes, after: int) -> Act:
    """Silence after so many bytes, with the connection open."""

    def act(handler: Handler) -> None:
        _begin(handler, body, 0)
        handler.wfile.write(body[:after])
        handler.wfile.flush()
        handler.site.is_over.wait(60)

    return act


def silent(handler: Handler) -> None:
    """Not even a status line."""
    handler.site.is_over.wait(60)


def reset(body: bytes, after: int) -> Act:
    """The connection is reset after so many bytes."""

    def act(handler: Handler) -> None:
        _begin(handler, body, 0)
        handler.wfile.write(body[:after])
        handler.wfile.flush()
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    return act


def error(code: int, **headers: str) -> Act:
    return lambda handler: handler.head(code, 0, **headers)


def login(handler: Handler) -> None:
    """A web page with 200, as captive portals send it."""
    page = b"\n<!DOCTYPE html><html><title>Sign in</title></html>"
    handler.head(200, len(page), Content_Type="text/html; charset=utf-8")
    handler.wfile.write(page)


def of_length(body: bytes, claimed: int) -> Act:
    """A wrong Content-Length."""

    def act(handler: Handler) -> None:
        handler.head(200, claimed)
        handler.wfile.write(body)

    return act


def endless(handler: Handler) -> None:
    """A body without length that does not end."""
    handler.head(200, None)
    while not handler.site.is_over.is_set():
        handler.wfile.write(bytes(65_536))


def chunked_cut(body: bytes, after: int) -> Act:
    """A body in chunks of which the last is missing."""

    def act(handler: Handler) -> None:
        handler.head(200, None, Transfer_Encoding="chunked")
        handler.wfile.write(b"%x\r\n%b\r\n" % (after, body[:after]))

    return act


def garbage(handler: Handler) -> None:
    """No HTTP."""
    handler.wfile.write(b"\x00\xff" * 500)


def other_range(body: bytes, start: int) -> Act:
    """206 with a part that nobody asked for."""

    def act(handler: Handler) -> None:
        sent = body[start:]
        handler.head(206, len(sent), Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.wfile.write(sent)

    return act


@contextmanager
def serving() -> Iterator[Site]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.site = site = Site()
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()
