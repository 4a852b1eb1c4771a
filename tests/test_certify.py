"""Certificates: known answers inside the bounds, and nothing false that can be proved."""

import dataclasses
import itertools
import json
import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from games_at_random import dse_blocks, wishart_dse

from taugda import games, stability
from taugda.blocks import Blocks
from taugda.certify import Certificate, certify
from taugda.certify.balls import Program, decimal, fraction, precision
from taugda.certify.matrices import definite, guard_matrix, hurwitz, no_root, semidefinite
from taugda.certify.point import Derivatives
from taugda.certify.statements import verify
from taugda.equilibria import critical_points
from taugda.games import Game
from taugda.games.text import game_from_text, parse

flint = pytest.importorskip("flint")

x, y = sp.symbols("x y", real=True)
COMPLEX_AHEAD = [2262, 9889, 18577, 25961]
TWO_INTERVALS = [268, 20499, 24225]


def rationals(matrix):
    return sp.Matrix(matrix).applyfunc(lambda v: sp.Rational(repr(float(v))))


def quadratic_game(blocks, cubic=None):
    """The game whose blocks at 0 are these decimals, with cubic terms if a seed is given."""
    n1, n = blocks.n1, blocks.n1 + blocks.n2
    v = sp.symbols(f"v1:{n + 1}", real=True)
    hessian = np.block([[blocks.A11, blocks.A12], [blocks.A12.T, -blocks.A22]])
    column = sp.Matrix(v)
    f = (column.T * rationals(hessian) * column)[0] / 2
    if cubic is not None:
        rng = np.random.default_rng(cubic)
        f += sp.Add(
            *(
                sp.Rational(int(rng.integers(-9, 10)), int(rng.integers(1, 10))) * sp.Mul(*three)
                for three in itertools.combinations_with_replacement(v, 3)
            )
        )
    return Game(sp.expand(f), v[:n1], v[n1:])


def width(certificate):
    low, high = certificate.tau_star
    return float((high - low) / high)


def touching_game(scale=1):
    """A DSE whose spectrum touches the axis at tau = 1 and is stable on both sides.

    Built from the eigenvector p + i q of J_1 on the axis: its derivative in tau is imaginary
    where p1.q1 = p2.q2 = 0, and the Hessian is symmetric where |(p, q)_1| = |(p, q)_2|.
    """
    p, q = sp.Matrix([4, 0, 1, 0]), sp.Matrix([0, 7, 0, 8])
    m, n = sp.Matrix([1, 0, -4, 0]), sp.Matrix([0, 8, 0, -7])
    sign = sp.diag(1, 1, -1, -1)
    basis = sp.Matrix.hstack(p, q, m, n)
    gram = sp.zeros(4)
    gram[:, 0], gram[:, 1] = basis.T * (-sign * q), basis.T * (sign * p)
    gram[:2, 2:] = gram[2:, :2].T
    gram[2:, 2:] = sp.Matrix([[-30, -22], [-22, -36]])
    dual = basis * (basis.T * basis).inv()
    hessian = dual * gram * dual.T
    v = sp.symbols("v1:5", real=True)
    f = scale * (sp.Matrix(v).T * hessian * sp.Matrix(v))[0] / 2
    return Game(sp.expand(f), v[:2], v[2:])


# The paper's games


