"""Games made of NumPy functions, where a symbolic form is too large."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from taugda.blocks import Blocks
from taugda.checks import Array, positive
from taugda.games.game import Game

__all__ = ["FunctionGame"]


class FunctionGame(Game):
    """A game made by :meth:`Game.from_functions`; only what evaluates differs."""

    _functions: tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any] | None]

    @property
    def symbolic(self) -> bool:
        """False: there are no exact derivatives."""
        return False

    def latex(self) -> str:
        """Raise: there is no formula."""
        raise ValueError(f"game: expected one defined in SymPy, got {self!r}")

    def _repr_latex_(self) -> str:
        return repr(self)

    def f(self, x: ArrayLike) -> Array:
        """Return the cost of player 1; see :meth:`Game.f`."""
        points = self.point(x)
        if self._functions[2] is None:
            raise ValueError(f"game: expected one with a cost f, got {self!r}")
        return self._functions[2](points)

    def unchecked_gradient(self, x: Array) -> Array:
        """Return g(x) without looking at x; see :meth:`Game.unchecked_gradient`."""
        return self._functions[0](x)

    def blocks(self, x: ArrayLike) -> Blocks:
        """Return the blocks at one point; see :meth:`Game.blocks`."""
        return self._functions[1](self._one_point(x))

    def jacobian(self, x: ArrayLike, tau: float) -> Array:
        """Return J_tau(x); see :meth:`Game.jacobian`."""
        points = self.point(x)
        tau = positive("tau", tau)
        flat = points.reshape(-1, self.n)
        stacked = np.stack([self._functions[1](p).jacobian(tau) for p in flat])
        return stacked.reshape(*points.shape[:-1], self.n, self.n)
