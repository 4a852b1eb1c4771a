"""Parameters, names, what is up to date, files, and one execution after the other."""

import hashlib
import itertools
import json
import os
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest

from taugda.__main__ import main
from taugda.runs import ParameterError, Project, ProjectError, state
from taugda.runs.files import recover, staging_folder, swap_in
from taugda.runs.machine import cores
from taugda.runs.parameters import (
    canonical,
    parameters_text,
    parse_assignment,
    read_file,
    read_parameters,
    resolve,
)
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


def test_parameters_are_read_in_order_with_types_and_help(celled):
    found = read_parameters(celled.project.notebook("01_toy"))
    assert list(found) == ["taus", "step", "seed", "name", "exact", "limit", "extra"]
    assert found["taus"].default == [2.0, 2.5]
    assert type(found["taus"].default[0]) is float
    assert found["taus"].title == "list[float]"
    assert [found[n].description for n in ("taus", "seed")] == [
        "timescale separations", "seed, größer",
    ]  # fmt: skip
    assert found["limit"].default is None
    celled.notebook("01_toy", parameters="n: int = 4")
    assert resolve(celled.project, "toy", {}) == {"n": 4}


@pytest.mark.parametrize(
    "cell",
    ["n = 3", "n: int", "n.m: int = 1", "n: int = 1 + 1", "n: list[int] = [\n 1]",
     "n: complex = 1", "n: list[complex] = [1]", "n: print('x') = 1", "n: int = 1\nn: int = 2",
     "n: int = (", "n: int = 1  # a = b"],
)  # fmt: skip
def test_bad_parameter_cells_are_refused(toy, cell):
    toy.notebook("01_toy", parameters=cell)
    found = re.escape(repr(cell.splitlines()[cell.count("n: int = 2")]))
    with pytest.raises(ParameterError, match=rf"01_toy: .*'name: type = literal .*found {found}"):
        read_parameters(toy.project.notebook("01_toy"))


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
            read_parameters(path)


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
    "text",
    ["seed=true", "seed=1.5", "seed=x", "step=.nan", "step=.inf", "step=true", "step=fast",
     "exact=1", "exact='false'", "name=12", "taus=3", "taus=[a]", "extra=[1]", "limit=x",
     "extra={1: 2}", "extra={a: .nan}", "name=2021-01-01", "name=- x^2/2 + y"],
)  # fmt: skip
def test_values_of_the_wrong_type_are_refused(celled, text):
    name, given = parse_assignment(text)
    hint = "; quote a text for YAML, too: -p name=" if name == "name" else ""
    with pytest.raises(
        ParameterError, match=f"01_toy: parameter '{name}' must be .* found.*{hint}"
    ):
        resolve(celled.project, "toy", {name: given})


@pytest.mark.parametrize(
    ("text", "message"),
    [("seed", "key=value"), ("=3", "key=value"), ("a b=3", "key=value"), ("seed=[1", "not valid"),
     ("seed=a: b: c", "not valid"), ("seed=010", "010 is no decimal number"),
     ("seed=1:30", "1:30 is no decimal number"), ("step=1:30.5", "1:30.5 is no decimal")],
)  # fmt: skip
def test_malformed_assignments_are_refused(text, message):
    with pytest.raises(ParameterError, match=f"-p.*{message}"):
        parse_assignment(text)


def test_parameter_files(toy):
    assert read_file(toy.write("p.yaml", "seed: 3\n")) == {"seed": 3}
    assert read_file(toy.write("p.yaml", "# nothing\n")) == {}
    for text, message in (
        ("- 1", "expected a mapping"),
        ("seed: [", "not valid YAML"),
        ("seed: 1\nseed: 2", "line 2: key 'seed' appears twice"),
        ("a: 1\nseed: 010", "line 2: 010 is no decimal number"),
        ("seed: !!python/object/apply:os.getpid []", "not valid YAML"),
    ):
        with pytest.raises(ParameterError, match=message):
            read_file(toy.write("p.yaml", text))


# Names


