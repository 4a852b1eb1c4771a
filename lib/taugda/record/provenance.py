"""Where a run's numbers came from: versions, machine, commit."""

import contextlib
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
    """Describe the code and the machine of this process; nothing in it names a path or a user."""
    seed = {"seed": parameters["seed"]} if "seed" in parameters else {}
    return {
        "parameters": dict(parameters),
        **seed,
        "commit": commit(project.root),
        "versions": _versions(),
        "machine": machine(),
    }


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def machine() -> dict[str, Any]:
    """Describe system, processor, cores and, where torch is in use and sees one, the GPU."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found: dict[str, Any] = {
        "system": f"{platform.system()} {platform.machine()}".strip(),
        "processor": _processor(),
        "cores": cores or 1,
    }
    torch = sys.modules.get("torch")  # asking torch must not be what imports it
    if torch is not None and torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def commit(root: Path) -> dict[str, Any] | None:
    """Find the commit that the checkout is at, and whether files differ from it; None without."""
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
