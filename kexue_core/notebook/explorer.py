"""A picture with sliders: live in a notebook, without a kernel in the built book, as a table in the tests."""

import base64
import hashlib
import html
import io
import itertools
import math

import matplotlib as mpl

from kexue_core.notebook.controls import Control
from kexue_core.notebook.figures import STYLE, building_book, figure_svg, new_figure
from kexue_core.notebook.formats import format_number
from kexue_core.notebook.player import player_html

__all__ = ["Explorer"]

MIME = "application/vnd.kexue.explorer+json"

_MOST_FRAMES = 1500


class Explorer:
    """A drawing function with a slider for each of its arguments.

    Display it as the last line of a cell. With a kernel it shows ipywidgets; the built book shows all its pictures
    without one; its text form is the table of the numbers at every stop, which nbval compares.

    Parameters
    ----------
    draw : callable
        ``draw(ax, **values)`` draws on empty axes and returns the numbers that it shows, ``{name: number or text}``,
        with the same names at every stop. ``ax`` is an array of axes if there are several panels.
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
    >>> Explorer(draw, alt="A line up to {n}.", n=Choice("n", [2, 3]))
    n │ squares
    2 │ 4
    3 │ 9
    """

    def __init__(self, draw, *, alt, name=None, label=None, figsize=None, panels=(1, 1), drag=None, **controls):
        if not callable(draw):
            raise TypeError(f"draw must be a function, got {draw!r}")
        if not 1 <= len(controls) <= 3:
            raise ValueError(f"controls must be one to three, got {len(controls)}")
        for name, control in controls.items():
            if not isinstance(control, Control):
                raise TypeError(f"{name} must be Linear, Logarithmic, Powers, Choice or Text, got {control!r}")
        if not (isinstance(alt, str) and alt.strip()):
            raise ValueError(f"alt must say what is seen, got {alt!r}")
        combinations = math.prod(len(control.stops) for control in controls.values())
        if combinations > _MOST_FRAMES:
            raise ValueError(f"controls must have at most {_MOST_FRAMES} combinations of stops, got {combinations}")
        self.draw = draw
        self.alt = alt
        self.controls = controls
        self.name = draw.__name__.removeprefix("draw_") if name is None else name
        self.label = label or self.name.replace("_", " ")
        self.drag = dict(drag or {})
        self._figsize, self._panels = figsize, panels
        self._figure = None
        self._names = None
        self._known = {}  # numbers by combination: the table and the player ask for the same ones

    def __call__(self, **values):
        """Return the numbers at a stop; arguments that are left out are at their default."""
        unknown = set(values) - set(self.controls)
        if unknown:
            raise TypeError(f"values must be among {sorted(self.controls)}, got {sorted(unknown)}")
        complete = {name: values.get(name, control.default) for name, control in self.controls.items()}
        key = tuple(complete.values())
        if key not in self._known:
            self._draw(complete)
        return dict(self._known[key])

    def stops(self):
        """Return every stop of every slider with the others at their default, then the corners, each once."""
        defaults = [control.default for control in self.controls.values()]
        chosen = [
            tuple(stop if j == i else default for j, default in enumerate(defaults))
            for i, control in enumerate(self.controls.values())
            for stop in control.stops
        ]
        chosen += itertools.product(*((control.stops[0], control.stops[-1]) for control in self.controls.values()))
        return [dict(zip(self.controls, values)) for values in dict.fromkeys(chosen)]

    def combinations(self):
        """Return all combinations of stops, the last slider fastest: the order of the pictures in the player."""
        every = itertools.product(*(control.stops for control in self.controls.values()))
        return [dict(zip(self.controls, values)) for values in every]

    def svg(self, **values):
        """Return the picture at a stop as an ``<svg>`` element."""
        complete = {name: values.get(name, control.default) for name, control in self.controls.items()}
        self._draw(complete)
        return figure_svg(self._figure, salt=self._key())

    def table(self):
        """Return the numbers at every stop as text."""
        stops = self.stops()
        for values in stops:
            self(**values)
        head = (*self.controls, "│", *self._names)
        rows = [head]
        for values in stops:
            names = [self._name(name, value) for name, value in values.items()]
            rows.append((*names, "│", *map(format_number, self(**values).values())))
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows).replace(
            "  │  ", " │ "
        )

    def description(self, **values):
        """Return the alternative text at a stop."""
        numbers = {name: format_number(value) for name, value in self(**values).items()}
        names = {name: self._name(name, values.get(name, control.default)) for name, control in self.controls.items()}
        return self.alt.format_map({**numbers, **names})

    def _name(self, name, value):
        control = self.controls[name]
        return control.names[control.stops.index(value)] if value in control.stops else str(value)

    def _key(self):
        source = "|".join([self.alt, *(f"{name}{control.names}" for name, control in self.controls.items())])
        return hashlib.sha256(source.encode()).hexdigest()[:8]

    def _draw(self, values):
        first = self._figure is None
        if first:
            self._figure, self._axes = new_figure(self._figsize, self._panels)
            self._own = list(self._figure.axes)
        for axes in list(self._figure.axes):
            if axes in self._own:
                _wipe(axes)
            else:
                axes.remove()  # twins that the last drawing made
        with mpl.rc_context(STYLE):
            numbers = self.draw(self._axes, **values)
        self._known[tuple(values.values())] = self._checked(numbers, values)
        if first:
            # lay out once: pictures that do not jump, and that share their frame
            self._figure.draw_without_rendering()
            with mpl.rc_context({"figure.constrained_layout.use": False}):
                self._figure.set_layout_engine(None)

    def _checked(self, numbers, values):
        if not isinstance(numbers, dict) or not numbers or not all(isinstance(name, str) for name in numbers):
            raise TypeError(f"draw must return a dict of numbers by name, got {numbers!r} at {values}")
        if self._names is None:
            self._names = tuple(numbers)
        if tuple(numbers) != self._names:
            raise TypeError(f"draw must return the names {self._names} at every stop, got {tuple(numbers)} at {values}")
        for name, value in numbers.items():
            try:
                format_number(value)
            except (TypeError, ValueError) as error:
                raise type(error)(
                    f"draw must return a number or text for {name!r}, got {value!r} at {values}"
                ) from None
        return dict(numbers)

    def __repr__(self):
        return self.table()

    def _repr_mimebundle_(self, include=None, exclude=None):
        count = math.prod(len(control.stops) for control in self.controls.values())
        bundle = {"text/plain": self.table(), "image/png": self._poster(), MIME: {"combinations": count}}
        if building_book():
            bundle["text/html"] = self._player()
        else:
            bundle = self.widget()._repr_mimebundle_() | bundle
        return bundle

    def _poster(self):
        self._draw({name: control.default for name, control in self.controls.items()})
        buffer = io.BytesIO()
        with mpl.rc_context({"figure.constrained_layout.use": False}):  # or saving would lay out anew
            self._figure.savefig(buffer, format="png", dpi=STYLE["savefig.dpi"], facecolor="white")
        return base64.b64encode(buffer.getvalue()).decode()

    def _player(self):
        table = self.table()
        frames, alts, values = [], [], []
        for combination in self.combinations():
            frames.append(self.svg(**combination))
            alts.append(self.description(**combination))
            values.append([format_number(value) for value in self(**combination).values()])
        return player_html(
            controls=self.controls,
            names=self._names,
            values=values,
            frames=frames,
            alts=alts,
            numbers=[format_number(value) for value in self().values()],
            table=table,
            key=self._key(),
        )

    def widget(self):
        """Return the live explorer: ipywidgets sliders over a picture that is redrawn when they move."""
        import ipywidgets

        sliders = {name: _live(control) for name, control in self.controls.items()}
        picture = ipywidgets.HTML()

        def refresh(change=None):
            values = {name: slider.value for name, slider in sliders.items()}
            try:
                picture.value = self._live_html(values)
            except Exception as error:
                message = html.escape(f"{type(error).__name__}: {error}")
                picture.value = f'<p role="alert" style="color:#b00020"><b>{message}</b></p>'
                raise

        for slider in sliders.values():
            slider.observe(refresh, names="value")
        refresh()
        return ipywidgets.VBox([*sliders.values(), picture])

    def _live_html(self, values):
        svg = self.svg(**values)
        numbers = " &ensp; ".join(
            f"{html.escape(name)}: <b>{html.escape(format_number(value))}</b>" for name, value in self(**values).items()
        )
        alt = html.escape(self.description(**values))
        return (
            f'<div role="img" aria-label="{alt}" style="background:white;max-width:760px">{svg}</div>'
            f'<div style="line-height:1.5">{numbers}</div>'
        )


def _wipe(axes):
    """Clear axes but keep their ticks, which are slow to make; places and labels are set anew at every drawing."""
    kept = [(axis, axis.majorTicks, axis.minorTicks) for axis in (axes.xaxis, axes.yaxis)]
    axes.clear()
    for axis, major, minor in kept:
        axis.majorTicks, axis.minorTicks = major, minor


def _live(control):
    import ipywidgets

    layout, style = ipywidgets.Layout(width="90%", max_width="40em"), {"description_width": "initial"}
    if control.kind == "text":
        return ipywidgets.Combobox(
            description=control.label, options=control.names, value=control.default, layout=layout, style=style
        )
    return ipywidgets.SelectionSlider(
        description=control.label,
        options=list(zip(control.names, control.stops)),
        value=control.default,
        layout=layout,
        style=style,
    )
