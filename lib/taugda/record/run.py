"""The record of a run: what the notebook measured and showed."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from taugda.claims import GROUPS, ClaimError, verdict
from taugda.record import figures, tables
from taugda.record.cells import Shown, current, shorten_errors
from taugda.record.claims import claim_rows, read_claims, undeciding
from taugda.record.moving import moving
from taugda.record.place import Place
from taugda.record.provenance import provenance
from taugda.record.values import plain
from taugda.runs.files import write_json
from taugda.runs.parameters import read_notebook, read_parameters, resolve
from taugda.runs.project import ParameterError, Project
from taugda.runs.state import Item

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
    project, parameters, metrics, folder
        Paths; parameters by name; what was measured so far; where the results are collected.
    checkpoints : Path
        Where a training notebook makes its checkpoints.  What failed or was killed goes on from
        there at the next attempt; success removes it.
    beside : list of (dict, Path)
        Parameters and checkpoints of the runs that a batch will make after this one in the same
        kernel, so that they may be trained together.

    Raises
    ------
    ParameterError, ProjectError
        If a parameter is missing or does not fit its type; if the notebook is unknown.
    BusyError
        If another process is at work on the same run; the message says who.

    Notes
    -----
    Outside of a batch, results are collected in a hidden folder, and `finish` puts them in place
    of the former ones; until then, or until the kernel is gone, the record holds the run's lock.

    Captions and alternative texts stand in the metadata of the notebook's cells, by the name of
    the figure or table: ``{"taugda": {"texts": {"orbits": {"caption": "...", "alt": "..."}}}}``.
    With ``"thumbnail": [0, 2]`` beside them, these panels stand for the notebook on the first page.
    In JupyterLab, a cell that is run again replaces what it recorded.
    """

    def __init__(self, notebook: str, namespace: Mapping[str, Any]) -> None:
        self._started = datetime.now(UTC)
        self._finished = False
        self.metrics: dict[str, dict[str, Any]] = {}
        self.figures: dict[str, dict[str, str]] = {}
        self._cells: dict[tuple[str, str], tuple[str | None, int]] = {}
        self._shown = Shown()
        shorten_errors()
        self.project = Project.find()
        self.notebook = self.project.find_notebook(notebook)
        declared = read_parameters(self.project.notebook(self.notebook))
        if missing := [name for name in declared if name not in namespace]:
            raise ParameterError(
                f"{self.notebook}: parameter {missing[0]!r} has no value; run the parameters "
                "cell first and pass globals()"
            )
        values = {name: namespace[name] for name in declared}
        self.parameters = resolve(self.project, self.notebook, values)
        self._texts = self._read_texts()
        item = Item(self.project, self.notebook, self.parameters)
        self._place = Place(item)
        self.name, self.beside = item.run, self._place.beside
        self.folder, self.checkpoints = self._place.folder, self._place.checkpoints

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
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"name must be a text, found {name!r}")
        cell = self._check_new("metric", name)
        entry = {"value": plain(value, name)}
        if uncertainty is not None:
            entry["uncertainty"] = sizes = plain(uncertainty, name)
            for size in sizes if isinstance(sizes, list) else [sizes]:
                if type(size) not in (int, float) or size < 0:
                    raise ValueError(
                        f"uncertainty of {name!r} must be a finite size >= 0, found {size!r}"
                    )
        self.metrics[name], self._cells["metric", name] = entry, cell
        return value

    def show(
        self, figure: Any, name: str, caption: str | None = None, alt: str | None = None
    ) -> None:
        """Display a figure, store it as PNG and PDF, and close it.

        Parameters
        ----------
        figure : matplotlib.figure.Figure
        name : str
            File name without extension, unique in the notebook: letters, digits, ``_``, ``-``.
        caption, alt : str, optional
            A sentence that states the message, and what the picture shows, for those who cannot
            see it; may hold TeX between dollar signs.  By default they stand in the metadata.

        Raises
        ------
        ValueError
            If the name is unusable or repeated, or caption or alt is missing.
        """
        self._display_figure(name, caption, alt, lambda _: (figure, None))

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
        name, caption, alt : str
            As for `show`; the alternative text also says how the picture changes.
        labels : sequence of str
            One a frame, in plain text, such as ``τ = 2.5``; read out when the slider moves.
        still : int
            Number of the frame that is stored, and shown where nothing moves.

        Raises
        ------
        ValueError
            As for `show`, and if there are fewer than two frames or not one label a frame, frames
            differ in size, ``still`` is no frame's number, or a page could not bear the weight.
        """
        self._display_figure(
            name, caption, alt, lambda alt: moving(frames, name, alt, labels, still)
        )

    def table(
        self,
        rows: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]],
        name: str,
        caption: str | None = None,
    ) -> None:
        """Display numbers as a table.

        Parameters
        ----------
        rows : sequence of mappings, or mapping of sequences
            Rows, each with values by column name (a missing value stays empty), or columns.
        name, caption : str
            As for `show`; all texts in a table may hold TeX.

        Raises
        ------
        ValueError
            If the name is unusable, the caption is missing, or columns are not equally long.
        """
        self._check_open()
        caption = self._text("table", name, "caption", caption)
        listed = tables.rows_of(rows) if isinstance(rows, Mapping) else rows
        self._display(tables.bundle(listed, caption), {"table": True})

    def finish(self) -> None:
        """Write the record, and show the notebook's claims beside the measured values.

        Raises
        ------
        BusyError
            If the run's lock was lost and another process is at work on the run now; its former
            results stay.
        RuntimeError
            If the run was finished before.
        """
        self._check_open()
        self._place.hold()
        duration = round((datetime.now(UTC) - self._started).total_seconds(), 3)
        details = {
            **provenance(self.project, self.parameters),
            **{"notebook": self.notebook, "run": self.name, "mode": self._place.mode},
            "started": self._started.isoformat(timespec="seconds"),
            "duration": duration,
            "figures": self.figures,
        }
        write_json(self.folder / "metrics.json", self.metrics)
        write_json(self.folder / "provenance.json", details)
        self._compare()
        message = self._place.publish(duration, self._shown)
        self._finished = True
        print(message)

    def _compare(self) -> None:
        """Display what is claimed beside what was measured, the paper's and our own apart."""
        try:
            claims = [c for c in read_claims(self.project) if c.notebook == self.notebook]
        except ClaimError as error:  # a mistake there costs no run
            print(f"No claim was compared: {error}")
            return
        bundles = []
        for group in GROUPS:
            if found := [verdict(c, self.metrics) for c in claims if c.group == group]:
                rows = claim_rows(found if self.name == "default" else map(undeciding, found))
                bundles.append(tables.bundle(rows, _COMPARED[group]))
        if bundles:
            both = {kind: "\n\n".join(b[kind] for b in bundles) for kind in bundles[0]}
            self._display(both, {"compare": True})

    def _text(self, thing: str, name: str, what: str, text: str | None) -> str:
        """Caption or alternative text, given or from a cell's metadata, on one line."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"name must be letters, digits, '_' and '-', found {name!r}")
        if text is None:
            if self._place.mode == "interactive":
                self._texts = self._read_texts()  # it may be being written
            texts = self._texts.get(name)
            text = texts.get(what) if isinstance(texts, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise ValueError(
                f"{what} of {thing} {name!r} must be a text, found {text!r}; give it, or write it "
                f'into the metadata of a cell as {{"taugda": {{"texts": {{"{name}": '
                f'{{"{what}": "..."}}}}}}}} and save the notebook'
            )
        return " ".join(text.split())

    def _read_texts(self) -> dict[str, Any]:
        """Texts of figures and tables by name, from the metadata of the notebook's cells."""
        found: dict[str, Any] = {}
        for cell in read_notebook(self.project.notebook(self.notebook))["cells"]:
            with suppress(KeyError, TypeError, ValueError):  # none, or no mapping
                found |= cell["metadata"]["taugda"]["texts"]
        return found

    def _display_figure(
        self, name: str, caption: str | None, alt: str | None, draw: Callable[[str], Any]
    ) -> None:
        """Draw a figure, store it, and display it, or the HTML that moves in its place."""
        cell = self._check_new("figure", name)
        caption = self._text("figure", name, "caption", caption)
        alt = self._text("figure", name, "alt", alt)
        figure, html = draw(alt)
        small = (self._texts.get(name) or {}).get("thumbnail")
        png, width = figures.store(figure, self.folder / "figures", name, small)
        self.figures[name], self._cells["figure", name] = {"caption": caption, "alt": alt}, cell
        picture = {"image/png": png, "text/plain": alt, **({"text/html": html} if html else {})}
        marks = {"figure": name, "caption": caption, **({"moving": True} if html else {})}
        self._display(picture, marks, **{"image/png": {"alt": alt, "width": width}})
        self._display(tables.caption(caption), {"caption_of": name})

    def _check_new(self, thing: str, name: str) -> tuple[str | None, int]:
        """Refuse a name that was used, unless the cell that used it is run again; say where."""
        self._check_open()
        former, here = self._cells.get((thing, name)), current()[:2]
        if former and (here == former or here[0] is None or here[0] != former[0]):
            raise ValueError(f"{thing} {name!r} was recorded before; each needs a name of its own")
        return here

    def _check_open(self) -> None:
        if self._finished:
            raise RuntimeError("this run is finished; run the cell that makes Run(...) again")

    def _display(self, content: Mapping[str, Any], marks: Mapping[str, Any], **about: Any) -> None:
        """Display content by MIME type, or print it; the marks say to the pages what it is."""
        from IPython import get_ipython
        from IPython.display import display

        metadata = {**about, "taugda": marks}
        if get_ipython():
            display(content, metadata=metadata, raw=True)
        else:  # a script, made by nbconvert say
            print(content["text/plain"])
        if self._place.mode == "interactive":
            self._shown.add(content, metadata)
