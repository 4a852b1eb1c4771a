"""The pages that are made from runs, the verdicts that they show, and what is published."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from bs4 import BeautifulSoup
from conftest import Toy
from nbconvert import HTMLExporter, PythonExporter
from PIL import Image

from taugda import plots
from taugda.__main__ import main
from taugda.record import Run
from taugda.report import ReportError, build
from taugda.report.check import faults
from taugda.report.claims import claims_text, verdicts
from taugda.report.entries import find_entries
from taugda.runs.project import Project

FIGURE = """import matplotlib.pyplot as plt
fig, ax = plt.subplots(figsize=(4, 3))
ax.plot([1, 2])
run.show(fig, "line", caption="It rises for $x < 1$.", alt="A rising line & more.")
run.measure("tau", 2.0, uncertainty=1e-12)
run.measure("gap", 0.5)
run.table([{"a": 1, "what": "<b>"}, {"a": 2.5, "what": "$|x|$"}], "numbers", caption="Of $x$.")"""
MOVE = """from matplotlib.figure import Figure
figures = [Figure(figsize=(3, 2)) for k in range(3)]
for k, figure in enumerate(figures):
    figure.subplots().plot([0, k])
run.show(Figure(figsize=(2, 2)), "samples", caption="Some.", alt="A sample.")
run.animate(figures, "move", caption="It rises.", alt="A line that rises </script> & turns.",
            labels=["a = 0", "a = 1", "a = 2"], still=1)"""
PROSE = "# The toy game\n\n$a < b$ [see](02_other.ipynb)\n\n## One\n\n## One\n\n## With $\\tau$"
CLAIMS = """- {id: threshold, statement: 'It is $\\tau^* < 3$, they say.', where: Theorem 1,
   paper: 2, tolerance: 1.0e-9, notebook: toy, metric: tau, function: stability.tau_star}
- {id: count, statement: There are 11., where: Figure 3, paper: 11, notebook: other, metric: n}
- {id: gap, statement: The gap is small., where: Theorem 2, paper: 0, notebook: toy, metric: gap,
   group: project}
"""
CLAIM = CLAIMS.partition("- {id: count")[0]
FIGURES = """- {paper: A line, notebook: toy, figure: line}
- {paper: A curve, notebook: unrun, figure: curve}"""


def read(path):
    text = path.read_text(encoding="utf-8")
    return BeautifulSoup(text, "html.parser", multi_valued_attributes=None)


def values(page, selector, attribute):
    return [element[attribute] for element in page.select(selector)]


def links(page):
    return values(page, "a", "href")


def folded(page):
    return "".join(part.get_text() for part in page.select("details:not(details details)"))


def all_pages(project):
    return [project.index, *sorted(project.pages.glob("*.html"))]


def dead_links(project):
    """Links of the pages that lead to no file, or to no place on a page."""
    pages = {path.resolve(): read(path) for path in all_pages(project)}
    anchors = {path: set(values(page, "[id]", "id")) for path, page in pages.items()}
    for path, page in pages.items():  # MathJax gives a tagged equation its anchor
        tags = re.findall(r"\\tag\{(\d+)\}", page.text)
        anchors[path].update(f"mjx-eqn:{tag}" for tag in tags)
    dead = []
    for path, page in pages.items():
        for link in links(page):
            address, _, anchor = unquote(link).partition("#")
            target = (path.parent / address).resolve() if address else path
            if not target.is_file() or (anchor and anchor not in anchors.get(target, ())):
                dead.append(f"{path.name}: {link}")
    return dead


def dead_addresses(path):
    found = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    assert found
    return [address for address in found if not (path.parent / address).exists()]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A project whose notebooks were run and reported once, for all tests that only read."""
    root = tmp_path_factory.mktemp("site")
    (root / "notebooks").mkdir()
    toy = Toy(Project(root, root / "outputs"))
    toy.notebook("01_toy", FIGURE, "run.finish()", prose=PROSE)
    toy.notebook("02_other", MOVE, "run.finish()", prose="# Other $\\tau^*$", kind="training")
    toy.notebook("03_unrun", "1 / 0", prose="# Never run")
    toy.write("claims.yaml", CLAIMS)
    toy.write("figures.yaml", FIGURES)
    toy.write("lib/taugda/stability/thresholds.py", "def tau_star(blocks):\n    return 2\n")
    toy.write("sweeps/default.yaml", "notebook: other\ngrid: {n: [3, 7]}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAUGDA_ROOT", str(root))
        patch.delenv("TAUGDA_OUTPUTS", raising=False)
        assert main(["run"]) == 1
    return toy


