import numpy as np
import pytest
from test_across import LANGS, facts_of, summary_of, task_of

from comparisons.across import OF_ALL, OF_ENCODERS
from comparisons.language_facts import OF_SPACES, known_facts
from comparisons.report.across import FACT_NAMES, sections


def across_of(summary, facts=None, langs=LANGS):
    return {"source": "en", "languages": [known_facts("en", lang) for lang in langs],
            "tasks": [task_of(summary, facts)], "isometry_words": 2000, "training_items": 20_000}  # fmt: skip


def shown(summary, facts=None, langs=LANGS, small=False):
    summary["experiment"]["small"] = small
    return {one.heading: one for one in sections(across_of(summary, facts, langs), summary)}


@pytest.fixture
def gaps():
    return list(np.random.default_rng(0).uniform(1, 20, size=8))


def test_every_table_has_rows_of_one_width(gaps):
    found = shown(summary_of({"a": gaps}), facts_of("a", distance=gaps, bli_p1=gaps))
    assert list(found) == ["The languages", "xnli: ranking over languages",
                           "xnli: the languages as the systems read them", "xnli: what the gap goes along with"]
    for one in found.values():
        assert one.table.rows and {len(row) for row in one.table.rows} == {len(one.table.header)}
        assert all(isinstance(cell, str) for row in one.table.rows for cell in row)


def test_a_planted_correlation_is_told_in_words(gaps):
    found = shown(summary_of({"a": gaps}), facts_of("a", distance=gaps))["xnli: what the gap goes along with"]
    assert found.paragraphs[0].startswith("**Told from chance after correction for 1 correlation**: a, gap with")
    assert "a, gap with typological distance, ρ +1.00 over 8 languages (p < 0.001" in found.paragraphs[0]
    assert found.table.rows[0] == ["a", "gap", "typological distance", "8", "+1.00", "< 0.001", "< 0.001", "0.74"]
    assert "a correlation names no cause" in found.paragraphs[1] and "8 languages" in found.paragraphs[1]


def test_random_facts_are_said_to_be_chance(gaps):
    rng = np.random.default_rng(1)
    facts = facts_of("a", distance=list(rng.normal(size=8)), bli_p1=list(rng.normal(size=8)))
    found = shown(summary_of({"a": gaps}), facts)["xnli: what the gap goes along with"]
    assert found.paragraphs[0].startswith("**Nothing here is told from chance** after correction for 2 correlations.")


def test_four_languages_cannot_tell_anything_from_chance():
    found = shown(summary_of({"a": [1.0, 2.0, 3.0, 4.0]}, n_langs=4), facts_of("a", distance=[1, 2, 3, 4] * 2),
                  LANGS[:4])["xnli: what the gap goes along with"]  # fmt: skip
    assert found.table.rows[0][3:] == ["4", "+1.00", "0.083", "0.083", "—"]
    assert "no ρ would do" in found.paragraphs[1]


def test_under_four_languages_the_section_says_so():
    found = shown(summary_of({"a": [1.0]}, n_langs=1), facts_of("a", distance=[1] * 8), ["de"])
    one = found["xnli: what the gap goes along with"]
    assert one.table is None and "no system ran on more than 1" in one.paragraphs[0]


def test_a_run_within_one_language_has_no_sections():
    assert shown(summary_of({"a": []}, n_langs=0), langs=[]) == {}


def test_facts_under_four_languages_are_named(gaps):
    facts = facts_of("a", distance=gaps, bli_p1=[1.0, 2.0] + [None] * 6)
    found = shown(summary_of({"a": gaps}), facts)["xnli: what the gap goes along with"]
    assert "Not computed, under 4 languages: a with BLI P@1 (CSLS) (2)." in found.paragraphs


def test_systems_that_read_alike_share_a_row(gaps):
    facts = facts_of("a", bli_p1=[50.0] * 8) | facts_of("b", bli_p1=[50.0] * 7 + [40.0])
    found = shown(summary_of({"a": gaps, "b": gaps}), facts)["xnli: the languages as the systems read them"]
    assert found.table.header == ["language", "systems", "BLI P@1 (CSLS)"]
    assert ["de", "a, b", "50.0"] in found.table.rows
    assert found.table.rows[-2:] == [["zh", "a", "50.0"], ["zh", "b", "40.0"]]


def test_ranking_shows_means_and_what_is_apart():
    found = shown(summary_of({"a": [10.0] * 8, "b": [4.0, 6.0] * 4}))["xnli: ranking over languages"]
    assert found.table.rows == [["1", "b", "65.0 [64.0, 66.0]", "65.6", "5.0", "de", "es", "yes"],
                                ["2", "a", "60.0 [59.0, 61.0]", "61.1", "10.0", "de", "de", "—"]]  # fmt: skip


def test_languages_show_what_is_known_and_what_is_not():
    found = shown(summary_of({"a": [1.0] * 8}), langs=["sw", "pcm", "xx"])["The languages"]
    assert found.table.rows == [
        ["sw", "Swahili", "Atlantic-Congo, Narrow Bantu", "Latn", "SVO", "0.62 (13)", "1.6", "35"],
        ["pcm", "Nigerian Pidgin", "Indo-European, West African Creole English", "Latn", "—", "—", "—", "—"],
        ["xx", "—", "—", "—", "—", "—", "—", "—"],
    ]
    assert "The table does not know xx." in found.paragraphs[0]


def test_pocket_data_is_said_to_be(gaps):
    found = shown(summary_of({"a": gaps}), facts_of("a", distance=gaps), small=True)
    assert any("Pocket data" in text for text in found["xnli: what the gap goes along with"].paragraphs)


def test_facts_that_do_not_vary_leave_nothing_to_tell(gaps):
    found = shown(summary_of({"a": gaps}), facts_of("a", same_script=[1.0] * 8))["xnli: what the gap goes along with"]
    assert found.paragraphs[0].startswith("No fact differs")
    assert found.table.rows[0][4:] == ["—", "—", "—", "—"]


def test_every_fact_of_a_run_has_a_name():
    assert {*OF_ALL, *OF_ENCODERS, *OF_SPACES, "bli_p1", "subword_tokens", "subword_types"} == set(FACT_NAMES)
