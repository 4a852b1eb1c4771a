"""What is published: light, whole, and still of the notebooks beside it."""

import re
import runpy
from pathlib import Path

import pytest
from test_report import dead_addresses

from taugda.record.claims import read_claims
from taugda.record.tables import markdown_table
from taugda.report.figures import read_figures
from taugda.report.publish import NOTEBOOK_LIMIT, TOTAL_LIMIT, collections, size
from taugda.runs.files import read_json
from taugda.runs.parameters import read_file, read_parameters, resolve, run_name
from taugda.runs.project import Project
from taugda.runs.state import Item, fingerprint, marks

ROOT = Path(__file__).resolve().parents[1]
PROJECT = Project(ROOT, ROOT / "outputs")
ANALYSES = [stem for stem in PROJECT.stems() if marks(PROJECT.notebook(stem)).kind == "analysis"]


@pytest.fixture(scope="module")
def default():
    folder = PROJECT.published / "default"
    if not folder.is_dir():
        pytest.fail("outputs/published/default/ is missing; run make publish")
    return folder


@pytest.mark.parametrize("stem", ANALYSES)
def test_the_published_run_is_of_the_committed_notebook(default, stem):
    done = read_json(default / stem / "default" / "done.json")
    assert done, f"{stem} is not published; run make publish"
    now = fingerprint(Item(PROJECT, stem, resolve(PROJECT, stem, {})))
    for part in ("notebook", "parameters"):
        assert done["fingerprint"][part] == now[part], f"{stem}: {part} changed; run make publish"


def test_every_published_run_belongs_to_a_notebook_and_is_whole(default):
    for collection in collections(PROJECT):
        for done in collection.glob("*/*/done.json"):
            folder, stem = done.parent, done.parts[-3]
            assert stem in PROJECT.stems(), folder
            training = marks(PROJECT.notebook(stem)).kind == "training"
            assert training or collection.name == "default", folder
            assert (folder / "notebook.ipynb").is_file() != training, folder
            parameters = read_file(folder / "parameters.yaml")
            # A collection of long runs outlives changes of the notebook's parameters.
            if parameters.keys() == read_parameters(PROJECT.notebook(stem)).keys():
                assert folder.name == run_name(PROJECT, stem, parameters), folder
            details = read_json(folder / "provenance.json")
            assert details["run"] == folder.name
            assert details["versions"] and details["machine"], folder
            assert read_json(folder / "metrics.json"), folder


def test_what_is_published_is_light_and_names_no_place_on_a_machine(default):
    assert size(PROJECT.published) <= TOTAL_LIMIT
    pattern = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|Users)/\w")
    for path in PROJECT.published.rglob("*"):
        assert path.suffix != ".ipynb" or path.stat().st_size <= NOTEBOOK_LIMIT, path
        if path.suffix in (".json", ".yaml", ".md", ".ipynb"):
            found = pattern.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{path}: {found}"


def test_the_claims_are_those_of_the_list_and_links_lead_somewhere(default):
    lines = (default / "claims.md").read_text(encoding="utf-8").splitlines()
    cells = [markdown_table([one.statement], []).splitlines()[0] for one in read_claims(PROJECT)]
    rows = [line for line in lines if line.startswith("| ") and "notebook.ipynb)" in line]
    for cell in cells:
        assert any(row.startswith(cell) for row in rows), f"{cell}: run make publish"
    assert len(rows) == len(cells), "run make publish"
    for text in PROJECT.published.glob("*/*.md"):
        assert dead_addresses(text) == [], text


def test_every_figure_of_the_paper_is_published_and_beside_all_of_the_authors(default):
    ours = {(one.notebook, one.figure) for one in read_figures(PROJECT)}
    for notebook, figure in ours:
        picture = default / notebook / "default" / "figures" / f"{figure}.png"
        assert picture.is_file(), f"{picture} is missing; run make publish"
    pairs = runpy.run_path(str(ROOT / "benchmarks" / "beside.py"))["PAIRS"]
    assert ours == {(notebook, figure) for notebook, figure, *_ in pairs}
    theirs = [(name, number) for _, _, name, numbers, _ in pairs for number in numbers]
    assert len(set(theirs)) == len(theirs) == 47
