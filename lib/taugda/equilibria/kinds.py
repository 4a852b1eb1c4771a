"""What a critical point is: DNE, DSE, neither or degenerate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from taugda.blocks import Blocks
from taugda.checks import positive, positives


@dataclass(frozen=True)
class Classification:
    """What a critical point is, and by how much.

    Attributes
    ----------
    kind : {"DNE", "DSE", "neither", "degenerate"}
        "DSE" means a differential Stackelberg equilibrium that is no Nash equilibrium;
        "degenerate" that an eigenvalue which would decide is zero to working precision.
    margin : float
        The smallest of the eigenvalues that decide (negative for "neither", about 0 for
        "degenerate"): how far the blocks may move before the answer changes.
    min_A11, min_A22, min_S1 : float
        Smallest eigenvalues; ``min_S1`` is nan where A22 is singular.
    A11_semidefinite : bool
        Whether A11 >= 0 to working precision; at a DSE, tau* = 0 iff this holds.
    reason : str
        One phrase with the deciding eigenvalues.
    """

    kind: str
    margin: float
    min_A11: float
    min_A22: float
    min_S1: float
    A11_semidefinite: bool
    reason: str

    @property
    def is_dse(self) -> bool:
        """Whether the point is a strict local minmax point; a DNE is one too."""
        return self.kind in ("DNE", "DSE")

    @property
    def undefined(self) -> bool:
        """Whether A22 is singular, where the theory (and tau*) says nothing."""
        return bool(np.isnan(self.min_S1))


def classify(blocks: Blocks, tolerance: float = 1e-12, doubt: ArrayLike = 0.0) -> Classification:
    """Say whether a critical point is a DNE, a DSE, neither or degenerate.

    Parameters
    ----------
    blocks : Blocks
        The blocks at a critical point.
    tolerance : float
        An eigenvalue is zero if smaller than this times the size of its block.
    doubt : float or (float, float, float)
        How far off the entries of A11, A12 and A22 may be, as the point is.

    Returns
    -------
    Classification

    Raises
    ------
    ValueError
        If the tolerance or the doubt is negative or not finite.

    Examples
    --------
    >>> classify(Blocks([[-1.0]], [[2.0]], [[1.0]])).kind
    'DSE'
    """
    tolerance = positive("tolerance", tolerance, zero=True)
    doubt_11, doubt_12, doubt_22 = np.broadcast_to(positives("doubt", doubt, zero=True), 3).tolist()
    # Each block is judged by its own norm, so that the units of f, x1 and x2 do not matter.
    values_11, values_22 = np.linalg.eigvalsh(blocks.A11), np.linalg.eigvalsh(blocks.A22)
    a11, a22 = float(values_11[0]), float(values_22[0])
    norm_11, norm_22 = float(np.abs(values_11).max()), float(np.abs(values_22).max())
    zero = blocks.n1 * (tolerance * norm_11 + doubt_11)
    zero_22 = blocks.n2 * (tolerance * norm_22 + doubt_22)
    semidefinite = a11 >= -zero

    def verdict(kind: str, margin: float, s1: float, reason: str) -> Classification:
        return Classification(kind, margin, a11, a22, s1, semidefinite, reason)

    nearest = float(np.abs(values_22).min())
    if nearest <= zero_22:
        # A negative eigenvalue beside the zero one already decides against an equilibrium.
        if a22 < -zero_22:
            reason = f"not a DSE: min eig A22 = {a22:.6g}, and A22 is singular"
            return verdict("neither", a22, np.nan, reason)
        listed = ", ".join(f"{v:.6g}" for v in values_22)
        return verdict("degenerate", nearest, np.nan, f"A22 is singular: eigenvalues ({listed})")
    # S1 holds A22^{-1}, whose size sets the rounding in it.
    values_s1 = np.linalg.eigvalsh(blocks.schur_complement)
    s1 = float(values_s1[0])
    answer = float(np.linalg.norm(np.linalg.solve(blocks.A22, blocks.A12.T), 2))
    doubt_s1 = doubt_11 + 2 * answer * doubt_12 + answer**2 * doubt_22
    size_s1 = max(norm_11, float(np.abs(values_s1).max()))
    zero_s1 = blocks.n1 * (tolerance * size_s1 + doubt_s1)
    numbers = f"min eig A22 = {a22:.6g}, min eig S1 = {s1:.6g}"
    if a22 < 0 or s1 < -zero_s1:
        return verdict("neither", min(a22, s1), s1, f"not a DSE: {numbers}")
    if s1 <= zero_s1:
        return verdict("degenerate", s1, s1, f"S1 is singular: {numbers}")
    if a11 > zero:
        return verdict("DNE", min(a11, a22), s1, f"DNE: min eig A11 = {a11:.6g}, {numbers}")
    return verdict("DSE", min(a22, s1), s1, f"DSE: {numbers}")
