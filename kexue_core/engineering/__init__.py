"""Engineering: tokenizing, inverted index, BM25, search, queries; retries and waiting; addresses of papers, queues."""

from kexue_core.engineering.automata import (
    Automaton,
    build_automaton,
    path_counts,
    rank_word,
    run_automaton,
    unrank_word,
)
from kexue_core.engineering.backoff import (
    JITTERS,
    Backoff,
)
from kexue_core.engineering.bm25 import (
    IDF,
    inverse_document_frequency,
    quantize_length,
    saturation,
)
from kexue_core.engineering.contention import (
    burst_success,
    offered_load,
    simulate_contention,
)
from kexue_core.engineering.inverted_index import (
    InvertedIndex,
)
from kexue_core.engineering.link_addresses import (
    rank_arxiv,
    render_reader,
    render_search,
    render_source,
    unrank_arxiv,
)
from kexue_core.engineering.link_script import (
    paper_link_script,
)
from kexue_core.engineering.links import (
    PaperId,
    explain_address,
    find_paper_ids,
    pick_paper_ids,
)
from kexue_core.engineering.queries import (
    excerpt,
    expand,
    one_edit_apart,
    rank,
    singular,
)
from kexue_core.engineering.queues import (
    priority_waits,
    simulate_priority,
)
from kexue_core.engineering.retry import (
    Attempt,
    Retry,
    RetryBudget,
)
from kexue_core.engineering.search import (
    bm25_scores,
    keywords,
    related,
    search,
    snippet,
    term_impacts,
)
from kexue_core.engineering.tokenizing import (
    token_spans,
    tokenize,
)
from kexue_core.engineering.waiting import (
    expected_tries,
    expected_wait,
    success_probability,
    tries_within,
    wait_quantile,
    wait_tail,
)

__all__ = [
    "Automaton",
    "build_automaton",
    "run_automaton",
    "path_counts",
    "rank_word",
    "unrank_word",
    "JITTERS",
    "Backoff",
    "IDF",
    "inverse_document_frequency",
    "saturation",
    "quantize_length",
    "burst_success",
    "simulate_contention",
    "offered_load",
    "InvertedIndex",
    "render_source",
    "render_reader",
    "render_search",
    "rank_arxiv",
    "unrank_arxiv",
    "paper_link_script",
    "PaperId",
    "explain_address",
    "find_paper_ids",
    "pick_paper_ids",
    "singular",
    "one_edit_apart",
    "expand",
    "rank",
    "excerpt",
    "priority_waits",
    "simulate_priority",
    "Retry",
    "Attempt",
    "RetryBudget",
    "term_impacts",
    "bm25_scores",
    "search",
    "snippet",
    "keywords",
    "related",
    "tokenize",
    "token_spans",
    "success_probability",
    "expected_tries",
    "expected_wait",
    "wait_tail",
    "wait_quantile",
    "tries_within",
]
