"""Pre-training an encoder further on masked words: MLM and TLM, of any architecture and any of its parameters.

What trains is whatever requires a gradient, so the loop serves whole encoders, encoders under frozen word embeddings
(the default: most of a multilingual encoder is its vocabulary), and adapters of languages.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoModelForMaskedLM, PreTrainedModel
from transformers.utils import logging as transformers_logging

from comparisons.encoders import FoundEncoder
from comparisons.inputs import Example, Inputs, by_length
from comparisons.loading import check_vocabulary, load_model, load_tokenizer
from comparisons.machine import device_of, in_precision, precision_of
from comparisons.optimization import decay_groups, rate
from comparisons.pretraining_checkpoints import load_checkpoint, read_about, save_checkpoint, weights_hash
from comparisons.pretraining_data import Corpus, Draws, MaskedExample, MaskedInputs
from comparisons.pretraining_heads import masked_loss
from comparisons.pretraining_settings import PretrainSettings
from xlembed.errors import InputError, at
from xlembed.files import rename_all, scratch_folder, settle, write_json
from xlembed.interrupts import stop_asked
from xlembed.os_faults import writing
from xlembed.progress import progress, say

MAX_NORM = 1.0  # of the gradient
CHECKPOINT = "checkpoint.safetensors"
REPORT = "pretraining.json"
_POINTS = 50  # of the curve that is kept
_STOPPING = "stopping after this update; press again to stop at once"


@dataclass
class PretrainCurve:
    """Mean loss of every update, and what the run took; `n_resumed` updates were done by an earlier run."""

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    n_resumed: int = 0

    def points(self, n: int = _POINTS) -> list[dict[str, float]]:
        """The losses as means over about n stretches, each with its last update."""
        size = max(1, math.ceil(len(self.losses) / n))
        return [{"step": min(start + size, len(self.losses)),
                 "loss": round(float(np.mean(self.losses[start : start + size])), 4)}
                for start in range(0, len(self.losses), size)]  # fmt: skip


def pretrain(
    model: PreTrainedModel,
    inputs: MaskedInputs,
    corpora: Sequence[Corpus],
    settings: PretrainSettings,
    trainable: Collection[nn.Parameter] | None = None,
    checkpoint: Path | None = None,
    what: str = "pre-training",
) -> PretrainCurve:
    """Train in place, on masked words of the corpora, the parameters that require a gradient, or `trainable` of them.

    A file `checkpoint` is written every so many updates and at Ctrl-C (which goes on as KeyboardInterrupt); where it
    is there, the training goes on from it, to the same weights. Raises InputError for a checkpoint of other settings,
    data or weights, and for a loss that is not finite.
    """
    device = device_of(settings.device)
    torch.nn.Module.to(model, device)
    run = _Run(model, inputs, corpora, settings, _named(model, trainable), checkpoint)
    run.resume()
    begin = time.perf_counter()
    with torch.random.fork_rng(), progress(what, settings.steps) as advance, stop_asked(_STOPPING) as is_to_stop:
        advance(run.step)
        model.train()
        while run.step < settings.steps:
            loss = run.update()
            advance(1, f"loss {loss:.3f}")
            if is_to_stop():
                run.save()
                if checkpoint is not None:
                    say(f"{checkpoint}: update {run.step} of {settings.steps}; the same command goes on from there")
                raise KeyboardInterrupt
            if run.step % settings.every == 0 and run.step < settings.steps:
                run.save_or_say_why()
    model.eval()
    run.curve.seconds += round(time.perf_counter() - begin, 2)
    return run.curve


class _Run:
    """State of one training: the number of updates done, the optimizer, what was drawn."""

    def __init__(
        self,
        model: PreTrainedModel,
        inputs: MaskedInputs,
        corpora: Sequence[Corpus],
        settings: PretrainSettings,
        trained: dict[str, nn.Parameter],
        checkpoint: Path | None,
    ):
        self.model, self.inputs, self.corpora, self.settings = model, inputs, corpora, settings
        self.trained, self.checkpoint = trained, checkpoint
        self.precision = precision_of(settings.precision, model.device)
        self.draws = Draws([len(corpus) for corpus in corpora], settings.alpha, settings.seed)
        self.optimizer = torch.optim.AdamW(decay_groups(trained.values(), settings.weight_decay), lr=settings.lr)
        self.step = 0
        self.curve = PretrainCurve()
        self.begin = time.perf_counter()
        self.facts = None if checkpoint is None else self._facts()

    def update(self) -> float:
        """One update; the mean loss before it."""
        settings = self.settings
        examples = self._examples(settings.batch_size * settings.accumulate)
        n_predicted = _n_predicted(examples)
        torch.manual_seed(int(np.random.SeedSequence([settings.seed, 3, self.step]).generate_state(1)[0]))
        total = 0.0
        for start in range(0, len(examples), settings.batch_size):
            batch = self.inputs.batch(examples[start : start + settings.batch_size], self.model.device)
            with in_precision(self.precision, self.model.device):
                loss = masked_loss(self.model, batch) / n_predicted
            loss.backward()
            total += loss.item()
        if not math.isfinite(total):
            raise InputError(f"the loss is {total} at update {self.step + 1}: lower lr, now {settings.lr}")
        self._descend()
        self.curve.losses.append(round(total, 5))
        return total

    def _examples(self, n: int) -> list[MaskedExample]:
        """Inputs of this update with fresh masks, the shortest first so that batches need little padding."""
        rng = np.random.default_rng([self.settings.seed, 2, self.step])
        taken = self.draws.take(self.step, n)
        examples = [self.inputs.example(self.corpora[corpus], row, rng) for corpus, row in taken]
        return sorted(examples, key=len)

    def _descend(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.trained.values(), MAX_NORM)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.lr * rate(self.step, self.settings.steps, self.settings.warmup)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1

    # ---- checkpoints

    def _facts(self) -> dict[str, Any]:
        """Everything that the weights at the end depend on, but for the precision that is chosen by `auto`."""
        settings = {name: value for name, value in asdict(self.settings).items() if name not in ("device", "every")}
        return {"settings": settings, "data": [corpus.fingerprint() for corpus in self.corpora],
                "weights": weights_hash(self.model), "trained": sorted(self.trained)}  # fmt: skip

    def save(self) -> None:
        if self.checkpoint is None:
            return
        about = {"facts": self.facts, "step": self.step, "drawn": self.draws.drawn, "losses": self.curve.losses,
                 "seconds": round(self.curve.seconds + time.perf_counter() - self.begin, 2),
                 "precision": str(self.precision).removeprefix("torch.")}  # fmt: skip
        save_checkpoint(self.checkpoint, self.trained, self.optimizer, about)

    def save_or_say_why(self) -> None:
        """A full disk is no reason to lose the training, too."""
        try:
            self.save()
        except InputError as err:
            say(f"{err}; the training goes on, its last checkpoint is older")

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        about = read_about(self.checkpoint)
        other = [name for name, value in (self.facts or {}).items() if about["facts"].get(name) != value]
        if other:
            raise at(self.checkpoint, None, f"is of a run with other {' and '.join(other)}: "
                                            "remove it, or take another --out")  # fmt: skip
        load_checkpoint(self.checkpoint, self.trained, self.optimizer, about["step"])
        self.step, self.draws.drawn = about["step"], about["drawn"]
        self.precision = precision_of(about["precision"], self.model.device)
        self.curve = PretrainCurve(about["losses"], about["seconds"], about["step"])
        say(f"going on after update {self.step} of {self.settings.steps}")


def _named(model: PreTrainedModel, trainable: Collection[nn.Parameter] | None) -> dict[str, nn.Parameter]:
    """Name -> parameter of those to train; a `trainable` that does not require a gradient is a mistake."""
    wanted = None if trainable is None else {id(parameter) for parameter in trainable}
    found = {name: p for name, p in model.named_parameters()
             if p.requires_grad and (wanted is None or id(p) in wanted)}  # fmt: skip
    if not found or wanted is not None and len(found) != len(wanted):
        raise InputError(f"{len(found)} parameters of {type(model).__name__} are to be trained and require a gradient"
                         + ("" if wanted is None else f", {len(wanted)} were given"))  # fmt: skip
    return found


def _n_predicted(examples: Sequence[Example]) -> int:
    """Subwords that are masked and asked for."""
    return sum(int((np.asarray(example.labels) >= 0).sum()) for example in examples)


# ---- held-out perplexity


@torch.inference_mode()
def masked_perplexity(
    model: PreTrainedModel, inputs: MaskedInputs, corpora: Sequence[Corpus], settings: PretrainSettings
) -> float:
    """exp of the mean -log p of masked subwords, under masks that are the same at every call."""
    device = device_of(settings.device)
    was_training = model.training
    torch.nn.Module.to(model, device)
    model.eval()
    examples = inputs.held_out(corpora)
    n_predicted = _n_predicted(examples)
    total = 0.0
    for rows in by_length(examples, 4 * settings.batch_size * settings.block):
        with in_precision(precision_of(settings.precision, device), device):
            total += masked_loss(model, inputs.batch([examples[i] for i in rows], device)).item()
    model.train(was_training)
    return math.exp(total / n_predicted)


# ---- from an encoder's folder to another's


Reader = Callable[[MaskedInputs], list[Corpus]]


def pretrain_encoder(
    encoder: FoundEncoder, train: Reader, dev: Reader | None, settings: PretrainSettings, out: Path
) -> dict[str, Any]:
    """Pre-train an encoder further and write `out`: an ordinary folder of an encoder, and what pretraining.json says.

    `train` and `dev` make the corpora. While it runs the folder holds a checkpoint alone. Returns the report.
    """
    if (out / "config.json").exists():
        raise at(out, None, "holds an encoder already: take another --out")
    model, is_new_head = load_masked_lm(encoder, settings.seed)
    inputs = masked_inputs(encoder, model, settings)
    corpora, held_out = train(inputs), dev(inputs) if dev else []
    freeze(model, settings.frozen)
    before = _perplexities(model, inputs, held_out, settings)
    curve = pretrain(model, inputs, corpora, settings, checkpoint=out / CHECKPOINT, what=f"{encoder.name} masked words")
    after = _perplexities(model, inputs, held_out, settings)
    report = {
        "encoder": {"name": encoder.name, "origin": encoder.origin, "new_head": is_new_head},
        "settings": asdict(settings),
        "data": _described(corpora, settings.alpha),
        "dev": {name: {"inputs": sum(len(c) for c in held_out if c.name == name), "before": round(before[name], 3),
                       "after": round(after[name], 3)} for name in before},
        "losses": curve.points(),
        "seconds": curve.seconds,
    }  # fmt: skip
    save_encoder(model, inputs.tokenizer, out, report)
    (out / CHECKPOINT).unlink(missing_ok=True)
    return report


def load_masked_lm(encoder: FoundEncoder, seed: int) -> tuple[PreTrainedModel, bool]:
    """An encoder under its head for masked words, and whether the head is new since the folder has none."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model, info = load_model(encoder, AutoModelForMaskedLM, output_loading_info=True)
    prefix = f"{model.base_model_prefix}."
    new = [name for name in info["missing_keys"] if not name.startswith(prefix)]
    if new:
        say(f"{encoder.name} brings no head for masked words ({len(new)} tensors are new): it is trained from scratch")
    return model, bool(new)


