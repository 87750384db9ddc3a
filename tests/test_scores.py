import numpy as np
import pytest

from baselines.corpora import NLI_LABELS, SentencePair
from baselines.metrics import score
from baselines.predictions import RunSettings, make_predictions
from comparisons.scores import difference, mean_difference, mean_values, score_cells, transfer_gap
from xlembed.errors import InputError


def predictions(system, seed, accuracy, n=400, lang="de", settings=None, shift=0):
    """Predictions that are right with a given probability, on gold that is the same for every call."""
    gold = [NLI_LABELS[(i + shift) % 3] for i in range(n)]
    rng = np.random.default_rng(seed + 1000)
    predicted = [g if rng.random() < accuracy else NLI_LABELS[(NLI_LABELS.index(g) + 1) % 3] for g in gold]
    items = [SentencePair(f"p{i}", "h", g) for i, g in enumerate(gold)]
    run = RunSettings("xnli", "nli", system, lang, seed=seed, settings=settings or {}, cost={"train_seconds": seed})
    return make_predictions(run, items, predicted)


def test_a_score_is_the_mean_over_seeds():
    cells = [predictions("a", seed, 0.6) for seed in (1, 2, 3)]
    found = score_cells(cells).score
    by_hand = [score("nli", c.gold, c.predicted)["accuracy"] for c in cells]
    assert found.main.value == pytest.approx(np.mean(by_hand))
    assert found.seed_sd == pytest.approx(np.std(by_hand, ddof=1))
    assert [v["accuracy"] for v in found.by_seed.values()] == pytest.approx(by_hand)
    assert found.cost["train_seconds"] == 2
    assert score_cells(cells[:1]).score.seed_sd is None


def test_an_interval_is_as_wide_as_theory_says():
    """One seed, accuracy p over n items: the half-width is 1.96 sqrt(p (1 - p) / n)."""
    main = score_cells([predictions("a", 1, 0.6)]).score.main
    p = main.value / 100
    expected = 196 * np.sqrt(p * (1 - p) / 400)
    assert (main.high - main.low) / 2 == pytest.approx(expected, rel=0.1)
    assert main.low < main.value < main.high


def test_differences_are_paired():
    a, b = score_cells([predictions("a", 1, 0.9)]), score_cells([predictions("b", 2, 0.5)])
    found = difference(a, b)
    assert found.figure.value == pytest.approx(a.score.main.value - b.score.main.value)
    assert found.is_clear and found.figure.low > 20
    same = difference(a, a)
    assert (same.figure.value, same.figure.low, same.figure.high) == (0, 0, 0)
    assert not same.is_clear


def test_scores_against_different_gold_are_never_compared():
    a, b = score_cells([predictions("a", 1, 0.9)]), score_cells([predictions("b", 2, 0.5, shift=1)])
    with pytest.raises(InputError, match="not compared: scored against different gold"):
        difference(a, b)
    with pytest.raises(InputError, match="its seeds have different gold"):
        score_cells([predictions("a", 1, 0.9), predictions("a", 2, 0.9, shift=1)])


def test_the_gap_is_source_minus_target():
    source = score_cells([predictions("a", 1, 0.9, lang="en")])
    target = score_cells([predictions("a", 1, 0.5, lang="de")])
    gap = transfer_gap(target, source)
    assert gap.value == pytest.approx(source.score.main.value - target.score.main.value)
    assert gap.low < gap.value < gap.high


def test_a_mean_over_languages_is_no_surer_than_its_seeds():
    """Over the items alone 3 points are clear; seeds that lie 30 points apart say that they are not."""
    wide = [score_cells([predictions("a", seed, share, lang=lang, n=3000) for seed, share in ((1, 0.8), (2, 0.5))])
            for lang in ("de", "es")]  # fmt: skip
    narrow = [score_cells([predictions("b", 3, 0.6, lang=lang, n=3000)]) for lang in ("de", "es")]
    found = mean_difference(wide, narrow)
    assert found.figure.low > 0 and found.with_seeds.low < 0 and not found.is_clear
    same = mean_difference(narrow, narrow)
    assert same.with_seeds is None and not same.is_clear
    low = [score_cells([predictions("b", 3, 0.1, lang=lang, n=3000)]) for lang in ("de", "es")]
    assert mean_difference(wide, low).is_clear


def test_seeds_move_the_languages_of_a_mean_together():
    """One training serves all languages: their mean spreads over seeds as one language does."""
    cells = [[predictions("a", seed, share, lang=lang, n=4000, shift=shift) for seed, share in ((1, 0.9), (2, 0.5))]
             for shift, lang in enumerate(("de", "es", "fr"))]  # fmt: skip
    languages = [score_cells(one) for one in cells]
    spread = [np.std(mean_values(some, seed=1)) for some in (languages[:1], languages)]
    assert spread[1] == pytest.approx(spread[0], rel=0.05)
    over_items = [np.std(mean_values(some)) for some in (languages[:1], languages)]
    assert over_items[1] == pytest.approx(over_items[0] / 3**0.5, rel=0.1)


def test_parallel_languages_move_together_wherever_they_stand():
    gold = predictions("a", 1, 0.6)
    other, one, same = (score_cells([predictions("a", 1, 0.6, lang=lang, shift=shift)])
                        for lang, shift in (("en", 1), ("de", 0), ("es", 0)))  # fmt: skip
    assert gold.gold != predictions("a", 1, 0.6, shift=1).gold
    pair = mean_values([other, one, same])
    expected = np.std(other.values) ** 2 + (2 * np.std(one.values)) ** 2
    assert 3 * np.std(pair) == pytest.approx(expected**0.5, rel=0.05)


def test_the_least_p_that_shuffles_can_give_is_called_a_bound():
    good, bad = score_cells([predictions("a", 1, 0.9)]), score_cells([predictions("b", 2, 0.5)])
    assert difference(good, bad).p_is_bound and not difference(good, good).p_is_bound


def test_a_collapsed_seed_is_flagged_but_a_floor_is_not():
    gold = [NLI_LABELS[i % 3] for i in range(30)]
    items = [SentencePair(f"p{i}", "h", g) for i, g in enumerate(gold)]

    def constant(settings):
        run = RunSettings("xnli", "nli", "a", "de", seed=2, settings=settings, cost={"train_seconds": 1})
        return make_predictions(run, items, ["neutral"] * 30)

    assert score_cells([constant({})]).score.flags == ["seed 2 predicts one label only"]
    assert score_cells([constant({"system_type": "majority"})]).score.flags == []
