"""Derivations whose every step is proved by SymPy, and the agreement of a formula with a numpy function.

A `Derivation` is a chain. It starts from a definition and grows by steps; a step is accepted only when it follows from
the line before. What kind of step it is shows in the rendering:

=============  ==========================================================================================
`step`         equality, proved symbolically; with ``given`` modulo named identities
`limit`        the line before tends to the new one
`series`       the line before equals the new one up to a named order
`bound`        an inequality, proved from the assumptions on the symbols
`numeric`      equality checked at points only, to 25 digits; said so in the line
=============  ==========================================================================================
"""

import itertools
import random
import re
from dataclasses import dataclass, field

import mpmath
import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from kexue_core.notebook.formats import format_number

__all__ = ["Agreement", "Derivation", "Step", "StepError", "agreement", "verify"]

MIME = "application/vnd.kexue.derivation+json"

_POINTS = 4  # random points at which a claimed zero is tried before it is proved
_DIGITS = 30
_PLAIN = {r"\le": "≤", r"\ge": "≥", r"\longrightarrow": "→", r"\doteq": "≈"}
_RELATIONS = {"<=": (r"\le", 1), ">=": (r"\ge", -1)}


class StepError(AssertionError):
    """A step of a derivation that does not follow from the line before."""


@dataclass(frozen=True)
class Step:
    """One line: the new expression or equation, the reason, and by which rule it follows."""

    kind: str
    new: object
    because: str
    options: dict = field(default_factory=dict)


class Derivation:
    """A chain of SymPy expressions or equations in which each line is proved from the one before.

    Parameters
    ----------
    start : Expr, Matrix or Eq
        Where the chain begins: a definition, an integral, an equation to be solved.
    because : str
        What the start is; ``$…$`` is mathematics.
    name : Expr or str, optional
        What the chain computes, the left-hand side of the first line; a string is LaTeX.

    Examples
    --------
    >>> x = sp.symbols("x")
    >>> chain = Derivation(sp.Integral(2 * x, (x, 0, 3))).step(9, "integrate")
    >>> chain.result
    9
    >>> Derivation((x + 1) ** 2).step(x**2 + 1, "expand")
    Traceback (most recent call last):
        ...
    kexue_core.notebook.derivation.StepError: step 'expand' does not follow: residual 2*x
    """

    def __init__(self, start, because="", *, name=None):
        self.start = _sympify(start)
        self.because = because
        self.name = name
        self.steps = []

    @property
    def result(self):
        """The last line."""
        return self.steps[-1].new if self.steps else self.start

    def step(self, new, because, *, given=(), both_sides=None, solve_for=None):
        """Add a line that equals the one before (expressions) or follows from it (equations).

        Parameters
        ----------
        new : Expr, Matrix or Eq
            An equation follows if it is the old one rearranged, or by ``both_sides`` or ``solve_for``.
        because : str
            The reason, shown beside the line.
        given : Eq or sequence of Eq
            Identities that may be used: each left-hand side is replaced by its right-hand side. They are shown.
        both_sides : callable, optional
            What was done to both sides of the equation.
        solve_for : Symbol, optional
            The unknown: the new equation must hold for every solution of the old one.

        Raises
        ------
        StepError
            If the line does not follow (the residual is named) or SymPy cannot prove that it does.
        """
        given = (given,) if isinstance(given, sp.Eq) else tuple(given)
        return self._add("step", new, because, given=given, both_sides=both_sides, solve_for=solve_for)

    def limit(self, new, because, *, var, to, direction="+"):
        """Add the limit of the line before as ``var`` tends to ``to``."""
        return self._add("limit", new, because, var=var, to=sp.sympify(to), direction=direction)

    def series(self, new, because, *, var, order, about=0):
        """Add a line that agrees with the one before up to ``O((var - about)**order)``."""
        return self._add("series", new, because, var=var, about=sp.sympify(about), order=order)

    def bound(self, new, because, *, relation="<="):
        """Add a bound: the line before is ``relation`` (``"<="`` or ``">="``) the new one."""
        if relation not in _RELATIONS:
            raise ValueError(f"relation must be one of '<=', '>=', got {relation!r}")
        return self._add("bound", new, because, relation=relation)

    def numeric(self, new, because, *, at):
        """Add a line that equals the one before at the points ``at``, a list of ``{symbol: value}``, to 25 digits."""
        at = tuple(at)
        if not at:
            raise ValueError("at must hold at least one point, got none")
        return self._add("numeric", new, because, at=at)

    def _add(self, kind, new, because, **options):
        step = Step(kind, _sympify(new), because, options)
        if step.new == self.result:
            raise StepError(f"step {because!r} repeats the line before (SymPy may have simplified that one by itself)")
        verify(self.result, step)
        self.steps.append(step)
        return self

    def lines(self):
        """Return the pairs (line before, step) that `verify` accepts."""
        return list(zip([self.start, *(step.new for step in self.steps)], self.steps))

    def _repr_mimebundle_(self, include=None, exclude=None):
        kinds = [step.kind for step in self.steps]
        return {
            "text/plain": repr(self),
            "text/latex": self._repr_latex_(),
            MIME: {"steps": len(kinds), "kinds": kinds},
        }

    def _repr_latex_(self):
        equation = isinstance(self.start, sp.Eq)
        rows = []
        if equation:
            rows.append((*_sides(self.start), self.because))
        elif self.name is not None:
            name = self.name if isinstance(self.name, str) else sp.latex(self.name)
            rows.append((name, "= " + _latex(self.start), self.because))
        else:
            rows.append(("", _latex(self.start), self.because))
        for step in self.steps:
            left, right = _sides(step.new) if equation else ("", _sign(step) + " " + _latex(step.new))
            rows.append((left, right, step.because + _mark(step)))
        body = " \\\\[4pt]\n".join(f"{left} &{right} && {_text(because)}" for left, right, because in rows)
        return f"$$\\begin{{aligned}}\n{body}\n\\end{{aligned}}$$"

    def __repr__(self):
        lines = [f"{self.start}    [{self.because}]" if self.because else f"{self.start}"]
        lines += [
            f"{_PLAIN.get(_sign(step), _sign(step))} {step.new}    [{step.because}{_mark(step)}]" for step in self.steps
        ]
        return "\n".join(lines)


