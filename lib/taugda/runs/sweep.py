"""Sweep files: one notebook, many sets of parameters."""

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from taugda.runs.errors import ParameterError, ProjectError
from taugda.runs.files import Marks, read_yaml_marked
from taugda.runs.parameters import canonical, read_file, resolve
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
        parameter file, named from the project's root), and either ``grid`` (a list of values for
        each parameter, all combinations) or ``runs`` (a list of mappings).

    Returns
    -------
    list of (str, dict)
        The notebook's full name and the parameters given for each run.  A grid's last parameter
        changes fastest.

    Raises
    ------
    ParameterError
        If the file is unusable, with the line that is at fault and what to do.
    """
    content, marks = read_yaml_marked(path)
    return _Reader(project, path, content, marks).members()


class _Reader:
    def __init__(self, project: Project, path: Path, content: Any, marks: Marks) -> None:
        self._project = project
        self._path = path
        self._content = content
        self._marks = marks

    def members(self) -> list[tuple[str, dict[str, Any]]]:
        content = self._content
        if not isinstance(content, dict):
            self._refuse([], f"expected a mapping with the keys {', '.join(_KEYS)}")
        for key in content:
            if key not in _KEYS:
                self._refuse([key], f"unknown key {key!r}; use {', '.join(_KEYS)}")
        if not isinstance(content.get("notebook"), str):
            self._refuse(
                ["notebook"], "'notebook' must name a notebook, such as 'notebook: quadratic'"
            )
        if "grid" in content and "runs" in content:
            self._refuse(["runs"], "expected either 'grid' or 'runs'; remove one of them")
        if "grid" not in content and "runs" not in content:
            self._refuse([], "expected either 'grid' or 'runs'; add one of them")
        try:
            stem = self._project.find_notebook(content["notebook"])
        except ProjectError as error:
            self._refuse(["notebook"], str(error))
        base = self._base(content.get("base") or {})
        for name, value in base.items():
            self._check(stem, name, value, ["base", name])
        members = (self._grid if "grid" in content else self._list)(stem, base)
        return [(stem, {**base, **member}) for member in members]

    def _base(self, base: Any) -> dict[str, Any]:
        if isinstance(base, str):
            try:
                base = read_file(self._project.root / base)
            except ParameterError as error:
                self._refuse(["base"], f"'base': {error}; name a file from the project's root")
        if not isinstance(base, dict):
            self._refuse(
                ["base"],
                "'base' must be a mapping of parameters to values, or the name of a parameter "
                f"file, found {base!r}",
            )
        return base

    def _grid(self, stem: str, base: Mapping[str, Any]) -> list[dict[str, Any]]:
        grid = self._content["grid"]
        if not isinstance(grid, dict) or not grid:
            self._refuse(
                ["grid"],
                f"'grid' must be a mapping of parameters to lists of values, found {grid!r}; "
                "write for instance 'seed: [0, 1, 2]' below it",
            )
        for name, values in grid.items():
            place = ["grid", name]
            if not isinstance(values, list) or not values:
                self._refuse(
                    place,
                    f"{name!r} must be a list with at least one value, found {values!r}; "
                    f"write '{name}: [...]', or put a single value under 'base'",
                )
        size = math.prod(len(values) for values in grid.values())
        if size > _LARGEST:
            self._refuse(
                ["grid"],
                f"{size} runs are more than the limit of {_LARGEST}; name fewer values, "
                "or list the runs you need under 'runs'",
            )
        for name, values in grid.items():
            self._refuse_shared(base, name, ["grid", name])
            seen: dict[str, int] = {}
            for number, value in enumerate(values):
                place = ["grid", name, number]
                same = canonical(self._check(stem, name, value, place))
                if same in seen:
                    self._refuse(place, f"{name!r} has the value {value!r} twice; remove one")
                seen[same] = number
        return [
            dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
        ]

    def _list(self, stem: str, base: Mapping[str, Any]) -> list[dict[str, Any]]:
        runs = self._content["runs"]
        if not isinstance(runs, list) or not runs:
            self._refuse(
                ["runs"],
                f"'runs' must be a list of mappings with at least one entry, found {runs!r}; "
                "write for instance '- {seed: 1}' below it",
            )
        if len(runs) > _LARGEST:
            self._refuse(
                ["runs"],
                f"{len(runs)} runs are more than the limit of {_LARGEST}; split the file",
            )
        seen: dict[str, int] = {}
        for number, entry in enumerate(runs):
            place = ["runs", number]
            if not isinstance(entry, dict):
                self._refuse(
                    place, f"entry {number + 1} must be a mapping of parameters, found {entry!r}"
                )
            for name, value in entry.items():
                self._refuse_shared(base, name, [*place, name])
                self._check(stem, name, value, [*place, name])
            same = canonical(resolve(self._project, stem, {**base, **entry}))
            if same in seen:
                first = self._marks.line(["runs", seen[same]])
                self._refuse(place, f"this run and that in line {first} are the same; remove one")
            seen[same] = number
        return runs

    def _refuse_shared(self, base: Mapping[str, Any], name: Any, place: list[Any]) -> None:
        if name in base:
            line = self._marks.line(["base", name])
            self._refuse(place, f"{name!r} is in 'base' too (line {line}); remove it there or here")

    def _check(self, stem: str, name: Any, value: Any, place: list[Any]) -> Any:
        try:
            return resolve(self._project, stem, {name: value})[name]
        except ParameterError as error:
            self._refuse(place, str(error))

    def _refuse(self, place: list[Any], message: str) -> NoReturn:
        line = self._marks.line(place)
        raise ParameterError(f"{self._path}, line {line}: {message}")
