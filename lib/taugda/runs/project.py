"""Where everything lies: the one module that knows the paths of the project.

The root is the folder that holds ``claims.yaml`` and ``notebooks/``: the value of ``TAUGDA_ROOT``
where that is set, else the nearest such folder at or above the working directory, else the
checkout that this package was installed from.  ``TAUGDA_OUTPUTS`` moves the outputs elsewhere.
"""

import difflib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


class ProjectError(ValueError):
    """The project, or something named in it, was not found or cannot be used."""


class ParameterError(ValueError):
    """A parameter, a parameter file or a parameters cell that cannot be used."""


@dataclass(frozen=True)
class Project:
    """The paths of one checkout, and of the outputs that belong to it."""

    root: Path
    outputs: Path

    @classmethod
    def find(cls) -> "Project":
        """Find the project of the current process; see the module's text for the rule."""
        root, named = _find_root(), os.environ.get("TAUGDA_OUTPUTS")
        if named and not Path(named).is_absolute():
            raise ProjectError(f"TAUGDA_OUTPUTS must be an absolute path, found {named!r}")
        return cls(root, Path(named) if named else root / "outputs")

    @property
    def notebooks(self) -> Path:
        """Folder of the notebooks' sources."""
        return self.root / "notebooks"

    @property
    def parameters(self) -> Path:
        """Folder of the parameter files, one subfolder a notebook."""
        return self.root / "parameters"

    @property
    def sweeps(self) -> Path:
        """Folder of the sweep files."""
        return self.root / "sweeps"

    @property
    def claims(self) -> Path:
        """File of the claims."""
        return self.root / "claims.yaml"

    @property
    def figures(self) -> Path:
        """File that says where each figure of the paper is made again."""
        return self.root / "figures.yaml"

    @property
    def runs(self) -> Path:
        """Folder of the runs, one subfolder a notebook."""
        return self.outputs / "runs"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints of unfinished runs, one subfolder a notebook."""
        return self.outputs / "checkpoints"

    @property
    def cache(self) -> Path:
        """Folder of what is kept to save time and is no result."""
        return self.outputs / "cache"

    @property
    def locks(self) -> Path:
        """Folder of the runs' locks, one subfolder a notebook."""
        return self.outputs / "locks"

    @property
    def published(self) -> Path:
        """Folder of what is committed, one subfolder a collection: ``default``, ``long``..."""
        return self.outputs / "published"

    @property
    def pages(self) -> Path:
        """Folder of the HTML pages."""
        return self.outputs / "pages"

    @property
    def index(self) -> Path:
        """The report's first page."""
        return self.outputs / "index.html"

    def notebook(self, stem: str) -> Path:
        """Source of the notebook with a full name, such as ``02_quadratic``."""
        return self.notebooks / f"{stem}.ipynb"

    def run(self, stem: str, run: str) -> Path:
        """Folder of one run of a notebook."""
        return self.runs / stem / run

    def stems(self) -> list[str]:
        """Full names of the project's notebooks, ``NN_name``, in reading order."""
        return [stem for stem in self._files() if _belongs(stem)]

    def strangers(self) -> list[str]:
        """One line on each file of notebooks/ that is none of the project's: what to do with it."""
        return [_stranger(stem) for stem in self._files() if not _belongs(stem)]

    def find_notebook(self, name: str) -> str:
        """Full name of the notebook meant by a name with or without number, folder, ``.ipynb``."""
        stems = self.stems()
        short = {bare_name(stem): stem for stem in stems}
        wanted = Path(name).name.removesuffix(".ipynb")
        if wanted in stems:
            return wanted
        if wanted in short:
            return short[wanted]
        if wanted in self._files():
            raise ProjectError(_stranger(wanted))
        known = ", ".join(short) or "none"
        hint = nearest(wanted, [*stems, *short])
        raise ProjectError(f"unknown notebook {name!r}{hint} (notebooks: {known})")

    def display(self, path: Path) -> str:
        """Write a path as a reader would: relative to the root where it lies under it."""
        inside = path.is_relative_to(self.root)
        return path.relative_to(self.root).as_posix() if inside else str(path)

    def _files(self) -> list[str]:
        return sorted(path.stem for path in self.notebooks.glob("*.ipynb"))


def bare_name(stem: str) -> str:
    """Notebook's name without its number: ``quadratic`` for ``02_quadratic``."""
    return re.sub(r"^\d+_", "", stem)


def nearest(name: object, known: Iterable[str]) -> str:
    """Ask whether the most similar known name is meant; empty where none is similar."""
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _belongs(stem: str) -> bool:
    # JupyterLab's own names for new notebooks and for copies do not fit.
    return re.fullmatch(r"\d+_\w+", stem) is not None


def _stranger(stem: str) -> str:
    return (
        f"notebooks/{stem}.ipynb is none of the project's notebooks, whose names are like "
        "13_name.ipynb: rename it so, or move it to another folder"
    )


def _find_root() -> Path:
    named = os.environ.get("TAUGDA_ROOT")
    if named:
        root = Path(named).resolve()
        if not _is_root(root):
            raise ProjectError(
                f"TAUGDA_ROOT names {named!r}, which has no claims.yaml + notebooks/"
            )
        return root
    here = Path.cwd().resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[3]):
        if _is_root(folder):
            return folder
    raise ProjectError(
        f"found no claims.yaml beside notebooks/ at or above {here}; "
        "go to a checkout of the project or set TAUGDA_ROOT"
    )


def _is_root(folder: Path) -> bool:
    return (folder / "claims.yaml").is_file() and (folder / "notebooks").is_dir()
