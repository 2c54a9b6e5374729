"""The power of the chapters' derivations to refuse what is wrong."""

import contextlib
import dataclasses
import functools

import pytest
import sympy as sp
from support import run_chapter

from extensions import chapters
from kexue_core.notebook import convergence, derivation, premises, proof, quadrature, zero
from kexue_core.notebook.conditions import assume


@pytest.fixture(autouse=True)
def each_integral_is_done_once(monkeypatch):
    """Remember what SymPy and the quadrature find: wrong versions of a line hold the integrals of the right one."""
    monkeypatch.setattr(sp.Integral, "doit", functools.cache(sp.Integral.doit))
    values, known = quadrature._values, {}

    def once(integral, found, point):
        key = (integral, found, *point.items())
        if key not in known:
            known[key] = values(integral, found, point)
        return known[key]

    monkeypatch.setattr(quadrature, "_values", once)


every_chapter = pytest.mark.parametrize("slug", chapters.slugs())


@every_chapter
def test_a_wrong_sign_a_dropped_term_or_a_wrong_constant_is_caught_in_every_step(slug):
    chains = run_chapter(slug).derivations
    assert chains
    made = undecided = 0
    for chain in chains:
        for old, step in chain.lines():
            derivation.verify(old, step)  # else its wrong versions are refused whatever they say
            differs = {new: soon_differs(old, step, new) for new in perturbations(step.new)}
            made, undecided = made + len(differs), undecided + list(differs.values()).count(None)
            wrong = [new for new, differ in differs.items() if differ]
            assert wrong, f"no wrong version of {step.because!r} could be made"
            for new in wrong:
                assert refuses(old, dataclasses.replace(step, new=new)), f"{slug}: {step.because!r} accepts {new}"
    assert undecided <= max(3, made // 50), f"{undecided} of {made} versions could not be told from the right one"


def test_wrong_versions_of_a_line_of_matrices_are_made_and_caught():
    n = sp.Symbol("n", integer=True, positive=True)
    A, B = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("B", n, n)
    chain = derivation.Derivation((A + B) * (A - B), "a product that does not commute")
    chain.step(A * A - A * B + B * A - B * B, "expand")
    ((old, step),) = chain.lines()
    wrong = [new for new in perturbations(step.new) if really_differs(old, step, new)]
    assert len(wrong) >= 7
    assert all(refuses(old, dataclasses.replace(step, new=new)) for new in wrong)


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
    if isinstance(line, sp.MatrixExpr):
        found = [-line, 2 * line]
        for part in sp.preorder_traversal(line):
            if isinstance(part, sp.MatAdd):
                found += [line.xreplace({part: sp.MatAdd(part, -term).doit()}) for term in part.args]
            elif isinstance(part, sp.MatMul) and all(factor.is_square for factor in part.as_coeff_matrices()[1]):
                found.append(line.xreplace({part: sp.MatMul(*reversed(part.args))}))
        return [new for new in dict.fromkeys(found) if new != line][:most]
    found = [line + 1, -line, line - 10**6, line + 10**6]  # the large ones break bounds, which have room
    for part in sp.preorder_traversal(line):
        if isinstance(part, sp.Add):
            for term in part.args:
                found += [line.xreplace({part: part - term}), line.xreplace({part: part - 2 * term})]
        elif part.is_Number and part not in (0, -1):
            found.append(line.xreplace({part: part + 1}))
    distinct = [new for new in dict.fromkeys(found) if new.is_finite is not False and new != line]
    return distinct[:4] + distinct[4 :: max(1, (len(distinct) - 4) // most)]


def soon_differs(old, step, new):
    """Tell whether a line is another statement; None if five seconds do not show it.

    A line with an integral that diverges is one: it has no value.
    """
    if convergence.divergent(new, assume(step.options["where"])):
        return True
    with contextlib.suppress(zero.TimeLimit), zero.time_limit(5):
        return really_differs(old, step, new)
    return None


def really_differs(old, step, new):
    """Tell by numbers, not by proof, whether a line is another statement than the right one."""
    right, wrong = step.new, new
    if isinstance(right, sp.MatrixExpr):
        return in_numbers(right, step) != in_numbers(wrong, step)
    if isinstance(right, sp.MatrixBase):
        return any(differ(a, b, step) for a, b in zip(right, wrong) if a != b)
    if isinstance(right, sp.Eq):
        before, after = right.lhs - right.rhs, wrong.lhs - wrong.rhs
        ratios = set()
        for value in values(after / before, step):
            ratios.add(value)
            if len(ratios) > 1 or value == 0:
                return True
        return not ratios
    if step.kind == "series":
        var, about, order = (step.options[name] for name in ("var", "about", "order"))
        return sp.series(right - wrong, var, about, order).removeO() != 0
    if step.kind == "bound":
        gap = proof.RELATIONS[step.options["relation"]] * (wrong - old)
        return any(sp.re(sp.N(value)) < 0 for value in values(gap, step, raw=True))
    return differ(right, wrong, step)


def in_numbers(expression, step):
    """Return an expression in matrix symbols with fixed matrices in their places, every size another one."""
    expression = premises.insert(expression, step.options.get("given", ()))
    sizes = sorted({size for symbol in expression.atoms(sp.MatrixSymbol) for size in symbol.shape}, key=str)
    expression = expression.subs({size: 2 + k for k, size in enumerate(sizes) if size.is_Symbol})
    symbols = sorted(expression.atoms(sp.MatrixSymbol), key=str)
    primes = iter(sp.primerange(10**4))
    numbers = {symbol: sp.Matrix(*symbol.shape, lambda *_: next(primes)) for symbol in symbols}
    return expression.subs(numbers).doit()


def differ(right, wrong, step):
    """Tell whether two expressions have different values."""
    return any(value != 0 for value in values(right - wrong, step))


def values(expression, step, raw=False):
    """Yield values at the points of the step, or at sampled ones; rounded, so that equal values are equal."""
    expression = premises.insert(expression, step.options.get("given", ()))
    for point in step.options.get("at") or assume(step.options["where"]).points(expression.free_symbols):
        value = zero.evaluate(expression, point)
        if value is not None:
            yield value if raw else complex(round(complex(value).real, 12), round(complex(value).imag, 12))
