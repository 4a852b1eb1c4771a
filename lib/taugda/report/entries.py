"""The finished runs that get a page, and those that failed at their last attempt."""

import base64
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from taugda.record import Finished, finished, tables
from taugda.runs.files import read_json
from taugda.runs.parameters import read_notebook
from taugda.runs.project import Project, bare_name

_FILES = ("notebook.ipynb", "parameters.yaml", "metrics.json", "provenance.json", "log.txt")
_LENGTH = 240  # characters of a reason that the page shows; the log has all of it


@dataclass(frozen=True)
class Entry(Finished):
    """A finished run on its way to a page; `address` is its folder's, seen from the first page."""

    stem: str
    source: Path
    address: str

    @cached_property
    def done(self) -> dict[str, Any]:
        """When and how it was made."""
        return read_json(self.folder / "done.json") or {}

    @cached_property
    def notebook(self) -> dict[str, Any]:
        """The executed notebook as plain data; one made of what was published, if that is less."""
        path = self.folder / "notebook.ipynb"
        return read_notebook(path) if path.is_file() else lean_notebook(self.source, self.folder)

    @cached_property
    def title(self) -> str:
        """The notebook's title."""
        return title(self.notebook, bare_name(self.stem))

    @property
    def plain_title(self) -> str:
        """The title without TeX's marks, with the run's name where it is not the default."""
        plain = re.sub(r"[$\\{}]", "", self.title)
        return plain if self.is_chapter else f"{plain} ({self.name})"

    @property
    def page(self) -> str:
        """File name of the page."""
        return f"{self.stem}.html" if self.is_chapter else f"{self.stem}--{self.name}.html"

    @cached_property
    def compares(self) -> bool:
        """Whether the page shows the notebook's claims."""
        outputs = [out for cell in self.notebook["cells"] for out in cell.get("outputs", [])]
        return any(out.get("metadata", {}).get("taugda", {}).get("compare") for out in outputs)

    @property
    def command(self) -> str:
        """The command that makes the run again."""
        command, root = f"python -m taugda run {bare_name(self.stem)}", self.source.parents[1]
        place = Path("$TAUGDA_OUTPUTS", "runs", self.stem, self.name)
        if self.folder.is_relative_to(root):
            place = self.folder.relative_to(root)
        return command if self.is_chapter else f"{command} -f {place}/parameters.yaml"

    @property
    def files(self) -> list[Path]:
        """The run's files that a reader may want."""
        return [self.folder / name for name in _FILES if (self.folder / name).is_file()]

    is_chapter = property(lambda self: self.name == "default")  # readers are led through these
    interactive = property(lambda self: self.done.get("mode") == "interactive")
    ended = property(lambda self: _minute(self.done.get("finished")))
    seconds = property(lambda self: float(self.done.get("duration", 0)))
    figures = cached_property(lambda self: stored(self.folder))  # texts by name


def title(notebook: dict[str, Any], otherwise: str) -> str:
    """Find a notebook's first top heading, without its marks."""
    for cell in notebook["cells"]:
        match = re.search(r"^#\s+(.+?)\s*#*$", "".join(cell["source"]), re.MULTILINE)
        if match and cell["cell_type"] == "markdown":
            return re.sub(r"`|\*\*", "", match[1])
    return otherwise


def stored(folder: Path) -> dict[str, dict[str, str]]:
    """Caption and text alternative of each figure in a run's folder, in the notebook's order."""
    named = (read_json(folder / "provenance.json") or {}).get("figures") or {}
    return {n: texts for n, texts in named.items() if (folder / "figures" / f"{n}.png").is_file()}


def lean_notebook(source: Path, folder: Path) -> dict[str, Any]:
    """Make a notebook of a source's first text and the figures and numbers in a run's folder."""
    from nbformat.v4 import new_code_cell, new_output

    outputs = []
    for name, texts in stored(folder).items():
        png = base64.b64encode((folder / "figures" / f"{name}.png").read_bytes()).decode()
        ours = {"figure": name, "caption": texts["caption"]}
        about = {"image/png": {"alt": texts["alt"]}, "taugda": ours}
        outputs.append(new_output("display_data", {"image/png": png}, metadata=about))
    metrics = read_json(folder / "metrics.json") or {}
    numbers = [
        {"quantity": name, "value": entry.get("value")}
        for name, entry in metrics.items()
        if isinstance(entry, dict) and isinstance(entry.get("value"), (bool, int, float, str))
    ]
    if numbers:
        table = tables.bundle(numbers, "What the run recorded.")
        outputs.append(new_output("display_data", table))
    content = read_notebook(source)
    first = [cell for cell in content["cells"] if cell["cell_type"] == "markdown"][:1]
    return {**content, "cells": [*first, new_code_cell(id="results", outputs=outputs)]}


def find_entries(project: Project, home: Path | None = None) -> list[Entry]:
    """Find the runs that get a page, in reading order, each notebook's default first."""
    found = [
        Entry(
            **vars(run),
            stem=stem,
            source=project.notebook(stem),
            address=_seen(home or project.outputs, run.folder),
        )
        for stem in project.stems()
        for run in finished(project, stem)
    ]
    return sorted(found, key=lambda entry: (entry.stem, not entry.is_chapter, entry.name))


def _seen(home: Path, path: Path) -> str:
    """Address of a file or folder, seen from another one."""
    return Path(os.path.relpath(path, home)).as_posix()


def find_failures(project: Project, home: Path) -> list[dict[str, Any]]:
    """Find the runs that failed at their last attempt, in reading order."""
    found = []
    for stem in project.stems():
        for folder in sorted((project.runs / stem).glob("[!.]*.failed")):
            name, log = folder.name.removesuffix(".failed"), folder / "log.txt"
            said = read_json(folder / "failed.json")
            said = said if isinstance(said, dict) else {}
            found.append({
                "stem": stem,
                "name": name,
                "reason": _readable(project, str(said.get("reason") or "")),
                "ended": _minute(said.get("finished")),
                "log": quote(_seen(home, log)) if log.is_file() else "",
                "kept": (project.run(stem, name) / "done.json").is_file(),  # an earlier success
            })  # fmt: skip
    return found


def _readable(project: Project, reason: str) -> str:
    """Shorten an error; the pages may be mailed, and nobody needs this machine's paths."""
    for folder in (project.root, project.outputs):
        reason = reason.replace(f"{folder}/", "")
    return reason if len(reason) <= _LENGTH else f"{reason[: _LENGTH - 1].rstrip()}…"


def _minute(moment: Any) -> str:
    return str(moment or "")[:16].replace("T", " ")