def test_run_names_say_the_parameters(celled):
    def name_of(**different):
        return celled.item(**different).run

    assert name_of() == name_of(seed=0, taus=[2, 2.5]) == "default"
    assert name_of(taus=[3, 4.5], seed=1).startswith("seed=1,taus=3+4.5-")
    assert name_of(step=0.0) == name_of(step=-0.0)
    assert name_of(seed=1) != name_of(seed=2)
    digest = hashlib.sha256(canonical(celled.item(seed=1).parameters).encode()).hexdigest()
    assert name_of(seed=1) == f"seed=1-{digest[:8]}"
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


def groups(toy, *code, **marks):
    toy.notebook("01_toy", *code, **marks)
    return state.fingerprint(toy.item())["library"]


@pytest.mark.parametrize(
    ("code", "found"),
    [("from taugda import games", {"mathematics"}),
     ("import taugda.games.game as g", {"mathematics"}),
     ("from taugda.plots.lines import draw", {"plots", "mathematics"}),
     ("def f():\n    from taugda import (\n        gan, plots)",
      {"gan", "checks", "plots", "mathematics"}),
     ("%matplotlib inline\n!ls\nimport taugda.proofs", {"proofs", "mathematics"}),
     ("import taugda as t\nt.plots.draw()", set(state.GROUPS)),
     ("x =", set(state.GROUPS)),
     ("from taugda import claims, runs, report", set())],
)  # fmt: skip
def test_a_notebook_depends_on_the_groups_that_it_uses(toy, library, code, found):
    assert set(groups(toy, code)) == found | {"record"}


def test_every_module_belongs_to_a_group_or_to_what_makes_nothing_stale():
    there = {path.stem for path in state.PACKAGE.glob("[!_]*")}
    engine = {"atomic", "claims", "runs", "report"}
    assert there == engine | {name for modules in state.GROUPS.values() for name in modules}


def test_documentation_and_the_engine_make_nothing_stale(toy, library):
    code = "from taugda import games"
    before = groups(toy, code)
    library("games/game", '"""Other."""\n# note\ndef double(x):\n    """New."""\n    return 2*x\n')
    for name in ("runs/execute", "claims", "report/build", "__main__"):
        library(name, "x = 2\n")
    assert groups(toy, code) == before
    library("games/game", "def double(x):\n    return x + x\n")
    after = groups(toy, code)
    said = state.differences({"library": before}, {"library": after})
    assert said == ["library changed (mathematics)"]
    library("games/new", "")
    (state.PACKAGE / "record" / "moving.css").write_text("img { height: auto; }\n")
    last = groups(toy, code)
    assert all(last[group] != after[group] for group in ("mathematics", "record"))
    # Training depends on no pictures and no record.
    assert set(groups(toy, "from taugda import gan, plots", kind="training")) == {"gan", "checks"}


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
    for name in (
        ".default.here.12.partial",
        ".default.far-away.7.partial",
        ".default,n=1.a.7.partial",
    ):
        (tmp_path / name).mkdir()
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


