"""Scores of tantivy, bm25s and rank_bm25 on the small collections of the chapter `site_search`.

    pip install tantivy==0.27.0 bm25s==0.3.16 rank_bm25==0.2.2
    python benchmarks/peers/search_engines.py

Printed by these versions, all with k1 = 1.2 and b = 0.75, as "number of the text: score":

    tantivy, ten titles, "cool papers"
        9: 2.908802  6: 2.320892  7: 2.047130
    tantivy, ten titles, "the road"
        3: 2.780012  9: 1.665203  4: 1.501418  0: 1.455695
    tantivy, ten titles, "papers", and the same for "papers papers"
        9: 1.665203  6: 1.160446  7: 1.023565
    tantivy, ten lengths, "needle"
        0: 0.070909  1: 0.055056  2: 0.054635  3: 0.054635  4: 0.053811
        5: 0.053012  6: 0.047384  7: 0.038248  8: 0.038248  9: 0.030426
    tantivy, title and next title, "the road"
        3: 4.281430  9: 3.120898  2: 2.780012  8: 1.665203  4: 1.501418  0: 1.455695
    bm25s (lucene), ten titles, "cool papers"
        9: 1.322183  6: 1.054951  7: 0.930514
    rank_bm25 (BM25Okapi), ten titles, "cool papers"
        9: 1.935946  6: 1.544664  7: 1.362463
    rank_bm25 (BM25Okapi), ten titles, "the road"
        3: 2.062694  4: 1.240141  9: 1.108272  0: 0.968834
    tantivy, majority, "the needle"
        4: 1.537844  5: 1.163151
    bm25s (robertson), majority, "the needle"
        4: 0.358390  5: 0.358390
    rank_bm25 (BM25Okapi), majority, "the needle"
        4: 1.073578  5: 0.788457
"""

import bm25s
import tantivy
from rank_bm25 import BM25Okapi

TITLES = [
    "gradient flow exploring the path to the minimum",
    "average loss convergence of sgd",
    "lora with different learning rates",
    "the fourier transform road to the gamma function",
    "understanding riemannian geometry a geometric road",
    "elegant retry code in python",
    "chrome redirect extension for cool papers",
    "a simple site search system for cool papers",
    "attention as a quadratic complexity rnn",
    "the cool papers the papers",
]
LENGTHS = [10, 39, 40, 41, 42, 45, 60, 100, 101, 150]
HAYSTACKS = ["needle" + " straw" * (length - 1) for length in LENGTHS]
MAJORITY = ["the a", "the b", "the c", "the d", "the needle", "f needle", "h i"]
DIALS = {"k1": 1.2, "b": 0.75}


def by_tantivy(documents, query):
    """Return number and score of the hits, over one field or two."""
    rows = [row if isinstance(row, tuple) else (row,) for row in documents]
    names = ["title", "body"][: len(rows[0])]
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("number", stored=True)
    for name in names:
        builder.add_text_field(name)
    index = tantivy.Index(builder.build())
    writer = index.writer(num_threads=1)
    for number, row in enumerate(rows):
        writer.add_document(tantivy.Document(number=number, **dict(zip(names, row))))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()
    hits = searcher.search(index.parse_query(query, names), 20).hits
    return [(searcher.doc(address)["number"][0], score) for score, address in hits]


def by_bm25s(documents, query, method):
    """Return number and score of the texts with a positive score."""
    engine = bm25s.BM25(method=method, **DIALS)
    engine.index([text.split() for text in documents], show_progress=False)
    return ranked(engine.get_scores(query.split()))


def by_rank_bm25(documents, query):
    """Return number and score of the texts with a positive score."""
    return ranked(BM25Okapi([text.split() for text in documents], **DIALS).get_scores(query.split()))


def ranked(scores):
    """Return number and score, best first."""
    return sorted(((i, s) for i, s in enumerate(scores) if s > 0), key=lambda hit: -hit[1])


def main():
    """Print the scores."""
    two_fields = list(zip(TITLES, TITLES[1:] + TITLES[:1]))
    for what, hits in {
        'tantivy, ten titles, "cool papers"': by_tantivy(TITLES, "cool papers"),
        'tantivy, ten titles, "the road"': by_tantivy(TITLES, "the road"),
        'tantivy, ten titles, "papers"': by_tantivy(TITLES, "papers"),
        'tantivy, ten titles, "papers papers"': by_tantivy(TITLES, "papers papers"),
        'tantivy, ten lengths, "needle"': sorted(by_tantivy(HAYSTACKS, "needle")),
        'tantivy, title and next title, "the road"': by_tantivy(two_fields, "the road"),
        'bm25s (lucene), ten titles, "cool papers"': by_bm25s(TITLES, "cool papers", "lucene"),
        'rank_bm25 (BM25Okapi), ten titles, "cool papers"': by_rank_bm25(TITLES, "cool papers"),
        'rank_bm25 (BM25Okapi), ten titles, "the road"': by_rank_bm25(TITLES, "the road"),
        'tantivy, majority, "the needle"': by_tantivy(MAJORITY, "the needle")[:2],
        'bm25s (robertson), majority, "the needle"': by_bm25s(MAJORITY, "the needle", "robertson")[:2],
        'rank_bm25 (BM25Okapi), majority, "the needle"': by_rank_bm25(MAJORITY, "the needle")[:2],
    }.items():
        print(what)
        print("   ", "  ".join(f"{number}: {score:.6f}" for number, score in hits))


if __name__ == "__main__":
    main()
