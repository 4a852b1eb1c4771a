"""Sweep files: one notebook, many sets of parameters."""

import itertools
import math
from pathlib import Path
from typing import Any

from taugda.runs.errors import ParameterError, ProjectError
from taugda.runs.files import read_yaml
from taugda.runs.parameters import read_file, resolve, run_name
from taugda.runs.project import Project

_KEYS = ("notebook", "base", "grid", "runs")
_LARGEST = 10_000


def read_sweep(project: Project, path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Read a sweep file and check every run in it.

    Parameters
    ----------
    project : Project
        Where the notebooks are.
    path : Path
        YAML with ``notebook``, optionally ``base`` (parameters that all runs share, or a
        parameter file, named from the project's root), and either
        ``grid`` (a list of values for each parameter, all combinations) or ``runs`` (a list of
        mappings).

    Returns
    -------
    list of (str, dict)
        The notebook's full name and the parameters given for each run.

    Raises
    ------
    ParameterError
        If the file is unusable, with the key that is at fault.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ParameterError(f"{path}: expected a mapping with the keys {', '.join(_KEYS)}")
    for key in content:
        if key not in _KEYS:
            raise ParameterError(f"{path}: unknown key {key!r} (keys: {', '.join(_KEYS)})")
    if not isinstance(content.get("notebook"), str):
        raise ParameterError(f"{path}: 'notebook' must name a notebook")
    base = content.get("base") or {}
    if isinstance(base, str):
        base = read_file(project.root / base)
    if not isinstance(base, dict):
        raise ParameterError(f"{path}: 'base' must be a mapping, found {base!r}")
    if ("grid" in content) == ("runs" in content):
        raise ParameterError(f"{path}: expected either 'grid' or 'runs'")
    if "grid" in content:
        members, key = _expand(path, content["grid"]), "grid"
    else:
        members, key = _list(path, content["runs"]), "runs"
    return _check(project, path, content["notebook"], base, members, key)


def _expand(path: Path, grid: Any) -> list[dict[str, Any]]:
    if not isinstance(grid, dict) or not grid:
        raise ParameterError(f"{path}: 'grid' must be a mapping of parameters to lists of values")
    for name, values in grid.items():
        if not isinstance(values, list) or not values:
            raise ParameterError(
                f"{path}: grid: {name!r} must be a list with at least one value, found {values!r}"
            )
    size = math.prod(len(values) for values in grid.values())
    if size > _LARGEST:
        raise ParameterError(f"{path}: grid: {size} runs are more than the limit of {_LARGEST}")
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def _list(path: Path, runs: Any) -> list[dict[str, Any]]:
    if not isinstance(runs, list) or not runs:
        raise ParameterError(f"{path}: 'runs' must be a list of mappings with at least one entry")
    if len(runs) > _LARGEST:
        raise ParameterError(
            f"{path}: runs: {len(runs)} runs are more than the limit of {_LARGEST}"
        )
    for number, entry in enumerate(runs, start=1):
        if not isinstance(entry, dict):
            raise ParameterError(f"{path}: runs: entry {number} must be a mapping, found {entry!r}")
    return runs


def _check(
    project: Project,
    path: Path,
    notebook: str,
    base: dict[str, Any],
    members: list[dict[str, Any]],
    key: str,
) -> list[tuple[str, dict[str, Any]]]:
    found: dict[str, int] = {}
    for number, member in enumerate(members, start=1):
        twice = [name for name in member if name in base]
        if twice:
            raise ParameterError(f"{path}: {key}: {twice[0]!r} is in 'base' too")
        try:
            stem = project.find_notebook(notebook)
            run = run_name(project, stem, resolve(project, stem, {**base, **member}))
        except (ParameterError, ProjectError) as error:
            raise ParameterError(f"{path}: {key}: run {number}: {error}") from error
        if run in found:
            raise ParameterError(f"{path}: {key}: runs {found[run]} and {number} are the same")
        found[run] = number
    return [(stem, {**base, **member}) for member in members]
