"""Small projects to run, made in a temporary folder."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from taugda.__main__ import main
from taugda.runs.machine import cores, hold
from taugda.runs.parameters import resolve
from taugda.runs.plan import make_plan
from taugda.runs.project import Project
from taugda.runs.state import Item

# What is compiled once serves all processes of the tests, and the next time.
KEPT = Path(__file__).parents[1] / "outputs" / "cache" / "numba"
os.environ.setdefault("NUMBA_CACHE_DIR", str(KEPT))
# Of tests side by side each has its share of the cores: threads that wait for one take it, too.
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    share = max(1, cores() // int(workers))
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(share)))

# Adds up numbers from a seed, slowly, with a checkpoint after each, and goes on from there.
TRAINING = """import json, os, random, time
file = run.checkpoints / "state.json"
state = json.loads(file.read_text()) if file.exists() else {"done": 0, "sum": 0.0, "from": []}
state["from"].append(state["done"])
run.checkpoints.mkdir(parents=True, exist_ok=True)
ledger = run.project.root / "ledger"
with ledger.open("a") as lines:
    print("begin", seed, os.getpid(), os.getppid(), file=lines)
while state["done"] < updates:
    state["done"] += 1
    state["sum"] += random.Random(f"{seed}-{state['done']}").random()
    if state["done"] == fail_at and state["from"] == [0]:
        raise RuntimeError("failed at the first attempt")
    file.with_name("new").write_text(json.dumps(state))
    os.replace(file.with_name("new"), file)
    time.sleep(wait)"""
DONE = """run.measure("sum", state["sum"])
with ledger.open("a") as lines:
    print("end", seed, os.getpid(), file=lines)
run.measure("from", state["from"])
run.finish()"""
PARAMETERS = """updates: int = 3  # how many
seed: int = 0  # seed
wait: float = 0.0  # seconds an update
fail_at: int = 0  # update that fails in the first attempt"""


@dataclass
class Toy:
    """A project with notebooks of a few cells each."""

    project: Project

    def notebook(self, stem, *code, parameters="n: int = 3  # how many", prose="# Toy", **marks):
        """Write a notebook: prose, parameters, the record, the given code cells.

        ``marks`` are what its metadata say to the runner.
        """
        tags = {"tags": ["parameters"]}
        cells = [new_markdown_cell(prose), new_code_cell(parameters, metadata=tags)]
        record = f"from taugda.record import Run\nrun = Run({stem!r}, globals())"
        cells += map(new_code_cell, (record, *code))
        for number, cell in enumerate(cells):
            cell["id"] = f"cell-{number}"
        metadata = {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
        if marks:
            metadata["taugda"] = marks
        nbformat.write(new_notebook(cells=cells, metadata=metadata), self.project.notebook(stem))

    def describe(self, **texts):
        """Write texts into the metadata of the last cell of ``01_toy``."""
        path = self.project.notebook("01_toy")
        content = json.loads(path.read_text())
        content["cells"][-1]["metadata"]["taugda"] = {"texts": texts}
        path.write_text(json.dumps(content))

    def training(self, stem="01_train", together=0):
        """Write a notebook that trains slowly, with checkpoints; some seeds may share a kernel."""
        marks, parameters, more = {"kind": "training"}, PARAMETERS, []
        if together:
            marks["together"] = {"differ": ["seed"], "at_most": "at_most"}
            parameters += f"\nat_most: int = {together}  # that share a kernel"
            more = ['run.measure("beside", [p["seed"] for p, _ in run.beside])']
        self.notebook(stem, *more, TRAINING, DONE, parameters=parameters, **marks)

    def ledger(self, word, column=1):
        """Training runs that began or ended, one an attempt: seed (1), kernel, its parent."""
        path = self.project.root / "ledger"
        lines = path.read_text().splitlines() if path.exists() else []
        return [int(line.split()[column]) for line in lines if line.startswith(word)]

    def write(self, name, text):
        """Write a text file at a path below the root."""
        path = self.project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def make(self, *arguments, status=0):
        """Run runs, without the report."""
        assert main(["run", *arguments, "--no-report"]) == status

    def item(self, stem="01_toy", **different):
        """A run by the parameters that differ from the notebook's."""
        return Item(self.project, stem, resolve(self.project, stem, different))

    def hold(self, stem="01_toy", run="default"):
        """Take a run's lock."""
        return hold(self.project.locks / stem / f"{run}.lock", f"{stem}/{run}")

    def run(self, stem, run="default"):
        """Folder of a run."""
        return self.project.run(stem, run)

    def metrics(self, stem, run="default"):
        """Values that a run measured."""
        content = json.loads((self.run(stem, run) / "metrics.json").read_text())
        return {name: entry["value"] for name, entry in content.items()}

    def states(self, *wanted, **options):
        """What a plan says of runs, each a notebook and what differs from its defaults."""
        return [item.state for item in make_plan(self.project, wanted, **options)]


@pytest.fixture
def toy(tmp_path, monkeypatch):
    root = tmp_path / "project"
    (root / "notebooks").mkdir(parents=True)
    (root / "claims.yaml").write_text("", encoding="utf-8")
    monkeypatch.setenv("TAUGDA_ROOT", str(root))
    for name in ("TAUGDA_OUTPUTS", "TAUGDA_RUN"):
        monkeypatch.delenv(name, raising=False)
    return Toy(Project(root, root / "outputs"))


@pytest.fixture
def one(toy):
    """A project with a notebook that only finishes its run."""
    toy.notebook("01_toy", "run.finish()")
    return toy


@pytest.fixture
def one_thread():
    """Of PyTorch: small networks are fastest so, and sums are always split alike."""
    import torch  # which most tests do without

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
