"""Pictures: each depends on its stop alone, costs little, and what is reused is equal to the byte."""

import base64
import gc
import inspect
import io
import itertools
import random
import re
import subprocess
import sys
import time
import weakref

import matplotlib as mpl
import matplotlib.patheffects
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from matplotlib.transforms import TransformNode
from nbclient import NotebookClient

from kexue_core.notebook import Choice, Explorer, Linear, set_style
from kexue_core.notebook.figures import STYLE, _cropped_svg, figure_png, figure_svg, new_figure

X = np.linspace(0.1, 1, 30)
STOPS = range(1, 5)


# Each case changes something about axes or figure at some stops, and would spoil the others if it stayed.


def colour_bar(ax, n):
    ax.figure.colorbar(ax.imshow(np.eye(4) * n, aspect="auto"), ax=ax)


def colour_bar_sometimes(ax, n):
    image = ax.imshow(np.eye(4) * n)
    if n % 2:
        ax.figure.colorbar(image, ax=ax, label="weight")


def twin(ax, n):
    ax.plot(X, X**n)
    ax.twinx().plot(X, 1000 * X, color="C1")


def twin_sometimes(ax, n):
    ax.plot(X, X**n)
    if n == 3:
        ax.twiny().semilogx(X, X)


def figure_texts(ax, n):
    ax.plot(X, X**n, label=f"power {n}")
    ax.figure.text(0.5, 0.5, f"n = {n}")
    ax.figure.suptitle("a title" * (n % 3))


def figure_legend(ax, n):
    ax.plot(X, X**n, label=f"power {n}")
    if n % 2:
        ax.figure.legend(loc="outside right upper")


def tick_params(ax, n):
    ax.plot(X, X**n)
    if n % 2:
        ax.tick_params(labelsize=6, length=9, rotation=30)


def aspect(ax, n):
    ax.plot(X, X**n)
    ax.set_aspect("equal" if n % 2 else "auto")


def sizes(ax, n):
    ax.plot(X, X**n)
    ax.figure.set_size_inches(7, 3 + n % 2)


def rotated_labels(ax, n):
    ax.plot(X, X**n)
    for label in ax.get_xticklabels():
        label.set(rotation=15 * n, color="C1")


def one_label_apart(ax, n):
    ax.bar(range(4), n)
    ax.set_xticks(range(4), ["a", "b", "c", "d"])
    ax.get_xticklabels()[n % 4].set_fontweight("bold")


def moved_labels(ax, n):
    ax.plot(X, X**n)
    offset = mpl.transforms.ScaledTranslation(n / 50, 0, ax.figure.dpi_scale_trans)
    for label in ax.get_xticklabels():
        label.set_transform(label.get_transform() + offset)


def ticks_touched_where_they_lie(ax, n):
    ax.set(xlim=(0, 1), ylim=(0, 1))
    first, second, third = ax.xaxis.get_major_ticks(4)[:3]  # a getter of labels would move all ticks
    first.label1.set_color(f"C{n % 3}")
    second.label1.set_url(f"#stop{n % 4}")
    third.gridline.set_rasterized(n % 2)
    ax.text(0.5, 0.5, n)


def logarithms(ax, n):
    ax.plot(X, 10 ** (X * n))
    ax.set(xscale="log" if n % 2 else "linear", yscale="log")


def symlog_and_function(ax, n):
    ax.plot(X, X**n)
    ax.set_xscale("function", functions=(lambda x: x**n, lambda x: x ** (1 / n)))
    ax.set_yscale("symlog", linthresh=0.1 * n)


def powers_of_both_signs(ax, n):
    ax.plot(X, X**n)
    ax.set_xscale("function", functions=(lambda x: np.sign(x) * abs(x) ** n, lambda x: np.sign(x) * abs(x) ** (1 / n)))


def large_numbers(ax, n):
    ax.plot(X * 1e7 * n, X + 1e6)


def inset(ax, n):
    ax.plot(X, X**n)
    ax.inset_axes([0.1, 0.6, 0.3, 0.3]).plot(X, n * X)


def secondary(ax, n):
    ax.plot(X, X**n)
    ax.secondary_xaxis("top", functions=(lambda x: n * x, lambda x: x / n)).set_xlabel("scaled")


def legend(ax, n):
    ax.plot(X, X**n, label=f"power {n}")
    ax.legend(title="which")


