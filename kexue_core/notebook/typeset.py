"""How a derivation looks: one aligned block of LaTeX, and plain text."""

import re

import sympy as sp

PLAIN = {r"\le": "≤", r"\ge": "≥", r"\longrightarrow": "→", r"\doteq": "≈"}
SIGNS = {"limit": r"\longrightarrow", "numeric": r"\doteq", "<=": r"\le", ">=": r"\ge"}
_ROOM = 72  # characters of a row that fit into the column of a page


def aligned(chain):
    """Return the chain as one aligned block; reasons stand beside the lines, or below them where room is short."""
    equation = isinstance(chain.start, sp.Eq)
    rows = [("", "", "")] if False else []
    if equation:
        rows.append((*sides(chain.start), chain.because + _start_mark(chain)))
    elif chain.name is not None:
        name = chain.name if isinstance(chain.name, str) else sp.latex(chain.name)
        rows.append((name, "= " + latex(chain.start), chain.because + _start_mark(chain)))
    else:
        rows.append(("", latex(chain.start), chain.because + _start_mark(chain)))
    before = chain.where
    for step in chain.steps:
        left, right = sides(step.new) if equation else ("", sign(step) + " " + latex(step.new))
        rows.append((left, right, step.because + mark(step, before)))
        before = step.options["where"]
    body = " \\\\[4pt]\n".join(f"{left} &{right} && {text(because)}" for left, right, because in rows)
    return f"$$\\begin{{aligned}}\n{body}\n\\end{{aligned}}$$"


def plain(chain):
    """Return the chain as text, one line for each step."""
    start = chain.because + _start_mark(chain)
    lines = [f"{chain.start}    [{start}]" if start else f"{chain.start}"]
    before = chain.where
    for step in chain.steps:
        lines.append(f"{PLAIN.get(sign(step), sign(step))} {step.new}    [{step.because}{mark(step, before)}]")
        before = step.options["where"]
    return "\n".join(lines)


def latex(expression):
    """Return LaTeX with room between rows of fractions."""
    found = sp.latex(expression, ln_notation=False)
    return re.sub(
        r"(?s)\\begin\{matrix\}.*?\\end\{matrix\}",
        lambda rows: rows[0].replace(r"\\", r"\\[4pt] ") if r"\frac" in rows[0] else rows[0],
        found,
    )


def sides(equation):
    """Return both sides of an equation."""
    return latex(equation.lhs), "= " + latex(equation.rhs)


def sign(step):
    """Return the sign that stands before a line."""
    return SIGNS.get(step.options.get("relation", step.kind), "=")


def _start_mark(chain):
    return ""


def mark(step, before=()):
    """Say by name what a step rests on beyond algebra."""
    return ""


def text(because):
    r"""Put words into ``\text`` and leave mathematics between dollars as it is."""
    pieces = because.split("$")
    if len(pieces) % 2 == 0:
        raise ValueError(f"because must have its dollars in pairs, got {because!r}")
    return "".join(piece if i % 2 else f"\\text{{{piece}}}" for i, piece in enumerate(pieces) if piece)
