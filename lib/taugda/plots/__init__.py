"""The paper's kinds of picture, in one visual language.

Every function returns a Matplotlib figure that belongs to no window.  Order (of tau, say) is
shown by lightness, so that it survives grey printing; kinds are shown by hues that colour-blind
readers tell apart, and by marks.  Player 1 is drawn solid, player 2 dashed.
"""

from taugda.plots.eigenvalues import (
    abscissae,
    spectra,
    spectrum_frames,
    spectrum_panels,
    stability_map,
    threshold_and_runs,
)
from taugda.plots.gans import (
    contact_sheet,
    sample_grids,
    score_against_tau,
    score_curves,
    score_maps,
    training_losses,
)
from taugda.plots.lines import agreement, curves, distances
from taugda.plots.maps import eigenvalue_planes, rate_maps, step_curves, theory_and_practice
from taugda.plots.planes import region_frames, regions, surface, trajectories, vector_fields
from taugda.plots.style import tau_colours

__all__ = [
    "abscissae",
    "agreement",
    "contact_sheet",
    "curves",
    "distances",
    "eigenvalue_planes",
    "rate_maps",
    "region_frames",
    "regions",
    "sample_grids",
    "score_against_tau",
    "score_curves",
    "score_maps",
    "spectra",
    "spectrum_frames",
    "spectrum_panels",
    "stability_map",
    "step_curves",
    "surface",
    "tau_colours",
    "theory_and_practice",
    "threshold_and_runs",
    "training_losses",
    "trajectories",
    "vector_fields",
]
