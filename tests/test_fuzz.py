"""Hostile input: every reader takes a file or refuses it with one clear line, whatever the bytes.

The readers, their oracles and valid files are fuzz/targets.py. Here: files that once broke one (fuzz/found), a bounded
number of changes by hypothesis, bombs and climbing paths, and what may stand nowhere in the code. For hours of a
coverage-guided fuzzer: python benchmarks/fuzz.py TARGET --seconds 3600.
"""

from __future__ import annotations

import ast
import gzip
import io
import json
import lzma
import os
import pickle
import re
import shutil
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fuzz.model_folders import encoder_files
from fuzz.mutate import mutated
from fuzz.targets import TARGETS, check, fasttext_seeds, small_vectors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xlembed import archives, files
from xlembed.errors import InputError, printable
from xlembed.vectors import read_vectors, write_vectors

ROOT = Path(__file__).resolve().parent.parent
FOUND = Path(__file__).parent / "fuzz" / "found"
NEEDS = {"fasttext": "fasttext", "gensim": "gensim"}
SLOW = ("summary", "model-json", "model-weights", "fasttext", "adapters", "checkpoint",
        *(name for name in TARGETS if name.startswith(("encoder-", "finetuned-", "translator-"))))  # fmt: skip
MB = 1 << 20


def needed(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])


# ---- any bytes


@pytest.mark.parametrize("name", TARGETS)
def test_valid_files_are_taken(name, tmp_path):
    needed(name)
    for seed in TARGETS[name].seeds():
        assert check(name, seed, tmp_path), seed[:200]


@pytest.mark.parametrize("path", sorted(FOUND.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_files_that_broke_a_reader_once(path, tmp_path):
    needed(path.parent.name)
    check(path.parent.name, path.read_bytes(), tmp_path)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("data", [b"", b"\0", b"\xff\xfe" * 40, b"\n" * 9, b"[" * 100_000, b"1" * 10_000],
                         ids=["empty", "zero", "not UTF-8", "blank", "deep", "long number"])  # fmt: skip
def test_no_file_of_its_kind_at_all(name, data, tmp_path):
    needed(name)
    check(name, data, tmp_path)


STEPS = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 2**30), st.integers(0, 2**16)), min_size=1, max_size=4)


@pytest.mark.parametrize("name", TARGETS)
def test_changed_files_are_taken_or_refused_in_one_line(name, tmp_path_factory):
    needed(name)
    seeds, root = TARGETS[name].seeds(), tmp_path_factory.mktemp("fuzz")

    @settings(derandomize=True, database=None, deadline=None, max_examples=12 if name in SLOW else 60,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.sampled_from(range(len(seeds))), STEPS)
    def changed(number, steps):
        check(name, mutated(seeds[number], steps), root)

    changed()


@settings(derandomize=True, database=None, deadline=None, max_examples=80)
@given(st.text(max_size=80))
def test_any_text_in_a_report(text):
    import tempfile

    with tempfile.TemporaryDirectory() as root:
        check("report-text", text.encode(errors="replace"), Path(root))


# ---- written and read again


@settings(derandomize=True, database=None, deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6, unique=True), st.integers(1, 4),
       st.sampled_from([".vec", ".vec.gz", ".safetensors", ".bin"]))  # fmt: skip
def test_any_words_are_read_as_they_were_written_or_not_written(tmp_path, words, dim, suffix):
    from xlembed.vectors import WordVectors

    matrix = np.random.default_rng(0).normal(size=(len(words), dim)).astype(np.float32).round(3)
    vectors, path = WordVectors(words, matrix), tmp_path / f"a{suffix}"
    path.unlink(missing_ok=True)
    try:
        write_vectors(path, vectors)
    except (InputError, UnicodeEncodeError, ImportError):
        assert not path.exists()
        return
    read = read_vectors(path)
    assert read.words == words
    np.testing.assert_array_equal(read.matrix, matrix)


# ---- sizes that headers claim, and bombs


