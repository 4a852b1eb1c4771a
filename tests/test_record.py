"""The record of a run: numbers, figures, tables, where they came from, and other runs."""

import json
import re
import shutil
import subprocess
import sys
from fractions import Fraction

import matplotlib as mpl
import nbformat
import numpy as np
import papermill
import pytest
import sympy
from matplotlib.figure import Figure
from nbclient import NotebookClient

from taugda.plots.style import styled
from taugda.record import Run, finished, moving
from taugda.record.provenance import commit, provenance
from taugda.record.tables import bundle, rows_of
from taugda.record.values import plain, show_value
from taugda.runs.files import read_json
from taugda.runs.machine import BusyError
from taugda.runs.project import ParameterError, ProjectError

mpl.use("Agg")


def record(toy, **values):
    return Run("01_toy", {"n": 3, **values})


def test_plain_values():
    values = {
        "a": np.float64(1.5), "b": np.arange(3), "c": np.bool_(True), "d": Fraction(17, 23),
        "e": sympy.Rational(17, 23), "f": sympy.sqrt(4), "g": float("nan"), "h": -np.inf,
        "i": None, "j": (1, "x"), "k": np.array([[np.inf]]), "l": sympy.oo,
    }  # fmt: skip
    assert plain(values) == {
        "a": 1.5, "b": [0, 1, 2], "c": True, "d": "17/23", "e": "17/23", "f": 2, "g": "nan",
        "h": "-inf", "i": None, "j": [1, "x"], "k": [["inf"]], "l": "inf",
    }  # fmt: skip
    for bad in (1j, object(), np.array([1j])):
        with pytest.raises(TypeError, match="tau must be"):
            plain(bad, "tau")


def test_values_as_readers_see_them():
    for value, shown in (
        (-4.996e-16, "−5\u00a0×\u00a010⁻¹⁶"), (-2, "−2"),
        (4.996e-8, "4.996\u00a0×\u00a010⁻⁸"), (2e20, "2\u00a0×\u00a010²⁰"),
        ("a-b", "a-b"), ([0.5, "17/23"], "0.5, 17/23"), (True, "yes"), (None, "–"), ("inf", "∞"),
        (np.float64(0.123456789), "0.123457"), (1 - 2j, "1 − 2i"),
    ):  # fmt: skip
        assert show_value(value) == shown
    assert show_value(2.0, 1e-12) == "2 ± 10⁻¹²"
    assert show_value([1.0, 2.0], [0.1, 0.2]) == "1, 2 (each ± 0.2)"
    assert show_value("(-1.5, 2) on 2026-11-26") == "(−1.5, 2) on 2026-11-26"


def test_a_table_of_rows_is_a_table_of_columns():
    columns = {"tau": np.array([1, 20]), "class": ["DSE", "a|b $|x|$ <i>"]}
    rows = [{"tau": 1, "class": "DSE"}, {"tau": 20, "class": "a|b $|x|$ <i>"}]
    assert rows_of(columns) == rows
    made = bundle(rows, "Points.")
    assert made["text/plain"].splitlines()[:3] == ["Points.", "", "tau  class"]
    assert r"| 20 | a\|b $\vert x\vert $ <i> |" in made["text/markdown"]
    assert '<td style="text-align: left">a|b $|x|$ &lt;i&gt;</td>' in made["text/html"]
    assert '<td style="text-align: right">20</td>' in made["text/html"]
    assert bundle([], "Nothing fits.")["text/plain"].split()[-1] == "none"


def drawn(sizes, labels, still=0):
    frames = (Figure(figsize=size) for size in sizes)
    return moving.moving(frames, "x", "A picture", labels, still)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (rows_of, [{"a": [1], "b": [1, 2]}], "must be equally long, found {'a': 1, 'b': 2}"),
        (rows_of, [{"a": "word"}], "column 'a' must be a sequence of values, found 'word'"),
        (rows_of, [{"a": 3}], "column 'a' must be a sequence of values, found 3"),
        (drawn, [[(2, 2)], ["a"]], "two or more, with one label each, found 1 frames"),
        (drawn, [[(2, 2)] * 2, ["a"]], "found 2 frames and 1 labels"),
        (drawn, [[(2, 2), (2, 3)], ["a", "b"]], "must have one size"),
        (drawn, [[(2, 2)] * 2, ["a", "b"], 2], "still must be a number from 0 to 1, found 2"),
        (drawn, [[(9, 9)] * 2, ["a", "b" * 800_000]], "at most 700000 characters together"),
    ],
)
def test_what_makes_no_table_and_no_moving_picture_is_refused(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)


