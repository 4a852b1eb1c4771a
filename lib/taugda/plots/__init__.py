"""The paper's kinds of picture, in one visual language.

Every function returns a Matplotlib figure that belongs to no window.  Order (of tau, say) is
shown by lightness and by markers, so that it survives grey printing; kinds are shown by hues that
colour-blind readers tell apart, and by marks.  Pictures are drawn from what they are given: the
mathematics is imported for its types only, since loading it takes a second.
"""

from taugda.plots.eigenvalues import abscissae, spectra, stability_map, threshold_and_runs
from taugda.plots.gans import judged, sample_grids, score_maps, scores, training_losses
from taugda.plots.lines import agreement, curves, distances
from taugda.plots.maps import eigenvalue_planes, rate_maps, step_curves, theory_and_practice
from taugda.plots.planes import flows, surface, trajectories
from taugda.plots.style import place, tau_colours

__all__ = [
    "abscissae", "agreement", "curves", "distances", "eigenvalue_planes", "flows", "judged",
    "place", "rate_maps", "sample_grids", "score_maps", "scores", "spectra", "stability_map",
    "step_curves", "surface", "tau_colours", "theory_and_practice", "threshold_and_runs",
    "training_losses", "trajectories",
]  # fmt: skip
