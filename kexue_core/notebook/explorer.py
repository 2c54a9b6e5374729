"""A picture with controls: live in a notebook, without a kernel in the built book, as a table in the tests."""

import itertools
import math
import re

from kexue_core.notebook.alt import fill, named
from kexue_core.notebook.checks import strict
from kexue_core.notebook.controls import Control
from kexue_core.notebook.drag import drag_rules, place_stops
from kexue_core.notebook.figures import building_book
from kexue_core.notebook.formats import format_number
from kexue_core.notebook.live import live_html, live_widget
from kexue_core.notebook.pictures import Canvas, uncollected
from kexue_core.notebook.player import control_data, player_html
from kexue_core.notebook.table import digest, number_table, shown_stops

__all__ = ["Explorer"]

MIME = "application/vnd.kexue.explorer+json"

_MOST_FRAMES = 2000

_displayed = {}  # name -> explorer: ids on a page are unique


class Explorer:
    """A drawing function with a slider for each of its arguments.

    Display it as the last line of a cell. With a kernel it shows ipywidgets, and the text beside them says what the
    default shows; the built book shows all its pictures without one. There, in a strict run and printed, its text form
    is the table of the numbers at every stop, which nbval compares.

    Parameters
    ----------
    draw : callable
        ``draw(ax, **values)`` draws on empty axes and returns the numbers that it shows, ``{name: number or text}``,
        with the same names at every stop. ``ax`` is an array of axes if there are several panels. An image with
        ``set_gid("photo")`` keeps its greys on a dark page, where all else is inverted.
    alt : str
        What is seen, for readers who do not see it: a format string in which ``{argument}`` stands for the stop of a
        slider and ``{name}`` for a number, for example ``"The curve crosses zero at {first zero}."``
    name : str, optional
        Its id in the page, and so its address: ``#coherence?base=5000`` shows it at that stop. Give it the name of
        the variable; by default it is that of ``draw`` without ``draw_``.
    label : str, optional
        What a screen reader calls the group of its controls; by default its name in words.
    figsize : (2,) tuple of float, optional
        Width and height in inches.
    panels : (2,) tuple of int
        Rows and columns of axes; on a phone panels side by side stand below each other.
    drag : dict of str to str or tuple, optional
        Controls that follow a pointer dragged over the picture: ``{"base": "x"}`` moves ``base`` to the stop nearest
        to the pointer's x in the first panel, ``{"base": ("y", 1)}`` to its y in the second one.
    **controls : Control
        One to three of `Linear`, `Logarithmic`, `Powers`, `Choice`, `Text`, named as the arguments of ``draw``.

    Raises
    ------
    TypeError
        If ``draw`` is not callable, a control is something else, or ``draw`` does not return numbers by name.
    ValueError
        If there are no controls or more than three, too many combinations of stops, or ``alt``, ``name`` or ``drag``
        break the rules above. With ``KEXUE_STRICT=1`` every stop is drawn at display, and what depends on anything
        but its stop is refused.

    Examples
    --------
    >>> from kexue_core.notebook.controls import Choice
    >>> def draw(ax, n):
    ...     ax.plot(range(n))
    ...     return {"squares": n**2}
    >>> explorer = Explorer(draw, alt="A line up to {n}.", n=Choice("n", [2, 3]))
    >>> explorer(n=3), explorer.description(n=3)
    ({'squares': 9}, 'A line up to 3.')
    """

    def __init__(self, draw, *, alt, name=None, label=None, figsize=None, panels=(1, 1), drag=None, **controls):
        if not callable(draw):
            raise TypeError(f"draw must be a function, got {draw!r}")
        if not 1 <= len(controls) <= 3:
            raise ValueError(f"controls must be one to three, got {len(controls)}")
        for argument, control in controls.items():
            if not isinstance(control, Control):
                raise TypeError(f"{argument} must be Linear, Logarithmic, Powers, Choice or Text, got {control!r}")
        named(alt)
        combinations = math.prod(len(control.stops) for control in controls.values())
        if combinations > _MOST_FRAMES:
            raise ValueError(f"controls must have at most {_MOST_FRAMES} combinations of stops, got {combinations}")
        if name is None:
            name = getattr(draw, "__name__", "explorer").removeprefix("draw_").replace("<lambda>", "explorer")
        if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII)):
            raise ValueError(f"name must be a word of letters, digits and _, as of a variable, got {name!r}")
        self.draw = draw
        self.alt = alt
        self.name = name
        self.label = f"Explorer: {name.replace('_', ' ')}" if label is None else label
        self.controls = controls
        self._drag = drag_rules(drag, controls, panels)
        self._canvas = Canvas(draw, name, figsize, panels, self._complete({}))
        self._names = None
        self._known = {}  # numbers by combination of stops: the table and the player ask for the same ones

    def __call__(self, **values):
        """Return the numbers at a stop; arguments that are left out are at their default."""
        values = self._complete(values)
        key = tuple(values.values())
        if key not in self._known:
            return self._drawn(values)[1]
        return dict(self._known[key])

    def stops(self):
        """Return the stops that the table shows: see `shown_stops`."""
        return [dict(zip(self.controls, values)) for values in shown_stops(self.controls)]

    def combinations(self):
        """Return all combinations of stops, the last control fastest: the order of the pictures in the player."""
        every = itertools.product(*(control.stops for control in self.controls.values()))
        return [dict(zip(self.controls, values)) for values in every]

    def svg(self, **values):
        """Return the picture at a stop as SVG: one ``<svg>`` element for each column of panels."""
        return self._canvas.svg(self._drawn(self._complete(values))[0])

    def table(self):
        """Return the numbers as text: at the stops that are shown, and with ``KEXUE_STRICT=1`` a digest of all."""
        rows = [(tuple(values.values()), self(**values).values()) for values in self.stops()]
        text = number_table(self.controls, rows, self._names)
        if not strict():
            return text
        columns = zip(*(self(**values).values() for values in self.combinations()))
        return f"{text}\nall {len(self.combinations())} │ {'  '.join(digest(columns))}"

    def description(self, **values):
        """Return the alternative text at a stop."""
        return self._described(self._complete(values), self(**values))

    def _complete(self, values):
        unknown = set(values) - set(self.controls)
        if unknown:
            raise TypeError(f"values must be among {sorted(self.controls)}, got {sorted(unknown)}")
        return {name: values.get(name, control.default) for name, control in self.controls.items()}

    def _described(self, values, numbers):
        known = {name: format_number(value) for name, value in numbers.items()}
        for name, value in values.items():
            control = self.controls[name]
            known[name] = control.names[control.stops.index(value)] if value in control.stops else format_number(value)
        return fill(self.alt, known)

    def _drawn(self, values):
        """Return the figure and the numbers of one and the same call of ``draw``."""
        figure, numbers = self._canvas.drawn(values)
        numbers = self._checked(numbers, values)
        key = tuple(values.values())
        if strict() and self._known.get(key, numbers) != numbers:
            raise ValueError(
                f"draw must return the same numbers whenever it draws the same stop (is something random unseeded?), "
                f"got {self._known[key]} and {numbers} at {values}"
            )
        if all(value in control.stops for value, control in zip(key, self.controls.values())):
            self._known[key] = numbers
        return figure, dict(numbers)

    def _checked(self, numbers, values):
        if not isinstance(numbers, dict) or not numbers or not all(isinstance(name, str) for name in numbers):
            raise TypeError(f"draw must return a dict of numbers by name, got {numbers!r} at {values}")
        if self._names is None:
            unknown = sorted(named(self.alt) - {*numbers, *self.controls})
            if unknown:
                raise ValueError(
                    f"alt must name controls and numbers, {sorted({*numbers, *self.controls})}, "
                    f"and have other braces written twice, got {unknown}"
                )
            both = sorted(numbers.keys() & self.controls.keys())
            if both:
                raise ValueError(f"draw must return numbers that are not called like a control, got {both}")
            self._names = tuple(numbers)
        if tuple(numbers) != self._names:
            raise TypeError(f"draw must return the names {self._names} at every stop, got {tuple(numbers)} at {values}")
        checked = {}
        for name, value in numbers.items():
            value = value.item() if getattr(value, "ndim", None) == 0 else value
            try:
                format_number(value)
            except (TypeError, ValueError) as error:
                raise type(error)(
                    f"draw must return a number or text for {name!r}, got {value!r} at {values}"
                ) from None
            checked[name] = value
        return checked

    def __repr__(self):
        return self.table()

    @uncollected()
    def _repr_mimebundle_(self, include=None, exclude=None):
        if strict() or building_book():
            self._claim_name()
        figure, _ = self._drawn(self._complete({}))
        first = self._canvas.svg(figure) if strict() else None
        book = {"text/html": self._player()} if building_book() else {}
        if strict():
            self._require_one_picture(first)
        data = {"name": self.name, "controls": control_data(self.controls)}
        text = self.table() if strict() or building_book() else self.description()
        bundle = {"text/plain": text, "image/png": self._canvas.png(figure), MIME: data}
        return bundle | (book or self.widget()._repr_mimebundle_() | bundle)

    def _claim_name(self):
        other = _displayed.setdefault(self.name, self)
        if other is not self:
            raise ValueError(f"name must differ from that of every other explorer in the chapter, got {self.name!r}")

    def _require_one_picture(self, first):
        """Refuse a draw whose picture depends on more than the stop, after all of them were drawn."""
        for values in self.combinations():
            self(**values)
        if self.svg() != first:
            raise ValueError("draw must draw the same picture whenever it draws the same stop, got another one")

    def _player(self):
        frames, values, drags = [], [], [dict(rule, places=[], of=[]) for rule in self._drag]
        for combination in self.combinations():
            figure, numbers = self._drawn(combination)
            frames.append(self._canvas.svg(figure))
            values.append([format_number(value) for value in numbers.values()])
            for rule in drags:
                places = place_stops(figure, rule, [*self.controls.values()][rule["control"]])
                if places not in rule["places"]:
                    rule["places"].append(places)
                rule["of"].append(rule["places"].index(places))
            del figure  # or it would outlive the clearing before the next one
        for rule in drags:
            rule["panel"] = self._canvas.column(rule["panel"])
        return player_html(
            name=self.name,
            label=self.label,
            alt=self.alt,
            controls=self.controls,
            names=self._names,
            values=values,
            frames=frames,
            drags=drags,
            default_alt=self.description(),
            table=number_table(
                self.controls, [(tuple(v.values()), self(**v).values()) for v in self.stops()], self._names
            ),
        )

    def widget(self):
        """Return the live explorer: ipywidgets over a picture that is redrawn when they move."""
        return live_widget(self.controls, self.live)

    def live(self, **values):
        """Return the HTML that the live explorer shows at a stop: the picture and its numbers."""
        values = self._complete(values)
        figure, numbers = self._drawn(values)
        return live_html(self._canvas.svg(figure), self._described(values, numbers), numbers)
