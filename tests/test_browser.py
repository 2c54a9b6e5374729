"""The built pages in headless Chromium, opened from disk with the network off."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from docutils import nodes
from docutils.utils import new_document
from reader import listen
from test_book import PAGES

from extensions import chapters
from extensions.page import Nameless

pytestmark = pytest.mark.browser
every_chapter = pytest.mark.parametrize("slug", chapters.slugs())
every_page = pytest.mark.parametrize("page_name", PAGES)
FIRST = f"chapters/{chapters.slugs()[0]}.html"

# What the theme causes, and why we leave it: rule -> selectors that may be named.
THEME = {
    # the buttons of the header come from the theme's templates
    "label-content-name-mismatch": r"theme-switch|btn-|sidebar",
    # the skip link and the headings of the sidebar stand outside landmarks in the theme
    "region": r"pst-skip-link|skip-link",
}


@pytest.fixture
def page(browser):
    """Open pages without network; whatever goes wrong on them is collected."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    listen(page)
    yield page
    context.close()


def open_page(page, site, name):
    page.goto((site / name).as_uri())
    page.wait_for_load_state("load")


@every_page
@pytest.mark.destructive
def test_a_page_is_quiet_fits_a_phone_and_violates_no_rule_of_wcag_a_and_aa(request, site, page_name):
    """It asks no other host, logs no error, never scrolls sideways, and is for everyone."""
    slug = page_name.removeprefix("chapters/")[:-5]
    if slug in chapters.slugs():
        pages = request.getfixturevalue("chapter_pages")
        page = pages.open(slug)
        check_for_everyone(page, page.evaluate(FORMULAS) + page.evaluate(FOLDED), page_name)
        pages.close()  # taken apart
    else:
        page = request.getfixturevalue("page")
        open_page(page, site, page_name)
        for box in page.locator(".kx-explorer").all():
            box.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        check_for_everyone(page, [], page_name)


def test_what_is_missing_is_a_problem_and_what_is_left_early_is_none(page, site, tmp_path):
    for _ in range(5):
        page.goto((site / FIRST).as_uri(), wait_until="commit")
    page.wait_for_load_state("load")
    assert page.problems == []
    (tmp_path / "page.html").write_text("<img src='gone.png'><script src='https://example.org/other.js'></script>")
    page.goto((tmp_path / "page.html").as_uri())
    gone, other = (tmp_path / "gone.png").as_uri(), "https://example.org/other.js"
    assert {f"failed: {gone}: net::ERR_FILE_NOT_FOUND", f"asks another host: {other}"} <= set(page.problems)


def test_a_dark_page_is_printed_light_and_is_dark_again(page, site):
    open_page(page, site, FIRST)
    set_scheme(page, "dark")
    page.evaluate(
        """() => { window.printed = [];
        for (const kind of ["beforeprint", "afterprint"])
            addEventListener(kind, () => printed.push(document.documentElement.dataset.theme)); }"""
    )
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # a print that is not finished
    page.pdf()
    assert page.evaluate("printed") == ["light", "light", "dark"]


def test_nothing_fails_on_our_side_where_the_browser_refuses_to_store(page, site):
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused'); } })")
    page.emulate_media(color_scheme="dark")
    errors = []
    page.on("pageerror", lambda error: errors.append(error.stack))
    for name in (FIRST, "404.html"):
        open_page(page, site, name)
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    others = r"/(pydata-sphinx-theme|sphinx_highlight)\.js"  # they fail where they read what is stored
    assert [stack for stack in errors if not re.search(others, stack)] == []


def test_no_line_of_a_formula_in_a_sentence_is_cut(browser, site):
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900}, device_scale_factor=3)
    page = context.new_page()
    open_page(page, site, "chapters/notation.html")
    page.evaluate("document.fonts.ready.then(() => true)")
    high = page.query_selector_all("article span.math")
    lines = r"(e) => /\\(le|bar|frac|sqrt|sum)\b/.test(e.querySelector('annotation').textContent)"
    high = [e for e in high if e.evaluate(lines)][:25]
    assert len(high) > 20
    for formula in high:
        formula.scroll_into_view_if_needed()
        box = formula.bounding_box()
        clip = {"x": box["x"] - 5, "y": box["y"] - 5, "width": box["width"] + 10, "height": box["height"] + 10}
        seen = page.screenshot(clip=clip)
        formula.evaluate("(e) => (e.style.overflow = 'visible')")
        assert page.screenshot(clip=clip) == seen, formula.text_content()
    context.close()


