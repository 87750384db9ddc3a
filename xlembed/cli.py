"""The program `xlembed`: vectors, mapping and BLI here; upper packages add their commands by entry point."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from xlembed import __version__
from xlembed.errors import InputError, for_people
from xlembed.languages import language_code
from xlembed.mapping_cli import register as register_mapping
from xlembed.options import AsJson, TopN, print_json
from xlembed.os_faults import escaped
from xlembed.tuning import tune_libraries

app = typer.Typer(
    name="xlembed",
    help="Cross-lingual transfer: mapped word vectors and multilingual encoders, compared on the same data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
vectors_app = typer.Typer(help="Read, convert, search and train word vectors.", no_args_is_help=True)
app.add_typer(vectors_app, name="vectors")

_INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it
_CLICK_ERROR: type[Any] = typer.BadParameter.__mro__[2]  # ClickException: typer 0.29 has a click of its own

VectorsFile = Annotated[Path, typer.Argument(help=".vec, .vec.gz, .bin, .safetensors or .kv")]


def main() -> None:
    """Entry point: one line and exit code 2 for input that cannot be used; a traceback is a bug (1)."""
    tune_libraries()
    try:
        _add_commands()
        status = app(prog_name="xlembed", standalone_mode=False) or 0
        if status == _INTERRUPTED:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt
        sys.stdout.flush()  # a full disk behind `>` is found out here, not after the last chance to say so
        sys.exit(status)
    except _CLICK_ERROR as err:  # an unknown option, a missing argument
        if type(err).__name__ == "NoArgsIsHelpError":  # the help is on the screen
            sys.exit(2)
        context = getattr(err, "ctx", None)
        _refuse(f"{err.format_message()} (see {context.command_path if context else 'xlembed'} --help)")
    except InputError as err:
        _refuse(str(err))
    except (typer.Abort, KeyboardInterrupt):
        print("xlembed: stopped", file=sys.stderr)
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:  # whoever read our output has seen enough, as `head` does
        _close_output()
        sys.exit(141)  # as a program that SIGPIPE ends
    except Exception as err:
        if (told := escaped(err)) is None:
            raise
        _close_output()
        _refuse(told)


def _close_output() -> None:
    """Let go of what standard output holds and cannot be written, or Python would complain of it at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse(message: str) -> NoReturn:
    print("xlembed: error: " + " ".join(message.split("\n")), file=sys.stderr)
    sys.exit(2)


def _add_commands() -> None:
    from xlembed.bench_cli import bench
    from xlembed.data_cli import app as data_app

    register_mapping(app)
    app.command("bench")(bench)
    app.add_typer(data_app, name="data")
    for entry in sorted(metadata.entry_points(group="xlembed.commands"), key=lambda entry: entry.name):
        entry.load()(app)


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
    backend: Annotated[
        str, typer.Option(help="What searches for neighbours: auto, numpy, numba, or torch (a GPU where there is one).")
    ] = "auto",
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Say what memory a command needs, also where it is little.")
    ] = False,
) -> None:
    if verbose:
        from xlembed import needs

        needs.verbose.set(True)
    if version:
        print(f"xlembed {__version__}")
        raise typer.Exit()
    if backend != "auto":
        from xlembed.search.base import choose

        choose(backend)


# ---- vectors


@vectors_app.command("info")
def vectors_info(file: VectorsFile, n: TopN = None, as_json: AsJson = False) -> None:
    """Words, dimensions, lengths, and the first words of a vector file."""
    from xlembed.needs import of_reading, tell_of_files
    from xlembed.normalize import row_lengths
    from xlembed.vectors import read_vectors

    tell_of_files([file], n, of_reading)
    vectors = read_vectors(file, n)
    lengths = row_lengths(vectors.matrix)
    facts = {
        "file": str(file),
        "words": len(vectors),
        "dim": vectors.dim,
        "subwords": vectors.compose is not None,
        "mean_length": round(float(lengths.mean()), 4),
        "zero_vectors": int((lengths == 0).sum()),
        "first_words": vectors.words[:10],
    }
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        told = " ".join(value) if isinstance(value, list) else value
        print(for_people(f"{name.replace('_', ' '):14} {told}"))


@vectors_app.command("convert")
def vectors_convert(
    file: VectorsFile,
    out: Annotated[Path, typer.Argument(help=".vec, .vec.gz, .bin (word2vec), .safetensors or .kv")],
    n: TopN = None,
    dtype: Annotated[str, typer.Option(help="For .safetensors: float32, float16 or int8.")] = "float32",
    steps: Annotated[
        str, typer.Option("--normalize", help="Steps such as unit,center,unit; none leaves vectors alone.")
    ] = "none",
) -> None:
    """Write vectors in another format, cut to the most frequent words or normalised on the way."""
    from xlembed.files import scratch_folder
    from xlembed.needs import of_converting, tell_of_files
    from xlembed.normalize import normalize, parse_steps
    from xlembed.vectors import check_writable, read_vectors, write_vectors

    check_writable(out, dtype)
    wanted = parse_steps(steps)
    fewer = "convert fewer words with --n"
    tell_of_files([file], n, lambda size: of_converting(size, out.name, dtype, len(wanted)), fewer)
    with scratch_folder(out) as folder:
        vectors = normalize(read_vectors(file, n, folder / "matrix"), wanted)
        write_vectors(out, vectors, dtype)
    print(for_people(f"{out}: {len(vectors)} words, dim {vectors.dim}"))


