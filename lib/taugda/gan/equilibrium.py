"""A trained GAN that has strict local minmax points: a discriminator with fixed random features.

The data are digits in their leading principal components.  The generator (player 1) is a network
with one hidden layer, the discriminator (player 2) D(x) = omega . tanh(V x + c) with V and c drawn
once: the cost is strictly concave in omega, so player 2's best answer exists and is unique.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
import torch
from numpy.typing import ArrayLike
from scipy.special import expit
from torch import Tensor
from torch.nn.functional import softplus

from taugda.blocks import Blocks
from taugda.checks import Array, count, positive, positives
from taugda.gan.data import load

_SPREAD = 1.5  # of the features' directions; data have unit variance
_CRITICAL = 1e-10  # |g| at a point that Newton's method has reached


class FeatureGan:
    """The game min over theta, max over omega of the saturating GAN with R1 and a ridge.

    f = E l(D(x)) + E l(-D(G(z))) - (mu/2) E |grad D(x)|^2 - (ridge/2) |omega|^2 with
    l(t) = -log(1 + exp(-t)) and the means over fixed pictures and latents.

    Parameters
    ----------
    mu, ridge : float
        Weights of the gradient penalty and of the ridge, greater than 0.
    features, hidden : int
        n2, and the width of the generator: n1 = hidden (latent + 1) + components (hidden + 1).
    components, latent, pictures : int
        Dimensions of the data and of the latents; how many there are of each.
    seed : int
        Of pictures, latents, features and ``start``, the generator before training.
    """

    def __init__(
        self, mu: float, features: int = 45, hidden: int = 3, components: int = 4, latent: int = 4,
        seed: int = 0, pictures: int = 128, ridge: float = 1e-3,
    ) -> None:  # fmt: skip
        self.mu, self.ridge = positive("mu", mu), positive("ridge", ridge)
        self.n2, hidden = count("features", features), count("hidden", hidden)
        rng = np.random.default_rng(seed)
        self.x = _digits(count("pictures", pictures), count("components", components), rng)
        self.z = rng.standard_normal((pictures, count("latent", latent)))
        self.v = _SPREAD * rng.standard_normal((features, components)) / np.sqrt(components)
        self.c = rng.standard_normal(features)
        self._shapes = ((hidden, latent), (hidden,), (components, hidden), (components,))
        self._ends = np.cumsum([np.prod(shape) for shape in self._shapes]).tolist()
        scales = [shape[1] ** 0.5 if len(shape) == 2 else 10 for shape in self._shapes]
        draws = [rng.standard_normal(s) / by for s, by in zip(self._shapes, scales, strict=True)]
        self.start, self.n1 = np.concatenate([d.ravel() for d in draws]), self._ends[-1]
        self._real = np.tanh(self.x @ self.v.T + self.c)
        slopes = 1 - self._real**2
        # E grad phi_i . grad phi_j.
        roughness = (slopes.T @ slopes / pictures) * (self.v @ self.v.T)
        self._penalty = self.mu * roughness + self.ridge * np.eye(features)

    def _layers(self, theta: Any) -> list[Any]:
        """Return weights and biases, with the leading dimensions of theta."""
        parts = zip(self._shapes, (0, *self._ends), self._ends, strict=False)
        return [theta[..., a:b].reshape(*theta.shape[:-1], *shape) for shape, a, b in parts]

    def generate(self, theta: Array) -> tuple[Array, Array]:
        """Return the hidden layer and what is generated, shapes (..., pictures, width)."""
        w1, b1, w2, b2 = self._layers(theta)
        a = np.tanh(self.z @ w1.swapaxes(-1, -2) + b1[..., None, :])
        return a, a @ w2.swapaxes(-1, -2) + b2[..., None, :]

    def gradient(self, point: Array) -> Array:
        """Return g = (D1 f, -D2 f), coded by hand.

        Parameters
        ----------
        point : ndarray, shape (..., n1 + n2)
            theta, then omega.

        Returns
        -------
        ndarray, shape (..., n1 + n2)
        """
        theta, omega = point[..., : self.n1], point[..., self.n1 :]
        _, _, w2, _ = self._layers(theta)
        a, y = self.generate(theta)
        fake = np.tanh(y @ self.v.T + self.c)
        n = len(self.x)
        # Derivatives of -l by D at real and by -D at generated pictures, each over n.
        real_pull = expit(-(omega @ self._real.T)) / n
        fake_pull = expit((fake @ omega[..., None])[..., 0]) / n
        g2 = (fake_pull[..., None, :] @ fake)[..., 0, :] - real_pull @ self._real
        g2 += omega @ self._penalty
        dy = (-fake_pull[..., None] * (1 - fake**2) * omega[..., None, :]) @ self.v
        da = (dy @ w2) * (1 - a * a)
        pieces = da.swapaxes(-1, -2) @ self.z, da.sum(-2), dy.swapaxes(-1, -2) @ a, dy.sum(-2)
        return np.concatenate([*(p.reshape(*g2.shape[:-1], -1) for p in pieces), g2], axis=-1)

    def objective(self, theta: Array, omega: Array) -> float:
        """Return f."""
        fake = np.tanh(self.generate(theta)[1] @ self.v.T + self.c)
        fit = np.logaddexp(0, -self._real @ omega).mean() + np.logaddexp(0, fake @ omega).mean()
        return float(-fit - omega @ self._penalty @ omega / 2)

    def best_response(self, theta: Array, omega: Array) -> Array:
        """Return player 2's best answer, by Newton's method from omega."""
        fake = np.tanh(self.generate(theta)[1] @ self.v.T + self.c)

        def slope(omega: Array) -> Array:
            pull = expit(fake @ omega) @ fake - expit(-(self._real @ omega)) @ self._real
            return pull / len(fake) + self._penalty @ omega

        def step(omega: Array, g2: Array) -> Array:
            hessian = self._penalty.copy()
            for features in (self._real, fake):
                p = expit(features @ omega)
                hessian += (features.T * (p * (1 - p) / len(p))) @ features
            return np.linalg.solve(hessian, g2)

        return _newton(omega, slope, step, iterations=100, halvings=8, least=1e-13)

    def cost(self, theta: Tensor, omega: Tensor) -> Tensor:
        """Return f as PyTorch differentiates it: a second route to the gradient, and the blocks."""
        x, z, v, c, penalty = (
            torch.from_numpy(m) for m in (self.x, self.z, self.v, self.c, self._penalty)
        )
        w1, b1, w2, b2 = self._layers(theta)
        y = torch.tanh(z @ w1.T + b1) @ w2.T + b2
        real, fake = (torch.tanh(p @ v.T + c) @ omega for p in (x, y))
        return -softplus(-real).mean() - softplus(fake).mean() - omega @ penalty @ omega / 2

    def blocks(self, point: Array) -> Blocks:
        """Return the Jacobian's blocks at a point, by automatic differentiation.

        Parameters
        ----------
        point : ndarray, shape (n1 + n2,)

        Returns
        -------
        Blocks
        """
        n1, at = self.n1, torch.from_numpy(np.array(point))
        h = torch.func.hessian(lambda x: self.cost(x[:n1], x[n1:]))(at).numpy()
        a11, a12, a22 = h[:n1, :n1], h[:n1, n1:], -h[n1:, n1:]
        return Blocks((a11 + a11.T) / 2, a12, (a22 + a22.T) / 2)


def _digits(number: int, components: int, rng: np.random.Generator) -> Array:
    pixels = load("digits").pixels.flatten(1).numpy().astype(float)
    x = pixels[rng.permutation(len(pixels))[:number]]
    x = x - x.mean(axis=0)
    x = x @ np.linalg.svd(x, full_matrices=False)[2][:components].T
    return x / x.std()


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained GAN: where training ended and the blocks there."""

    gan: FeatureGan
    x: Array  # theta, then omega
    gradient: float  # |g| there
    blocks: Blocks


