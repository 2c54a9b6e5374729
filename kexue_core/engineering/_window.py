"""The best excerpt of a text for weighted words: what `snippet` and `excerpt` share."""

from __future__ import annotations

from collections import Counter

from kexue_core.engineering._common import CHARACTER, is_character, located
from kexue_core.engineering.bm25 import inverse_document_frequency
from kexue_core.engineering.tokenizing import token_spans

_CLOSE = 1e-9  # a window must be better by more: it must not matter in which order weights are added


def idf(index, term: str) -> float:
    """Return the sum of the inverse document frequencies of a term over the fields of an index."""
    frequencies = [index.doc_freq(term, name) for name in index.fields]
    return float(inverse_document_frequency(frequencies, len(index)).sum())


def best_excerpt(text: str, words: list[dict[str, float]], width: int) -> tuple[str, list[tuple[int, int]]]:
    """Return the part of a text with the largest sum over words of the best of their terms in it, and what matched."""
    terms = {term for readings in words for term in readings}
    matches = [match for match in _places(text, terms) if match[2] - match[1] <= width]
    first, last = _best_window(matches, words, width)
    # Equal shares of the room that is left on both sides, unless an end of the text is nearer.
    start = max(0, min(first - (width - (last - first)) // 2, len(text) - width))
    end = min(len(text), start + width)
    while start < first and (text[start].isspace() or _within_word(text, start)):
        start += 1
    shorter = end
    while shorter > last and (text[shorter - 1].isspace() or _within_word(text, shorter)):
        shorter -= 1
    end = shorter or end
    highlights = []
    for _, left, right in matches:
        if start <= left and right <= end:
            joined = highlights and left - start < highlights[-1][1]  # bigrams overlap
            left = highlights.pop()[0] if joined else left - start
            highlights.append((left, right - start))
    return text[start:end], highlights


def _places(text, terms):
    """Return ``term, start, end`` of the wanted terms, a wanted CJK character wherever it stands, in order."""
    places = [span for span in token_spans(text) if span[0] in terms and not is_character(span[0])]
    if any(map(is_character, terms)):
        places += [place for place in zip(*located(text)) if is_character(place[0]) and place[0] in terms]
        places.sort(key=lambda place: place[1:])
    return places


def _best_window(matches, words, width):
    """Return the first place, at most ``width`` characters wide, with the largest weight."""
    best, place, left, inside = 0.0, (0, 0), 0, Counter()
    for term, _, end in matches:
        inside[term] += 1
        while end - matches[left][1] > width:
            inside[matches[left][0]] -= 1
            left += 1
        seen = [term for term in inside if inside[term]]
        weight = sum(max((readings[term] for term in seen if term in readings), default=0.0) for readings in words)
        if weight > best + _CLOSE:
            best, place = weight, (matches[left][1], end)
    return place


def _within_word(text, i):
    return 0 < i < len(text) and all(letter.isalnum() and not CHARACTER.match(letter) for letter in text[i - 1 : i + 1])
