"""How a derivation looks: one aligned block of LaTeX that fits the column of a page, and plain text.

Beside or below each line stand its reason and, in brackets, all that it rests on: identities, conditions, laws, the
operation on both sides, the side of a limit. The last row tells the assumptions on the symbols.
"""

import re

import sympy as sp

from kexue_core.notebook.laws import Uncorrelated
from kexue_core.notebook.laws import symbols as random_symbols
from kexue_core.notebook.limits import sides_of

__all__ = ["aligned", "plain", "width"]

_PLAIN = {r"\overset{\mathbb E}{=}": "mean =", r"\le": "≤", r"\ge": "≥", r"\longrightarrow": "→", r"\doteq": "≈"}
_SIGNS = {
    "mean": r"\overset{\mathbb E}{=}",
    "limit": r"\longrightarrow",
    "numeric": r"\doteq",
    "<=": r"\le",
    ">=": r"\ge",
}
_ROOM = 66  # characters of mathematics that fit into one row of a page


def aligned(chain):
    """Return the chain as one aligned block; the reasons stand beside the lines, or below them where room is short."""
    rows = []
    equation = isinstance(chain.start, sp.Eq)
    for line, sign, pieces in _lines(chain):
        if equation:
            left, right = _latex(line.lhs), "= " + _latex(line.rhs)
        elif rows or chain.name is None:
            left, right = "", f"{sign} {_latex(line)}".strip()
        else:
            left = chain.name if isinstance(chain.name, str) else sp.latex(chain.name)
            right = "= " + _latex(line)
        rows.append((left, right, pieces))
    known = [_math(assumption) for assumption in assumptions(chain)]
    columns = [max(map(width, column)) for column in zip(*((left, right) for left, right, _ in rows))]
    room = _ROOM - sum(columns) - 3
    reasons = [_beside(pieces) for *_, pieces in rows]
    scope = _packed(known, room, r",\ ", r"\text{for }")
    if max(map(width, reasons + scope)) <= room:
        body = [f"{left} &{right} && {reason}" for (left, right, _), reason in zip(rows, reasons)]
        body += [f"& && {row}" for row in scope]
    else:
        body = []
        for left, right, pieces in rows:
            body.append(f"{left} &{right}")
            body += [rf"&\quad {row}" for row in _packed([_text(piece) for piece in pieces], _ROOM - columns[0])]
        body += [rf"&\quad {row}" for row in _packed(known, _ROOM - columns[0], r",\ ", r"\text{for }")]
    joined = " \\\\[4pt]\n".join(body)
    return f"$$\\begin{{aligned}}\n{joined}\n\\end{{aligned}}$$"


def plain(chain):
    """Return the chain as text, one line for each step."""
    rows = []
    for line, sign, pieces in _lines(chain):
        because, *marks = pieces or [""]
        reason = because + (f" ({'; '.join(marks)})" if marks else "")
        sign = _PLAIN.get(sign, sign) + " " if rows else ""
        line = f"{line.lhs} = {line.rhs}" if isinstance(line, sp.Eq) else f"{sign}{line}"
        rows.append(line + (f"    [{reason.strip()}]" if reason else ""))
    known = assumptions(chain)
    return "\n".join(rows + ([f"for {', '.join(known)}"] if known else []))


def _lines(chain):
    """Yield for each line its expression, its sign and the pieces of its reason."""
    first = [f"for ${sp.latex(condition)}$" for condition in chain.where]
    first += [f"for all ${', '.join(map(sp.latex, chain.for_all))}$"] if chain.for_all else []
    yield chain.start, "", _nonempty([chain.because, *first])
    before = chain.where
    for step in chain.steps:
        sign = _SIGNS.get(step.options.get("relation", step.kind), "=")
        yield step.new, sign, _nonempty([step.because, *_marks(step, before)])
        before = step.options["where"]


def _nonempty(pieces):
    because, *marks = pieces
    return [because, *marks] if because or marks else []