def train(gan: FeatureGan, start: ArrayLike | None = None, iterations: int = 800) -> Trained:
    """Train both players: L-BFGS on max f over omega, then Newton's method on g = 0.

    Parameters
    ----------
    gan : FeatureGan
    start : array_like, shape (n1 + n2,), optional
        Where training begins, such as the end of another's; ``gan.start`` and omega = 0 without.
    iterations : int
        At most so many of L-BFGS.

    Returns
    -------
    Trained
    """
    x = np.concatenate([gan.start, np.zeros(gan.n2)]) if start is None else np.array(start)
    answer = x[gan.n1 :]

    def worst(theta: Array) -> tuple[float, Array]:
        nonlocal answer
        answer = gan.best_response(theta, answer)
        slope = gan.gradient(np.concatenate([theta, answer]))[: gan.n1]
        return gan.objective(theta, answer), slope

    found = scipy.optimize.minimize(worst, x[: gan.n1], jac=True, method="L-BFGS-B", options={
        "maxiter": iterations, "maxfun": 2 * iterations, "maxcor": 40, "ftol": 1e-16, "gtol": 1e-10,
    })  # fmt: skip
    x = np.concatenate([found.x, gan.best_response(found.x, answer)])

    def step(x: Array, g: Array) -> Array:
        return np.linalg.lstsq(gan.blocks(x).jacobian(1.0), g, rcond=1e-13)[0]

    x = _newton(x, gan.gradient, step, iterations=15, halvings=12)
    return Trained(gan, x, float(np.linalg.norm(gan.gradient(x))), gan.blocks(x))