@pytest.mark.parametrize(
    ("game", "point", "kind", "expected"),
    [
        (games.quadratic(), [0, 0, 0, 0], "DSE", 2),
        (games.quadratic(0.7), [0.0, 1e-9, 0.0, 0.0], "DSE", 2),
        (games.torus(), [0, 0], "DSE", Fraction(17, 23)),
        (games.torus(), [math.pi, math.pi], "DSE", Fraction(23, 17)),
        (games.torus(), [sp.pi, sp.pi], "DSE", Fraction(23, 17)),
        (games.polynomial(), [-11.029738508573407] * 2, "DSE", 1),
        (games.polynomial(), [-1.6216535911507022] * 2, "DSE", 1),
        (games.polynomial(), [10.572163992478098, -8.95173917676807], "DNE", 0),
        (games.nonequilibrium(), [1, 1, 1, 1], "DNE", 0),
        (games.dirac_gan(), [0, 0], "DSE", 0),
        (games.dirac_gan(non_saturating=True), [0.0, 0.0], "DSE", 0),
        (games.covariance_gan(1, sigma=[[2]]), [math.sqrt(2), 0], "DSE", 0),
        (game_from_text("-x^2/2 + 2*x*y - a*y^2", ["x"], ["y"], {"a": 0.5}), [0, 0], "DSE", 1),
        (game_from_text("sqrt(2)*(x^2 + x*y - 3*z*y - y^2)", ["x", "z"], ["y"]), [0, 0, 0],
         "DSE", 0),
        (game_from_text("-log(cosh(x)) + 2*x*atan(y) - exp(-1/3)*y^2", ["x"], ["y"]), [0, 0],
         "DSE", None),
    ],
)  # fmt: skip
def test_known_answers_are_proved(game, point, kind, expected, tmp_path):
    certificate = certify(game, point)
    assert certificate.proved, str(certificate)
    assert certificate.kind == kind
    low, high = certificate.tau_star
    if expected == 0:
        assert low == high == 0
    else:
        assert width(certificate) <= 1e-12
        assert expected is None or low < expected < high
        star = stability.tau_star(game.blocks([float(c) for c in point])).value
        assert float(low) * (1 - 1e-9) <= star <= float(high) * (1 + 1e-9)
    path = tmp_path / "certificate.json"
    certificate.to_json(path)
    again = Certificate.from_json(path)
    assert again == certificate
    assert again.recheck(), str(again.recheck())
    assert again.recheck(precision=300, game=game)


@pytest.mark.parametrize("game", [games.polynomial(), games.nonequilibrium(), games.torus()])
def test_every_critical_point_gets_its_class(game):
    for point in critical_points(game):
        certificate = certify(game, point)
        assert certificate.proved, str(certificate)
        assert certificate.kind == point.kind
        assert (certificate.tau_star is None) == (point.kind == "neither")
        if point.kind != "neither":
            continue
        intervals = stability.stability_intervals(point.blocks)
        ends = certificate.numbers.intervals
        assert certificate.statements[-1].proved
        assert len(ends) == len(intervals)
        for pair, interval in zip(ends, intervals, strict=True):
            for (a, b), end in zip(pair, (interval.lower, interval.upper), strict=True):
                assert float(a) * (1 - 1e-9) <= end <= float(b) * (1 + 1e-9)


def test_printed_certificate():
    text = str(certify(games.torus(), [0, 0]))
    for part in ("tau* lies in [0.7391304347826", "unstable at tau", "python-flint", "Krawczyk"):
        assert part in text
    assert "not proved" not in text


# Random games


@pytest.mark.parametrize("seed", COMPLEX_AHEAD + TWO_INTERVALS)
def test_rare_cases_agree_with_double_precision(seed):
    blocks = wishart_dse(seed)
    certificate = certify(quadratic_game(blocks), np.zeros(blocks.n1 + blocks.n2))
    assert certificate.proved, str(certificate)
    star = stability.tau_star(blocks).value
    assert abs(float(certificate.tau_star[0]) - star) <= 1e-9 * star
    assert width(certificate) <= 1e-12


