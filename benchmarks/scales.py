"""Badly scaled games: tau* against exact arithmetic, `python benchmarks/scales.py [--games N]`.

Five ensembles of differential Stackelberg equilibria, n1 and n2 from 1 to 3.  A float is taken as
the exact number that it is.  The reference shares nothing with the library: det(J_tau boxplus
J_tau) is interpolated as a polynomial in tau with rational coefficients, its real roots are
isolated, and the last one at which a pair lies on the imaginary axis is tau*.
"""

import argparse
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
from flint import acb_mat, arb, arb_mat, ctx, fmpq, fmpq_mat, fmpq_poly

from taugda.blocks import Blocks
from taugda.stability import tau_star

AGREES = 1e-8  # relative


def power(rng: np.random.Generator, most: float) -> float:
    return float(10.0 ** rng.uniform(-most, most))


def definite(rng: np.random.Generator, n: int, least: float = 0.1) -> np.ndarray:
    q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    values = 10.0 ** rng.uniform(-1, 0.7, n)
    values[0] = least
    return (q * values) @ q.T


def strict(a22: np.ndarray, s1: np.ndarray, a12: np.ndarray) -> Blocks:
    a11, a22 = s1 - a12 @ np.linalg.solve(a22, a12.T), (a22 + a22.T) / 2
    return Blocks((a11 + a11.T) / 2, a12, a22)


def sized_blocks(rng: np.random.Generator, n1: int, n2: int) -> Blocks:
    """A22, S1 and A12 each times 1e-6 to 1e6."""
    a22, s1 = power(rng, 6) * definite(rng, n2), power(rng, 6) * definite(rng, n1)
    return strict(a22, s1, power(rng, 6) * rng.standard_normal((n1, n2)))


def sized_coordinates(rng: np.random.Generator, n1: int, n2: int) -> Blocks:
    """Each coordinate in a unit of its own, 1e-3 to 1e3."""
    b = strict(definite(rng, n2), definite(rng, n1), rng.standard_normal((n1, n2)))
    d1, d2 = (np.array([power(rng, 3) for _ in range(n)]) for n in (n1, n2))
    return Blocks(d1[:, None] * b.A11 * d1, d1[:, None] * b.A12 * d2, d2[:, None] * b.A22 * d2)


def nearly_singular(rng: np.random.Generator, n1: int, n2: int) -> Blocks:
    """The smallest eigenvalue of A22 from 1e-9 to 0.1."""
    a22 = definite(rng, n2, 10.0 ** rng.uniform(-9, -1))
    return strict(a22, definite(rng, n1), rng.standard_normal((n1, n2)))


def tiny(rng: np.random.Generator, n1: int, n2: int) -> Blocks:
    """A11 has a negative eigenvalue of 1e-11 to 1e-4 beside others of order 1: tau* is tiny."""
    q = np.linalg.qr(rng.standard_normal((n1, n1)))[0] if rng.random() < 0.5 else np.eye(n1)
    values = 10.0 ** rng.uniform(-1, 0.5, n1)
    values[0] = -(10.0 ** rng.uniform(-11, -4))
    a11 = (q * values) @ q.T
    a12 = rng.standard_normal((n1, n2))
    return Blocks((a11 + a11.T) / 2, a12, definite(rng, n2))


def coupled(rng: np.random.Generator, n1: int, n2: int) -> Blocks:
    """A12 of low rank, 1e2 to 1e10: S1 hides a small eigenvalue beside a large one."""
    m = rng.standard_normal((n1, n1))
    d = np.array([power(rng, 4) for _ in range(n1)])
    a11 = d[:, None] * (m @ m.T - 0.2 * np.eye(n1)) * d
    r = rng.integers(1, min(n1, n2) + 1)
    a12 = 10.0 ** rng.uniform(2, 10) * rng.standard_normal((n1, r)) @ rng.standard_normal((r, n2))
    return Blocks((a11 + a11.T) / 2, d[:, None] * a12, definite(rng, n2))


ENSEMBLES = {
    "blocks, 1e-6 to 1e6": sized_blocks,
    "coordinates, 1e-3 to 1e3": sized_coordinates,
    "A22 nearly singular": nearly_singular,
    "tiny tau*": tiny,
    "A12 large, of low rank": coupled,
}


def rational(matrix: np.ndarray) -> fmpq_mat:
    rows = [[fmpq(*float(v).as_integer_ratio()) for v in row] for row in matrix]
    return fmpq_mat(len(rows), len(rows[0]), [v for row in rows for v in row])


