import random

import pytest
from small_summary import figure, small_summary

from comparisons.report.cost import front_sections
from comparisons.report.pareto import Point, cost_points, cost_unit, pareto, shared_targets, without_cost


def brute_force(points):
    """Names that no other point beats."""
    def beats(one, other):
        return one[1] <= other[1] and one[2] >= other[2] and one[1:] != other[1:]

    return {p[0] for p in points if not any(beats(q, p) for q in points)}


@pytest.mark.parametrize("seed", range(60))
def test_front_is_what_no_other_beats(seed):
    rng = random.Random(seed)
    points = [(f"s{i}", float(rng.randrange(6)), float(rng.randrange(6))) for i in range(rng.randrange(12))]
    front = pareto(points)
    assert set(front) == brute_force(points) and len(front) == len(set(front))
    by_name = {name: (cost, score) for name, cost, score in points}
    assert [by_name[name] for name in front] == sorted(by_name[name] for name in front), "cheapest first"


def with_dutch():
    """The static system has Dutch too."""
    summary = small_summary()
    summary["scores"].append({**summary["scores"][0], "lang": "nl"})
    summary["averages"][0]["systems"] = {"static": figure(61.0), "e5": figure(70.0)}
    return summary, summary["experiment"]["tasks"][0]


def test_score_is_the_mean_of_the_targets_and_cost_all_that_it_takes():
    summary, task = with_dutch()
    assert cost_points(summary, task) == [Point("static", 75.2 + 2 * 2.0, 61.0), Point("e5", 75.2 + 2 * 2.0, 70.0)]
    assert shared_targets(summary, task) == ["nl"] and cost_unit(summary, task) == "seconds"


def test_a_system_without_the_targets_has_no_point():
    summary = small_summary()
    assert [p.name for p in cost_points(summary, summary["experiment"]["tasks"][0])] == ["e5"]


def test_a_system_whose_cost_is_unknown_is_named_not_placed():
    summary, task = with_dutch()
    for one in summary["scores"]:
        if one["system"] == "e5":
            one["cost"] = {}
    assert [p.name for p in cost_points(summary, task)] == ["static"] and without_cost(summary, task) == ["e5"]
    [section] = front_sections(summary, {})
    assert "Not placed, since what it costs is not known: e5." in section.paragraphs[0]


def test_without_targets_the_source_counts():
    summary, task = with_dutch()
    summary["averages"][0] |= {"targets": [], "systems": {}}
    assert cost_points(summary, task) == [Point("static", 77.2, 60.0), Point("e5", 77.2, 80.0)]


@pytest.mark.parametrize("facts", [{"translate": {"direction": "train", "route": "words"}}, {"own_models": True}])
def test_a_model_a_language_is_trained_for_each(facts):
    summary, task = with_dutch()
    summary["experiment"]["systems"][0] |= facts
    assert cost_points(summary, task)[0].cost == pytest.approx(2 * 75.2 + 2 * 2.0)


def test_processor_time_is_used_where_all_have_it():
    summary, task = with_dutch()
    for one in summary["scores"]:
        one["cost"] = one["cost"] | {"train_cpu_seconds": 100.0, "predict_cpu_seconds": 3.0}
    assert cost_unit(summary, task) == "processor seconds"
    assert {point.cost for point in cost_points(summary, task)} == {106.0}
    del summary["scores"][0]["cost"]["train_cpu_seconds"]
    assert cost_unit(summary, task) == "seconds"
    assert {point.cost for point in cost_points(summary, task)} == {75.2 + 4.0}


def test_a_system_of_unknown_cost_has_no_point_and_does_not_settle_the_unit():
    summary, task = with_dutch()
    for one in summary["scores"]:
        one["cost"] = {} if one["system"] == "static" else one["cost"] | {"train_cpu_seconds": 9.0,
                                                                          "predict_cpu_seconds": 1.0}  # fmt: skip
    assert cost_unit(summary, task) == "processor seconds"
    assert cost_points(summary, task) == [Point("e5", 11.0, 70.0)]
