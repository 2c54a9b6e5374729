"""The explorer: what it refuses, its table, its live face and its bundle."""

import re

import numpy as np
import pytest

from kexue_core.notebook import Choice, Explorer, Linear, Powers, Text
from kexue_core.notebook import explorer as module


def draw(ax, tau, kind):
    x = np.linspace(0, 1, 50)
    ax.plot(x, x**tau if kind == "power" else np.exp(-tau * x))
    ax.set_ylim(0, 1)
    return {"end": float(x[-2] ** tau), "curve": kind}


@pytest.fixture(autouse=True)
def another_chapter(monkeypatch):
    """Begin as a fresh kernel of a reader does."""
    monkeypatch.delenv("KEXUE_STRICT", raising=False)
    monkeypatch.setattr(module, "_displayed", {})


@pytest.fixture
def explorer():
    return Explorer(
        draw,
        alt="A {kind} curve for τ = {tau}.",
        tau=Linear("τ", 0.5, 2, step=0.5, default=1),
        kind=Choice("kind", ["power", "decay"]),
    )


def test_an_explorer_needs_one_to_three_controls_a_function_and_words():
    with pytest.raises(ValueError, match="controls must be one to three, got 0"):
        Explorer(draw, alt="nothing")
    with pytest.raises(ValueError, match="got 4"):
        Explorer(draw, alt="much", **{name: Choice(name, [1, 2]) for name in "abcd"})
    with pytest.raises(TypeError, match="draw must be a function, got 3"):
        Explorer(3, alt="three", a=Choice("a", [1, 2]))
    with pytest.raises(TypeError, match=r"a must be Linear.*got \[1, 2\]"):
        Explorer(draw, alt="list", a=[1, 2])
    with pytest.raises(ValueError, match="alt must say what is seen, got ''"):
        Explorer(draw, alt="", a=Choice("a", [1, 2]))
    with pytest.raises(ValueError, match="at most 2000 combinations of stops, got 2500"):
        Explorer(draw, alt="big", a=Choice("a", range(50)), b=Choice("b", range(50)))


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (None, TypeError, "draw must return a dict of numbers by name, got None"),
        ({}, TypeError, "draw must return a dict"),
        ({"a": np.nan}, ValueError, "number or text for 'a', got nan"),
        ({"a": np.ones(2)}, TypeError, "number or text for 'a'"),
        ({1: 1}, TypeError, "draw must return a dict"),
    ],
)
def test_a_draw_that_returns_something_else_is_refused(returned, error, message):
    with pytest.raises(error, match=message):
        Explorer(lambda ax, n: returned, alt="bad", n=Choice("n", [1, 2]))()


def test_a_draw_that_changes_its_names_is_refused():
    with pytest.raises(TypeError, match="at every stop"):
        Explorer(lambda ax, n: {f"value {n}": n}, alt="bad", n=Choice("n", [1, 2])).table()


@pytest.mark.parametrize("setting", ["KEXUE_STRICT", "KEXUE_BOOK"])
def test_errors_in_draw_reach_the_reader_and_stop_the_cell(setting, monkeypatch):
    def broken(ax, n):
        return {"inverse": 1 / n}

    explorer = Explorer(broken, alt="inverse", n=Choice("n", [1, 0]))
    explorer._repr_mimebundle_()  # a reader's: the default alone is drawn
    monkeypatch.setenv(setting, "1")
    with pytest.raises(ZeroDivisionError):
        explorer._repr_mimebundle_()  # at display, because every stop is drawn
    monkeypatch.delenv(setting)
    slider, picture = explorer.widget().children
    with pytest.raises(ZeroDivisionError):
        slider.value = 0
    assert 'role="alert"' in picture.value
    assert "ZeroDivisionError" in picture.value


def test_the_table_holds_every_stop_of_every_slider_and_the_corners(explorer):
    table = explorer.table().splitlines()
    assert len(table) == 1 + 4 + 1 + 2  # head; four τ; the other kind; two corners that are new
    assert table[0].split() == ["tau", "kind", "│", "end", "curve"]
    assert len(explorer.stops()) == len(table) - 1
    assert len(explorer.combinations()) == 8


