"""Noise from codebooks: a diffusion sampler that writes down which of K vectors it added, and so becomes a codec.

In the sampler of `ancestral` each step adds noise, ``x_{t-1} = u_t D + v_t x_t + sigma_t eps``. Here ``eps`` is one of
the K rows of the codebook of that step, and the sample is a list of T - 1 numbers: `codebook_sample` decodes it,
`codebook_encode` finds one for a given vector or for a condition, `pack_codes` makes bytes of it.

A decoder is of use only if it computes the same numbers on another machine. The books and the schedule of
`codebook_noise` do, and `codebook_sample` adds only sums and products of single numbers, so that with a denoiser of the
same kind the decoded vector has the same bits everywhere. The encoder may round as it likes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import Array, Callback, Denoiser, denoised, descend
from kexue_core.diffusion.ancestral import posterior_coefficients, reverse_noise
from kexue_core.diffusion.schedules import Schedule

__all__ = [
    "codebook_sample",
    "codebook_encode",
]

Codebook = Callable[[int], ArrayLike]


def codebook_sample(
    denoise: Denoiser,
    x: ArrayLike,
    schedule: Schedule,
    codebook: Codebook,
    codes: ArrayLike,
    *,
    sigma: ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    callback: Callback | None = None,
) -> Array:
    """Decode: build samples whose noise is named, ``x_{t-1} = u_t D + v_t x_t + sigma_t codebook(t)[k_t]``.

    ``D``, ``u_t`` and ``v_t`` are those of `ancestral_sample`; the last step, ``t = 1``, adds nothing. Numbers that
    are drawn (``rng.integers(K, size=(n, T - 1))``) make it a generator.

    Parameters
    ----------
    denoise : callable
        ``denoise(x, t)`` returns ``E[x_0 | x_0 + t z = x]``, of the shape of ``x``; it gets ``x_t / bar_alpha_t`` and
        the noise level ``bar_beta_t / bar_alpha_t``.
    x : (..., D) array_like
        Start ``x_T``, known to both sides.
    schedule : Schedule
        ``T`` steps.
    codebook : callable
        ``codebook(t)`` returns the ``(K, D)`` vectors of step ``t``, or ``(..., K, D)`` with books of their own along
        the leading axes of the samples; it is asked for ``t = T, ..., 2``.
    codes : (..., T - 1) array_like of int
        ``k_T, ..., k_2``, from 0 to ``K - 1``; leading axes broadcast with those of ``x``.
    sigma : (..., T) array_like, optional
        Noise of each step; positive, but the first entry is not used; leading axes broadcast with those of ``x``. By
        default ``reverse_noise(schedule, 0)``, the spread of ``x_{t-1}`` given ``x_t`` and ``x_0``.
    rng : numpy.random.Generator, optional
        Not used, as nothing is drawn: it is there for those who loop over samplers.
    callback : callable, optional
        ``callback(t, x)`` sees a copy of ``x_t`` for ``t = T, ..., 0``.

    Returns
    -------
    x : (..., D) ndarray
        Beside the calls of ``denoise`` only sums and products of single numbers are taken: where the denoiser returns
        the same bits, so does this, for a vector alone as in a batch.

    Raises
    ------
    ValueError
        If a code is not in its book, shapes do not fit, or a value is not finite.
    TypeError
        If ``schedule`` is not one, or codes are not integers.

    References
    ----------
    .. [1] kexue.fm/archives/10711; Ohayon et al., arXiv:2502.01189, Section 3.

    Examples
    --------
    >>> from functools import partial
    >>> from kexue_core.diffusion.codebook_noise import codebook, exact_schedule
    >>> from kexue_core.diffusion.denoisers import denoise_gaussian
    >>> book = partial(codebook, size=4, d=2)
    >>> codebook_sample(denoise_gaussian, [0.0, 0.0], exact_schedule(1000, 3), book, [2, 0]).round(3)
    array([-0.705, -0.063])
    """
    x, T, sigma = _start(x, schedule, sigma)
    codes = _checks.array("codes", codes, kind="integer", low=0)
    if codes.shape[-1:] != (T - 1,):
        raise ValueError(f"codes must have a last axis of length {T - 1}, got shape {codes.shape}")
    shape = _checks.broadcast(("x", x, 1), ("codes", codes, 1))
    x = np.broadcast_to(x, (*shape, x.shape[-1])).copy()
    named = iter(np.moveaxis(np.broadcast_to(codes, (*shape, T - 1)), -1, 0))

    def choose(t, x, guess, book):
        k = next(named)
        if (k >= book.shape[-2]).any():
            raise ValueError(f"codes must be below {book.shape[-2]}, the size of codebook({t}), got {k.max()}")
        return k

    return descend(denoise, x, schedule, posterior_coefficients(schedule), _named(codebook, sigma, choose), callback)


def codebook_encode(
    denoise: Denoiser,
    x: ArrayLike,
    schedule: Schedule,
    codebook: Codebook,
    toward: ArrayLike | Denoiser,
    *,
    rule: str = "product",
    sigma: ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    callback: Callback | None = None,
) -> tuple[NDArray[np.int64], Array]:
    """Encode: choose in each step the codeword that leads toward a vector, or toward a condition.

    A sampler that knew more would add noise of mean ``c_t = (u_t / sigma_t) (D' - D)``, where ``D'`` is what it knows
    of ``x_0``. The rules rate a codeword ``e`` by

    - ``"product"``: ``c.e``, the largest wins; the rule of the paper.
    - ``"nearest"``: ``-|e - c|^2 / 2``, the largest wins.
    - ``"softmax"``: drawn with weights ``exp(-|e - c|^2 / 2)``. Large books tend to ``N(c / 2, I / 2)``.
    - ``"importance"``: drawn with weights ``exp(c.e)``. Large books tend to ``N(c, I)``, the sampler that knows.

    Parameters
    ----------
    denoise, x, schedule, codebook, sigma, callback
        As in `codebook_sample`.
    toward : (..., D) array_like or callable
        The vector to encode; or ``toward(x, t)``, a denoiser that knows a condition, which makes it conditional
        generation (``D' - D`` is ``bar_beta_t^2 / bar_alpha_t`` times the gradient of the log-probability of the
        condition). Leading axes broadcast with those of ``x``.
    rule : str
        ``"product"``, ``"nearest"``, ``"softmax"`` or ``"importance"``.
    rng : numpy.random.Generator, optional
        Draws; needed for the last two rules.

    Returns
    -------
    codes : (..., T - 1) ndarray of int
        ``k_T, ..., k_2``.
    x : (..., D) ndarray
        What `codebook_sample` makes of them, to the bit.

    Raises
    ------
    ValueError
        If the rule is unknown, shapes do not fit, or a value is not finite.
    TypeError
        If ``schedule`` is not one, or ``rng`` is missing.

    References
    ----------
    .. [1] kexue.fm/archives/10711; Ohayon et al., arXiv:2502.01189, Sections 4 and 5.

    Examples
    --------
    >>> from functools import partial
    >>> from kexue_core.diffusion.codebook_noise import codebook, exact_schedule
    >>> from kexue_core.diffusion.denoisers import denoise_gaussian
    >>> book = partial(codebook, size=64, d=2)
    >>> codes, x = codebook_encode(denoise_gaussian, [0.0, 0.0], exact_schedule(1000, 100), book, [1.0, -1.0])
    >>> codes[:5], x.round(2)
    (array([55,  1, 32, 22, 49]), array([ 1.01, -1.01]))
    """
    x, _, sigma = _start(x, schedule, sigma)
    _checks.choice("rule", rule, ("product", "nearest", "softmax", "importance"))
    if rule in ("softmax", "importance"):
        rng = _checks.generator("rng", rng)
    if not callable(toward):
        toward = _checks.array("toward", toward, core=1, last=x.shape[-1])
        shape = _checks.broadcast(("x", x, 1), ("toward", toward, 1))
        x = np.broadcast_to(x, (*shape, x.shape[-1]))
    u, v = posterior_coefficients(schedule)
    bar_alpha, bar_beta = schedule.bar_alpha, schedule.bar_beta
    chosen = []

    def choose(t, x, guess, book):
        a, b = bar_alpha[t - 1], bar_beta[t - 1]
        aim = denoised(toward, x / a, b / a, x.shape, "toward") if callable(toward) else toward
        with np.errstate(over="ignore", invalid="ignore"):
            away = aim - guess
            rates = _products(book, away) * (u[t - 1] / sigma[t - 1])
            if rule in ("nearest", "softmax"):
                rates = rates - np.einsum("...i,...i", book, book) / 2
            if rule in ("softmax", "importance"):
                rates = rates + rng.gumbel(size=rates.shape)
        chosen.append(_checks.result(np.asarray(rates), "toward").argmax(axis=-1))
        return chosen[-1]

    x = descend(denoise, x.copy(), schedule, (u, v), _named(codebook, sigma, choose), callback)
    codes = np.stack(chosen, axis=-1) if chosen else np.zeros((*x.shape[:-1], 0), dtype=np.int64)
    return codes, x


def _start(x, schedule, sigma):
    """Return the start, the number of steps, and the noise of step t at t - 1, of shape (..., 1)."""
    x = _checks.array("x", x, core=1)
    T = len(_checks.instance("schedule", schedule, Schedule).beta)
    if sigma is None:
        return x, T, reverse_noise(schedule, 0)[:, None]
    sigma = _checks.array("sigma", sigma, core=1, last=T)
    _checks.array("sigma", sigma[..., 1:], low=0, open="low")
    shape = _checks.broadcast(("x", x, 1), ("sigma", sigma, 1))
    return np.broadcast_to(x, (*shape, x.shape[-1])), T, np.moveaxis(sigma, -1, 0)[..., None]


def _named(codebook, sigma, choose):
    """Return the noise of each step for `descend`: the chosen codeword, and none in the last step."""
    _checks.function("codebook", codebook)

    def noise(t, x, guess):
        if t == 1:
            return None
        book = _checks.array(f"codebook({t})", codebook(t), core=2, last=x.shape[-1])
        if book.ndim == 2:
            return sigma[t - 1] * book[choose(t, x, guess, book)]
        if _checks.broadcast(("x", x, 1), (f"codebook({t})", book, 2)) != x.shape[:-1]:
            raise ValueError(f"codebook({t}) must have leading axes among {x.shape[:-1]}, got shape {book.shape}")
        k = choose(t, x, guess, book)
        book = np.broadcast_to(book, (*x.shape[:-1], *book.shape[-2:]))
        return sigma[t - 1] * np.take_along_axis(book, k[..., None, None], axis=-2)[..., 0, :]

    return noise


def _products(book, x):
    """Return the products of all codewords with vectors; those that share a book are one product of matrices."""
    if book.ndim == 2:
        return x @ book.T
    if book.ndim == x.ndim + 1 and book.shape[-3] == 1:
        return x @ book[..., 0, :, :].swapaxes(-2, -1)
    return (book @ x[..., None])[..., 0]
