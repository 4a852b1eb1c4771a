"""The Jacobian blocks of a two-player zero-sum game at one point."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from taugda.checks import Array, finite_array, positives
from taugda.signs import Doubts, Signs, hessian, schur_complement, schur_signs, signs_of

__all__ = ["Blocks", "takes_blocks"]

# Second derivatives that come from floating-point code are symmetric up to rounding only.
_ASYMMETRY = 1e-10
P, R = ParamSpec("P"), TypeVar("R")


@dataclass(frozen=True, eq=False)
class Blocks:
    """The blocks of the Jacobian of g(x) = (D1 f, -D2 f) in a zero-sum game.

    Player 1 (n1 coordinates) minimizes f, player 2 (n2 coordinates) maximizes it.  The
    Jacobian of the tau-GDA vector field Lambda_tau g is
    J_tau = [[A11, A12], [-tau A12^T, tau A22]].  Sign convention: a positive definite A11
    means that player 1 is at a strict minimum, a positive definite A22 that player 2 is at a
    strict maximum, and eigenvalues of J_tau with positive real parts mean stability.

    Parameters
    ----------
    A11 : array_like, shape (n1, n1)
        D1^2 f, symmetric.
    A12 : array_like, shape (n1, n2)
        D12 f.
    A22 : array_like, shape (n2, n2)
        -D2^2 f, symmetric.

    Raises
    ------
    ValueError
        If a block is not finite, the shapes do not fit, or A11 or A22 is not symmetric.

    Examples
    --------
    >>> Blocks([[-1.0]], [[1.0]], [[2.0]]).schur_complement
    array([[-0.5]])
    """

    A11: Array
    A12: Array
    A22: Array

    def __init__(self, A11: ArrayLike, A12: ArrayLike, A22: ArrayLike) -> None:
        # Frozen: the arrays are checked once and then never change.
        object.__setattr__(self, "_known", dict[tuple[str, Doubts], Signs]())
        for name, value in (("A11", A11), ("A12", A12), ("A22", A22)):
            object.__setattr__(self, name, finite_array(name, value, ndim=2).copy())
        n1, n2 = self.A12.shape
        if n1 == 0 or n2 == 0:
            raise ValueError(f"A12: expected at least one row and column, got shape {(n1, n2)}")
        for name, n in (("A11", n1), ("A22", n2)):
            block = getattr(self, name)
            if block.shape != (n, n):
                raise ValueError(
                    f"{name}: expected shape {(n, n)} beside A12 of shape {(n1, n2)}, "
                    f"got {block.shape}"
                )
            gap = np.abs(block - block.T).max()
            if gap > _ASYMMETRY * max(np.abs(block).max(), 1e-300):
                raise ValueError(
                    f"{name}: expected a symmetric matrix, got one that differs from its "
                    f"transpose by {gap:.3g}"
                )
            object.__setattr__(self, name, (block + block.T) / 2)
        for name in ("A11", "A12", "A22"):
            getattr(self, name).flags.writeable = False

    @property
    def n1(self) -> int:
        """Number of coordinates of player 1."""
        return self.A12.shape[0]

    @property
    def n2(self) -> int:
        """Number of coordinates of player 2."""
        return self.A12.shape[1]

    @cached_property
    def schur_complement(self) -> Array:
        """S1 = A11 + A12 A22^{-1} A12^T, shape (n1, n1); refused where A22 is singular."""
        self.require_regular("A22")
        s1 = schur_complement(self.A11, self.A12, self.A22)
        s1.flags.writeable = False
        return s1

    def signs(self, name: str, doubts: Doubts = (0.0, 0.0, 0.0)) -> Signs:
        """Return the signs of A11, A22 or S1, where A11, A12 and A22 may be so far off."""
        if (name, doubts) not in self._known:
            if name == "S1":
                signs = schur_signs(self.A11, self.A12, self.A22, doubts)
            else:
                signs = signs_of(getattr(self, name), doubts[0 if name == "A11" else 2])
            self._known[name, doubts] = signs
        return self._known[name, doubts]

    @cached_property
    def always_singular(self) -> bool:
        """Whether D^2 f, and so J_tau for every tau, has an eigenvalue 0 to within rounding."""
        singular = self.signs("A22").zero
        signs = signs_of(hessian(self.A11, self.A12, self.A22)) if singular else self.signs("S1")
        return signs.zero > 0

    def require_regular(self, name: str) -> None:
        """Raise an error where A22, which every theorem excludes, or S1 is singular."""
        signs = self.signs(name)
        if signs.zero:
            why = " (the theory needs det(D2^2 f) != 0)" if name == "A22" else ""
            raise ValueError(
                f"{name}: expected a nonsingular matrix{why}, got one that is {signs.singular}: "
                f"an eigenvalue {signs.nearest:.3g} beside others of size "
                f"{np.abs(signs.values).max():.3g}"
            )

    def jacobian(self, tau: ArrayLike) -> Array:
        """Return J_tau, the Jacobian of Lambda_tau g.

        Parameters
        ----------
        tau : array_like
            Timescale separations (learning rate of player 2 over that of player 1), at
            least 0; 0 is the limit in which player 2 stands still.

        Returns
        -------
        ndarray, shape tau.shape + (n1 + n2, n1 + n2)

        Raises
        ------
        ValueError
            If a tau is negative or not finite.
        """
        tau = positives("tau", tau, zero=True)[..., None, None]
        n1, n = self.n1, self.n1 + self.n2
        j = np.empty((*tau.shape[:-2], n, n))
        j[..., :n1, :n1] = self.A11
        j[..., :n1, n1:] = self.A12
        j[..., n1:, :n1] = -tau * self.A12.T
        j[..., n1:, n1:] = tau * self.A22
        return j


def takes_blocks(
    function: Callable[Concatenate[Blocks, P], R],
) -> Callable[Concatenate[Blocks, P], R]:
    """Refuse, by a TypeError, a first argument that is a critical point or anything else."""

    @wraps(function)
    def checked(blocks: Blocks, *args: P.args, **kwargs: P.kwargs) -> R:
        if not isinstance(blocks, Blocks):
            got = type(blocks).__name__
            raise TypeError(f"blocks: expected Blocks (of a point: point.blocks), got {got}")
        return function(blocks, *args, **kwargs)

    return checked
