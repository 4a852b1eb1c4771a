"""Parameters, fingerprints, records, batches and sweeps."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction

import nbformat
import numpy as np
import pytest
import sympy

from taugda.__main__ import main
from taugda.runs import ParameterError, Project, ProjectError, Run
from taugda.runs.files import recover, swap_in, write_atomic
from taugda.runs.fingerprint import differences, fingerprint, module_digests
from taugda.runs.format import plain, show_value
from taugda.runs.parameters import (
    canonical,
    parse_assignment,
    read_file,
    read_parameters,
    resolve,
    run_name,
)
from taugda.runs.plan import make_plan

CELL = """taus: list[float] = [2, 2.5]  # timescale separations
step: float = 1e-3
seed: int = 0  # seed

name: str = "a"  # label
exact: bool = True
limit: float | None = None  # none means no limit
extra: dict = {"a": [1, 2.5]}"""


def states(toy, *wanted, **options):
    plan = make_plan(toy.project, wanted or [("toy", {})], **options)
    return [item.state for item in plan]


# Parameters


def test_parameters_are_read_in_order_with_types_and_help(toy):
    toy.notebook("01_toy", parameters=CELL)
    found = read_parameters(toy.project.notebook("01_toy"))
    assert list(found) == ["taus", "step", "seed", "name", "exact", "limit", "extra"]
    assert found["taus"].default == [2.0, 2.5]
    assert type(found["taus"].default[0]) is float
    assert found["taus"].annotation == "list[float]"
    assert found["taus"].help == "timescale separations"
    assert found["limit"].default is None


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("n = 3", "expected 'name: type = literal'"),
        ("n: int", "expected 'name: type = literal'"),
        ("n: int = 1 + 1", "plain literal"),
        ("n: int = 2.5", "must be int"),
        ("n: list[int] = [\n 1]", "on one line"),
        ("n: complex = 1", "unusable type"),
        ("n: list[complex] = [1]", "unusable type"),
        ("n: int = 1\nn: int = 2", "appears twice"),
        ("n: int = 1  # a = b", "must not contain '='"),
        ("n: int = (", "no Python"),
    ],
)
def test_bad_parameter_cells_are_refused(toy, cell, message):
    toy.notebook("01_toy", parameters=cell)
    with pytest.raises(ParameterError, match=message):
        read_parameters(toy.project.notebook("01_toy"))


def test_exactly_one_parameters_cell(toy):
    toy.notebook("01_toy")
    path = toy.project.notebook("01_toy")
    content = json.loads(path.read_text())
    content["cells"][1]["metadata"] = {}
    path.write_text(json.dumps(content))
    with pytest.raises(ParameterError, match=r"exactly one .* found 0"):
        read_parameters(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("taus=[3, 4.5]", [3.0, 4.5]),
        ("step=1e-4", 1e-4),
        ("seed=7", 7),
        ("exact=false", False),
        ("name='12'", "12"),
        ("limit=2", 2.0),
        ("limit=null", None),
        ("extra={b: 1}", {"b": 1}),
    ],
)
def test_assignments_take_the_annotated_type(toy, text, value):
    toy.notebook("01_toy", parameters=CELL)
    name, given = parse_assignment(text)
    found = resolve(toy.project, "toy", {name: given})[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    ["seed=true", "seed=1.5", "seed=x", "step=.nan", "step=.inf", "step=true", "step=fast",
     "exact=1", "exact='false'", "name=12", "taus=3", "taus=[a]", "extra=[1]", "limit=x",
     "extra={1: 2}", "extra={a: .nan}"],
)  # fmt: skip
def test_values_of_the_wrong_type_are_refused(toy, text):
    toy.notebook("01_toy", parameters=CELL)
    name, given = parse_assignment(text)
    with pytest.raises(ParameterError, match=f"01_toy: parameter '{name}' must be .* found"):
        resolve(toy.project, "toy", {name: given})


def test_unknown_names_are_refused_with_a_hint(toy):
    toy.notebook("01_toy", parameters=CELL)
    with pytest.raises(ParameterError, match="unknown parameter 'sed'; did you mean 'seed'"):
        resolve(toy.project, "toy", {"sed": 1})
    with pytest.raises(ProjectError, match="unknown notebook 'tyo'; did you mean 'toy'"):
        resolve(toy.project, "tyo", {})
    for name in ("toy", "01_toy", "01_toy.ipynb", "notebooks/01_toy.ipynb"):
        assert toy.project.find_notebook(name) == "01_toy"


@pytest.mark.parametrize("text", ["seed", "=3", "a b=3", "seed=[1", "seed=a: b: c"])
def test_malformed_assignments_are_refused(text):
    with pytest.raises(ParameterError, match="-p"):
        parse_assignment(text)


def test_parameter_files(toy):
    assert read_file(toy.write("p.yaml", "seed: 3\n")) == {"seed": 3}
    assert read_file(toy.write("p.yaml", "# nothing\n")) == {}
    for text, message in (
        ("- 1", "expected a mapping"),
        ("seed: [", "not valid YAML"),
        ("seed: 1\nseed: 2", "line 2: key 'seed' appears twice"),
        ("seed: !!python/object/apply:os.getpid []", "not valid YAML"),
    ):
        with pytest.raises(ParameterError, match=message):
            read_file(toy.write("p.yaml", text))
    with pytest.raises(ParameterError, match="cannot be read"):
        read_file(toy.project.root / "none.yaml")


# Names


def name_of(toy, **overrides):
    return run_name(toy.project, "01_toy", resolve(toy.project, "toy", overrides))


def test_run_names_say_the_parameters(toy):
    toy.notebook("01_toy", parameters=CELL)
    assert name_of(toy) == "default"
    assert name_of(toy, seed=0, taus=[2, 2.5]) == "default"
    assert name_of(toy, taus=[3, 4.5], seed=1).startswith("taus=3+4.5,seed=1-")
    assert name_of(toy, step=0.0) == name_of(toy, step=-0.0)
    assert name_of(toy, seed=1) != name_of(toy, seed=2)
    values = resolve(toy.project, "toy", {"seed": 1})
    import hashlib

    assert name_of(toy, seed=1).endswith(
        "-" + hashlib.sha256(canonical(values).encode()).hexdigest()[:8]
    )


@pytest.mark.parametrize("value", ["../../x", "/etc", "a\\b", "..", "\x00\n", "é" * 500, ".", "~"])
def test_no_value_escapes_the_folder(toy, value):
    toy.notebook("01_toy", parameters=CELL)
    name = name_of(toy, name=value)
    folder = toy.run("01_toy", name)
    assert folder.resolve().parent == (toy.project.runs / "01_toy").resolve()
    assert len(name) < 120
    assert name.isascii()
    assert not name.startswith(".")


# Fingerprints


def test_modules_are_followed_and_documentation_does_not_count(small_library):
    code = ["from taugda.runs import Run\nfrom taugda import games"]
    before = module_digests(code, small_library)
    assert set(before) == {
        "taugda", "taugda.games", "taugda.helpers", "taugda.runs", "taugda.runs.record",
    }  # fmt: skip
    helpers = small_library / "helpers.py"
    helpers.write_text('"""Other."""\n\n# note\ndef double(x):\n    """New."""\n    return 2*x\n')
    assert module_digests(code, small_library) == before
    helpers.write_text("def double(x):\n    return x + x\n")
    after = module_digests(code, small_library)
    assert {name for name in after if after[name] != before[name]} == {"taugda.helpers"}
    assert differences({"modules": before}, {"modules": after}) == [
        "library module taugda.helpers changed"
    ]


@pytest.mark.parametrize(
    "code",
    [
        "import taugda\ntaugda.plots.draw()",
        "import taugda as t\nt.plots.draw()",
        "import taugda.plots",
        "import taugda.plots as p",
        "from taugda.plots import draw",
        "from taugda import plots as p",
        "%matplotlib inline\ndef f():\n    from taugda.plots import draw",
    ],
)
def test_every_way_of_importing_is_seen(small_library, code):
    # plots imports palette inside a function
    assert {"taugda.plots", "taugda.palette"} <= set(module_digests([code], small_library))
    assert "taugda.unused" not in module_digests([code], small_library)
    assert set(module_digests([code], small_library, {"taugda.plots"})) <= {"taugda"}


def test_code_that_cannot_be_parsed_depends_on_everything(small_library):
    assert "taugda.unused" in module_digests(["x ="], small_library)


def test_fingerprint_parts(toy, small_library):
    toy.notebook("01_toy", "from taugda import plots")
    path = toy.project.notebook("01_toy")
    base = fingerprint(path, {"n": 3}, package=small_library)
    assert differences(base, base) == []
    other = fingerprint(path, {"n": 4}, {"images": "ab"}, small_library)
    assert differences(base, other) == ["parameters changed", "data changed"]
    toy.notebook("01_toy", "from taugda import plots", prose="# Other words")
    assert differences(base, fingerprint(path, {"n": 3}, package=small_library)) == [
        "notebook changed"
    ]
    toy.notebook("01_toy", "from taugda import plots", kind="training")
    assert "taugda.plots" not in fingerprint(path, {"n": 3}, package=small_library)["modules"]


# Records


def test_plain_values():
    values = {
        "a": np.float64(1.5), "b": np.arange(3), "c": np.bool_(True), "d": Fraction(17, 23),
        "e": sympy.Rational(17, 23), "f": sympy.Integer(2), "g": float("nan"), "h": -np.inf,
        "i": None, "j": (1, "x"), "k": sympy.sqrt(4), "l": np.array([[np.inf]]), "m": sympy.oo,
        "n": True,
    }  # fmt: skip
    assert plain(values) == {
        "a": 1.5, "b": [0, 1, 2], "c": True, "d": "17/23", "e": "17/23", "f": 2, "g": "nan",
        "h": "-inf", "i": None, "j": [1, "x"], "k": 2, "l": [["inf"]], "m": "inf", "n": True,
    }  # fmt: skip
    json.dumps(plain(values), allow_nan=False)
    for bad in (1j, object(), {1, 2}, np.array([1j])):
        with pytest.raises(TypeError, match="tau must be"):
            plain(bad, "tau")


def test_values_as_readers_see_them():
    assert show_value(2.0, 1e-12) == "2 ± 10⁻¹²"
    assert show_value(-4.996e-16) == "−4.996\u00a0×\u00a010⁻¹⁶"
    assert show_value(-2) == "−2"
    assert show_value(2e20) == "2\u00a0×\u00a010²⁰"
    assert show_value("a-b") == "a-b"
    assert show_value([1.0, 2.0], [0.1, 0.2]) == "1, 2 (each ± 0.2)"
    assert show_value([0.5, "17/23"]) == "0.5, 17/23"
    assert show_value(True) == "yes"
    assert show_value(None) == "–"
    assert show_value("inf") == "∞"
    assert show_value(np.float64(0.123456789)) == "0.1234568"
    assert show_value(1 - 2j) == "1 − 2i"


def interactive(toy, **values):
    return Run("01_toy", {"n": 3, **values})


def test_an_interactive_run_lands_in_the_outputs(toy, capsys):
    toy.notebook("01_toy", "run.finish()")
    run = interactive(toy, n=4)
    run.measure("tau", 2.0, uncertainty=1e-9)
    assert not toy.run("01_toy", run.name).exists()
    run.finish()
    folder = toy.run("01_toy", run.name)
    assert {path.name for path in folder.iterdir()} == {
        "notebook.ipynb", "parameters.yaml", "metrics.json", "provenance.json", "log.txt",
        "done.json",
    }  # fmt: skip
    assert json.loads((folder / "done.json").read_text())["mode"] == "interactive"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics == {"tau": {"value": 2.0, "uncertainty": 1e-9}}
    notebook = nbformat.read(folder / "notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[2].source == "# Parameters\nn = 4"
    assert "outputs/runs/01_toy/n=4-" in capsys.readouterr().out
    # The batch makes an executed copy nevertheless.
    assert states(toy, ("toy", {"n": 4})) == ["stale"]
    with pytest.raises(RuntimeError, match="finished"):
        run.measure("other", 1)


def test_an_equal_batch_run_is_kept(toy, capsys):
    toy.notebook("01_toy", "run.finish()")
    first = interactive(toy)
    first.finish()
    done = toy.run("01_toy") / "done.json"
    content = json.loads(done.read_text())
    done.write_text(json.dumps({**content, "mode": "batch", "finished": "before"}))
    interactive(toy).finish()
    assert "Kept outputs/runs/01_toy/default" in capsys.readouterr().out
    assert json.loads(done.read_text())["finished"] == "before"
    # One made by other code is replaced.
    content["fingerprint"]["total"] = "other"
    done.write_text(json.dumps({**content, "mode": "batch", "finished": "before"}))
    interactive(toy).finish()
    assert json.loads(done.read_text())["finished"] != "before"
    assert [path.name for path in (toy.project.runs / "01_toy").iterdir()] == ["default"]


def test_the_record_refuses_what_it_cannot_keep(toy):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    toy.notebook("01_toy", "run.finish()")
    with pytest.raises(ParameterError, match="'n' has no value"):
        Run("01_toy", {})
    with pytest.raises(ParameterError, match="'n' must be int"):
        Run("01_toy", {"n": 2.5})
    run = interactive(toy)
    run.measure("a", 1)
    with pytest.raises(ValueError, match="measured before"):
        run.measure("a", 2)
    with pytest.raises(ValueError, match="uncertainty of 'b'"):
        run.measure("b", 1, uncertainty=-1)
    figure, _ = plt.subplots()
    for name, caption, alt, message in (
        ("../x", "c", "a", "name must be"),
        ("", "c", "a", "name must be"),
        ("x", " ", "a", "caption of figure 'x'"),
        ("x", "c", "", "alt of figure 'x'"),
    ):
        with pytest.raises(ValueError, match=message):
            run.show(figure, name, caption=caption, alt=alt)
    run.show(figure, "x", caption="c", alt="a")
    with pytest.raises(ValueError, match="found 'x' again"):
        run.show(plt.figure(), "x", caption="c", alt="a")
    with pytest.raises(ValueError, match="caption of a table"):
        run.table([{"a": 1}], caption="")


def test_figures_are_the_same_whenever_they_are_made(toy, monkeypatch):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    toy.notebook("01_toy", "run.finish()")
    made = []
    for date in ("1000000000", "1500000000"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", date)
        run = interactive(toy)
        figure, axes = plt.subplots()
        axes.plot([1, 2])
        run.show(figure, "line", caption="c", alt="a")
        made.append([(run.folder / f"figures/line.{e}").read_bytes() for e in ("png", "pdf")])
    assert made[0] == made[1]


# Files


def test_swap_and_recovery(tmp_path):
    final, staging = tmp_path / "default", tmp_path / "new"
    for folder, text in ((final, "old"), (staging, "new")):
        write_atomic(folder / "x", text)
    swap_in(staging, final)
    assert (final / "x").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["default"]
    # A process that died in the middle of its swap, and one that died before it.
    from taugda.runs.files import _HOST

    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    final.rename(tmp_path / f".default.{_HOST}.{dead.pid}.old")
    write_atomic(tmp_path / f".default.{_HOST}.{dead.pid}.partial" / "x", "half")
    write_atomic(tmp_path / f".default.{_HOST}.{os.getpid()}.partial" / "x", "at work")
    write_atomic(tmp_path / f".default.elsewhere.{dead.pid}.partial" / "x", "another machine")
    recover(final)
    assert (final / "x").read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 3


def test_the_project_is_found_from_anywhere(toy, monkeypatch, tmp_path):
    monkeypatch.delenv("TAUGDA_ROOT")
    monkeypatch.chdir(toy.project.notebooks)
    assert Project.find().root == toy.project.root
    monkeypatch.setenv("TAUGDA_OUTPUTS", str(tmp_path / "out"))
    assert Project.find().runs == tmp_path / "out" / "runs"
    monkeypatch.setenv("TAUGDA_OUTPUTS", "relative")
    with pytest.raises(ProjectError, match="absolute"):
        Project.find()
    monkeypatch.delenv("TAUGDA_OUTPUTS")
    monkeypatch.setenv("TAUGDA_ROOT", str(tmp_path))
    with pytest.raises(ProjectError, match="TAUGDA_ROOT"):
        Project.find()


def test_importing_is_quick():
    code = (
        "import sys, taugda, taugda.runs, taugda.__main__\n"
        "heavy = {'numpy', 'sympy', 'torch', 'matplotlib', 'papermill', 'nbconvert', 'scipy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


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

    good = toy.run("01_toy")
    assert {path.name for path in good.iterdir()} == {
        "notebook.ipynb", "parameters.yaml", "metrics.json", "provenance.json", "log.txt",
        "done.json",
    }  # fmt: skip
    assert json.loads((good / "metrics.json").read_text()) == {"n": {"value": 3}}
    assert "hello" in (good / "log.txt").read_text()
    provenance = json.loads((good / "provenance.json").read_text())
    assert provenance["mode"] == "batch"
    assert provenance["versions"]["numpy"] == np.__version__
    assert str(toy.project.root) not in (good / "notebook.ipynb").read_text()
    assert "papermill" not in nbformat.read(good / "notebook.ipynb", 4).metadata

    for stem in ("02_bad", "03_killed", "04_open"):
        assert not toy.run(stem).exists()
        assert [path.name for path in (toy.project.runs / stem).iterdir()] == ["default.failed"]
    partial = (toy.run("02_bad", "default.failed") / "notebook.ipynb").read_text()
    assert "ValueError" in partial
    assert "ValueError" in (toy.run("02_bad", "default.failed") / "log.txt").read_text()
    assert "02_bad/default" in toy.project.index.read_text()
    wanted = [(stem, {}) for stem in toy.project.stems()]
    assert states(toy, *wanted) == ["up to date", *["failed before"] * 3]

    # Mended, it succeeds, and its failure is forgotten.
    toy.notebook("02_bad", "run.finish()")
    assert main(["run", "bad", "toy"]) == 0
    assert [path.name for path in (toy.project.runs / "02_bad").iterdir()] == ["default"]
    assert "up to date" in capfd.readouterr().out


def test_a_failure_leaves_the_former_success_alone(toy):
    toy.notebook("01_toy", "run.measure('n', n)", "run.finish()")
    assert main(["run", "toy", "--no-report"]) == 0
    before = {p.name: p.read_bytes() for p in toy.run("01_toy").iterdir()}
    toy.notebook("01_toy", "1 / 0", "run.finish()")
    assert states(toy) == ["stale"]
    assert main(["run", "toy", "--no-report"]) == 1
    assert {p.name: p.read_bytes() for p in toy.run("01_toy").iterdir()} == before
    assert states(toy) == ["failed before"]


def test_parameters_reach_the_notebook_and_another_run_has_another_folder(toy):
    toy.notebook("01_toy", "run.measure('n', n)", "run.finish()")
    file = toy.write("small.yaml", "n: 5\n")
    assert main(["run", "toy", "-f", str(file), "--no-report"]) == 0
    (folder,) = (toy.project.runs / "01_toy").iterdir()
    assert folder.name.startswith("n=5-")
    assert json.loads((folder / "metrics.json").read_text()) == {"n": {"value": 5}}
    assert states(toy) == ["missing"]
    assert states(toy, ("toy", {"n": 5})) == ["up to date"]
    assert states(toy, ("toy", {"n": 5}), ("01_toy", {"n": 5})) == ["up to date"]
    assert states(toy, ("toy", {"n": 5}), force=True) == ["forced"]


def test_stale_training_is_kept_unless_asked(toy, capsys):
    toy.notebook("01_toy", "run.finish()", kind="training")
    interactive(toy).finish()
    done = toy.run("01_toy") / "done.json"
    content = json.loads(done.read_text())
    content["mode"] = "batch"
    content["fingerprint"]["modules"]["taugda.runs.record"] = "older"
    done.write_text(json.dumps(content))
    (item,) = make_plan(toy.project, [("toy", {})])
    assert (item.state, item.due) == ("kept", False)
    assert item.reason == "library module taugda.runs.record changed"
    assert states(toy, refresh=True) == ["stale"]
    assert main(["run", "toy", "--no-report"]) == 0
    assert "Run it again with --refresh" in capsys.readouterr().out


def test_a_kernel_of_another_environment_is_not_used(toy, tmp_path, monkeypatch):
    broken = tmp_path / "home" / "kernels" / "python3"
    broken.mkdir(parents=True)
    spec = {
        "argv": ["/nonexistent", "{connection_file}"],
        "display_name": "x",
        "language": "python",
    }
    (broken / "kernel.json").write_text(json.dumps(spec))
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("raise SystemExit('the user own start-up file was run')\n")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    toy.notebook(
        "01_toy", "import os, sys", "run.measure('python', sys.executable)",
        "run.measure('threads', os.environ['OMP_NUM_THREADS'])", "run.finish()",
    )  # fmt: skip
    # A process of its own: the pool's server would have started before the variables were set.
    command = [sys.executable, "-m", "taugda", "run", "toy", "--no-report", "-j", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = json.loads((toy.run("01_toy") / "metrics.json").read_text())
    assert metrics["python"]["value"] == sys.executable
    assert int(metrics["threads"]["value"]) >= 1


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_batch_leaves_no_process_and_no_half_run(toy, kill):
    toy.notebook(
        "01_toy",
        "import os, pathlib, time\n"
        "pathlib.Path('pids').write_text(f'{os.getpid()} {os.getppid()}')\n"
        "time.sleep(120)",
        "run.finish()",
    )
    command = [sys.executable, "-m", "taugda", "run", "toy", "--no-report"]
    process = subprocess.Popen(
        command, cwd=toy.project.root, start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    pids = toy.project.root / "pids"
    wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 2, 30)
    if kill == signal.SIGINT:
        os.killpg(process.pid, kill)  # as a terminal does
    else:
        process.kill()
    status = process.wait(30)
    if kill == signal.SIGINT:
        assert status == 130
        assert process.stderr.read() == "taugda: interrupted; finished runs are kept\n"
    process.stderr.close()
    for pid in map(int, pids.read_text().split()):
        wait_for(lambda pid=pid: not running(pid), 30)
    assert states(toy) == ["missing"]
    assert list((toy.project.runs / "01_toy").iterdir()) == []


def test_a_killed_worker_fails_its_run_and_the_others_go_on(toy, capfd):
    toy.notebook(
        "01_toy", "import os, signal, time", "os.kill(os.getppid(), signal.SIGKILL)",
        "time.sleep(120)", "run.finish()",
    )  # fmt: skip
    toy.notebook("02_other", "run.finish()")
    assert main(["run", "-j", "1", "--no-report"]) == 1
    assert "01_toy/default: its process ended without a result" in capfd.readouterr().out
    assert states(toy, ("toy", {}), ("other", {})) == ["missing", "up to date"]
    assert list((toy.project.runs / "01_toy").iterdir()) == []


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def running(pid):
    try:
        state = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "tyo"], "unknown notebook 'tyo'"),
        (["run", "toy", "-p", "m=3"], "unknown parameter 'm'"),
        (["run", "toy", "-p", "n=x"], "'n' must be int, found 'x'"),
        (["run", "-p", "n=3"], "exactly one notebook"),
        (["run", "toy", "other", "-p", "n=3"], "exactly one notebook"),
        (["run", "toy", "-f", "none.yaml"], "none.yaml: cannot be read"),
        (["run", "none.yaml"], "cannot be read"),
        (["parameters", "tyo"], "unknown notebook"),
    ],
)
def test_wrong_requests_are_refused_before_anything_starts(toy, capsys, arguments, message):
    toy.notebook("01_toy", "run.finish()")
    toy.notebook("02_other", "run.finish()")
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not toy.project.outputs.exists()


def test_outputs_that_cannot_be_written_are_refused(toy, capsys):
    toy.notebook("01_toy", "run.finish()")
    toy.write("outputs", "a file where the folder should be")
    assert main(["run", "toy"]) == 2
    assert "output folder outputs cannot be written" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(["run", "-j", "0"])
    assert caught.value.code == 2


def test_parameters_command_and_dry_run(toy, capsys):
    toy.notebook("01_toy", "run.finish()", parameters=CELL)
    assert main(["parameters", "toy"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["taus", "list[float]", "[2.0,", "2.5]", "timescale", "separations"] in lines
    assert main(["run", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "01_toy/default: missing, would run, no estimate"
    assert lines[1] == "1 of 1 run to execute; no estimate: nothing comparable has run here"
