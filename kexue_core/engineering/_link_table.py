"""The one table of paper addresses: which keys a source has, on which hosts and paths they stand. Data, no engine."""

from __future__ import annotations

from typing import Any

from kexue_core.engineering.automata import Automaton, build_automaton

D, POSITIVE, UPPER, LOWER = "0123456789", "123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
ARCHIVES = (
    "astro-ph cond-mat cs gr-qc hep-ex hep-lat hep-ph hep-th math math-ph nlin nucl-ex nucl-th physics q-bio quant-ph "
    "acc-phys adap-org alg-geom ao-sci atom-ph bayes-an chao-dyn chem-ph cmp-lg comp-gas dg-ga funct-an mtrl-th "
    "patt-sol plasm-ph q-alg solv-int supr-con"
)
MONTHS = [("0", POSITIVE), ("1", "012")]


def _one(text):
    return [(character, 1, 1) for character in text]


def _classes(*sets):
    return [(characters, 1, 1) for characters in sets]


def _positive(digits):
    """Return the shapes of so many digits that are not all 0."""
    return [[("0", k, k), (POSITIVE, 1, 1), (D, digits - k - 1, digits - k - 1)] for k in range(digits)]


def _new():
    """Return the shapes of YYMM.number: 0704 to 1412 with four digits, 1501 to 9912 with five."""
    early = [("0", "7", "0", "456789"), ("0", "7", "1", "012")]
    early += [(*year, *month) for year in (("0", "89"), ("1", "01234")) for month in MONTHS]
    late = [(*year, *month) for year in (("1", "56789"), ("23456789", D)) for month in MONTHS]
    dated = [(prefix, 4) for prefix in early] + [(prefix, 5) for prefix in late]
    return [[*_classes(*p), *_one("."), *number] for p, digits in dated for number in _positive(digits)]


def _old():
    """Return the shapes of archive[.CLASS]/YYMMNNN: 9107 to 0703."""
    dates = [("9", "1", "0", "789"), ("9", "1", "1", "012"), ("0", "7", "0", "123")]
    dates += [(*year, *month) for year in (("9", "23456789"), ("0", "0123456")) for month in MONTHS]
    subject = [[], [*_one("."), (UPPER, 2, 2)]]
    return [
        [*_one(archive), *middle, *_one("/"), *_classes(*date), *number]
        for archive in ARCHIVES.split()
        for middle in subject
        for date in dates
        for number in _positive(3)
    ]


YEAR = _classes("12", D, D, D)
SHAPES = {
    "new": _new(),
    "old": _old(),
    "version": [[*_one("v"), (POSITIVE, 1, 1), (D, 0, 3)]],
    "OpenReview": [[(UPPER + LOWER + D + "-_", 8, 12)]],
    "ACL": [
        [(UPPER, 1, 1), (D, 2, 2), *_one("-"), (D, 4, 4)],
        [*YEAR, *_one("."), (LOWER, 1, 1), (LOWER + D + "_", 0, None), *_one("-"), (LOWER + D, 1, None), *_one("."),
         (POSITIVE, 1, 1), (D, 0, None)],
    ],
    "IJCAI": [[*YEAR, *_one("/"), ("0", 0, None), (POSITIVE, 1, 1), (D, 0, 3)]],
    "PMLR": [[*_one("v"), (POSITIVE, 1, 1), (D, 0, None), *_one("/"), (LOWER, 1, 1), (LOWER + "-", 0, None), (D, 2, 2),
              (LOWER, 0, None)]],
}  # fmt: skip

# Host: its sites. Site: the starts of a path before a key, and what may follow the key.
HOSTS = {
    **dict.fromkeys(("arxiv.org", "www.arxiv.org", "export.arxiv.org"), "arxiv.org"),
    **dict.fromkeys(("ar5iv.org", "ar5iv.labs.arxiv.org"), "ar5iv"),
    **dict.fromkeys(("alphaxiv.org", "www.alphaxiv.org"), "alphaxiv"),
    **dict.fromkeys(("doi.org", "dx.doi.org", "www.doi.org"), "doi"),
    **dict.fromkeys(("openreview.net", "www.openreview.net"), "openreview"),
    **dict.fromkeys(("aclanthology.org", "www.aclanthology.org"), "acl"),
    **dict.fromkeys(("ijcai.org", "www.ijcai.org"), "ijcai"),
    "huggingface.co": "huggingface",
    "proceedings.mlr.press": "pmlr",
    "papers.cool": "reader",
}
SITES: dict[str, dict[str, Any]] = {
    "arxiv.org": {"source": "arxiv", "before": ["/abs/", "/pdf/", "/html/", "/format/"], "after": ["", ".pdf", "/"]},
    "ar5iv": {"source": "arxiv", "before": ["/html/", "/abs/"], "after": ["", "/"]},
    "alphaxiv": {"source": "arxiv", "before": ["/abs/", "/pdf/"], "after": ["", ".pdf", "/"]},
    "huggingface": {"source": "arxiv", "before": ["/papers/"], "after": ["", "/"]},
    "doi": {"source": "arxiv", "before": ["/10.48550/arXiv.", "/10.48550/arxiv."], "after": [""]},
    "openreview": {"source": "OpenReview", "before": ["/forum", "/pdf", "/attachment"], "after": [""], "query": "id"},
    "acl": {"source": "ACL", "before": ["/"], "after": ["", "/", ".pdf"]},
    "ijcai": {"source": "IJCAI", "before": ["/proceedings/"], "after": ["", ".pdf", "/"]},
    "pmlr": {"source": "PMLR", "before": ["/"], "after": [".html", "", ".pdf"], "twice": True},
    "reader": {"source": "arxiv", "before": ["/arxiv/", "/venue/"], "after": [""]},
}
# Where the source itself shows a paper; {} is its key there.
HOMES = {
    "arxiv": "https://arxiv.org/abs/{}",
    "OpenReview": "https://openreview.net/forum?id={}",
    "ACL": "https://aclanthology.org/{}",
    "IJCAI": "https://www.ijcai.org/proceedings/{}",
    "PMLR": "https://proceedings.mlr.press/{}.html",
}
READER = "https://papers.cool"
# What may stand in a word of a free text: an address or an id. All other characters part words.
WORD = UPPER + LOWER + D + "-._~:/?#@!$&*+=%"
CLOSING = ".:!?&=#/"  # not the end of a word
AUTOMATA: dict[str, Automaton] = {name: build_automaton(shapes) for name, shapes in SHAPES.items()}
