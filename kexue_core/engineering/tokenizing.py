"""The terms of a text that mixes Latin words and Chinese, which has no spaces: what a search index counts."""

import re
import unicodedata

__all__ = ["tokenize", "token_spans"]

# Han with its extensions, iteration mark and zero; kana; Hangul syllables. \w would also take accents and underscores.
_CJK = (
    "\u3005-\u3007\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_RUN = re.compile(f"([a-z0-9]+)|[{_CJK}]+")


def tokenize(text):
    """Return the terms of a text: words ``[a-z0-9]+`` whole, ``c_1 .. c_n`` in CJK as ``c_1 c_2, .., c_{n-1} c_n``.

    The text is first normalised (NFKC: full-width, superscript and bold letters become plain), then case-folded. There
    is no stemming, and every other character, an accented letter included, separates.

    Parameters
    ----------
    text : str
        Any language.

    Returns
    -------
    terms : list of str
        In order, with repeats; a CJK run of one character stays single. ``tokenize(" ".join(terms)) == terms``. A query
        of two or more CJK characters therefore finds each text that contains it, a query of one only a run of one.

    Raises
    ------
    TypeError
        If ``text`` is not a string.

    References
    ----------
    .. [1] kexue.fm/archives/10088, whose rule keeps letters and digits only; Unicode Standard Annex 15 (NFKC).

    Examples
    --------
    >>> print(*tokenize("RoPE-2D: 梯度流, 路"))
    rope 2d 梯度 度流 路
    """
    return [term for term, _, _ in _terms(_fold(_string("text", text)))]


def token_spans(text):
    """Return the terms of `tokenize` with the place where they stand: ``text[start:end]`` is what became ``term``.

    Parameters
    ----------
    text : str
        Any language.

    Returns
    -------
    spans : list of (str, int, int)
        ``term, start, end`` in the text as given, before normalisation may change its length; neither ``start`` nor
        ``end`` ever decreases.

    Raises
    ------
    TypeError
        If ``text`` is not a string.

    References
    ----------
    .. [1] kexue.fm/archives/10088; Unicode Standard Annex 15 (NFKC).

    Examples
    --------
    >>> token_spans("Ｒｅ-ﬁt")
    [('re', 0, 2), ('fit', 3, 5)]
    """
    folded, starts, ends = [], [], []
    for start, end in _clusters(_string("text", text)):
        piece = _fold(text[start:end])
        folded.append(piece)
        starts += [start] * len(piece)
        ends += [end] * len(piece)
    return [(term, starts[first], ends[last - 1]) for term, first, last in _terms("".join(folded))]


def _string(name, value):
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {value!r}")
    return value


def _fold(text):
    # In this order: a bold or double-struck capital has no lower case of its own, only its plain letter has.
    return unicodedata.normalize("NFKC", text).casefold()


def _terms(folded):
    for run in _RUN.finditer(folded):
        first, last = run.span()
        if run[1] or last - first == 1:
            yield run[0], first, last
        else:
            for i in range(first, last - 1):
                yield folded[i : i + 2], i, i + 2


def _clusters(text):
    """Yield ``start, end`` of pieces that NFKC treats independently: a character and what combines with it."""
    start = 0
    for i in range(1, len(text) + 1):
        if i == len(text) or not _joins(text[start:i], text[i]):
            yield start, i
            start = i


def _joins(before, character):
    if character < "\u0300":  # the first combining mark
        return False
    if unicodedata.combining(unicodedata.normalize("NFKD", character)[0]):  # also the half-width voice marks
        return True
    # Some vowels, those of Hangul among them, compose although their combining class is 0.
    parts = [unicodedata.normalize("NFKC", part) for part in (before, character, before + character)]
    return parts[2] != parts[0] + parts[1]
