"""Queries as readers type them: words not yet finished, plurals, typing errors, words that are joined or split.

An index knows terms only. Here each word of a query gets its *readings*, the terms that it may stand for, each with a
weight. The score of a document is ``sum_w max_t c_wt sum_f g_f impact(t, d, f)``: words ``w``, their readings ``t``,
fields ``f``.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence

import numpy as np

from kexue_core import _checks
from kexue_core.engineering._window import best_excerpt, idf
from kexue_core.engineering.inverted_index import InvertedIndex
from kexue_core.engineering.search import term_impacts
from kexue_core.engineering.tokenizing import tokenize

__all__ = ["singular", "one_edit_apart", "expand", "rank", "excerpt"]

Readings = dict[str, float]
_IRREGULAR = {"matrices": "matrix", "indices": "index", "vertices": "vertex", "axes": "axis", "bases": "base",
              "biases": "bias", "hypotheses": "hypothesis"}  # fmt: skip
_PLURAL, _PREFIX, _JOINED, _TYPO = 0.9, 0.8, 0.8, 0.6
_CLOSE = 1e-9  # nearer scores are equal: it must not matter in which order numbers are added


def singular(word: str) -> str:
    """Return the word without its plural ending: ``-ies`` becomes ``-y``, ``-es`` after a hiss and ``-s`` fall.

    Parameters
    ----------
    word : str
        A term of `tokenize`.

    Returns
    -------
    stem : str
        Equal for the singular and a regular plural; words in ``-ss``, ``-us`` and ``-is`` and short ones stay.

    Raises
    ------
    TypeError
        If ``word`` is not a string.

    References
    ----------
    .. [1] Harman, "How effective is suffixing?", Journal of the American Society for Information Science 42(1), 1991:
       the S-stemmer.

    Examples
    --------
    >>> [singular(word) for word in ("gradients", "losses", "entropies", "matrices", "loss", "bias")]
    ['gradient', 'loss', 'entropy', 'matrix', 'loss', 'bias']
    """
    word = _checks.string("word", word)
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or word[-1] != "s" or word.endswith(("ss", "us", "is", "bias")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "xes", "zes", "ches", "shes")) else word[:-1]


def one_edit_apart(first: str, second: str) -> bool:
    """Return whether one letter inserted, dropped, replaced or swapped with its neighbour makes one word the other.

    Parameters
    ----------
    first, second : str
        Two words.

    Returns
    -------
    near : bool
        Symmetric; False for equal words.

    Raises
    ------
    TypeError
        If a word is not a string.

    References
    ----------
    .. [1] Damerau, "A technique for computer detection and correction of spelling errors", Communications of the ACM
       7(3), 1964: four of five errors are of these kinds.

    Examples
    --------
    >>> [one_edit_apart("experts", other) for other in ("expert", "experst", "exports", "experts", "expresst")]
    [True, True, True, False, False]
    """
    first, second = _checks.string("first", first), _checks.string("second", second)
    if len(first) > len(second):
        first, second = second, first
    if len(second) - len(first) > 1 or first == second:
        return False
    same = next((i for i, (a, b) in enumerate(zip(first, second)) if a != b), len(first))
    left, right = first[same:], second[same:]
    if len(first) < len(second):
        return left == right[1:]
    return left[1:] == right[1:] or (left[:2] == right[1::-1] and left[2:] == right[2:])


def expand(index: InvertedIndex, query: str, *, complete: bool = True) -> list[Readings]:
    """Return for each distinct word of a query the terms of the index that it may stand for, with their weights.

    A term stands for itself (1), for its plural or singular (0.9) and, joined with its neighbour, for a term that both
    make together (0.8). The last word may be unfinished: terms that begin with it count 0.8 times the part of them that
    is there. A word of which nothing is known so far is completed too, or else taken for a typing error of one letter
    (0.6) if it has five letters or more, or else split in two known words.

    Parameters
    ----------
    index : InvertedIndex
        Whose terms are the known ones.
    query : str
        What was typed.
    complete : bool
        Whether the last word may be unfinished.

    Returns
    -------
    words : list of dict from str to float
        Readings of each word, in the order of the query; empty for a word of which nothing is known. Each key is a term
        of the index, every weight is in (0, 1].

    Raises
    ------
    TypeError
        If ``query`` is not a string.

    References
    ----------
    .. [1] Manning, Raghavan and Schütze, "Introduction to Information Retrieval", chapter 3, 2008.

    Examples
    --------
    >>> index = InvertedIndex(["sparsemax and its gradients", "the gamma function Γ"])
    >>> expand(index, "gradient of sparse max func")
    [{'gradients': 0.9}, {}, {'sparsemax': 0.8}, {'sparsemax': 0.8}, {'function': 0.4}]
    """
    terms = list(dict.fromkeys(tokenize(_checks.string("query", query))))
    known, words = set(_checks.instance("index", index, InvertedIndex).terms), []
    for place, term in enumerate(terms):
        last = complete and place == len(terms) - 1
        readings = _forms(term, known)
        if last:
            _add(readings, _completions(term, index.terms), 1)
        for start in range(max(place - 1, 0), min(place + 1, len(terms) - 1)):
            joined, ends = terms[start] + terms[start + 1], complete and start == len(terms) - 2
            if joined.isascii():
                _add(readings, _forms(joined, known), _JOINED)
                _add(readings, _completions(joined, index.terms) if ends else {}, _JOINED)
        readings = readings or _completions(term, index.terms)
        readings = readings or _corrections(term, index.terms, last)
        parts = () if readings else _split(term, known, index)
        words += [_forms(part, known) for part in parts] or [readings]
    return words


def rank(
    index: InvertedIndex,
    words: Sequence[Readings],
    k: int = 10,
    *,
    fields: Mapping[str, tuple[float, float]] | None = None,
    quantized: bool = False,
) -> list[tuple[int, float, int]]:
    """Return the ``k`` best documents for the words of a query: those with all of them first, then those with any.

    Parameters
    ----------
    index : InvertedIndex
        Of N documents.
    words : list of dict from str to float
        Readings as from `expand`.
    k : int
        At least 1.
    fields : dict from str to (float, float), optional
        Weight of each field and its dial ``b`` of `saturation`; fields that are not there do not count. A field that is
        empty in most documents wants ``b = 0``, as its average length says nothing. Without it all weigh 1, with 0.75.
    quantized : bool
        As in `term_impacts`.

    Returns
    -------
    hits : list of (int, float, int)
        ``document, score, found``: how many of the words the document holds. Scores are put in order after they were
        rounded to multiples of 1e-9, of equals the first document comes first.

    Raises
    ------
    ValueError, TypeError
        As in `term_impacts`, if a weight is negative, or ``k`` is no integer of at least 1.

    References
    ----------
    .. [1] Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", Foundations and Trends in
       Information Retrieval 3(4), 2009, section 3.6 on weights of fields.

    Examples
    --------
    >>> index = InvertedIndex(["sparsemax and its gradients", "the gamma function", "gradient flow"])
    >>> [(document, found) for document, _, found in rank(index, expand(index, "sparse max gradient"))]
    [(0, 3), (2, 1)]
    """
    k, _ = _checks.integer("k", k, low=1), _checks.instance("index", index, InvertedIndex)
    words, fields = _mappings(words), dict.fromkeys(index.fields, (1.0, 0.75)) if fields is None else fields
    dials = dict(_checks.instance("fields", fields, Mapping))
    for name, (weight, _) in dials.items():
        _checks.number(f"fields[{_checks.choice('fields', name, index.fields)!r}]", weight, low=0)
    scores, found = np.zeros(len(index)), np.zeros(len(index), dtype=int)
    for readings in words:
        best = np.zeros(len(index))
        for term, share in readings.items():
            impact = np.zeros(len(index))
            for name, (weight, b) in dials.items():
                documents, contributions = term_impacts(index, term, b=b, quantized=quantized, field=name)
                impact[documents] += weight * contributions
            best = np.maximum(best, share * impact)
        scores += best
        found += best > 0
    hits = np.flatnonzero(found)
    whole = found[hits] == sum(map(bool, words))
    order = np.lexsort((-np.round(scores[hits] / _CLOSE), ~whole))
    best = hits[order][:k]
    return list(zip(best.tolist(), scores[best].tolist(), found[best].tolist()))


def excerpt(
    index: InvertedIndex, text: str, words: Sequence[Readings], *, width: int = 160
) -> tuple[str, list[tuple[int, int]]]:
    """Return the excerpt of a text that holds the rarest words of a query: ``max sum_w max_t c_wt idf(t)``.

    Parameters
    ----------
    index, words
        As in `rank`.
    text : str
        Need not be one of the index.
    width : int
        Most characters to return.

    Returns
    -------
    excerpt : str
        As from `snippet`, which takes each word for itself only.
    highlights : list of (int, int)
        ``excerpt[start:end]`` is what matched; ascending, disjoint.

    Raises
    ------
    ValueError, TypeError
        If ``width`` is not an integer of at least 1, or ``text`` not a string.

    References
    ----------
    .. [1] kexue.fm/archives/10088.

    Examples
    --------
    >>> index = InvertedIndex(["sparsemax and its gradients", "the gamma function", "gradient flow"])
    >>> excerpt(index, "The map has gradients, and so has sparsemax.", expand(index, "sparse max"), width=20)
    ('so has sparsemax.', [(7, 16)])
    """
    _checks.instance("index", index, InvertedIndex)
    rarity = {term: idf(index, term) for readings in _mappings(words) for term in readings}
    weighted = [{term: share * rarity[term] for term, share in readings.items()} for readings in words]
    return best_excerpt(_checks.string("text", text), weighted, _checks.integer("width", width, low=1))


def _mappings(words):
    if not isinstance(words, list | tuple) or not all(isinstance(readings, Mapping) for readings in words):
        raise TypeError(f"words must be a list of readings as from expand, got {words!r:.60}")
    return words


def _forms(term, known):
    """Return a term and its other number, as far as they are known."""
    if not term.isascii():
        return {term: 1.0} if term in known else {}
    stem = singular(term)
    others = {stem, stem + "s", stem + "es", stem[:-1] + "ies", *(p for p, s in _IRREGULAR.items() if s == stem)}
    near = {other: _PLURAL for other in sorted(others & known) if singular(other) == stem}
    return {**near, term: 1.0} if term in known else near


def _add(readings, more, factor):
    """Raise the weights of readings to those of others, times a factor."""
    for term, weight in more.items():
        readings[term] = max(readings.get(term, 0.0), factor * weight)


def _completions(term, terms):
    """Return the known terms that begin with a term of two letters or more; itself is not among them."""
    if len(term) < 2 or not term.isascii():
        return {}
    first, last = bisect.bisect_right(terms, term), bisect.bisect_left(terms, term + "\x7f")
    return {longer: _PREFIX * len(term) / len(longer) for longer in terms[first:last]}


def _split(term, known, index):
    """Return two known words of three letters or more that make a term: those of which the rarer is the commonest."""
    pairs = [(term[:i], term[i:]) for i in range(3, len(term) - 2)] if term.isascii() else []
    pairs = [pair for pair in pairs if all(_forms(part, known) for part in pair)]
    return max(pairs, key=lambda pair: min(_spread(index, part, known) for part in pair), default=())


def _spread(index, part, known):
    return max(index.doc_freq(term, name) for term in _forms(part, known) for name in index.fields)


def _corrections(term, terms, last):
    """Return the known terms that are one error away from a word of five letters or more, or else begin with such."""
    if len(term) < 5 or not (term.isascii() and term.isalpha()):
        return {}
    near = {other: _TYPO for other in terms if abs(len(other) - len(term)) <= 1 and one_edit_apart(term, other)}
    if near or not last:
        return near
    sizes = range(len(term) - 1, len(term) + 2)
    begun = (other for other in terms if len(other) > len(term) + 1 and other[0] == term[0])
    return {o: _TYPO * len(term) / len(o) for o in begun if any(one_edit_apart(term, o[:n]) for n in sizes)}
