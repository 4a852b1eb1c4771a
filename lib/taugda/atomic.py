"""Files: written so that nobody ever sees a part of one, and found once each."""

import os
from pathlib import Path
from typing import NoReturn


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file (text as UTF-8) so that a reader sees the old content or the new; or raise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with partial.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def files_below(folder: Path) -> list[Path]:
    """Find the files in a folder and all below it, behind links too, but no hidden ones; sorted.

    A folder that several ways lead to counts once, by the way without links if there is one.  What
    cannot be listed raises the OSError.
    """

    def refuse(error: OSError) -> NoReturn:
        raise error

    found, seen, waiting = list[Path](), set[tuple[int, int]](), [folder]
    while waiting:
        for parent, folders, files in os.walk(waiting.pop(0), onerror=refuse):
            here = os.stat(parent)
            known = (here.st_dev, here.st_ino) in seen
            seen.add((here.st_dev, here.st_ino))
            folders[:] = [] if known else sorted(x for x in folders if not x.startswith("."))
            waiting += [path for x in folders if (path := Path(parent, x)).is_symlink()]
            found += [] if known else [Path(parent, x) for x in files if not x.startswith(".")]
    return sorted(found)
