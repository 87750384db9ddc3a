import json

import made_summary as made
import numpy as np
import pytest
from scipy import stats
from small_experiment import experiment_text, write_data
from tiny_encoders import save_tiny

from comparisons.across import across_languages, across_task
from comparisons.executor import Run
from comparisons.experiment import read_experiment
from comparisons.summary import shared_targets

LANGS = ["de", "es", "fr", "hi", "ru", "sw", "tr", "zh"]


def summary_of(values, types=None, source=70.0, n_langs=8):
    """A summary of one task; `values`: system -> gap by language, a gap of None is no score."""
    task = made.task("xnli", ["en", *LANGS[:n_langs]])
    systems = [made.system(name, (types or {}).get(name, "static")) for name in values]
    scores = [
        made.score(task, name, lang, source - gap)
        for name, gaps in values.items()
        for lang, gap in zip(task["languages"], [0.0, *gaps], strict=True)
        if gap is not None
    ]
    found = made.summary([task], systems, scores)
    ran = {name: [one["lang"] for one in scores if one["system"] == name] for name in values}
    targets = shared_targets("en", ran)
    by_key = {(one["system"], one["lang"]): one["figures"]["accuracy"]["value"] for one in scores}
    able = {name: made.figure(float(np.mean([by_key[name, lang] for lang in targets])))
            for name in values if targets and set(targets) <= set(ran[name])}  # fmt: skip
    names = list(able)
    found["averages"] = [{
        "task": "xnli", "targets": targets, "systems": able,
        "differences": [{"system": later, "other": earlier,
                         **mean_difference(able[later]["value"] - able[earlier]["value"])}
                        for i, earlier in enumerate(names) for later in names[i + 1 :]],
    }]  # fmt: skip
    return found | {"bli": []}


def mean_difference(value):
    figure = made.figure(value)
    return {"figure": figure, "with_seeds": None, "is_clear": figure["low"] > 0 or figure["high"] < 0}


def task_of(summary, facts=None):
    return across_task(summary, summary["experiment"]["tasks"][0], facts or {})


def facts_of(system, **columns):
    return {(system, lang): {name: column[i] for name, column in columns.items()} for i, lang in enumerate(LANGS)}


def test_a_planted_correlation_is_found_and_a_random_one_is_not():
    rng = np.random.default_rng(0)
    gaps = list(rng.uniform(1, 20, size=8))
    planted, random = [3 * gap + 1 for gap in gaps], list(rng.normal(size=8))
    found = task_of(summary_of({"a": gaps}), facts_of("a", planted=planted, random=random))
    by_fact = {one["fact"]: one for one in found["correlations"]}
    assert by_fact["planted"]["rho"] == pytest.approx(1) and by_fact["planted"]["p_holm"] < 0.001
    assert by_fact["random"]["p_holm"] > 0.05
    assert by_fact["random"]["rho"] == pytest.approx(stats.spearmanr(random, gaps).statistic)
    assert {(one["system"], one["what"], one["n"]) for one in found["correlations"]} == {("a", "gap", 8)}


def test_p_is_corrected_for_all_systems_and_facts_of_the_task():
    rng = np.random.default_rng(3)
    values = {name: list(rng.uniform(1, 20, size=8)) for name in ("a", "b")}
    facts = {}
    for name in values:
        facts |= facts_of(name, **{f"fact{i}": list(rng.normal(size=8)) for i in range(5)})
    found = task_of(summary_of(values), facts)["correlations"]
    assert len(found) == 10
    least = min(found, key=lambda one: one["p"])
    assert least["p_holm"] == pytest.approx(min(1, 10 * least["p"]))


def test_random_facts_are_rarely_called_clear():
    rng = np.random.default_rng(7)
    clear = 0
    for _ in range(100):
        gaps = list(rng.uniform(1, 20, size=6)) + [None, None]
        columns = {f"fact{i}": list(rng.normal(size=8)) for i in range(4)}
        found = task_of(summary_of({"a": gaps}), facts_of("a", **columns))["correlations"]
        clear += any(one["p_holm"] <= 0.05 for one in found)
    assert clear <= 10, "5 of 100 are allowed for by the level"


def test_languages_without_a_score_or_a_fact_are_left_out():
    gaps = [1.0, 2.0, None, 4.0, 5.0, 6.0, 7.0, 8.0]
    facts = facts_of("a", known=[1, None, 3, 4, 5, 6, 7, 9], rare=[1, 2, 3, None, None, None, None, None],
                     never=[None] * 8)  # fmt: skip
    found = task_of(summary_of({"a": gaps}), facts)
    assert [(one["fact"], one["n"]) for one in found["correlations"]] == [("known", 6)]
    assert found["too_few"] == [{"system": "a", "fact": "rare", "n": 2}]
    assert "fr" not in found["outcomes"]["a"]["values"] and found["facts"]["a"]["de"]["known"] == 1


def test_under_four_languages_nothing_is_computed():
    found = task_of(summary_of({"a": [1.0, 2.0, 3.0]}, n_langs=3), facts_of("a", x=list(range(8))))
    assert found["correlations"] == [] and found["too_few"] == [{"system": "a", "fact": "x", "n": 3}]
    one = task_of(summary_of({"a": [1.0]}, n_langs=1))
    assert one["correlations"] == one["too_few"] == [] and one["ranking"][0]["best"] == one["ranking"][0]["worst"]


