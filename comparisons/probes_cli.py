"""`xlembed probe`: what an encoder knows of two languages before fine-tuning, and where a fine-tuned one breaks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from comparisons.encoder_libraries import need_libraries
from xlembed.errors import InputError, for_people, require
from xlembed.files import check_readable
from xlembed.languages import language_code
from xlembed.options import AsJson, print_json
from xlembed.progress import say

if TYPE_CHECKING:
    from baselines.corpora import SentencePair
    from comparisons.hidden_states import LayerReader
    from comparisons.probes.bli import Side
    from comparisons.probes.retrieval import StaticSide
    from xlembed.vectors import WordVectors

Encoder = Annotated[str, typer.Option(help="A folder, a hub name, or a short name such as mbert or xlm-r-base.")]
Layers = Annotated[str | None, typer.Option(help="Layers to read, as 0,6,12; all by default. 0 is the embeddings.")]
Precision = Annotated[str, typer.Option(help="float32, bfloat16, or auto: the faster one here.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Save as JSON; in RUN/probes/ a report shows it.")]
Code = Annotated[str | None, typer.Option(help="ISO 639 code.", callback=language_code)]
Mapping = Annotated[Path | None, typer.Option(help="Folder of `xlembed align`; else one space already.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    probe = typer.Typer(help="What an encoder knows across languages, layer by layer.", no_args_is_help=True)
    probe.command("retrieval")(retrieval)
    probe.command("bli")(bli)
    probe.command("vocabulary")(vocabulary)
    probe.command("mixed-nli")(mixed)
    app.add_typer(probe, name="probe")


def retrieval(
    files: Annotated[
        list[Path], typer.Argument(metavar="SRC TRG...", help="Sentences and their translations, line by line.")
    ],
    pair: Annotated[
        list[str] | None, typer.Option(help="Languages of each pair of files, as deu-eng; may be repeated.")
    ] = None,
    encoder: Encoder = "multilingual-e5-small",
    layers: Layers = None,
    criteria: Annotated[list[str] | None, typer.Option("--retrieval", help="nn (default), csls; repeatable.")] = None,
    prefix: Annotated[str, typer.Option(help='Put before each text; e5 was trained with "query: ".')] = "",
    vectors_src: Annotated[
        list[Path] | None, typer.Option(help="Static vectors of the source, one a pair of files, or none.")
    ] = None,
    vectors_trg: Annotated[list[Path] | None, typer.Option(help="Static vectors of the target.")] = None,
    mapping: Annotated[list[Path] | None, typer.Option(help="Folders of `xlembed align`, one a pair.")] = None,
    weighting: Annotated[str, typer.Option(help="Of static word vectors: mean, idf or sif.")] = "idf",
    precision: Precision = "float32",
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Sentence retrieval by layer: is a sentence's nearest sentence its translation?"""
    from comparisons.probes.base import checked_criteria
    from comparisons.probes.retrieval import pair_names, probe_retrieval
    from xlembed.sentences import read_parallel

    _check_out(out)
    chosen = checked_criteria(criteria or ["nn"])
    if len(files) % 2:
        raise InputError(f"{len(files)} files: a source and a target file a pair are needed")
    names = pair_names(pair or [], len(files) // 2)
    sets = {name: read_parallel(*files[2 * i : 2 * i + 2]) for i, name in enumerate(names)}
    static = _static_sides(names, vectors_src or [], vectors_trg or [], mapping or [], weighting)
    reader = _reader(encoder, layers, precision)
    _show(probe_retrieval(reader, sets, chosen, prefix, static).as_json(), out, as_json)


def bli(
    lexicon: Annotated[Path, typer.Argument(help="Test lexicon: two columns, one or several translations a word.")],
    encoder: Encoder = "multilingual-e5-small",
    src_lang: Code = None,
    trg_lang: Code = None,
    vectors_src: Annotated[Path | None, typer.Option(help="Static vectors of the source, to stand beside.")] = None,
    vectors_trg: Annotated[Path | None, typer.Option(help="Static vectors of the target.")] = None,
    mapping: Mapping = None,
    corpus_src: Annotated[Path | None, typer.Option(help="Source text, a sentence a line (.gz, .xz too).")] = None,
    corpus_trg: Annotated[Path | None, typer.Option(help="Target text.")] = None,
    contexts: Annotated[
        int, typer.Option(min=0, help="Occurrences of each word to average over; 0: words alone only.")
    ] = 5,
    n: Annotated[
        int, typer.Option("--n", "-n", min=1, help="The n most frequent words a side are queries and candidates.")
    ] = 5000,
    layers: Layers = None,
    criterion: Annotated[str, typer.Option("--retrieval", help="csls or nn.")] = "csls",
    precision: Precision = "float32",
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Dictionary induction with an encoder's word vectors by layer, alone and in context, beside static vectors."""
    from comparisons.probes.base import checked_criteria
    from comparisons.probes.bli import probe_bli
    from xlembed.lexicon import read_lexicon

    _check_out(out)
    checked_criteria([criterion])
    test = read_lexicon(lexicon)
    if (corpus_src is None) != (corpus_trg is None):
        raise InputError("--corpus-src and --corpus-trg are needed both, or neither")
    check_readable(*(corpus for corpus in (corpus_src, corpus_trg) if corpus is not None))
    static = _static_pair(vectors_src, vectors_trg, mapping)
    if static is None and corpus_src is None:
        raise InputError("which words? give --vectors-src and --vectors-trg, or --corpus-src and --corpus-trg")
    given = static or (None, None)
    src, trg = (
        _side(vectors, corpus, lang, n, contexts)
        for vectors, corpus, lang in ((given[0], corpus_src, src_lang), (given[1], corpus_trg, trg_lang))
    )
    reader = _reader(encoder, layers, precision)
    _show(probe_bli(reader, src, trg, test, criterion, contexts).as_json(), out, as_json)


def vocabulary(
    files: Annotated[list[str], typer.Argument(metavar="LANG=FILE...", help="Texts by language, the source first.")],
    encoder: Encoder = "multilingual-e5-small",
    kind: Annotated[str, typer.Option(help="text (a sentence a line), or task files: ner, pos, nli, topic.")] = "text",
    words: Annotated[
        int | None, typer.Option(min=1, help="Words of each language; as many as the smallest has by default.")
    ] = None,
    run: Annotated[
        list[Path] | None, typer.Option(help="Folder of a finished `xlembed compare`, for transfer gaps; repeatable.")
    ] = None,
    system: Annotated[
        list[str] | None, typer.Option(help="Only these encoder systems of the run, those of this very encoder.")
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Subwords a word, unknown words and shared subwords by language; beside the transfer gap of a finished run."""
    from baselines.corpora import KINDS
    from comparisons.probes.vocabulary import gaps_of, probe_vocabulary, read_words
    from comparisons.summary import read_summary

    _check_out(out)
    if kind not in ("text", *KINDS):
        raise InputError(f"unknown kind {kind!r}: choose text, {', '.join(KINDS)}")
    by_lang = _language_files(files)
    summaries = [read_summary(folder) for folder in run or []]
    source = next(iter(by_lang))
    for folder, summary in zip(run or [], summaries, strict=True):
        if summary["experiment"]["source"] != source:
            raise InputError(f"{folder}: its source language is {summary['experiment']['source']}, the first file here "
                             f"is {source}: give the source's file first")
    gaps = [gap for summary in summaries for gap in gaps_of(summary, system or [])]
    texts = {lang: read_words(path, lang, kind) for lang, path in by_lang.items()}
    tokenizer = _tokenizer(encoder)
    from comparisons.subwords import WordEncoder

    found = probe_vocabulary(
        WordEncoder(tokenizer), texts, tokenizer.unk_token_id, encoder, len(tokenizer), gaps, words
    )
    _show(found.as_json(), out, as_json)


def mixed(
    model: Annotated[Path, typer.Argument(help="Folder that `xlembed encoder finetune nli --out` wrote.")],
    files: Annotated[
        list[str], typer.Argument(metavar="LANG=FILE...", help="Test files by language, the same pairs row by row.")
    ],
    n: Annotated[int | None, typer.Option("--n", "-n", min=1, help="The first n pairs alone.")] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """NLI with premise and hypothesis in different languages, beside both in one."""
    from baselines.corpora import read_items
    from comparisons.probes.mixed_nli import check_aligned, mixed_nli

    _check_out(out)
    items = {lang: cast("list[SentencePair]", read_items("nli", path, lang))
             for lang, path in _language_files(files).items()}  # fmt: skip
    check_aligned(items)  # before the model is loaded
    need_libraries()
    from comparisons.finetune import load_finetuned

    tuned = load_finetuned(model)
    if tuned.kind != "nli":
        raise InputError(f"{model}: was fine-tuned for {tuned.kind}, a model for nli is needed")
    name = f"{tuned.encoder.name} ({model.name})"
    found = mixed_nli({lang: pairs[:n] for lang, pairs in items.items()}, tuned.predict, name)
    _show(found.as_json(), out, as_json)


# ---- what the options stand for


def _reader(encoder: str, layers: str | None, precision: str) -> LayerReader:
    wanted = _numbers(layers)
    if precision not in ("auto", "float32", "bfloat16"):
        raise InputError(f"--precision {precision!r}: choose auto, float32 or bfloat16")
    need_libraries()
    from comparisons.encoders import find_encoder
    from comparisons.hidden_states import LayerReader

    return LayerReader(find_encoder(encoder, say=say), wanted, precision=precision)


def _tokenizer(encoder: str) -> Any:
    require("transformers", "contextual")
    from comparisons.encoders import find_encoder
    from comparisons.loading import load_tokenizer

    return load_tokenizer(find_encoder(encoder, say=say))


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--layers {text!r}: whole numbers are needed, as 0,6,12") from None


def _language_files(given: list[str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for text in given:
        lang, equals, path = text.partition("=")
        if not equals or not path:
            raise InputError(f"{text!r}: a language and its file are needed, as de=de.txt")
        if language_code(lang) in files:
            raise InputError(f"{lang} is given twice")
        files[lang] = Path(path)
    return files


def _static_pair(src: Path | None, trg: Path | None, mapping: Path | None) -> tuple[WordVectors, WordVectors] | None:
    """Static vectors of both sides in one space; None where none are given."""
    if src is None and trg is None:
        if mapping is not None:
            raise InputError("--mapping is for static vectors: give --vectors-src and --vectors-trg with it")
        return None
    if src is None or trg is None:
        raise InputError("--vectors-src and --vectors-trg are needed both, or neither")
    from xlembed.mapping_cli import mapped

    return mapped(src, trg, mapping, None, None)


def _static_sides(
    names: list[str], src: list[Path], trg: list[Path], mappings: list[Path], weighting: str
) -> dict[str, StaticSide]:
    """Static vectors for each pair, given in their order; none where none are given."""
    from comparisons.probes.base import two_letters
    from comparisons.probes.retrieval import StaticSide
    from xlembed.sentences import WEIGHTINGS

    if weighting not in WEIGHTINGS:
        raise InputError(f"unknown weighting {weighting!r}: choose {', '.join(WEIGHTINGS)}")
    for option, paths in (("--vectors-src", src), ("--vectors-trg", trg), ("--mapping", mappings)):
        if len(paths) not in (0, len(names)):
            raise InputError(f"{len(paths)} {option} for {len(names)} pairs of files: give one a pair, or none")
    check_readable(*(path for path in [*src, *trg] if path != Path("none")))
    sides = {}
    for i, name in enumerate(names):
        given = (paths[i] if paths else None for paths in (src, trg, mappings))
        pair = _static_pair(*(None if path == Path("none") else path for path in given))
        if pair is not None:
            first, dash, second = name.partition("-")
            langs = (two_letters(first), two_letters(second)) if dash else (None, None)
            sides[name] = StaticSide(*pair, weighting, langs)
    return sides


def _side(vectors: WordVectors | None, corpus: Path | None, lang: str | None, n: int, n_contexts: int) -> Side:
    """The n most frequent words of the vectors, else of the corpus, and where they occur."""
    from comparisons.probes.base import two_letters
    from comparisons.probes.bli import Side
    from comparisons.probes.contexts import collect, frequent_words, read_lines

    code = two_letters(lang)
    static = None if vectors is None else vectors.top(n)
    if static is not None:
        words = static.words
    else:
        assert corpus is not None  # one of both is given: see _sides
        words = frequent_words(read_lines(corpus, code), n)
    found = None
    if corpus is not None and n_contexts:
        say(f"looking for occurrences in {corpus}")
        found = collect(read_lines(corpus, code), {word: row for row, word in enumerate(words)}, n_contexts)
    return Side(words, lang, found, static)


# ---- output


def _check_out(out: Path | None) -> None:
    """Refuse a place that cannot be written before minutes are spent."""
    if out is not None and out.suffix != ".json":
        raise InputError(f"--out {out}: a name that ends in .json is needed")
    if out is not None and out.is_dir():
        raise InputError(f"--out {out}: is a folder, a file name is needed")


def _show(found: dict[str, Any], out: Path | None, as_json: bool) -> None:
    from comparisons.probes.base import markdown, notes_of, tables_of
    from xlembed.files import write_json

    if out is not None:
        write_json(out, found)
    if as_json:
        print_json(found)
        return
    parts = [markdown(tables_of(found)), *notes_of(found)] + ([f"{out}: written"] if out is not None else [])
    print("\n".join(map(for_people, "\n\n".join(parts).split("\n"))))