def verify(old, step):
    """Raise `StepError` unless ``step`` follows from the line ``old``.

    Parameters
    ----------
    old : Expr, Matrix or Eq
        The line before.
    step : Step
        The line to be proved.
    """
    new, options = step.new, step.options
    if isinstance(old, sp.Eq) != isinstance(new, sp.Eq):
        raise StepError(f"step {step.because!r} mixes an equation and an expression: {old} and {new}")
    if step.kind == "step" and isinstance(new, sp.Eq):
        _verify_equation(old, step)
    elif step.kind == "step":
        _require_zero(_difference(old, new, options["given"]), step)
    elif step.kind == "limit":
        found = sp.limit(old.doit(), options["var"], options["to"], options["direction"])
        if isinstance(found, sp.Limit):
            raise StepError(f"step {step.because!r}: SymPy does not find the limit of {old}")
        _require_zero(found - new, step)
    elif step.kind == "series":
        var, about, order = options["var"], options["about"], options["order"]
        _require_zero(sp.series((old - new).doit(), var, about, order).removeO(), step)
    elif step.kind == "bound":
        gap = _RELATIONS[options["relation"]][1] * (new - old).doit()
        candidates = (f(gap) for f in (lambda e: e, sp.expand, sp.factor, sp.simplify))
        if not any(candidate.is_nonnegative for candidate in candidates):
            raise StepError(f"step {step.because!r}: SymPy cannot prove {gap} >= 0 from the assumptions on its symbols")
    else:
        for point in options["at"]:
            value = _evaluate(_difference(old, new, ()), point)
            if value is None or abs(value) > mpmath.mpf(10) ** -25 * max(1, abs(_evaluate(old, point))):
                raise StepError(f"step {step.because!r} fails at {point}: residual {value}")


def _verify_equation(old, step):
    new, options = step.new, step.options
    if options["both_sides"] is not None:
        for side in (0, 1):
            _require_zero(_difference(options["both_sides"](old.args[side]), new.args[side], options["given"]), step)
    elif options["solve_for"] is not None:
        unknown = options["solve_for"]
        solutions = sp.solve(_difference(old.lhs, old.rhs, options["given"]), unknown)
        if not solutions:
            raise StepError(f"step {step.because!r}: SymPy finds no solution of {old} for {unknown}")
        difference = _difference(new.lhs, new.rhs, options["given"])
        for solution in solutions:
            _require_zero(difference.subs(unknown, solution), step)
        if unknown not in difference.free_symbols:
            raise StepError(f"step {step.because!r} does not contain the unknown {unknown}: {new}")
    else:
        before, after = (_difference(eq.lhs, eq.rhs, options["given"]) for eq in (old, new))
        ratio = sp.simplify(after / before)
        if not ratio.is_number or ratio.is_zero:
            _require_zero(after - before, step)


