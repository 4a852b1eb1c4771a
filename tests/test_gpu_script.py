"""The script for a GPU, at toy size on a CPU, without what the GPU's machine does not have."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_report import dead_addresses

from taugda.gan import gpu
from taugda.gan.results import experiments
from taugda.record import finished
from taugda.report.entries import find_entries
from taugda.report.measured import publish_measured
from taugda.report.publish import PublishError
from taugda.runs.project import Project

ROOT = Path(__file__).resolve().parents[1]
BLOCKED = """import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
"""
ABSENT = ("pydantic", "papermill", "nbformat", "nbclient", "nbconvert", "jupyter_client", "IPython",
          "numba", "flint", "pytorch_fid")  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpu")
    rng = np.random.default_rng(0)
    for kind, level in (("dark", 60), ("light", 180)):
        (folder / "pictures" / kind).mkdir(parents=True)
        for k in range(50):
            pixels = rng.integers(level, level + 60, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "pictures" / kind / f"{k}.png")
    (folder / "sitecustomize.py").write_text(BLOCKED.format(names=ABSENT))
    path = os.pathsep.join([str(folder), str(ROOT / "lib")])
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--device", "cpu", "--minutes"]
    done = subprocess.run(
        [*command, "0.01", "--out", str(folder / "out"), "--data", str(folder / "pictures")],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "out"


def test_every_stage_leaves_what_it_found(made):
    # NaN is no JSON.
    found = json.loads((made / "results.json").read_text(), parse_constant=pytest.fail)
    stages = ["right", "fast", "question", "digits"]
    assert [found[stage].get("error") for stage in stages] == [None] * 4
    assert found["about"]["toy"] and list(found["seconds"]) == stages
    right, fast = found["right"], found["fast"]
    assert right["float32"]["within the bounds"]
    assert right["float32"]["a resumed run differs by"] == 0
    assert right["one pass against double differentiation"] < 1e-3
    assert fast["rounds"] >= 2 and fast["times the plain loop"] > 0
    runs = found["question"]["runs"]
    assert [(r["parameters"]["mu"], r["parameters"]["tau"]) for r in runs] == [
        (mu, tau) for mu in (10.0, 1.0) for tau in (1.0, 2.0, 4.0, 8.0)
    ]
    for run in runs:
        history = run["metrics"]["history"]
        assert history["update"][0] == 0 and history["update"][-1] == run["parameters"]["updates"]
        (by_beta,) = history["scores"].values()
        assert set(by_beta) == {"0.999", "0.9999"}
        assert all(len(values) == len(history["update"]) for values in by_beta.values())
    assert set(found["digits"]["verdicts"]) == {"pixel distance", "digits distance"}
    assert found["digits"]["seeds"] == [200]


def test_what_it_leaves_is_little(made):
    files = {path.name: path.stat().st_size for path in made.rglob("*")}
    sheets = {f"samples_mu{mu}.png" for mu in (10, 1)}
    assert files.keys() == {"results.json", "digits.json", "classifier.pt", *sheets}
    assert max(files.values()) < 2**24
    for name in sheets:
        sheet = Image.open(made / name)
        assert sheet.width == 4 * sheet.height


def test_results_become_published_runs_and_toy_ones_do_not(made, tmp_path):
    project = Project(tmp_path, tmp_path / "outputs")
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "09_gan_training.ipynb", tmp_path / "notebooks")
    for folder, what in ((made, "toy ones"), (made.parent / "pictures", "none")):
        with pytest.raises(PublishError, match=f"expected results.json .*, got {what}"):
            publish_measured(project, folder, "gpu")
    assert not project.published.exists()
    folder = shutil.copytree(made, tmp_path / "made")
    found = json.loads((folder / "results.json").read_text())
    found["about"]["toy"] = False
    (folder / "results.json").write_text(json.dumps(found))
    for _ in range(2):  # again, in place of what is there
        published = publish_measured(project, folder, "gpu")
    runs = finished(project, "gan_training")
    assert len(runs) == 8 and {run.collection for run in runs} == {"gpu"}
    for run, measured in itertools.product(runs, found["question"]["runs"]):
        if all(run.parameters[name] == measured["parameters"][name] for name in ("tau", "mu")):
            assert run.metrics["history"] == measured["metrics"]["history"]
            sheet = np.asarray(Image.open(folder / f"samples_mu{run.parameters['mu']:g}.png"))
            mine = np.asarray(Image.open(run.folder / "figures" / "samples.png"))
            place = len(mine) * (1, 2, 4, 8).index(run.parameters["tau"])
            assert (mine == sheet[:, place : place + len(mine)]).all()
    assert len(experiments(runs).others(by_script=True)) == 2
    assert experiments(runs).others() == []
    for entry in find_entries(project):  # each has a page
        assert entry.figures["samples"]["alt"] and entry.notebook["cells"]
    found = gpu.tables(published / "results.json")
    assert [row["way"] for row in found["cost"]] == ["plain loop, float32", "eager, float32"]
    assert [row["precision"] for row in found["right"]] == ["float32"]
    assert gpu.tables(published / "nowhere.json") == {}
    assert dead_addresses(published / "README.md") == []
    text = (published / "README.md").read_text()
    assert "| plain loop, float32 |" in text and "| float32 |" in text
