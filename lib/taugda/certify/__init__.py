"""Certificates: a critical point, its class and tau*, proved in ball arithmetic.

``certify`` searches in high precision and then proves what it found from the numbers alone;
``Certificate.recheck`` repeats the proofs, from a file if need be.  The parts: ``balls``
(expressions over balls), ``point`` (Krawczyk's test), ``matrices`` (pivots, Routh's array, the
guard matrix, root-free intervals), ``search`` (untrusted), ``statements`` (the proofs).
"""

from taugda.certify.certificate import Certificate, Recheck, certify
from taugda.certify.statements import Numbers, Statement

__all__ = ["Certificate", "Numbers", "Recheck", "Statement", "certify"]
