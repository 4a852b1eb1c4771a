"""What long batches need: checkpoints, runs that read other runs and data, sweeps, GPUs."""

import json
import re
import shutil

import pytest
import yaml

from taugda.__main__ import main
from taugda.runs import ParameterError
from taugda.runs.machine import gpus, take_gpu
from taugda.runs.plan import make_plan
from taugda.runs.state import identities
from taugda.runs.sweeps import read_sweep

# Checkpoints


def test_a_failed_run_leaves_its_checkpoint_which_other_code_does_not_take(toy):
    toy.training()
    checkpoints, run = toy.project.checkpoints / "01_train", toy.item("01_train", fail_at=3).run
    toy.make("train", "-p", "fail_at=3", status=1)
    (kept,) = checkpoints.glob(f"{run}.*")
    assert json.loads((kept / "state.json").read_text())["done"] == 2
    path = toy.project.notebook("01_train")
    path.write_text(path.read_text().replace("== fail_at", "== 99"))
    toy.make("train", "-p", "fail_at=3")
    assert toy.metrics("01_train", run)["from"] == [0]
    assert list(checkpoints.iterdir()) == []


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
    toy.make("collect", "seeds.yaml", "-j", "2")
    assert len(toy.metrics("00_collect")["runs"]) == 3
    assert toy.states(*wanted) == ["up to date"] * 4
    # Runs to come make it stale beforehand; one that ended makes it stale afterwards.
    (item, _) = make_plan(toy.project, [("collect", {}), ("train", {"seed": 3})])
    assert (item.state, item.reason) == ("stale", "runs of 01_train are to come")
    toy.make("train", "-p", "seed=3")
    (item,) = make_plan(toy.project, [("collect", {})])
    assert (item.state, item.reason) == ("stale", "data changed")
    toy.make("collect")
    assert toy.states(("collect", {})) == ["up to date"]
    toy.write("outputs/published/long/01_train/seed=9/done.json", "{}")
    assert toy.states(("collect", {})) == ["stale"]


def test_a_run_that_downloads_its_data_is_made_of_them(toy):
    fetch = "path = run.project.root / data_path\nif not path.exists():\n    path.write_text('x')"
    fail = "if not (run.checkpoints / 'state').exists():\n    run.checkpoints.mkdir(parents=True)\n"
    fail += "    (run.checkpoints / 'state').touch()\n    raise RuntimeError('failed')"
    marks = {"kind": "training", "data": ["data_path"]}
    marks["parameters"] = "data_path: str = 'data.bin'\ndownload: bool = False"
    toy.notebook("01_toy", fetch, fail, "run.finish()", **marks)
    toy.make("toy", "-p", "download=true", status=1)
    # The data are there now; its checkpoint was made from them.
    toy.make("toy", "-p", "download=true")
    assert toy.states(("toy", {"download": True})) == ["up to date"]
    shutil.rmtree(toy.project.runs)
    (toy.project.root / "data.bin").unlink()
    toy.notebook("01_toy", fetch, "run.finish()", **marks)
    toy.make("toy", "-p", "download=true")
    assert toy.states(("toy", {"download": True})) == ["up to date"]


@pytest.mark.parametrize(
    ("marks", "message"),
    [({"reads": ["02_b"]}, "01_a: .* must name notebooks that read no others, found 02_b"),
     ({"reads": "02_b"}, "01_a: metadata 'reads' should be a valid list"),
     ({"data": ["path"]}, "01_a: .* must name parameters of the notebook, found 'path'"),
     ({"data": ["file"]}, "01_a: parameter 'file' must name an existing file or folder")],
)  # fmt: skip
def test_wrong_words_to_the_runner_and_data_that_are_missing_are_refused(toy, marks, message):
    toy.notebook("01_a", "run.finish()", parameters="file: str = 'nowhere'", **marks)
    toy.notebook("02_b", "run.finish()", reads=["a"])
    with pytest.raises(ParameterError, match=message):
        make_plan(toy.project, [("a", {})])


