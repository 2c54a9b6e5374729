"""Axes drawn once: what does not move between the pictures of an explorer is written from memory.

Ticks, labels and grid lines are most of the work of a picture, and mostly the same ones at every stop. `reuse_axes`
asks of each axis for everything that its drawing depends on, the fingerprint; if an axis with the same fingerprint was
drawn before, its text is written instead of drawing it. The result is the same to the byte. What the fingerprint does
not know (foreign classes, paths as clips, aligned labels) is drawn in full.

To look at every line and label of every tick takes longer than all else here, and nearly always they are as they were
made. `mark_ticks` marks them on the empty figure that is copied; matplotlib notes when one is touched (``stale``).
"""

from contextlib import contextmanager

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axis import XAxis, YAxis
from matplotlib.font_manager import FontProperties
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path
from matplotlib.scale import LinearScale, LogScale
from matplotlib.ticker import LogLocator, NullLocator
from matplotlib.transforms import BboxBase

__all__ = ["forget_ticks", "mark_ticks", "reuse_axes"]

_MOST = 256  # fingerprints kept

# What an artist carries that leaves no trace in its picture, or is asked for otherwise.
_IDLE = frozenset(
    ("_stale", "stale_callback", "_axes", "_parent_figure", "_callbacks", "callbacks", "_remove_method", "_renderer")
    + ("_picker", "_pickradius", "_mouseover", "_sticky_edges", "_in_autoscale", "_autoscale_on", "draw")
    + ("_transform", "_transformSet", "_transformed_path", "major", "minor", "_scale", "units", "_converter")
    + ("_converter_is_explicit", "_as_made")
)

_COMPARABLE = frozenset((type(None), bool, int, float, str))


