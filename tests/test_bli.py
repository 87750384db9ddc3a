from __future__ import annotations

import json

import numpy as np
import pytest
import reference

from xlembed.alignment.procrustes import fit
from xlembed.bli import evaluate, translate
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
