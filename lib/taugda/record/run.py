"""The record of a run: its numbers, figures and tables, and where they came from."""

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

from taugda.atomic import write_atomic
from taugda.claims import GROUPS, ClaimError, verdict
from taugda.record import tables
from taugda.record.claims import claim_rows, counts, read_claims
from taugda.record.moving import moving
from taugda.record.provenance import provenance
from taugda.record.values import plain
from taugda.runs import checkpoints
from taugda.runs.errors import BusyError, ParameterError, ProjectError
from taugda.runs.files import read_json, recover, staging_folder, swap_in, write_json
from taugda.runs.fingerprint import kind
from taugda.runs.hold import Hold
from taugda.runs.inputs import run_fingerprint
from taugda.runs.parameters import changed, read_notebook, read_parameters, resolve, run_name
from taugda.runs.project import Project
from taugda.runs.record import parameters_text

_DPI = 150
# Above this weight a picture is stored with a palette, so that executed notebooks stay small.
_HEAVY = 120_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_COMPARED = {"paper": "Measured against the paper.", "project": "The project's own checks."}


class Run:
    """The record of the run that the calling notebook is.

    Parameters
    ----------
    notebook : str
        The notebook's name, such as ``02_quadratic``.
    namespace : mapping
        ``globals()`` of the notebook, where the parameters' values are taken from.

    Attributes
    ----------
    project : Project
        The paths of the project.
    parameters : dict
        All parameters by name.
    metrics : dict
        What was measured so far: ``value`` and, where stated, ``uncertainty`` by name.
    folder : Path
        Where the results are collected.
    checkpoints : Path
        Where a training notebook keeps its checkpoints; the notebook makes it.  It outlives
        attempts that failed or were killed, so that the next attempt of the same run goes on
        from there, and is removed when the run has succeeded.

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
    collected in a hidden folder, and `finish` puts them in place of the former results; until
    then, or until the record or its kernel is gone, it holds the run's lock, so that no two
    write into one folder.

    Captions and alternative texts stand in the metadata of the notebook's cells, by the name of
    the figure or table: ``{"taugda": {"texts": {"orbits": {"caption": "...", "alt": "..."}}}}``.

    Examples
    --------
    >>> run = Run("02_quadratic", globals())  # doctest: +SKIP
    >>> run.measure("tau_star", 2.0, uncertainty=1e-12)  # doctest: +SKIP
    2.0
    >>> run.finish()  # doctest: +SKIP
    """

    def __init__(self, notebook: str, namespace: Mapping[str, Any]) -> None:
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        self._finished = False
        self.metrics: dict[str, dict[str, Any]] = {}
        self.figures: dict[str, dict[str, str]] = {}
        self._places: dict[tuple[str, str], tuple[str | None, int]] = {}
        try:
            self.project = Project.find()
            self.notebook = self.project.find_notebook(notebook)
            self._source = self.project.notebook(self.notebook)
            self.parameters = self._take_parameters(namespace)
            self.name = run_name(self.project, self.notebook, self.parameters)
            self._final = self.project.run(self.notebook, self.name)
            self.checkpoints = self.project.checkpoints / self.notebook / self.name
            self._texts = _read_texts(self._source)
            self._take_place()
        except (BusyError, ParameterError, ProjectError) as error:
            # The message says all: JupyterLab shows it without a screen of our calls.
            line = f"{type(error).__name__}: {error}"
            error._render_traceback_ = lambda: [line]  # type: ignore[union-attr]
            raise

    def _take_parameters(self, namespace: Mapping[str, Any]) -> dict[str, Any]:
        declared = read_parameters(self._source)
        missing = [name for name in declared if name not in namespace]
        if missing:
            raise ParameterError(
                f"{self.notebook}: parameter {missing[0]!r} has no value; run the parameters "
                "cell first and pass globals()"
            )
        return resolve(self.project, self.notebook, {name: namespace[name] for name in declared})

    def _take_place(self) -> None:
        """Take the folder that a batch prepared, or the run's lock and a folder of our own."""
        prepared, expected = (os.environ.get(f"TAUGDA_RUN_{x}") for x in ("DIR", "NOTEBOOK"))
        self.mode = "batch" if prepared else "interactive"
        if prepared:
            if expected != self.notebook:
                raise ParameterError(f"{expected}: the notebook calls Run({self.notebook!r}, ...)")
            self.folder = Path(prepared)
            return
        self._hold = Hold(self.project, self.notebook, self.name)
        self._release = weakref.finalize(self, self._hold.release)
        try:
            self._fingerprint = run_fingerprint(self.project, self.notebook, self.parameters)
            recover(self._final)
            self.folder = staging_folder(self._final)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
            if kind(self._source) == "training":
                checkpoints.prepare(self.checkpoints, self._fingerprint)
        except BaseException:
            # IPython keeps the traceback, and with it this object.
            self._release()
            raise

    def measure(self, name: str, value: Any, uncertainty: Any = None) -> Any:
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

        Returns
        -------
        Any
            The value as it was given, so that a table can record what it shows.

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
        here = self._check_new("metric", name)
        entry = {"value": plain(value, name)}
        if uncertainty is not None:
            entry["uncertainty"] = _check_uncertainty(name, plain(uncertainty, name))
        self.metrics[name] = entry
        self._places["metric", name] = here
        return value

    def show(
        self, figure: Any, name: str, caption: str | None = None, alt: str | None = None
    ) -> None:
        """Display a figure, store it as PNG and PDF, and close it.

        Parameters
        ----------
        figure : matplotlib.figure.Figure
            The figure.
        name : str
            File name without extension, unique in the notebook: letters, digits, ``_``, ``-``.
        caption : str, optional
            One sentence that states the message; may hold TeX between dollar signs.  By default
            it stands in the cell's metadata.
        alt : str, optional
            What the picture shows, for those who cannot see it; by default as the caption.

        Raises
        ------
        ValueError
            If the name is unusable or repeated, or caption or alt is missing.
        """
        caption, alt = self._describe(name, caption, alt)
        self._display_figure(figure, name, caption, alt)

    def animate(
        self,
        frames: Iterable[Any],
        name: str,
        labels: Sequence[str],
        still: int = 0,
        caption: str | None = None,
        alt: str | None = None,
    ) -> None:
        """Display a moving picture; store one frame of it as PNG and PDF.

        Parameters
        ----------
        frames : iterable of matplotlib.figure.Figure
            Two or more figures of one size, drawn one after the other and closed.
        name : str
            File name without extension, unique in the notebook: letters, digits, ``_``, ``-``.
        labels : sequence of str
            One a frame, in plain text, such as ``τ = 2.5``; read out when the slider moves.
        still : int
            Number of the frame that is stored, and shown where nothing moves.
        caption, alt : str, optional
            As for `show`; the alternative text also says how the picture changes.

        Raises
        ------
        ValueError
            If the name is unusable or repeated, caption or alt is missing, there are fewer than
            two frames or not one label a frame, frames differ in size, ``still`` is no frame's
            number, or the whole is heavier than a page can bear.
        """
        caption, alt = self._describe(name, caption, alt)
        figure, html = moving(frames, name, alt, labels, still)
        self._display_figure(figure, name, caption, alt, html)

    def table(
        self,
        rows: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]],
        name: str,
        caption: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        """Display numbers as a table.

        Parameters
        ----------
        rows : sequence of mappings, or mapping of sequences
            Rows, each with values by column name (a missing value stays empty), or columns by
            name.
        name : str
            Name of the table's texts: letters, digits, ``_``, ``-``.
        caption : str, optional
            What the table shows; may hold TeX between dollar signs, as may all texts in it.  By
            default it stands in the cell's metadata.
        columns : sequence of str, optional
            Order of the columns; by default that in which they first appear.

        Raises
        ------
        ValueError
            If the name is unusable, the caption is missing, columns are not equally long, or
            ``columns`` does not list them all.
        """
        self._check_open()
        caption = self._text("table", name, "caption", caption)
        listed = tables.rows_of(rows) if isinstance(rows, Mapping) else rows
        _display(tables.bundle(listed, caption, columns), table=True)

    def finish(self) -> None:
        """Show the notebook's claims beside the measured values, and write the record.

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
            duration=self._duration(),
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
        self._compare()
        print(message)

    def _compare(self) -> None:
        """Display what is claimed beside what was measured, the paper's and our own apart."""
        try:
            claims = [c for c in read_claims(self.project) if c.notebook == self.notebook]
            decides = counts(self.project, self.notebook, self.parameters)
        except (ClaimError, ParameterError) as error:  # a mistake there costs no run
            print(f"No claim was compared: {error}")
            return
        note = "" if decides else " These are not the paper's parameters: no claim is decided."
        bundles = []
        for group in GROUPS:
            found = [verdict(c, self.metrics, self.name) for c in claims if c.group == group]
            if found:
                bundles.append(tables.bundle(claim_rows(found), _COMPARED[group] + note))
        if bundles:
            both = {kind: "\n\n".join(b[kind] for b in bundles) for kind in bundles[0]}
            _display(both, compare=True)

    def _describe(self, name: str, caption: str | None, alt: str | None) -> tuple[str, str]:
        """Check the name of a new figure, and find its texts."""
        self._check_open()
        self._check_new("figure", name)
        caption = self._text("figure", name, "caption", caption)
        return caption, self._text("figure", name, "alt", alt)

    def _text(self, thing: str, name: str, what: str, text: str | None) -> str:
        """Caption or alternative text, given or from a cell's metadata, on one line."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"name must be letters, digits, '_' and '-', found {name!r}")
        if text is None:
            if self.mode == "interactive":
                self._texts = _read_texts(self._source)  # it may be being written
            texts = self._texts.get(name)
            text = texts.get(what) if isinstance(texts, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise ValueError(
                f"{what} of {thing} {name!r} must be a text, found {text!r}; give it, or write it "
                f'into the metadata of a cell as {{"taugda": {{"texts": {{"{name}": '
                f'{{"{what}": "..."}}}}}}}} and save the notebook'
            )
        return " ".join(text.split())

    def _display_figure(
        self, figure: Any, name: str, caption: str, alt: str, html: str | None = None
    ) -> None:
        """Store a figure, close it, and display it, or the HTML that moves in its place."""
        import matplotlib.pyplot as plt

        png, width = _render_png(figure)
        pdf = io.BytesIO()
        # The layout that was found for one file serves for the other.
        figure.set_layout_engine("none")
        # Without its date the file is the same whenever it is made.
        figure.savefig(pdf, format="pdf", bbox_inches="tight", metadata={"CreationDate": None})
        write_atomic(self.folder / "figures" / f"{name}.png", png)
        write_atomic(self.folder / "figures" / f"{name}.pdf", pdf.getvalue())
        plt.close(figure)
        self.figures[name] = {"caption": caption, "alt": alt}
        self._places["figure", name] = _place()
        picture = {"image/png": png, "text/plain": alt}
        marks: dict[str, Any] = {"figure": name, "caption": caption}
        if html is not None:
            picture, marks = {"text/html": html, **picture}, {**marks, "moving": True}
        _display(picture, {"image/png": {"alt": alt, "width": width}}, **marks)
        _display(tables.caption(caption), caption_of=name)

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
                "duration": self._duration(),
                "mode": "interactive",
            },
        )
        swap_in(self.folder, self._final)
        checkpoints.clear(self.checkpoints)
        return True

    def _inject(self) -> str:
        """Source of the notebook with this run's parameters and without outputs."""
        from nbformat.v4 import new_code_cell

        content = read_notebook(self._source)
        cells = []
        different = changed(self.project, self.notebook, self.parameters)
        lines = ["# Parameters", *(f"{name} = {value!r}" for name, value in different.items())]
        mark = "injected-parameters"
        for cell in content["cells"]:
            code = cell["cell_type"] == "code"
            cells.append({**cell, "outputs": [], "execution_count": None} if code else cell)
            if different and "parameters" in cell.get("metadata", {}).get("tags", []):
                cells.append(new_code_cell("\n".join(lines), id=mark, metadata={"tags": [mark]}))
        return json.dumps({**content, "cells": cells}, indent=1, ensure_ascii=False) + "\n"

    def _duration(self) -> float:
        """Seconds since the record was made."""
        return round(time.monotonic() - self._clock, 3)

    def _check_new(self, thing: str, name: str) -> tuple[str | None, int]:
        """Refuse a name that was used, unless the cell that used it is run again; say where."""
        former, here = self._places.get((thing, name)), _place()
        if former and (here == former or here[0] is None or here[0] != former[0]):
            raise ValueError(f"{thing} {name!r} was recorded before; each needs a name of its own")
        return here

    def _check_open(self) -> None:
        if self._finished:
            raise RuntimeError("this run is finished; run the cell that makes Run(...) again")


def _place() -> tuple[str | None, int]:
    """Which cell is run, where the front end says so (JupyterLab does), and for which time."""
    from IPython import get_ipython

    shell = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else None
    if not parent:
        return None, 0
    return parent.get("metadata", {}).get("cellId"), shell.execution_count


def _display(
    content: Mapping[str, Any], metadata: Mapping[str, Any] | None = None, **marks: Any
) -> None:
    """Display content by MIME type; the marks say to the pages what it is."""
    from IPython.display import display

    display(content, metadata={**(metadata or {}), "taugda": marks}, raw=True)


def _read_texts(notebook: Path) -> dict[str, Any]:
    """Texts of figures and tables by name, from the metadata of a notebook's cells."""
    found: dict[str, Any] = {}
    for cell in read_notebook(notebook).get("cells", []):
        marks = cell.get("metadata", {}).get("taugda")
        texts = marks.get("texts") if isinstance(marks, dict) else None
        found.update(texts if isinstance(texts, dict) else {})
    return found


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
