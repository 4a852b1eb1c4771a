"""From one executed notebook to HTML, and what all pages are made with."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from taugda.claims import Verdict
from taugda.record.values import show_value
from taugda.report.claims import definition, grouped
from taugda.report.entries import Entry
from taugda.runs.project import Project, bare_name

TEMPLATE = Path(__file__).parent / "template"
_TO_NOTEBOOK = re.compile(r'<a href="(?:(?:\.\./)+notebooks/)?(\d\d_\w+)\.ipynb">(.*?)</a>')
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATE),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)


def render(template: str, **values: Any) -> str:
    """Fill in a template; what it is given is escaped unless it is marked as markup."""
    return _TEMPLATES.get_template(template).render(values)


@lru_cache(maxsize=1)
def _exporter() -> Any:
    from nbconvert import HTMLExporter  # half of the time that a report takes with nothing to do
    from traitlets.config import Config

    return HTMLExporter(
        # It would build the style sheet of JupyterLab, which the pages do not use.
        config=Config({"CSSHTMLHeaderPreprocessor": {"enabled": False}}),
        extra_template_basedirs=[str(TEMPLATE.parent)],
        template_name=TEMPLATE.name,
        exclude_anchor_links=True,
    )


def body(
    notebook: dict[str, Any],
    figures: Mapping[str, str],
    comparison: str,
    chapters: Mapping[str, str],
) -> tuple[Markup, list[tuple[str, str]]]:
    """Turn the cells of a notebook into HTML, and list its second-level headings: anchor and text.

    `figures` are addresses of those that are linked to rather than put into the page;
    `comparison` takes the place of what the notebook showed when it ran: claims may be edited.
    `chapters` are the pages by notebook: a link to another notebook leads there, or is none.
    """
    import nbformat

    node = nbformat.reads(json.dumps(notebook), as_version=4)
    for cell in node.cells:
        for output in cell.get("outputs", []):
            ours = output.get("metadata", {}).get("taugda", {})
            if ours.get("figure") in figures:
                ours["address"] = figures[ours["figure"]]
            ours["narrow"] = figures.get(f"{ours.get('figure')}.narrow")
            if ours.get("compare") and comparison:
                output.data = {"text/html": comparison}
    text, _ = _exporter().from_notebook_node(node)

    def lead(link: re.Match[str]) -> str:
        page = chapters.get(link[1])
        return f'<a href="{page}">{link[2]}</a>' if page else link[2]

    text = _TO_NOTEBOOK.sub(lead, text)
    # Wide tables scroll within themselves; the page does not.
    text = re.sub(r"<table(?=[\s>])", '<div class="scroll"><table', text)
    text, headings = _number_headings(text.replace("</table>", "</table></div>"))
    return Markup(text), headings


def _number_headings(text: str) -> tuple[str, list[tuple[str, str]]]:
    headings: list[tuple[str, str]] = []
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
            headings.append((name, words))
        return f'<h{level} id="{name}">{inner}</h{level}>'

    return re.sub(r"<h([23])(?:\s[^>]*)?>(.*?)</h\1>", mark, text, flags=re.DOTALL), headings


def claims_tables(project: Project, verdicts: Sequence[Verdict], root: str) -> str:
    """Write a notebook's claims as HTML: the paper's, then the project's own."""
    return "\n".join(
        render("claims.html.j2", claims=[claim_row(project, one, root) for one in mine],
               group=group, caption=f"{title}, measured.")
        for group, title, mine in grouped(verdicts)
    )  # fmt: skip


def claim_row(
    project: Project, one: Verdict, root: str, entry: Entry | None = None
) -> dict[str, Any]:
    """Texts of a claim's row, with its function, seen from the root, and its notebook's address."""
    address = quote(entry.page) if entry else ""
    anchor = f"#claim-{quote(one.claim.id)}" if entry and entry.compares else ""
    return one.claim.model_dump() | {
        "paper": show_value(one.claim.paper),
        "measured": show_value(one.measured, one.uncertainty),
        "verdict": one.verdict,
        "note": one.note,
        "source": root and definition(project, one.claim.function, root),
        "notebook": bare_name(one.claim.notebook).replace("_", " "),
        "address": f"{address}{anchor}",
    }


def facts(entry: Entry) -> list[tuple[str, str]]:
    """List what a reader may want to know about how a run was made; unknown things are left out."""
    found, done = entry.provenance, entry.done
    rows = [
        ("Finished", str(done.get("finished", "")).replace("T", " ").replace("+00:00", " UTC")),
        ("Duration", f"{done['duration']:.1f} s" if "duration" in done else ""),
        ("Commit", commit_text(found.get("commit")) or found.get("no_commit", "")),
        ("Seed", "" if found.get("seed") is None else str(found["seed"])),
        ("Versions", versions_text(found)),
        ("Machine", machine_text(found)),
        ("Parameters", "; ".join(f"{k}: {v}" for k, v in found.get("parameters", {}).items())),
    ]
    return [(name, value) for name, value in rows if value]


def commit_text(commit: dict[str, Any] | None) -> str:
    """Write twelve digits of a commit, and whether there were changes on top."""
    changes = " with uncommitted changes" if commit and commit.get("dirty") else ""
    return commit["id"][:12] + changes if commit else ""


def versions_text(provenance: dict[str, Any]) -> str:
    """Write the versions of what made a run."""
    return ", ".join(f"{k} {v}" for k, v in (provenance.get("versions") or {}).items())


def machine_text(provenance: dict[str, Any]) -> str:
    """Write the machine that made a run: system, processor, cores, GPU."""
    machine = provenance.get("machine") or {}
    cores = f"{machine['cores']} cores" if "cores" in machine else ""
    parts = (machine.get("system"), machine.get("processor"), cores, machine.get("gpu"))
    return ", ".join(part for part in parts if part)