def test_live_sliders_redraw_the_picture_and_the_numbers(explorer):
    tau, kind, picture = explorer.widget().children
    before = picture.value
    tau.value = 2
    assert picture.value != before
    assert "A power curve for τ = 2." in picture.value
    kind.value = "decay"
    assert "A decay curve" in picture.value


def test_typed_text_is_drawn_live():
    explorer = Explorer(lambda ax, q: {"length": len(q)}, alt="{q}", q=Text("query", ["a", "bb"]))
    box, picture = explorer.widget().children
    box.value = "typed words"
    assert "<b>11</b>" in picture.value


def test_numbers_of_a_stop_can_be_asked_and_changing_the_answer_changes_nothing(explorer):
    numbers = explorer(tau=2)
    numbers["end"] = 7
    assert explorer(tau=2)["end"] == pytest.approx((48 / 49) ** 2)
    with pytest.raises(TypeError, match=r"values must be among \['kind', 'tau'\], got \['beta'\]"):
        explorer(beta=1)


def test_the_bundle_of_a_notebook_and_of_the_book(explorer, monkeypatch):
    live = explorer._repr_mimebundle_()
    assert {"text/plain", "image/png", "application/vnd.jupyter.widget-view+json"} <= set(live)
    assert live["text/plain"] == explorer.description()
    assert "text/html" not in live
    monkeypatch.setenv("KEXUE_BOOK", "1")
    book = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" not in book
    assert book["text/html"].count('type="range"') == 1
    assert book["text/plain"] == explorer.table()


@pytest.mark.parametrize(
    ("alt", "message"),
    [
        ("{oops} at {n}", r"alt must name controls and numbers, ['n', 'twice'], and have other braces .* got ['oops']"),
        ("the set {1,2} at {n}", "got ['1,2']"),
        ("{} at {n}", "got ['']"),
        ("half a { brace", "alt must have its braces in pairs"),
        ("half a } brace", "alt must have its braces in pairs"),
    ],
)
def test_broken_braces_in_alt_are_refused(alt, message):
    with pytest.raises(ValueError, match=re.escape(message).replace(r"\.\*", ".*")):
        Explorer(lambda ax, n: {"twice": 2 * n}, alt=alt, n=Choice("n", [1, 2]))()


def test_alt_may_hold_braces_written_twice_and_names_with_any_letters():
    explorer = Explorer(
        lambda ax, n: {"n F·P, 50 %: a.b[0]!": n / 2}, alt="{{1, 2}} {n}: {n F·P, 50 %: a.b[0]!}", n=Choice("n", [1, 2])
    )
    assert explorer.description(n=2) == "{1, 2} 2: 1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "two words"}, "name must be a word of letters, digits and _, as of a variable, got 'two words'"),
        ({"name": 3}, "name must be a word"),
        ({"name": "größe"}, "name must be a word"),
        ({"drag": {"m": "x"}}, "drag must name controls whose stops are numbers, got 'm'"),
        ({"drag": {"word": "x"}}, "drag must name controls whose stops are numbers, got 'word'"),
        ({"drag": {"n": "z"}}, "drag of 'n' must be 'x', 'y' or one of them with a panel's number, got 'z'"),
        ({"drag": {"n": ("x", 1)}}, "drag of 'n' must be"),
    ],
)
def test_names_and_drags_that_lead_nowhere_are_refused(arguments, message):
    controls = {"n": Choice("n", [1, 2]), "word": Choice("word", ["a", "b"])}
    with pytest.raises(ValueError, match=re.escape(message)):
        Explorer(lambda ax, n, word: {"n": n}, alt="x", **arguments, **controls)


def test_an_explorer_is_called_like_its_drawing_function():
    assert Explorer(draw_example, alt="x", n=Choice("n", [1, 2])).name == "example"
    assert Explorer(lambda ax, n: {}, alt="x", n=Choice("n", [1, 2])).name == "explorer"
    named = Explorer(draw_example, alt="x", name="sea_level", n=Choice("n", [1, 2]))
    assert (named.name, named.label) == ("sea_level", "Explorer: sea level")


def draw_example(ax, n):
    ax.plot([0, n])
    return {"square": n * n}


def test_a_number_called_like_a_control_is_refused():
    with pytest.raises(ValueError, match=r"not called like a control, got \['n'\]"):
        Explorer(lambda ax, n: {"n": n}, alt="x", n=Choice("n", [1, 2]))()


