"""A game between networks in PyTorch: the operators of its Jacobian at the present parameters.

Nothing of the size n x n is formed unless asked for: a product with a block is one more pass
backwards through the graph of the gradient, which is kept, and eigenvalues are SciPy's, by Lanczos
and Arnoldi.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs, eigsh
from torch import Tensor, nn

from taugda.blocks import Blocks
from taugda.checks import Array, ComplexArray, positive
from taugda.stability import extreme_bound

__all__ = ["LocalGame", "Reading", "denominators"]

_DENSE = 300  # up to this many unknowns all eigenvalues are found at once
_MOST = 3000  # unknowns of which blocks are formed
_ZERO_SUM = {torch.float64: 1e-8, torch.float32: 1e-3}  # of A12 + A21^T on a random vector
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}  # of eigenvalues, relatively
_CRITICAL = 1e-5  # of the parameters' length: so far a critical point may be
_STEPS = 300  # restarts of Lanczos and Arnoldi
Player = nn.Module | Iterable[Tensor]
Preconditioner = torch.optim.Optimizer | Sequence[Tensor] | None


@dataclass(frozen=True)
class Reading:
    """What the operators say at the present point, in print three lines."""

    tau: float
    gradient: float  # |g|
    distance: float  # |g| / |J_1|: in the linear picture no critical point is nearer
    critical: bool  # whether that is below 1e-5 of the parameters' length
    least_A11: float
    least_A22: float
    bound: float  # of tau*; nan unless the game is zero-sum and A22 positive definite
    step: float  # the largest stable gamma1, 0 if there is none
    partial: bool  # whether the step is judged by some leading eigenvalues: a bound from above
    zero_sum: bool  # to second order, at this point

    def __str__(self) -> str:
        far = f"the next such point is {self.distance:.3g} away or more"
        far = f"NOT critical: {far}, and what follows describes a place on the way"
        tau = f"tau* is at most {self.bound:.4g}"
        if math.isnan(self.bound):
            why = "A22 is not positive definite" if self.zero_sum else "the game is not zero-sum"
            tau = f"no bound of tau*, {why}"
        step = f"gamma1 below {self.step:.4g} is stable" if self.step else "no step is stable"
        if self.step and self.partial:
            step = f"no gamma1 above {self.step:.4g} is stable (by the leading eigenvalues alone)"
        return (
            f"|g| = {self.gradient:.3g}, {'critical' if self.critical else far}\n"
            f"least eigenvalue of A11 {self.least_A11:.4g}, of A22 {self.least_A22:.4g}: {tau}\n"
            f"at tau = {self.tau:g} {step}"
        )


class LocalGame:
    """A two-player game of PyTorch parameters, near where they stand now.

    Player 1 descends on ``loss``, player 2 on ``loss2``.  With g = (D1 loss, D2 loss2) the step is
    x - gamma1 (P1^-1 g1, tau P2^-1 g2) and J_tau = [[A11, A12], [tau A21, tau A22]] its Jacobian,
    in the coordinates P^1/2 x, in which A11 and A22 are symmetric.

    Parameters
    ----------
    player1, player2 : torch.nn.Module or iterable of torch.Tensor
        Whose parameters are player 1's (n1 numbers) and player 2's (n2).
    loss : callable
        Without arguments; the cost f that player 1 minimizes, a scalar with its graph.  It is
        called once, so it decides on which data the game is looked at.  The operators hold until a
        parameter changes.
    loss2 : callable, optional
        What player 2 minimizes; -loss if left out.
    preconditioners : pair, optional
        For each player None (P = 1), an optimizer (see :func:`denominators`) or tensors of the
        parameters' shapes.

    Raises
    ------
    ValueError
        If a player has no parameters, shares one with the other, or does not appear in the losses;
        if a loss is no finite scalar or has no graph.
    """

    def __init__(
        self, player1: Player, player2: Player, loss: Callable[[], Tensor],
        loss2: Callable[[], Tensor] | None = None, *,
        preconditioners: tuple[Preconditioner, Preconditioner] = (None, None),
    ) -> None:  # fmt: skip
        names = ("player1", "player2")
        self._players = [_parameters(*p) for p in zip(names, (player1, player2), strict=True)]
        every = [p for player in self._players for p in player]
        if len({id(p) for p in every}) < len(every):
            raise ValueError("player2: expected parameters of its own, got some of player1's")
        self.n1, self.n2 = (sum(p.numel() for p in player) for player in self._players)
        self.dtype = every[0].dtype
        losses = [_checked("loss", loss())]
        losses.append(-losses[0] if loss2 is None else _checked("loss2", loss2()))
        split = len(self._players[0])
        self._gradients = []
        for value in losses:
            found = torch.autograd.grad(value, every, create_graph=True, allow_unused=True)
            self._gradients.append((found[:split], found[split:]))
        self._own = [self._gradients[i][i] for i in (0, 1)]
        for name, own in zip(names, self._own, strict=True):
            _require_used(name, own)
        self._shares = [
            _scales(name, player, p)
            for name, player, p in zip(names, self._players, preconditioners, strict=True)
        ]

    @property
    def gradient(self) -> Array:
        """The vector g = (D1 loss, D2 loss2) in the scaled coordinates, shape (n1 + n2,)."""
        parts = [_flat(own) for own in self._own]
        return np.concatenate([g * s for g, s in zip(parts, self._shares, strict=True)])

    def block(self, row: int, column: int) -> LinearOperator:
        """Return A11, A12, A21 or A22 as an operator."""
        i, j = row - 1, column - 1
        shape = (self.n1, self.n2)[i], (self.n1, self.n2)[j]

        def product(v: Array) -> Array:
            return self._shares[i] * self._product(i, [j], self._shares[j] * np.ravel(v))

        # Only the diagonal blocks are symmetric, so only they have the product with the transpose.
        back = product if i == j else None
        return LinearOperator(shape, matvec=product, rmatvec=back, dtype=np.float64)

    def jacobian(self, tau: float = 1.0) -> LinearOperator:
        """Return J_tau as an operator.

        Parameters
        ----------
        tau : float
            Timescale separation, greater than 0.

        Returns
        -------
        scipy.sparse.linalg.LinearOperator
            Of order n1 + n2.
        """
        tau, shares = positive("tau", tau), np.concatenate(self._shares)

        def product(v: Array) -> Array:
            moved = shares * np.ravel(v)
            rows = [self._product(i, [0, 1], moved) for i in (0, 1)]
            return shares * np.concatenate([rows[0], tau * rows[1]])

        return LinearOperator((self.n1 + self.n2,) * 2, matvec=product, dtype=np.float64)

    def _product(self, i: int, columns: Sequence[int], vector: Array) -> Array:
        """Differentiate player i's gradient along a vector in the given players' parameters."""
        # Second derivatives commute: this is D_i of the derivative of loss i along the vector.
        wanted, own = [p for j in columns for p in self._players[j]], self._players[i]
        gradients = [g for j in columns for g in self._gradients[i][j]]
        flat = torch.as_tensor(vector, dtype=self.dtype, device=own[0].device)
        pairs = zip(gradients, flat.split([p.numel() for p in wanted]), strict=True)
        # The gradient of a linear term depends on nothing.
        used = [(g, v.view(g.shape)) for g, v in pairs if g is not None and g.requires_grad]
        if not used:
            return np.zeros(len(self._shares[i]))
        outputs, weights = zip(*used, strict=True)
        return _flat(
            torch.autograd.grad(outputs, own, weights, retain_graph=True, materialize_grads=True)
        )

    @property
    def zero_sum(self) -> bool:
        """Whether A21 = -A12^T, tried on a random vector: what the theorems ask of the losses."""
        u, v = (np.random.default_rng(0).standard_normal(n) for n in (self.n1, self.n2))
        terms = float(u @ (self.block(1, 2) @ v)), float(v @ (self.block(2, 1) @ u))
        size = max(np.abs(terms).max(), 1e-300)
        return bool(abs(sum(terms)) <= _ZERO_SUM.get(self.dtype, 1e-2) * size)

    def blocks(self) -> Blocks:
        """Return the blocks as matrices, for the exact theory of small games.

        Returns
        -------
        Blocks
            For ``stability.tau_star`` and the rest, scaled by the preconditioners.

        Raises
        ------
        ValueError
            If the game is not zero-sum to second order, or has more than 3,000 parameters.
        """
        if not self.zero_sum:
            raise ValueError("loss2: expected -loss up to terms of player 2 alone, got another")
        if self.n1 + self.n2 > _MOST:
            raise ValueError(f"players: expected at most {_MOST} numbers, got {self.n1 + self.n2}")
        operators = [self.block(*at) for at in ((1, 1), (1, 2), (2, 2))]
        a11, a12, a22 = (each @ np.eye(each.shape[1]) for each in operators)
        return Blocks((a11 + a11.T) / 2, a12, (a22 + a22.T) / 2)

    def extremes(self, player: int, which: Sequence[str] = ("SA", "LA")) -> list[float]:
        """Return the smallest (SA) and the largest eigenvalue (LA) of a player's own block."""
        operator = self.block(player, player)
        if operator.shape[0] > _DENSE:
            return [float(_extreme(eigsh, operator, 1, end, self.dtype)[0]) for end in which]
        matrix = operator @ np.eye(operator.shape[1])
        values = np.linalg.eigvalsh((matrix + matrix.T) / 2)
        return [float(values[{"SA": 0, "LA": -1}[end]]) for end in which]

    def eigenvalues(self, tau: float, count: int = 6) -> ComplexArray:
        """Return eigenvalues of J_tau, largest first: all of a small game, else some."""
        operator = self.jacobian(tau)
        if operator.shape[0] <= _DENSE:
            values = np.linalg.eigvals(operator @ np.eye(operator.shape[1])).astype(complex)
        else:
            values = _extreme(eigs, operator, count, "LM", self.dtype)
        return values[np.argsort(-np.abs(values))]

    def read(self, tau: float = 1.0) -> Reading:
        """Say whether the point is critical, what bounds tau*, and which steps are stable.

        Parameters
        ----------
        tau : float
            Timescale separation, greater than 0.

        Returns
        -------
        Reading

        Raises
        ------
        RuntimeError
            If an eigenvalue is not found.
        """
        values, one = self.eigenvalues(tau), self.eigenvalues(1.0, 1)
        (least_11,), (least_22,) = (self.extremes(player, ["SA"]) for player in (1, 2))
        size, zero_sum = float(np.linalg.norm(self.gradient)), self.zero_sum
        away = size / max(float(np.abs(one[0])), 1e-300)
        pairs = zip(self._players, self._shares, strict=True)
        every = np.concatenate([_flat(p) / s for p, s in pairs])
        stable = values.real.min() > 0
        step = float((2 * values.real / np.abs(values) ** 2).min()) if stable else 0.0
        bound = extreme_bound(least_11, least_22) if zero_sum and least_22 > 0 else math.nan
        critical = away <= _CRITICAL * float(np.linalg.norm(every))
        partial = len(values) < self.n1 + self.n2
        least = least_11, least_22
        return Reading(tau, size, away, critical, *least, bound, step, partial, zero_sum)


