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
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import pydantic
import yaml
from pydantic.fields import FieldInfo

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
_BARE: dict[Any, Any] = {list: list[pydantic.JsonValue], dict: dict[str, pydantic.JsonValue]}
_CONFIG = pydantic.ConfigDict(
    strict=True, allow_inf_nan=False, validate_default=True, protected_namespaces=()
)
_FORM = (
    "the parameters cell must have 'name: type = literal  # help' on each line, every name once, "
    "the types made of int, float, str, bool, list[...], dict[str, ...], None and |, and no '=' "
    "in the help"
)
_parsing = threading.Lock()


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


def read_parameters(path: Path) -> dict[str, FieldInfo]:
    """Read a notebook's parameters in order: ``title`` is the type, ``description`` the help."""
    return _model(path, path.stat().st_mtime_ns).model_fields


def resolve(project: Project, notebook: str, overrides: Mapping[str, Any] | Path) -> dict[str, Any]:
    """All parameters of a run in the notebook's order: its defaults with some replaced.

    Parameters
    ----------
    project : Project
    notebook : str
        With or without its number.
    overrides : mapping of str to Any, or Path
        Values by name, or a parameter file that holds them.

    Returns
    -------
    dict
        Values by name.

    Raises
    ------
    ParameterError
        If a name is unknown, or a value does not fit its type; the message names both.
    """
    overrides = read_file(overrides) if isinstance(overrides, Path) else overrides
    path = project.notebook(project.find_notebook(notebook))
    declared = read_parameters(path)
    for name in overrides:
        if name not in declared:
            raise ParameterError(
                f"{path.stem}: unknown parameter {name!r}{nearest(name, declared)} "
                f"(parameters: {', '.join(declared) or 'none'})"
            )
    return _validate(_model(path, path.stat().st_mtime_ns), overrides)


def changed(project: Project, stem: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that differ from the notebook's defaults, in the notebook's order."""
    own = resolve(project, stem, {})
    return {n: parameters[n] for n in own if canonical(parameters[n]) != canonical(own[n])}


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
    """Read a parameter file: a YAML mapping, not yet checked against a notebook."""
    content = read_yaml(path)
    content = {} if content is None else content
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ParameterError(f"{path}: expected a mapping of parameter names to values")
    return content


def parameters_text(parameters: Mapping[str, Any]) -> str:
    """Write parameters as YAML that `-f` reads back, in the notebook's order."""
    return yaml.safe_dump(dict(parameters), sort_keys=False, allow_unicode=True) or "{}\n"


@lru_cache(maxsize=64)
def _model(path: Path, mtime: int) -> type[pydantic.BaseModel]:
    """Make the model of the cell that is tagged `parameters`, with defaults of its types."""
    sources = [
        "".join(cell["source"])
        for cell in read_notebook(path)["cells"]
        if cell["cell_type"] == "code" and "parameters" in cell["metadata"].get("tags", [])
    ]
    if len(sources) != 1:
        found = f"exactly one code cell tagged 'parameters', found {len(sources)}"
        raise ParameterError(f"{path.stem}: expected {found}")
    fields: dict[str, Any] = {}
    line = sources[0]
    try:
        for node in parse_python(sources[0]).body:
            line = sources[0].splitlines()[node.lineno - 1]
            name, annotation = node.target.id, ast.unparse(node.annotation)
            kind, default = eval(annotation, dict(_TYPES)), ast.literal_eval(node.value)
            comment = line.encode()[node.end_col_offset :].decode().strip().removeprefix("#")
            # papermill splits the line at its equals signs and would garble such a comment.
            if node.lineno != node.end_lineno or name in fields or "=" in comment:
                raise ValueError
            field = pydantic.Field(default, title=annotation, description=comment.strip())
            fields[name] = _BARE.get(kind, kind), field
        model = pydantic.create_model(path.stem, __config__=_CONFIG, **fields)
    except Exception as error:
        raise ParameterError(f"{path.stem}: {_FORM}; found {line!r}") from error
    for name, default in _validate(model, {}).items():
        model.model_fields[name].default = default
    return model


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
    else:
        text = str(value)
    return re.sub(r"[^A-Za-z0-9.+_-]", "_", text)[:_VALUE_LENGTH]
