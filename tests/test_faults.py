"""Whatever fails, nothing is lost, nothing is half-written, and one line says what to do.

`pytest -s tests/test_faults.py` tells at its end how many faults each test injected.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fault_server as server
import numpy as np
import pytest
from fault_server import serving
from faults import COUNTS, DISK, ROOT, Calls, Commands, Done, count, failing, file_limit, hidden, nothing, tree
from small_experiment import write_data
from small_summary import small_summary
from test_taggers import sentences, trained
from tiny_encoders import save_tiny

from baselines.predictions import RunSettings, make_predictions, write_predictions
from baselines.saving import load_static, save_static
from comparisons import encoders, finetune_loop
from comparisons.encoders import find_encoder
from comparisons.finetune import FinetuneSettings, finetune, load_finetuned
from comparisons.report.writing import write_reports
from xlembed import download as download_module
from xlembed import fetch as fetch_module
from xlembed.alignment.base import LinearMapping, load_mapping, save_mapping
from xlembed.alignment.hub import HubSpace, load_hub, save_hub
from xlembed.errors import InputError
from xlembed.files import check_place, read_json, replacing, scratch_folder, write_json, write_text
from xlembed.manifest import DataFile
from xlembed.os_faults import advice, escaped
from xlembed.vec_bin import write_fasttext
from xlembed.vectors import WordVectors, read_vectors, write_vectors


@pytest.fixture(scope="module", autouse=True)
def told_at_the_end():
    yield
    for name, (injected, survived) in sorted(COUNTS.items()):
        print(f"\nfaults: {name}: {injected} injected, {survived} survived", end="")


# ---- everything that writes: whatever call fails, the old files are there


def vectors(version: int) -> WordVectors:
    rng = np.random.default_rng(version)
    words = [f"w{i}" for i in range(60)]
    return WordVectors(words, rng.normal(size=(60, 12)).astype(np.float32))


def mapping(version: int) -> LinearMapping:
    return LinearMapping(np.eye(40) * (version + 1), np.eye(40), about={"method": f"m{version}"})


def hub(version: int) -> HubSpace:
    weights = {"de": np.eye(30, dtype=np.float32) * (version + 1), "en": np.eye(30, dtype=np.float32)}
    return HubSpace(weights, about={"languages": ["de", "en"]})


@pytest.fixture(scope="module")
def taggers():
    return [trained("window", seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return find_encoder(str(save_tiny("bert", tmp_path_factory.mktemp("tiny") / "bert")))


QUICK = FinetuneSettings(epochs=2, batch_size=4, lr=1e-3, precision="float32", device="cpu")


@pytest.fixture(scope="module")
def tuned(bert):
    return [finetune(bert, "ner", sentences(12, seed), sentences(4, 9), QUICK, seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def fasttexts(tmp_path_factory):
    fasttext = pytest.importorskip("fasttext")
    corpus = tmp_path_factory.mktemp("fasttext") / "corpus.txt"
    corpus.write_text("eins zwei drei vier fünf\n" * 50, encoding="utf-8")
    train = fasttext.train_unsupervised
    return [train(str(corpus), dim=dim, bucket=50, minCount=1, epoch=1, thread=1, verbose=0) for dim in (4, 8)]


def predictions(version: int):
    items = sentences(5 + version, 3)
    return make_predictions(RunSettings("t", "ner", "s", "en"), items, [item.tags for item in items])


@pytest.fixture(scope="module")
def bert_and_tokenizer(bert):
    from transformers import AutoModel, AutoTokenizer

    return AutoModel.from_pretrained(bert.folder), AutoTokenizer.from_pretrained(bert.folder)


def encoder_folder(folder: Path, version: int, of: Callable[[str], Any]) -> None:
    """A saved encoder; a folder that holds one is never written again, so that the first is empty."""
    from comparisons.pretraining import save_encoder

    if version:
        save_encoder(*of("bert_and_tokenizer"), folder, {"steps": 1})
    else:
        folder.mkdir()


def pretraining_checkpoint(folder: Path, version: int) -> None:
    import torch

    from comparisons.pretraining_checkpoints import save_checkpoint

    parameter = torch.nn.Parameter(torch.full((50,), float(version)))
    optimizer = torch.optim.AdamW([parameter])
    parameter.sum().backward()
    optimizer.step()
    save_checkpoint(folder / "c", {"p": parameter}, optimizer, {"step": version})


def fetched(form: str) -> Callable[[Path, int], None]:
    """Bring a data file from a mirror: as it is, converted, or out of an archive."""

    def fetch_it(folder: Path, version: int) -> None:
        mirror = folder.parent.parent / f"mirror{version}"
        content = f"0\tBonn\tB-LOC\n1\tist{version}\tO\n".encode() * 20
        made, packed = content, mirror / "x.zip"
        if form != "as-is":
            made = b"".join(line.partition(b"\t")[2] + b"\n" for line in content.splitlines())
        if not mirror.exists():
            mirror.mkdir()
            if form == "as-is":
                (mirror / "a.tsv").write_bytes(content)
            else:
                with zipfile.ZipFile(packed, "w") as archive:
                    archive.writestr(zipfile.ZipInfo("a.txt"), content)
        file = data_file("a.tsv", "http://127.0.0.1:9/x.zip#a.txt", made, form)
        files = {file.name: file}
        if packed.exists():
            files["x.zip"] = data_file("x.zip", "http://127.0.0.1:9/x.zip", packed.read_bytes())
        (result,) = fetch_module.fetch([file], files, folder, mirror)
        if result.error is not None:
            raise InputError(result.error)

    return fetch_it


WRITERS: dict[str, Callable] = {  # name -> write(folder, version, fixtures)
    "text": lambda f, v, _: write_text(f / "a" / "t.txt", f"{v}\n" * 500),
    "json": lambda f, v, _: write_json(f / "j.json", [v] * 500),
    ".vec": lambda f, v, _: write_vectors(f / "v.vec", vectors(v)),
    ".vec.gz": lambda f, v, _: write_vectors(f / "v.vec.gz", vectors(v)),
    "store float32": lambda f, v, _: write_vectors(f / "v.safetensors", vectors(v)),
    "store int8": lambda f, v, _: write_vectors(f / "v.safetensors", vectors(v), "int8"),
    "word2vec .bin": lambda f, v, _: write_vectors(f / "v.bin", vectors(v)),
    "gensim .kv": lambda f, v, _: write_vectors(f / "v.kv", vectors(v)),
    "fastText .bin": lambda f, v, of: write_fasttext(f / "v.bin", of("fasttexts")[v]),
    "mapping": lambda f, v, _: save_mapping(f / "m", mapping(v)),
    "hub": lambda f, v, _: save_hub(f / "m", hub(v)),
    "static model": lambda f, v, of: save_static(f / "m", "ner", "window", of("taggers")[v]),
    "fine-tuned encoder": lambda f, v, of: of("tuned")[v].save(f / "m"),
    "pre-trained encoder": lambda f, v, of: encoder_folder(f / "m", v, of),
    "pre-training checkpoint": lambda f, v, _: pretraining_checkpoint(f, v),
    "predictions": lambda f, v, _: write_predictions(f / "p.jsonl", predictions(v)),
    "fetched from a mirror": lambda f, v, _: fetched("as-is")(f / "d", v),
    "fetched out of an archive": lambda f, v, _: fetched("wikiann-columns")(f / "d", v),
}
SEVERAL = {"fetched out of an archive"}  # files that do not belong together: each alone is old or new


@dataclass
class Written:
    """A writer, a folder with its old files, and what it makes of them."""

    write: Callable[[], None]
    work: Path
    old: dict[str, bytes]
    new: dict[str, bytes]
    n_calls: int
    together: bool

    def survives(self, fault: AbstractContextManager) -> None:
        """Call the writer in the midst of a fault: either it refuses and left all as it was, or it is done."""
        try:
            with contextlib.redirect_stderr(io.StringIO()), fault:
                self.write()
        except InputError as err:
            self.refused(str(err))
        else:
            assert tree(self.work) == self.new
            self.reset()
        assert hidden(self.work) == []

    def refused(self, message: str) -> None:
        assert "\n" not in message and str(self.work) in message
        assert re.search("cannot be (written|read): |in full: |: (no space|the disk|permission)", message), message
        found = tree(self.work)
        if self.together:
            assert found == self.old
        else:
            assert all(content in (self.old.get(name), self.new.get(name)) for name, content in found.items())
            self.reset()

    def reset(self) -> None:
        put_back(self.work, self.old)


def put_back(folder: Path, files: dict[str, bytes]) -> None:
    """Make a folder's content that of `tree` again."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, content in files.items():  # folders come before what is in them
        (folder / name).mkdir() if content == b"<folder>" else (folder / name).write_bytes(content)


