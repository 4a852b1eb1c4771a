"""How large the project is, and which way its imports run: `make size`.

Prints the lines of each room and the share of docstrings, imports that leave the plan or run in a
circle, and the share of machinery in the notebooks: what displays and records rather than computes.
Exit status 1 where a bound is exceeded.
"""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIB = ROOT / "lib" / "taugda"
# Lines at most, and the rooms that a room may import, beside itself and the ground.
ROOMS = {
    "blocks": (220, ""),  # and checks, signs
    "games": (950, ""),
    "equilibria": (500, "games"),
    "stability": (1250, "games equilibria"),
    "dynamics": (750, "games equilibria stability"),
    "plots": (1100, "games equilibria stability dynamics"),
    "proofs": (700, "games equilibria stability"),
    "network": (380, "games equilibria stability"),
    "gan": (2400, "network"),
    "claims": (200, ""),
    "runs": (1100, ""),
    "record": (950, "plots claims runs"),
    "report": (1450, "gan claims runs record"),
    "rest": (350, "claims runs record report"),
}
GROUND = {"atomic", "blocks", "checks", "signs"}
HOME = {"checks": "blocks", "signs": "blocks"} | dict.fromkeys(
    ["__init__", "__main__", "atomic", "ensembles"], "rest"
)
LIBRARY, TESTS, CELL, MACHINERY = 10_500, 6_500, 25, 0.30
RECORDING = {f"run.{name}" for name in ("show", "animate", "table", "measure", "finish")} | {"Run"}


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def part(module: str) -> str:
    return (module + ".__init__").split(".")[1]


def docstring_lines(path: Path) -> int:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    told = [n.body[0] for n in nodes if isinstance(n, kinds) and ast.get_docstring(n) is not None]
    return sum(text.end_lineno - text.lineno + 1 for text in told)


def imports(module: str, path: Path, modules: set[str]) -> Iterator[tuple[str, str]]:
    """What a module imports from the library: at once, lazily in a function, or for types."""

    def visit(node: ast.AST, how: str) -> Iterator[tuple[str, str]]:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            package = module.split(".")[: None if path.name == "__init__.py" else -1]
            base = package[: len(package) + 1 - node.level] if node.level else []
            start = ".".join([*base, *filter(None, [node.module])])
            inner = [f"{start}.{alias.name}" for alias in node.names]
            names = [name if name in modules else start for name in inner]
        yield from ((name, how) for name in dict.fromkeys(names) if name in modules)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            how = "lazy"
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            how = "for types"
        for child in ast.iter_child_nodes(node):
            yield from visit(child, how)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), "at once")


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Groups of modules or rooms each of which leads to every other."""
    reached = {node: set(nexts) for node, nexts in graph.items()}
    for middle in graph:
        for start in graph:
            if middle in reached[start]:
                reached[start] |= reached[middle]
    groups = {frozenset(b for b in reached[a] if a in reached[b]) for a in graph}
    return sorted(f"a circle: {', '.join(sorted(group))}" for group in groups if group)


def library() -> list[str]:
    files = {}
    for path in sorted(LIB.rglob("*.py")):
        names = path.relative_to(LIB.parent).with_suffix("").parts
        files[".".join(names).removesuffix(".__init__")] = path
    homes = {name: HOME.get(part(name), part(name)) for name in files}
    print(f"{'room':<16}{'lines':>7}{'at most':>9}{'docstrings':>12}")
    faults = []
    for room in [*ROOMS, *sorted({*homes.values()} - {*ROOMS}), "in all"]:
        paths = [path for name, path in files.items() if room in (homes[name], "in all")]
        count, bound = sum(map(lines, paths)), ROOMS.get(room, (LIBRARY * (room == "in all"),))[0]
        share = sum(map(docstring_lines, paths)) / max(count, 1)
        print(f"{room:<16}{count:>7,}{bound:>9,}{share:>12.0%}")
        faults += [f"{room}: {count:,} lines, at most {bound:,}"] * (count > bound)
    graph, rooms = ({name: set() for name in names} for names in (files, homes.values()))
    for name, path in files.items():
        for target, how in imports(name, path, set(files)):
            if how != "for types":
                graph[name].add(target)
            if homes[target] != homes[name] and part(target) not in GROUND and target != "taugda":
                rooms[homes[name]].add(homes[target])
                if homes[target] not in ROOMS.get(homes[name], (0, ""))[1].split():
                    faults.append(f"not in the plan: {name} imports {target} ({how})")
    return faults + circles(rooms) + circles(graph)


def machinery(source: str) -> set[int]:
    """Lines of a cell that display and record: calls on `run`, and rows written for its tables."""
    nodes = list(ast.walk(ast.parse(source)))
    calls = [n for n in nodes if isinstance(n, ast.Call) and ast.unparse(n.func) in RECORDING]
    tables = [call.args[0] for call in calls if ast.unparse(call.func) == "run.table" and call.args]
    rows = {n.id for table in tables for n in ast.walk(table) if isinstance(n, ast.Name)}
    for node in nodes:  # rows = [{...}], rows += [{...}], rows.append({...})
        target = getattr(node, "targets", [getattr(node, "target", None)])[0]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            target = node.func.value
        if isinstance(target, ast.Name) and target.id in rows:
            calls += [n for n in ast.walk(node) if isinstance(n, ast.Dict)]
    return {line for n in calls for line in range(n.lineno, n.end_lineno + 1)}


def notebooks() -> list[str]:
    counted, taken, faults = 0, 0, []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            count = len(source.splitlines()) if cell["cell_type"] == "code" else 0
            counted, taken = counted + count, taken + len(machinery(source) if count else ())
            if count > CELL and "parameters" not in cell["metadata"].get("tags", []):
                faults.append(f"{path.name}: {cell['id']} has {count} lines, at most {CELL}")
    share = taken / max(counted, 1)
    print(f"notebooks: {counted:,} lines of code, {share:.1%} of them machinery")
    return faults + [f"machinery: {share:.1%}, at most {MACHINERY:.0%}"] * (share > MACHINERY)


def main() -> int:
    faults, tests = library() + notebooks(), sum(map(lines, (ROOT / "tests").glob("*.py")))
    print(f"tests: {tests:,} lines")
    faults += [f"tests: {tests:,} lines, at most {TESTS:,}"] * (tests > TESTS)
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
