"""`xlembed align`, `hub`, `bli`, `lexicon` ...: from vectors to a mapping, what it is worth, and a dictionary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xlembed.cluster import WORKERS_SECONDS, Scheduler, Wait, Workers
from xlembed.errors import InputError, for_people
from xlembed.languages import language_code
from xlembed.options import AsJson, TopN, named_values, print_json
from xlembed.progress import say

if TYPE_CHECKING:
    from xlembed.alignment.base import LinearMapping
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
Code = Annotated[str | None, typer.Option(help="ISO 639 code, for the tokeniser.", callback=language_code)]

_NAMED_SEEDS = ("none", "identical", "numerals", "cognates")  # all else is a file
lexicon_app = typer.Typer(help="Bilingual dictionaries from mapped vectors.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("align")(align)
    app.command("hub")(hub)
    app.command("bli")(bli)
    for command in (isometry, similarity, retrieve):
        app.command(command.__name__)(command)
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
            help="procrustes, refine, proc-b, ridge, cca, rcsls, vecmap, vecmap-semi, contrastive, self-taught; "
            "without a lexicon vecmap-unsupervised, muse, self-taught-unsupervised (docs/mapping.md)."
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
    from xlembed.alignment.methods import fit_method, method_of, read_settings
    from xlembed.lexicon import read_lexicon
    from xlembed.needs import n_pairs_of, of_aligning, tell_of_files
    from xlembed.vectors import read_vectors

    wanted = method_of(method)
    options = named_values(settings or [])
    if steps is not None:
        options["steps"] = steps
    if wanted.lexicon == "none" and lexicon not in (None, "none"):
        raise InputError(f"method {method} uses no lexicon: leave --lexicon out")
    read_settings(method, wanted.load()[1], options)  # before files are read
    seed = read_lexicon(lexicon) if lexicon and lexicon not in _NAMED_SEEDS else None
    tell_of_files([src, trg], n, lambda one, other: of_aligning(one, other, n_pairs_of(lexicon, one, other)))
    src_vectors, trg_vectors = read_vectors(src, n), read_vectors(trg, n)
    if seed is None and wanted.lexicon != "none":
        seed = _named_seed(lexicon or "identical", src_vectors, trg_vectors)
    mapping = fit_method(method, src_vectors, trg_vectors, seed, options)
    save_mapping(out, mapping)
    if mapping.about.get("collapsed"):
        say(f"warning: {out} looks collapsed: it brings words no nearer than self-learning from random pairs does "
            "(confidence in its mapping.json); a small lexicon, or --lexicon identical with another method, may help")
    if as_json:
        print_json({"out": str(out), **mapping.about})
        return
    if seed is not None:
        _tell_coverage(seed, src_vectors, trg_vectors)
    print(for_people(f"{out}: mapping written"))


def _named_seed(name: str, src: WordVectors, trg: WordVectors) -> Lexicon | None:
    """The seed identical, numerals, cognates or none."""
    from xlembed.lexicon import identical_strings

    if name == "none":
        return None
    if name == "identical":
        return identical_strings(src, trg)
    from xlembed.seeds import seed

    return seed(name, src, trg)


def _tell_coverage(seed: Lexicon, src: WordVectors, trg: WordVectors) -> None:
    from xlembed.lexicon import cover

    covered = cover(seed, src, trg)
    print(for_people(f"{seed.name}: {covered.describe()}"))
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
    from xlembed.lexicon import read_lexicon
    from xlembed.needs import of_hub, tell_of_files
    from xlembed.vectors import read_vectors

    if "{lang}" not in lexicon:
        raise InputError(f"--lexicon {lexicon!r} must hold {{lang}}")
    files = _options_of_languages(languages)
    for lang in files:
        language_code(lang)
    pivot = pivot or next(iter(files))
    settings = HubSettings(method)
    lexicons = {lang: read_lexicon(lexicon.replace("{lang}", lang)) for lang in files if lang != pivot}
    tell_of_files(list(files.values()), n, of_hub)
    spaces = {lang: read_vectors(file, n) for lang, file in files.items()}
    found = fit(spaces, lexicons, pivot, settings)
    save_hub(out, found)
    if as_json:
        print_json({"out": str(out), **found.about})
        return
    for lang, covered in found.about["covered"].items():
        print(f"{pivot}-{lang}: {covered:,} of {len(lexicons[lang]):,} pairs covered")
    print(for_people(f"{out}: mappings of {', '.join(found.weights)} written ({found.about['rounds']} rounds)"))


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
    """Vectors of both sides, read and brought into one space."""
    from xlembed.needs import of_one_space, tell_of_files
    from xlembed.vectors import read_vectors

    fitted = _fitted(mapping, pair)
    tell_of_files([src, trg], n, lambda one, other: of_one_space(one, other, mapping is not None))
    return _in_one_space(read_vectors(src, n), read_vectors(trg, n), fitted)


def _fitted(mapping: Path | None, pair: str | None) -> LinearMapping | None:
    """The mapping of a folder, of two of its languages where it is a hub's."""
    from xlembed.alignment.base import load_mapping
    from xlembed.alignment.hub import load_hub

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
    return fitted


