import pytest

from comparisons.report.base import Table
from comparisons.report.values import number_columns, sort_value


@pytest.mark.parametrize(
    "text, value",
    [
        ("82.0 [81.2, 82.7] ±0.8", 82.0), ("+5.1", 5.1), ("-3.4 (not clear)", -3.4), ("−2", -2.0), ("10,000", 10000.0),
        ("8 min 38 s", 518.0), ("1 h 02 min", 3720.0), ("45.3 s", 45.3), ("2 min 05 s (3 min 01 s)", 125.0),
        ("0.37 M", 370000.0), ("1.5 GiB", 1.5 * 2**30), ("120 MB", 120e6), ("94.8 % of 1,500", 94.8), ("9 of 10", 9.0),
        (".5", 0.5), ("-0.0", 0.0), ("—", None), ("", None), ("no vectors", None), ("1st", None), ("2b", None),
        ("P@1", None),
    ],
)  # fmt: skip
def test_sort_value(text, value):
    assert sort_value(text) == value


def test_columns_of_figures_may_hold_reasons_and_dashes():
    rows = [
        ["a", "1.0", "no vectors", "—", "x 1"],
        ["1", "—", "no vectors", "—", "2"],
        ["2", "2", "no vectors", "—", "y"],
        ["3", "3", "4.0", "—", "z"],
    ]
    assert number_columns(Table(["0", "1", "2", "3", "4"], rows)) == [False, True, True, False, False]
    assert number_columns(Table(["a", "b"], [])) == [False, False]