@pytest.mark.parametrize(("slug", "width"), [("cur", 390), ("s4", 390), ("softmax_alternatives", 320)])
def test_a_formula_in_a_sentence_breaks_or_can_be_scrolled(page, site, slug, width):
    page.set_viewport_size({"width": width, "height": 800})
    open_page(page, site, f"chapters/{slug}.html")
    wide = page.evaluate(
        """() => [...document.querySelectorAll("article span.math")]
            .filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1)
            .map((e) => [getComputedStyle(e).overflowX, e.tabIndex, e.querySelectorAll(".base").length])"""
    )
    assert all(found == ["auto", 0, 1] for found in wide), wide
    assert bool(wide) == (width == 320)  # a tuple has no place to break


SPACED = "* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }"


@pytest.mark.parametrize("name", ["parts/optimization", "library/mathematics", "bibliography", "errata"])
def test_a_page_fits_a_phone_where_the_reader_spaces_the_letters(page, site, name):
    open_page(page, site, f"chapters/{name}.html")
    page.add_style_tag(content=SPACED + " p { margin-bottom: 2em !important; }")  # WCAG 1.4.12
    assert too_wide(page, 320) == []


def test_a_letter_without_a_name_in_code_has_no_dash_below_it_on_a_phone(page, site):
    document = new_document("")
    document += [nodes.entry("", nodes.paragraph("", text)) for text in ("–", "a – b")]
    Nameless(document).apply()
    assert [cell["classes"] for cell in document] == [["kx-none"], []]
    open_page(page, site, "chapters/sgd_convergence.html")
    shown = "[...document.querySelectorAll('#the-question .kx-none')].map((e) => e.checkVisibility())"
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert set(page.evaluate(shown)) == {width == 1280}


def check_for_everyone(page, found, page_name):
    """Check a page on small screens, on paper and with axe; what was found before counts too.

    A page is laid out anew for every width, which is slow: it comes back to the first one when most is gone.
    """
    found += page.evaluate(LIGHT_PICTURES, "light")
    found += [line for width in (390, 320) for line in too_wide(page, width)]
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 720, "height": 1000})
    found += page.evaluate(PRINTED)
    # axe walks what is there, which is slow: the visual half of a formula is hidden from screen readers, and a picture
    # speaks by its label. Code and the inside of formulas are made alike everywhere: one chapter stands for all.
    silent = ".katex-html, .kx-picture svg > *" + ("" if page_name == FIRST else ", .highlight, math > *")
    page.evaluate("(silent) => document.querySelectorAll(silent).forEach((e) => e.remove())", silent)
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.add_style_tag(content="* { transition: none !important }")  # nothing half-way between two colours
    page.evaluate(Axe().axe_script)
    found += violations(page, TAGS, rules={rule: {"enabled": False} for rule in COLORS})
    set_scheme(page, "dark")
    found += page.evaluate(LIGHT_PICTURES, "dark")
    assert found + page.problems == []
    assert contrast(page, STOOD_OUT) == []  # afterwards the page's own scripts miss what they hold


FORMULAS = """async () => {
    await document.fonts.ready;
    const shown = [...document.querySelectorAll(".katex-display .katex-html")].filter((e) => e.checkVisibility());
    const small = shown.filter((e) => { const b = e.getBoundingClientRect(); return b.width <= 10 || b.height <= 10; });
    const found = small.map((e) => `formula without size: ${e.textContent.slice(0, 60)}`);
    if (shown.length < 3) found.push(`only ${shown.length} formulas are visible`);
    if (!document.fonts.check("16px KaTeX_Main")) found.push("the font of formulas is not there");
    return found;
}"""

FOLDED = """() => {
    const labels = [...document.querySelectorAll("details.hide > summary")].map((e) => e.textContent.trim());
    const found = labels.filter((label) => !/^(Solution|Code \\(\\d+ lines?\\))$/.test(label));
    const solutions = labels.filter((label) => label === "Solution");
    if (labels.length < 6 || solutions.length < 2) found.push("code is not folded");
    if (![...document.querySelectorAll(".kx-code-switch")].some((e) => e.checkVisibility())) found.push("no switch");
    for (const code of document.querySelectorAll("details.hide .cell_input"))
        if (code.checkVisibility()) found.push(`open: ${code.textContent.slice(0, 60)}`);
    return found;
}"""

# On paper nothing is folded, no line of code is cut, and no formula, table or picture runs over the edge.
PRINTED = """() => {
    const found = (selector, wrong) => [...document.querySelectorAll(`article ${selector}`)].filter(wrong);
    const code = found("pre", (e) => !e.closest(".kx-table") && (e.scrollWidth > e.clientWidth + 1
        || e.getBoundingClientRect().height < 10 || !e.checkVisibility({ opacityProperty: true })));
    const paper = (document.querySelector("article") ?? document.body).getBoundingClientRect().right;
    const end = (e) => Math.max(e.getBoundingClientRect().right, e.getBoundingClientRect().x + e.scrollWidth);
    const wide = found(":is(table, div.math, .katex-display > .katex, .kx-table pre, svg, img)",
        (e) => e.checkVisibility() && !e.parentElement.closest("svg, .katex") && end(e) > paper + 2);
    return [...code, ...wide].map((e) => `not whole on paper: ${e.outerHTML.slice(0, 80)}`);
}"""