def test_a_batch_runs_what_is_due(toy, capfd):
    toy.notebook("01_toy", "run.measure('n', n)\nprint('hello')", "run.finish()")
    toy.notebook("02_bad", "if n > 2:\n    raise ValueError('too\\nlarge')", "run.finish()")
    toy.notebook(
        "03_killed", "import os\nos.kill(os.getpid(), 9)", "run.measure('n', n)", "run.finish()"
    )
    toy.notebook("04_open", "run.measure('n', n)")
    assert main(["run", "-j", "2"]) == 1
    out = capfd.readouterr().out
    assert "Failed: 02_bad/default: ValueError: too large" in out
    assert "log: outputs/runs/02_bad/default.failed/log.txt" in out
    assert "Failed: 03_killed/default: the kernel died" in out
    assert "Failed: 04_open/default: the notebook left no metrics.json" in out
    assert out.rstrip().endswith("Open outputs/index.html")

    good = {path.name: path.read_bytes() for path in toy.run("01_toy").iterdir()}
    assert set(good) == {
        "notebook.ipynb", "parameters.yaml", "metrics.json", "provenance.json", "log.txt",
        "done.json",
    }  # fmt: skip
    assert toy.metrics("01_toy") == {"n": 3}
    assert b"hello" in good["log.txt"]
    provenance = json.loads(good["provenance.json"])
    assert provenance["mode"] == "batch"
    assert provenance["versions"]["numpy"] == np.__version__
    assert str(toy.project.root).encode() not in good["notebook.ipynb"]
    assert "papermill" not in json.loads(good["notebook.ipynb"])["metadata"]

    for stem in ("02_bad", "03_killed", "04_open"):
        assert [path.name for path in (toy.project.runs / stem).iterdir()] == ["default.failed"]
    failed = toy.run("02_bad", "default.failed")
    assert "ValueError" in (failed / "notebook.ipynb").read_text()
    assert "ValueError" in (failed / "log.txt").read_text()
    reason = json.loads((failed / "failed.json").read_text())
    assert reason["reason"] == "ValueError: too large"
    assert reason["duration"] > 0
    assert "02_bad/default" in toy.project.index.read_text()
    wanted = [(stem, {}) for stem in toy.project.stems()]
    assert toy.states(*wanted) == ["up to date", *["failed before"] * 3]

    # Mended, it succeeds, and its failure is forgotten; one that fails leaves its former success.
    toy.notebook("02_bad", "run.finish()")
    toy.notebook("01_toy", "1 / 0", "run.finish()")
    assert toy.states(("toy", {})) == ["stale"]
    toy.make("bad", "toy", status=1)
    assert [path.name for path in (toy.project.runs / "02_bad").iterdir()] == ["default"]
    assert {path.name: path.read_bytes() for path in toy.run("01_toy").iterdir()} == good
    assert toy.states(("bad", {}), ("toy", {})) == ["up to date", "failed before"]


GROUP = "notebook: train\nbase: {updates: 2%s}\ngrid: {seed: [0, 1, 2, 3, 4]}\n"


def test_runs_that_may_be_trained_together_share_a_kernel(toy, capsys):
    toy.training(together=3)
    toy.write("sweeps/seeds.yaml", GROUP % "")
    toy.make("seeds.yaml", "-j", "1")
    folders = (toy.project.runs / "01_train").glob("[!.]*")
    runs = {read_file(path / "parameters.yaml")["seed"]: path for path in sorted(folders)}
    beside = {seed: toy.metrics("01_train", path.name)["beside"] for seed, path in runs.items()}
    assert beside == {0: [1, 2], 1: [2], 2: [], 3: [4], 4: []}
    sums = {toy.metrics("01_train", path.name)["sum"] for path in runs.values()}
    assert len(sums) == 5  # each is a run of its own
    kernels = dict(zip(toy.ledger("begin"), toy.ledger("begin", 2), strict=True))
    assert kernels[0] == kernels[1] == kernels[2] != kernels[3] == kernels[4]
    for path in runs.values():
        cells = nbformat.read(path / "notebook.ipynb", 4).cells
        counts = [cell.execution_count for cell in cells if cell.cell_type == "code"]
        assert counts == list(range(1, len(counts) + 1))
    # One that is chosen alone is alone.
    toy.make("seeds.yaml", "--only", runs[1].name, "--force")
    assert toy.metrics("01_train", runs[1].name)["beside"] == []


def test_one_that_fails_does_not_stop_those_that_share_its_kernel(toy, capsys):
    toy.training(together=5)
    toy.write("sweeps/seeds.yaml", GROUP % ", fail_at: 2")
    toy.make("seeds.yaml", "-j", "1", "--retries", "1")
    assert capsys.readouterr().out.count("trying again (1 of 1)") == 5
    assert len(set(toy.ledger("begin", 2)[:5])) == len(set(toy.ledger("begin", 2)[5:])) == 1


def test_parameters_reach_the_notebook_and_another_run_has_another_folder(toy, capsys):
    toy.notebook("01_toy", "run.measure('n', n)", "run.finish()")
    toy.make("toy", "-f", str(toy.write("small.yaml", "n: 5\n")))
    (folder,) = (toy.project.runs / "01_toy").iterdir()
    assert folder.name.startswith("n=5-")
    assert toy.metrics("01_toy", folder.name) == {"n": 5}
    assert toy.states(("toy", {})) == ["missing"]
    assert toy.states(("toy", {"n": 5}), ("01_toy", {"n": 5})) == ["up to date"]
    assert toy.states(("toy", {"n": 5}), force=True) == ["forced"]
    done = folder / "done.json"
    done.write_text(json.dumps({**json.loads(done.read_text()), "duration": 83.2}))
    toy.make("toy", "-p", "n=5", "--force", "--dry-run")
    assert "forced, would run, took 83 s last time" in capsys.readouterr().out
    toy.make("toy", "-p", "n=5", "--force")
    assert json.loads(done.read_text())["duration"] < 83