def peak_of(read) -> int:
    """Greatest number of bytes that Python and numpy held while a reader refused its file."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


HUGE = 10**12


@pytest.mark.parametrize("suffix", [".vec", ".vec.gz", ".vec.xz"])
@pytest.mark.parametrize("header", [f"{HUGE} 300", f"1 {HUGE}", f"{HUGE} {HUGE}", "9" * 18 + " " + "9" * 18])
def test_headers_of_vec_that_promise_too_much(tmp_path, header, suffix):
    packed = {".gz": gzip.compress, ".xz": lzma.compress}.get(suffix[-3:], bytes)
    (tmp_path / f"a{suffix}").write_bytes(packed(f"{header}\nthe 0.1 0.2\n".encode()))
    assert peak_of(lambda: read_vectors(tmp_path / f"a{suffix}")) < 100 * MB


@pytest.mark.parametrize("header", [f"{HUGE} 300", f"1 {HUGE}", f"{HUGE} {HUGE}", "1000000000 1", "1 0", "-1 3", "3"])
def test_headers_of_word2vec_that_promise_too_much(tmp_path, header):
    (tmp_path / "a.bin").write_bytes(header.encode() + b"\nthe " + bytes(100))
    assert peak_of(lambda: read_vectors(tmp_path / "a.bin")) < 5 * MB


def test_few_long_rows_are_not_given_room_for_thousands(tmp_path):
    (tmp_path / "a.vec").write_bytes(b"w" + b" 1" * 400_000 + b"\n" + b"v\n")
    assert peak_of(lambda: read_vectors(tmp_path / "a.vec")) < 150 * MB


@pytest.mark.parametrize("where", ["words", "buckets", "columns", "rows"])
def test_a_fasttext_model_that_leads_outside_its_matrix(tmp_path, where):
    needed("fasttext")
    raw = bytearray(fasttext_seeds()[0])
    if where == "rows":  # one row fewer, all else as it should be
        (n_words,) = struct.unpack_from("<i", raw, 68)
        place = raw.index(struct.pack("<2q", n_words + 8, 2))
        raw[place : place + 24] = struct.pack("<2q", n_words + 7, 2)
    else:
        place = {"words": 68, "buckets": 40, "columns": 8}[where]
        raw[place : place + 4] = struct.pack("<i", 2**31 - 1)
    (tmp_path / "a.bin").write_bytes(raw)
    with pytest.raises(InputError, match="cut short or damaged"):
        read_vectors(tmp_path / "a.bin")


@pytest.fixture
def short_lines(monkeypatch):
    """A limit of a megabyte in place of sixteen, so that a bomb is quick to make."""
    from xlembed import vec_blocks

    monkeypatch.setattr(vec_blocks, "LINE_LIMIT", MB)
    monkeypatch.setattr(vec_blocks, "_BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(files.numbered_lines, "__defaults__", (MB,))


@pytest.mark.parametrize("first", [b"", b"the 0.1 0.2\n"], ids=["first line", "later line"])
@pytest.mark.parametrize("by_blocks", [False, True])
def test_a_compressed_line_without_an_end(tmp_path, short_lines, monkeypatch, first, by_blocks):
    from xlembed import vec_text

    monkeypatch.setattr(vec_text, "_LARGE", 0 if by_blocks else 1 << 60)
    with gzip.open(tmp_path / "a.vec.gz", "wb", compresslevel=1) as file:
        file.write(first)
        for _ in range(50):
            file.write(b"1 " * (MB // 2))
    with pytest.raises(InputError, match=r"a\.vec\.gz:\d: has more than 1,048,576 bytes before its line ends"):
        read_vectors(tmp_path / "a.vec.gz")
    assert peak_of(lambda: read_vectors(tmp_path / "a.vec.gz")) < 25 * MB


def test_a_line_of_just_the_limit_is_read(tmp_path, short_lines):
    (tmp_path / "a.txt").write_bytes(b"x" * (MB - 1) + b"\n" + b"y" * MB)
    lines = list(files.numbered_lines(tmp_path / "a.txt"))
    assert [len(line) for _, line in lines] == [MB - 1, MB]
    (tmp_path / "a.txt").write_bytes(b"x" * MB + b"\n")
    with pytest.raises(InputError, match=r"a\.txt:1: has more than"):
        list(files.numbered_lines(tmp_path / "a.txt"))


def test_json_that_is_too_big_too_deep_or_half_a_character(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    for text, message in (("[" * 100_000, "nested too deep"), ("1" * 5000, "4300 digits"), ('"\\ud800"', "surrogates")):
        path.write_text(text)
        with pytest.raises(InputError, match=f"a.json: is not valid JSON .*{message}"):
            files.read_json(path)
    path.write_text('"\\ud83d\\ude00"')
    assert files.read_json(path) == "😀"
    monkeypatch.setattr(files, "JSON_LIMIT", 10)
    path.write_text('["12345678"]')
    with pytest.raises(InputError, match="more than 10 bytes"):
        files.read_json(path)


# ---- archives


def tar_of(*members: tarfile.TarInfo, content: bytes = b"", mode: str = "w:gz") -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=mode) as archive:
        for info in members:
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def refused(data: bytes, tmp_path: Path, member: str = "in/a.txt", message: str = "archive: ") -> None:
    """An archive is refused at a small cost of memory, and nothing is written beside the file asked for."""
    (tmp_path / "archive").write_bytes(data)

    def extract() -> None:
        archives.extract(tmp_path / "archive", member, tmp_path / "out", limit=10_000)

    with pytest.raises(InputError, match=message):
        extract()
    assert peak_of(extract) < 4 * MB
    assert set(os.listdir(tmp_path)) <= {"archive", "out"}
    assert not (tmp_path / "out").exists() or (tmp_path / "out").stat().st_size <= 10_000


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", "C:\\a", "C:/a", "\\\\host\\a", "a\\b", "a//b", "./a", "",
                                  "a\0b"])  # fmt: skip
def test_names_that_climb_or_are_of_another_system(tmp_path, name):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a"), b"x")
    for data in (raw.getvalue(), tar_of(tarfile.TarInfo("a"))):
        refused(data, tmp_path, name, "no plain relative path")


@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_a_name_twice_is_none(tmp_path, pack):
    if pack == "tar":
        refused(tar_of(tarfile.TarInfo("in/a.txt"), tarfile.TarInfo("in/a.txt")), tmp_path, message="more than one")
        return
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for _ in range(2):
            archive.writestr("in/a.txt", b"x")
    refused(raw.getvalue(), tmp_path, message="more than one")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices(tmp_path, kind):
    info = tarfile.TarInfo("in/a.txt")
    info.type, info.linkname = kind, "../../etc/passwd"
    refused(tar_of(info), tmp_path, message="not a regular file")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_claims_less_than_it_holds(tmp_path, method):
    """bzip2 and LZMA are refused at once: Python's zipfile unpacks them without a bound."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as archive:
        archive.writestr("in/a.txt", bytes(20 * MB))
    refused(raw.getvalue().replace(struct.pack("<I", 20 * MB), struct.pack("<I", 100)), tmp_path)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_tar_whose_header_unpacks_to_gigabytes(tmp_path, kind):
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 4 << 30
    with gzip.open(tmp_path / "a.gz", "wb", compresslevel=1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(40):
            file.write(b"a" * MB)
    data = (tmp_path / "a.gz").read_bytes()
    (tmp_path / "a.gz").unlink()
    refused(data, tmp_path)


def test_a_tar_of_very_many_members_and_one_that_never_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_N_MEMBERS", 50)
    refused(tar_of(*[tarfile.TarInfo(f"{i}") for i in range(60)]), tmp_path, message="more than 50 members")
    monkeypatch.setattr(archives, "_TAR_LIMIT", MB)
    data = tar_of(tarfile.TarInfo("big"), tarfile.TarInfo("in/a.txt"), content=bytes(2 * MB))
    refused(data, tmp_path, message="goes on behind|unpacks to more|cannot be taken out")


def test_an_archive_in_an_archive_is_a_file(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../evil", bytes(MB))
    (tmp_path / "archive").write_bytes(tar_of(tarfile.TarInfo("in/a.zip"), content=inner.getvalue()))
    archives.extract(tmp_path / "archive", "in/a.zip", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == inner.getvalue()
    assert set(os.listdir(tmp_path)) == {"archive", "out"}


# ---- code in data


class Runs:
    """A pickle of it makes a file when it is loaded."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_pickle_is_never_run(tmp_path):
    marker = tmp_path / "marker"
    for suffix in (".kv", ".model"):
        (tmp_path / f"a{suffix}").write_bytes(pickle.dumps({"wv": Runs(marker)}))
        with pytest.raises(InputError, match="KeyedVectors are needed"):
            read_vectors(tmp_path / f"a{suffix}")
    assert not marker.exists()
    pickle.loads((tmp_path / "a.kv").read_bytes())
    assert marker.exists(), "the pickle would have run"


def test_a_pickle_that_hashes_for_ever_or_claims_a_place_without_bounds(tmp_path):
    tuples = b"\x80\x02}(K\x01K\x02\x86" + b"q\x00h\x00\x86" * 60 + b"K\x01u."
    memo = b"\x80\x02}r\xff\xff\xff\x7f."
    size = b"\x80\x04\x8e" + struct.pack("<Q", HUGE) + b"abc."
    for data in (tuples, memo, size):
        (tmp_path / "a.kv").write_bytes(data)
        assert peak_of(lambda: read_vectors(tmp_path / "a.kv")) < 5 * MB


def test_code_in_an_encoders_folder_is_never_run(tmp_path):
    """A configuration, a model and a tokenizer that name a file of the folder; the file would leave a mark."""
    from transformers import AutoModel

    from comparisons.encoders import FoundEncoder
    from comparisons.loading import load_config, load_model, load_tokenizer

    for name, raw in encoder_files().items():
        (tmp_path / name).write_bytes(raw)
    (tmp_path / "planted.py").write_text(f"open({str(tmp_path / 'marker')!r}, 'w').close()\nclass It: pass\n")
    config = json.loads((tmp_path / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "planted.It", "AutoModel": "planted.It", "AutoTokenizer": ["planted.It", None]}
    tokenizer = {"auto_map": config["auto_map"], "tokenizer_class": "It"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    encoder = FoundEncoder("x", tmp_path, "local folder")
    for model_type in ("bert", "planted"):
        (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": model_type}))
        for load in (load_config, load_tokenizer, lambda found: load_model(found, AutoModel)):
            try:
                load(encoder)
            except InputError as err:
                assert str(tmp_path) in str(err)
        assert not (tmp_path / "marker").exists()


def test_pickled_weights_of_an_encoder_are_not_read(tmp_path):
    from transformers import AutoModel

    from comparisons.encoders import FoundEncoder
    from comparisons.loading import load_model

    (tmp_path / "config.json").write_bytes(encoder_files()["config.json"])
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Runs(tmp_path / "marker")))
    with pytest.raises(InputError, match="holds no .safetensors weights, and pickled ones are not read"):
        load_model(FoundEncoder("x", tmp_path, "local folder"), AutoModel)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("key", ["hidden_size", "intermediate_size", "vocab_size", "num_hidden_layers", "num_labels"])
def test_sizes_in_an_encoders_config_are_not_believed(tmp_path, key):
    from transformers import AutoModel

    from comparisons.encoders import FoundEncoder
    from comparisons.loading import load_model

    for name, raw in encoder_files().items():
        (tmp_path / name).write_bytes(raw)
    config = json.loads((tmp_path / "config.json").read_text()) | {key: 10**8}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert peak_of(lambda: load_model(FoundEncoder("x", tmp_path, "local folder"), AutoModel)) < 50 * MB


def test_code_in_a_translation_models_folder_is_never_run(tmp_path):
    """A model and a tokenizer that name a file of the folder, and a way of its own to generate."""
    from fuzz.model_folders import TRANSLATORS, lay_out, translator_files

    from baselines.translation.huggingface import HuggingFaceSettings, make

    planted = f"open({str(tmp_path / 'marker')!r}, 'w').close()\nclass It: pass\ndef generate(*_, **__): pass\n"
    named = {"AutoConfig": "planted.It", "AutoModelForSeq2SeqLM": "planted.It", "AutoTokenizer": ["planted.It", None]}
    for kind in TRANSLATORS:
        folder = tmp_path / kind
        lay_out(folder, translator_files(kind))
        (folder / "planted.py").write_text(planted)
        lay_out(folder / "custom_generate", {"generate.py": planted.encode(), "requirements.txt": b""})
        for name in ("config.json", "tokenizer_config.json", "generation_config.json"):
            about = json.loads((folder / name).read_text()) | {"auto_map": named, "custom_generate": str(folder)}
            (folder / name).write_text(json.dumps(about))
        try:
            make("en", "de", HuggingFaceSettings(str(folder), max_length=3, device="cpu")).translate(["the cat"])
        except InputError as err:
            assert str(folder) in str(err)
        assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("shape", [[10**8, 0], [10**8, 4], [0, 4]])
def test_the_size_of_a_language_adapter_is_not_believed(tmp_path, shape):
    from fuzz.targets import adapter_seeds, read_adapters

    raw = adapter_seeds()[0]
    n = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + n])
    header["0.down.weight"] |= {"shape": shape, "data_offsets": [0, 0]}
    for name, one in header.items():
        if name not in ("0.down.weight", "__metadata__"):
            header[name] = one | {"shape": [0], "data_offsets": [0, 0]}
    changed = json.dumps(header).encode()
    (tmp_path / "a.safetensors").write_bytes(len(changed).to_bytes(8, "little") + changed)
    with pytest.raises(InputError, match="no adapter for this encoder"):
        read_adapters(tmp_path / "a.safetensors")


@pytest.mark.parametrize("key, value", [("rank", 10**9), ("rank", True), ("max_length", "128"), ("epochs", 1e400)])
def test_settings_of_a_fine_tuned_encoder_are_not_believed(tmp_path, key, value):
    from fuzz.model_folders import finetuned_files, read_a_finetuned

    about = json.loads(finetuned_files()["lora"]["model.json"])
    about["settings"][key] = value
    (tmp_path / "case.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="model.json: is not that of|and no matrix is of that rank"):
        read_a_finetuned("model.json")(tmp_path / "case.json")


SOURCES = sorted(path for package in ("xlembed", "baselines", "comparisons") for path in (ROOT / package).rglob("*.py"))
MODULES = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CALLS = {"eval", "exec", "compile", "__import__", "yaml.load", "yaml.unsafe_load", "os.system", "os.popen"}
READS_PICKLES = {"xlembed/kv_file.py"}  # with every name in it made inert, see test_a_pickle_is_never_run


def faults_of(tree: ast.AST) -> list[str]:
    """What could run code that came with data: a pickle, a model's own code, a shell, text as a program."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {one.arg: ast.unparse(one.value) for one in node.keywords}
            found += [called] if called in CALLS else []
            found += [called] if called == "torch.load" and given.get("weights_only") != "True" else []
            found += [f"{key}={given[key]}" for key in ("trust_remote_code", "allow_pickle", "shell")
                      if given.get(key, "False") != "False"]  # fmt: skip
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            found += ["trust_remote_code" for key, value in pairs if isinstance(key, ast.Constant)
                      and key.value == "trust_remote_code" and ast.unparse(value) != "False"]  # fmt: skip
    return found


def test_nothing_in_the_code_runs_what_came_as_data():
    assert len(SOURCES) > 100
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        found = [one for one in faults_of(ast.parse(path.read_text("utf-8"))) if not (name in READS_PICKLES
                                                                                      and one == "pickle")]  # fmt: skip
        assert found == [], name


@pytest.mark.parametrize("code", ["import pickle", "from joblib import load", "torch.load(path)", "eval(text)",
                                  "np.load(path, allow_pickle=True)", "f(trust_remote_code=True)", "run(x, shell=True)",
                                  "f(trust_remote_code=given)", "x = {'trust_remote_code': None}"])  # fmt: skip
def test_the_search_for_such_code_finds_it(code):
    assert faults_of(ast.parse(code))
    assert not faults_of(ast.parse("torch.load(path, weights_only=True); f(trust_remote_code=False, shell=False)"))


# ---- what comes back to people


ODD = "\x1b[31mred\x1b]0;title\x07 \u202eesrever \u2066x\n\r\tb\x9b1m\u2028"


def test_messages_show_what_a_terminal_would_obey():
    message = str(InputError(f"a.txt: found {ODD}"))
    assert message.isprintable() and "\\x1b[31mred" in message and "\\u202e" in message and "\\n\\r\\t" in message
    assert str(InputError("日本 é 10\u00a0000")) == "日本 é 10\\xa0000"
    assert printable("a" * 10_000).startswith("aaa") and len(printable("a" * 10_000)) < 2100


def test_an_escape_in_a_token_does_not_reach_the_terminal(tmp_path):
    from comparisons.importing import Said, read_theirs

    (tmp_path / "gold.tsv").write_text("a\tO\n", encoding="utf-8")
    (tmp_path / "t.txt").write_text("a\tB-\x1b[31mX\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_theirs(tmp_path / "t.txt", Said("ner"), tmp_path / "gold.tsv")
    assert "\x1b" not in str(caught.value) and "\\x1b[31mX" in str(caught.value)


@pytest.mark.parametrize("template", ["{lang:>9999999999}", "{lang!r}{lang}", "{lang.__class__}{lang}", "{0}{lang}",
                                      "{lang}{", "{lang}{x}", "{lang[0]}{lang}"])  # fmt: skip
def test_a_template_asks_for_names_alone(tmp_path, template):
    from fuzz.targets import EXPERIMENT

    from comparisons.experiment import read_experiment

    for plain in ('test = "ner.{lang}.test.tsv"', 'vectors = "{lang}.vec"', 'train = "ner.{lang}.train.tsv"'):
        key = plain.partition(" ")[0]
        (tmp_path / "a.toml").write_text(EXPERIMENT.replace(plain, f'{key} = "{template}"', 1), encoding="utf-8")
        with pytest.raises(InputError, match=r"a\.toml: .*(may|must) hold"):
            read_experiment(tmp_path / "a.toml")


def test_a_summary_cannot_lead_out_of_its_folder(tmp_path):
    from small_summary import small_summary

    from comparisons.report.writing import write_reports
    from xlembed.files import write_json

    run = tmp_path / "deep" / "run"
    for name in ("../../evil", "/evil", "a/b", "", "x" * 300, 5):
        text = json.dumps(small_summary()).replace('"wikiann"', json.dumps(name))
        shutil.rmtree(run, ignore_errors=True)
        write_json(run / "summary.json", json.loads(text))
        with pytest.raises(InputError, match=r"summary\.json: "):
            write_reports(run, ("md", "html", "tex"))
        assert [path.name for path in tmp_path.rglob("*")] == ["deep", "run", "summary.json"]


HOSTILE = (
    "<script>hit()</script>", "</script><img src=x onerror=hit()>", "'\"><svg onload=hit()>", "[x](javascript:hit())",
    "![x](http://hit.example/x.png)", "[x][y]", "[y]: http://hit.example", "a|b|c", "`<b>`", "&lt;b&gt;", "\x1b[31mred",
    "\u2069\u202ereversed", "a\n\n# b", "\\input{/etc/passwd}\\write18{rm}", "50 % & # $x$ _ ^ ~ {", "<!--", "-->",
    "{{7*7}}", "http://hit.example",
)  # fmt: skip


def hostile_summary() -> dict:
    """A summary in which every free text is one that would like to be more than text."""
    from small_summary import small_summary

    summary, texts = small_summary(), " ".join(HOSTILE)
    experiment = summary["experiment"]
    experiment |= {"title": texts, "note": texts, "name": texts}
    for one in (*experiment["tasks"], *experiment["systems"]):
        one["note"] = texts
    experiment["tasks"][0] |= {"train": list(HOSTILE), "dev": list(HOSTILE)}
    summary |= {"command": texts, "machine": texts}
    summary["missing"][0]["why"] = texts
    for score in summary["scores"]:
        score |= {"flags": list(HOSTILE), "signature_line": texts}
        score["signature"]["versions"] = {text: text for text in HOSTILE}
    return json.loads(json.dumps(summary).replace('"e5"', json.dumps("<script>hit()</script>|`\x1b[1m")))


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory):
    pytest.importorskip("jinja2")
    from comparisons.report.writing import write_reports

    run = tmp_path_factory.mktemp("run")
    files.write_json(run / "summary.json", hostile_summary())
    write_reports(run, ("md", "html", "tex"))
    return {kind: (run / f"report.{kind}").read_text("utf-8") for kind in ("md", "html", "tex")}


def tags_of(html: str) -> list[tuple[str, dict[str, str | None]]]:
    from html.parser import HTMLParser

    found: list[tuple[str, dict[str, str | None]]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, dict(attributes)))
    parser.feed(html)
    parser.close()
    return found


def test_html_of_hostile_texts_has_no_tag_attribute_or_address_of_theirs(hostile_report):
    tags = tags_of(hostile_report["html"])
    assert [tag for tag, _ in tags].count("script") == [tag for tag, _ in tags].count("style") == 1
    assert not {tag for tag, _ in tags} & {"img", "iframe", "object", "embed", "form", "base", "link"}
    for tag, attributes in tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "style", "xlink:href")], tag
        assert attributes.get("href", "#").startswith("#")
    metas = [attributes for tag, attributes in tags if tag == "meta"]
    assert metas[1]["http-equiv"] == "Content-Security-Policy" and "default-src 'none'" in metas[1]["content"]
    assert "unsafe" not in metas[1]["content"]
    assert "\x1b" not in hostile_report["html"] and "&lt;script&gt;hit()&lt;/script&gt;" in hostile_report["html"]