def scatter(ax, n):
    ax.scatter(X, X**n, s=9 * n, marker="o^s"[n % 3])


def ticks_as_markers(ax, n):
    ax.plot(X, X**n, marker=mpl.lines.TICKDOWN, markersize=3.5, markeredgewidth=0.8, color="black", ls="")


def order(ax, n):
    ax.plot(X, X**n, lw=9, zorder=0.2 if n % 2 else 3)
    ax.set_axisbelow(n % 3 == 0)


def spines(ax, n):
    ax.plot(X - 0.5, X**n)
    ax.spines["left"].set_position(("data", 0.1 * n if n > 3 else 0))
    ax.spines["bottom"].set_bounds(0, n / 10)


def hidden(ax, n):
    ax.plot(X, X**n)
    ax.xaxis.set_visible(n % 2 == 0)
    ax.set_yticks([] if n == 3 else [0, 0.5, 1])


def off(ax, n):
    ax.plot(X, X**n)
    if n % 2:
        ax.axis("off")


def inverted(ax, n):
    ax.plot(X, X**n)
    if n % 2:
        ax.invert_yaxis()


def minor_ticks(ax, n):
    ax.plot(X, X**n)
    ax.minorticks_on()
    ax.grid(n % 2 == 0, which="minor", alpha=0.1)


def tickers(ax, n):
    ax.plot(X, X**2)
    ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(n + 2))
    ax.yaxis.set_major_formatter(f"{{x:.{n}f}}")


def labels_of_a_function(ax, n):
    ax.plot(X, X**2)
    ax.yaxis.set_major_formatter(lambda value, place: f"{n * value:g}")


class Place(mpl.ticker.Locator):
    """A locator of a chapter, with its place where no instance tells it."""

    place = 0.2

    def __call__(self):
        return [self.place]


def locator_of_a_chapter(ax, n):
    ax.plot(X, X**2)
    Place.place = 0.2 * n
    ax.xaxis.set_major_locator(Place())


def bases(ax, n):
    ax.plot(X, X**2)
    ax.set_xscale("log", base=n + 1)


def minor_labels(ax, n):
    ax.plot(X, X**2)
    ax.set_yscale("log")
    ax.yaxis.set_minor_formatter(mpl.ticker.LogFormatter(minor_thresholds=(n, n / 2)))


def powers_on_a_straight_axis(ax, n):
    ax.plot(X, X * 10.0**-n)
    ax.set_ylim(-1, 2)
    ax.yaxis.set_major_locator(mpl.ticker.LogLocator())  # asks for the smallest number that is drawn


def titles(ax, n):
    ax.plot(X, X**n)
    ax.set_title(f"$x^{n}$", loc="left")
    ax.set_xlabel("x", labelpad=n)
    ax.set_ylabel("y" * n, rotation=0)


def rasterized(ax, n):
    ax.plot(X, X**n, rasterized=True)
    ax.set_rasterization_zorder(0.7 if n % 2 else None)


def clipped_by_a_path(ax, n):
    ax.plot(X, X**n)
    for line in ax.get_xgridlines():
        line.set_clip_path(mpl.patches.Circle((0.5, 0.5), 0.1 * n, transform=ax.transAxes))


def categories(ax, n):
    ax.bar(["one", "two", "three"][: 1 + n % 3], n)


def placed(ax, n):
    ax.plot(X, X**n)
    ax.set_position([0.1, 0.2, 0.1 * n, 0.7])


def patched_effects(ax, n):
    ax.plot(X, X**n)
    ax.xaxis.label.set(text="x", path_effects=[mpl.patheffects.withStroke(linewidth=n)])


CASES = [value for name, value in list(globals().items()) if inspect.isfunction(value) and value.__module__ == __name__]


def explorer_of(case, panels=(1, 1), **arguments):
    def draw(ax, n):
        for one in np.ravel(ax):
            case(one, n)
        return {"number": 7 * n}

    return Explorer(draw, alt="x", panels=panels, n=Choice("n", list(STOPS)), **arguments)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_picture_depends_on_its_stop_alone_and_axes_are_reused_to_the_byte(case):
    panels = (1, 1) if case in (placed, figure_legend) else (1, 2)
    fresh = {}
    for n in STOPS:
        alone = explorer_of(case, panels)
        alone._canvas._memory = None  # every axis drawn in full
        fresh[n] = alone.svg(n=n)
    explorer = explorer_of(case, panels)
    order = [*STOPS] * 2
    random.Random(case.__name__).shuffle(order)
    for n in order:
        assert explorer.svg(n=n) == fresh[n], n
    assert len(set(fresh.values())) > 1
    assert 'href="#"' not in "".join(fresh.values())


