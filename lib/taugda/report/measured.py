"""What ``benchmarks/gpu.py`` measured, as a collection of published runs and a table of speeds."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from taugda.atomic import write_atomic
from taugda.gan import paper
from taugda.gan.gpu import device, read, tables
from taugda.record.tables import bundle
from taugda.report.publish import PublishError, check_weight, training_table
from taugda.runs.files import replacing, write_json
from taugda.runs.parameters import parameters_text, resolve, run_name
from taugda.runs.project import Project

_STEM, _FILES = "09_gan_training", ("results.json", "digits.json")


def publish_measured(project: Project, folder: Path, collection: str) -> Path:
    """Take a folder of results into a collection, in place of what it held; return the latter.

    Each of its runs becomes one of the training notebook, with parameters, metrics and pictures.
    PublishError, and nothing is changed, if the folder holds no whole results.
    """
    found = read(folder / "results.json")
    runs = found.get("question", {}).get("runs", [])
    if "about" not in found or found["about"]["toy"]:
        what = "toy ones" if found else "none"
        raise PublishError(f"{folder}: expected results.json of benchmarks/gpu.py, got {what}")
    final = project.published / collection
    with replacing(final) as staging:
        for name in _FILES:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, staging / name)
        for run in runs:
            _write_run(project, folder, staging, found["about"], run)
        write_atomic(staging / "README.md", _readme(staging, found))
        check_weight(project, staging, final)
    return final


def _write_run(
    project: Project, folder: Path, staging: Path, about: Mapping[str, Any], run: Mapping[str, Any]
) -> None:
    parameters = resolve(project, _STEM, run["parameters"])
    tau, mu = parameters["tau"], parameters["mu"]
    name = run_name(project, _STEM, parameters)
    target = staging / _STEM / name
    (target / "figures").mkdir(parents=True)
    write_atomic(target / "parameters.yaml", parameters_text(parameters))
    write_json(target / "metrics.json", {k: {"value": v} for k, v in run["metrics"].items()})
    made = {key: about[key] for key in ("versions", "machine", "commit", "driver")}
    duration = parameters["updates"] / run["metrics"]["updates_per_second"]
    samples = {
        "caption": "Generated pictures at the end of training, not selected.",
        "alt": f"Eight rows of eight generated pictures after {parameters['updates']:,} updates.",
    }
    write_json(target / "provenance.json", {
        "parameters": parameters, "seed": parameters["seed"], **made, "notebook": _STEM,
        "run": name, "mode": "script", "started": about["began"], "duration": duration,
        "figures": {"samples": samples},
    })  # fmt: skip
    write_json(target / "done.json", {"finished": about["began"], "duration": duration})
    # The script leaves the sheets of one mu side by side, in the order of tau.
    sheet = Image.open(folder / f"samples_mu{mu:g}.png")
    across, place = sheet.width // len(paper.TAUS), paper.TAUS.index(tau)
    part = sheet.crop((place * across, 0, (place + 1) * across, sheet.height))
    part.save(target / "figures" / "samples.png")


def _readme(staging: Path, found: Mapping[str, Any]) -> str:
    about, rows = found["about"], tables(staging / "results.json")
    parts = [
        "# Measured on a GPU", "",
        f"Made by `benchmarks/gpu.py` in {about['minutes']:g} minutes on one "
        f"{device(found)}; not edited by hand.", "",
        bundle(rows.get("cost", []), "What an update costs.")["text/markdown"], "",
        bundle(rows.get("right", []), "Ten updates against the CPU in float64.")["text/markdown"],
        "",
        "All that was measured: [results.json](results.json).", "",
    ]  # fmt: skip
    if runs := sorted(path.parent for path in staging.glob("*/*/done.json")):
        parts += ["## Runs", "", training_table(runs, staging), ""]
    return "\n".join(parts)
