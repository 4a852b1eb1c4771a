"""What the repository keeps of runs, in ``outputs/published/``, so that it can be read as it is.

A collection holds, for every run, its record and its pictures; for an analysis notebook the
executed notebook too.  ``default`` is made of the runs that ``python -m taugda run`` makes and is
replaced as a whole.  Other collections (``long``, ``gpu``) gather training runs that took long,
are added to, and are never invalidated: their provenance says what made them.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from taugda.atomic import write_atomic
from taugda.claims import Verdict
from taugda.record.claims import claim_rows
from taugda.record.tables import markdown_table
from taugda.report.claims import definition, grouped, tally_text, verdicts
from taugda.report.entries import stored, title
from taugda.runs.files import read_json, replacing
from taugda.runs.parameters import read_notebook
from taugda.runs.plan import KEPT, UP_TO_DATE, Item
from taugda.runs.project import Project, ProjectError

DEFAULT = "default"
NOTEBOOK_LIMIT = 1_500_000  # bytes of one executed notebook
TOTAL_LIMIT = 20_000_000  # bytes of everything that is published
_RECORD = ("parameters.yaml", "metrics.json", "provenance.json", "done.json")
_SAMPLES = "samples"  # the one picture that is kept of a training run
LINK = re.compile(rb"\]\((\d\d_\w+)\.ipynb\)")  # from a notebook to one beside it
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_ROOT = "../../.."  # the project's root, seen from a collection


class PublishError(ProjectError):
    """Something that must not be published, or is not there."""


def publish(project: Project, items: Sequence[Item], collection: str = DEFAULT) -> list[Item]:
    """Copy finished runs into a collection, in place of ``default`` or added to another; name them.

    A PublishError leaves everything as it was: a run of ``default`` is missing or stale, nothing
    is finished, an analysis is meant for another collection, something is too heavy, a file names
    a path of this machine, or the collection's name is unusable.
    """
    if not _NAME.fullmatch(collection):
        raise PublishError(
            f"collection must be lower-case letters, digits, '_' and '-', found {collection!r}"
        )
    ready = _check_runs(project, items, collection)
    final = project.published / collection
    with replacing(final) as staging:
        if collection != DEFAULT and final.is_dir():
            shutil.copytree(final, staging, dirs_exist_ok=True)
        for item in ready:
            _copy(project, item, staging / item.stem / item.run)
        found = verdicts(project) if collection == DEFAULT else []
        if collection == DEFAULT:
            write_atomic(staging / "claims.md", _claims_text(project, staging, found))
        write_atomic(staging / "README.md", _readme(project, staging, collection, found))
        check_weight(project, staging, final)
    return ready


def check_weight(project: Project, staging: Path, final: Path) -> None:
    """Raise a PublishError if what is published were too heavy with a folder in another's place."""
    total = sum(map(size, [staging, *(p for p in collections(project) if p != final)]))
    if total > TOTAL_LIMIT:
        raise PublishError(
            f"what is published must weigh at most {TOTAL_LIMIT} bytes together, found {total}"
        )


def _check_runs(project: Project, items: Sequence[Item], collection: str) -> list[Item]:
    """Return the runs that can be copied."""
    ready = []
    for item in items:
        training = item.marks.kind == "training"
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
    training = item.marks.kind == "training"
    shutil.rmtree(target, ignore_errors=True)
    (target / "figures").mkdir(parents=True)
    for name in _RECORD if training else (*_RECORD, "notebook.ipynb"):
        data = (source / name).read_bytes()
        if str(project.root).encode() in data or str(Path.home()).encode() + b"/" in data:
            raise PublishError(f"{item.label}: {name} names a path of this machine")
        if name == "notebook.ipynb" and len(data) > NOTEBOOK_LIMIT:
            raise PublishError(
                f"{item.label}: the executed notebook must weigh at most {NOTEBOOK_LIMIT} bytes, "
                f"found {len(data)}"
            )
        if name == "notebook.ipynb":
            data = LINK.sub(rb"](../../../../../notebooks/\1.ipynb)", data)
        write_atomic(target / name, data)
    for picture in sorted((source / "figures").glob("*.png")):
        if not training or picture.stem == _SAMPLES:
            shutil.copyfile(picture, target / "figures" / picture.name)


