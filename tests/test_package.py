"""The package as a whole: a quick import, documentation that holds, versions that agree."""

import ast
import doctest
import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import taugda

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(taugda.__path__, "taugda.")
    if not module.name.endswith("__main__")
)


# Import


def fresh_python(code):
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return json.loads(answer.stdout)


def test_import_is_quick_and_loads_no_heavy_library():
    code = (
        "import sys, json, time; start = time.perf_counter(); import taugda; "
        "took = time.perf_counter() - start; import taugda.__main__, taugda.runs.batch; "
        "print(json.dumps([took, *sys.modules]))"
    )
    took, *modules = min((fresh_python(code) for _ in range(3)), key=lambda answer: answer[0])
    heavy = {"torch", "numpy", "scipy", "sympy", "matplotlib", "numba", "IPython", "papermill"}
    assert (heavy | {"nbconvert"}).isdisjoint(modules)
    assert took < 0.5


def test_a_training_run_loads_no_symbolic_mathematics_and_no_compiler():
    # PyTorch imports SymPy and its compiler on some first calls: two seconds a run.
    code = (
        "import sys, json; from taugda import plots; "
        "from taugda.gan import configuration, data, distances, loop, update; "
        "images = data.load('digits'); "
        "c = configuration.Configuration(tau=1, mu=1, resolution=8, channels=1, width=2); "
        "trainer = update.Trainer(c); batches = data.Batches(images, c.batch, seed=0); "
        "losses = trainer.update(next(batches), trainer.draw(), trainer.draw()); "
        "trainer.finite(losses); print(json.dumps(list(sys.modules)))"
    )
    heavy = {"sympy", "sklearn", "numba", "torch._dynamo"}
    assert heavy & set(fresh_python(code)) == set()


def test_subjects_are_reached_through_the_package():
    code = (
        "import taugda, json; "
        "print(json.dumps([taugda.games.quadratic().n1, 'stability' in dir(taugda)]))"
    )
    assert fresh_python(code) == [2, True]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = taugda.nothing


# Documentation


