"""What the repository keeps of runs, in ``outputs/published/``, so that it can be read as it is.

A collection holds, for every run, its record and its pictures; for an analysis notebook the
executed notebook too.  ``default`` is made of the runs that ``python -m taugda run`` makes and is
replaced as a whole.  Other collections (``long``, ``gpu``) gather training runs that took long,
are added to, and are never invalidated: their provenance says what made them.
"""

import json
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taugda.runs.errors import ProjectError
from taugda.runs.files import read_json, staging_folder, swap_in, write_atomic, write_json
from taugda.runs.fingerprint import kind
from taugda.runs.plan import KEPT, UP_TO_DATE, Item
from taugda.runs.project import Project

DEFAULT = "default"
NOTEBOOK_LIMIT = 1_500_000  # bytes of one executed notebook
TOTAL_LIMIT = 20_000_000  # bytes of everything that is published
_RECORD = ("parameters.yaml", "metrics.json", "provenance.json", "done.json")
# The one picture that is kept of a training run.
_SAMPLES = "samples"
_NAME = re.compile(r"[a-z][a-z0-9_-]*")


class PublishError(ProjectError):
    """Something that must not be published, or is not there."""


@dataclass(frozen=True)
class Published:
    """What was done.

    Parameters
    ----------
    folder : Path
        The collection.
    added : list of Item
        The runs that were copied.
    left_out : list of Item
        Those that are not finished.
    """

    folder: Path
    added: list[Item]
    left_out: list[Item]


def publish(project: Project, items: Sequence[Item], collection: str = DEFAULT) -> Published:
    """Copy finished runs into a published collection.

    Parameters
    ----------
    project : Project
        Where runs and outputs are.
    items : sequence of Item
        The runs, compared with what is in the outputs.
    collection : str
        ``default``, which the runs replace and which must be complete; or another name, to which
        those of the runs that are finished are added.

    Returns
    -------
    Published
        The collection's folder, and which runs were left out.

    Raises
    ------
    PublishError
        If a run of ``default`` is missing or stale, no run of another collection is finished, an
        analysis is meant for another collection, an executed notebook or the whole is too heavy,
        a file names a path of this machine, or the collection's name is unusable.  Nothing is
        changed then.
    """
    if not _NAME.fullmatch(collection):
        raise PublishError(
            f"collection must be lower-case letters, digits, '_' and '-', found {collection!r}"
        )
    ready = _check_runs(project, items, collection)
    final = project.published / collection
    final.parent.mkdir(parents=True, exist_ok=True)
    staging = staging_folder(final)
    shutil.rmtree(staging, ignore_errors=True)
    try:
        if collection != DEFAULT and final.is_dir():
            shutil.copytree(final, staging)
        staging.mkdir(exist_ok=True)
        for item in ready:
            _copy(project, item, staging / item.stem / item.run)
        if collection == DEFAULT:
            _write_claims(project, staging)
        write_atomic(staging / "README.md", _readme(project, staging, collection))
        _check_size(project, staging, collection)
        swap_in(staging, final)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Published(final, ready, [item for item in items if item not in ready])


def _check_runs(project: Project, items: Sequence[Item], collection: str) -> list[Item]:
    """Return the runs that can be copied."""
    ready = []
    for item in items:
        training = kind(project.notebook(item.stem)) == "training"
        if collection != DEFAULT and not training:
            raise PublishError(
                f"{item.label}: collection {collection!r} is for training runs; "
                f"an analysis goes to {DEFAULT!r}"
            )
        if item.state == UP_TO_DATE or (item.state == KEPT and training):
            ready.append(item)
        elif collection == DEFAULT:
            why = f"{item.state} ({item.reason})" if item.reason else item.state
            raise PublishError(f"{item.label} is {why}; run it first: python -m taugda run")
    if not ready:
        raise PublishError(f"no run for collection {collection!r} is finished")
    return ready


def _copy(project: Project, item: Item, target: Path) -> None:
    source = project.run(item.stem, item.run)
    training = kind(project.notebook(item.stem)) == "training"
    shutil.rmtree(target, ignore_errors=True)
    (target / "figures").mkdir(parents=True)
    names = _RECORD if training else (*_RECORD, "notebook.ipynb")
    for name in names:
        data = (source / name).read_bytes()
        if str(project.root).encode() in data or str(Path.home()).encode() + b"/" in data:
            raise PublishError(f"{item.label}: {name} names a path of this machine")
        if name == "notebook.ipynb" and len(data) > NOTEBOOK_LIMIT:
            raise PublishError(
                f"{item.label}: the executed notebook must weigh at most {NOTEBOOK_LIMIT} bytes, "
                f"found {len(data)}"
            )
        write_atomic(target / name, data)
    for picture in sorted((source / "figures").glob("*.png")):
        if not training or picture.stem == _SAMPLES:
            shutil.copyfile(picture, target / "figures" / picture.name)


def _check_size(project: Project, staging: Path, collection: str) -> None:
    others = [
        path
        for path in project.published.iterdir()
        if path.name != collection and not path.name.startswith(".")
    ]
    total = sum(size(path) for path in [staging, *others])
    if total > TOTAL_LIMIT:
        raise PublishError(
            f"what is published must weigh at most {TOTAL_LIMIT} bytes together, found {total}"
        )


def size(path: Path) -> int:
    """Add up the sizes of files.

    Parameters
    ----------
    path : Path
        A file, or a folder with all that lies below it.

    Returns
    -------
    int
        Bytes.
    """
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


# The reading matter of a collection


