"""What long batches need: checkpoints, runs that read other runs, sweeps, estimates, status."""

import json
import re
import shutil

import pytest
import yaml
from conftest import DONE, PARAMETERS, TRAINING

from taugda.__main__ import main
from taugda.runs import ParameterError, Run
from taugda.runs.estimate import costs, makespan
from taugda.runs.execute import Outcome
from taugda.runs.inputs import awaited, identities
from taugda.runs.plan import make_plan
from taugda.runs.provenance import gpus
from taugda.runs.status import Status, batch_name, read_status
from taugda.runs.sweep import read_sweep


def states(toy, *wanted, **options):
    return [item.state for item in make_plan(toy.project, wanted, **options)]


def metrics(toy, stem, run="default"):
    return json.loads((toy.run(stem, run) / "metrics.json").read_text())


# Checkpoints


def test_a_failed_run_goes_on_from_its_checkpoint_which_success_removes(toy):
    toy.training()
    command = ["run", "train", "-p", "fail_at=3", "--no-report"]
    assert main(command) == 1
    (kept,) = (toy.project.checkpoints / "01_train").glob("fail_at=3-*/")
    assert json.loads((kept / "state.json").read_text())["done"] == 2
    assert main(command) == 0
    assert list((toy.project.checkpoints / "01_train").iterdir()) == []
    assert main(["run", "train", "--no-report"]) == 0
    assert metrics(toy, "01_train", kept.name)["from"] == {"value": [0, 2]}
    undisturbed = metrics(toy, "01_train")
    assert undisturbed["from"] == {"value": [0]}
    assert metrics(toy, "01_train", kept.name)["sum"] == undisturbed["sum"]


def test_checkpoints_of_other_code_are_set_aside(toy):
    toy.training()
    command = ["run", "train", "-p", "fail_at=3", "--no-report"]
    assert main(command) == 1
    toy.notebook("01_train", TRAINING.replace("done\"] == fail_at", "done\"] == 99"), DONE,
                 parameters=PARAMETERS, kind="training")  # fmt: skip
    (kept,) = (toy.project.checkpoints / "01_train").glob("fail_at=3-*/")
    from taugda.runs import checkpoints
    from taugda.runs.inputs import run_fingerprint
    from taugda.runs.parameters import resolve

    values = resolve(toy.project, "train", {"fail_at": 3})
    assert not checkpoints.prepare(kept, run_fingerprint(toy.project, "01_train", values))
    assert (kept.with_name(f"{kept.name}.older") / "state.json").is_file()
    assert main(command) == 0
    assert metrics(toy, "01_train", kept.name)["from"] == {"value": [0]}
    assert list((toy.project.checkpoints / "01_train").iterdir()) == []


def test_an_interactive_run_has_checkpoints_too(toy):
    toy.training()
    values = {"updates": 3, "seed": 0, "wait": 0.0, "fail_at": 0}
    run = Run("01_train", values)
    assert run.checkpoints == toy.project.checkpoints / "01_train" / "default"
    run.checkpoints.mkdir(parents=True)
    (run.checkpoints / "state.json").write_text("{}")
    run = Run("01_train", values)  # the cell again
    assert (run.checkpoints / "state.json").is_file()
    run.finish()
    assert not run.checkpoints.exists()


# What notebooks read


COLLECT = """import json
from pathlib import Path
found = sorted(run.project.runs.glob("01_train/*/metrics.json"))
run.measure("runs", [json.loads(path.read_text())["sum"]["value"] for path in found])"""


def test_what_collects_runs_starts_after_them_and_is_stale_when_they_change(toy):
    # Its number is lower, so that only its metadata put it last.
    toy.training()
    toy.notebook("00_collect", COLLECT, "run.finish()", reads=["train"])
    wanted = [("collect", {}), *(("train", {"seed": seed}) for seed in (0, 1, 2))]
    toy.write("sweeps/seeds.yaml", "notebook: train\ngrid: {seed: [0, 1, 2]}\n")
    assert main(["run", "collect", "seeds.yaml", "-j", "2", "--no-report"]) == 0
    assert len(metrics(toy, "00_collect")["runs"]["value"]) == 3
    assert states(toy, *wanted) == ["up to date"] * 4
    # Runs to come make it stale beforehand; one that ended makes it stale afterwards.
    (item, _) = make_plan(toy.project, [("collect", {}), ("train", {"seed": 3})])
    assert (item.state, item.reason) == ("stale", "runs of 01_train are to come")
    assert main(["run", "train", "-p", "seed=3", "--no-report"]) == 0
    (item,) = make_plan(toy.project, [("collect", {})])
    assert (item.state, item.reason) == ("stale", "data changed")
    assert main(["run", "collect", "--no-report"]) == 0
    assert states(toy, ("collect", {})) == ["up to date"]
    toy.write("outputs/published/long/01_train/seed=9/metrics.json", "{}")
    assert states(toy, ("collect", {})) == ["stale"]


