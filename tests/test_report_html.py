"""report.html in a real browser without a window: Chromium, driven by playwright. Skipped where there is none."""

import base64
import hashlib
import os
import re
import shutil

import pytest
from small_summary import small_summary
from test_fuzz import hostile_summary

from comparisons.report.base import Section, Table
from comparisons.report.page import html_page, policy, slugs, style_text
from comparisons.report.pictures import svg_cost, svg_task
from comparisons.report.writing import _environment, write_reports
from xlembed.files import write_json, write_text

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "chromium-headless-shell")
NASTY = ["<script>window.hit = 1</script>", "<img src=x onerror=window.hit=1>", "'\"><svg onload=window.hit=1>",
         "</style><style>body{display:none}</style>", "</script>", "a|b `c` *d* **e**", "javascript:alert(1)",
         "{{7*7}}", "<!--", "&lt;b&gt;", "\u202eعربي", "two\nlines", "w" * 300]  # fmt: skip
SIZES = ["10,000", "—", "+5.1", "-2", "8 min 38 s", "82.0 [81.2, 82.7] ±0.8", "no vectors"]
SORTED = ["-2", "+5.1", "82.0 [81.2, 82.7] ±0.8", "8 min 38 s", "10,000"]


def sections():
    sizes = Table(["name", "size", "what"], [[f"n{i}", size, f"Text {i}"] for i, size in enumerate(SIZES)])
    tokens = Table(["token", *NASTY[:3]], [[token] * 4 for token in NASTY])
    wide = Table(["system", *[f"column {i}" for i in range(20)]], [["x" * 30] + ["12.3 [11.1, 13.3]"] * 20] * 2)
    return [
        Section("Sizes", ["A paragraph."], sizes),
        Section("results", ["**Bars** and `code`."], Table(["a"], [["1"]]), "A note.", "bars.png", "bars"),
        Section("costs", NASTY, None, NASTY[0], "cost.png", "cost"),
        *[Section(token, [token], tokens if i == 0 else None, token) for i, token in enumerate(NASTY)],
        Section("Wide", [], wide),
    ]


def page_text():
    summary = small_summary()
    task = summary["experiment"]["tasks"][0]
    svgs = {"bars.png": svg_task(summary, task), "cost.png": svg_cost(summary, task)}
    return html_page(_environment(None), NASTY[0], sections(), svgs)


def executable(playwright):
    """A browser of the system, or the one that playwright brought."""
    own = playwright.chromium.executable_path
    return next(filter(None, map(shutil.which, BROWSERS)), None) or (own if os.path.exists(own) else None)


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        path = executable(playwright)
        if path is None:
            pytest.skip("no Chromium here: apt install chromium, or playwright install chromium")
        with playwright.chromium.launch(executable_path=path) as started:
            yield started


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_text(path, page_text())
    return path


@pytest.fixture
def opened(browser, file):
    """A function that opens the page; at the end, nothing may have been complained of, nothing fetched."""
    pages, told = [], []

    def open_page(path=file, **options):
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}} | options)
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: told.append(request.url) if not request.url.startswith("file:") else None)
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert told == []


def column(page, heading, number):
    return page.eval_on_selector_all(f"section[aria-labelledby={heading}] tbody tr",
                                     f"rows => rows.map(row => row.cells[{number}].textContent)")  # fmt: skip


def test_policy_names_the_hashes_of_what_is_in_the_page():
    text = page_text()
    told = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    for tag in ("style", "script"):
        inner = re.search(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)[1]
        wanted = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{wanted}'" in told
    assert told.startswith("default-src 'none'") and "unsafe" not in told
    assert policy("a", "b") != policy("a", "c") and style_text() == style_text()


def test_anchors_are_one_each():
    assert slugs(["A b: c!", "a-b-c", "עברית", "中文", "report", ""]) == [
        "a-b-c", "a-b-c-2", "section", "section-2", "report-2", "section-3"]  # fmt: skip


def test_a_real_report_opens_without_a_complaint(opened, tmp_path):
    write_json(tmp_path / "summary.json", small_summary())
    write_reports(tmp_path, ("html",))
    page = opened(tmp_path / "report.html")
    assert page.title() == "A <title> & more"
    assert page.locator("main svg").count() == 3 and page.locator("main table").count() > 5


def test_nothing_from_data_runs_and_all_of_it_is_shown(opened):
    page = opened()
    assert page.evaluate("window.hit") is None
    assert page.locator("script").count() == page.locator("style").count() == 1
    assert page.locator("main img, main script, main b").count() == 0
    shown = column(page, slugs([s.heading for s in sections()])[3], 1)
    assert shown == [" ".join(token.split("\n")) for token in NASTY]
    assert page.locator("h1").text_content() == NASTY[0]


def test_a_whole_report_of_hostile_texts_runs_nothing_and_fetches_nothing(opened, tmp_path):
    write_json(tmp_path / "summary.json", hostile_summary())
    write_reports(tmp_path, ("html",))
    page = opened(tmp_path / "report.html")
    assert page.evaluate("typeof hit") == "undefined" and page.locator("script").count() == 1
    assert page.locator("main img, main a[href]:not([href^='#'])").count() == 0
    assert "<script>hit()</script>" in page.title()


