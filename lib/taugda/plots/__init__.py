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
)
from taugda.plots.lines import agreement, benchmark, curves, distances
from taugda.plots.planes import region_frames, regions, surface, trajectories, vector_fields
from taugda.plots.style import tau_colours

__all__ = [
    "abscissae",
    "agreement",
    "benchmark",
    "curves",
    "distances",
    "region_frames",
    "regions",
    "spectra",
    "spectrum_frames",
    "spectrum_panels",
    "stability_map",
    "surface",
    "tau_colours",
    "trajectories",
    "vector_fields",
]
