"""The inverted index: from a term to the documents that contain it, field by field.

Documents are known by their position. Each of their fields (a title, a body) has its own frequencies and lengths.
`kexue_core.engineering.search` ranks with it.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from kexue_core import _checks
from kexue_core.engineering._common import CHARACTER, fold, is_character
from kexue_core.engineering.tokenizing import tokenize

__all__ = ["InvertedIndex"]


class _Field:
    """The postings of one field by term, and the terms of each of its documents."""

    def __init__(self, texts: list[str]):
        folded = [fold(text) for text in texts]
        tokens = [tokenize(text) for text in folded]
        # A CJK character is indexed for itself too, wherever in a run it stands.
        characters = [[] if text.isascii() else CHARACTER.findall(text) for text in folded]
        number: dict[str, int] = defaultdict(itertools.count().__next__)
        words, owners = _flat(tokens, number)
        single, places = _flat(characters, number)
        self.terms = sorted(number)
        self.slots = {term: slot for slot, term in enumerate(self.terms)}
        rank = np.array([self.slots[term] for term in number], dtype=np.int64)
        words, single = rank[words], rank[single]
        longer = np.array([not is_character(term) for term in self.terms], dtype=bool)[words]
        slots = np.concatenate([words[longer], single])
        slots, self.documents, self.counts = _counted(slots, np.concatenate([owners[longer], places]))
        self.starts = _frozen(np.searchsorted(slots, np.arange(len(self.terms) + 1)))
        self.owners, self.contents, self.repeats = _counted(owners, words)
        self.lengths = _frozen(np.array([len(terms) for terms in tokens], dtype=np.int32))
        self.average_length = float(self.lengths.sum()) / len(texts)


class InvertedIndex:
    """The map ``term -> (documents that contain it, how often each does)``, one per field; it never changes.

    Terms are those of `tokenize`, and each single CJK character besides, so that a query of one finds it inside a run
    too. These do not count in the lengths and contents of documents.

    Parameters
    ----------
    documents : iterable of str, or of dict from str to str
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
    ([0, 1], [2, 1], [5, 5, 2], ('梯度', '流'))
    """

    def __init__(self, documents: Iterable[str | Mapping[str, str]]):
        self._fields = {name: _Field(texts) for name, texts in _columns(documents).items()}
        self.fields = tuple(self._fields)
        self.terms = tuple(sorted({term for field in self._fields.values() for term in field.terms}))

    def __len__(self) -> int:
        """Return the number of documents, empty ones included."""
        return len(self._fields[self.fields[0]].lengths)

    def postings(self, term: str, field: str | None = None) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return ``documents, counts``, both (n,) ndarray of int, by ascending document; empty for an unknown term.

        Here and below ``field`` may be left out if there is only one.
        """
        part = self._field(field)
        place = self.place(_term(term), field)
        return part.documents[place], part.counts[place]

    def place(self, term: str, field: str | None = None) -> slice:
        """Return where in `all_postings` those of a term lie."""
        part = self._field(field)
        slot = part.slots.get(term)
        return slice(0, 0) if slot is None else slice(int(part.starts[slot]), int(part.starts[slot + 1]))

    def all_postings(self, field: str | None = None) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
        """Return how many documents each term has, and ``documents, counts`` of all terms, one after the other."""
        part = self._field(field)
        return np.diff(part.starts), part.documents, part.counts

    def doc_freq(self, term: str, field: str | None = None) -> int:
        """Return how many documents contain the term."""
        return len(self.postings(term, field)[0])

    def lengths(self, field: str | None = None) -> NDArray[np.int32]:
        """Return the number of terms in each document, (N,) ndarray of int."""
        return self._field(field).lengths

    def average_length(self, field: str | None = None) -> float:
        """Return the mean of `lengths`: an empty text counts."""
        return self._field(field).average_length

    def contents(self, document: int, field: str | None = None) -> list[tuple[str, int]]:
        """Return the distinct terms of a document, sorted, with their counts: list of (str, int)."""
        document = _checks.integer("document", document, low=0, high=len(self) - 1)
        part = self._field(field)
        start, end = np.searchsorted(part.owners, [document, document + 1])
        slots, counts = part.contents[start:end].tolist(), part.repeats[start:end].tolist()
        return [(part.terms[slot], count) for slot, count in zip(slots, counts)]

    def _field(self, name):
        if name is None and len(self.fields) == 1:
            name = self.fields[0]
        return self._fields[_checks.choice("field", name, self.fields)]


def _term(term):
    if tokenize(_checks.string("term", term)) != [term]:
        raise ValueError(f"term must be one term as tokenize returns it, got {term!r}")
    return term


def _columns(documents):
    """Return the texts of each field, by name."""
    documents = _checks.iterable("documents", documents, "texts, or of fields with their texts")
    rows = [{"text": row} if isinstance(row, str) else row for row in documents]
    if not rows or rows[0] == {}:
        raise ValueError(f"documents must hold at least one document with a field, got {rows}")
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f"documents[{i}] must be a string or a dict of strings, got {row!r}")
        if set(row) != set(rows[0]):
            raise ValueError(f"documents[{i}] must have the fields {list(rows[0])} of the first, got {list(row)}")
    return {
        name: [_checks.string(f"documents[{i}][{name!r}]", row[name]) for i, row in enumerate(rows)] for name in rows[0]
    }


def _flat(lists, number):
    """Return the numbers of all terms, one text after the other, and the texts that they stand in."""
    numbers = np.fromiter(map(number.__getitem__, itertools.chain.from_iterable(lists)), dtype=np.int64)
    return numbers, np.repeat(np.arange(len(lists)), [len(terms) for terms in lists])


def _counted(first, second):
    """Return the distinct pairs, ascending, and how often each occurs."""
    base = second.max(initial=0) + 1
    codes, counts = np.unique(first * base + second, return_counts=True)
    first, second = np.divmod(codes, base)
    return first, _frozen(second.astype(np.int32)), _frozen(counts.astype(np.int32))


def _frozen(array):
    array.setflags(write=False)
    return array
