"""Measure the speed of the core: `make bench`, or `python benchmarks/bench.py tau_star dynamics`.

Each benchmark compares the library with a plain implementation of the same mathematics in the
same process, and writes a table (Markdown), the numbers (JSON) and a plot to outputs/bench/.
Times are wall-clock seconds on a machine that may be busy: read ratios, not digits.
"""

import argparse
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import sympy as sp
from matplotlib.figure import Figure

from taugda import dynamics, ensembles, equilibria, games, stability
from taugda.atomic import write_atomic
from taugda.blocks import Blocks
from taugda.record.provenance import provenance
from taugda.runs import Project
from taugda.stability import guard
from taugda.stability.frequency import frequency_crossing

SIZES = [10, 20, 50, 100, 200, 400, 1000]
UNEQUAL = [(10, 30), (30, 10), (30, 80), (80, 30), (100, 400), (400, 100)]
DENSE_UP_TO = 2500  # order n1 n2 of the dense construction; the next size takes minutes
TAUS = [1.0, 2.0, 5.0, 20.0]  # of the polynomial game's regions of attraction


class Peak:
    """Peak memory of a block of code above what was in use at its start, in MiB."""

    def __enter__(self) -> "Peak":
        self._process = psutil.Process()
        self._base = self._top = self._process.memory_info().rss
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            self._top = max(self._top, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.mebibytes = (self._top - self._base) / 2**20


def timed(work: Callable[[], Any], least: float = 1.0) -> tuple[Any, float]:
    """Return a result and the shortest time of one call, repeated for a while if it is quick."""
    best, total, result = np.inf, 0.0, None
    while total < least:
        result = None  # its memory is used again
        begin = time.perf_counter()
        result = work()
        spent = time.perf_counter() - begin
        best, total = min(best, spent), total + spent
    return result, best


def duplication_matrix(n: int) -> np.ndarray:
    """Return H with vec(P) = H vech(P) for symmetric P."""
    columns = [(i, j) for i in range(n) for j in range(i, n)]
    h = np.zeros((n * n, len(columns)))
    for k, (i, j) in enumerate(columns):
        h[i * n + j, k] = h[j * n + i, k] = 1.0
    return h


def dense_tau_star(blocks: Blocks) -> float:
    """Compute tau* with the Kronecker products of the theorem, as it is written there."""
    a11, a12, a22 = blocks.A11, blocks.A12, blocks.A22
    n1, n2 = blocks.n1, blocks.n2
    inverse = np.linalg.inv(a22)
    s1, n = a11 + a12 @ inverse @ a12.T, a12 @ inverse

    def box(a: np.ndarray, h: np.ndarray, h_plus: np.ndarray) -> np.ndarray:
        eye = np.eye(len(a))
        return h_plus @ (np.kron(a, eye) + np.kron(eye, a)) @ h

    h1, h2 = duplication_matrix(n1), duplication_matrix(n2)
    p1, p2 = np.linalg.pinv(h1), np.linalg.pinv(h2)
    q = (
        -np.kron(a11, inverse)
        - 2 * np.kron(a12, inverse) @ h2 @ np.linalg.inv(box(a22, h2, p2)) @ p2
        @ np.kron(a12.T, np.eye(n2))
        + 2 * np.kron(np.eye(n1), n.T) @ h1 @ np.linalg.inv(box(s1, h1, p1)) @ p1 @ np.kron(s1, n)
    )  # fmt: skip
    values = np.linalg.eigvals(q)
    real = values[np.abs(values.imag) <= 1e-9 * np.abs(values)].real
    return float(max(real.max(initial=0.0), 0.0))


def bench_tau_star(folder: Path) -> None:
    """Time tau* against the dense construction, over sizes."""
    rows = []
    for n1, n2 in [(n, n) for n in SIZES] + UNEQUAL:
        blocks = ensembles.random_dse(n1, n2, np.random.default_rng([n1, n2]))
        with Peak() as ours_memory:
            answer, ours = timed(lambda b=blocks: stability.tau_star(b))
        row = {
            "n1": n1, "n2": n2, "tau*": answer.value, "method": answer.method,
            "seconds": ours, "peak MiB": ours_memory.mebibytes,
            "dense seconds": None, "dense peak MiB": None, "speed-up": None, "difference": None,
        }  # fmt: skip
        if n1 * n2 <= DENSE_UP_TO:
            with Peak() as dense_memory:
                value, dense = timed(lambda b=blocks: dense_tau_star(b))
            row |= {
                "dense seconds": dense, "dense peak MiB": dense_memory.mebibytes,
                "speed-up": dense / ours, "difference": abs(value / answer.value - 1),
            }  # fmt: skip
        rows.append(row)
        print(f"  tau*, n1 = {n1}, n2 = {n2}: {ours:.3g} s", flush=True)
    square = [r for r in rows if r["n1"] == r["n2"]]
    large = [r for r in square if r["n1"] >= 100]
    dense = [r for r in square if r["dense seconds"]]
    exponents = {
        "ours, n from 100": slope(large, "seconds"),
        "dense": slope(dense, "dense seconds"),
    }
    lines = {
        "this library": ([r["n1"] for r in square], [r["seconds"] for r in square]),
        "dense, as the theorem is written": (
            [r["n1"] for r in dense],
            [r["dense seconds"] for r in dense],
        ),
    }
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log", xlabel="$n_1 = n_2$", ylabel="seconds")
    for (name, (sizes, seconds)), marker in zip(lines.items(), "os^", strict=False):
        axes.plot(sizes, seconds, marker=marker, label=name)
    axes.legend()
    figure.savefig(folder / "tau_star.png", dpi=150)
    notes = "; ".join(f"growth exponent, {name}: {value:.2f}" for name, value in exponents.items())
    publish(folder, "tau_star", "tau* against the dense construction", rows, notes)


ROUTES = [
    (5, 5),
    (8, 8),
    (10, 10),
    (20, 20),
    (31, 45),
    (50, 50),
    (100, 100),
    (200, 200),
    (300, 300),
]
ROUTES += [(10, 150), (150, 10)]


def loose_dse(n1: int, n2: int, rng: np.random.Generator) -> Blocks:
    """Draw a DSE whose tau* lies far below its bound: A11 and A22 are not tied to each other."""
    m, a11 = rng.standard_normal((n2, n2)), rng.standard_normal((n1, n1))
    a11, a12, a22 = (a11 + a11.T) / 2, rng.standard_normal((n1, n2)), m @ m.T / n2
    a22 += 0.05 * np.eye(n2)
    least = np.linalg.eigvalsh(a11 + a12 @ np.linalg.solve(a22, a12.T))[0]
    return Blocks(a11 + max(0.0, 0.05 * rng.random() - least) * np.eye(n1), a12, a22)


def bench_routes(folder: Path) -> None:
    """Time the guard map, dense and by Krylov, against the frequency, on two kinds of games."""
    rows = []
    for (n1, n2), tied in [(size, tied) for size in ROUTES for tied in (True, False)]:
        draw = ensembles.random_dse if tied else loose_dse
        blocks = draw(n1, n2, np.random.default_rng([n1, n2, 0]))
        routes = {
            "dense": lambda b=blocks: next(guard.crossings_descending(b, b.n1 * b.n2)),
            "Krylov": lambda b=blocks: next(guard.crossings_descending(b, 0, restarts=3000)),
            "frequency": lambda b=blocks: frequency_crossing(b),
            "tau_star": lambda b=blocks: stability.tau_star(b),
        }
        if n1 * n2 > DENSE_UP_TO:
            del routes["dense"]
        row: dict[str, Any] = {
            "n1": n1, "n2": n2, "A11": "S1 - A12 A22^-1 A12^T" if tied else "drawn",
            "tau*": None, "bound / tau*": None, "dense": None, "Krylov": None, "frequency": None,
            "tau_star": None, "of it by": None, "difference": None,
        }  # fmt: skip
        found = {}
        for name, work in routes.items():
            try:
                answer, row[name] = timed(work, least=0.2)
            except stability.KrylovError:
                row[name] = "gives up"
                continue
            found[name] = answer.value if name == "tau_star" else answer.tau
        row["tau*"], row["of it by"] = answer.value, answer.method
        row["bound / tau*"] = stability.tau_star_bound(blocks) / answer.value
        row["difference"] = max(abs(tau / answer.value - 1) for tau in found.values())
        rows.append(row)
        print(f"  routes to tau*, n1 = {n1}, n2 = {n2}: {row['tau_star']:.3g} s", flush=True)
    publish(folder, "routes", "Seconds to tau* by route", rows, crossover(rows))


def crossover(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say from which order n1 n2 on the frequency is quicker than the other routes."""
    notes = []
    for kind in dict.fromkeys(row["A11"] for row in rows):
        for route in ("dense", "Krylov"):
            timed_rows = [r for r in rows if r["A11"] == kind and r[route] is not None]
            ahead = [
                r["n1"] * r["n2"]
                for r in timed_rows
                if isinstance(r[route], str) or r["frequency"] < r[route]
            ]
            behind = [r["n1"] * r["n2"] for r in timed_rows if r["n1"] * r["n2"] not in ahead]
            from_here = [order for order in ahead if order > max(behind, default=0)]
            told = f"from n1 n2 = {min(from_here)} on" if from_here else "at no size here"
            notes.append(f"A11 {kind}: frequency quicker than {route} {told}")
    return "; ".join(notes)


def slope(rows: Sequence[Mapping[str, Any]], key: str) -> float:
    """Return the exponent p of the fit time ~ n^p."""
    return float(np.polyfit(np.log([r["n1"] for r in rows]), np.log([r[key] for r in rows]), 1)[0])


def plain_run(
    game: games.Game, x: np.ndarray, tau: float, step: float, iterations: int
) -> np.ndarray:
    """Run alternating tau-GDA as a plain loop; x may hold many points, shape (..., 2)."""
    g1, g2 = (sp.lambdify(game.variables, g, modules="numpy", cse=True) for g in game.g)
    x1, x2 = x[..., 0].copy(), x[..., 1].copy()
    for _ in range(iterations):
        x1 -= step * g1(x1, x2)
        x2 -= tau * step * g2(x1, x2)
    return np.stack([x1, x2], axis=-1)


def bench_dynamics(folder: Path) -> None:
    """Time trajectories and regions of attraction against plain NumPy loops."""
    rows = []
    torus = games.torus()
    starts, taus = np.array([[2.0, -1.0], [1.9, -2.1]]), np.array([1.0, 2.0, 5.0, 10.0])
    dynamics.simulate(torus, starts[0], 1.0, 1e-3, 10, True)  # compiles
    paths, ours = timed(
        lambda: dynamics.simulate(torus, starts, taus[:, None], 1e-3, 200_000, True)
    )
    begin = time.perf_counter()
    ends = [[plain_run(torus, x, tau, 1e-3, 200_000) for x in starts] for tau in taus]
    plain = time.perf_counter() - begin
    gap = float(np.abs(np.array(ends) - paths[:, :, -1]).max())
    rows.append(
        {"work": "torus, 8 runs of 200,000 steps", "seconds": ours, "plain seconds": plain,
         "speed-up": plain / ours, "disagreement": f"largest difference of an end {gap:.1e}"}
    )  # fmt: skip
    print(f"  torus trajectories: {ours:.3g} s, plain {plain:.3g} s", flush=True)
    rows.append(polynomial_regions())
    publish(folder, "dynamics", "Dynamics against plain NumPy loops", rows, "compilation apart")


def polynomial_regions() -> dict[str, Any]:
    """Time the polynomial game's regions of attraction at the paper's settings."""
    game = games.polynomial()
    attractors = [p.x for p in equilibria.critical_points(game) if p.classification.is_dse]
    setting = (1e-3, 75_000, [[-15, 15]] * 2, 200, 1e-3, True)
    dynamics.region_of_attraction(game, attractors, 1.0, 1e-3, 10, [[-1, 1]] * 2, 2, 1e-3, True)
    labels, ours = timed(
        lambda: dynamics.region_of_attraction(game, attractors, TAUS, *setting), least=0.0001
    )
    print(f"  polynomial regions: {ours:.3g} s", flush=True)
    axis = np.linspace(-15, 15, 200)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    begin = time.perf_counter()
    with np.errstate(under="ignore"):
        states = [plain_run(game, grid, tau, *setting[:2]) for tau in TAUS]
    plain = time.perf_counter() - begin
    expected = dynamics.label(game, np.array(states), attractors, 1e-3)
    differing = np.argwhere(labels != expected)
    fragile = [flips_with_an_ulp(game, attractors, grid[i, j], TAUS[t]) for t, i, j in differing]
    where = ", ".join(f"tau {TAUS[t]:g} at {grid[i, j]}" for t, i, j in differing)
    return {
        "work": "polynomial game, 200 x 200 points, 75,000 steps, 4 taus",
        "seconds": ours, "plain seconds": plain, "speed-up": plain / ours,
        "disagreement": f"{len(differing)} labels, {sum(fragile)} of them at starts whose label "
        f"changes with the last bit of the start{': ' + where if where else ''}",
    }  # fmt: skip


def flips_with_an_ulp(game: games.Game, attractors: Any, start: np.ndarray, tau: float) -> bool:
    """Return whether the plain loop's own label changes when the start changes by one ulp."""
    moved = np.array([start, *(_nudged(start, i, d) for i in (0, 1) for d in (-np.inf, np.inf))])
    ends = plain_run(game, moved, tau, 1e-3, 75_000)
    return len(set(dynamics.label(game, ends, attractors, 1e-3).tolist())) > 1


def _nudged(start: np.ndarray, i: int, direction: float) -> np.ndarray:
    moved = start.copy()
    moved[i] = np.nextafter(moved[i], direction)
    return moved


def publish(
    folder: Path, name: str, title: str, rows: Sequence[Mapping[str, Any]], notes: str
) -> None:
    """Write the rows as JSON and as a Markdown table, and print the table."""

    def cell(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:.3g}"
        return "" if value is None else str(value)

    table = [
        "| " + " | ".join(rows[0]) + " |",
        "|" + "---|" * len(rows[0]),
        *("| " + " | ".join(cell(v) for v in row.values()) + " |" for row in rows),
    ]
    text = f"# {title}\n\n" + "\n".join(table) + f"\n\n{notes}\n"
    write_atomic(folder / f"{name}.md", text)
    details = {"rows": rows, "notes": notes, "provenance": provenance(Project.find(), {})}
    write_atomic(folder / f"{name}.json", json.dumps(details, indent=1) + "\n")
    print(text)


def bench_gan(folder: Path) -> None:
    """One update of the image GANs, against separate passes and double differentiation."""
    import gan_update

    publish(
        folder,
        "gan",
        "One update of both players",
        gan_update.rows(),
        "CPU time on one thread, median of alternating rounds on the same batches.",
    )


def bench_gan_data(folder: Path) -> None:
    """Batches of real pictures, which must not keep training waiting."""
    import gan_data

    publish(
        folder,
        "gan_data",
        "Batches of real pictures",
        gan_data.rows(),
        "CPU time on one thread, median of rounds of 500 batches, drawn from 50,000 pictures.",
    )


BENCHMARKS = {
    "tau_star": bench_tau_star,
    "routes": bench_routes,
    "dynamics": bench_dynamics,
    "gan": bench_gan,
    "gan_data": bench_gan_data,
}


def main() -> None:
    """Run the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], default=[])
    names = parser.parse_args().names or list(BENCHMARKS)
    folder = Project.find().outputs / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        print(f"{name}:", flush=True)
        BENCHMARKS[name](folder)
    print(f"Tables and plots: {folder}")


if __name__ == "__main__":
    main()
