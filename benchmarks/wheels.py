"""Whether each package of the lock file has a wheel for every Python and machine: `make wheels`.

Resolves the lock as each machine would, with its markers, and installs nothing.  Says which
packages lack a wheel there, and which are needed that the lock does not pin.  Exit status 1 where
there are any.  What torch's build for CUDA needs is no fault: torch pins it itself.
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).with_name("uv")
MACHINES = {
    "Linux x86-64": "x86_64-manylinux_2_28",
    "Linux aarch64": "aarch64-manylinux_2_28",
    "macOS ARM": "aarch64-apple-darwin",
}
CUDA = re.compile(r"(cuda|nvidia)-|triton==")


def resolve(lines: list[str], python: str, machine: str) -> subprocess.CompletedProcess[str]:
    """What packages, with all that they need, come to on a machine."""
    command = [UV, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "-"]
    command += ["--only-binary", ":all:", "--python-version", python, "--python-platform", machine]
    # torch's wheels for macOS need this version or a later one.
    environment = os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
    return subprocess.run(
        command,
        input="\n".join(lines),
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )


def faults(lines: list[str], python: str, machine: str) -> list[str]:
    """What a machine lacks, in words."""
    whole = resolve(lines, python, machine)
    pinned = {line.partition(" ;")[0] for line in lines}
    if whole.returncode == 0:
        extra = [x for x in whole.stdout.split() if x not in pinned and not CUDA.match(x)]
        return [f"{name} is needed, but not pinned" for name in extra]
    with ThreadPoolExecutor() as pool:
        alone = list(pool.map(lambda line: resolve([line], python, machine), lines))
    lacking = [x for x, found in zip(lines, alone, strict=True) if found.returncode]
    return [f"{name} has no wheel" for name in lacking] or [whole.stderr.strip()]


def main() -> int:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = 0
    for python in sys.argv[1:]:
        for name, machine in MACHINES.items():
            lacks = faults(lines, python, machine)
            found += len(lacks)
            print(f"Python {python}, {name}: {'; '.join(lacks) or 'a wheel for every package'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
