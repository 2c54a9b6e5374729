"""The kernel-free face of an explorer: every picture drawn beforehand, shown by a little JavaScript.

`extensions/static/explorer.js` is the other half of this file.
"""

import base64
import html
import json
import math
import unicodedata
import zlib

from kexue_core.notebook.formats import format_number
from kexue_core.notebook.packing import pack_frames, unpack_frames

__all__ = ["control_data", "player_html"]


def control_data(controls):
    """Return the controls as JSON: what a page needs to show them, and a link to set them.

    ``keys`` are the stops as they stand in an address.
    """
    return [
        {
            "name": name,
            "kind": "buttons" if control.kind == "text" and not control.twin else control.kind,
            "unit": control.unit,
            "names": list(control.names),
            "keys": [_key(stop) for stop in control.stops],
            "start": control.start,
        }
        for name, control in controls.items()
    ]


def player_html(*, name, label, alt, controls, names, values, frames, drags, default_alt, table):
    """Return the explorer as HTML that needs no kernel and no network.

    Parameters
    ----------
    name, label, alt : str
        Id, accessible name, and the format of the alternative text.
    controls : dict of str to Control
        In the order of the nested loops that made ``frames``, the last one fastest.
    names : sequence of str
        What the numbers are.
    values : list of list of str
        For each frame its numbers.
    frames : list of str
        For each frame its picture.
    drags : list of dict
        For each control that follows the pointer: its number, the panel, the direction, and the places of its stops.
    default_alt : str
        What is seen at the default stop.
    table : str
        The numbers at the stops that are shown, as text.
    """
    header, planes = pack_frames(frames)
    data = control_data(controls)
    twin = next((control.twin for control in controls.values() if control.twin), "")
    for entry, control in zip(data, controls.values()):
        entry["values"] = [_json_value(stop) for stop in control.stops]
    head = {"groups": header, "values": values, "names": list(names), "alt": alt, "controls": data, "drags": drags}
    packed = json.dumps(head | ({"twin": twin} if twin else {}), ensure_ascii=False).encode()
    packed = zlib.compress(len(packed).to_bytes(4, "little") + packed + planes, 9)
    start = 0
    for control in controls.values():
        start = start * len(control.stops) + control.start
    rows = "".join(
        f"<div><dt>{html.escape(number)}</dt><dd{_room(column)}><span>{html.escape(column[start])}</span></dd></div>"
        for number, column in zip(names, zip(*values))
    )
    parts = [
        f'<div class="kx-explorer" id="{name}" role="group" aria-label="{html.escape(label)}">',
        '<noscript><p class="kx-note">The controls need JavaScript. Shown is where they start.</p></noscript>',
        '<div class="kx-controls">',
        *(_control_html(name, entry, control) for entry, control in zip(data, controls.values())),
        f'</div><div class="kx-scroll"><div class="kx-picture" role="img" aria-label="{html.escape(default_alt)}">',
        # as it comes out of the packing: nothing changes in it until a control is moved
        f"{unpack_frames(*pack_frames([frames[start]]))[0]}</div></div>",
        f'<dl class="kx-numbers">{rows}</dl><p class="kx-status" role="status"></p>',
        '<div class="kx-foot"><details class="kx-table"><summary>Table of the numbers</summary>',
        f'<pre tabindex="0">{html.escape(table)}</pre></details>',
        '<button type="button" class="kx-copy" title="Copy the address of what is shown">Copy link</button></div>',
        f'<script type="text/plain" class="kx-frames">{base64.b64encode(packed).decode()}</script></div>',
    ]
    return "".join(parts)


def _control_html(name, entry, control):
    """Return a slider, a group of buttons or a text box: native inputs that a screen reader knows."""
    label, shown, identity = (
        html.escape(control.label),
        html.escape(control.names[control.start]),
        f"{name}-{entry['name']}",
    )
    common = f'data-control="{entry["name"]}" autocomplete="off"'
    if entry["kind"] == "buttons":
        buttons = "".join(
            f'<label><input type="radio" name="{identity}" value="{i}" {common}{" checked" * (i == control.start)}>'
            f"<span>{html.escape(text)}</span></label>"
            for i, text in enumerate(control.names)
        )
        return (
            f'<fieldset class="kx-control"><legend>{label}</legend><div class="kx-options">{buttons}</div></fieldset>'
        )
    if entry["kind"] == "text":
        options = "".join(f'<option value="{html.escape(text)}">' for text in control.names)
        return (
            f'<div class="kx-control"><label for="{identity}">{label}</label><input id="{identity}" type="text" '
            f'value="{shown}" list="{identity}-examples" {common}><datalist id="{identity}-examples">{options}'
            "</datalist></div>"
        )
    return (
        f'<div class="kx-control"><label for="{identity}">{label}</label><input id="{identity}" type="range" min="0" '
        f'max="{len(control.stops) - 1}" value="{control.start}" step="1" aria-valuetext="{shown}" {common}>'
        f'<output for="{identity}"{_room(control.names)}><span>{shown}</span></output></div>'
    )


def _room(texts):
    """Return an attribute with the widest of some texts: the place that is kept for all of them."""
    widest = max(texts, key=lambda text: sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text))
    return f' data-room="{html.escape(widest)}"'


def _key(stop):
    """Return a stop as it stands in an address."""
    if isinstance(stop, str | bool):
        return format_number(stop)
    short = f"{stop:g}"
    return short if "e" not in short and float(short) == stop else repr(_json_value(stop))


def _json_value(stop):
    stop = stop.item() if hasattr(stop, "item") else stop
    return stop if isinstance(stop, str) or math.isfinite(stop) else format_number(stop)
