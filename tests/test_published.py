"""What is published: how it gets there, and that it still belongs to the notebooks beside it."""

import json
import re
import shutil
import warnings
from pathlib import Path

import pytest
from conftest import Toy
from test_report import FIGURE, PROSE, Elements

from taugda.__main__ import main
from taugda.claims import verdicts
from taugda.report import build
from taugda.report.entries import drift, find_entries
from taugda.report.figures import read_figures
from taugda.runs import Project
from taugda.runs.fingerprint import kind
from taugda.runs.publish import NOTEBOOK_LIMIT, TOTAL_LIMIT, collections, size, sources_match

ROOT = Path(__file__).resolve().parents[1]
PROJECT = Project(ROOT, ROOT / "outputs")
DEFAULT = PROJECT.published / "default"
ANALYSES = [stem for stem in PROJECT.stems() if kind(PROJECT.notebook(stem)) == "analysis"]
CLAIM = """- id: c
  statement: It is 2.
  where: Section 5
  paper: 2
  tolerance: 1.0e-9
  notebook: toy
  metric: tau
"""
SAMPLES = FIGURE.replace('"line"', '"samples"').replace("run.compare()", "")
OTHER = """fig, ax = plt.subplots(figsize=(2, 2))
run.show(fig, "loss", caption="It falls.", alt="A falling line.")"""


# What the repository holds


@pytest.fixture(scope="module")
def default():
    if not DEFAULT.is_dir():
        pytest.fail("outputs/published/default/ is missing; run make publish")
    return DEFAULT


@pytest.mark.parametrize("stem", ANALYSES)
def test_the_published_run_is_of_the_committed_notebook(default, stem):
    folder = default / stem / "default"
    assert folder.is_dir(), f"{stem} is not published; run make publish"
    assert sources_match(PROJECT, stem, folder) == [], f"{stem} is out of date; run make publish"
    changed = drift(PROJECT, stem, folder)
    if changed != "up to date":  # no fault: the pages say it too
        warnings.warn(f"{stem}, as published: {changed}", stacklevel=1)


def test_every_published_run_belongs_to_a_notebook_and_is_whole(default):
    for collection in collections(PROJECT):
        for done in collection.glob("*/*/done.json"):
            folder = done.parent
            assert folder.parent.name in PROJECT.stems(), folder
            training = kind(PROJECT.notebook(folder.parent.name)) == "training"
            assert training or collection.name == "default", folder
            for name in ("parameters.yaml", "metrics.json", "provenance.json"):
                assert (folder / name).is_file(), folder / name
            assert (folder / "notebook.ipynb").is_file() != training, folder
            details = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
            assert details["versions"], folder
            assert details["machine"], folder


def test_what_is_published_is_light(default):
    assert size(PROJECT.published) <= TOTAL_LIMIT
    for notebook in PROJECT.published.glob("*/*/*/notebook.ipynb"):
        assert notebook.stat().st_size <= NOTEBOOK_LIMIT, notebook


def test_nothing_published_names_a_place_on_a_machine(default):
    pattern = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|Users)/\w")
    for path in PROJECT.published.rglob("*"):
        if path.suffix in (".json", ".yaml", ".md", ".ipynb"):
            found = pattern.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{path}: {found}"


def test_the_published_claims_are_those_of_the_list(default):
    rows = json.loads((default / "claims.json").read_text(encoding="utf-8"))
    listed = {row["id"] for row in rows}
    from taugda.claims import read_claims

    assert listed == {claim.id for claim in read_claims(PROJECT)}, "run make publish"
    text = (default / "claims.md").read_text(encoding="utf-8")
    assert text.count("\n| ") >= len(rows)


def test_every_figure_of_the_paper_is_published(default):
    wanted = read_figures(PROJECT)
    assert len(wanted) > 20
    missing = [
        f"{one.notebook}, {one.figure}"
        for one in wanted
        if not (default / one.notebook / "default" / "figures" / f"{one.figure}.png").is_file()
    ]
    assert missing == []


def test_links_of_the_published_texts_lead_somewhere(default):
    for text in PROJECT.published.glob("*/*.md"):
        for address in re.findall(r"\]\(([^)#]+)", text.read_text(encoding="utf-8")):
            assert (text.parent / address).exists(), f"{text.name}: {address}"


