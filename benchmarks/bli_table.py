"""Every mapping method on real vectors: P@1, MRR, coverage and time, by language pair and size of the seed lexicon.

python benchmarks/bli_table.py --mirror DIR --out docs/results/mapping [--vectors mix] [--pairs en-de,en-fr,en-es]
    [--methods all] [--sizes 5000,1000,500]

Each result is a line of OUT/results.jsonl as soon as it is there; a second run goes on where the first stopped, and
OUT/table.md is written anew from all lines. Seed lexicons are the MUSE training lexicon's first 5,000, 1,000, 500
source words with all their translations, the test is MUSE's (5000-6500); P@1 and MRR by CSLS over covered words.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from xlembed.tuning import tune_libraries

tune_libraries()

from comparisons.summary import machine  # noqa: E402
from xlembed.alignment.methods import METHODS, fit_method  # noqa: E402
from xlembed.bli import WordRanks, compare, evaluate, rank_words, scores_of  # noqa: E402
from xlembed.fetch import locate  # noqa: E402
from xlembed.files import write_text  # noqa: E402
from xlembed.lexicon import Lexicon, read_lexicon  # noqa: E402
from xlembed.vectors import WordVectors, read_vectors  # noqa: E402

UNSUPERVISED = 0
THEIRS = ("vecmap", "vecmap-semi", "vecmap-unsupervised")


def first_words(lexicon: Lexicon, n: int) -> Lexicon:
    """All pairs of the first n source words."""
    words = set(list(lexicon.translations())[:n])
    return Lexicon([pair for pair in lexicon.pairs if pair[0] in words], f"{lexicon.name}, first {n} words")


def run(method: str, src: WordVectors, trg: WordVectors, train: Lexicon, test: Lexicon, size: int) -> dict:
    """One cell: fit, and score both ways of taking the neighbours."""
    begin = time.perf_counter()
    mapping = fit_method(method, src, trg, first_words(train, size) if size else None)
    seconds = time.perf_counter() - begin
    mapped = mapping.map_src(src), mapping.map_trg(trg)
    ranks = rank_words(*mapped, test, "csls")
    csls, nn = scores_of(ranks), evaluate(*mapped, test, "nn")
    return {
        "csls": csls.scores,
        "interval": [csls.intervals["P@1"].low, csls.intervals["P@1"].high],
        "nn": nn.scores["P@1"],
        "coverage": csls.coverage,
        "n_covered": csls.n_covered,
        "seconds": round(seconds, 2),
        "collapsed": bool(mapping.about.get("collapsed", False)),
        "hits": "".join("-" if rank is None else "1" if rank == 1 else "0" for rank in ranks.ranks),
    }


def as_ranks(one: dict) -> WordRanks:
    """The hits of a cell, to be compared with another's."""
    ranks = [{"1": 1, "0": 2, "-": None}[hit] for hit in one["hits"]]
    return WordRanks(one["pair"], "csls", [str(i) for i in range(len(ranks))], [None] * len(ranks), ranks)


def best_beside_vecmap(lines: list[dict], pairs: list[str], sizes: list[int]) -> list[str]:
    """The best method of each size beside VecMap's of that size, paired over the same test words."""
    rows = ["| seed words | pair | best | VecMap's (same words) | difference [95 %] | p |", "|---|---|---|---|---|---|"]
    for size in sizes:
        for pair in pairs:
            cells = {one["method"]: one for one in lines if (one["size"], one["pair"]) == (size, pair)}
            theirs = {name: cells[name] for name in THEIRS if name in cells}
            if not theirs or len(cells) < 2:
                continue
            best, their = (max(side.values(), key=lambda one: one["csls"]["P@1"]) for side in (cells, theirs))
            found = compare(as_ranks(their), as_ranks(best))
            rows.append(f"| {size or 'none'} | {pair} | {best['method']} {found.second:.1f} | "
                        f"{their['method']} {found.first:.1f} | {found.difference:+.1f} "
                        f"[{found.interval.low:+.1f}, {found.interval.high:+.1f}] | {found.p_value:.2g} |")  # fmt: skip
    return rows


def table(lines: list[dict], pairs: list[str], sizes: list[int]) -> str:
    """A markdown table a size: a row a method, two columns and the time a pair."""
    parts = []
    for size in sizes:
        cells = {(one["method"], one["pair"]): one for one in lines if one["size"] == size}
        names = [name for name in METHODS if any(name == key[0] for key in cells)]
        if not names:
            continue
        parts.append(f"### {f'{size:,} seed words' if size else 'No lexicon'}\n")
        parts.append("| method | " + " | ".join(f"{pair} P@1 [95 %] | MRR | s" for pair in pairs) + " |")
        parts.append("|---|" + "---|" * (3 * len(pairs)))
        for name in names:
            row = [name]
            for pair in pairs:
                one = cells.get((name, pair))
                row += ["—"] * 3 if one is None else [
                    f"{one['csls']['P@1']:.1f} [{one['interval'][0]:.1f}, {one['interval'][1]:.1f}]"
                    + (" collapsed" if one["collapsed"] else ""),
                    f"{one['csls']['MRR']:.1f}",
                    f"{one['seconds']:.1f}",
                ]  # fmt: skip
            parts.append("| " + " | ".join(row) + " |")
        parts.append("")
    parts += ["### The best of each, and VecMap's methods\n", *best_beside_vecmap(lines, pairs, sizes), ""]
    covered = {one["pair"]: f"{one['pair']} {one['n_covered']:,} ({one['coverage']:.1f} %)" for one in lines}
    parts.append(f"Covered test words of 1,500: {', '.join(covered.values())}. Machine: {machine()}.")
    return "\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mirror", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vectors", default="mix")
    parser.add_argument("--pairs", default="en-de,en-fr,en-es")
    parser.add_argument("--methods", default="all")
    parser.add_argument("--sizes", default="5000,1000,500,0")
    args = parser.parse_args()
    pairs, sizes = args.pairs.split(","), [int(size) for size in args.sizes.split(",")]
    methods = list(METHODS) if args.methods == "all" else args.methods.split(",")
    args.out.mkdir(parents=True, exist_ok=True)
    results = args.out / "results.jsonl"
    lines = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    done = {(one["method"], one["pair"], one["size"]) for one in lines}
    spaces: dict[str, WordVectors] = {}
    for pair in pairs:
        src, trg = pair.split("-")
        for lang in (src, trg):
            if lang not in spaces:
                spaces[lang] = read_vectors(locate(f"vectors/{args.vectors}.{lang}.vec.gz", args.mirror))
        train, test = (read_lexicon(locate(f"bli/muse/{pair}/{pair}.{part}.txt", args.mirror))
                       for part in ("0-5000", "5000-6500"))  # fmt: skip
        for method in methods:
            for size in sizes:
                if (METHODS[method].lexicon == "none") != (size == UNSUPERVISED) or (method, pair, size) in done:
                    continue
                one = {"method": method, "pair": pair, "size": size,
                       **run(method, spaces[src], spaces[trg], train, test, size)}  # fmt: skip
                lines.append(one)
                write_text(results, "".join(json.dumps(line) + "\n" for line in lines))
                print(method, pair, size, f"{one['csls']['P@1']:.2f}", f"{one['seconds']} s", flush=True)
    write_text(args.out / "table.md", table(lines, pairs, sizes))


if __name__ == "__main__":
    main()