def test_a_run_that_downloads_its_data_is_made_of_them(toy):
    fetch = "path = run.project.root / data_path\nif not path.exists():\n    path.write_text('x')"
    fail = "if not (run.checkpoints / 'state').exists():\n    run.checkpoints.mkdir(parents=True)\n"
    fail += "    (run.checkpoints / 'state').touch()\n    raise RuntimeError('failed')"
    cell = "data_path: str = 'data.bin'\ndownload: bool = False"
    toy.notebook(
        "01_toy", fetch, fail, "run.finish()", parameters=cell, kind="training", data=["data_path"]
    )
    with pytest.raises(ParameterError, match="'data_path' must name an existing"):
        make_plan(toy.project, [("toy", {})])
    assert main(["run", "toy", "-p", "download=true", "--no-report"]) == 1
    # The data are there now; its checkpoint was made from them.
    assert main(["run", "toy", "-p", "download=true", "--no-report"]) == 0
    assert states(toy, ("toy", {"download": True})) == ["up to date"]
    shutil.rmtree(toy.project.runs)
    (toy.project.root / "data.bin").unlink()
    toy.notebook(
        "01_toy", fetch, "run.finish()", parameters=cell, kind="training", data=["data_path"]
    )
    assert main(["run", "toy", "-p", "download=true", "--no-report"]) == 0
    assert states(toy, ("toy", {"download": True})) == ["up to date"]


FETCH = """from taugda.gan.fetch import fetch_into
import time
root = run.project.root
(root / f"begun-{n}").touch()
def get(folder):
    with (root / "fetches").open("a") as lines:
        print(n, file=lines)
    while len(list(root.glob("begun-*"))) < 2:
        time.sleep(0.05)
    (folder / "data.bin").write_text("x")
if not (root / data_path / "data.bin").exists():
    fetch_into(root / data_path, "data.bin", get, "failed", "Put it there")"""


def test_runs_of_a_sweep_that_start_at_once_download_their_data_once(toy):
    cell = "n: int = 0\ndata_path: str = 'data'\ndownload: bool = True"
    toy.notebook(
        "01_toy", FETCH, "run.finish()", parameters=cell, kind="training", data=["data_path"]
    )
    toy.write("sweeps/s.yaml", "notebook: toy\ngrid: {n: [1, 2]}\n")
    assert main(["run", "s.yaml", "-j", "2", "--time-limit", "2m", "--no-report"]) == 0
    assert len((toy.project.root / "fetches").read_text().splitlines()) == 1
    assert [path.name for path in (toy.project.root / "data").iterdir()] == ["data.bin"]
    # Whichever found the other's half download, each was made of the data that it waited for.
    wanted = read_sweep(toy.project, toy.project.sweeps / "s.yaml")
    assert states(toy, *wanted) == ["up to date"] * 2


def test_hidden_files_are_no_data(toy):
    toy.notebook("01_toy", "run.finish()", parameters="path: str = 'data'", data=["path"])
    values = {"path": "data"}
    toy.write("data/.data.bin.lock", "")
    toy.write("data/.data.bin.1/data.bin", "half of it")
    assert awaited(toy.project, "01_toy", values)
    toy.write("data/set/data.bin", "whole")
    before = identities(toy.project, "01_toy", values)
    assert not awaited(toy.project, "01_toy", values)
    shutil.rmtree(toy.project.root / "data" / ".data.bin.1")
    (toy.project.root / "data" / ".data.bin.lock").unlink()
    assert identities(toy.project, "01_toy", values) == before
    toy.write("data/set/data.bin", "other")
    toy.write("data/set/more.bin", "1")
    assert identities(toy.project, "01_toy", values) != before


