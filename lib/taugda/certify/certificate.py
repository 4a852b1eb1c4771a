"""The certificate: made, printed, saved, read and checked again."""

import json
import keyword
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

import taugda
from taugda.certify.balls import UndecidedError, fraction
from taugda.certify.point import Derivatives
from taugda.certify.search import FarError, guess
from taugda.certify.statements import Numbers, Statement, verify
from taugda.checks import positive
from taugda.equilibria import CriticalPoint
from taugda.games import Game
from taugda.games.text import FUNCTIONS, parse

__all__ = ["Certificate", "Recheck", "certify"]

_FORMAT = "taugda certificate 1"
_WIDTH = 92  # columns of a printed certificate
_MOST = 1 << 16  # bits
_CONSTANTS = {"E": sp.E}


@dataclass(frozen=True)
class Recheck:
    """The outcome of :meth:`Certificate.recheck`; true where every proof was repeated.

    Attributes
    ----------
    failures : tuple of str
        What could not be repeated, and why.
    precision : int
        Working precision of the second proof, in bits.
    statements : tuple of Statement
        What was proved now, with its own evidence; read these rather than the evidence of a
        certificate of unknown origin.
    """

    failures: tuple[str, ...]
    precision: int
    statements: tuple[Statement, ...] = ()

    def __bool__(self) -> bool:
        return not self.failures

    def __str__(self) -> str:
        if self:
            return f"every proof repeated at {self.precision} bits"
        return "\n".join(f"not repeated: {f}" for f in self.failures)