@vectors_app.command("neighbors")
def vectors_neighbors(
    file: VectorsFile,
    word: Annotated[str, typer.Argument(help="A word (from subwords where the file is a fastText .bin).")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many.")] = 10,
    other: Annotated[
        Path | None, typer.Option("--in", help="Search these target vectors instead (needs --mapping).")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="A folder that `xlembed align --out` wrote.")] = None,
    n: TopN = None,
    as_json: AsJson = False,
) -> None:
    """The nearest words by cosine, in the same file or, through a mapping, in another language."""
    from xlembed.alignment.base import load_mapping
    from xlembed.needs import of_neighbors, of_one_space, tell_of_files
    from xlembed.search.by_cosine import topk_by_cosine
    from xlembed.vectors import read_vectors

    if (other is None) != (mapping is None):
        raise InputError("--in and --mapping go together: target vectors, and the mapping into their space")
    fitted = None if mapping is None else load_mapping(mapping)
    if other is None:
        tell_of_files([file], n, of_neighbors)
    else:
        tell_of_files([file, other], n, lambda src, trg: of_one_space(src, trg, True))
    source = read_vectors(file, n)
    target = source
    if other is not None and fitted is not None:
        source, target = fitted.map_src(source), fitted.map_trg(read_vectors(other, n))
    vector = source.vector(word)
    if vector is None:
        raise InputError(f"{file}: has no vector for {word!r}: try another casing or form")
    found = topk_by_cosine(vector[None, :], target.matrix, k + 1)
    own = None if other is not None else source.row(word)
    best = zip(found.indices[0].tolist(), found.scores[0].tolist(), strict=True)
    pairs = [(target.words[row], score) for row, score in best if row != own][:k]
    if as_json:
        print_json([{"word": name, "cosine": round(score, 6)} for name, score in pairs])
        return
    for name, score in pairs:
        print(for_people(f"{score:.4f}  {name}"))


@vectors_app.command("train")
def vectors_train(
    corpora: Annotated[list[Path], typer.Argument(help="Text files (.txt, .gz, .xz), a sentence a line.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help=".bin (keeps subwords), .vec, .vec.gz, .safetensors or .kv")
    ],
    lang: Annotated[
        str | None,
        typer.Option(help="ISO 639 code: French and Italian elisions are split.", callback=language_code),
    ] = None,
    model: Annotated[str, typer.Option(help="skipgram or cbow.")] = "skipgram",
    dim: Annotated[int, typer.Option(min=1)] = 100,
    epoch: Annotated[int, typer.Option(min=1)] = 5,
    min_count: Annotated[int, typer.Option(min=1, help="Leave out rarer words.")] = 5,
    minn: Annotated[
        int, typer.Option(min=0, help="Shortest character n-gram; 0 with --maxn 0 for none.")
    ] = 3,
    maxn: Annotated[int, typer.Option(min=0)] = 6,
    neg: Annotated[int, typer.Option(min=1, help="Negative samples.")] = 5,
    t: Annotated[float, typer.Option(help="Sub-sampling threshold of frequent words.")] = 1e-4,
    lr: Annotated[float, typer.Option()] = 0.05,
    ws: Annotated[int, typer.Option(min=1, help="Window.")] = 5,
    bucket: Annotated[int, typer.Option(min=1, help="Hash buckets of n-grams.")] = 2_000_000,
    thread: Annotated[int, typer.Option(min=1, help="1 makes the run repeatable to the bit.")] = 1,
    keep_case: Annotated[bool, typer.Option("--keep-case", help="Do not lower-case.")] = False,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Read so many tokens of each file alone.")
    ] = None,
    n: Annotated[
        int | None, typer.Option("--n", "-n", min=1, help="Words to write (not for .bin).")
    ] = None,
    dtype: Annotated[str, typer.Option(help="For .safetensors: float32, float16 or int8.")] = "float32",
) -> None:
    """Train fastText vectors on running text."""
    from xlembed.files import check_place, check_readable
    from xlembed.needs import of_training, tell
    from xlembed.train import TrainSettings, check_settings, train
    from xlembed.vec_bin import from_fasttext, write_fasttext
    from xlembed.vectors import check_writable, write_vectors

    check_writable(out, dtype)
    keeps_model = out.suffix.lower() == ".bin"
    if keeps_model and n is not None:
        raise InputError("--n is for .vec and .safetensors: a .bin keeps the whole model")
    settings = TrainSettings(model, dim, epoch, min_count, minn, maxn, neg, t, lr, ws, bucket, thread)
    check_settings(settings)
    check_readable(*corpora)
    check_place(out)
    tell(of_training(dim, bucket, maxn), "lower --bucket or --dim")
    trained = train(corpora, settings, lang, not keep_case, max_tokens)
    vectors = from_fasttext(trained, n)
    if keeps_model:
        write_fasttext(out, trained)
    else:
        write_vectors(out, vectors, dtype)
    note = ", with subwords" if keeps_model and maxn else ""
    print(for_people(f"{out}: {len(vectors)} words, dim {dim}{note}"))
