import itertools
import json
import re
import warnings
from xml.etree import ElementTree

import pytest
from small_summary import figure, score, small_summary

from comparisons.report.bars import panels, shortened
from comparisons.report.drawing import DARK, LIGHT, Dot, Drawing, Line, Rect, Text, as_svg, colour, write_png
from comparisons.report.pictures import draw_cost, draw_task, svg_cost, svg_task
from comparisons.report.scatter import scatter


def many(n, cost=lambda i: 10.0 * (i + 1), value=lambda i: 50.0 + i):
    """A summary with n systems that all have Dutch."""
    summary = small_summary()
    names = [f"system-{i}" for i in range(n)]
    summary["experiment"]["systems"] = [{"name": name, "type": "static", "note": "", "seeds": [1]} for name in names]
    summary["scores"] = [score(name, lang, value(i)) for i, name in enumerate(names) for lang in ("en", "nl")]
    for one in summary["scores"]:
        one["cost"]["train_seconds"] = cost(names.index(one["system"]))
    summary["averages"][0]["systems"] = {name: figure(value(i)) for i, name in enumerate(names)}
    return summary, summary["experiment"]["tasks"][0]


def of(kind, drawing):
    return [shape for shape in drawing.shapes if isinstance(shape, kind)]


def test_a_bar_is_as_long_as_its_figure_and_its_interval_lies_on_it():
    summary = small_summary()
    english, dutch = panels(summary, summary["experiment"]["tasks"][0])
    assert [bar.width for bar in of(Rect, english)] == pytest.approx([1 + 318 * 0.6, 1 + 318 * 0.8])
    whiskers = [line for line in of(Line, english) if line.style == "ink" and line.points[0][1] == line.points[1][1]]
    assert [x for line in whiskers for x, _ in line.points] == pytest.approx(
        [1 + 318 * percent for percent in (0.58, 0.62, 0.78, 0.82)]
    )
    assert len(of(Rect, dutch)) == 1 and "no vectors" in [text.text for text in of(Text, dutch)]


def test_all_that_a_picture_shows_is_in_its_label():
    summary = small_summary()
    dutch = panels(summary, summary["experiment"]["tasks"][0])[1]
    assert dutch.label == "wikiann, nl, span F1 (%): static no vectors; e5 70.0 [68.0, 72.0]"


def test_pocket_data_is_named_in_every_picture():
    summary = small_summary()
    summary["experiment"]["small"] = True
    task = summary["experiment"]["tasks"][0]
    assert all("pocket data" in one.label for one in [*panels(summary, task), scatter(summary, task)])
    assert all(any("pocket data" in text.text for text in of(Text, one)) for one in panels(summary, task))


def test_cost_goes_to_the_right_score_upwards_and_the_front_is_in_steps():
    costs, values = [10.0, 100.0, 1000.0], [50.0, 40.0, 70.0]
    drawing = scatter(*many(3, costs.__getitem__, values.__getitem__))
    cheap, beaten, good = of(Dot, drawing)
    assert cheap.x < beaten.x < good.x and good.y < cheap.y < beaten.y
    first, corner, end, _ = next(line for line in of(Line, drawing) if line.width == 1.5).points
    assert first == (cheap.x, cheap.y) and corner == (good.x, cheap.y) and end == (good.x, good.y)
    assert drawing.label.endswith("On the Pareto front: system-0, system-2")
    assert {text.text for text in of(Text, drawing)} >= {"system-0", "system-1", "system-2", "10 s", "10 min"}


