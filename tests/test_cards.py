"""Hover cards in the built pages: by pointer and by keyboard, closed by Escape, clean for axe."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from extensions import chapters

pytestmark = pytest.mark.browser
SCRIPT = chapters.ROOT / "extensions" / "static" / "cards.js"


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


def test_a_link_to_an_equation_shows_the_equation(page):
    link = page.locator("article a[href='#eq-coherence']").first
    link.focus()
    shown = card(page).locator(".katex annotation").text_content()
    assert "\\cos" in shown
    assert card(page).locator("[id]").count() == 0  # ids stay unique
    box = card(page).bounding_box()
    assert 0 <= box["x"] <= 1280 - box["width"]


def test_a_symbol_shows_its_row_of_the_table(page):
    page.locator("#derivation p .katex", has=page.locator("annotation:text-is('b')")).first.hover()
    card(page).wait_for(state="visible")
    assert card(page).text_content().startswith("base")


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
    for link in ("a.kx-cite", "article a[href='#eq-coherence']"):
        page.locator(link).first.focus()
        assert card(page).is_visible()
        found = Axe().run(page, context="#kx-card").response["violations"]
        assert found == [], found


def test_the_script_is_small_and_asks_for_nothing():
    text = SCRIPT.read_text()
    code = re.sub(r"(^|\s)// .*", "", text)
    assert len(" ".join(code.split())) < 3000
    assert "fetch" not in text
    assert "http" not in text