@pytest.fixture(params=WRITERS)
def written(request, tmp_path) -> Written:
    name, write = request.param, WRITERS[request.param]
    of = request.getfixturevalue
    clean, work = tmp_path / "clean", tmp_path / "work"
    for folder in (clean, work):
        folder.mkdir()
        write(folder, 0, of)
    old = tree(work)
    with Calls(clean, nothing) as calls:
        write(clean, 1, of)
    assert calls.n >= 4 and tree(clean) != old
    return Written(lambda: write(work, 1, of), work, old, tree(clean), calls.n, name not in SEVERAL)


def test_a_writer_survives_the_failure_of_any_of_its_calls(written):
    faults = [(number, at, for_ever) for number, for_ever in ((errno.ENOSPC, True), (errno.EIO, False),
              (errno.EROFS, True), (errno.EACCES, False)) for at in range(1, written.n_calls + 1)]  # fmt: skip
    for number, at, for_ever in faults:
        written.survives(Calls(written.work, failing(number, at, for_ever)))
    written.write()
    assert tree(written.work) == written.new
    count("a call to the disk fails while a file is written", len(faults))


def test_a_writer_survives_a_disk_that_is_full_after_any_number_of_bytes(written):
    sizes = {len(content) for name, content in written.new.items() if content != written.old.get(name)} - {8}
    limits = sorted({limit for size in sizes for limit in (0, 1, size // 3, size // 2, size - 1)} - {max(sizes)})
    for limit in limits:
        written.survives(file_limit(limit))
    written.write()
    assert tree(written.work) == written.new
    count("the disk is full after k bytes while a file is written", len(limits))


def test_a_report_is_refused_by_a_full_disk_file_by_file(tmp_path):
    write_json(tmp_path / "summary.json", small_summary())
    with Calls(tmp_path, nothing) as calls:
        write_reports(tmp_path, ("html", "tex"))
    new = tree(tmp_path)
    for at in range(1, calls.n + 1):
        with Calls(tmp_path, failing(errno.ENOSPC, at, True)), pytest.raises(InputError) as caught:
            write_reports(tmp_path, ("html", "tex"))
        assert "no space left on the disk: free some" in str(caught.value) and tree(tmp_path) == new
    count("a call to the disk fails while a report is written", calls.n)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write where permissions forbid it")
def test_a_folder_without_permission(tmp_path):
    (tmp_path / "kept.txt").write_text("old", encoding="utf-8")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="permission denied: change the permissions"):
            write_text(tmp_path / "kept.txt", "new")
        assert (tmp_path / "kept.txt").read_text(encoding="utf-8") == "old"
    finally:
        tmp_path.chmod(0o700)


# ---- what is left of processes that died


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_holds_is_not(tmp_path):
    path = tmp_path / "a.txt"
    (tmp_path / ".a.txt.dead0000.part").mkdir()
    (tmp_path / ".a.txt.dead0000.part" / "a.txt").write_text("half", encoding="utf-8")
    (tmp_path / ".b.txt.dead0000.part").mkdir()
    code = ("from xlembed.files import scratch_folder\n"
            f"with scratch_folder({str(path)!r}):\n print(1, flush=True)\n input()")  # fmt: skip
    living = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    living.stdout.readline()
    held = [name for name in hidden(tmp_path) if "dead" not in name]
    assert len(held) == 1
    write_text(path, "whole")
    assert sorted(hidden(tmp_path)) == sorted([".b.txt.dead0000.part", *held])  # b.txt's go when b.txt is written
    living.kill()
    living.wait()
    living.stdin.close()
    living.stdout.close()
    write_text(path, "again")
    assert hidden(tmp_path) == [".b.txt.dead0000.part"] and path.read_text(encoding="utf-8") == "again"


PAIRS = {
    "mapping": (lambda f, v, of: save_mapping(f, mapping(v)), load_mapping, "holds a damaged mapping .*: align again"),
    "hub": (lambda f, v, of: save_hub(f, hub(v)), load_hub, "holds a damaged hub .*: map again"),
    "static": (lambda f, v, of: save_static(f, "ner", "window", of("taggers")[v]), load_static,
               "holds a damaged model .*: train it again"),
    "encoder": (lambda f, v, of: of("tuned")[v].save(f), load_finetuned, "its weights cannot be read .*cut off"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PAIRS)
def test_weights_of_one_saving_beside_the_json_of_another_are_refused(kind, tmp_path, request):
    """What a process leaves that is killed between the two renamings."""
    save, load, message = PAIRS[kind]
    for version in (0, 1):
        save(tmp_path / str(version), version, request.getfixturevalue)
    load(tmp_path / "1")
    (weights,) = (tmp_path / "1").glob("*.safetensors")
    shutil.copyfile(weights, tmp_path / "0" / weights.name)
    with pytest.raises(InputError, match=message):
        load(tmp_path / "0")


def test_a_pair_without_a_checksum_is_of_an_older_version_and_read(tmp_path):
    save_mapping(tmp_path, mapping(0))
    facts = read_json(tmp_path / "mapping.json")
    assert re.fullmatch("[0-9a-f]{64}", facts.pop("weights_sha256"))
    write_json(tmp_path / "mapping.json", facts)
    assert load_mapping(tmp_path).about == {"method": "m0"}


# ---- errors that tell what to do


@pytest.mark.parametrize("number", DISK)
def test_advice(number):
    err = OSError(number, os.strerror(number), "/x/y")
    assert escaped(err) == f"/x/y: {advice(err)}" and "\n" not in advice(err) and ": " in advice(err)
    rust = RuntimeError(f"Error while serializing: I/O error: x (os error {number})")
    assert escaped(rust) == advice(err)


@pytest.mark.parametrize("err", [ValueError("x"), KeyError("a"), FileNotFoundError(2, "x", "y"), OSError("words alone"),
                                 RuntimeError("(os error 2)"), KeyboardInterrupt()])  # fmt: skip
def test_what_is_no_fault_of_the_system_stays_a_bug(err):
    assert advice(err) is None and escaped(err) is None


def test_an_error_about_another_file_is_not_blamed_on_the_output(tmp_path):
    with pytest.raises(OSError, match="/elsewhere"), replacing(tmp_path / "a"):
        raise OSError(errno.EACCES, "Permission denied", "/elsewhere")
    assert tree(tmp_path) == {}


def test_a_file_that_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    save_mapping(tmp_path, mapping(0))

    def refuse(*of):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("safetensors.numpy.load_file", refuse)
    with pytest.raises(InputError, match="cannot be read: permission denied"):
        load_mapping(tmp_path)


def test_a_disk_that_fails_while_a_text_is_read(tmp_path, monkeypatch):
    class Failing(io.BytesIO):
        def readline(self, *of):
            raise OSError(errno.EIO, "Input/output error")

        __next__ = read = readline

    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr("xlembed.files.open", lambda *of: Failing(), raising=False)
    from xlembed.files import numbered_lines

    for read in (read_json, lambda path: list(numbered_lines(path))):
        with pytest.raises(InputError, match=r"a\.json: cannot be read: the disk reports an error"):
            read(tmp_path / "a.json")


# ---- training: what fails on the way does not end it


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_training(bert, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(finetune_loop, "CHECKPOINT_SECONDS", 0.0)
    data = sentences(12, 1), sentences(4, 9)
    alone = finetune(bert, "ner", *data, QUICK, 1)
    with Calls(tmp_path, failing(errno.ENOSPC, 1, True)) as calls:
        tuned = finetune(bert, "ner", *data, QUICK, 1, tmp_path / "checkpoint")
    assert calls.n >= 4
    assert "no space left on the disk" in (err := capsys.readouterr().err) and "the training goes on" in err
    for ours, theirs in zip(tuned.model.parameters(), alone.model.parameters(), strict=True):
        assert (ours == theirs).all()
    count("a checkpoint cannot be written", calls.n)


def test_a_model_that_cannot_be_saved_leaves_its_checkpoint(bert, tmp_path, monkeypatch):
    monkeypatch.setattr(finetune_loop, "CHECKPOINT_SECONDS", 0.0)
    tuned = finetune(bert, "ner", sentences(12, 1), sentences(4, 9), QUICK, 1, tmp_path / "checkpoint")
    with Calls(tmp_path, failing(errno.ENOSPC, 1, True)), pytest.raises(InputError, match="no space left"):
        tuned.save(tmp_path)
    assert list(tree(tmp_path)) == ["checkpoint", "checkpoint/checkpoint.safetensors"]
    tuned.save(tmp_path)
    assert list(tree(tmp_path)) == ["model.json", "trained.safetensors"]


def test_pretraining_goes_on_without_its_checkpoint(bert, tmp_path, capsys):
    from comparisons.pretraining import load_masked_lm, masked_inputs, pretrain
    from comparisons.pretraining_settings import PretrainSettings

    settings = PretrainSettings(steps=4, batch_size=2, block=24, precision="float32", device="cpu", every=1)
    curves = []
    for checkpoint in (None, tmp_path / "c"):
        model, _ = load_masked_lm(bert, 1)
        inputs = masked_inputs(bert, model, settings)
        corpus = inputs.corpus(["Anna sings in Rome"] * 8, "en", 24)
        with Calls(tmp_path, failing(errno.ENOSPC, 1, True)):
            curves.append(pretrain(model, inputs, [corpus], settings, checkpoint=checkpoint))
    assert curves[0].losses == curves[1].losses and tree(tmp_path) == {}
    assert capsys.readouterr().err.count("no space left on the disk") == 3


# ---- commands: a fault at any call, a full disk, kill -9


@pytest.fixture(scope="module")
def commands():
    made = Commands("comparisons.finetune", "baselines.saving", "baselines.window_tagger", "fasttext")
    yield made
    made.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory, commands):
    """The data of a small experiment, a corpus, a model, a tiny encoder."""
    folder = write_data(tmp_path_factory.mktemp("data"))
    rng = np.random.default_rng(0)
    words = [f"{start}{end}" for start in ("bar", "dol", "tur") for end in ("an", "em", "ist", "os")]
    (folder / "corpus.txt").write_text("".join(" ".join(rng.choice(words, 7)) + "\n" for _ in range(60)), "utf-8")
    save_tiny("bert", folder / "bert")
    train = ("tag", "train", folder / "ner.en.train.tsv", "--dev", folder / "ner.en.dev.tsv",
             "--vectors", folder / "en.vec", "--model", "window", "--epochs", 2, "--out", "model")  # fmt: skip
    assert commands.run(*train, cwd=folder).status == 0
    return folder


@dataclass(frozen=True)
class Command:
    """A command whose output goes to the current folder: what made the old files, and what makes the new."""

    old: tuple
    new: tuple
    set: dict | None = None  # what a test turns in the child


def command(name: str, data: Path) -> Command:
    en, de, dev, test = (data / one for one in ("en.vec", "de.vec", "ner.en.dev.tsv", "ner.en.test.tsv"))
    convert = ("vectors", "convert", en)
    align = ("align", de, en, "--out", "m", "--method")
    predict = ("tag", "predict", data / "model", "--vectors", en, "--out", "p.jsonl")
    learn = ("tag", "train", data / "ner.en.train.tsv", "--dev", dev, "--vectors", en, "--model", "window", "--epochs")
    train = ("vectors", "train", data / "corpus.txt", "--out", "v.bin", "--bucket", 100, "--min-count", 1, "--dim")
    tune = ("encoder", "finetune", "ner", dev, "--dev", test, "--encoder", data / "bert", "--batch-size", 16,
            "--max-length", 32, "--epochs", 2, "--out", "m", "--lr")  # fmt: skip
    return {
        "convert": Command((*convert, "v.safetensors", "-n", 5), (*convert, "v.safetensors")),
        "convert to .vec.gz": Command((*convert, "v.vec.gz", "-n", 5), (*convert, "v.vec.gz")),
        "align": Command((*align, "refine"), (*align, "procrustes")),
        "tag train": Command((*learn, 1, "--out", "m"), (*learn, 2, "--out", "m")),
        "tag predict": Command((*predict, dev), (*predict, test)),
        "train": Command((*train, 4), (*train, 8)),
        "finetune": Command((*tune, 1e-2), (*tune, 1e-3), {"comparisons.finetune_loop.CHECKPOINT_SECONDS": 0.0}),
    }[name]


QUICK_COMMANDS = ("convert", "convert to .vec.gz", "align", "train")
SLOW_COMMANDS = ("tag train", "tag predict", "finetune")


def without_seconds(value):
    """JSON without what differs from run to run."""
    if isinstance(value, dict):
        return {key: without_seconds(one) for key, one in value.items() if "seconds" not in key}
    return [without_seconds(one) for one in value] if isinstance(value, list) else value


def comparable(files: dict[str, bytes]) -> dict[str, object]:
    return {name: without_seconds(json.loads(content)) if name.endswith(".json") else content
            for name, content in files.items() if not _is_of_work(name)}  # fmt: skip


def _is_of_work(name: str) -> bool:
    """What is no result: scratch folders, checkpoints."""
    return any(part.startswith(".") or part == "checkpoint" for part in Path(name).parts)


class Runs:
    """A command in its folder, and what its files are before and after it."""

    def __init__(self, commands: Commands, one: Command, folder: Path):
        self.commands, self.one, self.folder = commands, one, folder
        self.fault = {"set": one.set} if one.set else {}
        for name in ("work", "clean"):
            (folder / name).mkdir()
        self.work = folder / "work"
        assert self._run(one.old, self.work).status == 0
        self.start = tree(self.work)
        shutil.copytree(self.work, folder / "clean", dirs_exist_ok=True)
        done = self._run(one.new, folder / "clean")
        assert done.status == 0, done.err
        self.old, self.new, self.n_calls = comparable(self.start), comparable(tree(folder / "clean")), done.n_calls
        assert self.old != self.new and self.n_calls >= 4

    def _run(self, argv: tuple, cwd: Path, **fault: object) -> Done:
        return self.commands.run(*argv, cwd=cwd, **self.fault, **fault)

    def run(self, **fault: object) -> Done:
        return self._run(self.one.new, self.work, **fault)

    def has_whole_files_alone(self) -> None:
        for name, content in comparable(tree(self.work)).items():
            assert content in (self.old.get(name), self.new.get(name)), name

    def works_again(self) -> None:
        """The same command without a fault makes the same files, and nothing else is left."""
        done = self.run()
        assert done.status == 0, done.err
        assert comparable(tree(self.work)) == self.new and hidden(self.work) == []

    def reset(self) -> None:
        put_back(self.work, self.start)


@pytest.fixture
def runs(request, commands, data, tmp_path) -> Runs:
    return Runs(commands, command(request.param, data), tmp_path)


def spread(n: int, most: int) -> list[int]:
    """At most so many numbers of 1..n, the first and the last among them."""
    return sorted({round(1 + i * (n - 1) / (min(n, most) - 1)) for i in range(min(n, most))})


def fail_at_each(runs: Runs, calls: list[int], what: str) -> None:
    for i, at in enumerate(calls):
        runs.reset()  # of a checkpoint, too: going on from it takes fewer calls
        refusal = runs.run(fail_at=at, errno=DISK[i % len(DISK)], for_ever=True).refusal
        assert re.search("|".join([re.escape(str(runs.work)), *runs.new]), refusal), refusal
        assert comparable(tree(runs.work)) == runs.old and hidden(runs.work) == []
    runs.works_again()
    count(what, len(calls))


def kill_at_each(runs: Runs, calls: list[int], what: str) -> None:
    for at in calls:
        assert runs.run(kill_at=at).status == -9
        runs.has_whole_files_alone()
        runs.works_again()
        runs.reset()
    count(what, len(calls))


@pytest.mark.parametrize("runs", QUICK_COMMANDS, indirect=True)
def test_a_command_whose_disk_fails_at_any_call(runs):
    fail_at_each(runs, spread(runs.n_calls, 5), "the disk fails at a call of a command")


@pytest.mark.parametrize("runs", QUICK_COMMANDS, indirect=True)
def test_a_command_that_is_killed_at_any_call(runs):
    kill_at_each(runs, spread(runs.n_calls, 5), "kill -9 at a call of a command")


@pytest.mark.parametrize("runs", ["tag train", "finetune"], indirect=True)
def test_a_training_whose_disk_fails_or_that_is_killed(runs):
    fail_at_each(runs, spread(runs.n_calls, 3), "the disk fails at a call of a command")
    runs.reset()
    kill_at_each(runs, spread(runs.n_calls, 3), "kill -9 at a call of a command")


@pytest.mark.slow
@pytest.mark.parametrize("runs", [*QUICK_COMMANDS, *SLOW_COMMANDS], indirect=True)
def test_every_call_of_every_command(runs):
    every = list(range(1, runs.n_calls + 1))
    fail_at_each(runs, every, "the disk fails at a call of a command")
    runs.reset()
    kill_at_each(runs, every, "kill -9 at a call of a command")


@pytest.mark.parametrize("runs", ["convert", "train"], indirect=True)
def test_a_command_on_a_disk_that_is_full(runs):
    sizes = [len(content) for name, content in tree(runs.folder / "clean").items() if content != b"<folder>"]
    limits = [0, 1, max(sizes) // 2, max(sizes) - 1]
    for limit in limits:
        assert re.search("cannot be written|the file grows larger|set TMPDIR", runs.run(limit=limit).refusal)
        assert comparable(tree(runs.work)) == runs.old and hidden(runs.work) == []
    runs.works_again()
    count("the disk is full after k bytes of a command's output", len(limits))


@pytest.mark.parametrize("runs", ["convert", "train", "finetune"], indirect=True)
def test_a_command_that_is_killed_at_a_random_moment(runs):
    killed = 0
    for seed in range(4):
        moment = random.Random(seed).uniform(0.0, 0.4)
        done = runs.commands.killed_after(moment, *runs.one.new, cwd=runs.work, **runs.fault)
        killed += done.status == -9
        runs.has_whole_files_alone()
    runs.works_again()
    count("kill -9 from outside at a random moment", killed)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_to_a_full_device_is_one_line(data):
    for argv in (("vectors", "info", data / "en.vec"), ("data", "list")):
        with open("/dev/full", "w") as full:
            done = subprocess.run([sys.executable, "-c", "from xlembed.cli import main; main()", *map(str, argv)],
                                  stdout=full, stderr=subprocess.PIPE, text=True,
                                  env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
        assert done.returncode == 2
        assert done.stderr == f"xlembed: error: {advice(OSError(errno.ENOSPC, 'x'))}\n"
    count("standard output is a full device", 2)


# ---- clocks


@pytest.mark.parametrize("runs", ["convert to .vec.gz", "align", "tag train", "finetune"], indirect=True)
def test_a_clock_that_jumps_changes_nothing(runs):
    for path in runs.work.rglob("*"):
        os.utime(path, (2**33, 2**33))  # files of the year 2242
    done = runs.run(clock=True)
    assert done.status == 0, done.err
    assert comparable(tree(runs.work)) == runs.new and hidden(runs.work) == []
    for path in runs.work.rglob("*.json"):
        assert all(0 <= seconds < 3600 for seconds in seconds_in(json.loads(path.read_text("utf-8"))))
    count("the clock jumps a day back and a year on while a command runs")


def seconds_in(value) -> list[float]:
    if isinstance(value, dict):
        return [one for key, child in value.items() for one in ([child] if key == "seconds" else seconds_in(child))]
    return [one for child in value for one in seconds_in(child)] if isinstance(value, list) else []


def test_nothing_looks_at_the_time_of_day_or_of_files():
    sources = [path for package in ("xlembed", "baselines", "comparisons") for path in (ROOT / package).rglob("*.py")]
    assert len(sources) > 100
    looks = re.compile(r"time\.time\(|datetime\.now|st_mtime\b|getmtime|utcnow")
    assert [path for path in sources if looks.search(path.read_text("utf-8"))] == []


# ---- the network


BODY = np.random.default_rng(0).bytes(400_000)
FINAL = "x/a.bin"


def data_file(name: str, source: str | None, content: bytes | None = None, form: str = "as-is") -> DataFile:
    size, digest = (None, None) if content is None else (len(content), hashlib.sha256(content).hexdigest())
    return DataFile(name, source, size, digest, "CC0", (), form)


@pytest.fixture
def site():
    with serving() as site:
        yield site


@pytest.fixture
def pauses(monkeypatch):
    """The waits between attempts, which are not waited."""
    waited: list[float] = []
    monkeypatch.setattr(download_module.time, "sleep", waited.append)
    return waited


def fetch_one(site, folder: Path, content: bytes | None = BODY, timeout: float = 0.3):
    file = data_file(FINAL, f"{site.url}/a.bin", content)
    (result,) = fetch_module.fetch([file], {file.name: file}, folder, None, timeout)
    return result


B = BODY
BAD = {  # name -> (the server's answers in turn, its answer ever after, what the message says)
    "cut off, no ranges": ([], server.cut(B, 100_000, ranges=False), "ended at 100000 of 400000 bytes.*goes on from"),
    "cut off without a length": ([], server.cut(B, 1000, length=False), "ended at 1000 of 400000 bytes.*goes on from"),
    "stalls": ([], server.stall(B, 70_000), "timed out.*70000 bytes have come: the same command goes on from there"),
    "is silent": ([], server.silent, r"timed out\): try again later, or give --mirror"),
    "resets": ([], server.reset(B, 0), r"reset by peer|ended at \d+ of"),
    "404": ([], server.error(404), "answers 404 Not Found: if the file has moved"),
    "403": ([], server.error(403), "answers 403 Forbidden: it lets nobody in.*--mirror"),
    "401": ([], server.error(401), "answers 401 Unauthorized: it lets nobody in.*--mirror"),
    "500 for ever": ([], server.error(500), "answers 500 Internal Server Error.*try again later"),
    "503 for ever": ([], server.error(503), "answers 503 Service Unavailable.*try again later"),
    "429 for an hour": ([], server.error(429, Retry_After="3600"), "left alone for 3600 seconds: run the same"),
    "redirects in a circle": ([], server.error(302, Location="/a.bin"), "answers 302 .*infinite loop"),
    "redirects to a file": ([], server.error(302, Location="file:///etc/passwd"), "file:///etc/passwd"),
    "redirects to FTP": ([], server.error(302, Location="ftp://127.0.0.1/a"), "which is not followed"),
    "redirects to no host": ([], server.error(302, Location=f"http://{'a' * 300}/"), "cannot be downloaded"),
    "redirects nowhere": ([], server.error(302), "answers 302 Found"),
    "a login page": ([], server.login, "not the manifest's 400000 and is a web page, perhaps of a login: refused"),
    "other bytes": ([], server.whole(B[::-1]), "has sha256 .* not the manifest's .*: refused, nothing of it is kept"),
    "more bytes": ([], server.whole(B + b"x"), "has 400001 bytes, not the manifest's 400000: refused"),
    "fewer bytes": ([], server.whole(B[:-1]), "has 399999 bytes, not the manifest's 400000: refused"),
    "too long a length": ([], server.of_length(B, len(B) + 9), "has 400009 bytes, not the manifest's 400000"),
    "too short a length": ([], server.of_length(B, 10), "has 10 bytes, not the manifest's 400000"),
    "an endless body": ([], server.endless, "sends more bytes than the manifest's 400000: refused"),
    "a chunk missing": ([], server.chunked_cut(B, 5000), "400000 bytes|IncompleteRead"),
    "no HTTP": ([], server.garbage, r"cannot be downloaded from http"),
    "a range unasked for": ([], server.other_range(B, 1000), "the file on the server has changed"),
}


@pytest.mark.parametrize("fault", BAD)
@pytest.mark.parametrize("kept", [None, b"an older version"])
def test_a_server_that_does_wrong(site, pauses, tmp_path, fault, kept):
    site.acts, site.then, message = list(BAD[fault][0]), *BAD[fault][1:]
    if kept is not None:
        (tmp_path / "x").mkdir()
        (tmp_path / FINAL).write_bytes(kept)
    result = fetch_one(site, tmp_path)
    assert result.state == "failed" and "\n" not in result.error
    assert f"{FINAL}: " in result.error and f"{site.url}/a.bin" in result.error
    assert re.search(message, result.error), result.error
    left = {name: content for name, content in tree(tmp_path).items() if name != "x" and ".part" not in name}
    assert left == ({} if kept is None else {FINAL: kept})
    assert len(site.requests) <= 12  # nobody is asked for ever
    has_part = any(name.endswith(".part") for name in tree(tmp_path))
    assert has_part == ("goes on from there" in result.error)  # what is kept is told, what is told is kept
    site.then = server.whole(BODY)
    assert fetch_one(site, tmp_path).state == "downloaded"
    assert {name: content for name, content in tree(tmp_path).items() if name != "x"} == {FINAL: BODY}
    count("a server that does wrong, for ever")


PASSING = {
    "cut": [server.cut(B, 100_000), server.cut(B, 1)],
    "cut without ranges": [server.cut(B, 100_000, ranges=False)],
    "stall": [server.stall(B, 70_000)],
    "silence": [server.silent],
    "reset": [server.reset(B, 0), server.reset(B, 0)],
    "500, 503": [server.error(500), server.error(503)],
    "429 and 503 with a time to wait": [server.error(429, Retry_After="7"), server.error(503, Retry_After="9")],
    "no HTTP": [server.garbage],
    "a range unasked for": [server.other_range(B, 1000)],
    "a chunk missing": [server.chunked_cut(B, 5000)],
    "a redirect": [server.error(302, Location="/elsewhere")],
    "all of it": [server.cut(B, 1), server.stall(B, 2), server.error(500), server.reset(B, 0)],
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_server_that_does_wrong_for_a_while(site, pauses, tmp_path, fault):
    site.acts, site.then = list(PASSING[fault]), server.whole(BODY)
    result = fetch_one(site, tmp_path)
    assert result.state == "downloaded", result.error
    assert {name: content for name, content in tree(tmp_path).items() if name != "x"} == {FINAL: BODY}
    if "time to wait" in fault:
        assert pauses == [7.0, 9.0]
    count("a server that does wrong for a while", len(PASSING[fault]))


def test_a_time_to_wait_is_told_by_the_servers_clock_alone(site, pauses, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 4e9)
    dated = server.error(503, Retry_After="Fri, 02 Jan 1970 00:01:00 GMT", Date="Fri, 02 Jan 1970 00:00:00 GMT")
    site.then = server.whole(BODY)
    # send_response writes a Date of its own first: the later of the two is not read
    monkeypatch.setattr(server.Handler, "date_time_string", lambda *of: "Fri, 02 Jan 1970 00:00:20 GMT")
    site.acts = [dated, server.error(503, Retry_After="soon")]
    assert fetch_one(site, tmp_path).state == "downloaded" and pauses == [40.0, 1.0]


def test_a_page_instead_of_a_file_of_which_nothing_is_known(site, pauses, tmp_path):
    site.then = server.login
    result = fetch_one(site, tmp_path, None)
    assert "is a web page, perhaps of a login, and not the file: refused" in result.error
    assert list(tree(tmp_path)) == ["x"]
    site.then = server.whole(BODY)
    assert fetch_one(site, tmp_path, None).state == "downloaded"


def test_an_endless_body_of_which_nothing_is_known(site, pauses, tmp_path, monkeypatch):
    monkeypatch.setattr(download_module, "SIZE_LIMIT", 1_000_000)
    site.then = server.endless
    assert "sends more bytes than 1000000 without saying how many" in fetch_one(site, tmp_path, None).error
    assert list(tree(tmp_path)) == ["x"]


def test_nobody_is_there(tmp_path, pauses):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        file = data_file(FINAL, f"http://127.0.0.1:{bound.getsockname()[1]}/a.bin", BODY)
        (result,) = fetch_module.fetch([file], {FINAL: file}, tmp_path)
    assert re.search("cannot be reached .*: check the address and the connection, or give --mirror", result.error)
    assert list(tree(tmp_path)) == ["x"] and pauses == []


def test_a_full_disk_is_not_blamed_on_the_server(site, pauses, tmp_path):
    site.then = server.whole(BODY)
    with Calls(tmp_path, nothing) as calls:
        fetch_one(site, tmp_path / "clean")
    for at in range(1, calls.n + 1):
        work = tmp_path / f"work{at}"
        with Calls(tmp_path, failing(errno.ENOSPC, at, True)):
            result = fetch_one(site, work)
        assert result.state == "failed" and "no space left on the disk: free some" in result.error
        assert not (work / FINAL).exists() and hidden(tmp_path) == [] and pauses == []
        assert fetch_one(site, work).state == "downloaded" and tree(work) == tree(tmp_path / "clean")
    assert len(site.requests) <= 1 + 2 * calls.n
    count("a call to the disk fails while a file is downloaded", calls.n)


def test_a_disk_that_fills_while_a_file_comes_keeps_what_has_come(site, pauses, tmp_path):
    site.then = server.whole(BODY)
    with file_limit(150_000), contextlib.redirect_stderr(io.StringIO()):
        result = fetch_one(site, tmp_path)
    assert "cannot be written: the file grows larger" in result.error and pauses == []
    assert 0 < (tmp_path / f"{FINAL}.part").stat().st_size <= 150_000
    assert fetch_one(site, tmp_path).state == "downloaded" and (tmp_path / FINAL).read_bytes() == BODY
    assert [wanted is not None for _, wanted in site.requests] == [False, True]  # the rest alone was asked for


def test_a_disk_that_fills_while_a_file_is_converted_keeps_the_download(site, pauses, tmp_path):
    content, made = b"0\tBonn\tB-LOC\n" * 1000, b"Bonn\tB-LOC\n" * 1000
    site.then = server.whole(content)
    file = data_file("n.tsv", f"{site.url}/n", made, "wikiann-columns")
    with Calls(tmp_path, nothing) as calls:
        assert fetch_module.fetch([file], {"n.tsv": file}, tmp_path / "clean")[0].state == "downloaded"
    with Calls(tmp_path, failing(errno.ENOSPC, calls.n, True)):
        (result,) = fetch_module.fetch([file], {"n.tsv": file}, tmp_path / "work")
    assert "no space left" in result.error
    n_requests = len(site.requests)
    (result,) = fetch_module.fetch([file], {"n.tsv": file}, tmp_path / "work")
    assert result.state == "downloaded" and len(site.requests) == n_requests


def test_a_full_disk_is_not_blamed_on_the_archive(tmp_path):
    from xlembed.archives import extract

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", "x" * 5000)
    with file_limit(100), pytest.raises(OSError) as caught:
        extract(tmp_path / "a.zip", "a", tmp_path / "out")
    assert caught.value.errno == errno.EFBIG


@pytest.fixture
def manifest(site, tmp_path):
    """A manifest of one file of which nothing is known but its address."""
    path = tmp_path / "manifest.txt"
    path.write_text(f"{FINAL}\t{site.url}/a.bin\t-\t-\t-\t-\tas-is\n", encoding="utf-8")
    (tmp_path / "cwd").mkdir()
    return path


FETCH = ("data", "fetch", FINAL, "--data", "d", "--timeout", 0.5)


def test_the_command_gives_a_stalled_server_up(commands, site, manifest, tmp_path):
    site.then = server.stall(BODY, 30_000)
    done = commands.run(*FETCH, cwd=tmp_path / "cwd", manifest=str(manifest))
    assert f"{site.url}/a.bin (timed out); 30000 bytes have come" in done.refusal
    site.then = server.whole(BODY)
    assert commands.run(*FETCH, cwd=tmp_path / "cwd", manifest=str(manifest)).status == 0
    assert site.requests[-1] == ("/a.bin", "bytes=30000-")


def test_two_fetches_into_one_folder(commands, site, manifest, tmp_path):
    """The second waits, and finds done what it came for; a checksum that could tell a mixture is not known."""
    site.then = server.whole(BODY, pause=0.05)
    cwd = tmp_path / "cwd"
    started = [commands.start(*FETCH, cwd=cwd, manifest=str(manifest)) for _ in range(3)]
    done = [commands.wait(one) for one in started]
    assert [one.status for one in done] == [0, 0, 0], [one.err for one in done]
    assert tree(cwd / "d") == {"x": b"<folder>", FINAL: BODY}
    assert len(site.requests) == 1
    assert sum("another process is downloading it: waiting" in one.err for one in done) == 2
    count("several fetches into one folder", 3)


def test_two_fetches_of_which_the_first_is_killed(commands, site, manifest, tmp_path):
    """The second goes on where the first stood."""
    site.acts, site.then = [server.stall(BODY, 100_000)], server.whole(BODY)
    cwd = tmp_path / "cwd"
    first = commands.start(*FETCH[:-1], 30, cwd=cwd, manifest=str(manifest))
    part = cwd / "d" / f"{FINAL}.part"
    until(lambda: part.exists() and part.stat().st_size == 100_000)
    second = commands.start(*FETCH, cwd=cwd, manifest=str(manifest))
    told = Path(f"{second[1]}.err")  # made when the process has started
    until(lambda: told.exists() and "waiting" in told.read_text("utf-8"))
    os.kill(first[0], 9)
    assert commands.wait(first).status == -9 and commands.wait(second).status == 0
    assert tree(cwd / "d") == {"x": b"<folder>", FINAL: BODY}
    assert [wanted for _, wanted in site.requests] == [None, "bytes=100000-"]
    count("kill -9 from outside at a random moment")


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    for _ in range(3000):
        if is_so():
            return
        time.sleep(0.02)
    raise AssertionError("what was waited for did not come")


def test_a_fetch_that_is_killed_at_any_call(commands, site, manifest, tmp_path):
    site.then = server.whole(BODY)
    (tmp_path / "clean").mkdir()
    n_calls = commands.run(*FETCH, cwd=tmp_path / "clean", manifest=str(manifest)).n_calls
    assert n_calls >= 6
    for at in range(1, n_calls + 1):
        cwd = tmp_path / f"kill{at}"
        cwd.mkdir()
        assert commands.run(*FETCH, cwd=cwd, manifest=str(manifest), kill_at=at).status == -9
        assert tree(cwd).get(f"d/{FINAL}", BODY) == BODY
        assert commands.run(*FETCH, cwd=cwd, manifest=str(manifest)).status == 0
        assert tree(cwd / "d") == {"x": b"<folder>", FINAL: BODY}
    count("kill -9 at a call of a command", n_calls)


# ---- a cache that cannot be written


def fake_conversion(monkeypatch) -> None:
    """Packages with an encoder that is made in no time."""
    monkeypatch.setattr(encoders, "_from_hub", lambda *of: (None, "switched off"))
    monkeypatch.setattr(encoders, "_package_file", lambda *of: Path(__file__))

    def convert(weights: Path, tokenizer: Path, folder: Path) -> None:
        write_text(folder / "model.safetensors", "weights")
        write_json(folder / "checksums.json", {"model.safetensors": hashlib.sha256(b"weights").hexdigest()})

    monkeypatch.setattr(encoders, "_convert", convert)


def test_a_cache_of_encoders_whose_disk_fails_at_any_call(tmp_path, monkeypatch):
    fake_conversion(monkeypatch)
    with Calls(tmp_path, nothing) as calls:
        find_encoder(encoders.E5_SMALL, tmp_path / "clean")
    for number in (errno.EROFS, errno.EACCES, errno.ENOSPC):
        for at in range(1, calls.n + 1):
            with Calls(tmp_path, failing(number, at, True)), pytest.raises(InputError) as caught:
                find_encoder(encoders.E5_SMALL, tmp_path / "work")
            assert str(tmp_path / "work") in str(caught.value) and advice(OSError(number, "")) in str(caught.value)
            assert set(tree(tmp_path / "work") if (tmp_path / "work").exists() else {}) == set()
    found = find_encoder(encoders.E5_SMALL, tmp_path / "work")
    assert tree(tmp_path / "work") == tree(tmp_path / "clean")
    with Calls(tmp_path, failing(errno.EROFS, 1, True)):  # what is there is used, and nothing is written
        monkeypatch.setattr(encoders, "_is_intact", lambda folder: True)  # reading, too, would be struck
        assert find_encoder(encoders.E5_SMALL, tmp_path / "work") == found
    count("a cache of encoders that cannot be written", 3 * calls.n)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_cache_of_the_hub_that_cannot_be_written(number, monkeypatch):
    """The reason is told in full, and not lost behind the hub's own words."""

    def refuse_to_write(*of: object, **more: object) -> None:
        raise OSError(number, os.strerror(number), "/cache/" + "deep/" * 30)

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse_to_write)
    with pytest.raises(InputError, match=f"had from the hub .*: {re.escape(advice(OSError(number, 'x')))}"):
        find_encoder("some/encoder")
    count("a cache of encoders that cannot be written")


def test_a_damaged_encoder_in_the_cache_is_replaced(tmp_path, monkeypatch):
    fake_conversion(monkeypatch)
    folder = find_encoder(encoders.E5_SMALL, tmp_path).folder
    whole = tree(tmp_path)
    (folder / "model.safetensors").write_bytes(b"weig")
    (tmp_path / f".{folder.name}.dead0000.part").mkdir()
    said: list[str] = []
    find_encoder(encoders.E5_SMALL, tmp_path, said.append)
    assert tree(tmp_path) == whole and "is damaged and is converted again" in said[1]


def refuse(*of: object) -> None:
    raise OSError(errno.EROFS, "Read-only file system")


@pytest.mark.parametrize("where", ["_CacheLocator.ensure_cache_path", "IndexDataCacheFile.save",
                                   "IndexDataCacheFile.load"])  # fmt: skip
def test_compiled_functions_do_without_a_cache(where, monkeypatch):
    """A read-only installation and home, a disk that is full or fails when numba writes or reads what it made."""
    pytest.importorskip("numba")
    from xlembed.jit import njit

    monkeypatch.setattr(f"numba.core.caching.{where}", refuse)

    @njit(nogil=True, cache=True)
    def double(x):
        return 2 * x

    assert double(21) == 42
    count("numba's cache cannot be written or read")


def test_a_scratch_folder_is_gone_whatever_happens_in_it(tmp_path):
    with pytest.raises(KeyboardInterrupt), scratch_folder(tmp_path / "a") as folder:
        (folder / "deep" / "er").mkdir(parents=True)
        raise KeyboardInterrupt
    assert tree(tmp_path) == {}


def test_folders_that_were_made_for_nothing_go(tmp_path):
    check_place(tmp_path / "new" / "deep" / "a")
    with pytest.raises(ValueError), replacing(tmp_path / "new" / "deep" / "a"):
        raise ValueError
    with Calls(tmp_path, failing(errno.ENOSPC, 2, True)), pytest.raises(InputError, match="no space left"):
        write_text(tmp_path / "new" / "deep" / "a", "x")
    assert tree(tmp_path) == {}
    write_text(tmp_path / "new" / "deep" / "a", "x")
    assert list(tree(tmp_path)) == ["new", "new/deep", "new/deep/a"]


def test_vectors_read_after_all_that(tmp_path):
    """A file that was replaced while it was memory-mapped: the old mapping keeps the old numbers."""
    path = tmp_path / "v.safetensors"
    write_vectors(path, vectors(0))
    mapped = read_vectors(path)
    write_vectors(path, vectors(1))
    assert (mapped.matrix == vectors(0).matrix).all() and (read_vectors(path).matrix == vectors(1).matrix).all()
