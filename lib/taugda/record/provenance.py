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

from taugda.runs.machine import cores
from taugda.runs.project import Project

_LIBRARIES = ("taugda", "numpy", "scipy", "sympy", "numba", "matplotlib", "torch", "torchvision")


def provenance(project: Project, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the code and the machine of this process; nothing in it names a path or a user."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    found = {"parameters": dict(parameters), "versions": versions, "machine": machine()}
    if "seed" in parameters:
        found["seed"] = parameters["seed"]
    found["commit"] = commit(project.root)
    if not found["commit"] and "dubious ownership" in _git(project.root, "status").stderr:
        found["no_commit"] = "git refuses: the checkout belongs to another user (safe.directory)"
    return found


def machine() -> dict[str, Any]:
    """Describe system, processor, cores and, where torch is in use and sees one, the GPU."""
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
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def commit(root: Path) -> dict[str, Any] | None:
    """Find the commit that the checkout is at, and whether files differ from it; None without."""
    # A repository that lies around the project is none of it.
    if _git(root, "ls-files", "--error-unmatch", "--", "claims.yaml").returncode:
        return None
    status = _git(root, "status", "--porcelain", "--", ".", ":(exclude)outputs")
    head = _git(root, "rev-parse", "--verify", "HEAD")
    dirty = bool(status.returncode or status.stdout)
    return {"id": head.stdout.strip(), "dirty": dirty} if head.returncode == 0 else None


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # A hook's variables name the repository that the hook is run in.
    places = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE")
    setting = {name: value for name, value in os.environ.items() if name not in places}
    command = ["git", "-C", str(root), *arguments]
    try:
        return subprocess.run(
            command, env={**setting, "LC_ALL": "C"},
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return subprocess.CompletedProcess(command, 1, "", "")
