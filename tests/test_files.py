from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import socket
import subprocess
import sys
import tempfile

import pytest

from xlembed.errors import InputError
from xlembed.files import (
    check_readable,
    numbered_lines,
    open_binary,
    read_json,
    replacing,
    sha256_of,
    temporary_folder,
    write_json,
    write_text,
)

TEXT = "eins zwei\ndrei\n"


def written(path, content: bytes):
    path.write_bytes(content)
    return path


# ---- reading


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.txt", bytes), ("a.txt.gz", gzip.compress), ("a.txt.xz", lzma.compress), ("A.TXT.GZ", gzip.compress)],
)
def test_compression_follows_from_the_name(tmp_path, name, pack):
    path = written(tmp_path / name, pack(TEXT.encode()))
    assert list(numbered_lines(path)) == [(1, "eins zwei"), (2, "drei")]
    with open_binary(path) as file:
        assert file.read() == TEXT.encode()


def test_lines_end_at_line_feed_alone(tmp_path):
    line = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\rh"
    path = written(tmp_path / "a.txt", f"{line}\nnext".encode())
    assert list(numbered_lines(path)) == [(1, line), (2, "next")]


def test_crlf_and_byte_order_mark_are_dropped(tmp_path):
    path = written(tmp_path / "a.txt", b"\xef\xbb\xbfeins\r\n\r\ndrei\r\r\n")
    assert list(numbered_lines(path)) == [(1, "eins"), (2, ""), (3, "drei\r")]


def test_byte_order_mark_later_on_is_text(tmp_path):
    path = written(tmp_path / "a.txt", "eins\n\ufeffzwei\n".encode())
    assert list(numbered_lines(path)) == [(1, "eins"), (2, "\ufeffzwei")]


def test_empty_file_has_no_lines(tmp_path):
    assert list(numbered_lines(written(tmp_path / "a.txt", b""))) == []


