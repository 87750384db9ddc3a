"""Fine-tuning and inference beside Hugging Face's example recipe: one encoder, data, seed, rate and batch size.

python benchmarks/finetune.py --mirror DIR [--kind ner|nli] [--train 1000] [--test 2000] [--epochs 1] [--tricks]

The recipe is that of transformers' examples (run_ner.py, run_xnli.py): Trainer, AdamW, a collator that pads each batch
to its longest, batches drawn at random, float32. Ours: batches of like length, word embeddings frozen, the precision
that is faster here. The contestants take turns; --tricks leaves one trick of ours out at a time. Tokenisation is timed
with both. Peak memory is of a process of its own for each (--peak).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from xlembed.tuning import tune_libraries

tune_libraries()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

import comparisons.finetune_loop as finetune_loop  # noqa: E402
from baselines.corpora import TAGGING, Item, read_items, without_gold  # noqa: E402
from baselines.metrics import MAIN_METRIC, score  # noqa: E402
from comparisons.encoders import FoundEncoder, find_encoder  # noqa: E402
from comparisons.finetune import finetune  # noqa: E402
from comparisons.finetune_settings import FinetuneSettings  # noqa: E402
from xlembed.fetch import locate  # noqa: E402

SETTINGS = FinetuneSettings(epochs=1, lr=1e-4, batch_size=32, max_length=128)
Measured = tuple[float, float, float]  # seconds of training, seconds of prediction, score

DATA = {
    "ner": ("ner/wikiann/en/train.tsv", "ner/wikiann/de/test.tsv"),
    "nli": ("nli/english/snli-test.tsv", "nli/xnli/de.test.tsv"),
}


def figure(kind: str, test: Sequence[Item], predicted: list) -> float:
    return score(kind, [item.gold for item in test], predicted)[MAIN_METRIC[kind]]


def ours(encoder: FoundEncoder, kind: str, train: Sequence[Item], test: Sequence[Item],
         settings: FinetuneSettings) -> Measured:  # fmt: skip
    begin = time.perf_counter()
    tuned = finetune(encoder, kind, train, train[:32], settings, 1)
    trained = time.perf_counter() - begin
    begin = time.perf_counter()
    predicted = tuned.predict(without_gold(test), lang="de")
    return trained, time.perf_counter() - begin, figure(kind, test, predicted)


# ---- the recipe


def recipe(encoder: FoundEncoder, kind: str, train: Sequence[Item], test: Sequence[Item],
           settings: FinetuneSettings) -> Measured:  # fmt: skip
    """As transformers' examples have it; labels on first subwords, -100 elsewhere."""
    begin = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(encoder.folder)
    is_tagging = kind in TAGGING
    labels = sorted({tag for item in train for tag in item.tags} if is_tagging else {item.label for item in train})
    auto = AutoModelForTokenClassification if is_tagging else AutoModelForSequenceClassification
    torch.manual_seed(1)
    model = auto.from_pretrained(encoder.folder, num_labels=len(labels), dtype=torch.float32)
    encode = _encode_words if is_tagging else _encode_pairs
    collator = (DataCollatorForTokenClassification if is_tagging else DataCollatorWithPadding)(tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, num_train_epochs=settings.epochs, learning_rate=settings.lr, warmup_steps=settings.warmup,
            per_device_train_batch_size=settings.batch_size, per_device_eval_batch_size=settings.batch_size,
            weight_decay=settings.weight_decay, report_to=[], save_strategy="no", disable_tqdm=True, seed=1,
            logging_strategy="no", use_cpu=not torch.cuda.is_available(), dataloader_pin_memory=False,
        )  # fmt: skip
        trainer = Trainer(model, arguments, collator, train_dataset=encode(tokenizer, train, labels))
        trainer.train()
        trained = time.perf_counter() - begin
        begin = time.perf_counter()
        rows = encode(tokenizer, test, labels)
        logits = trainer.predict(rows).predictions.argmax(-1)
        if is_tagging:
            predicted = [_tags(row, best, len(item.words), labels)
                         for row, best, item in zip(rows, logits, test, strict=True)]  # fmt: skip
        else:
            predicted = [labels[best] for best in logits]
        return trained, time.perf_counter() - begin, figure(kind, test, predicted)


def _encode_words(tokenizer: Any, items: Sequence[Item], labels: list[str]) -> list[dict[str, Any]]:
    encoded = tokenizer([list(item.words) for item in items], is_split_into_words=True, truncation=True,
                        max_length=SETTINGS.max_length)  # fmt: skip
    number = {label: i for i, label in enumerate(labels)}
    rows = []
    for i, item in enumerate(items):
        words = encoded.word_ids(i)
        first = [j for j, word in enumerate(words) if word is not None and word != words[j - 1]]
        targets = [-100] * len(words)
        for j in first:
            targets[j] = number[item.tags[words[j]]]
        rows.append({key: encoded[key][i] for key in encoded} | {"labels": targets})
    return rows