def _newton(
    x: Array, gradient: Callable[[Array], Array], step: Callable[[Array, Array], Array],
    iterations: int, halvings: int, least: float = 0.0,
) -> Array:  # fmt: skip
    """Take Newton's steps, or a half, a fourth, ... of one, while the gradient falls by a tenth."""
    g = gradient(x)
    for _ in range(iterations):
        size, whole = np.linalg.norm(g), step(x, g)
        tried = (x - share * whole for share in 0.5 ** np.arange(halvings))
        nearer = next((y for y in tried if np.linalg.norm(gradient(y)) < 0.9 * size), None)
        if size < least or nearer is None:
            break  # as far as rounding allows
        x, g = nearer, gradient(nearer)
    return x


def follow(mus: Iterable[float], iterations: int = 800, **setting: int) -> list[Trained]:
    """Train at the largest mu, then at each smaller one from where the one before ended.

    Parameters
    ----------
    mus : iterable of float
        Weights of the gradient penalty.
    iterations : int
        At most so many of L-BFGS at the first mu, a fourth at the others.
    **setting : int
        Arguments of `FeatureGan`.

    Returns
    -------
    list of Trained
        In descending order of mu; it ends early where no critical point was reached.
    """
    found: list[Trained] = []
    for mu in sorted(mus, reverse=True):
        # Near the last one Newton's method does most of the work.
        start, most = (found[-1].x, iterations // 4) if found else (None, iterations)
        trained = train(FeatureGan(mu, **setting), start, most)
        if trained.gradient > _CRITICAL:
            break
        found.append(trained)
    return found


def descend(
    gan: FeatureGan, start: ArrayLike, taus: Sequence[float], step: float, steps: int, every: int
) -> Array:
    """Run simultaneous tau-GDA from one point, for several tau side by side.

    Parameters
    ----------
    gan : FeatureGan
    start : array_like, shape (n1 + n2,)
    taus : sequence of float
        Timescale separations, greater than 0.
    step : float
        gamma1.
    steps, every : int
        Number of steps, and of those between two that are kept.

    Returns
    -------
    ndarray, shape (len(taus), steps // every + 1, n1 + n2)
    """
    rates = step * positives("taus", taus)[:, None] ** (np.arange(gan.n1 + gan.n2) >= gan.n1)
    x = np.tile(np.asarray(start, dtype=float), (len(taus), 1))
    kept = [x]
    for number in range(1, steps + 1):
        x = x - rates * gan.gradient(x)
        if number % every == 0:
            kept.append(x)
    return np.stack(kept, axis=1)


def mode_growth(
    trained: Trained, tau: float, step: float, stiffest: bool = False, steps: int = 3000
) -> tuple[float, float]:
    """Return the logarithm of a mode's factor a step, as predicted and as the iteration has it.

    Parameters
    ----------
    trained : Trained
    tau, step : float
        Timescale separation and gamma1, greater than 0.
    stiffest : bool
        The mode that sets the step bound, instead of the oscillating one that is slowest to fall.
    steps : int
        So many are measured, from a displacement of 1e-7.

    Returns
    -------
    predicted, measured : float
        log |1 - step l|, and the slope of the displacement along the left eigenvector.
    """
    values, right = np.linalg.eig(trained.blocks.jacobian(tau))
    order = 2 * values.real / np.abs(values) ** 2
    if not stiffest:
        order = np.where(np.abs(values.imag) > 1e-9 * np.abs(values), values.real, np.inf)
    k = int(order.argmin())
    direction = right[:, k].real / np.linalg.norm(right[:, k].real)
    every = max(1, steps // 300)
    path = descend(trained.gan, trained.x + 1e-7 * direction, [tau], step, steps, every)[0]
    along = np.abs((path - trained.x) @ np.linalg.inv(right)[k])
    slope = np.polyfit(every * np.arange(len(along)), np.log(along), 1)[0]
    return float(np.log(np.abs(1 - step * values[k]))), float(slope)
