"""The kernel-free face of an explorer: every picture drawn beforehand, packed tightly, swapped by a little JavaScript.

The pictures of one explorer are nearly the same SVG. What they share is stored once (the template: everything but the
coordinates); the coordinates become whole tenths of a point, are predicted from their neighbours in the path and in the
picture before, and only the errors of the prediction are kept. zlib does the rest; the browser has its inverse built in
(``DecompressionStream``). `extensions/static/explorer.js` is the other half of this file.
"""

import base64
import html
import itertools
import json
import re
import zlib

import numpy as np

__all__ = ["pack_frames", "player_html", "unpack_frames"]

_ATTRIBUTE = re.compile(r'(?<= )(?:d|x|y|transform|points)="[^"]*"')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SLOT = "\x01"


def pack_frames(svgs):
    """Return the pictures as a JSON header and the bytes behind it.

    Coordinates are rounded to a tenth of a point.

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
    groups = {}
    for index, svg in enumerate(svgs):
        template, tenths = _split(svg)
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


def _split(svg):
    """Return the template and the coordinates in tenths."""
    tenths = []

    def number(match):
        value = float(match[0])
        if abs(value) < 1 and round(value, 1) != value:
            return match[0]  # a scale or an opacity: a tenth would be too coarse
        tenths.append(round(value * 10))
        return _SLOT

    template = _ATTRIBUTE.sub(lambda match: _NUMBER.sub(number, match[0]), svg)
    return template, tenths


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


def player_html(*, controls, names, values, frames, alts, numbers, table, key):
    """Return the explorer as HTML that needs no kernel and no network.

    Parameters
    ----------
    controls : dict of str to Control
        In the order of the nested loops that made ``frames``, the last one fastest.
    names : sequence of str
        What the numbers are.
    values : list of list of str
        For each frame its numbers.
    frames, alts : list of str
        For each frame its picture and what is seen in it.
    numbers : list of str
        The numbers at the default stop.
    table : str
        The numbers at every stop, as text.
    key : str
        Makes the ids of this explorer differ from others on the page.
    """
    header, planes = pack_frames(frames)
    head = json.dumps({"groups": header, "alts": alts, "values": values}, ensure_ascii=False).encode()
    packed = zlib.compress(len(head).to_bytes(4, "little") + head + planes, 9)
    escape = html.escape
    start = 0
    sliders = []
    for name, control in controls.items():
        start = start * len(control.stops) + control.start
        identity = f"kx-{key}-{name}"
        sliders.append(
            f'<div class="kx-control"><label for="{identity}">{escape(control.label)}</label>'
            f'<input id="{identity}" name="{name}" type="range" min="0" max="{len(control.stops) - 1}" '
            f'value="{control.start}" step="1" aria-valuetext="{escape(control.names[control.start])}" '
            f'data-names="{escape(json.dumps(control.names, ensure_ascii=False))}" autocomplete="off">'
            f'<output for="{identity}">{escape(control.names[control.start])}</output></div>'
        )
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in zip(names, numbers))
    return (
        f'<div class="kx-explorer" id="kx-{key}" role="group" aria-label="Explorer">{"".join(sliders)}'
        f'<div class="kx-scroll"><div class="kx-picture" role="img" aria-label="{escape(alts[start])}">'
        f"{frames[start]}</div></div>"
        f'<dl class="kx-numbers" aria-live="polite">{rows}</dl>'
        f'<details class="kx-table"><summary>The numbers at every stop</summary>'
        f'<pre tabindex="0">{escape(table)}</pre></details>'
        f'<script type="text/plain" class="kx-frames">{base64.b64encode(packed).decode()}</script></div>'
    )