def masked_inputs(encoder: FoundEncoder, model: PreTrainedModel, settings: PretrainSettings) -> MaskedInputs:
    """What makes an encoder's corpora and batches."""
    tokenizer = load_tokenizer(encoder)
    check_vocabulary(tokenizer, model, encoder.folder)
    inputs = Inputs(tokenizer, model.config, settings.block)
    return MaskedInputs(inputs, model.config, settings.share, settings.positions)


def freeze(model: PreTrainedModel, frozen: str) -> None:
    """Freeze word embeddings (and with them the matrix of the head, which is the same), or nothing."""
    if frozen == "embeddings":
        model.get_input_embeddings().weight.requires_grad_(False)


def _perplexities(
    model: PreTrainedModel, inputs: MaskedInputs, corpora: Sequence[Corpus], settings: PretrainSettings
) -> dict[str, float]:
    """Of each language or pair."""
    names = list(dict.fromkeys(corpus.name for corpus in corpora))
    return {name: masked_perplexity(model, inputs, [c for c in corpora if c.name == name], settings) for name in names}


def _described(corpora: Sequence[Corpus], alpha: float) -> dict[str, dict[str, float]]:
    shares = Draws([len(corpus) for corpus in corpora], alpha, 0).shares
    return {corpus.name: {"inputs": len(corpus), "subwords": len(corpus.ids), "share": round(float(share), 4)}
            for corpus, share in zip(corpora, shares, strict=True)}  # fmt: skip


def save_encoder(model: PreTrainedModel, tokenizer: Any, out: Path, report: dict[str, Any] | None = None) -> None:
    """Write weights, tokenizer and report; config.json, by which the folder is known as an encoder's, comes last."""
    transformers_logging.disable_progress_bar()
    with scratch_folder(out / "encoder") as folder, writing(out):
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        if report is not None:
            write_json(folder / REPORT, report)
        made = sorted(folder.iterdir(), key=lambda path: path.name == "config.json")
        for path in made:
            settle(path)
        rename_all(made, [out / path.name for path in made])
