"""How keys, paths and queries of addresses are read: a paper's fields or None, by which check, how much was taken."""

from __future__ import annotations

from kexue_core.engineering._link_table import AUTOMATA, HOMES
from kexue_core.engineering.automata import run_automaton

_REFUSED = ("no such year",) * 2 + ("no such month",) * 2 + ("no dot after the month",)


def cut(text, marks):
    """Return the text before and from the first of the marks."""
    place = min((i for i in map(text.find, marks) if i >= 0), default=len(text))
    return text[:place], text[place:]


def accepts(name, text):
    """Return whether an automaton accepts the text, and how many characters of it were taken."""
    states = run_automaton(AUTOMATA[name], text)
    taken = len(states) - 1
    return taken == len(text) and AUTOMATA[name].accepting[states[-1]], taken


def read_key(source, text):
    """Return the paper whose key is the whole text, or None; why; and how many characters were taken."""
    if source != "arxiv":
        holds, taken = accepts(source, text)
        if source == "IJCAI" and holds:
            year, number = text.split("/")
            text = f"{year}/{number.lstrip('0')}"
        return ((source, text, None), f"a key of {source}", taken) if holds else (None, f"no key of {source}", taken)
    place, version = text.rfind("v"), None
    if place > 0 and accepts("version", text[place:])[0]:
        text, version = text[:place], int(text[place + 1 :])
    more = 0 if version is None else len(str(version)) + 1
    holds, taken = accepts("new", text)
    if holds:
        return ("arxiv", text, version), "an id of arXiv", taken + more
    old, further = accepts("old", text)
    if old:
        archive, number = text.split("/")
        return ("arxiv", f"{archive.partition('.')[0]}/{number}", version), "an old id of arXiv", further + more
    if further > taken or taken == 0:
        return None, "no id of arXiv", further
    if taken == len(text):
        return None, "it ends too early", taken
    return None, (*_REFUSED, "no such number in this month")[min(taken, 5)], taken


def read_venue(text):
    """Return as `read_key` does the paper whose key in the reader is the text."""
    key, _, source = text.rpartition("@")
    if source in ("IJCAI", "PMLR"):
        name, _, volume = key.partition("@")
        key = f"{volume}/{name}"
    return read_key(source, key) if source in HOMES and source != "arxiv" else (None, "no key of the reader", 0)


def read_bare(text):
    for prefix in ("arxiv:", "10.48550/arxiv."):
        if text[: len(prefix)].lower() == prefix:
            paper, reason, taken = read_key("arxiv", text[len(prefix) :])
            return paper, reason, taken + len(prefix)
    if "@" in text:
        return read_venue(text)
    holds = read_key("ACL", text) if "-" in text else (None,)  # each key of ACL has one
    return holds if holds[0] else read_key("arxiv", text)


def read_query(site, path, query, start):
    if path not in site["before"]:
        return None, "no paper has such a path on openreview.net", start
    start, values, place = start + len(path), [], 1  # behind the question mark
    for part in query.split("&"):
        name, mark, value = part.partition("=")
        if name == site["query"]:
            values.append((place + len(name + mark), value))
        place += len(part) + 1
    if len(values) != 1:
        return None, f"{len(values)} values of {site['query']}", start
    ((place, value),) = values
    paper, reason, taken = read_key(site["source"], value)
    return paper, reason, start + place + taken


def read_path(site, before, rest, start):
    found = None
    for after in site["after"]:
        if rest.endswith(after):
            key = rest[: len(rest) - len(after)]
            head, _, again = key.rpartition("/")
            if after == ".pdf" and "twice" in site:
                key = head if head.endswith("/" + again) else ""
            source = "venue" if before == "/venue/" else site["source"]
            paper, reason, taken = read_venue(key) if source == "venue" else read_key(source, key)
            if paper:
                return paper, reason, start + len(rest)
            found = found or (None, reason, start + taken)
    return found or (None, "no paper has such a path", start)
