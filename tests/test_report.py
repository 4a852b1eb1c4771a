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


# The table of runs


def left_status(toy, name, state, updated, *runs):
    """A status file as a batch leaves it; each run is (run, state, attempts, ended, note)."""
    keys = ("run", "state", "attempts", "ended", "note")
    content = {
        "name": name, "state": state, "host": "elsewhere", "process": 1,
        "started": "2024-01-01T00:00:00+00:00", "updated": updated, "seconds": 1.0,
        "seconds_left": None, "counts": {"done": 0, "failed": len(runs)},
        "runs": [{"notebook": "01_toy", **dict(zip(keys, run, strict=True))} for run in runs],
    }  # fmt: skip
    toy.write(f"outputs/status/{name}.json", json.dumps(content))


def rows(toy, stem="01_toy"):
    """The table of a notebook's runs: the cells' texts and the links of each row."""
    text = build(toy.project).read_text(encoding="utf-8")
    table = text.partition(f"<caption>Runs of {stem}.</caption>")[2].partition("</table>")[0]
    found = []
    for row in table.partition("<tbody>")[2].split("</tr>")[:-1]:
        cells = [Elements(cell).text.strip() for cell in row.split("<td")[1:]]
        found.append(([cell.partition(">")[2] or cell for cell in cells], Elements(row).all("a")))
    return found


def finished(toy, **values):
    from taugda.runs import Run

    run = Run("01_toy", {"n": 3, **values})
    run.finish()
    return run.name


def test_without_a_status_the_index_says_so(toy):
    finished_text = "No sweep or other batch has left a status here"
    toy.notebook("01_toy", "run.finish()")
    finished(toy)
    index = Elements(build(toy.project).read_text(encoding="utf-8"))
    assert finished_text in index.text
    assert "cannot be told" in index.text
    assert "Not all runs that were asked for" not in index.text
    left_status(toy, "s", "finished", "2024-01-02T10:11:12+00:00",
                ("default", "done", 1, "2024-01-02T10:11:12+00:00", ""))  # fmt: skip
    index = Elements(build(toy.project).read_text(encoding="utf-8"))
    assert finished_text not in index.text
    assert "1 batch of runs left a status. The last one\nis s: finished, 2024-01-02 10:11 UTC" in (
        index.text
    )
    assert "Not all runs that were asked for" not in index.text


def test_the_table_of_runs_names_what_failed_was_stopped_or_is_missing(toy):
    toy.notebook("01_toy", "if n > 4:\n    raise ValueError(f'{n} < $x$ of ' + str(run.project."
                 "root / 'a'))", "run.finish()")  # fmt: skip
    toy.write("sweeps/s.yaml", "notebook: toy\ngrid: {n: [3, 4, 5]}\n")
    assert main(["run", "s.yaml", "-j", "1", "--no-report"]) == 1
    moment = "2030-01-01T00:00:00+00:00"
    left_status(
        toy, "other", "interrupted", moment,
        ("n=6-x", "running", 1, None, ""), ("n=7-x", "waiting", 0, None, ""),
        ("n=8-x", "waiting", 1, None, "it was cold"), ("n=9-x", "done", 1, moment, ""),
    )  # fmt: skip
    found = rows(toy)
    names = [cells[0].partition("-")[0] for cells, _ in found]
    assert names == ["default", "n=4", "n=5", "n=6", "n=7", "n=8", "n=9"]
    states = [cells[-1] for cells, _ in found]
    assert states[:2] == ["up to date"] * 2
    run = found[2][0][0]
    assert states[2] == (f"failed, in the batch s: ValueError: 5 < $x$ of a (log of 01_toy/{run})")
    assert states[3:] == [
        "stopped, in the middle, when the batch other was interrupted",
        "missing, not begun when the batch other was interrupted",
        "stopped, in the middle, when the batch other was interrupted: it was cold",
        "missing, though it was finished once",
    ]
    (log,) = found[2][1]
    path = toy.project.outputs / unquote(log["href"])
    assert "ValueError" in path.read_text(encoding="utf-8")
    assert [cells[1:4] for cells, _ in found[2:]] == [["–"] * 3] * 5
    index = Elements(toy.project.index.read_text(encoding="utf-8"))
    assert "finished: 1 failed, 2 stopped, 2 missing." in index.text
    assert "7 runs: 2 finished, 1 failed, 2 stopped, 2 missing" in index.text
    assert any(attrs.get("class") == "group" and "open" in attrs for attrs in index.all("details"))
    # The same runs make the same page.
    before = toy.project.index.read_bytes()
    build(toy.project)
    assert toy.project.index.read_bytes() == before


def test_a_batch_at_work_and_one_that_is_lost(toy, monkeypatch):
    toy.notebook("01_toy", "run.finish()")
    runs = [("n=6-x", "running", 1, None, ""), ("n=7-x", "waiting", 0, None, "")]
    left_status(toy, "s", "running", "2024-01-02T00:00:00+00:00", *runs)
    assert [cells[-1] for cells, _ in rows(toy)] == [
        "stopped, in the middle, when the batch s was lost",
        "missing, not begun when the batch s was lost",
    ]
    monkeypatch.setattr("taugda.runs.status._at_work", lambda content: True)
    assert [cells[-1] for cells, _ in rows(toy)] == [
        "running, in the batch s", "waiting, in the batch s"
    ]  # fmt: skip


def test_of_several_batches_the_last_attempt_counts(toy):
    toy.notebook("01_toy", "run.finish()")
    early, late, last = (f"2024-01-0{day}T00:00:00+00:00" for day in (1, 2, 3))
    # The batch that ended last is not the one that was last at the run.
    left_status(toy, "long", "finished", last, ("n=6-x", "failed", 1, early, "too early"))
    left_status(toy, "short", "finished", late, ("n=6-x", "failed", 1, late, "late" * 99))
    ((cells, _),) = rows(toy)
    assert cells[-1] == f"failed, in the batch short: {('late' * 60)[:-1]}…"
    # A success since then is all that counts; a failure since then is told beside it.
    name = finished(toy, n=6)
    for moment, state in (
        (early, "stale: made interactively, so there is no executed copy"),
        ("2100-01-01T00:00:00+00:00", "failed, in the batch long; the results are those of an"),
    ):
        left_status(toy, "long", "finished", last, (name, "failed", 1, moment, ""))
        found = {cells[0]: (cells[-1], links) for cells, links in rows(toy)}
        assert state in found[name][0]
        assert ("failed" in found[name][0]) == (moment != early)
        assert found[name][1][0]["href"].startswith("pages/01_toy--n")


def test_a_run_that_failed_and_left_no_status_is_found_by_its_log(toy):
    toy.notebook("01_toy", "1 / 0")
    assert main(["run", "toy", "--no-report"]) == 1
    (toy.project.statuses / "toy.json").unlink()
    ((cells, (log,)),) = rows(toy)
    assert cells[-1] == "failed, at its last attempt (log of 01_toy/default)"
    assert log["href"] == "runs/01_toy/default.failed/log.txt"


def test_a_damaged_status_is_passed_over(toy):
    toy.notebook("01_toy", "run.finish()")
    finished(toy)
    toy.write("outputs/status/a.json", "{")
    toy.write("outputs/status/b.json", "[1]")
    toy.write("outputs/status/c.json", '{"runs": [1, {}], "counts": null}')
    toy.write("outputs/status/d.json", '{"runs": 3}')
    assert [cells[-1].partition(":")[0] for cells, _ in rows(toy)] == ["stale"]


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
