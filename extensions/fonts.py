"""The fonts of the formulas, cut to what the book writes: `python -m extensions.fonts` makes `katex/early.css` anew.

They travel inside a style sheet, so that a formula has its width before the first line is drawn. A character that none
of them has comes from the whole font, which then loads as before. Run it on the built book, with the package brotli.
"""

import base64
import html
import io
import re
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE / "static" / "katex"
SHEET = FOLDER / "early.css"
SITE = HERE.parent / "_build" / "html"
EARLY = [
    "Main-Regular",
    "Math-Italic",
    "AMS-Regular",
    "Caligraphic-Regular",
    *(f"Size{size}-Regular" for size in "1234"),
]
ALWAYS = {chr(number) for number in [*range(0x20, 0x7F), *range(0x391, 0x3CA), 0x3D5, 0x3F1, 0x3F5]}


def setup(app):
    """Load the sheet after KaTeX's own."""
    app.add_css_file("katex/early.css", priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def cut(path, characters, *, kind):
    """Return a font file with only these characters, and the characters that it had of them."""
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    options = Options()
    options.hinting, options.recalc_timestamp = False, False
    with TTFont(path) as font:
        for table in font["cmap"].tables:
            if table.isUnicode() and "space" in font.getGlyphOrder():
                table.cmap.setdefault(0x200B, "space")  # KaTeX writes it; it never has any width
        present = sorted(set(map(ord, characters)) & set(font.getBestCmap()))
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=present)
        subsetter.subset(font)
        font.flavor = kind
        data = io.BytesIO()
        font.save(data)
    return data.getvalue(), present


def face(data, present, *, kind, **descriptors):
    """Return the `@font-face` rule that holds a font."""
    lines = [f"  {name.replace('_', '-')}: {value};\n" for name, value in descriptors.items()]
    lines.append(f"  unicode-range: {', '.join(f'U+{number:X}' for number in present)};\n")
    lines.append(f"  src: url(data:font/{kind};base64,{base64.b64encode(data).decode()});\n")
    return f"@font-face {{\n{''.join(lines)}}}\n"


def written(site):
    """Return the characters of the formulas in the pages of a site."""
    found = set(ALWAYS)
    for page in site.glob("chapters/**/*.html"):
        for formula in re.findall(r'class="katex-html"(.*?)(?=<math|\Z)', page.read_text(encoding="utf-8"), re.S):
            found.update(html.unescape("".join(re.findall(r">([^<]+)<", formula))))
    return found


def sheet(site):
    """Return the text of the style sheet."""
    characters, rules = written(site), []
    for name in EARLY:
        data, present = cut(FOLDER / "fonts" / f"KaTeX_{name}.woff2", characters, kind="woff2")
        family, _, style = name.partition("-")
        style = "italic" if style == "Italic" else "normal"
        rules.append(
            face(data, present, kind="woff2", font_family=f"KaTeX_{family}", font_style=style, font_weight=400)
        )
    return f"/* Written by `python -m extensions.fonts` from the fonts beside it; LICENSE. */\n{''.join(rules)}"


if __name__ == "__main__":
    SHEET.write_text(sheet(SITE), encoding="utf-8")
    print(f"{SHEET.name}: {SHEET.stat().st_size} bytes")
