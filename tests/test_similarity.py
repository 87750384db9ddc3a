from __future__ import annotations

import json

import numpy as np
import pytest

from xlembed.errors import InputError
from xlembed.similarity import SimilarityPairs, evaluate, mean_ranks, pearson, read_similarity
from xlembed.vectors import WordVectors


@pytest.fixture
def data_file(tmp_path):
    def write(content: str, name: str = "en-de.tsv"):
        path = tmp_path / name
        path.write_bytes(content.encode())
        return path

    return write


def judged(pair, n: int = 150, seed: int = 0, noise: float = 0.3, decimals: int = 1) -> SimilarityPairs:
    """Random pairs of words, judged by their cosines under noise, with ties."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(pair.src), size=(n, 2))
    x, y = pair.src.matrix[rows[:, 0]], pair.trg.matrix[rows[:, 1]]
    cosines = (x * y).sum(axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    gold = np.round(cosines + noise * rng.normal(size=n), decimals)
    return SimilarityPairs([(f"s{i}", f"t{j}") for i, j in rows.tolist()], gold.tolist(), "judged")


# ---- against scipy


def test_correlations_equal_scipy(noisy_pair):
    stats = pytest.importorskip("scipy.stats")
    data = judged(noisy_pair)
    found = evaluate(noisy_pair.src, noisy_pair.trg, data)
    rows = [(int(one[1:]), int(other[1:])) for one, other in data.pairs]
    cosines = []
    for i, j in rows:
        x, y = noisy_pair.src.matrix[i].astype(float), noisy_pair.trg.matrix[j].astype(float)
        cosines.append(x @ y / np.sqrt(x @ x) / np.sqrt(y @ y))
    spearman = stats.spearmanr(cosines, data.gold).statistic
    r = stats.pearsonr(cosines, data.gold).statistic
    assert found.scores["spearman"] == pytest.approx(spearman, abs=1e-6)
    assert found.scores["pearson"] == pytest.approx(r, abs=1e-6)
    assert found.scores["harmonic"] == pytest.approx(stats.hmean([spearman, r]), abs=1e-6)
    assert 0.2 < spearman < 0.9
    assert found.with_oov_at_mean == pytest.approx(found.scores)
    assert (found.n_pairs, found.n_covered, found.coverage) == (150, 150, 100)


def test_ranks_equal_scipy():
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(0).integers(9, size=60).astype(float)
    assert mean_ranks(values).tolist() == stats.rankdata(values).tolist()
    assert mean_ranks(np.array([3.0, 1.0, 3.0])).tolist() == [2.5, 1, 2.5]


def test_interval_equals_scipys_bootstrap(noisy_pair):
    stats = pytest.importorskip("scipy.stats")
    data = judged(noisy_pair)
    found = evaluate(noisy_pair.src, noisy_pair.trg, data)
    cosines = [
        cosine(noisy_pair.src.matrix[int(s[1:])], noisy_pair.trg.matrix[int(t[1:])])
        for s, t in data.pairs
    ]
    expected = stats.bootstrap(
        (np.array(cosines), np.array(data.gold)),
        pearson,
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=2000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    ends = found.intervals["pearson"]
    assert (ends.low, ends.high) == pytest.approx((expected.low, expected.high), abs=0.03)
    for name, value in found.scores.items():
        assert found.intervals[name].low < value < found.intervals[name].high
    assert evaluate(noisy_pair.src, noisy_pair.trg, data) == found
    assert evaluate(noisy_pair.src, noisy_pair.trg, data, seed=1).intervals != found.intervals


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x.astype(float), y.astype(float)
    return x @ y / np.sqrt((x @ x) * (y @ y))


# ---- properties and edges


def test_a_common_rotation_and_lengths_are_irrelevant(noisy_pair):
    data = judged(noisy_pair)
    turned = [
        side.transformed(lambda m: 3 * m.astype(np.float64) @ noisy_pair.rotation)
        for side in (noisy_pair.src, noisy_pair.trg)
    ]
    plain = evaluate(noisy_pair.src, noisy_pair.trg, data)
    found = evaluate(*turned, data)
    assert found.scores == pytest.approx(plain.scores, abs=1e-5)
    back = evaluate(noisy_pair.trg, noisy_pair.src, data.reversed())
    assert back.scores == pytest.approx(plain.scores, abs=1e-9)


def test_pairs_without_vectors(noisy_pair):
    data = judged(noisy_pair, n=50)
    more = SimilarityPairs([*data.pairs, ("s1", "nothing"), ("nothing", "t1")], [*data.gold, 9, -9], "more")
    plain, found = (evaluate(noisy_pair.src, noisy_pair.trg, one) for one in (data, more))
    assert found.scores == plain.scores
    assert found.intervals == plain.intervals
    assert (found.n_pairs, found.n_covered, found.coverage) == (52, 50, pytest.approx(100 * 50 / 52))
    assert abs(found.with_oov_at_mean["pearson"]) < plain.scores["pearson"]
    assert json.loads(json.dumps(found.as_json()))["coverage"] == found.coverage


def test_zero_vectors_are_unlike_everything():
    src = WordVectors(["a", "b", "zero"], np.array([[1, 0], [1, 1], [0, 0]], dtype=np.float32))
    trg = WordVectors(["c"], np.array([[1, 0]], dtype=np.float32))
    found = evaluate(src, trg, SimilarityPairs([("a", "c"), ("b", "c"), ("zero", "c")], [3, 2, 1]))
    assert found.scores["spearman"] == pytest.approx(1)


def test_words_composed_from_subwords():
    src = WordVectors(["a"], np.ones((1, 2), np.float32), lambda word: np.array([len(word), 1.0]))
    trg = WordVectors(["c"], np.array([[1, 0]], dtype=np.float32))
    found = evaluate(src, trg, SimilarityPairs([("a", "c"), ("bb", "c"), ("ccc", "c")], [1, 2, 3]))
    assert (found.n_covered, found.scores["spearman"]) == (3, pytest.approx(1))


def test_the_harmonic_mean_of_opposed_judgements_is_0(noisy_pair):
    data = judged(noisy_pair, noise=0)
    opposed = SimilarityPairs(data.pairs, [-value for value in data.gold])
    assert evaluate(noisy_pair.src, noisy_pair.trg, opposed).scores["harmonic"] == 0


def test_refusals(noisy_pair):
    src, trg = noisy_pair.src, noisy_pair.trg
    none = SimilarityPairs([("x", "y"), ("s1", "t1"), ("s2", "t2")], [1, 2, 3], "a.tsv")
    with pytest.raises(InputError, match=r"^a\.tsv: 2 of 3 pairs have vectors, at least 3 are needed"):
        evaluate(src, trg, none)
    same = SimilarityPairs(noisy_pair.lexicon.pairs[:5], [1] * 5, "a.tsv")
    with pytest.raises(InputError, match="the judgements of all covered pairs are alike"):
        evaluate(src, trg, same)
    with pytest.raises(InputError, match="the cosines of all covered pairs are alike"):
        evaluate(src, trg, SimilarityPairs([("s1", "t1")] * 3, [1, 2, 3]))
    with pytest.raises(InputError, match="dims 12 and 5"):
        evaluate(src, WordVectors(trg.words, trg.matrix[:, :5]), same)
    with pytest.raises(InputError, match="1 pairs and 2 judgements"):
        SimilarityPairs([("a", "b")], [1, 2])


# ---- reading


@pytest.mark.parametrize(
    "content",
    [
        "house\tHaus\t4\nNew York\tNeu York\t3.5\n",
        "\ufeffword1\tword2\tscore\r\nhouse\tHaus\t4.0\r\n\r\n New York\tNeu York \t3.50",
    ],
    ids=["plain", "header, BOM, CRLF, blank line"],
)
def test_three_columns(data_file, content):
    found = read_similarity(data_file(content))
    assert found.pairs == [("house", "Haus"), ("New York", "Neu York")]
    assert found.gold == [4, 3.5]
    assert len(found) == 2


def test_pairs_and_judgements_in_two_files(data_file):
    found = read_similarity(data_file("house\tHaus\ncat\tHund\n"), data_file("4\n1.25\n", "gold.txt"))
    assert (found.pairs, found.gold) == ([("house", "Haus"), ("cat", "Hund")], [4, 1.25])


@pytest.mark.parametrize("line", ["cat\tKatze", "cat Katze 3", "\tKatze\t3", "cat\tKatze\t3\t4"])
def test_malformed_line(data_file, line):
    with pytest.raises(InputError, match=r"en-de\.tsv:2: expected source word TAB target word TAB number, found"):
        read_similarity(data_file(f"house\tHaus\t4\n{line}\n"))


@pytest.mark.parametrize("number", ["much", "nan", "inf"])
def test_malformed_number(data_file, number):
    with pytest.raises(InputError, match=rf"en-de\.tsv:2: expected a number, found '{number}'"):
        read_similarity(data_file(f"house\tHaus\t4\ncat\tKatze\t{number}\n"))
    with pytest.raises(InputError, match=rf"gold\.txt:1: expected a number, found '{number}'"):
        read_similarity(data_file("house\tHaus\n"), data_file(f"{number}\n", "gold.txt"))


def test_files_that_do_not_fit(data_file):
    with pytest.raises(InputError, match=r"gold\.txt: holds 1 judgements, .*en-de\.tsv 2 pairs"):
        read_similarity(data_file("house\tHaus\ncat\tHund\n"), data_file("4\n", "gold.txt"))
    with pytest.raises(InputError, match=r"en-de\.tsv:1: expected source word TAB target word, found"):
        read_similarity(data_file("house\tHaus\t3\n"), data_file("4\n", "gold.txt"))


@pytest.mark.parametrize("content", ["", "\n \n", "word1\tword2\tscore\n"])
def test_empty(data_file, content):
    with pytest.raises(InputError, match=r"en-de\.tsv: holds no pairs"):
        read_similarity(data_file(content))