def test_notebooks_that_read_in_a_circle_are_refused(toy):
    toy.notebook("01_a", "run.finish()", reads=["02_b"])
    toy.notebook("02_b", "run.finish()", reads=["a"])
    with pytest.raises(ParameterError, match="circle, found 01_a -> 02_b -> 01_a"):
        make_plan(toy.project, [("a", {})])
    toy.notebook("02_b", "run.finish()", reads="01_a")
    with pytest.raises(ParameterError, match="02_b: metadata 'reads' must be a list of names"):
        make_plan(toy.project, [("b", {})])


def test_data_that_parameters_name_count_and_must_be_there(toy):
    toy.notebook("01_toy", "run.finish()", parameters="path: str | None = None", data=["path"])
    file = toy.write("pictures/a.bin", "1234")
    assert identities(toy.project, "01_toy", {"path": None}) == {}
    for value in ("pictures/a.bin", str(file)):
        found = identities(toy.project, "01_toy", {"path": value})
        assert found["path"].startswith("4-03ac674216f3e15c")  # sha256 of "1234"
    folder = {"path": "pictures"}
    before = identities(toy.project, "01_toy", folder)
    toy.write("pictures/b/c.bin", "1")
    assert identities(toy.project, "01_toy", folder) != before
    assert main(["run", "toy", "-p", "path=pictures", "--no-report"]) == 0
    assert states(toy, ("toy", folder)) == ["up to date"]
    toy.write("pictures/b/c.bin", "12")
    assert states(toy, ("toy", folder)) == ["stale"]
    with pytest.raises(ParameterError, match="'path' must name an existing file or folder"):
        make_plan(toy.project, [("toy", {"path": "nowhere"})])
    toy.notebook("01_toy", "run.finish()", data=["path"])
    with pytest.raises(ParameterError, match="must name parameters of the notebook, found 'path'"):
        make_plan(toy.project, [("toy", {})])


# Sweeps


def test_a_bare_run_has_the_default_sweep_in_it(toy, capsys):
    toy.training()
    toy.notebook("02_toy", "run.finish()")
    toy.write("sweeps/default.yaml", "notebook: train\ngrid: {seed: [0, 1]}\n")
    assert main(["run", "--dry-run"]) == 0
    out = capsys.readouterr().out
    # The notebook's own defaults are one of the sweep's runs, and run once.
    assert out.count("01_train/default") == 1
    assert "01_train/seed=1-" in out
    assert "02_toy/default" in out


LISTS = "n: int = 3  # how many\nstep: float = 1e-3\nexact: bool = True\nname: str = 'a'"