def test_a_notebook_outside_of_a_batch(toy):
    toy.write(
        "claims.yaml",
        "- {id: a, statement: theirs, where: Sec. 1, paper: 2, notebook: toy, metric: tau}\n"
        "- {id: b, statement: ours, where: here, paper: [1], notebook: toy, metric: tau,"
        " group: project}\n",
    )
    toy.notebook(
        "01_toy",
        "from matplotlib.figure import Figure\nrun.show(Figure((2, 1)), 'dot')\n"
        "run.animate([Figure((2, 1)) for _ in 'ab'], 'pair', ['a', 'b'], still=1)\n"
        "run.table({'tau': [run.measure('tau', 2.0, uncertainty=0)]}, 'all', caption='Given')",
        "run.finish()",
    )
    text = {"caption": "A  \n dot", "alt": "One dot"}
    toy.describe(dot=text, pair=text, all={"caption": "Not this"})
    source = toy.project.notebook("01_toy")
    executed = papermill.execute_notebook(source, None, {"n": 4}, progress_bar=False)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    marks = [o.metadata["taugda"] for o in outputs if "metadata" in o]
    still = [{"figure": "dot", "caption": "A dot"}, {"caption_of": "dot"}]
    moves = [{"figure": "pair", "caption": "A dot", "moving": True}, {"caption_of": "pair"}]
    assert marks == [*still, *moves, {"table": True}, {"compare": True}]
    dot, _, pair, _, table, compared = outputs[:6]
    assert dot.metadata["image/png"]["alt"] == dot.data["text/plain"] == "One dot"
    assert {"text/html", "image/png"} <= set(pair.data)
    assert table.data["text/plain"].split() == ["Given", "tau", "---", "2"]
    theirs, ours = compared.data["text/markdown"].split("The project's own checks.")
    assert "| theirs | Sec. 1 | 2 | 2 ± 0 | agrees (other" in theirs
    assert "| ours | here | 1 | 2 ± 0 | differs (expected 1 values" in ours
    assert "decides nothing" in theirs
    (folder,) = (toy.project.runs / "01_toy").iterdir()
    assert folder.name.startswith("n=4-")
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == {
        "notebook.ipynb", "parameters.yaml", "metrics.json", "provenance.json", "done.json",
        *(f"figures/{n}.{e}" for n in ("dot", "pair") for e in ("png", "pdf")),
    }  # fmt: skip
    assert read_json(folder / "done.json")["mode"] == "interactive"
    assert read_json(folder / "metrics.json") == {"tau": {"value": 2.0, "uncertainty": 0}}
    assert read_json(folder / "provenance.json")["figures"]["dot"]["caption"] == "A dot"
    kept = nbformat.read(folder / "notebook.ipynb", as_version=4)
    nbformat.validate(kept)
    assert kept.cells[2].source == "# Parameters\nn = 4"
    # What its cells showed is in its copy, each in its place.
    shown = [[o.metadata["taugda"] for o in c.outputs] for c in kept.cells if c.cell_type == "code"]
    assert shown == [[], [], [], marks[:5], marks[5:]]
    assert kept.cells[-2].outputs[0].data["image/png"] == dot.data["image/png"].replace("\n", "")


def test_an_equal_batch_run_is_kept(one, capsys):
    record(one).finish()
    done = one.run("01_toy") / "done.json"
    content = read_json(done)
    done.write_text(json.dumps({**content, "mode": "batch", "finished": "before"}))
    record(one).finish()
    said = capsys.readouterr().out
    assert "Kept outputs/runs/01_toy/default" in said
    assert "Nothing was written." in said
    assert read_json(done)["finished"] == "before"
    # One made by other code is replaced.
    content["fingerprint"]["notebook"] = "other"
    done.write_text(json.dumps({**content, "mode": "batch", "finished": "before"}))
    record(one).finish()
    assert read_json(done)["finished"] != "before"
    assert [path.name for path in done.parent.parent.iterdir()] == ["default"]