@pytest.fixture
def here(site, monkeypatch):
    """The site as the project at hand; whatever is said and exported, its outputs stay."""
    monkeypatch.setenv("TAUGDA_ROOT", str(site.project.root))
    monkeypatch.delenv("TAUGDA_OUTPUTS", raising=False)

    def state():
        return {path: path.stat().st_mtime_ns for path in site.project.outputs.rglob("*")}

    before = state()
    yield site
    assert state() == before


def page(site, name):
    return read(next(site.project.pages.glob(name)))


def told(capsys, command, status=0):
    """What a command says, on one stream or the other."""
    assert main(command.split()) == status
    return "".join(capsys.readouterr())


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_every_page_is_there_leads_somewhere_and_loads_nothing(site):
    pages = all_pages(site.project)
    runs = ["01_toy.html", "02_other--.html", "02_other.html"]
    names = [re.sub("--.*[.]", "--.", path.name) for path in pages]
    assert names == ["index.html", *runs, "claims.html", "figures.html"]
    for path in pages:
        assert not re.search(f"https?://|{site.project.root}", path.read_text(encoding="utf-8"))
        (script,) = values(read(path), "script[src]", "src")
        assert (path.parent / script).stat().st_size > 1_000_000
        assert path.stat().st_size < 100_000
    assert dead_links(site.project) == []
    broken = site.project.pages / "broken.html"
    broken.write_text("<a href='none.html'></a><a href='claims.html#no'></a><a href='#x'></a>")
    assert len(dead_links(site.project)) == 3
    broken.unlink()


def test_figures_have_their_texts_and_lead_to_their_place(site):
    toy, gallery = page(site, "01_toy.html"), page(site, "figures.html")
    index = read(site.project.index)
    (image,) = toy.select("img")
    assert (site.project.pages / image["src"]).is_file()
    assert toy.text.count("It rises for") - folded(toy).count("It rises for") == 1
    for elements in (toy, gallery, index):
        assert elements.img["alt"] == "A rising line & more."
    assert (site.project.pages / gallery.img["src"]).stat().st_size < 30_000
    assert "01_toy.html#figure-line" in links(gallery)
    # The paper's figures lead to ours, or say how to make them.
    assert "pages/01_toy.html#figure-line" in links(index)
    assert "not run here; to make it: python -m taugda run unrun" in index.text
    # A moving picture is whole without other files.
    moving = page(site, "02_other.html")
    assert values(moving, "figure", "id") == ["figure-samples", "figure-move"]
    _, image = moving.select("img")
    assert image["alt"] == "A line that rises </script> & turns."
    assert image["src"].startswith("data:image/webp;base64,")
    assert str(moving).count("data:image/webp;base64,") == 3 + 1
    assert "lmSuppressShortcuts" in str(moving)  # JupyterLab leaves the arrows to the slider
    assert moving.text.count("It rises.") - folded(moving).count("It rises.") == 1


def test_a_page_of_a_run(site):
    elements = page(site, "01_toy.html")
    # Code is folded, parameters are not, texts are escaped.
    assert "figsize" in folded(elements)
    assert "how many" in elements.text
    assert "how many" not in folded(elements)
    assert not elements.select("details[open], b")
    assert "<b>" in elements.text
    assert values(elements, "h2", "id") == ["one", "one-2", "with-tau", "provenance"]
    assert len(elements.select("h1")) == 1
    assert elements.html["lang"] == "en"
    assert "Other $\\tau^*$ →" in elements.text
    assert values(elements, "a[rel=next]", "href") == ["02_other.html"] * 2
    assert {"../index.html", "../../notebooks/01_toy.ipynb"} <= set(links(elements))
    assert links(elements).count("02_other.html") == 3  # one is the text's own, to the notebook
    other = page(site, "*--*.html")
    assert "n = 7" in other.text
    assert "decides nothing" in other.text
    marks = {name.split()[-1] for name in values(other, "span[class*=verdict]", "class")}
    assert marks and marks <= {"agrees", "differs"}


