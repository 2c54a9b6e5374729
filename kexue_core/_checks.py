"""Checks of arguments that two or more modules share, so that their wording exists once."""

import numbers

import numpy as np


def finite_array(name, value, *, ndim=None):
    """Return ``value`` as a float array without NaN or infinity, not empty; ``ndim`` fixes the number of axes."""
    array = real_array(name, value, ndim=ndim)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)].flat[0]}")
    return array


def real_array(name, value, *, ndim=None):
    """Return ``value`` as a float array without NaN, not empty; infinities may stand in it."""
    try:
        array = np.asarray(value)
        if np.iscomplexobj(array):
            raise TypeError
        array = array.astype(float)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of real numbers, got {value!r}") from None
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} axes, got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if np.isnan(array).any():
        raise ValueError(f"{name} must not contain NaN, got {np.isnan(array).sum()} of them")
    return array


def complex_array(name, value):
    """Return ``value`` as a real or complex float array without NaN or infinity, not empty."""
    array = np.asarray(value)
    if not np.iscomplexobj(array):
        return finite_array(name, array)
    parts = finite_array(name, np.stack([array.real, array.imag]))
    return parts[0] + 1j * parts[1]


def integer(name, value, *, minimum):
    """Return ``value`` as an int that is at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")
    return int(value)


def positive(name, value):
    """Return ``value`` as a float that is positive and finite."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    if not 0 < value < np.inf:
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return float(value)


def choice(name, value, allowed):
    """Return ``value`` if it is one of ``allowed``."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def axis_last(x, axis):
    """Return the array ``x`` with ``axis`` moved to the end."""
    if x.ndim == 0:
        raise ValueError("x must have at least one axis, got shape ()")
    if integer("axis", axis, minimum=-x.ndim) >= x.ndim:
        raise ValueError(f"axis must be less than {x.ndim}, got {axis}")
    return np.moveaxis(x, axis, -1)


def shifted_logits(x, axis, tau):
    """Return ``(x - max) / tau`` with ``axis`` moved to the end, and ``max``."""
    x, tau = axis_last(real_array("x", x), axis), positive("tau", tau)
    top = x.max(axis=-1, keepdims=True)
    if not np.isfinite(top).all():
        raise ValueError(f"x must have a finite maximum in each slice, got {top[~np.isfinite(top)][0]}")
    with np.errstate(over="ignore"):  # a gap beyond the largest double is -inf, whose probability 0 is right
        return (x - top) / tau, top


def decreasing_times(times):
    """Return a schedule as a list of floats: at least two, positive, strictly decreasing."""
    times = finite_array("times", times, ndim=1)
    if len(times) < 2:
        raise ValueError(f"times must hold at least 2 values, got {len(times)}")
    if times.min() <= 0:
        raise ValueError(f"times must be positive, got {times.min()}")
    if (np.diff(times) >= 0).any():
        raise ValueError(f"times must be strictly decreasing, got {times}")
    return times.tolist()


def in_unit_interval(name, value):
    """Refuse an array with entries outside [0, 1]."""
    if value.min() < 0 or value.max() > 1:
        raise ValueError(f"{name} must lie in [0, 1], got {value[(value < 0) | (value > 1)][0]}")
