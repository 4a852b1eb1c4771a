"""What a run reads beside its parameters: data files of the user, and other notebooks' runs.

A notebook says so in its metadata: ``{"taugda": {"data": ["data_path"], "reads":
["09_gan_training"]}}`` names the parameters that hold a path (or None), and the notebooks whose
finished runs it collects.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from taugda.runs.errors import ParameterError
from taugda.runs.files import read_json
from taugda.runs.fingerprint import fingerprint, marked
from taugda.runs.parameters import canonical
from taugda.runs.project import Project

_ABSENT = "absent"


def run_fingerprint(project: Project, stem: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Hash all that a run depends on, what it reads included.

    Parameters
    ----------
    project : Project
        Where notebook, library and outputs are.
    stem : str
        The notebook's full name.
    parameters : mapping
        All parameters of the run.

    Returns
    -------
    dict
        As `taugda.runs.fingerprint.fingerprint` returns it.
    """
    data = identities(project, stem, parameters)
    return fingerprint(project.notebook(stem), parameters, data)


def reads(project: Project, stem: str) -> list[str]:
    """Notebooks whose finished runs a notebook collects.

    Parameters
    ----------
    project : Project
        Where the notebooks are.
    stem : str
        The notebook's full name.

    Returns
    -------
    list of str
        Their full names.

    Raises
    ------
    ParameterError
        If the metadata holds anything but a list of names.
    ProjectError
        If one of them is unknown.
    """
    return [project.find_notebook(name) for name in _names(project, stem, "reads")]


def data_paths(project: Project, stem: str, parameters: Mapping[str, Any]) -> dict[str, Path]:
    """Files and folders of data that a run's parameters name.

    Parameters
    ----------
    project : Project
        Where the notebook is; a relative path starts at the root.
    stem : str
        The notebook's full name.
    parameters : mapping
        All parameters of the run.

    Returns
    -------
    dict of str to Path
        By the parameter's name; those that are None or empty are left out.

    Raises
    ------
    ParameterError
        If the metadata names no parameter of the notebook, or one that holds no text.
    """
    found = {}
    for name in _names(project, stem, "data"):
        if name not in parameters:
            raise ParameterError(
                f"{stem}: metadata 'data' must name parameters of the notebook, found {name!r}"
            )
        value = parameters[name]
        if value is not None and not isinstance(value, str):
            raise ParameterError(
                f"{stem}: parameter {name!r} must be a path or None, found {value!r}"
            )
        if value:
            found[name] = project.root / Path(value).expanduser()
    return found


def check_data(project: Project, stem: str, parameters: Mapping[str, Any]) -> None:
    """Make sure that the data that a run names are there, unless it downloads them.

    Parameters
    ----------
    project : Project
        Where the notebook is.
    stem : str
        The notebook's full name.
    parameters : mapping
        All parameters of the run; a true ``download`` says that it may fetch what is missing.

    Raises
    ------
    ParameterError
        If a file or folder is missing.
    """
    if parameters.get("download") is True:
        return
    for name, path in data_paths(project, stem, parameters).items():
        if not path.exists():
            raise ParameterError(
                f"{stem}: parameter {name!r} must name an existing file or folder, found "
                f"{parameters[name]!r}, which is missing (relative paths start at the project)"
            )


def awaited(project: Project, stem: str, parameters: Mapping[str, Any]) -> bool:
    """Tell whether data that a run names are not there yet.

    Parameters
    ----------
    project : Project
        Where the notebook is.
    stem : str
        The notebook's full name.
    parameters : mapping
        All parameters of the run.

    Returns
    -------
    bool
        True for a run that has to download its data first: a path is missing, or a folder in
        which there is nothing yet but what is hidden (a download in progress).
    """
    return not all(_there(path) for path in data_paths(project, stem, parameters).values())


def _there(path: Path) -> bool:
    return bool(_visible(path)) if path.is_dir() else path.exists()


def _visible(folder: Path) -> list[Path]:
    """Files below a folder but hidden ones, which nobody reads; downloads come and go as such."""
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in files if not name.startswith(".")]
    return sorted(path for path in found if path.is_file())


def identities(project: Project, stem: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Identity of everything that a run reads.

    Parameters
    ----------
    project : Project
        Where notebooks and outputs are.
    stem : str
        The notebook's full name.
    parameters : mapping
        All parameters of the run.

    Returns
    -------
    dict of str to str
        A file counts with its size and content, a folder with the relative names and sizes of
        its files that are not hidden, a notebook with what its finished and published runs were
        made of.
    """
    found = {name: _identify(path) for name, path in data_paths(project, stem, parameters).items()}
    for source in reads(project, stem):
        found[f"runs of {source}"] = _identify_runs(project, source)
    return found


def in_order(project: Project, stems: Iterable[str]) -> list[str]:
    """Order notebooks so that each comes after those that it reads.

    Parameters
    ----------
    project : Project
        Where the notebooks are.
    stems : iterable of str
        Full names.

    Returns
    -------
    list of str
        The same names once each, otherwise in the order given.

    Raises
    ------
    ParameterError
        If notebooks read each other in a circle.
    """
    wanted = list(dict.fromkeys(stems))
    found: list[str] = []

    def visit(stem: str, path: Sequence[str]) -> None:
        if stem in path:
            circle = " -> ".join([*path[path.index(stem) :], stem])
            raise ParameterError(f"notebooks must not read each other in a circle, found {circle}")
        for source in reads(project, stem):
            visit(source, [*path, stem])
        if stem in wanted and stem not in found:
            found.append(stem)

    for stem in wanted:
        visit(stem, [])
    return found


def _names(project: Project, stem: str, key: str) -> list[str]:
    names = marked(project.notebook(stem)).get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ParameterError(f"{stem}: metadata {key!r} must be a list of names, found {names!r}")
    return names


def _identify(path: Path) -> str:
    if path.is_dir():
        sizes = [[f.relative_to(path).as_posix(), f.stat().st_size] for f in _visible(path)]
        return hashlib.sha256(canonical(sizes).encode()).hexdigest()
    try:
        facts = path.stat()
    except OSError:
        return _ABSENT
    return f"{facts.st_size}-{_sha256(path, facts.st_size, facts.st_mtime_ns)}"


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, mtime: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _identify_runs(project: Project, stem: str) -> str:
    finished = []
    for path in sorted((project.runs / stem).glob("*/done.json")):
        done = read_json(path)
        # Hidden folders are runs at work.
        if isinstance(done, dict) and not path.parent.name.startswith("."):
            finished.append([path.parent.name, (done.get("fingerprint") or {}).get("total")])
    # As in `taugda.runs.collect`: a run of this checkout stands for its published copy.
    here = {name for name, _ in finished}
    published = [
        [path.relative_to(project.published).as_posix(), _identify(path)]
        for path in sorted(project.published.glob(f"*/{stem}/*/metrics.json"))
        if path.parent.name not in here
    ]
    return hashlib.sha256(canonical([finished, published]).encode()).hexdigest()