def test_index_and_command_tell_what_was_found_and_what_failed(here, capsys):
    index = read(here.project.index)
    assert re.search(r"The paper’s claims\s*1 reproduced\s+1 not reproduced", index.text)
    assert re.search(r"The project’s own checks\s*1 not reproduced", index.text)
    assert "Not run. To run it: python -m taugda run unrun" in index.text
    assert re.search(r"03_unrun/default, [\d: -]+ UTC: .*ZeroDivisionError.*\(log of", index.text)
    assert "numpy" in index.text
    printed = told(capsys, "claims")
    assert "The paper’s claims: 1 reproduced, 1 not reproduced\n" in printed
    assert "The project’s own checks: 1 not reproduced\n" in printed
    assert re.search(r"^threshold +Theorem 1 +2 +2 ± 10⁻¹² +reproduced", printed, re.MULTILINE)


def test_a_claim_leads_to_its_function_and_its_notebook(site):
    toy, elements = page(site, "01_toy.html"), page(site, "claims.html")
    assert values(elements, "h2", "id") == ["paper", "project"]
    for words in ("It is $\\tau^* < 3$, they say.", "2 ± 10⁻¹²", "metric n not recorded"):
        assert words in elements.text
    assert values(elements, "tr[id]", "id") == ["claim-threshold", "claim-count", "claim-gap"]
    function = "../../lib/taugda/stability/thresholds.py"
    assert {function, "01_toy.html#claim-threshold"} <= set(links(elements))
    # On the notebook's own page, too; a project's check says what was expected.
    assert function in links(toy)
    assert {"Expected", "Paper’s value"} <= set(values(toy, "td[data-label]", "data-label"))
    site.write("claims.yaml", CLAIMS.replace("stability.tau_star", "stability.tau_stern"))
    with pytest.raises(ReportError, match=r"'stability.tau_stern' is not defined"):
        build(site.project)
    site.write("claims.yaml", CLAIMS)


def test_pages_made_of_the_same_are_left_and_claims_edited_since_show(site):
    def state():
        build(site.project)
        names = ("02_other.html", "01_toy.html")
        return [(site.project.pages / name).stat().st_mtime_ns for name in names]

    *others, toy = state()
    index = site.project.index.read_bytes()
    assert state() == [*others, toy]
    assert site.project.index.read_bytes() == index
    site.write("claims.yaml", CLAIMS.replace("they say", "they wrote"))
    *still, changed = state()
    assert still == others
    assert changed != toy
    text = page(site, "01_toy.html").text
    assert "they wrote" in text and "they say" not in text
    site.write("claims.yaml", CLAIMS)
    build(site.project)


def finish(tau=2.0, **parameters):
    """A run that was finished in a notebook; its name."""
    run = Run("01_toy", {"n": 3, **parameters})
    run.measure("tau", tau)
    run.finish()
    return run.name


def test_a_fault_fails_the_report(one, capsys, monkeypatch, tmp_path):
    finish()
    path = one.run("01_toy") / "notebook.ipynb"

    def reported(data):
        content = json.loads(path.read_text())
        output = {"output_type": "display_data", "data": data, "metadata": {}}
        content["cells"][-1]["outputs"] = [output]
        path.write_text(json.dumps(content))
        return main(["report"])

    assert reported({"image/png": "AAAA"}) == 1
    assert "01_toy.html: a picture has no text alternative" in capsys.readouterr().err
    assert not (one.project.pages / "01_toy.html").exists()
    assert reported({"text/html": "<a href='https://example.org'>an ordinary link</a>"}) == 0
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert "apt install chromium" in told(capsys, f"report --pdf -o {tmp_path}/a.pdf", 1)
    assert not (tmp_path / "a.pdf").exists()
    monkeypatch.setattr("importlib.metadata.files", lambda name: [])
    assert "pip install sphinx-mathjax-offline" in told(capsys, "report", 1)


