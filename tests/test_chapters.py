"""Every chapter: its form, and the power of its derivations to refuse what is wrong."""

import dataclasses
import re
import statistics

import nbformat
import pytest
import sympy as sp
from support import run_chapter

from extensions import chapters, generated
from kexue_core.notebook import derivation

HEADINGS = [
    "The question",
    "Derivation",
    "Numerics",
    "Explore",
    "Reproduced results",
    "Limits and beyond",
    "Exercises",
    "Sources",
]
every_chapter = pytest.mark.parametrize("slug", chapters.slugs())


@pytest.fixture
def notebook(slug):
    return nbformat.read(chapters.notebook_path(slug), 4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@every_chapter
def test_the_headings_are_those_of_the_guide(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert re.findall(r"^## (.+?)\s*$", text, re.M) == HEADINGS
    assert len(re.findall(r"^# ", text, re.M)) == 1


@every_chapter
def test_the_box_names_original_papers_insight_and_aim(notebook, slug):
    box = notebook.cells[0].source
    for word in ("**Original.**", "**Papers.**", "**Insight.**", "**After this chapter** you can"):
        assert word in box, word
    assert re.search(r"\[《.+》\]\(https://kexue\.fm/archives/\d+\), Su Jianlin, \d{4}-\d\d-\d\d", box)
    assert generated.insight(slug)


@every_chapter
def test_every_code_cell_is_short_and_follows_prose(notebook):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(notebook)[1:]]  # the first one imports
    assert max(lengths) <= 20
    assert statistics.median(lengths) <= 8
    for before, cell in zip(notebook.cells, notebook.cells[1:]):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown", f"no sentence before {cell.id}"
            last = before.source.strip().splitlines()[-1]
            assert not last.startswith("#"), f"only a heading before {cell.id}"


@every_chapter
def test_imports_stand_in_the_first_code_cell_and_nothing_is_installed(notebook):
    first, *others = code_cells(notebook)
    assert "set_style()" in first.source
    for cell in others:
        assert not re.search(r"^\s*(import|from) ", cell.source, re.M), cell.id
    for cell in code_cells(notebook):
        assert not re.search(r"^[%!]|pip install|https?://|open\(", cell.source, re.M), cell.id


@every_chapter
def test_the_chapter_derives_explores_reproduces_and_checks(notebook):
    source = "\n".join(cell.source for cell in code_cells(notebook))
    for call in ("Derivation(", "agreement(", "Explorer(", "reproduce("):
        assert call in source, call
    assert len(re.findall(r"^\s*check\(", source, re.M)) >= 5
    assert not re.findall(r"^\s*assert .*", source, re.M), "what holds is shown: check(holds, 'what holds')"


@every_chapter
def test_two_to_four_exercises_have_folded_solutions_that_check(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    solutions = [cell for cell in code_cells(notebook) if "hide-cell" in cell.metadata.get("tags", [])]
    assert 2 <= len(solutions) <= 4
    assert all("check(" in cell.source for cell in solutions)
    assert "## Exercises" in text


@every_chapter
def test_stored_outputs_are_whole_and_hold_nothing_of_one_machine(notebook):
    assert "widgets" not in notebook.metadata
    for number, cell in enumerate(code_cells(notebook), start=1):
        assert cell.execution_count == number
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
            data = output.get("data", {})
            assert "application/vnd.jupyter.widget-view+json" not in data
            text = str(data.get("text/plain", "")) + str(output.get("text", ""))
            assert not re.search(r"0x[0-9a-f]{6,}|/(home|root|work|tmp|usr)/|np\.float64", text), cell.id


@every_chapter
def test_every_static_figure_says_what_is_seen(notebook):
    for cell in code_cells(notebook):
        if "plt.show()" in cell.source:
            assert len(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")) > 20, cell.id


@every_chapter
def test_every_explorer_shows_something_else_at_every_stop(slug):
    explorers = run_chapter(slug).explorers.values()
    assert explorers
    for explorer in explorers:
        for name, control in explorer.controls.items():
            pictures = [explorer.svg(**{name: stop}) for stop in control.stops]
            same = [control.names[i] for i in range(1, len(pictures)) if pictures[i] == pictures[i - 1]]
            assert not same, f"{name} at {same} looks like the stop before"
            assert explorer.svg(**{name: control.stops[0]}) == pictures[0], f"{name}: a picture remembers the last one"


@every_chapter
def test_a_wrong_sign_a_dropped_term_or_a_wrong_constant_is_caught_in_every_step(slug):
    chains = run_chapter(slug).derivations
    assert chains
    for chain in chains:
        for old, step in chain.lines():
            wrong = [new for new in perturbations(step.new) if really_differs(old, step, new)]
            assert wrong, f"no wrong version of {step.because!r} could be made"
            for new in wrong:
                assert refuses(old, dataclasses.replace(step, new=new)), f"{slug}: {step.because!r} accepts {new}"


def refuses(old, step):
    """Tell whether a step is refused."""
    try:
        derivation.verify(old, step)
    except derivation.StepError:
        return True
    return False


def perturbations(line, most=14):
    """Return wrong versions of a line: added one, turned sign, dropped and turned terms, changed constants."""
    if isinstance(line, sp.Eq):
        right = [sp.Eq(line.lhs, side, evaluate=False) for side in perturbations(line.rhs, most)]
        left = [sp.Eq(side, line.rhs, evaluate=False) for side in perturbations(line.lhs, most)]
        return [new for new in right + left if isinstance(new, sp.Eq)]
    if isinstance(line, sp.MatrixBase):
        found = []
        for index in range(len(line)):
            for entry in perturbations(line[index], 4):
                entries = list(line)
                entries[index] = entry
                found.append(sp.ImmutableMatrix(*line.shape, entries))
        return found[:: max(1, len(found) // most)]
    found = [line + 1, -line, line - 10**6, line + 10**6]  # the large ones break bounds, which have room
    for part in sp.preorder_traversal(line):
        if isinstance(part, sp.Add):
            for term in part.args:
                found += [line.xreplace({part: part - term}), line.xreplace({part: part - 2 * term})]
        elif part.is_Number and part not in (0, -1):
            found.append(line.xreplace({part: part + 1}))
    distinct = [new for new in dict.fromkeys(found) if new.is_finite is not False and new != line]
    return distinct[:4] + distinct[4 :: max(1, (len(distinct) - 4) // most)]


def really_differs(old, step, new):
    """Tell by numbers, not by proof, whether a line is another statement than the right one."""
    right, wrong = step.new, new
    if isinstance(right, sp.MatrixBase):
        return any(differ(a, b, step) for a, b in zip(right, wrong) if a != b)
    if isinstance(right, sp.Eq):
        before, after = right.lhs - right.rhs, wrong.lhs - wrong.rhs
        ratios = {value for value in values(after / before, step)}
        return len(ratios) > 1 or not ratios or ratios == {0}
    if step.kind == "series":
        var, about, order = (step.options[name] for name in ("var", "about", "order"))
        return sp.series(right - wrong, var, about, order).removeO() != 0
    if step.kind == "bound":
        sign = derivation._RELATIONS[step.options["relation"]][1]
        return any(sp.re(sp.N(value)) < 0 for value in values(sign * (wrong - old), step, raw=True))
    return differ(right, wrong, step)


def differ(right, wrong, step):
    return any(value != 0 for value in values(right - wrong, step))


def values(expression, step, raw=False):
    """Evaluate at the points of the step, or at sampled ones; rounded, so that equal values are equal."""
    for identity in step.options.get("given", ()):
        expression = expression.subs(identity.lhs, identity.rhs)
    points = step.options.get("at") or list(derivation._sample(expression))
    found = []
    for point in points:
        value = derivation._evaluate(expression, point)
        if value is not None:
            found.append(value if raw else complex(round(complex(value).real, 12), round(complex(value).imag, 12)))
    return found
