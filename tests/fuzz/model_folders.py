"""Folders of encoders, fine-tuned encoders and translation models: one file is changed, the others are as they were."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np

from xlembed.errors import InputError

Files = dict[str, bytes]
POSITIONS = 16
PIECES = ("a", "b", "the", "of", "s", "▁the", "▁a", "▁", "B")


def lay_out(folder: Path, files: Files, changed: str | None = None, data: bytes = b"") -> None:
    """Write the files of a folder, one of them with other bytes."""
    folder.mkdir(exist_ok=True)
    for name, raw in files.items():
        (folder / name).write_bytes(data if name == changed else raw)


def nearest(data: bytes, candidates: dict[str, bytes]) -> str:
    """Whose bytes are most alike, by what stands between quotation marks and at line ends."""
    parts = _parts(data)
    return min(candidates, key=lambda name: len(parts.symmetric_difference(_parts(candidates[name]))))


def _parts(data: bytes) -> set[bytes]:
    return set(data[:4000].replace(b"\n", b'"').split(b'"'))


def _saved(*parts) -> Files:
    with tempfile.TemporaryDirectory() as folder:
        for one in parts:
            one.save_pretrained(folder)
        return _files_of(folder)


def _files_of(folder: str | Path) -> Files:
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir()) if path.is_file()}


def _quiet(transformers) -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def _seeded() -> None:
    import torch

    torch.default_generator.manual_seed(0)


# ---- encoders

ENCODERS = ("bert", "xlm-roberta", "xlm", "xmod", "deberta-v2")


@cache
def encoder_files(kind: str = "bert") -> Files:
    """The files of a very small encoder's folder, its tokenizer's among them, by name."""
    import transformers

    _quiet(transformers)
    _seeded()
    return {"bert": _bert, "xlm": _xlm, "xlm-roberta": _xlm_roberta, "xmod": _xmod, "deberta-v2": _deberta}[kind]()


def _sizes(n_words: int) -> dict:
    return dict(vocab_size=n_words, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4,
                max_position_embeddings=POSITIONS)  # fmt: skip


def _bert() -> Files:
    from transformers import BertConfig, BertModel, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "of", "a", "B", "##b", "##s"]
    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(words)}, do_lower_case=False)
    return _saved(tokenizer, BertModel(BertConfig(**_sizes(len(words)), pad_token_id=0)))


def _unigrams():
    from transformers import XLMRobertaTokenizer

    pieces = ["<s>", "<pad>", "</s>", "<unk>", *PIECES, "<mask>"]
    return XLMRobertaTokenizer(vocab=[(piece, -float(i)) for i, piece in enumerate(pieces)]), len(pieces)


def _xlm_roberta() -> Files:
    from transformers import XLMRobertaConfig, XLMRobertaModel

    tokenizer, n = _unigrams()
    return _saved(tokenizer, XLMRobertaModel(XLMRobertaConfig(**_sizes(n), pad_token_id=1, type_vocab_size=1)))


def _xmod() -> Files:
    from transformers import XmodConfig, XmodModel

    tokenizer, n = _unigrams()
    config = XmodConfig(**_sizes(n), pad_token_id=1, type_vocab_size=1, languages=["en_XX", "de_DE"])
    return _saved(tokenizer, XmodModel(config))


def _deberta() -> Files:
    from transformers import DebertaV2Config, DebertaV2Model

    tokenizer, n = _unigrams()
    config = DebertaV2Config(**_sizes(n), pad_token_id=1, type_vocab_size=0, relative_attention=True,
                             position_buckets=4, norm_rel_ebd="layer_norm", share_att_key=True,
                             pos_att_type=["p2c", "c2p"], position_biased_input=False)  # fmt: skip
    return _saved(tokenizer, DebertaV2Model(config))


def _xlm() -> Files:
    """With embeddings of languages, and a tokenizer in Python with its vocabulary and merges."""
    from transformers import XLMConfig, XLMModel, XLMTokenizer

    special = ["<s>", "</s>", "<pad>", "<unk>", *[f"<special{i}>" for i in range(10)]]
    words = special + [letter + end for letter in "abtheofsB" for end in ("", "</w>")] + ["th"]
    vocab = {word: i for i, word in enumerate(dict.fromkeys(words))}
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("vocab.json", "merges.txt")]
        Path(files[0]).write_text(json.dumps(vocab), encoding="utf-8")
        Path(files[1]).write_text("#version: 0.2\nt h 2\n", encoding="utf-8")
        tokenizer = XLMTokenizer(*files, do_lowercase_and_remove_accent=False)
        config = XLMConfig(vocab_size=len(vocab), emb_dim=4, n_layers=1, n_heads=1, max_position_embeddings=POSITIONS,
                           bos_index=0, eos_index=1, pad_index=2, unk_index=3, n_langs=2, use_lang_emb=True,
                           lang2id={"de": 0, "en": 1})  # fmt: skip
        return _saved(tokenizer, XLMModel(config))


@cache
def sharded_files() -> Files:
    """A folder whose weights lie in parts."""
    from transformers import BertConfig, BertModel

    with tempfile.TemporaryDirectory() as folder:
        BertModel(BertConfig(**_sizes(11), pad_token_id=0)).save_pretrained(folder, max_shard_size=700)
        files = _files_of(folder)
    assert sum(name.endswith(".safetensors") for name in files) > 1
    return files


def encoder_seeds(name: str, kinds: Iterable[str] = ENCODERS) -> Callable[[], list[bytes]]:
    """The files of that name of small encoders, each once."""
    return lambda: list(dict.fromkeys(encoder_files(kind)[name] for kind in kinds if name in encoder_files(kind)))


def read_an_encoder(name: str, kinds: Iterable[str] = ENCODERS) -> Callable[[Path], None]:
    """Configuration and weights, with the folder of that encoder whose file is most alike."""

    def read(path: Path) -> None:
        from transformers import AutoModel

        from comparisons.encoders import find_encoder
        from comparisons.loading import load_config, load_model

        data = path.read_bytes()
        path.unlink()
        kind = nearest(data, {kind: encoder_files(kind)[name] for kind in kinds})
        lay_out(path.parent, encoder_files(kind), name, data)
        encoder = find_encoder(str(path.parent))
        if name == "config.json":
            load_config(encoder)
        load_model(encoder, AutoModel)

    return read


def read_an_index(path: Path) -> None:
    """The index of weights in parts."""
    from transformers import AutoModel

    from comparisons.encoders import find_encoder
    from comparisons.loading import load_model

    data = path.read_bytes()
    path.unlink()
    lay_out(path.parent, sharded_files(), "model.safetensors.index.json", data)
    load_model(find_encoder(str(path.parent)), AutoModel)


TEXTS = ("the", "ofs", "10\u00a0000", "日本", "a\u2028b", "e\u0301", "\x01", "😀", "B" * 300, "<mask>", "[SEP]")


def read_a_tokenizer(*names: str) -> Callable[[Path], None]:
    """One of the files of that name of a tokenizer, whichever is most alike; all words and pairs are encoded."""

    def read(path: Path) -> None:
        from comparisons.encoders import find_encoder
        from comparisons.loading import load_tokenizer
        from comparisons.subwords import PairTemplate, WordEncoder

        data = path.read_bytes()
        path.unlink()
        all_files = {kind: encoder_files(kind) for kind in ("bert", "xlm-roberta", "xlm")}
        candidates = {f"{kind} {name}": files[name] for kind, files in all_files.items() for name in names
                      if name in files}  # fmt: skip
        kind, _, name = nearest(data, candidates).partition(" ")
        lay_out(path.parent, all_files[kind], name, data)
        tokenizer = load_tokenizer(find_encoder(str(path.parent)))
        for pieces in WordEncoder(tokenizer)(TEXTS):
            assert pieces and all(isinstance(one, int) for one in pieces)
        PairTemplate.of(tokenizer)

    return read


def tokenizer_seeds(*names: str) -> Callable[[], list[bytes]]:
    return lambda: list(dict.fromkeys(one for name in names
                                      for one in encoder_seeds(name, ("bert", "xlm-roberta", "xlm"))()))  # fmt: skip


# ---- fine-tuned encoders

METHODS = ("full", "lora", "adapter", "probe")
FOLDER = b"@FOLDER@"  # in model.json, for the case's own folder
LABELS = {"ner": ["B-PER", "I-PER", "O"], "nli": ["entailment", "neutral", "contradiction"], "topic": ["x", "y"]}


@cache
def finetuned_files() -> dict[str, Files]:
    """model.json and trained.safetensors of small fine-tuned encoders, and language adapters where they belong."""
    from comparisons.adapters import save_stack, with_adapters
    from comparisons.encoders import find_encoder
    from comparisons.finetune import _fresh
    from comparisons.finetune_settings import FinetuneSettings

    kinds, made = {"full": "ner", "lora": "nli", "adapter": "topic", "probe": "ner"}, {}
    for method in METHODS:
        with tempfile.TemporaryDirectory() as root:
            folder, kind = Path(root), kinds[method]
            lay_out(folder / "encoder", encoder_files())
            settings = FinetuneSettings(method=method, rank=2, reduction=2, precision="float32", device="cpu",
                                        frozen="none")  # fmt: skip
            adapters = {"de": folder / "de.safetensors"} if method == "adapter" else {}
            tuned = _fresh(find_encoder(str(folder / "encoder")), kind, LABELS[kind], settings, 1, adapters)
            if adapters:
                with_adapters(tuned.model).add("lang_de", 2)
                save_stack(tuned.model, "lang_de", adapters["de"], {"lang": "de"})
                with_adapters(tuned.model).stacks.pop("lang_de")
            metric = "dev_f1" if kind == "ner" else "dev_accuracy"
            tuned.curve, tuned.seconds = [{"epoch": 1, "loss": 0.5, metric: 50.0, "seconds": 0.1}], 1.5
            tuned.save(folder)
            files = _files_of(folder)
            about = json.loads(files["model.json"].replace(str(folder).encode(), FOLDER))
            about.pop("weights_sha256")  # whoever changes a file can change its checksum, too
            made[method] = files | {"model.json": json.dumps(about).encode()}
    return made


def finetuned_seeds(name: str) -> Callable[[], list[bytes]]:
    return lambda: [files[name] for files in finetuned_files().values()]


def read_a_finetuned(name: str) -> Callable[[Path], None]:
    """A fine-tuned encoder with one file changed; what it predicts can be written to a prediction file."""

    def read(path: Path) -> None:
        from baselines.predictions import fault_of
        from comparisons.finetune import load_finetuned

        data = path.read_bytes()
        path.unlink()
        folder = path.parent
        files = finetuned_files()[nearest(data, {method: one[name] for method, one in finetuned_files().items()})]
        lay_out(folder, files, name, data)
        lay_out(folder / "encoder", encoder_files())
        about = (folder / "model.json").read_bytes().replace(FOLDER, str(folder).encode())
        (folder / "model.json").write_bytes(about)
        nowhere = (None, "no hub here")
        with (mock.patch("comparisons.encoders._from_hub", lambda *_: nowhere),
              mock.patch("comparisons.encoders._from_packages", _no_packages),
              mock.patch("comparisons.finetune.load_tokenizer", _same_tokenizer)):  # fmt: skip
            tuned = load_finetuned(folder)
        assert isinstance(tuned.collapsed, bool) and isinstance(tuned.seconds, (int, float))
        if not all(one.is_relative_to(folder) for one in tuned.language_adapters.values()):
            return  # another file is the one to be named
        for one in tuned.predict(_items(tuned.kind), lang="de"):
            assert fault_of(tuned.kind, one) is None

    return read


@cache
def _tokenizer():
    from comparisons.encoders import find_encoder
    from comparisons.loading import load_tokenizer

    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder), encoder_files())
        return load_tokenizer(find_encoder(folder))


def _same_tokenizer(encoder):
    """It does not depend on the file that is changed, and is slow to load."""
    return _tokenizer()


def _no_packages(*_) -> Path:
    raise InputError("no packages here")


def _items(kind: str) -> list:
    from baselines.corpora import LabelledText, SentencePair, TaggedSentence

    item = {"nli": SentencePair("the of", "of"), "topic": LabelledText("the of")}
    return [item.get(kind, TaggedSentence(("the", "of", "日本")))]


# ---- checkpoints of fine-tuning


def _trainer():
    import torch

    from comparisons.finetune_loop import Trainer
    from comparisons.finetune_settings import FinetuneSettings

    _seeded()
    layer = torch.nn.Linear(3, 2)
    settings = FinetuneSettings(epochs=1, batch_size=2, precision="float32", device="cpu")
    return Trainer(layer, settings, 1, "small", "dev_f1"), layer


def _fit(folder: Path, dev_score=lambda: 50.0) -> list[dict]:
    import torch

    trainer, layer = _trainer()
    inputs = torch.arange(12, dtype=torch.float32).reshape(4, 3) / 12
    with torch.random.fork_rng(devices=[]):
        found = trainer.fit(layer, lambda rows: layer(inputs[rows]).square().sum(), np.ones(4, dtype=int),
                            np.ones(4, dtype=int), dev_score, folder)  # fmt: skip
    assert all(bool(p.isfinite().all()) for p in layer.parameters())
    return found.curve


def training_seeds() -> list[bytes]:
    """A checkpoint in the epoch, and one after it."""
    made = []

    def keep(trainer, path: Path, save: Callable) -> None:
        save(trainer, path)
        made.append(path.read_bytes())

    from comparisons import finetune_loop

    save = finetune_loop.Trainer._save
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(finetune_loop, "CHECKPOINT_SECONDS", 0.0):
        with mock.patch.object(finetune_loop.Trainer, "_save", lambda trainer, path: keep(trainer, path, save)):
            _fit(Path(folder))
    return [made[0], made[2]]


def read_a_training(path: Path) -> None:
    """Go on from a checkpoint. One that is not to be used leaves no trace: the training is that without it."""
    from comparisons import finetune_loop

    path.rename(path.with_name("checkpoint.safetensors"))
    used = []
    take = finetune_loop.Trainer._take_up

    def note(*args) -> None:
        take(*args)
        used.append(True)

    with mock.patch.object(finetune_loop.Trainer, "_take_up", note):
        curve = _fit(path.parent)
    assert [one["epoch"] for one in curve] == list(range(1, len(curve) + 1))
    if not used:
        losses = [one["loss"] for one in curve]
        assert losses == _losses_anew(), "a refused checkpoint changed the training"
        raise InputError(f"{path.parent}: not used")


@cache
def _losses_anew() -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        return [one["loss"] for one in _fit(Path(folder))]


# ---- translation models

TRANSLATORS = ("marian", "m2m100")


@cache
def translator_files(kind: str) -> Files:
    """The files of a very small translation model's folder, its tokenizer's among them, by name."""
    import transformers
    from tiny_translators import Size, save_tiny_translator

    _quiet(transformers)
    texts = "the black cat sleeps on the old chair", "die katze schläft auf dem alten stuhl", "nobody knows"
    size = Size(texts, pieces=30, normalization="identity", hidden=4, heads=1, inner=2, positions=POSITIONS)
    with tempfile.TemporaryDirectory() as folder:
        return _files_of(save_tiny_translator(kind, Path(folder), (">>deu<<", ">>nld<<"), size))


@cache
def _model(kind: str):
    from transformers import AutoModelForSeq2SeqLM

    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder), translator_files(kind))
        return AutoModelForSeq2SeqLM.from_pretrained(folder)


def _same_model(kind: str):
    """It does not depend on the tokenizer's files, and is slow to load."""
    model = _model(kind)
    return mock.patch("transformers.AutoModelForSeq2SeqLM.from_pretrained", lambda *_, **__: model)


def translator_seeds(*names: str) -> Callable[[], list[bytes]]:
    return lambda: list(dict.fromkeys(translator_files(kind)[name] for kind in TRANSLATORS for name in names
                                      if name in translator_files(kind)))  # fmt: skip


def read_a_translator(*names: str) -> Callable[[Path], None]:
    """A translation model with one file changed, whichever is most alike; it translates two texts."""

    def read(path: Path) -> None:
        from baselines.translation.huggingface import HuggingFaceSettings, make

        data = path.read_bytes()
        path.unlink()
        candidates = {f"{kind} {name}": translator_files(kind)[name] for kind in TRANSLATORS for name in names
                      if name in translator_files(kind)}  # fmt: skip
        kind, _, name = nearest(data, candidates).partition(" ")
        lay_out(path.parent, translator_files(kind), name, data)
        settings = HuggingFaceSettings(str(path.parent), beams=2, max_length=3, device="cpu")
        with _same_model(kind) if "tokenizer_config.json" in names or "source.spm" in names else nullcontext():
            found = make("en", "de", settings).translate(["the cat", "", "日本 10\u00a0000"])
        assert len(found) == 3 and all(isinstance(one, str) for one in found) and found[1] == ""

    return read