def test_what_loads_from_the_network_is_a_fault():
    for html in (
        "<script src='https://example.org/x.js'></script>",
        "<img alt='x' src='//example.org/x.png'>",
        "<link rel='stylesheet' href='http://example.org/x.css'>",
        "<div style='background: url(https://example.org/x.png)'></div>",
        "<style>@import 'https://example.org/x.css';</style>",
    ):
        assert "would load" in str(faults(f"<p>{html}</p>")), html


def test_a_wrong_list_of_figures_is_refused(one):
    for text, message in (
        ("a: 1", "expected a list, found dict"),
        ("- {paper: A, notebook: toy}", "each of the keys paper, notebook, figure; 'figure'"),
        ("- {paper: A, notebook: toy, figure: b, page: 3}", "'page': Extra inputs"),
        ("- {paper: A, notebook: nowhere, figure: b}", "entry 1: unknown notebook 'nowhere'"),
    ):
        one.write("figures.yaml", text)
        with pytest.raises(ReportError, match=f"figures.yaml.*{message}"):
            build(one.project)


def test_many_runs_of_a_notebook_are_folded_and_pages_go_with_their_runs(one):
    names = [finish(n=n) for n in range(5)]
    index = read(build(one.project))
    assert "5 runs" in index.text
    assert not index.select("details[open]")
    assert names[4] in folded(index)
    path = one.project.pages / f"01_toy--{names[4]}.html"
    other = read(path)
    assert "../index.html#runs-01_toy" in links(other)
    assert not other.select("a[rel=prev], a[rel=next]")
    assert "outside of a batch" in other.text
    one.run("01_toy", names[4]).rename(one.project.root / "gone")
    build(one.project)
    assert len(list(one.project.pages.glob("01_toy*.html"))) == 4
    assert not path.exists()


def test_a_run_made_in_a_notebook_has_its_pictures_in_every_size_and_its_numbers(one):
    one.write("claims.yaml", CLAIM)
    one.describe(maps={"caption": "Two maps.", "alt": "Two maps, one light.", "thumbnail": [1]})
    run, grid = Run("01_toy", {"n": 3}), np.geomspace(1, 9, 4)
    maps = [("a", np.outer(grid, grid)), ("b", np.eye(4) + 1)]
    run.show(plots.rate_maps(grid, grid, maps), "maps")
    run.table({"tau": [run.measure("tau", 2.125)]}, "numbers", "All of them.")
    run.finish()
    build(one.project)
    elements = page(one, "01_toy.html")
    assert values(elements, "img", "alt") == ["Two maps, one light."]
    for words in ("Two maps.", "2.125", "All of them."):
        assert words in elements.text
    assert elements.select("tr#claim-threshold")
    assert dead_links(one.project) == []
    # Drawn for a phone, too, and small for the first page.
    figures = one.run("01_toy") / "figures"
    widths = {path.name: Image.open(path).width for path in figures.glob("*.png")}
    assert sorted(widths) == ["maps.narrow.png", "maps.png", "maps.thumbnail.png"]
    assert widths["maps.narrow.png"] / 150 < 3.73 < widths["maps.png"] / 150 < 8.15
    (narrow,) = elements.select("source")
    assert narrow["srcset"].endswith("figures/maps.narrow.png") and "max-width" in narrow["media"]
    assert page(one, "figures.html").img["src"].endswith("figures/maps.narrow.png")
    (card,) = read(one.project.index).select("img")
    assert card["src"].endswith("figures/maps.thumbnail.png") and card["loading"] == "lazy"


