"""The table of paper addresses as JavaScript: for pages without Python, and for the browser extension."""

from __future__ import annotations

import json
from typing import Any

from kexue_core import _checks
from kexue_core.engineering._link_table import AUTOMATA, CLOSING, HOMES, HOSTS, READER, SITES, WORD
from kexue_core.engineering.automata import Automaton, path_counts

__all__ = ["paper_link_script"]


def paper_link_script(template: str = "const PAPER_LINKS = TABLE;") -> str:
    """Return JavaScript with the table in it that `links` reads: hosts, paths, automata, addresses.

    Parameters
    ----------
    template : str
        In which the word TABLE stands for the table.

    Returns
    -------
    script : str
        The table is an object without functions, in one line.

    Raises
    ------
    TypeError, ValueError
        If ``template`` is not a string, or does not hold TABLE.

    References
    ----------
    .. [1] kexue.fm/archives/9978: a redirecting extension in JavaScript.

    Examples
    --------
    >>> paper_link_script()[:40]
    'const PAPER_LINKS = {"hosts":{"arxiv.org'
    """
    if "TABLE" not in _checks.string("template", template):
        raise ValueError(f"template must hold TABLE, got {template!r:.60}")
    table: dict[str, Any] = {"hosts": HOSTS, "sites": SITES, "homes": HOMES, "reader": READER}
    table |= {"word": WORD, "closing": CLOSING}
    table["automata"] = {name: _packed(automaton, name == "new") for name, automaton in AUTOMATA.items()}
    return template.replace("TABLE", json.dumps(table, separators=(",", ":")))


def _packed(automaton: Automaton, counted: bool) -> dict:
    """Return edges by set of characters, the accepting states, and for finite languages that are ranked the counts."""
    edges = []
    for moves in automaton.edges:
        sets: dict[int, str] = {}
        for character, state in moves.items():
            sets[state] = sets.get(state, "") + character
        edges.append({characters: state for state, characters in sets.items()})
    accepting = [state for state, ends in enumerate(automaton.accepting) if ends]
    return {"edges": edges, "accepting": accepting} | ({"counts": path_counts(automaton)} if counted else {})
