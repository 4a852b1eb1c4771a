"""Sweep files: one notebook, and a grid or a list of its parameters."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from taugda.runs.files import parse_yaml, read_text
from taugda.runs.parameters import ParameterError, canonical, read_file, resolve
from taugda.runs.project import Project, ProjectError

_LARGEST = 10_000


class Sweep(BaseModel):
    """What a sweep file holds."""

    model_config = ConfigDict(extra="forbid", strict=True)
    notebook: str
    base: dict[str, Any] | str = {}
    grid: Annotated[dict[str, Annotated[list[Any], Field(min_length=1)]], Field(min_length=1)] = {}
    runs: Annotated[list[dict[str, Any]], Field(min_length=1)] = []


# What to do, by the key that is at fault.
_EXPECTED = {
    "notebook": "'notebook' must name a notebook, such as 'notebook: quadratic'",
    "base": "'base' must be a mapping of parameters to values, or the name of a parameter file",
    "grid": "'grid' must be a mapping of parameters to lists of at least one value: write for "
    "instance 'seed: [0, 1, 2]' below it, and a single value under 'base'",
    "runs": "'runs' must be a list of at least one mapping of parameters: write for instance "
    "'- {seed: 1}' below it",
}  # fmt: skip


def read_sweep(project: Project, path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Notebook and parameters of each run of a sweep file; a grid's last one changes fastest.

    A mistake is refused with its line and with what to do.
    """
    content, marks = parse_yaml(read_text(path), str(path))

    def refuse(place: Sequence[Any], message: str) -> NoReturn:
        raise ParameterError(f"{path}, line {marks.line(place)}: {message}")

    def check(name: Any, value: Any, place: Sequence[Any]) -> str:
        try:
            return canonical(resolve(project, stem, {name: value})[name])
        except ParameterError as error:
            refuse(place, str(error))

    def check_new(name: Any, place: Sequence[Any]) -> None:
        if name in base:
            line = marks.line(["base", name])
            refuse(place, f"{name!r} is in 'base' too (line {line}); remove it there or here")

    try:
        sweep = Sweep.model_validate(content)
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        if not place:
            refuse([], f"expected a mapping with the keys {', '.join(_EXPECTED)}")
        unknown = f"unknown key {place[0]!r}; use {', '.join(_EXPECTED)}"
        found = error.errors()[0]["input"]
        refuse(place, f"{_EXPECTED[str(place[0])]}; found {found!r}"
               if place[0] in _EXPECTED else unknown)  # fmt: skip
    if bool(sweep.grid) == bool(sweep.runs):
        word = "remove one of them" if sweep.grid else "add one of them"
        refuse(["runs"] if sweep.grid else [], f"expected either 'grid' or 'runs'; {word}")
    base = sweep.base
    try:
        stem = project.find_notebook(sweep.notebook)
        base = read_file(project.root / base) if isinstance(base, str) else base
    except ProjectError as error:
        refuse(["notebook"], str(error))
    except ParameterError as error:
        refuse(["base"], f"'base': {error}; name a file from the project's root")
    size = len(sweep.runs) or math.prod(map(len, sweep.grid.values()))
    if size > _LARGEST:
        refuse(["runs" if sweep.runs else "grid"],
               f"{size} runs are more than the limit of {_LARGEST}; name fewer")  # fmt: skip
    for name, value in base.items():
        check(name, value, ["base", name])
    for name, values in sweep.grid.items():
        check_new(name, ["grid", name])
        seen = set()
        for number, value in enumerate(values):
            place = ["grid", name, number]
            same = check(name, value, place)
            if same in seen:
                refuse(place, f"{name!r} has the value {value!r} twice; remove one")
            seen.add(same)
    first: dict[str, int] = {}
    for number, entry in enumerate(sweep.runs):
        for name, value in entry.items():
            check_new(name, ["runs", number, name])
            check(name, value, ["runs", number, name])
        same = canonical(resolve(project, stem, {**base, **entry}))
        if same in first:
            line = marks.line(["runs", first[same]])
            refuse(["runs", number], f"this run and that in line {line} are the same; remove one")
        first[same] = number
    grid = itertools.product(*sweep.grid.values())
    members = sweep.runs or [dict(zip(sweep.grid, values, strict=True)) for values in grid]
    return [(stem, {**base, **member}) for member in members]
