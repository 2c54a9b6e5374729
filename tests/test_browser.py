"""The built pages in headless Chromium, opened from disk with the network off."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from support import run_chapter
from test_book import PAGES

from extensions import chapters
from kexue_core.notebook.formats import format_number

pytestmark = pytest.mark.browser
every_chapter = pytest.mark.parametrize("slug", chapters.slugs())
every_page = pytest.mark.parametrize("page_name", PAGES)

# What the theme causes, and why we leave it: rule -> selectors that may be named.
THEME = {
    # the buttons of the header come from the theme's templates
    "label-content-name-mismatch": r"theme-switch|btn-|sidebar",
    # docutils gives every entry of a bibliography this role, which ARIA 1.3 deprecates
    "aria-deprecated-role": r'role="doc-biblioentry"',
    "aria-required-children": r'class="citation-list"',
    # the skip link and the headings of the sidebar stand outside landmarks in the theme
    "region": r"pst-skip-link|skip-link",
}


@pytest.fixture
def page(browser):
    """Open pages without network; whatever goes wrong on them is collected."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.problems = []
    page.on("console", lambda message: message.type == "error" and page.problems.append(message.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("requestfailed", lambda request: page.problems.append(f"failed: {request.url}"))
    page.on("request", lambda request: note_foreign(page, request.url))
    yield page
    context.close()


def note_foreign(page, url):
    if not url.startswith(("file:", "data:", "blob:")):
        page.problems.append(f"asks another host: {url}")


def open_page(page, site, name):
    page.goto((site / name).as_uri())
    page.wait_for_load_state("load")


@every_page
def test_pages_ask_no_other_host_and_log_no_error(page, site, page_name):
    open_page(page, site, page_name)
    page.wait_for_timeout(100)
    assert page.problems == []


@every_chapter
def test_formulas_are_visible(page, site, slug):
    open_page(page, site, f"chapters/{slug}.html")
    formulas = page.locator(".katex-display .katex-html")
    assert formulas.count() >= 3
    for index in range(formulas.count()):
        box = formulas.nth(index).bounding_box()
        assert box["width"] > 10
        assert box["height"] > 10
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px KaTeX_Main'))")


@every_chapter
def test_every_slider_moves_through_all_stops_by_keyboard_and_shows_what_draw_computes(page, site, slug):
    open_page(page, site, f"chapters/{slug}.html")
    explorers = run_chapter(slug).explorers
    shown = page.locator(".kx-explorer")
    assert shown.count() == len(explorers)
    for index in range(shown.count()):
        box = shown.nth(index)
        box.scroll_into_view_if_needed()
        box.and_(page.locator(".kx-ready")).wait_for()
        explorer = explorers[box.get_attribute("id").removeprefix("kx-")]
        for name, control in explorer.controls.items():
            slider = box.locator(f"input[name={name}]")
            slider.focus()
            page.keyboard.press("Home")
            previous = None
            for number, stop in enumerate(control.stops):
                if number:
                    page.keyboard.press("ArrowRight")
                state = read(box, name)
                assert state["stop"] == state["spoken"] == control.names[number]
                expected = explorer(**{name: stop})
                assert state["numbers"] == {key: format_number(value) for key, value in expected.items()}
                assert state["alt"] == explorer.description(**{name: stop})
                assert state["picture"] != previous, f"{name} at {control.names[number]} changes nothing"
                previous = state["picture"]
            for _ in range(len(control.stops) - 1 - control.start):
                page.keyboard.press("ArrowLeft")
        combination = explorer.combinations()[-1]
        for name in explorer.controls:
            box.locator(f"input[name={name}]").focus()
            page.keyboard.press("End")
        corner = {key: format_number(value) for key, value in explorer(**combination).items()}
        assert read(box, name)["numbers"] == corner
    assert page.problems == []


def read(box, name):
    """Return what a reader sees and hears of an explorer."""
    return box.evaluate(
        """(box, name) => ({
            stop: box.querySelector(`input[name=${name}]`).nextElementSibling.value,
            spoken: box.querySelector(`input[name=${name}]`).getAttribute("aria-valuetext"),
            alt: box.querySelector(".kx-picture").getAttribute("aria-label"),
            picture: box.querySelector(".kx-picture").innerHTML,
            numbers: Object.fromEntries([...box.querySelectorAll(".kx-numbers div")].map(
                (row) => [row.querySelector("dt").textContent, row.querySelector("dd").textContent])),
        })""",
        name,
    )


@every_chapter
def test_the_default_picture_of_the_player_is_the_one_in_the_page(page, site, slug):
    """Packed and unpacked, the default stop looks like the picture that readers without JavaScript see."""
    open_page(page, site, f"chapters/{slug}.html")
    source = (site / f"chapters/{slug}.html").read_text()
    for index in range(page.locator(".kx-explorer").count()):
        box = page.locator(".kx-explorer").nth(index)
        box.scroll_into_view_if_needed()
        box.and_(page.locator(".kx-ready")).wait_for()
        key = box.get_attribute("id")
        written = re.search(rf'id="{key}".*?<div class="kx-picture"[^>]*>(<svg.*?</svg>)', source, re.S)[1]
        count = box.evaluate(
            """(box, written) => {
                const old = document.createElement("div");
                old.innerHTML = written;
                const now = box.querySelector(".kx-picture");
                return [old, now].map((e) => e.querySelectorAll("path, text, use").length);
            }""",
            written,
        )
        assert count[0] == count[1] > 5


@every_chapter
def test_without_javascript_the_default_picture_and_the_table_remain(browser, site, slug):
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    open_page(page, site, f"chapters/{slug}.html")
    first = page.locator(".kx-explorer").first
    assert first.locator("svg").first.bounding_box()["height"] > 100
    assert "│" in first.locator("pre").text_content()
    context.close()


@every_page
@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_never_scrolls_sideways(page, site, page_name, width):
    page.set_viewport_size({"width": width, "height": 800})
    open_page(page, site, page_name)
    wide = page.evaluate("document.scrollingElement.scrollWidth")
    assert wide <= width, page.evaluate(
        """(width) => [...document.querySelectorAll("main *")]
            .filter((e) => e.getBoundingClientRect().right > width + 1)
            .slice(0, 5).map((e) => e.outerHTML.slice(0, 120))""",
        width,
    )


@every_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_our_pages_violate_no_rule_of_wcag_a_and_aa(page, site, page_name, scheme):
    page.emulate_media(color_scheme=scheme)
    open_page(page, site, page_name)
    for index in range(page.locator(".kx-explorer").count()):
        page.locator(".kx-explorer").nth(index).scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    # The visual half of a formula is hidden from screen readers, a picture speaks by its label: axe need not walk them.
    page.add_style_tag(content=".katex-html, .kx-picture svg { display: none }")
    tags = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    colours = {"type": "rule", "values": ["color-contrast"]}  # all that the dark scheme changes
    # The colours of code are the same everywhere, and slow to look at: one chapter stands for all.
    context = None if page_name == f"chapters/{chapters.slugs()[0]}.html" else {"exclude": [[".highlight"]]}
    result = Axe().run(page, context=context, options={"runOnly": tags if scheme == "light" else colours})
    ours = [
        (violation["id"], node["html"][:200])
        for violation in result.response["violations"]
        for node in violation["nodes"]
        if not re.search(THEME.get(violation["id"], r"(?!)"), node["html"])
    ]
    assert ours == []


@every_chapter
def test_figures_follow_the_theme_into_the_dark(page, site, slug):
    page.emulate_media(color_scheme="dark")
    open_page(page, site, f"chapters/{slug}.html")
    picture = page.locator(".kx-picture svg").first
    assert "invert" in picture.evaluate("(e) => getComputedStyle(e).filter")
    for image in page.locator(".cell_output img:not(.kx-photo)").all():
        assert "invert" in image.evaluate("(e) => getComputedStyle(e).filter")