def _in_one_space(
    src_vectors: WordVectors, trg_vectors: WordVectors, fitted: LinearMapping | None
) -> tuple[WordVectors, WordVectors]:
    if fitted is not None:
        return fitted.map_src(src_vectors), fitted.map_trg(trg_vectors)
    if src_vectors.dim != trg_vectors.dim:
        raise InputError(f"the vectors have dims {src_vectors.dim} and {trg_vectors.dim}: give --mapping")
    return src_vectors, trg_vectors


def bli(
    src: Source,
    trg: Target,
    lexicons: Annotated[
        list[Path],
        typer.Argument(metavar="LEXICON...", help="Test lexicons: two columns, one or several translations a word."),
    ],
    mapping: MappingFolder = None,
    pair: Pair = None,
    retrieval: Retrieval = "csls",
    both: Annotated[bool, typer.Option("--both", help="The other direction, too: target words translated.")] = False,
    bands: Annotated[bool, typer.Option("--bands", help="Also by the source word's frequency rank.")] = False,
    pos: Annotated[
        Path | None, typer.Option(help="Also by part of speech: a folder with test.n.txt, test.v.txt, test.pn.txt ...")
    ] = None,
    against: Annotated[Path | None, typer.Option(help="Another mapping's folder: is this one better than it?")] = None,
    scheduler: Scheduler = None,
    workers: Workers = None,
    wait: Wait = WORKERS_SECONDS,
    n: TopN = None,
    as_json: AsJson = False,
) -> None:
    """Bilingual dictionary induction: P@1/5/10 and MRR with 95 % intervals, and coverage."""
    from xlembed.bli import by_band, by_part_of_speech, compare, evaluate_many, read_parts_of_speech
    from xlembed.lexicon import read_lexicon
    from xlembed.search.cluster import over_workers
    from xlembed.vectors import read_vectors

    tests = [read_lexicon(path) for path in lexicons]
    parts = read_parts_of_speech(pos) if pos is not None else None
    fitted, other = (_fitted(folder, pair) for folder in (mapping, against))
    _tell_of_search(src, trg, n, mapping is not None, retrieval, scheduler or workers, keeps_others=True)
    with over_workers(scheduler, workers, wait=wait):
        vectors = read_vectors(src, n), read_vectors(trg, n)
        spaces = _in_one_space(*vectors, fitted)
        directions = evaluate_many(*spaces, tests, retrieval, both_directions=both)
        others = None
        if against is not None:
            others = evaluate_many(*_in_one_space(*vectors, other), tests, retrieval, both_directions=False)
        by_part = None if parts is None else by_part_of_speech(*spaces, parts, retrieval)
    by_bands = [by_band(one.ranks) for one in directions[: len(tests)]] if bands else None
    found: dict[str, dict[str, Any]] = {}
    for place, test in enumerate(tests):
        forward = directions[place]
        one = found[test.name] = forward.scores.as_json()
        if both:
            one["backward"] = directions[len(tests) + place].scores.as_json()
        if by_bands is not None:
            one["bands"] = _as_json(by_bands[place])
        if others is not None:
            one["against"] = compare(others[place].ranks, forward.ranks).as_json()
    if as_json:
        whole = found[tests[0].name] if len(tests) == 1 else {"lexicons": found}
        print_json(whole if by_part is None else {**whole, "parts_of_speech": _as_json(by_part)})
        return
    for place, test in enumerate(tests):
        if len(tests) > 1:
            print(("\n" if place else "") + for_people(test.name))
        for direction in directions[place :: len(tests)]:
            if both:
                print(f"{direction.direction}:")
            _print_scores(direction.scores)
        if by_bands is not None:
            _print_group("bands", by_bands[place])
        if against is not None:
            _print_comparison(found[test.name]["against"], against)
    if by_part is not None:
        _print_group("parts of speech", by_part)


