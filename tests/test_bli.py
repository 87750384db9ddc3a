from __future__ import annotations

import json

import numpy as np
import pytest
import reference

from xlembed.alignment.procrustes import fit
from xlembed.bli import (
    METRICS,
    WordRanks,
    by_band,
    by_part_of_speech,
    compare,
    evaluate,
    evaluate_many,
    rank_words,
    read_parts_of_speech,
    scores_of,
    translate,
)
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon, read_lexicon
from xlembed.vectors import WordVectors, read_vectors

ANGLES = {"east": 0, "north": 90, "west": 180, "south": 270}


def compass(names: dict[str, int], shift: float = 0) -> WordVectors:
    angles = np.deg2rad([angle + shift for angle in names.values()])
    matrix = np.column_stack([np.cos(angles), np.sin(angles)])
    return WordVectors(list(names), matrix.astype(np.float32))


@pytest.fixture
def spaces():
    """English and German directions in one plane, the German ones ten degrees on."""
    german = {"Ost": 0, "Nord": 90, "West": 180, "Süd": 270}
    return compass(ANGLES), compass(german, shift=10)


def reference_scores(pair, lexicon: Lexicon, criterion: str) -> tuple[dict[str, float], int]:
    table = {"csls": reference.csls, "nn": reference.cosines}[criterion](pair.src.matrix, pair.trg.matrix)
    gold: dict[str, list[int]] = {}
    for src_word, trg_word in lexicon.pairs:
        if src_word in pair.src.words and trg_word in pair.trg.words:
            gold.setdefault(src_word, []).append(pair.trg.words.index(trg_word))
    ranks = [reference.best_rank(table[pair.src.words.index(word)], rows) for word, rows in gold.items()]
    scores = {f"P@{k}": reference.p_at_k(ranks, k) for k in (1, 5, 10)} | {"MRR": reference.mrr(ranks)}
    return scores, len(ranks)


# ---- against the reference


@pytest.mark.parametrize("criterion", ["csls", "nn"])
def test_scores_equal_the_reference(noisy_pair, criterion):
    """One translation, several, unknown source words, unknown translations beside known ones."""
    rng = np.random.default_rng(0)
    pairs = [*noisy_pair.lexicon.pairs[:80]]
    pairs += [(f"s{i}", f"t{rng.integers(200)}") for i in range(40) for _ in range(2)]
    pairs += [(f"s{i}", "nothing") for i in range(60, 90)] + [("nothing", "t5"), ("nor this", "nothing")]
    lexicon = Lexicon(list(dict.fromkeys(pairs)))
    # mapped vectors of both sides in one space: turn the source by the hidden rotation
    turned = noisy_pair.src.transformed(lambda matrix: matrix @ noisy_pair.rotation)
    noisy_pair = type(noisy_pair)(turned, noisy_pair.trg, noisy_pair.rotation, noisy_pair.lexicon)
    found = evaluate(noisy_pair.src, noisy_pair.trg, lexicon, criterion)
    expected, n_covered = reference_scores(noisy_pair, lexicon, criterion)
    assert found.scores == pytest.approx(expected, abs=1e-9)
    assert 20 < found.scores["P@1"] < 90, "the task must be neither solved nor hopeless"
    assert (found.n_covered, found.n_words) == (n_covered, 92) == (80, 92)
    assert found.coverage == pytest.approx(100 * 80 / 92)
    assert found.with_oov_as_errors == pytest.approx({name: v * 80 / 92 for name, v in expected.items()})
    assert found.retrieval == criterion


def test_intervals_contain_the_values(noisy_pair):
    turned = noisy_pair.src.transformed(lambda matrix: matrix @ noisy_pair.rotation)
    found = evaluate(turned, noisy_pair.trg, noisy_pair.lexicon)
    assert list(found.scores) == list(found.intervals) == ["P@1", "P@5", "P@10", "MRR"]
    for name, value in found.scores.items():
        ends = found.intervals[name]
        assert 0 <= ends.low <= value <= ends.high <= 100
    p_at_1 = found.scores["P@1"]
    half = 196 * np.sqrt(p_at_1 / 100 * (1 - p_at_1 / 100) / found.n_covered)
    assert found.intervals["P@1"].high - p_at_1 == pytest.approx(half, rel=0.2)
    assert evaluate(turned, noisy_pair.trg, noisy_pair.lexicon, seed=1).intervals != found.intervals
    assert evaluate(turned, noisy_pair.trg, noisy_pair.lexicon) == found