def _write_claims(project: Project, folder: Path) -> None:
    from taugda.claims import verdicts
    from taugda.runs.format import plain

    found = verdicts(project)
    rows = [
        {
            "id": entry.claim.id,
            "statement": entry.claim.statement,
            "where": entry.claim.where,
            "paper": plain(entry.claim.paper),
            "tolerance": entry.claim.tolerance,
            "relative": entry.claim.relative,
            "measured": entry.measured,
            "uncertainty": entry.uncertainty,
            "verdict": entry.verdict,
            "note": entry.note,
            "notebook": entry.claim.notebook,
            "run": entry.run,
            "command": entry.claim.command,
        }
        for entry in found
    ]
    write_json(folder / "claims.json", rows)
    from taugda.runs.tables import claim_rows, markdown_table

    parts = ["# The paper's claims", "", _tally(rows), ""]
    for stem in project.stems():
        mine = [entry for entry in found if entry.claim.notebook == stem]
        if mine:
            table = claim_rows(mine)
            parts += [f"## [{stem}]({_notebook_link(stem, mine[0].run)})", ""]
            parts += [markdown_table(list(table[0]), [list(row.values()) for row in table]), ""]
    write_atomic(folder / "claims.md", "\n".join(parts))


def _notebook_link(stem: str, run: str | None) -> str:
    return f"{stem}/{run}/notebook.ipynb" if run else f"../../../notebooks/{stem}.ipynb"


def _tally(rows: Iterable[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["verdict"]] = counts.get(row["verdict"], 0) + 1
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _readme(project: Project, folder: Path, collection: str) -> str:
    parts = [
        f"# Published runs: {collection}",
        "",
        "Made by `python -m taugda publish`; not edited by hand.",
        "",
    ]
    if (folder / "claims.md").is_file():
        rows = read_json(folder / "claims.json")
        parts += [f"[The paper's claims](claims.md): {_tally(rows)}.", ""]
    for stem in project.stems():
        runs = sorted(path.parent for path in (folder / stem).glob("*/done.json"))
        if not runs:
            continue
        parts += [f"## {_title(project, stem)}", ""]
        lead = next((run for run in runs if run.name == "default"), runs[0])
        notebook = lead / "notebook.ipynb"
        if notebook.is_file():
            place = notebook.relative_to(folder).as_posix()
            parts += [f"[Read the executed notebook]({place})", ""]
            parts += _gallery(lead, folder)
        else:
            parts += _table(runs, folder)
    return "\n".join(parts).rstrip() + "\n"


def _title(project: Project, stem: str) -> str:
    from taugda.runs.parameters import read_cells

    for cell in read_cells(project.notebook(stem)):
        match = re.search(r"^# +(.+)$", cell["source"], re.MULTILINE)
        if cell["cell_type"] == "markdown" and match:
            return match[1]
    return stem


def _gallery(run: Path, folder: Path) -> list[str]:
    """Show the first figure, and link to all, each with what it says."""
    named = (read_json(run / "provenance.json") or {}).get("figures") or {}
    lines: list[str] = []
    for name, texts in named.items():
        path = run / "figures" / f"{name}.png"
        if path.is_file():
            place = path.relative_to(folder).as_posix()
            if not lines:
                lines += [f"![{texts['alt']}]({place})", ""]
            lines.append(f"- [{name.replace('_', ' ')}]({place}): {texts['caption']}")
    return [*lines, ""] if lines else []


def _table(runs: Sequence[Path], folder: Path) -> list[str]:
    from taugda.runs.tables import markdown_table

    rows = []
    for run in runs:
        details = read_json(run / "provenance.json") or {}
        machine = details.get("machine") or {}
        samples = run / "figures" / f"{_SAMPLES}.png"
        place = run.relative_to(folder).as_posix()
        rows.append(
            [
                f"[{run.name}]({place}/metrics.json)",
                str(details.get("started", ""))[:10],
                f"{(read_json(run / 'done.json') or {}).get('duration', 0):.0f}",
                str(machine.get("gpu") or machine.get("processor") or ""),
                f"[samples]({place}/figures/{_SAMPLES}.png)" if samples.is_file() else "",
            ]
        )
    return [markdown_table(["run", "date", "seconds", "machine", "pictures"], rows), ""]


def collections(project: Project) -> list[Path]:
    """Find the published collections.

    Parameters
    ----------
    project : Project
        Where the outputs are.

    Returns
    -------
    list of Path
        Their folders, ``default`` first.
    """
    found = [path for path in project.published.glob("*/") if not path.name.startswith(".")]
    return sorted(found, key=lambda path: (path.name != DEFAULT, path.name))


def sources_match(project: Project, stem: str, folder: Path) -> list[str]:
    """Compare a published analysis with the committed notebook and its parameters.

    Parameters
    ----------
    project : Project
        Where the notebooks are.
    stem : str
        The notebook's full name.
    folder : Path
        The published run.

    Returns
    -------
    list of str
        One phrase a difference; the library's own changes do not count.
    """
    from taugda.runs.files import read_yaml
    from taugda.runs.fingerprint import fingerprint
    from taugda.runs.parameters import read_cells, resolve

    faults = []
    parameters = read_yaml(folder / "parameters.yaml") or {}
    if folder.name == "default" and parameters != resolve(project, stem, {}):
        faults.append("its parameters are no longer the notebook's defaults")
    made = (read_json(folder / "done.json") or {}).get("fingerprint") or {}
    now = fingerprint(project.notebook(stem), parameters)
    if made.get("notebook") != now["notebook"]:
        faults.append("the notebook has changed since")
    executed = folder / "notebook.ipynb"
    if executed.is_file():
        run_cells = [
            "".join(cell["source"])
            for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"]
            if "injected-parameters" not in cell["metadata"].get("tags", [])
        ]
        if run_cells != [cell["source"] for cell in read_cells(project.notebook(stem))]:
            faults.append("the executed cells are not the notebook's")
    return faults
