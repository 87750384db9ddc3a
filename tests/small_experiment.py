"""A complete small experiment: two languages, vectors, lexicon, NER and NLI data, and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from comparisons.executor import Run
from comparisons.experiment import read_experiment
from xlembed.errors import InputError
from xlembed.vectors import WordVectors, write_vectors

NAMES = {"en": ["anna", "bob", "carla", "dan"], "de": ["anja", "bernd", "karla", "dirk"]}
PLACES = {"en": ["rome", "oslo", "lima", "bonn"], "de": ["rom", "oslo", "lima", "bonn"]}
OTHERS = {"en": ["sings", "in", "and", "goes", "to", "sleeps"], "de": ["singt", "in", "und", "geht", "nach", "schläft"]}
LABELS = ["entailment", "neutral", "contradiction"]


def words(lang: str) -> list[str]:
    return NAMES[lang] + PLACES[lang] + OTHERS[lang]


def write_data(folder: Path, n: int = 40) -> Path:
    """Write all data files under a folder, as a mirror would hold them."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(len(words("en")), 16)).astype(np.float32)
    rotation = np.linalg.qr(rng.normal(size=(16, 16)))[0].astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    write_vectors(folder / "en.vec", WordVectors(words("en"), matrix))
    write_vectors(folder / "de.vec", WordVectors(words("de"), matrix @ rotation))
    pairs = zip(words("en"), words("de"), strict=True)
    (folder / "en-de.txt").write_text("".join(f"{en}\t{de}\n" for en, de in pairs), encoding="utf-8")
    for lang in ("en", "de"):
        for split, seed in (("train", 1), ("dev", 2), ("test", 3)):
            _write_ner(folder / f"ner.{lang}.{split}.tsv", lang, n, np.random.default_rng(seed))
            _write_nli(folder / f"nli.{lang}.{split}.tsv", lang, n, np.random.default_rng(seed))
    return folder


def _write_ner(path: Path, lang: str, n: int, rng: np.random.Generator) -> None:
    lines = []
    for _ in range(n):
        name, place, other = rng.integers(4), rng.integers(4), rng.integers(6, size=2)
        lines += [f"{NAMES[lang][name].title()}\tB-PER", f"{OTHERS[lang][other[0]]}\tO",
                  f"{PLACES[lang][place].title()}\tB-LOC", f"{OTHERS[lang][other[1]]}\tO", ""]  # fmt: skip
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_nli(path: Path, lang: str, n: int, rng: np.random.Generator) -> None:
    lines = ["label\tpremise\thypothesis"]
    for i in range(n):
        chosen = [OTHERS[lang][j] for j in rng.integers(6, size=4)]
        lines.append(f"{LABELS[i % 3]}\t{' '.join(chosen)}\t{chosen[i % 3]} {PLACES[lang][i % 3]}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def experiment_text(encoder: Path | str | None = None, targets: str = '["de"]', more: str = "") -> str:
    """An experiment over that data: a floor, a static system with two seeds, and an encoder if one is given."""
    text = f"""
name = "small"
title = "A small experiment"
small = true
seeds = [1, 2]

[[task]]
name = "names"
kind = "ner"
targets = {targets}
train = ["ner.en.train.tsv"]
dev = ["ner.en.dev.tsv"]
test = "ner.{{lang}}.test.tsv"
published = "wikiann"

[[task]]
name = "pairs"
kind = "nli"
targets = {targets}
train = ["nli.en.train.tsv", {{ file = "nli.en.dev.tsv", rows = "0:12" }}]
dev = [{{ file = "nli.en.dev.tsv", rows = "12:" }}]
test = "nli.{{lang}}.test.tsv"

[[system]]
name = "floor"
type = "majority"

[[system]]
name = "static"
type = "static"
vectors = "{{lang}}.vec"
languages = ["en", "de"]
lexicon = "en-{{lang}}.txt"
bli = "en-{{lang}}.txt"
ner = {{ hidden = 16, max_epochs = 4, batch_size = 16 }}
nli = {{ hidden = 16, max_epochs = 4, batch_size = 16 }}
"""
    if encoder is not None:
        text += f"""
[[system]]
name = "tiny"
type = "encoder"
model = "{encoder}"
seeds = [1]
ner = {{ epochs = 2, lr = 1e-3, batch_size = 8, precision = "float32" }}
nli = {{ epochs = 2, lr = 1e-3, batch_size = 8, precision = "float32" }}
"""
    return text + more


def run_of(folder: Path, text: str, data: Path) -> Run:
    """A run of an experiment whose files lie in `data`; the experiment and its output are written into `folder`."""
    folder.mkdir(exist_ok=True)
    (folder / "e.toml").write_text(text, encoding="utf-8")

    def resolve(name: str) -> Path:
        if not (data / name).is_file():
            raise InputError(f"{name}: nowhere")
        return data / name

    return Run(read_experiment(folder / "e.toml"), folder / "out", resolve)
