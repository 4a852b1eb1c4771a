"""The whole report: a page for every run, and the index."""

import base64
import io
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from taugda import claims
from taugda.runs.files import read_json, read_yaml, write_atomic
from taugda.runs.plan import KEPT, STALE, status
from taugda.runs.project import Project, bare_name

if TYPE_CHECKING:
    import nbformat

_FILES = ("notebook.ipynb", "parameters.yaml", "metrics.json", "provenance.json", "log.txt")
_THUMBNAIL = 640  # pixels across, twice what the index displays


class ReportError(ValueError):
    """A page that cannot be made, or must not be shown."""


@dataclass
class _Entry:
    """One finished run on its way to a page."""

    stem: str
    run: str
    folder: Path
    parameters: dict[str, Any]
    state: str
    notebook: "nbformat.NotebookNode"
    title: str
    interactive: bool

    @property
    def page(self) -> str:
        """File name of the page."""
        return f"{self.stem}.html" if self.run == "default" else f"{self.stem}--{self.run}.html"

    @property
    def compares(self) -> bool:
        """Whether the page shows the notebook's claims."""
        return any(
            output.get("metadata", {}).get("taugda", {}).get("compare")
            for cell in self.notebook.cells
            for output in cell.get("outputs", [])
        )


def build(project: Project, single_file: bool = False) -> Path:
    """Make the HTML pages from the runs in the outputs.

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
        If MathJax is not installed, a picture has no text alternative, or a page would load
        something from the network.  Pages made so far stay; the bad one is not written.
    """
    mathjax = _mathjax()
    entries = _entries(project)
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
    chapters = [entry for entry in entries if entry.run == "default"]
    for entry in entries:
        text = _page(project, entry, chapters, verdicts, single_file, shared)
        _write(project.pages / entry.page, text)
    _remove_others(project.pages, {entry.page for entry in entries})
    from taugda.report.contents import contents

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


def _remove_others(pages: Path, names: set[str]) -> None:
    for path in pages.glob("*.html"):
        if path.name not in names:
            path.unlink()


def _entries(project: Project) -> list[_Entry]:
    from taugda.report import pages

    found = []
    for stem in project.stems():
        folders = [path.parent for path in (project.runs / stem).glob("*/done.json")]
        # Hidden folders are runs in progress.
        folders = [f for f in folders if not f.name.startswith(".") and _whole(f)]
        for folder in sorted(folders, key=lambda f: (f.name != "default", f.name)):
            parameters = read_yaml(folder / "parameters.yaml") or {}
            notebook = pages.read_notebook(folder)
            found.append(
                _Entry(
                    stem,
                    folder.name,
                    folder,
                    parameters,
                    _state(project, stem, folder.name, parameters),
                    notebook,
                    pages.title(notebook, bare_name(stem)),
                    (read_json(folder / "done.json") or {}).get("mode") == "interactive",
                )
            )
    return found


def _whole(folder: Path) -> bool:
    return not folder.name.endswith(".failed") and all((folder / name).is_file() for name in _FILES)


def _state(project: Project, stem: str, run: str, parameters: dict[str, Any]) -> str:
    item = status(project, stem, run, parameters)
    return f"stale: {item.reason}" if item.state in (STALE, KEPT) else "up to date"


def _page(
    project: Project,
    entry: _Entry,
    chapters: list[_Entry],
    verdicts: list[claims.Verdict],
    single_file: bool,
    shared: dict[str, Any],
) -> str:
    from taugda.report import pages

    relative = f"../runs/{quote(entry.stem)}/{quote(entry.run)}"
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
            title=_plain_title(entry),
            style=pages.asset("style.css"),
            script=pages.asset("script.js"),
            mathjax=f"mathjax/{_mathjax().name}",
            home="../index.html",
            preceding=_link(before),
            following=_link(after),
            headings=headings,
            notices=_notices(entry),
            body=body,
            stem=entry.stem,
            run=entry.run,
            command=_command(entry),
            facts=pages.facts(entry.folder),
            files=[]
            if single_file
            else [{"name": name, "address": f"{relative}/{name}"} for name in _FILES],
            **shared,
        )
    )


def _link(entry: _Entry | None) -> dict[str, str] | None:
    return {"title": entry.title, "address": quote(entry.page)} if entry else None


def _plain_title(entry: _Entry) -> str:
    title = re.sub(r"[$\\{}]", "", entry.title)
    return title if entry.run == "default" else f"{title} ({entry.run})"


def _command(entry: _Entry) -> str:
    command = f"python -m taugda run {bare_name(entry.stem)}"
    if entry.run == "default":
        return command
    return f"{command} -f outputs/runs/{entry.stem}/{entry.run}/parameters.yaml"


def _notices(entry: _Entry) -> list[str]:
    notices = []
    if entry.interactive:
        notices.append(
            "This run was made interactively, so its page has no outputs; "
            f"a complete one is made by: {_command(entry)}"
        )
    elif entry.state != "up to date":
        notices.append(f"This run was made by older code ({entry.state.removeprefix('stale: ')}).")
    return notices


def _own_verdicts(
    project: Project, entry: _Entry, verdicts: list[claims.Verdict]
) -> list[claims.Verdict]:
    """Verdicts on this run's own numbers, whether or not it is the one that counts."""
    mine = [v for v in verdicts if v.claim.notebook == entry.stem]
    if mine and mine[0].run == entry.run:
        return mine
    metrics = read_json(entry.folder / "metrics.json") or {}
    counts = claims.counts(project, entry.stem, entry.parameters)
    note = "" if counts else "other parameters than the paper's: decides nothing"
    return [claims.verdict(v.claim, metrics, entry.run, note) for v in mine]


def thumbnail(entry: Any, single_file: bool) -> dict[str, Any] | None:
    """Picture that stands for a notebook in the index: its first figure.

    Parameters
    ----------
    entry : _Entry
        The run.
    single_file : bool
        Whether the picture is put into the page or linked to.

    Returns
    -------
    dict or None
        Address, text alternative, height at 640 pixels of width, caption; None where the run
        has no figure.
    """
    from PIL import Image

    figures = (read_json(entry.folder / "provenance.json") or {}).get("figures") or {}
    for name, texts in figures.items():
        path = entry.folder / "figures" / f"{name}.png"
        if not path.is_file():
            continue
        with Image.open(path) as picture:
            height = round(picture.height * _THUMBNAIL / picture.width)
            address = f"runs/{quote(entry.stem)}/{quote(entry.run)}/figures/{quote(name)}.png"
            if single_file:
                small = picture.convert("RGB").resize((_THUMBNAIL, height)).quantize(64)
                buffer = io.BytesIO()
                small.save(buffer, format="png", optimize=True)
                address = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
        return {"address": address, "height": height, **texts}
    return None


def clear(project: Project) -> None:
    """Delete what `build` made.

    Parameters
    ----------
    project : Project
        Where the outputs are.
    """
    shutil.rmtree(project.pages, ignore_errors=True)
    project.index.unlink(missing_ok=True)
