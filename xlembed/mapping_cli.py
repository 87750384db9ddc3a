"""`xlembed align`, `hub`, `bli` and `lexicon`: from vectors to a mapping, its score, and a dictionary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xlembed.errors import InputError
from xlembed.options import AsJson, TopN, print_json
from xlembed.progress import say

if TYPE_CHECKING:
    from xlembed.bli import BLIScores
    from xlembed.lexicon import Lexicon
    from xlembed.vectors import WordVectors

Source = Annotated[Path, typer.Argument(help="Source vectors.")]
Target = Annotated[Path, typer.Argument(help="Target vectors.")]
MappingFolder = Annotated[
    Path | None, typer.Option("--mapping", help="Folder of `xlembed align` or `xlembed hub`; else one space already.")
]
Pair = Annotated[str | None, typer.Option(help="With a hub's folder: source and target language, as en-de.")]
Retrieval = Annotated[str, typer.Option(help="csls, nn or isf (inverted softmax).")]

lexicon_app = typer.Typer(help="Bilingual dictionaries from mapped vectors.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("align")(align)
    app.command("hub")(hub)
    app.command("bli")(bli)
    lexicon_app.command("induce")(lexicon_induce)
    app.add_typer(lexicon_app, name="lexicon")


def align(
    src: Source,
    trg: Target,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the mapping.")],
    lexicon: Annotated[
        str | None,
        typer.Option(help="Two-column file; identical (words written alike, the default); numerals; cognates; none."),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="procrustes, refine, proc-b, ridge, cca, rcsls, contrastive, vecmap, vecmap-semi, "
            "vecmap-unsupervised or muse (docs/mapping.md)."
        ),
    ] = "procrustes",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the method, as name=value; may be repeated.")
    ] = None,
    steps: Annotated[
        str | None, typer.Option("--normalize", help="unit,center,unit by default; iterative, or none.")
    ] = None,
    n: TopN = None,
    as_json: AsJson = False,
) -> None:
    """Map source vectors onto target vectors and save the mapping."""
    from xlembed.alignment.base import save_mapping
    from xlembed.alignment.methods import fit_method, method_of
    from xlembed.vectors import read_vectors

    wanted = method_of(method)
    options = _options(settings or [])
    if steps is not None:
        options["steps"] = steps
    if wanted.lexicon == "none" and lexicon not in (None, "none"):
        raise InputError(f"method {method} uses no lexicon: leave --lexicon out")
    src_vectors, trg_vectors = read_vectors(src, n), read_vectors(trg, n)
    seed = None if wanted.lexicon == "none" else seed_lexicon(lexicon or "identical", src_vectors, trg_vectors)
    mapping = fit_method(method, src_vectors, trg_vectors, seed, options)
    save_mapping(out, mapping)
    if as_json:
        print_json({"out": str(out), **mapping.about})
        return
    if seed is not None:
        _tell_coverage(seed, src_vectors, trg_vectors)
    print(f"{out}: mapping written")
    if mapping.about.get("collapsed"):
        say("warning: this mapping looks collapsed: it brings translations no nearer than chance; see its mapping.json")


def seed_lexicon(name: str, src: WordVectors, trg: WordVectors) -> Lexicon | None:
    """A seed by name (identical, numerals, cognates, none), else the lexicon file of that name."""
    from xlembed.lexicon import identical_strings, read_lexicon

    if name == "none":
        return None
    if name == "identical":
        return identical_strings(src, trg)
    if name in ("numerals", "cognates"):
        from xlembed.seeds import seed

        return seed(name, src, trg)
    return read_lexicon(name)


def _options(given: list[str]) -> dict[str, str]:
    options = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"--set {text!r}: name=value is needed")
        options[key] = value
    return options


def _tell_coverage(seed: Lexicon, src: WordVectors, trg: WordVectors) -> None:
    from xlembed.lexicon import cover

    covered = cover(seed, src, trg)
    print(f"{seed.name}: {covered.describe()}")
    if len(covered.rows) < src.dim:
        print(f"note: {len(covered.rows)} pairs are fewer than dim {src.dim}: expect a poor mapping")


def hub(
    languages: Annotated[list[str], typer.Argument(help="Languages and their vectors, as en=en.vec de=de.vec.")],
    lexicon: Annotated[str, typer.Option(help="Lexicon files pivot -> language, with {lang}: en-{lang}.txt")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the mappings.")],
    pivot: Annotated[str | None, typer.Option(help="The language that lexicons start from; the first.")] = None,
    method: Annotated[str, typer.Option(help="gpa (generalised Procrustes) or pivot (each onto the pivot).")] = "gpa",
    n: TopN = None,
    as_json: AsJson = False,
) -> None:
    """Map many languages into one space, for BLI between any two of them."""
    from xlembed.alignment.hub import HubSettings, fit, save_hub
    from xlembed.languages import language_code
    from xlembed.lexicon import read_lexicon
    from xlembed.vectors import read_vectors

    if "{lang}" not in lexicon:
        raise InputError(f"--lexicon {lexicon!r} must hold {{lang}}")
    files = _options_of_languages(languages)
    for lang in files:
        language_code(lang)
    pivot = pivot or next(iter(files))
    settings = HubSettings(method)
    lexicons = {lang: read_lexicon(lexicon.replace("{lang}", lang)) for lang in files if lang != pivot}
    spaces = {lang: read_vectors(file, n) for lang, file in files.items()}
    found = fit(spaces, lexicons, pivot, settings)
    save_hub(out, found)
    if as_json:
        print_json({"out": str(out), **found.about})
        return
    for lang, covered in found.about["covered"].items():
        print(f"{pivot}-{lang}: {covered:,} of {len(lexicons[lang]):,} pairs covered")
    print(f"{out}: mappings of {', '.join(found.weights)} written ({found.about['rounds']} rounds)")


def _options_of_languages(given: list[str]) -> dict[str, str]:
    files = {}
    for text in given:
        lang, equals, file = text.partition("=")
        if not equals or not lang or not file:
            raise InputError(f"{text!r}: a language and its vectors are needed, as de=de.vec")
        if lang in files:
            raise InputError(f"{lang} is given twice")
        files[lang] = file
    return files


def mapped(
    src: Path, trg: Path, mapping: Path | None, pair: str | None, n: int | None
) -> tuple[WordVectors, WordVectors]:
    """Vectors of both sides in one space."""
    from xlembed.alignment.base import load_mapping
    from xlembed.alignment.hub import load_hub
    from xlembed.vectors import read_vectors

    fitted = None
    if mapping is not None and (Path(mapping) / "hub.json").is_file():
        one, dash, other = (pair or "").partition("-")
        if not dash:
            raise InputError(f"{mapping} is a hub: say which languages, as --pair en-de")
        fitted = load_hub(mapping).between(one, other)
    elif mapping is not None:
        fitted = load_mapping(mapping)
    if fitted is not None and fitted.about.get("collapsed"):
        say(f"warning: {mapping} was flagged as collapsed when it was fitted")
    src_vectors, trg_vectors = read_vectors(src, n), read_vectors(trg, n)
    if fitted is not None:
        return fitted.map_src(src_vectors), fitted.map_trg(trg_vectors)
    if src_vectors.dim != trg_vectors.dim:
        raise InputError(f"the vectors have dims {src_vectors.dim} and {trg_vectors.dim}: give --mapping")
    return src_vectors, trg_vectors


def bli(
    src: Source,
    trg: Target,
    lexicon: Annotated[Path, typer.Argument(help="Test lexicon: two columns, one or several translations a word.")],
    mapping: MappingFolder = None,
    pair: Pair = None,
    retrieval: Retrieval = "csls",
    n: TopN = None,
    as_json: AsJson = False,
) -> None:
    """Bilingual dictionary induction: P@1/5/10 and MRR with 95 % intervals, and coverage."""
    from xlembed.bli import evaluate
    from xlembed.lexicon import read_lexicon

    test = read_lexicon(lexicon)
    scores = evaluate(*mapped(src, trg, mapping, pair, n), test, retrieval)
    if as_json:
        print_json(scores.as_json())
    else:
        _print_scores(scores)


def _print_scores(scores: BLIScores) -> None:
    print(f"coverage {scores.coverage:.1f} % ({scores.n_covered} of {scores.n_words} source words)")
    print(f"{scores.retrieval.upper():6} covered words  95 % interval    with OOV as errors")
    for name, value in scores.scores.items():
        ends, with_oov = scores.intervals[name], scores.with_oov_as_errors[name]
        print(f"{name:6} {value:8.2f}       [{ends.low:5.2f}, {ends.high:5.2f}]   {with_oov:8.2f}")


def lexicon_induce(
    src: Source,
    trg: Target,
    out: Annotated[Path, typer.Option("--out", "-o", help="Two-column file; --scores adds a third column.")],
    mapping: MappingFolder = None,
    pair: Pair = None,
    direction: Annotated[str, typer.Option(help="mutual, forward, backward or union.")] = "mutual",
    retrieval: Retrieval = "csls",
    scores: Annotated[bool, typer.Option("--scores", help="The criterion's score as a third column.")] = False,
    least: Annotated[float | None, typer.Option("--min-score", help="Leave out pairs below this score.")] = None,
    n: TopN = None,
) -> None:
    """Write a bilingual dictionary: the pairs that are each other's nearest words."""
    from xlembed.files import write_text
    from xlembed.induction import induce
    from xlembed.normalize import unit

    src_vectors, trg_vectors = mapped(src, trg, mapping, pair, n)
    found = induce(unit(src_vectors.matrix), unit(trg_vectors.matrix), direction, retrieval)
    lines = {}
    for (src_row, trg_row), score in zip(found.rows.tolist(), found.scores.tolist(), strict=True):
        if least is None or score >= least:
            words = f"{src_vectors.words[src_row]}\t{trg_vectors.words[trg_row]}"
            lines.setdefault(words, f"\t{score:.4f}" if scores else "")
    write_text(out, "".join(f"{words}{score}\n" for words, score in lines.items()))
    print(f"{out}: {len(lines):,} pairs ({direction}, {retrieval})")
