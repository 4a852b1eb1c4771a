"""What a critical point is: DNE, DSE, neither or degenerate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from taugda.blocks import Blocks, takes_blocks
from taugda.checks import positives


@dataclass(frozen=True)
class Classification:
    """What a critical point is, and by how much.

    Attributes
    ----------
    kind : {"DNE", "DSE", "neither", "degenerate"}
        "DSE" means a differential Stackelberg equilibrium that is no Nash equilibrium;
        "degenerate" that an eigenvalue which would decide is zero to working precision.
    min_A11, min_A22, min_S1 : float
        Smallest eigenvalues; ``min_S1`` is nan where A22 is singular.
    A11_semidefinite : bool
        Whether A11 >= 0 to working precision; at a DSE, tau* = 0 iff this holds.
    reason : str
        One phrase with the deciding eigenvalues.
    """

    kind: str
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


@takes_blocks
def classify(blocks: Blocks, doubt: ArrayLike = 0.0) -> Classification:
    """Say whether a critical point is a DNE, a DSE, neither or degenerate.

    Parameters
    ----------
    blocks : Blocks
        The blocks at a critical point.
    doubt : float or (float, float, float)
        How far off the entries of A11, A12 and A22 may be, as the point is.  An eigenvalue is
        zero if this, or rounding in the entries' last digits, can make it so.

    Returns
    -------
    Classification

    Raises
    ------
    ValueError
        If the doubt is negative or not finite.

    Examples
    --------
    >>> classify(Blocks([[-1.0]], [[2.0]], [[1.0]])).kind
    'DSE'
    """
    doubts = tuple(np.broadcast_to(positives("doubt", doubt, zero=True), 3).tolist())
    of_11, of_22 = blocks.signs("A11", doubts), blocks.signs("A22", doubts)
    a11, a22 = float(of_11.values[0]), float(of_22.values[0])

    def verdict(kind: str, s1: float, reason: str) -> Classification:
        return Classification(kind, a11, a22, s1, of_11.negative == 0, reason)

    if of_22.zero:
        singular = f"A22 is {of_22.singular}"
        # A negative eigenvalue beside the zero one already decides against an equilibrium.
        if of_22.negative:
            reason = f"not a DSE: min eig A22 = {a22:.6g}, and {singular}"
            return verdict("neither", np.nan, reason)
        listed = ", ".join([f"{v:.6g}" for v in of_22.values[:6]] + ["..."] * (blocks.n2 > 6))
        reason = f"{singular}: eigenvalues ({listed})"
        return verdict("degenerate", np.nan, reason)
    of_s1 = blocks.signs("S1", doubts)
    s1 = float(of_s1.values[0])
    numbers = f"min eig A22 = {a22:.6g}, min eig S1 = {s1:.6g}"
    if of_22.negative or of_s1.negative:
        return verdict("neither", s1, f"not a DSE: {numbers}")
    if of_s1.zero:
        return verdict("degenerate", s1, f"S1 is {of_s1.singular}: {numbers}")
    if of_11.positive:
        return verdict("DNE", s1, f"DNE: min eig A11 = {a11:.6g}, {numbers}")
    return verdict("DSE", s1, f"DSE: {numbers}")
