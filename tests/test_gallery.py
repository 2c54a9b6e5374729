"""The landing page: who stands in it, and the way of a reader from there into a chapter and back to what was found."""

import re

import pytest
from docutils import nodes
from reader import listen
from sphinx_external_toc.parsing import parse_toc_yaml

from extensions import chapters, gallery


def test_every_chapter_stands_once_with_picture_insight_and_time():
    text = gallery.gallery()
    for slug in chapters.slugs():
        card = re.search(rf":link: /chapters/{slug}\n.*?::::\n", text, re.S)[0]
        assert f"/posters/{slug}.png" in card
        assert chapters.insight(slug) in card
        assert f"{chapters.minutes(slug)} minutes" in card
        assert text.count(f":link: /chapters/{slug}\n") == 1
        photo = slug in ("amed_sampler", "ddpm_codebooks", "snr_high_resolution")  # keeps its greys on a dark page
        assert (":class-img-top: kx-photo\n" in card) == photo, slug


def test_a_picture_that_is_there_is_left_alone_and_another_one_is_written():
    path = chapters.ROOT / gallery.poster("rope_base").lstrip("/")
    before, stamp = path.read_bytes(), path.stat().st_mtime_ns
    gallery.poster("rope_base")
    assert path.stat().st_mtime_ns == stamp
    path.write_bytes(b"an older one")
    gallery.poster("rope_base")
    assert path.read_bytes() == before


def test_a_part_has_a_page_from_three_chapters_on_and_else_its_words(monkeypatch):
    slugs = chapters.slugs()
    monkeypatch.setattr(
        chapters, "parts", lambda: [("Mathematics", slugs[:3]), ("Engineering", slugs[3:5]), ("New", [])]
    )
    text = gallery.gallery()
    assert text.count("[About this part](/chapters/parts/mathematics.md)") == 1
    assert gallery.about("Mathematics")[1] not in text
    assert gallery.about("Engineering")[1] in text
    assert "### New" not in text


def test_the_table_of_contents_lists_the_pages_of_large_parts_only():
    site = parse_toc_yaml(chapters.ROOT / "_toc.yml")
    for tree in site.root.subtrees:
        members = dict(chapters.parts())[tree.caption or ""]
        first = next(iter(tree.items))
        assert str(first).startswith("chapters/parts/") == (len(members) >= gallery.PAGES_FROM), tree.caption
        if members:
            gallery.about(tree.caption)


def test_an_explorer_is_shown_outside_its_chapter_or_refused():
    node = gallery.explorer("rope_base#islands")
    assert isinstance(node, nodes.raw)
    assert node.astext().startswith('<div class="kx-explorer" id="islands"')
    for address in ("rope_base#sands", "rope_base", "nowhere#islands"):
        with pytest.raises(ValueError, match=f"got '{address}'"):
            gallery.explorer(address)
    with pytest.raises(ValueError, match="chapters/parts must hold"):
        gallery.about("Alchemy")


def test_reading_takes_longer_with_derivations_and_explorers():
    for slug in chapters.slugs():
        assert chapters.minutes(slug) % 5 == 0
        assert 10 <= chapters.minutes(slug) <= 60


@pytest.mark.browser
def test_the_way_of_a_reader(site, browser):
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, permissions=["clipboard-read", "clipboard-write"]
    )
    page = context.new_page()
    listen(page)
    page.goto((site / "chapters" / "intro.html").as_uri())

    islands = page.locator("#islands.kx-ready")
    islands.wait_for()
    box = islands.locator(".kx-picture svg").first.bounding_box()
    assert box["y"] + box["height"] < 800  # it moves at once: no scrolling
    before = islands.locator(".kx-numbers").inner_text()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])  # the picture itself is a control
    page.wait_for_function("(old) => document.querySelector('#islands .kx-numbers').innerText !== old", arg=before)

    page.locator(".kx-gallery .sd-card", has_text=chapters.title("rope_base")).click()
    page.wait_for_url("**/rope_base.html")
    slider = page.locator("#islands.kx-ready input[type=range]").first
    slider.focus()
    before = slider.input_value()
    page.keyboard.press("ArrowRight")
    moved = slider.input_value()
    assert moved != before

    link = page.locator("a[href*='#islands?base=']").first
    address = link.get_attribute("href")
    link.click()
    page.wait_for_function("(old) => document.querySelector('#islands input[type=range]').value !== old", arg=moved)
    shown = page.locator("#islands .kx-numbers").inner_text()
    page.locator("#islands .kx-copy").click()
    page.locator("#islands .kx-copy", has_text="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"base=\d+", address)[0] in copied

    page = context.new_page()
    listen(page)
    page.goto(copied)
    page.locator("#islands.kx-ready").wait_for()
    page.wait_for_function("(old) => document.querySelector('#islands .kx-numbers').innerText === old", arg=shown)

    page.keyboard.press("Control+k")
    page.keyboard.type("why bisection fails")
    first = page.get_by_role("option").first
    first.wait_for()
    found = re.sub(r"[?][^#]*", "", first.get_attribute("href")).rpartition("/")[2]
    assert found == "rope_base.html#why-bisection-fails"
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{found}")
    page.wait_for_function("CSS.highlights.get('kx-found')?.size > 0")
    assert page.problems == []
    context.close()
