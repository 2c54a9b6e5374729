"""Two learning rates for the factors of a low-rank adapter (LoRA+): which ratio balances them.

An adapter adds ``X A B`` to the output of a layer: ``A`` (n, r) touches the input, ``B`` (r, m) the output, the rank r
is small. In the papers the vectors are columns, so their ``B A`` is the transpose of ``A B`` here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = [
    "LoraPair",
    "LoraRun",
    "lora_gradients",
    "output_changes",
    "balanced_lr_ratio",
    "lr_ratio_theory",
    "aligned_lr_ratio",
    "train_lora",
]

Array = NDArray[np.float64]


class LoraPair(NamedTuple):
    """What belongs to the factor ``A`` and what belongs to ``B``."""

    a: Array
    b: Array


class LoraRun(NamedTuple):
    """What a training shows before every step, arrays ``(runs, steps + 1)``; of the gradients ``(runs, steps)``."""

    error: Array
    norm_a: Array
    norm_b: Array
    std_a: Array
    std_b: Array


def lora_gradients(x: ArrayLike, a: ArrayLike, b: ArrayLike, grad_y: ArrayLike) -> LoraPair:
    """Return the gradients ``X^T G B^T`` and ``A^T X^T G`` of a loss whose gradient at the output is ``G``.

    Never forms an n x m matrix: the cost is ``O(batch r (n + m))``.

    Parameters
    ----------
    x : (..., batch, n) array_like
        Inputs, a row each.
    a : (..., n, r) array_like
    b : (..., r, m) array_like
    grad_y : (..., batch, m) array_like
        Gradient of the loss with respect to the output ``X A B``.

    Returns
    -------
    LoraPair
        ``(..., n, r)`` and ``(..., r, m)``. Linear in ``grad_y``.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10001, result 5; arXiv:2402.12354.

    Examples
    --------
    >>> grads = lora_gradients([[1.0, 2.0]], [[1.0], [1.0]], [[3.0, 0.0]], [[1.0, 1.0]])
    >>> grads.a.tolist(), grads.b.tolist()
    ([[3.0], [6.0]], [[3.0, 3.0]])
    """
    x, a, b = _adapter(x, a, b)
    grad_y = _checks.array("grad_y", grad_y, core=2, last=b.shape[-1])
    if grad_y.shape[-2] != x.shape[-2]:
        raise ValueError(f"grad_y must have as many rows as x, {x.shape[-2]}, got shape {grad_y.shape}")
    _checks.broadcast(("x", x, 2), ("a", a, 2), ("b", b, 2), ("grad_y", grad_y, 2))
    return LoraPair(*(_checks.result(g, "x", "a", "b", "grad_y") for g in _gradients(x, a, b, grad_y)))


def output_changes(x: ArrayLike, a: ArrayLike, b: ArrayLike, da: ArrayLike, db: ArrayLike) -> tuple[Array, ...]:
    """Return ``X dA B``, ``X A dB`` and ``X dA dB``, which add up to the change of the output ``X A B``.

    Parameters
    ----------
    x : (..., batch, n) array_like
    a, da : (..., n, r) array_like
    b, db : (..., r, m) array_like

    Returns
    -------
    first, second, both : (..., batch, m) ndarray

    Raises
    ------
    ValueError
        If the shapes do not fit, or a value is not finite.

    References
    ----------
    .. [1] arXiv:2402.12354: the three parts of the update; kexue.fm/archives/10001.

    Examples
    --------
    >>> parts = output_changes([[2.0]], [[3.0]], [[5.0]], [[1.0]], [[-1.0]])
    >>> [part.item() for part in parts], 2.0 * (4.0 * 4.0 - 3.0 * 5.0)
    ([10.0, -6.0, -2.0], 2.0)
    """
    x, a, b = _adapter(x, a, b)
    da, db = _checks.array("da", da, shape=a.shape), _checks.array("db", db, shape=b.shape)
    _checks.broadcast(("x", x, 2), ("a", a, 2), ("b", b, 2))
    with np.errstate(over="ignore", invalid="ignore"):
        parts = (x @ da) @ b, (x @ a) @ db, (x @ da) @ db
    return tuple(_checks.result(part, "x", "a", "b", "da", "db") for part in parts)


def balanced_lr_ratio(grad_a: ArrayLike, grad_b: ArrayLike) -> Array:
    """Return ``|grad_a|_1 / |grad_b|_1``: the ratio of rates at which sign steps of both lower the loss equally.

    A step ``-lr sign(grad)`` lowers the loss by ``lr |grad|_1`` to first order; equal shares need
    ``lr_b / lr_a = |grad_a|_1 / |grad_b|_1``.

    Parameters
    ----------
    grad_a : (..., n, r) array_like
    grad_b : (..., r, m) array_like

    Returns
    -------
    (...) ndarray or float
        ``lr_b / lr_a``; a common factor of both gradients does not matter. 0 if ``grad_a`` vanishes (first step from
        ``B = 0``), infinity if ``grad_b`` does (first step from ``A = 0``).

    Raises
    ------
    ValueError
        If a gradient has fewer than two axes or is not finite, the ranks differ, or both vanish.

    References
    ----------
    .. [1] kexue.fm/archives/10001, result 4.

    Examples
    --------
    >>> float(balanced_lr_ratio([[3.0], [-1.0]], [[1.0, 1.0]]))
    2.0
    """
    grad_a, grad_b = _checks.array("grad_a", grad_a, core=2), _checks.array("grad_b", grad_b, core=2)
    if grad_b.shape[-2] != grad_a.shape[-1]:
        raise ValueError(f"grad_b must have as many rows as grad_a columns, {grad_a.shape[-1]}, got {grad_b.shape[-2]}")
    _checks.broadcast(("grad_a", grad_a, 2), ("grad_b", grad_b, 2))
    peaks = np.abs(grad_a).max(axis=(-2, -1)), np.abs(grad_b).max(axis=(-2, -1))
    if ((np.maximum(*peaks)) == 0).any():
        raise ValueError("grad_b must not be zero where grad_a is zero, got zeros in both")
    means = [
        np.abs(g / np.where(peak > 0, peak, 1)[..., None, None]).sum(axis=(-2, -1))
        for g, peak in zip((grad_a, grad_b), peaks)
    ]
    with np.errstate(divide="ignore", over="ignore", under="ignore"):  # infinity says that grad_b vanishes
        ratio = means[0] * (peaks[0] / np.where(peaks[1] > 0, peaks[1], 1)) / means[1]
    lost = np.isinf(ratio) & (peaks[1] > 0)
    if lost.any():
        raise ValueError(f"grad_b must not be so small beside grad_a that the ratio overflows, got {peaks[1].min()}")
    return ratio if ratio.ndim else ratio.item()


def lr_ratio_theory(n: ArrayLike, m: ArrayLike, r: ArrayLike, regime: str = "independent") -> Array:
    """Return a predicted ratio ``lr_b / lr_a`` of the learning rates of the two factors.

    ``n/m sqrt(n/r)`` (article), ``n / sqrt(m r)`` (independent), ``sqrt(n/r)`` (aligned) or ``n/r`` (output).

    Parameters
    ----------
    n, m, r : (...) array_like
        Input width, output width and rank, positive; broadcast against each other.
    regime : {"independent", "article", "aligned", "output"}
        Equal shares of the loss with an output gradient independent of the adapter; the article's count of entries;
        equal shares with fully aligned sums; equal lengths of both changes of the output.

    Returns
    -------
    (...) ndarray or float
        For ``m = n`` the first three agree. "independent" is the ratio of expectations for a batch of one up to
        ``1 + O(1/n + 1/m)``.

    Raises
    ------
    ValueError
        If a size is not positive, the shapes do not fit, or ``regime`` is another word.

    References
    ----------
    .. [1] kexue.fm/archives/10001, result 6; arXiv:2402.12354 for "output".

    Examples
    --------
    >>> [float(lr_ratio_theory(4096, 4096, 4, name)) for name in ("article", "independent", "aligned", "output")]
    [32.0, 32.0, 32.0, 1024.0]
    """
    n, m, r = _sizes(n, m, r)
    words = ("independent", "article", "aligned", "output")
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        ratio = {
            "independent": lambda: np.sqrt(n / m) * np.sqrt(n / r),
            "article": lambda: n / m * np.sqrt(n / r),
            "aligned": lambda: np.sqrt(n / r) * np.ones(m.shape),
            "output": lambda: n / r * np.ones(m.shape),
        }[_checks.choice("regime", regime, words)]()
    return _checks.result(ratio, "n", "m", "r")


def aligned_lr_ratio(n: ArrayLike, m: ArrayLike, r: ArrayLike, phi: ArrayLike) -> Array:
    """Return ``n / sqrt(m r) sqrt(cos^2 phi + m/r sin^2 phi)``, the balanced ratio for a partly aligned error.

    The gradient at the output is ``cos(phi)`` times noise plus ``sin(phi)`` times the direction of the adapter's own
    output, both of unit variance.

    Parameters
    ----------
    n, m, r : (...) array_like
        Input width, output width and rank, positive.
    phi : (...) array_like
        Angle in radians, from 0 to pi/2; broadcast against the sizes.

    Returns
    -------
    (...) ndarray or float
        From ``n / sqrt(m r)`` at 0 to ``n / r`` at pi/2; between them it turns at ``tan(phi) = sqrt(r / m)``. For
        large widths: the ratio of mean norms is above it by at most the share ``1 / (3 r) + r / (2 m)``.

    Raises
    ------
    ValueError
        If a size is not positive, ``phi`` lies outside [0, pi/2], or the shapes do not fit.

    References
    ----------
    .. [1] kexue.fm/archives/10001 and arXiv:2402.12354 are its two ends.

    Examples
    --------
    >>> aligned_lr_ratio(1024, 1024, 4, [0.0, np.pi / 2]).round(9)
    array([ 16., 256.])
    """
    n, m, r = _sizes(n, m, r)
    phi = _checks.array("phi", phi, low=0, high=np.pi / 2)
    _checks.broadcast(("n", n, 0), ("m", m, 0), ("r", r, 0), ("phi", phi, 0))
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        ratio = np.hypot(np.sqrt(n / m) * np.sqrt(n / r) * np.cos(phi), n / r * np.sin(phi))
    return _checks.result(ratio, "n", "m", "r", "phi")


def train_lora(
    n: int,
    m: int,
    r: int,
    rng: np.random.Generator,
    *,
    lr_a: ArrayLike,
    lr_b: ArrayLike,
    steps: int,
    start: str = "b",
    batch: int = 32,
    runs: int = 1,
) -> LoraRun:
    """Train adapters with Adam towards teachers ``W* = U V`` of the same rank; return what happened on the way.

    The loss is ``|X A B - X W*|^2 / (2 batch m)`` with Gaussian inputs, fresh in every step; Adam has the decays 0.9
    and 0.999, bias correction and epsilon 1e-12. Each run has a teacher, a start and inputs of its own; ``U`` and the
    ``A`` that is not zero have variance ``1/n``, ``V`` and the ``B`` that is not zero ``1/r``.

    Parameters
    ----------
    n, m, r : int
        Input width, output width and rank, at most ``min(n, m)``.
    rng : numpy.random.Generator
    lr_a, lr_b : (runs,) array_like or float
        Learning rates of the two factors, not negative.
    steps : int
        At least 1.
    start : {"b", "a"}
        Which factor starts at zero.
    batch : int
        Inputs in a step.
    runs : int
        How many trainings side by side.

    Returns
    -------
    LoraRun
        ``error`` is ``|A B - W*|_F^2 / |W*|_F^2``, the relative squared error over all inputs, exactly (1 at the
        start); ``norm_a`` and ``norm_b`` are the sums of the magnitudes of the gradients; ``std_a`` and ``std_b`` the
        root mean squares of the factors.

    Raises
    ------
    ValueError
        If a number is too small, ``r > min(n, m)``, a rate is negative, or the training overflows.
    TypeError
        If ``rng`` is not a generator.

    References
    ----------
    .. [1] kexue.fm/archives/10001, results 4 and 7; arXiv:2402.12354, section 3.

    Examples
    --------
    >>> run = train_lora(64, 64, 4, np.random.default_rng(0), lr_a=0.01, lr_b=0.01, steps=30, runs=3)
    >>> run.error.shape, bool((run.error[:, -1] < 0.6).all())
    ((3, 31), True)
    """
    n, m = _checks.integer("n", n, low=1), _checks.integer("m", m, low=1)
    r = _checks.integer("r", r, low=1, high=min(n, m))
    rng, steps = _checks.generator("rng", rng), _checks.integer("steps", steps, low=1)
    batch, runs = _checks.integer("batch", batch, low=1), _checks.integer("runs", runs, low=1)
    rates = [_rates(name, rate, runs) for name, rate in (("lr_a", lr_a), ("lr_b", lr_b))]
    teacher = [rng.standard_normal((runs, n, r)) / n**0.5, rng.standard_normal((runs, r, m)) / r**0.5]
    factors = [rng.standard_normal((runs, n, r)) / n**0.5, rng.standard_normal((runs, r, m)) / r**0.5]
    zero = {"a": 0, "b": 1}[_checks.choice("start", start, ("a", "b"))]
    factors[zero] = np.zeros_like(factors[zero])
    first, second = ([np.zeros_like(f) for f in factors] for _ in range(2))
    shown = {name: [] for name in LoraRun._fields}

    def look():
        shown["error"].append(_relative_error(factors, teacher))
        for name, factor in zip(("std_a", "std_b"), factors):
            shown[name].append(np.sqrt((factor**2).mean(axis=(-2, -1))))

    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(1, steps + 1):
            look()
            x = rng.standard_normal((runs, batch, n))
            residual = (x @ factors[0]) @ factors[1]
            residual -= (x @ teacher[0]) @ teacher[1]
            residual /= batch * m
            grads = _gradients(x, *factors, residual)
            for k, (name, grad, rate) in enumerate(zip(("norm_a", "norm_b"), grads, rates)):
                shown[name].append(np.abs(grad).sum(axis=(-2, -1)))
                first[k] = 0.9 * first[k] + 0.1 * grad
                second[k] = 0.999 * second[k] + 0.001 * grad**2
                mean, square = first[k] / (1 - 0.9**step), second[k] / (1 - 0.999**step)
                factors[k] = factors[k] - rate[:, None, None] * mean / (np.sqrt(square) + 1e-12)
        look()
    return LoraRun(**{name: _checks.result(np.stack(rows, axis=1), "lr_a", "lr_b") for name, rows in shown.items()})


def _adapter(x, a, b):
    """Return input and factors whose shapes fit."""
    x, a = _checks.array("x", x, core=2), _checks.array("a", a, core=2)
    b = _checks.array("b", b, core=2)
    if a.shape[-2] != x.shape[-1]:
        raise ValueError(f"a must have as many rows as x has columns, {x.shape[-1]}, got shape {a.shape}")
    if b.shape[-2] != a.shape[-1]:
        raise ValueError(f"b must have as many rows as a has columns, {a.shape[-1]}, got shape {b.shape}")
    return x, a, b


def _gradients(x, a, b, grad_y):
    with np.errstate(over="ignore", invalid="ignore"):
        turned = np.swapaxes(x, -2, -1)
        return turned @ (grad_y @ np.swapaxes(b, -2, -1)), np.swapaxes(x @ a, -2, -1) @ grad_y


def _sizes(n, m, r):
    """Return widths and rank as arrays of one shape."""
    named = [(name, _checks.array(name, value, low=0, open="low")) for name, value in (("n", n), ("m", m), ("r", r))]
    _checks.broadcast(*((name, value, 0) for name, value in named))
    return np.broadcast_arrays(*(value for _, value in named))


def _rates(name, rate, runs):
    rate = _checks.array(name, rate, low=0)
    return _checks.array(name, np.broadcast_to(rate, (runs,)) if rate.ndim == 0 else rate, shape=(runs,))


def _relative_error(factors, teacher):
    """Return ``|A B - U V|_F^2 / |U V|_F^2`` from products of r columns: ``|P Q|_F^2 = <P^T P, Q Q^T>``."""
    (a, b), (u, v) = factors, teacher
    left, right = np.concatenate([a, -u], axis=-1), np.concatenate([b, v], axis=-2)
    squares = [
        ((np.swapaxes(p, -2, -1) @ p) * (q @ np.swapaxes(q, -2, -1))).sum(axis=(-2, -1))
        for p, q in ((left, right), (u, v))
    ]
    return np.maximum(squares[0], 0) / squares[1]
