"""A notebook's parameters: read from its tagged cell, checked before anything runs."""

import ast
import difflib
import hashlib
import io
import json
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from taugda.runs.conform import MismatchError, conform
from taugda.runs.errors import ParameterError
from taugda.runs.files import read_yaml
from taugda.runs.project import Project

_VALUE_LENGTH = 24
_NAME_LENGTH = 90


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's parameters cell.

    Parameters
    ----------
    name : str
        Python name.
    annotation : str
        Its type as written, such as ``list[float]``.
    default : Any
        Value in the notebook, converted to the type.
    help : str
        The trailing comment.
    """

    name: str
    annotation: str
    default: Any
    help: str


def read_cells(path: Path) -> list[dict[str, Any]]:
    """Read the cells of a notebook without its machinery.

    Parameters
    ----------
    path : Path
        An ``.ipynb`` file.

    Returns
    -------
    list of dict
        Each with ``cell_type``, ``source`` (one string), ``tags``.

    Raises
    ------
    ParameterError
        If the file is no notebook.
    """
    return [
        {
            "cell_type": cell.get("cell_type"),
            "source": "".join(cell.get("source", "")),
            "tags": list(cell.get("metadata", {}).get("tags", [])),
        }
        for cell in read_notebook(path).get("cells", [])
    ]


def read_notebook(path: Path) -> dict[str, Any]:
    """Read a notebook file as plain data.

    Parameters
    ----------
    path : Path
        An ``.ipynb`` file.

    Returns
    -------
    dict
        The notebook's JSON.

    Raises
    ------
    ParameterError
        If the file is no notebook.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(f"{path.name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ParameterError(f"{path.name} is not a notebook: {error}") from error
    if not isinstance(content, dict):
        raise ParameterError(f"{path.name} is not a notebook: expected a JSON object")
    return content


def read_parameters(notebook: Path) -> dict[str, Parameter]:
    """Read the parameters that a notebook declares.

    Parameters
    ----------
    notebook : Path
        An ``.ipynb`` file with one code cell tagged ``parameters``, which holds one annotated
        plain literal a line, each with an optional trailing comment.

    Returns
    -------
    dict of str to Parameter
        In the order of the cell.

    Raises
    ------
    ParameterError
        If there is not exactly one such cell, or a line in it is anything else.
    """
    cells = [
        cell
        for cell in read_cells(notebook)
        if cell["cell_type"] == "code" and "parameters" in cell["tags"]
    ]
    if len(cells) != 1:
        raise ParameterError(
            f"{notebook.stem}: expected exactly one code cell tagged 'parameters', "
            f"found {len(cells)}"
        )
    source = cells[0]["source"]
    try:
        tree = ast.parse(source)
        comments = _comments(source)
    except (SyntaxError, tokenize.TokenError) as error:
        raise ParameterError(
            f"{notebook.stem}: the parameters cell is no Python: {error}"
        ) from error
    found: dict[str, Parameter] = {}
    for node in tree.body:
        parameter = _parse_line(notebook.stem, source, node, comments.get(node.lineno, ""))
        if parameter.name in found:
            raise ParameterError(f"{notebook.stem}: parameter {parameter.name!r} appears twice")
        found[parameter.name] = parameter
    return found


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("# ").rstrip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _parse_line(stem: str, source: str, node: ast.stmt, comment: str) -> Parameter:
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
    name, annotation = node.target.id, ast.unparse(node.annotation)
    if "=" in comment:
        # papermill splits the line at its equals signs and would garble the help.
        raise ParameterError(f"{stem}: the comment of parameter {name!r} must not contain '='")
    try:
        value = ast.literal_eval(node.value)
    except ValueError as error:
        raise ParameterError(
            f"{stem}: parameter {name!r} must be a plain literal, found {line!r}"
        ) from error
    return Parameter(name, annotation, convert(stem, name, annotation, value), comment)


def convert(stem: str, name: str, annotation: str, value: Any) -> Any:
    """Check a value against an annotation.

    Parameters
    ----------
    stem : str
        Notebook's name, for the message.
    name : str
        Parameter's name, for the message.
    annotation : str
        ``int``, ``float``, ``str``, ``bool``, ``list``, ``list[T]``, ``dict``, ``dict[str, T]``,
        or alternatives joined by ``|``, with ``None`` among them.
    value : Any
        The value; an int passes for a float, and so does a string such as ``1e-3``, which
        YAML does not take for a number.

    Returns
    -------
    Any
        The value, made of the annotated types.

    Raises
    ------
    ParameterError
        If the value does not fit, or the annotation is none of these.
    """
    try:
        return conform(ast.parse(annotation, mode="eval").body, value)
    except MismatchError:
        raise ParameterError(
            f"{stem}: parameter {name!r} must be {annotation}, "
            f"found {value!r} ({type(value).__name__})"
        ) from None
    except TypeError as error:
        raise ParameterError(f"{stem}: parameter {name!r} has an unusable type: {error}") from error


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
    stem = project.find_notebook(notebook)
    declared = read_parameters(project.notebook(stem))
    for name in overrides:
        if name not in declared:
            close = difflib.get_close_matches(str(name), declared, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            known = ", ".join(declared) or "none"
            raise ParameterError(f"{stem}: unknown parameter {name!r}{hint} (parameters: {known})")
    return {
        name: convert(stem, name, parameter.annotation, overrides[name])
        if name in overrides
        else parameter.default
        for name, parameter in declared.items()
    }


def changed(project: Project, stem: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that differ from the notebook's defaults.

    Parameters
    ----------
    project : Project
        Where the notebook is.
    stem : str
        The notebook's full name.
    parameters : mapping
        All parameters, as `resolve` returns them.

    Returns
    -------
    dict
        The differing ones, in the notebook's order.
    """
    declared = read_parameters(project.notebook(stem))
    return {
        name: parameters[name]
        for name, parameter in declared.items()
        if canonical(parameters[name]) != canonical(parameter.default)
    }


def canonical(value: Any) -> str:
    """Write plain data as one canonical JSON text, for hashing and comparing.

    Parameters
    ----------
    value : Any
        Plain data.

    Returns
    -------
    str
        JSON with sorted keys and no blanks.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def run_name(project: Project, stem: str, parameters: Mapping[str, Any]) -> str:
    """Folder name of a run, which says its parameters.

    Parameters
    ----------
    project : Project
        Where the notebook is.
    stem : str
        The notebook's full name.
    parameters : mapping
        All parameters, as `resolve` returns them.

    Returns
    -------
    str
        ``default``, or the changed ``key=value`` pairs, shortened, with the first eight hex
        digits of the SHA-256 of all parameters.  Always one path component.
    """
    different = changed(project, stem, parameters)
    if not different:
        return "default"
    digest = hashlib.sha256(canonical(dict(parameters)).encode()).hexdigest()
    pairs = ",".join(f"{name}={_slug(value)}" for name, value in different.items())
    return f"{pairs[:_NAME_LENGTH]}-{digest[:8]}"


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


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split a ``key=value`` given on the command line.

    Parameters
    ----------
    text : str
        For instance ``taus=[2, 3]``; the value is YAML.

    Returns
    -------
    tuple of str and Any
        Name and value.

    Raises
    ------
    ParameterError
        If there is no ``=`` or the value is no YAML.
    """
    name, sign, value = text.partition("=")
    if not sign or not name.strip().isidentifier():
        raise ParameterError(f"-p must be key=value, found {text!r}")
    try:
        return name.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ParameterError(f"-p {name.strip()}: {value!r} is not a YAML value") from error


def read_file(path: Path) -> dict[str, Any]:
    """Read a parameter file.

    Parameters
    ----------
    path : Path
        A YAML mapping of names to values.

    Returns
    -------
    dict
        The mapping, not yet checked against a notebook.

    Raises
    ------
    ParameterError
        If the file cannot be read or holds anything else.
    """
    content = read_yaml(path)
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ParameterError(f"{path}: expected a mapping of parameter names to values")
    return content
