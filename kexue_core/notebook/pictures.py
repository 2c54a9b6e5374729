"""The pictures of an explorer: each one drawn on a figure of its own, so that it depends on its stop alone.

Making a figure takes longer than drawing on it. Therefore an empty one is made once and kept pickled; unpickling it
takes 1 to 4 ms. The layout is found once, at the default stop, and used at all others: the frame does not jump.
"""

import gc
import itertools
import pickle
import re
import sys
from contextlib import contextmanager

from matplotlib._pylab_helpers import Gcf

from kexue_core.notebook.axes_reuse import forget_ticks, mark_ticks
from kexue_core.notebook.figures import STYLE, book_style, figure_png, figure_svg, new_figure

__all__ = ["Canvas", "uncollected"]

_GAP = 3  # points between a column of panels and what stands left of it


@contextmanager
def uncollected():
    """Keep Python from looking through everything again and again while many pictures are drawn.

    It takes a third of their time otherwise. `Canvas.drawn` clears away the figure before, if nothing holds it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Canvas:
    """An empty figure, as often as it is needed.

    Parameters
    ----------
    draw : callable
        ``draw(ax, **values)`` on one Axes, or on an array of them.
    name : str
        Makes the ids in its pictures differ from those of other explorers on a page.
    figsize, panels : tuple
        As for `Explorer`.
    default : dict
        The values at which the layout is found.
    """

    def __init__(self, draw, name, figsize, panels, default):
        self._draw, self._name, self._default = draw, name, dict(default)
        figure, axes = new_figure(figsize, panels)
        forget_ticks(figure)
        self._models = [figure]  # alive: transforms in a copy are filed under the ids of those that they copy, and lose
        self._empty = pickle.dumps((figure, axes))  # one another if a new one is given such an id
        self._panels = panels
        self._layout = None  # place of each axes, and where each column of panels begins
        self._memory = {}

    def drawn(self, values):
        """Return a figure with the picture at a stop, and what ``draw`` returned."""
        gc.collect(1)  # the figure before: left to lie, such figures soon cost a pause of 300 ms to look through all
        if self._layout is None:
            self._find_layout()
        figure, result = self._fresh(values)
        places, cuts = self._layout
        if len(places) == len(figure.axes) and _plain(figure):
            figure.set_layout_engine("none")
            for axes, place in zip(figure.axes, places):
                if axes.get_in_layout():  # else draw has placed it
                    axes.set_position(place)
        for axes in figure.axes:
            middle = axes.get_position(original=True).bounds[0] + axes.get_position(original=True).bounds[2] / 2
            axes.set_gid(f"panel{sum(middle >= cut for cut in cuts[1:-1])}")
        return figure, result

    def svg(self, figure):
        """Return a picture as SVG, one ``<svg>`` for each column of panels."""
        with book_style():
            whole = figure_svg(figure, self._name, self._memory)
        width = figure.get_size_inches()[0] * 72
        return _split(whole, [cut * width for cut in self._layout[1]])

    def png(self, figure):
        """Return a picture as base64 of a PNG."""
        with book_style():
            figure.dpi = STYLE["savefig.dpi"]
            figure.patch.set_facecolor("white")
            return figure_png(figure)

    def column(self, number):
        """Return which ``<svg>`` of a picture holds a panel."""
        return number % self._panels[1]

    def _fresh(self, values):
        with book_style():
            figure, axes = pickle.loads(self._empty)
            figure.dpi = 72
            try:
                with _no_pyplot(values):
                    result = self._draw(axes, **values)
            except Exception as error:
                error.add_note(f"in explorer {self._name!r} at {values}")
                raise
        return figure, result

    def _find_layout(self):
        figure, _ = self._fresh(self._default)
        self._prepare_ticks(figure)
        with book_style():
            figure.get_layout_engine().execute(figure)
            width = figure.bbox.width
            own = figure.axes[: self._panels[0] * self._panels[1]]
            columns = [own[c :: self._panels[1]] for c in range(self._panels[1])]
            begins = [min(axes.get_tightbbox().x0 for axes in column) for column in columns]
        cuts = [0.0, *((begin - _GAP) / width for begin in begins[1:]), 1.0]
        self._layout = [axes.get_position(original=True).frozen() for axes in figure.axes], cuts

    def _prepare_ticks(self, figure):
        """Put as many ticks on the empty figure as ``draw`` has made: unpickling one takes a seventh of making it."""
        with book_style():
            empty, axes = pickle.loads(self._empty)
            for one, drawn in zip(empty.axes, figure.axes):
                for axis, like in ((one.xaxis, drawn.xaxis), (one.yaxis, drawn.yaxis)):
                    mark_ticks(axis, like)
            self._models.append(empty)
            self._empty = pickle.dumps((empty, axes))


def _plain(figure):
    """Tell whether nothing but axes takes part in the layout of a figure."""
    others = (figure.texts, figure.legends, figure.lines, figure.patches, figure.images, figure.artists, figure.subfigs)
    return not any(artist is not figure.patch for group in others for artist in group)


def _split(svg, cuts):
    """Cut a picture between its columns of panels, so that these can stand below each other where there is no room."""
    head, body = re.match(r"<svg([^>]*)>(.*)</svg>\Z", svg, re.S).groups()
    height = re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', head)[1]
    pieces, rest, last = [""] * (len(cuts) - 1), [], 0
    for match in re.finditer(r'^  <g data-gid="panel(\d+)">.*?^  </g>\n', body, re.S | re.M):
        rest.append(body[last : match.start()])
        pieces[int(match[1])] += match[0].replace(f' data-gid="panel{match[1]}"', "", 1)
        last = match.end()
    pieces[0] = "".join(rest) + pieces[0] + body[last:]
    found = []
    for number, (left, right) in enumerate(itertools.pairwise(round(cut, 1) for cut in cuts)):
        width = right - left
        box = re.sub(r'viewBox="[^"]*"', f'viewBox="{left:g} 0 {width:g} {height}"', head)
        # a letter of 10 points is 9 pixels high at least; what reaches over a cut is seen
        least = f"{0.9 * width:.4g}px"
        style = f"flex: {width:.4g} 0 {least}; min-width: {least}; max-width: {1.6 * width:.4g}px; overflow: visible"
        piece = pieces[number] if number == 0 else f"<g>{pieces[number]}</g>"
        found.append(f'<svg style="{style}"{box}>{piece}</svg>')
    return "".join(found)


@contextmanager
def _no_pyplot(values):
    """Refuse a draw that draws through pyplot: on a figure that nobody sees."""

    def refuse(*args, **kwargs):
        raise ValueError(f"draw must draw on ax, not through plt (plt.plot and the like), got such a call at {values}")

    if "matplotlib.pyplot" not in sys.modules:
        yield
        return
    saved = {name: vars(Gcf)[name] for name in ("get_active", "_set_new_active_manager", "set_active")}
    try:
        for name in saved:
            setattr(Gcf, name, staticmethod(refuse))
        yield
    finally:
        for name, function in saved.items():
            setattr(Gcf, name, function)
