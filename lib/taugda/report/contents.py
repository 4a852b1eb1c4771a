"""The report's first page: notebooks, claims, provenance."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from taugda import claims
from taugda.report import pages
from taugda.report.build import thumbnail
from taugda.runs.files import read_json
from taugda.runs.project import Project, bare_name
from taugda.runs.provenance import commit


def contents(
    project: Project,
    entries: Sequence[Any],
    verdicts: Sequence[claims.Verdict],
    single_file: bool,
    shared: dict[str, Any],
) -> str:
    """Write the index.

    Parameters
    ----------
    project : Project
        Where notebooks and outputs are.
    entries : sequence of _Entry
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
    counts = [(name, sum(v.verdict == name for v in verdicts)) for name in claims.VERDICTS]
    return (
        pages.templates()
        .get_template("contents.html.j2")
        .render(
            title="Timescale separation in gradient descent-ascent",
            style=pages.asset("style.css"),
            script=pages.asset("script.js"),
            mathjax=f"pages/mathjax/{_mathjax_name()}",
            notebooks=[_card(project, stem, entries, single_file) for stem in project.stems()],
            failures=_failures(project),
            claims=[_row(entry, entries) for entry in verdicts],
            counts=[(name, count) for name, count in counts if count],
            facts=_facts(project, entries),
            durations=[_duration(entry) for entry in entries],
            **shared,
        )
    )


def _mathjax_name() -> str:
    from taugda.report.mathjax import FILE

    return FILE


def _address(entry: Any) -> str:
    return f"pages/{quote(entry.page)}"


def _card(project: Project, stem: str, entries: Sequence[Any], single_file: bool) -> dict[str, Any]:
    runs = [entry for entry in entries if entry.stem == stem]
    main = next((entry for entry in runs if entry.run == "default"), None)
    others = [{"name": e.run, "address": _address(e)} for e in runs if e is not main]
    if main is None:
        import nbformat

        source = nbformat.read(project.notebook(stem), as_version=4)
        return {
            "title": pages.title(source, bare_name(stem)),
            "address": None,
            "thumbnail": None,
            "caption": None,
            "status": f"Not run. To run it: python -m taugda run {bare_name(stem)}",
            "others": others,
        }
    done = read_json(main.folder / "done.json") or {}
    picture = thumbnail(main, single_file)
    state = "" if main.state == "up to date" else f", {main.state}"
    return {
        "title": main.title,
        "address": _address(main),
        "thumbnail": picture,
        "caption": picture["caption"] if picture else None,
        "status": f"Run in {done['duration']:.1f} s on {done['finished'][:10]}{state}",
        "others": others,
    }


def _failures(project: Project) -> list[dict[str, str]]:
    found = sorted(project.runs.glob("*/*.failed/log.txt"))
    return [
        {
            "name": f"{log.parent.parent.name}/{log.parent.name.removesuffix('.failed')}",
            "address": quote(log.relative_to(project.outputs).as_posix()),
        }
        for log in found
        if not log.parent.name.startswith(".")
    ]


def _row(entry: claims.Verdict, entries: Sequence[Any]) -> dict[str, Any]:
    page = next((e for e in entries if e.stem == entry.claim.notebook and e.run == entry.run), None)
    row = pages.claim_row(entry)
    if page:
        anchor = f"#claim-{quote(entry.claim.id)}" if page.compares else ""
        row["address"] = _address(page) + anchor
    return row


def _facts(project: Project, entries: Sequence[Any]) -> list[tuple[str, str]]:
    found = [read_json(entry.folder / "provenance.json") or {} for entry in entries]
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


def _duration(entry: Any) -> dict[str, str]:
    done = read_json(entry.folder / "done.json") or {}
    seed = (read_json(entry.folder / "provenance.json") or {}).get("seed")
    return {
        "notebook": entry.stem,
        "run": entry.run,
        "address": _address(entry),
        "finished": str(done.get("finished", ""))[:16].replace("T", " "),
        "seconds": f"{done.get('duration', 0):.1f}",
        "seed": "–" if seed is None else str(seed),
        "state": entry.state,
    }
