"""Tables of numbers: of a chapter, and of an explorer at the stops that are shown, with a digest of all stops."""

import hashlib
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real

from kexue_core.notebook.checks import Estimate
from kexue_core.notebook.formats import format_number

__all__ = ["Table", "digest", "number_table", "shown_stops", "table"]

_SHORT = 25  # a slider of so many stops is shown whole
_THIN = 12
_COARSE = 1e-3  # two numbers differ for the digest if they differ by about a thousandth


@dataclass(frozen=True)
class Table:
    """Rows of text under their heads; a column of numbers stands at the right."""

    heads: tuple
    rows: tuple
    right: tuple

    def __str__(self):
        return _aligned([self.heads, *self.rows])

    __repr__ = __str__

    def _repr_mimebundle_(self, include=None, exclude=None):
        rule = ["--:" if right else ":--" for right in self.right]
        escaped = [[cell.replace("|", "\\|") for cell in row] for row in (self.heads, *self.rows)]
        lines = (f"| {' | '.join(cells)} |" for cells in (escaped[0], rule, *escaped[1:]))
        return {"text/plain": str(self), "text/markdown": "\n".join(lines)}


def table(columns):
    """Return columns side by side, as a chapter shows its numbers.

    Parameters
    ----------
    columns : dict
        From the head of a column, Markdown with ``$…$``, to its cells: numbers, estimates or strings, as many in each.

    Returns
    -------
    Table
        Numbers are written by `format_number`, with four significant digits. Give a string where it takes more.

    Raises
    ------
    TypeError
        If ``columns`` is no dict, or a cell is something else than a number, an estimate or a string.
    ValueError
        If there is no column, two have one head, the columns differ in length, or a number is NaN.

    Examples
    --------
    >>> table({"$L$": ["1k", "2k"], "smallest base": [4293.44, 11587.2]})
    $L$  smallest base
    1k   4293
    2k   11 590
    """
    if not isinstance(columns, Mapping):
        raise TypeError(f"columns must be a dict from heads to cells, got {columns!r}")
    cells = {str(head): list(column) for head, column in columns.items()}
    if len(cells) < len(columns):
        raise ValueError(f"columns must have different heads, got {[*map(str, columns)]}")
    sizes = {head: len(column) for head, column in cells.items()}
    if not sizes or len(set(sizes.values())) > 1:
        raise ValueError(f"columns must be at least one, of one length, got {sizes}")
    rows = zip(*([_cell(value) for value in column] for column in cells.values()))
    right = (not any(isinstance(value, str) for value in column) for column in cells.values())
    return Table(tuple(cells), tuple(rows), tuple(right))


def _cell(value):
    return str(value) if isinstance(value, Estimate) else format_number(value)


def shown_stops(controls):
    """Return the stops that the table shows, as tuples of values.

    Every stop of a short control with the others at their default; of a long one about twelve, evenly thinned, with
    its ends, its default and its landmarks; then the corners. Each combination once.

    Examples
    --------
    >>> from kexue_core.notebook.controls import Linear
    >>> [n for n, in shown_stops({"n": Linear("n", 0, 100, step=1, landmarks=[50])})]
    [0, 9, 18, 27, 36, 45, 50, 55, 64, 73, 82, 91, 100]
    """
    defaults = [control.default for control in controls.values()]
    chosen = [
        tuple(stop if j == i else default for j, default in enumerate(defaults))
        for i, control in enumerate(controls.values())
        for stop in _thinned(control)
    ]
    chosen += itertools.product(*((control.stops[0], control.stops[-1]) for control in controls.values()))
    return list(dict.fromkeys(chosen))


def _thinned(control):
    if len(control.stops) <= _SHORT:
        return control.stops
    last = len(control.stops) - 1
    kept = {round(i * last / (_THIN - 1)) for i in range(_THIN)}
    kept |= {control.stops.index(stop) for stop in (control.default, *control.landmarks)}
    return [control.stops[index] for index in sorted(kept)]


def number_table(controls, rows, names):
    """Return the numbers as text: ``rows`` of (values of the controls, numbers)."""
    cells = [(*controls, "│", *names)]
    for values, numbers in rows:
        shown = [control.names[control.stops.index(value)] for control, value in zip(controls.values(), values)]
        cells.append((*shown, "│", *map(format_number, numbers)))
    return _aligned(cells)


def _aligned(cells):
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells)
    return "\n".join(lines).replace("  │  ", " │ ")


def digest(columns):
    """Return a few letters for each column of numbers that change when one of its numbers does.

    Rounding alone would not do: a number that lies between two roundings (1234.5 to four digits) falls to either side
    by the last bit, which differs from machine to machine. So the steps of rounding are about a thousandth wide, are
    shifted by another pseudo-random amount for each row, and are linear below 1e-9, where 0 and its dust are one. A
    relative error of 1e-12 then changes the digest of a thousand numbers with a probability of 2e-6, and a change by
    two thousandths of any number is seen. Whole numbers and text count as they are.

    Examples
    --------
    >>> digest([[1234.5, 0.0]]) == digest([[1234.5 * (1 + 1e-15), 1e-17]])
    True
    >>> digest([[1234.5, 0.0]]) == digest([[1236.5, 0.0]])
    False
    """
    return [
        hashlib.sha256("|".join(map(_step, itertools.count(), column)).encode()).hexdigest()[:6] for column in columns
    ]


def _step(row, value):
    if isinstance(value, str | bool | Integral) or not isinstance(value, Real) or not math.isfinite(value):
        return format_number(value)
    shift = math.modf((row + 1) * 0.6180339887498949)[0]
    return str(math.floor(math.asinh(float(value) / 1e-9) / _COARSE + shift))
