import csv
import itertools
from importlib import resources

import pytest

from comparisons.typology import FEATURES, LEAST_SHARED, Language, distance, language, languages

WANTED = ("ar bg de el en es fr hi ru sw th tr ur vi zh nl it pt pl fi ja ko he id ta eu et hau swa yor pcm").split()
# cldf/values.csv of WALS Online (cldf-datasets/wals, commit 014143f), language eng
ENGLISH = {
    "subject_verb": "SV",  # 82A: 1
    "object_verb": "VO",  # 83A: 2
    "adposition": "before",  # 85A: 2, prepositions
    "genitive": "both",  # 86A: 3, no dominant order
    "adjective": "before",  # 87A: 1
    "demonstrative": "before",  # 88A: 1
    "numeral": "before",  # 89A: 1
    "relative_clause": "after",  # 90A: 1
    "degree_word": "before",  # 91A: 1
    "affixing": "suffixes",  # 26A: 2
    "plural": "suffix",  # 33A: 2
    "definite": "word",  # 37A: 1
    "indefinite": "word",  # 38A: 1
    "subject_pronoun": "word",  # 101A: 1
    "negation": "word",  # 112A: 2
}


def made(code, **features):
    return Language(code, code, code, "f", "b", "Latn", None, features, None, None, "")


@pytest.mark.parametrize("code", WANTED)
def test_every_language_of_the_tasks_is_there_with_a_source(code):
    found = language(code)
    assert found.name and found.family and found.branch and len(found.script) == 4
    assert ("WALS" in found.source) == bool(found.features)
    assert ("Conneau" in found.source) == (found.cc100_gib is not None)
    assert ("dump of 2020-10-01" in found.source) == (found.wikipedia_mb is not None)


def test_codes_of_two_and_three_letters_name_one_language():
    assert language("sw") is language("swa") is language("swh")
    assert language("ar") is language("arb") and language("zh") is language("zho") is language("cmn")
    assert language("ha") is language("hau") and language("xx") is None


def test_english_is_as_wals_has_it():
    assert language("en").features == ENGLISH and language("en").word_order == "SVO"


def test_basic_word_orders_that_wals_gives_one_value():
    orders = {order: {code for code, one in languages().items() if one.word_order == order} for order in ("SOV", "VSO")}
    assert orders == {"SOV": {"eu", "hi", "ja", "ko", "ta", "tr", "ur"}, "VSO": {"ar"}}
    assert language("de").word_order == "SOV/SVO" and language("de").features["object_verb"] == "both"


def test_distance_is_the_share_of_features_that_differ_counted_from_the_file():
    text = (resources.files("comparisons") / "typology.csv").read_text(encoding="utf-8")
    rows = {row["code"]: row for row in csv.DictReader(text.splitlines())}
    assert set(FEATURES) < set(rows["en"]) and len(rows) == len(languages())
    for one, other in itertools.combinations(rows, 2):
        both = [name for name in FEATURES if rows[one][name] and rows[other][name]]
        found = distance(language(one), language(other))
        if len(both) < LEAST_SHARED:
            assert found is None
        else:
            n_unlike = sum(rows[one][name] != rows[other][name] for name in both)
            assert (found.value, found.n_features) == (n_unlike / len(both), len(both))
            assert found == distance(language(other), language(one))


def test_distances_to_english_that_one_can_count_by_hand():
    far = {code: distance(language("en"), language(code)) for code in ("en", "de", "nl", "sw")}
    assert (far["en"].value, far["en"].n_features) == (0, 15)
    assert (far["de"].value, far["de"].n_features) == (2 / 15, 15)  # object and verb, genitive
    assert (far["nl"].value, far["nl"].n_features) == (2 / 14, 14)  # the same, degree word unknown
    assert far["sw"].value > 0.5


def test_no_distance_from_a_handful_of_features():
    few = {name: "before" for name in FEATURES[: LEAST_SHARED - 1]}
    assert distance(made("a", **few), made("b", **few)) is None
    enough = few | {FEATURES[LEAST_SHARED - 1]: "before"}
    assert distance(made("a", **enough), made("b", **enough)).value == 0
    assert distance(language("en"), language("pcm")) is None


def test_cells_hold_known_words_alone():
    values = {name: {one.features[name] for one in languages().values() if name in one.features} for name in FEATURES}
    side = {"before", "after", "both"}
    assert values["subject_verb"] <= {"SV", "VS", "both"} and values["object_verb"] <= {"OV", "VO", "both"}
    for name in ("adposition", "genitive", "adjective", "demonstrative", "numeral", "relative_clause", "degree_word"):
        assert values[name] <= side
    assert values["affixing"] <= {"prefixes", "suffixes", "both", "little"}
    assert values["plural"] <= {"prefix", "suffix", "word", "other"}
    assert values["definite"] | values["indefinite"] <= {"affix", "word", "none"}
    assert values["subject_pronoun"] <= {"word", "affix", "clitic"} and values["negation"] <= {"word", "affix"}
