"""Addresses of papers: exact, total and invertible, from one table of automata.

Every function takes any string: it ends after a number of steps proportional to the length, with ids or without.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kexue_core import _checks
from kexue_core.engineering._link_reading import cut, read_bare, read_path, read_query
from kexue_core.engineering._link_table import CLOSING, HOSTS, SITES, WORD

__all__ = ["PaperId", "explain_address", "find_paper_ids", "pick_paper_ids"]

_WORD = re.compile(f"[{re.escape(WORD)}]+")
_ESCAPED = re.compile("%[2-7][0-9A-Fa-f]")


@dataclass(frozen=True)
class PaperId:
    """A paper: the source that keeps it, its key there, and for arXiv a version if one was named.

    Attributes
    ----------
    source : str
        "arxiv", "OpenReview", "ACL", "IJCAI" or "PMLR".
    key : str
        As the source writes it: "2402.12354", "hep-th/9901001", "2023/12", "v235/hayou24a".
    version : int, optional
        Of arXiv only.
    """

    source: str
    key: str
    version: int | None = None


def explain_address(text: str) -> tuple[PaperId | None, str, int]:
    """Return the paper that an address or a bare id names, by which check, and how far the text was accepted.

    An address has the scheme http or https or none, a host of the table, no user and no port but 80 and 443. Compared
    is the whole host, and the whole path after percent escapes were resolved once. A bare id is one of arXiv, with or
    without ``arXiv:``, its DOI, one of the ACL Anthology, or a key of the reader.

    Parameters
    ----------
    text : str
        Any; blanks around it do not count.

    Returns
    -------
    paper : PaperId or None
        The canonical id. Subject classes and leading zeros are forgotten, the version is kept.
    reason : str
        The rule that accepted, or the check that refused.
    accepted : int
        How many characters were accepted, counted after percent escapes were resolved.

    Raises
    ------
    TypeError
        If ``text`` is not a string.

    References
    ----------
    .. [1] info.arxiv.org/help/arxiv_identifier.html: the two schemes of arXiv.
    .. [2] kexue.fm/archives/9978: the order of the sources, and the addresses of the reader.

    Examples
    --------
    >>> explain_address("https://arxiv.org/pdf/2402.12354v2.pdf")[0]
    PaperId(source='arxiv', key='2402.12354', version=2)
    >>> explain_address("https://doi.org/10.1145/3292500.3330701")[:2]
    (None, 'no paper has such a path on doi.org')
    >>> explain_address("1234.56789")[:2]
    (None, 'no such month')
    """
    fields, reason, accepted = _explain(_checks.string("text", text).strip(" \t\r\n"))
    return (PaperId(*fields) if fields else None), reason, accepted


def find_paper_ids(text: str) -> list[PaperId]:
    """Return the papers that a text names, each once, in the order of their first mention, without versions.

    The text falls into words: longest runs of characters that an address may hold. A word counts if as a whole, but for
    punctuation at its end, `explain_address` accepts it. A comma parts words, as in the reader's addresses.

    Parameters
    ----------
    text : str
        Any.

    Returns
    -------
    papers : list of PaperId
        Empty if there are none. Each character is looked at a bounded number of times.

    Raises
    ------
    TypeError
        If ``text`` is not a string.

    References
    ----------
    .. [1] kexue.fm/archives/9978, the redirection of selected text.

    Examples
    --------
    >>> text = "见2402.12354和arXiv:hep-th/9901001v2. Not 1234.56789, again 2402.12354v3"
    >>> [paper.key for paper in find_paper_ids(text)]
    ['2402.12354', 'hep-th/9901001']
    """
    found: dict[PaperId, None] = {}
    for match in _WORD.finditer(_checks.string("text", text)):
        paper = explain_address(match[0].rstrip(CLOSING))[0]
        if paper:
            found[PaperId(paper.source, paper.key)] = None
    return list(found)


def pick_paper_ids(evidence: Iterable[str | None]) -> list[PaperId]:
    """Return the papers of the first text that names any: of the selection, else the link, else the page.

    Parameters
    ----------
    evidence : iterable of str or None
        In the order in which they count.

    Returns
    -------
    papers : list of PaperId
        As from `find_paper_ids`; empty if no text names one.

    Raises
    ------
    TypeError
        If ``evidence`` is not such an iterable, or an entry is neither a string nor None.

    References
    ----------
    .. [1] kexue.fm/archives/9978: selected text, selected link, address of the page.

    Examples
    --------
    >>> [p.key for p in pick_paper_ids(["Attention", None, "https://arxiv.org/abs/1706.03762"])]
    ['1706.03762']
    """
    for text in _checks.iterable("evidence", evidence, "strings and None"):
        if text is not None and (papers := find_paper_ids(text)):
            return papers
    return []


def _explain(text):
    scheme, mark, rest = text.partition("://")
    if mark and scheme.lower() not in ("http", "https"):
        return None, "the scheme is neither http nor https", 0
    rest = rest if mark else text
    authority, tail = cut(rest, "/?#")
    host, colon, port = authority.lower().partition(":")
    if not mark and host not in HOSTS:
        return read_bare(text)
    start = len(text) - len(rest)
    if "@" in authority:
        return None, "an address with a user", start
    if colon and port not in ("80", "443"):
        return None, "an unexpected port", start + len(host)
    if host not in HOSTS:
        return None, "the host is not in the table", start
    site, start = SITES[HOSTS[host]], start + len(authority)
    path, query = cut(tail.partition("#")[0], "?")
    path = _ESCAPED.sub(lambda code: chr(int(code[0][1:], 16)), path)
    if "query" in site:
        return read_query(site, path, query[1:], start)
    for before in site["before"]:
        if path.startswith(before):
            return read_path(site, before, path[len(before) :], start + len(before))
    return None, f"no paper has such a path on {host}", start
