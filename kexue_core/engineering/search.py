"""Full-text search over an inverted index: ranking by BM25, excerpts, and related documents by keywords.

The score of a document is the sum over its fields. Terms are those of `tokenizing`, weights those of `bm25`. What each
term adds to each document is computed at the first query with some dials and kept for the last few of them; a query
then adds up the posting lists of its terms.
"""

from __future__ import annotations

import weakref
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from kexue_core import _checks
from kexue_core.engineering._window import best_excerpt, idf
from kexue_core.engineering.bm25 import IDF, inverse_document_frequency, quantize_length, saturation
from kexue_core.engineering.inverted_index import InvertedIndex
from kexue_core.engineering.tokenizing import tokenize

__all__ = ["term_impacts", "bm25_scores", "search", "snippet", "keywords", "related"]


def term_impacts(
    index: InvertedIndex,
    term: str,
    *,
    k1: float = 1.2,
    b: float = 0.75,
    idf: str = "lucene",
    k1_plus_1: bool = True,
    quantized: bool = False,
    field: str | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return what one term adds to the score of each document that contains it: ``idf(t) s(tf, |d| / average)``.

    The score of a query is the sum of these over its terms, so that they are all that a page without Python needs.

    Parameters
    ----------
    index : InvertedIndex
        Of N documents.
    term : str
        One term as `tokenize` returns it; a single CJK character stands for each place where it occurs.
    k1, b, k1_plus_1
        As in `saturation`, but ``k1`` and ``b`` are single numbers.
    idf : {"lucene", "robertson"}
        Variant of `inverse_document_frequency`.
    quantized : bool
        Whether ``|d|`` passes through `quantize_length`, as in Lucene and tantivy; the average length stays exact.
    field : str, optional
        The only field to look at, instead of the sum over all.

    Returns
    -------
    documents : (n,) ndarray of int
        Ascending; empty if no document contains the term.
    contributions : (n,) ndarray
        Of the sign of ``idf(t)`` and, in each field, at most ``(k1 + 1) |idf(t)|``: reached at ``k1 = 0`` only.

    Raises
    ------
    ValueError
        If ``k1 < 0``, ``b`` is outside [0, 1], either is NaN, ``idf`` or ``field`` has another name, or ``term`` is not
        exactly one term.
    TypeError
        If a number or a string is something else.

    References
    ----------
    .. [1] kexue.fm/archives/10088; Robertson and Zaragoza (2009), as in `inverse_document_frequency`; Lu,
       arXiv:2407.03618, which stores just these.

    Examples
    --------
    >>> from kexue_core.engineering.inverted_index import InvertedIndex
    >>> index = InvertedIndex(["a road to the road", "the loss of a road", "no way"])
    >>> documents, contributions = term_impacts(index, "road")
    >>> documents.tolist(), contributions.round(3)
    ([0, 1], array([0.604, 0.426]))
    """
    _checks.instance("index", index, InvertedIndex).postings(term, index.fields[0])  # refuses what is no term
    return _hits(index, [term], k1, b, idf, k1_plus_1, quantized, field)


def bm25_scores(
    index: InvertedIndex,
    query: str,
    *,
    k1: float = 1.2,
    b: float = 0.75,
    idf: str = "lucene",
    k1_plus_1: bool = True,
    quantized: bool = False,
    field: str | None = None,
) -> NDArray[np.float64]:
    """Return the score of every document: ``score_d = sum_t idf(t) s(tf_td, |d| / average)``, ``t`` over the query.

    Parameters
    ----------
    index, k1, b, idf, k1_plus_1, quantized, field
        As in `term_impacts`.
    query : str
        Its terms count, a repeated one as often as it stands there (Lucene does so too; tantivy's query parser drops
        the repetition).

    Returns
    -------
    scores : (N,) ndarray
        0 for a document without any of the terms, otherwise positive if ``idf`` is "lucene".

    Raises
    ------
    ValueError, TypeError
        As in `term_impacts`; also if ``query`` is not a string.

    References
    ----------
    .. [1] kexue.fm/archives/10088; Robertson and Zaragoza (2009), as in `inverse_document_frequency`.

    Examples
    --------
    >>> from kexue_core.engineering.inverted_index import InvertedIndex
    >>> index = InvertedIndex(["a road to the road", "the loss of a road", "no way"])
    >>> bm25_scores(index, "The ROAD!").round(3)
    array([1.03 , 0.853, 0.   ])
    """
    scores = np.zeros(len(_checks.instance("index", index, InvertedIndex)))
    documents, found = _hits(index, tokenize(_checks.string("query", query)), k1, b, idf, k1_plus_1, quantized, field)
    scores[documents] = found
    return scores


def search(
    index: InvertedIndex,
    query: str,
    k: int = 10,
    *,
    k1: float = 1.2,
    b: float = 0.75,
    idf: str = "lucene",
    k1_plus_1: bool = True,
    quantized: bool = False,
    field: str | None = None,
) -> list[tuple[int, float]]:
    """Return the ``k`` best documents with their scores: ``argtop_k`` of `bm25_scores` among those with any term.

    Parameters
    ----------
    index, query, k1, b, idf, k1_plus_1, quantized, field
        As in `bm25_scores`.
    k : int
        At least 1.

    Returns
    -------
    hits : list of (int, float)
        ``document, score``, best first, of equal scores the first document first; may be fewer than ``k``, and is empty
        if no term is known. A document with a term is a hit even where Robertson's idf makes its score negative.

    Raises
    ------
    ValueError, TypeError
        As in `bm25_scores`, and if ``k`` is not an integer of at least 1.

    References
    ----------
    .. [1] kexue.fm/archives/10088.

    Examples
    --------
    >>> from kexue_core.engineering.inverted_index import InvertedIndex
    >>> index = InvertedIndex(["a road to the road", "the loss of a road", "no way"])
    >>> [(document, round(score, 3)) for document, score in search(index, "road way")]
    [(2, 1.233), (0, 0.604), (1, 0.426)]
    """
    k = _checks.integer("k", k, low=1)
    documents, scores = _hits(index, tokenize(_checks.string("query", query)), k1, b, idf, k1_plus_1, quantized, field)
    if k < len(scores):  # of equals of the k-th the first stay, as all are in ascending order
        kept = np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k])
        documents, scores = documents[kept], scores[kept]
    best = np.argsort(-scores, kind="stable")[:k]
    return list(zip(documents[best].tolist(), scores[best].tolist()))


def snippet(index: InvertedIndex, text: str, query: str, *, width: int = 160) -> tuple[str, list[tuple[int, int]]]:
    """Return the excerpt of a text that holds the rarest query terms: ``max sum_t idf(t)`` over the distinct ones.

    Parameters
    ----------
    index : InvertedIndex
        For the weights: the sum of the idf over its fields.
    text, query : str
        The text need not be one of the index.
    width : int
        Most characters to return.

    Returns
    -------
    excerpt : str
        A part of ``text``, not escaped: no other part of this width has a larger weight, and of equals it is the first.
        Words at its ends are whole, unless one is wider than the excerpt or only a part of it is a term (``α`` of
        ``αx``). Without any term it is the beginning.
    highlights : list of (int, int)
        ``excerpt[start:end]`` is what matched; ascending, disjoint.

    Raises
    ------
    ValueError, TypeError
        If ``width`` is not an integer of at least 1, or ``text`` or ``query`` not a string.

    References
    ----------
    .. [1] kexue.fm/archives/10088.

    Examples
    --------
    >>> from kexue_core.engineering.inverted_index import InvertedIndex
    >>> index = InvertedIndex(["a road to the road", "the loss of a road", "no way"])
    >>> snippet(index, "A road is a road, and loss on the Road is a loss.", "road loss", width=20)
    ('a road, and loss on', [(2, 6), (12, 16)])
    """
    _checks.instance("index", index, InvertedIndex)
    words = [{term: idf(index, term)} for term in dict.fromkeys(tokenize(_checks.string("query", query)))]
    return best_excerpt(_checks.string("text", text), words, _checks.integer("width", width, low=1))


def keywords(index: InvertedIndex, document: int, k: int = 10, *, field: str | None = None) -> list[tuple[str, float]]:
    """Return the terms that set a document apart, by TF-IDF: the ``k`` largest ``sum_fields tf ln((N + 1)/(n + 1/2))``.

    Parameters
    ----------
    index, field
        As in `term_impacts`.
    document : int
        Position of the document, less than N.
    k : int
        At least 1.

    Returns
    -------
    terms : list of (str, float)
        ``term, weight``, largest weight first, equals in alphabetical order; may be fewer than ``k``.

    Raises
    ------
    ValueError, TypeError
        If ``document`` or ``k`` is not an integer in its range, or ``field`` is unknown.

    References
    ----------
    .. [1] kexue.fm/archives/10311, which keeps ten for each paper.

    Examples
    --------
    >>> from kexue_core.engineering.inverted_index import InvertedIndex
    >>> index = InvertedIndex(["a road to the road", "the loss of a road", "no way"])
    >>> [(term, round(weight, 3)) for term, weight in keywords(index, 0, 2)]
    [('to', 0.981), ('road', 0.94)]
    """
    _checks.instance("index", index, InvertedIndex)
    k, weights = _checks.integer("k", k, low=1), Counter()
    for name in _chosen(index, field):
        contents = index.contents(document, name)
        rarity = inverse_document_frequency([index.doc_freq(term, name) for term, _ in contents], len(index))
        for (term, tf), weight in zip(contents, rarity.tolist()):
            weights[term] += tf * weight
    return sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:k]


def related(
    index: InvertedIndex, document: int, k: int = 10, *, n_keywords: int = 10, field: str | None = None
) -> list[tuple[int, float]]:
    """Return the documents most like a given one: `search` with its `keywords`, without itself.

    Parameters
    ----------
    index, document, k, field
        As in `keywords`.
    n_keywords : int
        Size of the query, at least 1.

    Returns
    -------
    hits : list of (int, float)
        As from `search`. Not a symmetric relation.

    Raises
    ------
    ValueError, TypeError
        As in `keywords`, and if ``n_keywords`` is not an integer of at least 1.

    References
    ----------
    .. [1] kexue.fm/archives/10311, the button [REL].

    Examples
    --------
    >>> from kexue_core.engineering.inverted_index import InvertedIndex
    >>> index = InvertedIndex(["a road to the road", "the loss of a road", "no way"])
    >>> [(document, round(score, 3)) for document, score in related(index, 0)]
    [(1, 1.279)]
    """
    k, n_keywords = _checks.integer("k", k, low=1), _checks.integer("n_keywords", n_keywords, low=1)
    query = " ".join(term for term, _ in keywords(index, document, n_keywords, field=field))
    return [hit for hit in search(index, query, min(k, len(index)) + 1, field=field) if hit[0] != document][:k]


# Of each index what `_impacts` returned for the last dials.
_KEPT: weakref.WeakKeyDictionary[InvertedIndex, dict[tuple, NDArray[np.float64]]] = weakref.WeakKeyDictionary()


def _hits(index, terms, k1, b, idf, k1_plus_1, quantized, field):
    """Return the documents that contain any of the terms, ascending, and their scores."""
    _checks.instance("index", index, InvertedIndex)
    dials = _checks.number("k1", k1, low=0), _checks.number("b", b, low=0, high=1)
    dials = *dials, _checks.choice("idf", idf, IDF), bool(k1_plus_1), bool(quantized)
    scores, touched = np.zeros(len(index)), np.zeros(len(index), dtype=bool)
    for name in _chosen(index, field):
        impacts, (_, documents, _) = _impacts(index, name, dials), index.all_postings(name)
        for term, repeats in Counter(terms).items():
            place = index.place(term, name)
            found = documents[place]
            scores[found] += repeats * impacts[place]
            touched[found] = True
    hits = np.flatnonzero(touched)
    return hits, scores[hits]


def _impacts(index, name, dials):
    """Return ``idf(t) s(tf, |d| / average)`` of all postings of a field."""
    kept = _KEPT.setdefault(index, {})
    if (name, *dials) not in kept:
        k1, b, idf, k1_plus_1, quantized = dials
        sizes, documents, counts = index.all_postings(name)
        weights = inverse_document_frequency(sizes, len(index), variant=idf)
        lengths = quantize_length(index.lengths(name)) if quantized else index.lengths(name)
        relative = lengths / (index.average_length(name) or 1.0)
        factor = saturation(counts, relative[documents], k1=k1, b=b, k1_plus_1=k1_plus_1)
        while len(kept) >= 8 * len(index.fields):
            kept.pop(next(iter(kept)), None)
        kept[(name, *dials)] = np.repeat(weights, sizes) * factor
    return kept[(name, *dials)]


def _chosen(index, field):
    return index.fields if field is None else (_checks.choice("field", field, index.fields),)
