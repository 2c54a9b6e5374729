"""The two factors of BM25: how rare a term is, and how often it occurs, against the length of the document.

The score of a document is ``sum_t idf(t) s(tf, |d| / average)`` over the terms ``t`` of the query. `search`
applies it to an index.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kexue_core import _checks

__all__ = ["IDF", "inverse_document_frequency", "saturation", "quantize_length"]

IDF = ("lucene", "robertson")


def inverse_document_frequency(
    doc_freq: ArrayLike, n_documents: ArrayLike, *, variant: str = "lucene"
) -> NDArray[np.float64]:
    """Return the weight of a term that ``n`` of ``N`` documents contain: ``ln(1 + (N - n + 1/2) / (n + 1/2))``.

    Parameters
    ----------
    doc_freq : (...) array_like
        ``n``, between 0 and ``N``.
    n_documents : (...) array_like
        ``N``.
    variant : {"lucene", "robertson"}
        The second leaves out the ``1 +``: this is the Robertson-Sparck Jones weight without relevance information.

    Returns
    -------
    weight : (...) ndarray or float
        Decreasing in ``n``. Lucene's equals ``ln((N + 1) / (n + 1/2))``, which is positive; Robertson's is negative for
        ``n > N / 2``.

    Raises
    ------
    ValueError
        If ``n`` is not in the range, a value is not finite, or the variant has another name.

    References
    ----------
    .. [1] kexue.fm/archives/10088; Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond",
       Foundations and Trends in Information Retrieval 3(4), 2009.

    Examples
    --------
    >>> inverse_document_frequency([1, 6, 10], 10).round(3)
    array([1.992, 0.526, 0.047])
    >>> inverse_document_frequency([1, 6, 10], 10, variant="robertson").round(3)
    array([ 1.846, -0.368, -3.045])
    """
    _checks.choice("variant", variant, IDF)
    n, N = _checks.array("doc_freq", doc_freq, low=0), _checks.array("n_documents", n_documents, low=0)
    _checks.broadcast(("doc_freq", n, 0), ("n_documents", N, 0))
    if (wrong := n > N).any():
        most, of = (np.broadcast_to(value, wrong.shape)[wrong][0] for value in (n, N))
        raise ValueError(f"doc_freq must be at most n_documents, got {most:g} of {of:g}")
    odds = (N - n + 0.5) / (n + 0.5)
    return np.log1p(odds) if variant == "lucene" else np.log(odds)


def saturation(
    tf: ArrayLike,
    relative_length: ArrayLike = 1.0,
    *,
    k1: ArrayLike = 1.2,
    b: ArrayLike = 0.75,
    k1_plus_1: bool = True,
) -> NDArray[np.float64]:
    """Return what ``tf`` occurrences count: ``s = (k1 + 1) tf / (tf + k1 B)``, ``B = 1 - b + b relative_length``.

    Parameters
    ----------
    tf : (...) array_like
        Occurrences of the term in the document, not negative.
    relative_length : (...) array_like
        Length of the document over the average length.
    k1 : (...) array_like
        Not negative: 0 is presence or absence, infinity would be ``tf / B``.
    b : (...) array_like
        In [0, 1]: 0 ignores the length, 1 forgives a text for being written down twice.
    k1_plus_1 : bool
        Whether the constant factor ``k1 + 1`` is there. It changes no ranking.

    Returns
    -------
    s : (...) ndarray or float
        All arguments broadcast. 0 at ``tf = 0``, increasing and concave in ``tf`` with limit ``k1 + 1``, of which half
        is reached at ``tf = k1 B``; at ``tf = B`` it is 1.

    Raises
    ------
    ValueError
        If an argument is outside its range, NaN or infinite, ``tf + k1 B`` is, or the shapes do not broadcast.

    References
    ----------
    .. [1] kexue.fm/archives/10088; Robertson and Zaragoza (2009), as in `inverse_document_frequency`.

    Examples
    --------
    >>> saturation([0, 1, 2, 10]).round(3)
    array([0.   , 1.   , 1.375, 1.964])
    """
    tf, k1 = _checks.array("tf", tf, low=0), _checks.array("k1", k1, low=0)
    relative_length, b = _checks.array("relative_length", relative_length, low=0), _checks.array("b", b, low=0, high=1)
    _checks.broadcast(("tf", tf, 0), ("relative_length", relative_length, 0), ("k1", k1, 0), ("b", b, 0))
    with np.errstate(over="ignore"):
        half = _checks.result(tf + k1 * (1 - b + b * relative_length), "tf", "relative_length", "k1")
    numerator, denominator = np.broadcast_arrays(tf, half)
    # k1 = 0 or an empty document make 0/0 of a term that does not occur
    s = np.divide(numerator, denominator, out=np.zeros(denominator.shape), where=numerator > 0)
    return ((k1 + 1) * s if k1_plus_1 else s)[()]


def quantize_length(n: ArrayLike) -> NDArray[np.int64]:
    """Return the largest length ``<= n`` that has a one-byte code in Lucene and tantivy.

    Codes 0 to 23 are the lengths themselves; code ``24 + j`` is ``24 + j`` for ``j < 8``, then ``24 + (8 + f) 2**e``
    with ``f = j mod 8``, ``e = j // 8 - 1``: three bits after the leading one.

    Parameters
    ----------
    n : (...) array_like of int
        Not negative.

    Returns
    -------
    length : (...) ndarray of int, or int
        ``0 <= n - length < n / 9`` up to 2 013 265 944, where the codes end; ``length == n`` up to 40.

    Raises
    ------
    ValueError
        If ``n`` is negative.
    TypeError
        If ``n`` does not hold integers.

    References
    ----------
    .. [1] kexue.fm/archives/10088, which uses tantivy; Lucene ``SmallFloat.intToByte4``.

    Examples
    --------
    >>> quantize_length([40, 41, 42, 45, 100, 150])
    array([ 40,  40,  42,  44,  96, 144])
    """
    n = _checks.array("n", n, kind="integer", low=0)
    return _LENGTHS[np.searchsorted(_LENGTHS, n, side="right") - 1]


_J = np.arange(8, 256 - 24)
_LENGTHS = np.concatenate([np.arange(32), 24 + ((8 + _J % 8) << (_J // 8 - 1))])
