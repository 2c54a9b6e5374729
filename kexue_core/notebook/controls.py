"""Controls as data: a label and the finite list of stops that a reader can choose."""

import itertools
import math
from dataclasses import dataclass, field
from numbers import Number

from kexue_core.notebook.formats import format_number

__all__ = ["Choice", "Control", "Linear", "Logarithmic", "Powers", "Text"]

_MOST_STOPS = 400


@dataclass(frozen=True)
class Control:
    """A label, the stops behind it, what each stop is called, and which one is shown first.

    Parameters
    ----------
    label : str
        What the control changes, with its symbol in Unicode (LaTeX in a label breaks in static pages).
    stops : tuple
        At least two different values, in the order of the slider.
    default : object
        One of ``stops``; the first one if it is left out.
    unit : str
        Appended to the name of each stop.
    landmarks : tuple
        Stops that the stored table shows in any case: those that the text speaks of.
    twin : str
        JavaScript that computes what typed text shows, for `Text` only.
    kind : {"slider", "buttons", "text"}, optional
        How a reader chooses: numbers on a slider, words by buttons. Follows from the stops if it is left out.

    Raises
    ------
    ValueError
        If there are fewer than two stops or more than 400, a stop occurs twice, or ``default`` or a landmark is not
        a stop.
    """

    label: str
    stops: tuple
    default: object = None
    unit: str = ""
    landmarks: tuple = ()
    twin: str = ""
    kind: str = ""
    names: tuple = field(init=False)

    def __post_init__(self):
        """Check the stops and name them."""
        stops, landmarks = tuple(self.stops), tuple(self.landmarks)
        if not 2 <= len(stops) <= _MOST_STOPS:
            rule = "at least two values" if len(stops) < 2 else f"at most {_MOST_STOPS} values"
            raise ValueError(f"stops of {self.label!r} must be {rule}, got {len(stops)}")
        if len(set(stops)) < len(stops):
            raise ValueError(f"stops of {self.label!r} must be different values, got {_some(stops)}")
        default = stops[0] if self.default is None else self.default
        if default not in stops:
            raise ValueError(f"default of {self.label!r} must be one of its stops {_some(stops)}, got {default!r}")
        for landmark in landmarks:
            if landmark not in stops:
                raise ValueError(
                    f"landmarks of {self.label!r} must be among its stops {_some(stops)}, got {landmark!r}"
                )
        words = all(isinstance(stop, str | bool) for stop in stops)
        set_field = object.__setattr__  # the way of a frozen dataclass
        set_field(self, "stops", stops)
        set_field(self, "default", default)
        set_field(self, "landmarks", landmarks)
        set_field(self, "kind", self.kind or ("buttons" if words else "slider"))
        set_field(self, "names", _names(self.label, stops, self.unit))

    @property
    def start(self):
        """Index of the default stop."""
        return self.stops.index(self.default)

    def find(self, text):
        """Return the stop that a link means: by its name as shown, with or without unit, or by its number.

        Raises
        ------
        ValueError
            If no stop is called so; the nearest one is not guessed.

        Examples
        --------
        >>> Linear("base b", 4000, 6000, step=500).find("5000")
        5000
        """
        plain = _plain(text)
        for stop, name in zip(self.stops, self.names):
            if plain in (_plain(name), _plain(name.removesuffix(f" {self.unit}"))):
                return stop
        try:
            return next(stop for stop in self.stops if _is_number(stop) and stop == float(plain))
        except (ValueError, StopIteration):
            raise ValueError(f"stop of {self.label!r} must be one of {_some(self.names)}, got {text!r}") from None


def Choice(label, stops, *, default=None, unit="", landmarks=()):
    """Return a control over a list of values: buttons if they are words, a slider if they are numbers.

    Examples
    --------
    >>> Choice("method", ["euler", "heun"]).kind, Choice("steps", [1, 2, 5]).kind
    ('buttons', 'slider')
    """
    return Control(label, tuple(stops), default, unit, tuple(landmarks))


def Linear(label, first, last, *, step, default=None, unit="", landmarks=()):
    """Return a slider with evenly spaced stops from ``first`` to ``last``, both included.

    Zero and the ends are exact. ``default`` and ``landmarks`` are stops even if they do not lie on the grid.

    Raises
    ------
    ValueError
        If ``step`` does not lead from ``first`` to ``last`` in a whole number of steps, or a landmark lies outside.

    Examples
    --------
    >>> Linear("x", -0.3, 0.3, step=0.1, default=0).stops
    (-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3)
    """
    if not (step > 0 and last > first):
        raise ValueError(f"step and last - first must be positive, got {step} and {last - first}")
    count = round((last - first) / step)
    if not math.isclose(first + count * step, last, rel_tol=1e-9, abs_tol=1e-9 * step):
        raise ValueError(f"step must divide last - first = {last - first} evenly, got {step}")
    # rounded to a billionth of a step: no dust, and a sum that should be zero is zero
    places = 9 - math.floor(math.log10(step))
    grid = [round(first + i * step, places) for i in range(count + 1)]
    return _slider(label, first, last, grid, default, unit, landmarks)