def test_a_number_of_no_dimension_is_a_number():
    assert Explorer(lambda ax, n: {"a": np.array(n)}, alt="x", n=Choice("n", [1, 2]))(n=2) == {"a": 2}


def test_what_is_typed_is_not_kept():
    explorer = Explorer(lambda ax, q: {"length": len(q)}, alt="{q}", q=Text("query", ["a", "bb"]))
    for length in range(20):
        assert explorer(q="x" * length) == {"length": length}
    assert len(explorer._known) <= 2


class TestStrict:
    """What depends on anything but its stop is refused before a book is built."""

    @pytest.fixture(autouse=True)
    def strict(self, another_chapter, monkeypatch):
        monkeypatch.setenv("KEXUE_STRICT", "1")

    def display(self, draw, stops=(1, 2, 3, 4)):
        return Explorer(draw, alt="x", n=Choice("n", stops), m=Choice("m", [0, 1, 2]))._repr_mimebundle_()

    def test_unseeded_numbers(self):
        rng = np.random.default_rng(1)
        with pytest.raises(ValueError, match=r"same numbers whenever .* \(is something random unseeded\?\)"):
            self.display(lambda ax, n, m: {"a": rng.random()})

    def test_unseeded_pictures(self):
        rng = np.random.default_rng(1)
        with pytest.raises(ValueError, match="draw must draw the same picture"):
            self.display(lambda ax, n, m: ax.plot(rng.random(3)) and {"a": n})

    def test_errors_between_the_stops_that_the_table_shows(self):
        def broken(ax, n, m):
            return {"a": 1 / ((n - 2) ** 2 + (m - 1) ** 2)}

        with pytest.raises(ZeroDivisionError) as caught:
            self.display(broken)
        assert caught.value.__notes__ == ["in explorer 'broken' at {'n': 2, 'm': 1}"]

    def test_two_explorers_of_one_name(self):
        self.display(draw_two)
        with pytest.raises(
            ValueError, match="name must differ from that of every other explorer in the chapter, got 'two'"
        ):
            self.display(draw_two)

    def test_a_reader_who_runs_a_cell_again_is_not_stopped(self, monkeypatch):
        monkeypatch.delenv("KEXUE_STRICT")
        for _ in range(2):
            self.display(draw_two)

    def test_every_number_counts_in_the_digest(self):
        def text(extra):
            explorer = Explorer(
                lambda ax, n, m: {"a": n / 3 + m + extra * (n == 7 and m == 3), "b": "word"},
                alt="x",
                n=Linear("n", 0, 30, step=1),
                m=Linear("m", 0, 5, step=1),
            )
            return explorer.table()

        assert text(1e-14) == text(0)
        assert text(0.05).splitlines()[:-1] == text(0).splitlines()[:-1]
        before, after = text(0).splitlines()[-1].split(), text(0.05).splitlines()[-1].split()
        assert before[:3] == after[:3] == ["all", "186", "│"]
        assert [a != b for a, b in zip(before, after)] == [False, False, False, True, False]


def draw_two(ax, n, m):
    ax.plot([n, m])
    return {"sum": n + m}


def test_words_are_buttons_numbers_a_slider_and_text_a_box_in_every_face(monkeypatch):
    controls = {
        "word": Choice("word", ["a", "b"]),
        "noise": Choice("noise", [False, True]),
        "n": Powers("n", 1, 8),
    }
    explorer = Explorer(lambda ax, word, noise, n: {"x": n}, alt="x", **controls)
    kinds = [type(widget).__name__ for widget in explorer.widget().children]
    assert kinds == ["ToggleButtons", "ToggleButtons", "SelectionSlider", "HTML"]
    monkeypatch.setenv("KEXUE_BOOK", "1")
    page = explorer._repr_mimebundle_()["text/html"]
    assert re.findall(r"<(?:legend|label for)[^>]*>([^<]*)<", page) == ["word", "noise", "n"]
    assert re.findall(r'type="(\w+)"', page)[:5] == ["radio", "radio", "radio", "radio", "range"]


def test_the_live_picture_carries_no_style_sheet(explorer):
    picture = explorer.widget().children[-1].value
    assert "<svg" in picture
    assert "<style" not in picture