def test_the_first_page_lists_what_failed_with_its_reason_and_its_log(one):
    assert "Runs that failed" not in read(build(one.project)).text
    assert claims_text(one.project) == "No claims are listed."
    reason = f"ValueError: $x$ in {one.project.root}/a"
    failed = {
        "default": {"reason": reason, "finished": "2024-01-02T10"},
        "n=5-a": {"reason": "late" * 99, "finished": "2024-01-02T10:11:12+00:00", "duration": 3},
        "n=7-c": [1],  # damaged
        ".n=6-b": {"reason": "of a run that is at work"},
    }
    for run, content in failed.items():
        one.write(f"outputs/runs/01_toy/{run}.failed/failed.json", json.dumps(content))
    one.write("outputs/runs/01_toy/default.failed/log.txt", "log")
    finish()
    items = read(build(one.project)).select("ul.failed li")
    assert [item.text.strip() for item in items] == [
        "01_toy/default, 2024-01-02 10 UTC: ValueError: $x$ in a (log of 01_toy/default) "
        "The results of its last success are kept.",
        f"01_toy/n=5-a, 2024-01-02 10:11 UTC: {('late' * 60)[:-1]}…",
        "01_toy/n=7-c",
    ]
    (log,) = (link for item in items for link in links(item))
    assert (one.project.outputs / unquote(log)).read_text() == "log"


def test_which_run_counts(one):
    def found():
        (first,) = verdicts(one.project)
        return first.verdict, first.note

    one.write("claims.yaml", CLAIM)
    not_run = ("not run", "run it with: python -m taugda run toy")
    finish(n=9)
    assert found() == not_run
    finish(tau=3.0)
    assert found() == ("not reproduced", "made interactively")
    # The defaults are others now; or nobody knows with which ones it was made.
    cell = one.project.notebook("01_toy").read_bytes()
    one.notebook("01_toy", "run.finish()", parameters="n: int = 4")
    assert found() == not_run
    one.project.notebook("01_toy").write_bytes(cell)
    (one.project.run("01_toy", "default") / "parameters.yaml").write_text("n: [")
    assert found() == not_run


# Exports


def test_a_single_file_works_alone(here, capsys, tmp_path):
    target = tmp_path / "site.html"
    assert f"Wrote {target} (" in told(capsys, f"report --single-file -o {target}")
    elements = read(target)
    sheets = values(elements, "div.sheet", "id")
    assert sheets[:2] == ["index", "01_toy"]
    assert set(sheets) == {path.stem for path in all_pages(here.project)}
    # Nothing is loaded, every link leads to a place in the file, and no name is there twice.
    assert not elements.select("script[src]")
    assert all(src.startswith("data:image/webp") for src in values(elements, "img", "src"))
    names = values(elements, "[id]", "id")
    assert len(names) == len(set(names))
    assert {unquote(link) for link in links(elements)} <= {f"#{name}" for name in names}
    assert {"#01_toy:figure-line", "#claims:paper", "#02_other"} <= set(links(elements))
    text = target.read_text(encoding="utf-8")
    assert '"id": "02_other:moving-move"' in text
    assert str(here.project.root) not in text


def test_a_file_of_some_runs_leads_to_nothing_else(here, capsys, tmp_path):
    target = tmp_path / "some.html"
    # By notebook and run, by pattern, by folder; in the order of the site.
    folder = here.run("01_toy")
    for wanted in ("other/n=7* 01_toy/default", f"02_other/n* {folder}"):
        told(capsys, f"report --single-file {wanted} -o {target}")
        sheets = values(read(target), "div.sheet", "id")
        assert [name.partition("-")[0] for name in sheets] == ["01_toy", "02_other"]
        assert "In this file" in str(read(target))
    told(capsys, f"report --single-file {folder.parent} -o {target}")
    elements = read(target)
    assert values(elements, "div.sheet", "id") == ["01_toy"]
    assert links(elements)
    assert all(link.startswith("#01_toy:") for link in links(elements))
    assert "Other $" not in elements.text


