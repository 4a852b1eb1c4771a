"""Every notebook: clean in the repository, in the house style, and run with small parameters.

The runs go through the project's own command and papermill into a temporary folder.
"""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from taugda.claims import read_claims
from taugda.report.check import faults
from taugda.runs import Project
from taugda.runs.parameters import read_cells, read_file, read_parameters, resolve

ROOT = Path(__file__).resolve().parents[1]
PROJECT = Project(ROOT, ROOT / "outputs")
STEMS = PROJECT.stems()
FILES = sorted((ROOT / "parameters").glob("*/*.yaml"))
every_notebook = pytest.mark.parametrize("stem", STEMS)


def read(stem):
    return nbformat.read(PROJECT.notebook(stem), as_version=4)


def code_cells(stem):
    cells = read_cells(PROJECT.notebook(stem))
    return [cell["source"].strip() for cell in cells if cell["cell_type"] == "code"]


# In the repository


def test_there_are_notebooks_numbered_in_reading_order():
    assert len(STEMS) >= 7
    numbers = [int(re.fullmatch(r"(\d\d)_[a-z][a-z_]*", stem)[1]) for stem in STEMS]
    assert len(set(numbers)) == len(numbers)


@every_notebook
def test_notebook_is_valid_and_clean(stem):
    notebook = read(stem)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
        assert set(cell.metadata) <= {"tags"}
    identifiers = [cell.id for cell in notebook.cells]
    assert len(set(identifiers)) == len(identifiers)


@every_notebook
def test_notebook_starts_with_title_and_claim_and_ends_with_its_record(stem):
    cells = read(stem).cells
    assert re.match(r"# \S", cells[0].source)
    assert re.search(r"\*\*(Claim|What this does)\.\*\*", cells[0].source)
    assert cells[1].metadata.get("tags") == ["parameters"]
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert any("## Measured against the paper" in text for text in prose)
    *_, compared, finished = code_cells(stem)
    assert compared.splitlines()[-1] == "run.compare()"
    assert finished == "run.finish()"


@every_notebook
def test_parameters_cell_is_one_commented_literal_a_line(stem):
    cells = read_cells(PROJECT.notebook(stem))
    tagged = [cell["source"] for cell in cells if "parameters" in cell["tags"]]
    assert len(tagged) == 1
    for line in tagged[0].strip().splitlines():
        assert re.fullmatch(r"\w+: [^=#]+ = [^=#]+  # [^=]+", line), line
    found = read_parameters(PROJECT.notebook(stem))
    assert len(found) == len(tagged[0].strip().splitlines())
    assert all(parameter.help for parameter in found.values())


@every_notebook
def test_notebook_names_itself_and_holds_no_path_of_a_machine(stem):
    text = "\n".join(cell.source for cell in read(stem).cells)
    assert f'Run("{stem}", globals())' in text
    assert not re.search(r"/(home|root|work|tmp|Users)/", text)


@every_notebook
def test_notebook_has_small_parameters_that_differ_from_its_own(stem):
    small = resolve(PROJECT, stem, read_file(ROOT / "parameters" / stem / "small.yaml"))
    assert small != resolve(PROJECT, stem, {})


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_parameter_file_belongs_to_a_notebook_and_fits_it(path):
    assert path.parent.name in STEMS
    overrides = read_file(path)
    assert set(overrides) <= set(resolve(PROJECT, path.parent.name, overrides))


def test_every_claim_belongs_to_a_notebook():
    claims = read_claims(PROJECT)
    assert {claim.notebook for claim in claims} <= set(STEMS)
    assert len({claim.id for claim in claims}) == len(claims)


# Run


def run_small(stem, outputs):
    """Run a notebook with its small parameters; return its folder."""
    command = [sys.executable, "-m", "taugda", "run", stem, "-j", "1"]
    command += ["-f", str(ROOT / "parameters" / stem / "small.yaml")]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TAUGDA_")}
    answer = subprocess.run(
        command,
        cwd=ROOT,
        env=environment | {"TAUGDA_OUTPUTS": str(outputs)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    logs = [path.read_text() for path in (outputs / "runs" / stem).glob("*.failed/log.txt")]
    assert answer.returncode == 0, "\n".join([answer.stdout, answer.stderr, *logs])
    (done,) = (outputs / "runs" / stem).glob("*/done.json")
    return done.parent


@pytest.fixture(scope="module")
def executed(request, tmp_path_factory):
    """Function from a notebook's name to the folder of its run.

    The notebooks of all selected tests are started at once, two at a time; a test waits for its
    own.  Each run has an outputs folder of its own.
    """
    wanted = [
        item.callspec.params["stem"]
        for item in request.session.items
        if "executed" in getattr(item, "fixturenames", ())
    ]
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        runs = {
            stem: pool.submit(run_small, stem, tmp_path_factory.mktemp(stem))
            for stem in dict.fromkeys(wanted)
        }
        yield lambda stem: runs[stem].result()
        pool.shutdown(cancel_futures=True)


@every_notebook
def test_notebook_runs_with_small_parameters(executed, stem):
    folder = executed(stem)
    for name in ("notebook.ipynb", "parameters.yaml", "metrics.json", "provenance.json"):
        assert (folder / name).is_file()
    small = read_file(ROOT / "parameters" / stem / "small.yaml")
    assert resolve(PROJECT, stem, read_file(folder / "parameters.yaml")) == resolve(
        PROJECT, stem, small
    )


@every_notebook
def test_run_prints_no_warning(executed, stem):
    notebook = nbformat.read(executed(stem) / "notebook.ipynb", as_version=4)
    streams = [
        (output.name, output.text)
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    ]
    assert [text for name, text in streams if name == "stderr"] == []


@every_notebook
def test_every_figure_of_the_run_is_stored_and_has_a_text_alternative(executed, stem):
    folder = executed(stem)
    notebook = nbformat.read(folder / "notebook.ipynb", as_version=4)
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    alternatives = [output.metadata["image/png"]["alt"].strip() for output in pictures]
    assert all(len(text) > 30 for text in alternatives)
    assert len(set(alternatives)) == len(alternatives)
    assert all(output.metadata["taugda"]["caption"].strip() for output in pictures)
    stored = {path.stem for path in (folder / "figures").glob("*.png")}
    assert len(stored) == len(pictures)
    assert {path.stem for path in (folder / "figures").glob("*.pdf")} == stored


@every_notebook
def test_the_run_records_every_metric_that_a_claim_needs(executed, stem):
    recorded = json.loads((executed(stem) / "metrics.json").read_text(encoding="utf-8"))
    needed = {claim.metric for claim in read_claims(PROJECT) if claim.notebook == stem}
    assert needed <= set(recorded)


@every_notebook
def test_the_page_of_the_run_needs_no_network(executed, stem):
    pages = executed(stem).parents[2] / "pages"
    page = next(iter(pages.glob(f"{stem}*.html")))
    assert faults(page.read_text(encoding="utf-8")) == []
