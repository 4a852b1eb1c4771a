"""MathJax from the installed package that ships it as one file."""

from importlib import metadata
from pathlib import Path

_DISTRIBUTION = "sphinx-mathjax-offline"
FILE = "tex-svg-full.js"


def find_mathjax() -> Path | None:
    """Find MathJax 3, built to set TeX as SVG.

    Returns
    -------
    Path or None
        The file; None where the package that ships it is not installed.
    """
    # The package's folder has hyphens in its name and cannot be imported.
    try:
        files = metadata.files(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == FILE:
            path = Path(str(file.locate()))
            return path if path.is_file() else None
    return None