def test_an_archive_holds_all_that_its_pages_lead_to(here, capsys, tmp_path):
    told(capsys, f"report --zip -o {tmp_path}/toys.zip")
    shutil.unpack_archive(tmp_path / "toys.zip", tmp_path / "there")
    (folder,) = (tmp_path / "there").iterdir()
    there = Project(tmp_path, folder)
    assert folder.name == "toys"
    assert dead_links(there) == []
    for path in all_pages(there):
        images = values(read(path), "img:not([src^='data:'])", "src")
        assert images or path.name not in ("index.html", "01_toy.html", "figures.html")
        for image in (path.parent / unquote(source) for source in images):
            assert image.resolve().is_relative_to(folder) and image.is_file()
    assert list(folder.rglob("log.txt"))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("report toy", "RUN and -o need --single-file, --pdf or --zip"),
        ("report --pdf", "--pdf needs -o FILE"),
        ("report --single-file -o a.htm", "-o must name a file that ends with .html"),
        ("report --zip -o project/outputs/a.zip", "a file outside of outputs"),
        ("report --zip -o none/a.zip", "-o: there is no folder"),
        ("report --zip toy -o a.zip", "--zip packs the whole site"),
        ("report --single-file tyo -o a.html", "'tyo'; did you mean 'toy'? (runs: toy,"),
        ("report --pdf toy/n=5 -o a.pdf", "unknown run 'toy/n=5'"),
        ("publish long", "a collection and its sweep files"),
        ("publish default default.yaml", "a collection and its sweep files"),
        ("publish Long default.yaml", "collection must be lower-case letters"),
        ("publish long toy", "collection 'long' is for training runs"),
        ("publish long none.yaml", "no run for collection 'long' is finished"),
    ],
)
def test_wrong_requests_change_nothing(one, capsys, monkeypatch, command, message):
    finish()
    one.notebook("02_other", kind="training")
    one.write("sweeps/none.yaml", "notebook: other\nruns: [{n: 77}]\n")
    one.write("sweeps/default.yaml", "notebook: other\ngrid: {n: [3]}\n")
    monkeypatch.chdir(one.project.root.parent)
    before = names(Path.cwd())
    assert message in told(capsys, command, 2)
    assert names(Path.cwd()) == before


def test_the_stock_tools_keep_the_texts_and_a_script_prints_no_bytes(here, tmp_path, monkeypatch):
    executed = here.run("01_toy") / "notebook.ipynb"
    text, _ = HTMLExporter(template_name="classic").from_filename(str(executed))
    assert 'alt="A rising line &amp; more."' in text
    script, _ = PythonExporter().from_filename(str(here.project.notebook("01_toy")))
    (tmp_path / "toy.py").write_text(script)
    monkeypatch.setenv("TAUGDA_OUTPUTS", str(tmp_path / "outputs"))
    said = subprocess.run(
        [sys.executable, tmp_path / "toy.py"], capture_output=True, text=True, check=True
    ).stdout
    assert "A rising line & more.\nIt rises for $x < 1$.\nOf $x$." in said
    assert "image/png" not in said


# Publishing


@pytest.fixture
def ready(toy, site):
    """A copy of the site without the notebook that fails."""
    shutil.copytree(site.project.root, toy.project.root, dirs_exist_ok=True)
    toy.project.notebook("03_unrun").unlink()
    (toy.project.root / "figures.yaml").unlink()
    return toy


