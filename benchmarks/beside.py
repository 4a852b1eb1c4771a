"""The authors' figures beside ours, on one page: `python benchmarks/beside.py FOLDER`.

FOLDER holds the figures of the authors' notebooks (github.com/fiezt/Finite-Learning-Ratio), in the
order in which each notebook draws them: quadratic_00.png, quadratic_01.png, ...  They are not ours
to publish.  The page, ``outputs/beside.html``, holds all pictures and says what ours lack.
"""

import base64
import html
import sys
from pathlib import Path

from taugda.runs.project import Project

PANELS = "nothing; the players, or parts of an eigenvalue, have panels of their own"
CURVES = (
    "the curves along training: no GPU has run these sweeps; the frames hold the FID that the text "
    "prints for 150,000 updates, and at mu = 1 theirs go on to 300,000"
)
# Notebook, figure, prefix and numbers of the authors' figures, and what ours lacks of them.
PAIRS = (
    ("02_quadratic", "trajectories", "quadratic", (0, 1), "nothing"),
    ("02_quadratic", "distances", "quadratic", (2,), PANELS),
    ("02_quadratic", "spectrum", "quadratic", (3, 4, 5), "nothing"),
    ("03_polynomial", "surface", "polynomial", (0,), "nothing; the level sets stand beside"),
    ("03_polynomial", "trajectories", "polynomial", (1,), "nothing"),
    ("03_polynomial", "vector_fields", "polynomial", (2,), "nothing"),
    ("03_polynomial", "distances", "polynomial", (3,), PANELS),
    ("03_polynomial", "regions", "polynomial", (4,), "nothing"),
    ("03_polynomial", "spectrum", "polynomial", (5, 6), PANELS),
    ("04_nonequilibrium", "trajectories", "nonequilibrium", (0, 1), "nothing"),
    ("04_nonequilibrium", "spectrum_near", "nonequilibrium", (2,), "nothing"),
    ("04_nonequilibrium", "spectrum_far", "nonequilibrium", (3, 4), "nothing"),
    ("05_torus", "trajectories", "torus", (0,), "nothing; the second run is dashed, not pale"),
    ("05_torus", "regions", "torus", (1,), "nothing"),
    ("06_dirac_gan", "trajectories", "dirac_gan", (0, 3), "nothing"),
    ("06_dirac_gan", "distances", "dirac_gan", (1, 4), PANELS),
    ("06_dirac_gan", "fields_saturating", "dirac_gan", (2,), "nothing"),
    ("06_dirac_gan", "fields_non_saturating", "dirac_gan", (5,), "nothing"),
    ("06_dirac_gan", "spectra", "dirac_gan", (6, 7), PANELS),
    ("07_covariance_gan", "errors_1", "covariance_gan", (0, 4, 8), PANELS),
    ("07_covariance_gan", "fields_1", "covariance_gan", (1,), "nothing"),
    ("07_covariance_gan", "fields_2", "covariance_gan", (5,), "nothing"),
    ("07_covariance_gan", "fields_3", "covariance_gan", (9,), "nothing"),
    ("07_covariance_gan", "spectra", "covariance_gan", (2, 3, 6, 7, 10, 11), PANELS),
    ("07_covariance_gan", "errors_many", "covariance_gan", (12, 13, 14), PANELS),
    ("10_gan_results", "fid", "image_gan", (0, 1, 2, 3), CURVES),
)
STYLE = """body { font: 16px system-ui; max-width: 100rem; margin: 2rem auto; padding: 0 1rem; }
section { border-top: 1px solid #bbb; } img { max-width: 100%; max-height: 17rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 2rem; align-items: start; }"""


def picture(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(path.stem)}" src="data:image/png;base64,{data}">'


def ours(project: Project, notebook: str, figure: str) -> Path:
    """Find a figure of a notebook's default run, made here or published."""
    homes = [home / notebook / "default" for home in (project.runs, project.published / "default")]
    found = [path for home in homes if (path := home / "figures" / f"{figure}.png").is_file()]
    if not found:
        sys.exit(f"{notebook} left no figure {figure!r}; run it first")
    return found[0]


def main() -> None:
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    folder, project, parts = Path(sys.argv[1]), Project.find(), []
    theirs = {folder / f"{name}_{k:02}.png" for _, _, name, numbers, _ in PAIRS for k in numbers}
    there = set(folder.glob("*_[0-9][0-9].png"))
    if theirs != there:
        wrong = sorted(path.name for path in theirs ^ there)
        sys.exit(f"{folder}: missing or not expected, of {len(theirs)} figures: {wrong[:5]}...")
    for notebook, figure, name, numbers, lacks in PAIRS:
        left = "".join(picture(folder / f"{name}_{k:02}.png") for k in numbers)
        right = picture(ours(project, notebook, figure))
        said = f"<h2>{notebook}: {figure}</h2><p>What ours lacks: {lacks}.</p>"
        pair = f'<div class="pair"><div>{left}</div><div>{right}</div></div>'
        parts.append(f"<section>{said}{pair}</section>")
    head = f'<meta charset="utf-8"><title>Their figures and ours</title><style>{STYLE}</style>'
    first = f"<h1>The authors’ {len(theirs)} figures (left) and ours</h1>"
    page = project.outputs / "beside.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(f"<!doctype html>{head}{first}{''.join(parts)}", encoding="utf-8")
    print(f"Open {project.display(page)}")


if __name__ == "__main__":
    main()
