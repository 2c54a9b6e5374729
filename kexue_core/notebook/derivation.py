"""Derivations: chains of SymPy lines, each proved from the one before, and what each rests on shown beside it.

A `Derivation` starts from a definition or an equation and grows by steps. What kind of step it is shows in the line:

=============  ==========================================================================================
`step`         equality, proved; or an equation that follows from the one before by a named operation
`mean`         the mean of the line before over declared laws of random variables
`limit`        the line before tends to the new one; from one side only if that is said
`series`       the line before equals the new one up to a named order
`bound`        an inequality, proved from the assumptions on the symbols or by a named argument
`numeric`      equality checked at points only, to 25 digits; said so in the line
=============  ==========================================================================================
"""

from dataclasses import dataclass, field

import sympy as sp

from kexue_core.notebook import laws, typeset
from kexue_core.notebook.proof import RELATIONS, agree, declare, verify
from kexue_core.notebook.refusal import StepError
from kexue_core.notebook.ties import reached, tied, tied_since

__all__ = ["Derivation", "Step", "StepError", "verify"]

MIME = "application/vnd.kexue.derivation+json"


@dataclass(frozen=True)
class Step:
    """One line: the new expression or equation, the reason, by which rule it follows, and what the proof found."""

    kind: str
    new: object
    because: str
    options: dict = field(default_factory=dict)
    notes: tuple = ()