def test_not_utf8_names_the_line(tmp_path):
    path = written(tmp_path / "a.txt", "gut\nschön\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.txt:2: is not valid UTF-8"):
        list(numbered_lines(path))


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_archive_cut_short(tmp_path, suffix, pack):
    packed = pack("\n".join(map(str, range(20_000))).encode())
    path = written(tmp_path / f"a.txt{suffix}", packed[: len(packed) // 2])
    with pytest.raises(InputError, match=r"a\.txt\.(gz|xz):\d+: compressed data is damaged or cut short"):
        list(numbered_lines(path))


def test_archive_damaged_in_the_middle(tmp_path):
    packed = bytearray(gzip.compress("\n".join(map(str, range(20_000))).encode()))
    packed[len(packed) // 2 : len(packed) // 2 + 64] = bytes(64)
    path = written(tmp_path / "a.txt.gz", bytes(packed))
    with pytest.raises(InputError, match="compressed data is damaged or cut short"):
        list(numbered_lines(path))


@pytest.mark.parametrize("name", ["a.txt.gz", "a.txt.xz"])
def test_archive_that_is_none(tmp_path, name):
    with pytest.raises(InputError, match=f"{name}:1: compressed data is damaged"):
        list(numbered_lines(written(tmp_path / name, b"plain text\n")))


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.txt: no such file"):
        list(numbered_lines(tmp_path / "nothing.txt"))
    with pytest.raises(InputError, match="is a folder, a file is needed"):
        list(numbered_lines(tmp_path))
    path = written(tmp_path / "a.txt", b"")
    with pytest.raises(InputError, match="no such file"):
        list(numbered_lines(path / "b.txt"))


def test_json_there_and_back(tmp_path):
    value = {"name": "Übergröße", "numbers": [1, 2.5, None]}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert (tmp_path / "a.json").read_bytes().endswith(b"}\n")
    assert "Übergröße".encode() in (tmp_path / "a.json").read_bytes()


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1} x', b'"\xff"'])
def test_damaged_json_names_the_file(tmp_path, content):
    with pytest.raises(InputError, match=r"a\.json: is not valid JSON"):
        read_json(written(tmp_path / "a.json", content))


def test_sha256_of_the_bytes_as_stored(tmp_path):
    packed = gzip.compress(b"text")
    assert sha256_of(written(tmp_path / "a.gz", packed)) == hashlib.sha256(packed).hexdigest()
    with pytest.raises(InputError, match="no such file"):
        sha256_of(tmp_path / "nothing")


# ---- writing


def test_write_text_makes_folders_and_keeps_line_feeds(tmp_path):
    write_text(tmp_path / "new" / "folder" / "a.txt", "ä\nb\r\n")
    assert (tmp_path / "new" / "folder" / "a.txt").read_bytes() == "ä\nb\r\n".encode()
    assert os.listdir(tmp_path / "new" / "folder") == ["a.txt"]


def test_new_file_has_the_usual_permissions(tmp_path):
    umask = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(umask)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = written(tmp_path / "a.txt", b"old")
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_text("half of the n")
        assert path.read_bytes() == b"old"
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_failure_of_a_new_file_leaves_nothing(tmp_path):
    with pytest.raises(ValueError), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("half of the n")
        raise ValueError
    assert os.listdir(tmp_path) == []


def test_temporary_file_lies_beside_and_keeps_the_suffix(tmp_path):
    with replacing(tmp_path / "a.vec.gz") as temporary:
        assert temporary.parent.parent == tmp_path and temporary.parent.name.startswith(".a.vec.gz.")
        assert temporary.suffix == ".gz"


def test_places_that_cannot_be_written(tmp_path):
    path = written(tmp_path / "file", b"")
    for place, message in [
        (tmp_path, "is a folder, the output needs a file name"),
        (path / "a.txt", "is a file, a folder is needed for the output"),
        (path / "b" / "a.txt", "is a file, a folder is needed for the output"),
        (tmp_path / ("long" * 100), "cannot be written"),
        (tmp_path / ("long" * 100) / "a.txt", "cannot be written"),
    ]:
        with pytest.raises(InputError, match=message), replacing(place):
            pass
    assert os.listdir(tmp_path) == ["file"]


# ---- temporary files


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where temporary files are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


OURS = f".xlembed.{socket.gethostname()}"


def left_by_a_killed_process(place):
    (place / f"{OURS}.dead0000.part").mkdir()
    return written(place / f"{OURS}.dead0000.part" / "corpus.txt", b"a b")


def test_a_temporary_folder_goes_with_all_in_it_and_takes_what_was_left(place):
    left_by_a_killed_process(place)
    others = ["xlembed-notes", ".xlembed", ".other.dead0000.part", f"{OURS}-too.dead0000.part"]  # of another host
    for name in others:
        (place / name).mkdir()
    with temporary_folder() as folder, temporary_folder() as second:
        written(folder / "a", b"")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert sorted(os.listdir(place)) == sorted([*others, folder.name, second.name])
    assert sorted(os.listdir(place)) == sorted(others)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users")
def test_what_others_left_stays(place, monkeypatch):
    """A killed process's folder of another user (root could remove it), and links and pipes that carry the name."""
    path = left_by_a_killed_process(place)
    (place / "mine").mkdir()
    written(place / "mine" / "a", b"")
    os.symlink(place / "mine", place / f"{OURS}.link0000.part")
    os.mkfifo(place / f"{OURS}.pipe0000.part")  # opening it would wait for ever
    written(place / f"{OURS}.file0000.part", b"")
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
        with temporary_folder():
            assert path.is_file()
    with temporary_folder():
        assert not path.exists()
    assert sorted(os.listdir(place)) == [*(f"{OURS}.{kind}0000.part" for kind in ("file", "link", "pipe")), "mine"]
    assert os.listdir(place / "mine") == ["a"]


def test_check_readable(tmp_path):
    path = written(tmp_path / "a.txt", b"")
    check_readable(path, path)
    with pytest.raises(InputError, match=r"b\.txt: no such file"):
        check_readable(path, tmp_path / "b.txt")
    with pytest.raises(InputError, match="is a folder, a file is needed"):
        check_readable(tmp_path)


def test_a_pipe_is_left_to_who_reads_it(tmp_path):
    """Opening and closing it would end the program that writes into it."""
    os.mkfifo(tmp_path / "pipe")
    writer = subprocess.Popen([sys.executable, "-c", "open('pipe', 'w').write('some text')"], cwd=tmp_path)
    check_readable(tmp_path / "pipe")
    assert (tmp_path / "pipe").read_text() == "some text" and writer.wait() == 0
