"""The cells of an open notebook: which one runs, what it displayed, how an error looks in it."""

import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any


def current() -> tuple[str | None, int, str]:
    """Identify the cell that runs: its id, where the front end tells it, its count and its code."""
    from IPython import get_ipython

    shell = get_ipython()
    parent = (shell.get_parent() if hasattr(shell, "get_parent") else None) or {}
    cell = parent.get("metadata", {}).get("cellId")  # JupyterLab does, papermill does not
    count = getattr(shell, "execution_count", 0)
    return cell, count, parent.get("content", {}).get("code", "")


class Shown:
    """What the cells of a run displayed, for the page of a run that no batch made."""

    def __init__(self) -> None:
        self._cells: dict[str | int, tuple[int, str, list[dict[str, Any]]]] = {}

    def add(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """Keep an output of the cell that runs; what it displayed when it ran before goes."""
        cell, count, code = current()
        key = cell or count
        if key not in self._cells or self._cells[key][0] != count:
            self._cells[key] = count, code, []
        output = {"output_type": "display_data", "data": {**data}, "metadata": {**metadata}}
        self._cells[key][2].append(output)

    def fill(self, cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Copy a notebook's cells with the outputs in them; those of unknown cells come last."""
        from nbformat.v4 import new_code_cell

        left, filled = dict(self._cells), []
        for cell in cells:
            source, mine = "".join(cell["source"]), None
            if cell["cell_type"] == "code":
                same = (k for k, (_, code, _) in left.items() if k == cell["id"] or code == source)
                mine = left.pop(next(same, ""), None)
                cell = {**cell, "outputs": [], "execution_count": None}
            filled.append({**cell, "source": mine[1], "outputs": mine[2]} if mine else dict(cell))
        return filled + [new_code_cell(code, outputs=shown) for _, code, shown in left.values()]


def shorten_errors() -> None:
    """Let what the library refuses show the cell's line and the message, but not in a batch."""
    from IPython import get_ipython

    def show(
        shell: Any, kind: type, error: BaseException, trace: TracebackType, tb_offset: Any = None
    ) -> None:
        parts = [trace]
        while parts[-1].tb_next:
            parts.append(parts[-1].tb_next)
        names = [part.tb_frame.f_globals.get("__name__", "") for part in parts]
        ours = [name.startswith("taugda.") for name in names]
        if ours[-1]:  # anything else may be a fault of ours
            parts[max(ours.index(True), 1) - 1].tb_next = None
            error.__cause__, error.__suppress_context__ = None, True
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)

    shell = get_ipython()
    if shell and not os.environ.get("TAUGDA_RUN"):
        shell.set_custom_exc((ValueError, TypeError, RuntimeError), show)
