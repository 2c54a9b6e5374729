"""Engineering: tokenizing, inverted index, BM25, search, queries."""

from kexue_core.engineering.bm25 import IDF, inverse_document_frequency, quantize_length, saturation
from kexue_core.engineering.inverted_index import InvertedIndex
from kexue_core.engineering.queries import excerpt, expand, one_edit_apart, rank, singular
from kexue_core.engineering.search import bm25_scores, keywords, related, search, snippet, term_impacts
from kexue_core.engineering.tokenizing import token_spans, tokenize

__all__ = [
    "tokenize",
    "token_spans",
    "InvertedIndex",
    "IDF",
    "inverse_document_frequency",
    "saturation",
    "quantize_length",
    "term_impacts",
    "bm25_scores",
    "search",
    "snippet",
    "keywords",
    "related",
    "singular",
    "one_edit_apart",
    "expand",
    "rank",
    "excerpt",
]