def test_publishing_and_reading_what_is_published(ready, capsys, tmp_path):
    stray = ready.project.published / "default" / "08_gone" / "default" / "done.json"
    stray.parent.mkdir(parents=True)
    stray.write_text("{}")
    assert "3 runs in outputs/published/default" in told(capsys, "publish")
    assert not stray.exists()
    folder = ready.project.published / "default"
    record = ["done.json", "metrics.json", "parameters.yaml", "provenance.json"]
    kept = [record[0], "figures/line.png", record[1], "notebook.ipynb", *record[2:]]
    assert names(folder / "01_toy" / "default") == kept
    # Of a training run: its record and its samples.
    assert names(folder / "02_other" / "default") == sorted([*record, "figures/samples.png"])
    # A link between notebooks leads to the one beside it.
    notebook = (folder / "01_toy" / "default" / "notebook.ipynb").read_text(encoding="utf-8")
    assert "[see](../../../../../notebooks/02_other.ipynb)" in notebook
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "[Read the executed notebook](01_toy/default/notebook.ipynb)" in text
    assert "[The paper’s claims](claims.md): 1 reproduced, 1 not reproduced." in text
    assert "[The project’s own checks](claims.md): 1 not reproduced." in text

    # Every claim names its theorem, and leads to the function and to the notebook.
    text = (folder / "claims.md").read_text(encoding="utf-8")
    assert "- The paper’s claims: 1 reproduced, 1 not reproduced\n- The project’s own" in text
    assert (
        "| Theorem 1: [`stability.tau_star`](../../../lib/taugda/stability/thresholds.py), "
        "[01_toy](01_toy/default/notebook.ipynb) |"
    ) in text
    assert dead_addresses(folder / "claims.md") == dead_addresses(folder / "README.md") == []

    # A reader who has run nothing sees the published runs as pages, and says so.
    own = ready.project.runs.rename(ready.project.outputs / "elsewhere")
    verdict = verdicts(ready.project)[0]
    assert (verdict.verdict, verdict.note) == ("reproduced", "published, not run here")
    build(ready.project)
    toy, lean = page(ready, "01_toy.html"), page(ready, "02_other.html")
    assert "published run (collection default)" in toy.text
    assert toy.img["src"] == "../published/default/01_toy/default/figures/line.png"
    assert values(lean, "img", "alt") == ["A sample."]
    assert "which keeps its results only" in lean.text
    assert dead_links(ready.project) == []

    # So does one whose outputs lie elsewhere, on a terminal that lacks letters.
    elsewhere = Project(ready.project.root, tmp_path / "elsewhere")
    environment = {"TAUGDA_OUTPUTS": str(elsewhere.outputs), "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(
        [sys.executable, "-m", "taugda", "claims"], env=os.environ | environment,
        capture_output=True, encoding="latin-1", check=True,
    )  # fmt: skip
    assert "The paper?s claims: 1 reproduced" in done.stdout
    build(elsewhere)
    assert dead_links(elsewhere) == []

    # What was run here goes before what is published.
    own.rename(ready.project.runs)
    assert {entry.collection for entry in find_entries(ready.project)} == {""}
    assert verdicts(ready.project)[0].note == ""


def test_a_collection_is_added_to_and_takes_what_is_finished_even_if_stale(ready, capsys):
    ready.notebook("02_other", MOVE, "2 + 2", "run.finish()", kind="training")
    ready.write("sweeps/one.yaml", "notebook: other\ngrid: {n: [3]}\n")
    ready.write("sweeps/more.yaml", "notebook: other\ngrid: {n: [7, 5]}\n")
    told(capsys, "publish long one.yaml")
    assert "n=5" in told(capsys, "publish long more.yaml")
    folder = ready.project.published / "long"
    runs = sorted(path.parent.name.partition("-")[0] for path in folder.glob("*/*/done.json"))
    assert runs == ["default", "n=7"]
    assert "](02_other/default/metrics.json)" in (folder / "README.md").read_text()


def test_a_heavy_a_telling_and_a_stale_run_are_not_published(ready, capsys, monkeypatch):
    for limit, words in (("NOTEBOOK", "executed notebook must weigh"), ("TOTAL", "published must")):
        with monkeypatch.context() as patch:
            patch.setattr(f"taugda.report.publish.{limit}_LIMIT", 1000)
            assert words in told(capsys, "publish", 2)
    path = ready.run("01_toy") / "provenance.json"
    path.write_text(path.read_text().replace("{", f'{{"where": "{ready.project.root}",', 1))
    assert "provenance.json names a path of this machine" in told(capsys, "publish", 2)
    ready.notebook("01_toy", "2 + 2", "run.finish()", parameters="n: int = 4  # many")
    assert "01_toy/default is stale" in told(capsys, "publish", 2)
    assert names(ready.project.published) == []
