"""A notebook's parameters: a pydantic model made of its tagged cell, checked before anything runs.

The cell holds one ``name: type = literal  # help`` a line.  Types are ``int``, ``float``, ``str``,
``bool``, ``list[T]``, ``dict[str, T]``, and alternatives with ``|`` and ``None``.
"""

import ast
import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import pydantic
import yaml

from taugda.runs.files import parse_yaml, read_text, read_yaml
from taugda.runs.project import ParameterError, Project, nearest

_VALUE_LENGTH = 24
_NAME_LENGTH = 90
# What members of a sweep mostly differ in; a long name is cut, and these must survive it.
_FIRST = ("tau", "mu", "seed")


def _number(value: Any) -> Any:
    # YAML takes 5e-5 for a text.
    number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+", str(value))
    # The sum turns -0.0 into 0.0: one run instead of two.
    return float(value) + 0.0 if number or isinstance(value, float) else value


_TYPES: dict[str, Any] = {
    "float": Annotated[float, pydantic.BeforeValidator(_number)],
    "__builtins__": {"int": int, "str": str, "bool": bool, "list": list, "dict": dict},
}
_parsing = threading.Lock()
_BARE: dict[Any, Any] = {list: list[pydantic.JsonValue], dict: dict[str, pydantic.JsonValue]}


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's parameters cell; the default is of the annotated type."""

    name: str
    annotation: str
    default: Any
    help: str


def parse_python(source: str) -> ast.Module:
    """Parse source, in one thread at a time: Python 3.11 counts the depth of all trees together."""
    with _parsing:
        return ast.parse(source)


