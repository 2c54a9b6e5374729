"""Positions with several coordinates: rotations by them, an image as patches, and where these stand among words.

Words stand on the diagonal, at (n, n), so that text alone is turned as by the rotation with one coordinate. Between the
last word at (L, L) and the next one at (K, K) stands an image of h rows with w patches each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks
from kexue_core.positions.rope import rotate

__all__ = [
    "allocate_axes",
    "rotate_axes",
    "stretched_positions",
    "image_positions",
    "layout_positions",
    "reflection_error",
    "patchify",
    "unpatchify",
]

Array = NDArray[np.float64]
ORDERS = ("chunked", "interleaved")
SCHEMES = ("flatten", "mrope", "tie", "smallest", "equal", "unit")


def allocate_axes(sections: ArrayLike, order: str = "interleaved") -> NDArray[np.int64]:
    """Return for each frequency the coordinate that it turns with: ``sections[a]`` of them with coordinate a.

    "chunked" gives the fastest ones to coordinate 0, the next to 1, and so on. "interleaved" deals them out in turn;
    a coordinate that has got all of its own leaves its turns to coordinate 0.

    Parameters
    ----------
    sections : (k,) array_like of int
        None negative. To interleave them, coordinate 0 must have so many that the turns of the others do not run out
        of frequencies; equal sections always do.
    order : {"chunked", "interleaved"}

    Returns
    -------
    (d/2,) ndarray of int
        From 0 to k - 1, d/2 = ``sum(sections)``; coordinate a occurs ``sections[a]`` times.

    Raises
    ------
    ValueError
        If ``sections`` is empty or has the sum 0, an entry is negative, they do not interleave, or ``order`` is wrong.

    References
    ----------
    .. [1] kexue.fm/archives/10040, result 5; arXiv:2409.12191 ("chunked"); arXiv:2510.23095 ("interleaved").

    Examples
    --------
    >>> allocate_axes([2, 2]), allocate_axes([4, 2, 2])
    (array([0, 1, 0, 1]), array([0, 1, 2, 0, 1, 2, 0, 0]))
    """
    sections = _checks.array("sections", sections, kind="integer", ndim=1, core=1, low=0)
    if not 0 < sum(sections.tolist()) <= 2**24:
        raise ValueError(f"sections must have a sum from 1 to 2^24, got {sum(sections.tolist())}")
    if _checks.choice("order", order, ORDERS) == "chunked":
        return np.repeat(np.arange(sections.size), sections)
    axes = np.zeros(sections.sum(), dtype=np.int64)
    for axis, count in enumerate(sections[1:], start=1):
        turns = axis + sections.size * np.arange(count)
        if count and turns[-1] >= axes.size:
            raise ValueError(f"sections must be larger for coordinate 0 to interleave them, got {sections.tolist()}")
        axes[turns] = axis
    return axes


def rotate_axes(x: ArrayLike, positions: ArrayLike, theta: ArrayLike, axes: ArrayLike) -> Array:
    """Rotate pair i of ``x`` by ``positions[..., axes[i]] * theta[i]``: each pair turns with one coordinate.

    Parameters
    ----------
    x : (..., d) array_like
    positions : (..., k) array_like
        Real; the leading axes of ``positions`` and ``x`` are broadcast.
    theta : (d/2,) array_like
    axes : (d/2,) array_like of int
        From 0 to k - 1.

    Returns
    -------
    (..., d) ndarray
        At equal coordinates (n, ..., n) it is ``rotate(x, n, theta)``, whatever ``axes`` is; the product of a query and
        a key depends on the differences of their coordinates only.

    Raises
    ------
    ValueError
        If a shape does not fit, ``axes`` names a coordinate that there is not, or a value or an angle is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10040, results 2 and 5.

    Examples
    --------
    >>> rotate_axes([1.0, 0.0, 1.0, 0.0], [1.0, 2.0], [np.pi / 2, np.pi / 4], [0, 1]).round(3)
    array([0., 1., 0., 1.])
    """
    theta = _checks.array("theta", theta, ndim=1, core=1)
    x = _checks.array("x", x, core=1, last=2 * theta.size)
    positions = _checks.array("positions", positions, core=1)
    axes = _checks.array("axes", axes, kind="integer", shape=theta.shape, low=0, high=positions.shape[-1] - 1)
    _checks.broadcast(("x", x, 1), ("positions", positions, 1))
    with np.errstate(over="ignore"):
        angles = _checks.result(positions[..., axes] * theta, "positions", "theta")
    pairs = x.reshape(*x.shape[:-1], theta.size, 2)
    turned = rotate(pairs, angles, [1.0])
    return turned.reshape(*turned.shape[:-2], 2 * theta.size)


def stretched_positions(L: float, w: int, h: int, c: float) -> tuple[Array, float]:
    """Return the patches of an image whose sides are both stretched to c: patch (i, j) at ``L + (ic/(h+1), jc/(w+1))``.

    Parameters
    ----------
    L : float
        The last word before the image stands at (L, L).
    w, h : int
        Patches in a row, and rows.
    c : float
        Positive.

    Returns
    -------
    positions : (h w, 2) ndarray
        Row and column of each patch, row by row.
    K : float
        ``L + c``, where the text goes on. The gaps before and after the image are equal, for every c.

    Raises
    ------
    ValueError
        If ``w`` or ``h`` is not from 1 to 4096, ``c`` is not positive, ``L`` is not finite, or a result is not.

    References
    ----------
    .. [1] kexue.fm/archives/10040, result 7, with a free stretch.

    Examples
    --------
    >>> stretched_positions(10, 2, 1, 6)
    (array([[13., 12.],
           [13., 14.]]), 16.0)
    """
    L, w, h = _checks.number("L", L), _size("w", w), _size("h", h)
    c = _checks.number("c", c, low=0, open="low")
    i, j = np.indices((h, w)).reshape(2, -1) + 1
    with np.errstate(over="ignore"):
        small = c / 4096  # so that a product with i is not beyond the largest double
        placed = L + 4096 * np.stack([i * small / (h + 1), j * small / (w + 1)], axis=-1)
    return _checks.result(placed, "L", "c"), float(_checks.result(np.float64(L + c), "L", "c"))


def image_positions(L: float, w: int, h: int, scheme: str) -> tuple[Array, float]:
    """Return where the patches of an image stand and where the text goes on, by one of six schemes.

    ============  ====================================  =================
    scheme        patch (i, j), from (1, 1) to (h, w)   K
    ============  ====================================  =================
    "flatten"     ``L + (n, n)``, ``n = (i-1) w + j``   ``L + w h + 1``
    "mrope"       ``L + (i, j)``                        ``L + max(w, h) + 1``
    "tie"         ``L + (i (w+1), j (h+1))``            ``L + (w+1)(h+1)``
    "smallest"    stretched to the least common multiple of ``w+1`` and ``h+1``
    "equal"       stretched to ``w h + 1``
    "unit"        ``L + (i + (wh-h)/2, j + (wh-w)/2)``  ``L + w h + 1``
    ============  ====================================  =================

    Parameters
    ----------
    L : float
        The last word before the image stands at (L, L).
    w, h : int
        Patches in a row, and rows.
    scheme : {"flatten", "mrope", "tie", "smallest", "equal", "unit"}

    Returns
    -------
    positions : (h w, 2) ndarray
        Row and column of each patch, row by row.
    K : float
        The next word stands at (K, K); the image takes the place of ``K - L - 1`` words.

    Raises
    ------
    ValueError
        If ``w`` or ``h`` is not from 1 to 4096, ``L`` is not finite, or ``scheme`` is unknown.

    References
    ----------
    .. [1] kexue.fm/archives/10040, results 3, 7 and 8; kexue.fm/archives/10352 ("unit"); arXiv:2409.12191 ("mrope").

    Examples
    --------
    >>> image_positions(10, 2, 1, "tie")
    (array([[13., 12.],
           [13., 14.]]), 16.0)
    """
    L, w, h = _checks.number("L", L), _size("w", w), _size("h", h)
    stretch = {"tie": (w + 1) * (h + 1), "smallest": math.lcm(w + 1, h + 1), "equal": w * h + 1}
    if _checks.choice("scheme", scheme, SCHEMES) in stretch:
        return stretched_positions(L, w, h, stretch[scheme])
    i, j = np.indices((h, w)).reshape(2, -1) + 1
    K = L + (max(w, h) if scheme == "mrope" else w * h) + 1
    if scheme == "flatten":
        i = j = (i - 1) * w + j
    elif scheme == "unit":
        i, j = i + (w * h - h) / 2, j + (w * h - w) / 2
    return L + np.stack([i, j], axis=-1), K


def layout_positions(segments: Sequence[int | tuple[int, int]], scheme: str) -> Array:
    """Return the coordinates of all tokens of a sequence of words and images.

    Parameters
    ----------
    segments : sequence
        A number n stands for n words, a pair (w, h) for an image of h rows with w patches. Between two images there
        are words (a model marks the ends of an image with tokens that count as such).
    scheme : {"flatten", "mrope", "tie", "smallest", "equal", "unit"}
        See `image_positions`.

    Returns
    -------
    (N, 2) ndarray
        Words on the diagonal; the first word, or the first patch of "flatten" and "mrope", stands at (1, 1).

    Raises
    ------
    TypeError
        If there is no segment, or one is neither an integer nor a pair of integers.
    ValueError
        If a number is below 1, a side above 4096, two images follow each other, or ``scheme`` is unknown.

    References
    ----------
    .. [1] kexue.fm/archives/10040, results 5, 7 and 9.

    Examples
    --------
    >>> layout_positions([2, (2, 1), 1], "tie").tolist()
    [[1.0, 1.0], [2.0, 2.0], [5.0, 4.0], [5.0, 6.0], [8.0, 8.0]]
    """
    _checks.choice("scheme", scheme, SCHEMES)
    if not isinstance(segments, list | tuple) or not segments:
        raise TypeError(f"segments must be a list of numbers and pairs, got {segments!r:.80}")
    parts, first, image = [], 1.0, False  # first: where the next word stands
    for segment in segments:
        if isinstance(segment, list | tuple):
            if len(segment) != 2:
                raise TypeError(f"segments must hold numbers and pairs, got {segment!r:.80}")
            if image:
                raise ValueError(f"segments must have words between two images, got {segment!r} after another one")
            placed, first = image_positions(first - 1, *segment, scheme)
        else:
            words = _checks.integer("segments", segment, low=1)
            placed = np.repeat(first + np.arange(words)[:, None], 2, axis=1)
            first += words
        image = isinstance(segment, list | tuple)
        parts.append(placed)
    return np.concatenate(parts)


def reflection_error(positions: ArrayLike, L: float, K: float) -> Array:
    """Return how far the point reflection that swaps (L, L) and (K, K) moves patches off the places of patches.

    Parameters
    ----------
    positions : (..., n, 2) array_like
        Row by row, as `image_positions` returns them: a reflection turns this order round.
    L, K : float

    Returns
    -------
    (...) ndarray or float
        The largest difference of a coordinate between ``L + K - p`` and the positions p taken backwards; 0 for an
        image that both sentences see from the same side.

    Raises
    ------
    ValueError
        If ``positions`` has not two coordinates or no patch, or a value or the result is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/10040, results 6 and 7.

    Examples
    --------
    >>> [float(reflection_error(*(p, 0, K))) for p, K in (image_positions(0, 5, 2, s) for s in ("mrope", "tie"))]
    [3.0, 0.0]
    """
    positions = _checks.array("positions", positions, core=2, last=2)
    L, K = _checks.number("L", L), _checks.number("K", K)
    with np.errstate(over="ignore", invalid="ignore"):
        gap = np.abs(positions + positions[..., ::-1, :] - (L + K))
    return _checks.result(gap.max(axis=(-2, -1)), "positions", "L", "K")


def patchify(x: ArrayLike, p: int) -> Array:
    """Return the squares of p by p pixels of an image as vectors, row by row.

    Patch (i, j) holds ``x[i p + a, j p + b, c]`` at ``(a p + b) C + c``, where C is the number of channels.

    Parameters
    ----------
    x : (..., H, W, C) array_like
        Images with sides that p divides; a grey image has one channel.
    p : int
        At least 1.

    Returns
    -------
    (..., H W / p^2, p^2 C) ndarray
        The same numbers in another order: `unpatchify` gives the image back to the last bit.

    Raises
    ------
    ValueError
        If ``p`` does not divide a side, ``x`` has fewer than three axes or no pixel, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9984, result 8.

    Examples
    --------
    >>> patchify(np.arange(8.0).reshape(2, 4, 1), 2)
    array([[0., 1., 4., 5.],
           [2., 3., 6., 7.]])
    """
    x, p = _checks.array("x", x, core=3), _checks.integer("p", p, low=1)
    *batch, H, W, C = x.shape
    if H % p or W % p:
        raise ValueError(f"p must divide both sides {H} and {W}, got {p}")
    squares = x.reshape(*batch, H // p, p, W // p, p, C).swapaxes(-4, -3)
    return squares.reshape(*batch, H * W // p**2, p**2 * C).copy()


def unpatchify(patches: ArrayLike, p: int, h: int) -> Array:
    """Return the image that `patchify` has cut into h rows of patches.

    Parameters
    ----------
    patches : (..., n, p^2 C) array_like
        Row by row.
    p : int
        Pixels along the side of a patch, at least 1.
    h : int
        Rows of patches; divides n.

    Returns
    -------
    (..., h p, n p / h, C) ndarray
        ``unpatchify(patchify(x, p), p, H / p)`` is ``x``.

    Raises
    ------
    ValueError
        If ``h`` does not divide n, ``p^2`` does not divide the last axis, or a value is not finite.

    References
    ----------
    .. [1] kexue.fm/archives/9984, result 8.

    Examples
    --------
    >>> unpatchify([[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]], 2, 1)[..., 0]
    array([[0., 1., 2., 3.],
           [4., 5., 6., 7.]])
    """
    patches = _checks.array("patches", patches, core=2)
    p, h = _checks.integer("p", p, low=1), _checks.integer("h", h, low=1)
    *batch, n, size = patches.shape
    if n % h:
        raise ValueError(f"h must divide the number of patches {n}, got {h}")
    if size % p**2:
        raise ValueError(f"p must have a square that divides the last axis {size} of patches, got {p}")
    squares = patches.reshape(*batch, h, n // h, p, p, size // p**2).swapaxes(-4, -3)
    return squares.reshape(*batch, h * p, n // h * p, size // p**2).copy()


def _size(name, value):
    """Return a side of an image: 1 to 4096 patches."""
    return _checks.integer(name, value, low=1, high=4096)