def test_markdown_of_hostile_texts_makes_no_html_and_no_link(hostile_report):
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = markdown.parse(hostile_report["md"])
    inside = [child for token in tokens for child in token.children or []]
    assert not [token.content for token in (*tokens, *inside) if token.type in ("html_block", "html_inline")]
    assert not [token.attrs for token in inside if token.type == "link_open"]
    assert all(str(token.attrs["src"]).startswith("wikiann") for token in inside if token.type == "image")
    assert "\x1b" not in hostile_report["md"]


def test_tables_of_hostile_texts_keep_their_columns_in_markdown(hostile_report):
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    widths: list[int] = []
    for token in markdown.parse(hostile_report["md"]):
        if token.type == "tr_open":
            widths.append(0)
        widths[-1:] = [n + (token.type in ("td_open", "th_open")) for n in widths[-1:]]
    lines = [line for line in hostile_report["md"].split("\n") if line.startswith("| ")]
    assert len(lines) == len(widths) and min(widths) > 1


def test_latex_of_hostile_texts_runs_nothing_of_theirs(hostile_report):
    assert "\x1b" not in hostile_report["tex"]
    lines = [line for line in hostile_report["tex"].split("\n") if not line.startswith("%")]
    text = "\n".join(lines)
    commands = set(re.findall(r"\\([A-Za-z]+)", text))
    assert not commands & {"input", "write", "include", "openin", "immediate", "catcode", "def", "csname"}
    assert r"\textbackslash{}input\{/etc/passwd\}" in text
    assert not set("\x1b\u202e\u2069") & set(text)


def test_sizes_in_model_json_are_not_believed(tmp_path):
    from fuzz.targets import static_models

    from baselines.saving import load_static

    for name, (about, raw) in static_models().items():
        (tmp_path / "weights.safetensors").write_bytes(raw)
        for key in ("hidden", "radius", "projection", "units", "char_dim", "char_filters", "char_width"):
            if key in about["settings"]:
                changed = about | {"settings": about["settings"] | {key: 10**9}}
                (tmp_path / "model.json").write_text(json.dumps(changed), encoding="utf-8")
                with pytest.raises(InputError, match=str(tmp_path)):
                    load_static(tmp_path)
        assert name


def test_vectors_that_are_read_are_those_of_the_seed():
    assert len(small_vectors()) == 6
