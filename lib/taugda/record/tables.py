"""Tables and captions as HTML, Markdown and plain text, for wherever the notebook is read.

Text is escaped; TeX between dollar signs passes through.
"""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from taugda.record.values import show_value

Rows = Sequence[Mapping[str, Any]]
Texts = Sequence[str]


# As wide as text, and nothing to the table's width: JupyterLab would set a narrow column of words.
_CAPTION = (
    '<caption style="width: 0; max-width: 0"><span style="display: block; text-align: left; '
    'width: max-content; max-width: min(46rem, calc(100vw - 2rem))">{}</span></caption>'
)


def caption(text: str) -> dict[str, str]:
    """Output bundle of a figure's caption: content by MIME type."""
    return {
        "text/html": f"<p><em>{html.escape(text, quote=False)}</em></p>",
        "text/markdown": f"*{text}*",
        "text/plain": text,
    }


def bundle(rows: Rows, title: str) -> dict[str, str]:
    """Output bundle of a table, its columns as they first appear: content by MIME type."""
    names = list(dict.fromkeys(column for row in rows for column in row))
    values = [[row.get(name, "") for name in names] for row in rows]
    right = [all(map(_is_number, column)) for column in zip(*values, strict=True)]
    cells = [[show_value(value) for value in row] for row in values]
    if not rows:
        names, cells, right = ["rows"], [["none"]], [False]
    return {
        "text/html": _html(names, cells, title, right),
        "text/markdown": f"*{title}*\n\n{markdown_table(names, cells)}",
        "text/plain": plain_table(names, cells, title),
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def rows_of(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Turn columns, by name, into the rows of a table."""
    listed = {}
    for name, column in columns.items():
        values = column.tolist() if hasattr(column, "tolist") else column
        if isinstance(values, (str, Mapping)) or not hasattr(values, "__iter__"):
            raise ValueError(f"column {name!r} must be a sequence of values, found {column!r}")
        listed[name] = list(values)
    sizes = {name: len(values) for name, values in listed.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"columns must be equally long, found {sizes}")
    return [dict(zip(listed, row, strict=True)) for row in zip(*listed.values(), strict=True)]


def _html(names: Texts, cells: Sequence[Texts], title: str, right: Sequence[bool]) -> str:
    """Write a table as HTML; `right` says which columns are set flush right."""

    def line(tag: str, texts: Texts, end: str = "") -> str:
        return "".join(
            f'<{tag} style="text-align: {"right" if flush else "left"}">'
            f"{html.escape(text, quote=False)}</{end or tag}>"
            for text, flush in zip(texts, right, strict=True)
        )

    head = line('th scope="col"', names, "th")
    body = "\n".join(f"<tr>{line('td', row)}</tr>" for row in cells)
    return (
        f"<table>\n{_CAPTION.format(html.escape(title, quote=False))}\n"
        f"<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


def markdown_table(names: Texts, cells: Sequence[Texts]) -> str:
    """Write a table as Markdown, one line a row."""

    def line(texts: Texts) -> str:
        return "| " + " | ".join(map(_outside_tex, texts)) + " |"

    return "\n".join([line(names), "|" + " --- |" * len(names), *map(line, cells)])


def _outside_tex(text: str) -> str:
    # A bar would end the cell; in TeX, \vert says the same.
    parts = re.split(r"(\$[^$]*\$)", text.replace("\n", " "))
    return "".join(p.replace("|", r"\vert " if p.startswith("$") else r"\|") for p in parts)


def plain_table(names: Texts, cells: Sequence[Texts], title: str = "") -> str:
    """Write a table for a terminal, its columns aligned."""
    widths = [max(len(row[i]) for row in [names, *cells]) for i in range(len(names))]

    def line(row: Texts) -> str:
        texts = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        return "  ".join(texts).rstrip()

    lines = [line(names), line(["-" * width for width in widths]), *map(line, cells)]
    return "\n".join([title, "", *lines] if title else lines)