def _tell_of_search(
    src: Path, trg: Path, n: int | None, has_mapping: bool, retrieval: str, workers: str | int | None,
    keeps_others: bool = False,
) -> None:  # fmt: skip
    """Say what memory a search among all words of both sides needs."""
    from xlembed.needs import FEWER, of_search, tell_of_files

    by_workers = workers is not None
    remedy = FEWER if by_workers else f"{FEWER}, or spread the search with --workers"
    tell_of_files([src, trg], n, lambda one, other:
                  of_search(one, other, has_mapping, retrieval, keeps_others, by_workers), remedy)  # fmt: skip


def _as_json(groups: dict[str, BLIScores | None]) -> dict[str, Any]:
    return {name: None if one is None else one.as_json() for name, one in groups.items()}


def _print_scores(scores: BLIScores) -> None:
    print(f"coverage {scores.coverage:.1f} % ({scores.n_covered} of {scores.n_words} source words)")
    print(f"{scores.retrieval.upper():6} covered words  95 % interval    with OOV as errors")
    for name, value in scores.scores.items():
        ends, with_oov = scores.intervals[name], scores.with_oov_as_errors[name]
        print(f"{name:6} {value:8.2f}       [{ends.low:5.2f}, {ends.high:5.2f}]   {with_oov:8.2f}")


def _print_group(name: str, scores: dict[str, BLIScores | None]) -> None:
    print(f"\n{name:18} words  covered    P@1  95 % interval       MRR")
    for part, one in scores.items():
        if one is None:
            print(f"{part:18}     -        0      -  nothing covered")
            continue
        ends = one.intervals["P@1"]
        counts = f"{part:18} {one.n_words:5} {one.n_covered:8}"
        print(f"{counts} {one.scores['P@1']:6.2f}  [{ends.low:5.2f}, {ends.high:5.2f}]  {one.scores['MRR']:6.2f}")


def _print_comparison(found: dict[str, Any], against: Path) -> None:
    ends = found["interval"]
    other, n_words = for_people(str(against)), found["n_words"]
    print(f"\nP@1 minus that of {other}, on the {n_words} words that both cover: {found['difference']:+.2f} "
          f"[{ends['low']:+.2f}, {ends['high']:+.2f}], {found['n_better']} words better, {found['n_worse']} worse, "
          f"p = {found['p_value']:.4f} (paired permutation test)")  # fmt: skip


def isometry(
    src: Source,
    trg: Target,
    lexicon: Annotated[
        Path | None, typer.Option(help="Translation pairs for relational similarity; without: words written alike.")
    ] = None,
    words: Annotated[int, typer.Option(min=3, help="The so many most frequent words of each side.")] = 5000,
    as_json: AsJson = False,
) -> None:
    """How alike two spaces are in shape, before one aligns them."""
    from xlembed.isometry import isometry as measure
    from xlembed.lexicon import read_lexicon
    from xlembed.needs import of_isometry, tell_of_files
    from xlembed.vectors import read_vectors

    pairs = None if lexicon is None else read_lexicon(lexicon)
    tell_of_files([src, trg], None, lambda one, other: of_isometry(one, other, words), "make the files smaller with "
                  "`xlembed vectors convert --n`, or lower --words")  # fmt: skip
    found = measure(read_vectors(src), read_vectors(trg), pairs, words)
    if as_json:
        print_json(found.as_json())
        return
    print(f"{found.n_words} words a side; 0 for a rotated copy, unless it says otherwise")
    rows = {
        "eigenvector similarity": found.eigenvector_similarity,
        "Gromov-Hausdorff": found.gromov_hausdorff,
        "singular value gap": found.singular_value_gap,
        "effective condition number, joint (lower is better)": found.econd_hm,
        f"relational similarity, {found.n_pairs} pairs of {found.lexicon} (1 is best)": found.relational_similarity,
    }
    for name, value in rows.items():
        print(for_people(f"{'-' if value is None else format(value, '.4f'):>12}  {name}"))


