"""Where a run puts its results: the folder that a batch prepared, or one of its own."""

import atexit
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO
from weakref import WeakValueDictionary

from taugda.atomic import write_atomic
from taugda.record.cells import Shown
from taugda.runs import files
from taugda.runs.machine import held, hold
from taugda.runs.parameters import changed, parameters_text, read_notebook
from taugda.runs.project import ParameterError
from taugda.runs.state import UP_TO_DATE, Item, checkpoints, clear_checkpoints, compare, fingerprint

# What this process holds; two records of one run for a moment, when the cell is run again.
_locks: WeakValueDictionary[tuple[int, Path], TextIO] = WeakValueDictionary()


class Place:
    """The folder of a record; outside of a batch, hidden beside the run's, and under its lock."""

    def __init__(self, item: Item) -> None:
        self._item = item
        self.beside: list[tuple[dict[str, Any], Path]] = []
        told = os.environ.get("TAUGDA_RUN")
        self.mode = "batch" if told else "interactive"
        if told:
            prepared = files.read_json(Path(told))
            if prepared["notebook"] != item.stem:
                expected = prepared["notebook"]
                raise ParameterError(f"{expected}: the notebook calls Run({item.stem!r}, ...)")
            self.folder = Path(prepared["folder"])
            self.checkpoints = Path(prepared["checkpoints"])
            self.beside = [(parameters, Path(kept)) for parameters, kept in prepared["beside"]]
            return
        self.folder = files.staging_folder(item.folder)
        files.check_writable(item.project)
        self.hold()
        try:
            self._fingerprint = fingerprint(item)
            files.recover(item.folder)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
            self.checkpoints = checkpoints(item)
        except BaseException:
            self._lock = None  # IPython keeps the traceback, and with it this object
            raise

    def hold(self) -> None:
        """Take the run's lock, or make sure of it: its file may have been removed."""
        if self.mode == "batch":
            return
        key = os.getpid(), self._item.lock  # a forked child holds nothing
        lock = _locks.get(key)
        if lock is None or not held(lock):
            lock = hold(self._item.lock, self._item.label, interactive=True)
        self._lock: TextIO | None = lock
        _locks[key] = lock

    def publish(self, duration: float, shown: Shown) -> str:
        """Take the place of the former results, unless a batch run is up to date; say which."""
        item, place = self._item, self._item.project.display(self._item.folder)
        if self.mode == "batch":
            return f"Results: {place}"
        kept = compare(item).state == UP_TO_DATE
        if kept:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            write_atomic(self.folder / "parameters.yaml", parameters_text(item.parameters))
            write_atomic(self.folder / "notebook.ipynb", self._notebook(shown))
            now = datetime.now(UTC).isoformat(timespec="seconds")
            done = {"fingerprint": self._fingerprint, "mode": self.mode, "finished": now}
            files.write_json(self.folder / "done.json", {**done, "duration": duration})
            files.swap_in(self.folder, item.folder)
            clear_checkpoints(item)
        self._lock = None
        why = "a batch made it from the same notebook, parameters and library"
        return f"Kept {place}: {why}. Nothing was written." if kept else f"Results: {place}"

    def _notebook(self, shown: Shown) -> str:
        """Source of the notebook with this run's parameters and what its cells displayed."""
        from nbformat.v4 import new_code_cell

        content = read_notebook(self._item.notebook)
        different = changed(self._item.project, self._item.stem, self._item.parameters)
        source = "\n".join(["# Parameters", *(f"{k} = {v!r}" for k, v in different.items())])
        mark, cells = "injected-parameters", []
        for cell in shown.fill(content["cells"]):
            cells.append(cell)
            if different and "parameters" in cell["metadata"].get("tags", []):
                cells.append(new_code_cell(source, id=mark, metadata={"tags": [mark]}))
        return json.dumps({**content, "cells": cells}, indent=1, ensure_ascii=False) + "\n"