def size(folder: Path) -> int:
    """Add up the bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def collections(project: Project) -> list[Path]:
    """Find the folders of the published collections, ``default`` first."""
    found = [path for path in project.published.glob("*/") if not path.name.startswith(".")]
    return sorted(found, key=lambda path: (path.name != DEFAULT, path.name))


# The reading matter of a collection


def _claims_text(project: Project, folder: Path, found: Sequence[Verdict]) -> str:
    parts = ["# Claims and checks", ""]
    parts += [f"- {heading}: {tally_text(mine)}" for _, heading, mine in grouped(found)]
    for _, heading, part in grouped(found):
        parts += ["", f"## {heading}"]
        for stem in project.stems():
            mine = [one for one in part if one.claim.notebook == stem]
            if mine:
                rows = [
                    {**row, "Where": _where(project, folder, one)}
                    for one, row in zip(mine, claim_rows(mine), strict=True)
                ]
                table = markdown_table(list(rows[0]), [list(row.values()) for row in rows])
                parts += ["", f"### [{stem}]({_notebook(folder, mine[0])})", "", table]
    return "\n".join(parts) + "\n"


def _where(project: Project, folder: Path, one: Verdict) -> str:
    """Name the theorem or experiment, with links to the function and to the notebook."""
    source = definition(project, one.claim.function, _ROOT)
    function = f"`{one.claim.function}`" if one.claim.function else ""
    links = [f"[{function}]({source})" if source else function]
    links.append(f"[{one.claim.notebook}]({_notebook(folder, one)})")
    return f"{one.claim.where}: {', '.join(filter(None, links))}"


def _notebook(folder: Path, one: Verdict) -> str:
    """Address of the executed notebook that decides a claim; of its source, if not published."""
    place = f"{one.claim.notebook}/default/notebook.ipynb"
    there = (folder / place).is_file()
    return place if there else f"{_ROOT}/notebooks/{one.claim.notebook}.ipynb"


def _readme(project: Project, folder: Path, collection: str, found: Sequence[Verdict]) -> str:
    parts = [f"# Published runs: {collection}", ""]
    parts += ["Made by `python -m taugda publish`; not edited by hand.", ""]
    for _, heading, mine in grouped(found):
        parts += [f"[{heading}](claims.md): {tally_text(mine)}.", ""]
    for stem in project.stems():
        runs = sorted(path.parent for path in (folder / stem).glob("*/done.json"))
        if not runs:
            continue
        parts += [f"## {title(read_notebook(project.notebook(stem)), stem)}", ""]
        lead = next((run for run in runs if run.name == "default"), runs[0])
        place = lead.relative_to(folder).as_posix()
        if (lead / "notebook.ipynb").is_file():
            parts += [f"[Read the executed notebook]({place}/notebook.ipynb)", ""]
            parts += _gallery(lead, place)
        else:
            parts += [training_table(runs, folder), ""]
    return "\n".join(parts).rstrip() + "\n"


def _gallery(run: Path, place: str) -> list[str]:
    """Show the first figure, and link to all, each with what it says."""
    address, found = f"{place}/figures", stored(run)
    first = [f"![{texts['alt']}]({address}/{name}.png)" for name, texts in found.items()][:1]
    links = [
        f"- [{name.replace('_', ' ')}]({address}/{name}.png): {texts['caption']}"
        for name, texts in found.items()
    ]
    return [*first, "", *links, ""] if links else []


def training_table(runs: Sequence[Path], folder: Path) -> str:
    """Write the table of a collection's training runs."""
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
    return markdown_table(["run", "date", "seconds", "machine", "pictures"], rows)
