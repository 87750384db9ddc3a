"""`xlembed translate`: a data file into another language, labels kept, for translate-train and translate-test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from xlembed.errors import InputError
from xlembed.files import numbered_lines, write_text
from xlembed.languages import language_code
from xlembed.progress import say

if TYPE_CHECKING:
    from baselines.translation.base import Translator
    from baselines.translation.projection import Method, WordAligner
    from baselines.translation.words import WordTranslator


def command(app: typer.Typer) -> None:
    """Add `translate` to a program."""
    app.command("translate")(translate)


def translate(
    data: Annotated[Path, typer.Argument(help="What to translate.")],
    kind: Annotated[str, typer.Option(help="ner, pos (token TAB tag), nli, topic (TSV with header), text (lines).")],
    route: Annotated[str, typer.Option(help="words, apertium, huggingface or file (docs/translation.md).")],
    src: Annotated[str, typer.Option("--from", help="ISO 639 code of the data's language.", callback=language_code)],
    trg: Annotated[str, typer.Option("--to", help="ISO 639 code of the language wanted.", callback=language_code)],
    out: Annotated[Path, typer.Option("--out", "-o", help="The translated file, in the form of the input.")],
    vectors: Annotated[Path | None, typer.Option(help="words, --project align: vectors of --from.")] = None,
    target_vectors: Annotated[Path | None, typer.Option(help="Vectors of --to.")] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="Folder of `xlembed align VECTORS TARGET_VECTORS`; else one space already.")
    ] = None,
    lexicon: Annotated[Path | None, typer.Option(help="words: a lexicon that comes before the vectors.")] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Mapping and lexicon go from --to to --from.")] = False,
    names: Annotated[
        str, typer.Option(help="words: names copied where --to's vocabulary has them (shared), always or never.")
    ] = "shared",
    n: Annotated[int | None, typer.Option("--n", "-n", min=1, help="Read the n most frequent words alone.")] = None,
    model: Annotated[str | None, typer.Option(help="huggingface: folder or hub name.")] = None,
    beams: Annotated[int, typer.Option(min=1, help="huggingface: beams of the search, 1 is greedy.")] = 4,
    translations: Annotated[Path | None, typer.Option(help="file: the ready translations.")] = None,
    match: Annotated[str, typer.Option(help="file: by text, by rows, or auto.")] = "auto",
    project: Annotated[str, typer.Option(help="ner, all routes but words: tags by markers or by align.")] = "markers",
) -> None:
    """Translate a data file and keep its labels."""
    if kind not in _KINDS:
        raise InputError(f"unknown kind {kind!r}: choose {', '.join(_KINDS)}")
    if kind == "pos" and route != "words":
        raise InputError("tags of every word are kept by --route words alone")
    spaces = {"vectors": vectors, "target_vectors": target_vectors, "mapping": mapping, "reverse": reverse, "n": n}
    given: dict[str, dict[str, Any]] = {
        "words": spaces | {"lexicon": lexicon, "names": names},
        "apertium": {},
        "huggingface": {"model": model, "beams": beams},
        "file": {"translations": translations, "source": data if kind == "nli" else None, "match": match},
    }
    translator = _translator(route, src, trg, given)
    aligner = _aligner(src, trg, spaces) if kind == "ner" and route != "words" and project == "align" else None
    text, told = _KINDS[kind](data, kind, translator, project, aligner)
    write_text(out, text)
    say(told)


_NEEDED = {"words": ("vectors", "target_vectors"), "huggingface": ("model",), "file": ("translations",)}


def _translator(route: str, src: str, trg: str, given: dict[str, dict[str, Any]]) -> Translator:
    from baselines.translation.base import make_translator, route_of

    route_of(route)
    for name in _NEEDED.get(route, ()):
        if given[route][name] is None:
            raise InputError(f"--route {route} needs --{name.replace('_', '-')}")
    return make_translator(route, src, trg, given[route])


def _aligner(src: str, trg: str, spaces: dict[str, Any]) -> WordAligner:
    """An aligner over the vectors of both languages in one space."""
    from baselines.translation.projection import WordAligner

    if None in (spaces["vectors"], spaces["target_vectors"]):
        raise InputError("--project align needs --vectors and --target-vectors")
    words = cast("WordTranslator", _translator("words", src, trg, {"words": spaces}))
    return WordAligner(words.src_vectors, words.trg_vectors)


# ---- one function a kind: (data, kind, translator, project, aligner) -> the file's text, and one line of news


def _tagged(
    data: Path, kind: str, translator: Translator, project: str, aligner: WordAligner | None
) -> tuple[str, str]:
    from baselines.corpora import file_text, read_tagged
    from baselines.translation.projection import translate_tagged
    from baselines.translation.words import WordTranslator

    sentences = read_tagged(data, translator.src, kind)
    if isinstance(translator, WordTranslator):
        translated, told = translator.translate_tagged(sentences), translator.coverage(sentences).describe()
    else:
        found = translate_tagged(sentences, translator, cast("Method", project), aligner)  # which refuses others
        translated, told = found.sentences, found.describe()
    if not translated:
        raise InputError(f"{data}: no sentence came through the translation with all its entities ({told})")
    return file_text(translated), told


def _pairs(data: Path, kind: str, translator: Translator, *_: Any) -> tuple[str, str]:
    from baselines.corpora import file_text, read_pairs
    from baselines.translation.base import translate_pairs

    pairs = read_pairs(data)
    translated = translate_pairs(pairs, translator)
    told = _news(translator, f"{len(pairs):,} pairs", [text for p in pairs for text in (p.premise, p.hypothesis)])
    return file_text(translated), told


def _topics(data: Path, kind: str, translator: Translator, *_: Any) -> tuple[str, str]:
    from baselines.corpora import file_text, read_texts
    from baselines.translation.base import translate_texts

    texts = read_texts(data)
    translated = translate_texts(texts, translator)
    told = _news(translator, f"{len(texts):,} texts", [item.text for item in texts])
    return file_text(translated), told


def _texts(data: Path, kind: str, translator: Translator, *_: Any) -> tuple[str, str]:
    from baselines.corpora import one_line
    from baselines.translation.base import translate_distinct

    texts = [line for _, line in numbered_lines(data)]
    if not any(text.strip() for text in texts):
        raise InputError(f"{data}: holds no text")
    translated = translate_distinct(texts, translator)
    return "".join(f"{one_line(text)}\n" for text in translated), _news(translator, f"{len(texts):,} lines", texts)


_KINDS: dict[str, Callable[..., tuple[str, str]]] = {
    "ner": _tagged, "pos": _tagged, "nli": _pairs, "topic": _topics, "text": _texts,
}  # fmt: skip


def _news(translator: Translator, done: str, texts: Sequence[str]) -> str:
    """What was done, and how well words were covered where that is known."""
    from baselines.translation.words import WordTranslator

    if isinstance(translator, WordTranslator):
        return f"{done}; {translator.coverage_of_texts(texts).describe()}"
    return f"{done} translated from {translator.src} to {translator.trg}"