def test_what_would_get_in_is_stopped_by_the_policy(browser, file):
    """The net under the escaping: a script, a handler and an outside image put into the page do nothing."""
    broken = file.with_name("broken.html")
    bad = "<script>window.hit = 1</script><p onclick='window.hit = 1'>x</p><img src='https://example.org/x.png'>"
    write_text(broken, file.read_text("utf-8").replace("<h1>", bad + "<h1>"))
    page, stopped, fetched = browser.new_page(), [], []
    page.on("console", lambda message: stopped.append(message.text))
    page.on("requestfinished", lambda request: fetched.append(request.url))
    page.goto(broken.as_uri())
    page.locator("p", has_text="x").first.click()
    assert page.evaluate("window.hit") is None
    assert len([text for text in stopped if "Content Security Policy" in text]) >= 3
    assert [url for url in fetched if not url.startswith("file:")] == []
    page.close()


def test_a_click_sorts_by_number_then_the_other_way_then_as_it_was(opened):
    page = opened()
    head = page.locator("section[aria-labelledby=sizes] th", has_text="size")
    button = head.locator("button")
    button.click()
    assert column(page, "sizes", 1) == [*SORTED, "—", "no vectors"] and head.get_attribute("aria-sort") == "ascending"
    button.click()
    assert column(page, "sizes", 1) == [*SORTED[::-1], "—", "no vectors"], "what is no number stays last"
    assert head.get_attribute("aria-sort") == "descending"
    button.click()
    assert column(page, "sizes", 1) == SIZES and head.get_attribute("aria-sort") is None


def test_sorting_by_keyboard_and_by_text(opened):
    page = opened()
    button = page.locator("section[aria-labelledby=sizes] th", has_text="what").locator("button")
    button.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    assert column(page, "sizes", 2) == [f"Text {i}" for i in range(len(SIZES))][::-1]
    assert page.locator("th[aria-sort]").count() == 1


def test_without_scripts_the_tables_are_there_and_have_no_buttons(opened):
    page = opened(java_script_enabled=False)
    assert page.locator("main table").count() == 4 and page.locator("main button").count() == 0


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_the_page_does_not_scroll_sideways_its_tables_do(opened, width):
    page = opened(viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("section[aria-labelledby=wide] .scroll")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth && box.tabIndex === 0")


def test_contents_are_folded_on_a_phone_and_lead_to_every_section(opened):
    assert opened(viewport={"width": 360, "height": 800}).locator("nav details[open]").count() == 0
    page = opened()
    assert page.locator("nav details[open]").count() == 1
    follow = "links => links.map(link => document.getElementById(link.hash.slice(1)).tagName)"
    targets = page.eval_on_selector_all("nav a", follow)
    assert targets == ["H2"] * len(sections())


def test_light_dark_and_paper(opened):
    colours = {}
    for scheme in ("light", "dark"):
        page = opened(color_scheme=scheme)
        colours[scheme] = page.evaluate("""() => [document.body, ...document.querySelectorAll("svg text, svg rect")]
            .map(one => getComputedStyle(one)).map(style => [style.color, style.backgroundColor, style.fill])
        """)
    assert all(light != dark for light, dark in zip(colours["light"], colours["dark"], strict=True))
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)", "paper is white"
    assert not page.locator("nav").is_visible()


def test_a_reader_who_does_not_see_finds_the_way(opened):
    page = opened()
    levels = page.eval_on_selector_all("h1, h2, h3", "all => all.map(one => Number(one.tagName[1]))")
    assert levels[0] == 1 and set(levels[1:]) == {2}
    assert page.locator("svg:not([role=img][aria-label]), img:not([alt])").count() == 0
    assert page.locator("thead th:not([scope=col]), tbody tr > :first-child:not(th[scope=row])").count() == 0
    assert page.locator("table:not(:has(caption))").count() == 0
    assert page.evaluate("document.documentElement.lang") == "en"
    ids = page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))
    names = page.eval_on_selector_all("[tabindex='0'], nav", "all => all.map(one => one.getAttribute('aria-label'))")
    assert all(names)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "report"


def test_text_stands_out_in_both_modes(opened):
    """WCAG AA, 4.5 to 1, of every element with text of its own against the page."""
    measure = """() => {
        const parts = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number).map(c => c / 255)
            .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        const light = colour => { const [r, g, b] = parts(colour); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const page = light(getComputedStyle(document.body).backgroundColor);
        return Math.min(...[...document.querySelectorAll("body *")]
            .filter(one => [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
            .filter(one => !["STYLE", "SCRIPT"].includes(one.tagName)).map(one => {
                const style = getComputedStyle(one);
                const [a, b] = [light(one.closest("svg") ? style.fill : style.color), page].sort((x, y) => x - y);
                return (b + 0.05) / (a + 0.05);
            }));
    }"""
    for scheme in ("light", "dark"):
        assert opened(color_scheme=scheme).evaluate(measure) >= 4.5, scheme


@pytest.mark.parametrize("options", [{"color_scheme": "light"}, {"color_scheme": "dark"},
                                     {"viewport": {"width": 360, "height": 800}}])  # fmt: skip
def test_axe_finds_nothing_to_blame(opened, options):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(opened(**options)).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
