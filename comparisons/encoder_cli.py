"""`xlembed encoders`, and `xlembed encoder finetune`, `predict` and `adapt`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from comparisons.encoder_libraries import need_libraries
from xlembed.errors import InputError, for_people
from xlembed.files import check_place
from xlembed.languages import language_code
from xlembed.options import AsJson, named_settings, named_values, print_json
from xlembed.progress import say

if TYPE_CHECKING:
    from comparisons.registry import EncoderFacts

EncoderName = Annotated[str, typer.Option(help="A folder, a hub name, or a short name of `xlembed encoders`.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("encoders")(encoders)
    encoder = typer.Typer(help="Fine-tune a multilingual encoder on one's own files, and run it.", no_args_is_help=True)
    encoder.command("finetune")(finetune_encoder)
    encoder.command("predict")(predict)
    encoder.command("adapt")(adapt)
    app.add_typer(encoder, name="encoder")


def encoders(
    name: Annotated[str | None, typer.Argument(help="One of them, with everything that is known.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the encoders that have a short name, their sizes, and which are at hand without a network."""
    from comparisons.registry import KNOWN, facts_of

    one = None if name is None else facts_of(name)
    if name is not None and one is None:
        raise InputError(f"no encoder {name!r} is known (a hub name or a folder can be used all the same): "
                         f"known are {', '.join(facts.name for facts in KNOWN)}")
    chosen = KNOWN if one is None else (one,)
    found = [asdict(facts) | {"at_hand": place} for facts, place in zip(chosen, _places(chosen), strict=True)]
    if as_json:
        print_json(found if name is None else found[0])
    elif name is None:
        _print_table(found)
    else:
        for key, value in found[0].items():
            if value not in ("", ()):
                print(f"{key.replace('_', ' '):14} {_shown(key, value)}")


def _places(chosen: Sequence[EncoderFacts]) -> list[str | None]:
    """Where the weights of each are already; what is said where the libraries that use them are not installed."""
    if find_spec("huggingface_hub") is None:
        say("what is at hand is not looked for: encoders need pip install 'xlembed[contextual]'")
        return [None] * len(chosen)
    from comparisons.encoders import at_hand

    return [at_hand(facts.name) for facts in chosen]


def _shown(key: str, value: Any) -> str:
    if key == "sizes":
        return ", ".join(f"{name} {number}" for name, number in value.items())
    if key == "aliases":
        return ", ".join(value)
    if key == "at_hand":
        return value or "no"
    return f"{value:,}" if type(value) is int else str(value)


def _print_table(found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(Column("name", no_wrap=True), "million parameters", "of these embeddings", "languages", "subwords",
                  "licence", "at hand")  # fmt: skip
    for one in found:
        millions = [f"{one[key] / 1e6:.0f}" for key in ("n_parameters", "n_embeddings")]
        table.add_row(one["name"], *millions, str(one["languages"]), f"{one['vocabulary']:,}", one["licence"],
                      one["at_hand"] or "-")  # fmt: skip
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 110).print(table)
    print("`xlembed encoders NAME` tells the rest; any other encoder goes by its hub name or folder")


def finetune_encoder(
    kind: Annotated[str, typer.Argument(help="ner, pos (a tag a word), nli (sentence pairs) or topic (texts).")],
    data: Annotated[Path, typer.Argument(help="Training data in the source language.")],
    dev: Annotated[Path, typer.Option(help="Dev data in the source language; the best epoch on it is kept.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model; an interrupted run goes on in it.")],
    encoder: EncoderName = "multilingual-e5-small",
    lang: Annotated[str, typer.Option(help="ISO 639 code of the training language.", callback=language_code)] = "en",
    epochs: Annotated[int, typer.Option(min=1)] = 3,
    lr: Annotated[float, typer.Option()] = 5e-5,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    max_length: Annotated[int, typer.Option(min=8)] = 128,
    method: Annotated[str, typer.Option(help="full, lora, adapter, or probe (a linear layer alone).")] = "full",
    frozen: Annotated[str, typer.Option(help="embeddings or none.")] = "embeddings",
    precision: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="accumulate, warmup, weight_decay, patience, frozen_layers, rank, reduction or "
                     "device, as name=value; may be repeated."),
    ] = None,  # fmt: skip
    language_adapter: Annotated[
        list[str] | None, typer.Option(help="lang=FILE of `encoder adapt`, below the adapter that is trained (MAD-X).")
    ] = None,
    seed: Annotated[int, typer.Option()] = 1,
) -> None:
    """Fine-tune an encoder on the source language. Ctrl-C after the first epoch ends it and keeps the best one."""
    from baselines.corpora import read_items
    from baselines.models import read_settings
    from comparisons.finetune_settings import FinetuneSettings

    given = {"epochs": epochs, "lr": lr, "batch_size": batch_size, "max_length": max_length, "method": method,
             "frozen": frozen, "precision": precision, **named_settings(settings or [])}  # fmt: skip
    chosen = read_settings(FinetuneSettings, given, "fine-tuning")
    items, dev_items = read_items(kind, data, lang), read_items(kind, dev, lang)
    adapters = {code: Path(path).absolute() for code, path in named_values(language_adapter or []).items()}
    need_libraries()
    from comparisons.encoders import find_encoder
    from comparisons.finetune import finetune

    check_place(out)
    tuned = finetune(find_encoder(encoder, say=say), kind, items, dev_items, chosen, seed, out / "checkpoint", adapters)
    tuned.save(out)
    print(for_people(str(out)) + f": {tuned.seconds:.0f} s; dev by epoch: "
          + ", ".join(f"{value:.2f}" for epoch in tuned.curve for key, value in epoch.items()
                      if key.startswith("dev"))
          + (" (stopped early)" if tuned.interrupted else "")
          + (" (collapsed: try another seed or a lower lr)" if tuned.collapsed else ""))  # fmt: skip