@pytest.mark.parametrize(("n1", "n2"), [(1, 1), (2, 3), (3, 1), (6, 6), (4, 8), (1, 11)])
@pytest.mark.parametrize("moved", [False, True])
def test_random_games_with_cubic_terms(n1, n2, moved):
    rng = np.random.default_rng(10 * n1 + n2)
    blocks = dse_blocks(rng, n1, n2)
    while np.linalg.eigvalsh(blocks.A11)[0] >= 0:
        blocks = dse_blocks(rng, n1, n2)
    blocks = Blocks(*(np.round(getattr(blocks, name), 3) for name in ("A11", "A12", "A22")))
    game = quadratic_game(blocks, cubic=1)
    point = np.zeros(game.n)
    if moved:  # a linear term moves the point to where nothing is rational
        f = game.expr + sp.Add(*(v / (10**6 + 7 * i) for i, v in enumerate(game.variables)))
        game = Game(f, game.x1, game.x2)
        for _ in range(30):
            point -= np.linalg.solve(game.jacobian(point, 1.0), game.gradient(point))
    certificate = certify(game, point)
    assert certificate.proved, str(certificate)
    assert certificate.kind == "DSE"
    assert width(certificate) <= 1e-12
    star = stability.tau_star(game.blocks(point)).value
    assert abs(float(certificate.tau_star[0]) - star) <= 1e-9 * star
    assert certificate.recheck()


def test_double_roots_of_the_guard_map():
    one = games.torus().blocks([0, 0])
    for turn in (np.eye(2), np.array([[0.6, -0.8], [0.8, 0.6]])):
        blocks = Blocks(
            *(turn @ (a[0, 0] * np.eye(2)) @ turn.T for a in (one.A11, one.A12, one.A22))
        )
        certificate = certify(quadratic_game(blocks), [0.0] * 4)
        assert certificate.proved, str(certificate)
        assert abs(float(certificate.tau_star[0]) - 17 / 23) < 1e-9


def test_spectrum_that_only_touches_the_axis():
    certificate = certify(touching_game(), [0] * 4)
    assert certificate.proved, str(certificate)
    assert certificate.numbers.touches
    assert certificate.tau_star[0] < 1 < certificate.tau_star[1]
    assert "touches" in str(certificate)
    assert certificate.recheck()
    # The same with irrational blocks: stable on both sides is proved, the touch is not.
    open_case = certify(touching_game(sp.pi), [0] * 4, most=512)
    assert [s.proved for s in open_case.statements] == [True, True, True, True, False]
    assert not open_case.proved and open_case.tau_star is None


def test_independent_enclosures_of_the_guard_matrix():
    """flint's own eigenvalue enclosures: none real beyond the bound, one inside."""
    blocks = wishart_dse(COMPLEX_AHEAD[0])
    low, high = certify(quadratic_game(blocks), np.zeros(blocks.n1 + blocks.n2)).tau_star
    with precision(256):
        a11, a12, a22 = (flint.arb_mat(getattr(blocks, k).tolist()) for k in ("A11", "A12", "A22"))
        s1 = a11 + a12 * a22.inv() * a12.transpose()
        values = flint.acb_mat(guard_matrix(a11, a12, a22, s1)).eig()
        real = [v.real for v in values if v.imag.contains(0)]
        bounds = [flint.arb(flint.fmpq(b.numerator, b.denominator)) for b in (low, high)]
        inside = [v for v in real if bounds[0] < v < bounds[1]]
        assert len(inside) == 1
        assert not any(v >= bounds[1] for v in real)
        assert any(v.real > bounds[1] for v in values)  # a complex one lies ahead


# What must not be proved


@pytest.mark.parametrize(
    ("game", "point", "part"),
    [
        (games.quadratic(), [1, 1, 1, 1], "no critical point within"),
        (games.quadratic(), [0.01, 0, 0, 0], "no critical point within"),
        (games.covariance_gan(2), [1, 0, 0, 1, 0, 0, 0, 0], "degenerate"),
        (Game(-(x**2) / 2 + x * y - y**2 / 2, [x], [y]), [0, 0], "degenerate"),
        (Game(x**4 + x * y**2 - y**2, [x], [y]), [0, 0], "degenerate"),
        (Game(sp.exp(-x) - y**2, [x], [y]), [3, 0], "no critical point within"),
        (Game(x**2 / 2 + x * y, [x], [y]), [0, 0], "A22"),
        (Game(sp.log(x) * y - y**2, [x], [y]), [0, 0], "finite on the whole ball"),
    ],
)
def test_not_proved(game, point, part):
    certificate = certify(game, point, most=1024)
    assert not certificate.proved
    assert certificate.kind == "not proved"
    assert certificate.tau_star is None
    assert part in str(certificate), str(certificate)


