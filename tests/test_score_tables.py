import csv
import io
import json
from importlib.resources import files

import numpy as np
import pytest
from small_summary import small_summary

from comparisons.report.tables import COLUMNS, score_rows, write_scores

jsonschema = pytest.importorskip("jsonschema")


@pytest.fixture
def schema():
    return json.loads(files("comparisons.report").joinpath("scores.schema.json").read_text("utf-8"))


@pytest.fixture
def written(tmp_path):
    write_scores(tmp_path, small_summary())
    return json.loads((tmp_path / "scores.json").read_text("utf-8"))


def test_scores_keep_to_the_schema_and_the_schema_to_its_own(written, schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(written)
    assert len(written["scores"]) == 3 * 3, "three scores of three metrics"
    assert written["missing"] == [{"task": "wikiann", "system": "static", "lang": "nl", "why": "no vectors"}]


def test_the_schema_lists_what_is_written(schema):
    assert tuple(schema["$defs"]["score"]["properties"]) == tuple(schema["$defs"]["score"]["required"]) == COLUMNS


@pytest.mark.parametrize(
    "change",
    [{"value": 101}, {"value": "60"}, {"kind": "qa"}, {"gold_sha256": "ab"}, {"n_items": 0}, {"sd": -1},
     {"seeds": ["1"]}, {"system": ""}, {"more": 1}],
)  # fmt: skip
def test_the_schema_refuses_what_is_wrong(written, schema, change):
    written["scores"][0] |= change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(written)


def test_the_schema_refuses_a_row_without_a_figure(written, schema):
    del written["scores"][0]["low"]
    with pytest.raises(jsonschema.ValidationError, match="'low' is a required property"):
        jsonschema.Draft202012Validator(schema).validate(written)


def test_a_figure_has_its_interval_seeds_and_deviation():
    row = score_rows(small_summary())[0]
    assert (row["metric"], row["is_main"], row["value"], row["low"], row["high"]) == ("f1", True, 60.0, 58.0, 62.0)
    assert row["seeds"] == [1, 2] and row["sd"] == pytest.approx(np.std([60.0, 61.0], ddof=1))
    assert row["split"] == "test" and row["signature"] == "metric:f1|n:1234"
    other = score_rows(small_summary())[-1]
    assert (other["metric"], other["is_main"], other["sd"], other["flags"]) == ("recall", False, None, ["seed 1 fails"])


def test_what_is_not_there_is_null_not_made_up():
    summary = small_summary()
    score = summary["scores"][0]
    score["by_seed"], score["signature_line"] = {"-": score["by_seed"]["1"]}, ""
    del score["signature"]["split"]
    row = score_rows(summary)[0]
    assert (row["seeds"], row["sd"], row["signature"], row["split"]) == ([], None, None, None)


def test_csv_has_the_same_rows(tmp_path):
    summary = small_summary()
    summary["scores"][0]["system"] = 'a, "b"\nc'
    write_scores(tmp_path, summary)
    read = list(csv.DictReader(io.StringIO((tmp_path / "scores.csv").read_text("utf-8"), newline="")))
    rows = json.loads((tmp_path / "scores.json").read_text("utf-8"))["scores"]
    assert len(read) == len(rows) and tuple(read[0]) == COLUMNS
    for one, other in zip(read, rows, strict=True):
        assert one["system"] == other["system"] and float(one["value"]) == other["value"]
        assert one["seeds"].split() == [str(seed) for seed in other["seeds"]]
        assert one["is_main"] == str(other["is_main"]).lower() and one["sd"] == ("" if other["sd"] is None
                                                                              else repr(other["sd"]))  # fmt: skip
    assert read[-1]["flags"] == "seed 1 fails"


def test_the_schema_lies_beside_the_scores(written, tmp_path, schema):
    assert json.loads((tmp_path / written["$schema"]).read_text("utf-8")) == schema
