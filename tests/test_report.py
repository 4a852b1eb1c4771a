"""The pages that are made from runs, and the verdicts that they show."""

import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from conftest import Toy

from taugda.__main__ import main
from taugda.record import Run
from taugda.report import ReportError, build
from taugda.report.check import faults
from taugda.report.claims import claims_text, verdicts
from taugda.runs.project import Project

FIGURE = """import matplotlib.pyplot as plt
fig, ax = plt.subplots(figsize=(4, 3))
ax.plot([1, 2])
run.show(fig, "line", caption="It rises for $x < 1$.", alt="A rising line & more.")
run.measure("tau", 2.0, uncertainty=1e-12)
run.measure("gap", 0.5)
run.table([{"a": 1, "what": "<b>"}, {"a": 2.5, "what": "$|x|$"}], "numbers", caption="Of $x$.")"""
MOVE = """from matplotlib.figure import Figure
def frames():
    for k in range(3):
        figure = Figure(figsize=(3, 2))
        figure.subplots().plot([0, k])
        yield figure
run.animate(frames(), "move", caption="It rises.", alt="A line that rises </script> & turns.",
            labels=["a = 0", "a = 1", "a = 2"], still=1)"""
PROSE = "# The toy game\n\nText with $a < b$.\n\n## A heading\n\n## A heading\n\n## With $\\tau$"
CLAIMS = """- id: threshold
  statement: The threshold is $\\tau^* < 3$, they say.
  where: Theorem 1
  paper: 2
  tolerance: 1.0e-9
  notebook: toy
  metric: tau
  function: stability.tau_star
- {id: count, statement: There are 11., where: Figure 3, paper: 11, notebook: other, metric: n}
- id: gap
  statement: The gap is small.
  where: Theorem 2
  paper: 0
  notebook: toy
  metric: gap
  group: project
"""
CLAIM = CLAIMS.partition("- {id: count")[0]
FIGURES = """- {paper: A line, notebook: toy, figure: line}
- {paper: A curve, notebook: unrun, figure: curve}
"""


class Elements(HTMLParser):
    """All elements of a page, with the details that they stand in."""

    def __init__(self, text):
        super().__init__()
        self.found, self.folded, self.depth = [], "", 0
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.depth += tag == "details"

    def handle_endtag(self, tag):
        self.depth -= tag == "details"

    def handle_data(self, data):
        self.text += data
        self.folded += data if self.depth else ""

    def all(self, tag):
        return [attrs for name, attrs in self.found if name == tag]

    def links(self):
        return [attrs["href"] for attrs in self.all("a")]


def read(path):
    return Elements(path.read_text(encoding="utf-8"))


def all_pages(project):
    return [project.index, *sorted(project.pages.glob("*.html"))]


