"""Sweep files: one notebook, and a grid or a list of its parameters."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, Field, ValidationError

from taugda.runs.files import line_of, parse_yaml, read_text
from taugda.runs.parameters import canonical, read_file, resolve
from taugda.runs.project import ParameterError, Project, ProjectError

_LARGEST = 10_000


class _Sweep(BaseModel, extra="forbid", strict=True):
    """What a sweep file holds; what is said of a key is what a mistake in it is answered with."""

    notebook: str = Field(description="must name a notebook, such as 'notebook: quadratic'")
    base: dict[str, Any] | str = Field(
        {}, description="must be a mapping of parameters to values, or name a parameter file"
    )
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        {}, min_length=1,
        description="must be a mapping of parameters to lists of at least one value: write for "
        "instance 'seed: [0, 1, 2]' below it, and a single value under 'base'",
    )  # fmt: skip
    runs: list[dict[str, Any]] = Field(
        [], min_length=1,
        description="must be a list of at least one mapping of parameters: write for instance "
        "'- {seed: 1}' below it",
    )  # fmt: skip


def read_sweep(project: Project, path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Notebook and parameters of each run of a sweep file; a grid's last one changes fastest."""
    content, node = parse_yaml(read_text(path), str(path))

    def refuse(place: Sequence[Any], message: str) -> NoReturn:
        raise ParameterError(f"{path}, line {line_of(node, place)}: {message}")

    try:
        sweep = _Sweep.model_validate(content)
        stem = project.find_notebook(sweep.notebook)
        base = sweep.base
        base = read_file(project.root / Path(base).expanduser()) if isinstance(base, str) else base
    except ValidationError as error:
        place, found = error.errors()[0]["loc"], error.errors()[0]["input"]
        if place and (field := _Sweep.model_fields.get(place[0])):
            refuse(place, f"{place[0]!r} {field.description}; found {found!r}")
        what = f"unknown key {place[0]!r}; use" if place else "expected a mapping with the keys"
        refuse(place, f"{what} {', '.join(_Sweep.model_fields)}")
    except ProjectError as error:
        refuse(["notebook"], str(error))
    except ParameterError as error:
        refuse(["base"], f"'base': {error}; name a file from the project's root")
    kinds = [kind for kind in ("grid", "runs") if kind in sweep.model_fields_set]
    if len(kinds) != 1:
        word = "remove" if kinds else "add"
        refuse(["runs"], f"expected either 'grid' or 'runs'; {word} one of them")
    size = len(sweep.runs) or math.prod(map(len, sweep.grid.values()))
    if size > _LARGEST:
        refuse(kinds, f"{size} runs are more than the limit of {_LARGEST}; name fewer")
    # What is checked, with its place in the file; with one key none may come twice.
    checked = [(["base", name], {name: value}, ("base", name)) for name, value in base.items()]
    for name, column in sweep.grid.items():
        checked += [(["grid", name, i], {name: value}, (name,)) for i, value in enumerate(column)]
    for number, entry in enumerate(sweep.runs):
        checked += [(["runs", number, n], {n: value}, (number, n)) for n, value in entry.items()]
        checked.append((["runs", number], {**base, **entry}, ("",)))
    seen: dict[Any, Sequence[Any]] = {}
    for place, values, key in checked:
        if place[0] != "base" and key[-1] in base:
            line = line_of(node, ["base", key[-1]])
            refuse(place, f"{key[-1]!r} is in 'base' too (line {line}); remove it there or here")
        try:
            same = *key, canonical(resolve(project, stem, values))
        except ParameterError as error:
            refuse(place, str(error))
        if same in seen:
            refuse(place, f"the same is in line {line_of(node, seen[same])}; remove one")
        seen[same] = place
    grid = itertools.product(*sweep.grid.values())
    members = sweep.runs or [dict(zip(sweep.grid, values, strict=True)) for values in grid]
    return [(stem, {**base, **member}) for member in members]
