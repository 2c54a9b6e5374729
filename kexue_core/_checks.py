"""The doors: what every function asks of its arguments and of its results, in one wording each.

Everything computes in float64, complex128 where complex numbers are meant. Real numbers of any type come in, float16 to
longdouble, integers, booleans, and are rounded to it once; the results are float64 (sizes int64, masks bool). Refused
are what is no number (strings, dates, None), masked arrays, whose mask would be lost, and integers that float64 does
not hold. NaN never enters; infinity enters where a docstring says so, and neither leaves. A batch may be empty, what
is computed for each of its members may not. An array without axes counts as a number, and a number comes back as one.

Each check returns the checked value; an array may be the caller's own, so that nothing is ever written into it. Squares
of very large and very small numbers are a matter of units: `binary_exponent` finds them.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KINDS = {
    "real": ("biuf", "real numbers", float),
    "complex": ("biufc", "numbers", complex),
    "integer": ("iu", "integers", np.int64),
    "boolean": ("b", "booleans", bool),
}


def array(
    name: str,
    value: Any,
    *,
    kind: str = "real",
    ndim: int | None = None,
    core: int = 0,
    last: int | None = None,
    shape: tuple[int, ...] | None = None,
    low: float | None = None,
    high: float | None = None,
    open: str = "",
    finite: bool | None = True,
) -> NDArray[Any]:
    """Return ``value`` as an array of float64, or by ``kind`` of complex128 (if it is complex), int64 or bool.

    ``ndim`` axes in all, or at least ``core`` of which the last ``core`` are not empty; ``last`` is the length of the
    last one, ``shape`` fixes all. Entries lie between ``low`` and ``high``; ``open`` names the ends that are left out,
    "low", "high" or "both". ``finite=False`` lets infinity in; ``None`` leaves NaN and infinity to `result`.
    """
    array = _convert(name, value, kind)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {_axes(ndim)}, got shape {array.shape}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got shape {array.shape}")
    if array.ndim < core:
        raise ValueError(f"{name} must have at least {_axes(core)}, got shape {array.shape}")
    if core and 0 in array.shape[-core:]:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if last is not None and array.shape[-1:] != (last,):
        raise ValueError(f"{name} must have a last axis of length {last}, got shape {array.shape}")
    if finite is not None and array.dtype.kind in "fc" and not np.isfinite(array).all():
        if (nan := np.isnan(array)).any():
            raise ValueError(f"{name} must not contain NaN, got {nan.sum()} of them")
        if finite:
            raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)].flat[0]}")
    if low is not None or high is not None:
        wrong = _outside(array, low, high, open)
        if wrong.any():
            raise ValueError(f"{name} must {_interval(low, high, open)}, got {array[wrong].flat[0]}")
    return array


def number(
    name: str,
    value: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    open: str = "",
    finite: bool = True,
) -> float:
    """Return ``value``, a number or an array without axes, as a float; the bounds are those of `array`."""
    value = _scalar(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {_short(value)}")
    x = float(value) if isinstance(value, float) else float(_convert(name, value, "real"))
    if x != x or (finite and abs(x) == np.inf):
        raise ValueError(f"{name} must be {'finite' if finite else 'a number'}, got {x}")
    if _outside(x, low, high, open):
        raise ValueError(f"{name} must {_interval(low, high, open)}, got {x}")
    return x


def integer(name: str, value: Any, *, low: int = -(2**63), high: int = 2**63 - 1) -> int:
    """Return ``value``, an integer or an integer array without axes, as an int; by default one that int64 holds."""
    value = _scalar(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {_short(value)}")
    if value < low:
        raise ValueError(f"{name} must be at least {low}, got {_short(value)}")
    if value > high:
        raise ValueError(f"{name} must be at most {_short(high)}, got {_short(value)}")
    return int(value)


def choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """Return the string ``value`` if it is one of ``allowed``."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {_short(value)}")
    return value


def instance(name: str, value: Any, kind: type) -> Any:
    """Return ``value`` if it is of a class."""
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise TypeError(f"{name} must be {article} {kind.__name__}, got {_short(value)}")
    return value


def function(name: str, value: Any) -> Callable[..., Any]:
    """Return ``value`` if it can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {_short(value)}")
    return value


def iterable(name: str, value: Any, of: str) -> Iterable[Any]:
    """Return ``value`` if it goes through entries one after the other, and is neither one string nor a mapping."""
    if isinstance(value, str | Mapping) or not np.iterable(value):
        raise TypeError(f"{name} must be an iterable of {of}, got {_short(value)}")
    return value


def generator(name: str, value: Any) -> np.random.Generator:
    """Return ``value`` if it is a random generator of numpy."""
    if not isinstance(value, np.random.Generator):
        raise TypeError(f"{name} must be a numpy.random.Generator, got {_short(value)}")
    return value


def string(name: str, value: Any) -> str:
    """Return ``value`` if it is a string."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {_short(value)}")
    return value


def distribution(name: str, value: Any, *, positive: bool = False, **options: Any) -> NDArray[np.float64]:
    """Return probabilities along the last axis: not negative, with sum 1 within the rounding of their own type."""
    p = array(name, value, core=1, low=0, open="low" if positive else "", **options)
    own = getattr(value, "dtype", p.dtype)
    rounding = np.finfo(own).eps if own.kind == "f" else np.finfo(float).eps
    sums = p.sum(axis=-1)
    wrong = np.abs(sums - 1) > max(1e-9, 2 * rounding * p.shape[-1] ** 0.5)
    if wrong.any():
        raise ValueError(f"{name} must have the sum 1, got {sums[wrong].flat[0]}")
    return p