@dataclass(frozen=True)
class Certificate:
    """What is proved about a critical point of a game.

    Attributes
    ----------
    name : str
        The game's name.
    cost : tuple of str or None
        The cost f, as terms to be added; None where the game is given by g.
    field : tuple of (tuple of str) or None
        g, each component as terms to be added, where there is no f.
    x1, x2 : tuple of str
        The players' coordinates.
    numbers : Numbers
        The point, class, tau* and the bounds they rest on.
    statements : tuple of Statement
        What is proved, and what is not and why.
    precision : int
        Working precision in bits.
    versions : dict of str to str
        Of the programs that took part.
    """

    name: str
    cost: tuple[str, ...] | None
    field: tuple[tuple[str, ...], ...] | None
    x1: tuple[str, ...]
    x2: tuple[str, ...]
    numbers: Numbers
    statements: tuple[Statement, ...]
    precision: int
    versions: dict[str, str]

    @property
    def proved(self) -> bool:
        """Whether the point, its class and tau* (or that there is none) are proved.

        The intervals of stability of a point that is no equilibrium are extra.
        """
        needed = [s for s in self.statements if s.subject != "intervals"]
        return len(needed) >= 3 and all(s.proved for s in needed)

    @property
    def kind(self) -> str:
        """DNE, DSE (and no DNE), DSE or DNE, neither; or "not proved"."""
        good = any(s.subject == "class" and s.proved for s in self.statements)
        return self.numbers.kind if good else "not proved"

    @property
    def tau_star(self) -> tuple[Fraction, Fraction] | None:
        """Proved bounds of tau*, None where it does not exist or is not proved."""
        good = any(s.subject == "tau*" and s.proved for s in self.statements)
        if not good or self.numbers.tau_star is None:
            return None
        return fraction(self.numbers.tau_star[0]), fraction(self.numbers.tau_star[1])

    def __str__(self) -> str:
        lines = [f"Certificate: {self.name}"]
        formula = _short(self.cost) if self.cost is not None else None
        if formula is None:
            fields = self.field or ()
            lines += [f"  g_{i + 1} = {_short(c)}" for i, c in enumerate(fields)]
        else:
            lines.append(f"  f = {formula}")
        lines.append(f"  min over ({', '.join(self.x1)}), max over ({', '.join(self.x2)})")
        for k, statement in enumerate(self.statements, 1):
            lines += [f"{k}. " + str(statement).replace("\n", "\n   ")]
        every = _count(self) == len(self.statements)
        verdict = "everything above is proved" if every else "not everything is proved"
        used = ", ".join(f"{k} {v}" for k, v in self.versions.items())
        lines.append(f"In all: {verdict}; ball arithmetic of {self.precision} bits; {used}")
        return "\n".join(
            textwrap.fill(line, _WIDTH, subsequent_indent=" " * 6, break_on_hyphens=False)
            for line in "\n".join(lines).splitlines()
        )

    def to_json(self, path: str | Path) -> None:
        """Save the certificate.

        Parameters
        ----------
        path : str or pathlib.Path
            The file; overwritten.
        """
        content = {"format": _FORMAT, **asdict(self)}
        text = json.dumps(content, indent=1, ensure_ascii=False)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def from_json(cls, path: str | Path) -> "Certificate":
        """Read a certificate; what it says is not believed before :meth:`recheck`.

        Parameters
        ----------
        path : str or pathlib.Path

        Returns
        -------
        Certificate

        Raises
        ------
        ValueError
            If the file is no certificate.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            if content.pop("format") != _FORMAT:
                raise KeyError("format")
            numbers = _frozen(content.pop("numbers"))
            least = numbers.pop("least")
            statements = [Statement(**s) for s in content.pop("statements")]
            good = (
                all(isinstance(s.proved, bool) for s in statements)
                and isinstance(least, dict)
                and set(least) <= {"A11", "A22", "S1"}
                and isinstance(content["precision"], int)
            )
            if not good:
                raise KeyError("statements")
            content = _frozen(content)
            return cls(
                numbers=Numbers(least=least, **numbers), statements=tuple(statements), **content
            )
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: expected a certificate of taugda, got {error!r}") from error

    def game(self) -> Game:
        """Return the game the certificate speaks of, read from its text.

        Returns
        -------
        Game

        Raises
        ------
        ValueError
            If the text is not understood.
        """
        symbols = {name: sp.Symbol(name, real=True) for name in (*self.x1, *self.x2)}
        known = {**_CONSTANTS, **symbols}

        def read(terms: Sequence[str]) -> sp.Expr:
            return sp.Add(*(parse("certificate", t, known) for t in terms))

        one, two = ([symbols[v] for v in names] for names in (self.x1, self.x2))
        if self.cost is not None:
            return Game(read(self.cost), one, two, name=self.name)
        return Game(None, one, two, g=[read(c) for c in self.field or ()], name=self.name)

    def recheck(self, precision: int | None = None, game: Game | None = None) -> Recheck:
        """Prove every statement again, from the certificate's own numbers alone.

        Parameters
        ----------
        precision : int, optional
            Working precision in bits; twice the first proof's if left out.
        game : Game, optional
            The game that the certificate should speak of; its formula must be the same.

        Returns
        -------
        Recheck
            False where a statement that is called proved is not proved again or differs from
            what the numbers say, or where nothing is called proved.

        Raises
        ------
        ValueError
            If the precision is out of range.

        Examples
        --------
        >>> from taugda import games
        >>> bool(certify(games.quadratic(), [0, 0, 0, 0]).recheck())
        True
        """
        bits = min(2 * self.precision, _MOST) if precision is None else precision
        bits = _bits(bits)
        if not any(s.proved for s in self.statements):
            return Recheck(("nothing is called proved",), bits)
        try:
            own = self.game()
            if game is not None and _formula(game) != (self.cost, self.field, self.x1, self.x2):
                return Recheck(("the certificate speaks of another game",), bits)
            exact = None
            if self.numbers.exact is not None:
                exact = [parse("certificate", c, _CONSTANTS) for c in self.numbers.exact]
                if len(exact) != own.n:
                    raise ValueError(f"certificate: expected {own.n} coordinates, got {exact}")
            again = verify(Derivatives(own), exact, self.numbers, bits)
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
            return Recheck((str(error),), bits)
        failures = []
        if [(s.subject, s.claim) for s in again] != [(s.subject, s.claim) for s in self.statements]:
            failures.append("the statements are not those that follow from the numbers")
        failures += [
            f"{new.subject}: {new.why}"
            for old, new in zip(self.statements, again, strict=False)
            if old.proved and not new.proved
        ]
        return Recheck(tuple(failures), bits, again)


def certify(
    game: Game,
    x: Any,
    *,
    precision: int = 256,
    most: int = 4096,
    reach: float = 1e-6,
) -> Certificate:
    """Prove that there is a critical point near x, its class, and an enclosure of its tau*.

    Parameters
    ----------
    game : Game
        Defined in SymPy with exact numbers (the games of :mod:`taugda.games` and of
        :func:`taugda.expressions.game_from_text` are).
    x : CriticalPoint or sequence of numbers, length n1 + n2
        Floats near the point, or exact numbers.
    precision : int
        Working precision in bits to begin with.
    most : int
        Precision at which to give up; it is doubled until everything is proved.
    reach : float
        How far the critical point may lie from x, relative to max(1, |x|).

    Returns
    -------
    Certificate
        What is not proved says so, with the reason; nothing is stated as proved otherwise.

    Raises
    ------
    ValueError
        If the game is not defined in SymPy, an expression cannot be enclosed, or x or a
        precision is out of range.

    Notes
    -----
    The critical point is proved by Krawczyk's test; definiteness by pivots; stability at one
    tau by Routh's array; that no larger tau changes it by Descartes's rule on the guard
    matrix's characteristic polynomial.  Every comparison is one between balls, or exact.
    What rests on the programs used: SymPy's derivatives, flint's arithmetic and this code.
    Source: the theorem of Fiez & Ratliff (2021) on tau*.

    Examples
    --------
    >>> from taugda import games
    >>> low, high = certify(games.quadratic(), [0, 0, 0, 0]).tau_star
    >>> low < 2 < high and high - low < 1e-12
    True
    """
    bits, most = _bits(precision), _bits(most)
    derivatives = Derivatives(game)
    start, exact = _start(derivatives, x)
    far = Fraction(positive("reach", reach)) * max(1, *(abs(c) for c in start))
    cost, field, x1, x2 = _formula(game)
    best: Certificate | None = None
    while True:
        final = False
        try:
            numbers, known = guess(derivatives, start, exact, far, bits)
            statements = verify(derivatives, known, numbers, bits)
        except UndecidedError as error:
            final = isinstance(error, FarError)
            numbers = Numbers(tuple(str(float(c)) for c in start), repr(float(far)))
            statements = (
                Statement("critical point", "one near x", False, str(error)),
                Statement("class", "DNE, DSE or neither", False, "no critical point is proved"),
                Statement("tau*", "an enclosure of tau*", False, "no critical point is proved"),
            )
        made = Certificate(game.name, cost, field, x1, x2, numbers, statements, bits, _versions())
        if best is None or _count(made) > _count(best):
            best = made
        complete = _count(best) == len(best.statements)
        if complete or (best.proved and bits >= 1024) or final or 2 * bits > most:
            return best
        bits *= 2


def _count(certificate: Certificate) -> int:
    return sum(s.proved for s in certificate.statements)


def _bits(bits: int) -> int:
    if isinstance(bits, bool) or not isinstance(bits, int) or not 64 <= bits <= _MOST:
        raise ValueError(f"precision: expected a whole number of bits, 64 to {_MOST}, got {bits!r}")
    return bits


def _versions() -> dict[str, str]:
    import flint

    return {
        "python-flint": version("python-flint"),
        "FLINT": str(getattr(flint, "__FLINT_VERSION__", "unknown")),
        "SymPy": sp.__version__,
        "taugda": taugda.__version__,
    }


def _start(derivatives: Derivatives, x: Any) -> tuple[list[Fraction], tuple[sp.Expr, ...] | None]:
    """Return the point in fractions, and in exact numbers where it is one that g maps to 0."""
    if isinstance(x, CriticalPoint):
        x = x.x if x.exact is None else x.exact
    coordinates = list(x)
    if len(coordinates) != derivatives.n:
        raise ValueError(f"x: expected {derivatives.n} coordinates, got {len(coordinates)}")
    numbers = [_number(c) for c in coordinates]
    start = [
        Fraction(int(c.p), int(c.q)) if c.is_Rational else Fraction(str(sp.N(c, 60)))
        for c in numbers
    ]
    # Algebraic numbers beyond roots are refined like floats: SymPy is slow to prove them zeros.
    if any(c.has(sp.CRootOf) for c in numbers) or not derivatives.vanishes(numbers):
        return start, None
    try:
        same = [sp.expand(parse("x", str(c), _CONSTANTS) - c) == 0 for c in numbers]
    except ValueError:
        return start, None
    return start, tuple(numbers) if all(same) else None


def _number(value: Any) -> sp.Expr:
    if isinstance(value, sp.Expr) and not isinstance(value, sp.Float):
        number = value
    elif isinstance(value, Fraction):
        number = sp.Rational(value.numerator, value.denominator)
    elif isinstance(value, (Real, np.number, sp.Float)) and np.isfinite(float(value)):
        number = sp.Rational(*float(value).as_integer_ratio())
    else:
        raise ValueError(f"x: expected finite real numbers, got {value!r}")
    if not (number.is_number and number.is_real):
        raise ValueError(f"x: expected finite real numbers, got {value!r}")
    return number


def _formula(game: Game) -> tuple[Any, Any, tuple[str, ...], tuple[str, ...]]:
    """Return the game's text: f or g in terms, and the names, made readable by ``parse``."""
    taken = {*FUNCTIONS, "pi", *_CONSTANTS}
    names = {}
    for i, symbol in enumerate(game.variables):
        text = symbol.name
        good = text.isidentifier() and text.isascii() and not keyword.iskeyword(text)
        good = good and text not in taken and not text.startswith("_")
        names[symbol] = sp.Symbol(text if good else f"coordinate_{i + 1}", real=True)

    def terms(e: sp.Expr) -> tuple[str, ...]:
        return tuple(str(t.xreplace(names)) for t in sp.Add.make_args(e))

    x1, x2 = (tuple(names[s].name for s in side) for side in (game.x1, game.x2))
    if game.zero_sum:
        return terms(game.expr), None, x1, x2
    return None, tuple(terms(c) for c in game.g), x1, x2


def _short(terms: Sequence[str], most: int = 300) -> str:
    text = " + ".join(terms).replace("+ -", "- ")
    if len(text) <= most:
        return text
    return f"{text[:most]}... ({len(terms)} terms)"


def _frozen(value: Any) -> Any:
    """Turn lists into tuples, as the dataclasses hold them."""
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, Mapping):
        return {k: _frozen(v) for k, v in value.items()}
    return value
