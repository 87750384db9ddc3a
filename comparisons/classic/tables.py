"""Results of the classic experiments as a table and as curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from comparisons.classic.fake_english import FAKE
from xlembed.errors import require
from xlembed.files import replacing, write_json, write_text

Results = Sequence[dict[str, Any]]


def write_results(out: Path, results: Results, rows: list[list[str]], note: str) -> list[Path]:
    """results.json with every cell, and table.md."""
    write_json(out / "results.json", list(results))
    write_text(out / "table.md", markdown(rows) + f"\n{note}\n")
    return [out / "results.json", out / "table.md"]


def markdown(rows: list[list[str]]) -> str:
    """A table, its first row the header."""
    header, *body = rows
    lines = [header, ["---"] * len(header), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _over_seeds(results: Results) -> dict[str, list[dict[str, Any]]]:
    """Cells that differ in the seed alone, under their common name."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault(result["cell"].rpartition("-seed")[0], []).append(result)
    return groups


def _mean(values: Iterable[float]) -> str:
    """Mean, and the range of several seeds."""
    found = list(values)
    mean = f"{np.mean(found):.1f}"
    return mean if len(found) == 1 else f"{mean} ({min(found):.1f}-{max(found):.1f})"


# ---- fake-English


def fake_english_rows(results: Results) -> list[list[str]]:
    """One row a cell: perplexities, scores in both languages, retrieval at the best layer, translation of pieces."""
    tasks = list(results[0]["scores"])
    columns = [(task, lang) for task in tasks for lang in results[0]["scores"][task]]
    of_tasks = [f"{task} {lang}" for task, lang in columns]
    rows = [["cell", "parameters", "perplexity en", "perplexity fake", *of_tasks, "retrieval P@1", "pieces P@1"]]
    for name, group in _over_seeds(results).items():
        perplexities = [_mean(r["perplexity"][lang] for r in group) if "perplexity" in group[0] else "-"
                        for lang in ("en", FAKE)]  # fmt: skip
        scores = [_mean(r["scores"][task][lang] for r in group) for task, lang in columns]
        best = _mean(max(r["retrieval"].values()) for r in group)
        rows.append([name, f"{group[0]['n_parameters']:,}", *perplexities, *scores, best,
                     _mean(r["pieces"] for r in group)])  # fmt: skip
    return rows


def plot_fake_english(results: Results, path: Path) -> None:
    """Scores in English and fake-English of every cell, and those by depth."""
    task = next(iter(results[0]["scores"]))
    groups = _over_seeds(results)
    figure, (left, right) = _figure(2)
    places = np.arange(len(groups))
    for shift, lang in ((-0.2, "en"), (0.2, FAKE)):
        values = [np.mean([r["scores"][task][lang] for r in group]) for group in groups.values()]
        left.barh(places + shift, values, 0.4, label=lang)
    left.set_yticks(places, list(groups), fontsize=7)
    left.invert_yaxis()
    left.set_xlabel(f"{task} score")
    left.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    depths = [group for group in groups.values()
              if group[0]["what"]["order"] == "kept" and group[0]["what"]["pretrained"]
              and group[0]["what"]["overlap"] == 0]  # fmt: skip
    depths.sort(key=lambda group: group[0]["what"]["layers"])
    for lang in ("en", FAKE):
        means = [np.mean([r["scores"][task][lang] for r in group]) for group in depths]
        right.plot([group[0]["what"]["layers"] for group in depths], means, "o-", label=lang)
    right.set_xticks([group[0]["what"]["layers"] for group in depths])
    right.set_xlabel("layers, parameters about constant")
    right.set_ylabel(f"{task} score")
    right.legend()
    _save(figure, path)


# ---- curse


def curse_rows(results: Results) -> list[list[str]]:
    """One row a cell: perplexity and score of each language."""
    langs = list(results[0]["scores"])
    of_langs = [f"{figure} {lang}" for figure in ("perplexity", "score") for lang in langs]
    rows = [["cell", "parameters", "updates", *of_langs]]
    for name, group in _over_seeds(results).items():
        perplexities = [_mean(r["perplexity"][lang] for r in group) if lang in group[0]["perplexity"] else "-"
                        for lang in langs]  # fmt: skip
        scores = [_mean(r["scores"][lang] for r in group) for lang in langs]
        rows.append([name, f"{group[0]['n_parameters']:,}", str(group[0]["pretraining"]["steps"]), *perplexities,
                     *scores])  # fmt: skip
    return rows


def plot_curse(results: Results, path: Path) -> None:
    """By number of languages: perplexity of the first, its score, and the mean score of the others."""
    langs = list(results[0]["scores"])
    figure, (left, right) = _figure(2)
    budgets = list(dict.fromkeys(r["what"]["budget"] for r in results))
    first = [r for r in results if r["what"]["languages"] == 1]  # is the same under every budget
    for budget in budgets:
        line = [r for r in results if r["what"]["budget"] == budget and _is_plain(r)]
        line += [r for r in first if r not in line]
        label = {"language": "updates a language", "total": "updates in all"}[budget] + " fixed"
        _curve(left, line, lambda r: r["perplexity"][langs[0]], label)
        _curve(right, line, lambda r: r["scores"][langs[0]], f"{langs[0]}, {label}")
        _curve(right, line, lambda r: np.mean([r["scores"][lang] for lang in langs[1:]]), f"others, {label}")
    for r in results:
        if not _is_plain(r):
            label = "modules" if r["what"]["modules"] else f"width x {r['what']['width']:g}"
            left.plot(r["what"]["languages"], r["perplexity"][langs[0]], "x", label=label)
            right.plot(r["what"]["languages"], np.mean([r["scores"][lang] for lang in langs[1:]]), "x",
                       label=f"others, {label}")  # fmt: skip
    left.set_ylabel(f"masked perplexity of {langs[0]}")
    right.set_ylabel("score of the task")
    for axes in (left, right):
        axes.set_xticks(sorted({r["what"]["languages"] for r in results}))
        axes.set_xlabel("languages")
        axes.legend(fontsize=7)
    _save(figure, path)


def _is_plain(result: dict[str, Any]) -> bool:
    return result["what"]["width"] == 1.0 and not result["what"]["modules"]


def _curve(axes: Any, results: Results, value: Any, label: str) -> None:
    counts = sorted({r["what"]["languages"] for r in results})
    means = [np.mean([value(r) for r in results if r["what"]["languages"] == n]) for n in counts]
    axes.plot(counts, means, "o-", label=label)


# ---- matplotlib


def _figure(n: int) -> tuple[Any, Any]:
    require("matplotlib", "report")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * n, 3.6), layout="constrained")
    return figure, figure.subplots(1, n)


def _save(figure: Any, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