def test_axes_that_stand_still_are_drawn_once():
    def draw(ax, n):
        ax.plot(X, X**n)
        ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="x")
        return {"power": n}

    explorer = Explorer(draw, alt="x", n=Linear("power", 1, 20, step=1))
    for values in explorer.combinations():
        explorer.svg(**values)
    assert len(explorer._canvas._memory) <= 4  # 2 axes, 20 stops


def test_an_exception_while_drawing_leaves_no_trace(monkeypatch):
    figure, ax = new_figure()
    memory = {}
    line = ax.plot(X, X)[0]
    before = figure_svg(figure, "a", memory)
    monkeypatch.setattr(type(line), "draw", lambda self, renderer: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        figure_svg(figure, "a", memory)
    assert not {"draw"} & (vars(ax.xaxis).keys() | vars(ax.yaxis).keys())
    monkeypatch.undo()
    assert figure_svg(figure, "a", memory) == before == figure_svg(figure, "a")


def test_pictures_carry_no_style_sheet_and_ids_of_their_own():
    one, two = (explorer_of(scatter, name=name).svg(n=1) for name in ("one", "two"))
    for svg in (one, two):
        assert "<style" not in svg
        assert 'stroke-linejoin="round"' in svg[:200]
        assert "stroke-linecap" in svg[:200]
    ids = [set(re.findall(r'id="([^"]+)"', svg)) for svg in (one, two)]
    assert all(ids)
    assert not ids[0] & ids[1]
    for svg, own in zip((one, two), ids):
        assert set(re.findall(r"#(\w+)", re.sub(r"#[0-9a-f]{6}\b", "", svg))) <= own


def test_panels_side_by_side_are_pictures_of_their_own_that_fit_together():
    svg = explorer_of(colour_bar, (2, 3)).svg(n=2)
    boxes = [tuple(map(float, box.split())) for box in re.findall(r'viewBox="([^"]*)"', svg)]
    assert len(boxes) == 3
    assert all(
        abs(left + width - following) < 0.11 for (left, _, width, _), (following, *_) in itertools.pairwise(boxes)
    )
    assert boxes[0][0] == 0
    assert abs(boxes[2][0] + boxes[2][2] - 504) < 0.11
    assert [piece.count("<image") for piece in svg.split("</svg>")[:3]] == [4, 4, 4]  # two pictures and their bars


def test_a_photograph_is_marked_and_nothing_else_is():
    def draw(ax, n):
        ax[0].imshow(np.eye(4) * n, gid="photo", cmap="gray")
        ax[1].imshow(np.eye(4) * n)
        return {"number": n}

    svg = Explorer(draw, alt="x", panels=(1, 2), n=Choice("n", list(STOPS))).svg(n=2)
    photo, drawn = re.findall(r"<image[^>]*>", svg)
    assert 'class="kx-photo"' in photo
    assert " id=" not in photo
    assert "class=" not in drawn


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax, n: plt.plot([n]) and {"n": n},
        lambda ax, n: plt.figure() and {"n": n},
        lambda ax, n: plt.subplots() and {"n": n},
        lambda ax, n: plt.gca().plot([n]) and {"n": n},
        lambda ax, n: plt.title("x") and {"n": n},
    ],
)
@pytest.mark.parametrize("opened", [False, True])
def test_a_draw_through_pyplot_is_refused_and_opens_no_figure(draw, opened):
    plt.close("all")
    if opened:
        plt.figure()
    explorer = Explorer(lambda ax, n: {"number": draw(ax, n)["n"]}, alt="x", n=Choice("n", [1, 2]))
    with pytest.raises(ValueError, match=r"draw must draw on ax, not through plt .* got such a call at \{'n': 1\}"):
        explorer()
    assert len(plt.get_fignums()) == opened
    plt.figure()  # and pyplot works as before
    plt.close("all")