def forget_ticks(figure):
    """Take away the first ticks of all axes of an empty figure; matplotlib makes them again where they are needed."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            vars(axis).pop("majorTicks", None)
            vars(axis).pop("minorTicks", None)


def mark_ticks(axis, like):
    """Make as many ticks as another axis has, and mark their parts: copies of the figure keep the marks."""
    for name, make in (("majorTicks", axis.get_major_ticks), ("minorTicks", axis.get_minor_ticks)):
        if name in vars(like):
            make(len(vars(like)[name]))
    for number, tick in enumerate(_ticks(axis)):
        for place, part in enumerate(tick.get_children()):
            part.stale = False
            part._as_made = number, place


def _ticks(axis):
    """Return the ticks that an axis has made up to now: to ask for them would make one."""
    return [*vars(axis).get("majorTicks", ()), *vars(axis).get("minorTicks", ())]


@contextmanager
def reuse_axes(figure, vector, buffer, memory):
    """Within the block, the axes of ``figure`` draw themselves from ``memory`` where they can.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Its axes get a ``draw`` of their own within the block and lose it at its end, come what may.
    vector : RendererSVG
        The renderer that is going to draw the figure, with nothing drawn yet.
    buffer : io.StringIO
        What it writes to.
    memory : dict
        What was drawn before, from a figure of the same size; filled as axes are drawn.
    """
    vector._markers, vector._clipd = _Asked(), _Asked()
    axes, found = list(figure.axes), []
    while axes:
        one = axes.pop()
        axes += one.child_axes
        found += [axis for axis in (one.xaxis, one.yaxis) if type(axis) in (XAxis, YAxis) and one.name == "rectilinear"]
    for axis in found:
        axis.draw = _draw_once(axis, axis.draw, vector, buffer, memory)
    try:
        yield
    finally:
        for axis in found:
            vars(axis).pop("draw", None)
            for tick in _ticks(axis):  # drawn, and moved for that
                for part in tick.get_children():
                    vars(part).pop("_as_made", None)


class _Asked(dict):
    """A dict that remembers which keys were asked for, in order, and whether they were there."""

    def __init__(self):
        super().__init__()
        self.asked = {}

    def get(self, key, default=None):
        self.asked.setdefault(key, key in self)
        return super().get(key, default)


def _draw_once(axis, draw, vector, buffer, memory):
    def drawn(renderer):
        vector._markers.asked, vector._clipd.asked = {}, {}
        key = None
        if axis.get_visible() and renderer._renderer is vector and not (axis.get_rasterized() or axis.get_agg_filter()):
            key = _fingerprint(axis, vector)
        known = memory.get(key) if key is not None else None
        vector.writer._XMLWriter__flush()  # the parent's tag is closed before our text begins
        if known is not None and all((marker in vector._markers) == there for marker, _, there in known[1]):
            buffer.write(known[0])
            vector._markers.update((marker, oid) for marker, oid, _ in known[1])
            vector._clipd.update((clip, value) for clip, value in known[2] if clip not in vector._clipd)
            axis.stale = False
            return
        start, depth = buffer.tell(), len(vector.writer._XMLWriter__tags)
        draw(renderer)
        whole = len(vector.writer._XMLWriter__tags) == depth  # matplotlib leaves a group open whose place is NaN
        if (
            key is not None and whole and all(len(clip) == 4 for clip in vector._clipd.asked)
        ):  # rectangles: their key is all
            buffer.seek(start)
            text = buffer.read()
            markers = [(marker, vector._markers[marker], there) for marker, there in vector._markers.asked.items()]
            clips = [(clip, vector._clipd[clip]) for clip in vector._clipd.asked]
            if len(memory) >= _MOST:
                del memory[next(iter(memory))]
            memory[key] = text, markers, clips

    return drawn


class _UnknownError(Exception):
    """Something that the fingerprint cannot compare."""


def _fingerprint(axis, vector):
    """Return all that the drawing of an axis depends on, or None if that is not known."""
    axes, figure = axis.axes, axis.get_figure(root=False)
    if len(figure._align_label_groups[axis.axis_name].get_siblings(axes)) > 1:
        return None  # its label is placed by the ticks of other axes
    try:
        return (
            type(axis),
            axis.axis_name,
            (vector.width, vector.height, figure.dpi, len(vector.writer._XMLWriter__tags)),
            _limits(axis),
            _tickers(axis) or _drawn_ticks(axis),
            tuple((name, _spine(spine)) for name, spine in axes.spines.items()),
            _state(axis),
            tuple(mpl.rcParams[name] for name in ("svg.fonttype", "svg.hashsalt", "axes.unicode_minus")),
        )
    except _UnknownError:
        return None


def _limits(axis):
    """Return what an axis spans, and where in the figure."""
    ends = axis.get_view_interval()
    return ends.tobytes(), type(axis._scale), axis.get_transform().transform(ends).tobytes(), axis.axes.bbox.bounds


def _tickers(axis):
    """Return what tells matplotlib's own locators and formatters, between limits, all that they do; None for others.

    To ask them for ticks and labels takes a fifth of the time of a picture with logarithmic axes.
    """
    if type(axis._scale) not in (LinearScale, LogScale):
        return None
    known = [axis.remove_overlapping_locs]
    for kind, ticker in ((axis._major_tick_kw, axis.major), (axis._minor_tick_kw, axis.minor)):
        known += axis._tick_group_visible(kind), _plain(kind)
        for part in (ticker.locator, ticker.formatter):
            # a logarithmic one that meets a limit below 0 asks for the smallest positive number that is drawn
            lost = isinstance(part, LogLocator) and axis.get_view_interval()[0] <= 0
            if lost or type(part).__module__ != LogLocator.__module__:
                return None
            try:
                known += type(part), _plain({name: value for name, value in vars(part).items() if name != "axis"})
            except _UnknownError:
                return None
    return tuple(known)


def _drawn_ticks(axis):
    """Return where the ticks of an axis are, in its own numbers and on the picture, and what stands at them."""
    transform = axis.axes.get_xaxis_transform if axis.axis_name == "x" else axis.axes.get_yaxis_transform
    found = []
    for kind, ticker, locations in (
        (axis._major_tick_kw, axis.major, axis.get_majorticklocs),
        (axis._minor_tick_kw, axis.minor, axis.get_minorticklocs),
    ):
        if not axis._tick_group_visible(kind) or isinstance(ticker.locator, NullLocator):
            found.append(None)
            continue
        places = np.asarray(locations(), float)
        found += places.tobytes(), tuple(ticker.formatter.format_ticks(places)), ticker.formatter.get_offset()
        for side in (0.0, 1.0):
            both = (places, np.full_like(places, side))
            points = np.column_stack(both if axis.axis_name == "x" else both[::-1])
            found += [transform(which=which).transform(points).tobytes() for which in ("tick1", "tick2", "grid")]
    return tuple(found)


def _spine(spine):
    """Return where a spine lies: the label of its axis keeps clear of it."""
    known = (spine.get_visible(), spine.get_linewidth(), spine._position, spine._bounds, spine.get_path())
    at_the_edge = spine._bounds is None and (spine._position is None or spine._position[0] == "outward")
    # else its place depends on the limits, which for the spines of the other axis are asked for nowhere else
    corners = None if at_the_edge else spine.get_transform().transform([(0.25, 0.5), (0.75, 0.25)]).tobytes()
    return type(spine), corners, _plain(known)


def _state(artist):
    """Return what an artist looks like; its transform by where two points of it go."""
    if not artist.get_visible():
        return type(artist), "hidden"
    known = vars(artist)
    # a change of the last three is not noted
    touched = artist._stale or known["_url"] or known["_gid"] or known["_rasterized"]
    if "_as_made" in known and not touched:
        return known["_as_made"]
    where = artist.get_transform().transform([(0.25, 0.25), (0.75, 0.5)]).tobytes() if artist._transformSet else None
    found = [type(artist), where]
    for name, value in known.items():
        if name not in _IDLE:
            found += name, value if type(value) in _COMPARABLE else _plain(value)  # most are: no call for these
    return tuple(found)


def _plain(value):
    """Return a value in a form that can be compared and hashed."""
    if type(value) in _COMPARABLE or isinstance(value, str | int | float | complex | np.generic):
        return value
    if isinstance(value, Artist):
        return _state(value)
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    if isinstance(value, set):
        return frozenset(value)
    if isinstance(value, dict):
        return tuple((name, _plain(item)) for name, item in value.items())
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, FontProperties):
        return hash(value)
    if isinstance(value, Path):
        return _plain(value.vertices), _plain(value.codes)
    if isinstance(value, BboxBase):
        return value.bounds
    if isinstance(value, MarkerStyle):
        return _plain(value.get_path()), value.get_transform().frozen().get_matrix().tobytes(), value.get_fillstyle()
    raise _UnknownError(type(value))
