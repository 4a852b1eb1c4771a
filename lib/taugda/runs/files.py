"""Files: read strictly, and folders that nobody ever sees a part of."""

import json
import os
import re
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from taugda.atomic import write_atomic
from taugda.runs.project import ParameterError, Project, ProjectError


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON atomically; NaN and infinities are refused because JSON has none."""
    write_atomic(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; None where it is missing or not whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def check_writable(project: Project, folder: Path | None = None) -> None:
    """Make sure that results, or files of a folder, can be written."""
    probe = (folder or project.runs) / ".writable"
    try:
        write_atomic(probe, "")
        probe.unlink()
    except OSError as error:
        place = project.display(folder or project.outputs)
        advice = "free it" if folder else "free it or set TAUGDA_OUTPUTS"
        raise ProjectError(
            f"the output folder {place} cannot be written ({error.strerror}); {advice}"
        ) from error


def staging_folder(final: Path) -> Path:
    """Hidden folder beside a run's, which this process fills before it takes its place."""
    # On a shared disk a process id alone could be another machine's.
    return final.with_name(f".{final.name}.{socket.gethostname()}.{os.getpid()}.partial")


def swap_in(staging: Path, final: Path) -> None:
    """Let a finished folder take the place of the former one, which is deleted."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    try:
        staging.rename(final)
    except OSError:
        if old.exists():
            old.rename(final)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def replacing(final: Path) -> Iterator[Path]:
    """Give a folder to fill, which then takes the final one's place; none of it stays if not."""
    staging = staging_folder(final)
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir(parents=True)
        yield staging
        swap_in(staging, final)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def recover(final: Path) -> None:
    """Tidy up what the run's former owners left when they died; for the holder of its lock only."""
    old = final.with_name(f".{final.name}.old")
    if old.exists() and not final.exists():
        old.rename(final)  # its owner died between the two renames of a swap
    for left in (old, *final.parent.glob(f".{final.name}.*.partial")):
        shutil.rmtree(left, ignore_errors=True)


class _Loader(yaml.SafeLoader):
    """A safe YAML loader that refuses what nobody means: repeated keys, 010, 1:30."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping after checking that no key repeats."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.YAMLError(f"line {_line(key)}: key {key.value!r} appears twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def number(self, node: yaml.ScalarNode) -> float:
        """Build a number after checking that it is written as a decimal one."""
        # YAML would read 8 and 90.
        if ":" in node.value or re.fullmatch(r"[-+]?0[0-7_]+", node.value):
            hint = "write a decimal number, or a text between quotes"
            raise yaml.YAMLError(f"line {_line(node)}: {node.value} is no decimal number; {hint}")
        read = self.construct_yaml_int if node.tag.endswith(":int") else self.construct_yaml_float
        return read(node)


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.number)


def _line(node: yaml.Node | None) -> int:
    return node.start_mark.line + 1 if node else 1


def line_of(node: yaml.Node | None, place: Sequence[Any]) -> int:
    """Line of what keys and, in lists, numbers lead to, or of the last of them that is there."""
    line = _line(node)
    for step in place:
        found = []
        if isinstance(node, yaml.MappingNode):
            found = [pair for pair in node.value if pair[0].value == str(step)]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            found = [(entry, entry) for entry in node.value[step : step + 1]]
        if not found:
            break
        line, node = _line(found[0][0]), found[0][1]
    return line


def parse_yaml(text: str, source: str) -> tuple[Any, yaml.Node | None]:
    """Plain data of a YAML text and its nodes; the source is named where it is at fault."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return None if node is None else loader.construct_document(node), node
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ParameterError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from error


def read_text(path: Path) -> str:
    """Read a text file, or say that it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ParameterError(f"{path}: cannot be read ({reason})") from error


def read_yaml(path: Path) -> Any:
    """Read a YAML file as plain data."""
    return parse_yaml(read_text(path), str(path))[0]
