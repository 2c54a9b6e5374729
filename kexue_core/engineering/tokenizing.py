"""The terms of a text that mixes Latin words and Chinese, which has no spaces: what a search index counts."""

from __future__ import annotations

from itertools import pairwise

from kexue_core import _checks
from kexue_core.engineering._common import NAMES, RUN, fold, located

__all__ = ["tokenize", "token_spans"]


def tokenize(text: str) -> list[str]:
    """Return the terms of a text: words ``[a-z0-9]+`` whole, ``c_1 .. c_n`` in CJK as ``c_1 c_2, .., c_{n-1} c_n``.

    The text is first decomposed (NFKD: full-width, superscript and bold letters become plain), case-folded and stripped
    of its combining marks, so that Müller and Muller, Padé and Pade are one term; the voice marks of kana stay. A Greek
    letter becomes its name, and so do ∇ ∂ ∆ ∑ ∏ ∫ √ ∞ (nabla, partial, delta, sum, product, integral, root, infinity).
    There is no stemming, and every other character separates, letters that are no accented ones (ø, ł) included.

    Parameters
    ----------
    text : str
        Any language.

    Returns
    -------
    terms : list of str
        In order, with repeats; a CJK run of one character stays single. ``tokenize(" ".join(terms)) == terms``. A query
        of two or more CJK characters therefore finds each text that contains it; so does one of a single character in
        an `InvertedIndex`, which knows where each character stands.

    Raises
    ------
    TypeError
        If ``text`` is not a string.

    References
    ----------
    .. [1] kexue.fm/archives/10088, whose rule keeps letters and digits only; Unicode Standard Annex 15 (NFKD).

    Examples
    --------
    >>> print(*tokenize("Padé, RoPE-2D: 梯度流, 路, Γ, ∇f"))
    pade rope 2d 梯度 度流 路 gamma nabla f
    """
    terms: list[str] = []
    for run in RUN.findall(fold(_checks.string("text", text))):
        if len(run) == 1 or run[0] < "\x80":
            terms.append(NAMES.get(run, run))
        else:
            terms += map("".join, pairwise(run))
    return terms


def token_spans(text: str) -> list[tuple[str, int, int]]:
    """Return the terms of `tokenize` with the place where they stand: ``text[start:end]`` is what became ``term``.

    Parameters
    ----------
    text : str
        Any language.

    Returns
    -------
    spans : list of (str, int, int)
        ``term, start, end`` in the text as given, before normalization may change its length; neither ``start`` nor
        ``end`` ever decreases.

    Raises
    ------
    TypeError
        If ``text`` is not a string.

    References
    ----------
    .. [1] kexue.fm/archives/10088; Unicode Standard Annex 15 (NFKD).

    Examples
    --------
    >>> token_spans("Ｒｅ-ﬁt")
    [('re', 0, 2), ('fit', 3, 5)]
    """
    folded, starts, ends = located(_checks.string("text", text))
    spans = []
    for run in RUN.finditer(folded):
        first, last = run.span()
        size = last - first if last - first == 1 or folded[first] < "\x80" else 2
        for i in range(first, last - size + 1):
            term = folded[i : i + size]
            spans.append((NAMES.get(term, term), starts[i], ends[i + size - 1]))
    return spans
