"""Exact numbers: Jacobian blocks over a number field, and the arithmetic that they need.

``blocks`` holds the blocks, ``algebraic`` brings SymPy's numbers into one field, ``numberfield``
computes in it (with FLINT), ``linear`` does the linear algebra.
"""

from taugda.exact.blocks import ExactBlocks
from taugda.exact.numberfield import FieldTooHardError

__all__ = ["ExactBlocks", "FieldTooHardError"]