def Logarithmic(label, first, last, *, per_decade=None, default=None, unit="", landmarks=()):
    """Return a slider whose stops have one ratio: ``per_decade`` of them in each factor of ten.

    Whole powers of ten and the ends are exact; the others are rounded to three digits, or to as many as it takes to
    keep their distances even. ``default`` and ``landmarks`` are stops even if they do not lie on the grid.

    Parameters
    ----------
    per_decade : int, optional
        By default as many as make about a hundred stops in all.

    Raises
    ------
    ValueError
        If the bounds are not positive and ascending, or a landmark lies outside.

    Examples
    --------
    >>> Logarithmic("base b", 1, 100, per_decade=3).stops
    (1, 2.15, 4.64, 10, 21.5, 46.4, 100)
    >>> Logarithmic("base b", 50, 2000, per_decade=1, default=300).stops
    (50, 100, 300, 1000, 2000)
    """
    if not 0 < first < last:
        raise ValueError(f"first and last must be positive and ascending, got {first} and {last}")
    decades = math.log10(last / first)
    per_decade = max(1, round(100 / decades)) if per_decade is None else per_decade
    if not (per_decade >= 1 and per_decade == int(per_decade)):
        raise ValueError(f"per_decade must be a whole number from 1 on, got {per_decade}")
    digits = max(3, math.ceil(math.log10(10 * per_decade)))
    low, high = math.ceil(per_decade * math.log10(first)), math.floor(per_decade * math.log10(last))
    grid = [float(f"{10 ** (i / per_decade):.{digits}g}") for i in range(low, high + 1)]
    room = (last / first) ** (0.5 / (per_decade * decades))  # no grid stop within half a step of an end, but decades
    inner = [stop for stop in grid if first * room < stop < last / room or math.log10(stop).is_integer()]
    return _slider(label, first, last, [first, *inner, last], default, unit, landmarks)


def Powers(label, first, last, *, base=2, default=None, unit="", landmarks=()):
    """Return a slider over the powers of ``base`` from ``first`` to ``last``, which are powers themselves.

    Raises
    ------
    ValueError
        If ``base`` is no whole number from 2 on, or ``first`` or ``last`` is not one of its powers.

    Examples
    --------
    >>> Powers("length L", 1024, 8192).stops
    (1024, 2048, 4096, 8192)
    """
    if not (base >= 2 and base == int(base)):
        raise ValueError(f"base must be a whole number from 2 on, got {base}")
    if not 0 < first < last:
        raise ValueError(f"first and last must be positive and ascending, got {first} and {last}")
    exponents = [round(math.log(bound, base)) for bound in (first, last)]
    grid = [base**e for e in range(exponents[0], exponents[1] + 1)]
    if grid[0] != first or grid[-1] != last:
        raise ValueError(f"first and last must be powers of {base}, got {first} and {last}")
    return _slider(label, first, last, grid, default, unit, landmarks)


def Text(label, examples, *, default=None, twin=None):
    """Return a control for typed text: a text box where a kernel runs, and in the built book if there is a ``twin``.

    Without a twin the built book offers the ``examples`` as buttons.

    Parameters
    ----------
    examples : sequence of str
        What is shown and tested without typing.
    twin : str or pathlib.Path, optional
        JavaScript (source, or a file that holds it): one function expression

            (values, kit) => ({numbers: {name: number or text}, picture: "<svg …>…</svg>", alt: "…"})

        that computes from all values of the explorer what ``draw`` returns, with the same names in the same order,
        and a picture of its own. ``kit.format`` is `format_number`, ``kit.escape`` makes text safe in the picture.
        The tests compare its numbers with ``draw`` at every example.

    Examples
    --------
    >>> Text("query", ["rope", "softmax"]).kind
    'text'
    """
    if twin is not None and not isinstance(twin, str):
        twin = twin.read_text(encoding="utf-8")
    for example in examples:
        if not isinstance(example, str):
            raise TypeError(f"examples of {label!r} must be text, got {example!r}")
    return Control(label, tuple(examples), default, twin=(twin or "").strip(), kind="text")


def _slider(label, first, last, grid, default, unit, landmarks):
    """Return a slider over the grid, the default and the landmarks, all of them exact."""
    wanted = [first, last, *landmarks, *([] if default is None else [default])]
    for value in wanted:
        if not (_is_number(value) and first <= value <= last):
            raise ValueError(f"default and landmarks of {label!r} must lie from {first} to {last}, got {value!r}")
    wanted = [_whole(value) for value in wanted]
    near = 1e-6 * min((b - a for a, b in itertools.pairwise(grid)), default=0)
    grid = [_whole(stop) for stop in grid if all(abs(stop - value) > near for value in wanted)]
    stops = tuple(sorted({*grid, *wanted}))
    return Control(label, stops, None if default is None else _whole(default), unit, tuple(map(_whole, landmarks)))


def _whole(value):
    """Return whole numbers as ints."""
    value = float(value)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _is_number(value):
    return isinstance(value, Number) and not isinstance(value, bool | complex)


def _names(label, stops, unit):
    """Return the names of the stops: four digits, more if it takes more to tell them apart or to write them exactly."""

    def names(digits):
        return [format_number(stop, digits) for stop in stops]

    def exact(digits):
        return all(not _is_number(stop) or float(f"{stop:.{digits - 1}e}") == stop for stop in stops)

    digits = next((d for d in range(4, 13) if len(set(names(d))) == len(stops)), None)
    if digits is None:
        raise ValueError(f"stops of {label!r} must differ in twelve digits, got {_some(stops)}")
    digits = next((d for d in range(digits, 8) if exact(d)), digits)
    return tuple(name + (f" {unit}" if unit else "") for name in names(digits))


def _plain(text):
    """Return a name as one would type it in an address."""
    return "".join(str(text).replace("\u2212", "-").replace("\u202f", "").split()).casefold()


def _some(values):
    """Return values for a message, the middle of a long list left out."""
    values = tuple(values)
    return values if len(values) <= 12 else f"({', '.join([*map(repr, values[:5]), '…', *map(repr, values[-3:])])})"
