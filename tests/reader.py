"""A chapter's page, opened once as a reader opens it, for all tests that look at it one after the other."""

__all__ = ["ChapterPages", "listen"]

# What moves while a page comes. The list of sections on the right opens where one reads: that is meant to move.
SHIFTS = """
window.shift = 0; window.moved = [];
new PerformanceObserver((list) => {
    for (const { value, sources, hadRecentInput } of list.getEntries()) {
        const moved = sources.map(({ node }) => (node?.closest ? node : node?.parentElement));
        if (hadRecentInput || moved.every((node) => node?.closest(".toc-entry"))) continue;
        window.shift += value;
        window.moved.push(...moved.map((node) => node?.outerHTML.slice(0, 80)));
    }
}).observe({ type: "layout-shift", buffered: true });
"""


def listen(page, allowed=("file:", "data:", "blob:")):
    """Collect whatever goes wrong on a page: errors, files that are not there, requests to other hosts.

    A request that ends because the page is left before it is answered is no fault of the page.
    """
    page.problems = []
    page.on("console", lambda message: message.type == "error" and page.problems.append(message.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("requestfailed", lambda request: note_failure(page, request))
    page.on(
        "request",
        lambda request: request.url.startswith(allowed) or page.problems.append(f"asks another host: {request.url}"),
    )


def note_failure(page, request):
    if request.failure != "net::ERR_ABORTED":
        page.problems.append(f"failed: {request.url}: {request.failure}")


class ChapterPages:
    """The chapter that is open, from disk and without network, scrolled through once.

    A page carries what happened to it: ``problems``, ``asked`` (all addresses that it loaded), and, up to the end of
    the first scrolling, ``shift`` and ``moved``.
    """

    def __init__(self, browser, site):
        self.browser, self.site = browser, site
        self.slug = self.context = self.page = None

    def open(self, slug):
        """Return the page of a chapter; it is loaded unless it is open."""
        if slug == self.slug:
            return self.page
        self.close()
        self.context = self.browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
        self.context.add_init_script(SHIFTS)
        page = self.page = self.context.new_page()
        page.asked = set()
        page.on("request", lambda request: page.asked.add(request.url))
        listen(page)
        page.goto((self.site / f"chapters/{slug}.html").as_uri())
        page.wait_for_load_state("load")
        # what comes late comes near; elements and not locators, which look through the page again for each of them
        for late in page.query_selector_all(".kx-explorer, .cell_output img, footer"):
            late.scroll_into_view_if_needed()
        page.evaluate("document.fonts.ready.then(() => true)")
        page.shift, page.moved = page.evaluate("[window.shift, window.moved]")
        page.evaluate("scrollTo(0, 0)")
        self.slug = slug  # not before: a page that did not come is loaded again
        return page

    def close(self):
        """Close what is open: the next test gets the page anew."""
        if self.context:
            self.context.close()
        self.slug = self.context = self.page = None
