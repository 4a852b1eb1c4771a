"""Sweep files: one notebook, and a grid or a list of its parameters."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from taugda.runs.files import parse_yaml, read_text
from taugda.runs.parameters import canonical, read_file, resolve
from taugda.runs.project import ParameterError, Project, ProjectError

_LARGEST = 10_000


class _Sweep(BaseModel):
    """What a sweep file holds; what is said of a key is what a mistake in it is answered with."""

    model_config = ConfigDict(extra="forbid", strict=True)
    notebook: str = Field(description="must name a notebook, such as 'notebook: quadratic'")
    base: dict[str, Any] | str = Field(
        {}, description="must be a mapping of parameters to values, or name a parameter file"
    )
    grid: dict[str, list[Any]] = Field(
        {}, description="must be a mapping of parameters to lists of at least one value: write "
        "for instance 'seed: [0, 1, 2]' below it, and a single value under 'base'",
    )  # fmt: skip
    runs: list[dict[str, Any]] = Field(
        [], description="must be a list of at least one mapping of parameters: write for instance "
        "'- {seed: 1}' below it",
    )  # fmt: skip


def read_sweep(project: Project, path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Notebook and parameters of each run of a sweep file; a grid's last one changes fastest.

    A mistake is refused with its line and with what to do.
    """
    content, marks = parse_yaml(read_text(path), str(path))
    keys = ", ".join(_Sweep.model_fields)

    def refuse(place: Sequence[Any], message: str) -> NoReturn:
        raise ParameterError(f"{path}, line {marks.line(place)}: {message}")

    try:
        sweep = _Sweep.model_validate(content)
        stem = project.find_notebook(sweep.notebook)
        base = sweep.base
        base = read_file(project.root / Path(base).expanduser()) if isinstance(base, str) else base
    except ValidationError as error:
        place, found = error.errors()[0]["loc"], error.errors()[0]["input"]
        field = _Sweep.model_fields.get(str(place[0])) if place else None
        if field:
            refuse(place, f"{place[0]!r} {field.description}; found {found!r}")
        refuse(place, f"unknown key {place[0]!r}; use {keys}" if place
               else f"expected a mapping with the keys {keys}")  # fmt: skip
    except ProjectError as error:
        refuse(["notebook"], str(error))
    except ParameterError as error:
        refuse(["base"], f"'base': {error}; name a file from the project's root")
    kinds = [kind for kind in ("grid", "runs") if kind in sweep.model_fields_set]
    if len(kinds) != 1:
        word = "remove" if kinds else "add"
        refuse(["runs"], f"expected either 'grid' or 'runs'; {word} one of them")
    columns = sweep.grid.values()
    size = len(sweep.runs) + (math.prod(map(len, columns)) if columns else 0)
    if size > _LARGEST:
        refuse(kinds, f"{size} runs are more than the limit of {_LARGEST}; name fewer")
    if not size:
        empty = [name for name, column in sweep.grid.items() if not column]
        description = _Sweep.model_fields[kinds[0]].description
        refuse([*kinds, *empty], f"{kinds[0]!r} {description}; found none")

    # Every value with its place in the file.
    values = [(["base", name], name, value) for name, value in base.items()]
    for name, column in sweep.grid.items():
        values += [(["grid", name, i], name, value) for i, value in enumerate(column)]
    for number, entry in enumerate(sweep.runs):
        values += [(["runs", number, name], name, value) for name, value in entry.items()]
    seen: dict[Any, int] = {}
    for place, name, value in values:
        if place[0] != "base" and name in base:
            line = marks.line(["base", name])
            refuse(place, f"{name!r} is in 'base' too (line {line}); remove it there or here")
        try:
            same = canonical(resolve(project, stem, {name: value})[name])
        except ParameterError as error:
            refuse(place, str(error))
        if place[0] == "grid" and (name, same) in seen:
            refuse(place, f"{name!r} has the value {value!r} twice; remove one")
        seen[name, same] = 0
    for number, entry in enumerate(sweep.runs):
        same = canonical(resolve(project, stem, {**base, **entry}))
        if same in seen:
            line = marks.line(["runs", seen[same]])
            refuse(["runs", number], f"this run and that in line {line} are the same; remove one")
        seen[same] = number
    grid = itertools.product(*columns)
    members = sweep.runs or [dict(zip(sweep.grid, values, strict=True)) for values in grid]
    return [(stem, {**base, **member}) for member in members]
