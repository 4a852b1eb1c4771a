"""What is published: how it gets there, and that it still belongs to the notebooks beside it."""

import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import Toy
from test_report import CLAIMS, FIGURE, PROSE, dead_links, read

from taugda.__main__ import main
from taugda.record.claims import read_claims
from taugda.report import build
from taugda.report.claims import verdicts
from taugda.report.entries import find_entries
from taugda.report.figures import read_figures
from taugda.report.publish import NOTEBOOK_LIMIT, TOTAL_LIMIT, collections, size, sources_match
from taugda.runs.project import Project
from taugda.runs.state import kind

ROOT = Path(__file__).resolve().parents[1]
PROJECT = Project(ROOT, ROOT / "outputs")
DEFAULT = PROJECT.published / "default"
ANALYSES = [stem for stem in PROJECT.stems() if kind(PROJECT.notebook(stem)) == "analysis"]
SAMPLES = FIGURE.replace('"line"', '"samples"')
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
    assert {row["id"] for row in rows} == {claim.id for claim in read_claims(PROJECT)}, (
        "run make publish"
    )
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


def dead_addresses(path):
    found = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    assert found
    return [address for address in found if not (path.parent / address).exists()]


def test_links_of_the_published_texts_lead_somewhere(default):
    for text in PROJECT.published.glob("*/*.md"):
        assert dead_addresses(text) == [], text


# How it gets there


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with an analysis and two training runs, all up to date; copied by every test."""
    root = tmp_path_factory.mktemp("made") / "project"
    (root / "notebooks").mkdir(parents=True)
    toy = Toy(Project(root, root / "outputs"))
    toy.notebook("01_toy", FIGURE, "run.finish()", prose=PROSE)
    toy.notebook("09_train", SAMPLES, OTHER, "run.finish()", kind="training", prose="# Training")
    toy.write("claims.yaml", CLAIMS.replace("notebook: other", "notebook: train"))
    toy.write("lib/taugda/stability.py", "def tau_star(blocks):\n    return 2\n")
    toy.write("sweeps/two.yaml", "notebook: train\ngrid: {n: [3, 4]}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAUGDA_ROOT", str(root))
        patch.delenv("TAUGDA_OUTPUTS", raising=False)
        assert main(["run", "toy", "two.yaml", "--no-report"]) == 0
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
    rows = json.loads((folder / "claims.json").read_text())
    assert [(row["group"], row["verdict"], row["measured"], row["run"]) for row in rows] == [
        ("paper", "reproduced", 2.0, "default"),
        ("paper", "not reproduced", None, "default"),
        ("project", "not reproduced", 0.5, "default"),
    ]
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "[Read the executed notebook](01_toy/default/notebook.ipynb)" in text
    assert "[The paper’s claims](claims.md): 1 reproduced, 1 not reproduced." in text
    assert "[The project’s own checks](claims.md): 1 not reproduced." in text

    # Every claim names its theorem, and leads to the function and to the notebook.
    text = (folder / "claims.md").read_text(encoding="utf-8")
    assert "- The paper’s claims: 1 reproduced, 1 not reproduced\n- The project’s own" in text
    assert (
        "| Theorem 1: [`stability.tau_star`](../../../lib/taugda/stability.py), "
        "[01_toy](01_toy/default/notebook.ipynb) |"
    ) in text
    assert dead_addresses(folder / "claims.md") == dead_addresses(folder / "README.md") == []

    # A reader who has run nothing sees the published runs as pages, and says so.
    own = ready.project.runs.rename(ready.project.outputs / "elsewhere")
    verdict = verdicts(ready.project)[0]
    assert (verdict.verdict, verdict.note) == ("reproduced", "published, not run here")
    build(ready.project)
    text = (ready.project.pages / "01_toy.html").read_text(encoding="utf-8")
    assert "published run (collection default)" in text
    assert "../published/default/01_toy/default/figures/line.png" in text
    lean = read(ready.project.pages / "09_train.html")
    assert [image["alt"] for image in lean.all("img")] == ["A rising line & more."]
    assert "which keeps its results only" in lean.text
    assert dead_links(ready.project) == []

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
    folder = ready.project.published / "default" / "01_toy" / "default"
    assert sources_match(ready.project, "01_toy", folder) == []
    ready.notebook("01_toy", "2 + 2", "run.finish()", parameters="n: int = 4  # many")
    before = names(ready.project.published)
    assert main(["publish"]) == 2
    assert "01_toy/default is stale" in capsys.readouterr().err
    assert names(ready.project.published) == before
    assert sources_match(ready.project, "01_toy", folder) == [
        "its parameters are no longer the notebook's defaults",
        "the notebook has changed since",
    ]


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


def test_what_is_too_heavy_or_names_a_path_of_this_machine_is_refused(ready, capsys, monkeypatch):
    def refused():
        assert main(["publish"]) == 2
        assert names(ready.project.published) == []
        return capsys.readouterr().err

    with monkeypatch.context() as patch:
        patch.setattr("taugda.report.publish.NOTEBOOK_LIMIT", 1000)
        assert "the executed notebook must weigh at most 1000 bytes" in refused()
    with monkeypatch.context() as patch:
        patch.setattr("taugda.report.publish.TOTAL_LIMIT", 1000)
        assert "must weigh at most 1000 bytes together" in refused()
    path = ready.run("01_toy") / "provenance.json"
    path.write_text(path.read_text().replace("{", f'{{"where": "{ready.project.root}",', 1))
    assert "provenance.json names a path of this machine" in refused()