# A photograph in an explorer is turned round once more than the picture that holds it.
LIGHT_PICTURES = """(scheme) =>
    [...document.querySelectorAll(".kx-picture svg, svg .kx-photo, .cell_output img:not(.kx-photo)")]
    .filter((e) => getComputedStyle(e).filter.includes("invert") !== (scheme === "dark"))
    .map((e) => `wrong on a ${scheme} page: ${e.outerHTML.slice(0, 100)}`)"""


def too_wide(page, width):
    """Return what makes a page scroll sideways at a width."""
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.evaluate(
        """(width) => document.scrollingElement.scrollWidth <= width ? [] :
            [`scrolls sideways at ${width} px`, ...[...document.querySelectorAll("main *")]
                .filter((e) => e.getBoundingClientRect().right > width + 1)
                .slice(0, 5).map((e) => e.outerHTML.slice(0, 120))]""",
        width,
    )


TAGS = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
COLORS = ("color-contrast", "link-in-text-block")  # the rules about colours: half of axe's time
STOOD_OUT = set()  # (scheme, look) of letters that stood out on the pages before


def violations(page, only, context="document", **options):
    """Return what axe finds, but for what the theme causes."""
    options |= {"runOnly": only, "resultTypes": ["violations"], "preload": False}
    response = page.evaluate(f"(options) => axe.run({context}, options)", options)
    return [
        (violation["id"], node["html"][:200])
        for violation in response["violations"]
        for node in violation["nodes"]
        if not re.search(THEME.get(violation["id"], r"(?!)"), node["html"])
    ]


def set_scheme(page, scheme):
    """Have the reader's system ask for a light or a dark page."""
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function("(scheme) => document.documentElement.dataset.theme === scheme", arg=scheme)


def contrast(page, stood_out=None):
    """Return (scheme, node) where letters or links stand out too little; the page is taken apart.

    Three letters stand for all that look alike, on this page and on others: a look in ``stood_out`` is not judged anew,
    and a set that is given gets the looks of a page without faults. The rest is emptied, because axe walks all that is
    there. What is empty keeps its place: the stripes of a table stay where they are.
    """
    looks, stood_out = set(), set() if stood_out is None else stood_out
    for scheme in ("light", "dark"):
        set_scheme(page, scheme)
        known = [look for where, look in stood_out if where == scheme]
        looks |= {(scheme, look) for look in page.evaluate(LOOKS, [scheme, known])}
    assert looks | stood_out
    page.evaluate(EMPTY)
    found = []
    for scheme in ("dark", "light"):
        if all(where != scheme for where, _ in looks):
            continue
        set_scheme(page, scheme)
        rules = {"type": "rule", "values": COLORS}
        found += [(scheme, node) for _, node in violations(page, rules, f"{{ include: looks.{scheme} }}")]
    if not found:
        stood_out |= looks
    return found


# What is looked at, all that holds it, and the text in which a link stands.
EMPTY = """() => {
    const needed = new Set();
    for (let e of [...looks.light, ...looks.dark]) {
        if (e.closest("a")) e.closest("p, li, dd, td, figcaption")?.querySelectorAll("*").forEach((e) => needed.add(e));
        for (; e; e = e.parentElement) needed.add(e);
    }
    document.querySelectorAll("body *").forEach((e) => needed.has(e) || e.replaceChildren());
}"""


# A look: colour and kind of the letters, all that is painted behind them, and for a link the text around it.
LOOKS = """([scheme, known]) => {
    const grounds = new Map([[null, ""]]), seen = new Map(known.map((look) => [look, 3]));
    const ground = (e) => {
        if (!grounds.has(e)) {
            const { backgroundColor, backgroundImage, opacity, filter } = getComputedStyle(e);
            const own = [backgroundColor, backgroundImage, opacity, filter].join();
            const behind = ground(e.parentElement);
            grounds.set(e, own === "rgba(0, 0, 0, 0),none,1,none" ? behind : `${behind}|${own}`);
        }
        return grounds.get(e);
    };
    const letters = (e) => {
        const { color, fontSize, fontWeight, textShadow, textDecorationLine } = getComputedStyle(e);
        return [color, fontSize, fontWeight, textShadow, textDecorationLine].join();
    };
    const found = [...document.querySelectorAll("body *")].filter((e) => {
        if (![...e.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())) return false;
        const link = e.closest("a");
        const look = [letters(e), e.checkVisibility(), ground(e), link ? letters(link.parentElement) : ""].join();
        seen.set(look, (seen.get(look) || 0) + 1);
        return seen.get(look) <= 3;
    });
    window.looks = { ...window.looks, [scheme]: found };
    return [...seen.keys()].slice(known.length);
}"""


