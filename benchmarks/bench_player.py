"""The kernel-free player: from slider to picture, and what a page weighs. Needs the built book and Chromium.

Times are given in display frames of the same run (the time between two animation frames of the idle page), so that a
slow machine does not change the verdict: one frame in the median is the goal, and 50 ms at the 95th percentile.
"""

import gzip
import shutil
import statistics

from playwright.sync_api import sync_playwright

from extensions import chapters

MEASURE = """async (box) => {
    const frame = () => new Promise(requestAnimationFrame);
    const slider = box.querySelector("input[type=range]");
    const idle = [], moved = [];
    await frame();
    for (let i = 0; i < 60; i++) {
        const start = performance.now();
        await frame();
        idle.push(performance.now() - start);
    }
    for (let i = 0; i < 60; i++) {
        const start = performance.now();
        slider.value = (Number(slider.value) + 1) % (Number(slider.max) + 1);
        slider.dispatchEvent(new Event("input"));
        await frame();  // the picture is laid out and painted in this frame
        moved.push(performance.now() - start);
    }
    return [idle, moved];
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
            for index in range(page.locator(".kx-explorer").count()):
                box = page.locator(".kx-explorer").nth(index)
                box.scroll_into_view_if_needed()
                box.and_(page.locator(".kx-ready")).wait_for()
                idle, moved = box.evaluate(MEASURE)
                frame = statistics.median(idle)
                late = statistics.quantiles(moved, n=20)[-1]
                print(
                    f"{slug} explorer {index + 1}: median {statistics.median(moved) / frame:.2f} frames, "
                    f"95th percentile {late / frame:.2f} frames ({late:.1f} ms)"
                )
            data = (site / f"{slug}.html").read_bytes()
            packed = len(gzip.compress(data))
            print(f"{slug} page: {packed / 1000:.0f} kB compressed, {packed / 250_000:.2f} of the budget")
        browser.close()


if __name__ == "__main__":
    main()
