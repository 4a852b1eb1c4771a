"""Where everything lies: the one module that knows the paths of the project.

The root is the folder that holds ``claims.yaml`` and ``notebooks/``: the value of ``TAUGDA_ROOT``
where that is set, else the nearest such folder at or above the working directory, else the
checkout that this package was installed from.  ``TAUGDA_OUTPUTS`` moves the outputs elsewhere, but
not what is published, which belongs to the repository.
"""

import difflib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_STRANGER = (
    "notebooks/{}.ipynb is left out: a notebook of the project has a name such as 13_name.ipynb; "
    "rename it so, or move it to another folder"
)


class ProjectError(ValueError):
    """The project, or something named in it, was not found or cannot be used."""


class ParameterError(ValueError):
    """A parameter, a parameter file or a parameters cell that cannot be used."""


def _path(base: str, name: str) -> property:
    return property(lambda project: getattr(project, base) / name)


@dataclass(frozen=True)
class Project:
    """The paths of one checkout, and of the outputs that belong to it."""

    root: Path
    outputs: Path

    notebooks = _path("root", "notebooks")
    parameters = _path("root", "parameters")  # parameter files, one subfolder a notebook
    sweeps = _path("root", "sweeps")
    claims = _path("root", "claims.yaml")
    figures = _path("root", "figures.yaml")  # where each figure of the paper is made again
    runs = _path("outputs", "runs")  # here and in the next two: one subfolder a notebook
    checkpoints = _path("outputs", "checkpoints")
    locks = _path("outputs", "locks")
    cache = _path("outputs", "cache")  # what is kept to save time and is no result
    published = _path("root", "outputs/published")  # committed, one subfolder a collection
    pages = _path("outputs", "pages")
    index = _path("outputs", "index.html")  # the report's first page

    @classmethod
    def find(cls) -> "Project":
        """Find the project of the current process; see the module's text for the rule."""
        named, outputs = os.environ.get("TAUGDA_ROOT"), os.environ.get("TAUGDA_OUTPUTS")
        if outputs and not Path(outputs).is_absolute():
            raise ProjectError(f"TAUGDA_OUTPUTS must be an absolute path, found {outputs!r}")
        here = Path.cwd()
        places = [Path(named)] if named else [here, *here.parents, Path(__file__).parents[3]]
        for root in (place.resolve() for place in places):
            if (root / "claims.yaml").is_file() and (root / "notebooks").is_dir():
                return cls(root, Path(outputs) if outputs else root / "outputs")
        where = f"in {named}, which TAUGDA_ROOT names" if named else f"at or above {here}"
        raise ProjectError(
            f"found no claims.yaml beside notebooks/ {where}; "
            "go to a checkout of the project or set TAUGDA_ROOT"
        )

    def notebook(self, stem: str) -> Path:
        """Source of the notebook with a full name, such as ``02_quadratic``."""
        return self.notebooks / f"{stem}.ipynb"

    def run(self, stem: str, run: str) -> Path:
        """Folder of one run of a notebook."""
        return self.runs / stem / run

    def stems(self) -> list[str]:
        """Full names of the project's notebooks in reading order."""
        # JupyterLab's own names for new notebooks and for copies do not fit.
        found = sorted(path.stem for path in self.notebooks.glob("*.ipynb"))
        return [stem for stem in found if re.fullmatch(r"\d+_\w+", stem)]

    def strangers(self) -> list[str]:
        """Say of each file in notebooks/ that is none of the project's what to do with it."""
        names = {path.stem for path in self.notebooks.glob("*.ipynb")}
        return [_STRANGER.format(name) for name in sorted(names - {*self.stems()})]

    def find_notebook(self, name: str) -> str:
        """Full name of the notebook meant by a name with or without number, folder, ``.ipynb``."""
        stems, wanted = self.stems(), Path(name).name.removesuffix(".ipynb")
        known = {bare_name(stem): stem for stem in stems} | {stem: stem for stem in stems}
        if wanted in known:
            return known[wanted]
        if self.notebook(wanted).exists():
            raise ProjectError(_STRANGER.format(wanted))
        names = ", ".join(map(bare_name, stems)) or "none"
        raise ProjectError(
            f"unknown notebook {name!r}{nearest(wanted, known)} (notebooks: {names})"
        )

    def display(self, path: Path) -> str:
        """Write a path as a reader would: relative to the root where it lies under it."""
        inside = path.is_relative_to(self.root)
        return path.relative_to(self.root).as_posix() if inside else str(path)


def bare_name(stem: str) -> str:
    """Notebook's name without its number: ``quadratic`` for ``02_quadratic``."""
    return re.sub(r"^\d+_", "", stem)


def nearest(name: object, known: Iterable[str]) -> str:
    """Ask whether the most similar known name is meant; empty where none is similar."""
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
