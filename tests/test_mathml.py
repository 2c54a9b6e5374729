"""Formulas as a screen reader gets them: well-formed, with the number of parts that each element takes."""

import re
from html import unescape
from xml.etree import ElementTree

import pytest
from support import SITE

from extensions import mathml

PAGES = sorted(path for path in SITE.rglob("*.html") if "katex-mathml" in path.read_text())


def wrong(formula):
    """Return the elements of a formula that have too few or too many parts."""
    text = re.sub(r"&(?!amp;|lt;|gt;|quot;|#)\w+;", lambda match: unescape(match[0]), formula)
    found = []
    for element in ElementTree.fromstring(text).iter():
        name = element.tag.rpartition("}")[2]
        if len(element) != mathml.PARTS.get(name, len(element)):
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
        ("<mfrac><mrow><mi>sin</mi><mo>\u2061</mo><mi>x</mi></mrow><mi>x</mi></mfrac>", 2),
    ],
)
def test_only_what_is_counted_loses_the_invisible_sign(formula, parts):
    written = f"<math><mi>f</mi><mo>\u2061</mo>{formula}</math>"
    assert wrong(written) or "mrow" in written
    done = mathml.repaired(written)
    assert wrong(done) == []
    assert done.startswith("<math><mi>f</mi><mo>\u2061</mo>")
    assert ("sin</mi><mo>\u2061" in done) == ("sin" in formula)
    assert len(ElementTree.fromstring(done)[2]) == parts