def top_k(name: str, value: Any, k: Any, **options: Any) -> tuple[NDArray[np.float64], int]:
    """Return scores ``(..., n)`` and the number to take of each row, which has so many finite scores and no ``inf``."""
    scores = array(name, value, **{"core": 1, **options}, finite=None)
    k = integer("k", k, low=1, high=scores.shape[-1])
    if not np.isfinite(scores).all():
        array(name, scores, finite=False)
        if (scores == np.inf).any():
            raise ValueError(f"{name} must not hold inf, got inf")
        if (few := np.isfinite(scores).sum(axis=-1).min()) < k:
            raise ValueError(f"{name} must have at least k = {k} finite entries in each row, got {few}")
    return scores, k


def broadcast(*named: tuple[str, NDArray[Any], int]) -> tuple[int, ...]:
    """Return the common shape of arrays, each given with its name and the number of last axes that do not take part."""
    try:
        return np.broadcast_shapes(*(array.shape[: array.ndim - core] for _, array, core in named))
    except ValueError:
        names, shapes = _listed(name for name, *_ in named), _listed(str(a.shape) for _, a, _ in named)
        where = "their leading axes" if any(core for *_, core in named) else "all axes"
        raise ValueError(f"{names} must broadcast in {where}, got shapes {shapes}") from None


def result(value: Any, *names: str, **inputs: Any) -> Any:
    """Return a result, a number if it has no axes, after refusing NaN and infinity in it.

    The blame is on the arguments ``names``; or on those of ``inputs`` that are not finite, or on all of them together.
    """
    if not np.isfinite(value).all():
        for name, argument in inputs.items():
            array(name, argument, kind="complex")
        worst = value[~np.isfinite(value)].flat[0]
        raise ValueError(f"{_listed(names or inputs)} must keep the result finite, got {worst}")
    return value[()]


def binary_exponent(*arrays: NDArray[Any], axis: tuple[int, ...] | None = None) -> NDArray[np.int32]:
    """Return the ``e`` with ``2^(e-1) <= max |x| < 2^e`` over all arrays, 0 if all are zero.

    Along ``axis`` the maximum is taken for each batch, and the axes stay with length 1. Squares of ``np.ldexp(x, -e)``
    do not overflow, nor vanish beside the largest, and the scaling changes no digit. No check: infinity may be in them.
    """
    largest = [np.abs(x).max(axis=axis, keepdims=axis is not None, initial=0) for x in arrays]
    return np.frexp(reduce(np.maximum, largest))[1]


def _convert(name, value, kind):
    kinds, what, dtype = _KINDS[kind]
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array, got {_short(value)}")
    try:
        array = np.asarray(value)
    except ValueError:  # rows of unequal length
        raise TypeError(f"{name} must be an array of {what}, got {_short(value)}") from None
    if array.dtype.kind == "O":
        array = _numbers(name, array, what)
    if array.size == 0 and array.dtype == float:  # [] has no type of its own
        return array.astype(dtype if kind in ("integer", "boolean") else float)
    if array.dtype.kind not in kinds:
        got = f"dtype {array.dtype}" if array.ndim else _short(value)
        raise TypeError(f"{name} must be an array of {what}, got {got}")
    if kind == "boolean":
        return array
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        big = array[(array > 2**53) | (array < -(2**53))].tolist()
        if kind == "integer":
            lost = [i for i in big if not -(2**63) <= i < 2**63]
        else:
            lost = [i for i in big if int(float(i)) != i]
        if lost:
            raise ValueError(f"{name} must hold integers that {np.dtype(dtype)} represents, got {lost[0]}")
    if kind != "complex" or array.dtype.kind != "c":
        dtype = np.int64 if kind == "integer" else float
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore"):  # a longdouble beyond float64 becomes infinite, which is refused as such
        return array.astype(dtype, copy=False)


def _numbers(name, array, what):
    """Return an array of Python objects as floats if each is a real number that float holds (Fraction, large int)."""
    for entry in array.flat:
        if isinstance(entry, bool | np.bool_) or not isinstance(entry, numbers.Real):
            raise TypeError(f"{name} must be an array of {what}, got {_short(entry)}")
        if isinstance(entry, numbers.Integral) and (abs(entry) >= 2**1024 or int(float(entry)) != entry):
            raise ValueError(f"{name} must hold integers that float64 represents, got {_short(entry)}")
    return array.astype(float)


def _scalar(value):
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _outside(array, low, high, open):
    below = low is not None and (array <= low if open in ("low", "both") else array < low)
    above = high is not None and (array >= high if open in ("high", "both") else array > high)
    return below | above


def _interval(low, high, open):
    left, right = open in ("low", "both"), open in ("high", "both")
    if high is None:
        if low == 0:
            return "be positive" if left else "not be negative"
        return f"be above {low:g}" if left else f"be at least {low:g}"
    if low is None:
        return f"be below {high:g}" if right else f"be at most {high:g}"
    return f"lie in {'(' if left else '['}{low:g}, {high:g}{')' if right else ']'}"


def _listed(words):
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _axes(n):
    return f"{n} {'axis' if n == 1 else 'axes'}"


def _short(value):
    """Return the repr on one line of at most 80 characters; of an integer that is longer, its size."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"an integer of {value.bit_length()} bits"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."
