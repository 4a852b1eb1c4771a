"""The package as a whole: a quick import, documentation that holds, versions that agree."""

import ast
import doctest
import importlib
import importlib.util
import inspect
import json
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
CORE = [
    "taugda.blocks",
    "taugda.certify",
    "taugda.checks",
    "taugda.dynamics",
    "taugda.dynamics.kernels",
    "taugda.ensembles",
    "taugda.equilibria",
    "taugda.exact",
    "taugda.expressions",
    "taugda.games",
    "taugda.gan.checkpoints",
    "taugda.gan.configuration",
    "taugda.gan.data",
    "taugda.gan.data.celeba",
    "taugda.gan.data.cifar10",
    "taugda.gan.data.errors",
    "taugda.gan.data.fetch",
    "taugda.gan.data.images",
    "taugda.gan.data.load",
    "taugda.gan.data.pictures",
    "taugda.gan.evaluation",
    "taugda.gan.evaluation.features",
    "taugda.gan.evaluation.frechet",
    "taugda.gan.evaluation.inception",
    "taugda.gan.evaluation.quantize",
    "taugda.gan.evaluation.scorers",
    "taugda.gan.loop",
    "taugda.gan.models",
    "taugda.gan.objectives",
    "taugda.gan.passes",
    "taugda.gan.results",
    "taugda.gan.training",
    "taugda.gan.vision",
    "taugda.plots",
    "taugda.proofs",
    "taugda.stability",
]


# Import


def fresh_python(code):
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return json.loads(answer.stdout)


def test_import_loads_no_heavy_library():
    loaded = fresh_python("import taugda, sys, json; print(json.dumps(list(sys.modules)))")
    heavy = {"torch", "numpy", "scipy", "sympy", "matplotlib", "numba", "IPython", "papermill"}
    assert heavy & set(loaded) == set()


def test_a_training_run_loads_no_symbolic_mathematics_and_no_compiler():
    # PyTorch imports SymPy and its compiler on some first calls: two seconds a run.
    code = (
        "import sys, json; from taugda import plots; "
        "from taugda.gan import configuration, data, evaluation, loop, training; "
        "images = data.load('digits'); "
        "c = configuration.Configuration(tau=1, mu=1, resolution=8, channels=1, width=2); "
        "trainer = training.Trainer(c); batches = data.Batches(images, c.batch, seed=0); "
        "losses = trainer.update(next(batches), trainer.draw(), trainer.draw()); "
        "trainer.check(losses); print(json.dumps(list(sys.modules)))"
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
def test_every_public_name_exists_and_modules_say_what_they_are(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for public in getattr(module, "__all__", ()):
        assert hasattr(module, public), public


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("mathjax")])
def test_docstring_examples_hold(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def sections(text):
    """Names of a numpydoc docstring's sections and what they contain."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", inspect.cleandoc(text), flags=re.MULTILINE)
    return parts[0].strip(), dict(zip(parts[1::2], parts[2::2], strict=True))


def documented_names(section):
    """The names that a Parameters or Attributes section explains."""
    names = re.findall(r"^(\*{0,2}\w+(?:, *\*{0,2}\w+)*) *(?::|$)", section, flags=re.MULTILINE)
    return {name.strip("* ") for line in names for name in line.split(",")}


def public_objects():
    for name in CORE:
        module = importlib.import_module(name)
        for public in module.__all__:
            thing = getattr(module, public)
            if not (
                inspect.isfunction(thing) or inspect.isclass(thing) or hasattr(thing, "py_func")
            ):
                continue
            yield f"{name}.{public}", thing
            if inspect.isclass(thing) and thing.__module__.startswith("taugda"):
                for attribute, member in vars(thing).items():
                    if attribute.startswith("_"):
                        continue
                    member = getattr(member, "__func__", member)
                    if inspect.isfunction(member) or isinstance(member, property):
                        yield f"{name}.{public}.{attribute}", member


OBJECTS = dict(public_objects())


def test_there_is_something_to_document():
    assert len(OBJECTS) > 60


@pytest.mark.parametrize("name", OBJECTS)
def test_public_objects_are_documented_in_numpydoc(name):
    thing = getattr(OBJECTS[name], "py_func", OBJECTS[name])
    text = thing.fget.__doc__ if isinstance(thing, property) else thing.__doc__
    assert text, "no docstring"
    summary, parts = sections(text)
    assert summary.split("\n\n")[0].endswith(".")
    if isinstance(thing, property):
        return
    if inspect.isclass(thing):
        if not issubclass(thing, Exception):
            assert {"Parameters", "Attributes"} & set(parts) or _is_pair(thing)
        return
    signature = inspect.signature(thing)
    arguments = {p for p in signature.parameters if p not in ("self", "cls")}
    if arguments:
        assert documented_names(parts.get("Parameters", "")) >= arguments
    if arguments and signature.return_annotation not in (None, inspect.Signature.empty):
        assert {"Returns", "Yields"} & set(parts)


def _is_pair(thing):
    """A class of two obvious fields is explained by its summary alone."""
    return len(getattr(thing, "__dataclass_fields__", ())) == 2


def test_errors_that_are_raised_are_documented():
    """A public function of the core with a `raise` of its own has a Raises section."""
    missing = []
    for name, thing in OBJECTS.items():
        thing = getattr(thing, "py_func", thing)
        if not inspect.isfunction(thing):
            continue
        code = inspect.getsource(thing).replace(thing.__doc__ or "", "")
        # NotImplemented forms of an interface, such as `_repr_latex_`, are private.
        if re.search(r"^\s+raise \w", code, flags=re.MULTILINE):
            if "Raises" not in sections(thing.__doc__)[1]:
                missing.append(name)
    assert missing == []


# Versions

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements():
    project = PYPROJECT["project"]
    texts = project["dependencies"] + project["optional-dependencies"]["dev"]
    return {text: Requirement(text) for text in texts}


def locked():
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def pins():
    pairs = [line.split("==") for line in locked()]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def test_lock_file_is_plain_pins():
    for line in locked():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line), line
    names = [canonicalize_name(line.split("==")[0]) for line in locked()]
    assert len(set(names)) == len(names)
    assert not [name for name in names if name.startswith(("nvidia", "cuda", "triton"))]


def test_lock_file_pins_the_cpu_torch_without_a_local_tag():
    assert "torch==2.13.0" in locked()
    assert "torchvision==0.28.0" in locked()


@pytest.mark.parametrize("text", requirements())
def test_every_dependency_is_pinned_within_its_range(text):
    requirement = requirements()[text]
    assert pins()[canonicalize_name(requirement.name)] in requirement.specifier


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
        "IPython", "PIL", "jinja2", "jupyter_client", "llvmlite", "markupsafe", "mpmath",
        "traitlets",
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