def test_colours_and_settings_of_pyplot_may_be_used():
    def draw(ax, n):
        ax.plot(X, X**n, color=plt.cm.viridis(0.3), lw=plt.rcParams["lines.linewidth"])
        plt.rcParams["font.size"] = 5 * n
        return {"number": n}

    before = plt.rcParams["font.size"]
    explorer = Explorer(draw, alt="x", n=Choice("n", [1, 2, 3]))
    first = explorer.svg(n=1)
    explorer.svg(n=3)
    assert explorer.svg(n=1) == first
    assert plt.rcParams["font.size"] == before


def test_the_style_of_the_reader_leaves_pictures_alone():
    first = explorer_of(titles).svg(n=2)
    with mpl.rc_context({"font.size": 22, "axes.grid": False, "xtick.labelsize": 4, "svg.fonttype": "path"}):
        assert explorer_of(titles).svg(n=2) == first
    set_style()
    assert explorer_of(titles).svg(n=2) == first


def test_a_ground_is_drawn_if_it_can_be_seen_and_the_figure_keeps_it():
    def paths(ground):
        figure, ax = new_figure()
        ax.plot(X, X)
        ax.set_facecolor(ground)
        svg = figure_svg(figure)
        assert figure.patch.get_visible()
        assert ax.patch.get_visible()
        return svg.count("<path"), "fill: #e6e6e6" in svg

    (plain, seen), (more, shown) = paths("none"), paths("#e6e6e6")
    assert not seen
    assert shown
    assert more == plain + 1