# How it gets there


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with an analysis and two training runs, all up to date; copied by every test."""
    root = tmp_path_factory.mktemp("made") / "project"
    (root / "notebooks").mkdir(parents=True)
    toy = Toy(Project(root, root / "outputs"))
    toy.notebook("01_toy", FIGURE, "run.finish()", prose=PROSE)
    toy.notebook("09_train", SAMPLES, OTHER, "run.finish()", kind="training", prose="# Training")
    toy.write("claims.yaml", CLAIM)
    toy.write("sweeps/two.yaml", "notebook: train\ngrid: {n: [3, 4]}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAUGDA_ROOT", str(root))
        patch.delenv("TAUGDA_OUTPUTS", raising=False)
        assert main(["run", "--no-report"]) == 0
        assert main(["run", "two.yaml", "--no-report"]) == 0
    return root


@pytest.fixture
def ready(toy, made):
    root = toy.project.root
    shutil.rmtree(root)
    shutil.copytree(made, root)
    return toy


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_publishing_and_reading_what_is_published(ready, capsys):
    assert main(["publish"]) == 0
    assert "2 runs in outputs/published/default" in capsys.readouterr().out
    folder = ready.project.published / "default"
    record = ["done.json", "metrics.json", "parameters.yaml", "provenance.json"]
    assert names(folder / "01_toy" / "default") == sorted(
        [*record, "figures/line.png", "notebook.ipynb"]
    )
    # Of a training run: its record and its samples.
    assert names(folder / "09_train" / "default") == sorted([*record, "figures/samples.png"])
    (row,) = json.loads((folder / "claims.json").read_text())
    assert (row["verdict"], row["measured"], row["run"]) == ("reproduced", 2.0, "default")
    assert "[Read the executed notebook](01_toy/default/notebook.ipynb)" in (
        folder / "README.md"
    ).read_text(encoding="utf-8")

    # A reader who has run nothing sees the published runs as pages, and says so.
    own = ready.project.runs.rename(ready.project.outputs / "elsewhere")
    (verdict,) = verdicts(ready.project)
    assert (verdict.verdict, verdict.note) == ("reproduced", "published, not run here")
    build(ready.project)
    text = (ready.project.pages / "01_toy.html").read_text(encoding="utf-8")
    assert "published run (collection default)" in text
    assert "../published/default/01_toy/default/figures/line.png" in text
    lean = Elements((ready.project.pages / "09_train.html").read_text(encoding="utf-8"))
    assert [image["alt"] for image in lean.all("img")] == ["A rising line & more."]
    assert "which keeps its results only" in lean.text

    # What was run here goes before what is published.
    own.rename(ready.project.runs)
    assert {entry.collection for entry in find_entries(ready.project)} == {""}


def test_publishing_again_replaces_the_default_collection(ready):
    assert main(["publish"]) == 0
    stray = ready.project.published / "default" / "08_gone" / "default" / "done.json"
    stray.parent.mkdir(parents=True)
    stray.write_text("{}")
    assert main(["publish"]) == 0
    assert not stray.exists()


def test_a_collection_is_added_to_and_takes_what_is_finished(ready, capsys):
    ready.write("sweeps/more.yaml", "notebook: train\ngrid: {n: [4, 5]}\n")
    assert main(["publish", "long", "two.yaml"]) == 0
    assert main(["publish", "long", "more.yaml"]) == 0
    assert "n=5" in capsys.readouterr().out
    folder = ready.project.published / "long"
    runs = sorted(path.parent.name.partition("-")[0] for path in folder.glob("*/*/done.json"))
    assert runs == ["default", "n=4"]
    assert "](09_train/default/metrics.json)" in (folder / "README.md").read_text()


def test_a_stale_training_run_stays_published_and_a_stale_analysis_is_refused(ready, capsys):
    ready.notebook("09_train", SAMPLES, OTHER, "2 + 2", "run.finish()", kind="training")
    assert main(["publish"]) == 0
    entry = next(e for e in find_entries(ready.project) if e.stem == "09_train")
    assert "notebook changed" in entry.state
    ready.notebook("01_toy", "2 + 2", "run.finish()")
    before = names(ready.project.published)
    assert main(["publish"]) == 2
    assert "01_toy/default is stale" in capsys.readouterr().err
    assert names(ready.project.published) == before
    folder = ready.project.published / "default" / "01_toy" / "default"
    assert sources_match(ready.project, "01_toy", folder) == [
        "the notebook has changed since",
        "the executed cells are not the notebook's",
    ]


def test_changed_parameters_are_found(ready):
    assert main(["publish"]) == 0
    ready.notebook("01_toy", FIGURE, "run.finish()", prose=PROSE, parameters="n: int = 4  # many")
    folder = ready.project.published / "default" / "01_toy" / "default"
    assert "its parameters are no longer the notebook's defaults" in sources_match(
        ready.project, "01_toy", folder
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["publish", "long"], "a collection and its sweep files"),
        (["publish", "default", "two.yaml"], "a collection and its sweep files"),
        (["publish", "Long", "two.yaml"], "collection must be lower-case letters"),
        (["publish", "long", "toy"], "collection 'long' is for training runs"),
        (["publish", "long", "none.yaml"], "no run for collection 'long' is finished"),
    ],
)
def test_wrong_requests_change_nothing(ready, capsys, arguments, message):
    ready.write("sweeps/none.yaml", "notebook: train\nruns: [{n: 77}]\n")
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not ready.project.published.exists() or names(ready.project.published) == []


@pytest.mark.parametrize(
    ("limit", "message"),
    [("NOTEBOOK_LIMIT", "the executed notebook must weigh"), ("TOTAL_LIMIT", "bytes together")],
)
def test_what_is_too_heavy_is_refused(ready, capsys, monkeypatch, limit, message):
    monkeypatch.setattr(f"taugda.runs.publish.{limit}", 1000)
    assert main(["publish"]) == 2
    assert message in capsys.readouterr().err
    assert names(ready.project.published) == []


def test_a_path_of_this_machine_is_refused(ready, capsys):
    path = ready.run("01_toy") / "provenance.json"
    path.write_text(path.read_text().replace("{", f'{{"where": "{ready.project.root}",', 1))
    assert main(["publish"]) == 2
    assert "provenance.json names a path of this machine" in capsys.readouterr().err