def test_irrational_singular_A11_is_left_open():
    # A11 = 0 at a point that is no short expression: x^3 terms move nothing in A11's sign.
    f = (x - sp.cos(sp.Rational(1, 2))) * y - y**2
    certificate = certify(Game(f, [x], [y]), [math.cos(0.5), 0])
    assert certificate.proved  # A11 is 0 identically
    root = sp.Symbol("root", real=True)
    f = (x - root) ** 3 + (x - root) * y - y**2
    game = Game(sp.expand(f.subs(root, sp.cbrt(2))), [x], [y])
    certificate = certify(game, [2 ** (1 / 3), 0], most=512)
    assert certificate.kind == "DSE or DNE"
    assert not certificate.proved and certificate.tau_star is None


CHANGES = [
    {"tau_star": ("0.5", "0.6")},
    {"tau_star": ("0.74", "0.75")},
    {"tau_star": ("0.7391304347", "0.7391304348"), "touches": True},
    {"tau_star": ("0", "0")},
    {"tau_star": ("-1", "1")},
    {"tau_star": ("0.1", "1e-999999999")},
    {"kind": "DNE"},
    {"kind": "DNE", "tau_star": ("0", "0")},
    {"kind": "neither"},
    {"kind": "anything"},
    {"semidefinite": True, "tau_star": ("0", "0")},
    {"centre": ("0.5", "0")},
    {"centre": ("0",)},
    {"radius": "4"},
    {"radius": "-0.01"},
    {"exact": ("1/1000000000000", "0")},
    {"exact": ("pi", "pi")},
    {"exact": ("__import__('os')", "0")},
    {"least": {"A22": ("1.15", "1.2"), "S1": ("0.01", "0.1")}},
]


@pytest.mark.parametrize("change", CHANGES)
def test_tampered_numbers_fail(change):
    good = certify(games.torus(), [0, 0])
    bad = dataclasses.replace(good, numbers=dataclasses.replace(good.numbers, **change))
    assert good.recheck()
    assert not bad.recheck()
    # Nor can the changed numbers be proved when the statements are changed along with them.
    try:
        exact = bad.numbers.exact and [parse("x", c, {}) for c in bad.numbers.exact]
        statements = verify(Derivatives(games.torus()), exact, bad.numbers, 256)
    except ValueError:
        return
    if change.get("tau_star") != ("0.74", "0.75"):  # wide true bounds would be no lie
        assert not dataclasses.replace(bad, statements=statements).proved


