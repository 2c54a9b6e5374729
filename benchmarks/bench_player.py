"""The kernel-free player: what a move costs, and what a page weighs. Needs the built book and Chromium.

A move is measured as processor time of the page's main thread, which a busy machine blurs less than the clock: in all,
and for styles, layout and script. A frame of 60 in a second has 16.7 ms; the tests allow 20 ms on the heaviest page,
3 of them for styles. Beside it, as a ratio, the same move with the picture put in anew instead of patched.
"""

import gzip
import shutil

from playwright.sync_api import sync_playwright

from extensions import chapters

MOVES = 40
PARTS = ("TaskDuration", "RecalcStyleDuration", "LayoutDuration", "ScriptDuration")
PATCHED = """async (box, moves) => {
    const slider = box.querySelector("input[type=range]");
    for (let i = 0; i < moves; i++) {
        slider.value = (Number(slider.value) + 1) % (Number(slider.max) + 1);
        slider.dispatchEvent(new Event("input"));
        await new Promise(requestAnimationFrame);
    }
}"""
ANEW = """async (box, moves) => {
    const picture = box.querySelector(".kx-picture");
    const style = "<style>*{stroke-linejoin: round; stroke-linecap: butt}</style>";
    for (let i = 0; i < moves; i++) {
        picture.innerHTML = picture.innerHTML.replaceAll(style, "").replace("<defs>", `<defs>${style}`);
        await new Promise(requestAnimationFrame);
    }
}"""


def main():
    """Print one line for each explorer and one for each page."""
    site = chapters.BUILD / "html" / "chapters"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for slug in chapters.slugs():
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto((site / f"{slug}.html").as_uri())
            client = page.context.new_cdp_session(page)
            client.send("Performance.enable", {"timeDomain": "threadTicks"})
            for box in page.locator(".kx-explorer:has(input[type=range])").all():
                box.scroll_into_view_if_needed()
                box.and_(page.locator(".kx-ready")).wait_for()
                patched, anew = measured(client, box, PATCHED), measured(client, box, ANEW)
                parts = ", ".join(f"{patched[name]:.1f} {name.removesuffix('Duration').lower()}" for name in PARTS[1:])
                print(
                    f"{slug} {box.get_attribute('id')}: {patched['TaskDuration']:.1f} ms a move ({parts}); "
                    f"put in anew with a style sheet {anew['TaskDuration'] / patched['TaskDuration']:.1f} times as much"
                )
            packed = len(gzip.compress((site / f"{slug}.html").read_bytes()))
            print(f"{slug} page: {packed / 1000:.0f} kB compressed, {packed / 200_000:.2f} of the budget")
            page.close()
        browser.close()


def measured(client, box, moves):
    """Return the milliseconds of the main thread for each move, by part."""
    box.evaluate(moves, 5)
    before = metrics(client)
    box.evaluate(moves, MOVES)
    return {name: 1000 * (value - before[name]) / MOVES for name, value in metrics(client).items()}


def metrics(client):
    """Return the seconds that the main thread has worked so far."""
    found = {metric["name"]: metric["value"] for metric in client.send("Performance.getMetrics")["metrics"]}
    return {name: found[name] for name in PARTS}


if __name__ == "__main__":
    main()