@pytest.mark.parametrize("n", [1, 2, 8])
@pytest.mark.parametrize("spread", [0.0, 0.01, 30.0])
def test_labels_lie_over_no_dot_and_no_other_label(n, spread):
    drawing = scatter(*many(n, lambda i: 60 + spread * i, lambda i: 50.0 + spread * i / 30))
    boxes = {text.text: (text.x - {"start": 0, "middle": 0.5, "end": 1}[text.anchor] * text.width, text.y - 10,
                         text.x - {"start": 0, "middle": 0.5, "end": 1}[text.anchor] * text.width + text.width, text.y)
             for text in of(Text, drawing) if text.text.startswith("system")}  # fmt: skip
    assert len(boxes) == n
    for one, other in itertools.combinations(boxes.values(), 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    for left, top, right, bottom in boxes.values():
        assert not any(left < dot.x < right and top < dot.y < bottom for dot in of(Dot, drawing))
        assert 0 <= left and right <= drawing.width and 0 <= top and bottom <= drawing.height


@pytest.mark.parametrize("cost", [0.0, 1e9])
def test_costs_out_of_the_ordinary_have_a_place(cost):
    drawing = scatter(*many(2, lambda i: [cost, 50.0][i]))
    assert all(0 <= dot.x <= drawing.width for dot in of(Dot, drawing))


@pytest.mark.parametrize("value", [0.0, 100.0])
def test_scores_at_the_ends_have_a_place(value):
    drawing = scatter(*many(2, value=lambda i: value))
    assert all(0 <= dot.y <= drawing.height for dot in of(Dot, drawing))


def test_no_system_no_picture_of_costs(tmp_path):
    summary = small_summary()
    summary["scores"] = []
    summary["averages"][0]["systems"] = {}
    task = summary["experiment"]["tasks"][0]
    assert scatter(summary, task) is None and svg_cost(summary, task) == ""
    assert draw_cost(summary, task, tmp_path / "cost.png") is False and not list(tmp_path.iterdir())


def test_svg_is_well_formed_named_escaped_and_without_ids_or_inline_style():
    summary, task = many(3)
    summary = json.loads(json.dumps(summary).replace("system-0", "<script>&'"))
    task["name"] = "<b>\""
    for text, n in ((svg_task(summary, task), 2), (svg_cost(summary, summary["experiment"]["tasks"][0]), 1)):
        pictures = list(ElementTree.fromstring(text))
        assert len(pictures) == n
        for one in pictures:
            assert one.get("role") == "img" and len(one.get("aria-label")) > 20
            assert {shape.get("class") for shape in one} <= set(LIGHT)
        assert not re.search(r"<script|<b>| id=| style=|href", text)


def test_png_is_the_same_each_time_and_shows_any_text_as_it_is(tmp_path):
    summary, task = many(9)
    summary["experiment"]["systems"][0]["name"] = r"$\frac{x$ <b> _"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("one", "two"):
            draw_task(summary, task, tmp_path / f"{name}.png")
            assert draw_cost(summary, task, tmp_path / f"{name}.cost.png") is True
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert (tmp_path / "one.cost.png").read_bytes() == (tmp_path / "two.cost.png").read_bytes()
    assert b"Software" not in (tmp_path / "one.png").read_bytes()


def test_png_has_its_shapes_in_their_colours(tmp_path):
    image = pytest.importorskip("PIL.Image")
    shapes = (Rect(10, 10, 30, 20, "c1"), Dot(70, 20, 8, "c2"), Line(((0, 38), (100, 38)), "ink", 3))
    drawing = Drawing(100, 40, "x", shapes)
    write_png([drawing], tmp_path / "x.png")
    pixels = image.open(tmp_path / "x.png").convert("RGB")

    def at(x, y):  # half the space between pictures, then 1.5 pixels for one
        return "#" + bytes(pixels.getpixel((round((x + 12) * 1.5), round((y + 12) * 1.5)))).hex()

    assert (at(25, 20), at(70, 20), at(50, 38), at(90, 5)) == (LIGHT["c1"], LIGHT["c2"], LIGHT["ink"], LIGHT["page"])


def luminance(colour):
    """Relative luminance by WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return sum(w * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
               for w, c in zip((0.2126, 0.7152, 0.0722), channels, strict=True))  # fmt: skip


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_colours_stand_out_from_the_page(palette):
    """WCAG AA: text 4.5 to 1, other shapes 3 to 1. Links are in c0."""
    page = luminance(palette["page"])
    for name, value in palette.items():
        darker, lighter = sorted((luminance(value), page))
        least = {"page": 1, "grid": 1, "ink": 4.5, "muted": 4.5, "c0": 4.5}.get(name, 3)
        assert (lighter + 0.05) / (darker + 0.05) >= least, name


def test_more_systems_than_colours():
    assert colour(0) == colour(8) and len({colour(i) for i in range(8)}) == 8
    assert len(of(Dot, scatter(*many(12)))) == 12


def test_long_names_are_cut():
    assert shortened("abc", 3) == "abc" and shortened("abcd", 3) == "ab…"


def test_svg_of_a_drawing():
    text = as_svg(Drawing(10, 20.25, "a & b", (Text(1, 2, "<t>", "muted", "end", 11, bold=True),)))
    assert text == ('<svg viewBox="0 0 10 20.2" role="img" aria-label="a &amp; b"><text class="muted" x="1" y="2" '
                    'text-anchor="end" font-size="11" font-weight="bold">&lt;t&gt;</text></svg>')  # fmt: skip