def dead_links(project):
    """Links of the pages that lead to no file, or to no place on a page."""
    pages = {path.resolve(): read(path) for path in all_pages(project)}
    anchors = {path: {a.get("id") for _, a in page.found} for path, page in pages.items()}
    dead = []
    for path, page in pages.items():
        for link in page.links():
            address, _, anchor = unquote(link).partition("#")
            target = (path.parent / address).resolve() if address else path
            if not target.is_file() or (anchor and anchor not in anchors.get(target, ())):
                dead.append(f"{path.name}: {link}")
    return dead


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A project whose notebooks were run and reported once, for all tests that only read."""
    root = tmp_path_factory.mktemp("site")
    (root / "notebooks").mkdir()
    toy = Toy(Project(root, root / "outputs"))
    toy.notebook("01_toy", FIGURE, "run.finish()", prose=PROSE)
    toy.notebook("02_other", MOVE, "run.finish()", prose="# Other $\\tau^*$")
    toy.notebook("03_unrun", "1 / 0", prose="# Never run")
    toy.write("claims.yaml", CLAIMS)
    toy.write("figures.yaml", FIGURES)
    toy.write("lib/taugda/stability/thresholds.py", "def tau_star(blocks):\n    return 2\n")
    toy.write("sweeps/default.yaml", "notebook: toy\ngrid: {n: [7]}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAUGDA_ROOT", str(root))
        patch.delenv("TAUGDA_OUTPUTS", raising=False)
        assert main(["run"]) == 1
    return toy


def page(site, name):
    return read(next(site.project.pages.glob(name)))


def test_every_page_is_there_and_every_link_leads_somewhere(site):
    names = [re.sub("--.*[.]", "--.", path.name) for path in all_pages(site.project)]
    runs = ["01_toy--.html", "01_toy.html", "02_other.html"]
    assert names == ["index.html", *runs, "claims.html", "figures.html"]
    assert dead_links(site.project) == []
    broken = site.project.pages / "broken.html"
    broken.write_text("<a href='none.html'></a><a href='claims.html#no'></a><a href='#x'></a>")
    assert len(dead_links(site.project)) == 3
    broken.unlink()


def test_nothing_is_loaded_from_the_network(site):
    for path in all_pages(site.project):
        text = path.read_text(encoding="utf-8")
        assert faults(text) == []
        assert not re.search("https?://", text)
        (script,) = [a["src"] for a in Elements(text).all("script") if "src" in a]
        assert (path.parent / script).stat().st_size > 1_000_000
        assert path.stat().st_size < 100_000
        assert str(site.project.root) not in text


def test_figures_have_their_texts_and_lead_to_their_place(site):
    toy, gallery = page(site, "01_toy.html"), page(site, "figures.html")
    index = read(site.project.index)
    (image,) = toy.all("img")
    assert (site.project.pages / image["src"]).is_file()
    assert toy.text.count("It rises for") - toy.folded.count("It rises for") == 1
    for first in (image, gallery.all("img")[0], index.all("img")[0]):
        assert first["alt"] == "A rising line & more."
    assert (site.project.pages / gallery.all("img")[0]["src"]).stat().st_size < 30_000
    assert "01_toy.html#figure-line" in gallery.links()
    # The paper's figures lead to ours, or say how to make them.
    assert "pages/01_toy.html#figure-line" in index.links()
    assert "not run here; to make it: python -m taugda run unrun" in index.text


def test_a_moving_picture_is_whole_without_other_files(site):
    elements = page(site, "02_other.html")
    (image,) = elements.all("img")
    assert image["alt"] == "A line that rises </script> & turns."
    assert image["src"].startswith("data:image/webp;base64,")
    text = (site.project.pages / "02_other.html").read_text(encoding="utf-8")
    assert text.count("data:image/webp;base64,") == 3 + 1
    assert elements.text.count("It rises.") - elements.folded.count("It rises.") == 1
    assert [a["id"] for a in elements.all("figure")] == ["figure-move"]


def test_a_page_of_a_run(site):
    elements = page(site, "01_toy.html")
    # Code is folded, parameters are not, texts are escaped.
    assert "figsize" in elements.folded
    assert "how many" in elements.text
    assert "how many" not in elements.folded
    assert all("open" not in attrs for attrs in elements.all("details"))
    assert "<b>" in elements.text
    assert not elements.all("b")
    ids = [attrs["id"] for attrs in elements.all("h2")]
    assert ids == ["a-heading", "a-heading-2", "with-tau", "provenance"]
    assert len(elements.all("h1")) == 1
    assert elements.all("html")[0]["lang"] == "en"
    assert "Other $\\tau^*$ →" in elements.text
    assert [a["href"] for a in elements.all("a") if a.get("rel") == "next"] == ["02_other.html"] * 2
    assert {"../index.html", "../../notebooks/01_toy.ipynb"} <= set(elements.links())
    other = page(site, "*--*.html")
    assert "n = 7" in other.text
    assert "decides nothing" in other.text


def test_the_index_tells_what_was_found(site):
    index = read(site.project.index)
    assert re.search(r"The paper’s claims\s*1 reproduced\s+1 not reproduced", index.text)
    assert re.search(r"The project’s own checks\s*1 not reproduced", index.text)
    assert "Not run. To run it: python -m taugda run unrun" in index.text
    assert re.search(r"03_unrun/default, [\d: -]+ UTC: .*ZeroDivisionError.*\(log of", index.text)
    assert "runs/03_unrun/default.failed/log.txt" in index.links()
    assert "numpy" in index.text


def test_a_claim_leads_to_its_function_and_its_notebook(site):
    toy, elements = page(site, "01_toy.html"), page(site, "claims.html")
    assert [a["id"] for a in elements.all("h2")] == ["paper", "project"]
    for words in ("is $\\tau^* < 3$, they say.", "2 ± 10⁻¹²", "metric n not recorded"):
        assert words in elements.text
    ids = [a["id"] for a in elements.all("tr") if "id" in a]
    assert ids == ["claim-threshold", "claim-count", "claim-gap"]
    function = "../../lib/taugda/stability/thresholds.py"
    assert {function, "01_toy.html#claim-threshold"} <= set(elements.links())
    # On the notebook's own page, too; a project's check says what was expected.
    assert function in toy.links()
    assert {"Expected", "Paper’s value"} <= {a.get("data-label") for a in toy.all("td")}
    site.write("claims.yaml", CLAIMS.replace("stability.tau_star", "stability.tau_stern"))
    with pytest.raises(ReportError, match=r"'stability.tau_stern' is not defined"):
        build(site.project)
    site.write("claims.yaml", CLAIMS)


def test_pages_made_of_the_same_are_left_and_claims_edited_since_show(site):
    def state():
        build(site.project)
        names = ("01_toy.html", "02_other.html", "thumbnails/01_toy/line.webp")
        return [(site.project.pages / name).stat().st_mtime_ns for name in names]

    before, index = state(), site.project.index.read_bytes()
    assert state() == before
    assert site.project.index.read_bytes() == index
    site.write("claims.yaml", CLAIMS.replace("they say", "they wrote"))
    after = state()
    assert after[0] != before[0]
    assert after[1:] == before[1:]
    assert "they wrote" in page(site, "01_toy.html").text
    assert "they say" not in page(site, "01_toy.html").text
    site.write("claims.yaml", CLAIMS)
    build(site.project)


# Refusals


def finish(tau=2.0, **parameters):
    """A run that was finished in a notebook; its name."""
    run = Run("01_toy", {"n": 3, **parameters})
    run.measure("tau", tau)
    run.finish()
    return run.name


def executed(toy, data, **metadata):
    """A finished run, as a batch would leave it, with an output of our choice."""
    toy.notebook("01_toy", "run.finish()")
    finish()
    path = toy.run("01_toy") / "notebook.ipynb"
    content = json.loads(path.read_text())
    output = {"output_type": "display_data", "data": data, "metadata": metadata}
    content["cells"][-1]["outputs"] = [output]
    path.write_text(json.dumps(content))


DOT = {"image/png": {"alt": "A dot"}}


def test_a_fault_fails_the_report(toy, capsys):
    executed(toy, {"image/png": "AAAA"})
    assert main(["report"]) == 1
    assert "01_toy.html: a picture has no text alternative" in capsys.readouterr().err
    assert not (toy.project.pages / "01_toy.html").exists()
    executed(toy, {"text/html": "<script src='https://example.org/x.js'></script>"})
    with pytest.raises(ReportError, match="load"):
        build(toy.project)
    executed(toy, {"text/html": "<a href='https://example.org'>an ordinary link</a>"})
    build(toy.project)


@pytest.mark.parametrize(
    "html",
    [
        "<script src='https://example.org/x.js'></script>",
        "<img alt='x' src='//example.org/x.png'>",
        "<link rel='stylesheet' href='http://example.org/x.css'>",
        "<div style='background: url(https://example.org/x.png)'></div>",
        "<style>@import 'https://example.org/x.css';</style>",
        "<video poster='http://example.org/x'></video>",
    ],
)
def test_what_loads_from_the_network_is_a_fault(html):
    (fault,) = faults(f"<p>{html}</p>")
    assert "load" in fault


def test_a_single_file_needs_no_other(toy):
    executed(toy, {"image/png": "AAAA"}, **DOT)
    toy.write("lib/taugda/stability.py", "def tau_star(blocks):\n    return 2\n")
    toy.write("claims.yaml", CLAIM)
    build(toy.project, single_file=True)
    for path in all_pages(toy.project):
        elements = read(path)
        assert path.stat().st_size > 1_000_000
        assert not any("src" in attrs for attrs in elements.all("script"))
        assert all(attrs["src"].startswith("data:") for attrs in elements.all("img"))
        assert not any(link.endswith((".py", ".ipynb", ".json")) for link in elements.links())
    assert not (toy.project.pages / "mathjax").exists()


def test_a_missing_mathjax_is_said(toy, monkeypatch, capsys):
    monkeypatch.setattr("importlib.metadata.files", lambda name: [])
    assert main(["report"]) == 1
    assert "pip install sphinx-mathjax-offline" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1", "expected a list, found dict"),
        ("- {paper: A, notebook: toy}", "each of the keys paper, notebook, figure; 'figure'"),
        ("- {paper: A, notebook: toy, figure: b, page: 3}", "'page': Extra inputs"),
        ("- {paper: A, notebook: toy, figure: 3}", "'figure': Input should be a valid string"),
        ("- {paper: A, notebook: nowhere, figure: b}", "entry 1: unknown notebook 'nowhere'"),
    ],
)
def test_a_wrong_list_of_figures_is_refused(toy, text, message):
    toy.notebook("01_toy", "run.finish()")
    toy.write("figures.yaml", text)
    with pytest.raises(ReportError, match=f"figures.yaml.*{message}"):
        build(toy.project)


# Many runs, and failures


def test_many_runs_of_a_notebook_are_folded_and_pages_go_with_their_runs(toy):
    toy.notebook("01_toy", "run.finish()")
    names = [finish(n=n) for n in range(5)]
    index = read(build(toy.project))
    assert "5 runs" in index.text
    (group,) = [attrs for attrs in index.all("details") if attrs.get("class") == "group"]
    assert "open" not in group
    assert names[3] == "default"
    assert not (toy.project.pages / "01_toy--default.html").exists()
    path = toy.project.pages / f"01_toy--{names[4]}.html"
    other = read(path)
    assert any(link.endswith("index.html#runs-01_toy") for link in other.links())
    assert not [a for a in other.all("a") if a.get("rel") in ("prev", "next")]
    assert "made interactively" in other.text
    toy.run("01_toy", names[4]).rename(toy.project.root / "gone")
    build(toy.project)
    assert not path.exists()
    assert (toy.project.pages / "01_toy.html").exists()


def test_the_first_page_lists_what_failed_with_its_reason_and_its_log(toy):
    toy.notebook("01_toy", "run.finish()")
    assert "Runs that failed" not in read(build(toy.project)).text
    reason = f"ValueError: $x$ in {toy.project.root}/a"
    failed = {
        "default": {"reason": reason, "finished": "2024-01-02T10"},
        "n=5-a": {"reason": "late" * 99, "finished": "2024-01-02T10:11:12+00:00", "duration": 3},
        "n=7-c": [1],  # damaged
        ".n=6-b": {"reason": "of a run that is at work"},
    }
    for run, content in failed.items():
        toy.write(f"outputs/runs/01_toy/{run}.failed/failed.json", json.dumps(content))
    toy.write("outputs/runs/01_toy/default.failed/log.txt", "log")
    finish()
    text = build(toy.project).read_text(encoding="utf-8")
    items = text.partition('<ul class="failed">')[2].partition("</ul>")[0].split("</li>")[:-1]
    assert [Elements(item).text.strip() for item in items] == [
        "01_toy/default, 2024-01-02 10 UTC: ValueError: $x$ in a (log of 01_toy/default) "
        "The results of its last success are kept.",
        f"01_toy/n=5-a, 2024-01-02 10:11 UTC: {('late' * 60)[:-1]}…",
        "01_toy/n=7-c",
    ]
    (log,) = Elements("".join(items)).links()
    assert (toy.project.outputs / unquote(log)).read_text() == "log"


# Verdicts


def test_which_run_counts(toy):
    def found():
        (one,) = verdicts(toy.project)
        return one.verdict, one.run, one.note

    toy.notebook("01_toy", "run.finish()")
    toy.write("claims.yaml", CLAIM)
    not_run = ("not run", None, "run it with: python -m taugda run toy")
    assert found() == not_run
    name = finish(n=9)
    toy.write("parameters/01_toy/small.yaml", "n: 9\n")
    assert found() == not_run
    finish(tau=3.0)
    assert found() == ("not reproduced", "default", "made interactively")
    toy.write("parameters/01_toy/paper-long.yaml", "n: 9\n")
    assert found() == ("reproduced", name, "made interactively")
    # What was published counts where nothing was made here.
    published = toy.project.published / "default" / "01_toy" / name
    published.parent.mkdir(parents=True)
    toy.run("01_toy", name).rename(published)
    assert found()[1] == "default"
    # The defaults are others now.
    toy.notebook("01_toy", "run.finish()", parameters="n: int = 4")
    assert found() == ("reproduced", name, "published, not run here; made interactively")
    (toy.project.parameters / "01_toy" / "paper-long.yaml").unlink()
    assert found() == not_run


def test_the_command_prints_two_counts(toy, capsys):
    toy.notebook("01_toy", "run.finish()")
    toy.notebook("02_other", "run.finish()")
    assert claims_text(toy.project) == "No claims are listed."
    toy.write("claims.yaml", CLAIMS)
    finish()
    assert main(["claims"]) == 0
    printed = capsys.readouterr().out
    assert "The paper’s claims: 1 reproduced, 1 not run\n" in printed
    assert "The project’s own checks: 1 not reproduced\n" in printed
    (row,) = [line for line in printed.splitlines() if line.startswith("threshold ")]
    assert re.split(r"\s{2,}", row)[1:4] == ["Theorem 1", "2", "2"]