def test_tampered_file_fails(tmp_path):
    path = tmp_path / "c.json"
    open_case = certify(Game(x**2 / 2 + x * y, [x], [y]), [0, 0], most=256)
    open_case.to_json(path)
    content = json.loads(path.read_text())
    for statement in content["statements"]:
        statement["proved"] = True
    path.write_text(json.dumps(content))
    forged = Certificate.from_json(path)
    assert forged.proved
    assert not forged.recheck()

    certify(games.torus(), [0, 0]).to_json(path)
    content = json.loads(path.read_text())
    for key, value in (("cost", ["cos(x1)", "cos(x2)"]), ("cost", 5), ("x1", ["z"])):
        path.write_text(json.dumps(content | {key: value}))
        assert not Certificate.from_json(path).recheck()
    path.write_text(json.dumps(content))
    assert not Certificate.from_json(path).recheck(game=games.torus(0.2))
    for text in ("{}", "[]", "no", json.dumps(content | {"statements": [{"proved": 1}]})):
        path.write_text(text)
        with pytest.raises(ValueError, match="certificate"):
            Certificate.from_json(path)
    nothing = certify(games.quadratic(), [1, 1, 1, 1])
    assert not nothing.recheck()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: certify(Game(sp.Abs(x) - y**2, [x], [y]), [0, 0]), "got sign"),
        (lambda: certify(Game(0.1 * x**2 - y**2, [x], [y]), [0, 0]), "floating-point"),
        (lambda: certify(games.covariance_gan(3), np.zeros(18)), "defined in SymPy"),
        (lambda: certify(games.torus(), [0]), "2 coordinates"),
        (lambda: certify(games.torus(), [0, math.nan]), "finite"),
        (lambda: certify(games.torus(), [0, 0], precision=10), "precision"),
        (lambda: certify(games.torus(), [0, 0], reach=0), "reach"),
        (lambda: fraction("1/0"), "decimal"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# The parts


def test_programs_enclose():
    rng = np.random.default_rng(0)
    e = (
        sp.exp(-x * y) / (1 + x**2) + sp.log(1 + x**2) * sp.tan(y / 3) - sp.sqrt(2 + sp.sin(x))
        + (3 + sp.cos(y)) ** sp.Rational(-1, 3) + sp.atan(x) * sp.tanh(y) + sp.sinh(x) * sp.cosh(y)
        + x**5 * sp.E - y ** (-2) * sp.pi
    )  # fmt: skip
    program = Program([e], [x, y])
    numeric = sp.lambdify([x, y], e)
    with precision(100):
        for a, b in rng.uniform(0.5, 2, (20, 2)):
            [point] = program([flint.arb(a), flint.arb(b)])
            assert abs(float(point.mid()) - numeric(a, b)) < 1e-10 * (1 + abs(numeric(a, b)))
            [ball] = program([flint.arb(a, 1e-3), flint.arb(b, 1e-3)])
            for u, v in rng.uniform(-1e-3, 1e-3, (5, 2)):
                [inner] = program([flint.arb(a + u), flint.arb(b + v)])
                assert ball.contains(inner)


def test_decimals_bound_outward():
    for value in (Fraction(1, 3), Fraction(-2, 3), Fraction(10**30 + 1, 7), Fraction(0)):
        assert (
            fraction(decimal(value, 12, up=False)) <= value <= fraction(decimal(value, 12, up=True))
        )


def test_matrix_tests_never_overstate():
    rng = np.random.default_rng(1)
    with precision(128):
        for n in range(1, 7):
            for _ in range(30):
                m = rng.integers(-5, 6, (n, n))
                rational = flint.fmpq_mat(n, n, m.ravel().tolist())
                ball = flint.arb_mat(rational)
                real = np.linalg.eigvals(m).real
                for matrix in (rational, ball):
                    verdict = hurwitz(matrix)
                    if verdict is not None and abs(real).min() > 1e-6:
                        assert verdict is bool((real > 0).all())
                gram = flint.fmpq_mat(n, n, (m @ m.T).ravel().tolist())
                assert semidefinite(gram)
                if gram.det() != 0:
                    assert definite(gram) is True
                    assert semidefinite(-gram) is False
    zero = flint.arb(0, 1e-9)
    assert definite(flint.arb_mat([[zero]])) is None
    assert hurwitz(flint.arb_mat([[zero]])) is None
    assert hurwitz(flint.arb_mat([[0, 1], [-1, 0]])) is None


def test_no_root_is_descartes():
    poly = flint.fmpq_poly([1, 0, 1]) * flint.fmpq_poly([-3, 1]) ** 2 * flint.fmpq_poly([5, -4, 1])
    one = flint.fmpq(1)
    assert no_root(poly, 3 * one + flint.fmpq(1, 10**20))
    assert not no_root(poly, 3 * one)
    assert no_root(poly, -one, 3 * one - flint.fmpq(1, 10**20))
    assert not no_root(poly, -one, 4 * one)
    with precision(300):
        ball = flint.arb_poly(poly.coeffs())
        assert no_root(ball, 3 * one + flint.fmpq(1, 10**20))
        assert not no_root(ball, 3 * one)
        assert not no_root(ball, one)


def test_import_stays_light():
    code = "import sys, taugda; sys.exit('flint' in sys.modules or 'sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
