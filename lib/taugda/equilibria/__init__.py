"""Critical points of a game: finding them, exactly where that can be done, and classifying them.

A point is critical where g(x) = (D1 f, -D2 f) = 0.  It is a differential Nash equilibrium (DNE)
if A11 > 0 and A22 > 0, and a differential Stackelberg equilibrium (DSE, strict local minmax) if
A22 > 0 and the Schur complement S1 = A11 + A12 A22^{-1} A12^T > 0.  Every DNE is a DSE.

Source of the definitions: Fiez & Ratliff (2021), preliminaries.
"""

from taugda.equilibria.kinds import Classification, classify
from taugda.equilibria.points import CriticalPoint, critical_points
from taugda.equilibria.polynomials import NotPolynomialError

__all__ = ["Classification", "CriticalPoint", "NotPolynomialError", "classify", "critical_points"]
