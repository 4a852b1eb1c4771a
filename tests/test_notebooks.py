"""Every notebook: clean in the repository, in the house style, and run with small parameters.

The runs go through the project's own command and papermill into a temporary folder.
"""

import functools
import importlib
import itertools
import json
import operator
import os
import re
import runpy
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

import taugda
from taugda.record.claims import read_claims
from taugda.report.check import faults
from taugda.runs import Project
from taugda.runs.parameters import parse_assignment, read_file, read_parameters, resolve

ROOT = Path(__file__).resolve().parents[1]
PROJECT = Project(ROOT, ROOT / "outputs")
STEMS = PROJECT.stems()
FILES = sorted((ROOT / "parameters").glob("*/*.yaml"))
every_notebook = pytest.mark.parametrize("stem", STEMS)


def cells(stem, kind=None):
    notebook = nbformat.read(PROJECT.notebook(stem), as_version=4)
    return [cell for cell in notebook.cells if kind in (None, cell.cell_type)]


def small(stem):
    return resolve(PROJECT, stem, read_file(ROOT / "parameters" / stem / "small.yaml"))


def test_notebooks_are_numbered_in_reading_order():
    numbers = [int(re.fullmatch(r"(\d\d)_[a-z_]+", stem)[1]) for stem in STEMS]
    assert numbers == list(range(1, len(STEMS) + 1))