def _marks(step, before):
    """Say by name what a step rests on beyond algebra."""
    options, marks = step.options, []
    if step.kind == "limit":
        marks.append(f"limit ${_tends(options['var'], options['to'], options['direction'])}$")
    if step.kind == "series":
        distance = _latex(options["var"] - options["about"])
        distance = distance if options["about"] == 0 else f"({distance})"
        tends = _tends(options["var"], options["about"], options["direction"])
        power = "" if options["order"] == 1 else f"^{{{options['order']}}}"
        marks.append(f"up to $O({distance}{power})$" + (f" as ${tends}$" if tends[-1] in "+-" else ""))
    if step.kind == "numeric":
        count = len(options["at"])
        within = f" within {options['atol']} absolute" if options["atol"] is not None else ""
        marks.append(f"checked numerically at {count} point{'s' if count > 1 else ''}{within}, not proved")
    if step.kind == "mean":
        marks += _laws(options["over"])
    marks += _operation(options)
    if options.get("given"):
        marks.append("given " + ", ".join(f"${_latex(identity)}$" for identity in options["given"]))
    marks += step.notes
    fresh = [condition for condition in options["where"] if condition not in before]
    if fresh:
        marks.append("for " + ", ".join(f"${sp.latex(condition)}$" for condition in fresh))
    return marks


def _tends(var, to, direction):
    side = sides_of(var, to, direction)
    to_latex = _latex(to) if to.is_Atom else f"({_latex(to)})"
    one_sided = f"^{{{side}}}" if to.is_finite is not False and len(side) == 1 else ""
    return f"{_latex(var)} \\to {to_latex}" + (f"^{side}" if one_sided else "")


def _laws(over):
    """Name the laws of random symbols, and how they hang together."""
    found = []
    for law in over:
        inner = list(law) if isinstance(law, Uncorrelated) else [law]
        found += [f"${one._latex()}$" for one in inner]
        found += ["uncorrelated"] if isinstance(law, Uncorrelated) else []
    return [f"mean over {found[0]}", *found[1:], *(["independent"] if len(over) > 1 else [])]


def _operation(options):
    """Name the operation on both sides of an equation."""
    words = {
        "add": lambda e: f"add ${_latex(e)}$ on both sides",
        "multiply": lambda e: f"times ${_latex(e)}\\ne0$",
        "divide": lambda e: f"divide by ${_latex(e)}\\ne0$",
        "apply": lambda name: f"{name} of both sides, one-to-one",
        "differentiate": lambda x: f"differentiate the identity in ${_latex(x)}$",
        "integrate": lambda e: (
            f"integrate the identity over ${_latex(e[0])}$ from ${_latex(e[1])}$ to ${_latex(e[2])}$"
        ),
        "substitute": lambda pairs: "in the identity put " + ", ".join(f"${_latex(sp.Eq(*p))}$" for p in pairs),
    }
    return [words[key](value) for key, value in options.items() if key in words]


_KINDS = (
    ("positive", "{}>0"),
    ("negative", "{}<0"),
    ("nonnegative", r"{}\ge0"),
    ("nonpositive", r"{}\le0"),
    ("real", r"{}\in\mathbb R"),
)


def assumptions(chain):
    """Return the assumptions on the free symbols of a chain, symbols of one kind together, each as ``$…$``."""
    lines = [chain.start, *(step.new for step in chain.steps)]
    lines += [identity for step in chain.steps for identity in step.options.get("given", ())]
    symbols = set().union(*(line.free_symbols for line in lines))
    random = {s for step in chain.steps if step.kind == "mean" for s in random_symbols(step.options["over"])}
    groups = {}
    for symbol in sorted(symbols - random, key=lambda symbol: sp.default_sort_key(symbol)):
        kind = next((kind for fact, kind in _KINDS if getattr(symbol, f"is_{fact}", None)), "")
        if getattr(symbol, "is_integer", False):
            kind = {"{}>0": r"{}=1,2,\dots", r"{}\ge0": r"{}=0,1,2,\dots"}.get(kind, r"{}\in\mathbb Z")
        if kind:
            groups.setdefault(kind, []).append(sp.latex(symbol))
    return [f"${kind.format(', '.join(names))}$" for kind, names in groups.items()]


