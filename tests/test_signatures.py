from dataclasses import asdict

import pytest

from baselines.corpora import TaggedSentence
from baselines.predictions import RunSettings, make_predictions
from comparisons.scores import score_cells
from comparisons.signatures import signature_line, unlike, why_not_comparable

SENTENCES = [TaggedSentence(("Anna", "sings"), ("B-PER", "O")), TaggedSentence(("Köln",), ("B-LOC",))] * 5
GOLD = [item.gold for item in SENTENCES]


def score(
    seeds=(1,), items=SENTENCES, system="a", task="wikiann", lang="de", split="test", settings=None, version="0.1.0"
):
    cells = []
    for seed in seeds:
        run = RunSettings(task, "ner", system, lang, split, seed, settings or {"n_train": 100, "key": str(seed)}, {},
                          {"xlembed": version})  # fmt: skip
        cells.append(make_predictions(run, items, [item.gold for item in items]))
    return asdict(score_cells(cells).score)


def test_the_line_tells_what_was_scored_and_how():
    line = score(seeds=(1, 2))["signature_line"]
    assert "\n" not in line
    fields = dict(field.split(":", 1) for field in line.split("|")[1:])
    assert line.startswith("wikiann/de|")
    assert fields["split"] == "test" and fields["n"] == "10" and fields["seeds"] == "1,2"
    assert fields["metric"] == "span-f1/default" and fields["interval"] == "bca-10000" and fields["xlembed"] == "0.1.0"
    assert fields["gold"] == score()["signature"]["gold_sha256"][:12]


@pytest.mark.parametrize(
    "change",
    [{"seeds": (2,)}, {"system": "b"}, {"split": "dev"}, {"settings": {"n_train": 99}}, {"version": "0.2.0"},
     {"items": SENTENCES[1:]}, {"lang": "es"}],
)  # fmt: skip
def test_what_differs_shows_in_the_line(change):
    assert score(**change)["signature_line"] != score()["signature_line"]
    assert signature_line(score()) == signature_line(score())


@pytest.mark.parametrize(
    ("change", "why"),
    [({"split": "dev"}, "different splits"), ({"items": SENTENCES[:-1]}, "10 and 9 items"),
     ({"items": SENTENCES[::-1]}, "texts, labels or their order differ"), ({"lang": "es"}, "different languages"),
     ({"task": "masakhaner"}, "different tasks")],
)  # fmt: skip
def test_why_two_scores_are_not_compared(change, why):
    assert why in why_not_comparable(score(), score(**change))


def test_what_may_be_compared_though_not_made_alike():
    assert why_not_comparable(score(), score(seeds=(1, 2, 3), system="b")) is None
    assert unlike(score(), score(seeds=(1, 2, 3))) == ["1 seed against 3"]
    outside = score(seeds=(None,), settings={"system_type": "predictions"})
    assert unlike(outside, score(seeds=(1, 2, 3))) == ["1 seed against 3"]  # one of which it is not told
    assert not unlike(score(seeds=(None,), settings={"system_type": "majority"}), score(seeds=(1, 2, 3)))
    assert unlike(score(), score(settings={"n_train": 2000})) == ["100 against 2,000 training items"]
    assert unlike(score(), score(version="0.2.0")) == ["made by different versions of xlembed"]
    assert unlike(score(), score()) == []


def test_measured_times_are_no_settings():
    def line(seconds):
        return score(settings={"curve": [{"dev": 1.0, "seconds": seconds}], "translate": {"de": {"seconds": seconds}}})

    assert line(1.0)["signature_line"] == line(2.0)["signature_line"]
