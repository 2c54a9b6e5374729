"""The icons of the theme as one small style sheet: `python -m extensions.icons` writes `static/icons.css` anew.

The theme loads all of Font Awesome: 1.5 MB of script that rewrites the page, and three fonts. The book shows about
thirty of its pictures. They are cut out of the fonts that come with the theme and travel inside the style sheet, and
`templates/layout.html` leaves the rest out.
"""

import re
from pathlib import Path

from extensions import fonts

HERE = Path(__file__).parent
SHEET = HERE / "static" / "icons.css"
NAMES = ["angle-left", "angle-right", "arrow-up", "bars", "chevron-down", "circle-half-stroke", "code", "download"]
NAMES += ["expand", "external-link", "file", "file-pdf", "github", "lightbulb", "list", "magnifying-glass", "moon"]
NAMES += ["pencil", "rocket", "sun", "xmark"]
FAMILY = '"Font Awesome 5 Free"'
HEAD = """\
/* Written by `python -m extensions.icons` from Font Awesome Free {version} (icons CC BY 4.0, fonts SIL OFL 1.1). */
:root {{ --fa-font-solid: 900 1em/1 "Font Awesome 5 Free"; --fa-font-brands: 400 1em/1 "Font Awesome 5 Free"; }}
.fa, .fas, .fa-solid, .fab, .fa-brands {{ font: var(--fa-font-solid); display: inline-block; text-align: center; }}
.fa::before, .fas::before, .fa-solid::before, .fab::before, .fa-brands::before {{ display: inline-block; width: 1em; }}
.bd-sidebar-secondary .onthispage i {{ padding: 0; }}
"""


def setup(app):
    """Put the sheet and the template in the place of the theme's scripts and fonts."""
    app.connect("config-inited", configure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def configure(app, config):
    """Sphinx calls this before the theme is read."""
    config.templates_path.insert(0, str(HERE / "templates"))
    config.html_css_files.append(SHEET.name)


def vendor():
    """Return the folder of Font Awesome in the theme."""
    import pydata_sphinx_theme

    top = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
    return next((top / "vendor" / "fontawesome").iterdir())


def glyphs(style):
    """Return what the theme's style sheets ask for by number; the arrow beside "Contents" is not a variable."""
    return {ord(character) for character in re.findall(r'--pst-icon-[a-z-]+:"(.)"', style)} | {0xF107}


def code(style, name):
    """Return the number of an icon in Font Awesome's style sheet."""
    match = re.search(rf'\.fa-{name}:before[^{{}}]*\{{content:"\\([0-9a-f]+)"', style)
    if match is None:
        raise ValueError(f"name must be an icon of Font Awesome, got {name!r}")
    return int(match[1], 16)


def sheet():
    """Return the text of the style sheet."""
    folder = vendor()
    style = (folder / "css" / "all.min.css").read_text(encoding="utf-8")
    theme = (folder.parents[2] / "styles" / "pydata-sphinx-theme.css").read_text(encoding="utf-8")
    codes = {name: code(style, name) for name in NAMES}
    missing, faces = glyphs(theme) | set(codes.values()), []
    # What is not a picture of the solid font is a brand; one family name serves both.
    for name in ("fa-solid-900", "fa-brands-400"):
        data, present = fonts.cut(folder / "webfonts" / f"{name}.ttf", map(chr, missing), kind="woff")
        faces.append(fonts.face(data, present, kind="woff", font_family=FAMILY, font_weight="100 900"))
        missing = missing - set(present)
    if missing:
        raise ValueError(f"every icon must be in one of the two fonts, got none for {sorted(map(hex, missing))}")
    rules = "".join(f'.fa-{name}::before {{ content: "\\{number:x}"; }}\n' for name, number in codes.items())
    return HEAD.format(version=folder.name) + rules + "".join(faces)


if __name__ == "__main__":
    SHEET.write_text(sheet(), encoding="utf-8")
    print(f"{SHEET.name}: {SHEET.stat().st_size} bytes")
