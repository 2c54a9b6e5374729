"""One look for all figures: colour-blind safe, legible on light and dark pages."""

import base64
import io
import os
import re
from contextlib import contextmanager, nullcontext
from functools import partial

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.textpath import TextToPath

from kexue_core.notebook.axes_reuse import reuse_axes

__all__ = ["figure_png", "figure_svg", "new_figure", "set_style"]

# Okabe and Ito's colours; the yellow is left out (too faint on white), the black is the text's own.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")

# For Chinese in pictures that are stored as pixels: of these families, those that the machine has.
CHINESE = ("Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "PingFang SC", "Microsoft YaHei")

STYLE = {
    "font.sans-serif": ["DejaVu Sans", *(name for name in CHINESE if name in font_manager.get_font_names())],
    "axes.prop_cycle": mpl.cycler(color=COLORS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.figsize": (7.0, 3.4),
    "figure.dpi": 100,
    "savefig.dpi": 144,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.08,
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "image.cmap": "viridis",
    "svg.hashsalt": "kexue",
    "path.simplify": False,  # dropped points differ from stop to stop, and pictures would share less
}


_ON_WHITE = {"figure.facecolor": "white", "savefig.facecolor": "white"}

# All settings there are, so that what a reader has set beside them changes no picture of an explorer.
_COMPLETE = {name: value for name, value in {**mpl.rcParamsDefault, **STYLE}.items() if not name.startswith("backend")}

_NOTHING = dict.fromkeys(("Date", "Creator", "Format", "Type"))  # of what an SVG tells about itself

_text_to_path = TextToPath()


@contextmanager
def _settings(values):
    """Change settings of matplotlib as long as the block lasts: as `mpl.rc_context`, without its checks and copies.

    These take a tenth of the time of a picture. The values have been checked: they are matplotlib's own or the book's.
    """
    before = dict(dict.items(mpl.rcParams))
    del before["backend"]  # if it is chosen within the block, that stays
    dict.update(mpl.rcParams, values)
    try:
        yield
    finally:
        dict.update(mpl.rcParams, before)


def book_style():
    """Draw in the style of the book and in nothing else, as long as the block lasts."""
    return _settings(_COMPLETE)


def building_book():
    """Tell whether the notebook is executed for the built book (``KEXUE_BOOK=1``)."""
    return os.environ.get("KEXUE_BOOK") == "1"


def set_style():
    """Make matplotlib draw in the style of the book: call it once, in the first code cell.

    A notebook shows its figures as PNG on white, which every viewer shows and nbval passes over; the book takes the
    sharper SVG, on the ground of the page.
    """
    mpl.rcParams.update(STYLE if building_book() else STYLE | _ON_WHITE)
    try:
        from IPython import get_ipython
        from matplotlib_inline import backend_inline
    except ImportError:
        return
    if (shell := get_ipython()) is None:
        return
    backend_inline.set_matplotlib_formats()  # none of IPython's: they draw twice to find the box of what is drawn
    kind, draw = ("svg+xml", _cropped_svg) if building_book() else ("png", partial(figure_png, whole=True))
    shell.display_formatter.formatters[f"image/{kind}"].for_type(Figure, draw)
    if building_book():
        backend_inline._fetch_figure_metadata = lambda figure: {}  # else it makes all ticks anew, to see their colour


def new_figure(figsize=None, panels=(1, 1)):
    """Return a figure outside pyplot and its axes: one Axes, or an array of them.

    Parameters
    ----------
    figsize : (2,) tuple of float, optional
        Width and height in inches.
    panels : (2,) tuple of int
        Rows and columns of axes.
    """
    with book_style():
        figure = Figure(figsize=figsize or STYLE["figure.figsize"], layout="constrained")
        axes = figure.subplots(*panels)
    return figure, axes


def _renderers(figure, buffer):
    """Return what draws a figure as SVG, and the part of it that does all but what is rasterized."""
    width, height = figure.get_size_inches()
    figure.dpi = 72  # the unit of SVG
    vector = RendererSVG(width * 72, height * 72, buffer, image_dpi=144, metadata=_NOTHING)
    vector._text2path = _text_to_path  # keeps its cache of parsed formulas; a fresh one costs 100 ms a picture
    return MixedModeRenderer(figure, width, height, 144, vector), vector  # in inches, unlike the vector's points


def figure_png(figure, whole=False):
    """Return the figure as base64 of a PNG: drawn once, of its own size.

    What is ``whole`` is drawn once more, and larger, if something stands outside the figure.
    """
    buffer = io.BytesIO()
    canvas = figure.canvas if isinstance(figure.canvas, FigureCanvasAgg) else FigureCanvasAgg(figure)
    canvas.print_png(buffer)
    if whole:
        box, (width, height) = figure.get_tightbbox(canvas.get_renderer()), figure.get_size_inches()
        if min(box.x0, box.y0, width - box.x1, height - box.y1) < 0:
            buffer = io.BytesIO()
            canvas.print_figure(buffer, dpi=figure.dpi, bbox_inches="tight")
    return base64.b64encode(buffer.getvalue()).decode()


def _cropped_svg(figure):
    """Return a figure as SVG, cropped to what is drawn: in one drawing instead of IPython's two."""
    buffer = io.StringIO()
    renderer, _ = _renderers(figure, buffer)
    figure.draw(renderer)
    box = figure.get_tightbbox(renderer).padded(mpl.rcParams["savefig.pad_inches"])
    renderer.finalize()
    sizes = f"{72 * box.width:g}", f"{72 * box.height:g}"
    corner = f"{72 * box.x0:g} {72 * (figure.get_figheight() - box.y1):g}"
    size = f'width="{sizes[0]}pt" height="{sizes[1]}pt" viewBox="{corner} {" ".join(sizes)}"'
    return re.sub(r'width="[^"]*" height="[^"]*" viewBox="[^"]*"', size, buffer.getvalue(), count=1)


@contextmanager
def _without_grounds(figure):
    """Leave out the grounds of figure and axes that nobody sees: the book has none, and they cost as much as a line."""
    grounds = [figure.patch, *(axes.patch for axes in figure.axes)]
    unseen = [ground for ground in grounds if ground.get_visible() and _transparent(ground)]
    for ground in unseen:
        ground.set_visible(False)
    try:
        yield
    finally:
        for ground in unseen:
            ground.set_visible(True)


def _transparent(patch):
    return patch.get_facecolor()[3] == 0 and (patch.get_linewidth() == 0 or patch.get_edgecolor()[3] == 0)


def figure_svg(figure, salt="kexue", memory=None):
    """Return the figure as an ``<svg>`` element whose text stays text and whose ids depend on ``salt`` only.

    It holds no style sheet: one in a picture would be one for the whole page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        An image whose ``gid`` is "photo" gets the class ``kx-photo``: the page keeps its greys on a dark ground.
    salt : str
        Makes the ids of one explorer differ from those of another.
    memory : dict, optional
        Axes that were drawn before, see `reuse_axes`.
    """
    buffer = io.StringIO()
    with _settings({"svg.fonttype": "none", "svg.hashsalt": salt}):
        renderer, vector = _renderers(figure, buffer)
        with _without_grounds(figure), nullcontext() if memory is None else reuse_axes(figure, vector, buffer, memory):
            figure.draw(renderer)
        renderer.finalize()
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<defs>\s*<style.*?</style>\s*</defs>\s*", "", svg, flags=re.S)
    svg = re.sub(r'<g id="(panel\d+)"', r'<g data-gid="\1"', svg)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'(<image\b[^>]*?) id="photo"', r'\1 class="kx-photo"', svg)
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2).strip()
    return svg.replace("<svg", '<svg stroke-linejoin="round" stroke-linecap="butt"', 1)