@pytest.mark.parametrize("name", MODULES)
def test_modules_say_what_they_are_and_their_names_and_examples_hold(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for public in getattr(module, "__all__", ()):
        assert hasattr(module, public), public
    assert doctest.testmod(module).failed == 0


def readers_code():
    """What the notebooks and the README's Python examples say, as syntax trees."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
        yield ast.parse("\n".join(code))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for example in re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        yield ast.parse(example)


def met():
    """What readers use of the library, in one of its modules or by name, and all attributes."""
    things = []
    attributes = set(re.findall(r"`\w+\.(\w+)`", (ROOT / "README.md").read_text(encoding="utf-8")))
    for tree in readers_code():
        bound, nodes = {}, list(ast.walk(tree))
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("taugda"):
                exec(ast.unparse(node), bound)
        things += bound.values()
        for node in nodes:
            if isinstance(node, ast.Attribute):
                attributes.add(node.attr)
                things.append(getattr(bound.get(ast.unparse(node.value)), node.attr, None))
    return things, attributes


def documented():
    """Every function, class and method of the library, and whether readers meet it."""
    things, attributes = met()
    used, seen = set(map(id, things)), {}
    for module in MODULES:
        for name, thing in vars(importlib.import_module(module)).items():
            inner = getattr(thing, "py_func", thing)
            if not (inspect.isfunction(inner) or inspect.isclass(inner)):
                continue
            if inner.__module__ != module:
                continue
            seen[f"{module}.{name}"] = (inner, id(thing) in used)
            for attribute, member in vars(inner).items() if inspect.isclass(inner) else ():
                plain = getattr(member, "__func__", getattr(member, "fget", member))
                if inspect.isfunction(plain) and plain.__module__ == module:
                    called = attribute in attributes and not isinstance(member, property)
                    seen[f"{module}.{name}.{attribute}"] = (plain, id(thing) in used and called)
    return seen


DOCUMENTED = documented()
MET = [name for name, (_, met) in DOCUMENTED.items() if met]


def test_readers_meet_a_part_of_the_library():
    assert 60 < len(MET) < len(DOCUMENTED)
    for name in ("taugda.stability.thresholds.tau_star", "taugda.games.paper.torus"):
        assert name in MET


def sections(text):
    """Names of a numpydoc docstring's sections and what they contain."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", inspect.cleandoc(text), flags=re.MULTILINE)
    return parts[0].strip(), dict(zip(parts[1::2], parts[2::2], strict=True))


def documented_names(section):
    """The names that a Parameters or Attributes section explains."""
    names = re.findall(r"^(\*{0,2}\w+(?:, *\*{0,2}\w+)*) *(?::|$)", section, flags=re.MULTILINE)
    return {name.strip("* ") for line in names for name in line.split(",")}


@pytest.mark.parametrize("name", MET)
def test_what_readers_meet_is_documented_in_full(name):
    thing, _ = DOCUMENTED[name]
    assert thing.__doc__, "no docstring"
    summary, parts = sections(thing.__doc__)
    assert summary.split("\n\n")[0].endswith(".")
    if inspect.isclass(thing):
        if not issubclass(thing, Exception):
            assert {"Parameters", "Attributes"} & set(parts)
        return
    signature = inspect.signature(thing)
    arguments = {p for p in signature.parameters if p not in ("self", "cls")}
    assert documented_names(parts.get("Parameters", "")) >= arguments
    # A picture is a Matplotlib figure; the text of `plots` says so once for all.
    if signature.return_annotation not in (None, "None", "Figure", "Iterator[Figure]"):
        if not name.startswith("taugda.plots."):
            assert {"Returns", "Yields"} & set(parts)
    code = inspect.getsource(thing).replace(thing.__doc__, "")
    if re.search(r"^\s+raise \w", code, flags=re.MULTILINE):
        assert "Raises" in parts


@pytest.mark.parametrize("module", MODULES)
def test_the_rest_is_documented_in_a_line(module):
    """What no reader meets has a line, at most one short paragraph more, and no sections."""
    for name, (thing, met) in DOCUMENTED.items():
        text = (thing.__doc__ or "").strip()
        if thing.__module__ == module and not met and "Attributes\n" not in text:
            assert text.count("\n") < 5 and "\n-----" not in text.replace(" ", ""), name


# Versions

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements():
    project = PYPROJECT["project"]
    return list(map(Requirement, project["dependencies"] + project["optional-dependencies"]["dev"]))


PYTHONS = re.search(r"^PYTHONS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
MACHINES = [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")]


def locked():
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def pins(python, system, machine):
    """Names and versions that the lock has for one kind of machine."""
    setting = {
        "python_version": python, "python_full_version": f"{python}.9", "os_name": "posix",
        "sys_platform": system, "platform_machine": machine, "implementation_name": "cpython",
    }  # fmt: skip
    found = [r for r in map(Requirement, locked()) if not r.marker or r.marker.evaluate(setting)]
    return [(canonicalize_name(r.name), Version(str(r.specifier)[2:])) for r in found]


def test_lock_file_is_plain_pins_without_local_tags_and_of_the_cpu_torch():
    for line in locked():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][A-Za-z0-9.]*( ; [a-z_]+ .*)?", line), line
    assert not [line for line in locked() if line.startswith(("nvidia", "cuda", "triton"))]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("machine", MACHINES)
def test_every_machine_has_one_pin_a_dependency_within_its_range(python, machine):
    found = pins(python, *machine)
    versions = dict(found)
    assert len(versions) == len(found)
    for requirement in requirements():
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier
    # What the interactive shell needs on one system only.
    assert ("appnope" in versions) == (machine[0] == "darwin")


# What a make that runs the tests hands on is not meant for these.
_SETTING = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKEOVERRIDES")}


def make(*arguments, **environment):
    return subprocess.run(
        ["make", "--no-print-directory", "setup", *arguments],
        cwd=ROOT, env=_SETTING | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


DRY = ("--dry-run", "--always-make")


def test_make_takes_any_python_that_the_lock_serves(tmp_path):
    for name, version in {"11": "3.10", "12": "no", "13": "3.13", "14": "3.14"}.items():
        script = f"#!/bin/sh\ncase {version} in 3.1[1-4]) exit 0;; *) exit 1;; esac\n"
        (tmp_path / f"python3.{name}").write_text(script)
        (tmp_path / f"python3.{name}").chmod(0o755)
    # One that is there but is another, or does not run, is passed over.
    assert f"{tmp_path}/python3.13" in make(*DRY, PATH=f"{tmp_path}:/usr/bin:/bin").stdout
    # Without any, it says which would do.
    done = make("PYTHON=/bin/false", f"VENV={tmp_path}/none")
    assert done.returncode
    assert f"The lock file serves Python {' '.join(PYTHONS)}; found /bin/false" in done.stderr


def test_torch_is_taken_from_an_index_of_ones_own():
    plain, own = make(*DRY).stdout, make(*DRY, "TORCH_INDEX=URL").stdout
    assert 'test -z ""' in plain
    assert '--no-deps --index-url "URL"' in own
    assert "requirements.lock" in own.partition("--index-url")[2]


def test_what_the_library_imports_is_declared():
    """Top-level imports of the library are the standard library, taugda or a dependency."""
    # What the declared packages are built on and bring along.
    brought = {
        "beautifulsoup4", "ipython", "jinja2", "jupyter-client", "jupyter-core", "llvmlite",
        "markupsafe", "mpmath", "pillow", "traitlets",
    }  # fmt: skip
    found = set()
    for path in (ROOT / "lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.split(".")[0])
    homes, here = importlib.metadata.packages_distributions(), sys.stdlib_module_names | {"taugda"}
    packages = {canonicalize_name(homes[name][0]) for name in found - here}
    assert packages - brought <= {canonicalize_name(one.name) for one in requirements()}


def test_conda_environment_is_python_pip_and_the_lock():
    content = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *plain, pip = content["dependencies"]
    assert plain == ["python=3.11", "pip"] and "3.11" in PYTHONS
    assert pip["pip"][0] == "-r requirements.lock"
    assert pip["pip"][1:] in ([], ["-e ."])


# The texts beside the code


def test_the_map_of_the_readme_names_what_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("## From the paper to the code")[2].strip().partition("\n\n")[0]
    rows = [line.split("|")[1:-1] for line in table.splitlines()[2:]]
    mapped = {re.search(r"\]\((notebooks/\w+\.ipynb)\)", row[1])[1] for row in rows}
    assert mapped == {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    for _, _, library, tests in rows:
        module = None
        for name in re.findall(r"`([\w.]+)`", library):
            before, _, last = name.rpartition(".")
            module = importlib.import_module(f"taugda.{before}") if before else module
            inside = f"{module.__name__}.{last}"
            assert hasattr(module, last) or importlib.util.find_spec(inside), name
        for name in re.findall(r"`(test_\w+)`", tests):
            assert (ROOT / "tests" / f"{name}.py").is_file(), name


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_the_texts_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for address in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / address).exists(), f"{address} is missing; make publish may make it"


def test_version_and_license_are_one_and_the_paper_is_cited():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    for said in (PYPROJECT["project"], cited):
        assert (said["version"], said["license"]) == (taugda.__version__, "MIT")
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    assert taugda.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    paper = cited["preferred-citation"]
    assert [author["family-names"] for author in paper["authors"]] == ["Fiez", "Ratliff"]
    assert paper["year"] == 2021
