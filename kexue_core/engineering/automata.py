"""Finite automata from shapes: minimal, walked in one pass; they recognize, count, rank and unrank their words."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from kexue_core import _checks

__all__ = ["Automaton", "build_automaton", "run_automaton", "path_counts", "rank_word", "unrank_word"]

Piece = tuple[str, int, "int | None"]


@dataclass(frozen=True)
class Automaton:
    """A deterministic automaton with the start 0; what no edge takes is refused.

    Attributes
    ----------
    edges : tuple of dict from str to int
        For each state the next one by character. From every state an accepting one can be reached.
    accepting : tuple of bool
        In which states a word may end.
    """

    edges: tuple[dict[str, int], ...]
    accepting: tuple[bool, ...]
    _kept: dict[str, list[int]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self):
        """Return the number of states, the dead one not among them."""
        return len(self.edges)


def build_automaton(shapes: Iterable[Iterable[Piece]]) -> Automaton:
    """Return the minimal automaton of all words that have one of the shapes.

    A piece ``(characters, low, high)`` is a run of ``low`` to ``high`` characters, each out of ``characters``; with
    ``high`` None it has no end. A shape is a sequence of pieces. States are numbered in the order of a breadth-first
    walk, smaller characters first.

    Parameters
    ----------
    shapes : iterable of iterable of (str, int, int or None)
        At least one.

    Returns
    -------
    automaton : Automaton
        With as few states as any deterministic automaton that accepts the same words: equal for equal languages.

    Raises
    ------
    ValueError, TypeError
        If there is no shape, a piece has no characters, or its numbers are not integers with ``0 <= low <= high``.

    References
    ----------
    .. [1] Hopcroft, Motwani and Ullman, "Introduction to Automata Theory, Languages, and Computation", sections 2.3
       (subsets) and 4.4 (minimal automata); Hopcroft, "An n log n algorithm for minimizing states in a finite
       automaton", Theory of Machines and Computations, 1971.

    Examples
    --------
    >>> ends_in_c = build_automaton([[("ab", 0, None), ("c", 1, 1)], [("b", 0, 2), ("c", 1, 1)]])
    >>> ends_in_c.edges, ends_in_c.accepting
    (({'a': 0, 'b': 0, 'c': 1}, {}), (False, True))
    """
    rows = _checks.iterable("shapes", shapes, "iterables of pieces")
    shapes = [[*map(_piece, _checks.iterable("shapes", row, "iterables of pieces"))] for row in rows]
    if not shapes:
        raise ValueError("shapes must not be empty, got none")
    start = _closure({(s, 0, 0) for s in range(len(shapes))}, shapes)
    subsets, number, edges = [start], {start: 0}, []
    for subset in subsets:  # grows while it is walked
        moves: dict[str, set] = {}
        for s, p, n in subset:
            if p < len(shapes[s]):
                characters, low, high = shapes[s][p]
                if high is None or n < high:
                    after = (s, p, min(n + 1, low) if high is None else n + 1)
                    for character in characters:
                        moves.setdefault(character, set()).add(after)
        found = {c: _closure(moves[c], shapes) for c in sorted(moves)}
        new = [after for after in dict.fromkeys(found.values()) if after not in number]
        number.update(zip(new, itertools.count(len(number))))
        subsets += new
        edges.append({c: number[after] for c, after in found.items()})
    accepting = [any(p == len(shapes[s]) for s, p, _ in subset) for subset in subsets]
    return _minimal(edges, accepting)


def run_automaton(automaton: Automaton, text: str) -> list[int]:
    """Return the states that the automaton passes, from 0 to where the text ends or the first character is refused.

    Parameters
    ----------
    automaton : Automaton
        Whose edges are followed.
    text : str
        Any.

    Returns
    -------
    states : list of int
        At most ``len(text) + 1``. The text is a word if there are that many and the last one is accepting.

    Raises
    ------
    TypeError
        If ``automaton`` is none, or ``text`` is not a string.

    References
    ----------
    .. [1] Hopcroft, Motwani and Ullman, "Introduction to Automata Theory, Languages, and Computation", section 2.2.

    Examples
    --------
    >>> run_automaton(build_automaton([[("ab", 0, None), ("c", 1, 1)]]), "abcb")
    [0, 0, 0, 1]
    """
    _checks.instance("automaton", automaton, Automaton)
    _checks.string("text", text)
    states = [0]
    for character in text:
        following = automaton.edges[states[-1]].get(character)
        if following is None:
            break
        states.append(following)
    return states


def path_counts(automaton: Automaton) -> list[int]:
    """Return for each state how many words lead from it to an end: for state 0 the size of the language.

    Parameters
    ----------
    automaton : Automaton
        Of a finite language.

    Returns
    -------
    counts : list of int
        At least 1 each. They solve ``count[s] = accepting[s] + sum of count[t] over the edges s -> t``.

    Raises
    ------
    ValueError
        If the language is infinite.

    References
    ----------
    .. [1] Stanley, "Enumerative Combinatorics", volume 1, section 4.7: the transfer-matrix method.

    Examples
    --------
    >>> path_counts(build_automaton([[("ab", 1, 2)]]))
    [6, 3, 1]
    """
    if "counts" not in _checks.instance("automaton", automaton, Automaton)._kept:
        before: list[list[int]] = [[] for _ in automaton.edges]
        for state, edges in enumerate(automaton.edges):
            for after in edges.values():
                before[after].append(state)
        counts, unknown = [0] * len(automaton), [len(edges) for edges in automaton.edges]
        known = [state for state, n in enumerate(unknown) if n == 0]
        for after in known:  # grows while it is walked
            counts[after] = automaton.accepting[after] + sum(counts[t] for t in automaton.edges[after].values())
            for state in before[after]:
                unknown[state] -= 1
                if not unknown[state]:
                    known.append(state)
        if len(known) < len(counts):
            raise ValueError("automaton must have finitely many words, got a cycle")
        automaton._kept["counts"] = counts
    return list(automaton._kept["counts"])


def rank_word(automaton: Automaton, word: str) -> int:
    """Return how many words come before this one in the order of a dictionary.

    Parameters
    ----------
    automaton : Automaton
        Of a finite language.
    word : str
        One of its words.

    Returns
    -------
    rank : int
        From 0 to the number of words less one; `unrank_word` inverts it.

    Raises
    ------
    ValueError, TypeError
        If the language is infinite, or ``word`` is not in it.

    References
    ----------
    .. [1] Lucchesi and Kowaltowski, "Applications of finite automata representing large vocabularies", Software:
       Practice and Experience 23(1), 1993: minimal perfect hashing.

    Examples
    --------
    >>> [rank_word(build_automaton([[("ab", 1, 2)]]), word) for word in ("a", "aa", "ab", "b", "ba", "bb")]
    [0, 1, 2, 3, 4, 5]
    """
    counts, states, rank = path_counts(automaton), run_automaton(automaton, word), 0
    if len(states) <= len(word) or not automaton.accepting[states[-1]]:
        raise ValueError(f"word must be accepted by the automaton, got {word!r:.60}")
    for state, character in zip(states, word):
        rank += automaton.accepting[state]
        rank += sum(counts[t] for c, t in automaton.edges[state].items() if c < character)
    return rank


def unrank_word(automaton: Automaton, rank: int) -> str:
    """Return the word before which ``rank`` others come.

    Parameters
    ----------
    automaton : Automaton
        Of a finite language.
    rank : int
        From 0 to the number of words less one.

    Returns
    -------
    word : str
        `rank_word` inverts it.

    Raises
    ------
    ValueError, TypeError
        If the language is infinite, or ``rank`` is not an integer in the range.

    References
    ----------
    .. [1] Lucchesi and Kowaltowski, "Applications of finite automata representing large vocabularies", Software:
       Practice and Experience 23(1), 1993.

    Examples
    --------
    >>> unrank_word(build_automaton([[("ab", 1, 2)]]), 4)
    'ba'
    """
    counts = path_counts(automaton)
    rank, state, word = _checks.integer("rank", rank, low=0, high=counts[0] - 1), 0, ""
    while rank or not automaton.accepting[state]:
        rank -= automaton.accepting[state]
        for character in sorted(automaton.edges[state]):
            following = automaton.edges[state][character]
            if rank < counts[following]:
                word, state = word + character, following
                break
            rank -= counts[following]
    return word


def _piece(piece):
    if not isinstance(piece, tuple | list) or len(piece) != 3:
        raise TypeError(f"shapes must hold pieces (characters, low, high), got {piece!r:.60}")
    characters, low, high = piece
    if not _checks.string("characters", characters):
        raise ValueError(f"characters must not be empty, got {piece}")
    low = _checks.integer("low", low, low=0)
    return characters, low, None if high is None else _checks.integer("high", high, low=low)


def _closure(items, shapes):
    """Return the positions with those behind pieces that may end."""
    found = set()
    for s, p, n in items:
        found.add((s, p, n))
        while p < len(shapes[s]) and n >= shapes[s][p][1]:
            p, n = p + 1, 0
            found.add((s, p, n))
    return frozenset(found)


def _minimal(edges, accepting):
    """Return the automaton of classes of states that no word tells apart: Hopcroft's refinement by the smaller half."""
    before: dict[str, dict[int, list[int]]] = {}
    for state, moves in enumerate(edges):
        for character, after in moves.items():
            before.setdefault(character, {}).setdefault(after, []).append(state)
    classes: list[set[int]] = [set(), set()]
    for state, end in enumerate(accepting):
        classes[end].add(state)
    names, waiting = [int(end) for end in accepting], [0, 1]
    while waiting:
        targets = tuple(classes[waiting.pop()])
        for sources in before.values():
            met: dict[int, set[int]] = {}
            for source in (s for t in targets for s in sources.get(t, ())):
                met.setdefault(names[source], set()).add(source)
            for name, part in met.items():
                small = part if 2 * len(part) <= len(classes[name]) else classes[name] - part
                if small:
                    classes[name] -= small
                    waiting.append(len(classes))
                    for state in small:
                        names[state] = len(classes)
                    classes.append(small)
    first = {names[state]: state for state in reversed(range(len(names)))}
    number = {name: i for i, name in enumerate(dict.fromkeys(names))}
    merged = tuple({c: number[names[t]] for c, t in edges[first[name]].items()} for name in number)
    return Automaton(merged, tuple(accepting[first[name]] for name in number))
