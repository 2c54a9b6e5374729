"""Ties: symbols that identities bind to each other, so that one cannot rest while the other moves."""

from sympy.core.function import AppliedUndef

__all__ = ["reached", "tied", "tied_since"]


def _tying(given, moving):
    """Return the identities without those that tell what a function of something that moves is."""
    return [
        identity
        for identity in given
        if not (identity.has(AppliedUndef) and all(side.free_symbols & moving for side in identity.args))
    ]


def reached(given, symbols):
    """Return symbols and all to which identities tie them."""
    found = set(symbols)
    for _ in given:
        found |= {other for identity in given if identity.free_symbols & found for other in identity.free_symbols}
    return found


def tied_since(given, moved, line):
    """Say which symbol of an earlier line identities tie to one that moved there while the others rested, or return "".

    They leave the symbols of the line free if among their other symbols there is one to be eliminated by each identity.
    """
    names = reached(joined := _tying(given, moved), moved)
    joined = [identity for identity in joined if identity.free_symbols & names]
    rested = names & line.free_symbols - moved
    if rested and len(joined) > len(names - line.free_symbols - moved):
        names, moves = (", ".join(sorted(map(str, some))) for some in (rested, moved))
        return f"the identities tie {names} to {moves}, which moved before while the others rested"
    return ""


def tied(given, moving, line):
    """Say which symbol of a line is tied by identities to one that is to move while the others rest, or return "".

    What moves on both sides of an identity with an unknown function, as in f(x) = a x, tells what the function is, and
    ties nothing. What an identity has eliminated is in no line any more.
    """
    moved = set(moving)
    left = _tying(given, moving)
    while (found := next((identity for identity in left if identity.free_symbols & moved), None)) is not None:
        left.remove(found)
        sides = [side.free_symbols for side in found.args]
        more = [other - side for side, other in (sides, sides[::-1]) if side & moved]
        moved |= set().union(*more)
    if names := (moved - moving) & line.free_symbols:
        held, moves = (", ".join(sorted(map(str, some))) for some in (names, moving))
        return f"{held} cannot rest while {moves} moves, by the identities that were used"
    return ""
