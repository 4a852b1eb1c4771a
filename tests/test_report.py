"""The pages that are made from runs."""

import json
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from taugda.__main__ import main
from taugda.report import ReportError, build
from taugda.report.check import faults

FIGURE = """import matplotlib.pyplot as plt
fig, ax = plt.subplots(figsize=(4, 3))
ax.plot([1, 2])
run.show(fig, "line", caption="It rises for $x < 1$.", alt="A rising line & more.")
run.measure("tau", 2.0, uncertainty=1e-12)
run.table([{"a": 1, "what": "<b>"}, {"a": 2.5, "what": "$|x|$"}], caption="Numbers of $x$.")
run.compare()"""
PROSE = "# The toy game\n\nText with $a < b$.\n\n## A heading\n\n## A heading\n\n## With $\\tau$"
CLAIM = """- id: threshold
  statement: The threshold is $\\tau^* < 3$, they say.
  where: Section 5
  paper: 2
  tolerance: 1.0e-9
  notebook: toy
  metric: tau
- {id: count, statement: There are 11., where: Figure 3, paper: 11, notebook: other, metric: n}
"""


class Elements(HTMLParser):
    """All elements of a page, with the details that they stand in."""

    def __init__(self, text):
        super().__init__()
        self.found, self.folded, self.depth = [], [], 0
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.depth += tag == "details"

    def handle_endtag(self, tag):
        self.depth -= tag == "details"

    def handle_data(self, data):
        self.text += data
        if self.depth:
            self.folded.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A project whose notebooks were run and reported once, for all tests that only read."""
    from conftest import Toy

    from taugda.runs.project import Project

    root = tmp_path_factory.mktemp("site")
    (root / "notebooks").mkdir()
    toy = Toy(Project(root, root / "outputs"))
    toy.notebook("01_toy", FIGURE, "run.finish()", prose=PROSE)
    toy.notebook("02_other", "run.finish()", prose="# Other $\\tau^*$")
    toy.notebook("03_unrun", "1 / 0", prose="# Never run")
    toy.write("claims.yaml", CLAIM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAUGDA_ROOT", str(root))
        patch.delenv("TAUGDA_OUTPUTS", raising=False)
        assert main(["run", "toy", "--no-report"]) == 0
        assert main(["run", "toy", "-p", "n=7", "--no-report"]) == 0
        assert main(["run", "--no-report"]) == 1
        assert main(["report"]) == 0
    return toy


def page(site, name):
    return Elements((site.project.pages / name).read_text(encoding="utf-8"))


def test_every_page_is_there_and_every_link_leads_somewhere(site):
    names = sorted(path.name for path in site.project.pages.glob("*.html"))
    (other,) = [name for name in names if "--" in name]
    assert names == sorted(["01_toy.html", "02_other.html", other, "figures.html"])
    for path in (*site.project.pages.glob("*.html"), site.project.index):
        elements = Elements(path.read_text(encoding="utf-8"))
        ids = {attrs.get("id") for _, attrs in elements.found}
        for attrs in elements.all("a"):
            address, _, anchor = attrs["href"].partition("#")
            if not address:
                assert anchor in ids
                continue
            target = (path.parent / unquote(address)).resolve()
            assert target.is_file(), attrs["href"]
            if anchor:
                assert f'id="{unquote(anchor)}"' in target.read_text(encoding="utf-8")


def test_nothing_is_loaded_from_the_network(site):
    for path in (*site.project.pages.glob("*.html"), site.project.index):
        text = path.read_text(encoding="utf-8")
        assert faults(text) == []
        assert "http://" not in text
        assert "https://" not in text
        scripts = [a["src"] for a in Elements(text).all("script") if "src" in a]
        assert len(scripts) == 1
        assert (path.parent / scripts[0]).stat().st_size > 1_000_000
        assert path.stat().st_size < 100_000
        assert str(site.project.root) not in text


def test_figures_have_their_texts(site):
    elements = page(site, "01_toy.html")
    (image,) = elements.all("img")
    assert image["alt"] == "A rising line & more."
    assert (site.project.pages / image["src"]).is_file()
    unfolded = elements.text.count("It rises for") - "".join(elements.folded).count("It rises for")
    assert unfolded == 1
    index = Elements(site.project.index.read_text(encoding="utf-8"))
    assert index.all("img")[0]["alt"] == "A rising line & more."


def test_code_is_folded_and_parameters_are_not(site):
    elements = page(site, "01_toy.html")
    folded = "".join(elements.folded)
    assert "figsize" in folded
    assert "how many" not in folded
    assert "how many" in elements.text
    assert all("open" not in attrs for attrs in elements.all("details"))
    (other,) = [path.name for path in site.project.pages.glob("*--*.html")]
    assert "n = 7" in page(site, other).text
    assert "decides nothing" in page(site, other).text


def test_headings_and_navigation(site):
    elements = page(site, "01_toy.html")
    ids = [attrs["id"] for attrs in elements.all("h2")]
    assert ids == ["a-heading", "a-heading-2", "with-tau", "provenance"]
    assert len(elements.all("h1")) == 1
    assert "Other $\\tau^*$ →" in elements.text
    assert [a["href"] for a in elements.all("a") if a.get("rel") == "next"] == ["02_other.html"] * 2
    assert any(a["href"] == "../index.html" for a in elements.all("a"))
    assert elements.all("html")[0]["lang"] == "en"


def test_the_index_tells_what_was_found(site):
    text = Elements(site.project.index.read_text(encoding="utf-8")).text
    assert "1 reproduced" in text
    assert "1 not reproduced" in text
    assert "The threshold is $\\tau^* < 3$, they say." in text
    assert "2 ± 10⁻¹²" in text
    assert "metric n not recorded" in text
    assert "Not run. To run it: python -m taugda run unrun" in text
    assert "03_unrun/default" in text
    assert "numpy" in text


def test_text_of_notebooks_and_claims_is_escaped(site):
    text = (site.project.pages / "01_toy.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;" in text
    assert "<b>" not in text


def executed(toy, *outputs):
    """A finished run, as a batch would leave it, with outputs of our choice."""
    toy.notebook("01_toy", "run.finish()")
    from taugda.runs import Run

    Run("01_toy", {"n": 3}).finish()
    path = toy.run("01_toy") / "notebook.ipynb"
    content = json.loads(path.read_text())
    content["cells"][-1]["outputs"] = list(outputs)
    path.write_text(json.dumps(content))


def output(data, **metadata):
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def test_a_picture_without_text_alternative_fails_the_report(toy, capsys):
    executed(toy, output({"image/png": "AAAA"}))
    with pytest.raises(ReportError, match=r"01_toy.html: a picture has no text alternative"):
        build(toy.project)
    assert not (toy.project.pages / "01_toy.html").exists()
    assert main(["report"]) == 1
    assert "no text alternative" in capsys.readouterr().err
    executed(toy, output({"image/png": "AAAA"}, **{"image/png": {"alt": "A dot"}}))
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
def test_an_output_that_loads_from_the_network_fails_the_report(toy, html):
    executed(toy, output({"text/html": html}))
    with pytest.raises(ReportError, match="load"):
        build(toy.project)


def test_an_ordinary_link_is_no_fault(toy):
    executed(toy, output({"text/html": "<a href='https://example.org'>x</a>"}))
    build(toy.project)


def test_a_single_file_needs_no_other(toy):
    executed(toy, output({"image/png": "AAAA"}, **{"image/png": {"alt": "A dot"}}))
    build(toy.project, single_file=True)
    for path in (toy.project.pages / "01_toy.html", toy.project.index):
        elements = Elements(path.read_text(encoding="utf-8"))
        assert path.stat().st_size > 1_000_000
        assert not any("src" in attrs for attrs in elements.all("script"))
        assert all(attrs["src"].startswith("data:") for attrs in elements.all("img"))
    assert not (toy.project.pages / "mathjax").exists()


def test_pages_of_runs_that_are_gone_go_too(toy):
    executed(toy)
    build(toy.project)
    old = toy.project.pages / "09_old.html"
    old.write_text("old")
    build(toy.project)
    assert not old.exists()
    assert (toy.project.pages / "01_toy.html").exists()


def test_a_missing_mathjax_is_said(toy, monkeypatch, capsys):
    toy.notebook("01_toy", "run.finish()")
    monkeypatch.setattr("taugda.report.mathjax.find_mathjax", lambda: None)
    assert main(["report"]) == 1
    assert "pip install sphinx-mathjax-offline" in capsys.readouterr().err


def test_claims_edited_after_the_run_show_in_its_page(site):
    site.write("claims.yaml", CLAIM.replace("they say", "they wrote"))
    build(site.project)
    assert "they wrote" in page(site, "01_toy.html").text
    assert "they say" not in page(site, "01_toy.html").text
    site.write("claims.yaml", CLAIM)
    build(site.project)


# Figures of the paper, and the page of all figures


def test_all_figures_are_on_a_page_of_their_own_and_lead_to_their_place(site):
    elements = page(site, "figures.html")
    (image,) = elements.all("img")
    assert image["alt"] == "A rising line & more."
    assert (site.project.pages / unquote(image["src"])).stat().st_size < 30_000
    assert any(a["href"] == "01_toy.html#figure-line" for a in elements.all("a"))


def test_the_papers_figures_lead_to_ours_or_say_how_to_make_them(site):
    site.write(
        "figures.yaml",
        "- {paper: A line, notebook: toy, figure: line}\n"
        "- {paper: A curve, notebook: unrun, figure: curve}\n",
    )
    build(site.project)
    index = Elements(site.project.index.read_text(encoding="utf-8"))
    assert any(a["href"] == "pages/01_toy.html#figure-line" for a in index.all("a"))
    assert "not run here; to make it: python -m taugda run unrun" in index.text
    (site.project.root / "figures.yaml").unlink()
    build(site.project)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1", "expected a list, found dict"),
        ("- {paper: A, notebook: toy}", "must have the keys paper, notebook, figure"),
        ("- {paper: A, notebook: toy, figure: 3}", "'figure' must be a text, found 3"),
        ("- {paper: A, notebook: nowhere, figure: b}", "entry 1: unknown notebook 'nowhere'"),
    ],
)
def test_a_wrong_list_of_figures_is_refused(toy, capsys, text, message):
    toy.notebook("01_toy", "run.finish()")
    toy.write("figures.yaml", text)
    with pytest.raises(ReportError, match=r"figures\.yaml"):
        build(toy.project)
    assert main(["report"]) == 1
    assert message in capsys.readouterr().err


def test_many_runs_of_a_notebook_are_folded_into_one_table(toy):
    toy.notebook("01_toy", "run.finish()")
    from taugda.runs import Run

    for n in range(5):
        Run("01_toy", {"n": n}).finish()
    build(toy.project)
    index = Elements(toy.project.index.read_text(encoding="utf-8"))
    assert "5 runs" in index.text
    (group,) = [attrs for attrs in index.all("details") if attrs.get("class") == "group"]
    assert "open" not in group
    names = [path.name for path in toy.project.pages.glob("01_toy--*.html")]
    assert len(names) == 4  # n = 3 is the default
    other = page(toy, names[0])
    assert any(a["href"].endswith("index.html#runs-01_toy") for a in other.all("a"))
    assert not [a for a in other.all("a") if a.get("rel") in ("prev", "next")]


def test_a_page_leads_to_the_notebooks_source(site):
    (link,) = {
        a["href"] for a in page(site, "01_toy.html").all("a") if a["href"].endswith(".ipynb")
    } - {"../runs/01_toy/default/notebook.ipynb"}
    assert (site.project.pages / link).resolve() == site.project.notebook("01_toy")


# Moving pictures

MOVE = """from matplotlib.figure import Figure
def frames():
    for k in range(3):
        figure = Figure(figsize=(3, 2))
        figure.subplots().plot([0, k])
        yield figure
