"""All score files of a run, and the one summary that reports are made from."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from comparisons.executor import Cell, Run, read_cell
from comparisons.experiment import Task
from comparisons.scores import Resampled, difference, score_cells, transfer_gap, write_score
from comparisons.systems import StaticRunner
from xlembed.bli import evaluate, translate
from xlembed.errors import InputError
from xlembed.files import read_json, write_json
from xlembed.lexicon import Lexicon, cover, read_lexicon
from xlembed.progress import say
from xlembed.vectors import WordVectors

SUMMARY = "summary.json"
FORMAT = 2


def summarize(run: Run, command: str) -> dict[str, Any]:
    """Score every cell of a finished run, write scores/*.json and summary.json, and return the summary."""
    scored = {(c[0].task.name, c[0].system.name, c[0].lang): _score(c) for c in _over_seeds(run.cells)}
    for one in scored.values():
        write_score(run.out / "scores", one.score)
    experiment = run.experiment
    summary = {
        "format": FORMAT,
        "experiment": {
            "name": experiment.name,
            "title": experiment.title,
            "note": experiment.note,
            "small": experiment.small,
            "source": experiment.source,
            "tasks": [_task_facts(task, experiment.languages(task)) for task in experiment.tasks],
            "systems": [
                {"name": s.name, "type": s.type, "note": s.note, "seeds": s.seeds,
                 "translate": s.translate and {"direction": s.translate.direction, "route": s.translate.route}}
                for s in experiment.systems
            ],
        },
        "command": command,
        "machine": machine(),
        "scores": [asdict(one.score) for one in scored.values()],
        "missing": _missing(run.cells),
        "differences": [
            asdict(difference(scored[b], scored[a]))
            for task in experiment.tasks
            for lang in experiment.languages(task)
            for a, b in pairwise([(task.name, s.name, lang) for s in experiment.systems
                                  if (task.name, s.name, lang) in scored])
        ],
        "gaps": [
            {"task": task, "system": system, "lang": lang,
             "figure": asdict(transfer_gap(one, scored[task, system, experiment.source]))}
            for (task, system, lang), one in scored.items()
            if lang != experiment.source
        ],
        "bli": list(_bli(run)),
    }  # fmt: skip
    write_json(run.out / SUMMARY, summary)
    return summary


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary of a finished run."""
    if not (folder / SUMMARY).is_file():
        raise InputError(f"{folder}: holds no {SUMMARY}: give the --out folder of a finished `xlembed compare`")
    summary = read_json(folder / SUMMARY)
    if not isinstance(summary, dict) or summary.get("format") != FORMAT:
        raise InputError(f"{folder / SUMMARY}: has another format: run `xlembed compare` again")
    return summary


def _over_seeds(cells: list[Cell]) -> Iterator[list[Cell]]:
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        if cell.missing is None:
            groups.setdefault((cell.task.name, cell.system.name, cell.lang), []).append(cell)
    yield from groups.values()


def _score(cells: list[Cell]) -> Resampled:
    predictions = [read_cell(cell) for cell in cells]
    for cell, one in zip(cells, predictions, strict=True):
        if one is None:
            raise InputError(f"{cell.path}: not there: run `xlembed compare` again")
    return score_cells(predictions)


def _task_facts(task: Task, languages: list[str]) -> dict[str, Any]:
    return {
        "name": task.name,
        "kind": task.kind,
        "languages": languages,
        "published": task.published,
        "reference": task.reference,
        "note": task.note,
        "train": [part.describe() for part in task.train],
        "dev": [part.describe() for part in task.dev],
    }


def _missing(cells: list[Cell]) -> list[dict[str, str]]:
    found = {(c.task.name, c.system.name, c.lang): c.missing for c in cells if c.missing is not None}
    return [{"task": task, "system": system, "lang": lang, "why": why} for (task, system, lang), why in found.items()]


def _bli(run: Run) -> Iterator[dict[str, Any]]:
    """BLI of every static system that names a test lexicon, source -> language, for each criterion."""
    for system in run.experiment.systems:
        runner = run.runners.get(system.name)
        if not isinstance(runner, StaticRunner) or system.bli is None:
            continue
        space = runner.space
        for lang in system.languages:
            if lang == run.experiment.source:
                continue
            say(f"BLI {run.experiment.source}-{lang} {system.name}")
            lexicon = read_lexicon(run.resolve(system.bli.format(lang=lang)))
            src, trg = space.mapped(run.experiment.source), space.mapped(lang)
            seed = space.seed_lexicon(lang)
            covered = cover(seed, space.vectors(run.experiment.source), space.vectors(lang))
            for criterion in ("csls", "nn"):
                yield {"system": system.name, "lang": lang, "seed_pairs": len(seed),
                       "seed_covered": len(covered.rows),
                       "examples": _examples(src, trg, lexicon) if criterion == "csls" else [],
                       **evaluate(src, trg, lexicon, criterion).as_json()}  # fmt: skip


def _examples(src: WordVectors, trg: WordVectors, lexicon: Lexicon, n: int = 8) -> list[dict[str, Any]]:
    """What CSLS translates n covered test words into, taken at even distances."""
    words = [word for word in lexicon.translations() if src.row(word) is not None]
    words = [words[i * len(words) // n] for i in range(min(n, len(words)))]
    found = translate(src, trg, words)
    gold = lexicon.translations()
    return [{"src": word, "trg": best, "right": best in [g.lower() for g in gold[word]] or best in gold[word]}
            for word, best in zip(words, found, strict=True)]  # fmt: skip


def machine() -> str:
    """Processor, cores and system, as a reader of timings wants them."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"
