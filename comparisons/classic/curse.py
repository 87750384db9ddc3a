"""The curse of multilinguality: one small transformer, and more and more languages in it (Conneau et al. 2020).

"Unsupervised cross-lingual representation learning at scale", section 5.1: at fixed capacity more languages first help
transfer and then hurt all of them; more capacity restores it, by width, or by modules of languages (Pfeiffer et al.
2022, "Lifting the curse of multilinguality by pre-training modular transformers"). Every cell has one and the same
vocabulary over all languages, so that perplexities can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from comparisons.classic.cells import Cell, positive, run_cells
from xlembed.errors import InputError

BUDGETS = ("language", "total")


@dataclass(frozen=True)
class CurseSettings:
    """Languages in the order in which they join, sizes, optimisation, and which cells."""

    languages: tuple[str, ...] = ("en", "de", "es", "fr")
    texts: str = "corpora/opus-testsets/{lang}.txt.xz"
    n_texts: int = 100_000  # of each language
    n_held_out: int = 500
    task: str = "pos"
    n_train: int = 0  # labelled sentences of the first language, 0: all
    n_dev: int = 1000
    n_test: int = 0
    vocabulary: int = 16_000
    layers: int = 4
    hidden: int = 192
    heads: int = 3
    inner: int = 768
    block: int = 128
    batch_size: int = 64
    steps: int = 8000  # updates a language, or in all
    lr: float = 1e-3
    epochs: int = 3
    task_lr: float = 5e-4
    counts: tuple[int, ...] = (1, 2, 3, 4)
    budgets: tuple[str, ...] = ("language", "total")
    widths: tuple[float, ...] = (2.0,)  # factors, at the greatest count
    modules: bool = True  # a cell with an adapter for each language, at the greatest count
    alpha: float = 0.7
    seeds: tuple[int, ...] = (1,)
    precision: str = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        positive(self, "n_held_out", "n_dev", "vocabulary", "layers", "hidden", "heads", "inner", "batch_size", "steps",
                 "lr", "epochs", "task_lr")  # fmt: skip
        if not self.counts or min(self.counts) < 1 or max(self.counts) > len(self.languages):
            raise InputError(f"counts must be from 1 to the {len(self.languages)} languages")
        if not self.budgets or not set(self.budgets) <= set(BUDGETS):
            raise InputError(f"budgets: choose of {', '.join(BUDGETS)}")
        if self.task not in ("pos", "ner") or not self.seeds:
            raise InputError("task is pos or ner, and at least one seed is needed")


FULL = CurseSettings()
QUICK = CurseSettings(
    n_texts=20_000, n_held_out=200, n_train=2000, n_dev=300, n_test=300, vocabulary=3000, layers=2, hidden=32, heads=1,
    inner=128, block=32, batch_size=32, steps=1000, lr=2e-3, task_lr=2e-3, counts=(1, 2, 4), precision="float32",
    device="cpu",
)  # fmt: skip


def cells_of(settings: CurseSettings) -> list[Cell]:
    """Counts of languages under each budget (one language is the same under both), then more capacity."""
    most = max(settings.counts)
    kinds = [(f"{n}-per-{budget}", n, budget, 1.0, False) for budget in settings.budgets for n in settings.counts
             if n > 1 or budget == settings.budgets[0]]  # fmt: skip
    first = settings.budgets[0]
    kinds += [(f"{most}-width-{width:g}", most, first, float(width), False) for width in settings.widths]
    kinds += [(f"{most}-modules", most, first, 1.0, True)] if settings.modules else []
    return [
        Cell(f"{name}-seed{seed}", {"languages": n, "budget": budget, "width": width, "modules": modules, "seed": seed})
        for seed in settings.seeds for name, n, budget, width, modules in kinds
    ]  # fmt: skip


def run(settings: CurseSettings, locate: Any, out: Path) -> list[dict[str, Any]]:
    """All cells, into a folder."""
    work = _Work(settings, locate, out)
    return run_cells(out, settings, cells_of(settings), work.compute)


class _Work:
    """Data that the cells share, read once."""

    def __init__(self, settings: CurseSettings, locate: Any, out: Path):
        from comparisons.classic.steps import split, words_of
        from comparisons.classic.vocabulary import train_pieces

        self.settings, self.locate, self.out = settings, locate, out
        self.langs = settings.languages[: max(settings.counts)]
        sides = {lang: split(words_of(locate(settings.texts.format(lang=lang)), lang, settings.n_texts),
                             settings.n_held_out) for lang in self.langs}  # fmt: skip
        self.train = {lang: train for lang, (train, _) in sides.items()}
        self.held_out = {lang: held_out for lang, (_, held_out) in sides.items()}
        self.pieces = train_pieces(chain.from_iterable(self.train.values()), settings.vocabulary)

    def compute(self, cell: Cell) -> dict[str, Any]:
        """Pre-train on the first so many languages, fine-tune on the first, read in all."""
        from comparisons.classic.small import Shape, make_encoder, n_parameters
        from comparisons.classic.vocabulary import make_tokenizer

        settings, what = self.settings, cell.what
        langs = self.langs[: what["languages"]]
        shape = Shape(settings.layers, settings.hidden, settings.heads, settings.inner,
                      langs if what["modules"] else ()).widened(what["width"])  # fmt: skip
        encoder = make_encoder(shape, make_tokenizer(self.pieces), settings.block, what["seed"],
                               self.out / "fresh" / cell.name, cell.name)  # fmt: skip
        n_all = n_parameters(encoder.folder)
        encoder, report = self._pretrained(encoder, cell, langs)
        return {
            "shape": asdict(shape),
            "n_parameters": n_all,
            "perplexity": {lang: figures["after"] for lang, figures in report["dev"].items()},
            "scores": self._scores(encoder, what, langs),
            "pretraining": {"steps": report["settings"]["steps"], "seconds": report["seconds"],
                            "losses": report["losses"]},
        }  # fmt: skip

    def _pretrained(self, fresh: Any, cell: Cell, langs: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
        from comparisons.classic.steps import pretrained, texts
        from comparisons.pretraining_settings import PretrainSettings

        settings, what = self.settings, cell.what
        steps = settings.steps * (len(langs) if what["budget"] == "language" else 1)
        options = PretrainSettings(
            steps=steps, batch_size=settings.batch_size, lr=settings.lr, block=settings.block, alpha=settings.alpha,
            frozen="none", precision=settings.precision, device=settings.device, seed=what["seed"],
        )  # fmt: skip

        def reader(found: dict[str, list[list[str]]]) -> Any:
            return lambda inputs: [inputs.corpus(texts(found[lang]), lang, settings.block) for lang in langs]

        folder = self.out / "encoders" / cell.name
        return pretrained(fresh, reader(self.train), reader(self.held_out), options, folder)

    def _scores(self, encoder: Any, what: dict[str, Any], langs: tuple[str, ...]) -> dict[str, float]:
        from comparisons.classic.steps import task_items, task_score, zero_shot
        from comparisons.finetune_settings import FinetuneSettings

        settings = self.settings
        options = FinetuneSettings(epochs=settings.epochs, lr=settings.task_lr, max_length=settings.block,
                                   precision=settings.precision, device=settings.device)  # fmt: skip
        train, dev = (task_items(self.locate, settings.task, self.langs[0], part, n)
                      for part, n in (("train", settings.n_train), ("dev", settings.n_dev)))  # fmt: skip
        tests = dict(self._tests(langs, what["modules"]))
        predicted = zero_shot(encoder, settings.task, train, dev, tests, options, what["seed"])
        return {lang: task_score(settings.task, items, predicted[lang]) for lang, items in tests.items()}

    def _tests(self, langs: tuple[str, ...], modules: bool) -> Iterator[tuple[str, Any]]:
        """Of all languages of the run; one without a module goes through that of the first."""
        from comparisons.classic.steps import task_items

        for lang in self.langs:
            told = self.langs[0] if modules and lang not in langs else lang
            yield lang, task_items(self.locate, self.settings.task, lang, "test", self.settings.n_test, told)
