"""report.tex: the tables of a report for LaTeX with booktabs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from comparisons.report.base import Section, Table
from comparisons.report.inline import cell_to_tex, paragraph_to_text
from comparisons.report.page import slugs
from comparisons.report.values import number_columns

_LONG = 40  # characters; a column with a longer cell breaks its lines
_WIDE = 130  # characters of a row; a wider table stands sideways
_LINES = 40  # of a table; a longer one goes on in another, for a float cannot go on over pages
_PER_LINE = 28  # characters of a line of a column that breaks its lines
_HEAD = r"""% Tables of a report, for \input{report}. Needs \usepackage{booktabs}. With graphicx a table wider than the
% page is shrunk to it, with rotating a very wide one stands sideways. Letters outside Latin need XeLaTeX or LuaLaTeX.
\providecommand{\resizebox}[3]{#3}
"""
_SHRUNK = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def latex_tables(sections: Sequence[Section]) -> str:
    """The text of report.tex."""
    names = slugs([section.heading for section in sections])
    tables = [one for section, name in zip(sections, names, strict=True) for one in _tables(section, name)]
    return "\n".join([_HEAD, *tables])


def _tables(section: Section, name: str) -> Iterator[str]:
    """The table of a section, in pieces where it is long; what the section says of it in comments."""
    if section.table is None:
        return
    comments = [f"% {paragraph_to_text(text)}\n" for text in (*section.paragraphs, section.note) if text]
    caption = cell_to_tex(section.heading)
    for number, rows in enumerate(_pieces(section.table), start=1):
        if number == 1:
            yield "".join(comments) + _table(section.table, rows, caption, name)
        else:
            yield _table(section.table, rows, f"{caption} (continued)", f"{name}-{number}")


def _pieces(table: Table) -> list[list[list[str]]]:
    """The rows in pieces that a page holds; one piece for a table without rows."""
    pieces: list[list[list[str]]] = [[]]
    taken = 0
    for row in table.rows:
        lines = max(-(-len(cell) // _PER_LINE) if len(cell) > _LONG else 1 for cell in row)
        if taken + lines > _LINES and pieces[-1]:
            pieces.append([])
            taken = 0
        pieces[-1].append(row)
        taken += lines
    return pieces


def _table(table: Table, rows: Sequence[Sequence[str]], caption: str, label: str) -> str:
    begin, end = _float(table)
    lines = [
        begin,
        r"\centering\small",
        rf"\caption{{{caption}.}}",
        rf"\label{{tab:{label}}}",
        _SHRUNK,
        rf"\begin{{tabular}}{{{_columns(table)}}}",
        r"\toprule",
        _row(table.header),
        r"\midrule",
        *[_row(row) for row in rows],
        r"\bottomrule",
        r"\end{tabular}}",
        end,
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cell_to_tex(cell) for cell in cells) + r" \\"


def _columns(table: Table) -> str:
    """Numbers to the right, text to the left, long text in lines."""
    longest = _longest(table)
    return "".join(
        "r" if is_number else r"p{0.3\linewidth}" if longest[i] > _LONG else "l"
        for i, is_number in enumerate(number_columns(table))
    )


def _float(table: Table) -> tuple[str, str]:
    """Where the package rotating is loaded, a very wide table stands sideways."""
    if sum(min(n, _LONG) for n in _longest(table)) <= _WIDE:
        return r"\begin{table}[htbp]", r"\end{table}"
    return (r"\ifdefined\sidewaystable\begin{sidewaystable}\else\begin{table}[htbp]\fi",
            r"\ifdefined\sidewaystable\end{sidewaystable}\else\end{table}\fi")  # fmt: skip


def _longest(table: Table) -> list[int]:
    """Characters of each column's longest cell."""
    return [max(len(row[i]) for row in [table.header, *table.rows]) for i in range(len(table.header))]