def test_data_that_parameters_name_count(toy):
    toy.notebook("01_toy", "run.finish()", parameters="path: str | None = None", data=["path"])

    def found(path="pictures"):
        return identities(toy.item(path=path)).get("path")

    file = toy.write("pictures/a.bin", "1234")
    assert found(None) is None
    assert found("pictures/a.bin") == found(str(file))
    assert found(str(file)).startswith("4-03ac674216f3e15c")  # sha256 of "1234"
    before = found()
    for name, text in (("b/c.bin", "1"), ("b/c.bin", "12"), ("d.bin", "")):
        toy.write(f"pictures/{name}", text)
        assert found() not in (before, None)
        before = found()
    # Hidden files are none, such as a download on its way; links are followed, once each.
    toy.write("pictures/.a.bin.1/a.bin", "half of it")
    assert found() == before
    toy.write("far/d.bin", "123")
    (toy.project.root / "pictures" / "link").symlink_to(toy.project.root / "far")
    (toy.project.root / "far" / "circle").symlink_to(toy.project.root / "pictures")
    assert found() != before


# Sweeps


MANY = list(range(137))
LISTS = "n: int = 3  # how many\nstep: float = 1e-3\nexact: bool = True\nname: str = 'a'"


def test_sweeps_expand(toy, monkeypatch, capsys):
    toy.notebook("01_toy", "run.finish()", parameters=LISTS)
    toy.write("parameters/01_toy/small.yaml", "n: 7\n")
    # Whatever the suffix of a YAML file, which JSON is, too; in the home or in sweeps/.
    monkeypatch.setenv("HOME", str(toy.project.root))
    toy.write("small.yaml", "n: 8\n")
    home = json.dumps({"notebook": "toy", "base": "~/small.yaml", "grid": {"exact": [True]}})
    steps = [{"n": 4, "step": s, "exact": e} for s in ("1e-3", 0.5) for e in (True, False)]
    grid = "grid:\n  step: [1e-3, 0.5]\n  exact: [true, false]\n"
    for name, text, expected in (
        ("a.yaml", f"notebook: toy\nbase: {{n: 4}}\n{grid}", steps),
        ("b.YML", "notebook: toy\nruns:\n- {}\n- {n: 1}\n", [{}, {"n": 1}]),
        ("c.Yaml", "notebook: toy\nbase: parameters/01_toy/small.yaml\ngrid: {step: [1]}\n",
         [{"n": 7, "step": 1}]),
        ("~/sweeps/d.json", home, [{"n": 8, "exact": True}]),
    ):  # fmt: skip
        file = toy.write(f"sweeps/{name.removeprefix('~/sweeps/')}", text)
        assert read_sweep(toy.project, file) == [("01_toy", values) for values in expected]
        assert main(["run", name, "--dry-run"]) == 0
        assert f"{len(expected)} of {len(expected)} run" in capsys.readouterr().out
    assert main(["run", "toy", "-f", "~/small.yaml", "--dry-run"]) == 0
    assert "01_toy/n=8-" in capsys.readouterr().out


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
        ("notebook: toy\nruns:\n- n: 1\n- n: 2\n  step: fast", 5, "'step' must be float"),
        ("notebook: toy\ngrid: {n: 3}", 2, "'grid' must be .* lists of .* found 3"),
        ("notebook: toy\ngrid:\n  step: [1]\n  n: []", 4, "at least one value"),
        ("notebook: toy\ngrid: {}", 2, "'grid' must be a mapping .* write for instance"),
        ("notebook: toy\ngrid:\n  step:\n  - 1.0\n  - 1", 5, "the same is in line 4; remove one"),
        ("notebook: toy\nruns:\n- {}\n- n: 3", 4, "the same is in line 3; remove one"),
        ("notebook: toy\nruns:\n- {}\n- 3", 4, "'runs' must be a list of .* found 3"),
        ("notebook: toy\nruns: []", 2, "'runs' must be a list .*write for instance"),
        ("notebook: toy\nbase: {n: 1}\ngrid: {n: [1]}", 3, r"in 'base' too \(line 2\); remove"),
        ("notebook: toy\nbase: [1]\ngrid: {n: [1]}", 2, "'base' must be a mapping"),
        ("notebook: toy\nbase: no.yaml\ngrid: {n: [1]}", 2, "cannot be read .* from the project"),
        ("notebook: toy\nruns:\n- name: !!python/name:os.system", 3, "not valid|constructor"),
        ("notebook: toy\ngrid:\n  n: [1]\n  n: [2]", 4, "key 'n' appears twice"),
        ("[1]", 1, "expected a mapping"),
        (f"notebook: toy\ngrid: {{n: {MANY[:73]}, step: {MANY}}}", 2, "10001 runs are more than"),
    ],
)
def test_bad_sweeps_are_refused_with_the_line_and_the_fix(toy, capsys, text, line, message):
    toy.notebook("01_toy", "run.finish()", parameters=LISTS)
    path = toy.write("sweeps/bad.yaml", text)
    assert main(["run", str(path), "--dry-run"]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert re.search(rf"bad[.]yaml.* line {line}: .*{message}", error), error


def test_a_bare_run_has_the_default_sweep_in_it_and_a_member_runs_by_its_number(toy, capsys):
    toy.training()
    toy.notebook("02_toy", "run.finish()")
    toy.write("sweeps/default.yaml", "notebook: train\ngrid: {seed: [0, 6]}\n")
    six = toy.item("01_train", seed=6).label
    for command, lines in (
        # The notebook's own defaults are one of the sweep's runs, and run once.
        (["run"], ["01_train/default", "02_toy/default", six]),
        (["run", "default.yaml"], ["   0  01_train/default", f"   1  {six}"]),
    ):
        assert main([*command, "--dry-run"]) == 0
        *found, _ = capsys.readouterr().out.splitlines()
        assert found == [f"{line}: missing, would run" for line in lines]
    for _ in "ab":
        assert main(["run", "default.yaml", "--index", "1"]) == 0
        assert toy.ledger("end") == [6]
    assert not toy.project.index.exists()


EVIL = ["__import__('os').system('touch pwned')", "'); open('pwned', 'w'); ('", "a\nb = 1 #",
        "../../pwned", "{{ 1 }}", "$(touch pwned)", '""" + open("pwned", "w") + """']  # fmt: skip


def test_values_are_never_code_and_never_leave_the_outputs(toy):
    toy.notebook("01_toy", "run.measure('text', text)", "run.finish()", parameters="text: str = ''")
    toy.write("sweeps/evil.yaml", yaml.safe_dump({"notebook": "toy", "grid": {"text": EVIL}}))
    before = set(toy.project.root.parent.rglob("*"))
    toy.make("evil.yaml", "-j", "2")
    new = set(toy.project.root.parent.rglob("*")) - before
    assert all(path.is_relative_to(toy.project.outputs) for path in new)
    texts = [toy.metrics("01_toy", path.name)["text"] for path in toy.run("01_toy", "").iterdir()]
    assert sorted(texts) == sorted(EVIL)


def test_each_kernel_of_a_machine_with_gpus_sees_one(toy, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert gpus() == ["4", "6"]
    # The lock of device 4 is held elsewhere; the second run shares a device with somebody.
    device, lock = take_gpu(gpus())
    assert device == "4"
    toy.notebook(
        "01_toy",
        "import os, time\nrun.measure('gpu', os.environ['CUDA_VISIBLE_DEVICES'])\n"
        "(run.project.root / f'begun-{n}').touch()\n"
        "while len(list(run.project.root.glob('begun-*'))) < 2:\n    time.sleep(0.05)",
        "run.finish()",
    )
    toy.write("sweeps/s.yaml", "notebook: toy\ngrid: {n: [1, 2]}\n")
    toy.make("s.yaml", "-j", "2", "--time-limit", "2m")
    found = [toy.metrics("01_toy", path.name)["gpu"] for path in toy.run("01_toy", "").iterdir()]
    assert sorted(found) == ["4", "6"]
    lock.close()
    taken = [take_gpu(gpus()) for _ in range(5)]
    assert [device for device, _ in taken] == ["4", "6", "4", "6", "4"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus() == []
