"""Index and search against SQLite's FTS5, and against bm25s, rank-bm25 and jieba where they are installed; retries."""

import re
import sqlite3
import time

import numpy as np
from _measure import compare, package

from kexue_core.engineering import (
    Backoff,
    InvertedIndex,
    Retry,
    bm25_scores,
    build_automaton,
    find_paper_ids,
    path_counts,
    related,
    search,
    simulate_contention,
    token_spans,
    tokenize,
    unrank_arxiv,
)

BOUND = "one Python call per text and per term of a query; the sums are numpy's"
ENGINE = "FTS5 is written in C"


def corpus(n, length=120, vocabulary=20_000):
    """Return texts of words drawn by Zipf's law."""
    drawn = np.minimum(np.random.default_rng(1).zipf(1.25, size=(n, length)) - 1, vocabulary - 1)
    return [" ".join(f"w{word:x}" for word in line) for line in drawn]


def fts5(texts):
    """Return a full-text table of SQLite."""
    database = sqlite3.connect(":memory:")
    database.execute("create virtual table t using fts5(body)")
    database.executemany("insert into t(rowid, body) values (?, ?)", list(enumerate(texts)))
    return database


def main():
    """Print the ratios over corpora and texts."""
    bm25s, rank_bm25, jieba = package("bm25s"), package("rank_bm25"), package("jieba")
    statement = "select rowid, bm25(t) from t where t match ? order by rank limit 10"
    for n in (100, 1000, 10_000):
        texts, size = corpus(n), f"{n} texts"
        split = [text.split() for text in texts]
        index, table = InvertedIndex(texts), fts5(texts)
        compare(
            "InvertedIndex | FTS5",
            size,
            lambda: InvertedIndex(texts),
            lambda: fts5(texts),
            difference=False,
            note=ENGINE,
        )
        peers = {}
        if bm25s:
            peers["bm25s"] = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
            peers["bm25s"].index(split, show_progress=False)

            def indexed(texts=texts):
                tokens = bm25s.tokenize(texts, stopwords=None, show_progress=False)
                bm25s.BM25(method="lucene").index(tokens, show_progress=False)

            compare(
                "InvertedIndex | bm25s with its tokenizer",
                size,
                lambda: InvertedIndex(texts),
                indexed,
                difference=False,
                note=BOUND,
            )
        if rank_bm25:
            peers["rank-bm25"] = rank_bm25.BM25Okapi(split, k1=1.2, b=0.75)
            compare(
                "InvertedIndex | rank-bm25",
                size,
                lambda: InvertedIndex(texts),
                lambda: rank_bm25.BM25Okapi(split),
                difference=False,
                note="the peer gets words already cut",
            )
        for kind, query in (("frequent", "w0 w1 w2"), ("rare", "w3e7 w7d0 w12c")):
            words = query.split()
            for name, peer in peers.items():
                compare(
                    f"bm25_scores, {kind} | {name}",
                    size,
                    lambda: bm25_scores(index, query, k1_plus_1=False),
                    lambda: peer.get_scores(words),
                    difference=name == "bm25s",
                    note=BOUND,
                )
            if bm25s:
                compare(
                    f"search, {kind} | bm25s",
                    size,
                    lambda: search(index, query, 10),
                    lambda: peers["bm25s"].retrieve([words], k=10, show_progress=False),
                    difference=False,
                    note=BOUND,
                )
            compare(
                f"search, {kind} | FTS5",
                size,
                lambda: search(index, query, 10),
                lambda: table.execute(statement, (" OR ".join(words),)).fetchall(),
                difference=False,
            )
        compare(
            "contents | sorted(set(words))",
            size,
            lambda: index.contents(5),
            lambda: sorted(set(split[5])),
            difference=False,
        )
        compare(
            "related | FTS5 on ten words",
            size,
            lambda: related(index, 5),
            lambda: table.execute(statement, (" OR ".join(split[5][:10]),)).fetchall(),
            difference=False,
        )
    chinese, english = (
        "梯度流是一个将优化与微分方程联系起来的概念。",
        "Rotary position embedding (RoPE) multiplies query and key by a rotation. ",
    )
    for label, text in (("Chinese", chinese), ("English", english)):
        for times in (1, 100, 1000):
            long, size = text * times, f"{len(text) * times} characters"
            compare(
                f"token_spans, {label} | tokenize",
                size,
                lambda: token_spans(long),
                lambda: tokenize(long),
                difference=False,
                note="finds the place of each character",
            )
            if jieba:
                compare(
                    f"tokenize, {label} | jieba",
                    size,
                    lambda: tokenize(long),
                    lambda: list(jieba.cut_for_search(long)),
                    difference=False,
                )
    retries()
    automata()
    addresses()


def addresses():
    """Print what reading addresses in a text costs, and that it grows like the text."""
    listed = " ".join(f"https://arxiv.org/abs/{unrank_arxiv(rank)}" for rank in range(0, 10**8, 3200))
    for label, text in (("addresses", listed), ("digits", "0" * 10**6), ("starts", "openreview.net/?id=" * 55_000)):
        for part in (text[: len(text) // 10], text):
            compare(
                f"find_paper_ids, {label} | the rule of 2024",
                f"{len(part)} characters",
                lambda: find_paper_ids(part),
                lambda: re.findall(r"[0-9]{4}\.[0-9]{4,5}", part),
                difference=False,
                note="the regular expression runs in C; both linear",
            )
        for n in (10**4, 10**5, 10**6):
            part, tenth = text[:n], text[: n // 10]
            compare(
                f"find_paper_ids, {label} | a tenth, ten times",
                f"{len(part)} characters",
                lambda: find_paper_ids(part),
                lambda: [find_paper_ids(tenth) for _ in range(10)],
                difference=False,
                note="1 if the time per character stays the same",
            )


def retries():
    """Print what a loop costs that succeeds at once, and how a crowd of clients grows."""
    tenacity, rule = package("tenacity"), Retry(5)

    def ours():
        for attempt in rule:
            with attempt:
                time.monotonic()

    def theirs():
        for attempt in tenacity.Retrying(stop=tenacity.stop_after_attempt(5)):
            with attempt:
                time.monotonic()

    if tenacity:
        compare("Retry | tenacity.Retrying", "one try", ours, theirs, difference=False)
    for rule_name, backoff in (("full jitter", Backoff(10, 2, 2000, "full")), ("no delay", Backoff(0))):
        for clients in (50, 100, 200):
            compare(
                f"simulate_contention, {rule_name} | half of the clients",
                f"{clients} clients",
                lambda: simulate_contention(clients, backoff, np.random.default_rng(0)),
                lambda: simulate_contention(clients // 2, backoff, np.random.default_rng(0)),
                difference=False,
                note="calls grow up to quadratically",
            )


def automata():
    """Print how automata grow with the length of what they read."""
    for n in (200, 800, 3200):
        compare(
            "build_automaton, path_counts | half of the states",
            f"{n} states",
            lambda: path_counts(build_automaton([[("ab", n, n)]])),
            lambda: path_counts(build_automaton([[("ab", n // 2, n // 2)]])),
            difference=False,
            note="2 is linear, 4 quadratic",
        )


if __name__ == "__main__":
    main()
