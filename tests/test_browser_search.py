"""The search box in headless Chromium: it ranks, cuts and marks as the library does, and the keyboard is enough."""

import functools
import http.server
import random
import re
import threading
from types import SimpleNamespace

import pytest
from axe_playwright_python.sync_playwright import Axe
from reader import listen
from test_search_queries import book, data, documents, queries

from extensions import book_search, chapters, notfound
from kexue_core.engineering import excerpt, expand, one_edit_apart, rank, singular, token_spans, tokenize

pytestmark = pytest.mark.browser
SEARCH = "chapters/search.html"
CHAPTER = f"chapters/{chapters.slugs()[0]}.html"
# Letters that are hard to cut, whole words and parts of them.
TRICKY = [*"aZ9 _-²½ßİΣςΓλ∬∆梯度々〇ガ한é\u0301\u0323\u3099", "Ｒｅﬁ", "ｶﾞ", "𝐁𝐌", "Padé", "😀", "\U00020000", "ǅ", "ΑΣ"]
QUERIES = [
    *[query for query, *_ in queries()],
    *[
        "",
        "zzzz",
        "the",
        "a",
        "Heun’s METHOD",
        "constructor __proto__",
        "<img src=x onerror=alert(1)>",
        "实",
        "softmaxx sparse",
    ],
]


