"""Addresses from papers: at the source, in the reader, and the number of an arXiv id in the order of time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from kexue_core import _checks
from kexue_core.engineering._link_reading import accepts, read_key
from kexue_core.engineering._link_table import AUTOMATA, HOMES, READER
from kexue_core.engineering.automata import rank_word, unrank_word
from kexue_core.engineering.links import PaperId

__all__ = ["render_source", "render_reader", "render_search", "rank_arxiv", "unrank_arxiv"]


def render_source(paper: PaperId) -> str:
    """Return the address of a paper where it is kept; `explain_address` inverts it.

    Parameters
    ----------
    paper : PaperId
        Canonical.

    Returns
    -------
    address : str
        Begins with https.

    Raises
    ------
    TypeError, ValueError
        If ``paper`` is not a canonical id.

    References
    ----------
    .. [1] info.arxiv.org/help/arxiv_identifier.html.

    Examples
    --------
    >>> render_source(PaperId("arxiv", "2402.12354", 2))
    'https://arxiv.org/abs/2402.12354v2'
    """
    _canonical(paper)
    return HOMES[paper.source].format(_written(paper))


def render_reader(papers: Iterable[PaperId]) -> str:
    """Return the address of papers in the reader; `find_paper_ids` inverts it.

    Parameters
    ----------
    papers : iterable of PaperId
        At least one; all of arXiv, or none.

    Returns
    -------
    address : str
        Begins with https; versions are left out.

    Raises
    ------
    TypeError, ValueError
        If there are none, one is not canonical, or arXiv and venues are mixed.

    References
    ----------
    .. [1] kexue.fm/archives/9978 and 10480: the two kinds of addresses.

    Examples
    --------
    >>> render_reader([PaperId("PMLR", "v235/hayou24a"), PaperId("IJCAI", "2023/12")])
    'https://papers.cool/venue/hayou24a@v235@PMLR,12@2023@IJCAI'
    """
    papers = [_canonical(paper) for paper in _checks.iterable("papers", papers, "PaperId")]
    branches = {paper.source == "arxiv" for paper in papers}
    if len(branches) != 1:
        raise ValueError(f"papers must be of one branch, got {len(branches)} branches")
    branch = "arxiv" if branches.pop() else "venue"
    return f"{READER}/{branch}/{','.join(map(_reader_key, papers))}"


def render_search(text: str, branch: str = "arxiv") -> str:
    """Return the address of the reader's search for the words of a text, where it names no paper.

    Parameters
    ----------
    text : str
        Of which runs of at least two letters or digits count, as Python's Unicode tables know them (a browser's may be
        newer, and know more).
    branch : str
        "arxiv" or "venue".

    Returns
    -------
    address : str
        All but letters, digits and ``-._~`` is percent-encoded.

    Raises
    ------
    TypeError, ValueError
        If ``text`` is not a string, or ``branch`` not one of both.

    References
    ----------
    .. [1] kexue.fm/archives/10480: selected words become a search.

    Examples
    --------
    >>> render_search("a retry & a road")
    'https://papers.cool/arxiv/search?highlight=1&query=retry%20road'
    """
    words = re.findall(r"[^\W_]{2,}", _checks.string("text", text).encode("utf-8", "ignore").decode())
    query = quote(" ".join(words), safe="")
    return f"{READER}/{_checks.choice('branch', branch, ('arxiv', 'venue'))}/search?highlight=1&query={query}"


def rank_arxiv(key: str) -> int:
    """Return how many new-style ids of arXiv come before this one: they are in the order of time.

    Parameters
    ----------
    key : str
        YYMM.number, without version.

    Returns
    -------
    rank : int
        From 0 for 0704.0001 to 102928886 for 9912.99999; `unrank_arxiv` inverts it.

    Raises
    ------
    TypeError, ValueError
        If ``key`` is not such an id.

    References
    ----------
    .. [1] info.arxiv.org/help/arxiv_identifier.html.

    Examples
    --------
    >>> rank_arxiv("1412.9999"), rank_arxiv("1501.00001")
    (929906, 929907)
    """
    if not accepts("new", _checks.string("key", key))[0]:
        raise ValueError(f"key must be a new-style id of arXiv, got {key!r:.60}")
    return rank_word(AUTOMATA["new"], key)


def unrank_arxiv(rank: int) -> str:
    """Return the new-style id of arXiv before which ``rank`` others come.

    Parameters
    ----------
    rank : int
        From 0 to 102928886.

    Returns
    -------
    key : str
        `rank_arxiv` inverts it.

    Raises
    ------
    TypeError, ValueError
        If ``rank`` is not an integer in the range.

    References
    ----------
    .. [1] info.arxiv.org/help/arxiv_identifier.html.

    Examples
    --------
    >>> unrank_arxiv(0), unrank_arxiv(102928886)
    ('0704.0001', '9912.99999')
    """
    return unrank_word(AUTOMATA["new"], rank)


def _canonical(paper):
    _checks.instance("paper", paper, PaperId)
    written = _written(paper) if isinstance(paper.key, str) else ""
    known = isinstance(paper.source, str) and paper.source in HOMES
    if not known or _fields(paper) != read_key(paper.source, written)[0]:
        raise ValueError(f"paper must be canonical, got {paper!r:.80}")
    return paper


def _written(paper):
    return paper.key if paper.version is None else f"{paper.key}v{paper.version}"


def _reader_key(paper):
    if paper.source == "arxiv":
        return paper.key
    volume, slash, name = paper.key.partition("/")
    return f"{name}@{volume}@{paper.source}" if slash else f"{paper.key}@{paper.source}"


def _fields(paper):
    return paper.source, paper.key, paper.version
