"""`xlembed tag`, `nli` and `topic`: static systems on one's own files, from the command line."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from baselines import translate_cli
from baselines.corpora import NOUNS, Item, file_text, read_items, with_labels
from baselines.features import WordFeatures, word_features
from baselines.models import HYPOTHESIS_ONLY, MODELS, model_type, read_settings
from baselines.predictions import RunSettings, make_predictions, write_predictions
from xlembed.errors import InputError, for_people, require
from xlembed.files import check_place, write_text
from xlembed.languages import language_code
from xlembed.options import named_settings

# Annotations are evaluated here, not put off: those of the commands name variables of the functions around them.
Vectors = Annotated[Path, typer.Option(help="Vectors of the language.")]
Mapping = Annotated[
    Path | None,
    typer.Option(help="Folder of `xlembed align TARGET SOURCE --out`: from this language into the training one."),
]
Lang = Annotated[str | None, typer.Option(help="ISO 639 code of the language.", callback=language_code)]


_GROUPS = {
    "tag": (("ner", "pos"), "Train a tagger (NER, parts of speech) on word vectors, and run it on mapped languages."),
    "nli": (("nli",), "Train an NLI classifier on word vectors, and run it on mapped languages."),
    "topic": (("topic",), "Train a classifier of texts on word vectors, and run it on mapped languages."),
}


def register(app: typer.Typer) -> None:
    """Add the commands of this package."""
    translate_cli.command(app)
    for name, (kinds, about) in _GROUPS.items():
        group = typer.Typer(help=about, no_args_is_help=True)
        group.command("train")(_train_command(kinds))
        group.command("predict")(_predict_command(kinds))
        app.add_typer(group, name=name)


def features_of(vectors: Path, mapping: Path | None, lang: str | None, n: int | None) -> WordFeatures:
    """Features of a language: normalised alone for the training language, through a mapping for others."""
    from xlembed.alignment.base import load_mapping
    from xlembed.normalize import normalize
    from xlembed.vectors import read_vectors

    read = read_vectors(vectors, n)
    return word_features(load_mapping(mapping).map_src(read) if mapping else normalize(read), lang)


def _train_command(kinds: tuple[str, ...]) -> Callable[..., Any]:
    names = "; ".join(f"{one.name}: {one.about}" for one in MODELS[kinds[0]])

    def train(
        data: Annotated[Path, typer.Argument(help="Training data in the source language.")],
        dev: Annotated[Path, typer.Option(help="Dev data in the source language; decides when to stop.")],
        vectors: Vectors,
        out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model.")],
        kind: Annotated[str, typer.Option(help=f"{' or '.join(kinds)}.")] = kinds[0],
        model: Annotated[str | None, typer.Option(help=f"{names}. The first is the default.")] = None,
        settings: Annotated[
            list[str] | None, typer.Option("--set", help="A setting of the model, as name=value; may be repeated.")
        ] = None,
        lang: Lang = "en",
        seed: Annotated[int, typer.Option()] = 1,
        epochs: Annotated[int | None, typer.Option(min=1, help="At most so many (networks).")] = None,
        n: Annotated[int | None, typer.Option("--n", min=1, help="Words to read from the vectors.")] = None,
    ) -> None:
        """Train on the source language. Ctrl-C ends the training early; the best model so far is saved."""
        if kind not in kinds:
            raise InputError(f"--kind {kind!r}: choose {' or '.join(kinds)}")
        chosen = model_type(kind, model)
        given = named_settings(settings or []) | ({} if epochs is None else {"max_epochs": epochs})
        read = read_settings(chosen.settings, given, f"model {chosen.name}")
        require("torch", "static")
        from baselines.metrics import MAIN_METRIC, dev_scorer
        from baselines.saving import save_static

        items, dev_items = read_items(kind, data, lang), read_items(kind, dev, lang)
        features = features_of(vectors, None, lang, n)
        check_place(out)
        trained = chosen.train(items, dev_items, features, dev_scorer(kind), read, seed)
        save_static(out, kind, chosen.name, trained)
        curve = trained.curve
        assert curve is not None  # what was just trained has one
        early = " (stopped early)" if curve.interrupted else ""
        print(for_people(f"{out}: {chosen.name}, dev {MAIN_METRIC[kind]} {max(curve.dev):.2f} at epoch "
                         f"{curve.best_epoch}, {curve.seconds:.0f} s{early}"))  # fmt: skip
        for name, score in _floors(kind, items, dev_items, features, seed):
            print(f"  beside it on dev: {name} {score:.2f}")

    return train


def _floors(
    kind: str, items: list[Item], dev_items: list[Item], features: WordFeatures, seed: int
) -> Iterator[tuple[str, float]]:
    """What one gets without reading the text, and for pairs without reading the premise."""
    from baselines.majority import majority
    from baselines.metrics import dev_scorer

    score, gold = dev_scorer(kind), [item.gold for item in dev_items]
    yield "majority", score(gold, majority(kind, items, dev_items))
    if kind == "nli":
        floor = model_type(kind, HYPOTHESIS_ONLY)
        trained = floor.train(items, dev_items, features, score, floor.settings(), seed)
        if trained.curve is not None:
            yield HYPOTHESIS_ONLY, max(trained.curve.dev)


def _predict_command(kinds: tuple[str, ...]) -> Callable[..., Any]:
    def predict(
        model: Annotated[Path, typer.Argument(help="Folder that train --out wrote.")],
        data: Annotated[Path, typer.Argument(help=f"{NOUNS[kinds[0]].capitalize()}; gold is not needed.")],
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
        from baselines.saving import kind_of, load_static

        told = kind_of(model)
        kind = told if told in kinds else kinds[0]
        trained = load_static(model, kind)
        items = read_items(kind, data, lang)
        predicted = trained.predict(items, features_of(vectors, mapping, lang, n))
        write_output(out, kind, items, predicted, RunSettings(kind, kind, model.name, lang or "und", data.name))
        print(for_people(f"{out}: {len(items)} {NOUNS[kind]}"))

    return predict


def write_output(out: Path, kind: str, items: list[Item], predicted: list[Any], run: RunSettings) -> None:
    """A prediction file (.jsonl, needs gold), or text in the form of the input."""
    if out.suffix == ".jsonl":
        if any(item.gold is None for item in items):
            raise InputError(f"{out}: a .jsonl holds gold beside predictions and the input has none: write a .tsv")
        write_predictions(out, make_predictions(run, items, predicted))
    else:
        write_text(out, file_text(with_labels(items, predicted)))
