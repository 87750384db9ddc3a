"""The report as a list of sections, whatever the format that it is then written in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines.corpora import NOUNS
from baselines.metrics import MAIN_METRIC, METRIC_NAMES, OTHER_METRICS
from comparisons.report.across import sections as across_sections
from comparisons.report.answer import answer
from comparisons.report.base import (
    ABSENT,
    LONG_REASON,
    SHORT_METRIC,
    Section,
    Table,
    average_of,
    figure_text,
    lang_name,
    score_of,
    sd_text,
    why_missing,
)
from comparisons.report.bli import bli_section
from comparisons.report.claims import claims_section
from comparisons.report.cost import cost_section, front_sections
from comparisons.report.details import sections_for as detail_sections
from comparisons.report.differences import difference_section, seed_section
from comparisons.report.inline import plain
from comparisons.report.published import published_section


def sections_of(
    summary: dict[str, Any],
    images: dict[str, str],
    probes: Sequence[Section] = (),
    cost_images: dict[str, str] | None = None,
) -> list[Section]:
    """All sections; `images` and `cost_images` give the pictures of a task, `probes` stand before the cost."""
    experiment = summary["experiment"]
    sections = [_reading(summary), _short(summary)]
    for task in experiment["tasks"]:
        sections.append(_scores(summary, task, images.get(task["name"])))
        sections.append(difference_section(summary, task))
        seeds = seed_section(summary, task)
        sections += [seeds] if seeds else []
        sections.append(_gaps(summary, task))
        if task["published"]:
            sections.append(published_section(summary, task))
        sections += detail_sections(summary["details"].get(task["name"], {}), task, experiment["source"])
    if summary["bli"]:
        sections.append(bli_section(summary))
    if summary.get("across"):
        sections += across_sections(summary["across"], summary)
    sections += probes
    claims = claims_section(summary)
    sections += [claims] if claims else []
    sections.append(cost_section(summary))
    sections += front_sections(summary, cost_images or {})
    sections.append(_how(summary))
    return sections


def _how_trained(experiment: dict[str, Any]) -> str:
    """Where the labels came from, and which systems met the other languages in translation."""
    source = experiment["source"]
    if not any(len(task["languages"]) > 1 for task in experiment["tasks"]):
        return f"Every system here was trained and tested on labelled data in **{source}**: nothing is transferred."
    told = (f"Every system here was trained on labelled data in **{source}** alone and then run, unchanged, on "
            "test sets in other languages (zero-shot transfer)")  # fmt: skip
    ways = {"train": f"on that data translated into each language ({source} dev data with it)",
            "train-all": "on that data and its translations together",
            "test": f"as it is, on test items translated into {source}"}  # fmt: skip
    found = [f"{one['name']} on labelled data of the target itself" for one in experiment["systems"]
             if one.get("own_models")]
    found += [f"{one['name']}, made elsewhere" for one in experiment["systems"] if one["type"] == "predictions"]
    found += [f"{one['name']} {ways[one['translate']['direction']]} (route {one['translate']['route']})"
             for one in experiment["systems"] if one.get("translate")]  # fmt: skip
    return told + (f", but for: {'; '.join(found)}." if found else ".")


def _reading(summary: dict[str, Any]) -> Section:
    experiment = summary["experiment"]
    systems = ", ".join(s["name"] for s in experiment["systems"])
    paragraphs = [
        f"{_how_trained(experiment)} Systems: {systems}. One scorer scored them all from their prediction files, on "
        "the same sentences.",
        "A figure is the mean over seeds, in percent, higher is better. In brackets stands its 95 % interval: "
        "how far it would move on another sample of test items of this size (bootstrap). ± is the standard "
        "deviation over seeds, where there are several. Whether two systems are told apart by this test set is in the "
        "tables of differences, which are paired: overlapping intervals do not answer that.",
    ]
    if experiment["small"]:
        paragraphs.insert(
            0,
            "**This is a demonstration on pocket data**: a few hundred sentences a language, written for this "
            "project. It shows that every part works and what a report looks like. *No conclusion about the "
            "systems is to be drawn from it*; the intervals show why.",
        )
    if experiment["note"]:
        paragraphs.append(experiment["note"].strip())
    table = Table(["system", "what it is"], [[s["name"], s["note"] or s["type"]] for s in experiment["systems"]])
    return Section("How to read this", paragraphs, table)


def _short(summary: dict[str, Any]) -> Section:
    """What the run says, then a row a task and system: the source language, and the mean of the shared targets."""
    source, rows, told = summary["experiment"]["source"], [], []
    for task in summary["experiment"]["tasks"]:
        metric, means = MAIN_METRIC[task["kind"]], average_of(summary, task)
        told.append(f"{task['name']}: {', '.join(means['targets']) or 'none'}")
        for system in summary["experiment"]["systems"]:
            score = score_of(summary, task["name"], system["name"], source)
            mean = means["systems"].get(system["name"])
            if any(score_of(summary, task["name"], system["name"], lang) for lang in task["languages"]):
                rows.append([task["name"], SHORT_METRIC[metric], system["name"],
                             ABSENT if score is None else f"{score['figures'][metric]['value']:.1f}",
                             ABSENT if mean is None else figure_text(mean)])  # fmt: skip
    answers = [text for task in summary["experiment"]["tasks"] if (text := answer(summary, task))]
    return Section(
        "In short",
        [*answers,
         f"The mean is over the targets that the systems for several languages all ran on ({'; '.join(told)}); a "
         "system that exists for fewer languages has none. By language, with intervals, below."],
        Table(["task", "metric", "system", f"{source} (source)", "mean of targets"], rows),
    )  # fmt: skip


def score_table(summary: dict[str, Any], task: dict[str, Any]) -> Table:
    """The main metric by system and language."""
    metric, rows = MAIN_METRIC[task["kind"]], []
    meant = {one["system"] for part in ("scores", "missing") for one in summary[part] if one["task"] == task["name"]}
    for system in summary["experiment"]["systems"]:
        if system["name"] not in meant:  # its experiment keeps it to other tasks
            continue
        row = [system["name"]]
        for lang in task["languages"]:
            score = score_of(summary, task["name"], system["name"], lang)
            row.append(why_missing(summary, task["name"], system["name"], lang) if score is None
                       else figure_text(score["figures"][metric]) + sd_text(score["seed_sd"]))  # fmt: skip
        rows.append([*row, str(len(system["seeds"])) if system["type"] != "majority" else ABSENT])
    return Table(["system", *[lang_name(summary, lang) for lang in task["languages"]], "seeds"], rows)


def _scores(summary: dict[str, Any], task: dict[str, Any], image: str | None) -> Section:
    metric = MAIN_METRIC[task["kind"]]
    paragraphs = [task["note"]] if task["note"] else []
    paragraphs.append(f"Metric: {METRIC_NAMES[task['kind']]}. {_test_sizes(summary, task)}")
    return Section(
        f"{task['name']}: results",
        paragraphs + _warnings(summary, task),
        score_table(summary, task),
        _other_metrics(summary, task) if OTHER_METRICS[task["kind"]] else "",
        image,
        f"Bars of {metric} by language and system for {task['name']}, with 95 % intervals",
    )


def _warnings(summary: dict[str, Any], task: dict[str, Any]) -> list[str]:
    """Failed seeds, what looks like a mistake, and systems that could not be run at all."""
    found = [
        f"**To be checked**: {score['system']}, {score['lang']}: {plain(flag)}."
        for score in summary["scores"]
        if score["task"] == task["name"]
        for flag in score["flags"]
    ]
    reasons = {one["system"]: one["why"] for one in summary["missing"]
               if one["task"] == task["name"] and len(one["why"]) >= LONG_REASON}  # fmt: skip
    return found + [f"**{system} was not run**: {plain(why)}." for system, why in reasons.items()]


def _test_sizes(summary: dict[str, Any], task: dict[str, Any]) -> str:
    what = NOUNS[task["kind"]]
    sizes = {
        score["lang"]: score["n_items"] for score in summary["scores"] if score["task"] == task["name"]
    }
    if len(set(sizes.values())) == 1:
        return f"Test items: {next(iter(sizes.values())):,} {what} in each language."
    return f"Test {what}: " + ", ".join(f"{lang} {n:,}" for lang, n in sizes.items()) + "."


def _other_metrics(summary: dict[str, Any], task: dict[str, Any]) -> str:
    """The secondary figures, in one line a system."""
    names = OTHER_METRICS[task["kind"]]
    lines = []
    for system in summary["experiment"]["systems"]:
        found = [
            f"{lang} " + " / ".join(f"{score['figures'][name]['value']:.1f}" for name in names)
            for lang in task["languages"]
            if (score := score_of(summary, task["name"], system["name"], lang))
        ]
        if found:
            lines.append(f"{system['name']}: {', '.join(found)}")
    return f"{' / '.join(name.replace('_', '-') for name in names).capitalize()}: " + "; ".join(lines) + "."


def _gaps(summary: dict[str, Any], task: dict[str, Any]) -> Section:
    targets = task["languages"][1:]
    rows = []
    for system in summary["experiment"]["systems"]:
        if system["type"] == "majority":
            continue
        gaps = {g["lang"]: g["figure"] for g in summary["gaps"]
                if g["task"] == task["name"] and g["system"] == system["name"]}  # fmt: skip
        if gaps:
            mean = sum(g["value"] for g in gaps.values()) / len(gaps)
            cells = [figure_text(gaps[lang]) if lang in gaps else
                     why_missing(summary, task["name"], system["name"], lang) for lang in targets]  # fmt: skip
            rows.append([system["name"], *cells, f"{mean:.1f} ({len(gaps)})"])
    return Section(
        f"{task['name']}: transfer gap",
        [f"What is lost on the way: the figure for {summary['experiment']['source']} minus the figure for the "
         "language, in points. The mean is over the languages that the system ran on (their number in brackets)."],
        Table(["system", *targets, "mean"], rows),
    )  # fmt: skip


def _how(summary: dict[str, Any]) -> Section:
    paragraphs = [f"Command: `{summary['command']}`"] if summary["command"] else []
    for task in summary["experiment"]["tasks"]:
        paragraphs.append(
            f"{task['name']}: training data {', '.join(f'`{f}`' for f in task['train'])}; "
            f"model selection {', '.join(f'`{f}`' for f in task['dev'])}."
        )
    for system in summary["experiment"]["systems"]:
        scores = [s for s in summary["scores"] if s["system"] == system["name"]]
        for score in {s["task"]: s for s in scores}.values():
            settings = score["signature"]["settings"]
            origin = f", from {settings['origin']}" if "origin" in settings else ""
            values = settings.get("settings", {})
            if values or origin:
                told = ", ".join(f"{k} {v}" for k, v in values.items())
                paragraphs.append(f"{system['name']} on {score['task']}{origin}: {told}.")
    if summary["scores"]:
        versions = summary["scores"][0]["signature"]["versions"]
        paragraphs.append("Versions: " + ", ".join(f"{k} {v}" for k, v in versions.items()) + ".")
        paragraphs.append("Every score's signature, one line each, is in scores/*.json (`signature_line`); the first: "
                          f"`{summary['scores'][0]['signature_line']}`")  # fmt: skip
    table = Table(
        ["task", "language", "test items", "sha256 of the gold", "intervals"],
        [[*key, f"{n:,}", f"`{sha[:16]}`", kind] for key, (n, sha, kind) in _gold(summary).items()],
    )
    return Section("How this was made", paragraphs, table)


def _gold(summary: dict[str, Any]) -> dict[tuple[str, str], tuple[int, str, str]]:
    return {(s["task"], s["lang"]): (s["n_items"], s["signature"]["gold_sha256"], s["signature"]["interval"])
            for s in summary["scores"]}  # fmt: skip
