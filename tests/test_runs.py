"""Parameters, names, what is up to date, files, and one execution after the other."""

import itertools
import json
import os
import re
import subprocess
import sys

import nbformat
import pytest

from taugda.__main__ import main
from taugda.runs import ParameterError, Project, ProjectError, execute, state
from taugda.runs.files import recover, staging_folder, swap_in
from taugda.runs.machine import cores
from taugda.runs.parameters import parameters_text, parse_assignment, read_file, resolve
from taugda.runs.plan import make_plan

CELL = """taus: list[float] = [2, 2.5]  # timescale separations
step: float = 1e-3
seed: int = 0  # seed, größer

name: str = "a"  # label
exact: bool = True
limit: float | None = None  # none means no limit
extra: dict = {"a": [1, 2.5]}"""


@pytest.fixture
def celled(toy):
    toy.notebook("01_toy", "run.finish()", parameters=CELL)
    return toy


# Parameters


@pytest.mark.parametrize(
    "cell",
    ["n = 3", "n: int", "n.m: int = 1", "n: int = 1 + 1", "n: list[int] = [\n 1]",
     "n: complex = 1", "n: print('x') = 1", "n: int = 1\nn: int = 2", "n: int = (",
     "n: int = 1  # a = b"],
)  # fmt: skip
def test_bad_parameter_cells_are_refused(toy, cell):
    toy.notebook("01_toy", parameters=cell)
    found = re.escape(repr(cell.splitlines()[cell.count("n: int = 2")]))
    with pytest.raises(ParameterError, match=rf"01_toy: .*'name: type = literal .*found {found}"):
        resolve(toy.project, "toy", {})


def test_exactly_one_parameters_cell_in_a_notebook(toy):
    toy.notebook("01_toy", parameters="n: int = 2.5")
    path = toy.project.notebook("01_toy")
    text = path.read_text()
    for content, message in (
        (text, r"'n' must be int, found 2\.5"),
        (text.replace('"parameters"', '"other"'), "exactly one .* found 0"),
        ("{", "01_toy.ipynb is not a notebook"),
        ("[]", "01_toy.ipynb is not a notebook: expected a JSON object"),
    ):
        path.write_text(content)
        with pytest.raises(ParameterError, match=message):
            resolve(toy.project, "toy", {})


@pytest.mark.parametrize(
    ("text", "value"),
    [("taus=[3, 4.5]", [3.0, 4.5]), ("taus=[3e-1]", [0.3]), ("step=1e-4", 1e-4),
     ("step=5e-5", 5e-5), ("seed=7", 7), ("seed=0x1f", 31), ("exact=false", False),
     ("name='12'", "12"), ("name='010'", "010"), ("name=5e-5", "5e-5"), ("limit=2", 2.0),
     ("limit=null", None), ("extra={b: 1}", {"b": 1})],
)  # fmt: skip
def test_assignments_take_the_annotated_type(celled, text, value):
    name, given = parse_assignment(text)
    found = resolve(celled.project, "toy", {name: given})
    assert found[name] == value
    assert type(found[name]) is type(value)
    file = celled.write("p.yaml", parameters_text(found))
    assert read_file(file)[name] == value
    assert resolve(celled.project, "toy", file) == found


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["seed", "=3", "a b=3"], "-p must be key=value"),
        (["seed=[1", "seed=a: b: c"], "-p seed=.*: not valid"),
        (["seed=010", "seed=1:30", "seed=1:30.5"], "-p seed=.*: line 1: .* is no decimal number"),
        (["seed=true", "seed=1.5", "seed=x"], "01_toy: parameter 'seed' must be int, found"),
        ([f"step={x}" for x in (".nan", ".inf", "true", "fast")], "'step' must be float, found"),
        (["exact=1", "exact='false'"], "'exact' must be bool, found"),
        (["taus=3", "taus=[a]"], r"'taus' must be list\[float\], found"),
        (["extra=[1]", "extra={1: 2}", "extra={a: .nan}"], "'extra' must be dict, found"),
        (["limit=x"], r"'limit' must be float \| None, found"),
        (["name=12", "name=2021-01-01", "name=- x^2/2 + y"],
         "'name' must be str, found .*; quote a text for YAML, too: -p name="),
    ],
)  # fmt: skip
def test_assignments_that_are_wrong_are_refused(celled, texts, message):
    for text in texts:
        with pytest.raises(ParameterError, match=message):
            resolve(celled.project, "toy", dict([parse_assignment(text)]))