def predict(
    model: Annotated[Path, typer.Argument(help="Folder that `encoder finetune --out` wrote.")],
    data: Annotated[Path, typer.Argument(help="Sentences or pairs, in any language; gold is not needed.")],
    out: Annotated[Path, typer.Option("--out", "-o", help=".jsonl: prediction file for `xlembed score`; else text.")],
    lang: Annotated[str, typer.Option(help="ISO 639 code of the language.", callback=language_code)] = "und",
    language_adapter: Annotated[
        list[str] | None, typer.Option(help="lang=FILE of `encoder adapt`, for a model trained with one.")
    ] = None,
) -> None:
    """Predict with a fine-tuned encoder, zero-shot in any language."""
    from baselines.cli import write_output
    from baselines.corpora import NOUNS, read_items
    from baselines.predictions import RunSettings

    need_libraries()
    from comparisons.finetune import load_finetuned

    tuned = load_finetuned(model)
    tuned.language_adapters |= {code: Path(path) for code, path in named_values(language_adapter or []).items()}
    items = read_items(tuned.kind, data, lang)
    run = RunSettings(tuned.kind, tuned.kind, model.name, lang, data.name, tuned.seed)
    write_output(out, tuned.kind, items, tuned.predict(items), run)
    print(for_people(f"{out}: {len(items)} {NOUNS[tuned.kind]}"))


def adapt(
    texts: Annotated[list[Path], typer.Argument(help="Text files of the language (.txt, .txt.xz), a text a line.")],
    lang: Annotated[str, typer.Option(help="ISO 639 code of the language.", callback=language_code)],
    out: Annotated[Path, typer.Option("--out", "-o", help="File for the adapter (.safetensors).")],
    encoder: EncoderName = "multilingual-e5-small",
    dev: Annotated[Path | None, typer.Option(help="Held-out text: its perplexity is told before and after.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Updates.")] = 1000,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    lr: Annotated[float, typer.Option()] = 1e-3,
    block: Annotated[int, typer.Option(min=8, help="Subwords of an input.")] = 128,
    reduction: Annotated[int, typer.Option(min=1, help="Hidden size over the size of the adapter.")] = 2,
    n_texts: Annotated[int | None, typer.Option(min=1, help="Read the first n texts of each file alone.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    as_json: AsJson = False,
) -> None:
    """Train a language adapter by masked words, for `finetune --method adapter --language-adapter` (MAD-X)."""
    from comparisons.pretraining_settings import PretrainSettings

    settings = PretrainSettings(steps=steps, batch_size=batch_size, lr=lr, block=block, seed=seed)
    if out.suffix != ".safetensors":
        raise InputError(f"--out {out}: a name that ends in .safetensors is needed")
    need_libraries()
    from comparisons.encoders import find_encoder
    from comparisons.language_adapters import train_language_adapter
    from comparisons.pretraining_data import read_lines

    train = [text for path in texts for text in read_lines(path, n_texts)]
    held_out = read_lines(dev) if dev else None
    check_place(out)
    report = train_language_adapter(
        find_encoder(encoder, say=say), lang, lambda inputs: [inputs.corpus(train, lang, block)],
        None if held_out is None else lambda inputs: [inputs.corpus(held_out, lang, block)], settings, reduction, out,
    )  # fmt: skip
    if as_json:
        print_json(report)
        return
    told = report["perplexity"]
    print(for_people(str(out)) + f": {report['n_parameters']:,} parameters, {report['seconds']:.0f} s"
          + (f", perplexity {told['before']:.1f} -> {told['after']:.1f}" if dev else ""))
