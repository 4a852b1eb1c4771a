"""One run of a notebook, and what it depends on, as hashes.

A notebook's metadata may say ``{"taugda": {"kind": "training", "data": ["data_path"], "reads":
["09_gan_training"]}}``; see `Marks`.  A run is made of the notebook, its parameters, the data and
the rooms of the library in use.  A module counts as its syntax tree without docstrings, so that
comments, layout and documentation make no run stale; what executes runs, judges claims or makes
pages does not count at all.
"""

import ast
import hashlib
import itertools
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from taugda.atomic import files_below
from taugda.runs.files import read_json
from taugda.runs.parameters import canonical, parse_python, read_notebook, run_name
from taugda.runs.project import ParameterError, Project

PACKAGE = Path(__file__).resolve().parents[1]
_ENGINE = {"atomic", "claims", "runs", "report"}  # what makes no run stale
_COUNTED = (".py", ".css", ".js", ".mplstyle")  # all but modules count as they are
MISSING, STALE, FAILED, FORCED = "missing", "stale", "failed before", "forced"
UP_TO_DATE, KEPT = "up to date", "kept"  # kept: a training run that other code made


class _Together(BaseModel, strict=True):
    differ: list[str]  # parameters in which runs that share a kernel may differ
    at_most: str  # the parameter that says how many they may be


class Marks(BaseModel, strict=True):
    """What a notebook's metadata say to the runner."""

    kind: Literal["analysis", "training"] = "analysis"
    data: list[str] = []  # parameters that name files or folders, or None
    reads: list[str] = []  # notebooks whose finished runs it collects
    together: _Together | None = None  # it can train several runs side by side


@dataclass(frozen=True)
class Item:
    """One run of a plan: what is there now, why it is stale or kept, when and how long it ran."""

    project: Project
    stem: str
    parameters: dict[str, Any]
    state: str = MISSING
    reason: str = ""
    duration: float | None = None
    finished: str = ""

    @cached_property
    def run(self) -> str:
        """Name of the run's folder."""
        return run_name(self.project, self.stem, self.parameters)

    label = property(lambda self: f"{self.stem}/{self.run}")  # as in the outputs folder
    due = property(lambda self: self.state not in (UP_TO_DATE, KEPT))  # to be executed
    notebook = property(lambda self: self.project.notebook(self.stem))
    marks = property(lambda self: marks(self.notebook))
    folder = property(lambda self: self.project.run(self.stem, self.run))
    failed = property(lambda self: self.project.run(self.stem, f"{self.run}.failed"))
    downloads = property(lambda self: self.parameters.get("download") is True)
    lock = property(lambda self: self.project.locks / self.stem / f"{self.run}.lock")


def compare(item: Item) -> Item:
    """Compare one run with what is in the outputs."""
    found = Item(item.project, item.stem, item.parameters)
    done = read_json(item.folder / "done.json")
    files = ("notebook.ipynb", "metrics.json", "provenance.json")
    if isinstance(done, dict) and all((item.folder / name).is_file() for name in files):
        reasons = differences(done.get("fingerprint") or {}, fingerprint(item))
        if done.get("mode") != "batch":
            reasons.append("made interactively, so not all that its cells said is kept")
        stale = KEPT if item.marks.kind == "training" else STALE
        state, duration = stale if reasons else UP_TO_DATE, done.get("duration")
        ended = f"{done.get('finished')} {duration}"
        found = replace(
            found, state=state, reason="; ".join(reasons), duration=duration, finished=ended
        )
    if item.failed.is_dir() and found.state in (MISSING, STALE):
        found = replace(found, state=FAILED)
    return found


def fingerprint(item: Item) -> dict[str, Any]:
    """Hash all that a run depends on: in all, by part, and the library by room in use."""
    cells = [
        [cell["cell_type"], "".join(cell["source"])]
        + [cell["metadata"].get(key) for key in ("tags", "taugda")]
        for cell in read_notebook(item.notebook)["cells"]
    ]
    code = [source for cell_type, source, *_ in cells if cell_type == "code"]
    parts: dict[str, Any] = {
        "notebook": _digest(cells),
        "parameters": _digest(dict(item.parameters)),
        "data": _digest(identities(item)),
        "library": _library(code, item.marks.kind),
    }
    return {"total": _digest(parts), **parts}


def checkpoints(item: Item) -> Path:
    """Folder of a run's checkpoints, by what it is made of: none goes on from another code's."""
    made_of = fingerprint(item)
    if item.downloads:  # data that are not there yet do not count
        made_of = {**made_of, "total": "", "data": ""}
    return item.project.checkpoints / item.stem / f"{item.run}.{_digest(made_of)[:8]}"