def test_the_record_refuses_what_it_cannot_keep(one, capsys):
    for stem, values, message in (
        ("01_tyo", {}, "unknown notebook '01_tyo'; did you mean '01_toy'"),
        ("01_toy", {}, "'n' has no value"), ("01_toy", {"n": 2.5}, "'n' must be int"),
    ):  # fmt: skip
        with pytest.raises((ParameterError, ProjectError), match=message):
            Run(stem, values)
    one.write("outputs", "a file in the folder's place")
    with pytest.raises(ProjectError, match="output folder outputs cannot be written"):
        record(one)
    (one.project.root / "outputs").unlink()
    run = record(one)
    assert run.measure("a", Fraction(1, 2)) == Fraction(1, 2)
    run.show(Figure(), "x", "c", "a")
    for method, arguments, message in (
        (run.measure, ("a", 2), "metric 'a' was recorded before"),
        *((run.measure, ("b", 1, u), "uncertainty of 'b'") for u in (-1, np.nan, [0.1, -1], True)),
        (run.show, (Figure(), "../x", "c", "a"), "name must be"),
        (run.show, (Figure(), "y", " ", "a"), "caption of figure 'y'"),
        (run.show, (Figure(), "y", "c", ""), "alt of figure 'y'"),
        (run.show, (Figure(), "y", None, "a"), "caption of figure 'y' must be a text, found None"),
        (run.show, (Figure(), "x", "c", "a"), "figure 'x' was recorded before"),
        (run.table, ([{"a": 1}], "t"), r'"texts": {"t": {"caption": "..."}}.* and save'),
    ):
        with pytest.raises(ValueError, match=message):
            method(*arguments)
    one.describe(t={"caption": "Saved since"})
    run.table([{"a": 1}], "t")
    one.write("claims.yaml", "- 3")
    run.finish()  # a mistake in the claims costs no run
    assert "No claim was compared: claims.yaml: entry 1 must be" in capsys.readouterr().out
    assert (one.run("01_toy") / "done.json").exists()
    with pytest.raises(RuntimeError, match="finished"):
        run.measure("other", 1)


def test_a_cell_that_is_run_again_records_again(one, monkeypatch):
    run, here = record(one), ["cell", 1, "code"]
    monkeypatch.setattr("taugda.record.run.current", lambda: tuple(here))
    monkeypatch.setattr("taugda.record.cells.current", lambda: tuple(here))
    run.measure("a", 1)
    run.table({"a": [1]}, "t", "Gone")
    refused = pytest.raises(ValueError, match="recorded before")
    for place in (("cell", 1), ("other", 2), (None, 3)):
        here[:2] = place
        with refused:
            run.measure("a", 2)
    run.measure("b", 1)
    here[1] = 4
    with refused:  # papermill does not tell which cell it is
        run.measure("b", 2)
    here[:2] = "cell", 5
    run.measure("a", 2)
    run.table({"a": [2]}, "t", "Stays")
    assert run.metrics == {"a": {"value": 2}, "b": {"value": 1}}
    run.finish()
    last = read_json(one.run("01_toy") / "notebook.ipynb")["cells"][-1]
    (table,) = last["outputs"]  # its cell is no longer in the notebook's file
    assert (last["source"], "Stays" in table["data"]["text/plain"]) == ("code", True)


def test_a_refused_argument_shows_its_message_and_the_cells_line(toy):
    toy.notebook(
        "01_toy",
        "from taugda.runs.parameters import parse_assignment\nparse_assignment('tau')",
        "import json\njson.loads('x')",
    )
    notebook = nbformat.read(toy.project.notebook("01_toy"), as_version=4)
    NotebookClient(notebook, allow_errors=True).execute()
    ours, other = ("\n".join(cell.outputs[-1].traceback) for cell in notebook.cells[-2:])
    assert "parse_assignment('tau')" in re.sub(r"\x1b\[[\d;]*m", "", ours)
    assert "key=value, found" in ours
    assert "lib/taugda" not in ours
    assert "decoder.py" in other


