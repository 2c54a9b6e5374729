"""The level that makes a sum of shifted links equal to k: links, breakpoints and the four ways to solve."""

from __future__ import annotations

import numpy as np

LINKS = ("sigmoid", "laplace", "minexp", "clip")
_ROUNDS, _ROUNDING = 1200, 4 * np.finfo(float).eps


def link_values(v, link):
    """Return ``f`` and ``f'`` of a link."""
    if link == "clip":
        return np.clip(v, 0, 1), np.where((v >= 0) & (v < 1), 1.0, 0.0)
    decay = np.exp(-np.abs(v))
    if link == "sigmoid":
        return np.where(v >= 0, 1, decay) / (1 + decay), decay / (1 + decay) ** 2
    if link == "laplace":
        return np.where(v >= 0, 1 - decay / 2, decay / 2), decay / 2
    return np.where(v >= 0, 1, decay), np.where(v >= 0, 0, decay)


def _total(v, link):
    """Return the sum of ``f`` over each row, for the links with breakpoints."""
    if link == "clip":
        f = np.clip(v, 0, 1, out=v)
    elif link == "minexp":
        f = np.exp(np.minimum(v, 0, out=v), out=v)
    else:
        f = link_values(v, link)[0]
    return f.sum(axis=-1, keepdims=True)


def level(u, k, link):
    """Return the level of each row, for ``0 < k < `` the number of finite entries; ``u`` is 0 at the k-th largest."""
    z = np.sort(u, axis=-1)[..., ::-1]
    if link == "sigmoid":
        return _sigmoid_level(z, k)
    return {"laplace": _laplace_level, "minexp": _minexp_level, "clip": _clip_level}[link](z, k)


def _count_above(z, k, link, knots):
    """Return how many of the descending ``knots`` are not below the level, by bisection: there the sum is ``<= k``."""
    low = np.zeros((*z.shape[:-1], 1), dtype=int)
    high = np.full_like(low, knots.shape[-1])
    for _ in range(knots.shape[-1].bit_length()):
        middle = (low + high) // 2  # knots[:low] are above it, knots[high:] are not
        at = np.take_along_axis(knots, np.minimum(middle, knots.shape[-1] - 1), -1)
        usable = np.isfinite(at)  # a knot at -inf is below every level
        total = np.where(usable, _total(z - np.where(usable, at, 0), link), np.inf)
        above = (total <= k) & (middle < high)
        low, high = np.where(above, middle + 1, low), np.where(above, high, middle)
    return low


def _split(z, m):
    """Return the masks of the first ``m`` of each row and of the others that are finite."""
    first = np.arange(z.shape[-1]) < m
    return first, ~first & np.isfinite(z)


def _log_sum(v, where):
    """Return ``log sum exp(v)`` over a part of each row; ``-inf`` for none."""
    v = np.where(where, v, -np.inf)
    top = v.max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return top + np.log(np.exp(v - top).sum(axis=-1, keepdims=True))


def _laplace_level(z, k):
    m = _count_above(z, k, "laplace", z)
    first, others = _split(z, m)
    log_a, log_b, h = _log_sum(-z, first), _log_sum(z, others), k - m
    # A y^2 / 2 + h y - B / 2 = 0 for y = exp(lambda), by whichever form of its positive root does not cancel
    with np.errstate(divide="ignore", invalid="ignore"):
        log_root = np.logaddexp(2 * np.log(np.abs(h)), log_a + log_b) / 2
        log_sum = np.logaddexp(log_root, np.log(np.abs(h)))
        return np.where(h >= 0, log_b - log_sum, log_sum - log_a)


def _minexp_level(z, k):
    m = np.minimum(_count_above(z, k, "minexp", z), int(np.ceil(k)) - 1)
    return _log_sum(z, _split(z, m)[1]) - np.log(k - m)


def _clip_level(z, k):
    with np.errstate(invalid="ignore"):
        knots = np.sort(np.concatenate([z, z - 1], axis=-1), axis=-1)[..., ::-1]
    count = _count_above(z, k, "clip", knots)
    upper = np.take_along_axis(knots, np.maximum(count - 1, 0), -1)
    lower = np.take_along_axis(knots, np.minimum(count, knots.shape[-1] - 1), -1)
    full, part = z - 1 >= upper, (z - 1 < upper) & (z > lower)
    size = part.sum(axis=-1, keepdims=True)
    inside = np.where(part, z, 0).sum(axis=-1, keepdims=True) - (k - full.sum(axis=-1, keepdims=True))
    lam = inside / np.maximum(size, 1)
    if k == int(k):  # a lead of 1 over the next one leaves an interval of levels
        last, following = z[..., int(k) - 1, None] - 1, z[..., int(k), None]
        following = np.where(np.isfinite(following), following, last)
        lam = np.where(last >= following, last / 2 + following / 2, lam)
    return lam


def _sigmoid_level(z, k):
    """Solve ``log (sum of p below) = log (sum of 1 - p above + k - m)``: all terms are positive, nothing cancels.

    Above are the first ``m = floor(k)`` entries. The difference of both sides falls as the level rises. Newton's steps
    are kept in the bracket; where one leaves it, the bracket is halved.
    """
    finite = np.isfinite(z)
    m, place = int(np.floor(k)), np.arange(z.shape[-1])
    above, below = place < m, finite & (place >= m)
    with np.errstate(divide="ignore"):
        log_slack = np.log(k - m)
    offset = np.log(k) - np.log(finite.sum(axis=-1, keepdims=True) - k)
    low = np.where(finite, z, np.inf).min(axis=-1, keepdims=True) - offset
    high = z[..., :1] - offset
    middle = (z[..., max(m - 1, 0), None] + z[..., m, None]) / 2
    lam = np.clip(np.where(np.isfinite(middle), middle, low), low, high)
    for _ in range(_ROUNDS):
        v = z - lam
        tail = np.log1p(np.exp(-np.abs(v)))
        log_p, log_q = np.minimum(v, 0) - tail, -np.maximum(v, 0) - tail
        left, right = _log_sum(log_p, below), np.logaddexp(_log_sum(log_q, above), log_slack)
        gap = left - right
        falls = np.exp(log_p + log_q - np.where(below, left, right))  # each log p has the slope -q, each log q has p
        slope = np.where(above | below, falls, 0).sum(axis=-1, keepdims=True)
        low, high = np.where(gap >= 0, lam, low), np.where(gap <= 0, lam, high)
        step = np.divide(gap, slope, out=np.full_like(gap, np.inf), where=slope > np.abs(gap) * 1e-300)
        newton = lam + step
        following = np.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
        moved = np.abs(following - lam)
        lam = following
        if (moved <= _ROUNDING * np.maximum(1, np.abs(lam))).all():
            break
    return lam