@pytest.mark.parametrize("criterion", ["csls", "nn"])
def test_word_order_of_the_vocabularies_is_irrelevant(noisy_pair, criterion):
    turned = noisy_pair.src.transformed(lambda matrix: matrix @ noisy_pair.rotation)
    rng = np.random.default_rng(0)

    def shuffled(vectors: WordVectors) -> WordVectors:
        order = rng.permutation(len(vectors))
        return WordVectors([vectors.words[row] for row in order], vectors.matrix[order])

    found = evaluate(shuffled(turned), shuffled(noisy_pair.trg), noisy_pair.lexicon, criterion)
    assert found == evaluate(turned, noisy_pair.trg, noisy_pair.lexicon, criterion)


def test_lengths_are_irrelevant(noisy_pair):
    rng = np.random.default_rng(0)
    longer = noisy_pair.trg.transformed(lambda matrix: matrix * rng.uniform(0.5, 2, size=(len(matrix), 1)))
    lexicon = noisy_pair.lexicon
    assert evaluate(noisy_pair.src, longer, lexicon) == evaluate(noisy_pair.src, noisy_pair.trg, lexicon)


# ---- small cases worked by hand


def test_ranks_by_hand(spaces):
    lexicon = Lexicon([("east", "Ost"), ("north", "Ost"), ("west", "Ost"), ("south", "Süd")])
    # Ost lies 10 degrees from east, 80 from north (after Nord) and 170 from west (the last)
    found = evaluate(*spaces, lexicon, "nn")
    assert found.scores["P@1"] == 50
    assert found.scores["P@5"] == found.scores["P@10"] == 100
    ranks = [1, 2, 4, 1]
    assert found.scores["MRR"] == pytest.approx(100 * np.mean([1 / rank for rank in ranks]))


def test_any_of_several_translations_counts(spaces):
    one = evaluate(*spaces, Lexicon([("east", "West")]), "nn")
    several = evaluate(*spaces, Lexicon([("east", "West"), ("east", "Ost"), ("east", "nichts")]), "nn")
    assert (one.scores["P@1"], several.scores["P@1"]) == (0, 100)
    assert (several.n_words, several.n_covered) == (1, 1)


def test_unknown_words_either_way(spaces):
    lexicon = Lexicon([("east", "Ost"), ("up", "Ost"), ("north", "oben"), ("down", "unten")])
    found = evaluate(*spaces, lexicon)
    assert (found.n_words, found.n_covered, found.coverage) == (4, 1, 25)
    assert (found.scores["P@1"], found.with_oov_as_errors["P@1"]) == (100, 25)
    assert found.intervals["P@1"].low == found.intervals["P@1"].high == 100


def test_each_casing_in_the_lexicon_is_an_item(spaces):
    found = evaluate(*spaces, Lexicon([("East", "Ost"), ("east", "West"), ("EAST", "Ost")]), "nn")
    assert (found.n_words, found.n_covered, found.coverage) == (3, 3, 100)
    assert found.scores["P@1"] == pytest.approx(200 / 3)
    assert found.with_oov_as_errors == found.scores


def test_lexicon_and_vectors_of_other_casing(spaces):
    src, trg = spaces
    lower = WordVectors([word.lower() for word in trg.words], trg.matrix)
    assert evaluate(src, lower, Lexicon([("East", "Ost")])).scores["P@1"] == 100
    with pytest.raises(InputError, match="check languages, direction and casing"):
        evaluate(src, trg, Lexicon([("east", "ost")]))


def test_nothing_covered(spaces):
    lexicon = Lexicon([("Ost", "east"), ("up", "Ost"), ("up", "Nord"), ("north", "oben")], "de-en.txt")
    with pytest.raises(InputError, match=r"^de-en\.txt: none of its 3 source words can be tested"):
        evaluate(*spaces, lexicon)


def test_zero_vectors_are_ranked_not_nan(spaces):
    src, trg = spaces
    trg = WordVectors([*trg.words, "null"], np.vstack([trg.matrix, np.zeros((1, 2), np.float32)]))
    found = evaluate(src, trg, Lexicon([("east", "null"), ("north", "Nord")]), "nn")
    assert found.scores["P@1"] == 50
    assert found.scores["MRR"] == pytest.approx(100 * (1 / 3 + 1) / 2)  # Ost, Süd (280 degrees), null


def test_unknown_retrieval(spaces):
    with pytest.raises(InputError, match="unknown retrieval 'cosine'"):
        evaluate(*spaces, Lexicon([("east", "Ost")]), "cosine")