def clear_checkpoints(item: Item) -> None:
    """Remove the checkpoints of a run that has succeeded, and those of other code."""
    for folder in item.project.checkpoints.glob(f"{item.stem}/{item.run}.*"):
        shutil.rmtree(folder, ignore_errors=True)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say why a run with an old fingerprint is stale under a new one; empty where it is not."""
    parts = ("notebook", "parameters", "data")
    reasons = [f"{part} changed" for part in parts if old.get(part) != new.get(part)]
    before, now = old.get("library") or {}, new["library"]
    if rooms := [room for room in now if before.get(room) != now[room]]:
        reasons.append(f"library changed ({', '.join(rooms)})")
    return reasons


def marks(path: Path) -> Marks:
    """Read what a notebook's metadata say to the runner."""
    found = read_notebook(path).get("metadata", {}).get("taugda", {})
    try:
        return Marks.model_validate(found)
    except ValidationError as error:
        fault = error.errors()[0]
        key, expected = ".".join(map(str, fault["loc"])), fault["msg"].removeprefix("Input ")
        raise ParameterError(
            f"{path.stem}: metadata {key!r} {expected}, found {fault['input']!r}"
        ) from error


def reads(project: Project, stem: str) -> set[str]:
    """Full names of the notebooks whose finished runs a notebook collects."""
    found = {project.find_notebook(name) for name in marks(project.notebook(stem)).reads}
    for source in found:
        if marks(project.notebook(source)).reads:
            raise ParameterError(
                f"{stem}: metadata 'reads' must name notebooks that read no others, found {source}"
            )
    return found


def data_paths(item: Item, check: bool = False) -> dict[str, Path]:
    """Files and folders that a run's parameters name; a check needs those that none downloads."""
    found = {}
    for name in item.marks.data:
        if name not in item.parameters:
            raise ParameterError(
                f"{item.stem}: metadata 'data' must name parameters of the notebook, found {name!r}"
            )
        if value := item.parameters[name]:
            found[name] = item.project.root / Path(value).expanduser()
            if check and not item.downloads and not found[name].exists():
                raise ParameterError(
                    f"{item.stem}: parameter {name!r} must name an existing file or folder, found "
                    f"{value!r}, which is missing (relative paths start at the project)"
                )
    return found


def identities(item: Item) -> dict[str, str]:
    """Identity of all that a run reads.

    A file counts with its content, a folder with the names and sizes of its files that are not
    hidden, a notebook with what its finished and published runs were made of.
    """
    found = {name: _identify(path) for name, path in data_paths(item).items()}
    for source in sorted(reads(item.project, item.stem)):
        # A run of this checkout stands for its published copy.
        made = {path.name: path for path in reversed(finished_runs(item.project, source))}
        done = {name: read_json(path / "done.json") or {} for name, path in made.items()}
        totals = {name: (d.get("fingerprint") or {}).get("total") for name, d in done.items()}
        found[f"runs of {source}"] = _digest(totals)
    return found


def finished_runs(project: Project, stem: str) -> list[Path]:
    """Folders of a notebook's finished runs, those of this checkout before published ones."""
    places = [(project.runs / stem).glob("[!.]*"), project.published.glob(f"*/{stem}/[!.]*")]
    folders = itertools.chain(*map(sorted, places))
    return [f for f in folders if (f / "done.json").is_file() and not f.name.endswith(".failed")]


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _identify(path: Path) -> str:
    if path.is_dir():
        # A link that leads nowhere is refused by who reads it.
        files = [(f.relative_to(path).as_posix(), f) for f in files_below(path) if f.exists()]
        return _digest([[name, file.stat().st_size] for name, file in files])
    if not path.exists():
        return "absent"
    return f"{path.stat().st_size}-{_sha256(path, path.stat().st_size, path.stat().st_mtime_ns)}"


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, mtime: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _library(code: Iterable[str], kind: str) -> dict[str, str]:
    # No picture and no record changes what is trained.
    counted = _rooms() - ({"plots", "record"} if kind == "training" else set())
    waiting, found = set[str](), dict[str, str]()
    for source in code:
        # IPython's own lines (%magic, !shell) are no Python and import nothing of ours.
        lines = [x for x in source.splitlines() if not x.lstrip().startswith(("%", "!"))]
        try:
            waiting |= _uses(parse_python("\n".join(lines)))
        except SyntaxError:
            waiting |= counted  # it could import anything
    while waiting := waiting & counted - found.keys():
        room, modules = waiting.pop(), []
        files = [*PACKAGE.glob(f"{room}.py"), *PACKAGE.glob(f"{room}/**/*.*")]
        for path in sorted(file for file in files if file.suffix in _COUNTED):
            digest, uses = _read_module(path, path.stat().st_mtime_ns)
            modules.append([path.relative_to(PACKAGE).as_posix(), digest])
            waiting |= uses
        found[room] = _digest(modules)
    return dict(sorted(found.items()))


def _rooms() -> set[str]:
    return {path.stem for path in PACKAGE.glob("[!_]*")} - _ENGINE


@lru_cache(maxsize=512)
def _read_module(path: Path, mtime: int) -> tuple[str, frozenset[str]]:
    if path.suffix != ".py":
        return _identify(path), frozenset()
    tree = parse_python(path.read_text(encoding="utf-8"))
    uses = frozenset(_uses(tree))
    for node in ast.walk(tree):
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return _digest(ast.dump(tree)), uses


def _uses(tree: ast.Module) -> set[str]:
    """Find the rooms that a syntax tree imports; the bare package may reach any of them."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    rooms = {name.split(".")[1] for name in names if name.startswith("taugda.")}
    return rooms | (_rooms() if "taugda" in names else set())
