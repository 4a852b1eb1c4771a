"""A notebook's parameters: a pydantic model made of its tagged cell, checked before anything runs.

The cell holds one ``name: type = literal  # help`` a line.  Types are ``int``, ``float``, ``str``,
``bool``, ``list[T]``, ``dict[str, T]``, their bare forms, and alternatives with ``|`` and ``None``.
"""

import ast
import hashlib
import io
import json
import operator
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    JsonValue,
    ValidationError,
    create_model,
)

from taugda.runs.files import parse_yaml, read_text, read_yaml
from taugda.runs.project import ParameterError, Project, nearest

__all__ = ["Parameter", "ParameterError", "canonical", "changed", "parameters_text",
           "parse_assignment", "read_file", "read_notebook", "read_parameters", "resolve",
           "run_name"]  # fmt: skip

_VALUE_LENGTH = 24
_NAME_LENGTH = 90
# What members of a sweep mostly differ in; a long name is cut, and these must survive it.
_FIRST = ("tau", "mu", "seed")


def _number(value: Any) -> Any:
    # YAML takes 5e-5 for a text.
    is_number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+", str(value))
    return float(value) if isinstance(value, str) and is_number else value


_TYPES: dict[str, Any] = {
    "int": int,
    "str": str,
    "bool": bool,
    # The sum turns -0.0 into 0.0: one run instead of two.
    "float": Annotated[float, BeforeValidator(_number), AfterValidator(lambda v: v + 0.0)],
    "list": list[JsonValue],
    "dict": dict[str, JsonValue],
}


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's parameters cell; the default is of the annotated type."""

    name: str
    annotation: str
    default: Any
    help: str


