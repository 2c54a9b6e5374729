r"""The copy of each formula that screen readers read: elements hold what they may hold.

KaTeX writes ``\max`` as a name and an invisible sign "apply function". As the index of $n_{\max}$ these are two parts
where one is allowed, and a browser throws the formula away. An ``\overset{E}{=}`` becomes an operator with elements in
it, where only text is allowed.
"""

import re

__all__ = ["repaired"]

PARTS = {"msub": 2, "msup": 2, "mfrac": 2, "mover": 2, "munder": 2, "mroot": 2, "msubsup": 3, "munderover": 3}
TEXTS = {"mi", "mn", "mo", "mtext"}
APPLY = "<mo>\u2061</mo>"


def setup(app):
    """Repair the formulas of every page."""
    app.connect("html-page-context", repair, priority=960)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def repair(app, pagename, templatename, context, doctree):
    """Do it in the text of a page."""
    if "<math" in context.get("body", ""):
        context["body"] = re.sub(r"<math\b.*?</math>", lambda match: repaired(match[0]), context["body"], flags=re.S)


def repaired(formula):
    """Return a formula in MathML whose elements have as many parts as they take, and no element inside a text.

    Examples
    --------
    >>> repaired("<msub><mi>n</mi><mi>max</mi><mo>\u2061</mo></msub>")
    '<msub><mi>n</mi><mi>max</mi></msub>'
    >>> repaired("<mo><mover><mo>=</mo><mi>E</mi></mover></mo>")
    '<mrow><mover><mo>=</mo><mi>E</mi></mover></mrow>'
    """
    written, above = [], [("", 0)]  # the elements that are open, and where they were opened
    for token in re.split(rf"({APPLY}|<[^>]+>)", formula):
        name = re.match(r"</?(\w+)", token)
        if token == APPLY:
            token = "" if above[-1][0] in PARTS else token
        elif token.startswith("</"):
            token = f"</{above.pop()[0]}>"
        elif name:
            if above[-1][0] in TEXTS:
                written[above[-1][1]], above[-1] = "<mrow>", ("mrow", above[-1][1])
            if not token.endswith("/>"):
                above.append((name[1], len(written)))
        written.append(token)
    return "".join(written)
