"""Controls that follow a pointer over the picture: where their stops lie on it."""

import numpy as np

__all__ = ["drag_rules", "place_stops"]


def drag_rules(drag, controls, panels):
    """Return for each control that follows the pointer its number, its panel and the direction.

    Parameters
    ----------
    drag : dict or None
        ``{name: "x"}``, or ``{name: ("y", number of the panel)}``.
    controls : dict of str to Control
        Those of the explorer.
    panels : (2,) tuple of int
        Rows and columns of axes.

    Raises
    ------
    ValueError
        If a name is no control with numbers for stops, or the place is none.
    """
    rules = []
    for name, place in (drag or {}).items():
        direction, panel = place if isinstance(place, tuple) else (place, 0)
        if name not in controls or controls[name].kind != "slider" or not all(map(_is_real, controls[name].stops)):
            raise ValueError(f"drag must name controls whose stops are numbers, got {name!r}")
        if direction not in ("x", "y") or panel not in range(panels[0] * panels[1]):
            raise ValueError(f"drag of {name!r} must be 'x', 'y' or one of them with a panel's number, got {place!r}")
        rules.append({"control": [*controls].index(name), "panel": panel, "direction": direction})
    return rules


def place_stops(figure, rule, control):
    """Return where the stops of a control lie on its axis in a drawn picture: points from the left or from the top."""
    figure.dpi = 72
    axes = figure.axes[rule["panel"]]
    axes.apply_aspect()
    points = np.tile([axes.get_xlim()[0], axes.get_ylim()[0]], (len(control.stops), 1)).astype(float)
    points[:, "xy".index(rule["direction"])] = control.stops
    places = axes.transData.transform(points)
    found = places[:, 0] if rule["direction"] == "x" else figure.bbox.height - places[:, 1]
    return [round(float(place), 1) for place in found]


def _is_real(stop):
    return isinstance(stop, int | float) or hasattr(stop, "dtype")