def denominators(optimizer: torch.optim.Optimizer, parameters: Iterable[Tensor]) -> list[Tensor]:
    """Return by what an optimizer divides each entry of the gradient, at its present state."""
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    found = []
    for number, parameter in enumerate(parameters):
        if id(parameter) not in groups:
            raise ValueError(f"optimizer: expected one of parameter {number}, got another's")
        group, state = groups[id(parameter)], optimizer.state.get(parameter, {})
        if isinstance(optimizer, torch.optim.SGD):
            found.append(torch.ones_like(parameter))
        elif isinstance(optimizer, torch.optim.RMSprop) and "square_avg" in state:
            square = state["square_avg"]
            if group["centered"]:
                square = square - state["grad_avg"] ** 2
            found.append(square.sqrt() + group["eps"])
        elif isinstance(optimizer, torch.optim.Adam) and "exp_avg_sq" in state:
            share = 1 - group["betas"][1] ** float(state["step"])
            found.append((state["exp_avg_sq"] / share).sqrt() + group["eps"])
        else:
            raise ValueError(
                f"optimizer: expected RMSprop, Adam or SGD that has stepped, got "
                f"{type(optimizer).__name__} with the state {sorted(state)}"
            )
    return found


def _parameters(name: str, player: Player) -> list[Tensor]:
    parameters = list(player.parameters() if isinstance(player, nn.Module) else player)
    if not parameters:
        raise ValueError(f"{name}: expected a module or a list with parameters, got none")
    for k, parameter in enumerate(parameters):
        if not isinstance(parameter, Tensor) or not parameter.requires_grad:
            raise ValueError(f"{name}: expected tensors that require a gradient, got [{k}] without")
    return parameters


