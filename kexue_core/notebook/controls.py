"""Sliders as data: a label and the finite list of stops that a reader can choose."""

import math
from dataclasses import dataclass, field

from kexue_core.notebook.formats import format_number

__all__ = ["Choice", "Control", "Linear", "Logarithmic", "Text"]


@dataclass(frozen=True)
class Control:
    """A label, the stops behind it, what each stop is called, and which one is shown first.

    Parameters
    ----------
    label : str
        What the slider changes, with its symbol in Unicode (LaTeX in a label breaks in static pages).
    stops : tuple
        At least two different values, in the order of the slider.
    default : object
        One of ``stops``; the first one if it is left out.
    unit : str
        Appended to the name of each stop.

    Raises
    ------
    ValueError
        If there are fewer than two stops, a stop occurs twice, or ``default`` is not a stop.
    """

    label: str
    stops: tuple
    default: object = None
    unit: str = ""
    names: tuple = field(init=False)
    free_text: bool = field(init=False, default=False)

    def __post_init__(self):
        """Check the stops and name them."""
        stops = tuple(self.stops)
        if len(stops) < 2:
            raise ValueError(f"stops of {self.label!r} must be at least two values, got {len(stops)}")
        if len(set(stops)) < len(stops):
            raise ValueError(f"stops of {self.label!r} must be different values, got {stops}")
        default = stops[0] if self.default is None else self.default
        if default not in stops:
            raise ValueError(f"default of {self.label!r} must be one of its stops {stops}, got {default!r}")
        names = tuple(format_number(stop) + (f" {self.unit}" if self.unit else "") for stop in stops)
        if len(set(names)) < len(names):
            raise ValueError(f"stops of {self.label!r} must differ in four digits, got {stops}")
        object.__setattr__(self, "stops", stops)
        object.__setattr__(self, "default", default)
        object.__setattr__(self, "names", names)

    @property
    def start(self):
        """Index of the default stop."""
        return self.stops.index(self.default)


def Choice(label, stops, *, default=None, unit=""):
    """Return a control over a list of values: numbers, words, or both.

    Examples
    --------
    >>> Choice("method", ["euler", "heun"]).names
    ('euler', 'heun')
    """
    return Control(label, tuple(stops), default, unit)


def Linear(label, first, last, *, step, default=None, unit=""):
    """Return a control with evenly spaced stops from ``first`` to ``last``, both included.

    Raises
    ------
    ValueError
        If ``step`` does not lead from ``first`` to ``last`` in a whole number of steps.

    Examples
    --------
    >>> Linear("τ", 0.1, 0.5, step=0.1).stops
    (0.1, 0.2, 0.3, 0.4, 0.5)
    """
    if not (step > 0 and last > first):
        raise ValueError(f"step and last - first must be positive, got {step} and {last - first}")
    count = round((last - first) / step)
    if not math.isclose(first + count * step, last, rel_tol=1e-9):
        raise ValueError(f"step must divide last - first = {last - first} evenly, got {step}")
    return Control(label, tuple(_clean(first + i * step) for i in range(count + 1)), default, unit)


def Logarithmic(label, first, last, *, per_decade, default=None, unit=""):
    """Return a control with ``per_decade`` stops in each factor of ten, rounded to three digits.

    Raises
    ------
    ValueError
        If the bounds are not positive and ascending, or no whole number of stops lies between them.

    Examples
    --------
    >>> Logarithmic("base b", 1, 100, per_decade=3).stops
    (1, 2.15, 4.64, 10, 21.5, 46.4, 100)
    """
    if not 0 < first < last:
        raise ValueError(f"first and last must be positive and ascending, got {first} and {last}")
    exact = per_decade * math.log10(last / first)
    if per_decade < 1 or not math.isclose(exact, round(exact), abs_tol=1e-9):
        raise ValueError(f"per_decade must put a whole number of steps between first and last, got {per_decade}")
    stops = (float(f"{first * 10 ** (i / per_decade):.3g}") for i in range(round(exact) + 1))
    return Control(label, tuple(_clean(stop) for stop in stops), default, unit)


def Text(label, examples, *, default=None):
    """Return a control that takes typed text where a kernel runs, and offers ``examples`` in the built book.

    Examples
    --------
    >>> Text("query", ["rope", "softmax"]).free_text
    True
    """
    control = Control(label, tuple(examples), default)
    object.__setattr__(control, "free_text", True)
    return control


def _clean(value):
    """Round off the dust of repeated addition; whole numbers become ints."""
    value = float(f"{value:.10g}")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