def similarity(
    src: Source,
    trg: Target,
    data: Annotated[Path, typer.Argument(help="Source word TAB target word TAB judgement, a pair a line.")],
    gold: Annotated[Path | None, typer.Option(help="Judgements in a file of their own (SemEval-2017 task 2).")] = None,
    mapping: MappingFolder = None,
    pair: Pair = None,
    n: TopN = None,
    as_json: AsJson = False,
) -> None:
    """Word similarity across languages: do cosines agree with people's judgements?"""
    from xlembed.similarity import evaluate, read_similarity

    pairs = read_similarity(data, gold)
    found = evaluate(*mapped(src, trg, mapping, pair, n), pairs)
    if as_json:
        print_json(found.as_json())
        return
    print(f"coverage {found.coverage:.1f} % ({found.n_covered} of {found.n_pairs} pairs)")
    for name, value in found.scores.items():
        ends = found.intervals[name]
        filled = f"with OOV at the mean {found.with_oov_at_mean[name]:.3f}"
        print(f"{name:10} {value:6.3f}  [{ends.low:.3f}, {ends.high:.3f}]  {filled}")


def retrieve(
    src: Source,
    trg: Target,
    src_sentences: Annotated[Path, typer.Argument(help="Source sentences, one a line.")],
    trg_sentences: Annotated[Path, typer.Argument(help="Their translations, line by line.")],
    mapping: MappingFolder = None,
    pair: Pair = None,
    retrieval: Retrieval = "csls",
    weighting: Annotated[str, typer.Option(help="mean, idf or sif: how words weigh in a sentence.")] = "idf",
    src_lang: Code = None,
    trg_lang: Code = None,
    n: TopN = None,
    as_json: AsJson = False,
) -> None:
    """Sentence retrieval: is each sentence's translation the nearest one?"""
    from xlembed.sentences import evaluate, read_parallel

    sentences = read_parallel(src_sentences, trg_sentences)
    spaces = mapped(src, trg, mapping, pair, n)
    found = evaluate(*spaces, sentences, retrieval, weighting, langs=(src_lang, trg_lang))
    if as_json:
        print_json(found.as_json())
        return
    print(f"{found.n_sentences} sentences, {found.weighting} of word vectors, {found.retrieval.upper()}")
    for direction, value in found.scores.items():
        ends = found.intervals[direction]
        print(f"{direction:9} P@1 {value:6.2f}  [{ends.low:5.2f}, {ends.high:5.2f}]")


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
    scheduler: Scheduler = None,
    workers: Workers = None,
    wait: Wait = WORKERS_SECONDS,
    n: TopN = None,
) -> None:
    """Write a bilingual dictionary: the pairs that are each other's nearest words."""
    from xlembed.files import write_text
    from xlembed.induction import induce
    from xlembed.normalize import unit
    from xlembed.search.cluster import over_workers
    from xlembed.vectors import read_vectors

    fitted = _fitted(mapping, pair)
    _tell_of_search(src, trg, n, mapping is not None, retrieval, scheduler or workers)
    with over_workers(scheduler, workers, wait=wait):
        spaces = _in_one_space(read_vectors(src, n), read_vectors(trg, n), fitted)
        src_vectors, trg_vectors = (vectors.transformed(unit) for vectors in spaces)
        del spaces  # what unit rows were made of, as large again
        found = induce(src_vectors.matrix, trg_vectors.matrix, direction, retrieval)
    lines: dict[str, str] = {}
    for (src_row, trg_row), score in zip(found.rows.tolist(), found.scores.tolist(), strict=True):
        if least is None or score >= least:
            words = f"{src_vectors.words[src_row]}\t{trg_vectors.words[trg_row]}"
            lines.setdefault(words, f"\t{score:.4f}" if scores else "")
    write_text(out, "".join(f"{words}{score}\n" for words, score in lines.items()))
    print(for_people(f"{out}: {len(lines):,} pairs ({direction}, {retrieval})"))
