"""How alike two spaces are before one aligns them, beside how well Procrustes then aligns them, on real pairs.

python benchmarks/isometry_table.py --mirror DIR --out docs/results/isometry [--words 5000]

The pairs are those of the vectors and MUSE lexicons in DIR; P@1 by CSLS over covered test words, by Procrustes on
MUSE's training lexicon. OUT/results.json has all figures, OUT/table.md the table and, for each measure, Spearman's
correlation with P@1 over the pairs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from xlembed.tuning import tune_libraries

tune_libraries()

from scipy.stats import spearmanr  # noqa: E402

from comparisons.summary import machine  # noqa: E402
from xlembed.alignment.methods import fit_method  # noqa: E402
from xlembed.bli import evaluate  # noqa: E402
from xlembed.fetch import locate  # noqa: E402
from xlembed.files import write_text  # noqa: E402
from xlembed.isometry import isometry  # noqa: E402
from xlembed.lexicon import read_lexicon  # noqa: E402
from xlembed.vectors import read_vectors  # noqa: E402

KINDS = ("mix", "lohelp")
PAIRS = ("en-de", "en-fr", "en-es", "de-fr")
MEASURES = {  # name in `IsometryScores`: head of its column, and whether more is more alike
    "relational_similarity": ("relational similarity", True),
    "eigenvector_similarity": ("eigenvector distance", False),
    "gromov_hausdorff": ("Gromov-Hausdorff", False),
    "singular_value_gap": ("singular value gap", False),
    "econd_hm": ("effective condition number", False),
}


def row(kind: str, pair: str, mirror: Path | None, n_words: int) -> dict:
    src, trg = (read_vectors(locate(f"vectors/{kind}.{lang}.vec.gz", mirror)) for lang in pair.split("-"))
    train, test = (read_lexicon(locate(f"bli/muse/{pair}/{pair}.{part}.txt", mirror))
                   for part in ("0-5000", "5000-6500"))  # fmt: skip
    measured = isometry(src, trg, train, n_words).as_json()
    mapping = fit_method("procrustes", src, trg, train)
    found = evaluate(mapping.map_src(src), mapping.map_trg(trg), test)
    return {"vectors": kind, "pair": pair, "p_at_1": found.scores["P@1"], "n_covered": found.n_covered,
            "interval": [found.intervals["P@1"].low, found.intervals["P@1"].high],
            **{name: measured[name] for name in MEASURES}}  # fmt: skip


def table(rows: list[dict], n_words: int) -> str:
    lines = ["| vectors | pair | " + " | ".join(head for head, _ in MEASURES.values()) + " | P@1 [95 %] | test words |",
             "|---|---|" + "---|" * (len(MEASURES) + 2)]  # fmt: skip
    for one in sorted(rows, key=lambda one: -one["p_at_1"]):
        low, high = one["interval"]
        cells = [one["vectors"], one["pair"], *(f"{one[name]:.3g}" for name in MEASURES),
                 f"{one['p_at_1']:.1f} [{low:.1f}, {high:.1f}]", f"{one['n_covered']:,}"]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    lines.append(f"\nSpearman's correlation with P@1 over all {len(rows)} rows, and over each kind of vectors:\n")
    lines += ["| measure | better is | all | " + " | ".join(KINDS) + " |", "|---|---|---|" + "---|" * len(KINDS)]
    for name, (head, more_is_alike) in MEASURES.items():
        groups = [rows, *([one for one in rows if one["vectors"] == kind] for kind in KINDS)]
        values = [spearmanr([one[name] for one in group], [one["p_at_1"] for one in group])[0] for group in groups]
        lines.append(f"| {head} | {'more' if more_is_alike else 'less'} | "
                     + " | ".join(f"{value:+.2f}" for value in values) + " |")  # fmt: skip
    lines.append(f"\nThe {n_words:,} most frequent words of each side. Machine: {machine()}.")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mirror", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--words", type=int, default=5000)
    args = parser.parse_args()
    rows = [row(kind, pair, args.mirror, args.words) for kind in KINDS for pair in PAIRS]
    args.out.mkdir(parents=True, exist_ok=True)
    write_text(args.out / "results.json", json.dumps(rows, indent=1) + "\n")
    write_text(args.out / "table.md", table(rows, args.words))


if __name__ == "__main__":
    main()
