"""Measure the engines of sweeps: `python benchmarks/sweep.py --seconds 60 --runs 4`.

A project with one notebook is made in a temporary folder; the notebook counts up to a number that
takes about so many seconds of one core.  The same runs then go through a plain loop over papermill,
one and two threads of this process, and Dask with one and two workers.  The table (Markdown)
and the numbers (JSON) go to outputs/bench/.  Two workers can only be twice as fast where two cores
are idle, so the load of the machine is noted beside them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
import papermill

from taugda.atomic import write_atomic
from taugda.record.provenance import machine
from taugda.record.tables import bundle
from taugda.runs import Project

COUNT = """def count(steps):
    total = 0
    for number in range(steps):
        total += number & 3
    return total"""
WORK = """begin = time.perf_counter()
count(steps)
run.measure("work", time.perf_counter() - begin)
run.finish()"""
RECORD = "import time\nfrom taugda.record import Run\nrun = Run('01_work', globals())"


def make_project(root: Path) -> Project:
    """Write the project."""
    project = Project(root, root / "outputs")
    project.notebooks.mkdir(parents=True)
    write_atomic(project.claims, "")
    parameters = nbformat.v4.new_code_cell("steps: int = 1  # how many\nseed: int = 0  # seed")
    parameters.metadata["tags"] = ["parameters"]
    cells = [parameters, *map(nbformat.v4.new_code_cell, (RECORD, COUNT, WORK))]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "x", "language": "python"}
    notebook.metadata["taugda"] = {"kind": "training"}
    write_atomic(project.notebook("01_work"), nbformat.writes(notebook))
    return project


def steps_for(seconds: float) -> int:
    """Count the steps that take so many seconds of processor time here."""
    names: dict[str, Any] = {}
    exec(COUNT, names)
    begin = time.process_time()
    names["count"](5_000_000)
    return int(5_000_000 * seconds / (time.process_time() - begin))


def plain(project: Project, steps: int, runs: int) -> float:
    """Execute the notebook with nothing but papermill; return the wall time."""
    os.environ["TAUGDA_ROOT"] = str(project.root)
    begin = time.perf_counter()
    for seed in range(runs):
        papermill.execute_notebook(
            str(project.notebook("01_work")), str(project.root / f"{seed}.ipynb"),
            {"steps": steps, "seed": seed}, kernel_name="python3", progress_bar=False,
        )  # fmt: skip
    return time.perf_counter() - begin


def engine(project: Project, *arguments: str) -> tuple[float, list[float]]:
    """Execute the sweep anew; return the wall time and the seconds of pure work of each run."""
    command = [sys.executable, "-m", "taugda", "run", "s.yaml", "--force", "--no-report"]
    begin = time.perf_counter()
    subprocess.run([*command, *arguments], check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - begin
    files = sorted(project.runs.glob("*/*/metrics.json"))
    return wall, [json.loads(path.read_text())["work"]["value"] for path in files]


def measure(seconds: float, runs: int) -> list[dict[str, Any]]:
    """Run everything; return one row an engine."""
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder))
        steps = steps_for(seconds)
        seeds = list(range(runs))
        sweep = f"notebook: work\nbase: {{steps: {steps}}}\ngrid: {{seed: {seeds}}}\n"
        write_atomic(project.sweeps / "s.yaml", sweep)
        base = plain(project, steps, runs)
        rows = [{"engine": "papermill, one after the other", "seconds": base, "load": _load()}]
        one: dict[str, float] = {}
        for name, options in {"pool": (), "dask": ("--scheduler", "local")}.items():
            for jobs in (1, 2):
                wall, work = engine(project, "-j", str(jobs), *options)
                one.setdefault(name, wall)
                row = {"engine": f"{name}, {jobs} at a time", "seconds": wall, "load": _load()}
                if jobs == 1:
                    row["overhead a run (s)"] = (wall - sum(work)) / runs
                    row["over papermill (s)"] = (wall - base) / runs
                else:
                    row["speedup"] = one[name] / wall
                rows.append(row)
    return rows


def _load() -> float:
    return round(os.getloadavg()[0], 1)


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="length of a run")
    parser.add_argument("--runs", type=int, default=4, help="how many runs")
    options = parser.parse_args()
    root = Project.find()
    rows = measure(options.seconds, options.runs)
    title = f"{options.runs} runs of about {options.seconds:g} s of work each"
    table = bundle([{k: v if isinstance(v, str) else round(v, 2) for k, v in row.items()}
                    for row in rows], title)  # fmt: skip
    write_atomic(root.outputs / "bench" / "sweep.md", table["text/markdown"] + "\n")
    content = {"title": title, "rows": rows, "machine": machine()}
    write_atomic(root.outputs / "bench" / "sweep.json", json.dumps(content, indent=2) + "\n")
    print(table["text/plain"])


if __name__ == "__main__":
    main()
