"""What the first page, the page of all claims and the page of all figures are filled with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from taugda.claims import Verdict
from taugda.record.provenance import commit
from taugda.report import pages
from taugda.report.claims import grouped, tally
from taugda.report.entries import Entry, find_failures, title
from taugda.report.figures import read_figures
from taugda.runs.parameters import read_notebook
from taugda.runs.project import Project, bare_name


def index(
    project: Project, home: Path, entries: Sequence[Entry], verdicts: Sequence[Verdict]
) -> dict[str, Any]:
    """Gather the first page: notebooks, failures, the paper's figures, two counts, all runs."""
    return {
        "title": "Timescale separation in gradient descent-ascent",
        "notebooks": [_card(project, stem, entries) for stem in project.stems()],
        "failures": find_failures(project, home),
        "figures": _paper_figures(project, entries),
        "counts": [{"key": k, "title": t, "counts": tally(v)} for k, t, v in grouped(verdicts)],
        "facts": _facts(project, entries),
        "runs": [[one for one in entries if one.stem == stem] for stem in project.stems()],
        "count": len(entries),
    }


def claims(
    project: Project, entries: Sequence[Entry], verdicts: Sequence[Verdict], root: str
) -> dict[str, Any]:
    """Gather the page of all claims: the paper's, then the project's own, each by notebook."""
    chapters = {entry.stem: entry for entry in entries if entry.is_chapter}

    parts = []
    for key, heading, found in grouped(verdicts):
        groups = []
        for stem in project.stems():
            if mine := [one for one in found if one.claim.notebook == stem]:
                entry, name = chapters.get(stem), bare_name(stem).replace("_", " ")
                group = {"stem": stem, "name": name, "title": entry.title if entry else name}
                rows = [pages.claim_row(project, one, root, entry) for one in mine]
                groups.append(group | {"counts": tally(mine), "claims": rows})
        parts.append({"key": key, "title": heading, "counts": tally(found), "groups": groups})
    return {"title": "Claims and checks", "home": "../index.html", "parts": parts}


def gallery(chapters: Sequence[Entry]) -> dict[str, Any]:
    """Gather the page that shows every figure of every notebook's default run."""
    listed = [
        {"stem": e.stem, "title": e.title, "figures": [_picture(e, n, "narrow") for n in e.figures]}
        for e in chapters
        if e.figures
    ]
    return {"title": "All figures", "home": "../index.html", "chapters": listed}


def _picture(entry: Entry, name: str, version: str) -> dict[str, Any]:
    """Describe a figure as it was drawn for a small place; in full, where there is no such file."""
    files = [entry.folder / "figures" / f"{name}{end}.png" for end in (f".{version}", "")]
    path = next(file for file in files if file.is_file())
    with Image.open(path) as picture:
        width, height = picture.size
    address = f"{quote(entry.address)}/figures/{quote(path.name)}"
    page = f"{quote(entry.page)}#figure-{quote(name)}"
    shape = {"address": address, "width": width, "height": height, "page": page}
    return shape | entry.figures[name]


def _thumbnail(entry: Entry) -> dict[str, Any] | None:
    """Describe what stands for a run: the picture drawn for it, or the first."""
    folder = entry.folder / "figures"
    names = sorted(entry.figures, key=lambda n: not (folder / f"{n}.thumbnail.png").is_file())
    return _picture(entry, names[0], "thumbnail") if names else None


def _card(project: Project, stem: str, entries: Sequence[Entry]) -> dict[str, Any]:
    runs = [entry for entry in entries if entry.stem == stem]
    main = next((entry for entry in runs if entry.is_chapter), None)
    return {
        "title": main.title if main else title(read_notebook(project.notebook(stem)), stem),
        "address": main and f"pages/{quote(main.page)}",
        "thumbnail": main and _thumbnail(main),
        "others": len(runs) - bool(main),
        "runs": f"#runs-{quote(stem)}",
        "status": "" if main else f"Not run. To run it: python -m taugda run {bare_name(stem)}",
    }


def _paper_figures(project: Project, entries: Sequence[Entry]) -> list[dict[str, str]]:
    main = {entry.stem: entry for entry in entries if entry.is_chapter}
    rows = []
    for one in read_figures(project):
        entry, address = main.get(one.notebook), ""
        if entry and one.figure in entry.figures:
            address = f"pages/{quote(entry.page)}#figure-{quote(one.figure)}"
        note = f"python -m taugda run {bare_name(one.notebook)}"
        rows.append({"paper": one.paper, "address": address, "note": note})
    return rows


def _facts(project: Project, entries: Sequence[Entry]) -> list[tuple[str, str]]:
    made = [entry.provenance for entry in entries]
    rows = {
        "Pages made at": [pages.commit_text(commit(project.root))],
        "Runs made at": [pages.commit_text(one.get("commit")) for one in made],
        "Versions": map(pages.versions_text, made),
        "Machine": map(pages.machine_text, made),
    }
    joined = {name: "; ".join(filter(None, dict.fromkeys(texts))) for name, texts in rows.items()}
    return [(name, text) for name, text in joined.items() if text]
