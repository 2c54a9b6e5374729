"""Alternative texts: what is seen, with the numbers of the stop in place of names in braces.

Unlike a format string of Python, a name may hold any letters (``{n F·P, 50 %}``); a brace itself is written twice.
`extensions/static/explorer.js` fills them in the same way.
"""

import re

__all__ = ["fill", "named"]

_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def named(alt):
    """Return the names in the braces of an alternative text.

    Raises
    ------
    ValueError
        If it is empty, or a brace stands alone.

    Examples
    --------
    >>> sorted(named("Base {base} of the set {{1, 2}} gives {n F·P}."))
    ['base', 'n F·P']
    """
    if not (isinstance(alt, str) and alt.strip()):
        raise ValueError(f"alt must say what is seen, got {alt!r}")
    fields = list(_FIELD.finditer(alt))
    if any(field[0] in ("{", "}") for field in fields):
        raise ValueError(f"alt must have its braces in pairs (a brace itself is written twice), got {alt!r}")
    return {field[1] for field in fields if field[1] is not None}


def fill(alt, known):
    """Return the text with what is known in place of the names.

    Examples
    --------
    >>> fill("Base {base} of the set {{1, 2}}.", {"base": "5000"})
    'Base 5000 of the set {1, 2}.'
    """
    return _FIELD.sub(lambda field: field[0][0] if field[1] is None else known[field[1]], alt)