def test_parameter_files(toy):
    assert read_file(toy.write("p.yaml", "# nothing\n")) == {}
    for text, message in (
        ("- 1", "expected a mapping"),
        ("a: 1\nseed: 010", "line 2: 010 is no decimal number"),
    ):
        with pytest.raises(ParameterError, match=rf"p\.yaml: .*{message}"):
            read_file(toy.write("p.yaml", text))


# Names


def test_run_names_say_the_parameters(celled):
    def name_of(**different):
        return celled.item(**different).run

    assert name_of() == name_of(seed=0, taus=[2, 2.5]) == "default"
    assert name_of(taus=[3, 4.5], seed=1).startswith("seed=1,taus=3+4.5-")
    assert name_of(step=0.0) == name_of(step=-0.0)
    assert name_of(seed=1) != name_of(seed=2)
    for name in ("toy", "01_toy", "01_toy.ipynb", "notebooks/01_toy.ipynb"):
        assert celled.project.find_notebook(name) == "01_toy"
    # No value escapes the folder.
    for value in ("../../x", "/etc", "a\\b", "..", "\x00\n", "é" * 500, ".", "~"):
        name = name_of(name=value)
        folder = celled.run("01_toy", name).resolve()
        assert folder.parent == (celled.project.runs / "01_toy").resolve()
        assert len(name) < 120 and name.isascii() and not name.startswith("."), value


def test_a_long_name_keeps_what_members_of_a_sweep_differ_in(toy, capsys):
    many = [f"parameter_{i}: float = 0.0\nlabel_{i}: str = 'a'" for i in range(6)]
    toy.notebook("01_toy", parameters="\n".join([*many, "seed: int = 0\ntau: float = 1.0"]))
    base = ", ".join(f"parameter_{i}: 0.125, label_{i}: some-long-text" for i in range(5))
    grid = "{tau: [1, 2], seed: [0, 1, 2], parameter_5: [1, 2]}"
    toy.write("sweeps/s.yaml", f"notebook: toy\nbase: {{{base}}}\ngrid: {grid}\n")
    toy.make("s.yaml", "--dry-run", "--only", "*seed=1*")
    *lines, last = capsys.readouterr().out.splitlines()
    assert last.startswith("4 of 4 runs")
    assert all(len(line) < 130 and ",parameter_0=0.125," in line for line in lines)
    assert lines[-1].startswith("01_toy/tau=2,seed=1,")


