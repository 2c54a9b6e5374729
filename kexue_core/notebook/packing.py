"""Many pictures, packed tightly for a page that has no kernel.

The pictures of one explorer are nearly the same SVG. What they share is stored once (the template: everything but the
coordinates); the coordinates become whole tenths of a point, are predicted from their neighbours in the path and in the
picture before, and only the errors of the prediction are kept. zlib does the rest; the browser has its inverse built in
(``DecompressionStream``). `extensions/static/explorer-frames.js` is the other half of this file.
"""

import itertools
import re
import zlib

import numpy as np

__all__ = ["pack_frames", "unpack_frames"]

_ATTRIBUTE = re.compile(r'(?<= )(?:d|x|y|transform|points)="[^"]*"')
# A number; or what turns and scales, whole: over the width of an image a tenth in a factor adds up.
_NUMBER = re.compile(r"matrix\((?:[^ ]+ ){3}[^ ]+|scale\([^)]*\)|-?\d+(?:\.\d+)?")
_SLOT = "\x01"


def pack_frames(svgs):
    """Return the pictures as a JSON header and the bytes behind it.

    Coordinates are rounded to a tenth of a point, scales are not.

    Parameters
    ----------
    svgs : list of str
        ``<svg>`` elements; the more alike, the smaller the result.

    Returns
    -------
    header : list of dict
        One entry for each different template, with the frames that use it.
    planes : bytes
        Low, middle and high bytes of the prediction errors, group by group.

    Raises
    ------
    ValueError
        If there is no picture.

    Examples
    --------
    >>> frames = ['<svg><path d="M 1 2"/></svg>', '<svg><path d="M 1 3.04"/></svg>']
    >>> unpack_frames(*pack_frames(frames))
    ['<svg><path d="M 1 2"/></svg>', '<svg><path d="M 1 3"/></svg>']
    """
    if not svgs:
        raise ValueError("svgs must hold at least one picture, got none")
    groups, known = {}, {}
    for index, svg in enumerate(svgs):
        template, tenths = _split(svg, known)
        groups.setdefault(template, []).append((index, tenths))
    header, planes = [], []
    for template, members in groups.items():
        tenths = np.array([row for _, row in members], dtype=np.int64).reshape(len(members), -1)
        moving = (tenths != tenths[0]).any(axis=0)
        coding, packed = _smallest(tenths[:, moving])
        header.append(
            {
                "template": template,
                "frames": [index for index, _ in members],
                "fixed": [None if moves else int(value) for moves, value in zip(moving, tenths[0])],
                **coding,
            }
        )
        planes.append(packed)
    return header, b"".join(planes)


def unpack_frames(header, planes):
    """Return the pictures that `pack_frames` packed: what the JavaScript does, for the tests and for readers."""
    svgs = {}
    for group in header:
        frames, fixed = group["frames"], np.array([np.nan if f is None else f for f in group["fixed"]], dtype=float)
        moving = np.isnan(fixed)
        size = len(frames) * moving.sum()
        low, middle, high = np.frombuffer(planes[: 3 * size], np.uint8).reshape(3, size).astype(np.int64)
        planes = planes[3 * size :]
        zigzag = low | middle << 8 | high << 16
        errors = (zigzag >> 1) ^ -(zigzag & 1)
        shape = (len(frames), moving.sum())
        values = errors.reshape(shape[::-1]).T.copy() if group["transposed"] else errors.reshape(shape).copy()
        stride = group["stride"]
        for _ in range(group["order"]):
            for column in range(stride, shape[1]):
                values[:, column] += values[:, column - stride]
        if group["time"]:
            values = values.cumsum(axis=0)
        pieces = group["template"].split(_SLOT)
        for index, row in zip(frames, values):
            tenths = fixed.copy()
            tenths[moving] = row
            numbers = [f"{value / 10:g}" for value in tenths] + [""]
            svgs[index] = "".join(itertools.chain.from_iterable(zip(pieces, numbers)))
    return [svgs[index] for index in range(len(svgs))]


def _split(svg, known):
    """Return the template and the coordinates in tenths; ``known`` keeps both for each attribute: most are repeated."""
    tenths = []

    def attribute(match):
        text = match[0]
        if text not in known:
            found = []
            known[text] = _NUMBER.sub(lambda number: _slot(number[0], found), text), found
        template, found = known[text]
        tenths.extend(found)
        return template

    return _ATTRIBUTE.sub(attribute, svg), tenths


def _slot(number, tenths):
    """Return what stands for a number in the template; its tenths are appended if it is a coordinate."""
    if number.startswith(("matrix", "scale")):
        return number
    value = float(number)
    if abs(value) < 1 and round(value, 1) != value:
        return number  # an opacity: a tenth would be too coarse
    tenths.append(round(value * 10))
    return _SLOT


def _smallest(values):
    """Try the predictors and return the one that zlib makes smallest."""
    best = None
    for time, (order, stride), transposed in itertools.product(
        (0, 1), ((0, 1), (1, 1), (2, 1), (1, 2), (2, 2)), (0, 1)
    ):
        errors = values.copy()
        if time:
            errors[1:] -= values[:-1]
        for _ in range(order):
            errors[:, stride:] -= errors[:, :-stride].copy()
        flat = (errors.T if transposed else errors).ravel()
        zigzag = np.where(flat < 0, -2 * flat - 1, 2 * flat)
        if zigzag.size and zigzag.max() >= 1 << 24:
            continue
        packed = b"".join((zigzag >> shift & 255).astype(np.uint8).tobytes() for shift in (0, 8, 16))
        size = len(zlib.compress(packed, 6))
        if best is None or size < best[0]:
            best = size, {"time": time, "order": order, "stride": stride, "transposed": transposed}, packed
    return best[1:]
