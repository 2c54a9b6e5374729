"""The page of symbols: an index by letter, then the table that every chapter gives."""

import re
import unicodedata
from collections import defaultdict

from extensions import chapters
from extensions.plain_math import plain_math


def notation():
    """Return the page as Markdown."""
    lines = ["## By letter", "", *by_letter(), ""]
    for caption, members in chapters.parts():
        for number, slug in enumerate(members):
            lines += [f"## {caption}", ""] if number == 0 else []
            lines += [f"(symbols-{slug})=", f"### [{chapters.title(slug)}](/chapters/{slug}.ipynb)", ""]
            lines += [*chapters.symbols(slug).splitlines(), ""]
    return "\n".join(lines)


def by_letter():
    """Return the rows of a table: a letter, and each symbol made of it with the chapters that use it."""
    index = defaultdict(lambda: defaultdict(list))
    for slug in chapters.slugs():
        for symbol in symbols(slug):
            index[letter(symbol)][symbol].append(slug)
    rows = ["| letter | symbols, and the chapters that use them |", "|:--|:--|"]
    for key in sorted(index, key=order):
        entries = [f"${symbol}$ {links(slugs)}" for symbol, slugs in sorted(index[key].items(), key=length)]
        rows.append(f"| **{key}** | {' · '.join(entries)} |")
    return rows


def symbols(slug):
    r"""Return the symbols of a chapter's table without what they are set equal to (`\theta_i` of `\theta_i=b^c`)."""
    rows = chapters.symbols(slug).splitlines()[2:]
    formulas = [found for row in rows for found in re.findall(r"\$([^$]+)\$|^([A-Za-z]+)$", row.split("|")[1].strip())]
    parts = [re.split(r"=|\\to\b", formula or rf"\mathrm{{{word}}}")[0].strip() for formula, word in formulas]
    return list(dict.fromkeys(part for part in parts if letter(part)))


def letter(symbol):
    """Return the letter that a symbol is made of, without accents; ``""`` where there is none."""
    plain = unicodedata.normalize("NFKD", plain_math(symbol))
    return next((character for character in plain if character.isalpha()), "")


def order(key):
    """Sort Latin letters before Greek ones, a small letter beside its capital."""
    return (key.lower() > "z", key.lower(), key.islower())


def length(entry):
    """Sort the bare letter before its compounds."""
    return len(entry[0]), entry[0]


def links(slugs):
    """Return links to the tables of chapters further down, named by their addresses."""
    return ", ".join(f"[{slug.replace('_', ' ')}](#symbols-{slug})" for slug in slugs)
