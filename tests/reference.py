"""Slow obvious versions, each straight from its definition; the fast paths are compared with them."""

from __future__ import annotations

import gzip
import itertools
import lzma

import numpy as np


def cosines(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """cos(x, y) of every pair, 0 where one is a zero vector: (n_queries, n_keys) float64."""
    table = np.zeros((len(queries), len(keys)))
    for i, x in enumerate(queries.astype(np.float64)):
        for j, y in enumerate(keys.astype(np.float64)):
            lengths = np.sqrt(x @ x) * np.sqrt(y @ y)
            table[i, j] = x @ y / lengths if lengths else 0.0
    return table


def csls(queries: np.ndarray, keys: np.ndarray, k: int = 10) -> np.ndarray:
    """CSLS(x, y) = 2 cos(x, y) - r_T(x) - r_S(y) (Conneau et al. 2018, equation 6), the whole matrix."""
    cos = cosines(queries, keys)
    table = np.empty_like(cos)
    for i in range(len(queries)):
        for j in range(len(keys)):
            r_trg = np.mean(sorted(cos[i, :], reverse=True)[:k])  # of x, among the keys
            r_src = np.mean(sorted(cos[:, j], reverse=True)[:k])  # of y, among the queries
            table[i, j] = 2 * cos[i, j] - r_trg - r_src
    return table


def order(scores: np.ndarray) -> list[int]:
    """Columns of one row of scores, best first, ties by lower column."""
    return sorted(range(len(scores)), key=lambda column: (-scores[column], column))


def topk(scores: np.ndarray, k: int) -> np.ndarray:
    """The k best columns of each row, (n_queries, min(k, n_keys))."""
    return np.array([order(row)[:k] for row in scores])


def best_rank(scores: np.ndarray, gold: list[int]) -> int:
    """Rank, from 1, of the first gold column in the sorted row."""
    return min(order(scores).index(column) + 1 for column in gold)


def p_at_k(ranks: list[int], k: int) -> float:
    """Percent of the items whose best translation is among the first k."""
    hits = 0
    for rank in ranks:
        if rank <= k:
            hits += 1
    return 100 * hits / len(ranks)


def mrr(ranks: list[int]) -> float:
    """Mean reciprocal rank, in percent."""
    total = 0.0
    for rank in ranks:
        total += 1 / rank
    return 100 * total / len(ranks)


def crf_paths(emissions: np.ndarray, transitions: np.ndarray) -> dict[tuple[int, ...], float]:
    """The score of every path of one sentence: emissions (n_words, n_labels), transitions (n_labels + 2, n_labels)."""
    n_words, n_labels = emissions.shape
    scores = {}
    for path in itertools.product(range(n_labels), repeat=n_words):
        score = transitions[n_labels, path[0]] + transitions[n_labels + 1, path[-1]]
        score += sum(emissions[i, tag] for i, tag in enumerate(path))
        scores[path] = score + sum(transitions[a, b] for a, b in zip(path[:-1], path[1:], strict=True))
    return scores


def vec_rows(path: str) -> tuple[list[str], np.ndarray]:
    """Words and rows of a .vec file (or .gz, .xz) without a fault: Python's float, the first of repeated words."""
    opened = {".gz": gzip.open, ".xz": lzma.open}.get(str(path)[-3:].lower(), open)
    with opened(path, "rb") as file:
        text = file.read().decode("utf-8-sig")
    lines = [line.removesuffix("\r").rstrip(" ") for line in text.removesuffix("\n").split("\n")]
    first = lines[0].split(" ")
    has_header = len(first) == 2 and all(field.isascii() and field.isdigit() and len(field) < 19 for field in first)
    dim = int(first[1]) if has_header else len(first) - 1
    rows: dict[str, list[float]] = {}
    for line in lines[1:] if has_header else lines:
        word, _, rest = line.partition(" ")
        numbers = rest.split()
        if len(numbers) != dim:  # a word with spaces
            fields = line.split(" ")
            word, numbers = " ".join(fields[:-dim]), fields[-dim:]
        rows.setdefault(word, [float(number) for number in numbers])
    with np.errstate(over="ignore"):
        return list(rows), np.array(list(rows.values())).astype(np.float32)