def test_sweeps_expand(toy):
    toy.notebook("01_toy", "run.finish()", parameters=LISTS)
    grid = toy.write(
        "sweeps/a.yaml",
        "notebook: toy\nbase: {n: 4}\ngrid:\n  step: [1e-3, 0.5]\n  exact: [true, false]\n",
    )
    members = read_sweep(toy.project, grid)
    assert [values for _, values in members] == [
        {"n": 4, "step": step, "exact": exact} for step in ("1e-3", 0.5) for exact in (True, False)
    ]
    runs = toy.write("sweeps/b.yaml", "notebook: toy\nruns:\n- {}\n- {n: 1}\n")
    assert states(toy, *read_sweep(toy.project, runs)) == ["missing"] * 2
    assert main(["run", "a.yaml", "--dry-run"]) == 0
    toy.write("parameters/01_toy/small.yaml", "n: 7\n")
    shared = toy.write(
        "sweeps/c.yaml", "notebook: toy\nbase: parameters/01_toy/small.yaml\ngrid: {step: [1]}\n"
    )
    assert read_sweep(toy.project, shared) == [("01_toy", {"n": 7, "step": 1})]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("notebook: toy", 1, "either 'grid' or 'runs'; add one"),
        ("notebook: toy\ngrid: {n: [1]}\nruns: [{}]", 3, "either 'grid' or 'runs'; remove one"),
        ("notebook: toy\nrun: []", 2, "unknown key 'run'; use notebook, base, grid, runs"),
        ("grid: {n: [1]}", 1, "'notebook' must name a notebook, such as"),
        ("# x\n\nnotebook: tyo\ngrid: {n: [1]}", 3, "unknown notebook 'tyo'; did you mean 'toy'"),
        ("notebook: toy\ngrid:\n  n: [1]\n  stp: [1]", 4, "unknown .* 'stp'; did you mean 'step'"),
        ("notebook: toy\nbase:\n  m: 1\ngrid: {n: [1]}", 3, "unknown parameter 'm'"),
        ("notebook: toy\ngrid:\n  n:\n  - 1\n  - x", 5, "'n' must be int, found 'x'"),
        ("notebook: toy\ngrid:\n  n: [true]", 3, "'n' must be int, found True"),
        ("notebook: toy\nruns:\n- n: 1\n- n: 2\n  step: fast", 5, "'step' must be float"),
        ("notebook: toy\ngrid: {n: 3}", 2, "'n' must be a list .* found 3; write 'n: "),
        ("notebook: toy\ngrid:\n  step: [1]\n  n: []", 4, "at least one value"),
        ("notebook: toy\ngrid: {}", 2, "'grid' must be a mapping .* write for instance"),
        ("notebook: toy\ngrid:\n  step:\n  - 1.0\n  - 1", 5, "the value 1 twice; remove one"),
        ("notebook: toy\nruns:\n- {}\n- n: 3", 4, "that in line 3 are the same"),
        ("notebook: toy\nruns:\n- {}\n- 3", 4, "entry 2 must be a mapping"),
        ("notebook: toy\nruns: []", 2, "at least one entry"),
        ("notebook: toy\nbase: {n: 1}\ngrid: {n: [1]}", 3, r"in 'base' too \(line 2\); remove"),
        ("notebook: toy\nbase: [1]\ngrid: {n: [1]}", 2, "'base' must be a mapping"),
        ("notebook: toy\nbase: no.yaml\ngrid: {n: [1]}", 2, "cannot be read .* from the project"),
        ("notebook: toy\nruns:\n- name: !!python/name:os.system", 3, "not valid|constructor"),
        ("notebook: toy\ngrid:\n  n: [1]\n  n: [2]", 4, "key 'n' appears twice"),
        ("[1]", 1, "expected a mapping"),
    ],
)
def test_bad_sweeps_are_refused_with_the_line_and_the_fix(toy, capsys, text, line, message):
    toy.notebook("01_toy", "run.finish()", parameters=LISTS)
    path = toy.write("sweeps/bad.yaml", text)
    assert main(["run", str(path)]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert re.search(rf"bad[.]yaml.* line {line}: .*{message}", error), error
    assert not toy.project.outputs.exists()


def test_a_grid_of_a_million_runs_is_refused_quickly(toy):
    toy.notebook("01_toy", parameters="\n".join(f"n{i}: int = 0" for i in range(6)))
    grid = "".join(f"  n{i}: {list(range(10))}\n" for i in range(6))
    path = toy.write("sweeps/large.yaml", f"notebook: toy\ngrid:\n{grid}")
    with pytest.raises(ParameterError, match="line 2: 1000000 runs are more than the limit"):
        read_sweep(toy.project, path)


def test_one_member_of_a_sweep_runs_by_its_number(toy, capsys):
    toy.training()
    toy.write("sweeps/seeds.yaml", "notebook: train\ngrid: {seed: [5, 6, 7]}\n")
    assert main(["run", "seeds.yaml", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("   1  01_train/seed=6-")
    assert main(["run", "seeds.yaml", "--index", "1"]) == 0
    assert toy.ledger("end") == [6]
    assert not toy.project.index.exists()
    assert main(["run", "seeds.yaml", "--index", "1"]) == 0
    assert toy.ledger("end") == [6]
    for arguments, message in (
        (["seeds.yaml", "--index", "3"], "--index must be from 0 to 2 for seeds.yaml, found 3"),
        (["train", "--index", "0"], "--index needs exactly one sweep file"),
        (["seeds.yaml", "--only", "*seed=9*"], "no run matches '*seed=9*'"),
    ):
        assert main(["run", *arguments]) == 2
        assert message in capsys.readouterr().err
    for arguments in (["--index", "-1"], ["--retries", "x"], ["--time-limit", "soon"]):
        with pytest.raises(SystemExit):
            main(["run", "seeds.yaml", *arguments])
    assert "expected a time such as 90s, 30m, 12h or 2d, found 'soon'" in capsys.readouterr().err


def test_the_plan_tells_time_and_disk_from_what_has_ended(toy, capsys):
    toy.notebook(
        "01_train", "run.measure('updates_per_second', 2.0)", "run.finish()",
        parameters="updates: int = 10  # how many\nseed: int = 0  # seed\nwidth: int = 1  # size",
    )  # fmt: skip
    assert main(["run", "train", "--no-report"]) == 0
    assert main(["run", "train", "-p", "width=2", "--no-report"]) == 0
    done = toy.run("01_train") / "metrics.json"
    done.write_text(json.dumps({"updates_per_second": {"value": 1.0}}))
    toy.write(
        "sweeps/s.yaml", "notebook: train\nbase: {updates: 600}\ngrid: {seed: [1, 2, 3, 4]}\n"
    )
    plan = make_plan(toy.project, read_sweep(toy.project, toy.project.sweeps / "s.yaml"))
    expected = costs(toy.project, plan)
    # The nearest run is the one of equal width: one update a second.
    assert {cost.seconds for cost in expected.values()} == {600.0}
    assert all(cost.bytes > 1000 for cost in expected.values())
    capsys.readouterr()
    assert main(["run", "s.yaml", "-j", "2", "--dry-run"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("4 of 4 runs to execute; about 20 min with 2 at a time; ")
    assert last.endswith(" on disk; from updates per second of 1 finished run")
    assert makespan([3.0, 3.0, 2.0, 2.0, 2.0], 2) == 7.0
    assert makespan([], 2) == 0.0


WORK = """dataset: str = "digits"  # data set
device: str = "cpu"  # or cuda
width: int = 16  # feature maps
updates: int = 1000  # how many
seed: int = 0  # seed
tau: float = 2.0  # timescale separation
averages: list[float] = [0.99]  # factors
evaluate_every: int = 100  # updates between two evaluations"""


@pytest.fixture
def ended(toy):
    """One run of a training notebook that has ended, on digits and a CPU: 50 updates a second."""
    toy.notebook("01_train", "run.finish()", parameters=WORK)
    plan = make_plan(toy.project, [("train", {})])
    write_ended(toy, plan[0], {"updates_per_second": {"value": 50.0}})
    return toy


def write_ended(toy, item, metrics, duration=30.0):
    for name, content in (
        ("done.json", {"duration": duration}), ("metrics.json", metrics),
        ("provenance.json", {"parameters": item.parameters}),
    ):  # fmt: skip
        toy.write(f"outputs/runs/{item.stem}/{item.run}/{name}", json.dumps(content))


def estimate(toy, **parameters):
    plan = make_plan(toy.project, [("train", parameters)])
    (cost,) = costs(toy.project, plan).values()
    return cost.seconds


@pytest.mark.parametrize(
    ("parameters", "seconds"),
    [
        ({"seed": 1}, 20.0),
        ({"tau": 8.0, "updates": 3000}, 60.0),
        ({"averages": [0.9], "evaluate_every": 7}, 20.0),
        ({"device": "cuda"}, None),
        ({"device": "cuda", "dataset": "cifar10", "width": 64, "updates": 150_000}, None),
        ({"dataset": "cifar10"}, None),
        ({"width": 64}, None),
        ({"averages": [0.9, 0.99]}, None),
    ],
)
def test_an_estimate_comes_from_comparable_runs_or_there_is_none(ended, parameters, seconds):
    assert estimate(ended, **parameters) == seconds


def test_without_a_measured_speed_a_comparable_runs_time_counts(ended):
    (item,) = make_plan(ended.project, [("train", {"device": "cuda:1"})])
    write_ended(ended, item, {})
    assert estimate(ended, device="cuda:1", seed=4) == 30.0
    assert estimate(ended, device="cuda:0", updates=3000) == 90.0
    # What is done beside the updates is part of that time.
    assert estimate(ended, device="cuda:0", evaluate_every=7) is None


def test_a_plan_says_what_part_its_estimate_covers(ended, capsys):
    ended.write(
        "sweeps/s.yaml", "notebook: train\ngrid: {device: [cpu, cuda], seed: [1, 2], width: [16]}\n"
    )
    assert main(["run", "s.yaml", "-j", "1", "--dry-run"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.partition("would run, ")[2] for line in lines] == [
        "about 20 s", "about 20 s", "no estimate", "no estimate"
    ]  # fmt: skip
    before, _, after = last.partition("B on disk; ")
    assert before.startswith("4 of 4 runs to execute; 2 of them: about 40 s with 1 at a time; ")
    assert after == (
        "from updates per second of 1 finished run; "
        "no estimate for the other 2: nothing comparable has run here"
    )
    assert main(["run", "s.yaml", "--only", "*cuda*", "--dry-run"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == "2 of 2 runs to execute; no estimate: nothing comparable has run here"


def test_the_time_left_of_a_batch_follows_from_comparable_runs_only(ended):
    plan = make_plan(ended.project, [
        ("train", values) for values in
        ({"seed": 1}, {"seed": 2, "updates": 3000}, {"device": "cuda", "seed": 1},
         {"device": "cuda", "seed": 2})
    ])  # fmt: skip
    batch = Status(ended.project, "s", plan, costs(ended.project, plan), 1)
    one, other, *gpu = (item.label for item in plan)
    assert batch.seconds_left() is None
    batch.ended(gpu[0], Outcome("01_train", "x", 300.0))
    assert batch.seconds_left() == 20.0 + 60.0 + 300.0
    # A CPU run that took twice the estimate says nothing about the GPU's.
    batch.ended(one, Outcome("01_train", "x", 40.0))
    assert batch.seconds_left() == 120.0 + 300.0
    batch.ended(other, Outcome("01_train", "x", 120.0))
    assert batch.seconds_left() == 300.0


def test_the_status_file_says_how_a_batch_stands(toy, capsys):
    toy.training()
    toy.notebook("02_bad", "1 / 0", "run.finish()")
    assert main(["run", "train", "--no-report"]) == 0
    assert main(["run", "--no-report", "--retries", "1"]) == 1
    status, former = read_status(toy.project)
    assert (former["name"], former["counts"]["done"]) == ("train", 1)
    assert (status["name"], status["state"]) == ("all", "finished")
    assert status["counts"] == {"waiting": 0, "running": 0, "done": 0, "failed": 1, "up to date": 1}
    (good, bad) = status["runs"]
    assert (good["notebook"], good["state"], good["attempts"]) == ("01_train", "up to date", 0)
    assert (bad["run"], bad["state"], bad["attempts"]) == ("default", "failed", 2)
    assert bad["note"] == "ZeroDivisionError: division by zero"
    capsys.readouterr()
    assert main(["status"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[2] == ["all", "finished", "1", "failed,", "1", "up", "to", "date"]
    assert lines[3] == ["train", "finished", "1", "done"]
    assert batch_name(["a/b.yaml", "../x y", "02_bad.ipynb"]) == "b+x_y+02_bad"


EVIL = ["__import__('os').system('touch pwned')", "'); open('pwned', 'w'); ('", "a\nb = 1 #",
        "../../pwned", "{{ 1 }}", "$(touch pwned)", '""" + open("pwned", "w") + """']  # fmt: skip


def test_values_are_never_code_and_never_leave_the_outputs(toy):
    toy.notebook("01_toy", "run.measure('text', text)", "run.finish()", parameters="text: str = ''")
    toy.write("sweeps/evil.yaml", yaml.safe_dump({"notebook": "toy", "grid": {"text": EVIL}}))
    before = {path for path in toy.project.root.parent.rglob("*")}
    assert main(["run", "evil.yaml", "--no-report", "-j", "2"]) == 0
    new = {path for path in toy.project.root.parent.rglob("*")} - before
    assert all(path.is_relative_to(toy.project.outputs) for path in new)
    texts = [
        json.loads(path.read_text())["text"]["value"]
        for path in toy.project.runs.glob("01_toy/*/metrics.json")
    ]
    assert sorted(texts) == sorted(EVIL)


def test_each_process_of_a_machine_with_gpus_sees_one(toy, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert gpus() == ["4", "6"]
    toy.notebook(
        "01_toy",
        "import os, time; run.measure('gpu', os.environ['CUDA_VISIBLE_DEVICES']); time.sleep(2)",
        "run.finish()",
    )
    toy.write("sweeps/s.yaml", "notebook: toy\ngrid: {n: [1, 2]}\n")
    assert main(["run", "s.yaml", "--no-report", "-j", "2"]) == 0
    found = [
        json.loads(path.read_text())["gpu"]["value"]
        for path in toy.project.runs.glob("01_toy/*/metrics.json")
    ]
    assert sorted(found) == ["4", "6"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus() == []
