"""Fine-tuning a multilingual encoder on English and predicting in any language (zero-shot).

Token classification reads the first subword of each word, as Devlin et al. (2019); sentence pairs go
through the encoder together. The best epoch on the source language's dev set is kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from baselines.corpora import (
    KINDS,
    NLI_LABELS,
    TAGGING,
    Item,
    LabelledText,
    SentencePair,
    TaggedSentence,
    need_gold,
    texts_of,
)
from baselines.metrics import MAIN_METRIC, score
from comparisons.encoders import FoundEncoder, find_encoder
from comparisons.finetune_settings import FinetuneSettings
from comparisons.subwords import Window, WordEncoder, windows_of
from xlembed.errors import InputError
from xlembed.files import read_json, replacing, write_json
from xlembed.progress import progress, say

_IGNORED = -100  # cross_entropy's ignore_index: subwords on which no tag is read
_MODEL_CLASS = {kind: AutoModelForTokenClassification if kind in TAGGING else AutoModelForSequenceClassification
                for kind in KINDS}  # fmt: skip


@dataclass
class FinetunedEncoder:
    """A fine-tuned encoder, its labels, and how it came about."""

    kind: str
    labels: list[str]
    encoder: FoundEncoder
    settings: FinetuneSettings
    seed: int
    model: PreTrainedModel
    words: WordEncoder
    curve: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0  # fine-tuning, dev scoring included

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    @property
    def n_trained(self) -> int:
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    def predict(self, items: Sequence, what: str = "predicting") -> list:
        """A list of tags for each sentence, or a label for each pair, in the order of `items`."""
        return _predict(self, items, what)

    def save(self, folder: Path) -> None:
        """Write the trained weights (frozen ones are the encoder's own) and a model.json beside them."""
        trained = {n: p.detach().contiguous().cpu() for n, p in self.model.named_parameters() if p.requires_grad}
        with replacing(folder / "trained.safetensors") as temporary:
            save_file(trained, temporary)
        write_json(
            folder / "model.json",
            {
                "kind": self.kind,
                "labels": self.labels,
                "encoder": {"name": self.encoder.name, "origin": self.encoder.origin},
                "settings": asdict(self.settings),
                "seed": self.seed,
                "curve": self.curve,
                "seconds": self.seconds,
            },
        )


def load_finetuned(folder: Path) -> FinetunedEncoder:
    """Read what `FinetunedEncoder.save` wrote; the encoder itself is found again by name."""
    about = read_json(folder / "model.json")
    encoder = find_encoder(about["encoder"]["name"])
    if encoder.origin != about["encoder"]["origin"]:
        raise InputError(
            f"{folder}: was trained on {about['encoder']['origin']}, found is {encoder.origin}: train it again"
        )
    settings = FinetuneSettings(**about["settings"])
    tuned = _fresh(encoder, about["kind"], about["labels"], settings, about["seed"])
    tuned.curve, tuned.seconds = about["curve"], about["seconds"]
    weights = load_file(folder / "trained.safetensors")
    tuned.model.load_state_dict(weights, strict=False)
    return tuned


def finetune(
    encoder: FoundEncoder,
    kind: str,
    train: Sequence[Item],
    dev: Sequence[Item],
    settings: FinetuneSettings = FinetuneSettings(),
    seed: int = 1,
) -> FinetunedEncoder:
    """Fine-tune on `train`, keep the epoch that scores best on `dev` (both in the source language)."""
    need_gold(train, "training data")
    need_gold(dev, "dev data")
    labels = _labels(kind, train)
    tuned = _fresh(encoder, kind, labels, settings, seed)
    begin = time.perf_counter()
    with _seeded(seed):
        _train(tuned, train, dev, np.random.default_rng(seed))
    tuned.seconds = round(time.perf_counter() - begin, 2)
    return tuned


def _labels(kind: str, train: Sequence[Item]) -> list[str]:
    if kind == "nli":
        return list(NLI_LABELS)
    return sorted({tag for item in train for tag in item.tags} if kind in TAGGING else {item.label for item in train})


def _fresh(
    encoder: FoundEncoder, kind: str, labels: list[str], settings: FinetuneSettings, seed: int
) -> FinetunedEncoder:
    """The pre-trained encoder under a new head."""
    transformers_logging.set_verbosity_error()  # its load report lists the new head as "missing"
    transformers_logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(encoder.folder)
        with _seeded(seed):
            model = _MODEL_CLASS[kind].from_pretrained(
                encoder.folder,
                num_labels=len(labels),
                id2label=dict(enumerate(labels)),
                label2id={label: i for i, label in enumerate(labels)},
                dtype=torch.float32,
            )
    except (OSError, ValueError, KeyError, RuntimeError) as err:
        reason = " ".join(str(err).split())[:200]
        raise InputError(f"{encoder.folder}: cannot be loaded as an encoder ({reason})") from None
    if settings.frozen == "embeddings":
        model.get_input_embeddings().weight.requires_grad_(False)
    model.to(_device(settings))
    return FinetunedEncoder(kind, labels, encoder, settings, seed, model, WordEncoder(tokenizer))


# ---- training


def _train(tuned: FinetunedEncoder, train: Sequence, dev: Sequence, rng: np.random.Generator) -> None:
    settings, model = tuned.settings, tuned.model
    examples = _examples(tuned, train)
    lengths = np.array([len(example["input_ids"]) for example in examples])
    n_steps = settings.epochs * math.ceil(len(examples) / settings.batch_size)
    optimizer = torch.optim.AdamW(_parameter_groups(model, settings.weight_decay), lr=settings.lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _linear(n_steps, settings.warmup))
    best_score, best_weights = -1.0, {}
    for epoch in range(1, settings.epochs + 1):
        begin, losses = time.perf_counter(), []
        model.train()
        batches = bucketed(lengths, settings.batch_size, rng)
        with progress(f"{tuned.encoder.name} {tuned.kind} epoch {epoch}/{settings.epochs}", len(batches)) as advance:
            for batch in batches:
                loss = _loss(tuned, [examples[i] for i in batch])
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad(set_to_none=True)
                losses.append(loss.item())
                advance(1, f"loss {np.mean(losses[-100:]):.3f}")
        seconds = time.perf_counter() - begin
        metric = MAIN_METRIC[tuned.kind]
        dev_score = score(tuned.kind, [item.gold for item in dev], _predict(tuned, dev, "dev"))[metric]
        tuned.curve.append({"epoch": epoch, "loss": float(np.mean(losses)), f"dev_{metric}": dev_score,
                            "seconds": round(seconds, 1)})  # fmt: skip
        say(f"  epoch {epoch}: loss {np.mean(losses):.3f}, dev {metric} {dev_score:.2f}, {seconds:.0f} s")
        if dev_score >= best_score:  # of equals the latest, which has seen more
            best_score = dev_score
            best_weights = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
    model.load_state_dict(best_weights, strict=False)


def bucketed(lengths: np.ndarray, batch_size: int, rng: np.random.Generator, pool: int = 50) -> list[np.ndarray]:
    """Batches in random order whose members are of like length: sorted within random pools of batches."""
    order = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), batch_size * pool):
        members = order[start : start + batch_size * pool]
        members = members[np.argsort(lengths[members], kind="stable")]
        batches += [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def _parameter_groups(model: PreTrainedModel, weight_decay: float) -> list[dict[str, Any]]:
    """Decay matrices, not biases and LayerNorm weights."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _linear(n_steps: int, warmup: float) -> Callable[[int], float]:
    n_warm = max(1, int(n_steps * warmup))
    return lambda step: min((step + 1) / n_warm, max(0.0, (n_steps - step) / max(1, n_steps - n_warm)))


# ---- examples and batches


def _examples(tuned: FinetunedEncoder, items: Sequence) -> list[dict[str, list[int]]]:
    """Inputs with labels: for tagging one a window, labels on first subwords; for pairs and texts one an item."""
    number = {label: i for i, label in enumerate(tuned.labels)}
    if tuned.kind not in TAGGING:
        return [x | {"labels": number[item.label]} for x, item in zip(_texts(tuned, items), items, strict=True)]
    examples = []
    for window in _windows(tuned, items):
        labels = [_IGNORED] * len(window.input_ids)
        for word, position in zip(window.words, window.positions, strict=True):
            labels[position] = number[items[window.sentence].tags[word]]
        examples.append({"input_ids": window.input_ids, "labels": labels})
    return examples


def _windows(tuned: FinetunedEncoder, items: Sequence[TaggedSentence]) -> list[Window]:
    words, length = tuned.words, _max_length(tuned)
    words({word for item in items for word in item.words})  # all new words in one call of the tokenizer
    return [
        window
        for i, item in enumerate(items)
        for window in windows_of(i, words(item.words), words.prefix, words.suffix, length)
    ]


def _texts(tuned: FinetunedEncoder, items: Sequence[SentencePair] | Sequence[LabelledText]) -> list[dict]:
    """Subwords of pairs, or of single texts, cut to the window."""
    if not items:
        return []
    columns = zip(*(texts_of(item) for item in items), strict=True)
    encoded = tuned.words.tokenizer(*map(list, columns), truncation="longest_first", max_length=_max_length(tuned))
    keys = [key for key in ("input_ids", "token_type_ids") if key in encoded]
    return [{key: encoded[key][i] for key in keys} for i in range(len(items))]


def _max_length(tuned: FinetunedEncoder) -> int:
    """The window: the setting, or the encoder's positions where they are fewer (less two that XLM-R reserves)."""
    positions = getattr(tuned.model.config, "max_position_embeddings", None) or tuned.settings.max_length
    return min(tuned.settings.max_length, positions - 2)


def _collate(tuned: FinetunedEncoder, examples: Sequence[dict]) -> dict[str, torch.Tensor]:
    """Pad to the longest: input_ids, attention_mask (batch, length), labels where there are any."""
    longest = max(len(example["input_ids"]) for example in examples)
    fill = {"input_ids": tuned.words.tokenizer.pad_token_id or 0, "token_type_ids": 0, "labels": _IGNORED}
    device = tuned.model.device
    batch = {
        "attention_mask": torch.tensor(
            [[1] * len(x["input_ids"]) + [0] * (longest - len(x["input_ids"])) for x in examples], device=device
        )
    }
    for key in examples[0]:
        rows = [x[key] for x in examples]
        if isinstance(rows[0], list):
            rows = [row + [fill[key]] * (longest - len(row)) for row in rows]
        batch[key] = torch.tensor(rows, device=device)
    return batch


def _loss(tuned: FinetunedEncoder, examples: Sequence[dict]) -> torch.Tensor:
    batch = _collate(tuned, examples)
    labels = batch.pop("labels")
    logits = _logits(tuned, batch)
    return cross_entropy(logits.flatten(0, -2).float(), labels.flatten(), ignore_index=_IGNORED)


def _logits(tuned: FinetunedEncoder, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with _precision(tuned.settings, tuned.model.device):
        return tuned.model(**batch).logits


# ---- prediction


@torch.inference_mode()
def _predict(tuned: FinetunedEncoder, items: Sequence, what: str) -> list:
    tuned.model.eval()
    if tuned.kind not in TAGGING:
        examples = _texts(tuned, items)
        predicted: list = [None] * len(items)
    else:
        windows = _windows(tuned, items)
        examples = [{"input_ids": window.input_ids} for window in windows]
        predicted = [[None] * len(item.words) for item in items]
    with progress(what, len(examples)) as advance:
        for batch in _by_length(examples, 2 * tuned.settings.batch_size):
            best = _logits(tuned, _collate(tuned, [examples[i] for i in batch])).argmax(-1).tolist()
            for i, row in zip(batch, best, strict=True):
                if tuned.kind not in TAGGING:
                    predicted[i] = tuned.labels[row]
                    continue
                tags = predicted[windows[i].sentence]
                for word, position in zip(windows[i].words, windows[i].positions, strict=True):
                    tags[word] = tuned.labels[row[position]]
            advance(len(batch))
    return predicted


def _by_length(examples: Sequence[dict], batch_size: int) -> Iterator[list[int]]:
    order = sorted(range(len(examples)), key=lambda i: len(examples[i]["input_ids"]))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


# ---- machine


def _device(settings: FinetuneSettings) -> torch.device:
    if settings.device != "auto":
        return torch.device(settings.device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _precision(settings: FinetuneSettings, device: torch.device):
    """Matrix products in bfloat16 where asked for, or where the processor has instructions for them."""
    if settings.precision == "float32" or settings.precision == "auto" and not _has_bfloat16(device):
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch's own generator (dropout, new heads) inside the block, and leave it as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
