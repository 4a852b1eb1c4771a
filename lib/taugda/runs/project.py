"""Where everything lies: the one module that knows the paths of the project.

The root is the folder that holds ``claims.yaml`` and ``notebooks/``.  It is the value of the
environment variable ``TAUGDA_ROOT`` where that is set, else the nearest such folder at or above
the working directory, else the checkout that this package was installed from.
``TAUGDA_OUTPUTS`` moves the outputs elsewhere.
"""

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from taugda.runs.errors import ProjectError


@dataclass(frozen=True)
class Project:
    """The paths of one checkout.

    Parameters
    ----------
    root : Path
        Folder that holds ``claims.yaml`` and ``notebooks/``.
    outputs : Path
        Folder that everything generated is written under.
    """

    root: Path
    outputs: Path

    @classmethod
    def find(cls) -> "Project":
        """Find the project of the current process.

        Returns
        -------
        Project
            The project; see the module's text for the rule.

        Raises
        ------
        ProjectError
            If no root is found, or an environment variable names an unusable one.
        """
        root = _find_root()
        named = os.environ.get("TAUGDA_OUTPUTS")
        if not named:
            return cls(root, root / "outputs")
        outputs = Path(named)
        if not outputs.is_absolute():
            raise ProjectError(f"TAUGDA_OUTPUTS must be an absolute path, found {named!r}")
        return cls(root, outputs)

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
        """File of the paper's claims."""
        return self.root / "claims.yaml"

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
        """Folder of the locks of runs at work, one subfolder a notebook."""
        return self.outputs / "locks"

    @property
    def statuses(self) -> Path:
        """Folder of the batches' status files."""
        return self.outputs / "status"

    @property
    def published(self) -> Path:
        """Folder of what is committed, one subfolder a collection: ``default``, ``long``..."""
        return self.outputs / "published"

    @property
    def figures(self) -> Path:
        """File that says where each figure of the paper is made again."""
        return self.root / "figures.yaml"

    @property
    def pages(self) -> Path:
        """Folder of the HTML pages."""
        return self.outputs / "pages"

    @property
    def index(self) -> Path:
        """The report's first page."""
        return self.outputs / "index.html"

    def notebook(self, stem: str) -> Path:
        """Path of a notebook's source.

        Parameters
        ----------
        stem : str
            The notebook's full name, such as ``02_quadratic``.

        Returns
        -------
        Path
            The file.
        """
        return self.notebooks / f"{stem}.ipynb"

    def run(self, stem: str, run: str) -> Path:
        """Folder of one run.

        Parameters
        ----------
        stem : str
            The notebook's full name.
        run : str
            The run's name.

        Returns
        -------
        Path
            The folder.
        """
        return self.runs / stem / run

    def stems(self) -> list[str]:
        """Full names of all notebooks in reading order.

        Returns
        -------
        list of str
            The names, such as ``02_quadratic``.
        """
        return sorted(path.stem for path in self.notebooks.glob("*.ipynb"))

    def find_notebook(self, name: str) -> str:
        """Full name of the notebook that a user means.

        Parameters
        ----------
        name : str
            With or without its number, its folder and ``.ipynb``.

        Returns
        -------
        str
            The full name, such as ``02_quadratic``.

        Raises
        ------
        ProjectError
            If no notebook has that name; the message lists those there are.
        """
        stems = self.stems()
        short = {bare_name(stem): stem for stem in stems}
        wanted = Path(name).name.removesuffix(".ipynb")
        if wanted in stems:
            return wanted
        if wanted in short:
            return short[wanted]
        close = difflib.get_close_matches(wanted, [*stems, *short], n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        known = ", ".join(short) or "none"
        raise ProjectError(f"unknown notebook {name!r}{hint} (notebooks: {known})")

    def display(self, path: Path) -> str:
        """Write a path as a reader of the project would.

        Parameters
        ----------
        path : Path
            Any path.

        Returns
        -------
        str
            Relative to the root where it lies under it.
        """
        try:
            return path.relative_to(self.root).as_posix()
        except ValueError:
            return str(path)


def bare_name(stem: str) -> str:
    """Notebook's name without its number.

    Parameters
    ----------
    stem : str
        The full name, such as ``02_quadratic``.

    Returns
    -------
    str
        For instance ``quadratic``.
    """
    return re.sub(r"^\d+_", "", stem)


def _is_root(folder: Path) -> bool:
    return (folder / "claims.yaml").is_file() and (folder / "notebooks").is_dir()


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