def test_a_run_within_one_language_has_no_ranking():
    found = task_of(summary_of({"a": []}, n_langs=0))
    assert (found["ranking"], found["outcomes"], found["correlations"]) == ([], {}, [])


def test_a_fact_that_all_languages_share_has_no_rho_and_no_share_in_the_correction():
    found = task_of(summary_of({"a": [5.0, 3.0, 8.0, 1.0, 9.0, 2.0, 7.0, 4.0]}),
                    facts_of("a", alike=[1.0] * 8, other=[5, 3, 8, 1, 9, 2, 7, 4]))["correlations"]  # fmt: skip
    alike, other = found
    assert alike["rho"] is None and "p_holm" not in alike and other["p_holm"] == other["p"]


def test_ranking_goes_by_the_mean_of_the_shared_targets():
    found = task_of(summary_of({"a": [10.0] * 8, "b": [4.0, 6.0] * 4, "few": [1.0] + [None] * 7}))
    assert found["targets"] == LANGS
    assert [(one["place"], one["system"]) for one in found["ranking"]] == [(1, "b"), (2, "a")]
    first, last = found["ranking"]
    assert first["mean"]["value"] == 65 and first["gap"] == 5 and first["with_source"] == pytest.approx((70 + 520) / 9)
    assert (first["best"], first["worst"]) == ("de", "es"), "the first of equals"
    assert first["apart_from_next"] and last["apart_from_next"] is None


def test_neighbours_whose_difference_holds_0_are_not_apart():
    found = task_of(summary_of({"a": [5.0] * 8, "b": [5.5] * 8}))["ranking"]
    assert [one["system"] for one in found] == ["a", "b"] and found[0]["apart_from_next"] is False


def test_floors_and_ceilings_are_ranked_but_not_correlated():
    summary = summary_of({"floor": [36.0] * 8, "a": [5.0] * 8, "own": [1.0] * 8}, {"floor": "majority"})
    summary["experiment"]["systems"][2]["own_models"] = True
    found = task_of(summary)
    assert list(found["outcomes"]) == ["a"] and [one["system"] for one in found["ranking"]] == ["own", "a", "floor"]


def test_without_a_figure_for_the_source_the_score_takes_the_place_of_the_gap():
    summary = summary_of({"a": [5.0, 3.0, 8.0, 1.0, 9.0, 2.0, 7.0, 4.0]})
    summary["scores"] = [one for one in summary["scores"] if one["lang"] != "en"]
    found = task_of(summary, facts_of("a", x=[5, 3, 8, 1, 9, 2, 7, 4]))
    assert found["outcomes"]["a"]["what"] == "score" and found["correlations"][0]["rho"] == pytest.approx(-1)
    assert found["ranking"][0]["gap"] is found["ranking"][0]["with_source"] is None


# ---- with a run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    data, folder = write_data(tmp_path_factory.mktemp("mirror")), tmp_path_factory.mktemp("run")
    encoder = save_tiny("bert", tmp_path_factory.mktemp("bert"))
    (folder / "e.toml").write_text(experiment_text(encoder), encoding="utf-8")
    return Run(read_experiment(folder / "e.toml"), folder / "out", lambda name: data / name)


def small_summary():
    tasks = [made.task("names", ["en", "de"], "ner"), made.task("pairs", ["en", "de"])]
    systems = [made.system("floor", "majority"), made.system("static"), made.system("tiny", "encoder")]
    scores = [made.score(task, one["name"], lang, 60.0 - 5 * (lang == "de"))
              for task in tasks for one in systems for lang in ("en", "de")]  # fmt: skip
    averages = [{"task": task["name"], "targets": ["de"],
                 "systems": {one["name"]: made.figure(55.0) for one in systems},
                 "differences": [{"system": b, "other": a, **mean_difference(0.0)}
                                 for a, b in (("floor", "static"), ("floor", "tiny"), ("static", "tiny"))]}
                for task in tasks]  # fmt: skip
    bli = [{"system": "static", "lang": "de", "retrieval": "csls", "scores": {"P@1": 90.0}}]
    return made.summary(tasks, systems, scores) | {"averages": averages, "bli": bli}


def test_a_run_brings_its_facts(run):
    found = across_languages(small_summary(), run)
    assert json.loads(json.dumps(found)) == found == across_languages(small_summary(), run)
    assert [one["name"] for one in found["languages"]] == ["German"] and found["source"] == "en"
    names, pairs = found["tasks"]
    assert set(names["facts"]) == {"static", "tiny"}
    static, tiny = names["facts"]["static"]["de"], names["facts"]["tiny"]["de"]
    assert static["bli_p1"] == 90 and static["relational_similarity"] == pytest.approx(1, abs=1e-5)
    assert static["distance"] == tiny["distance"] == 2 / 15 and "cc100_gib" not in static
    assert tiny["cc100_gib"] == 66.6 and 0 < tiny["subword_tokens"] < 100
    assert tiny["subword_tokens"] != pairs["facts"]["tiny"]["de"]["subword_tokens"]
    assert names["correlations"] == [] and {one["n"] for one in names["too_few"]} == {1}
