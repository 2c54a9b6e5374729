"""The live face of an explorer: ipywidgets over a picture that is redrawn as they move."""

import html

from kexue_core.notebook.formats import format_number

__all__ = ["live_widget"]


def live_widget(controls, show):
    """Return the controls above a picture.

    Parameters
    ----------
    controls : dict of str to Control
        One widget is made for each.
    show : callable
        ``show(**values)`` returns the HTML of the picture and its numbers. If it raises, the reader sees the message.
    """
    import ipywidgets

    widgets = {name: _widget(control) for name, control in controls.items()}
    picture = ipywidgets.HTML()

    def refresh(change=None):
        try:
            picture.value = show(**{name: widget.value for name, widget in widgets.items()})
        except Exception as error:
            message = html.escape(f"{type(error).__name__}: {error}")
            picture.value = f'<p role="alert" style="color:#b00020"><b>{message}</b></p>'
            raise

    for widget in widgets.values():
        widget.observe(refresh, names="value")
    refresh()
    return ipywidgets.VBox([*widgets.values(), picture])


def live_html(svg, alt, numbers):
    """Return a picture with its numbers below; panels stand side by side while there is room."""
    shown = " &ensp; ".join(
        f"{html.escape(name)}: <b>{html.escape(format_number(value))}</b>" for name, value in numbers.items()
    )
    look = "background:white;max-width:760px;display:flex;flex-wrap:wrap"
    return (
        f'<div role="img" aria-label="{html.escape(alt)}" style="{look}">{svg}</div>'
        f'<div style="line-height:1.5">{shown}</div>'
    )


def _widget(control):
    import ipywidgets

    common = {
        "description": control.label,
        "value": control.default,
        "layout": ipywidgets.Layout(width="90%", max_width="40em"),
        "style": {"description_width": "initial"},
    }
    if control.kind == "text":
        return ipywidgets.Combobox(options=control.names, **common)
    options = list(zip(control.names, control.stops))
    if control.kind == "buttons":
        common["style"]["button_width"] = "auto"
        return ipywidgets.ToggleButtons(options=options, **common)
    return ipywidgets.SelectionSlider(options=options, **common)