class Derivation:
    """A chain of SymPy expressions or equations in which each line is proved from the one before.

    Parameters
    ----------
    start : Expr, Matrix, MatrixExpr or Eq
        Where the chain begins: a definition, an integral, an equation to be solved.
    because : str
        What the start is; ``$…$`` is mathematics.
    name : Expr or str, optional
        What the chain computes, the left-hand side of the first line; a string is LaTeX.
    where : relational or sequence of relationals
        Conditions under which the whole chain stands, for instance ``p < 1`` or ``sp.Ne(m, 1)``. They are shown.
    for_all : Symbol or sequence of Symbol
        The start is an equation that holds identically in these symbols (a differential equation, say). It is shown,
        and allows steps that differentiate, integrate or substitute.

    Examples
    --------
    >>> x = sp.symbols("x")
    >>> chain = Derivation(sp.Integral(2 * x, (x, 0, 3))).step(9, "integrate")
    >>> chain.result
    9
    >>> Derivation((x + 1) ** 2).step(x**2 + 1, "expand")
    Traceback (most recent call last):
        ...
    kexue_core.notebook.refusal.StepError: step 'expand' does not follow: residual 2*x

    Notes
    -----
    Every refusal is a `StepError` that names the residual or the reason; a proof that takes longer than 20 seconds of
    processor time is given up. A line holds no floating-point numbers (write ``sp.Rational(1, 3)``) unless the step is
    ``numeric``, no two symbols of one name, no bound variable whose assumptions contradict its range, no sum whose
    range may be turned round (declare the symbols, or say ``where=n >= 2``), no sum or integral that is seen to
    diverge, and no ``Piecewise`` that leaves values out. After a series a symbol may only tend to the point of the
    expansion, after ``numeric`` it may not move. A symbol that is not declared real has limits
    and series only where the line is a quotient of power series.
    """

    def __init__(self, start, because="", *, name=None, where=(), for_all=()):
        self.start = _sympify(start)
        self.because = because
        self.name = name
        self.where = _several(where, sp.Basic)
        self.for_all = _several(for_all, sp.Basic)
        self.steps = []
        if self.for_all:
            declare(self.start, self.for_all)

    @property
    def result(self):
        """The last line."""
        return self.steps[-1].new if self.steps else self.start

    def step(
        self,
        new,
        because,
        *,
        given=(),
        where=(),
        add=None,
        multiply=None,
        divide=None,
        apply=None,
        differentiate=None,
        integrate=None,
        substitute=None,
        solve_for=None,
    ):
        """Add a line that equals the one before (expressions) or follows from it (equations).

        An equation follows from the one before if it is that one rearranged (up to a factor that is proved not to be
        zero), or rearranged after one named operation on both sides, which is shown.

        Parameters
        ----------
        new : Expr, Matrix, MatrixExpr or Eq
            The new line.
        because : str
            The reason, shown beside the line.
        given : Eq or sequence of Eq
            Definitions and constraints that may be used: each left-hand side is replaced by its right-hand side, all at
            once, until nothing changes. They are shown. Refused: a number on the left, an identity that changes
            nothing, one that is false, and several that contradict each other or the assumptions.
        where : relational or sequence of relationals
            Conditions, for instance ``p < 1``, ``sp.Ne(m, 1)``; they are shown, and hold for the rest of the chain.
        add : Expr, optional
            Added to both sides; no denominator and no logarithm in it may vanish (proved).
        multiply, divide : Expr, optional
            Both sides are multiplied or divided by it; it must be proved not to be zero.
        apply : SymPy function or str, optional
            One of ``sp.log``, ``sp.exp``, ``sp.sqrt``, ``"square"``, ``"reciprocal"``, ``sp.sinh``, ``sp.asinh``,
            ``sp.tanh``, ``sp.atan``: applied to both sides, which must lie where it is injective (proved).
        differentiate : Symbol, optional
            Both sides are differentiated. The equation must be an identity in the symbol: proved, or declared by
            ``for_all``.
        integrate : (Symbol, low, high), optional
            Both sides are integrated, under the same rule.
        substitute : dict of Symbol to Expr, optional
            A symbol in which the equation is an identity gets a value, under the same rule.
        solve_for : Symbol, optional
            The unknown. The new line is ``Eq(unknown, solution)``; it must be the only solution that the assumptions
            on the unknown and the conditions leave. Which root was taken is shown.

        Raises
        ------
        StepError
            If the line does not follow (the residual is named) or SymPy cannot prove that it does.
        """
        given = _several(given, sp.Eq, "given must hold equations that SymPy leaves open")
        named = {
            "add": add,
            "multiply": multiply,
            "divide": divide,
            "apply": apply,
            "differentiate": differentiate,
            "integrate": integrate,
            "substitute": substitute,
            "solve_for": solve_for,
        }
        operations = {key: _plain(key, value) for key, value in named.items() if value is not None}
        if len(operations) > 1:
            raise ValueError(f"a step may name one operation on both sides, got {', '.join(operations)}")
        return self._add("step", new, because, where, given=given, **operations)

    def mean(self, new, because, *, over, where=()):
        """Add the mean of the line before over random symbols with declared laws.

        Parameters
        ----------
        new : Expr or Matrix
            The mean; a matrix entry by entry. It holds none of the random symbols.
        because : str
            The reason, shown beside the line.
        over : law or sequence of laws
            `Normal`, `Uniform`, `Rademacher`, `Bernoulli`, `Exponential`, `Moments`. Laws listed together are
            independent, which is shown; ``Uncorrelated(…)`` declares less.
        where : relational or sequence of relationals
            Conditions on the other symbols.
        """
        return self._add("mean", new, because, where, over=_laws(over))

    def limit(self, new, because, *, var, to, direction=None, where=()):
        """Add the limit of the line before as ``var`` tends to ``to``; it may be infinite.

        Parameters
        ----------
        new : Expr or Matrix
            The limit; a matrix entry by entry.
        because : str
            The reason, shown beside the line.
        var : Symbol
            What tends.
        to : Expr
            Where to; the assumptions on ``var`` must allow it.
        direction : {None, "+", "-", "+-"}
            At a finite point: from above, from below, or both, which is the default unless the assumptions on ``var``
            leave one side only. One-sidedness is shown.
        where : relational or sequence of relationals
            Conditions on the other symbols.
        """
        if direction not in (None, "+", "-", "+-"):
            raise ValueError(f"direction must be one of None, '+', '-', '+-', got {direction!r}")
        return self._add("limit", new, because, where, var=var, to=sp.sympify(to), direction=direction)

    def series(self, new, because, *, var, order, about=0, direction=None, where=()):
        """Add a line that agrees with the one before up to ``O((var - about)**order)``, on both sides of ``about``.

        Parameters
        ----------
        new : Expr
            The expansion.
        because : str
            The reason, shown beside the line.
        var : Symbol
            The variable of the expansion.
        order : int
            At least 1.
        about : Expr
            The finite point.
        direction : {None, "+", "-", "+-"}
            As for `limit`.
        where : relational or sequence of relationals
            Conditions on the other symbols.
        """
        if not (isinstance(order, int | sp.Integer) and order >= 1):
            raise ValueError(f"order must be a positive integer, got {order!r}")
        if direction not in (None, "+", "-", "+-"):
            raise ValueError(f"direction must be one of None, '+', '-', '+-', got {direction!r}")
        about = sp.sympify(about)
        if about.is_finite is False:
            raise ValueError(f"about must be finite, got {about}")
        return self._add("series", new, because, where, var=var, about=about, order=int(order), direction=direction)

    def bound(self, new, because, *, relation="<=", by=None, where=()):
        """Add a bound: the line before is ``relation`` (``"<="`` or ``">="``) the new one.

        All bounds of a chain point the same way.

        Parameters
        ----------
        new : Expr
            The bound.
        because : str
            The reason, shown beside the line.
        relation : {"<=", ">="}
            The line before stands on its left.
        by : Tangent or Jensen, optional
            The argument, where the assumptions on the symbols do not suffice: ``Tangent(t, at=1)`` (the gap is convex
            in ``t`` and touches zero there) or ``Jensen(sp.exp, {x: p, y: 1 - p})``.
        where : relational or sequence of relationals
            Conditions.
        """
        if relation not in RELATIONS:
            raise ValueError(f"relation must be one of '<=', '>=', got {relation!r}")
        return self._add("bound", new, because, where, relation=relation, by=by)

    def numeric(self, new, because, *, at, atol=None):
        """Add a line that equals the one before at points, to 25 digits; the line says that this is no proof.

        Parameters
        ----------
        new : Expr, Matrix or Eq
            An equation must hold at every point.
        because : str
            The reason, shown beside the line.
        at : sequence of dict of Symbol to number
            The points; they give every symbol a value that its assumptions allow.
        atol : number, optional
            The difference may be this large, in place of ``1e-25`` times the larger of the two values. It is shown, and
            must be given where SymPy sees no digit of a value and cannot prove that it is zero.
        """
        at = tuple(at)
        if not at:
            raise ValueError("at must hold at least one point, got none")
        if atol is not None and not 0 < atol < sp.oo:
            raise ValueError(f"atol must be positive and finite, got {atol!r}")
        return self._add("numeric", new, because, (), at=at, atol=atol)

    def _add(self, kind, new, because, where, **options):
        known = self.steps[-1].options["where"] if self.steps else self.where
        where = known + tuple(c for c in _several(where, sp.Basic) if c not in known)
        if kind == "step" and isinstance(self.start, sp.Eq):
            options["for_all"] = self.for_all
        step = Step(kind, _sympify(new), because, {**options, "where": where})
        if step.new == self.result:
            raise StepError(f"step {because!r} repeats the line before (SymPy may have simplified that one by itself)")
        if kind == "bound":
            others = {other.options["relation"] for other in self.steps if other.kind == "bound"}
            if others - {options["relation"]}:
                raise StepError(f"step {because!r}: all bounds of a chain must point the same way, got {others} before")
        premises = {g: None for other in (*self.steps, step) for g in other.options.get("given", ())}
        if len(premises) > len(options.get("given", ())):
            agree(tuple(premises), [self.start, *(other.new for other in (*self.steps, step))], because)
        notes = verify(self.result, step)
        if reason := tied(premises, _moving(step.options), self.result):
            raise StepError(f"step {because!r}: {reason}")
        for _, other in self.lines():
            if reason := _too_far(other, step, reached(premises, _place(other)), self.result):
                raise StepError(f"step {because!r}: {reason}")
        for line, other in self.lines() if step.options.get("given") else ():
            if reason := tied_since(premises, _moving(other.options), line):
                raise StepError(f"step {because!r}: {reason}")
        self.steps.append(Step(kind, step.new, because, step.options, notes))
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
        return typeset.aligned(self)

    def __repr__(self):
        return typeset.plain(self)