def _tags(row: dict[str, Any], best: np.ndarray, n_words: int, labels: list[str]) -> list[str]:
    found = [labels[best[j]] for j, label in enumerate(row["labels"]) if label != -100]
    return found + ["O"] * (n_words - len(found))  # words beyond the window


def _encode_pairs(tokenizer: Any, items: Sequence[Item], labels: list[str]) -> list[dict[str, Any]]:
    encoded = tokenizer([item.premise for item in items], [item.hypothesis for item in items], truncation=True,
                        max_length=SETTINGS.max_length)  # fmt: skip
    return [{key: encoded[key][i] for key in encoded} | {"labels": labels.index(item.label)}
            for i, item in enumerate(items)]  # fmt: skip


# ---- ours with a trick left out


def unbucketed(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    order = rng.permutation(len(lengths))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def without_buckets(*arguments: Any) -> Measured:
    before, finetune_loop.bucketed = finetune_loop.bucketed, unbucketed
    try:
        return ours(*arguments)
    finally:
        finetune_loop.bucketed = before


def in_one_thread(*arguments: Any) -> Measured:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return ours(*arguments)
    finally:
        torch.set_num_threads(before)


def peak_memory() -> int:
    """KiB of this process (the figure that getrusage gives begins at its parent's)."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


CONTESTANTS: dict[str, tuple[Callable[..., Measured], FinetuneSettings]] = {
    "xlembed": (ours, SETTINGS),
    "Trainer, float32": (recipe, SETTINGS),
}
TRICKS: dict[str, tuple[Callable[..., Measured], FinetuneSettings]] = {
    "without buckets of like length": (without_buckets, SETTINGS),
    "word embeddings trained": (ours, replace(SETTINGS, frozen="none")),
    "always float32": (ours, replace(SETTINGS, precision="float32")),
    "always bfloat16": (ours, replace(SETTINGS, precision="bfloat16")),
    "one thread": (in_one_thread, SETTINGS),
    "lower 6 layers frozen": (ours, replace(SETTINGS, frozen_layers=6)),
    "LoRA": (ours, replace(SETTINGS, method="lora")),
    "adapters": (ours, replace(SETTINGS, method="adapter")),
    "linear probe": (ours, replace(SETTINGS, method="probe", lr=1e-2)),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mirror", type=Path)
    parser.add_argument("--kind", choices=list(DATA), default="ner")
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--encoder", default="multilingual-e5-small")
    parser.add_argument("--tricks", action="store_true")
    parser.add_argument("--peak", help="run this contestant alone and tell its peak memory")
    given = parser.parse_args()
    files = DATA[given.kind]
    train = read_items(given.kind, locate(files[0], given.mirror, None), "en")[: given.train]
    test = read_items(given.kind, locate(files[1], given.mirror, None), "de")[: given.test]
    encoder = find_encoder(given.encoder)
    contestants = CONTESTANTS | (TRICKS if given.tricks or given.peak else {})
    if given.peak:
        run, settings = contestants[given.peak]
        run(encoder, given.kind, train, test, settings)
        print(f"peak {peak_memory() / 2**20:.2f} GiB")
        return
    measured: dict[str, list[Measured]] = {name: [] for name in contestants}
    for _ in range(given.rounds):
        for name, (run, settings) in contestants.items():
            chosen = replace(settings, epochs=given.epochs)
            measured[name].append(run(encoder, given.kind, train, test, chosen))
    print(f"{given.kind}: {len(train)} for training, {len(test)} to predict, {torch.get_num_threads()} threads")
    first = None
    for name, rounds in measured.items():
        training, prediction = (statistics.median(one[i] for one in rounds) for i in (0, 1))
        first = first or (training, prediction)
        print(f"{name:32} training {given.epochs * len(train) / training:7.1f}/s ({training / first[0]:5.2f} x)  "
              f"prediction {len(test) / prediction:7.1f}/s ({prediction / first[1]:5.2f} x)  score {rounds[0][2]:.1f}")
    for name in CONTESTANTS:
        command = [sys.executable, __file__, "--kind", given.kind, "--train", "320", "--test", "100", "--peak", name,
                   *(["--mirror", str(given.mirror)] if given.mirror else [])]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
        print(f"{name:32} {done.stdout.strip() or done.stderr.strip()[-200:]}")


if __name__ == "__main__":
    main()
