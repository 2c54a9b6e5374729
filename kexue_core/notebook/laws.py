r"""Declared laws of random symbols.

Laws that are listed together are independent. A law says what a symbol is distributed as; it is not a random number
generator. The mean is taken by moments where the expression is a polynomial in the symbol, else by the density.
"""

from dataclasses import dataclass

import sympy as sp

__all__ = [
    "Bernoulli",
    "Exponential",
    "LawError",
    "Moments",
    "Normal",
    "Rademacher",
    "Uncorrelated",
    "Uniform",
    "symbols",
]


class LawError(ValueError):
    """A law that cannot be, or that does not suffice for a mean."""


class _Law:
    """What every law has: a symbol, parameters, moments, and perhaps a density on a support."""

    def __post_init__(self):
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name == "moments":
                value = tuple(sorted((int(k), sp.sympify(v)) for k, v in dict(value).items()))
            object.__setattr__(self, name, sp.sympify(value) if name != "moments" else value)
        if not isinstance(self.symbol, sp.Symbol) or not self.symbol.is_extended_real:
            raise LawError(f"a law needs a real symbol, got {self.symbol}")
        self._check()

    def _check(self):
        pass

    def _check_range(self, low, high):
        facts = self.symbol
        whole = isinstance(self, Rademacher | Bernoulli)
        if facts.is_integer and not whole:
            raise LawError(f"{facts} is an integer, which its law is not")
        if (facts.is_nonnegative and not low.is_nonnegative) or (facts.is_nonpositive and not high.is_nonpositive):
            raise LawError(f"the assumptions on {facts} contradict its law")

    @property
    def parameters(self):
        """Return the expressions on which the law depends."""
        values = [getattr(self, name) for name in self.__dataclass_fields__ if name not in ("symbol", "moments")]
        return values + [value for _, value in getattr(self, "moments", ())]

    def moment(self, power):
        """Return the mean of a power."""
        raise NotImplementedError

    def nonnegative(self):
        """Return pairs of what must not be negative, and whether it must be positive."""
        return ()

    def density(self):
        """Return ``(density, low, high)``, or None if the law has no density."""
        return None


@dataclass(frozen=True)
class Normal(_Law):
    r"""The normal law ``N(mu, sigma^2)`` of a real symbol, given by mean and standard deviation."""

    symbol: sp.Symbol
    mean: object = 0
    std: object = 1

    def _check(self):
        self._check_range(-sp.oo, sp.oo)
        if self.std.is_nonpositive:
            raise LawError(f"a standard deviation must be positive, got {self.std}")

    def nonnegative(self):
        """Return the standard deviation."""
        return ((self.std, True),)

    def moment(self, power):
        """Return the mean of a power, from the double factorials."""
        even = (
            sp.binomial(power, k) * sp.factorial2(k - 1) * self.std**k * self.mean ** (power - k)
            for k in range(0, power + 1, 2)
        )
        return sum(even, sp.S.Zero)

    def density(self):
        """Return the bell curve on the whole line."""
        x = (self.symbol - self.mean) / self.std
        return sp.exp(-(x**2) / 2) / (sp.sqrt(2 * sp.pi) * self.std), -sp.oo, sp.oo

    def _latex(self):
        return f"{sp.latex(self.symbol)}\\sim N({sp.latex(self.mean)},{sp.latex(self.std**2)})"


@dataclass(frozen=True)
class Uniform(_Law):
    """The uniform law of a real symbol on the interval from ``low`` to ``high``."""

    symbol: sp.Symbol
    low: object = 0
    high: object = 1

    def _check(self):
        self._check_range(self.low, self.high)
        if (self.high - self.low).is_nonpositive or not (self.low.is_finite is not False is not self.high.is_finite):
            raise LawError(f"a uniform law needs low < high, got {self.low} and {self.high}")

    def nonnegative(self):
        """Return the length of the interval."""
        return ((self.high - self.low, True),)

    def moment(self, power):
        """Return the mean of a power."""
        ends = (self.high ** (power + 1) - self.low ** (power + 1)) / ((power + 1) * (self.high - self.low))
        return sp.cancel(ends)

    def density(self):
        """Return a constant between both ends."""
        return 1 / (self.high - self.low), self.low, self.high

    def _latex(self):
        return f"{sp.latex(self.symbol)}\\sim U({sp.latex(self.low)},{sp.latex(self.high)})"


@dataclass(frozen=True)
class Rademacher(_Law):
    """Plus or minus one, each with probability one half."""

    symbol: sp.Symbol

    def _check(self):
        self._check_range(sp.S.NegativeOne, sp.S.One)

    def moment(self, power):
        """Return one for even powers, else zero."""
        return sp.Integer(1 - power % 2)

    def values(self):
        """Return the values with their probabilities."""
        return ((sp.S.One, sp.S.Half), (sp.S.NegativeOne, sp.S.Half))

    def _latex(self):
        return f"{sp.latex(self.symbol)}=\\pm1"


