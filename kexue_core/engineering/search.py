"""Full-text search over an inverted index: ranking by BM25, excerpts, and related documents by keywords.

The score of a document is the sum over its fields. A query costs the lengths of the posting lists of its terms.
Terms are those of `kexue_core.engineering.tokenizing`, weights those of `kexue_core.bm25`.
"""

import math
from collections import Counter

import numpy as np

from kexue_core import _checks
from kexue_core.engineering.bm25 import IDF, inverse_document_frequency, quantize_length, saturation
from kexue_core.engineering.tokenizing import _string, token_spans, tokenize

__all__ = ["term_impacts", "bm25_scores", "search", "snippet", "keywords", "related"]


def term_impacts(index, term, *, k1=1.2, b=0.75, idf="lucene", k1_plus_1=True, quantized=False, field=None):
    """Return what one term adds to the score of each document that contains it: ``idf(t) s(tf, |d| / average)``.

    The score of a query is the sum of these over its terms, so that they are all that a page without Python needs.

    Parameters
    ----------
    index : kexue_core.inverted_index.InvertedIndex
        Of N documents.
    term : str
        One term as `tokenize` returns it.
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
    return _hits(index, [_string("term", term)], k1, b, idf, k1_plus_1, quantized, field)


def bm25_scores(index, query, *, k1=1.2, b=0.75, idf="lucene", k1_plus_1=True, quantized=False, field=None):
    """Return the score of every document: ``score_d = sum_t idf(t) s(tf_td, |d| / average)``, ``t`` over the query.

    Parameters
    ----------
    index, k1, b, idf, k1_plus_1, quantized, field
        As in `term_impacts`.
    query : str
        Its terms count, a repeated one as often as it stands there (Lucene does so too, tantivy counts it once).

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
    scores = np.zeros(len(index))
    documents, found = _hits(index, tokenize(_string("query", query)), k1, b, idf, k1_plus_1, quantized, field)
    scores[documents] = found
    return scores


def search(index, query, k=10, *, k1=1.2, b=0.75, idf="lucene", k1_plus_1=True, quantized=False, field=None):
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
    k = _checks.integer("k", k, minimum=1)
    documents, scores = _hits(index, tokenize(_string("query", query)), k1, b, idf, k1_plus_1, quantized, field)
    best = np.argsort(-scores, kind="stable")[:k]
    return list(zip(documents[best].tolist(), scores[best].tolist()))


def snippet(index, text, query, *, width=160):
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
        Words at its ends are whole, unless one is wider than the excerpt. Without any term it is the beginning.
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
    width = _checks.integer("width", width, minimum=1)
    terms = tokenize(_string("query", query))
    weights = {term: sum(_idf(index, term, name) for name in index.fields) for term in terms}
    matches = [match for match in token_spans(text) if match[0] in weights and match[2] - match[1] <= width]
    first, last = _best_window(matches, weights, width)
    # Equal shares of the room that is left on both sides, unless an end of the text is nearer.
    start = max(0, min(first - (width - (last - first)) // 2, len(text) - width))
    end = min(len(text), start + width)
    while start < first and (text[start].isspace() or _within_word(text, start)):
        start += 1
    shorter = end
    while shorter > last and (text[shorter - 1].isspace() or _within_word(text, shorter)):
        shorter -= 1
    end = shorter or end
    highlights = []
    for _, left, right in matches:
        if start <= left and right <= end:
            joined = highlights and left - start < highlights[-1][1]  # bigrams overlap
            left = highlights.pop()[0] if joined else left - start
            highlights.append((left, right - start))
    return text[start:end], highlights


def keywords(index, document, k=10, *, field=None):
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
    k, weights = _checks.integer("k", k, minimum=1), Counter()
    for name in _chosen(index, field):
        for term, tf in index.contents(document, name):
            weights[term] += tf * _idf(index, term, name)
    return sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:k]


def related(index, document, k=10, *, n_keywords=10, field=None):
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
    k, n_keywords = _checks.integer("k", k, minimum=1), _checks.integer("n_keywords", n_keywords, minimum=1)
    query = " ".join(term for term, _ in keywords(index, document, n_keywords, field=field))
    return [hit for hit in search(index, query, k + 1, field=field) if hit[0] != document][:k]


def _hits(index, terms, k1, b, idf, k1_plus_1, quantized, field):
    """Return the documents that contain any of the terms, ascending, and their scores."""
    k1, b = _checks.finite_array("k1", k1, ndim=0), _checks.finite_array("b", b, ndim=0)
    saturation(0, k1=k1, b=b)  # so that bad dials are refused even where no term is known
    _checks.choice("idf", idf, IDF)
    documents, contributions = [np.zeros(0, dtype=np.int32)], [np.zeros(0)]
    for name in _chosen(index, field):
        average = index.average_length(name)
        for term, repeats in Counter(terms).items():
            found, tf = index.postings(term, name)
            if len(found):
                lengths = index.lengths(name)[found]
                relative = (quantize_length(lengths) if quantized else lengths) / average
                weight = repeats * inverse_document_frequency(len(found), len(index), variant=idf)
                documents.append(found)
                contributions.append(weight * saturation(tf, relative, k1=k1, b=b, k1_plus_1=k1_plus_1))
    unique, place = np.unique(np.concatenate(documents), return_inverse=True)
    scores = np.zeros(len(unique))
    np.add.at(scores, place, np.concatenate(contributions))
    return unique, scores


def _idf(index, term, field):
    return float(inverse_document_frequency(index.doc_freq(term, field), len(index)))


def _chosen(index, field):
    return index.fields if field is None else (_checks.choice("field", field, index.fields),)


def _best_window(matches, weights, width):
    """Return the first place, at most ``width`` characters wide, with the largest weight of distinct terms."""
    best, place, left, inside = 0.0, (0, 0), 0, Counter()
    for term, _, end in matches:
        inside[term] += 1
        while end - matches[left][1] > width:
            inside[matches[left][0]] -= 1
            left += 1
        # fsum does not depend on the order of the terms, so that equal sets have equal weights
        weight = math.fsum(weights[term] for term in weights if inside[term])
        if weight > best:
            best, place = weight, (matches[left][1], end)
    return place


def _within_word(text, i):
    around = text[i - 1 : i + 1]
    return 0 < i < len(text) and around.isascii() and around.isalnum()
