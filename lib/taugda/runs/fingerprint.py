"""What a run depends on, as hashes: notebook, parameters, data, library modules.

The modules are found without importing anything: from the import statements in the notebook's
code, then from those in the modules themselves, also where they stand inside functions.  Each
module counts as its syntax tree without docstrings, so that comments, layout and documentation
never make a run stale.
"""

import ast
import hashlib
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from taugda.runs.parameters import canonical, read_notebook

PACKAGE = Path(__file__).resolve().parents[1]


def fingerprint(
    notebook: Path,
    parameters: Mapping[str, Any],
    data: Mapping[str, str] | None = None,
    package: Path = PACKAGE,
) -> dict[str, Any]:
    """Hash all that a run depends on.

    Parameters
    ----------
    notebook : Path
        The notebook's source.  Its metadata may say ``{"taugda": {"kind": "training"}}``:
        then the ``plots`` module does not count.
    parameters : mapping
        All parameters of the run.
    data : mapping of str to str, optional
        Identity of the data by name.
    package : Path
        Folder of the library.

    Returns
    -------
    dict
        ``total``, and the parts that it is made of: ``notebook``, ``parameters``, ``data`` and
        ``modules`` (digest by module name).
    """
    content = read_notebook(notebook)
    cells = [
        [cell.get("cell_type"), "".join(cell.get("source", "")), cell["metadata"].get("tags", [])]
        for cell in content.get("cells", [])
    ]
    ignored = {f"{package.name}.plots"} if kind(notebook) == "training" else set()
    code = [source for cell_type, source, _ in cells if cell_type == "code"]
    parts: dict[str, Any] = {
        "notebook": _digest(canonical(cells)),
        "parameters": _digest(canonical(dict(parameters))),
        "data": _digest(canonical(dict(data or {}))),
        "modules": module_digests(code, package, ignored),
    }
    return {"total": _digest(canonical(parts)), **parts}


def kind(notebook: Path) -> str:
    """Tell whether a notebook trains or analyses.

    Parameters
    ----------
    notebook : Path
        The notebook's source.

    Returns
    -------
    str
        ``training`` or ``analysis``.
    """
    return "training" if marked(notebook).get("kind") == "training" else "analysis"


def marked(notebook: Path) -> dict[str, Any]:
    """Read what a notebook's metadata say to the runner.

    Parameters
    ----------
    notebook : Path
        The notebook's source.

    Returns
    -------
    dict
        The value of ``taugda`` in the metadata; empty where there is none.
    """
    found = read_notebook(notebook).get("metadata", {}).get("taugda", {})
    return found if isinstance(found, dict) else {}


# How many changed modules a phrase names before it counts the rest.
_LISTED = 3


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say why a run with one fingerprint is stale under another.

    Parameters
    ----------
    old : mapping
        Fingerprint that the run was made with.
    new : mapping
        Fingerprint of what it would be made with now.

    Returns
    -------
    list of str
        One phrase a difference; empty where there is none.
    """
    reasons = [f"{part} changed" for part in ("notebook", "parameters", "data")
               if old.get(part) != new.get(part)]  # fmt: skip
    before, now = old.get("modules") or {}, new.get("modules") or {}
    changes = {
        "no longer used": before.keys() - now.keys(),
        "newly used": now.keys() - before.keys(),
        "changed": {n for n in before.keys() & now.keys() if before[n] != now[n]},
    }
    for change, names in changes.items():
        listed = sorted(names)[:_LISTED]
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        if listed:
            noun = "module" if len(names) == 1 else "modules"
            reasons.append(f"library {noun} {', '.join(listed)}{more} {change}")
    return reasons


def module_digests(
    code: Collection[str], package: Path, ignored: Collection[str] = ()
) -> dict[str, str]:
    """Hash the library modules that some code imports, directly or not.

    Parameters
    ----------
    code : collection of str
        Sources of the code cells.
    package : Path
        Folder of the library.
    ignored : collection of str
        Modules that do not count and are not looked into.

    Returns
    -------
    dict of str to str
        Digest by module name, sorted.
    """
    modules = _modules(package)
    names = frozenset(modules)
    waiting: list[str] = []
    for source in code:
        tree = _parse_cell(source)
        # A cell that cannot be parsed could import anything.
        waiting.extend(names if tree is None else _imports(tree, None, package.name, names))
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        if name in found or name in ignored:
            continue
        path = modules[name]
        digest, imported = _read_module(path, path.stat().st_mtime_ns, name, names)
        found[name] = digest
        waiting.extend(imported)
    return dict(sorted(found.items()))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _modules(package: Path) -> dict[str, Path]:
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _parse_cell(source: str) -> ast.Module | None:
    # IPython's own lines (%magic, !shell) are no Python and import nothing of ours.
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    try:
        return ast.parse("\n".join(lines))
    except SyntaxError:
        return None


@lru_cache(maxsize=512)
def _read_module(
    path: Path, mtime: int, name: str, modules: frozenset[str]
) -> tuple[str, tuple[str, ...]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    is_package = path.name == "__init__.py"
    here = name if is_package else name.rpartition(".")[0]
    imported = tuple(sorted(_imports(tree, here, name.partition(".")[0], modules)))
    _strip_docstrings(tree)
    return _digest(ast.dump(tree)), imported


def _strip_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                    node.body = rest


def _imports(
    tree: ast.Module, here: str | None, package: str, modules: Collection[str]
) -> set[str]:
    """Library modules that a syntax tree imports, with the packages that contain them."""
    found: set[str] = set()
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.update(_known(alias.name, modules))
                bound = alias.name if alias.asname else alias.name.partition(".")[0]
                if bound in modules:
                    aliases[alias.asname or bound] = bound
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, here)
            found.update(_known(source, modules))
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                found.update(_known(inner, modules))
                if inner in modules:
                    aliases[alias.asname or alias.name] = inner
    # The package imports its subjects on first use, so "taugda.games.quadratic" is an import too.
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.update(_known(".".join(_dotted(node, aliases)), modules))
    return {name for name in found if name == package or name.startswith(f"{package}.")}


def _known(name: str, modules: Collection[str]) -> Iterator[str]:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        prefix = ".".join(parts[:length])
        if prefix in modules:
            yield prefix


def _absolute(node: ast.ImportFrom, here: str | None) -> str:
    if not node.level or here is None:
        return node.module or ""
    parts = here.split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, node.module] if node.module else parts)


def _dotted(node: ast.expr, aliases: Mapping[str, str]) -> list[str]:
    match node:
        case ast.Name(id=name) if name in aliases:
            return [aliases[name]]
        case ast.Attribute(value=value, attr=attr):
            before = _dotted(value, aliases)
            return [*before, attr] if before else []
    return []
