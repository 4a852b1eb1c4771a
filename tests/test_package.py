"""The package as a whole: a quick import, documentation that holds, versions that agree."""

import ast
import doctest
import importlib
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


def test_import_loads_no_heavy_library():
    code = "import sys, json, taugda.__main__, taugda.runs.batch; print(json.dumps([*sys.modules]))"
    heavy = {"torch", "numpy", "scipy", "sympy", "matplotlib", "numba", "IPython", "papermill"}
    assert (heavy | {"nbconvert"}) & set(fresh_python(code)) == set()


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


def test_import_takes_less_than_half_a_second():
    code = (
        "import time, json; start = time.perf_counter(); import taugda; "
        "print(json.dumps(time.perf_counter() - start))"
    )
    assert min(fresh_python(code) for _ in range(3)) < 0.5


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


def names_in_use():
    """The library's functions and classes that readers meet, and methods that they call."""
    found = set()
    attributes = set(re.findall(r"`\w+\.(\w+)`", (ROOT / "README.md").read_text(encoding="utf-8")))
    for tree in readers_code():
        bound = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("taugda"):
                for alias in node.names:
                    bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        found.update(bound.values())
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                attributes.add(node.attr)
                if isinstance(node.value, ast.Name) and node.value.id in bound:
                    found.add(f"{bound[node.value.id]}.{node.attr}")
    return found, attributes


def resolve(name):
    """The object with a dotted name; None for an attribute of something computed."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            thing = getattr(thing, part, None)
        return thing
    return None


def documented():
    """Every function, class and method of the library, and whether readers meet it."""
    names, attributes = names_in_use()
    used = {id(thing) for name in names if (thing := resolve(name)) is not None}
    seen = {}
    for module in MODULES:
        for name, thing in vars(importlib.import_module(module)).items():
            inner = getattr(thing, "py_func", thing)
            if not (inspect.isfunction(inner) or inspect.isclass(inner)):
                continue
            if inner.__module__ != module:
                continue
            seen[f"{module}.{name}"] = (inner, id(thing) in used)
            for attribute, member in vars(inner).items() if inspect.isclass(inner) else ():
                member = getattr(member, "__func__", getattr(member, "fget", member))
                if inspect.isfunction(member) and member.__module__ == module:
                    public = not attribute.startswith("_")
                    met = id(thing) in used and public and attribute in attributes
                    is_property = isinstance(vars(inner)[attribute], property)
                    seen[f"{module}.{name}.{attribute}"] = (member, met and not is_property)
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
    texts = project["dependencies"] + project["optional-dependencies"]["dev"]
    return {text: Requirement(text) for text in texts}


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
    for requirement in requirements().values():
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier
    # What the interactive shell needs on one system only.
    assert ("appnope" in versions) == (machine[0] == "darwin")


# What a make that runs the tests hands on is not meant for these.
_SETTING = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKEOVERRIDES")}


def make(*arguments, **environment):
    return subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "--always-make", "setup", *arguments],
        cwd=ROOT, env=_SETTING | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_make_takes_any_python_that_the_lock_serves(tmp_path):
    for name, version in {"11": "3.10", "12": "no", "13": "3.13", "14": "3.14"}.items():
        script = f"#!/bin/sh\ncase {version} in 3.1[1-4]) exit 0;; *) exit 1;; esac\n"
        (tmp_path / f"python3.{name}").write_text(script)
        (tmp_path / f"python3.{name}").chmod(0o755)
    # One that is there but is another, or does not run, is passed over.
    assert f"{tmp_path}/python3.13" in make(PATH=f"{tmp_path}:/usr/bin:/bin").stdout


def test_make_says_which_pythons_would_do(tmp_path):
    done = subprocess.run(
        ["make", "setup", "PYTHON=/bin/false", f"VENV={tmp_path}/none"],
        cwd=ROOT, env=_SETTING, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode
    assert f"The lock file serves Python {' '.join(PYTHONS)}; found /bin/false" in done.stderr


def test_torch_is_taken_from_an_index_of_ones_own():
    plain, own = make().stdout, make("TORCH_INDEX=URL").stdout
    assert 'test -z ""' in plain
    assert '--no-deps --index-url "URL"' in own
    assert "requirements.lock" in own.partition("--index-url")[2]


def test_what_the_library_imports_is_declared():
    """Top-level imports of the library are the standard library, taugda or a dependency."""
    provided = {
        "pyyaml": "yaml",
        "python-flint": "flint",
        "scikit-learn": "sklearn",
        "sphinx-mathjax-offline": "sphinx_mathjax_offline",
    }
    declared = {provided.get(r.name, r.name.replace("-", "_")) for r in requirements().values()}
    # What the declared packages are built on and bring along.
    brought = {
        "IPython", "PIL", "bs4", "jinja2", "jupyter_client", "jupyter_core", "llvmlite",
        "markupsafe", "mpmath", "traitlets",
    }  # fmt: skip
    found = set()
    for path in (ROOT / "lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.split(".")[0])
    assert found - set(sys.stdlib_module_names) - declared - {"taugda"} <= brought


def test_conda_environment_is_python_pip_and_the_lock():
    content = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *plain, pip = content["dependencies"]
    assert plain == ["python=3.11", "pip"]
    assert pip["pip"][0] == "-r requirements.lock"
    assert pip["pip"][1:] in ([], ["-e ."])
    assert (
        Version("3.11") in Requirement(f"python{PYPROJECT['project']['requires-python']}").specifier
    )


def test_version_is_one():
    assert PYPROJECT["project"]["version"] == taugda.__version__
    assert PYPROJECT["project"]["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


# The texts beside the code


def test_the_map_of_the_readme_names_what_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("## From the paper to the code")[2].partition("\n\n")[2]
    rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| ")][1:]
    mapped = {
        re.search(r"\]\((notebooks/\w+\.ipynb)\)", row[1])[1] for row in rows if len(row) == 4
    }
    there = {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert mapped == there
    for _, _, library, tests in (row for row in rows if len(row) == 4):
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
        assert (ROOT / address).exists(), f"{address} is missing" + (
            "; run make publish" if "published" in address else ""
        )


def test_citation_names_the_paper_and_this_version():
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert content["version"] == taugda.__version__
    assert content["license"] == "MIT"
    paper = content["preferred-citation"]
    assert [author["family-names"] for author in paper["authors"]] == ["Fiez", "Ratliff"]
    assert paper["year"] == 2021
    assert (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").find(taugda.__version__) > 0
