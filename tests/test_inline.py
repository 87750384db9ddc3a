import pytest

from comparisons.report.inline import (
    cell_to_html,
    cell_to_markdown,
    cell_to_tex,
    heading_to_markdown,
    paragraph_to_html,
    paragraph_to_markdown,
    paragraph_to_text,
    plain,
)

TOKENS = ["<script>", "a|b", "*x*", "**x**", "`x`", "_x_", "a_b", "[a](b)", "&lt;", "& co", "$1$", "~~x~~", "\\*",
          "C:\\dir", "back\\", "3 * 4 * 5", "\"'", "!", "#"]  # fmt: skip


def test_the_little_markdown_becomes_html_and_is_escaped():
    assert paragraph_to_html("**a** *b* `c<d` & <script>") == (
        "<strong>a</strong> <em>b</em> <code>c&lt;d</code> &amp; &lt;script&gt;"
    )
    assert paragraph_to_html("3 * 4 * 5") == "3 * 4 * 5"
    assert paragraph_to_html("**a `b` c**") == "<strong>a <code>b</code> c</strong>"
    assert paragraph_to_html(r"\*a\* \<b>") == "*a* &lt;b&gt;"


@pytest.mark.parametrize("token", TOKENS)
def test_data_in_a_paragraph_stands_for_itself(token):
    import html

    told = f"**Failed**: {plain(token)} and *more*"
    assert html.unescape(paragraph_to_html(told)) == f"<strong>Failed</strong>: {token} and <em>more</em>"
    assert paragraph_to_text(told) == f"Failed: {token} and more"


@pytest.mark.parametrize("token", TOKENS)
def test_data_in_markdown_stands_for_itself_to_a_commonmark_parser(token):
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable(["table", "strikethrough"])

    def shown(text):
        inline = next(one for one in markdown.parse(text) if one.type == "inline")
        assert {one.type for one in inline.children} <= {"text", "text_special"}, text
        return "".join(one.content for one in inline.children)

    assert shown(f"x {paragraph_to_markdown(plain(token))} y") == f"x {token} y"
    assert shown(f"## {heading_to_markdown(f'x {token}')}") == f"x {token}"
    if token != "`x`":
        assert shown(f"| {cell_to_markdown(token)} |\n|---|\n") == token


def test_markup_of_a_paragraph_stays_in_markdown_but_no_tag_begins():
    assert paragraph_to_markdown("**a** `<b>` <i> \\<u>") == "**a** `<b>` \\<i> \\<u>"


def test_cells_are_letter_for_letter_but_for_code():
    assert cell_to_html("`ab12`") == "<code>ab12</code>"
    assert cell_to_html("**a** `b`") == "**a** `b`"
    assert cell_to_markdown("`a|b`") == "`a\\|b`"
    assert cell_to_tex("`a_b`") == r"\texttt{a\_b}"


def test_line_breaks_become_spaces_everywhere():
    for write in (plain, cell_to_html, cell_to_markdown, cell_to_tex, heading_to_markdown):
        assert write("a\nb\u2028c\td\0e") == "a b c d e"


def test_text_from_right_to_left_is_set_apart():
    assert plain("עברית") == "\u2068עברית\u2069"
    assert plain("\u202eabc") == "\u2068\u202eabc\u2069", "an override too, for it would turn what follows"
    assert plain("abc") == "abc"
    assert cell_to_tex(plain("עברית")) == "עברית"


def test_latex_reads_nothing_as_its_own():
    assert cell_to_tex("50 % & #1_{x}^2 $~") == r"50 \% \& \#1\_\{x\}\textasciicircum{}2 \$\textasciitilde{}"
    assert cell_to_tex("\\input{x}") == r"\textbackslash{}input\{x\}"
    assert cell_to_tex("[5pt]") == "{}[5pt]" and cell_to_tex("*") == "{}*", "an option of the line end before it"
    assert cell_to_tex("a--b --- c") == "a-{}-b -{}-{}- c"
    assert cell_to_tex("±1 → 2 …") == r"$\pm$1 $\to$ 2 \dots{}"
