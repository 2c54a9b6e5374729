"""The inverted index: from a term to the documents that contain it, field by field.

Documents are known by their position. Each of their fields (a title, a body) has its own frequencies and lengths.
`kexue_core.engineering.search` ranks with it.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from kexue_core import _checks
from kexue_core.engineering.tokenizing import _string, tokenize

__all__ = ["InvertedIndex"]


class _Field(NamedTuple):
    terms: list  # sorted
    slots: dict  # from term to its position in terms
    starts: np.ndarray  # the postings of terms[i] are those from starts[i] to starts[i + 1]
    documents: np.ndarray
    counts: np.ndarray
    lengths: np.ndarray
    average_length: float


class InvertedIndex:
    """The map ``term -> (documents that contain it, how often each does)``, one per field; it never changes.

    Parameters
    ----------
    documents : sequence of str, or of dict from str to str
        Texts, or fields with their texts: the same fields in each document. A text may be empty. The field of plain
        texts is named ``"text"``.

    Raises
    ------
    ValueError
        If there is no document, or they differ in their fields.
    TypeError
        If something else than a string stands for a text.

    References
    ----------
    .. [1] kexue.fm/archives/10088; Zobel and Moffat, "Inverted files for text search engines", ACM Computing Surveys
       38(2), 2006.

    Examples
    --------
    >>> index = InvertedIndex(["a road to the road", "the loss of a road", "梯度流"])
    >>> documents, counts = index.postings("road")
    >>> documents.tolist(), counts.tolist(), index.lengths().tolist(), index.terms[-2:]
    ([0, 1], [2, 1], [5, 5, 2], ('度流', '梯度'))
    """

    def __init__(self, documents):
        self._fields = {name: _invert(texts) for name, texts in _columns(documents).items()}
        self.fields = tuple(self._fields)
        self.terms = tuple(sorted({term for field in self._fields.values() for term in field.terms}))

    def __len__(self):
        """Return the number of documents, empty ones included."""
        return len(self._fields[self.fields[0]].lengths)

    def postings(self, term, field=None):
        """Return ``documents, counts``, both (n,) ndarray of int, by ascending document; empty for an unknown term.

        Here and below ``field`` may be left out if there is only one.
        """
        part = self._field(field)
        slot = part.slots.get(_term(term))
        place = slice(0, 0) if slot is None else slice(part.starts[slot], part.starts[slot + 1])
        return part.documents[place], part.counts[place]

    def doc_freq(self, term, field=None):
        """Return how many documents contain the term."""
        return len(self.postings(term, field)[0])

    def lengths(self, field=None):
        """Return the number of terms in each document, (N,) ndarray of int."""
        return self._field(field).lengths

    def average_length(self, field=None):
        """Return the mean of `lengths`: an empty text counts."""
        return self._field(field).average_length

    def contents(self, document, field=None):
        """Return the distinct terms of a document, sorted, with their counts: list of (str, int)."""
        if _checks.integer("document", document, minimum=0) >= len(self):
            raise ValueError(f"document must be less than {len(self)}, got {document}")
        part = self._field(field)
        place = np.flatnonzero(part.documents == document)
        slots = np.searchsorted(part.starts, place, side="right") - 1
        return [(part.terms[slot], count) for slot, count in zip(slots.tolist(), part.counts[place].tolist())]

    def _field(self, name):
        if name is None and len(self.fields) == 1:
            name = self.fields[0]
        return self._fields[_checks.choice("field", name, self.fields)]


def _term(term):
    if tokenize(_string("term", term)) != [term]:
        raise ValueError(f"term must be one term as tokenize returns it, got {term!r}")
    return term


def _columns(documents):
    """Return the texts of each field, by name."""
    if isinstance(documents, str | Mapping):
        raise TypeError(f"documents must be a sequence of texts or of fields with their texts, got {documents!r}")
    rows = [{"text": row} if isinstance(row, str) else row for row in documents]
    if not rows or rows[0] == {}:
        raise ValueError(f"documents must hold at least one document with a field, got {rows}")
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f"documents[{i}] must be a string or a dict of strings, got {row!r}")
        if set(row) != set(rows[0]):
            raise ValueError(f"documents[{i}] must have the fields {list(rows[0])} of the first, got {list(row)}")
    return {name: [_string(f"documents[{i}][{name!r}]", row[name]) for i, row in enumerate(rows)] for name in rows[0]}


def _invert(texts):
    postings, lengths = defaultdict(list), []
    for document, text in enumerate(texts):
        counts = Counter(tokenize(text))
        lengths.append(counts.total())
        for term, count in counts.items():
            postings[term].append((document, count))
    terms = sorted(postings)
    starts = np.cumsum([0] + [len(postings[term]) for term in terms])
    flat = np.array([pair for term in terms for pair in postings[term]], dtype=np.int32).reshape(-1, 2)
    arrays = starts, flat[:, 0].copy(), flat[:, 1].copy(), np.array(lengths, dtype=np.int32)
    for array in arrays:
        array.setflags(write=False)
    slots = {term: slot for slot, term in enumerate(terms)}
    return _Field(terms, slots, *arrays, sum(lengths) / len(lengths))
