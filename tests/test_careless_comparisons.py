"""Each error that a careless comparison makes, planted: it is refused, or counted and shown."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from baselines.corpora import NLI_LABELS, SentencePair
from baselines.predictions import RunSettings, make_predictions, read_predictions, write_predictions
from comparisons.scores import corrected, difference, score_cells, score_systems, shuffles_for
from xlembed.errors import InputError

PAIRS = [SentencePair(f"p{i}", f"h{i}", NLI_LABELS[i % 3]) for i in range(300)]


def predict(pairs=PAIRS, share=0.7, seed=1, system="a", split="test", **settings):
    """Right with a probability of `share`."""
    rng = np.random.default_rng(seed)
    labels = [p.label if rng.random() < share else NLI_LABELS[(NLI_LABELS.index(p.label) + 1) % 3] for p in pairs]
    run = RunSettings("xnli", "nli", system, "de", split, seed, settings)
    return make_predictions(run, pairs, labels)


def test_other_gold_is_refused():
    relabelled = [replace(PAIRS[0], label="neutral"), *PAIRS[1:]]
    with pytest.raises(InputError, match="texts, labels or their order differ"):
        difference(score_cells([predict()]), score_cells([predict(relabelled, system="b")]))
    with pytest.raises(InputError, match="a and b on xnli de were scored against different gold"):
        score_systems([[predict()], [predict(relabelled, system="b")]])


def test_the_same_gold_in_another_order_is_refused():
    with pytest.raises(InputError, match="their order differ"):
        difference(score_cells([predict()]), score_cells([predict(PAIRS[::-1], system="b")]))


def test_another_split_is_refused():
    with pytest.raises(InputError, match="different splits .test, dev."):
        difference(score_cells([predict()]), score_cells([predict(split="dev", system="b")]))


def test_a_part_of_the_test_set_is_refused():
    with pytest.raises(InputError, match="300 and 200 items"):
        difference(score_cells([predict()]), score_cells([predict(PAIRS[:200], system="b")]))


def test_seeds_on_different_gold_are_not_averaged():
    with pytest.raises(InputError, match="its seeds have different gold"):
        score_cells([predict(), predict(PAIRS[:200], seed=2)])


def test_one_seed_against_three_is_counted():
    three = score_cells([predict(seed=seed, system="b") for seed in (1, 2, 3)])
    found = difference(three, score_cells([predict(seed=9)]))
    assert found.notes == ["3 seeds against 1"]
    assert found.with_seeds is not None and found.mcnemar is None
    widths = [one.high - one.low for one in (found.with_seeds, found.figure)]
    assert widths[0] > widths[1]  # what another seed might have given is in it


def test_a_lucky_seed_is_no_clear_win():
    """The items alone tell the two apart, the seeds do not."""
    good, bad = predict(share=0.9, seed=1, system="b"), predict(share=0.55, seed=2, system="b")
    found = difference(score_cells([good, bad]), score_cells([predict(share=0.6, seed=3)]))
    assert found.figure.low > 0 and found.p < 0.05
    assert found.with_seeds.low < 0 and not found.is_clear


def test_swapped_labels_show_in_the_confusion_and_under_chance():
    swap = {"entailment": "contradiction", "contradiction": "entailment", "neutral": "neutral"}
    right = predict(share=0.95)
    swapped = replace(right, predicted=[swap[label] for label in right.predicted])
    found = score_cells([swapped]).score
    assert found.main.value < 100 / 3 + 5
    assert any("label names look mixed up: contradiction mostly stands for entailment" in flag for flag in found.flags)
    assert not score_cells([right]).score.flags


def test_truncated_predictions_are_refused(tmp_path):
    path = tmp_path / "p.jsonl"
    write_predictions(path, predict())
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-40]), encoding="utf-8")
    with pytest.raises(InputError, match="holds 260 items, its header says 300"):
        read_predictions(path)
    header = json.loads(lines[0]) | {"n": 260}  # the header made to agree
    path.write_text(json.dumps(header) + "\n" + "".join(lines[1:-40]), encoding="utf-8")
    with pytest.raises(InputError, match="300 and 260 items"):
        difference(score_cells([predict(system="b")]), score_cells([read_predictions(path)]))


def test_ties_are_no_difference():
    one = score_cells([predict()])
    found = difference(one, score_cells([predict(system="b")]))
    assert (found.figure.value, found.p, found.mcnemar) == (0, 1.0, 1.0)
    assert not found.is_clear


def test_many_comparisons_are_paid_for():
    """20 systems of one quality: without correction about one pair in twenty seems to differ."""
    scored = [score_cells([predict(share=0.6, seed=seed, system=f"s{seed}")]) for seed in range(7)]
    found = [difference(a, b) for i, a in enumerate(scored) for b in scored[:i]]
    adjusted = corrected(found)
    assert all(new.p_holm >= old.p for new, old in zip(adjusted, found, strict=True))
    assert sum(one.p <= 0.05 for one in found) >= 1
    assert not any(one.is_clear for one in adjusted)


def test_pairs_of_one_premise_count_once():
    """The same 100 items given three times each with one premise: the interval is that of 100 items."""
    alone = [SentencePair(f"p{i}", "h", NLI_LABELS[i % 3]) for i in range(100)]
    thrice = [replace(pair, hypothesis=f"h{k}") for pair in alone for k in range(3)]
    few, many = predict(alone), predict(alone)
    many = make_predictions(many.run, thrice, [label for label in many.predicted for _ in range(3)])
    widths = [one.high - one.low for one in (score_cells([few]).score.main, score_cells([many]).score.main)]
    assert widths[0] == pytest.approx(widths[1], rel=0.05)
    assert "100 groups" in score_cells([many]).score.signature["interval"]


def test_a_seed_that_failed_is_named():
    seeds = [predict(share=share, seed=seed) for seed, share in enumerate((0.8, 0.8, 0.3))]
    assert any("far under the others" in flag for flag in score_cells(seeds).score.flags)
    assert any("collapsed in training" in flag for flag in score_cells([predict(collapsed=True)]).score.flags)
    assert asdict(score_cells(seeds).score)["seed_median"] > 70


@pytest.mark.parametrize("n", [1, 250, 600, 5000])
def test_a_large_table_can_still_find_a_difference(n):
    smallest = 1 / (shuffles_for(n) + 1)
    assert n * smallest <= 0.05


def test_groups_may_have_any_numbers():
    plain = make_predictions(predict().run, [replace(p, premise=f"p{i // 3}") for i, p in enumerate(PAIRS)],
                             predict().predicted)  # fmt: skip
    odd = replace(plain, groups=[10**11 + 1000 * group for group in plain.groups])
    found, expected = score_cells([odd]).score, score_cells([plain]).score
    assert found.main == expected.main and "over 100 groups" in found.signature["interval"]