UNLIKE = "color: color-mix(in srgb, currentColor 90%, red)"
FAINT = [
    ("color: #999", "<em>letters</em>", {"light"}),
    ("background: #777", "<em>letters</em>", {"light", "dark"}),
    ("opacity: 0.4", "<em>letters</em>", {"light", "dark"}),
    ("", '<em style="color: #aaa">letters</em>', {"light"}),
    ("", '<em style="color: #555">letters</em>', {"dark"}),
    ("", f'<a href="#" style="{UNLIKE}; text-decoration: none">link</a>', {"light", "dark"}),
    ("", '<em>letters</em> and a <a href="#">link</a>', set()),
]


@pytest.mark.parametrize(("style", "words", "schemes"), FAINT)
def test_letters_that_stand_out_too_little_are_found_among_many(page, site, style, words, schemes):
    found = contrast(with_words(page, site, style, words))
    assert {scheme for scheme, _ in found} == schemes


def test_a_look_that_stood_out_is_not_judged_again_and_a_new_one_is(page, site):
    stood_out = set()
    assert contrast(with_words(page, site, "", "<em>letters</em>"), stood_out) == []
    before = len(stood_out)
    assert before > 20
    assert len(contrast(with_words(page, site, "", '<em style="color: #aaa">letters</em>'), stood_out)) == 1
    assert len(stood_out) == before  # what was found is found again on the next page
    assert contrast(with_words(page, site, "", "<em>letters</em>"), stood_out) == []
    assert page.evaluate("looks.light.length + looks.dark.length") == 0


def with_words(page, site, style, words):
    """Open a page whose first paragraph has a style and some words of its own."""
    open_page(page, site, "chapters/changes.html")
    page.evaluate(Axe().axe_script)
    page.evaluate(
        """([style, words]) => { const p = document.querySelector("article p");
            p.style.cssText = style; p.innerHTML = `These words are faint, or ${words}.`; }""",
        [style, words],
    )
    page.add_style_tag(content="* { transition: none !important }")
    return page


def test_one_switch_shows_all_code_and_is_remembered(page, site):
    open_page(page, site, f"chapters/{chapters.slugs()[0]}.html")
    state = """() => [...document.querySelectorAll("details.hide .cell_input")]
        .filter((e) => !e.closest(".tag_hide-cell")).map((e) => e.checkVisibility())"""
    assert set(page.evaluate(state)) == {False}
    switch = page.get_by_role("button", name="Show all code")
    switch.press("Enter")
    assert set(page.evaluate(state)) == {True}
    page.reload()
    assert switch.get_attribute("aria-pressed") == "true"
    assert set(page.evaluate(state)) == {True}
    switch.click()
    assert set(page.evaluate(state)) == {False}


def test_a_picture_that_goes_on_beyond_the_edge_of_a_phone_shows_it_by_a_shadow(page, site):
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, site, FIRST)
    boxes = page.evaluate(
        """() => [...document.querySelectorAll("article .cell_output img, article .kx-picture")].map((e) => {
            while (!/auto|scroll/.test(getComputedStyle(e).overflowX)) e = e.parentElement;
            return [e.scrollWidth > e.clientWidth + 1, getComputedStyle(e).backgroundImage.includes("gradient")]; })"""
    )
    assert sum(wide for wide, _ in boxes) > 4
    assert all(shadow for wide, shadow in boxes if wide)


def test_a_formula_is_copied_once_as_tex(browser, site):
    context = browser.new_context(offline=True, permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    open_page(page, site, f"chapters/{chapters.slugs()[0]}.html")
    page.evaluate(
        """() => {
            const formula = document.querySelector(".bd-article p .katex");
            const range = document.createRange();
            range.selectNodeContents(formula);
            getSelection().removeAllRanges();
            getSelection().addRange(range);
            addEventListener("copy", (event) => { window.copied = event.clipboardData.getData("text/plain"); });
        }"""
    )
    page.keyboard.press("Control+c")
    page.wait_for_function("() => window.copied !== undefined")
    source = page.evaluate('document.querySelector(".bd-article p .katex annotation").textContent')
    assert page.evaluate("window.copied") == f"${source}$"
    context.close()
