"""Sections on what a run says across languages: ranking, facts about the languages, what the gap goes along with."""

from __future__ import annotations

from typing import Any

from comparisons.rank_correlation import FEWEST
from comparisons.report.base import ABSENT, Section, Table, figure_text
from comparisons.significance import ALPHA

FACT_NAMES = {
    "same_script": "same script as the source",
    "distance": "typological distance",
    "cc100_gib": "size of CC-100 (GiB)",
    "wikipedia_mb": "size of Wikipedia (MB)",
    "subword_tokens": "subword tokens known from training (%)",
    "subword_types": "subword types known from training (%)",
    "bli_p1": "BLI P@1 (CSLS)",
    "relational_similarity": "relational similarity",
    "eigenvector_similarity": "eigenvector distance",
    "gromov_hausdorff": "Gromov-Hausdorff distance",
}
DECIMALS = {"same_script": 0, "distance": 2, "relational_similarity": 3, "gromov_hausdorff": 3}


def sections(across: dict[str, Any], summary: dict[str, Any]) -> list[Section]:
    """The sections of a run with target languages; none for a run within one language."""
    if not across["languages"]:
        return []
    found = [_languages(across)]
    for task in across["tasks"]:
        if task["ranking"]:
            found.append(_ranking(task, across["source"]))
        if task["outcomes"]:
            found += [_measured(task, across)] if _measured_facts(task) else []
            found.append(_correlations(task, summary["experiment"]["small"]))
    return found


# ---- ranking


def _ranking(task: dict[str, Any], source: str) -> Section:
    rows = [
        [str(one["place"]), one["system"], figure_text(one["mean"]), _number(one["with_source"], 1),
         _number(one["gap"], 1), one["best"], one["worst"], _apart(one)]
        for one in task["ranking"]
    ]  # fmt: skip
    return Section(
        f"{task['task']}: ranking over languages",
        [f"By the mean over {', '.join(task['targets'])}, each language counting the same. Beside it the mean with "
         f"{source} as one language more, which flatters a system that loses much on the way; the gap is {source} "
         "minus the mean of the targets. The last column says whether 0 lies outside the 95 % interval of the "
         "difference to the system one place below, over items and, where one of the two has several, over seeds: "
         "where it does not, the order of the two may be chance."],
        Table(["place", "system", "mean of targets", f"mean with {source}", "gap", "best", "worst",
               "apart from the next"], rows),
    )  # fmt: skip


def _apart(one: dict[str, Any]) -> str:
    return {None: ABSENT, True: "yes", False: "no"}[one["apart_from_next"]]


# ---- facts


def _languages(across: dict[str, Any]) -> Section:
    rows = [
        [one["lang"], one["name"] or ABSENT, _kin(one), one["script"] or ABSENT, one["word_order"] or ABSENT,
         ABSENT if one["distance"] is None else f"{one['distance']:.2f} ({one['n_features']})",
         _number(one["cc100_gib"], 1), _number(one["wikipedia_mb"], 0)]
        for one in across["languages"]
    ]  # fmt: skip
    unknown = [one["lang"] for one in across["languages"] if one["name"] is None]
    return Section(
        "The languages",
        [f"*Distance*: the share of grammatical features in which the language differs from {across['source']} (in "
         "brackets the number of features known of both). *CC-100* and *Wikipedia*: the text that there was for "
         "encoders of 2020; whether an encoder of this run was trained on it is for its own description to say. "
         "Sources: WALS through URIEL, Glottolog, CLDR, Conneau et al. 2020, Wikipedia's dump of October 2020."
         + (f" The table does not know {', '.join(unknown)}." if unknown else "")],
        Table(["language", "name", "family, branch", "script", "word order", f"distance to {across['source']}",
               "CC-100 (GiB)", "Wikipedia (MB)"], rows),
    )  # fmt: skip


def _kin(one: dict[str, Any]) -> str:
    return ABSENT if one["family"] is None else f"{one['family']}, {one['branch']}"


def _measured_facts(task: dict[str, Any]) -> list[str]:
    """Names of measured facts that some system and language has."""
    there = {name for by_lang in task["facts"].values() for facts in by_lang.values()
             for name, value in facts.items() if value is not None}  # fmt: skip
    known = ("same_script", "distance", "cc100_gib", "wikipedia_mb")
    return [name for name in FACT_NAMES if name in there and name not in known]


