"""Local stability of tau-GDA at a critical point: tau*, tau_0, intervals, spectra, rates.

Everything starts from the blocks of the Jacobian at the point: xdot = -Lambda_tau g(x) is locally
exponentially stable iff every eigenvalue of J_tau = [[A11, A12], [-tau A12^T, tau A22]] has a
positive real part.  Source: Fiez & Ratliff (2021).

A function of blocks that is given something else, such as a critical point, raises a TypeError that
says what to write.
"""

# isort: skip_file
from taugda.stability.closed_form import regularized_gan_blocks, tau_star_formula
from taugda.stability.frequency import (
    FrequencyError, extreme_bound, tau_star_bound, tau_star_by_frequency,
)  # fmt: skip
from taugda.stability.guard import KrylovError, box_sum, guard_matrix
from taugda.stability.intervals import Interval, stability_intervals
from taugda.stability.rates import (
    ConvergenceRate, best_step, common_step_bound, convergence_rate, spectral_radius, step_matrix,
)  # fmt: skip
from taugda.stability.spectra import (
    Spectrum, double_eigenvalues, is_stable, spectral_abscissa, spectrum,
)  # fmt: skip
from taugda.stability.thresholds import (
    TauStar, last_crossing, summary, tau_star, tau_star_or_none, tau_star_search, tau_zero,
)  # fmt: skip

__all__ = [
    "ConvergenceRate", "FrequencyError", "Interval", "KrylovError", "Spectrum",
    "TauStar", "best_step", "box_sum", "common_step_bound", "convergence_rate",
    "double_eigenvalues", "extreme_bound", "guard_matrix", "is_stable", "last_crossing",
    "regularized_gan_blocks", "spectral_abscissa", "spectral_radius", "spectrum",
    "stability_intervals", "step_matrix", "summary", "tau_star", "tau_star_bound",
    "tau_star_by_frequency", "tau_star_formula", "tau_star_or_none", "tau_star_search", "tau_zero",
]  # fmt: skip
