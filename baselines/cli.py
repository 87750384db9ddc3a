"""`xlembed tag` and `xlembed nli`: static systems on one's own files, from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from baselines.corpora import read_items
from baselines.features import WordFeatures, word_features
from baselines.predictions import RunSettings, make_predictions, write_predictions
from baselines.settings import TrainSettings
from xlembed.errors import InputError, require
from xlembed.files import write_text
from xlembed.languages import language_code

Vectors = Annotated[Path, typer.Option(help="Vectors of the language.")]
Mapping = Annotated[
    Path | None,
    typer.Option(help="Folder of `xlembed align TARGET SOURCE --out`: from this language into the training one."),
]
Lang = Annotated[str | None, typer.Option(help="ISO 639 code of the language.", callback=language_code)]


def register(app: typer.Typer) -> None:
    """Add the commands of this package."""
    for name, kind, what in (("tag", "ner", "an NER tagger"), ("nli", "nli", "an NLI classifier")):
        group = typer.Typer(help=f"Train {what} on word vectors, and run it on mapped languages.", no_args_is_help=True)
        group.command("train")(_train_command(kind))
        group.command("predict")(_predict_command(kind))
        app.add_typer(group, name=name)


def features_of(vectors: Path, mapping: Path | None, lang: str | None, n: int | None) -> WordFeatures:
    """Features of a language: normalised alone for the training language, through a mapping for others."""
    from xlembed.alignment.base import load_mapping
    from xlembed.normalize import normalize
    from xlembed.vectors import read_vectors

    read = read_vectors(vectors, n)
    return word_features(load_mapping(mapping).map_src(read) if mapping else normalize(read), lang)


def _train_command(kind: str) -> Callable[..., Any]:
    def train(
        data: Annotated[Path, typer.Argument(help="Training data in the source language.")],
        dev: Annotated[Path, typer.Option(help="Dev data in the source language; decides when to stop.")],
        vectors: Vectors,
        out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model.")],
        lang: Lang = "en",
        seed: Annotated[int, typer.Option()] = 1,
        epochs: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
        n: Annotated[int | None, typer.Option("--n", min=1, help="Words to read from the vectors.")] = None,
    ) -> None:
        """Train on the source language."""
        require("torch", "static")
        from baselines.classifiers import train_classifier
        from baselines.metrics import dev_scorer
        from baselines.saving import save_static
        from baselines.taggers import train_tagger

        items, dev_items = read_items(kind, data, lang), read_items(kind, dev, lang)
        fit = train_tagger if kind == "ner" else train_classifier
        features = features_of(vectors, None, lang, n)
        model = fit(items, dev_items, features, dev_scorer(kind), TrainSettings(max_epochs=epochs), seed)
        save_static(out, kind, model)
        print(f"{out}: dev {max(model.curve.dev):.2f} at epoch {model.curve.best_epoch}, {model.curve.seconds:.0f} s")

    return train


def _predict_command(kind: str) -> Callable[..., Any]:
    def predict(
        model: Annotated[Path, typer.Argument(help="Folder that train --out wrote.")],
        data: Annotated[Path, typer.Argument(help="Sentences or pairs; gold is not needed.")],
        vectors: Vectors,
        out: Annotated[
            Path, typer.Option("--out", "-o", help=".jsonl: prediction file for `xlembed score`; else text.")
        ],
        mapping: Mapping = None,
        lang: Lang = None,
        n: Annotated[int | None, typer.Option("--n", min=1)] = None,
    ) -> None:
        """Predict in the language of the vectors."""
        require("torch", "static")
        from baselines.saving import load_static

        trained = load_static(model, kind)
        items = read_items(kind, data, lang)
        predicted = trained.predict(items, features_of(vectors, mapping, lang, n))
        write_output(out, kind, items, predicted, RunSettings(kind, kind, model.name, lang or "und", data.name))
        print(f"{out}: {len(items)} {'sentences' if kind == 'ner' else 'pairs'}")

    return predict


def write_output(out: Path, kind: str, items: list, predicted: list, run: RunSettings) -> None:
    """A prediction file (.jsonl, needs gold), or text in the form of the input."""
    if out.suffix == ".jsonl":
        if any(item.gold is None for item in items):
            raise InputError(f"{out}: a .jsonl holds gold beside predictions and the input has none: write a .tsv")
        write_predictions(out, make_predictions(run, items, predicted))
    elif kind == "ner":
        write_text(out, "".join(
            "".join(f"{word}\t{tag}\n" for word, tag in zip(item.words, tags, strict=True)) + "\n"
            for item, tags in zip(items, predicted, strict=True)))  # fmt: skip
    else:
        rows = [f"{label}\t{item.premise}\t{item.hypothesis}\n"
                for item, label in zip(items, predicted, strict=True)]  # fmt: skip
        write_text(out, "label\tpremise\thypothesis\n" + "".join(rows))