def test_json(spaces):
    value = json.loads(json.dumps(evaluate(*spaces, Lexicon([("east", "Ost"), ("up", "oben")])).as_json()))
    assert value["coverage"] == 50
    assert value["scores"] == {"P@1": 100, "P@5": 100, "P@10": 100, "MRR": 100}
    assert value["intervals"]["MRR"] == {"low": 100, "high": 100}


@pytest.mark.parametrize("criterion", ["csls", "nn"])
def test_translate(spaces, criterion):
    assert translate(*spaces, ["west", "East", "west"], criterion) == ["West", "Ost", "West"]
    with pytest.raises(InputError, match="'up' is not in the source vocabulary"):
        translate(*spaces, ["west", "up"], criterion)


# ---- ranks, bands, parts of speech


def ranks_of(*ranks: int | None, src_rows: list[int | None] | None = None, lexicon: str = "test") -> WordRanks:
    words = [f"w{i}" for i in range(len(ranks))]
    return WordRanks(lexicon, "csls", words, src_rows or list(range(len(ranks))), list(ranks))


def test_ranks_by_word(spaces):
    lexicon = Lexicon([("east", "Ost"), ("north", "Ost"), ("up", "Ost"), ("west", "oben"), ("South", "Süd")], "a.txt")
    found = rank_words(*spaces, lexicon, "nn")
    assert found.words == ["east", "north", "up", "west", "South"]
    assert found.src_rows == [0, 1, None, 2, 3]
    assert found.ranks == [1, 2, None, None, 1]
    assert (found.lexicon, found.retrieval, found.n_covered) == ("a.txt", "nn", 3)
    assert scores_of(found) == evaluate(*spaces, lexicon, "nn")
    assert json.loads(json.dumps(found.as_json()))["ranks"] == [1, 2, None, None, 1]


def test_bands_equal_scores_of_their_words(noisy_pair):
    turned = noisy_pair.src.transformed(lambda matrix: matrix @ noisy_pair.rotation)
    lexicon = Lexicon([*noisy_pair.lexicon.pairs, ("s7", "nothing"), ("nothing", "t1")])
    found = by_band(rank_words(turned, noisy_pair.trg, lexicon), [20, 50, 500], seed=3)
    assert list(found) == ["1-20", "21-50", "51-500", "501-"]
    assert found["501-"] is None
    for name, words in (("1-20", range(20)), ("21-50", range(20, 50)), ("51-500", range(50, 200))):
        part = Lexicon([pair for pair in lexicon.pairs if pair[0] in {f"s{i}" for i in words}])
        assert found[name] == evaluate(turned, noisy_pair.trg, part, seed=3)
    shares = [band.scores["P@1"] * band.n_covered for band in found.values() if band]
    assert sum(shares) / 200 == pytest.approx(evaluate(turned, noisy_pair.trg, lexicon).scores["P@1"])


def test_band_ends_and_words_without_rows():
    found = by_band(ranks_of(1, 2, None, None, 1, src_rows=[0, 1, 2, None, 10**6]), [1, 2])
    assert {name: band and (band.n_words, band.n_covered) for name, band in found.items()} == {
        "1-1": (1, 1),
        "2-2": (1, 1),
        "3-": (2, 1),
    }
    assert found["3-"].with_oov_as_errors["P@1"] == 50


@pytest.mark.parametrize("ends", [[], [5, 5], [10, 5], [0, 5]])
def test_unusable_bands(ends):
    with pytest.raises(InputError, match=r"^bands \[.*\]: give growing ranks"):
        by_band(ranks_of(1), ends)


def test_parts_of_speech(spaces):
    parts = {
        "n": Lexicon([("east", "Ost"), ("north", "West"), ("north", "oben")]),
        "pn": Lexicon([("north", "Nord"), ("south", "West")]),
        "nw": Lexicon([("up", "oben")]),
    }
    found = by_part_of_speech(*spaces, parts, "nn", seed=2)
    assert list(found) == ["n", "pn", "nw", "all", "without pn", "without pn, nw"]
    assert found["nw"] is None
    assert {name: (s.n_words, s.n_covered, s.scores["P@1"]) for name, s in found.items() if s} == {
        "n": (2, 2, 50),
        "pn": (2, 2, 50),
        "all": (4, 3, pytest.approx(200 / 3)),  # north has Nord and West here
        "without pn": (3, 2, 50),
        "without pn, nw": (2, 2, 50),
    }
    assert found["n"] == evaluate(*spaces, parts["n"], "nn", seed=2)
    assert list(by_part_of_speech(*spaces, {"n": parts["n"]})) == ["n", "all"]