def read_notebook(path: Path) -> dict[str, Any]:
    """Read a notebook file as plain data."""
    try:
        content = json.loads(read_text(path))
    except ValueError as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(f"{path.name} is not a notebook: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("cells"), list):
        raise ParameterError(f"{path.name} is not a notebook: expected a JSON object with cells")
    return content


def read_parameters(path: Path) -> dict[str, Parameter]:
    """Read the parameters that a notebook declares, in the order of its cell."""
    return _declared(path, _version(path))[0]


def resolve(project: Project, notebook: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a run: the notebook's defaults with some replaced.

    Parameters
    ----------
    project : Project
        Where the notebook is.
    notebook : str
        The notebook, with or without number.
    overrides : mapping
        Values by parameter name.

    Returns
    -------
    dict
        Every parameter, in the notebook's order.

    Raises
    ------
    ParameterError
        If a name is unknown or a value does not fit its type.
    ProjectError
        If the notebook is unknown.
    """
    path = project.notebook(project.find_notebook(notebook))
    declared, model = _declared(path, _version(path))
    for name in overrides:
        if name not in declared:
            known = ", ".join(declared) or "none"
            hint = nearest(name, declared)
            raise ParameterError(
                f"{path.stem}: unknown parameter {name!r}{hint} (parameters: {known})"
            )
    annotations = {name: parameter.annotation for name, parameter in declared.items()}
    return _validate(path.stem, model, annotations, overrides)


def changed(project: Project, stem: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that differ from the notebook's defaults, in the notebook's order."""
    declared = read_parameters(project.notebook(stem))
    return {
        name: parameters[name]
        for name, parameter in declared.items()
        if canonical(parameters[name]) != canonical(parameter.default)
    }


def canonical(value: Any) -> str:
    """Write plain data as one JSON text with sorted keys, for hashing and comparing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def run_name(project: Project, stem: str, parameters: Mapping[str, Any]) -> str:
    """Folder name of a run: ``default``, or what differs from it and a hash of all parameters.

    As many ``key=value`` pairs as fit: first `_FIRST`, then numbers, then the rest, each in the
    notebook's order.
    """
    different = changed(project, stem, parameters)
    if not different:
        return "default"

    def rank(name: str) -> tuple[int, bool]:
        place = _FIRST.index(name) if name in _FIRST else len(_FIRST)
        return place, type(different[name]) not in (int, float)

    pairs = [f"{name}={_slug(different[name])}" for name in sorted(different, key=rank)]
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
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ParameterError(f"{path}: expected a mapping of parameter names to values")
    return content


def parameters_text(parameters: Mapping[str, Any]) -> str:
    """Write parameters as YAML that `-f` reads back, in the notebook's order."""
    return yaml.safe_dump(dict(parameters), sort_keys=False, allow_unicode=True) or "{}\n"


def _version(path: Path) -> tuple[int, int]:
    """Make what is kept about a file forgotten when the file changes."""
    try:
        facts = path.stat()
    except OSError as error:
        raise ParameterError(f"{path}: cannot be read ({error.strerror})") from error
    return facts.st_mtime_ns, facts.st_size


@lru_cache(maxsize=64)
def _declared(path: Path, version: tuple[int, int]) -> tuple[dict[str, Parameter], type[BaseModel]]:
    sources = [
        "".join(cell["source"])
        for cell in read_notebook(path)["cells"]
        if cell["cell_type"] == "code" and "parameters" in cell["metadata"].get("tags", [])
    ]
    if len(sources) != 1:
        raise ParameterError(
            f"{path.stem}: expected exactly one code cell tagged 'parameters', found {len(sources)}"
        )
    try:
        tree = ast.parse(sources[0])
        tokens = tokenize.generate_tokens(io.StringIO(sources[0]).readline)
        comments = {t.start[0]: t.string[1:].strip() for t in tokens if t.type == tokenize.COMMENT}
    except (SyntaxError, tokenize.TokenError) as error:
        raise ParameterError(f"{path.stem}: the parameters cell is no Python: {error}") from error
    fields: dict[str, Any] = {}
    helps: dict[str, str] = {}
    annotations: dict[str, str] = {}
    for node in tree.body:
        name, default, kind = _parse_line(path.stem, sources[0], node)
        if name in fields:
            raise ParameterError(f"{path.stem}: parameter {name!r} appears twice")
        fields[name] = kind, default
        annotations[name] = ast.unparse(node.annotation)  # type: ignore[attr-defined]
        helps[name] = comments.get(node.lineno, "")
        if "=" in helps[name]:
            # papermill splits the line at its equals signs and would garble the help.
            raise ParameterError(
                f"{path.stem}: the comment of parameter {name!r} must not contain '='"
            )
    config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, validate_default=True,
        protected_namespaces=(),
    )  # fmt: skip
    model = create_model(path.stem, __config__=config, **fields)
    defaults = _validate(path.stem, model, annotations, {})
    declared = {n: Parameter(n, annotations[n], defaults[n], helps[n]) for n in fields}
    return declared, model


def _parse_line(stem: str, source: str, node: ast.stmt) -> tuple[str, Any, Any]:
    line = (ast.get_source_segment(source, node) or "").splitlines()[0]
    if (
        not isinstance(node, ast.AnnAssign)
        or not isinstance(node.target, ast.Name)
        or node.value is None
        or node.lineno != node.end_lineno
    ):
        raise ParameterError(
            f"{stem}: expected 'name: type = literal' on one line of the parameters cell, "
            f"found {line!r}"
        )
    name = node.target.id
    try:
        return name, ast.literal_eval(node.value), _type(node.annotation)
    except ValueError as error:
        raise ParameterError(
            f"{stem}: parameter {name!r} must be a plain literal, found {line!r}"
        ) from error
    except TypeError as error:
        raise ParameterError(f"{stem}: parameter {name!r} has an unusable type: {error}") from error


def _type(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Name(id=name) if name in _TYPES:
            return _TYPES[name]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return operator.or_(_type(left) or type(None), _type(right) or type(None))
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return list[_type(item)]  # type: ignore[misc]
        case ast.Subscript(
            value=ast.Name(id="dict"), slice=ast.Tuple(elts=[ast.Name(id="str"), item])
        ):
            return dict[str, _type(item)]  # type: ignore[misc]
    expected = "int, float, str, bool, list[...], dict[str, ...], alternatives with |"
    raise TypeError(f"expected {expected}; found {ast.unparse(node)}")


def _validate(
    stem: str, model: type[BaseModel], annotations: Mapping[str, str], given: Mapping[str, Any]
) -> dict[str, Any]:
    try:
        return model(**given).model_dump()
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        value = given[name] if name in given else model.model_fields[name].default
        raise ParameterError(
            f"{stem}: parameter {name!r} must be {annotations[name]}, "
            f"found {value!r} ({type(value).__name__})"
        ) from None


def _slug(value: Any) -> str:
    if isinstance(value, float):
        text = format(value, ".12g")
    elif isinstance(value, list):
        text = "+".join(_slug(entry) for entry in value)
    elif isinstance(value, dict):
        text = "+".join(f"{key}.{_slug(entry)}" for key, entry in value.items())
    else:
        text = str(value)
    return re.sub(r"[^A-Za-z0-9.+_-]", "_", text)[:_VALUE_LENGTH]
