"""The text of a report in each format: the little markdown that sections use, and data shown letter for letter.

Paragraphs and notes of a section are a little markdown: **strong**, *emphasis*, `code`, and a backslash before a
character that is to stand for itself. Headings and cells of tables are shown letter for letter, but a cell that is
wholly `code` is code. `plain` is for data (names, tokens, reasons) inside a paragraph.
"""

from __future__ import annotations

import html
import re
import unicodedata

_SPECIAL = re.compile(
    r"""\\(?=[!-/:-@\[-`{-~])   # a backslash that would be one for markdown
    | [*`<$]
    | (?<!\w)_ | _(?!\w)        # an underscore inside a word is nothing to markdown
    | ~(?=~) | (?<=\])\(        # struck out; a link
    | &(?=\#?\w+;)              # a character's name in HTML
    """,
    re.VERBOSE,
)
_MARKED = re.compile(
    r"""\\(?P<literal>[!-/:-@\[-`{-~])
    | `(?P<code>[^`\n]+)`
    | \*\*(?=\S)(?P<strong>(?:\\.|[^*\\])+)(?<=\S)\*\*
    | (?<![\w*\\])\*(?=[^\s*])(?P<em>(?:\\.|[^*\\])+)(?<=\S)\*(?![\w*])
    """,
    re.VERBOSE,
)
_WHOLE_CODE = re.compile(r"`[^`\n]+`")
_TAG_OR_LINK = re.compile(r"(?<!\\)<|(?<=\])[(\[:]")
_ISOLATES = re.compile("[\u2066-\u2069]")  # one in data could end the isolate that it is set in
_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "`": r"\textasciigrave{}",
    "±": r"$\pm$", "ρ": r"$\rho$", "—": "---", "–": "--", "−": "$-$", "→": r"$\to$", "×": r"$\times$",
    "≥": r"$\geq$", "≤": r"$\leq$", "…": r"\dots{}", "·": r"$\cdot$",
    "\u00a0": "~", "\u2060": "{}", **dict.fromkeys("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", ""),
}  # fmt: skip


def plain(text: str) -> str:
    """Data as it has to be written into a paragraph, so that each of its characters stands for itself.

    Line breaks and other control characters become spaces; text with right-to-left letters is set apart by Unicode's
    isolates, so that it does not turn the words around it.
    """
    text = _SPECIAL.sub(lambda found: "\\" + found[0], _ISOLATES.sub("", one_line(text)))
    return f"\u2068{text}\u2069" if _has_right_to_left(text) else text


def paragraph_to_markdown(text: str) -> str:
    """A paragraph for a markdown file, in one line: as it is, but for what would begin a tag, a link or a picture."""
    parts = re.split(r"(`[^`\n]+`)", one_line(text).strip())
    return "".join(part if i % 2 else _TAG_OR_LINK.sub(r"\\\g<0>", part) for i, part in enumerate(parts))


def heading_to_markdown(text: str) -> str:
    """A heading's text; number signs at its end are no end of a heading."""
    return re.sub(r" (#+)\s*$", r" \\\1", plain(text))


def cell_to_markdown(text: str) -> str:
    """A cell of a table; a bar inside it does not end it."""
    text = one_line(text)
    return (text if _is_code(text) else plain(text)).replace("|", "\\|")


def paragraph_to_html(text: str) -> str:
    """A paragraph as HTML, escaped."""
    text, made, place = one_line(text), [], 0
    for found in _MARKED.finditer(text):
        made.append(html.escape(text[place : found.start()]))
        made.append(_marked_html(found))
        place = found.end()
    return "".join([*made, html.escape(text[place:])])


def _marked_html(found: re.Match[str]) -> str:
    kind = str(found.lastgroup)
    if kind == "literal":
        return html.escape(found[kind])
    inner = html.escape(found[kind]) if kind == "code" else paragraph_to_html(found[kind])
    return f"<{kind}>{inner}</{kind}>"


def cell_to_html(text: str) -> str:
    """A cell of a table as HTML, escaped."""
    text = one_line(text)
    return paragraph_to_html(text) if _is_code(text) else html.escape(text)


def cell_to_tex(text: str) -> str:
    """A cell or a heading for LaTeX."""
    text = one_line(text)
    if _is_code(text):
        return rf"\texttt{{{cell_to_tex(text[1:-1])}}}"
    unjoined = re.sub("-(?=-)", "-\u2060", text)  # two hyphens are not a dash
    begin = "{}" if text[:1] in ("[", "*") else ""  # or it would be an option of the line end before it
    return begin + "".join(_TEX.get(char, char) for char in unjoined)


def paragraph_to_text(text: str) -> str:
    """A paragraph without its marks, in one line."""
    return one_line(_MARKED.sub(_marked_text, text))


def _marked_text(found: re.Match[str]) -> str:
    inner = found[str(found.lastgroup)]
    return paragraph_to_text(inner) if found.lastgroup in ("strong", "em") else inner


def one_line(text: str) -> str:
    """Line breaks and other control characters as spaces."""
    return "".join(" " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char for char in str(text))


def _is_code(text: str) -> bool:
    """Whether a cell is code as a whole; text that turns its direction is set apart instead."""
    return _WHOLE_CODE.fullmatch(text) is not None and not _has_right_to_left(text)


def _has_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(char) in ("R", "AL", "RLE", "RLO", "RLI", "LRE", "LRO") for char in text)
