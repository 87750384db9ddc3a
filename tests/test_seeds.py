from __future__ import annotations

import numpy as np
import pytest

from xlembed.errors import InputError
from xlembed.lexicon import identical_strings
from xlembed.seeds import cognates, near_words, numerals, seed
from xlembed.vectors import WordVectors


def vectors_of(*words: str) -> WordVectors:
    return WordVectors(list(words), np.eye(len(words), dtype=np.float32))


def levenshtein(one: str, other: str) -> int:
    """Wagner and Fischer 1974, the whole table."""
    table = [[i + j if i == 0 or j == 0 else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            change = table[i - 1][j - 1] + (one[i - 1] != other[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, change)
    return table[-1][-1]


def naive_near(src: list[str], trg: list[str], most: float) -> dict[tuple[int, int], float]:
    table = {
        (i, j): levenshtein(one, other) / max(len(one), len(other))
        for i, one in enumerate(src)
        for j, other in enumerate(trg)
    }
    return {pair: distance for pair, distance in table.items() if distance <= most}


def random_words(n: int, letters: str, longest: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(letters), size=rng.integers(1, longest + 1))) for _ in range(n)]


@pytest.mark.parametrize("most", [0, 0.25, 0.3, 0.5, 0.8])
@pytest.mark.parametrize(("src_letters", "trg_letters", "longest"), [("ab", "abc", 10), ("aeérs", "aersß", 14)])
def test_near_words_equal_all_pairs(monkeypatch, most, src_letters, trg_letters, longest):
    monkeypatch.setattr("xlembed.seeds._BLOCK_NUMBERS", 300)
    src, trg = random_words(60, src_letters, longest, 0), random_words(50, trg_letters, longest, 1)
    rows, distances = near_words(src, trg, most)
    found = dict(zip(map(tuple, rows.tolist()), distances.tolist(), strict=True))
    assert len(found) == len(rows)
    assert found == pytest.approx(naive_near(src, trg, most))


def test_words_of_63_letters():
    long = "abcdefg" * 9
    rows, distances = near_words([long, "x"], [long, long[:-1] + "x", long[1:], "x" * 63], 0.1)
    assert rows.tolist() == [[0, 0], [0, 1], [0, 2]]
    assert distances == pytest.approx([0, 1 / 63, 1 / 63])


def test_no_words():
    assert near_words([], ["abc"], 0.5)[0].shape == near_words(["abc"], [], 0.5)[0].shape == (0, 2)
    assert near_words(["abc"], ["xyz"], 0.5)[0].shape == (0, 2)


def test_cognates_are_mutual_bests_by_hand():
    src = vectors_of("music", "electric", "Nation", "nations", "cat", "2000s", "musics")
    trg = vectors_of("Musik", "elektrik", "musik", "nation", "katze", "nationen", "2000s")
    # music-Musik 1/5; electric-elektrik 2/8; Nation-nation 0; nations-nation 1/7 loses nation to Nation;
    # musics-Musik 2/6
    found = cognates(src, trg)
    assert found.pairs == [("music", "Musik"), ("electric", "elektrik"), ("Nation", "nation")]
    assert found.name == "cognates"
    assert cognates(src, trg, most=0).pairs == [("Nation", "nation")]
    assert cognates(src, trg, least_length=6).pairs == [("electric", "elektrik"), ("Nation", "nation")]
    assert cognates(src, trg, n=1).pairs == [("music", "Musik")]


def test_cognates_equal_all_pairs():
    src = list(dict.fromkeys(random_words(80, "abcd", 9, 2)))
    trg = list(dict.fromkeys(random_words(80, "abcd", 9, 3)))
    src_long, trg_long = ([word for word in words if len(word) >= 4] for words in (src, trg))
    near = naive_near(src_long, trg_long, 0.4)
    ranked = sorted(near, key=lambda pair: (near[pair], pair[1]))
    best_trg = {i: next(j for k, j in ranked if k == i) for i, _ in ranked}
    ranked = sorted(near, key=lambda pair: (near[pair], pair[0]))
    best_src = {j: next(i for i, k in ranked if k == j) for _, j in ranked}
    expected = [(src_long[i], trg_long[j]) for i, j in sorted(best_trg.items()) if best_src[j] == i]
    assert len(expected) > 10
    assert cognates(vectors_of(*src), vectors_of(*trg), most=0.4).pairs == expected


def test_ties_go_to_the_more_frequent_word():
    assert cognates(vectors_of("hasen", "hosen"), vectors_of("husen", "hisen")).pairs == [("hasen", "husen")]


def test_no_cognates():
    with pytest.raises(InputError, match="hold no cognates"):
        cognates(vectors_of("house"), vectors_of("Katze"))
    with pytest.raises(InputError, match="hold no cognates"):
        cognates(vectors_of("the", "1999"), vectors_of("the", "1999"))
    with pytest.raises(InputError, match="distance is 1: it must be at least 0 and below 1"):
        cognates(vectors_of("house"), vectors_of("Haus"), most=1)


def test_numerals():
    src = vectors_of("1984", "the", "7", "1,000", "٣", "2nd", "42")
    trg = vectors_of("the", "7", "1984", "1,000", "٣", "2nd", "40")
    assert numerals(src, trg).pairs == [("1984", "1984"), ("7", "7")]
    with pytest.raises(InputError, match="share no numeral"):
        numerals(src, trg, n=2)


def test_by_name():
    src, trg = vectors_of("1984", "nation", "the"), vectors_of("the", "1984", "nacion")
    assert seed("identical", src, trg) == identical_strings(src, trg)
    assert seed("numerals", src, trg).pairs == [("1984", "1984")]
    assert seed("cognates", src, trg).pairs == [("nation", "nacion")]
    with pytest.raises(InputError, match="unknown seed 'random': choose identical, numerals, cognates"):
        seed("random", src, trg)