def test_no_part_can_be_tested(spaces):
    with pytest.raises(InputError, match="^all: none of its 1 source words can be tested"):
        by_part_of_speech(*spaces, {"n": Lexicon([("up", "oben")])})
    with pytest.raises(InputError, match="no parts of a lexicon"):
        by_part_of_speech(*spaces, {})


def test_reading_parts_of_speech(tmp_path):
    with pytest.raises(InputError, match=r"holds none of test\.\{n,v,a,o,pn,nw\}\.txt"):
        read_parts_of_speech(tmp_path)
    (tmp_path / "test.pn.txt").write_text("paris\tParis\n", encoding="utf-8")
    (tmp_path / "test.n.txt").write_text("house\tHaus\nhouse\tHause\n", encoding="utf-8")
    (tmp_path / "test.x.txt").write_text("not one of them\n", encoding="utf-8")
    found = read_parts_of_speech(tmp_path)
    assert list(found) == ["n", "pn"]
    assert found["n"].pairs == [("house", "Haus"), ("house", "Hause")]
    (tmp_path / "test.v.txt").write_text("go\tgehen\nhave\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"test\.v\.txt:2: expected source word"):
        read_parts_of_speech(tmp_path)


# ---- several lexicons, both directions


@pytest.mark.parametrize("criterion", ["csls", "nn", "isf"])
def test_many_equal_one_by_one(noisy_pair, criterion):
    turned = noisy_pair.src.transformed(lambda matrix: matrix @ noisy_pair.rotation)
    pairs = noisy_pair.lexicon.pairs
    lexicons = [Lexicon(pairs[:50], "one"), Lexicon([*pairs[40:120], ("s41", "t3"), ("s0", "nothing")], "two")]
    found = evaluate_many(turned, noisy_pair.trg, lexicons, criterion, seed=1)
    assert [(f.lexicon, f.direction) for f in found] == [
        ("one", "forward"),
        ("two", "forward"),
        ("one (reversed)", "backward"),
        ("two (reversed)", "backward"),
    ]
    for one, lexicon in zip(found[:2], lexicons, strict=True):
        assert one.scores == evaluate(turned, noisy_pair.trg, lexicon, criterion, seed=1)
    for one, lexicon in zip(found[2:], lexicons, strict=True):
        assert one.scores == evaluate(noisy_pair.trg, turned, lexicon.reversed(), criterion, seed=1)
        assert one.ranks == rank_words(noisy_pair.trg, turned, lexicon.reversed(), criterion)
    forward = evaluate_many(turned, noisy_pair.trg, lexicons, criterion, both_directions=False, seed=1)
    assert forward == found[:2]
    assert json.loads(json.dumps(found[3].as_json()))["direction"] == "backward"


def test_own_lexicons_for_the_way_back(spaces):
    back = Lexicon([("Nord", "north"), ("Ost", "west")], "de-en")
    found = evaluate_many(*spaces, [Lexicon([("east", "Ost")], "en-de")], "nn", backward=[back])
    assert [(f.lexicon, f.direction, f.scores.scores["P@1"]) for f in found] == [
        ("en-de", "forward", 100),
        ("de-en", "backward", 50),
    ]


def test_many_refusals(spaces):
    with pytest.raises(InputError, match="no lexicon is given"):
        evaluate_many(*spaces, [])
    with pytest.raises(InputError, match="^bad: none of its 1 source words"):
        evaluate_many(*spaces, [Lexicon([("east", "Ost")]), Lexicon([("up", "oben")], "bad")])


# ---- two mappings


def random_ranks(seed: int, n: int = 300, better: float = 0.0) -> WordRanks:
    rng = np.random.default_rng(seed)
    ranks = np.where(rng.random(n) < 0.3 + better, 1, rng.integers(1, 40, size=n))
    return ranks_of(*ranks.tolist())


@pytest.mark.parametrize(("better", "metric"), [(0, "P@1"), (0.1, "P@1"), (0.1, "P@5"), (0.3, "P@10")])
def test_p_value_equals_scipys_binomial_test(better, metric):
    stats = pytest.importorskip("scipy.stats")
    found = compare(random_ranks(0), random_ranks(1, better=better), metric)
    expected = stats.binomtest(found.n_better, found.n_better + found.n_worse, 0.5).pvalue
    assert found.p_value == pytest.approx(expected, rel=1e-9)
    assert found.test == "exact"
    assert found.first == scores_of(random_ranks(0)).scores[metric]
    assert found.difference == pytest.approx(found.second - found.first)
    assert found.difference == pytest.approx(100 * (found.n_better - found.n_worse) / 300)


@pytest.mark.parametrize("n", [2, 6, 11])
def test_exact_p_value_of_mrr_equals_scipys_permutation_test(n):
    stats = pytest.importorskip("scipy.stats")
    first, second = random_ranks(0, n), random_ranks(3, n)
    found = compare(first, second, "MRR")
    pair = [1 / np.array(ranks.ranks) for ranks in (first, second)]
    expected = stats.permutation_test(
        (pair[1] - pair[0],), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert found.test == "exact"
    assert found.p_value == pytest.approx(min(1, expected.pvalue), rel=1e-9)


@pytest.mark.parametrize("better", [0, 0.08])
def test_sampled_p_value_of_mrr_is_near_scipys(better):
    stats = pytest.importorskip("scipy.stats")
    first, second = random_ranks(0), random_ranks(1, better=better)
    found = compare(first, second, "MRR")
    differences = 1 / np.array(second.ranks) - 1 / np.array(first.ranks)
    expected = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(5)
    )
    assert found.test == "sampled"
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.02)
    assert compare(first, second, "MRR", seed=0) == found