@dataclass(frozen=True)
class Bernoulli(_Law):
    """One with probability ``p``, else zero."""

    symbol: sp.Symbol
    p: object = sp.Rational(1, 2)

    def _check(self):
        self._check_range(sp.S.Zero, sp.S.One)
        if self.symbol.is_positive:
            raise LawError(f"{self.symbol} is positive, and its law gives zero")
        if self.p.is_negative or (1 - self.p).is_negative:
            raise LawError(f"a probability must lie between 0 and 1, got {self.p}")

    def nonnegative(self):
        """Return both probabilities."""
        return ((self.p, False), (1 - self.p, False))

    def moment(self, power):
        """Return the probability of one."""
        return self.p if power else sp.S.One

    def values(self):
        """Return the values with their probabilities."""
        return ((sp.S.One, self.p), (sp.S.Zero, 1 - self.p))

    def _latex(self):
        return f"{sp.latex(self.symbol)}\\in\\{{0,1\\}},\\ P({sp.latex(self.symbol)}=1)={sp.latex(self.p)}"


@dataclass(frozen=True)
class Exponential(_Law):
    """The exponential law of a nonnegative symbol, with mean ``1 / rate``."""

    symbol: sp.Symbol
    rate: object = 1

    def _check(self):
        self._check_range(sp.S.Zero, sp.oo)
        if self.rate.is_nonpositive:
            raise LawError(f"a rate must be positive, got {self.rate}")

    def nonnegative(self):
        """Return the rate."""
        return ((self.rate, True),)

    def moment(self, power):
        """Return a factorial over a power of the rate."""
        return sp.factorial(power) / self.rate**power

    def density(self):
        """Return the decaying exponential on the half-line."""
        return self.rate * sp.exp(-self.rate * self.symbol), sp.S.Zero, sp.oo

    def _latex(self):
        return f"{sp.latex(self.symbol)}\\sim\\mathrm{{Exp}}({sp.latex(self.rate)})"


@dataclass(frozen=True)
class Moments(_Law):
    """Any law of a real symbol with these moments: ``Moments(x, {1: 0, 2: V})``; others must not be needed."""

    symbol: sp.Symbol
    moments: dict

    def _check(self):
        known = {0: sp.S.One, **dict(self.moments)}
        if known[0] != 1 or any(power < 0 for power in known):
            raise LawError(f"moments must have powers from 1 on, got {dict(self.moments)}")
        if any(value.is_extended_real is False or value.is_finite is False for value in known.values()):
            raise LawError(f"moments must be real and finite, got {dict(self.moments)}")
        for power, value in known.items():
            negative = value.is_negative or (value.is_zero and self.symbol.is_nonzero and power)
            if (power % 2 == 0 or self.symbol.is_nonnegative) and negative:
                raise LawError(f"the mean of {self.symbol**power} cannot be {value}")
        if any(_negative(value) for value, _ in self.nonnegative()):
            raise LawError(f"no law has the moments {dict(self.moments)}: a variance would be negative")

    def nonnegative(self):
        """Return what variances and their like must not be: determinants of tables of known moments."""
        known = {0: sp.S.One, **dict(self.moments)}
        tables = [(a, b) for a in known for b in known if a < b]
        tables += [tuple(range(first, first + size)) for size in (3, 4) for first in (0, 1)]
        found = []
        for powers in tables:
            if all(a + b in known for a in powers for b in powers):
                table = sp.Matrix(len(powers), len(powers), lambda i, j: known[powers[i] + powers[j]])  # noqa: B023
                found.append((table.det(), False))
        return found

    def moment(self, power):
        """Return a declared moment."""
        known = dict(self.moments)
        if power == 0:
            return sp.S.One
        if power not in known:
            raise LawError(f"the mean of {self.symbol**power} is needed, but not declared")
        return known[power]

    def _latex(self):
        means = (f"\\mathbb E\\,{sp.latex(self.symbol**power)}={sp.latex(value)}" for power, value in self.moments)
        return f"{sp.latex(self.symbol)}:\\ " + ",\\ ".join(means)


class Uncorrelated(tuple):
    """Laws whose symbols are pairwise uncorrelated, not independent: ``Uncorrelated(law, law, …)``.

    The mean of a product of two symbols is the product of their means; nothing is known of products of more factors,
    or of higher powers.
    """

    def __new__(cls, *laws):
        return super().__new__(cls, laws)

    @property
    def symbol(self):
        """Return the symbols as a tuple."""
        return tuple(law.symbol for law in self)

    @property
    def parameters(self):
        """Return the expressions on which the laws depend."""
        return [value for law in self for value in law.parameters]


def _negative(value):
    """Tell whether a number or expression is negative for all values of its symbols that are tried."""
    if value.is_number or value.is_negative:
        return bool(value.is_negative)
    expanded = sp.factor(value)
    return bool(expanded.is_negative or (-sp.expand(value)).is_positive)


def symbols(over):
    """Return the random symbols of laws.

    Raises
    ------
    LawError
        If two laws share a symbol, or one depends on the symbol of another.
    """
    names = [s for law in over for s in (law.symbol if isinstance(law, Uncorrelated) else (law.symbol,))]
    if not names or len(set(names)) < len(names):
        raise LawError(f"every random symbol needs one law, got laws for {names}")
    for law in over:
        inner = set().union(*(value.free_symbols for value in law.parameters)) & set(names)
        if inner:
            raise LawError(f"independent laws must not depend on a random symbol, got {inner}")
    return set(names)
