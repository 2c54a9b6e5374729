"""Hover cards in the built pages: by pointer and by keyboard, closed by Escape, clean for axe."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from extensions import chapters

pytestmark = pytest.mark.browser
EQUATION = 'href^="#eq-"'
SCRIPT = chapters.ROOT / "extensions" / "static" / "cards.js"

# Name a symbol in the text that the table explains; return its meaning.
SYMBOL = """() => {
    const tex = (formula) => formula.querySelector("annotation").textContent;
    for (const row of document.querySelectorAll("#the-question table tbody tr"))
        for (const symbol of row.cells[0].querySelectorAll(".katex"))
            for (const formula of document.querySelectorAll("#derivation p .katex"))
                if (tex(formula) === tex(symbol)) {
                    formula.id = "the-symbol";
                    return row.cells[1].textContent;
                }
}"""


@pytest.fixture
def page(browser, site):
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto((site / "chapters" / "rope_base.html").as_uri())
    page.wait_for_load_state("load")
    yield page
    context.close()


def card(page):
    return page.locator("#kx-card")


def test_a_citation_shows_its_reference_where_the_pointer_rests(page):
    link = page.locator("a.kx-cite").first
    title = link.get_attribute("title")
    link.hover()
    card(page).wait_for(state="visible")
    assert card(page).text_content() == title
    assert link.get_attribute("title") is None  # or the browser would show it as well
    assert link.get_attribute("aria-describedby") == "kx-card"
    card(page).hover()  # the pointer may go onto it
    page.wait_for_timeout(400)
    assert card(page).is_visible()
    page.keyboard.press("Escape")
    assert card(page).is_hidden()
    assert link.get_attribute("aria-describedby") is None


def test_the_tab_key_shows_cards_and_leaving_hides_them(page):
    link = page.locator("article a.kx-name:not([tabindex])").first
    link.focus()
    assert card(page).is_visible()
    assert " — " in card(page).text_content()
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.matches('.kx-name')") is False or card(page).is_visible()
    page.locator("article a.headerlink").first.focus()
    assert card(page).is_hidden()


def test_a_link_to_an_equation_shows_the_equation(page, site):
    slug = next(
        slug
        for slug in chapters.slugs()
        if EQUATION.replace("^", "")[:-1] in (site / "chapters" / f"{slug}.html").read_text()
    )
    page.goto((site / "chapters" / f"{slug}.html").as_uri())
    link = page.locator(f"article a[{EQUATION}]").first
    link.focus()
    following = link.evaluate("""(link) => {
        const place = document.getElementById(link.hash.slice(1));
        const after = (box) => place.compareDocumentPosition(box) & Node.DOCUMENT_POSITION_FOLLOWING;
        return [...document.querySelectorAll("div.math annotation")].find(after).textContent;
    }""")
    assert card(page).locator("annotation").first.text_content() == following
    assert card(page).locator("[id]").count() == 0  # ids stay unique
    box = card(page).bounding_box()
    assert 0 <= box["x"] <= 1280 - box["width"]


def test_a_symbol_shows_its_row_of_the_table(page):
    meaning = page.evaluate(SYMBOL)
    page.locator("#the-symbol .katex-html").hover()
    card(page).wait_for(state="visible")
    assert card(page).text_content().startswith(meaning)


def test_a_finger_shows_the_meaning_of_a_symbol_and_follows_links(browser, site):
    context = browser.new_context(offline=True, has_touch=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto((site / "chapters" / "ddpm.html").as_uri())
    page.wait_for_load_state("load")
    meaning = page.evaluate(SYMBOL)
    symbol = page.locator("#the-symbol .katex-html")
    symbol.tap()
    card(page).wait_for(state="visible")
    assert card(page).text_content().startswith(meaning)
    page.locator("#derivation h2").first.tap()
    card(page).wait_for(state="hidden")
    symbol.scroll_into_view_if_needed()
    box, finger = symbol.bounding_box(), context.new_cdp_session(page)
    for step in range(12):  # a finger that scrolls the page
        point = {"x": box["x"] + 5, "y": box["y"] + 5 - 15 * step}
        kind = "touchMove" if step else "touchStart"
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        page.wait_for_timeout(10)
    page.wait_for_timeout(400)
    assert card(page).is_hidden()
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    link = page.locator(f"article a[{EQUATION}]:visible").first
    link.tap()
    page.wait_for_function("location.hash.startsWith('#eq-')")
    page.wait_for_timeout(400)
    assert card(page).is_hidden()
    context.close()


def test_a_card_stays_in_the_window(page):
    page.set_viewport_size({"width": 390, "height": 500})
    for index in range(page.locator("article a.kx-cite").count()):
        link = page.locator("article a.kx-cite").nth(index)
        link.scroll_into_view_if_needed()
        link.focus()
        box = card(page).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["y"] >= 0
        link.blur()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_card(page, scheme):
    page.emulate_media(color_scheme=scheme)
    far = "article .katex-html, .kx-picture svg > *"  # axe walks what it does not judge, too
    page.evaluate("(far) => document.querySelectorAll(far).forEach((e) => e.remove())", far)
    for link in ("a.kx-cite", "article a.kx-name:not([tabindex])"):
        page.locator(link).first.focus()
        assert card(page).is_visible()
        found = Axe().run(page, context="#kx-card", options={"preload": False}).response["violations"]
        assert found == [], found


def test_the_script_is_small_and_asks_for_nothing():
    text = SCRIPT.read_text()
    code = re.sub(r"(^|\s)// .*", "", text)
    assert len(" ".join(code.split())) < 3000
    assert "fetch" not in text
    assert "http" not in text
