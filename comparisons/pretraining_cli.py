"""`xlembed pretrain mlm` and `xlembed pretrain tlm`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from comparisons.encoder_libraries import need_libraries
from comparisons.pretraining_settings import PretrainSettings
from xlembed.errors import InputError, at, for_people
from xlembed.files import check_place
from xlembed.languages import language_code
from xlembed.options import AsJson, print_json
from xlembed.progress import say

Encoder = Annotated[str, typer.Option(help="A folder, a hub name, or a short name such as mbert or xlm-r-base.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the encoder; an interrupted run goes on in it.")]
Steps = Annotated[int, typer.Option(min=1, help="Updates.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Inputs that go through the encoder at once.")]
Accumulate = Annotated[int, typer.Option(min=1, help="Such batches an update.")]
Lr = Annotated[float, typer.Option(help="Learning rate after the warm-up.")]
Warmup = Annotated[float, typer.Option(help="Share of the updates in which it rises.")]
Block = Annotated[int, typer.Option(min=8, help="Subwords of an input.")]
Share = Annotated[float, typer.Option(help="Share of the subwords to predict.")]
Frozen = Annotated[str, typer.Option(help="embeddings or none.")]
Precision = Annotated[str, typer.Option(help="auto, float32 or bfloat16.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda.")]
Every = Annotated[int, typer.Option(min=1, help="Updates between two checkpoints.")]
NTexts = Annotated[int | None, typer.Option("--n-texts", min=1, help="Read the first n texts of each file alone.")]
Seed = Annotated[int, typer.Option(min=0)]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    pretrain = typer.Typer(help="Pre-train a multilingual encoder further, on plain text.", no_args_is_help=True)
    pretrain.command("mlm")(pretrain_mlm)
    pretrain.command("tlm")(pretrain_tlm)
    app.add_typer(pretrain, name="pretrain")


def pretrain_mlm(
    texts: Annotated[list[Path], typer.Argument(help="Text files (.txt, .txt.xz, .txt.gz), a text a line.")],
    lang: Annotated[list[str], typer.Option(help="ISO 639 code of each file in turn, or one for all of them.")],
    encoder: Encoder,
    out: Out,
    dev: Annotated[list[Path] | None, typer.Option(help="Held-out text of each language, in that order.")] = None,
    steps: Steps = 1000,
    batch_size: BatchSize = 16,
    accumulate: Accumulate = 1,
    lr: Lr = 5e-5,
    warmup: Warmup = 0.1,
    block: Block = 128,
    layout: Annotated[str, typer.Option(help="packed: running text in blocks. sentences: each text alone.")] = "packed",
    share: Share = 0.15,
    alpha: Annotated[float, typer.Option(help="Languages are drawn with p ~ size ** alpha.")] = 0.7,
    frozen: Frozen = "embeddings",
    precision: Precision = "auto",
    device: Device = "auto",
    every: Every = 500,
    n_texts: NTexts = None,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Masked language modelling (Devlin et al. 2019) on texts of one language or several."""
    settings = PretrainSettings(
        steps=steps, batch_size=batch_size, accumulate=accumulate, lr=lr, warmup=warmup, block=block, layout=layout,
        share=share, alpha=alpha, frozen=frozen, precision=precision, device=device, every=every, seed=seed,
    )  # fmt: skip
    files = _by_language(texts, lang)
    if dev and len(dev) != len(files):
        raise InputError(f"--dev is given {len(dev)} times for {len(files)} languages ({', '.join(files)}): "
                         "one file a language is needed, in the order in which --lang names them")
    dev_files = {code: [path] for code, path in zip(files, dev, strict=True)} if dev else {}
    need_libraries()
    from comparisons.pretraining_data import read_lines

    found, held_out = (
        {code: [text for path in paths for text in read_lines(path, n)] for code, paths in side.items()}
        for side, n in ((files, n_texts), (dev_files, None))
    )

    def corpora(texts_of: dict[str, list[str]]) -> Any:
        return lambda inputs: [inputs.corpus(texts, code, block, layout) for code, texts in texts_of.items()]

    _run(encoder, corpora(found), corpora(held_out) if dev else None, settings, out, as_json)


def pretrain_tlm(
    src: Annotated[Path, typer.Argument(help="Text file, a sentence a line; or an XNLI file (.tsv).")],
    trg: Annotated[Path, typer.Argument(help="Its translation, line by line or row by row.")],
    langs: Annotated[tuple[str, str], typer.Option(help="ISO 639 codes of both.")],
    encoder: Encoder,
    out: Out,
    dev: Annotated[tuple[Path, Path] | None, typer.Option(help="Held-out parallel files.")] = None,
    steps: Steps = 1000,
    batch_size: BatchSize = 16,
    accumulate: Accumulate = 1,
    lr: Lr = 5e-5,
    warmup: Warmup = 0.1,
    block: Block = 128,
    share: Share = 0.15,
    positions: Annotated[
        str, typer.Option(help="Of the translation: restart (as XLM), continue, or auto: restart if absolute.")
    ] = "auto",
    frozen: Frozen = "embeddings",
    precision: Precision = "auto",
    device: Device = "auto",
    every: Every = 500,
    n_texts: NTexts = None,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Translation language modelling (Conneau and Lample 2019): words masked in a sentence and its translation."""
    settings = PretrainSettings(
        steps=steps, batch_size=batch_size, accumulate=accumulate, lr=lr, warmup=warmup, block=block, share=share,
        positions=positions, frozen=frozen, precision=precision, device=device, every=every, seed=seed,
    )  # fmt: skip
    codes = tuple(language_code(code) for code in langs)
    need_libraries()
    from comparisons.pretraining_data import read_parallel

    found = read_parallel(src, trg, n_texts)
    held_out = read_parallel(*dev) if dev else []

    def corpora(pairs: list[tuple[str, str]]) -> Any:
        return lambda inputs: [inputs.pairs(pairs, codes, block)]

    _run(encoder, corpora(found), corpora(held_out) if dev else None, settings, out, as_json)


def _by_language(texts: list[Path], langs: list[str]) -> dict[str, list[Path]]:
    """Language -> its files, in the order in which they were given."""
    if len(langs) == 1:
        langs = langs * len(texts)
    if len(langs) != len(texts):
        raise InputError(f"--lang is given {len(langs)} times for {len(texts)} files: "
                         "give it once, or once for each file in turn")
    files: dict[str, list[Path]] = {}
    for code, path in zip(langs, texts, strict=True):
        files.setdefault(language_code(code) or code, []).append(path)
    return files


def _run(encoder: str, train: Any, dev: Any, settings: PretrainSettings, out: Path, as_json: bool) -> None:
    from comparisons.encoders import find_encoder
    from comparisons.pretraining import pretrain_encoder

    if out.exists() and not out.is_dir():
        raise at(out, None, "is a file, a folder is needed for the encoder")
    check_place(out)
    report = pretrain_encoder(find_encoder(encoder, say=say), train, dev, settings, out)
    if as_json:
        print_json(report)
        return
    for name, figures in report["dev"].items():
        print(f"{name}: masked perplexity {figures['before']:.2f} before, {figures['after']:.2f} after "
              f"({figures['inputs']} held-out inputs)")  # fmt: skip
    loss = report["losses"][-1]["loss"]
    print(for_people(f"{out}: {settings.steps} updates, {report['seconds']:.0f} s, loss {loss:.3f}"))