def read_notebook(path: Path) -> dict[str, Any]:
    """Read a notebook file as plain data."""
    text = read_text(path)
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ParameterError(f"{path.name} is not a notebook: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("cells"), list):
        raise ParameterError(f"{path.name} is not a notebook: expected a JSON object with cells")
    return content


def read_parameters(path: Path) -> dict[str, Parameter]:
    """Read the parameters that a notebook declares, in the order of its cell."""
    return _declared(path, path.stat().st_mtime_ns)[0]


def resolve(project: Project, notebook: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a run in the notebook's order: its defaults with some replaced.

    Parameters
    ----------
    project : Project
    notebook : str
        With or without its number.
    overrides : mapping of str to Any
        Values by name.

    Returns
    -------
    dict
        Values by name.

    Raises
    ------
    ParameterError
        If a name is unknown, or a value does not fit its type; the message names both.
    """
    path = project.notebook(project.find_notebook(notebook))
    declared, model = _declared(path, path.stat().st_mtime_ns)
    for name in overrides:
        if name not in declared:
            raise ParameterError(
                f"{path.stem}: unknown parameter {name!r}{nearest(name, declared)} "
                f"(parameters: {', '.join(declared) or 'none'})"
            )
    return _validate(model, overrides)


def changed(project: Project, stem: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that differ from the notebook's defaults, in the notebook's order."""
    declared = read_parameters(project.notebook(stem))
    same = [n for n, p in declared.items() if canonical(parameters[n]) == canonical(p.default)]
    return {name: parameters[name] for name in declared if name not in same}


def canonical(value: Any) -> str:
    """Write plain data as one JSON text with sorted keys, for hashing and comparing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def run_name(project: Project, stem: str, parameters: Mapping[str, Any]) -> str:
    """Folder name of a run: ``default``, or what differs from it and a hash of all parameters.

    As many ``key=value`` pairs as fit: first `_FIRST`, then numbers, then the rest.
    """
    different = changed(project, stem, parameters)
    if not different:
        return "default"
    first = [name for name in _FIRST if name in different]
    numbers = [name for name, value in different.items() if type(value) in (int, float)]
    names = dict.fromkeys([*first, *numbers, *different])
    pairs = [f"{name}={_slug(different[name])}" for name in names]
    while len(pairs) > 1 and len(",".join(pairs)) > _NAME_LENGTH:
        pairs.pop()
    digest = hashlib.sha256(canonical(dict(parameters)).encode()).hexdigest()
    return f"{','.join(pairs)[:_NAME_LENGTH]}-{digest[:8]}"


def parse_assignment(text: str) -> tuple[str, Any]:
    """Name and value of a ``key=value`` given on the command line; the value is YAML."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip().isidentifier():
        raise ParameterError(f"-p must be key=value, found {text!r}")
    return name.strip(), parse_yaml(value, f"-p {text}")[0]


def read_file(path: Path) -> dict[str, Any]:
    """Read a parameter file: a YAML mapping, not yet checked against a notebook.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict
        Values by name.

    Raises
    ------
    ParameterError
        If the file cannot be read or is no mapping of names.
    """
    content = read_yaml(path)
    content = {} if content is None else content
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ParameterError(f"{path}: expected a mapping of parameter names to values")
    return content


def parameters_text(parameters: Mapping[str, Any]) -> str:
    """Write parameters as YAML that `-f` reads back, in the notebook's order."""
    return yaml.safe_dump(dict(parameters), sort_keys=False, allow_unicode=True) or "{}\n"


@lru_cache(maxsize=64)
def _declared(path: Path, mtime: int) -> tuple[dict[str, Parameter], type[pydantic.BaseModel]]:
    def refused(message: str) -> ParameterError:
        return ParameterError(f"{path.stem}: {message}")

    sources = [
        "".join(cell["source"])
        for cell in read_notebook(path)["cells"]
        if cell["cell_type"] == "code" and "parameters" in cell["metadata"].get("tags", [])
    ]
    if len(sources) != 1:
        raise refused(f"expected exactly one code cell tagged 'parameters', found {len(sources)}")
    try:
        lines = parse_python(sources[0]).body
    except SyntaxError as error:
        raise refused(f"the parameters cell is no Python: {error}") from error
    fields: dict[str, Any] = {}
    for node in lines:
        line = sources[0].splitlines()[node.lineno - 1]
        match node:
            case ast.AnnAssign(ast.Name(name), value=ast.expr() as value) if (
                node.lineno == node.end_lineno
            ):
                annotation = ast.unparse(node.annotation)
            case _:
                expected = "expected 'name: type = literal' on one line of the parameters cell"
                raise refused(f"{expected}, found {line!r}")
        comment = line.encode()[node.end_col_offset :].decode().strip().removeprefix("#").strip()
        if name in fields:
            raise refused(f"parameter {name!r} appears twice")
        if "=" in comment:
            # papermill splits the line at its equals signs and would garble the help.
            raise refused(f"the comment of parameter {name!r} must not contain '='")
        try:
            kind, default = eval(annotation, dict(_TYPES)), ast.literal_eval(value)
        except ValueError as error:
            raise refused(f"parameter {name!r} must be a plain literal, found {line!r}") from error
        except Exception as error:
            known = "int, float, str, bool, list[...], dict[str, ...], alternatives with |"
            raise refused(
                f"parameter {name!r} has an unusable type: expected {known}; found {annotation}"
            ) from error
        field = pydantic.Field(default, title=annotation, description=comment)
        fields[name] = _BARE.get(kind, kind), field
    config = pydantic.ConfigDict(
        strict=True, allow_inf_nan=False, validate_default=True, protected_namespaces=()
    )
    model = pydantic.create_model(path.stem, __config__=config, **fields)
    defaults = _validate(model, {})
    return {
        name: Parameter(name, field.title, defaults[name], field.description)
        for name, (_, field) in fields.items()
    }, model


def _validate(model: type[pydantic.BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return model(**given).model_dump()
    except pydantic.ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        field = model.model_fields[name]
        value = given.get(name, field.default)
        # A formula such as -x^2 after a dash and a blank is a list in YAML, and 2 a number.
        hint = f"; quote a text for YAML, too: -p {name}='\"...\"'" if field.title == "str" else ""
        raise ParameterError(
            f"{model.__name__}: parameter {name!r} must be {field.title}, "
            f"found {value!r} ({type(value).__name__}){hint}"
        ) from None


def _slug(value: Any) -> str:
    if isinstance(value, float):
        text = format(value, ".12g")
    elif isinstance(value, list):
        text = "+".join(map(_slug, value))
    elif isinstance(value, dict):
        text = "+".join(f"{key}.{_slug(entry)}" for key, entry in value.items())
    else:
        text = str(value)
    return re.sub(r"[^A-Za-z0-9.+_-]", "_", text)[:_VALUE_LENGTH]
