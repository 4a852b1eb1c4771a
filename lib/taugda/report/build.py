"""The whole report: a page for every run, the figures, the claims, and the index."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from taugda import record
from taugda.atomic import write_atomic
from taugda.claims import Verdict, verdict
from taugda.record.claims import undeciding
from taugda.report import claims, contents, pages
from taugda.report.check import ReportError, faults
from taugda.report.entries import Entry, find_entries
from taugda.runs.files import read_json
from taugda.runs.project import Project

_MATHJAX = "tex-svg-full.js"
_SHOWN = ("stem", "name", "command", "collection", "interactive")


def build(project: Project, home: Path | None = None, wanted: Sequence[Entry] = ()) -> Path:
    """Make the HTML pages from the finished runs, made here or published; return the first one.

    They go to a folder, by default the outputs; from any other, none leads to the sources.  Only
    the pages of `wanted` runs are made where these are given.  A fault raises a ReportError; pages
    made so far stay, the bad one is not written.
    """
    inside = home is None and project.outputs.is_relative_to(project.root)
    home = home or project.outputs
    folder, mathjax = home / "pages", find_mathjax()
    shared = {**assets(), "mathjax": f"mathjax/{_MATHJAX}"}
    copy, size = folder / "mathjax" / _MATHJAX, mathjax.stat().st_size
    if not (copy.is_file() and copy.stat().st_size == size):
        write_atomic(copy, mathjax.read_bytes())
    root = Path(os.path.relpath(project.root, folder)).as_posix() if inside else ""
    named = {entry.page for entry in wanted}
    entries, verdicts = find_entries(project, home), claims.verdicts(project)
    chosen = [entry for entry in entries if not named or entry.page in named]
    chapters = [entry for entry in chosen if entry.is_chapter]
    for entry in chosen:
        _write_page(project, folder, entry, chapters, verdicts, root, shared)
    if wanted:
        return folder / chosen[0].page
    values = contents.gallery(chapters)
    _write(folder / "figures.html", pages.render("gallery.html.j2", **values, **shared))
    values = contents.claims(project, entries, verdicts, root)
    _write(folder / "claims.html", pages.render("allclaims.html.j2", **values, **shared))
    current = {"figures.html", "claims.html", *(entry.page for entry in entries)}
    for path in folder.glob("*.html"):
        if path.name not in current:
            path.unlink()
    shared["mathjax"] = f"pages/{shared['mathjax']}"
    index = contents.index(project, home, entries, verdicts)
    _write(home / "index.html", pages.render("contents.html.j2", **index, **shared))
    return home / "index.html"


def assets(inlined: Path | None = None) -> dict[str, Any]:
    """Gather what every page holds: style, scripts and, where it is to be inlined, MathJax."""
    files = {"style": pages.TEMPLATE / "style.css", "script": pages.TEMPLATE / "script.js"}
    texts = {name: Markup(path.read_text(encoding="utf-8")) for name, path in files.items()}
    # Where the text of a script holds its own end tag, the browser would stop there.
    script = inlined and inlined.read_text(encoding="utf-8").replace("</script", r"<\/script")
    return {**texts, "mathjax_inline": script and Markup(script), "stamp": ""}


def find_mathjax() -> Path:
    """Find MathJax 3, built to set TeX as SVG, in the installed package that ships it."""
    # The package's folder has hyphens in its name and cannot be imported.
    with suppress(metadata.PackageNotFoundError):
        for file in metadata.files("sphinx-mathjax-offline") or []:
            if file.name == _MATHJAX and (path := Path(str(file.locate()))).is_file():
                return path
    raise ReportError("MathJax was not found; install it with: pip install sphinx-mathjax-offline")


def _write(path: Path, text: str) -> None:
    if found := faults(text):
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise ReportError(f"{path.name}: {found[0]}{more}")
    write_atomic(path, text)


def _write_page(
    project: Project, folder: Path, entry: Entry, chapters: Sequence[Entry],
    verdicts: Sequence[Verdict], root: str, shared: dict[str, Any],
) -> None:  # fmt: skip
    """Write a run's page, unless the one that is there was made of the very same."""
    relative = f"../{quote(entry.address)}"
    figures = {
        path.stem: f"{relative}/figures/{quote(path.name)}"
        for path in sorted((entry.folder / "figures").glob("*.png"))
    }
    comparison = pages.claims_tables(project, _own_verdicts(project, entry, verdicts), root)
    place = chapters.index(entry) if entry.is_chapter else -1
    around = [None, *({"title": e.title, "address": quote(e.page)} for e in chapters), None, None]
    values = {
        "title": entry.plain_title,
        "home": "../index.html",
        "preceding": around[place],
        "following": around[place + 2] if entry.is_chapter else None,
        "siblings": "" if entry.is_chapter else f"../index.html#runs-{quote(entry.stem)}",
        **{name: getattr(entry, name) for name in _SHOWN},
        "lean": not (entry.folder / "notebook.ipynb").is_file(),
        "source": root and f"{root}/{quote(entry.source.relative_to(project.root).as_posix())}",
        "facts": pages.facts(entry),
        "files": [(p.name, f"{relative}/{p.name}") for p in entry.files],
        **shared,
    }
    files = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in entry.files]
    others = {e.stem: quote(e.page) for e in chapters}
    made_of = [values, figures, comparison, others, files, _makers()]
    values["stamp"] = hashlib.sha256(repr(made_of).encode()).hexdigest()
    target = folder / entry.page
    if target.is_file() and values["stamp"] in target.read_text(encoding="utf-8")[:500]:
        return
    text, headings = pages.body(entry.notebook, figures, comparison, others)
    _write(target, pages.render("page.html.j2", **values, body=text, headings=headings))


@lru_cache(maxsize=1)
def _makers() -> list[str]:
    """Digests of the code and the templates that make pages, and the version of nbconvert."""
    home = Path(record.__file__).parent
    files = [*sorted(pages.TEMPLATE.parent.rglob("*.*")), *sorted(home.glob("*.*"))]
    texts = [path.read_bytes() for path in files if "__pycache__" not in path.parts]
    return [metadata.version("nbconvert"), *(hashlib.sha256(text).hexdigest() for text in texts)]


def _own_verdicts(project: Project, entry: Entry, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts on this run's own numbers, whether or not it is the one that counts."""
    mine = [one for one in verdicts if one.claim.notebook == entry.stem]
    if not mine or (entry.is_chapter and claims.is_evidence(project, entry.folder)):
        return mine
    metrics = read_json(entry.folder / "metrics.json") or {}
    return [undeciding(verdict(one.claim, metrics)) for one in mine]