def positive_definite(m: fmpq_mat) -> bool:
    k = m.nrows()
    minors = (
        fmpq_mat(p, p, [m[i, j] for i in range(p) for j in range(p)]).det() for p in range(1, k + 1)
    )
    return all(minor > 0 for minor in minors)


def box_sum(j: list[list[fmpq]]) -> fmpq_mat:
    """J boxplus J in the coordinates P_ij, i <= j."""
    n = len(j)
    pairs = [(p, q) for p in range(n) for q in range(p, n)]
    where = {pair: k for k, pair in enumerate(pairs)}
    m = [[fmpq(0)] * len(pairs) for _ in pairs]
    for row, (p, q) in enumerate(pairs):
        for k in range(n):  # (J P + P J^T)_pq = sum_k J_pk P_kq + P_pk J_qk
            m[row][where[min(k, q), max(k, q)]] += j[p][k]
            m[row][where[min(p, k), max(p, k)]] += j[q][k]
    return fmpq_mat(len(pairs), len(pairs), [v for r in m for v in r])


def reference(blocks: Blocks) -> float:
    """Return tau* of the exact numbers that the floats are, infinity where there is none."""
    a11, a12, a22 = (rational(m) for m in (blocks.A11, blocks.A12, blocks.A22))
    n1, n2 = blocks.n1, blocks.n2
    if not positive_definite(a22) or not positive_definite(a11 + a12 * a22.inv() * a12.transpose()):
        return math.inf

    def jacobian(tau: fmpq) -> list[list[fmpq]]:
        first = [[*(a11[i, k] for k in range(n1)), *(a12[i, k] for k in range(n2))]
                 for i in range(n1)]  # fmt: skip
        second = [[*(-tau * a12[k, i] for k in range(n1)), *(tau * a22[i, k] for k in range(n2))]
                  for i in range(n2)]  # fmt: skip
        return first + second

    low = n2 * (n2 + 1) // 2  # det(J boxplus J) is tau^low times a polynomial of degree n1 n2
    points = [fmpq(k) for k in range(1, n1 * n2 + 2)]
    values = [box_sum(jacobian(t)).det() / t**low for t in points]
    total = fmpq_poly([0])
    for k, (t, value) in enumerate(zip(points, values, strict=True)):
        term = fmpq_poly([value])
        for other in points[:k] + points[k + 1 :]:
            term *= fmpq_poly([-other, 1]) / (t - other)
        total += term
    square_free = total / total.gcd(total.derivative())
    with ctx.workprec(600):
        roots = [r.real for r, _ in square_free.numer().complex_roots() if r.imag == 0]
        for root in sorted((r for r in roots if r > 0), key=float, reverse=True):
            rows = [[arb(v.p) / v.q for v in row] for row in jacobian(fmpq(1))]
            rows = [[v * root if i >= n1 else v for v in row] for i, row in enumerate(rows)]
            spectrum = acb_mat(arb_mat(rows)).eig(algorithm="approx")
            on_axis = [v for v in spectrum if abs(float(v.real)) < 1e-60 * abs(complex(v))]
            if on_axis:
                return float(root)
    return 0.0


def games(draw: Callable[..., Blocks], count: int) -> Iterator[tuple[Blocks, float]]:
    """Draw equilibria (in exact arithmetic, too) and their tau*."""
    rng = np.random.default_rng(15)
    while count:
        blocks = draw(rng, *(int(n) for n in rng.integers(1, 4, 2)))
        value = reference(blocks)
        if value < math.inf:
            count -= 1
            yield blocks, value


def outcome(blocks: Blocks, value: float) -> str:
    """Say how the library's answer compares."""
    try:
        answer = tau_star(blocks)
    except (ValueError, RuntimeError):
        return "refused"
    if value == answer.value or (value > 0 and abs(answer.value / value - 1) <= AGREES):
        return "agrees"
    # S1's smallest eigenvalue is within rounding of A11, and the answer says so.
    return "S1 singular" if answer.reason.startswith("S1 is singular") else "differs"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--games", type=int, default=200, help="games of each ensemble")
    count = parser.parse_args().games
    columns = ["agrees", "differs", "S1 singular", "refused"]
    print("| ensemble |", " | ".join(columns), "| ms a game |")
    print("|---" * (len(columns) + 2) + "|")
    for name, draw in ENSEMBLES.items():
        drawn = list(games(draw, count))
        begin = time.perf_counter()
        found = Counter(outcome(*game) for game in drawn)
        spent = 1e3 * (time.perf_counter() - begin) / count
        print(f"| {name} |", " | ".join(str(found[c]) for c in columns), f"| {spent:.2g} |")


if __name__ == "__main__":
    main()