@every_notebook
def test_notebook_is_valid_and_clean(stem):
    notebook = nbformat.read(PROJECT.notebook(stem), as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    told = notebook.metadata.language_info  # for nbconvert --to script
    assert (told.file_extension, told.nbconvert_exporter) == (".py", "python")
    assert all(set(c.metadata) <= {"tags", "taugda"} for c in notebook.cells)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert not re.search(r"/(home|root|work|tmp|Users)/", nbformat.writes(notebook))
    for cell in cells(stem, "code"):
        assert cell.outputs == [] and cell.execution_count is None
        # Texts stand with the cell that shows what they describe.
        for name, text in cell.metadata.get("taugda", {}).get("texts", {}).items():
            assert f'"{name}"' in cell.source or re.search(r'f"\w+_\{', cell.source), name
            assert text and set(text) <= {"caption", "alt", "thumbnail"}


@every_notebook
def test_notebook_opens_with_its_claim_and_what_to_know_and_ends_with_its_record(stem):
    first, parameters, setup, *_, last, exercises = cells(stem)
    assert f'Run("{stem}", globals())' in setup.source
    assert re.match(r"# \S", first.source)
    assert re.search(r"\*\*(Claim|What this does)\.\*\*", first.source)
    assert re.search(r"^\*\*To know\.\*\* .+\n\*\*Before\.\*\* .+$", first.source, re.MULTILINE)
    assert parameters.metadata.tags == ["parameters"]
    assert "## Measured against the paper" in cells(stem, "markdown")[-2].source
    assert last.source == "run.finish()"
    listed = re.findall(r"^(##.*|\d\.)", exercises.source, re.MULTILINE)
    assert listed == ["## To try", "1.", "2.", "3."]


@every_notebook
def test_links_lead_to_the_notebook_and_the_equation_they_name(stem):
    text = "\n".join(cell.source for cell in cells(stem, "markdown"))
    for label, target in re.findall(r"\[([^\]]*)\]\(([^)]*)\.ipynb\)", text):
        assert target in STEMS and label.split()[-1] == target[:2], (label, target)
    # Equations that are referred to are labelled, and the others are not.
    labels = re.findall(r"\\tag\{(\d+)\}", text)
    links = re.findall(r"\[\((\d+)\)\]\(#mjx-eqn:(\d+)\)", text)
    assert labels == [str(number) for number in range(1, len(labels) + 1)]
    assert {number for pair in links for number in pair} == set(labels)


@every_notebook
def test_what_is_to_be_tried_fits_the_notebooks_parameters(stem):
    """Every override in the exercises is accepted by the notebook."""
    exercises = cells(stem)[-1].source.replace("\n   ", " ")
    for command in re.findall(r"`([^`]*-p [^`]*)`", exercises):
        texts = [text for flag, text in itertools.pairwise(shlex.split(command)) if flag == "-p"]
        given = dict(map(parse_assignment, texts))
        if None not in given.values():  # such as `-p seed=`, to be filled in
            resolve(PROJECT, stem, given)


@every_notebook
def test_parameters_cell_is_one_commented_literal_a_line(stem):
    lines = cells(stem)[1].source.splitlines()
    for line in lines:
        assert re.fullmatch(r"\w+: [^=#]+ = [^=#]+  # [^=]+", line), line
    assert len(read_parameters(PROJECT.notebook(stem))) == len(lines)
    assert small(stem) != resolve(PROJECT, stem, {})


def test_cells_are_short_and_little_of_them_is_machinery(capsys):
    size = runpy.run_path(str(ROOT / "benchmarks" / "size.py"))
    assert size["notebooks"]() == [], capsys.readouterr().out
    # Machinery is what displays and records.
    cell = 'run = Run("x", globals())\nx = 1\nrows = [\n    {"x": x},\n]\nrun.table(\n    rows,\n)'
    assert size["machinery"](cell) == {1, 4, 6, 7, 8}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_parameter_file_belongs_to_a_notebook_and_fits_it(path):
    assert path.parent.name in STEMS
    overrides = read_file(path)
    assert set(overrides) <= set(resolve(PROJECT, path.parent.name, overrides))


def test_every_claim_belongs_to_a_notebook_a_place_in_the_paper_and_a_function():
    for claim in read_claims(PROJECT):
        assert claim.notebook in STEMS
        assert re.match("(Theorem|Theorems|Proposition|Experiments)[, ]", claim.where), claim.where
        importlib.import_module(f"taugda.{claim.function.rpartition('.')[0]}")
        assert callable(functools.reduce(getattr, claim.function.split("."), taugda))


# Run


def run_small(stem, outputs):
    """Run a notebook with its small parameters; return its folder."""
    command = [sys.executable, "-m", "taugda", "run", stem, "-j", "1", "-f"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TAUGDA_")}
    answer = subprocess.run(
        [*command, str(ROOT / "parameters" / stem / "small.yaml")],
        cwd=ROOT, env=environment | {"TAUGDA_OUTPUTS": str(outputs)},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    logs = [path.read_text() for path in (outputs / "runs" / stem).glob("*.failed/log.txt")]
    assert answer.returncode == 0, "\n".join([answer.stdout, answer.stderr, *logs])
    (done,) = (outputs / "runs" / stem).glob("*/done.json")
    return done.parent


@pytest.fixture(scope="module")
def executed(request, tmp_path_factory):
    """Function from a notebook's name to the folder of its run; they run two at a time."""
    items = [i for i in request.session.items if "executed" in getattr(i, "fixturenames", ())]
    wanted = dict.fromkeys(item.callspec.params["stem"] for item in items)
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        runs = {s: pool.submit(run_small, s, tmp_path_factory.mktemp(s)) for s in wanted}
        yield lambda stem: runs[stem].result()
        pool.shutdown(cancel_futures=True)


@every_notebook
def test_notebook_runs_without_a_warning_and_leaves_its_record_figures_and_page(executed, stem):
    folder = executed(stem)
    assert resolve(PROJECT, stem, read_file(folder / "parameters.yaml")) == small(stem)
    recorded = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert {c.metric for c in read_claims(PROJECT) if c.notebook == stem} <= set(recorded)
    notebook = nbformat.read(folder / "notebook.ipynb", as_version=4)
    outputs = functools.reduce(operator.iadd, (c.get("outputs", []) for c in notebook.cells), [])
    assert [out.text for out in outputs if out.get("name") == "stderr"] == []
    pictures = [out.metadata for out in outputs if "image/png" in out.get("data", {})]
    alternatives = {picture["image/png"]["alt"].strip() for picture in pictures}
    assert len(alternatives) == len(pictures) and all(len(text) > 30 for text in alternatives)
    assert all(picture["taugda"]["caption"].strip() for picture in pictures)
    for kind in ("png", "pdf"):
        files = [path.name.split(".") for path in (folder / "figures").glob(f"*.{kind}")]
        assert sum(len(parts) == 2 for parts in files) == len(pictures)  # others are versions
    name = stem if folder.name == "default" else f"{stem}--{folder.name}"
    page = folder.parents[2] / "pages" / f"{name}.html"
    assert faults(page.read_text(encoding="utf-8")) == []
