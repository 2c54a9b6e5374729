r"""The copy of each formula that screen readers read: elements that take two or three parts have no more.

KaTeX writes ``\max`` as a name and an invisible sign "apply function". As the index of $n_{\max}$ these are two parts
where one is allowed, and a browser throws the formula away.
"""

import re

__all__ = ["repaired"]

PARTS = {"msub": 2, "msup": 2, "mfrac": 2, "mover": 2, "munder": 2, "mroot": 2, "msubsup": 3, "munderover": 3}
APPLY = "<mo>\u2061</mo>"


def setup(app):
    """Repair the formulas of every page."""
    app.connect("html-page-context", repair, priority=960)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def repair(app, pagename, templatename, context, doctree):
    """Do it in the text of a page."""
    if APPLY in context.get("body", ""):
        context["body"] = re.sub(r"<math\b.*?</math>", lambda match: repaired(match[0]), context["body"], flags=re.S)


def repaired(formula):
    """Return a formula in MathML without the signs "apply function" that stand where a part is counted.

    Examples
    --------
    >>> repaired("<msub><mi>n</mi><mi>max</mi><mo>\u2061</mo></msub>")
    '<msub><mi>n</mi><mi>max</mi></msub>'
    """
    written, above = [], [""]
    for token in re.split(rf"({APPLY}|<[^>]+>)", formula):
        name = re.match(r"</?(\w+)", token)
        if token == APPLY:
            token = "" if above[-1] in PARTS else token
        elif token.startswith("</"):
            above.pop()
        elif name and not token.endswith("/>"):
            above.append(name[1])
        written.append(token)
    return "".join(written)