@pytest.fixture
def page(browser):
    """Open pages without network; whatever goes wrong on them is collected."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    listen(page)
    yield page
    assert page.problems == []
    context.close()


def go(page, site, name):
    page.goto(
        (site / name).as_uri() if "?" not in name else (site / name.split("?")[0]).as_uri() + "?" + name.split("?")[1]
    )


@pytest.fixture
def engine(page, site):
    """Open the search page and let it load everything; return a function that runs the engine in it."""
    go(page, site, f"{SEARCH}?q=softmax")
    page.locator("#kx-page-list a").first.wait_for()
    page.evaluate(
        """() => {
            const { places, fields } = KEXUE_SEARCH;
            window.rows = places.map(([, , title, words, text, more]) => ({ title, words, text, more }));
            window.search = KexueEngine.build(rows, fields);
        }"""
    )
    return page.evaluate


def test_terms_and_their_places_are_those_of_the_library_on_every_text_of_the_book(engine):
    texts = [document[name] for document in documents() for name in ("title", "words", "text", "more")]
    spans = engine("rows.flatMap(Object.values).map((text) => KexueEngine.spans(text))")
    for text, found in zip(texts, spans, strict=True):
        assert [tuple(span) for span in found] == token_spans(text), text[:80]


def test_terms_of_texts_that_are_hard_to_cut_are_those_of_the_library(engine):
    draw = random.Random(8)
    texts = ["".join(draw.choices(TRICKY, k=draw.randrange(1, 20))) for _ in range(1500)]
    assert engine("(texts) => texts.map(KexueEngine.tokenize)", texts) == [tokenize(text) for text in texts]
    spans = engine("(texts) => texts.map((text) => KexueEngine.spans(text))", texts)
    for text, found in zip(texts, spans, strict=True):
        assert [tuple(span) for span in found] == token_spans(text), text


def test_words_are_read_as_the_library_reads_them(engine):
    read = engine(
        "(queries) => queries.map((query) => KexueEngine.expand(search, query).map(Object.fromEntries))", QUERIES
    )
    for query, words in zip(QUERIES, read, strict=True):
        expected = expand(book(), query)
        assert len(words) == len(expected), query
        for got, wanted in zip(words, expected):
            assert got == pytest.approx(wanted), query
    stems = engine("(words) => words.map(KexueEngine.singular)", list(book().terms))
    assert stems == [singular(term) for term in book().terms]
    some = [term for term in book().terms if term.startswith("ma")]
    near = engine("(words) => words.map((a) => words.filter((b) => KexueEngine.oneEditApart(a, b)))", some)
    assert near == [[b for b in some if one_edit_apart(a, b)] for a in some]


def test_the_ranking_is_that_of_the_library_for_every_query_of_the_table(engine):
    ranked = engine("(queries) => queries.map((q) => KexueEngine.rank(search, KexueEngine.expand(search, q)))", QUERIES)
    for query, hits in zip(QUERIES, ranked, strict=True):
        expected = rank(book(), expand(book(), query), len(book()), fields=data()["fields"])
        assert [hit[0] for hit in hits] == [number for number, *_ in expected], query
        assert [hit[1] for hit in hits] == pytest.approx([score for _, score, _ in expected]), query
        assert [hit[2] for hit in hits] == [found for *_, found in expected], query


def test_excerpts_and_marks_are_those_of_the_library_for_every_query_of_the_table(engine):
    compared = 0
    for query in QUERIES:
        words = expand(book(), query)
        best = [number for number, *_ in rank(book(), words, 6, fields=data()["fields"])]
        pieces = engine(
            """([query, numbers]) => numbers.map((number) => {
                const words = KexueEngine.expand(search, query);
                const { letters, marks } = KexueEngine.excerpt(search, rows[number].text, words, 170);
                return [letters.join(""), marks];
            })""",
            [query, best],
        )
        for number, (text, marks) in zip(best, pieces, strict=True):
            expected, spans = excerpt(book(), documents()[number]["text"], words, width=170)
            assert text == expected, query
            assert [tuple(mark) for mark in marks] == spans, query
            compared += 1
    assert compared > 500


def test_marks_in_the_list_are_whole_terms_that_the_query_means(page, site):
    for query in ("Ré", "b", "load", "x", "sum", "流", "底数", "softmax", "rope base"):
        go(page, site, f"{SEARCH}?q={query}")
        page.locator("#kx-page-list a").first.wait_for()
        meant = {term for readings in expand(book(), query) for term in readings}
        marks = page.locator("#kx-page-list mark").all_text_contents()
        assert marks, query
        for mark in marks:
            assert set(tokenize(mark)) & meant or any(letter in meant for letter in mark), (query, mark)


def test_without_a_search_nothing_of_it_is_loaded(page, site):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    go(page, site, CHAPTER)
    page.wait_for_load_state("load")
    assert not any("search-engine" in url or book_search.DATA in url for url in asked)
    page.keyboard.press("Control+k")
    page.wait_for_function("window.KEXUE_SEARCH && window.KexueEngine")


def test_ctrl_k_opens_the_box_and_the_keyboard_leads_to_the_section_that_is_marked_there(page, site):
    go(page, site, CHAPTER)
    page.locator(".kx-search-field").focus()
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Search the book")
    assert box.evaluate("(e) => e === document.activeElement")
    page.keyboard.type("bm 25 saturation")
    options = page.get_by_role("option")
    options.first.wait_for()
    assert box.get_attribute("aria-expanded") == "true"
    for key, place in (("", 0), ("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("ArrowUp", 0), ("ArrowUp", 7)):
        if key:
            page.keyboard.press(key)
        chosen = page.locator("[role=option][aria-selected=true]")
        assert chosen.count() == 1
        assert chosen.get_attribute("id") == box.get_attribute("aria-activedescendant") == f"kx-over-list-{place}"
        assert chosen.evaluate(
            "(e) => { const r = e.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight; }"
        )
    page.keyboard.press("ArrowDown")
    target = options.first.get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_url("**/site_search.html#*")
    anchor = target.rpartition("#")[2]
    assert page.url.endswith(f"/site_search.html#{anchor}")  # the terms to mark have left the address
    page.wait_for_function("CSS.highlights.get('kx-found')?.size > 0")
    marked = page.evaluate("[...CSS.highlights.get('kx-found')].map((range) => range.toString().toLowerCase())")
    assert {"bm25", "saturation"} & set(marked)
    assert set(marked) <= {"bm25", "saturation"}
    page.wait_for_function(  # the section is in view, or the first word that is marked in it
        """(id) => [document.getElementById(id), [...CSS.highlights.get('kx-found')][0]]
            .map((found) => found.getBoundingClientRect()).some((box) => box.top < innerHeight && box.bottom > 0)""",
        arg=anchor,
    )


def test_escape_and_a_second_ctrl_k_close_the_box_and_the_focus_returns(page, site):
    go(page, site, CHAPTER)
    link = page.locator(".kx-search-field")
    for leave in ("Escape", "Control+k"):
        link.focus()
        page.keyboard.press("Enter")
        assert page.locator("dialog").evaluate("(e) => e.open")
        page.keyboard.type("gam")
        page.get_by_role("option").first.wait_for()
        page.keyboard.press(leave)
        assert not page.locator("dialog").evaluate("(e) => e.open")
        assert link.evaluate("(e) => e === document.activeElement")


def test_the_box_leads_to_the_page_of_all_results_whose_address_can_be_shared(page, site):
    go(page, site, CHAPTER)
    page.keyboard.press("Control+k")
    page.keyboard.type("gradient of Γ & more")
    page.locator(".kx-search-all").click()
    page.wait_for_url("**/search.html?q=*")
    box = page.locator("#kx-page-query")
    assert box.input_value() == "gradient of Γ & more"
    page.locator("#kx-page-list a").first.wait_for()
    box.fill("底数")
    page.wait_for_function("location.search.includes(encodeURIComponent('底数'))")
    page.reload()
    page.locator("#kx-page-list a").first.wait_for()
    assert "rope_base.html" in page.locator("#kx-page-list a").first.get_attribute("href")
    page.keyboard.press("Control+k")  # no second box over this one
    assert page.locator("dialog").count() == 0
    assert page.locator("input[type=search]").count() == 1
    assert box.evaluate("(e) => e === document.activeElement")


def test_the_box_stands_whole_in_a_low_window(page, site):
    page.set_viewport_size({"width": 640, "height": 400})  # 1280 × 800 at 200 %
    go(page, site, CHAPTER)
    page.keyboard.press("Control+k")
    page.keyboard.type("softmax")
    page.get_by_role("option").first.wait_for()
    box = page.locator("dialog").bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 400


def test_the_number_of_results_is_the_true_one(page, site):
    go(page, site, f"{SEARCH}?q=the")
    status = page.locator("[role=status]")
    number = len(rank(book(), expand(book(), "the"), len(book()), fields=data()["fields"]))
    page.locator("#kx-page-list a").first.wait_for()
    assert status.text_content() == f"{number} sections; the best 20 are shown."
    page.locator(".kx-search-more").click()
    page.wait_for_function("document.querySelectorAll('#kx-page-list a').length === 40")
    box = page.locator("#kx-page-query")
    for query, told in (("zzzzz", "No sections."), ("", ""), ("plancherel", "sections.")):
        box.fill(query)
        page.wait_for_function(f"document.querySelector('[role=status]').textContent.endsWith({told!r})")
        assert (page.locator("#kx-page-list").get_attribute("hidden") is None) == (query == "plancherel")
    box.fill("sparse softmax")
    hits = rank(book(), expand(book(), "sparse softmax"), len(book()), fields=data()["fields"])
    whole = sum(found == 2 for *_, found in hits)
    page.wait_for_function(
        "(told) => document.querySelector('[role=status]').textContent.startsWith(told)",
        arg=f"{whole} sections with all words, {len(hits) - whole} with some",
    )


def test_what_is_typed_is_never_taken_for_markup(page, site):
    go(page, site, SEARCH)
    box = page.locator("#kx-page-query")
    for query in (
        "<img src=x onerror=alert(1)>",
        "softmax<script>alert(1)</script>",
        "constructor",
        "__proto__",
        "\\(\\",
    ):
        box.fill(query)
        page.wait_for_timeout(50)
    assert page.locator("#kx-search img, #kx-search script").count() == 0


def test_results_come_where_the_address_cannot_be_written(page, site):
    go(page, site, SEARCH)
    box, status = page.locator("#kx-page-query"), page.locator("[role=status]")
    box.fill("rope")
    page.locator("#kx-page-list a").first.wait_for()
    box.evaluate("(e) => { e.value = 'zzzz \\ud83d'; e.dispatchEvent(new Event('input')); }")  # half a letter
    page.wait_for_function("location.search.startsWith('?q=zzzz')")
    assert status.text_content() == "No sections."
    page.evaluate("() => { history.replaceState = () => { throw new DOMException('too many', 'SecurityError'); }; }")
    box.fill("monarch")
    page.wait_for_function("document.querySelector('#kx-page-list a')")
    assert "section" in status.text_content()


def test_a_search_that_could_not_be_loaded_is_tried_again(page, site):
    page.route("**/search-engine.js", lambda route: route.abort())  # the focus asks for it, and then each letter
    go(page, site, CHAPTER)
    page.keyboard.press("Control+k")
    page.keyboard.type("m")
    page.locator(".kx-search-status", has_text="could not be loaded").wait_for()
    page.unroute("**/search-engine.js")
    page.problems.clear()
    page.keyboard.type("onarch")
    page.get_by_role("option").first.wait_for()


def test_the_key_for_which_sphinx_has_no_field_is_left_to_the_browser(page, site):
    config = SimpleNamespace(templates_path=[], html_js_files=[], html_theme_options={"a": 1})
    book_search.configure(None, config)
    assert config.html_theme_options == {"a": 1, "enable_search_shortcuts": False}
    go(page, site, CHAPTER)
    press = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '/', bubbles: true, cancelable: true }))"
    assert page.evaluate(press)
    assert page.locator("dialog").count() == 0


def test_the_page_for_a_wrong_address_has_a_field_that_leads_to_the_results(page, tmp_path):
    config = SimpleNamespace(root_doc="index", html_baseurl="https://example.org/book/", html_title="A & B")
    builder = SimpleNamespace(format="html", name="html", get_target_uri=lambda name: f"{name}.html")
    env = SimpleNamespace(titles={})
    notfound.write(SimpleNamespace(builder=builder, config=config, env=env, outdir=tmp_path), None)
    page.context.set_offline(False)
    page.route("https://example.org/**", lambda route: route.fulfill(body="found"))
    page.goto((tmp_path / "404.html").as_uri())
    assert page.title() == "Not found – A & B"
    page.get_by_role("searchbox", name="Search the book").fill("rope & more")
    page.keyboard.press("Enter")
    page.wait_for_url("https://example.org/book/chapters/search.html?q=rope+%26+more")
    page.problems.clear()  # that request


def test_a_key_event_without_a_key_is_no_error(page, site):
    go(page, site, CHAPTER)
    page.evaluate("dispatchEvent(new Event('keydown'))")  # as a browser sends it when it fills a form


def test_what_is_marked_and_what_is_found_stand_out_in_the_colours_of_the_system(browser, site):
    context = browser.new_context(offline=True, forced_colors="active", color_scheme="dark")
    page = context.new_page()
    go(page, site, f"{SEARCH}?q=matrix")
    chosen, other = page.get_by_role("option", selected=True).first, page.get_by_role("option", selected=False).first
    chosen.wait_for()
    assert [e.evaluate("(e) => getComputedStyle(e).outlineStyle") for e in (chosen, other)] == ["solid", "none"]
    ground = chosen.locator("mark").first.evaluate("(e) => getComputedStyle(e).backgroundColor")
    assert ground == "rgb(255, 255, 0)"  # the letters are black there
    context.close()


def test_pages_hold_one_search_and_nothing_of_the_theme_s(page, site):
    assert not (site / "search.html").exists()
    assert not (site / "searchindex.js").exists()
    for name in (CHAPTER, SEARCH, "chapters/intro.html"):
        go(page, site, name)
        assert page.locator("form.bd-search, .search-button__button, #search-input").count() == 0
        assert page.locator(".kx-search-field:visible, .kx-search-icon:visible").count() == 1
        link = page.locator(".kx-search-open").first.evaluate("(e) => e.href")
        assert link.rstrip("#").endswith("/chapters/search.html")
    page.set_viewport_size({"width": 390, "height": 800})
    page.locator(".kx-search-icon").click()
    assert page.locator("#kx-page-query, dialog[open] input").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_box_and_page_violate_no_rule_of_wcag_and_fit_the_screen(page, site, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    for name, query in (("chapters/intro.html", ""), (SEARCH, "?q=softmax+gradient")):
        go(page, site, name + query)
        if not query:
            page.keyboard.press("Control+k")
            page.keyboard.type("softmax gradient")
        page.locator("[role=option]").first.wait_for()
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert page.evaluate(
            "[...document.querySelectorAll('dialog[open], .kx-hits')].every((e) => e.scrollWidth <= innerWidth)"
        )
        tags = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
        context = {"include": [["dialog" if not query else "#kx-search"], [".kx-search-open"]]}
        result = Axe().run(page, context=context, options={"runOnly": tags, "preload": False})
        assert [(v["id"], node["html"]) for v in result.response["violations"] for node in v["nodes"]] == []


def test_the_search_works_from_a_server_too(browser, site):
    handler = functools.partial(Quiet, directory=site)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/"
        page = browser.new_page()
        listen(page, (address, "data:"))
        page.goto(address + CHAPTER)
        page.keyboard.press("Control+k")
        page.keyboard.type("wiela")
        first = page.get_by_role("option").first
        first.wait_for()
        place = re.sub(r"[?][^#]*", "", first.get_attribute("href"))
        page.keyboard.press("Enter")
        page.wait_for_url(place)
        assert page.problems == []
        page.close()
    finally:
        server.shutdown()
        server.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serve the book without a line per request."""

    def log_message(self, *args):
        """Say nothing."""
