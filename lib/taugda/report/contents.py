"""The report's first page (notebooks, figures, claims, provenance) and the page of all figures."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from taugda import claims
from taugda.report import pages
from taugda.report.entries import Entry
from taugda.report.figures import read_figures
from taugda.report.pictures import thumbnails
from taugda.report.unfinished import STATES, Unfinished, find_unfinished
from taugda.runs.project import Project, bare_name
from taugda.runs.provenance import commit
from taugda.runs.status import read_status

TITLE = "Timescale separation in gradient descent-ascent"
_FEW = 3  # runs of a notebook that are shown unfolded


def contents(
    project: Project,
    entries: Sequence[Entry],
    verdicts: Sequence[claims.Verdict],
    single_file: bool,
    shared: dict[str, Any],
) -> str:
    """Write the index.

    Parameters
    ----------
    project : Project
        Where notebooks and outputs are.
    entries : sequence of Entry
        The finished runs in reading order.
    verdicts : sequence of Verdict
        The verdicts on all claims.
    single_file : bool
        Whether pictures are put into the page.
    shared : dict
        What all pages are given.

    Returns
    -------
    str
        HTML.
    """
    stems = project.stems()
    batches = read_status(project)
    unfinished = find_unfinished(project, batches, entries)
    return (
        pages.templates()
        .get_template("contents.html.j2")
        .render(
            title=TITLE,
            style=pages.asset("style.css"),
            script=pages.asset("script.js"),
            mathjax=f"pages/mathjax/{_mathjax_name()}",
            notebooks=[_card(project, stem, entries, single_file) for stem in stems],
            unfinished=_count_states(one.state for one in unfinished),
            figures=_paper_figures(project, entries),
            claims=_groups(project, verdicts, entries),
            counts=_counts(verdicts),
            facts=_facts(project, entries),
            batches=[_batch(one) for one in batches],
            runs=_runs(project, entries, unfinished),
            **shared,
        )
    )


def gallery(
    project: Project, entries: Sequence[Entry], single_file: bool, shared: dict[str, Any]
) -> str:
    """Write the page that shows every figure of every notebook's default run.

    Parameters
    ----------
    project : Project
        Where the pages go.
    entries : sequence of Entry
        The finished runs in reading order.
    single_file : bool
        Whether pictures are put into the page.
    shared : dict
        What all pages are given.

    Returns
    -------
    str
        HTML.
    """
    chapters = []
    for entry in entries:
        if entry.is_chapter:
            shown = thumbnails(project, entry, single_file)
            for one in shown:
                for key in ("address", "page"):
                    one[key] = one[key].removeprefix("pages/")
            if shown:
                chapters.append({"stem": entry.stem, "title": entry.title, "figures": shown})
    return (
        pages.templates()
        .get_template("gallery.html.j2")
        .render(
            title="All figures",
            style=pages.asset("style.css"),
            script=pages.asset("script.js"),
            mathjax=f"mathjax/{_mathjax_name()}",
            home="../index.html",
            chapters=chapters,
            **shared,
        )
    )


def _mathjax_name() -> str:
    from taugda.report.mathjax import FILE

    return FILE


def _address(entry: Entry) -> str:
    return f"pages/{quote(entry.page)}"


def _card(
    project: Project, stem: str, entries: Sequence[Entry], single_file: bool
) -> dict[str, Any]:
    runs = [entry for entry in entries if entry.stem == stem]
    main = next((entry for entry in runs if entry.is_chapter), None)
    card = {
        "title": "",
        "address": None,
        "thumbnail": None,
        "status": f"Not run. To run it: python -m taugda run {bare_name(stem)}",
        "others": len([entry for entry in runs if entry is not main]),
        "runs": f"#runs-{quote(stem)}",
    }
    if main is None:
        import nbformat

        source = nbformat.read(project.notebook(stem), as_version=4)
        return card | {"title": pages.title(source, bare_name(stem))}
    state = "" if main.state == "up to date" else ", by older code"
    origin = f" (published: {main.collection})" if main.collection else ""
    return card | {
        "title": main.title,
        "address": _address(main),
        "thumbnail": next(iter(thumbnails(project, main, single_file, limit=1)), None),
        "status": f"Run in {main.done.get('duration', 0):.0f} s on "
        f"{str(main.done.get('finished', ''))[:10]}{origin}{state}",
    }


def _paper_figures(project: Project, entries: Sequence[Entry]) -> list[dict[str, str]]:
    main = {entry.stem: entry for entry in entries if entry.is_chapter}
    rows = []
    for one in read_figures(project):
        entry = main.get(one.notebook)
        there = entry is not None and one.figure in entry.figures
        rows.append(
            {
                "paper": one.paper,
                "name": f"{one.notebook}, {one.figure}",
                "address": f"{_address(entry)}#figure-{quote(one.figure)}" if there else "",
                "note": "" if there else f"python -m taugda run {bare_name(one.notebook)}",
            }
        )
    return rows


def _counts(verdicts: Sequence[claims.Verdict]) -> list[tuple[str, int]]:
    counts = [(name, sum(v.verdict == name for v in verdicts)) for name in claims.VERDICTS]
    return [(name, count) for name, count in counts if count]


def _groups(
    project: Project, verdicts: Sequence[claims.Verdict], entries: Sequence[Entry]
) -> list[dict[str, Any]]:
    """Claims by the notebook that decides them, in reading order."""
    titles = {entry.stem: entry.title for entry in entries if entry.is_chapter}
    groups = []
    for stem in project.stems():
        mine = [v for v in verdicts if v.claim.notebook == stem]
        if mine:
            groups.append(
                {
                    "stem": stem,
                    "name": bare_name(stem).replace("_", " "),
                    "title": titles.get(stem, bare_name(stem)),
                    "counts": _counts(mine),
                    "claims": [_row(one, entries) for one in mine],
                }
            )
    return groups


def _row(entry: claims.Verdict, entries: Sequence[Entry]) -> dict[str, Any]:
    page = next((e for e in entries if e.stem == entry.claim.notebook and e.run == entry.run), None)
    row = pages.claim_row(entry)
    if page:
        anchor = f"#claim-{quote(entry.claim.id)}" if page.compares else ""
        row["address"] = _address(page) + anchor
    return row


def _facts(project: Project, entries: Sequence[Entry]) -> list[tuple[str, str]]:
    found = [entry.provenance for entry in entries]
    made = dict.fromkeys(pages.commit_text(one.get("commit")) for one in found)
    machines = dict.fromkeys(pages.machine_text(one.get("machine") or {}) for one in found)
    versions = dict.fromkeys(
        ", ".join(f"{k} {v}" for k, v in (one.get("versions") or {}).items()) for one in found
    )
    rows = [
        ("Pages made at", pages.commit_text(commit(project.root))),
        ("Runs made at", "; ".join(text for text in made if text)),
        ("Versions", "; ".join(text for text in versions if text)),
        ("Machine", "; ".join(text for text in machines if text)),
    ]
    return [(name, value) for name, value in rows if value]


def _batch(content: dict[str, Any]) -> dict[str, str]:
    """One batch in a line, as its status file has it."""
    return {
        "name": str(content.get("name")),
        "state": str(content.get("state")),
        "updated": _minute(content.get("updated")),
        "counts": ", ".join(
            f"{count} {name}" for name, count in content["counts"].items() if count
        ),
    }


def _runs(
    project: Project, entries: Sequence[Entry], unfinished: Sequence[Unfinished]
) -> list[dict[str, Any]]:
    """Group the runs by notebook, with those that are not as they should be; many are folded."""
    groups = []
    for stem in project.stems():
        troubles = {one.run: one for one in unfinished if one.stem == stem}
        mine = [_run(one, troubles.get(one.run)) for one in entries if one.stem == stem]
        there = {row["run"] for row in mine}
        rows = mine + [_absent(one) for run, one in troubles.items() if run not in there]
        rows.sort(key=lambda row: (row["run"] != "default", row["run"]))
        if rows:
            groups.append(
                {
                    "stem": stem,
                    "rows": rows,
                    "seconds": sum(row["seconds"] for row in mine),
                    "counts": _count_states(
                        row["trouble"].state if row["trouble"] else "finished" for row in rows
                    ),
                    "folded": len(rows) > _FEW and not troubles,
                }
            )
    return groups


def _count_states(states: Iterable[str]) -> str:
    """Write how many runs are in which state."""
    counts = Counter(states)
    order = ("finished", *STATES)
    return ", ".join(f"{counts[state]} {state}" for state in order if counts[state])


def _run(entry: Entry, trouble: Unfinished | None) -> dict[str, Any]:
    seed = entry.provenance.get("seed")
    state = entry.state
    if entry.collection:
        state = f"published ({entry.collection}); {state}"
    return {
        "run": entry.run,
        "address": _address(entry),
        "finished": _minute(entry.done.get("finished")),
        "seconds": float(entry.done.get("duration", 0)),
        "seed": "–" if seed is None else str(seed),
        "state": state,
        "trouble": trouble,
        "log": quote(trouble.log) if trouble else "",
    }


def _absent(trouble: Unfinished) -> dict[str, Any]:
    row = {"run": trouble.run, "address": "", "state": "", "log": quote(trouble.log)}
    return {**row, "trouble": trouble}


def _minute(moment: Any) -> str:
    return str(moment or "")[:16].replace("T", " ")
