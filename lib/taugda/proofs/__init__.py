"""tau* proved: in exact numbers, and in ball arithmetic.

`exact` decides every sign and every zero of algebraic blocks (`numbers`); `certificate` proves a
critical point, its kind and brackets of tau* (`balls`, `enclosed`).
"""

from taugda.proofs.certificate import Certificate, Statement, certify
from taugda.proofs.exact import ExactBlocks, exact_blocks, exact_intervals, exact_tau_star
from taugda.proofs.numbers import TooHardError

__all__ = [
    "Certificate", "ExactBlocks", "Statement", "TooHardError", "certify", "exact_blocks",
    "exact_intervals", "exact_tau_star",
]  # fmt: skip