run.animate(frames(), "move", caption="It rises.", alt="A line that rises </script> & turns.",
            labels=["a = 0", "a = 1", "a = 2"], still=1)
run.finish()"""


def test_a_moving_picture_is_whole_without_other_files(toy):
    toy.notebook("01_toy", MOVE)
    assert main(["run"]) == 0
    text = (toy.project.pages / "01_toy.html").read_text(encoding="utf-8")
    elements = Elements(text)
    (image,) = elements.all("img")
    assert image["alt"] == "A line that rises </script> & turns."
    assert image["src"].startswith("data:image/webp;base64,")
    assert text.count("data:image/webp;base64,") == 3 + 1
    folded = "".join(elements.folded)
    assert elements.text.count("It rises.") - folded.count("It rises.") == 1
    assert [a["id"] for a in elements.all("figure")] == ["figure-move"]
    stored = toy.run("01_toy") / "figures"
    assert {path.name for path in stored.iterdir()} == {"move.png", "move.pdf"}
    output = json.loads((toy.run("01_toy") / "notebook.ipynb").read_text())["cells"][-1]["outputs"]
    # Where HTML is not shown, the still is; where no picture is, its text.
    assert set(output[0]["data"]) == {"text/html", "image/png", "text/plain"}


def drawn(*sizes):
    from matplotlib.figure import Figure

    return [Figure(figsize=size) for size in sizes]


@pytest.mark.parametrize(
    ("frames", "labels", "still", "message"),
    [
        (drawn((2, 2)), ["a"], 0, "two or more, with one label each, found 1 frames"),
        (drawn((2, 2), (2, 2)), ["a"], 0, "found 2 frames and 1 labels"),
        (drawn((2, 2), (2, 3)), ["a", "b"], 0, "must have one size"),
        (drawn((2, 2), (2, 2)), ["a", "b"], 2, "still must be a number from 0 to 1, found 2"),
    ],
)
def test_frames_that_make_no_moving_picture_are_refused(frames, labels, still, message):
    from taugda.runs.animation import moving

    with pytest.raises(ValueError, match=message):
        moving(frames, "x", "A picture", labels, still)


def test_a_moving_picture_that_is_too_heavy_is_refused(monkeypatch):
    from taugda.runs import animation

    monkeypatch.setattr(animation, "_HEAVIEST", 1000)
    with pytest.raises(ValueError, match="at most 1000 characters together"):
        animation.moving(drawn((2, 2), (2, 2)), "x", "A picture", ["a", "b"], 0)