def test_stale_training_is_kept_unless_asked(toy, capsys):
    toy.notebook("01_toy", "from taugda import gan", "run.finish()", kind="training")
    toy.make("toy")
    done = toy.run("01_toy") / "done.json"
    content = json.loads(done.read_text())
    content["fingerprint"]["library"]["gan"] = "older"
    done.write_text(json.dumps(content))
    (item,) = make_plan(toy.project, [("toy", {})])
    assert (item.state, item.due) == ("kept", False)
    assert item.reason == "library changed (gan)"
    assert toy.states(("toy", {}), refresh=True) == ["stale"]
    toy.make("toy")
    assert "kept (library changed (gan)), --refresh runs it again" in capsys.readouterr().out
    toy.make("toy", "--refresh")
    assert toy.states(("toy", {})) == ["up to date"]


def test_a_kernel_is_this_interpreter_without_the_users_settings(toy, tmp_path, monkeypatch):
    broken = tmp_path / "home" / "kernels" / "python3"
    broken.mkdir(parents=True)
    spec = {"argv": ["/none", "{connection_file}"], "display_name": "x", "language": "python"}
    (broken / "kernel.json").write_text(json.dumps(spec))
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("raise SystemExit('the user own start-up file was run')\n")
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


def refused(arguments, capsys):
    """What a command that is refused says, by argparse or by us in one line."""
    try:
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1
    except SystemExit as end:
        assert end.code == 2
        error = capsys.readouterr().err
    return error


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("run tyo", "unknown notebook 'tyo'; did you mean 'toy'"),
        ("run toy -p nn=3", "unknown parameter 'nn'; did you mean 'n'"),
        ("run toy -p n=x", "'n' must be int, found 'x'"),
        ("run -p n=3", "exactly one notebook"),
        ("run toy other -p n=3", "exactly one notebook"),
        ("run toy -f none.yaml", "none.yaml: cannot be read"),
        ("run none.yaml", "cannot be read"),
        ("run Untitled", "notebooks/Untitled.ipynb is left out: a notebook of the project"),
        ("parameters tyo", "unknown notebook"),
        ("run s.yaml --index 2", "the number of a run: from 0 to 1, found 2"),
        ("run toy --index 0", "--index needs exactly one sweep file"),
        ("run s.yaml --only *n=9*", "no run matches '*n=9*'"),
        *((f"run -j {number}", "expected an integer >= 1") for number in ("0", "-1", "²")),
        ("run s.yaml --index -1", "expected an integer >= 0"),
        ("run s.yaml --retries x", "expected an integer >= 0, found 'x'"),
        ("run toy --time-limit soon", "a time such as 90s, 30m, 12h or 2d, found 'soon'"),
    ],
)
def test_wrong_requests_are_refused_before_anything_starts(toy, capsys, command, message):
    for stem in ("01_toy", "02_other", "Untitled"):
        toy.notebook(stem, "run.finish()")
    toy.write("sweeps/s.yaml", "notebook: toy\ngrid: {n: [1, 2]}")
    assert message in refused(command.split(), capsys)
    assert not toy.project.outputs.exists()


def test_plans_and_parameters_are_listed(celled, capsys):
    for name in ("Untitled", "01_toy-Copy1"):
        celled.write(f"notebooks/{name}.ipynb", "{}")
    assert main(["parameters", "toy"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["taus", "list[float]", "[2.0,", "2.5]", "timescale", "separations"] in lines
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
    celled.write("outputs", "a file where the folder should be")
    assert "output folder outputs cannot be written" in refused(["run", "toy"], capsys)


def test_a_reader_that_goes_away_is_no_error(toy):
    toy.training()
    toy.write("sweeps/many.yaml", f"notebook: train\ngrid: {{seed: {list(range(5000))}}}\n")
    command = [sys.executable, "-m", "taugda", "run", "many.yaml", "--dry-run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("   0  01_train/default: missing")
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == 141
