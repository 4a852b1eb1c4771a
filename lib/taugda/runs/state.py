"""What a run depends on, as hashes: notebook, parameters, data, and groups of the library.

A notebook's metadata may say ``{"taugda": {"kind": "training", "data": ["data_path"], "reads":
["09_gan_training"]}}``: that it trains, which of its parameters name files or folders (or None),
and which notebooks' finished runs it collects.

A module counts as its syntax tree without docstrings, so that comments, layout and documentation
make no run stale; what executes runs, judges claims or makes pages does not count at all.
"""

import ast
import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from taugda.atomic import files_below
from taugda.runs.files import read_json
from taugda.runs.parameters import canonical, parse_python, read_notebook
from taugda.runs.project import ParameterError, Project

PACKAGE = Path(__file__).resolve().parents[1]
GROUPS = {
    "checks": ("checks",),
    "mathematics": ("blocks", "games", "equilibria", "stability", "dynamics", "ensembles"),
    "proofs": ("proofs",),
    "gan": ("gan", "network"),
    "plots": ("plots",),
    "record": ("record",),
}
_GROUP = {module: group for group, modules in GROUPS.items() for module in modules}


def fingerprint(project: Project, stem: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Hash all that a run depends on: in all, by part, and the library by group in use."""
    path = project.notebook(stem)
    cells = [
        [cell["cell_type"], "".join(cell["source"])]
        + [cell["metadata"].get(key) for key in ("tags", "taugda")]
        for cell in read_notebook(path)["cells"]
    ]
    code = [source for cell_type, source, *_ in cells if cell_type == "code"]
    parts: dict[str, Any] = {
        "notebook": _digest(cells),
        "parameters": _digest(dict(parameters)),
        "data": _digest(identities(project, stem, parameters)),
        "library": _library(code, {"plots", "record"} if kind(path) == "training" else set()),
    }
    return {"total": _digest(parts), **parts}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say why a run with an old fingerprint is stale under a new one; empty where it is not."""
    parts = ("notebook", "parameters", "data")
    reasons = [f"{part} changed" for part in parts if old.get(part) != new.get(part)]
    before, now = old.get("library") or {}, new["library"]
    if groups := [group for group in now if before.get(group) != now[group]]:
        reasons.append(f"library changed ({', '.join(groups)})")
    return reasons


def marked(path: Path) -> dict[str, Any]:
    """Read what a notebook's metadata say to the runner; empty where they say nothing."""
    found = read_notebook(path).get("metadata", {}).get("taugda", {})
    return found if isinstance(found, dict) else {}


def kind(path: Path) -> str:
    """Whether a notebook is ``training`` or ``analysis``."""
    return "training" if marked(path).get("kind") == "training" else "analysis"


def failed_folder(final: Path) -> Path:
    """Folder beside a run's that the remains of a failure lie in."""
    return final.with_name(f"{final.name}.failed")


def reads(project: Project, stem: str) -> list[str]:
    """Full names of the notebooks whose finished runs a notebook collects."""
    return [project.find_notebook(name) for name in _names(project, stem, "reads")]


def in_order(project: Project, stems: Iterable[str]) -> list[str]:
    """Order notebooks, and those they read, so that each comes after what it reads."""
    graph: dict[str, list[str]] = {}
    waiting = list(stems)
    while waiting:
        stem = waiting.pop()
        if stem not in graph:
            graph[stem] = reads(project, stem)
            waiting += graph[stem]
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        where = " -> ".join(error.args[1])
        raise ParameterError(f"notebooks must not read each other in a circle: {where}") from None


def data_paths(project: Project, stem: str, parameters: Mapping[str, Any]) -> dict[str, Path]:
    """Files and folders that a run's parameters name; a relative one starts at the root."""
    found = {}
    for name in _names(project, stem, "data"):
        if name not in parameters:
            raise ParameterError(
                f"{stem}: metadata 'data' must name parameters of the notebook, found {name!r}"
            )
        if parameters[name]:
            found[name] = project.root / Path(parameters[name]).expanduser()
    return found


def check_data(project: Project, stem: str, parameters: Mapping[str, Any]) -> None:
    """Make sure that the data that a run names are there, unless it downloads them."""
    for name, path in data_paths(project, stem, parameters).items():
        if parameters.get("download") is not True and not path.exists():
            raise ParameterError(
                f"{stem}: parameter {name!r} must name an existing file or folder, found "
                f"{parameters[name]!r}, which is missing (relative paths start at the project)"
            )


def awaited(project: Project, stem: str, parameters: Mapping[str, Any]) -> bool:
    """Whether data are not there yet: a path is missing, or a folder holds only hidden files."""
    paths = data_paths(project, stem, parameters).values()
    return not all(files_below(path) if path.is_dir() else path.exists() for path in paths)


def identities(project: Project, stem: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Identity of all that a run reads.

    A file counts with its content, a folder with the names and sizes of its files that are not
    hidden, a notebook with what its finished and published runs were made of.
    """
    found = {name: _identify(path) for name, path in data_paths(project, stem, parameters).items()}
    for source in reads(project, stem):
        found[f"runs of {source}"] = _identify_runs(project, source)
    return found


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _names(project: Project, stem: str, key: str) -> list[str]:
    names = marked(project.notebook(stem)).get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ParameterError(f"{stem}: metadata {key!r} must be a list of names, found {names!r}")
    return names


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


def _identify_runs(project: Project, stem: str) -> str:
    finished = {
        path.parent.name: (done.get("fingerprint") or {}).get("total")
        for path in sorted((project.runs / stem).glob("[!.]*/done.json"))  # hidden: runs at work
        if isinstance(done := read_json(path), dict)
    }
    # A run of this checkout stands for its published copy.
    published = [
        [path.relative_to(project.published).as_posix(), _identify(path)]
        for path in sorted(project.published.glob(f"*/{stem}/*/metrics.json"))
        if path.parent.name not in finished
    ]
    return _digest([list(finished.items()), published])


def _library(code: Iterable[str], ignored: set[str]) -> dict[str, str]:
    waiting: set[str] = set()
    for source in code:
        # IPython's own lines (%magic, !shell) are no Python and import nothing of ours.
        lines = [x for x in source.splitlines() if not x.lstrip().startswith(("%", "!"))]
        try:
            waiting |= _uses(parse_python("\n".join(lines)))
        except SyntaxError:
            waiting |= set(GROUPS)  # it could import anything
    found: dict[str, str] = {}
    while waiting := waiting - found.keys() - ignored:
        group, modules = waiting.pop(), []
        for name in GROUPS[group]:
            for path in sorted([*PACKAGE.glob(f"{name}.py"), *PACKAGE.glob(f"{name}/**/*.py")]):
                digest, uses = _read_module(path, path.stat().st_mtime_ns)
                modules.append([path.relative_to(PACKAGE).as_posix(), digest])
                waiting |= uses
        found[group] = _digest(modules)
    return dict(sorted(found.items()))


@lru_cache(maxsize=512)
def _read_module(path: Path, mtime: int) -> tuple[str, frozenset[str]]:
    tree = parse_python(path.read_text(encoding="utf-8"))
    uses = frozenset(_uses(tree))
    for node in ast.walk(tree):
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return _digest(ast.dump(tree)), uses


def _uses(tree: ast.Module) -> set[str]:
    """Find the groups that a syntax tree imports; the bare package may reach any of them."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    if "taugda" in names:
        return set(GROUPS)
    parts = [name.split(".") for name in names if name.startswith("taugda.")]
    return {_GROUP[part[1]] for part in parts if part[1] in _GROUP}
