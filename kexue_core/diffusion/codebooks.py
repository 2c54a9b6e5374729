"""Noise from codebooks: a diffusion sampler that writes down which of K vectors it added, and so becomes a codec.

In the sampler of `ancestral` each step adds noise, ``x_{t-1} = u_t D + v_t x_t + sigma_t eps``. Here ``eps`` is one of
the K rows of the codebook of that step, and the sample is a list of T - 1 numbers: `codebook_sample` decodes it,
`codebook_encode` finds one for a given vector or for a condition, `pack_codes` makes bytes of it.

A decoder is of use only if it computes the same numbers on another machine. `codebook` and `exact_schedule` therefore
use integers and the operations ``+ - * / sqrt`` of doubles only, which IEEE 754 rounds in one way, and one at a time:
no library function of the machine, no sum whose order is left open. `codebook_sample` adds nothing else, so that with
a denoiser of the same kind the decoded vector has the same bits everywhere. The encoder may round as it likes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.diffusion._common import Array, Callback, Denoiser, denoised
from kexue_core.diffusion.ancestral import posterior_coefficients, reverse_noise
from kexue_core.diffusion.schedules import Schedule
from kexue_core.special import log_normal_cdf

__all__ = [
    "exact_schedule",
    "codebook",
    "codebook_sample",
    "codebook_encode",
    "pack_codes",
    "unpack_codes",
    "max_normal_moments",
    "codebook_errors",
]

Codebook = Callable[[int], ArrayLike]

# Numerator and denominator, highest power first: M. J. Wichura, Appl. Statist. 37 (1988) 477-484, algorithm AS 241.
_CENTRE = (
    (
        2509.0809287301227,
        33430.57558358813,
        67265.7709270087,
        45921.95393154987,
        13731.69376550946,
        1971.5909503065513,
        133.14166789178438,
        3.3871328727963665,
    ),
    (
        5226.495278852854,
        28729.085735721943,
        39307.89580009271,
        21213.794301586597,
        5394.196021424751,
        687.1870074920579,
        42.31333070160091,
        1.0,
    ),
)
_TAIL = (
    (
        0.0007745450142783414,
        0.022723844989269184,
        0.2417807251774506,
        1.2704582524523684,
        3.6478483247632045,
        5.769497221460691,
        4.630337846156546,
        1.4234371107496835,
    ),
    (
        1.0507500716444169e-09,
        0.0005475938084995345,
        0.015198666563616457,
        0.14810397642748008,
        0.6897673349851,
        1.6763848301838038,
        2.053191626637759,
        1.0,
    ),
)
_FAR = (
    (
        2.0103343992922881e-07,
        2.7115555687434876e-05,
        0.0012426609473880784,
        0.026532189526576124,
        0.29656057182850487,
        1.7848265399172913,
        5.463784911164114,
        6.657904643501103,
    ),
    (
        2.0442631033899397e-15,
        1.421511758316446e-07,
        1.8463183175100548e-05,
        0.0007868691311456133,
        0.014875361290850615,
        0.1369298809227358,
        0.599832206555888,
        1.0,
    ),
)


_LOG_SERIES = tuple(1.0 / (2 * k + 1) for k in range(11, -1, -1))
_LN2 = 0.6931471805599453


def exact_schedule(T: int, n: int | None = None) -> Schedule:
    """Return ``respace(ddpm_schedule(T), n)`` with every entry the double nearest to its exact value.

    The products ``bar_alpha_t^2 = (1 - 0.02 / T) (1 - 0.04 / T) ... (1 - 0.02 t / T)`` are fractions; their roots are
    taken in integers. So the arrays do not depend on the logarithm and the exponential of a machine.

    Parameters
    ----------
    T : int
        Number of steps of the article's schedule, at least 1.
    n : int, optional
        Number of steps kept, ``1 <= n <= T``; all by default.

    Returns
    -------
    schedule : Schedule
        Read-only arrays of length ``n``, the same bits on every machine.

    Raises
    ------
    ValueError
        If ``T < 1``, or ``n`` is not between 1 and ``T``.

    References
    ----------
    .. [1] kexue.fm/archives/10711, whose schedule is that of kexue.fm/archives/9119.

    Examples
    --------
    >>> exact_schedule(1000, 2).alpha.round(3)
    array([0.285, 0.023])
    """
    T = _checks.integer("T", T, low=1)
    n = T if n is None else _checks.integer("n", n, low=1, high=T)
    kept = [(2 * T * i + n) // (2 * n) for i in range(1, n + 1)]  # round(T i / n) in integers
    columns, before, top, bottom, at = [], (1, 1), 1, 1, 0
    for t in kept:
        for step in range(at + 1, t + 1):
            top, bottom = top * (50 * T - step), bottom * 50 * T
        one = top * before[1], bottom * before[0]  # alpha^2 of the long step
        pairs = one, (one[1] - one[0], one[1]), (top, bottom), (bottom - top, bottom)
        columns.append([_root(*pair) for pair in pairs])
        before, at = (top, bottom), t
    alpha, beta, bar_alpha, bar_beta = np.array(columns).T.copy()
    previous = np.concatenate([[1.0], bar_alpha[:-1]]), np.concatenate([[0.0], bar_beta[:-1]])
    arrays = alpha, beta, bar_alpha, bar_beta, *previous
    for array in arrays:
        array.setflags(write=False)
    return Schedule(*arrays)


def codebook(t: int, size: int, d: int, *, seed: int = 0) -> Array:
    """Return ``size`` standard normal vectors, which every machine computes with the same bits.

    PCG64, seeded by ``SeedSequence([seed, t])``, gives 64-bit integers; the first 52 bits ``k`` of each make the
    probability ``p = (2 k + 1) 2^-53``, and a rational function of ``p``, or of ``sqrt(-log p)`` in the tails, makes
    the normal number. The logarithm is a power series. Nothing is kept: a step draws its book again when it needs it.

    Parameters
    ----------
    t : int
        Number of the step, from 0 to ``2^32 - 1``.
    size : int
        Number of vectors, at least 1.
    d : int
        Length of a vector, at least 1.
    seed : int
        From 0 to ``2^32 - 1``.

    Returns
    -------
    book : (size, d) ndarray
        Within 1e-14 of the normal quantile of ``p``, relative; the largest possible number is 8.2. A smaller book of
        the same step is the beginning of a larger one.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    References
    ----------
    .. [1] kexue.fm/archives/10711; M. E. O'Neill, PCG, Harvey Mudd College HMC-CS-2014-0905 (2014); M. J. Wichura,
       Appl. Statist. 37 (1988) 477-484.

    Examples
    --------
    >>> codebook(1, 2, 3).round(3)
    array([[ 1.225,  0.144,  0.845],
           [ 1.712, -1.567, -0.718]])
    """
    t = _checks.integer("t", t, low=0, high=2**32 - 1)
    size, d = _checks.integer("size", size, low=1), _checks.integer("d", d, low=1)
    seed = _checks.integer("seed", seed, low=0, high=2**32 - 1)
    raw = np.random.PCG64(np.random.SeedSequence([seed, t])).random_raw(size * d)
    return _normal((raw >> np.uint64(12)).astype(float)).reshape(size, d)


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
        ``codebook(t)`` returns the ``(K, D)`` vectors of step ``t``; it is asked for ``t = T, ..., 2``.
    codes : (..., T - 1) array_like of int
        ``k_T, ..., k_2``, from 0 to ``K - 1``; leading axes broadcast with those of ``x``.
    sigma : (T,) array_like, optional
        Noise of each step; positive, but the first entry is not used. By default ``reverse_noise(schedule, 0)``, the
        spread of ``x_{t-1}`` given ``x_t`` and ``x_0``.
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
        if (k >= len(book)).any():
            raise ValueError(f"codes must be below {len(book)}, the size of codebook({t}), got {k.max()}")
        return k

    return _descend(denoise, x, schedule, codebook, sigma, choose, callback)


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
    u, _ = posterior_coefficients(schedule)
    bar_alpha, bar_beta = schedule.bar_alpha, schedule.bar_beta
    chosen = []

    def choose(t, x, guess, book):
        a, b = bar_alpha[t - 1], bar_beta[t - 1]
        aim = denoised(toward, x / a, b / a, x.shape) if callable(toward) else toward
        with np.errstate(over="ignore", invalid="ignore"):
            rates = (aim - guess) @ book.T * (u[t - 1] / sigma[t - 1])
            if rule in ("nearest", "softmax"):
                rates = rates - (book**2).sum(axis=-1) / 2
            if rule in ("softmax", "importance"):
                rates = rates + rng.gumbel(size=rates.shape)
        chosen.append(_checks.result(np.asarray(rates), "toward").argmax(axis=-1))
        return chosen[-1]

    x = _descend(denoise, x.copy(), schedule, codebook, sigma, choose, callback)
    codes = np.stack(chosen, axis=-1) if chosen else np.zeros((*x.shape[:-1], 0), dtype=np.int64)
    return codes, x


def pack_codes(codes: ArrayLike, size: int) -> bytes:
    """Return the bytes of a list of numbers below ``size``: one large integer with these digits, the first in front.

    Parameters
    ----------
    codes : (n,) array_like of int
        From 0 to ``size - 1``.
    size : int
        At least 1; any number, not only powers of two.

    Returns
    -------
    data : bytes
        As many as ``size^n`` different lists need, ``n log2(size)`` bits rounded up to bytes.

    Raises
    ------
    ValueError
        If a code is out of its range or ``codes`` is no list.

    References
    ----------
    .. [1] kexue.fm/archives/10711; Ohayon et al., arXiv:2502.01189, Section 4, on the bits of a code.

    Examples
    --------
    >>> pack_codes([1, 0, 2], 3).hex()  # 1 * 9 + 0 * 3 + 2 = 11
    '0b'
    """
    size = _checks.integer("size", size, low=1)
    codes = _checks.array("codes", codes, kind="integer", ndim=1, low=0, high=size - 1)
    number = 0
    for code in codes.tolist():
        number = number * size + code
    return number.to_bytes(_length(size, len(codes)), "big")


def unpack_codes(data: bytes, size: int, n: int) -> NDArray[np.int64]:
    """Return the ``n`` numbers below ``size`` that `pack_codes` made these bytes of.

    Parameters
    ----------
    data : bytes
    size : int
        At least 1.
    n : int
        Not negative.

    Returns
    -------
    codes : (n,) ndarray of int
        ``pack_codes(codes, size)`` is ``data``.

    Raises
    ------
    ValueError
        If ``data`` has another length, or is no number below ``size^n``.
    TypeError
        If ``data`` is not of type bytes.

    References
    ----------
    .. [1] kexue.fm/archives/10711.

    Examples
    --------
    >>> unpack_codes(bytes.fromhex("0b"), 3, 3)
    array([1, 0, 2])
    """
    data = _checks.instance("data", data, bytes)
    size, n = _checks.integer("size", size, low=1), _checks.integer("n", n, low=0)
    if len(data) != _length(size, n):
        raise ValueError(f"data must be {_length(size, n)} bytes long for {n} codes below {size}, got {len(data)}")
    number, codes = int.from_bytes(data, "big"), []
    for _ in range(n):
        number, code = divmod(number, size)
        codes.append(code)
    if number:
        raise ValueError(f"data must stand for a number below {size}^{n}, got 0x{data.hex()[:16]}...")
    return np.array(codes[::-1], dtype=np.int64)


def max_normal_moments(size: ArrayLike) -> tuple[Array | float, Array | float]:
    """Return the mean and the mean square of the largest of ``size`` independent standard normal numbers.

    The integrals of ``m`` and ``m^2`` over ``d F(m)^size``, by the trapezoidal rule from -9 to 14.

    Parameters
    ----------
    size : (...) array_like
        At least 1, at most 1e12; not necessarily whole.

    Returns
    -------
    first, second : (...) ndarray or float
        Increasing in ``size``; 0 and 1 for one number. Error below 1e-12.

    Raises
    ------
    ValueError
        If a size is out of its range.

    References
    ----------
    .. [1] kexue.fm/archives/10711 (what a book of K vectors adds in a step); H. A. David and H. N. Nagaraja, Order
       Statistics, 3rd ed., Wiley 2003, Section 3.2.

    Examples
    --------
    >>> first, _ = max_normal_moments([1, 2, 64])
    >>> first.round(4) + 0.0
    array([0.    , 0.5642, 2.3437])
    """
    size = _checks.array("size", size, low=1, high=1e12)
    m = np.linspace(-9, 14, 2301)
    density = size[..., None] * np.exp((size[..., None] - 1) * log_normal_cdf(m) - m * m / 2) / np.sqrt(2 * np.pi)
    step = m[1] - m[0]
    return (density * m).sum(axis=-1)[()] * step, (density * m * m).sum(axis=-1)[()] * step


def codebook_errors(
    schedule: Schedule,
    size: ArrayLike,
    variances: ArrayLike,
    *,
    copies: ArrayLike = (1,),
    power: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
) -> Array:
    """Predict the squared errors that `codebook_encode` leaves in each component, by a recursion without vectors.

    For Gaussian data, ``D = w_t x_t`` in each component. With ``a = x x_0``, ``q = x^2``, the residual
    ``r = x_0 - w x`` and ``m, m2`` of `max_normal_moments` the chosen codeword has the mean ``m r / |r|`` and, along
    ``r``, the mean square ``m2``; so on average, with ``g = u w + v``,

        a <- g a + sigma m (r x_0) / |r|,
        q <- g^2 q + 2 g sigma m (r x) / |r| + sigma^2 (1 + (m2 - 1) r^2 / |r|^2),

    from ``a = 0``, ``q = 1``. Every square is replaced by its mean, which is right for many components.

    Parameters
    ----------
    schedule : Schedule
        ``T`` steps.
    size : (...) array_like
        Codewords in a book, at least 1; not necessarily whole. Leading axes are broadcast.
    variances : (..., d) array_like
        Of the data, which the denoiser knows; not negative.
    copies : (..., d) array_like
        How many components have each variance, 1 by default: white data of length n are ``[1.0]``, ``copies=[n]``.
    power : (..., d) array_like, optional
        Squares of the components of what is encoded; ``variances`` by default, which is the mean over the data.
    sigma : (..., T) array_like, optional
        As in `codebook_sample`; leading axes are broadcast.

    Returns
    -------
    errors : (..., d) ndarray
        Mean squared error of a component of each kind.

    Raises
    ------
    ValueError
        If an argument is out of its range or shapes do not fit.
    TypeError
        If ``schedule`` is not one.

    References
    ----------
    .. [1] kexue.fm/archives/10711, whose rule this follows; the recursion is of this book.

    Examples
    --------
    >>> codebook_errors(exact_schedule(1000, 100), [1, 64, 1024], [1.0], copies=[1024]).ravel().round(3)
    array([1.922, 0.859, 0.589])
    """
    _checks.instance("schedule", schedule, Schedule)
    T = len(schedule.beta)
    sizes = _checks.array("size", size, low=1)
    lam = _checks.array("variances", variances, core=1, low=0)
    copies = _checks.array("copies", copies, core=1, low=0, open="low")
    power = lam if power is None else _checks.array("power", power, core=1, low=0)
    sigma = reverse_noise(schedule, 0) if sigma is None else _checks.array("sigma", sigma, core=1, last=T, low=0)
    shape = _checks.broadcast(
        ("size", sizes, 0), ("variances", lam, 1), ("copies", copies, 1), ("power", power, 1), ("sigma", sigma, 1)
    )
    components = np.broadcast_shapes(lam.shape[-1:], copies.shape[-1:], power.shape[-1:])
    m, m2 = (np.asarray(moment)[..., None] for moment in max_normal_moments(sizes))
    u, v = posterior_coefficients(schedule)
    a, q = np.zeros((*shape, *components)), np.ones((*shape, *components))
    for i in range(T - 1, 0, -1):
        w, s = _gain(schedule, i, lam), sigma[..., i, None]
        g = u[i] * w + v[i]
        squares = power - 2 * w * a + w * w * q
        total = (copies * squares).sum(axis=-1, keepdims=True)
        inverse = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
        lead = s * m * np.sqrt(inverse)
        a, q = (
            g * a + lead * (power - w * a),
            g * g * q + 2 * g * lead * (a - w * q) + s * s * (1 + (m2 - 1) * squares * inverse),
        )
    w = _gain(schedule, 0, lam)  # the last step goes to the guess and adds nothing
    return _checks.result(np.asarray(power - 2 * w * a + w * w * q), "variances", "power", "sigma")


def _gain(schedule, i, variance):
    """Return ``w`` of the guess ``w x_t`` for Gaussian data, at entry ``i`` of the schedule."""
    return schedule.bar_alpha[i] * variance / (schedule.bar_alpha[i] ** 2 * variance + schedule.bar_beta[i] ** 2)


def _start(x, schedule, sigma):
    """Return the start, the number of steps and the noise of each step."""
    x = _checks.array("x", x, core=1)
    T = len(_checks.instance("schedule", schedule, Schedule).beta)
    if sigma is None:
        return x, T, reverse_noise(schedule, 0)
    sigma = _checks.array("sigma", sigma, shape=(T,))
    _checks.array("sigma", sigma[1:], low=0, open="low")
    return x, T, sigma


def _descend(denoise, x, schedule, codebook, sigma, choose, callback):
    """Go down from ``x_T`` to ``x_0``; the only place where the state changes, for both sides of the codec."""
    u, v = posterior_coefficients(schedule)
    for i in range(len(u) - 1, -1, -1):
        if callback is not None:
            callback(i + 1, x.copy())
        a, b = schedule.bar_alpha[i], schedule.bar_beta[i]
        with np.errstate(over="ignore", invalid="ignore"):
            guess = denoised(denoise, x / a, b / a, x.shape)
            mean = u[i] * guess + v[i] * x
            if i:
                book = _checks.array(f"codebook({i + 1})", codebook(i + 1), ndim=2, core=2, last=x.shape[-1])
                x = mean + sigma[i] * book[choose(i + 1, x, guess, book)]
            else:
                x = mean
    x = _checks.result(x, "x", "sigma")
    if callback is not None:
        callback(0, x.copy())
    return x


def _length(size, n):
    """Return how many bytes hold a number below ``size^n``."""
    return ((size**n - 1).bit_length() + 7) // 8


def _root(top, bottom):
    """Return the double nearest to ``sqrt(top / bottom)``, by an integer root of at least 70 bits."""
    shift = max(0, 140 - top.bit_length() + bottom.bit_length()) // 2 + 1
    square, rest = divmod(top << 2 * shift, bottom)
    root = math.isqrt(square)
    inexact = rest > 0 or root * root < square
    return math.ldexp(float(2 * root + inexact), -shift - 1)  # the last bit breaks ties as the exact root does


def _normal(k):
    """Return the normal quantile of ``(2 k + 1) 2^-53`` for whole doubles ``k < 2^52``: IEEE operations only."""
    p = (2 * k + 1) * 2.0**-53
    q = p - 0.5
    r = 0.180625 - q * q
    value = q * _ratio(r, *_CENTRE)
    tail = np.flatnonzero(np.abs(q) > 0.425)
    r = np.sqrt(-_log(np.minimum(p, 1.0 - p)[tail]))
    size = np.where(r <= 5.0, _ratio(r - 1.6, *_TAIL), _ratio(r - 5.0, *_FAR))
    value[tail] = np.where(q[tail] < 0, -size, size)
    return value


def _ratio(r, top, bottom):
    return _horner(r, top) / _horner(r, bottom)


def _horner(r, coefficients):
    value = np.full_like(r, coefficients[0])
    for c in coefficients[1:]:
        value *= r
        value += c
    return value


def _log(p):
    """Return the logarithm by ``2 atanh f``, ``f = (m - 1) / (m + 1)``, of the mantissa; error about 2e-16."""
    m, e = np.frexp(p)
    low = m < 0.7071067811865476
    m, e = np.where(low, 2 * m, m), np.where(low, e - 1, e)
    f = (m - 1) / (m + 1)
    return e * _LN2 + 2 * f * _horner(f * f, _LOG_SERIES)