def _several(values, kind, rule="conditions must be relationals that SymPy leaves open"):
    values = tuple(values) if isinstance(values, tuple | list | set) else (values,)
    for value in values:
        if not isinstance(value, kind) or value in (sp.true, sp.false):
            raise TypeError(f"{rule}, got {value!r}")
    return values


def _laws(over):
    """Return declared laws as a tuple."""
    if isinstance(over, laws.Uncorrelated) or not isinstance(over, tuple | list):
        return (over,)
    return tuple(over)


def _moving(options):
    """Return the symbols that a step averages, lets tend, differentiates, integrates or replaces."""
    found = {options[key] for key in ("var", "differentiate") if key in options}
    found |= {options["integrate"][0]} if "integrate" in options else set()
    found |= laws.symbols(options["over"]) if "over" in options else set()
    return found | {old for old, _ in options.get("substitute", ())}


def _place(step):
    """Return the symbols of which a line tells only beside a point, or at points."""
    if step.kind == "numeric":
        return {sp.sympify(symbol) for point in step.options["at"] for symbol in point}
    return {step.options["var"]} if step.kind == "series" else set()


def _too_far(before, step, names, line):
    """Say why a step may not follow one after which lines agree near a point or at points only, or return ""."""
    options, names = step.options, names & (line.free_symbols | step.new.free_symbols)
    moved = _moving(options) & names
    if before.kind == "numeric":
        return f"the lines before agree at points only, and {', '.join(map(str, moved))} is to move" if moved else ""
    if before.kind != "series" or not (moved or (names and step.kind in ("bound", "numeric"))):
        return ""
    var, about, order = (before.options[key] for key in ("var", "about", "order"))
    there = options.get("to", options.get("about")) == about and options["var"] == var
    if there and options.get("order", 0) <= order:
        return ""
    return f"the line before stands for one that it equals near {var} = {about} only, up to order {order}"


def _plain(key, value):
    """Return an operation's argument without anything of the notebook in it."""
    if key == "apply":
        return value if isinstance(value, str) else getattr(value, "__name__", repr(value))
    if key == "substitute":
        return tuple((sp.sympify(old), sp.sympify(new)) for old, new in value.items())
    if key == "integrate":
        return tuple(sp.sympify(part) for part in value)
    return sp.sympify(value)


def _sympify(value):
    if isinstance(value, list | tuple):
        raise TypeError(f"a line must be a SymPy expression, matrix or equation, got {value!r}")
    value = sp.sympify(value)
    if isinstance(value, sp.MatrixBase):
        return sp.ImmutableMatrix(value)
    if not isinstance(value, sp.Expr | sp.Eq):
        raise TypeError(f"a line must be a SymPy expression, matrix or equation that SymPy leaves open, got {value!r}")
    return value
