"""The section on bilingual dictionary induction."""

from __future__ import annotations

from typing import Any

from comparisons.report.base import Section, Table, figure_text
from comparisons.report.inline import plain


def bli_section(summary: dict[str, Any]) -> Section:
    source = summary["experiment"]["source"]
    rows = [
        [
            one["system"],
            f"{source}-{one['lang']}",
            one["retrieval"].upper(),
            *[figure_text(one["intervals"][k] | {"value": one["scores"][k]}) for k in ("P@1", "P@5", "P@10", "MRR")],
            f"{one['coverage']:.1f} % of {one['n_words']:,}",
            f"{one['with_oov_as_errors']['P@1']:.1f}",
            f"{one['seed_covered']:,} of {one['seed_pairs']:,}",
        ]
        for one in summary["bli"]
    ]
    return Section(
        "Bilingual dictionary induction (BLI)",
        ["How good the mapping under the static systems is: for each source word of a test lexicon, is a right "
         "translation among the 1, 5, 10 nearest target words (P@k)? MRR is the mean of 1 / rank. Figures are over "
         "the words that both vocabularies hold (coverage); the last but one column counts the others as errors."],
        Table(["system", "pair", "retrieval", "P@1", "P@5", "P@10", "MRR", "coverage", "P@1, OOV = error",
               "training pairs covered"], rows),
        _examples(summary),
    )  # fmt: skip


def _examples(summary: dict[str, Any]) -> str:
    """What the mapping translates some test words into, right or wrong."""
    lines = []
    for one in summary["bli"]:
        if one.get("examples"):
            told = ", ".join(f"{plain(e['src'])} → {plain(e['trg'])}" + ("" if e["right"] else " (wrong)")
                             for e in one["examples"])  # fmt: skip
            lines.append(f"{summary['experiment']['source']}-{one['lang']}: {told}")
    return "Examples, test words at even distances through the lexicon, nearest word by CSLS: " + "; ".join(lines) + "."
