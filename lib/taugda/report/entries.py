"""The runs that get a page: those made here, and published ones where none was made here."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taugda.runs.files import read_json, read_yaml
from taugda.runs.fingerprint import differences, fingerprint
from taugda.runs.plan import KEPT, STALE, status
from taugda.runs.project import Project, bare_name
from taugda.runs.publish import collections

if TYPE_CHECKING:
    import nbformat

# What every run has, wherever it lies; a published training run has no more.
_NEEDED = ("parameters.yaml", "metrics.json", "provenance.json", "done.json")
_FILES = ("notebook.ipynb", "parameters.yaml", "metrics.json", "provenance.json", "log.txt")


@dataclass
class Entry:
    """One finished run on its way to a page.

    Parameters
    ----------
    stem : str
        The notebook's full name.
    run : str
        The run's name.
    folder : Path
        Where its files are.
    address : str
        That folder as seen from the outputs folder.
    parameters : dict
        All its parameters.
    state : str
        ``up to date``, or what has changed since.
    collection : str
        The published collection that it is from; empty for a run made here.
    source : Path
        The notebook's source.
    """

    stem: str
    run: str
    folder: Path
    address: str
    parameters: dict[str, Any]
    state: str
    collection: str
    source: Path

    @cached_property
    def notebook(self) -> "nbformat.NotebookNode":
        """The executed notebook; one made of what was published, where that is less."""
        import nbformat

        path = self.folder / "notebook.ipynb"
        if path.is_file():
            return nbformat.read(path, as_version=4)
        from taugda.report.lean import lean_notebook

        return lean_notebook(nbformat.read(self.source, as_version=4), self.folder)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Where its numbers came from."""
        return read_json(self.folder / "provenance.json") or {}

    @cached_property
    def done(self) -> dict[str, Any]:
        """When and of what it was made."""
        return read_json(self.folder / "done.json") or {}

    @property
    def title(self) -> str:
        """The notebook's title."""
        from taugda.report.pages import title

        return title(self.notebook, bare_name(self.stem))

    @property
    def plain_title(self) -> str:
        """The title without TeX's marks, with the run's name where it is not the default."""
        plain = re.sub(r"[$\\{}]", "", self.title)
        return plain if self.is_chapter else f"{plain} ({self.run})"

    @property
    def is_chapter(self) -> bool:
        """Whether it is the run that readers are led through: the notebook's default."""
        return self.run == "default"

    @property
    def interactive(self) -> bool:
        """Whether it was made in JupyterLab, so that its page has no outputs."""
        return self.done.get("mode") == "interactive"

    @property
    def page(self) -> str:
        """File name of the page."""
        return f"{self.stem}.html" if self.is_chapter else f"{self.stem}--{self.run}.html"

    @property
    def compares(self) -> bool:
        """Whether the page shows the notebook's claims."""
        return any(
            output.get("metadata", {}).get("taugda", {}).get("compare")
            for cell in self.notebook.cells
            for output in cell.get("outputs", [])
        )

    @property
    def command(self) -> str:
        """The command that makes the run again."""
        command = f"python -m taugda run {bare_name(self.stem)}"
        if self.is_chapter:
            return command
        return f"{command} -f outputs/{self.address}/parameters.yaml"

    @property
    def files(self) -> list[str]:
        """Names of the run's files that a reader may want."""
        return [name for name in _FILES if (self.folder / name).is_file()]

    @property
    def figures(self) -> dict[str, dict[str, str]]:
        """Caption and text alternative of each stored figure, in the notebook's order."""
        named = self.provenance.get("figures") or {}
        return {
            name: texts
            for name, texts in named.items()
            if (self.folder / "figures" / f"{name}.png").is_file()
        }


def find_entries(project: Project) -> list[Entry]:
    """Find the runs that get a page.

    Parameters
    ----------
    project : Project
        Where notebooks and outputs are.

    Returns
    -------
    list of Entry
        In reading order, each notebook's default first.  A published run is left out where the
        same run was made here, or was published in an earlier collection.
    """
    found = []
    for stem in project.stems():
        runs: dict[str, Entry] = {}
        for folder in _folders(project.runs / stem):
            if all((folder / name).is_file() for name in _FILES):
                runs[folder.name] = _own(project, stem, folder)
        for collection in collections(project):
            for folder in _folders(collection / stem):
                if folder.name not in runs and _is_whole(folder):
                    runs[folder.name] = _published(project, stem, folder, collection.name)
        found += sorted(runs.values(), key=lambda e: (not e.is_chapter, e.run))
    return found


def _folders(parent: Path) -> list[Path]:
    # Hidden folders are runs in progress.
    found = [path.parent for path in parent.glob("*/done.json")]
    return [f for f in found if not f.name.startswith(".") and not f.name.endswith(".failed")]


def _is_whole(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _NEEDED)


def _own(project: Project, stem: str, folder: Path) -> Entry:
    parameters = read_yaml(folder / "parameters.yaml") or {}
    item = status(project, stem, folder.name, parameters)
    state = f"stale: {item.reason}" if item.state in (STALE, KEPT) else "up to date"
    return _entry(project, stem, folder, parameters, state, "")


def _published(project: Project, stem: str, folder: Path, collection: str) -> Entry:
    parameters = read_yaml(folder / "parameters.yaml") or {}
    return _entry(project, stem, folder, parameters, drift(project, stem, folder), collection)


def _entry(
    project: Project, stem: str, folder: Path, parameters: Any, state: str, collection: str
) -> Entry:
    address = folder.relative_to(project.outputs).as_posix()
    source = project.notebook(stem)
    return Entry(stem, folder.name, folder, address, parameters, state, collection, source)


def drift(project: Project, stem: str, folder: Path) -> str:
    """Say what has changed since a published run was made.

    Parameters
    ----------
    project : Project
        Where the notebooks are.
    stem : str
        The notebook's full name.
    folder : Path
        The published run's folder.

    Returns
    -------
    str
        ``up to date``, or what has changed.
    """
    done = read_json(folder / "done.json") or {}
    parameters = read_yaml(folder / "parameters.yaml") or {}
    now = fingerprint(project.notebook(stem), parameters)
    # What a run read (data, other runs) is not all published, so it cannot be compared.
    made = {**(done.get("fingerprint") or {}), "data": now.get("data")}
    return "; ".join(differences(made, now)) or "up to date"