@pytest.mark.parametrize("square", [False, True])
def test_a_figure_of_the_book_is_cropped_as_matplotlib_does_it_in_two_drawings(square):
    def made():
        figure, axes = plt.subplots(1, 2, figsize=(6, 3))
        axes[0].plot(X, X**2, label="a square")
        axes[1].imshow(np.eye(4)) if square else axes[1].loglog(X, X)
        axes[1].text(1.1, 0.5, "beside", transform=axes[1].transAxes)
        axes[0].legend(title="$x^2$")
        return figure

    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        made().savefig(buffer, format="svg", bbox_inches="tight")
        svgs = _cropped_svg(made()), buffer.getvalue()
    plt.close("all")
    boxes = np.array([re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', svg).groups() for svg in svgs], float)
    corners = np.array([re.search(r'id="patch_2">\s*<path d="M (\S+) (\S+)', svg).groups() for svg in svgs], float)
    np.testing.assert_allclose(*boxes[:, 2:], atol=3)  # points, of 7 that are left free: letters have another size
    np.testing.assert_allclose(*(corners - boxes[:, :2]), atol=3)
    for kind in ("<path", "<use", "<image", "<clipPath"):
        assert svgs[0].count(kind) == svgs[1].count(kind), kind


def test_the_layout_is_that_of_the_default_whatever_was_drawn_first():
    def wide_labels(ax, n):
        ax.plot(X, 10.0**n * X)
        ax.set_yticks([0, 10.0**n], ["0", "1" + "0" * n])

    explorers = [explorer_of(wide_labels) for _ in range(2)]
    explorers[0].svg(n=6)
    assert explorers[0].svg(n=2) == explorers[1].svg(n=2)


def test_transforms_of_a_copy_are_filed_under_ids_that_no_new_transform_can_get():
    # else it takes the place of another one in such a file, which is then not told that something has moved: two
    # copies in a hundred had a link less, and once a layout collapsed
    def strangers():
        nodes = [thing for thing in gc.get_objects() if isinstance(thing, TransformNode)]
        filed = {key for node in nodes for key, parent in node._parents.items() if parent() is not None}
        return len(filed - {id(node) for node in nodes})

    found = []

    def draw(ax, n):
        found.append(strangers())
        ax.loglog(X + 1, n * X + 1)
        found.append(strangers())
        return {"slope": n}

    gc.collect()
    explorer = explorer_of(draw)
    gc.collect()
    explorer.svg(n=2)  # draws twice: the first one finds the layout, the second one copies its ticks
    gc.collect()
    explorer.svg(n=3)
    assert found == [0] * 6


MEASURED = """
import re, resource, sys, time
import numpy as np
from kexue_core.notebook import Choice, Explorer
def draw(ax, n):
    image = ax.imshow(np.random.default_rng(n).random((64, 64)))
    ax.figure.colorbar(image, ax=ax)
    ax.plot(np.arange(64), np.arange(64) * n / 9, rasterized=True)
    return {"number": n}
explorer = Explorer(draw, alt="x", n=Choice("n", range(9)))
explorer.svg()
start = time.process_time()
for n in range(5):
    explorer.svg(n=n)
seconds = (time.process_time() - start) / 5
if sys.platform == "linux":  # getrusage would tell the peak of the process that started this one
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(seconds, peak)
"""


def test_a_colour_bar_and_what_is_rasterized_cost_little():
    """Processor seconds a picture, and kilobytes: of a process of its own, since the peak never sinks."""
    run = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    seconds, most = map(float, run.stdout.split())
    assert seconds < 0.2
    assert most / 1024 < 300


def test_reuse_makes_a_redraw_at_least_half_as_long_again():
    """As a ratio, since machines differ: the same pictures with every axis drawn in full."""

    def draw(ax, n):
        for one in ax:
            one.plot(X, X**n)
            one.set(xlim=(0, 1), ylim=(0, 1), xlabel="$x$")
        return {"power": n}

    explorer = Explorer(draw, alt="x", panels=(1, 2), n=Linear("power", 1, 20, step=1))
    explorer.svg()

    def seconds(memory):
        best = np.inf
        for _ in range(3):
            explorer._canvas._memory = memory
            start = time.process_time()
            for n in range(1, 11):
                explorer.svg(n=n)
            best = min(best, time.process_time() - start)
        return best

    assert seconds({}) < seconds(None) / 1.5


def test_while_all_stops_are_drawn_two_figures_live_at_most_and_the_collector_runs_again_afterwards(monkeypatch):
    monkeypatch.setenv("KEXUE_BOOK", "1")
    figures, alive = [], []

    def draw(ax, n):
        figures.append(weakref.ref(ax.figure))
        alive.append(sum(figure() is not None for figure in figures))
        if n == 20 and len(figures) > 50:
            raise RuntimeError("in the middle")
        ax.plot(X, n * X)
        return {"slope": n}

    explorer = Explorer(draw, alt="A line of slope {slope}.", name="two_alive", n=Linear("n", 1, 30, step=1, default=5))
    assert gc.isenabled()
    explorer._repr_mimebundle_()
    assert len(alive) > 30
    assert max(alive) <= 3  # the default's, kept for its PNG, the one before and the one that is drawn
    assert gc.isenabled()
    with pytest.raises(RuntimeError, match="in the middle"):
        explorer._repr_mimebundle_()
    assert gc.isenabled()


@pytest.mark.parametrize(("book", "kind"), [("0", "png"), ("1", "svg+xml")])
def test_a_figure_of_a_notebook_is_drawn_once_on_white_and_on_the_page_on_its_ground(book, kind, monkeypatch):
    """The kernel is a real one: what IPython does around a figure is what is tested."""
    monkeypatch.setenv("KEXUE_BOOK", book)
    first = """
from matplotlib.figure import Figure
from kexue_core.notebook import set_style
set_style()
drawn, draw = [], Figure.draw
Figure.draw = lambda figure, renderer: (drawn.append(figure), draw(figure, renderer))[1]"""
    plot = "import matplotlib.pyplot as plt\nfigure, ax = plt.subplots()\nax.plot([1, 3, 2])\nplt.show()"
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, [first, plot, "len(drawn)"])])
    NotebookClient(notebook, kernel_name="python3").execute()
    (shown,), (count,) = notebook.cells[1].outputs, notebook.cells[2].outputs
    assert (count.data["text/plain"], set(shown.data)) == ("1", {f"image/{kind}", "text/plain"})
    assert not shown.metadata
    if book == "1":
        assert "<svg" in shown.data["image/svg+xml"]
    else:
        pixels = plt.imread(io.BytesIO(base64.b64decode(shown.data["image/png"])))
        assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1]] == 1).all()  # white, and nothing shines through


def test_what_stands_outside_a_figure_is_shown_in_a_notebook():
    def size(place):
        figure, ax = new_figure((4, 3))
        ax.plot(X, X)
        figure.text(*place, "beside")
        return plt.imread(io.BytesIO(base64.b64decode(figure_png(figure, whole=True)))).shape[:2]

    assert size((0.5, 0.5)) == (300, 400)
    assert 440 < size((1.1, 0.5))[1] < 520
    assert 360 < size((0.5, -0.2))[0] < 400