def _difference(left, right, given):
    difference = left - right
    for identity in given:
        difference = difference.subs(identity.lhs, identity.rhs)
    return difference.doit()


def _require_zero(residual, step):
    for entry in residual if isinstance(residual, sp.MatrixBase) else (residual,):
        if entry == 0:
            continue
        points = 0
        for point in _sample(entry):
            value = _evaluate(entry, point)
            if value is None:
                continue
            points += 1
            if abs(value) > mpmath.mpf(10) ** (-_DIGITS + 10):
                shown = sp.simplify(entry) if sp.count_ops(entry) < 200 else entry
                where = ", ".join(f"{symbol} = {sp.sstr(number, full_prec=False)}" for symbol, number in point.items())
                at = f" (it is {mpmath.nstr(value, 5)} at {where})" if point and entry.free_symbols - {shown} else ""
                at = "" if sp.count_ops(shown) < 5 else at
                raise StepError(f"step {step.because!r} does not follow: residual {sp.sstr(shown)}{at}")
        if not _proves_zero(entry):
            raise StepError(
                f"step {step.because!r}: the residual {entry} is zero at {points} points, "
                "but SymPy cannot prove it; use smaller steps, or numeric(...)"
            )


def _proves_zero(expression):
    """Try the ways in which SymPy recognises zero, cheap ones first."""
    ways = (
        sp.expand,
        lambda e: sp.expand(sp.together(e)),
        lambda e: sp.expand(sp.expand_trig(e)),
        lambda e: sp.expand(sp.expand_log(sp.powsimp(sp.expand(e)), force=False)),
        sp.factor,
        sp.radsimp,
        sp.simplify,
        sp.trigsimp,
        sp.gammasimp,
        lambda e: sp.simplify(e.rewrite(sp.exp)),
        lambda e: sp.simplify(sp.expand_func(e)),
        lambda e: sp.simplify(sp.piecewise_fold(e)),
        lambda e: sp.simplify(sp.sqrtdenest(sp.simplify(e))),
    )
    for way in ways:
        try:
            if way(expression) == 0:
                return True
        except (NotImplementedError, TypeError, ValueError, AttributeError, sp.PolynomialError):
            continue
    return False


def _sample(expression):
    """Yield points that respect the assumptions on the symbols; always the same ones."""
    symbols = sorted(expression.free_symbols, key=lambda symbol: symbol.name)
    rng = random.Random(10145)
    for turn in range(_POINTS if symbols else 1):
        point = {}
        for place, symbol in enumerate(symbols):
            number = sp.Rational(rng.randint(11, 997), 401)
            if symbol.is_integer:
                number = sp.Integer(rng.randint(2, 6) * (2 if symbol.is_even else 1))
            negative = symbol.is_nonpositive or (not symbol.is_nonnegative and turn >> place % 2 & 1)
            point[symbol] = -number if negative else number
        yield point


def _evaluate(expression, point):
    """Return the value at a point to 30 digits, or None where it has none (a pole, an unknown function)."""
    if expression.atoms(AppliedUndef) or expression.has(sp.Derivative):
        return None
    try:
        value = expression.subs(point).doit().evalf(_DIGITS, maxn=200)
        return mpmath.mpmathify(complex(value) if not value.is_real else value._to_mpmath(_DIGITS * 4))
    except (TypeError, ValueError, AttributeError, NotImplementedError, ZeroDivisionError):
        return None


def _sympify(value):
    if isinstance(value, list | tuple):
        raise TypeError(f"a line must be a SymPy expression, matrix or equation, got {value!r}")
    value = sp.sympify(value)
    if isinstance(value, sp.MatrixBase):
        return sp.ImmutableMatrix(value)
    if not isinstance(value, sp.Expr | sp.Eq):
        raise TypeError(f"a line must be a SymPy expression, matrix or equation that SymPy leaves open, got {value!r}")
    return value


def _latex(expression):
    latex = sp.latex(expression, ln_notation=False)
    # rows of fractions need air
    return re.sub(
        r"(?s)\\begin\{matrix\}.*?\\end\{matrix\}",
        lambda rows: rows[0].replace(r"\\", r"\\[4pt] ") if r"\frac" in rows[0] else rows[0],
        latex,
    )


def _sides(equation):
    return _latex(equation.lhs), "= " + _latex(equation.rhs)


