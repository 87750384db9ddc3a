"""Fine-tuning a multilingual encoder on labelled data of one language and predicting in any (zero-shot).

Token classification reads the first subword of each word, as Devlin et al. (2019); sentence pairs go
through the encoder together. The best epoch on the source language's dev set is kept.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedModel,
)

from baselines.corpora import KINDS, NLI_LABELS, TAGGING, Item, TaggedSentence, check_training
from baselines.metrics import MAIN_METRIC, dev_scorer
from baselines.predictions import fault_of
from comparisons.adapters import choose_trained, load_stack, with_adapters
from comparisons.encoders import FoundEncoder, find_encoder
from comparisons.finetune_loop import LossOf, Trainer
from comparisons.finetune_settings import FinetuneSettings
from comparisons.inputs import IGNORED, Example, Inputs, by_length
from comparisons.loading import check_vocabulary, load_model, load_tokenizer
from comparisons.machine import device_of, in_precision, precision_of
from comparisons.memory import warn_of_memory
from comparisons.probe_head import ProbedEncoder
from xlembed.errors import InputError, at
from xlembed.files import read_json
from xlembed.progress import progress, say
from xlembed.saved import check_pair, save_pair

_MODEL_CLASS = {kind: AutoModelForTokenClassification if kind in TAGGING else AutoModelForSequenceClassification
                for kind in KINDS}  # fmt: skip
TOKENS_AT_ONCE = 2048  # in prediction, padding counted
_NEAR_FLOOR = 1.0  # points above the floor at which a seed counts as collapsed


@dataclass
class FinetunedEncoder:
    """A fine-tuned encoder, its labels, and how it came about."""

    kind: str
    labels: list[str]
    encoder: FoundEncoder
    settings: FinetuneSettings
    seed: int
    model: PreTrainedModel | ProbedEncoder
    inputs: Inputs
    precision: torch.dtype = torch.float32
    curve: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0  # fine-tuning, dev scoring included
    interrupted: bool = False  # by Ctrl-C, after the epochs in `curve`
    floor: float = 0.0  # the dev score of always giving the commonest label
    language_adapters: dict[str, Path] = field(default_factory=dict)  # by language, MAD-X

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    @property
    def n_trained(self) -> int:
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def collapsed(self) -> bool:
        """Whether its best dev score is that of always giving the commonest label, or at most a point above it."""
        metric = f"dev_{MAIN_METRIC[self.kind]}"
        return max(epoch[metric] for epoch in self.curve) <= self.floor + _NEAR_FLOOR

    def predict(self, items: Sequence[Item], what: str = "predicting", lang: str | None = None) -> list[Any]:
        """A list of tags for each sentence, or a label for each pair, in the order of `items`.

        `lang` is the language of items that do not say theirs.
        """
        items = [item if item.lang or lang is None else replace(item, lang=lang) for item in items]
        self.use_language_of(items)
        return _predict(self, items, what)

    def use_language_of(self, items: Sequence[Item]) -> None:
        """Put the language adapter of the items' language below the task's, where there are such."""
        if not self.language_adapters or not items:
            return
        langs = {item.lang for item in items}
        lang = langs.pop()
        if langs or lang not in self.language_adapters:
            raise InputError(f"language adapters are for items of one language of {', '.join(self.language_adapters)}, "
                             f"here are {', '.join(map(str, {lang, *langs}))}")  # fmt: skip
        assert not isinstance(self.model, ProbedEncoder)  # language adapters go with method = 'adapter'
        adapters = with_adapters(self.model)
        if f"lang_{lang}" not in adapters.stacks:
            load_stack(self.model, f"lang_{lang}", self.language_adapters[lang])
        adapters.active = [f"lang_{lang}", *[name for name in adapters.active if not name.startswith("lang_")]]

    def logits(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """(batch, length, n_labels) for tagging, else (batch, n_labels)."""
        with in_precision(self.precision, self.device):
            logits: torch.Tensor = self.model(**batch).logits
        return logits

    def save(self, folder: Path) -> None:
        """Write the trained weights (frozen ones are the encoder's own) and a model.json beside them.

        Then the folder `checkpoint` in it has done its duty, and goes.
        """
        save_pair(
            folder / "trained.safetensors",
            folder / "model.json",
            lambda path: save_file(trained_weights(self.model), path),
            {
                "kind": self.kind,
                "labels": self.labels,
                "encoder": {"name": self.encoder.name, "origin": self.encoder.origin},
                "settings": asdict(self.settings),
                "seed": self.seed,
                "curve": self.curve,
                "seconds": self.seconds,
                "interrupted": self.interrupted,
                "floor": self.floor,
                "language_adapters": {lang: str(path) for lang, path in self.language_adapters.items()},
            },
        )
        shutil.rmtree(folder / "checkpoint", ignore_errors=True)


def trained_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Copies of the parameters that train, by name."""
    return {name: p.detach().to("cpu", copy=True).contiguous() for name, p in model.named_parameters()
            if p.requires_grad}  # fmt: skip


def load_finetuned(folder: Path) -> FinetunedEncoder:
    """Read what `FinetunedEncoder.save` wrote; the encoder itself is found again by name.

    Everything in the folder is a claim: what model.json says is checked, and the rank of LoRA against the weights
    before matrices are made of it. Raises InputError.
    """
    try:
        return _loaded(folder)
    except InputError as err:
        raise err if str(folder) in str(err) else at(folder, None, str(err)) from None


def _loaded(folder: Path) -> FinetunedEncoder:
    about = read_json(folder / "model.json")
    try:
        settings = _checked_settings(about)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as err:
        raise InputError(f"{folder}/model.json: is not that of a fine-tuned encoder ({err})") from None
    encoder = find_encoder(about["encoder"]["name"])
    if encoder.origin != about["encoder"]["origin"]:
        raise InputError(
            f"{folder}: was trained on {about['encoder']['origin']}, found is {encoder.origin}: train it again"
        )
    try:
        check_pair(folder / "trained.safetensors", about)
        weights = load_file(folder / "trained.safetensors")
        _check_numbers(weights, settings)
        adapters = {lang: Path(path) for lang, path in about["language_adapters"].items()}
        tuned = _fresh(encoder, about["kind"], about["labels"], settings, about["seed"], adapters)
        wanted = {name for name, p in tuned.model.named_parameters() if p.requires_grad}
        if wanted != set(weights):
            raise ValueError(f"{len(wanted ^ set(weights))} weights are missing or unknown")
        tuned.model.load_state_dict(weights, strict=False)
    except InputError:
        raise
    except Exception as err:  # safetensors has a family of its own, torch RuntimeError
        raise InputError(f"{folder}: its weights cannot be read ({' '.join(str(err).split())[:150]})") from None
    tuned.curve, tuned.seconds, tuned.floor = about["curve"], about["seconds"], about["floor"]
    tuned.interrupted = about["interrupted"]
    return tuned


def _checked_settings(about: dict[str, Any]) -> FinetuneSettings:
    """The settings of a saved model. Raises ValueError, or what a wrong type leads to, where model.json is damaged."""
    settings = FinetuneSettings(**about["settings"])
    for name, default in asdict(FinetuneSettings()).items():
        if not _is_like(getattr(settings, name), default):
            raise ValueError(f"{name} = {getattr(settings, name)!r}")
    kind, labels, encoder, curve = about["kind"], about["labels"], about["encoder"], about["curve"]
    if kind not in KINDS or not isinstance(labels, list) or not labels:
        raise ValueError("its kind and labels")
    faults = [fault_of(kind, [label] if kind in TAGGING else label) for label in labels]
    if any(faults) or len(set(labels)) < len(labels):
        raise ValueError(next(filter(None, faults), "a label twice"))
    if not (isinstance(encoder["name"], str) and isinstance(encoder["origin"], str)):
        raise ValueError("its encoder")
    if not _is_like(about["seed"], 1) or not 0 <= about["seed"] < 2**63 or not isinstance(about["interrupted"], bool):
        raise ValueError("its seed")
    figures = [about["seconds"], about["floor"], *(epoch[f"dev_{MAIN_METRIC[kind]}"] for epoch in curve)]
    if not isinstance(curve, list) or not curve or not all(_is_like(one, 1.0) for one in figures):
        raise ValueError("its curve")
    if not all(type(value) in (int, float) for epoch in curve for value in epoch.values()):  # a loss may be NaN
        raise ValueError("its curve")
    if not all(isinstance(path, str) for path in about["language_adapters"].values()):
        raise ValueError("its language adapters")
    return settings


def _is_like(value: Any, default: Any) -> bool:
    """Whether a value of JSON is of a default's type; a whole number is a float, too."""
    if isinstance(default, float):
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is type(default)


def _check_numbers(weights: Mapping[str, torch.Tensor], settings: FinetuneSettings) -> None:
    """Raise ValueError where weights are not finite, or LoRA's rank is none of their sizes."""
    if not all(tensor.is_floating_point() and bool(tensor.isfinite().all()) for tensor in weights.values()):
        raise ValueError("not finite numbers")
    if settings.method == "lora" and not any(settings.rank in tensor.shape for tensor in weights.values()):
        raise ValueError(f"rank = {settings.rank}, and no matrix is of that rank")


def finetune(
    encoder: FoundEncoder,
    kind: str,
    train: Sequence[Item],
    dev: Sequence[Item],
    settings: FinetuneSettings = FinetuneSettings(),
    seed: int = 1,
    checkpoints: Path | None = None,
    language_adapters: Mapping[str, Path] | None = None,
) -> FinetunedEncoder:
    """Fine-tune on `train`, keep the epoch that scores best on `dev` (both in the source language).

    With a folder for `checkpoints` a training that was cut off goes on where it stood. `language_adapters`, one file a
    language, lie below the adapter that is trained (MAD-X; method adapter). Ctrl-C after the first epoch ends the
    training with the best weights so far.
    """
    check_training(train, dev)
    tuned = _fresh(encoder, kind, _labels(kind, train), settings, seed, dict(language_adapters or {}))
    tuned.use_language_of(train)
    warn_of_memory(tuned)
    tuned.floor = dev_scorer(kind)([item.gold for item in dev], _always_commonest(train, dev))
    begin = time.perf_counter()
    with seeded(seed):
        trainer = Trainer(tuned.model, settings, seed, f"{encoder.name} {kind}", f"dev_{MAIN_METRIC[kind]}")
        trained: torch.nn.Module
        if isinstance(tuned.model, ProbedEncoder):
            trained = tuned.model.head
            examples, loss_of = _loss_of_features(tuned, train)
        else:
            trained = tuned.model
            examples, loss_of = _loss_of_examples(tuned, train)
        lengths = np.array([len(example) for example in examples])
        n_labels = np.array([np.count_nonzero(np.asarray(example.labels) != IGNORED) for example in examples])
        result = trainer.fit(trained, loss_of, lengths, n_labels, lambda: _dev_score(tuned, dev), checkpoints)
    tuned.curve, tuned.interrupted = result.curve, result.interrupted
    tuned.seconds = round(result.seconds_before + time.perf_counter() - begin, 2)
    if tuned.collapsed:
        say(f"  {encoder.name} {kind} seed {seed} collapsed: dev {max(e[trainer.metric] for e in tuned.curve):.2f}, "
            f"the commonest label alone has {tuned.floor:.2f}")
    return tuned


def _dev_score(tuned: FinetunedEncoder, dev: Sequence[Item]) -> float:
    tuned.use_language_of(dev)
    return dev_scorer(tuned.kind)([item.gold for item in dev], _predict(tuned, dev, "dev"))


def _labels(kind: str, train: Sequence[Item]) -> list[str]:
    if kind == "nli":
        return list(NLI_LABELS)
    return sorted(set(_gold_labels(train)))


def _gold_labels(items: Sequence[Item]) -> list[str]:
    """All tags of tagged sentences, or the label of each item."""
    found: list[str] = []
    for item in items:
        found += (item.tags or ()) if isinstance(item, TaggedSentence) else [str(item.label)]
    return found


def _always_commonest(train: Sequence[Item], dev: Sequence[Item]) -> list[Any]:
    """Predictions of one label: what a collapsed seed amounts to."""
    names, counts = np.unique(_gold_labels(train), return_counts=True)
    commonest = str(names[counts.argmax()])
    return [[commonest] * len(item.words) if isinstance(item, TaggedSentence) else commonest for item in dev]


def _fresh(
    encoder: FoundEncoder,
    kind: str,
    labels: list[str],
    settings: FinetuneSettings,
    seed: int,
    language_adapters: dict[str, Path],
) -> FinetunedEncoder:
    """The pre-trained encoder under a new head, with what a method adds to it."""
    if language_adapters and settings.method != "adapter":
        raise InputError(f"method = {settings.method!r}: language adapters go with method = 'adapter'")
    tokenizer = load_tokenizer(encoder)
    device = device_of(settings.device)
    model: PreTrainedModel | ProbedEncoder
    with seeded(seed):
        if settings.method == "probe":
            model = ProbedEncoder(load_model(encoder, AutoModel), len(labels), kind in TAGGING)
        else:
            model = load_model(encoder, _MODEL_CLASS[kind], num_labels=len(labels), id2label=dict(enumerate(labels)),
                               label2id={label: i for i, label in enumerate(labels)})  # fmt: skip
            choose_trained(cast(PreTrainedModel, model), settings.method, settings.frozen, settings.frozen_layers,
                           settings.rank, settings.reduction)  # fmt: skip
        torch.nn.Module.to(model, device)
    check_vocabulary(tokenizer, model.base if isinstance(model, ProbedEncoder) else model, encoder.folder)
    precision = precision_of(settings.precision, device)
    if model.config.model_type == "xmod":
        precision = torch.float32  # its modules write into float32 what they compute in less
    inputs = Inputs(tokenizer, model.config, settings.max_length)
    return FinetunedEncoder(kind, labels, encoder, settings, seed, model, inputs, precision,
                            language_adapters=language_adapters)  # fmt: skip


# ---- examples and losses


def examples_of(tuned: FinetunedEncoder, items: Sequence[Item]) -> list[Example]:
    """Inputs with labels: for tagging one a window, labels on first subwords; for pairs and texts one an item."""
    number = {label: i for i, label in enumerate(tuned.labels)}
    if tuned.kind not in TAGGING:
        return [replace(example, labels=number[str(item.gold)])
                for example, item in zip(tuned.inputs.texts(items), items, strict=True)]  # fmt: skip
    found = []
    sentences = cast(Sequence[TaggedSentence], items)  # the kind is one of tagging
    for window, example in zip(*tuned.inputs.windows(sentences), strict=True):
        labels = np.full(len(example), IGNORED)
        tags = sentences[window.sentence].tags or ()
        labels[window.positions] = [number[tags[word]] for word in window.words]
        found.append(replace(example, labels=labels))
    return found


def _loss_of_examples(tuned: FinetunedEncoder, items: Sequence[Item]) -> tuple[list[Example], LossOf]:
    """The training data, and a function from rows of it to the sum of the losses over their labels."""
    examples = examples_of(tuned, items)

    def loss_of(rows: np.ndarray) -> torch.Tensor:
        batch = tuned.inputs.batch([examples[i] for i in rows], tuned.device)
        labels = batch.pop("labels")
        return _summed_loss(tuned.logits(batch), labels)

    return examples, loss_of


def _loss_of_features(tuned: FinetunedEncoder, items: Sequence[Item]) -> tuple[list[Example], LossOf]:
    """The same for a linear probe: the encoder is run once, and its hidden states are kept."""
    examples = examples_of(tuned, items)
    features: list[Any] = [None] * len(examples)
    model = cast(ProbedEncoder, tuned.model)
    model.eval()
    with torch.inference_mode(), progress("hidden states", len(examples)) as advance:
        for rows in by_length(examples, TOKENS_AT_ONCE):
            batch = tuned.inputs.batch([examples[i] for i in rows], tuned.device)
            labels = batch.pop("labels")
            with in_precision(tuned.precision, tuned.device):
                hidden = model.features(**batch).float().cpu()
            for i, one, label in zip(rows, hidden, labels.cpu(), strict=True):
                is_read = label != IGNORED
                features[i] = (one[is_read], label[is_read]) if label.ndim else (one[None], label[None])
            advance(len(rows))

    def loss_of(rows: np.ndarray) -> torch.Tensor:
        hidden = torch.cat([features[i][0] for i in rows]).to(tuned.device)
        labels = torch.cat([features[i][1] for i in rows]).to(tuned.device)
        return _summed_loss(model.head(hidden), labels)

    return examples, loss_of


def _summed_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return cross_entropy(logits.flatten(0, -2).float(), labels.flatten(), ignore_index=IGNORED, reduction="sum")


# ---- prediction


@torch.inference_mode()
def _predict(tuned: FinetunedEncoder, items: Sequence[Item], what: str) -> list[Any]:
    tuned.model.eval()
    is_tagging = tuned.kind in TAGGING
    sentences = [item for item in items if isinstance(item, TaggedSentence)]  # all, or none
    windows, examples = tuned.inputs.windows(sentences) if is_tagging else ([], tuned.inputs.texts(items))
    predicted: list[Any] = [[None] * len(item.words) for item in sentences] if is_tagging else [None] * len(items)
    with progress(what, len(examples)) as advance:
        for rows in by_length(examples, TOKENS_AT_ONCE):
            best = tuned.logits(tuned.inputs.batch([examples[i] for i in rows], tuned.device)).argmax(-1).tolist()
            for i, row in zip(rows, best, strict=True):
                if not is_tagging:
                    predicted[i] = tuned.labels[row]
                    continue
                tags = predicted[windows[i].sentence]
                for word, position in zip(windows[i].words, windows[i].positions, strict=True):
                    tags[word] = tuned.labels[row[position]]
            advance(len(rows))
    return predicted


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's own generator (dropout, new heads) inside the block, and leave it as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
