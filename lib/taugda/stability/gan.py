"""The Jacobian of a realizable GAN with gradient penalty."""

import numpy as np
from numpy.typing import ArrayLike

from taugda.blocks import Blocks
from taugda.checks import finite_array, positive

__all__ = ["regularized_gan_blocks"]


def regularized_gan_blocks(B: ArrayLike, C: ArrayLike, R: ArrayLike, mu: float) -> Blocks:
    """Return the blocks of a realizable GAN with gradient penalty at its equilibrium.

    Its Jacobian is J_(tau, mu) = [[0, B], [-tau B^T, tau (C + mu R)]]; under the conditions
    checked here the equilibrium is stable for every tau > 0 and mu > 0 (for the flow; the step
    bound of :func:`convergence_rate` still depends on both).

    Parameters
    ----------
    B : array_like, shape (n1, n2)
        D12 f, of full row rank (so n1 <= n2).
    C, R : array_like, shape (n2, n2)
        The discriminator's own curvature and that of the penalty, symmetric.
    mu : float
        Weight of the penalty (with the theory's factor 1/2), at least 0.

    Returns
    -------
    Blocks
        (0, B, C + mu R).

    Raises
    ------
    ValueError
        If a shape does not fit, B lacks full row rank, or C + mu R is not positive definite, to
        working precision.

    Notes
    -----
    Source: Fiez & Ratliff (2021), the proposition on regularized GANs, after Mescheder et al.
    (2018).
    """
    mu = positive("mu", mu, zero=True)
    B, C, R = (finite_array(n, m, ndim=2) for n, m in (("B", B), ("C", C), ("R", R)))
    if C.shape != R.shape:
        raise ValueError(f"R: expected the shape of C, {C.shape}, got {R.shape}")
    blocks = Blocks(np.zeros((B.shape[0], B.shape[0])), B, C + mu * R)
    rank = int(np.linalg.matrix_rank(B))
    if rank < blocks.n1:
        raise ValueError(f"B: expected full row rank {blocks.n1}, got rank {rank}")
    values = np.linalg.eigvalsh(blocks.A22)
    least = values[0]
    if least <= 1e-13 * blocks.n2 * max(abs(values[-1]), 1e-300):  # rounding hides a zero
        raise ValueError(f"C + mu R: expected a positive definite matrix, got eigenvalue {least:g}")
    return blocks