def _beside(pieces):
    if not pieces:
        return ""
    because, *marks = pieces
    return _text(because + (f" ({'; '.join(marks)})" if marks else ""))


def _packed(pieces, room, between=r"\text{; }", first=""):
    """Join pieces into rows that fit."""
    rows = []
    for piece in pieces:
        if rows and width(rows[-1] + between + piece) <= room:
            rows[-1] += between + piece
        elif piece:
            rows.append((first if not rows else "") + piece)
    return rows


def _math(piece):
    return piece.strip("$")


def _text(because):
    r"""Put words into ``\text`` and leave mathematics between dollars as it is."""
    pieces = because.split("$")
    if len(pieces) % 2 == 0:
        raise ValueError(f"because must have its dollars in pairs, got {because!r}")
    return "".join(piece if i % 2 else f"\\text{{{piece}}}" for i, piece in enumerate(pieces) if piece)


def _latex(expression):
    """Return LaTeX with room between rows of fractions."""
    found = sp.latex(expression, ln_notation=False)
    return re.sub(
        r"(?s)\\begin\{matrix\}.*?\\end\{matrix\}",
        lambda rows: rows[0].replace(r"\\", r"\\[4pt] ") if r"\frac" in rows[0] else rows[0],
        found,
    )


_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|[{}^_]|\s+|.", re.S)
_WIDE = {r"\quad": 2, r"\longrightarrow": 3, r"\operatorname": 0, r"\mathrm": 0, r"\left": 0, r"\right": 0, r"\,": 0.3}


def width(latex):
    """Estimate how wide LaTeX is typeset, in characters of mathematics."""
    latex = re.sub(r"\\(begin|end)\{[a-z]+\}(\{[a-z|]*\})?|\\\\(\[\w+\])?", "", latex)
    return _width(_TOKEN.findall(latex))


def _width(tokens):
    total, place = 0.0, 0
    while place < len(tokens):
        token = tokens[place]
        place += 1
        if token == "{":
            inner, place = _group(tokens, place - 1)
            total += _width(inner)
        elif token in (r"\frac", r"\tfrac", r"\dfrac"):
            top, place = _group(tokens, place)
            bottom, place = _group(tokens, place)
            total += max(_width(top), _width(bottom)) + 0.5
        elif token == r"\text":
            inner, place = _group(tokens, place)
            words = "".join(inner)
            total += 0.8 * len(words)
        elif token in "^_":
            inner, place = _group(tokens, place)
            total += 0.7 * _width(inner)
        elif token.isspace() or token in "{}&":
            continue
        elif token in "+-=<>" or token in (r"\le", r"\ge", r"\ne", r"\neq", r"\sim", r"\to", r"\in", r"\doteq"):
            total += 2
        elif token.startswith("\\") and token[1:].isalpha():
            named = token[1:] in ("log", "exp", "sin", "cos", "tan", "cosh", "sinh", "tanh", "max", "min")
            total += _WIDE.get(token, len(token) - 1 if named else 1)
        else:
            total += _WIDE.get(token, 1)
    return total


def _group(tokens, place):
    """Return the tokens of the group or the single token at a place, and the place behind it."""
    while place < len(tokens) and tokens[place].isspace():
        place += 1
    if place >= len(tokens) or tokens[place] != "{":
        return tokens[place : place + 1], place + 1
    depth, end = 0, place
    for end in range(place, len(tokens)):
        depth += {"{": 1, "}": -1}.get(tokens[end], 0)
        if depth == 0:
            break
    return tokens[place + 1 : end], end + 1
