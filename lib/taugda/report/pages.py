"""One HTML page from one executed notebook."""

import html
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import nbformat
from nbconvert import HTMLExporter
from traitlets.config import Config

from taugda.claims import Verdict
from taugda.runs.files import read_json
from taugda.runs.format import show_value
from taugda.runs.project import bare_name

_TEMPLATE = Path(__file__).parent / "template"


@dataclass(frozen=True)
class Heading:
    """A heading that the table of contents names.

    Parameters
    ----------
    id : str
        Anchor on the page.
    text : str
        Its text; may hold TeX.
    """

    id: str
    text: str


@lru_cache(maxsize=1)
def templates() -> jinja2.Environment:
    """Load the templates of whole pages.

    Returns
    -------
    jinja2.Environment
        Everything that they are given is escaped unless it is marked as markup.
    """
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def asset(name: str) -> Any:
    """Read a style sheet or script that goes into every page.

    Parameters
    ----------
    name : str
        File in the template folder.

    Returns
    -------
    markupsafe.Markup
        Its text.
    """
    from markupsafe import Markup

    return Markup((_TEMPLATE / name).read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _exporter() -> HTMLExporter:
    config = Config()
    # It would build the style sheet of JupyterLab, which the pages do not use.
    config.CSSHTMLHeaderPreprocessor.enabled = False
    return HTMLExporter(
        config=config,
        extra_template_basedirs=[str(_TEMPLATE.parent)],
        template_name=_TEMPLATE.name,
        exclude_anchor_links=True,
    )


def read_notebook(folder: Path) -> nbformat.NotebookNode:
    """Read the notebook of a run.

    Parameters
    ----------
    folder : Path
        The run's folder.

    Returns
    -------
    nbformat.NotebookNode
        The notebook, executed if a batch made it.
    """
    return nbformat.read(folder / "notebook.ipynb", as_version=4)


def title(notebook: nbformat.NotebookNode, stem: str) -> str:
    """Find a notebook's title.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The notebook.
    stem : str
        Its name, where it has no title.

    Returns
    -------
    str
        Text of the first top heading, without its marks.
    """
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            match = re.search(r"^#\s+(.+?)\s*#*$", cell.source, re.MULTILINE)
            if match:
                return re.sub(r"`|\*\*", "", match[1])
    return stem


def body(
    notebook: nbformat.NotebookNode, figures: dict[str, str], verdicts: list[Verdict]
) -> tuple[Any, list[Heading]]:
    """Turn the cells of a notebook into HTML.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The notebook; its outputs are adapted.
    figures : dict of str to str
        Address of each figure that is linked to rather than put into the page.
    verdicts : list of Verdict
        What takes the place of the comparison that the notebook showed when it ran: the claims
        may have been edited since.

    Returns
    -------
    markup : markupsafe.Markup
        The cells.
    headings : list of Heading
        The second-level headings.
    """
    from markupsafe import Markup

    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            ours = output.get("metadata", {}).get("taugda", {})
            if ours.get("figure") in figures:
                ours["address"] = figures[ours["figure"]]
            if ours.get("compare") and verdicts:
                output.data = {"text/html": claims_table(verdicts)}
    text, _ = _exporter().from_notebook_node(notebook)
    # Wide tables scroll within themselves; the page does not.
    text = re.sub(r"<table(?=[\s>])", '<div class="scroll"><table', text)
    text = text.replace("</table>", "</table></div>")
    text, headings = _number_headings(text)
    return Markup(text), headings


def _number_headings(text: str) -> tuple[str, list[Heading]]:
    headings: list[Heading] = []
    taken = {"content", "provenance"}

    def mark(match: re.Match[str]) -> str:
        level, inner = match[1], match[2]
        words = html.unescape(re.sub(r"<[^>]+>", "", inner)).strip()
        base = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") or "section"
        name, number = base, 2
        while name in taken:
            name, number = f"{base}-{number}", number + 1
        taken.add(name)
        if level == "2":
            headings.append(Heading(name, words))
        return f'<h{level} id="{name}">{inner}</h{level}>'

    return re.sub(r"<h([23])(?:\s[^>]*)?>(.*?)</h\1>", mark, text, flags=re.DOTALL), headings


def claims_table(verdicts: list[Verdict]) -> str:
    """Write a notebook's claims as HTML.

    Parameters
    ----------
    verdicts : list of Verdict
        The verdicts.

    Returns
    -------
    str
        One ``table`` element.
    """
    return (
        templates()
        .get_template("claims.html.j2")
        .render(claims=map(claim_row, verdicts), caption="Measured against the paper.")
    )


def claim_row(entry: Verdict) -> dict[str, Any]:
    """Texts of one row of a table of claims.

    Parameters
    ----------
    entry : Verdict
        The verdict.

    Returns
    -------
    dict
        Texts by the templates' names; no address yet.
    """
    return {
        "id": entry.claim.id,
        "statement": entry.claim.statement,
        "where": entry.claim.where,
        "paper": show_value(entry.claim.paper),
        "measured": show_value(entry.measured, entry.uncertainty),
        "verdict": entry.verdict,
        "note": entry.note,
        "address": None,
        "notebook": bare_name(entry.claim.notebook).replace("_", " "),
    }


def figure_addresses(folder: Path, relative: str) -> dict[str, str]:
    """Addresses of a run's figures, seen from a page.

    Parameters
    ----------
    folder : Path
        The run's folder.
    relative : str
        The run's folder as seen from the page.

    Returns
    -------
    dict of str to str
        Address by the figure's name.
    """
    names = sorted(path.stem for path in (folder / "figures").glob("*.png"))
    return {name: f"{relative}/figures/{quote(name)}.png" for name in names}


def facts(folder: Path) -> list[tuple[str, str]]:
    """List what a reader may want to know about how a run was made.

    Parameters
    ----------
    folder : Path
        The run's folder.

    Returns
    -------
    list of (str, str)
        Names and texts; unknown ones are left out.
    """
    found = read_json(folder / "provenance.json") or {}
    done = read_json(folder / "done.json") or {}
    machine = found.get("machine") or {}
    rows = [
        ("Finished", str(done.get("finished", "")).replace("T", " ").replace("+00:00", " UTC")),
        ("Duration", f"{done['duration']:.1f} s" if "duration" in done else ""),
        ("Commit", commit_text(found.get("commit"))),
        ("Seed", str(found.get("seed", ""))),
        ("Versions", ", ".join(f"{k} {v}" for k, v in (found.get("versions") or {}).items())),
        ("Machine", machine_text(machine)),
        ("Parameters", "; ".join(f"{k}: {v}" for k, v in found.get("parameters", {}).items())),
    ]
    return [(name, value) for name, value in rows if value]


def commit_text(commit: dict[str, Any] | None) -> str:
    """Write a commit for a reader.

    Parameters
    ----------
    commit : dict or None
        ``id`` and ``dirty``.

    Returns
    -------
    str
        Twelve digits, and whether there were changes on top.
    """
    if not commit:
        return ""
    return commit["id"][:12] + (" with uncommitted changes" if commit.get("dirty") else "")


def machine_text(machine: dict[str, Any]) -> str:
    """Write a machine's description for a reader.

    Parameters
    ----------
    machine : dict
        Part of a run's provenance.

    Returns
    -------
    str
        System, processor, cores, GPU.
    """
    cores = f"{machine['cores']} cores" if "cores" in machine else ""
    parts = (machine.get("system"), machine.get("processor"), cores, machine.get("gpu"))
    return ", ".join(part for part in parts if part)
