"""The notebook's side of a run: figures, numbers, and where they came from."""

import atexit
import io
import json
import os
import re
import shutil
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from taugda.runs import checkpoints, tables
from taugda.runs.errors import ParameterError
from taugda.runs.files import read_json, recover, staging_folder, swap_in, write_atomic, write_json
from taugda.runs.fingerprint import kind
from taugda.runs.format import plain
from taugda.runs.hold import Hold
from taugda.runs.inputs import run_fingerprint
from taugda.runs.parameters import changed, read_notebook, read_parameters, resolve, run_name
from taugda.runs.project import Project
from taugda.runs.provenance import provenance

_DPI = 150
# Above this weight a picture is stored with a palette, so that executed notebooks stay small.
_HEAVY = 120_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Run:
    """The record of the run that the calling notebook is.

    Parameters
    ----------
    notebook : str
        The notebook's name, such as ``02_quadratic``.
    namespace : mapping
        ``globals()`` of the notebook, where the parameters' values are taken from.

    Raises
    ------
    ParameterError
        If a parameter is missing from the namespace or does not fit its type.
    ProjectError
        If the notebook is unknown.
    BusyError
        If another process is at work on the same run; the message says who.

    Notes
    -----
    In a batch, the results go to the folder that the batch prepared.  Otherwise they are
    collected in a hidden folder, and `finish` puts them in place of the former results.

    A run outside of a batch takes the run's lock as a batch does, so that no two write into one
    folder of checkpoints.  `finish` gives it back, and so does the record's end: when the cell
    that makes it is run with other parameters, or the kernel is shut down.

    `checkpoints` is the folder that a training notebook keeps its checkpoints in; the notebook
    makes it.  It outlives attempts that failed or were killed, so that the next attempt of the
    same run goes on from there, and is removed when the run has succeeded.

    Examples
    --------
    >>> run = Run("02_quadratic", globals())  # doctest: +SKIP
    >>> run.measure("tau_star", 2.0, uncertainty=1e-12)  # doctest: +SKIP
    >>> run.finish()  # doctest: +SKIP
    """

    def __init__(self, notebook: str, namespace: Mapping[str, Any]) -> None:
        self.project = Project.find()
        self.notebook = self.project.find_notebook(notebook)
        self.parameters = self._take_parameters(namespace)
        self.name = run_name(self.project, self.notebook, self.parameters)
        self.metrics: dict[str, dict[str, Any]] = {}
        self.figures: dict[str, dict[str, str]] = {}
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        self._finished = False
        prepared = os.environ.get("TAUGDA_RUN_DIR")
        self.mode = "batch" if prepared else "interactive"
        expected = os.environ.get("TAUGDA_RUN_NOTEBOOK")
        if prepared and expected != self.notebook:
            raise ParameterError(f"{expected}: the notebook calls Run({notebook!r}, ...)")
        self._final = self.project.run(self.notebook, self.name)
        self.checkpoints = self.project.checkpoints / self.notebook / self.name
        if prepared:
            self.folder = Path(prepared)
        else:
            self._hold = Hold(self.project, self.notebook, self.name)
            self._release = weakref.finalize(self, self._hold.release)
            try:
                self._prepare()
            except BaseException:
                # IPython keeps the traceback, and with it this object.
                self._release()
                raise

    def _prepare(self) -> None:
        self._fingerprint = run_fingerprint(self.project, self.notebook, self.parameters)
        self._stage()
        if kind(self.project.notebook(self.notebook)) == "training":
            checkpoints.prepare(self.checkpoints, self._fingerprint)

    def _take_parameters(self, namespace: Mapping[str, Any]) -> dict[str, Any]:
        declared = read_parameters(self.project.notebook(self.notebook))
        missing = [name for name in declared if name not in namespace]
        if missing:
            raise ParameterError(
                f"{self.notebook}: parameter {missing[0]!r} has no value; run the parameters "
                "cell first and pass globals()"
            )
        return resolve(self.project, self.notebook, {name: namespace[name] for name in declared})

    def _stage(self) -> None:
        recover(self._final)
        self.folder = staging_folder(self._final)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)

    def show(self, figure: Any, name: str, caption: str, alt: str) -> None:
        """Display a figure, store it as PNG and PDF, and close it.

        Parameters
        ----------
        figure : matplotlib.figure.Figure
            The figure.
        name : str
            File name without extension, unique in the notebook: letters, digits, ``_``, ``-``.
        caption : str
            One sentence that states the message; may hold TeX between dollar signs.
        alt : str
            What the picture shows, for those who cannot see it.

        Raises
        ------
        ValueError
            If the name is unusable or repeated, or caption or alt is empty.
        """
        from IPython.display import display

        caption, alt = self._texts(name, caption, alt)
        png, width = self._store(figure, name, caption, alt)
        display(
            {"image/png": png, "text/plain": alt},
            metadata={
                "image/png": {"alt": alt, "width": width},
                "taugda": {"figure": name, "caption": caption},
            },
            raw=True,
        )
        display(tables.caption(caption), metadata={"taugda": {"caption_of": name}}, raw=True)

    def animate(
        self,
        frames: Iterable[Any],
        name: str,
        caption: str,
        alt: str,
        labels: Sequence[str],
        still: int = 0,
    ) -> None:
        """Display a moving picture; store one frame of it as PNG and PDF.

        Parameters
        ----------
        frames : iterable of matplotlib.figure.Figure
            Figures of one size, drawn one after the other and closed.
        name : str
            File name without extension, unique in the notebook: letters, digits, ``_``, ``-``.
        caption : str
            One sentence that states the message; may hold TeX between dollar signs.
        alt : str
            What the picture shows and how it changes, for those who cannot see it.
        labels : sequence of str
            One a frame, in plain text, such as ``τ = 2.5``.
        still : int
            Number of the frame that is stored, and shown where nothing moves.

        Raises
        ------
        ValueError
            If the name is unusable or repeated, caption or alt is empty, or the frames do not
            make a moving picture; see `taugda.runs.animation.moving`.
        """
        from IPython.display import display

        from taugda.runs.animation import moving

        caption, alt = self._texts(name, caption, alt)
        picture = moving(frames, name, alt, labels, still)
        png, width = self._store(picture.still, name, caption, alt)
        display(
            {"text/html": picture.html, "image/png": png, "text/plain": alt},
            metadata={
                "image/png": {"alt": alt, "width": width},
                "taugda": {"figure": name, "caption": caption, "moving": True},
            },
            raw=True,
        )
        display(tables.caption(caption), metadata={"taugda": {"caption_of": name}}, raw=True)

    def _texts(self, name: str, caption: str, alt: str) -> tuple[str, str]:
        """Check a figure's name and texts; return the texts on one line each."""
        self._check_open()
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"name must be letters, digits, '_' and '-', found {name!r}")
        if name in self.figures:
            raise ValueError(f"name must be new in the notebook, found {name!r} again")
        for what, text in (("caption", caption), ("alt", alt)):
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"{what} of figure {name!r} must be a text, found {text!r}")
        return " ".join(caption.split()), " ".join(alt.split())

    def _store(self, figure: Any, name: str, caption: str, alt: str) -> tuple[bytes, int]:
        """Write a figure to the run's folder; return its PNG and the width to display it at."""
        png, width = _render_png(figure)
        pdf = io.BytesIO()
        # The layout that was found for one file serves for the other.
        figure.set_layout_engine("none")
        # Without its date the file is the same whenever it is made.
        figure.savefig(pdf, format="pdf", bbox_inches="tight", metadata={"CreationDate": None})
        write_atomic(self.folder / "figures" / f"{name}.png", png)
        write_atomic(self.folder / "figures" / f"{name}.pdf", pdf.getvalue())
        self.figures[name] = {"caption": caption, "alt": alt}
        _close(figure)
        return png, width

    def measure(self, name: str, value: Any, uncertainty: Any = None) -> None:
        """Record one measured value.

        Parameters
        ----------
        name : str
            Name of the metric, unique in the notebook.
        value : Any
            Number, bool, text, None (could not be decided), or nested lists, arrays or mappings
            of these.  A fraction is kept exact, as text such as ``17/23``.
        uncertainty : Any
            Half-width of the interval that the value lies in, in the value's unit; a list gives
            one an entry.

        Raises
        ------
        ValueError
            If the name is empty or was used before, or the uncertainty is negative or NaN.
        TypeError
            If the value cannot be written as plain JSON.
        """
        self._check_open()
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"name must be a text, found {name!r}")
        if name in self.metrics:
            raise ValueError(f"metric {name!r} was measured before")
        entry = {"value": plain(value, name)}
        if uncertainty is not None:
            entry["uncertainty"] = _check_uncertainty(name, plain(uncertainty, name))
        self.metrics[name] = entry

    def table(
        self, rows: Sequence[Mapping[str, Any]], caption: str, columns: Sequence[str] | None = None
    ) -> None:
        """Display numbers as a table.

        Parameters
        ----------
        rows : sequence of mappings
            One a row, values by column name; a missing value stays empty.
        caption : str
            What the table shows; may hold TeX between dollar signs, as may all texts in it.
        columns : sequence of str, optional
            Which columns, in which order; those of the rows by default.
        """
        from IPython.display import display

        display(
            tables.bundle(rows, caption, columns), metadata={"taugda": {"table": True}}, raw=True
        )

    def compare(self) -> None:
        """Display this notebook's claims: the paper's values beside the measured ones."""
        from IPython.display import display

        from taugda import claims

        mine = [c for c in claims.read_claims(self.project) if c.notebook == self.notebook]
        note = ""
        if not claims.counts(self.project, self.notebook, self.parameters):
            note = "These are not the paper's parameters, so this run decides no claim."
        found = [claims.verdict(claim, self.metrics, self.name) for claim in mine]
        display(
            tables.bundle(
                tables.claim_rows(found), tables.join("Measured against the paper.", note)
            ),
            metadata={"taugda": {"compare": True}},
            raw=True,
        )

    def finish(self) -> None:
        """Write the record; the notebook's last act.

        Raises
        ------
        BusyError
            If the run's lock was lost and another process is at work on the run now; its former
            results stay.
        RuntimeError
            If the run was finished before.
        """
        self._check_open()
        if self.mode == "interactive":
            self._hold.keep()
        details = provenance(self.project, self.parameters)
        details.update(
            notebook=self.notebook,
            run=self.name,
            mode=self.mode,
            started=self._started.isoformat(timespec="seconds"),
            duration=round(time.monotonic() - self._clock, 3),
            figures=self.figures,
        )
        write_json(self.folder / "metrics.json", self.metrics)
        write_json(self.folder / "provenance.json", details)
        self._finished = True
        message = f"Results: {self.project.display(self._final)}"
        if self.mode == "interactive":
            try:
                placed = self._publish()
            finally:
                self._release()
            if not placed:
                message = (
                    f"Kept {self.project.display(self._final)}: a batch made it from the same "
                    "notebook, parameters and library."
                )
        print(message)

    def _publish(self) -> bool:
        """Put an interactive run in its place; False where an equal batch run is kept."""
        done = read_json(self._final / "done.json")
        if done and done.get("mode") == "batch" and done.get("fingerprint") == self._fingerprint:
            shutil.rmtree(self.folder, ignore_errors=True)
            return False
        write_atomic(self.folder / "parameters.yaml", parameters_text(self.parameters))
        write_atomic(self.folder / "notebook.ipynb", self._inject())
        write_atomic(self.folder / "log.txt", "An interactive run; its output is in JupyterLab.\n")
        write_json(
            self.folder / "done.json",
            {
                "fingerprint": self._fingerprint,
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "duration": round(time.monotonic() - self._clock, 3),
                "mode": "interactive",
            },
        )
        swap_in(self.folder, self._final)
        checkpoints.clear(self.checkpoints)
        return True

    def _inject(self) -> str:
        """Source of the notebook with this run's parameters and without outputs."""
        content = read_notebook(self.project.notebook(self.notebook))
        cells = []
        for cell in content["cells"]:
            if cell["cell_type"] == "code":
                cell = {**cell, "outputs": [], "execution_count": None}
            cells.append(cell)
            different = changed(self.project, self.notebook, self.parameters)
            if different and "parameters" in cell.get("metadata", {}).get("tags", []):
                lines = ["# Parameters", *(f"{k} = {v!r}" for k, v in different.items())]
                cells.append(
                    {
                        "cell_type": "code",
                        "id": "injected-parameters",
                        "metadata": {"tags": ["injected-parameters"]},
                        "source": "\n".join(lines),
                        "outputs": [],
                        "execution_count": None,
                    }
                )
        return json.dumps({**content, "cells": cells}, indent=1, ensure_ascii=False) + "\n"

    def _check_open(self) -> None:
        if self._finished:
            raise RuntimeError("this run is finished; run the cell that makes Run(...) again")


def parameters_text(parameters: Mapping[str, Any]) -> str:
    """Write parameters as YAML that `-f` reads back.

    Parameters
    ----------
    parameters : mapping
        All parameters of a run.

    Returns
    -------
    str
        YAML, in the notebook's order.
    """
    return yaml.safe_dump(dict(parameters), sort_keys=False, allow_unicode=True) or "{}\n"


def _check_uncertainty(name: str, value: Any) -> Any:
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, bool) or not isinstance(entry, (int, float)) or entry < 0:
            raise ValueError(f"uncertainty of {name!r} must be a finite size >= 0, found {entry!r}")
    return value


def _render_png(figure: Any) -> tuple[bytes, int]:
    """PNG of a figure and the width in pixels that it should be displayed at."""
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, bbox_inches="tight", metadata={"Software": None})
    picture = Image.open(buffer)
    width = round(picture.width * 96 / _DPI)
    if buffer.getbuffer().nbytes > _HEAVY:
        buffer = io.BytesIO()
        reduced = picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT)
        reduced.save(buffer, format="png", optimize=True, dpi=(_DPI, _DPI))
    return buffer.getvalue(), width


def _close(figure: Any) -> None:
    import matplotlib.pyplot as plt

    plt.close(figure)
