"""Where a run puts its results: the folder that a batch prepared, or one of its own."""

import atexit
import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from taugda.atomic import write_atomic
from taugda.record.cells import Shown
from taugda.runs import checkpoints
from taugda.runs.files import read_json, recover, staging_folder, swap_in, write_json
from taugda.runs.lock import Lock, hold
from taugda.runs.parameters import changed, parameters_text, read_notebook
from taugda.runs.plan import check_writable
from taugda.runs.project import ParameterError, Project
from taugda.runs.state import awaited, fingerprint, kind

# What this process holds; two records of one run for a moment, when the cell is run again.
_locks: WeakValueDictionary[tuple[int, Path], Lock] = WeakValueDictionary()


class Place:
    """The folder of a record; outside of a batch, hidden beside the run's, and under its lock."""

    def __init__(self, project: Project, stem: str, run: str, values: Mapping[str, Any]) -> None:
        self._project, self._stem, self._run, self._values = project, stem, run, values
        self._final = project.run(stem, run)
        self.checkpoints = project.checkpoints / stem / run
        self.beside: list[tuple[dict[str, Any], Path]] = []
        told = os.environ.get("TAUGDA_RUN")
        self.mode = "batch" if told else "interactive"
        if told:
            prepared = read_json(Path(told))
            if prepared["notebook"] != stem:
                expected = prepared["notebook"]
                raise ParameterError(f"{expected}: the notebook calls Run({stem!r}, ...)")
            self.folder = Path(prepared["folder"])
            self.beside = [(parameters, Path(kept)) for parameters, kept in prepared["beside"]]
            return
        self.folder = staging_folder(self._final)
        check_writable(project)
        self.hold()
        try:
            self._fingerprint = fingerprint(project, stem, values)
            recover(self._final)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
            if kind(project.notebook(stem)) == "training":
                late = awaited(project, stem, values)
                checkpoints.prepare(self.checkpoints, self._fingerprint, late)
        except BaseException:
            self._lock = None  # IPython keeps the traceback, and with it this object
            raise

    def hold(self) -> None:
        """Take the run's lock, or make sure of it: its file may have been removed."""
        if self.mode == "batch":
            return
        key = os.getpid(), self._final  # a forked child holds nothing
        lock = _locks.get(key)
        if lock is None or not lock.held():
            lock = hold(self._project, self._stem, self._run, interactive=True)
        self._lock: Lock | None = lock
        _locks[key] = lock

    def publish(self, duration: float, shown: Shown) -> str:
        """Take the place of the former results, unless an equal batch run is kept; say which."""
        place = self._project.display(self._final)
        if self.mode == "batch":
            return f"Results: {place}"
        done, made = read_json(self._final / "done.json"), {"fingerprint": self._fingerprint}
        kept = isinstance(done, dict) and {**done, **made, "mode": "batch"} == done
        if kept:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._lock = None
            same = "a batch made it from the same notebook, parameters and library"
            return f"Kept {place}: {same}. Nothing was written."
        write_atomic(self.folder / "parameters.yaml", parameters_text(self._values))
        write_atomic(self.folder / "notebook.ipynb", self._notebook(shown))
        write_atomic(self.folder / "log.txt", "An interactive run; its output is in JupyterLab.\n")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        done = {**made, "finished": now, "duration": duration, "mode": "interactive"}
        write_json(self.folder / "done.json", done)
        swap_in(self.folder, self._final)
        checkpoints.clear(self.checkpoints)
        self._lock = None
        return f"Results: {place}"

    def _notebook(self, shown: Shown) -> str:
        """Source of the notebook with this run's parameters and what its cells displayed."""
        from nbformat.v4 import new_code_cell

        content = read_notebook(self._project.notebook(self._stem))
        different = changed(self._project, self._stem, self._values)
        source = "\n".join(["# Parameters", *(f"{k} = {v!r}" for k, v in different.items())])
        mark, cells = "injected-parameters", []
        for cell in shown.fill(content["cells"]):
            cells.append(cell)
            if different and "parameters" in cell["metadata"].get("tags", []):
                cells.append(new_code_cell(source, id=mark, metadata={"tags": [mark]}))
        return json.dumps({**content, "cells": cells}, indent=1, ensure_ascii=False) + "\n"
