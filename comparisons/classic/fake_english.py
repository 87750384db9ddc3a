"""English and fake-English: what makes a small BERT transfer between languages that share no subword (K et al. 2020).

"Cross-lingual ability of multilingual BERT: an empirical study". A transformer is pre-trained from scratch on English
and fake-English, fine-tuned on an English task and read on both. Around one basic cell one thing is changed at a time:
overlap of words, order of words, depth at about constant parameters, pre-training at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baselines.corpora import TaggedSentence
from comparisons.classic.cells import Cell, positive, run_cells
from comparisons.classic.fake import ORDERS, fake_items, fake_words, is_shared, reordered
from xlembed.errors import InputError

FAKE = "fake"
UNSHARED = "fake, unshared words"
N_RETRIEVED = 300  # sentences among which a translation is to be found
N_PIECES = 1000  # the first pieces of the vocabulary, of which the nearest neighbour is sought


@dataclass(frozen=True)
class FakeEnglishSettings:
    """Data, sizes, optimisation, and which cells."""

    text: str = "corpora/opus-testsets/en.txt.xz"
    n_texts: int = 0  # 0: all
    same_text: bool = False  # both languages have the same texts; else each has its half
    n_held_out: int = 300
    tasks: tuple[str, ...] = ("pos", "ner")
    n_train: int = 0  # labelled sentences, 0: all
    n_dev: int = 1000
    n_test: int = 0
    vocabulary: int = 8000  # pieces of each language
    layers: int = 4
    hidden: int = 256
    heads: int = 4
    inner: int = 1024
    block: int = 128
    batch_size: int = 64
    steps: int = 20_000
    lr: float = 1e-3
    epochs: int = 3
    task_lr: float = 5e-4
    overlaps: tuple[float, ...] = (0.1, 0.5)
    orders: tuple[str, ...] = ("permuted", "frequency")
    depths: tuple[int, ...] = (1, 2, 6)
    seeds: tuple[int, ...] = (1,)
    precision: str = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        positive(self, "n_held_out", "n_dev", "vocabulary", "layers", "hidden", "heads", "inner", "batch_size", "steps",
                 "lr", "epochs", "task_lr")  # fmt: skip
        unknown = [order for order in self.orders if order not in ORDERS]
        if unknown:
            raise InputError(f"orders: {unknown[0]!r} is none of {', '.join(ORDERS)}")
        if not set(self.tasks) <= {"pos", "ner"} or not self.tasks or not self.seeds:
            raise InputError("tasks are pos, ner or both, and at least one seed is needed")
        if any(not 0 <= overlap <= 1 for overlap in self.overlaps):
            raise InputError("overlaps are shares, from 0 to 1")


FULL = FakeEnglishSettings()
QUICK = FakeEnglishSettings(
    n_texts=20_000, same_text=True, tasks=("pos",), n_train=2000, n_dev=300, n_test=500, vocabulary=500, layers=2,
    hidden=64, heads=1, inner=256, block=32, batch_size=32, steps=1500, lr=2e-3, task_lr=2e-3, overlaps=(0.5,),
    orders=("permuted",), depths=(1, 4), precision="float32", device="cpu",
)  # fmt: skip


def cells_of(settings: FakeEnglishSettings) -> list[Cell]:
    """The basic cell, those that differ from it in one thing, and it without pre-training; for each seed."""
    basic = {"overlap": 0.0, "order": "kept", "layers": settings.layers, "pretrained": True}
    kinds: list[tuple[str, dict[str, Any]]] = [("basic", {})]
    kinds += [(f"overlap-{overlap:g}", {"overlap": float(overlap)}) for overlap in settings.overlaps]
    kinds += [(f"order-{order}", {"order": order}) for order in settings.orders]
    kinds += [(f"depth-{layers}", {"layers": layers}) for layers in settings.depths]
    kinds += [("untrained", {"pretrained": False})]
    kinds += [(f"untrained-overlap-{overlap:g}", {"overlap": float(overlap), "pretrained": False})
              for overlap in settings.overlaps]  # fmt: skip
    return [Cell(f"{name}-seed{seed}", basic | change | {"seed": seed}) for seed in settings.seeds
            for name, change in kinds]  # fmt: skip


def run(settings: FakeEnglishSettings, locate: Any, out: Path) -> list[dict[str, Any]]:
    """All cells, into a folder."""
    work = _Work(settings, locate, out)
    return run_cells(out, settings, cells_of(settings), work.compute)


class _Work:
    """Data that the cells share, read once."""

    def __init__(self, settings: FakeEnglishSettings, locate: Any, out: Path):
        from comparisons.classic.small import Shape
        from comparisons.classic.steps import split, words_of
        from comparisons.classic.vocabulary import train_pieces

        self.settings, self.locate, self.out = settings, locate, out
        self.train, self.held_out = split(words_of(locate(settings.text), "en", settings.n_texts), settings.n_held_out)
        self.pieces = train_pieces(self.train, settings.vocabulary)
        self.shape = Shape(settings.layers, settings.hidden, settings.heads, settings.inner)
        for layers in settings.depths:  # before hours are spent, not after
            self.shape.at_depth(layers)

    def compute(self, cell: Cell) -> dict[str, Any]:
        """Pre-train, fine-tune on English, read in both languages."""
        from comparisons.classic.small import make_encoder, n_parameters
        from comparisons.classic.vocabulary import make_tokenizer, with_fake

        what = cell.what
        shape = self.shape.at_depth(what["layers"])
        tokenizer = make_tokenizer(with_fake(self.pieces))
        encoder = make_encoder(shape, tokenizer, self.settings.block, what["seed"],
                               self.out / "fresh" / cell.name, cell.name)  # fmt: skip
        found: dict[str, Any] = {"shape": asdict(shape), "n_parameters": n_parameters(encoder.folder)}
        if what["pretrained"]:
            encoder, report = self._pretrained(encoder, cell)
            found["perplexity"] = {lang: figures["after"] for lang, figures in report["dev"].items()}
            found["pretraining"] = {"seconds": report["seconds"], "losses": report["losses"]}
        found["scores"] = dict(self._scores(encoder, what))
        found["retrieval"] = self._retrieval(encoder, what["overlap"])
        found["pieces"] = piece_translation(encoder.folder, len(self.pieces))
        return found

    def _pretrained(self, fresh: Any, cell: Cell) -> tuple[Any, dict[str, Any]]:
        from comparisons.classic.steps import pretrained, texts
        from comparisons.pretraining_settings import PretrainSettings

        settings, what = self.settings, cell.what
        both = (self.train, self.train) if settings.same_text else (self.train[::2], self.train[1::2])
        ordered = reordered(both[1], what["order"], what["seed"])
        sides = {"en": texts(both[0]), FAKE: texts([fake_words(s, what["overlap"]) for s in ordered])}
        held_out = {"en": texts(self.held_out), FAKE: texts([fake_words(s, what["overlap"]) for s in self.held_out])}
        options = PretrainSettings(
            steps=settings.steps, batch_size=settings.batch_size, lr=settings.lr, block=settings.block, frozen="none",
            precision=settings.precision, device=settings.device, seed=what["seed"],
        )  # fmt: skip

        def reader(found: dict[str, list[str]]) -> Any:
            return lambda inputs: [inputs.corpus(side, lang, settings.block) for lang, side in found.items()]

        return pretrained(fresh, reader(sides), reader(held_out), options, self.out / "encoders" / cell.name)

    def _scores(self, encoder: Any, what: dict[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
        from comparisons.classic.steps import task_items, task_score, zero_shot
        from comparisons.finetune_settings import FinetuneSettings

        settings = self.settings
        options = FinetuneSettings(epochs=settings.epochs, lr=settings.task_lr, max_length=settings.block,
                                   precision=settings.precision, device=settings.device)  # fmt: skip
        for task in settings.tasks:
            train, dev, test = (task_items(self.locate, task, "en", part, n) for part, n in
                                (("train", settings.n_train), ("dev", settings.n_dev), ("test", settings.n_test)))
            tests = {"en": test, FAKE: fake_items(test, what["overlap"])}
            predicted = zero_shot(encoder, task, train, dev, tests, options, what["seed"])
            scores = {lang: task_score(task, items, predicted[lang]) for lang, items in tests.items()}
            if task == "pos":
                scores[UNSHARED] = accuracy_of_unshared(test, predicted[FAKE], what["overlap"])
            yield task, scores

    def _retrieval(self, encoder: Any, overlap: float) -> dict[str, float]:
        """Share of held-out sentences whose own fake-English is nearest, by layer, of both directions the mean."""
        from comparisons.classic.steps import texts
        from comparisons.hidden_states import LayerReader

        sentences = self.held_out[:N_RETRIEVED]
        reader = LayerReader(encoder, max_length=self.settings.block)
        sides = [reader.sentences(texts(side), "en").vectors
                 for side in (sentences, [fake_words(sentence, overlap) for sentence in sentences])]  # fmt: skip
        return {str(layer): round(100 * mutual_accuracy(one, other), 2)
                for layer, (one, other) in enumerate(zip(*sides, strict=True))}  # fmt: skip


def accuracy_of_unshared(items: Sequence[TaggedSentence], predicted: Sequence[list[str]], overlap: float) -> float:
    """Accuracy in % on the words that are not the same in both languages: what shared words say by themselves is out.

    `items` are in English.
    """
    hits = [found == tag for item, tags in zip(items, predicted, strict=True)
            for word, tag, found in zip(item.words, item.gold or (), tags, strict=True)
            if not is_shared(word, overlap)]  # fmt: skip
    return round(100 * float(np.mean(hits)), 2) if hits else 0.0


def mutual_accuracy(one: np.ndarray, other: np.ndarray) -> float:
    """Share of rows whose nearest of the other side by cosine is the row of the same number, both directions' mean."""
    one, other = (side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12) for side in (one, other))
    similarity = one @ other.T
    rows = np.arange(len(one))
    return float(np.mean([similarity.argmax(1) == rows, similarity.argmax(0) == rows]))


def piece_translation(folder: Path, n_pieces: int) -> float:
    """P@1 in %, of the first pieces of English into the fake pieces by their input embeddings.

    As Dufter and Schütze 2020 ("Identifying elements essential for BERT's multilinguality", section 3) measure it.
    """
    from safetensors.numpy import load_file

    from comparisons.classic.vocabulary import SPECIAL

    weights = load_file(folder / "model.safetensors")
    words = next(tensor for name, tensor in weights.items() if name.endswith("word_embeddings.weight"))
    start = len(SPECIAL)
    english, fake = words[start : start + n_pieces], words[start + n_pieces : start + 2 * n_pieces]
    return round(100 * mutual_accuracy(english[:N_PIECES], fake[:N_PIECES]), 2)
