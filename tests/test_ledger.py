"""What the chapters hold against the figures of others is computed, and the pages that collect it say so truly."""

import ast

import pytest
from support import code_cells

from extensions import chapters, generated
from kexue_core.notebook.claims import KINDS

# Calls that only wrap what they are given, and modules whose constants nobody here has computed.
WRAPPERS = {"array", "asarray", "list", "tuple", "float", "int", "complex", "abs", "round", "ravel", "sqrt", "Rational"}
MODULES = {"np", "sp", "math", "numpy", "sympy"}


def given_literals(source):
    """Return the lines of the calls of `reproduce` whose own figures are literals, or names of literals only."""
    tree = ast.parse(source)
    bound = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                names = [one.id for one in ast.walk(target) if isinstance(one, ast.Name)]
                for name in names:
                    bound.setdefault(name, []).append(node.value)

    def computed(node, seen=frozenset()):
        if isinstance(node, ast.Name):
            if node.id in MODULES or node.id in seen:
                return False
            values = bound.get(node.id)
            return values is None or any(computed(value, seen | {node.id}) for value in values)
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            parts = [*node.args, *(keyword.value for keyword in node.keywords)]
            parts += [node.func.value] if isinstance(node.func, ast.Attribute) else []
            return name not in WRAPPERS or any(computed(part, seen) for part in parts)
        return any(computed(child, seen) for child in ast.iter_child_nodes(node))

    wrong = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "reproduce":
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            ours = node.args[1] if len(node.args) > 1 else named.get("ours", named.get(None))
            if not computed(ours):
                wrong.append(node.lineno)
    return wrong


@pytest.mark.parametrize("slug", chapters.slugs())
def test_our_figures_are_computed_not_typed(slug):
    source = "\n\n".join(cell.source for cell in code_cells(slug))
    assert "reproduce(" in source
    assert not given_literals(source)


@pytest.mark.parametrize(
    "planted",
    [
        'reproduce("a", 5.0, "5.0", "b", kind="printed")',
        'reproduce("a", [1, -2.5], ["1", "-2.5"], "b", kind="printed")',
        'reproduce("a", ours=5.0, published="5.0", source="b", kind="printed")',
        'x = 5.0\nreproduce("a", x, "5.0", "b", kind="printed")',
        'x, y = 5.0, 3\nz = [x, y]\nreproduce("a", np.array(z), ["5.0", "3"], "b", kind="printed")',
        'reproduce("a", 1.78 + 1.97, "3.75", "b", kind="printed")',
        'reproduce("a", np.sqrt(np.pi), "1.77", "b", kind="theorem")',
        'x = [1.0]\nx += [2.0]\nreproduce("a", x, ["1", "2"], "b", kind="printed")',
        'reproduce("a", float("5"), "5", "b", kind="printed")',
    ],
)
def test_typed_figures_are_found(planted):
    assert given_literals(planted)


@pytest.mark.parametrize(
    "honest",
    [
        'x = gamma(0.5)\nreproduce("a", x, "1.77", "b", kind="theorem")',
        'x = 5.0\nx = f(x)\nreproduce("a", [x, 2 * x], ["1", "2"], "b", kind="printed")',
        'reproduce("a", [f(v) for v in (1, 2)], ["1", "2"], "b", kind="printed")',
        'reproduce("a", np.array([gamma(1)]), "1", "b", kind="printed")',
    ],
)
def test_computed_figures_are_not(honest):
    assert not given_literals(honest)


def claim(kind, reasons):
    rows = [["", "1.0", "1", "0", why] for why in reasons]
    return {"what": "w", "source": "s", "kind": kind, "tolerance": "to 2 digits", "rows": rows}


@pytest.fixture
def two_chapters(monkeypatch):
    """Put two chapters with known outputs in the place of the book's."""
    held = {
        ("one", generated.CLAIM): [claim("printed", ["", "a slip"]), claim("program", ["", "", ""])],
        ("two", generated.CLAIM): [claim("theorem", [""]), claim("printed", [""])],
        ("two", generated.ERRATUM): [
            {"what": "A sign", "printed": "$-1$", "where": "section 2", "shown": "it is 1.", "reading": "with $+1$."}
        ],
        ("one", generated.CHECK): [{"statement": "x", "holds": True}] * 4,
    }
    monkeypatch.setattr(generated.chapters, "parts", lambda: [("First", ["one"]), ("Second", ["two"])])
    monkeypatch.setattr(generated, "outputs", lambda slug, mime: held.get((slug, mime), []))
    monkeypatch.setattr(generated, "title", lambda slug: slug.upper())
    monkeypatch.setattr(generated.cite, "originals", lambda slug: [{"number": "42"}])


def test_the_three_kinds_are_counted_apart_and_disagreements_too(two_chapters):
    count = generated.totals()
    assert {kind: count[kind] for kind in KINDS} == {"printed": 3, "program": 3, "theorem": 1}
    assert (count["printed differs"], count["program differs"]) == (1, 0)
    page = generated.results()
    assert "| printed | 3 | 2 | 1 |" in page
    assert "| output of a program | 3 | 3 | 0 |" in page
    assert page.index("## First") < page.index("[ONE]") < page.index("≠ a slip") < page.index("## Second")


def test_the_landing_page_counts_what_was_printed_and_no_more(two_chapters):
    line = generated.counts()
    assert "**3** printed figures [computed again](reproduced_results.md), of which **1** differ" in line
    assert "**4** statements" in line
    assert "**1** [errata](errata.md)" in line


def test_thousands_are_set_apart_as_in_the_chapters(two_chapters, monkeypatch):
    controls = [{"names": ["stop"] * 400}, {"names": ["stop"] * 50}]
    monkeypatch.setattr(
        generated, "outputs", lambda slug, mime: [{"controls": controls}] * (mime == generated.EXPLORER)
    )
    assert "**2** explorers with **40\u202f000** pictures" in generated.counts()


def test_errata_stand_by_part_and_lead_to_their_chapter(two_chapters):
    page = generated.errata()
    assert "## First" not in page
    assert page.index("## Second") < page.index("### A sign") < page.index("[TWO](/chapters/two.ipynb)")
    assert "In kexue.fm/archives/42, section 2 stands: $-1$.\n\nBut it is 1. It holds with $+1$.\n" in page


@pytest.mark.parametrize(
    ("where", "placed"),
    [
        ("the article, last step", "kexue.fm/archives/42, last step"),
        ("the article's code", "kexue.fm/archives/42, the article's code"),
        ("abstract of arXiv:2301.10972", "abstract of arXiv:2301.10972"),
        ("kexue.fm/archives/7, on signs", "kexue.fm/archives/7, on signs"),
    ],
)
def test_a_place_is_told_with_its_article_where_the_chapter_is_not_read(where, placed, two_chapters):
    assert generated._placed("two", where) == placed


def test_a_place_in_one_of_several_articles_names_it(monkeypatch):
    monkeypatch.setattr(generated.cite, "originals", lambda slug: [{"number": "41"}, {"number": "42"}])
    assert generated._placed("two", "kexue.fm/archives/42, last step") == "kexue.fm/archives/42, last step"
    with pytest.raises(ValueError, match="too many values"):
        generated._placed("two", "the article, last step")


@pytest.mark.parametrize("slug", chapters.slugs())
def test_an_erratum_reads_as_sentences_on_the_page_of_all_errata(slug):
    for data in generated.outputs(slug, generated.ERRATUM):
        assert not data["what"][0].islower(), data["what"]
        for words in (data["shown"], data["reading"]):
            assert words.rstrip('$`*)”"').endswith("."), words