def test_interval_of_the_difference_equals_scipys_bootstrap():
    stats = pytest.importorskip("scipy.stats")
    first, second = random_ranks(0), random_ranks(1, better=0.1)
    found = compare(first, second)
    hits = [(np.array(ranks.ranks) == 1).astype(float) for ranks in (first, second)]
    expected = stats.bootstrap(
        (hits[1] - hits[0],), np.mean, method="percentile", n_resamples=5000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (100 * expected.low, 100 * expected.high), abs=1.5
    )
    assert found.interval.low < found.difference < found.interval.high


def test_exact_test_by_enumeration():
    """Five words better, one worse: 2 (C(6,5) + C(6,6)) / 2^6."""
    first, second = ranks_of(2, 2, 2, 2, 2, 1, 1, 3), ranks_of(1, 1, 1, 1, 1, 2, 1, 3)
    found = compare(first, second)
    assert (found.n_better, found.n_worse, found.p_value) == (5, 1, 2 * 7 / 64)
    assert compare(second, first).difference == -found.difference == -50


def test_a_mapping_against_itself():
    for metric in METRICS:
        found = compare(random_ranks(0), random_ranks(0), metric)
        assert (found.difference, found.p_value, found.n_better, found.interval.low) == (0, 1, 0, 0)


def test_many_discordant_words():
    found = compare(ranks_of(*[2] * 4000, *[1] * 3000), ranks_of(*[1] * 4000, *[2] * 3000))
    assert 0 < found.p_value < 1e-20
    assert compare(ranks_of(*[2] * 4000), ranks_of(*[1] * 4000), "MRR").p_value == pytest.approx(1 / 10_001)


def test_words_that_one_side_lacks_are_left_out():
    found = compare(ranks_of(1, None, 2, None), ranks_of(2, 1, 1, None))
    assert (found.n_words, found.first, found.second) == (2, 50, 50)
    with pytest.raises(InputError, match="no source word is covered by both"):
        compare(ranks_of(None, 1), ranks_of(1, None))


def test_unusable_comparisons():
    with pytest.raises(InputError, match="a and b have other source words"):
        compare(ranks_of(1, lexicon="a"), ranks_of(1, 2, lexicon="b"))
    with pytest.raises(InputError, match="unknown metric 'MAP': choose P@1, P@5, P@10, MRR"):
        compare(ranks_of(1), ranks_of(1), "MAP")
    with pytest.raises(InputError, match="^test: none of its 2 source words"):
        scores_of(ranks_of(None, None))
    assert json.loads(json.dumps(compare(ranks_of(1), ranks_of(2)).as_json()))["p_value"] == 1


# ---- real data


@pytest.mark.slow
def test_muse_english_german(shared_data):
    """P@1 of this split, as VecMap's and MUSE's own scripts have it on these vectors."""
    src, trg = (read_vectors(shared_data / "vectors" / f"mix.{lang}.vec.gz") for lang in ("en", "de"))
    lexicons = shared_data / "bli" / "muse" / "en-de"
    mapping = fit(src, trg, read_lexicon(lexicons / "en-de.0-5000.txt"))
    src, trg = mapping.map_src(src), mapping.map_trg(trg)
    test = read_lexicon(lexicons / "en-de.5000-6500.txt")
    for criterion, expected in (("csls", 16.90), ("nn", 12.95)):
        found = evaluate(src, trg, test, criterion)
        assert (found.n_words, found.n_covered) == (1500, 1166)
        assert found.scores["P@1"] == pytest.approx(expected, abs=0.1)
