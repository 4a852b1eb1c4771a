"""Where a run's numbers came from: versions, machine, commit."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from taugda.runs.project import Project

_LIBRARIES = ("taugda", "numpy", "scipy", "sympy", "numba", "matplotlib", "torch", "torchvision")


def provenance(project: Project, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the code and the machine of this process.

    Parameters
    ----------
    project : Project
        The checkout.
    parameters : mapping
        All parameters of the run.

    Returns
    -------
    dict
        Plain data.  Nothing in it names a path or a user.
    """
    found: dict[str, Any] = {"parameters": dict(parameters)}
    if "seed" in parameters:
        found["seed"] = parameters["seed"]
    found["commit"] = commit(project.root)
    found["versions"] = {"python": platform.python_version(), **_versions()}
    found["machine"] = machine()
    return found


def _versions() -> dict[str, str]:
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def cores() -> int:
    """Count the processor cores that this process may use.

    Returns
    -------
    int
        At least one.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def gpus() -> list[str]:
    """Find the NVIDIA GPUs that this process may use, without loading torch.

    Returns
    -------
    list of str
        What ``CUDA_VISIBLE_DEVICES`` names, where it is set; otherwise the numbers of the
        devices that the system shows.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        names = [name.strip() for name in named.split(",")]
        return [name for name in names if name and name != "-1"]
    return [str(number) for number in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]


def machine() -> dict[str, Any]:
    """Describe the machine.

    Returns
    -------
    dict
        System, processor, cores and, where torch is in use and sees one, the GPU.
    """
    found: dict[str, Any] = {
        "system": f"{platform.system()} {platform.machine()}".strip(),
        "processor": _processor(),
        "cores": cores(),
    }
    torch = sys.modules.get("torch")  # asking torch must not be what imports it
    if torch is not None and torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def commit(root: Path) -> dict[str, Any] | None:
    """Find the commit that the checkout is at.

    Parameters
    ----------
    root : Path
        The checkout.

    Returns
    -------
    dict or None
        ``id``, and ``dirty``: whether tracked or new files differ from it.  None outside git.
    """
    head = _git(root, "rev-parse", "--verify", "HEAD")
    if not head:
        return None
    status = _git(root, "status", "--porcelain", "--", ".", ":(exclude)outputs")
    return {"id": head, "dirty": status is None or bool(status)}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
