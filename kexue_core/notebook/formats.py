"""How numbers are written: few digits, the same on every machine."""

import math
import numbers

import numpy as np

__all__ = ["format_estimate", "format_number"]


def format_number(value, digits=4):
    """Write a number with ``digits`` significant digits, or pass a string through.

    Parameters
    ----------
    value : bool, int, float or str
        numpy scalars are welcome.
    digits : int
        Significant digits of a float; integers are written in full.

    Returns
    -------
    str
        Thousands are set apart by a narrow space; below 1e-4 and from 1e7 on, floats take an exponent.

    Raises
    ------
    ValueError
        If ``value`` is NaN.
    TypeError
        If ``value`` is something else, an array for example.

    Examples
    --------
    >>> format_number(0.123456), format_number(2.0), format_number(True), format_number(3.21e-9)
    ('0.1235', '2', 'yes', '3.21e-9')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return _group(str(int(value)))
    if not isinstance(value, numbers.Real):
        raise TypeError(f"value must be a number or a string, got {value!r}")
    value = float(value)
    if math.isnan(value):
        raise ValueError("value must not be NaN, got nan")
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    exponent = int(exponent)
    if -5 < exponent < 7:
        text = f"{value:.{max(digits - 1 - exponent, 0)}f}"
        if exponent >= digits:
            text = str(round(float(f"{value:.{digits - 1}e}")))
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return _group(text.replace("-", "−"))
    mantissa = mantissa.rstrip("0").rstrip(".").replace("-", "−")
    return f"{mantissa}e{exponent}"


def _group(text):
    head, dot, tail = text.partition(".")
    sign, head = ("−", head[1:]) if head[:1] in "-−" else ("", head)
    if len(head) > 4:
        head = f"{int(head):,}".replace(",", "\u202f")
    return sign + head + dot + tail


def format_estimate(mean, error):
    """Write a mean with its error, both to the digits that the error leaves.

    Parameters
    ----------
    mean, error : float
        Finite; ``error >= 0``. The error keeps one significant digit, and two if the first one is 1.

    Returns
    -------
    str
        Below 1e-4 and from 1e7 on, both stand before one common power of ten.

    Raises
    ------
    ValueError
        If one is not finite, or the error is negative.

    Examples
    --------
    >>> format_estimate(0.20617, 0.00068), format_estimate(-12346.0, 132.0), format_estimate(1.5e-9, 2e-11)
    ('0.2062 ± 0.0007', '−12\u202f350 ± 130', '(1.50 ± 0.02)e-9')
    """
    if not (math.isfinite(mean) and math.isfinite(error) and error >= 0):
        raise ValueError(f"mean and error must be finite, and error >= 0, got {mean} and {error}")
    if error == 0:
        return f"{format_number(float(mean))} ± 0"
    digits, exponent = f"{error:.1e}".split("e")
    place = int(exponent) - digits.startswith("1")  # of the last digit that is written
    size = max(abs(mean), error)
    power = math.floor(math.log10(size))
    shift = 0 if -5 < power < 7 else power
    places = max(shift - place, 0)
    texts = [f"{round(value / 10.0**place) * 10.0 ** (place - shift):.{places}f}" for value in (mean, error)]
    text = " ± ".join(_group(one if float(one) else one.lstrip("-")) for one in texts)
    return f"({text})e{shift}" if shift else text
