"""Text boxes on the built pages: what a reader types is computed in JavaScript as Python computes it."""

import pytest
from support import run_chapter

from extensions import chapters
from kexue_core.notebook.formats import format_number

pytestmark = pytest.mark.browser
TYPED = [
    "", "matrix", "the the of RoPE", "Γ und γ", "√2 ∇", "梯度", "底", "Hiérarchie PADÉ", "<b>softmax</b>",
    "nothing like it", "constructor", "rope_base; diffusion & memory",
]  # fmt: skip


def twins(slug):
    """Return the explorers of a chapter that have a text box in the built book, with the name of the box."""
    return {
        name: next(key for key, control in explorer.controls.items() if control.twin)
        for name, explorer in run_chapter(slug).explorers.items()
        if any(control.twin for control in explorer.controls.values())
    }


@pytest.mark.parametrize("slug", [slug for slug in chapters.slugs() if "twin=" in str(chapters.read(slug).cells)])
def test_a_text_box_answers_as_python_does(slug, site, browser):
    explorers = run_chapter(slug).explorers
    context = browser.new_context(offline=True)
    page = context.new_page()
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((site / "chapters" / f"{slug}.html").as_uri())
    assert twins(slug)
    for name, key in twins(slug).items():
        explorer, box = explorers[name], page.locator(f"#{name}")
        box.scroll_into_view_if_needed()
        page.wait_for_selector(f"#{name}.kx-ready")
        asked = [*explorer.combinations(), *(explorer._complete({key: text}) for text in TYPED)]
        answers = box.evaluate("(box, asked) => asked.map((values) => box.compute(values).numbers)", asked)
        for values, answer in zip(asked, answers, strict=True):
            expected = explorer(**values)
            assert list(answer) == list(expected)
            for number, value in expected.items():
                same = value if isinstance(value, str) else pytest.approx(value, rel=1e-12)
                assert answer[number] == same, (values, number)
        for text in TYPED[1:]:
            box.locator("input[type=text]").fill(text)
            shown = box.locator("dd > span").all_inner_texts()
            assert shown == [format_number(value) for value in explorer(**{key: text}).values()]
            assert "<b>" not in box.locator(".kx-picture").inner_html()
    assert problems == []
    context.close()
