"""Files: read strictly, written so that nobody ever sees a part of one."""

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
from taugda.runs.errors import ParameterError


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON atomically.

    Parameters
    ----------
    path : Path
        File to write.
    value : Any
        Plain data; NaN and infinities are refused because JSON has none.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(path, text + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : Path
        File to read.

    Returns
    -------
    Any
        Its content, or None where the file is missing or not whole.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


# The host is part of the name: on a shared disk a process id alone could be another machine's.
_HOST = re.sub(r"[^A-Za-z0-9-]", "_", socket.gethostname()) or "host"


def staging_folder(final: Path) -> Path:
    """Hidden folder beside a run's, which this process fills before it takes its place.

    Parameters
    ----------
    final : Path
        The run's folder.

    Returns
    -------
    Path
        The hidden folder's path; it is not made.
    """
    return final.with_name(f".{final.name}.{_HOST}.{os.getpid()}.partial")


def swap_in(staging: Path, final: Path) -> None:
    """Let a finished folder take the place of the former one.

    Parameters
    ----------
    staging : Path
        The finished folder, on the same file system.
    final : Path
        The place it takes; what was there is deleted afterwards.
    """
    old = final.with_name(f".{final.name}.{_HOST}.{os.getpid()}.old")
    shutil.rmtree(old, ignore_errors=True)
    try:
        os.rename(final, old)
    except FileNotFoundError:
        pass
    try:
        os.rename(staging, final)
    except OSError:
        if old.exists() and not final.exists():
            os.rename(old, final)
        raise
    shutil.rmtree(old, ignore_errors=True)


def recover(final: Path) -> None:
    """Tidy up what processes that died left beside a run's folder.

    Parameters
    ----------
    final : Path
        The run's folder.  If its owner died in the middle of a swap, the former folder is put
        back; hidden folders of dead processes of this machine are deleted.
    """
    if not final.parent.is_dir():
        return
    pattern = re.compile(
        rf"\.{re.escape(final.name)}\.{re.escape(_HOST)}\.(\d+)\.(partial|old)", re.ASCII
    )
    for folder in final.parent.iterdir():
        match = pattern.fullmatch(folder.name)
        if not match or _alive(int(match[1])):
            continue
        if match[2] == "old" and not final.exists():
            os.rename(folder, final)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def environment(**values: str | None) -> Iterator[None]:
    """Set environment variables for a while.

    Parameters
    ----------
    **values : str or None
        New values; None removes a variable.

    Yields
    ------
    None
        The former values come back afterwards.
    """
    former = {name: os.environ.get(name) for name in values}
    _set_environment(values)
    try:
        yield
    finally:
        _set_environment(former)


def _set_environment(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


class _UniqueLoader(yaml.SafeLoader):
    """A safe YAML loader to which a repeated key is an error, not a silent replacement."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping after checking that no key repeats."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: key {key.value!r} appears twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class Marks:
    """Where the parts of a YAML file stand.

    Parameters
    ----------
    root : yaml.Node or None
        The file's content as YAML composes it.
    """

    def __init__(self, root: yaml.Node | None) -> None:
        self._root = root

    def line(self, place: Sequence[Any]) -> int:
        """Find the line of a part.

        Parameters
        ----------
        place : sequence
            Keys and, in lists, numbers that lead to it; what is missing is passed over.

        Returns
        -------
        int
            Line number, from 1: that of a key where the part has one.
        """
        node, line = self._root, 1 if self._root is None else self._root.start_mark.line + 1
        for step in place:
            if isinstance(node, yaml.MappingNode):
                pairs = [(key, value) for key, value in node.value if key.value == str(step)]
                if not pairs:
                    break
                line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
            elif isinstance(node, yaml.SequenceNode) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
            else:
                break
        return line


def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Parameters
    ----------
    path : Path
        File to read.

    Returns
    -------
    Any
        Plain data.

    Raises
    ------
    ParameterError
        If the file cannot be read, is no YAML, or repeats a key.
    """
    return read_yaml_marked(path)[0]


def read_yaml_marked(path: Path) -> tuple[Any, Marks]:
    """Read a YAML file and where everything in it stands.

    Parameters
    ----------
    path : Path
        File to read.

    Returns
    -------
    content : Any
        Plain data.
    marks : Marks
        Line numbers.

    Raises
    ------
    ParameterError
        If the file cannot be read, is no YAML, or repeats a key.
    """
    try:
        with path.open(encoding="utf-8") as file:
            loader = _UniqueLoader(file)
            try:
                node = loader.get_single_node()
                content = None if node is None else loader.construct_document(node)
            finally:
                loader.dispose()
            return content, Marks(node)
    except OSError as error:
        raise ParameterError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        message = " ".join(str(error).split())
        raise ParameterError(f"{path}: not valid YAML: {message}") from error