def _checked(name: str, value: Tensor) -> Tensor:
    """Return a loss, if it is one finite number with its graph."""
    if not isinstance(value, Tensor) or value.numel() != 1:
        got = getattr(value, "shape", value)
        raise ValueError(f"{name}: expected a scalar tensor, got {got!r}")
    if not value.requires_grad:
        raise ValueError(
            f"{name}: expected a tensor with its graph, got one without (made under no_grad, "
            f"detached, or of numbers that do not depend on the parameters)"
        )
    if not math.isfinite(value.detach()):
        raise ValueError(f"{name}: expected a finite number, got {value.item()}")
    return value


def _require_used(name: str, gradients: Sequence[Tensor | None]) -> None:
    missing = [i for i, gradient in enumerate(gradients) if gradient is None]
    if missing:
        what = "none" if len(missing) == len(gradients) else f"not those at {missing}"
        raise ValueError(f"{name}: expected all its parameters in its own loss, got {what}")
    if not all(bool(g.isfinite().all()) for g in gradients):
        raise ValueError(f"{name}: expected a finite gradient, got one that is not")


def _scales(name: str, player: list[Tensor], preconditioner: Preconditioner) -> Array:
    """Return P^-1/2 of a player."""
    if preconditioner is None:
        return np.ones(sum(p.numel() for p in player))
    if isinstance(preconditioner, torch.optim.Optimizer):
        preconditioner = denominators(preconditioner, player)
    got, due = ([tuple(t.shape) for t in tensors] for tensors in (preconditioner, player))
    if got != due:
        raise ValueError(f"preconditioners: expected shapes {due} for {name}, got {got}")
    flat = _flat(preconditioner)
    if not (flat > 0).all() or not np.isfinite(flat).all():
        raise ValueError(f"preconditioners: expected numbers greater than 0 for {name}, got others")
    return flat**-0.5


def _flat(tensors: Sequence[Tensor]) -> Array:
    return torch.cat([t.detach().reshape(-1) for t in tensors]).double().cpu().numpy()


def _extreme(
    solver: Callable, operator: LinearOperator, count: int, which: str, dtype: torch.dtype
) -> Array | ComplexArray:
    """Return extreme eigenvalues from a start that is always the same."""
    start = np.random.default_rng(0).standard_normal(operator.shape[0])
    if not (operator @ start).any():  # as of a player that nothing reaches any more
        return np.zeros(count)
    options = {"tol": _TOLERANCE.get(dtype, 1e-3), "maxiter": _STEPS, "v0": start}
    try:
        return solver(operator, count, which=which, return_eigenvectors=False, **options)
    except ArpackNoConvergence as error:
        found = f"{len(error.eigenvalues)} of {count} eigenvalues ({which}) of an operator of order"
        raise RuntimeError(
            f"network: {found} {operator.shape[0]} converged in {_STEPS} restarts"
        ) from error