# What is up to date


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A function that writes a module of a small library, which takes the place of the real one."""
    package, ticks = tmp_path / "taugda", itertools.count(1)
    monkeypatch.setattr(state, "PACKAGE", package)

    def write(name, text):
        path = package / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (0, next(ticks)))  # a second version within one tick of the clock

    write("games/game", '"""Help."""\n\ndef double(x):\n    """Twice."""\n    return 2 * x  # x\n')
    write("plots/lines", "def draw():\n    from taugda.games import game\n")
    write("gan/loop", "from taugda.checks import count\n")
    write("proofs/balls", "from taugda import games\n")
    for name in ("checks", "record/run", "runs/execute", "claims", "report/build"):
        write(name, "x = 1\n")
    return write


def rooms(toy, *code, **marks):
    toy.notebook("01_toy", *code, **marks)
    return state.fingerprint(toy.item())["library"]


EVERY = {"checks", "games", "gan", "plots", "proofs", "record"}


@pytest.mark.parametrize(
    ("code", "found"),
    [("import taugda.games.game as g", {"games"}),
     ("from taugda.plots.lines import draw", {"plots", "games"}),
     ("def f():\n    from taugda import (\n        gan, plots)",
      {"gan", "checks", "plots", "games"}),
     ("%matplotlib inline\n!ls\nimport taugda.proofs", {"proofs", "games"}),
     ("import taugda as t\nt.plots.draw()", EVERY),
     ("x =", EVERY),
     ("from taugda import claims, runs, report", set())],
)  # fmt: skip
def test_a_notebook_depends_on_the_rooms_that_it_uses(toy, library, code, found):
    assert set(rooms(toy, code)) == found | {"record"}


def test_documentation_and_the_engine_make_nothing_stale(toy, library):
    code = "from taugda import games"
    before = rooms(toy, code)
    library("games/game", '"""Other."""\n# note\ndef double(x):\n    """New."""\n    return 2*x\n')
    for name in ("runs/execute", "claims", "report/build", "__main__"):
        library(name, "x = 2\n")
    assert rooms(toy, code) == before
    library("games/game", "def double(x):\n    return x + x\n")
    after = rooms(toy, code)
    said = state.differences({"library": before}, {"library": after})
    assert said == ["library changed (games)"]
    library("games/new", "")
    (state.PACKAGE / "record" / "moving.css").write_text("img { height: auto; }\n")
    last = rooms(toy, code)
    assert all(last[room] != after[room] for room in ("games", "record"))
    # Training depends on no pictures and no record.
    assert set(rooms(toy, "from taugda import gan, plots", kind="training")) == {"gan", "checks"}


def test_a_notebook_counts_with_its_cells_and_what_they_say_to_the_runner(toy, library):
    toy.notebook("01_toy", "x = 1")
    path = toy.project.notebook("01_toy")
    content, base = json.loads(path.read_text()), state.fingerprint(toy.item())

    def reasons(**parameters):
        return state.differences(base, state.fingerprint(toy.item(**parameters)))

    assert (reasons(), reasons(n=4)) == ([], ["parameters changed"])
    for key, value in (("tags", ["x"]), ("taugda", {"texts": {"a": {"caption": "b"}}})):
        content["cells"][-1]["metadata"] = {key: value}
        path.write_text(json.dumps(content))
        assert reasons() == ["notebook changed"]
    content["cells"][-1] |= {"metadata": {"collapsed": True}, "outputs": [], "execution_count": 7}
    path.write_text(json.dumps(content))
    assert state.fingerprint(toy.item()) == base
    toy.notebook("01_toy", "x = 1", prose="# Other words")
    assert reasons() == ["notebook changed"]


# Files and locks


def test_swap_and_recovery(tmp_path):
    final, staging = tmp_path / "default", staging_folder(tmp_path / "default")
    for folder, text in ((final, "old"), (staging, "new")):
        folder.mkdir()
        (folder / "x").write_text(text)
    swap_in(staging, final)
    assert (final / "x").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["default"]
    with pytest.raises(FileNotFoundError):
        swap_in(staging, final)
    assert (final / "x").read_text() == "new"
    # One that died in the middle of its swap, and others before it; another run is none of ours.
    final.rename(tmp_path / ".default.old")
    for name in ("default.here.12", "default.far-away.7", "default,n=1.a.7"):
        (tmp_path / f".{name}.partial").mkdir()
    recover(final)
    assert (final / "x").read_text() == "new"
    assert {path.name for path in tmp_path.iterdir()} == {"default", ".default,n=1.a.7.partial"}


def test_the_project_is_found_from_anywhere(toy, monkeypatch, tmp_path):
    monkeypatch.delenv("TAUGDA_ROOT")
    monkeypatch.chdir(toy.project.notebooks)
    assert Project.find().root == toy.project.root
    monkeypatch.setenv("TAUGDA_OUTPUTS", str(tmp_path / "out"))
    assert Project.find().runs == tmp_path / "out" / "runs"
    assert Project.find().published == toy.project.published  # the repository's stay where they are
    monkeypatch.setenv("TAUGDA_OUTPUTS", "relative")
    with pytest.raises(ProjectError, match="absolute"):
        Project.find()
    monkeypatch.delenv("TAUGDA_OUTPUTS")
    monkeypatch.setenv("TAUGDA_ROOT", str(tmp_path))
    with pytest.raises(ProjectError, match="TAUGDA_ROOT"):
        Project.find()


# Batches


def test_a_cell_that_was_not_executed_fails_the_run(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    nbformat.write(notebook, tmp_path / "notebook.ipynb")
    for name in ("metrics.json", "provenance.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(execute.RunFailedError, match="cell 1 was not executed"):
        execute._check(tmp_path)


def test_a_batch_runs_what_is_due(toy, capfd):
    toy.notebook("01_toy", "run.measure('n', n)\nprint('hello')", "run.finish()")
    toy.notebook("02_bad", "if n > 2:\n    raise ValueError('too\\nlarge')", "run.finish()")
    toy.notebook("03_open", "run.measure('n', n)")
    assert main(["run", "-j", "2"]) == 1
    out = capfd.readouterr().out
    assert "Failed: 02_bad/default: ValueError: too large" in out
    assert "log: outputs/runs/02_bad/default.failed/log.txt" in out
    assert "Failed: 03_open/default: the notebook left no metrics.json" in out
    assert out.rstrip().endswith("Open outputs/index.html")

    good = {path.name: path.read_bytes() for path in toy.run("01_toy").iterdir()}
    assert set(good) == {
        "notebook.ipynb", "parameters.yaml", "metrics.json", "provenance.json", "log.txt",
        "done.json",
    }  # fmt: skip
    assert toy.metrics("01_toy") == {"n": 3}
    assert b"hello" in good["log.txt"]
    assert json.loads(good["provenance.json"])["mode"] == "batch"
    assert str(toy.project.root).encode() not in good["notebook.ipynb"]
    assert "papermill" not in json.loads(good["notebook.ipynb"])["metadata"]

    for stem in ("02_bad", "03_open"):
        assert [path.name for path in (toy.project.runs / stem).iterdir()] == ["default.failed"]
    failed = toy.run("02_bad", "default.failed")
    assert "ValueError" in (failed / "notebook.ipynb").read_text()
    assert "ValueError" in (failed / "log.txt").read_text()
    assert json.loads((failed / "failed.json").read_text())["reason"] == "ValueError: too large"
    wanted = [(stem, {}) for stem in toy.project.stems()]
    assert toy.states(*wanted) == ["up to date", *["failed before"] * 2]

    # Mended, it succeeds, and its failure is forgotten; one that fails leaves its former success.
    toy.notebook("02_bad", "run.finish()")
    toy.notebook("01_toy", "1 / 0", "run.finish()")
    assert toy.states(("toy", {})) == ["stale"]
    toy.make("bad", "toy", status=1)
    assert [path.name for path in (toy.project.runs / "02_bad").iterdir()] == ["default"]
    assert {path.name: path.read_bytes() for path in toy.run("01_toy").iterdir()} == good
    assert toy.states(("bad", {}), ("toy", {})) == ["up to date", "failed before"]


def test_runs_that_may_be_trained_together_share_a_kernel_and_fail_each_alone(toy, capsys):
    toy.training(together=3)
    base, seeds = "{updates: 2, fail_at: 2}", "{seed: [0, 1, 2, 3, 4]}"
    toy.write("sweeps/seeds.yaml", f"notebook: train\nbase: {base}\ngrid: {seeds}\n")
    toy.make("seeds.yaml", "-j", "1", "--retries", "1")
    # Each fails at its first attempt, which stops none of those that share its kernel.
    assert capsys.readouterr().out.count("trying again (1 of 1)") == 5
    assert toy.ledger("begin") == [0, 1, 2, 3, 4] * 2
    kernels = itertools.groupby(toy.ledger("begin", 2))
    assert [len(list(group)) for _, group in kernels] == [3, 2, 3, 2]
    folders = (toy.project.runs / "01_train").glob("[!.]*")
    runs = {read_file(path / "parameters.yaml")["seed"]: path for path in folders}
    beside = {seed: toy.metrics("01_train", path.name)["beside"] for seed, path in runs.items()}
    assert beside == {0: [1, 2], 1: [2], 2: [], 3: [4], 4: []}
    sums = {toy.metrics("01_train", path.name)["sum"] for path in runs.values()}
    assert len(sums) == 5  # each is a run of its own
    for path in runs.values():
        cells = nbformat.read(path / "notebook.ipynb", 4).cells
        counts = [cell.execution_count for cell in cells if cell.cell_type == "code"]
        assert counts == list(range(1, len(counts) + 1))
    # One that is chosen alone is alone.
    toy.make("seeds.yaml", "--only", runs[1].name, "--force", "--retries", "1")
    assert toy.metrics("01_train", runs[1].name)["beside"] == []


def test_a_run_of_other_parameters_and_a_stale_training_run_which_is_kept(toy, capsys):
    code = "from taugda import gan\nrun.measure('n', n)"
    toy.notebook("01_toy", code, "run.finish()", kind="training")
    toy.make("toy", "-f", str(toy.write("small.yaml", "n: 5\n")))
    (folder,) = (toy.project.runs / "01_toy").iterdir()
    assert folder.name.startswith("n=5-")
    assert toy.metrics("01_toy", folder.name) == {"n": 5}
    five = "01_toy", {"n": 5}
    assert toy.states(("toy", {}), five) == ["missing", "up to date"]
    content = json.loads((folder / "done.json").read_text())
    content["fingerprint"]["library"]["gan"] = "older"
    (folder / "done.json").write_text(json.dumps({**content, "duration": 83.2}))
    (item,) = make_plan(toy.project, [five])
    assert (item.state, item.due, item.reason) == ("kept", False, "library changed (gan)")
    assert toy.states(five, refresh=True) == ["stale"]
    toy.make("toy", "-p", "n=5")
    assert "kept (library changed (gan)), --refresh runs it again\n" in capsys.readouterr().out
    toy.make("toy", "-p", "n=5", "--force", "--dry-run")
    assert "forced, would run, took 83 s last time" in capsys.readouterr().out
    toy.make("toy", "-p", "n=5", "--refresh")
    assert toy.states(five) == ["up to date"]
    assert json.loads((folder / "done.json").read_text())["duration"] < 83


def test_a_kernel_is_this_interpreter_without_the_users_settings(toy, tmp_path, monkeypatch):
    spec = {"argv": ["/none", "{connection_file}"], "display_name": "x", "language": "python"}
    toy.write("../home/kernels/python3/kernel.json", json.dumps(spec))
    toy.write("../ipython/profile_default/startup/00.py", "raise SystemExit('the user\\'s own')\n")
    homes = {"JUPYTER_DATA_DIR": "home", "JUPYTER_PATH": "home", "IPYTHONDIR": "ipython"}
    for name, folder in homes.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    seen = "[os.environ[f'{x}_NUM_THREADS'] for x in ('OMP', 'NUMBA')]"
    seen += ", os.environ['MALLOC_TRIM_THRESHOLD_'], sys.executable, os.getcwd()"
    toy.notebook("01_toy", f"import os, sys\nrun.measure('seen', [{seen}])", "run.finish()")
    before = dict(os.environ)
    toy.make("toy", "-j", "1000")
    assert dict(os.environ) == before
    here = [str(256 << 20), sys.executable, str(toy.project.root)]
    assert toy.metrics("01_toy")["seen"] == [[str(cores())] * 2, *here]


# Requests


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("run tyo", "unknown notebook 'tyo'; did you mean 'toy'"),
        ("run toy -p nn=3", "unknown parameter 'nn'; did you mean 'n'"),
        ("run -p n=3", "exactly one notebook"),
        ("run toy other -p n=3", "exactly one notebook"),
        ("run none.yaml", "none.yaml: cannot be read"),
        ("run Untitled", "notebooks/Untitled.ipynb is left out: a notebook of the project"),
        ("run s.yaml --index 2", "the number of a run: from 0 to 1, found 2"),
        ("run toy --index 0", "--index needs exactly one sweep file"),
        ("run s.yaml --only *n=9*", "no run matches '*n=9*'"),
        *((f"run -j {number}", "expected an integer >= 1") for number in ("0", "-1", "²")),
        ("run s.yaml --retries x", "expected an integer >= 0, found 'x'"),
        ("run toy --time-limit soon", "a time such as 90s, 30m, 12h or 2d, found 'soon'"),
    ],
)
def test_wrong_requests_are_refused_before_anything_starts(toy, capsys, command, message):
    for stem in ("01_toy", "02_other", "Untitled"):
        toy.notebook(stem, "run.finish()")
    toy.write("sweeps/s.yaml", "notebook: toy\ngrid: {n: [1, 2]}")
    try:
        status = main(command.split())
    except SystemExit as end:  # by argparse
        status = end.code
    error = capsys.readouterr().err
    assert status == 2 and message in error
    assert error.startswith("usage: ") or len(error.splitlines()) == 1
    assert not toy.project.outputs.exists()


def test_plans_and_parameters_are_listed(celled, capsys):
    for name in ("Untitled", "01_toy-Copy1"):
        celled.write(f"notebooks/{name}.ipynb", "{}")
    assert main(["parameters", "toy"]) == 0
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()[4:]] == [
        "taus list[float] [2.0, 2.5] timescale separations", "step float 0.001",
        "seed int 0 seed, größer", "name str 'a' label", "exact bool True",
        "limit float | None None none means no limit", "extra dict {'a': [1, 2.5]}",
    ]  # fmt: skip
    assert main(["run", "--dry-run", "-j", "3"]) == 0
    out, error = capsys.readouterr()
    assert out.splitlines() == [
        "01_toy/default: missing, would run", "1 of 1 run to execute, 3 at a time",
    ]  # fmt: skip
    # What does not belong is named and left out.
    copy, untitled = error.splitlines()
    assert copy.startswith("taugda: notebooks/01_toy-Copy1.ipynb is left out: ")
    assert untitled.endswith("rename it so, or move it to another folder")
    assert not celled.project.outputs.exists()


def test_a_reader_that_goes_away_is_no_error(toy):
    toy.training()
    toy.write("sweeps/many.yaml", f"notebook: train\ngrid: {{seed: {list(range(5000))}}}\n")
    command = f"{sys.executable} -m taugda run many.yaml --dry-run | head -n 1"
    command = ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert answer.stdout.startswith("   0  01_train/default: missing")
    assert (answer.stderr, answer.returncode) == ("", 141)
