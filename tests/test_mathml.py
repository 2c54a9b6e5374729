"""Formulas as a screen reader gets them: well-formed, each element with the parts that it takes."""

import re
from html import unescape
from xml.etree import ElementTree

import pytest
from support import SITE

from extensions import mathml

PAGES = sorted(path for path in SITE.rglob("*.html") if "katex-mathml" in path.read_text())


def wrong(formula):
    """Return the elements of a formula that have too few or too many parts, or elements where text belongs."""
    text = re.sub(r"&(?!amp;|lt;|gt;|quot;|#)\w+;", lambda match: unescape(match[0]), formula)
    found = []
    for element in ElementTree.fromstring(text).iter():
        name = element.tag.rpartition("}")[2]
        if len(element) != (0 if name in mathml.TEXTS else mathml.PARTS.get(name, len(element))):
            found.append(ElementTree.tostring(element, encoding="unicode"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_element_has_as_many_parts_as_it_takes(page):
    formulas = re.findall(r"<math\b.*?</math>", page.read_text(), re.S)
    assert formulas
    assert [found for formula in formulas for found in wrong(formula)] == []


@pytest.mark.parametrize(
    ("formula", "parts"),
    [
        ("<msub><mi>n</mi><mi>max</mi><mo>\u2061</mo></msub>", 2),
        ("<msubsup><mi>n</mi><mi>max</mi><mo>\u2061</mo><mn>2</mn></msubsup>", 3),
        ("<mrow><mo><mover><mo>=</mo><mi>E</mi></mover></mo><mi>x</mi></mrow>", 2),
        ("<mfrac><mrow><mi>sin</mi><mo>\u2061</mo><mi>x</mi></mrow><mi>x</mi></mfrac>", 2),
    ],
)
def test_what_is_wrong_is_repaired_and_nothing_else(formula, parts):
    written = f"<math><mi>f</mi><mo>\u2061</mo>{formula}</math>"
    assert wrong(written) or "sin" in written
    done = mathml.repaired(written)
    assert wrong(done) == []
    assert done.startswith("<math><mi>f</mi><mo>\u2061</mo>")
    assert ("sin</mi><mo>\u2061" in done) == ("sin" in formula)
    assert len(ElementTree.fromstring(done)[2]) == parts
