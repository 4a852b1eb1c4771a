"""The whole report: a page for every run, the figures, and the index."""

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from taugda import claims
from taugda.report.entries import Entry, find_entries
from taugda.report.errors import ReportError
from taugda.runs.files import read_json, write_atomic
from taugda.runs.project import Project

_GALLERY = "figures.html"


def build(project: Project, single_file: bool = False) -> Path:
    """Make the HTML pages from the runs in the outputs.

    Runs that were not made here but are published (`outputs/published/`) get their pages too, so
    that a fresh clone can be read as pages without running anything.

    Parameters
    ----------
    project : Project
        Where notebooks, claims and outputs are.
    single_file : bool
        Put MathJax and all pictures into each page, so that it can be mailed.

    Returns
    -------
    Path
        The index.

    Raises
    ------
    ReportError
        If MathJax is not installed, a picture has no text alternative, a page would load
        something from the network, or ``figures.yaml`` is unusable.  Pages made so far stay;
        the bad one is not written.
    """
    mathjax = _mathjax()
    entries = find_entries(project)
    verdicts = claims.verdicts(project)
    shared: dict[str, Any] = {"mathjax_inline": None}
    if single_file:
        from markupsafe import Markup

        # Where the text of a script holds its own end tag, the browser would stop there.
        text = mathjax.read_text(encoding="utf-8").replace("</script", r"<\/script")
        shared["mathjax_inline"] = Markup(text)
    else:
        target = project.pages / "mathjax" / mathjax.name
        if not target.is_file() or target.stat().st_size != mathjax.stat().st_size:
            write_atomic(target, mathjax.read_bytes())
    chapters = [entry for entry in entries if entry.is_chapter]
    for entry in entries:
        text = _page(project, entry, chapters, verdicts, single_file, shared)
        _write(project.pages / entry.page, text)
    from taugda.report.contents import contents, gallery

    _write(project.pages / _GALLERY, gallery(project, entries, single_file, shared))
    _remove_others(project.pages, entries)
    _write(project.index, contents(project, entries, verdicts, single_file, shared))
    return project.index


def _mathjax() -> Path:
    from taugda.report.mathjax import find_mathjax

    found = find_mathjax()
    if found is None:
        raise ReportError(
            "MathJax was not found; install it with: pip install sphinx-mathjax-offline"
        )
    return found


def _write(path: Path, text: str) -> None:
    from taugda.report.check import faults

    found = faults(text)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise ReportError(f"{path.name}: {found[0]}{more}")
    write_atomic(path, text)


def _remove_others(pages: Path, entries: list[Entry]) -> None:
    names = {entry.page for entry in entries} | {_GALLERY}
    for path in pages.glob("*.html"):
        if path.name not in names:
            path.unlink()
    for folder in (pages / "thumbnails").glob("*/"):
        if f"{folder.name}.html" not in names:
            shutil.rmtree(folder)


def _page(
    project: Project,
    entry: Entry,
    chapters: list[Entry],
    verdicts: list[claims.Verdict],
    single_file: bool,
    shared: dict[str, Any],
) -> str:
    from taugda.report import pages

    relative = f"../{quote(entry.address)}"
    figures = {} if single_file else pages.figure_addresses(entry.folder, relative)
    own = _own_verdicts(project, entry, verdicts)
    body, headings = pages.body(entry.notebook, figures, own)
    place = next((i for i, chapter in enumerate(chapters) if chapter is entry), None)
    before = chapters[place - 1] if place else None
    after = chapters[place + 1] if place is not None and place + 1 < len(chapters) else None
    return (
        pages.templates()
        .get_template("page.html.j2")
        .render(
            title=entry.plain_title,
            style=pages.asset("style.css"),
            script=pages.asset("script.js"),
            mathjax=f"mathjax/{_mathjax().name}",
            home="../index.html",
            preceding=_link(before),
            following=_link(after),
            siblings="" if entry.is_chapter else f"../index.html#runs-{quote(entry.stem)}",
            headings=headings,
            notices=_notices(entry),
            body=body,
            stem=entry.stem,
            run=entry.run,
            command=entry.command,
            source="" if single_file else _source(project, entry),
            facts=pages.facts(entry.folder),
            files=[]
            if single_file
            else [{"name": name, "address": f"{relative}/{name}"} for name in entry.files],
            **shared,
        )
    )


def _source(project: Project, entry: Entry) -> str:
    """Address of the notebook's source, seen from a page; empty where outputs lie elsewhere."""
    if not project.outputs.is_relative_to(project.root):
        return ""
    return quote(Path(os.path.relpath(entry.source, project.pages)).as_posix())


def _link(entry: Entry | None) -> dict[str, str] | None:
    return {"title": entry.title, "address": quote(entry.page)} if entry else None


def _notices(entry: Entry) -> list[str]:
    notices = []
    if entry.collection:
        lean = "" if "notebook.ipynb" in entry.files else ", which keeps its results only"
        notices.append(
            f"This is a published run (collection {entry.collection}{lean}); it was not made "
            f"here. To make it: {entry.command}"
        )
    if entry.interactive:
        notices.append(
            "This run was made interactively, so its page has no outputs; "
            f"a complete one is made by: {entry.command}"
        )
    elif entry.state != "up to date":
        notices.append(f"This run was made by older code ({entry.state.removeprefix('stale: ')}).")
    return notices


def _own_verdicts(
    project: Project, entry: Entry, verdicts: list[claims.Verdict]
) -> list[claims.Verdict]:
    """Verdicts on this run's own numbers, whether or not it is the one that counts."""
    mine = [v for v in verdicts if v.claim.notebook == entry.stem]
    if mine and mine[0].run == entry.run:
        return mine
    metrics = read_json(entry.folder / "metrics.json") or {}
    counts = claims.counts(project, entry.stem, entry.parameters)
    note = "" if counts else "other parameters than the paper's: decides nothing"
    return [claims.verdict(v.claim, metrics, entry.run, note) for v in mine]