def _measured(task: dict[str, Any], across: dict[str, Any]) -> Section:
    """A row for each language and each set of systems that read it alike."""
    names = _measured_facts(task)
    rows: dict[tuple[Any, ...], list[str]] = {}
    for system, by_lang in task["facts"].items():
        for lang, facts in by_lang.items():
            values = tuple(facts.get(name) for name in names)
            if any(value is not None for value in values):
                rows.setdefault((lang, values), []).append(system)
    order = [one["lang"] for one in across["languages"]]
    told = []
    if "subword_tokens" in names:
        told.append("*Subwords known from training*: of the test set's subwords, those that occur in the training text "
                    f"(its first {across['training_items']:,} items), counted each time (tokens) or once (types).")
    if any(name in names for name in ("relational_similarity", "eigenvector_similarity")):
        told.append(f"The vectors as read, before mapping, the {across['isometry_words']:,} most frequent words: "
                    "relational similarity is 1, and the distances 0, for spaces of one shape.")  # fmt: skip
    return Section(
        f"{task['task']}: the languages as the systems read them",
        told,
        Table(["language", "systems", *[FACT_NAMES[name] for name in names]],
              [[lang, ", ".join(systems), *[_fact(name, value) for name, value in zip(names, values, strict=True)]]
               for (lang, values), systems in sorted(rows.items(), key=lambda row: order.index(row[0][0]))]),
    )  # fmt: skip


def _fact(name: str, value: float | None) -> str:
    return _number(value, DECIMALS.get(name, 1))


def _number(value: float | None, decimals: int) -> str:
    return ABSENT if value is None else f"{value:,.{decimals}f}"


# ---- correlations


def _correlations(task: dict[str, Any], is_small: bool) -> Section:
    heading = f"{task['task']}: what the gap goes along with"
    found = task["correlations"]
    if not found:
        most = max((len(one["values"]) for one in task["outcomes"].values()), default=0)
        return Section(heading, [f"No correlation is given: it takes {FEWEST} target languages with a known fact, and "
                                 f"no system ran on more than {most}; under {FEWEST} points any order is likely by "
                                 "chance."])  # fmt: skip
    rows = [
        [one["system"], one["what"], FACT_NAMES[one["fact"]], str(one["n"]), _rho(one["rho"]), _p(one["p"]),
         _p(one.get("p_holm")), ABSENT if one["least"] is None else f"{one['least']:.2f}"]
        for one in found
    ]  # fmt: skip
    return Section(
        heading,
        [_verdict(found), _caveat(found), *([_left_out(task)] if task["too_few"] else []),
         *(["**Pocket data**: the gaps themselves are hardly known."] if is_small else [])],
        Table(["system", "of", "with", "languages", "Spearman ρ", "p", "p (Holm)", "|ρ| told from chance"], rows),
        "A positive ρ with the gap: the more of the fact, the more is lost.",
    )  # fmt: skip


def _verdict(found: list[dict[str, Any]]) -> str:
    """What stands after correction, or the nearest to it."""
    tested = [one for one in found if one["p"] is not None]
    if not tested:
        return "No fact differs between the languages, so nothing goes along with the gap."
    clear = [one for one in tested if one["p_holm"] <= ALPHA]
    if clear:
        told = "; ".join(_told(one) for one in sorted(clear, key=lambda one: one["p"]))
        return f"**Told from chance after correction for {_counted(len(tested))}**: {told}."
    first = min(tested, key=lambda one: one["p"])
    return (f"**Nothing here is told from chance** after correction for {_counted(len(tested))}. "
            f"The nearest: {_told(first)}.")  # fmt: skip


def _counted(n: int) -> str:
    return f"{n} correlation{'s' if n != 1 else ''}"


def _told(one: dict[str, Any]) -> str:
    return (f"{one['system']}, {one['what']} with {FACT_NAMES[one['fact']]}, ρ {one['rho']:+.2f} over {one['n']} "
            f"languages (p {_p(one['p'])}, corrected {_p(one['p_holm'])})")  # fmt: skip


def _caveat(found: list[dict[str, Any]]) -> str:
    sizes = sorted({one["n"] for one in found})
    n = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    none = f" ({ABSENT}: no ρ would do)" if any(one["least"] is None for one in found) else ""
    exact = "p counts all orders of the languages" if all(one["is_exact"] for one in found) else (
        "p counts all orders of the languages for up to 8, above that it is Student's approximation")  # fmt: skip
    return (f"**Few points**: with {n} languages a single correlation needs the |ρ| of the last column to be told from "
            f"chance at 5 %{none}; {exact}. The gaps have errors of their own, which no p-value "
            "here knows of. Languages that differ in script differ in kinship, grammar and amount of text as well, and "
            "related languages are no independent points: a correlation names no cause.")  # fmt: skip


def _left_out(task: dict[str, Any]) -> str:
    told = [f"{one['system']} with {FACT_NAMES[one['fact']]} ({one['n']})" for one in task["too_few"]]
    return f"Not computed, under {FEWEST} languages: {', '.join(told)}."


def _rho(value: float | None) -> str:
    return ABSENT if value is None else f"{value:+.2f}"


def _p(value: float | None) -> str:
    if value is None:
        return ABSENT
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"