def _sign(step):
    kinds = {"limit": r"\longrightarrow", "numeric": r"\doteq"}
    return _RELATIONS[step.options["relation"]][0] if step.kind == "bound" else kinds.get(step.kind, "=")


def _mark(step):
    """Say by name what a step rests on beyond algebra."""
    options = step.options
    if step.kind == "limit":
        return f" (limit ${_latex(options['var'])} \\to {_latex(options['to'])}$)"
    if step.kind == "series":
        distance = _latex(options["var"] - options["about"])
        distance = distance if options["about"] == 0 else f"({distance})"
        return f" (up to $O({distance}^{{{options['order']}}})$)"
    if step.kind == "numeric":
        count = len(options["at"])
        return f" (checked numerically at {count} point{'s' if count > 1 else ''}, not proved)"
    if step.kind == "step" and options["given"]:
        return " (given " + ", ".join(f"${_latex(identity)}$" for identity in options["given"]) + ")"
    return ""


def _text(because):
    r"""Put words into ``\text`` and leave mathematics between dollars as it is."""
    pieces = because.split("$")
    if len(pieces) % 2 == 0:
        raise ValueError(f"because must have its dollars in pairs, got {because!r}")
    return "".join(piece if i % 2 else f"\\text{{{piece}}}" for i, piece in enumerate(pieces) if piece)


@dataclass(frozen=True)
class Agreement:
    """A formula and a function that agree on a grid, with the point where they differ most."""

    points: int
    worst: dict
    deviation: float
    tolerance: float

    def __repr__(self):
        # the deviation itself is rounding and differs from machine to machine, so it is not printed
        return f"formula and function agree at {self.points} points, within {format_number(self.tolerance, 2)}"


def agreement(expression, function, grid, *, rtol=1e-12, atol=0.0):
    """Check that a numpy function computes what a SymPy expression says, at every point of a grid.

    The expression is evaluated to 30 digits, so the difference is the function's own error.

    Parameters
    ----------
    expression : Expr or Matrix
        The derived formula; a matrix is compared entry by entry.
    function : callable
        Called once for each point with one number for each symbol, in the order of ``grid``.
    grid : dict of Symbol to sequence of numbers
        All combinations are tried.
    rtol, atol : float
        The difference may be at most ``atol + rtol * |expression|`` (the largest entry of a matrix).

    Returns
    -------
    Agreement
        With the worst point and the deviation there.

    Raises
    ------
    AssertionError
        If they differ anywhere; the message names the worst point and both values.
    ValueError
        If the grid is empty or lacks a symbol of the expression.

    Examples
    --------
    >>> x = sp.symbols("x")
    >>> agreement(sp.exp(x) / 2, lambda x: np.exp(x) / 2, {x: [0, 1, 2]})
    formula and function agree at 3 points, within 1e-12
    """
    expression = _sympify(expression)
    missing = expression.free_symbols - set(grid)
    if missing:
        raise ValueError(f"grid must give every symbol of the expression, got none for {sorted(map(str, missing))}")
    points = list(itertools.product(*grid.values()))
    if not points:
        raise ValueError("grid must hold at least one point, got none")
    worst = (-1.0, None, None, None)
    shape = expression.shape if isinstance(expression, sp.MatrixBase) else ()
    entries = list(expression) if shape else [expression]
    formula = sp.lambdify(list(grid), entries, "mpmath")
    with mpmath.workdps(_DIGITS):
        for point in points:
            exact = np.array([mpmath.mpmathify(v) for v in formula(*map(_exact, point))], dtype=object)
            computed = np.asarray(function(*point))
            if computed.size != exact.size:
                raise ValueError(f"function must return {shape or 'one number'}, got shape {computed.shape}")
            gaps = [abs(mpmath.mpmathify(c.item()) - e) for c, e in zip(computed.ravel(), exact)]
            size = max(abs(e) for e in exact)
            excess = float(max(gaps) / (atol + rtol * size)) if max(gaps) else 0.0
            if not excess <= worst[0]:  # also true for NaN
                worst = (excess, point, computed, exact)
    excess, point, computed, exact = worst
    where = dict(zip(map(str, grid), point))
    if not excess <= 1:
        shown = [mpmath.nstr(value, 17) for value in exact]
        raise AssertionError(f"worst point {where}: function gives {computed.tolist()}, formula gives {shown}")
    return Agreement(len(points), where, excess * max(rtol, atol), max(rtol, atol))


def _exact(number):
    return mpmath.mpf(number) if isinstance(number, float) else mpmath.mpmathify(number)
