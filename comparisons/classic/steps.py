"""Steps that the classic experiments share: words of texts, pre-training into a folder, zero-shot scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from baselines.corpora import TaggedSentence, read_items
from baselines.metrics import MAIN_METRIC, score
from comparisons.encoders import FoundEncoder
from comparisons.finetune import finetune
from comparisons.finetune_settings import FinetuneSettings
from comparisons.pretraining import REPORT, Reader, pretrain_encoder
from comparisons.pretraining_data import read_lines
from comparisons.pretraining_settings import PretrainSettings
from xlembed.errors import at
from xlembed.files import read_json
from xlembed.tokenize import tokenize

Locate = Callable[[str], Path]
TASK_FILES = {"pos": "pos/ud/{lang}/{part}.tsv", "ner": "ner/wikiann/{lang}/{part}.tsv"}
EVERY_HELD_OUT = 50  # one text in so many is held out
LEAST_WORDS = 3


def words_of(path: Path, lang: str, n: int | None = None) -> list[list[str]]:
    """The first n texts of a file (all for None or 0) as words, without those of fewer than three."""
    sentences = [tokenize(text, lang) for text in read_lines(path, n or None)]
    found = [sentence for sentence in sentences if len(sentence) >= LEAST_WORDS]
    if len(found) < 2 * EVERY_HELD_OUT:
        raise at(path, None, f"holds {len(found)} texts of three words and more, {2 * EVERY_HELD_OUT} are needed")
    return found


def split(sentences: Sequence[list[str]], n_held_out: int) -> tuple[list[list[str]], list[list[str]]]:
    """Texts to train on, and every fiftieth, at most n, held out."""
    held_out = list(sentences[::EVERY_HELD_OUT])[:n_held_out]
    return [s for i, s in enumerate(sentences) if i % EVERY_HELD_OUT], held_out


def texts(sentences: Sequence[Sequence[str]]) -> list[str]:
    """Words with spaces between them, as the small encoders' tokenizers read them."""
    return [" ".join(sentence) for sentence in sentences]


def task_items(
    locate: Locate, task: str, lang: str, part: str, n: int | None = None, told: str | None = None
) -> list[TaggedSentence]:
    """The first n labelled sentences of a language (all for None or 0), said to be in `told` or in it."""
    items = read_items(task, locate(TASK_FILES[task].format(lang=lang, part=part)), told or lang)
    return cast("list[TaggedSentence]", items[: n or None])  # TASK_FILES has tasks of tagging alone


def pretrained(
    fresh: FoundEncoder, train: Reader, dev: Reader, settings: PretrainSettings, folder: Path
) -> tuple[FoundEncoder, dict[str, Any]]:
    """The encoder after pre-training, in a folder, and its report; a folder that is complete is taken as it is."""
    if not (folder / "config.json").exists():
        pretrain_encoder(fresh, train, dev, settings, folder)
    return FoundEncoder(fresh.name, folder, "pre-trained here"), read_json(folder / REPORT)


def zero_shot(
    encoder: FoundEncoder,
    task: str,
    train: Sequence[TaggedSentence],
    dev: Sequence[TaggedSentence],
    tests: Mapping[str, Sequence[TaggedSentence]],
    settings: FinetuneSettings,
    seed: int,
) -> dict[str, list[list[str]]]:
    """Predicted tags of each test set after fine-tuning on one language."""
    tuned = finetune(encoder, task, train, dev, settings, seed)
    return {name: tuned.predict(items) for name, items in tests.items()}


def task_score(task: str, items: Sequence[TaggedSentence], predicted: Sequence[list[str]]) -> float:
    """Main metric in %: span F1 of ner, accuracy of pos."""
    return round(float(score(task, [item.gold for item in items], predicted)[MAIN_METRIC[task]]), 2)
