"""The fonts of the formulas, cut to what the book writes: `python -m extensions.fonts` makes `katex/early.css` anew.

They travel inside a style sheet, so that a formula has its width before the first line is drawn. A character that is
not among them comes from the whole font, which loads then; `katex.min.css` loses the rules that loaded it always. Run
it on the built book, with the package brotli.
"""

import base64
import html
import io
import re
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE / "static" / "katex"
SHEET, KATEX = FOLDER / "early.css", FOLDER / "katex.min.css"
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
    """Return a font file with only these characters, those of them that it had, and the others that it had."""
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    options = Options()
    options.hinting, options.recalc_timestamp = False, False
    with TTFont(path) as font:
        for table in font["cmap"].tables:
            if table.isUnicode() and "space" in font.getGlyphOrder():
                table.cmap.setdefault(0x200B, "space")  # KaTeX writes it; it never has any width
        had = set(font.getBestCmap())
        present = had & set(map(ord, characters))
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=present)
        subsetter.subset(font)
        font.flavor = kind
        data = io.BytesIO()
        font.save(data)
    return data.getvalue(), present, had - present


def face(source, characters, **descriptors):
    """Return the `@font-face` rule of a font: bytes of a file, or its address."""
    if isinstance(source, bytes):
        kind = "woff2" if source.startswith(b"wOF2") else "woff"
        source = f"data:font/{kind};base64,{base64.b64encode(source).decode()}"
    lines = [f"  {name.replace('_', '-')}: {value};\n" for name, value in descriptors.items()]
    return f"@font-face {{\n{''.join(lines)}  unicode-range: {ranges(characters)};\n  src: url({source});\n}}\n"


def ranges(characters):
    """Return numbers of characters as CSS writes them.

    Examples
    --------
    >>> ranges({97, 98, 99, 65})
    'U+41, U+61-63'
    """
    runs = []
    for number in sorted(characters):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"U+{first:X}" if first == last else f"U+{first:X}-{last:X}" for first, last in runs)


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
        path = FOLDER / "fonts" / f"KaTeX_{name}.woff2"
        data, present, rest = cut(path, characters, kind="woff2")
        family, _, style = name.partition("-")
        style = "italic" if style == "Italic" else "normal"
        named = {"font_family": f"KaTeX_{family}", "font_style": style, "font_weight": 400}
        rules.append(face(data, present, **named))
        rules += [face(f"fonts/{path.name}", rest, **named)] if rest else []
    return f"/* Written by `python -m extensions.fonts` from the fonts beside it; LICENSE. */\n{''.join(rules)}"


def without_early(style):
    """Return KaTeX's style sheet without the rules of the fonts that `early.css` declares."""
    names = "|".join(EARLY)
    return re.sub(rf"@font-face\{{[^}}]*KaTeX_(?:{names})\.woff2[^}}]*\}}", "", style)


if __name__ == "__main__":
    KATEX.write_text(without_early(KATEX.read_text(encoding="utf-8")), encoding="utf-8")
    SHEET.write_text(sheet(SITE), encoding="utf-8")
    print(f"{SHEET.name}: {SHEET.stat().st_size} bytes")