def test_figures_are_the_same_whenever_they_are_made(one, monkeypatch):
    @styled
    def draw():
        figure = Figure()
        axes = figure.subplots()
        axes.plot([1, 2])
        axes.set_title("$x_1$")
        return figure

    # A user's matplotlibrc may ask for TeX, which must matter neither in drawing nor in saving.
    users = {"text.usetex": True, "savefig.transparent": True, "pdf.fonttype": 3}
    users["xtick.labelsize"] = 30
    made = []
    for date, settings in (("1000000000", {}), ("1500000000", users)):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", date)
        run = record(one)
        with mpl.rc_context(settings):
            run.show(draw(), "line", caption="c", alt="a")
            moved = moving.moving((draw() for _ in "ab"), "x", "A picture", ["a", "b"], 0)[1]
        files = [(run.folder / f"figures/line.{e}").read_bytes() for e in ("png", "pdf")]
        made.append([*files, moved])
    assert made[0] == made[1]


def test_finished_runs_are_collected(one):
    for values in ({}, {"n": 4}, {"n": 5}):
        record(one, **values).finish()
    runs, published = one.project.runs / "01_toy", one.project.published / "long" / "01_toy"
    four, five = sorted(path for path in runs.iterdir() if path.name != "default")
    shutil.copytree(runs, published)
    shutil.rmtree(five)
    (four / "metrics.json").write_text("[]")
    shutil.copytree(runs / "default", runs / ".hidden")
    shutil.copytree(runs / "default", runs / "other.failed")
    found = finished(one.project, "01_toy.ipynb")
    assert [(run.name, run.collection) for run in found] == [
        ("default", ""), (four.name, "long"), (five.name, "long"),
    ]  # fmt: skip
    assert [run.parameters["n"] for run in found] == [3, 4, 5]
    assert found[1].folder == published / four.name


def git(folder, *commands):
    here = f"git -C {folder} -c user.name=x -c user.email=x@example.org"
    for command in commands:
        subprocess.run(f"{here} {command}".split(), check=True, capture_output=True)


def test_the_commit_is_the_projects(one, monkeypatch):
    root = one.project.root
    one.write("../around", "another project")
    git(root.parent, "init -q", "add around", "commit -qm Around")
    assert commit(root) is None
    git(root, "init -q", "add -A")
    assert commit(root) is None
    git(root, "commit -qm All")
    # A hook's variables name the repository that the hook is run in.
    monkeypatch.setenv("GIT_DIR", str(root.parent / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(root))
    made = provenance(one.project, {"seed": 7, "n": 3})
    assert (made["seed"], made["parameters"]) == (7, {"seed": 7, "n": 3})
    assert made["versions"]["numpy"] == np.__version__
    assert made["machine"]["cores"] >= 1
    assert re.fullmatch("[0-9a-f]{40}", made["commit"]["id"])
    assert made["commit"]["dirty"] is False
    assert str(root) not in json.dumps(made)
    one.write("outputs/runs/x", "not part of it")
    assert commit(root)["dirty"] is False
    one.write("notebooks/02_new.ipynb", "{}")
    assert commit(root)["dirty"] is True
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    made = provenance(one.project, {})
    assert made["commit"] is None
    assert "belongs to another user" in made["no_commit"]


def free(one, run="default"):
    try:
        one.hold(run=run).close()
    except BusyError:
        return False
    return True


def test_a_record_holds_its_run_until_it_ends(one, monkeypatch):
    run = record(one)
    # As in a notebook, where the name is bound anew.
    run = record(one)
    assert not free(one)
    run = record(one, n=4)
    assert free(one) and not free(one, run.name)
    run.finish()
    assert free(one, run.name)
    # One that cannot be made holds nothing.
    monkeypatch.setattr("taugda.runs.files.recover", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError) as kept:
        record(one)
    assert free(one), kept


def test_a_lock_that_was_lost_is_taken_again_or_the_former_results_stay(one):
    record(one).finish()
    run = record(one)
    run.measure("attempt", 2)
    shutil.rmtree(one.project.locks)
    other = one.hold()
    with pytest.raises(BusyError, match="at work"):
        run.finish()
    assert finished(one.project, "toy")[0].metrics == {}
    other.close()
    # It is not finished: when the other one has ended, it can be.
    run.finish()
    assert finished(one.project, "toy")[0].metrics == {"attempt": 2}


def test_a_forked_child_does_not_hold_what_its_parent_does(one):
    code = """import os
from taugda.record import Run
from taugda.runs.machine import held
run = Run('01_toy', {'n': 3})
child = os.fork()
if child == 0:
    try:
        Run('01_toy', {'n': 3})
    except RuntimeError:
        del run
        os._exit(7)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert held(run._place._lock)
run.finish()"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (one.run("01_toy") / "done.json").exists()
