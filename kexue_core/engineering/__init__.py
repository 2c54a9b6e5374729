"""Engineering: tokenizing, inverted index, BM25, search, queries; retries, their delays, waiting and contention."""

from kexue_core.engineering.backoff import JITTERS, Backoff
"""Engineering: tokenizing, inverted index, BM25, search, queries; automata, addresses of papers, queues."""
from kexue_core.engineering.automata import (
    Automaton,
    build_automaton,
    path_counts,
    rank_word,
    unrank_word,
    walk,
)
from kexue_core.engineering.bm25 import IDF, inverse_document_frequency, quantize_length, saturation
from kexue_core.engineering.contention import burst_success, offered_load, simulate_contention
from kexue_core.engineering.inverted_index import InvertedIndex
from kexue_core.engineering.link_addresses import (
    rank_arxiv,
    render_reader,
    render_search,
    render_source,
    unrank_arxiv,
)
from kexue_core.engineering.link_script import paper_link_script
from kexue_core.engineering.links import PaperId, explain_address, find_paper_ids, pick_paper_ids
from kexue_core.engineering.queries import excerpt, expand, one_edit_apart, rank, singular
from kexue_core.engineering.retry import Attempt, Retry, RetryBudget
from kexue_core.engineering.queues import priority_waits, simulate_priority
from kexue_core.engineering.search import bm25_scores, keywords, related, search, snippet, term_impacts
from kexue_core.engineering.tokenizing import token_spans, tokenize
from kexue_core.engineering.waiting import (
    expected_tries,
    expected_wait,
    success_probability,
    tries_within,
    wait_quantile,
    wait_tail,
)

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
    "JITTERS",
    "Backoff",
    "Retry",
    "Attempt",
    "RetryBudget",
    "success_probability",
    "expected_tries",
    "expected_wait",
    "wait_tail",
    "wait_quantile",
    "tries_within",
    "burst_success",
    "simulate_contention",
    "offered_load",
    "Automaton",
    "build_automaton",
    "walk",
    "path_counts",
    "rank_word",
    "unrank_word",
    "PaperId",
    "explain_address",
    "find_paper_ids",
    "pick_paper_ids",
    "render_source",
    "render_reader",
    "render_search",
    "rank_arxiv",
    "unrank_arxiv",
    "paper_link_script",
    "priority_waits",
    "simulate_priority",
]
