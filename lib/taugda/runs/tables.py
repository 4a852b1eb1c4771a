"""Tables and captions as notebook outputs that read well wherever the notebook is read.

Each is a bundle of HTML (JupyterLab, the pages), Markdown and plain text (code-hosting sites,
terminals).  Text is escaped; TeX between dollar signs passes through.
"""

import html
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from taugda.runs.format import show_value

if TYPE_CHECKING:
    from taugda.claims import Verdict


def join(*sentences: str) -> str:
    """Join sentences, leaving out empty ones.

    Parameters
    ----------
    *sentences : str
        Any number of texts.

    Returns
    -------
    str
        One text.
    """
    return " ".join(sentence for sentence in sentences if sentence)


def caption(text: str) -> dict[str, str]:
    """Output bundle of a figure's caption.

    Parameters
    ----------
    text : str
        The caption.

    Returns
    -------
    dict of str to str
        Content by MIME type.
    """
    return {
        "text/html": f"<p><em>{html.escape(text, quote=False)}</em></p>",
        "text/markdown": f"*{text}*",
        "text/plain": text,
    }


def bundle(
    rows: Sequence[Mapping[str, Any]], title: str, columns: Sequence[str] | None = None
) -> dict[str, str]:
    """Output bundle of a table.

    Parameters
    ----------
    rows : sequence of mappings
        One a row, values by column name.
    title : str
        The table's caption.
    columns : sequence of str, optional
        Which columns, in which order; by default those of the rows as they first appear.

    Returns
    -------
    dict of str to str
        Content by MIME type.

    Raises
    ------
    ValueError
        If the caption is empty or a row has a column that is not listed.
    """
    if not isinstance(title, str) or not title.strip():
        raise ValueError(f"caption of a table must be a text, found {title!r}")
    seen = list(dict.fromkeys(column for row in rows for column in row))
    names = list(columns) if columns is not None else seen
    if columns is not None and any(column not in names for row in rows for column in row):
        extra = next(column for column in seen if column not in names)
        raise ValueError(f"columns must list all columns of the rows, found {extra!r} beside them")
    values = [[row.get(name, "") for name in names] for row in rows]
    cells = [[show_value(value) for value in row] for row in values]
    numeric = [bool(values) and all(is_number(row[i]) for row in values) for i in range(len(names))]
    return {
        "text/html": html_table(names, cells, title, numeric),
        "text/markdown": _markdown(names, cells, title),
        "text/plain": plain_table(names, cells, title),
    }


def is_number(value: Any) -> bool:
    """Tell whether a value is set flush right.

    Parameters
    ----------
    value : Any
        A cell's value.

    Returns
    -------
    bool
        True for numbers that are no bools.
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def html_table(
    names: Sequence[str],
    cells: Sequence[Sequence[str]],
    title: str,
    numeric: Sequence[bool] | None = None,
) -> str:
    """Write a table as HTML.

    Parameters
    ----------
    names : sequence of str
        Column names.
    cells : sequence of sequences of str
        Texts, row by row.
    title : str
        Caption.
    numeric : sequence of bool, optional
        Which columns are set flush right.

    Returns
    -------
    str
        One ``table`` element.
    """
    right = numeric or [False] * len(names)

    def cell(tag: str, text: str, flush: bool, extra: str = "") -> str:
        style = ' style="text-align: right"' if flush else ' style="text-align: left"'
        return f"<{tag}{extra}{style}>{html.escape(text, quote=False)}</{tag}>"

    head = "".join(
        cell("th", name, flush, ' scope="col"') for name, flush in zip(names, right, strict=True)
    )
    body = "\n".join(
        "<tr>" + "".join(cell("td", *pair) for pair in zip(row, right, strict=True)) + "</tr>"
        for row in cells
    )
    return (
        f"<table>\n<caption>{html.escape(title, quote=False)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    )


def _markdown(names: Sequence[str], cells: Sequence[Sequence[str]], title: str) -> str:
    return f"*{title}*\n\n{markdown_table(names, cells)}"


def markdown_table(names: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Write a table as Markdown.

    Parameters
    ----------
    names : sequence of str
        Column names.
    cells : sequence of sequences of str
        Texts, row by row.

    Returns
    -------
    str
        One line a row.
    """

    def line(texts: Sequence[str]) -> str:
        return "| " + " | ".join(_outside_tex(text) for text in texts) + " |"

    return "\n".join([line(names), "|" + " --- |" * len(names), *map(line, cells)])


def _outside_tex(text: str) -> str:
    # A bar would end the cell; in TeX, \vert says the same.
    parts = re.split(r"(\$[^$]*\$)", text.replace("\n", " "))
    return "".join(
        part.replace("|", r"\vert ") if part.startswith("$") else part.replace("|", r"\|")
        for part in parts
    )


def plain_table(names: Sequence[str], cells: Sequence[Sequence[str]], title: str = "") -> str:
    """Write a table for a terminal.

    Parameters
    ----------
    names : sequence of str
        Column names.
    cells : sequence of sequences of str
        Texts, row by row.
    title : str
        Caption; left out where empty.

    Returns
    -------
    str
        Lines with columns aligned.
    """
    widths = [max(len(row[i]) for row in [names, *cells]) for i in range(len(names))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(
            text.ljust(width) for text, width in zip(row, widths, strict=True)
        ).rstrip()

    lines = [line(names), line(["-" * width for width in widths]), *map(line, cells)]
    return "\n".join([title, "", *lines] if title else lines)


def claim_rows(found: Sequence["Verdict"]) -> list[dict[str, Any]]:
    """Rows of the table that sets the paper's values beside the measured ones.

    Parameters
    ----------
    found : sequence of Verdict
        The verdicts.

    Returns
    -------
    list of dict
        Texts by column name.
    """
    return [
        {
            "Claim": entry.claim.statement,
            "Where": entry.claim.where,
            "Paper": show_value(entry.claim.paper),
            "Measured": show_value(entry.measured, entry.uncertainty),
            "Verdict": f"{entry.verdict} ({entry.note})" if entry.note else entry.verdict,
        }
        for entry in found
    ]
