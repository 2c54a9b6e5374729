"""The form of a chapter, measured in its built page: `python -m extensions.page_form PAGE.html`."""

import gzip
import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

__all__ = ["chromium", "open_page_problems", "page_problems", "transferred"]

WIDTH, HEIGHT = 1280, 800
FIRST, APART, SCREENS, CODE, BYTES = 1.2, 3, 28, 0.12, 200_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync", "--disable-smooth-scrolling"]

MEASURE = """() => {
  const article = document.querySelector(".bd-article");
  const box = article.getBoundingClientRect();
  const shown = (e) => e.checkVisibility() && e.getClientRects().length > 0;
  const span = (e) => { const r = e.getBoundingClientRect(); return [r.top - box.top, r.bottom - box.top]; };
  const cells = [...article.querySelectorAll("div.cell[class*=kx-cell-]")];
  const number = (cell) => cell && Number(/kx-cell-(\\d+)/.exec(cell.className)[1]);
  const place = (e) => {
    const cell = e.closest("div.cell[class*=kx-cell-]");
    if (cell) return `cell [${number(cell)}]`;
    const next = cells.find((c) => e.compareDocumentPosition(c) & Node.DOCUMENT_POSITION_FOLLOWING);
    return next ? `before cell [${number(next)}]` : "after the last cell";
  };
  const seen = [...article.querySelectorAll(".kx-explorer, .cell_output img, .cell_output svg")]
    .filter((e) => shown(e) && !e.closest(".katex, button"))  // no roots of formulas, no icons
    .filter((e) => e.matches(".kx-explorer") || !e.closest(".kx-explorer"));
  const exercises = article.querySelector("section#exercises");
  const visuals = seen.map((e) => [...span(e), place(e)]);
  const code = [...article.querySelectorAll(".cell_input")].filter(shown);
  const result = {
    top: box.top + scrollY, height: box.height, visuals,
    exercises: exercises ? span(exercises)[0] : box.height,
    explorers: [...article.querySelectorAll(".kx-explorer")].filter(shown).map((e) => span(e)[0] + box.top + scrollY),
    code: code.reduce((sum, e) => sum + e.getBoundingClientRect().height, 0),
    silent: [...article.querySelectorAll("img")].filter((e) => !e.alt.trim()).map(place),
  };
  const closed = [...article.querySelectorAll("details:not([open])")];
  for (const details of closed) details.open = true;
  const boxes = [...article.querySelectorAll("pre, div.math, table, .cell_output, .cell_output .output, .kx-scroll")]
    .filter((e) => shown(e) && e.scrollWidth > e.clientWidth + 1 && !e.closest(".kx-table"));
  result.cut = boxes.filter((e) => !boxes.some((other) => other !== e && e.contains(other)))
    .map((e) => [place(e),
      { PRE: "line of code or output", TABLE: "table" }[e.tagName] || (e.matches(".math") ? "formula" : "output"),
      e.scrollWidth - e.clientWidth, e.textContent.trim().slice(0, 40)]);
  for (const details of closed) details.open = false;
  return result;
}"""


def chromium(playwright):
    """Start headless Chromium: the system's, or the one that playwright has installed."""
    system = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return playwright.chromium.launch(executable_path=system, args=FLAGS)


def transferred(path):
    """Return the compressed size of a page with its own pictures, in bytes."""
    text = path.read_text(encoding="utf-8")
    size = len(gzip.compress(text.encode()))
    for source in dict.fromkeys(re.findall(r'<img[^>]* src="([^":]*_images/[^"]+)"', text)):
        data = (path.parent / source).read_bytes()
        size += len(gzip.compress(data)) if source.endswith(".svg") else len(data)
    return size


def page_problems(path, browser):
    """Return one line for each thing that keeps a built page, code folded, from the form of the guide."""
    context = browser.new_context(offline=True, viewport={"width": WIDTH, "height": HEIGHT})
    page = context.new_page()
    page.goto(path.resolve().as_uri())
    page.evaluate("document.fonts.ready.then(() => true)")
    found = open_page_problems(page, path)
    context.close()
    return found


def open_page_problems(page, path):
    """Return the same of a page that is open already; its window may be higher or lower."""
    seen = page.evaluate(MEASURE)
    slug, found = path.stem if path.stem != "index" else path.parent.name, []

    def say(where, words):
        found.append(f"{slug}, {where}: {words}")

    first = min(seen["explorers"], default=float("inf"))
    if first > FIRST * HEIGHT:
        say("first explorer", f"must begin within {FIRST} screens of {HEIGHT} px; after {first / HEIGHT:.1f} now")
    previous, ends = "the title", 0.0
    for top, bottom, place in [*sorted(seen["visuals"]), [seen["exercises"], seen["exercises"], "the exercises"]]:
        if top > seen["exercises"]:
            continue
        if top - ends > APART * HEIGHT:
            gap = (top - ends) / HEIGHT
            say(f"{previous} to {place}", f"a picture or explorer at least every {APART} screens; {gap:.1f} now")
        ends, previous = max(ends, bottom), place
    screens = seen["height"] / HEIGHT
    if screens > SCREENS:
        say("length", f"at most {SCREENS} screens of {WIDTH} × {HEIGHT}; {screens:.1f} now")
    share = seen["code"] / seen["height"]
    if share > CODE:
        say("code", f"at most {CODE:.0%} of the height may be open code; {share:.0%} now")
    for place in seen["silent"]:
        say(place, "a picture needs an alternative text")
    for place, kind, pixels, words in seen["cut"]:
        say(place, f"a {kind} is {pixels} px wider than its box at {WIDTH} px: {' '.join(words.split())} …")
    size = transferred(path)
    if size > BYTES:
        say("weight", f"at most {BYTES // 1000} kB compressed; {size // 1000} now: fewer points or stops")
    return found


if __name__ == "__main__":
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        lines = [line for name in sys.argv[1:] for line in page_problems(Path(name), browser)]
        browser.close()
    print("\n".join(lines) or "the page has the form of the guide")
    raise SystemExit(bool(lines))
