"""All score files of a run, and the one summary that reports are made from."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

from baselines.corpora import read_items
from baselines.predictions import PredictionSet
from comparisons.across import across_languages
from comparisons.details import details_of
from comparisons.executor import Cell, Run, read_cell
from comparisons.experiment import Task, read_parts
from comparisons.scores import (
    Difference,
    Resampled,
    corrected,
    difference,
    mean_difference,
    mean_figure,
    score_systems,
    shuffles_for,
    transfer_gap,
    write_score,
)
from comparisons.systems import StaticRunner
from xlembed.bli import evaluate, translate
from xlembed.errors import InputError
from xlembed.files import read_json, write_json
from xlembed.lexicon import Lexicon, cover, read_lexicon
from xlembed.progress import say
from xlembed.vectors import WordVectors

SUMMARY = "summary.json"
FORMAT = 4


def summarize(run: Run, command: str) -> dict[str, Any]:
    """Score every cell of a finished run, write scores/*.json and summary.json, and return the summary."""
    scored = _scored(run.cells)
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
                 "own_models": s.target is not None,
                 "translate": s.translate and {"direction": s.translate.direction, "route": s.translate.route}}
                for s in experiment.systems
            ],
        },
        "command": command,
        "machine": machine(),
        "scores": [asdict(one.score) for one in scored.values()],
        "missing": _missing(run.cells),
        "differences": [
            one.as_json() for task in experiment.tasks for one in corrected(_differences(run, task, scored))
        ],
        "averages": [_averages(run, task, scored) for task in experiment.tasks],
        "gaps": [
            {"task": task, "system": system, "lang": lang,
             "figure": asdict(transfer_gap(one, scored[task, system, experiment.source]))}
            for (task, system, lang), one in scored.items()
            if lang != experiment.source and (task, system, experiment.source) in scored
        ],
        "bli": list(_bli(run)),
        "details": {task.name: _details(run, task) for task in experiment.tasks},
    }  # fmt: skip
    summary["across"] = across_languages(summary, run)
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


Scored = dict[tuple[str, str, str], Resampled]  # task, system, language


def _scored(cells: list[Cell]) -> Scored:
    """All systems of a task and language are scored together, on the same resamples."""
    groups: dict[tuple[str, str], dict[str, list[Cell]]] = {}
    for cell in cells:
        if cell.missing is None:
            by_system = groups.setdefault((cell.task.name, cell.lang), {})
            by_system.setdefault(cell.system.name, []).append(cell)
    found: Scored = {}
    for (task, lang), by_system in groups.items():
        scores = score_systems([_predictions(cells) for cells in by_system.values()])
        found |= {(task, system, lang): one for system, one in zip(by_system, scores, strict=True)}
    order = dict.fromkeys((cell.task.name, cell.system.name, cell.lang) for cell in cells)
    return {key: found[key] for key in order if key in found}


def _predictions(cells: Sequence[Cell]) -> list[PredictionSet]:
    found = []
    for cell in cells:
        one = read_cell(cell)
        if one is None:
            raise InputError(f"{cell.path}: not there: run `xlembed compare` again")
        found.append(one)
    return found


def _differences(run: Run, task: Task, scored: Scored) -> list[Difference]:
    """Every pair of systems in every language, the later of the experiment file minus the earlier."""
    pairs = [
        (scored[task.name, later, lang], scored[task.name, earlier, lang])
        for lang in run.experiment.languages(task)
        for earlier, later in combinations([s.name for s in run.experiment.systems
                                            if (task.name, s.name, lang) in scored], 2)
    ]  # fmt: skip
    return [difference(later, earlier, shuffles_for(len(pairs))) for later, earlier in pairs]


def _averages(run: Run, task: Task, scored: Scored) -> dict[str, Any]:
    """Means over the targets that most systems ran on, with every pair's difference."""
    source, systems = run.experiment.source, [s.name for s in run.experiment.systems]
    ran = {name: [lang for lang in run.experiment.languages(task) if (task.name, name, lang) in scored]
           for name in systems}  # fmt: skip
    targets = shared_targets(source, ran)
    able = [name for name in systems if targets and set(targets) <= set(ran[name])]

    def over(name: str) -> list[Resampled]:
        return [scored[task.name, name, lang] for lang in targets]

    return {
        "task": task.name,
        "targets": targets,
        "systems": {name: asdict(mean_figure(over(name))) for name in able},
        "differences": [
            {"system": later, "other": earlier, **asdict(found), "is_clear": found.is_clear}
            for earlier, later in combinations(able, 2)
            for found in [mean_difference(over(later), over(earlier))]
        ],
    }


def shared_targets(source: str, ran: dict[str, list[str]]) -> list[str]:
    """Target languages for a mean: those of the systems that ran on at least two, in all of these systems.

    A system that exists for one language alone (a translator for one pair) would leave nothing to average.
    """
    wide = [langs for langs in ([one for one in langs if one != source] for langs in ran.values()) if len(langs) > 1]
    wide = wide or [[one for one in langs if one != source] for langs in ran.values() if langs]
    return [lang for lang in wide[0] if all(lang in langs for langs in wide)] if wide else []


def _details(run: Run, task: Task) -> dict[str, Any]:
    """What stands behind the scores, by language, for the languages that some system ran on."""
    source = run.experiment.source
    train = read_parts(task.kind, task.train, source, run.resolve)
    found = {}
    for lang in run.experiment.languages(task):
        by_system: dict[str, list[Cell]] = {}
        for cell in run.cells:
            if (cell.task.name, cell.lang) == (task.name, lang) and cell.missing is None:
                by_system.setdefault(cell.system.name, []).append(cell)
        if by_system:
            items = read_items(task.kind, run.resolve(task.test_file(lang)), lang)
            predictions = {name: _predictions(cells) for name, cells in by_system.items()}
            found[lang] = details_of(task.name, task.kind, lang, source, items, train, predictions)
    return found


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
