"""The index of symbols."""

import re

import pytest

from extensions import chapters, notation


@pytest.mark.parametrize(
    ("symbol", "letter"),
    [
        ("d", "d"),
        (r"\bar\alpha_t", "α"),
        (r"\varepsilon", "ε"),
        (r"\Phi", "Φ"),
        (r"\varphi", "φ"),
        (r"\mathrm{Ci}(x)", "C"),
        (r"\mathcal R_n", "R"),
        (r"\hat{\mathbf x}", "x"),
        (r"\partial_s\tau", "s"),
        ("(k,l)", "k"),
        ("1", ""),
        (r"\to", ""),
    ],
)
def test_a_symbol_stands_under_the_letter_it_is_made_of(symbol, letter):
    assert notation.letter(symbol) == letter


def test_the_index_holds_every_symbol_of_every_table_once():
    rows = notation.by_letter()[2:]
    for slug in chapters.slugs():
        for symbol in notation.symbols(slug):
            holding = [row for row in rows if re.search(rf"{re.escape(f'${symbol}$')} [^·]*#symbols-{slug}\)", row)]
            assert len(holding) == 1, (slug, symbol)


def test_what_a_symbol_is_set_equal_to_is_not_part_of_it(monkeypatch):
    table = "| letter | meaning |\n|---|---|\n| $\\theta_i=b^{-2i/d}$, $n$ | $x$ |\n| $t\\to u$ | |\n| MaxVio | |"
    monkeypatch.setattr(chapters, "symbols", lambda slug: table)
    assert notation.symbols("any") == [r"\theta_i", "n", "t", r"\mathrm{MaxVio}"]
